/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * EFI's run-time services: firmware's code, run in ring 0 at machine addresses
 * (the loader has not moved it, and nobody will), on a stack and page tables of
 * its own: below, the regions that firmware marked for run time and nothing else,
 * executable only where there is code; above, our own half, without which no
 * exception could be taken.
 *
 * Not all firmware is without bugs: a call that faults is given up
 * (cpu/foreign.h), and the services are off from then on, since who knows what
 * state they are in.
 *
 * efi_lock (LOCK_FIRMWARE) makes calls one at a time, as 8.1 asks for. A call may
 * take milliseconds (writing flash memory), in which this CPU answers nobody.
 */
#include "platform/efi.h"

#include "cpu/foreign.h"
#include "cpu/fpu.h"
#include "cpu/instructions.h"
#include "lib/option.h"
#include "memory/alloc.h"

#define TABLE_FLAGS   (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED)
#define LARGE_PAGES   512UL
#define ADDRESS_LIMIT (1UL << 47) /* what identity can mean */
#define PAGES_MAX     (1UL << 20) /* 4 GiB in a region are a mistake */
#define RESET_COLD    0

struct efi_facts efi __ro_after_init;
static u64 *tables __ro_after_init; /* top level; its upper half is filled in for each call */
static bool usable;
static spinlock_t efi_lock = SPINLOCK(LOCK_FIRMWARE);

/* --- Options: efi=rs=BOOL, also [no-]rs; attr=no|uc ---------------------- */

static bool runtime_wanted __initdata = true;
static bool uncached_if_unknown __initdata;

static __init int parse_efi(const char *value, void *)
{
    char item[16];
    int more, on;

    while ((more = cmdline_item(&value, item, sizeof(item))) == 1) {
        if (strcmp(item, "rs") == 0 || strcmp(item, "no-rs") == 0) {
            runtime_wanted = item[0] == 'r';
        } else if (strncmp(item, "rs=", 3) == 0 && (on = cmdline_bool(item + 3)) >= 0) {
            runtime_wanted = on;
        } else if (strcmp(item, "attr=uc") == 0 || strcmp(item, "attr=no") == 0) {
            uncached_if_unknown = item[5] == 'u';
        } else {
            return -EINVAL;
        }
    }
    return more;
}
CMDLINE_CUSTOM("efi", parse_efi, NULL);

/* --- Page tables --------------------------------------------------------- */

/* The entry of level 1, or of level 2 for large pages. NULL: there is none, and none was to be made
 * or could be. */
static __init u64 *entry_of(u64 address, u32 level, bool create)
{
    u64 *entry = &tables[address >> 39];

    for (u32 at = 4; at > level; at--) {
        if (!(*entry & PTE_PRESENT)) {
            void *table = create ? page_alloc(ALLOC_ZERO) : NULL;

            if (!table)
                return NULL;
            *entry = pte_make(virt_to_mfn(table), TABLE_FLAGS);
        } else if (at < 4 && (*entry & PTE_PSE)) {
            return NULL;
        }
        entry = (u64 *)mfn_to_virt(pte_mfn(*entry)) +
                (address >> (PAGE_SHIFT + 9 * (at - 2))) % LARGE_PAGES;
    }
    return entry;
}

/* 0: unknown, do not map. */
static __init u64 caching(u64 attributes)
{
    if (attributes & EFI_MEMORY_WB)
        return PTE_PRESENT;
    if (attributes & EFI_MEMORY_WT)
        return PTE_PRESENT | PTE_PWT;
    if ((attributes & (EFI_MEMORY_UC | EFI_MEMORY_WC)) || uncached_if_unknown)
        return PTE_PRESENT | PTE_PCD | PTE_PWT;
    return 0;
}

/* Code may have data among it, unless the attributes table knows better. */
static __init const char *map_region(const struct efi_region *r)
{
    u64 flags = caching(r->attributes) | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY, step;

    if (!(flags & PTE_PRESENT))
        return NULL;
    if (r->start % PAGE_SIZE || r->pages > PAGES_MAX || r->start >= ADDRESS_LIMIT ||
        (r->pages << PAGE_SHIFT) > ADDRESS_LIMIT - r->start)
        return "a run-time region is not believable";
    if (r->type != EFI_RUNTIME_CODE || (r->attributes & EFI_MEMORY_XP))
        flags |= PTE_NX;
    for (u64 n = 0; n < r->pages; n += step) {
        u64 at = r->start + (n << PAGE_SHIFT);
        bool large = r->type >= EFI_MEMORY_MAPPED_IO && r->pages - n >= LARGE_PAGES &&
                     (at >> PAGE_SHIFT) % LARGE_PAGES == 0;
        u64 *entry = entry_of(at, large ? 2 : 1, true);

        if (!entry || (large && (*entry & PTE_PRESENT)))
            return entry ? "run-time regions overlap" : "no memory for its page tables";
        *entry = at | flags | (large ? PTE_PSE : 0);
        step = large ? LARGE_PAGES : 1;
    }
    return NULL;
}

/* The attributes table takes rights away only, and only from what is mapped. */
static __init void restrict_section(const struct efi_region *s)
{
    for (u64 n = 0; n < MIN(s->pages, PAGES_MAX); n++) {
        u64 at = s->start + (n << PAGE_SHIFT), *entry;

        if (at >= ADDRESS_LIMIT)
            return;
        entry = entry_of(at, 1, false);
        if (!entry || !(*entry & PTE_PRESENT))
            continue;
        if (s->attributes & EFI_MEMORY_RO)
            *entry &= ~PTE_WRITE;
        if (s->attributes & EFI_MEMORY_XP)
            *entry |= PTE_NX;
    }
}

/* --- At boot ------------------------------------------------------------- */

static __init bool in_runtime_code(u64 address)
{
    for (u32 i = 0; i < efi.region_count; i++) {
        const struct efi_region *r = &efi.regions[i];

        if (r->type == EFI_RUNTIME_CODE && (r->attributes & EFI_MEMORY_RUNTIME) &&
            address >= r->start && address - r->start < r->pages << PAGE_SHIFT)
            return true;
    }
    return false;
}

static __init const char *prepare(void)
{
    const char *why;

    if (!runtime_wanted)
        return "efi= says so";
    if (!efi.runtime_revision)
        return "no table of them";
    for (u32 i = 0;
         i < (efi.runtime_revision >= EFI_REVISION_2 ? EFI_SERVICES : EFI_UPDATE_CAPSULE); i++)
        if (!in_runtime_code(efi.services[i]))
            return "a service lies outside of run-time code";
    tables = page_alloc(ALLOC_ZERO);
    if (!tables)
        return "no memory for its page tables";
    void *stack = heap_alloc(STACK_SIZE);
    if (!stack || map_pages(FIRMWARE_STACK, virt_to_mfn(stack), STACK_SIZE / PAGE_SIZE, MAP_RW))
        return "no memory for its stack";
    for (u32 i = 0; i < efi.region_count; i++)
        if ((efi.regions[i].attributes & EFI_MEMORY_RUNTIME) &&
            (why = map_region(&efi.regions[i])) != NULL)
            return why;
    for (u32 i = 0; i < efi.section_count; i++)
        restrict_section(&efi.sections[i]);
    return NULL;
}

static __init void *keep(const void *from, size_t size)
{
    void *to = heap_alloc(size);

    return to ? memcpy(to, from, size) : NULL;
}

__init void efi_init(const struct efi_facts *found)
{
    static const u16 no_name;
    u32 length = 0;

    if (!found->present)
        return;
    efi = *found;
    while (found->vendor[length])
        length++;
    efi.vendor = keep(found->vendor, (length + 1) * sizeof(u16));
    if (!efi.vendor)
        efi.vendor = &no_name;
    efi.regions = keep(found->regions, efi.region_count * sizeof(struct efi_region));
    if (!efi.regions)
        efi.region_count = 0;
    const char *why = prepare();
    efi.sections = NULL;
    efi.section_count = 0;
    usable = !why;
    printk(why && runtime_wanted ? LOG_WARNING : LOG_INFO,
           "EFI %u.%u: %u configuration tables; run-time services %s%s\n", efi.revision >> 16,
           (efi.revision & 0xffff) / 10, efi.table_count, why ? "not used: " : "in use",
           why ? why : "");
}

/* --- Calls --------------------------------------------------------------- */

bool efi_runtime_usable(void)
{
    return READ_ONCE(usable);
}

static bool call(struct fpu_state *fpu, enum efi_service service, const u64 args[5], u64 *status)
{
    u64 cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
    const u64 *loaded = mfn_to_virt(pte_mfn(cr3));

    if (fpu) {
        fpu_save(fpu);
        fpu_reset();
    }
    /* The processor's descriptors are in a slot that differs between domains. */
    memcpy(&tables[HV_FIRST_SLOT], &loaded[HV_FIRST_SLOT],
           (HV_LAST_SLOT - HV_FIRST_SLOT + 1) * sizeof(*tables));
    /* No global entry of a guest's may stand for an address of firmware's. */
    write_cr4(cr4 & ~CR4_PGE);
    write_cr3(mfn_to_paddr(virt_to_mfn(tables)).raw);
    bool done = foreign_call(efi.services[service], args, status);
    interrupts_off();
    write_cr3(cr3);
    write_cr4(cr4);
    if (fpu)
        fpu_restore(fpu);
    write_cr0(cr0);
    return done;
}

bool efi_call(struct fpu_state *fpu, enum efi_service service, const u64 args[5], u64 *status)
{
    spin_hold(&efi_lock);
    if (!usable)
        return false;
    if (call(fpu, service, args, status))
        return true;
    usable = false;
    const struct trap_record *fault = trap_last_mended();
    printk(LOG_ERROR,
           "EFI: service %u faults (vector %u, error %#x, address %#lx): no more calls\n", service,
           fault->vector, fault->error_code, (unsigned long)fault->address);
    return false;
}

void efi_reset(void)
{
    const u64 args[5] = {RESET_COLD};
    u64 status;

    /* Whoever holds the lock is stopped or in here, too: it is not asked for. */
    if (usable)
        usable = call(NULL, EFI_RESET_SYSTEM, args, &status);
}
