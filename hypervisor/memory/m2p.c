/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the machine-to-phys table: one 64-bit word for each machine frame up to
 * the highest of RAM, written by us (slot 258), read by every PV guest (slot
 * 256). It is advice from the frame's owner; we never trust what it says.
 *
 * Where there is no RAM for 1 GiB the guests' view shows one shared page of
 * M2P_INVALID, ours is unmapped. No locks: words are written whole.
 */
#include "memory/alloc.h"
#include "memory/internal.h"

#define M2P_EXTENTS ((DIRECT_MAP_END - DIRECT_MAP_START) / PAGE_SIZE / M2P_EXTENT_FRAMES)
#define EXTENT_SIZE 0x200000UL
#define m2p_table   ((u64 *)M2P_RW_START)

static unsigned long extents[BITMAP_LONGS(M2P_EXTENTS)] __ro_after_init; /* those with RAM */

/* For frames outside RAM nothing is kept. */
void m2p_set(mfn_t m, u64 pfn)
{
    if (mfn_is_ram(m))
        atomic_store(&m2p_table[m.raw], pfn);
}

u64 m2p_get(mfn_t m)
{
    return mfn_is_ram(m) ? atomic_load(&m2p_table[m.raw]) : M2P_INVALID;
}

u64 m2p_entries(void)
{
    return frame_table_end;
}

mfn_t m2p_extent(u64 n)
{
    if (n >= M2P_EXTENTS || !bit_test(extents, n))
        return MFN_NONE;
    return map_lookup(M2P_RW_START + n * EXTENT_SIZE);
}

void m2p_share(struct frame_owner *owner)
{
    unsigned long n;

    for_each_bit (n, extents, M2P_EXTENTS)
        for (u64 i = 0; i < EXTENT_SIZE / PAGE_SIZE; i++)
            frame_share(mfn_to_virt(mfn_add(m2p_extent(n), i)), owner, false);
}

static __init void extent_map(u64 n, mfn_t base)
{
    u64 at = n * EXTENT_SIZE, pages = EXTENT_SIZE / PAGE_SIZE;

    memory_must(!map_pages(M2P_RW_START + at, base, pages, MAP_RW) &&
                !map_pages(M2P_RO_START + at, base, pages, MAP_RO | PTE_USER));
}

/* Guests see M2P_INVALID throughout a hole: every page of it is the same one. */
static __init void hole_map(u64 n, mfn_t page)
{
    for (u64 i = 0; i < EXTENT_SIZE / PAGE_SIZE; i++)
        memory_must(
            !map_pages(M2P_RO_START + n * EXTENT_SIZE + i * PAGE_SIZE, page, 1, MAP_RO | PTE_USER));
}

void __init m2p_init(const struct memory_ranges *ram, struct memory_ranges *free)
{
    u64 bytes = M2P_EXTENT_FRAMES << PAGE_SHIFT;
    u64 count = (frame_table_end + M2P_EXTENT_FRAMES - 1) / M2P_EXTENT_FRAMES;
    mfn_t hole = MFN_NONE;

    for (u64 n = 0; n < count; n++) {
        if (!ranges_overlap(ram, n * bytes, (n + 1) * bytes)) {
            if (mfn_is_none(hole))
                hole = virt_to_mfn(memset(table_page_alloc(), 0xaa, PAGE_SIZE));
            hole_map(n, hole);
            continue;
        }
        u64 base = ranges_take(free, EXTENT_SIZE, EXTENT_SIZE, ~0UL);
        memory_must(base != ~0UL);
        memset(mfn_to_virt(mfn(base >> PAGE_SHIFT)), 0xaa, EXTENT_SIZE);
        extent_map(n, mfn(base >> PAGE_SHIFT));
        bit_set(extents, n);
    }
}
