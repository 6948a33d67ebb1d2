/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns hv_l4 and the tables below it, that is, slots 256 and 258..271 of the
 * address space; hands out the I/O window.
 *
 * Invariants: every L3 of those slots exists from boot on and never moves, so
 * copies of the top-level entries never go stale. A mapping is never writable
 * and executable. Lower tables are never freed.
 *
 * Locks: LOCK_MAP for the tables and the I/O window. Flushes are done after it
 * is dropped: nobody uses a mapping while it is being taken away.
 * Callers: memory/init.c, boot/, platform/ (map_io), pv/ (hv_slots_*).
 */
#include "memory/map.h"

#include "cpu/features.h"
#include "cpu/work.h"
#include "memory/alloc.h"
#include "memory/internal.h"

#define TABLE_ENTRIES 512
#define TABLE_FLAGS   (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED)

u64 *hv_l4;
struct memory_region memory_regions[MAX_REGIONS];
u32 memory_region_count;

static spinlock_t map_lock = SPINLOCK(LOCK_MAP);
static u64 io_next = IO_AREA_START; /* LOCK_MAP: beginning of the unused part */

/* 4 KiB pages that one entry of a table of this level (1..3) maps. */
static u64 level_pages(u32 level)
{
    return 1UL << (9 * (level - 1));
}

static u32 level_index(u64 va, u32 level)
{
    return (va >> (PAGE_SHIFT + 9 * (level - 1))) % TABLE_ENTRIES;
}

static bool entry_is_table(u64 entry, u32 level)
{
    return level > 1 && (entry & PTE_PRESENT) && !(entry & PTE_PSE);
}

/* Replaces an absent or large entry of `level` by a table that maps the same. */
static bool entry_split(u64 *entry, u32 level, u64 va)
{
    u64 *table = table_page_alloc();
    u64 old = *entry;

    if (!table)
        return false;
    if (old & PTE_PRESENT) {
        u64 small = level == 2 ? old & ~PTE_PSE : old;

        for (u64 i = 0; i < TABLE_ENTRIES; i++)
            table[i] = small + (i * level_pages(level - 1) << PAGE_SHIFT);
    }
    /* Slot 256 is read by guests: each level on the way must have the user bit. */
    store_release(
        entry, pte_make(virt_to_mfn(table), TABLE_FLAGS | (va < PERDOMAIN_START ? PTE_USER : 0)));
    return true;
}

/*
 * The entry for va under top table l4, in the table of `level`; or in a lower one where there is a
 * table at that place already (*level says). NULL: no memory, or, without
 * `create`, nothing mapped. LOCK_MAP held.
 */
static u64 *entry_find(u64 *l4, u64 va, u32 *level, bool create)
{
    u64 *entry = &l4[level_index(va, 4)];

    for (u32 at = 4; at > 1; at--) {
        if (at < 4 && at <= *level && !entry_is_table(*entry, at)) {
            *level = at;
            return entry;
        }
        if (!entry_is_table(*entry, at)) {
            if (!(*entry & PTE_PRESENT) && !create)
                return NULL;
            if (!entry_split(entry, at, va))
                return NULL;
        }
        entry = (u64 *)mfn_to_virt(pte_mfn(*entry)) + level_index(va, at - 1);
    }
    *level = 1;
    return entry;
}

static u32 best_level(u64 va, mfn_t m, u64 n)
{
    u64 bits = va >> PAGE_SHIFT | m.raw;

    if (cpu_has(FEATURE_PAGE_1G) && n >= level_pages(3) && !(bits & (level_pages(3) - 1)))
        return 3;
    return n >= level_pages(2) && !(bits & (level_pages(2) - 1)) ? 2 : 1;
}

/* New entries are seen without a flush: absent ones are not cached. */
static void flush_all_cpus(void)
{
    cpumask_t mask = cpus_online;

    cpu_flush_local(FLUSH_TLB_GLOBAL, 0);
    cpumask_clear(&mask, this_cpu_id());
    if (!cpumask_empty(&mask))
        cpu_flush(&mask, FLUSH_TLB_GLOBAL, 0);
}

/*
 * What the functions below do to each entry of [va, va + n pages): with
 * `create` it maps `first` and on, else it gets new flags if it is there (0: none).
 */
static int set_pages(u64 va, mfn_t first, u64 n, u64 flags, bool create)
{
    bool replaced = false;
    int error = 0;

    ASSERT(va >= HV_START && va + (n << PAGE_SHIFT) <= HV_END);
    ASSERT((flags & PTE_NX) || !(flags & PTE_WRITE));
    spin_lock(&map_lock);
    for (u64 step; n && !error; n -= step) {
        u32 level = best_level(va, first, n);
        u64 *entry = entry_find(hv_l4, va, &level, create);
        bool present = entry && (*entry & PTE_PRESENT);

        /* Not mapped at all at some level: go on behind this page. */
        step = entry ? level_pages(level) : 1;
        if (entry && (create || present))
            atomic_store(entry, flags ? pte_make(create ? first : pte_mfn(*entry),
                                                 flags | (level > 1 ? PTE_PSE : 0))
                                      : 0);
        else if (!entry && (create || !mfn_is_none(map_lookup(va))))
            error = -ENOMEM;
        replaced |= present || !create;
        va += step << PAGE_SHIFT;
        if (create)
            first = mfn_add(first, step);
    }
    spin_unlock(&map_lock);
    if (replaced)
        flush_all_cpus();
    return error;
}

int map_pages(u64 va, mfn_t first, u64 n, u64 flags)
{
    return set_pages(va, first, n, flags, true);
}

int protect_pages(u64 va, u64 n, u64 flags)
{
    ASSERT(flags & PTE_PRESENT);
    return set_pages(va, mfn(0), n, flags, false);
}

void unmap_pages(u64 va, u64 n)
{
    /* Fails only when a large page has to be split, which our users never need. */
    if (set_pages(va, mfn(0), n, 0, false))
        panic("no memory to split a mapping at %016lx", va);
}

mfn_t map_lookup(u64 va)
{
    const u64 *table = hv_l4;

    for (u32 level = 4; level > 0; level--) {
        u64 entry = READ_ONCE(table[level_index(va, level)]);

        if (!(entry & PTE_PRESENT))
            break;
        if (!entry_is_table(entry, level))
            return mfn_add(pte_mfn(entry), (va >> PAGE_SHIFT) & (level_pages(level) - 1));
        table = mfn_to_virt(pte_mfn(entry));
    }
    return MFN_NONE;
}

int map_share(u64 *l4, u64 va, u64 n, u64 flags)
{
    for (; n; n--, va += PAGE_SIZE) {
        u32 level = 1;
        u64 *entry = entry_find(l4, va, &level, true);

        if (!entry)
            return -ENOMEM;
        *entry = pte_make(map_lookup(va), flags);
    }
    return 0;
}

int map_stack(u32 cpu)
{
    u64 base = STACK_AREA_START + (u64)cpu * STACK_STRIDE;

    for (u32 page = 0; page <= DESC_PAGE / PAGE_SIZE; page++) {
        if (page == IST_STACKS || (page >= STACK_SIZE / PAGE_SIZE && page < DESC_PAGE / PAGE_SIZE))
            continue; /* guards */
        void *p = page_alloc(ALLOC_ZERO);
        if (!p || map_pages(base + page * PAGE_SIZE, virt_to_mfn(p), 1, MAP_RW))
            return -ENOMEM;
    }
    return 0;
}

/* The window is handed out upwards, with an unmapped page between the pieces. */
static void *map_window(paddr_t where, size_t length, u64 flags)
{
    u64 offset = where.raw & ~PAGE_MASK;
    u64 pages = (offset + length + PAGE_SIZE - 1) >> PAGE_SHIFT;
    /* The PAT bit is elsewhere in large pages' entries: keep to small ones. */
    u64 step = flags & PTE_PAT ? 1 : pages;

    spin_lock(&map_lock);
    u64 va = io_next;
    if (!length || pages >= (IO_AREA_END - va) >> PAGE_SHIFT)
        va = 0;
    else
        io_next += (pages + 1) << PAGE_SHIFT;
    spin_unlock(&map_lock);
    for (u64 n = 0; va && n < pages; n += step)
        if (map_pages(va + (n << PAGE_SHIFT), mfn_add(paddr_to_mfn(where), n), step, flags))
            return NULL;
    return va ? (void *)(va + offset) : NULL;
}

void *map_io(paddr_t where, size_t length, bool uncached)
{
    return map_window(where, length, MAP_RW | (uncached ? PTE_PCD | PTE_PWT : 0));
}

/* Entry 4 of the PAT (cpu/features.h) is write-combining. */
void *map_framebuffer(paddr_t where, size_t length)
{
    return map_window(where, length, MAP_RW | PTE_PAT);
}

void unmap_io(void *p, size_t length)
{
    u64 va = (u64)p & PAGE_MASK;
    u64 pages = (((u64)p & ~PAGE_MASK) + length + PAGE_SIZE - 1) >> PAGE_SHIFT;

    unmap_pages(va, pages);
    spin_hold(&map_lock);
    if (io_next == va + ((pages + 1) << PAGE_SHIFT))
        io_next = va; /* the last piece: firmware tables come and go like a stack */
}

void hv_slots_fill(u64 *l4, mfn_t perdomain_l3)
{
    for (u32 slot = HV_FIRST_SLOT; slot <= HV_LAST_SLOT; slot++)
        l4[slot] = slot == PERDOMAIN_SLOT ? 0 : hv_l4[slot];
    if (!mfn_is_none(perdomain_l3))
        l4[PERDOMAIN_SLOT] = pte_make(perdomain_l3, TABLE_FLAGS);
}

void hv_slots_clear(u64 *l4)
{
    memset(&l4[HV_FIRST_SLOT], 0, (HV_LAST_SLOT - HV_FIRST_SLOT + 1) * sizeof(*l4));
}
