/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The little we read from EFI firmware, whose boot services are over: where the
 * ACPI tables are (UEFI 2.10, sections 4.3 and 4.6). Runs on the early tables:
 * what lies beyond 4 GiB is not looked at.
 */
#include "boot/boot.h"
#include "lib/string.h"
#include "memory/map.h"

#define SYSTEM_TABLE_SIGNATURE 0x5453595320494249UL /* "IBI SYST" */
#define OFFSET_TABLE_COUNT     104
#define OFFSET_TABLES          112
#define TABLES_MAX             256

struct configuration_table {
    u8 guid[16];
    u64 address;
};

static const u8 guid_acpi20[16] = {0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11,
                                   0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81};
static const u8 guid_acpi10[16] = {0x30, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11,
                                   0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d};

static bool copy_low(void *to, u64 from, u64 length)
{
    if (from >= 1UL << 32 || from + length > 1UL << 32)
        return false;
    memcpy(to, paddr_to_virt(paddr(from)), length);
    return true;
}

paddr_t efi_find_rsdp(u64 system_table)
{
    u64 signature, count, tables, found = 0;
    struct configuration_table t;

    if (!copy_low(&signature, system_table, 8) || signature != SYSTEM_TABLE_SIGNATURE ||
        !copy_low(&count, system_table + OFFSET_TABLE_COUNT, 8) ||
        !copy_low(&tables, system_table + OFFSET_TABLES, 8))
        return paddr(0);
    for (u64 i = 0; i < MIN(count, (u64)TABLES_MAX); i++) {
        if (!copy_low(&t, tables + i * sizeof(t), sizeof(t)))
            break;
        if (memcmp(t.guid, guid_acpi20, sizeof(t.guid)) == 0)
            return paddr(t.address);
        if (memcmp(t.guid, guid_acpi10, sizeof(t.guid)) == 0)
            found = t.address;
    }
    return paddr(found);
}
