/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory before there is a page allocator: sets of byte ranges, as firmware
 * describes them and as they are used up, and pages for the first page tables.
 *
 * Firmware is not trusted to be sorted, aligned, disjoint or even finite: what
 * does not fit a set is left out (the machine then has less memory) and noted.
 * Boot CPU only, no locks.
 */
#include "memory/alloc.h"
#include "memory/internal.h"

/* Replaces r[at .. at+gone) by `n` ranges at `with`. */
static void ranges_splice(struct memory_ranges *set, u32 at, u32 gone,
                          const struct memory_range *with, u32 n)
{
    if (set->count - gone + n > MAX_RANGES) {
        set->overflow = true;
        return;
    }
    memmove(&set->r[at + n], &set->r[at + gone], (set->count - at - gone) * sizeof(set->r[0]));
    memcpy(&set->r[at], with, n * sizeof(set->r[0]));
    set->count = set->count - gone + n;
}

void ranges_add(struct memory_ranges *set, u64 start, u64 end)
{
    struct memory_range joined = {start, end};
    u32 at = 0, gone = 0;

    if (start >= end)
        return;
    while (at < set->count && set->r[at].end < start)
        at++;
    while (at + gone < set->count && set->r[at + gone].start <= end) {
        joined.start = MIN(joined.start, set->r[at + gone].start);
        joined.end = MAX(joined.end, set->r[at + gone].end);
        gone++;
    }
    ranges_splice(set, at, gone, &joined, 1);
}

void ranges_remove(struct memory_ranges *set, u64 start, u64 end)
{
    struct memory_range rest[2];
    u32 at = 0, gone = 0, n = 0;

    if (start >= end)
        return;
    while (at < set->count && set->r[at].end <= start)
        at++;
    while (at + gone < set->count && set->r[at + gone].start < end) {
        struct memory_range r = set->r[at + gone++];

        if (r.start < start)
            rest[n++] = (struct memory_range){r.start, start};
        if (r.end > end)
            rest[n++] = (struct memory_range){end, r.end};
    }
    /* No room for both pieces of a split: keep the first, forget the other. */
    if (set->count - gone + n > MAX_RANGES) {
        set->overflow = true;
        n--;
    }
    ranges_splice(set, at, gone, rest, n);
}

bool ranges_overlap(const struct memory_ranges *set, u64 start, u64 end)
{
    for (u32 i = 0; i < set->count; i++)
        if (set->r[i].start < end && set->r[i].end > start)
            return true;
    return false;
}

void ranges_align(struct memory_ranges *set, u64 align)
{
    u32 kept = 0;

    for (u32 i = 0; i < set->count; i++) {
        u64 start = set->r[i].start, end = ROUND_DOWN(set->r[i].end, align);

        if (start > ~0UL - align)
            continue;
        start = ROUND_UP(start, align);
        if (start < end)
            set->r[kept++] = (struct memory_range){start, end};
    }
    set->count = kept;
}

u64 ranges_take(struct memory_ranges *set, u64 size, u64 align, u64 limit)
{
    for (u32 i = set->count; i-- > 0;) {
        u64 end = MIN(set->r[i].end, limit), start;

        if (end < size)
            continue;
        start = ROUND_DOWN(end - size, align);
        if (end <= set->r[i].start || start < set->r[i].start)
            continue;
        ranges_remove(set, start, start + size);
        return start;
    }
    return ~0UL;
}

/* Where early pages come from; NULL once the page allocator has memory. */
static struct memory_ranges *early_ranges;
static u64 early_limit;

void early_pages_from(struct memory_ranges *ranges, u64 limit)
{
    early_ranges = ranges;
    early_limit = limit;
}

void *table_page_alloc(void)
{
    if (!early_ranges)
        return page_alloc(ALLOC_ZERO);
    u64 at = ranges_take(early_ranges, PAGE_SIZE, PAGE_SIZE, early_limit);
    if (at == ~0UL)
        return NULL;
    return memset(mfn_to_virt(mfn(at >> PAGE_SHIFT)), 0, PAGE_SIZE);
}
