/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory for domains and for the hypervisor itself.
 *
 * Pages come from one buddy allocator (orders 0..MAX_ORDER) which prefers high
 * addresses so that low memory stays for devices that need it.
 */
#pragma once

#include "memory/frame.h"

#define MAX_ORDER 18 /* 1 GiB */

enum alloc_flags {
    ALLOC_ZERO = 1,  /* contents zeroed */
    ALLOC_FORCE = 2, /* may exceed owner->max (the domain builder) */
};

/* Gives [start, end) machine bytes of usable RAM to the allocator; boot only. */
void page_allocator_add(paddr_t start, paddr_t end);

/* 2^order contiguous frames for `owner`, each with count FRAME_ALLOCATED|1, on
 * its list and in its total, contents zero. address_bits: all below 2^bits
 * (0: anywhere). owner NULL: nobody's, count 0, the caller's own as after
 * frame_steal, contents arbitrary without ALLOC_ZERO.
 * NULL: no memory, or owner->max would be exceeded, or the owner is dying.
 * May wait for other CPUs (stale TLB entries for the frames are flushed). */
struct frame *frames_alloc(struct frame_owner *owner, u32 order, u32 address_bits, u32 flags);
/* Detaches a frame whose only reference is the owner's: then it is nobody's,
 * its count 0, the caller's to assign or free. -EINVAL if it is not so. */
int frame_steal(struct frame *f, struct frame_owner *from);
/* Gives such a frame to an owner: -ENOMEM over its limit, -EINVAL dying. On
 * failure the frame stays the caller's. Contents are kept. flags: ALLOC_FORCE. */
int frame_assign(struct frame *f, struct frame_owner *to, u32 flags);
void frames_free_unowned(struct frame *f, u32 order); /* back to the allocator */

/* Pages of ours, seen through the direct map (never NULL-checked by address arithmetic). */
void *page_alloc(u32 flags);             /* one page; NULL: no memory */
void *pages_alloc(u32 order, u32 flags); /* contiguous, naturally aligned */
void page_free(void *page);
void pages_free(void *pages, u32 order);

/* Of the smallest block that holds `size` bytes; above MAX_ORDER: none does. */
static inline u32 page_order(size_t size)
{
    u32 order = 0;

    while (order <= MAX_ORDER && (PAGE_SIZE << order) < size)
        order++;
    return order;
}

/* Small objects, 16-byte aligned; sizes of a page and more are page aligned. */
void *heap_alloc(size_t size);
void *heap_zalloc(size_t size);
void heap_free(void *p); /* NULL allowed */
static inline void heap_free_variable(void *p)
{
    heap_free(*(void **)p);
}
/* A pointer variable so marked frees what it points to when its block ends. */
#define __heap_freed __attribute__((cleanup(heap_free_variable)))

/* Shows one of our pages (page_alloc) to a domain: owner set, FRAME_HV, one
 * reference of ours and one type use, so that a page shared read-only never
 * becomes writable. frame_unshare drops both; the page goes back to the
 * allocator when the domain's own uses end: never page_free() it. */
void frame_share(void *page, struct frame_owner *owner, bool writable);
void *page_alloc_shared(struct frame_owner *owner); /* a zeroed one that it also writes */
void frame_unshare(void *page);

/* Figures in frames. */
u64 memory_total(void);
u64 memory_free(void);
u64 memory_claimed(void); /* sum of outstanding claims */
u64 memory_scrub_pending(void);
u64 memory_free_blocks(u32 order); /* free blocks of 2^order frames */
/* XENMEM_claim_pages: `frames` is what the owner shall have in the end. 0 gives a
 * claim up. -EINVAL: it has as much, its limit is lower, a claim stands, or it dies. */
int memory_claim(struct frame_owner *o, u64 frames);

/* Scrubs some free dirty frames; called by the idle loop. False: nothing left. */
bool memory_scrub_some(void);
