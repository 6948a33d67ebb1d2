/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frame table: one struct frame for each 4 KiB of RAM.
 *
 * count: low 56 bits, references of all kinds; a frame is given back when it
 *   reaches zero. FRAME_ALLOCATED is the owner's own reference: set when the
 *   owner gets the frame (count 1), cleared exactly once by whoever gives it
 *   up (frame_release), who then drops that reference.
 * type: how PV uses the frame, and how many such uses (pv/types.h has the
 *   essay). Here only the simple ones are handled: none and writable.
 * owner: machine frame of the struct frame_owner (first member of struct
 *   domain, which is page aligned), 0 for none.
 *
 * All words are changed by compare-and-exchange only; owner is written while
 * the frame has no references, or under the owner's lock.
 */
#pragma once

#include "cpu/layout.h"
#include "cpu/lock.h"
#include "lib/types.h"

struct frame {
    u64 count;
    u64 type; /* while free: the buddy order */
    u32 owner;
    union {
        u32 stamp;              /* flush clock when the last typed use ended */
        struct {
            u16 validated;      /* entries checked, while TYPE_PARTIAL */
            u16 partial_flags;
        };
    };
    u32 next, prev; /* links of the list the frame is on: frame numbers, 0 ends */
};

#define FRAME_ALLOCATED  (1UL << 63)
#define FRAME_HV         (1UL << 62) /* from our heap, shown to a domain (shared_info, grant table...) */
#define FRAME_DIRTY      (1UL << 61) /* free but holds a guest's old bytes: scrub before use */
#define FRAME_FREE       (1UL << 60) /* in the page allocator */
#define FRAME_COUNT_MASK ((1UL << 56) - 1)

/* Layout of the type word; the meaning is pv/types.h's. */
#define TYPE_MASK        (7UL << 61)
#define TYPE_NONE        (0UL << 61)
#define TYPE_L1          (1UL << 61)
#define TYPE_L2          (2UL << 61)
#define TYPE_L3          (3UL << 61)
#define TYPE_L4          (4UL << 61)
#define TYPE_SEGDESC     (5UL << 61)
#define TYPE_WRITABLE    (7UL << 61)
#define TYPE_PINNED      (1UL << 60)
#define TYPE_VALIDATED   (1UL << 59)
#define TYPE_PARTIAL     (1UL << 58)
#define TYPE_LOCKED      (1UL << 57) /* a CPU edits the table's entries */
#define TYPE_COUNT_MASK  ((1UL << 48) - 1)

struct frame_list {
    u32 head, tail; /* frame numbers, 0: empty */
    u32 count;
};

/*
 * Whoever frames belong to; the first member of struct domain. Holds the
 * accounting so that giving back a frame needs no knowledge of domains.
 * When `dying` and total and hv_total reach zero, WORK_REAP is raised.
 */
struct frame_owner {
    spinlock_t lock;          /* LOCK_OWNER: protects all below */
    struct frame_list frames; /* RAM of the domain */
    struct frame_list hv;     /* FRAME_HV frames shown to it */
    u32 max;                  /* limit on total; ~0u: none */
    u32 claimed;              /* frames reserved by a claim and not yet taken */
    bool dying;
};

extern u64 frame_table_end; /* one past the highest frame number with a struct frame */
#ifdef TENON_HOST
extern struct frame *host_frame_table;
#define frame_table host_frame_table
#else
#define frame_table ((struct frame *)FRAME_TABLE_START)
#endif

/* True for frames of RAM, that is, which have a usable struct frame. */
bool mfn_is_ram(mfn_t m);
static inline struct frame *mfn_to_frame(mfn_t m)
{
    return &frame_table[m.raw];
}
static inline mfn_t frame_to_mfn(const struct frame *f)
{
    return mfn((u64)(f - frame_table));
}
/* NULL when the frame belongs to nobody. Only a hint unless a reference is held. */
struct frame_owner *frame_owner_of(const struct frame *f);

/* Takes a reference if the frame is live and owned by `owner`; false otherwise. */
__must_check bool frame_get(struct frame *f, const struct frame_owner *owner);
/* Takes one more reference on a frame the caller already holds one of. */
void frame_get_again(struct frame *f);
/* Drops n references; the last one gives the frame back to the allocator. */
void frame_put(struct frame *f);
void frame_put_many(struct frame *f, u64 n);
/* Gives up the owner's own reference: true if this caller cleared
 * FRAME_ALLOCATED (and so dropped it), false if someone had before. */
bool frame_release(struct frame *f);

/* A writable use: succeeds when the type is writable or its count is zero (then
 * turns it writable; stale table caches need no flush in this direction).
 * The caller holds a reference. False: the frame is a page table or the like. */
__must_check bool frame_get_writable(struct frame *f);
void frame_put_writable(struct frame *f);

/* Lists; the caller holds whatever lock guards the list. */
void frame_list_add(struct frame_list *l, struct frame *f);
void frame_list_add_tail(struct frame_list *l, struct frame *f);
void frame_list_del(struct frame_list *l, struct frame *f);
struct frame *frame_list_first(const struct frame_list *l); /* NULL: empty */
struct frame *frame_list_next(const struct frame *f);       /* NULL: end */

void frame_owner_init(struct frame_owner *o);
