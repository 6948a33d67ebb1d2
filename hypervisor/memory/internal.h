/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of memory/ say to each other and to nobody else. */
#pragma once

#include "memory/frame.h"

/* frame.c */
void frame_set_owner(struct frame *f, const struct frame_owner *owner);
/* Flushes the CPUs that have not flushed since the flush clock showed `stamp`. */
void frames_flush_since(u32 stamp);

/* alloc.c: the last reference of an owned frame is gone. */
void frame_give_back(struct frame *f);

/* early.c: memory before the page allocator, and the arithmetic of ranges. */
#define MAX_RANGES 320
struct memory_range {
    u64 start, end; /* bytes, end exclusive */
};
struct memory_ranges {
    u32 count;
    bool overflow;                     /* a range did not fit: some memory stays unused */
    struct memory_range r[MAX_RANGES]; /* sorted, disjoint, not touching */
};
void ranges_add(struct memory_ranges *set, u64 start, u64 end);
void ranges_remove(struct memory_ranges *set, u64 start, u64 end);
bool ranges_overlap(const struct memory_ranges *set, u64 start, u64 end);
void ranges_align(struct memory_ranges *set, u64 align); /* each shrinks to whole units */
/* The highest aligned piece that ends at or below `limit`, taken out; ~0UL: none. */
u64 ranges_take(struct memory_ranges *set, u64 size, u64 align, u64 limit);

/* early.c: one zeroed page for a page table; from the ranges until the page
 * allocator has memory, then from there. NULL: no memory. */
/* Pages come from `ranges`, below `limit`, until this is called with NULL. */
void early_pages_from(struct memory_ranges *ranges, u64 limit);
void *table_page_alloc(void);

/* init.c: while booting, the end of it if something has no memory. */
void memory_must(bool ok);
/* m2p.c: at boot, after the frame table. */
void m2p_init(const struct memory_ranges *ram, struct memory_ranges *free);
