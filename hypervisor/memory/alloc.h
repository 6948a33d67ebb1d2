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
    ALLOC_ZERO = 1,   /* contents zeroed */
    ALLOC_FORCE = 2,  /* may exceed owner->max (the domain builder) */
    ALLOC_NO_OWNER_REF = 4,
};

/* Gives [start, end) machine bytes of usable RAM to the allocator; boot only. */
void page_allocator_add(paddr_t start, paddr_t end);

/* 2^order contiguous frames for `owner`, each with count FRAME_ALLOCATED|1, on
 * its list and in its total. address_bits: all below 2^bits (0: anywhere).
 * NULL: no memory, or owner->max would be exceeded, or the owner is dying. */
struct frame *frames_alloc(struct frame_owner *owner, u32 order, u32 address_bits, u32 flags);
/* Moves a frame with exactly one reference (the owner's) from one owner to
 * another or to none (NULL), with the accounting; -EINVAL if it has others. */
int frame_assign(struct frame *f, struct frame_owner *to, u32 flags);
int frame_steal(struct frame *f, struct frame_owner *from); /* detach: then owned by nobody, count 0, caller's */
void frames_free_unowned(struct frame *f, u32 order);       /* such a frame back to the allocator */

/* Pages of ours, seen through the direct map (never NULL-checked by address arithmetic). */
void *page_alloc(u32 flags);              /* one page; NULL: no memory */
void *pages_alloc(u32 order, u32 flags);  /* contiguous, naturally aligned */
void page_free(void *page);
void pages_free(void *pages, u32 order);

/* Small objects, 16-byte aligned; sizes of a page and more are page aligned. */
void *heap_alloc(size_t size);
void *heap_zalloc(size_t size);
void heap_free(void *p); /* NULL allowed */

/* Shows one of our pages to a domain: owner set, FRAME_HV, one reference of ours.
 * frame_unshare drops it; the page goes back when the domain's own uses end. */
void frame_share(void *page, struct frame_owner *owner, bool writable);
void frame_unshare(void *page);

/* Figures in frames. */
u64 memory_total(void);
u64 memory_free(void);
u64 memory_claimed(void); /* sum of outstanding claims */
u64 memory_scrub_pending(void);
int memory_claim(struct frame_owner *o, u64 frames); /* XENMEM_claim_pages: -ENOMEM, -EINVAL */

/* Scrubs some free dirty frames; called by the idle loop. False: nothing left. */
bool memory_scrub_some(void);
