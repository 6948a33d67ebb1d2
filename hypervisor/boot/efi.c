/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads what EFI firmware left in memory: its system table and what that leads
 * to (UEFI 2.10, sections 4.3 to 4.6). Boot services are over by then, the loader
 * has ended them, and soon their memory will be used for other things: whatever
 * is wanted later is copied now.
 *
 * Runs on the early tables: what lies beyond 4 GiB is not looked at, and where
 * firmware's memory map is known, nothing outside of memory. Tables may be wrong
 * in any way; at worst we know nothing. Boot CPU only, no locks.
 */
#include "boot/boot.h"
#include "memory/map.h"

#define SYSTEM_TABLE_SIGNATURE  0x5453595320494249UL /* "IBI SYST" */
#define RUNTIME_TABLE_SIGNATURE 0x56524553544e5552UL /* "RUNTSERV" */
#define TABLES_MAX              256u
#define REGIONS_MAX             512u
#define SECTIONS_MAX            512u
#define VENDOR_MAX              64u

struct table_header {
    u64 signature;
    u32 revision, size, crc, reserved;
};

struct system_table {
    struct table_header header;
    u64 vendor;
    u32 vendor_revision, pad;
    u64 console[6];
    u64 runtime, boot;
    u64 table_count, tables;
};

struct runtime_table {
    struct table_header header;
    u64 services[EFI_SERVICES];
};

struct configuration_table {
    u8 guid[16];
    u64 address;
};

struct attributes_table {
    u32 version, count, entry_size, flags;
};

static const u8 guid_acpi20[16] = {0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11,
                                   0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81};
static const u8 guid_acpi10[16] = {0x30, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11,
                                   0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d};
static const u8 guid_attributes[16] = {0x1d, 0x91, 0xfa, 0xdc, 0xeb, 0x26, 0x9f, 0x46,
                                       0xa2, 0x20, 0x38, 0xb7, 0xdc, 0x46, 0x12, 0x20};

struct efi_facts boot_efi;
static struct efi_region regions[REGIONS_MAX], sections[SECTIONS_MAX];
static u16 vendor[VENDOR_MAX];

void boot_add_efi_region(const struct efi_region *r)
{
    if (boot_efi.region_count == REGIONS_MAX)
        return;
    boot_efi.regions = regions;
    regions[boot_efi.region_count++] = *r;
}

/* Types up to 10 but 8 (unusable) are memory. */
static bool is_memory(u64 at, u64 length)
{
    if (!boot_efi.region_count)
        return true;
    for (u32 i = 0; i < boot_efi.region_count; i++) {
        const struct efi_region *r = &regions[i];

        if (r->type <= 10 && r->type != 8 && at >= r->start &&
            at - r->start < r->pages << PAGE_SHIFT)
            return length <= (r->pages << PAGE_SHIFT) - (at - r->start);
    }
    return false;
}

static bool copy_low(void *to, u64 from, u64 length)
{
    if (from == 0 || from >= 1UL << 32 || length > (1UL << 32) - from || !is_memory(from, length))
        return false;
    memcpy(to, paddr_to_virt(paddr(from)), length);
    return true;
}

/* What each part of a run-time region may be used for. All of it or nothing: half a table helps
 * nobody. It lies in memory of boot services, which something may have overwritten by now. */
static void read_attributes(u64 at)
{
    struct attributes_table t;

    if (!copy_low(&t, at, sizeof(t)) || t.version < 1 || t.version > 2 || t.count > SECTIONS_MAX ||
        t.entry_size < sizeof(*sections) || t.entry_size > PAGE_SIZE)
        return;
    for (u32 i = 0; i < t.count; i++)
        if (!copy_low(&sections[i], at + sizeof(t) + i * t.entry_size, sizeof(*sections)))
            return;
    boot_efi.sections = sections;
    boot_efi.section_count = t.count;
}

/* Returns the RSDP's address, 0 if there is none. */
static u64 read_configuration(const struct system_table *system)
{
    u64 rsdp = 0, rsdp_old = 0;
    struct configuration_table t;

    boot_efi.tables = system->tables;
    boot_efi.table_count = 0;
    while (boot_efi.table_count < MIN(system->table_count, (u64)TABLES_MAX)) {
        if (!copy_low(&t, system->tables + boot_efi.table_count * sizeof(t), sizeof(t)))
            break;
        boot_efi.table_count++;
        if (memcmp(t.guid, guid_acpi20, sizeof(t.guid)) == 0)
            rsdp = t.address;
        else if (memcmp(t.guid, guid_acpi10, sizeof(t.guid)) == 0)
            rsdp_old = t.address;
        else if (memcmp(t.guid, guid_attributes, sizeof(t.guid)) == 0)
            read_attributes(t.address);
    }
    return rsdp ? rsdp : rsdp_old;
}

static void read_runtime(u64 at)
{
    struct runtime_table t;
    u64 size = sizeof(t);

    if (!copy_low(&t.header, at, sizeof(t.header)) || t.header.signature != RUNTIME_TABLE_SIGNATURE)
        return;
    memset(&t.services, 0, sizeof(t.services));
    if (t.header.revision < EFI_REVISION_2)
        size = offsetof(struct runtime_table, services[EFI_UPDATE_CAPSULE]);
    if (!copy_low(&t, at, size))
        return;
    boot_efi.runtime_revision = t.header.revision;
    memcpy(boot_efi.services, t.services, sizeof(boot_efi.services));
}

paddr_t efi_read(u64 at)
{
    struct system_table system;

    if (!copy_low(&system, at, sizeof(system)) || system.header.signature != SYSTEM_TABLE_SIGNATURE)
        return paddr(0);
    boot_efi.present = true;
    boot_efi.revision = system.header.revision;
    boot_efi.vendor_revision = system.vendor_revision;
    boot_efi.vendor = vendor;
    for (u32 i = 0; i < VENDOR_MAX - 1; i++)
        if (!copy_low(&vendor[i], system.vendor + i * sizeof(u16), sizeof(u16)) || !vendor[i])
            break;
    read_runtime(system.runtime);
    return paddr(read_configuration(&system));
}
