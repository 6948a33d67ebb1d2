/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes memory_regions, sorted and disjoint, of whatever the firmware said.
 * Where regions overlap the more restrictive claim wins: RAM gives way to
 * every other type. Boot CPU only, no locks.
 */
#include "boot/boot.h"
#include "memory/map.h"

#define RAW_MAX 512
static struct memory_region raw[RAW_MAX];
static u32 raw_count;

void boot_add_memory(u64 start, u64 size, u32 type)
{
    /* Addresses end at 2^52; a size that wraps ends there. */
    if (!size || start >= 1UL << 52)
        return;
    if (raw_count == RAW_MAX) {
        boot_info.memory_dropped++;
        return;
    }
    size = MIN(size, (1UL << 52) - start);
    raw[raw_count++] = (struct memory_region){start, size, type};
}

/* The claim that counts at `at`, and in *end how far it does; 0: nobody claims it. */
static u32 claim_at(u64 at, u64 *end)
{
    u32 type = 0;

    *end = ~0UL;
    for (u32 i = 0; i < raw_count; i++) {
        u64 from = raw[i].start, to = from + raw[i].size;

        if (from > at)
            *end = MIN(*end, from);
        if (from > at || to <= at)
            continue;
        *end = MIN(*end, to);
        /* Numbers we do not know count as reserved. */
        u32 claim = raw[i].type >= 1 && raw[i].type <= 5 ? raw[i].type : 2;
        if (type == 0 || type == 1)
            type = claim;
        else if (claim != 1)
            type = MAX(type, claim);
    }
    return type;
}

void boot_memory_finish(void)
{
    u64 at = 0, end;

    memory_region_count = 0;
    for (; at != ~0UL; at = end) {
        u32 type = claim_at(at, &end);
        struct memory_region *last = memory_region_count ? &memory_regions[memory_region_count - 1]
                                                         : NULL;

        if (type == 0)
            continue;
        if (last && last->type == type && last->start + last->size == at)
            last->size += end - at;
        else if (memory_region_count < MAX_REGIONS)
            memory_regions[memory_region_count++] = (struct memory_region){at, end - at, type};
        else
            boot_info.memory_dropped++;
    }
}
