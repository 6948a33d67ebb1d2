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
 * the frame has no references, or by whoever holds the only one.
 *
 * Neither count can overflow. Each reference is remembered somewhere in
 * machine memory: in a page-table entry, a grant's handle, a vCPU's record; 8
 * bytes at the least. The direct map ends at 5 TiB, so there can never be more
 * than 2^40 references at once; the narrower field has 48 bits. frame_get()
 * and the type functions nevertheless assert it.
 */
#pragma once

#include "cpu/lock.h"
#include "lib/atomic.h"
#include "lib/bitmap.h"
#include "memory/map.h"

struct frame {
    u64 count;
    u64 type; /* while nobody's: the allocator's or the heap's note (alloc.c, heap.c) */
    u32 owner;
    union {
        u32 stamp; /* flush clock when the last typed use ended, or when freed */
        struct {
            u16 validated; /* entries checked, while TYPE_PARTIAL */
            u16 partial_flags;
        };
    };
    u32 next, prev; /* links of the list the frame is on: frame numbers, 0 ends */
};

#define FRAME_ALLOCATED  (1UL << 59)
#define FRAME_HV         (1UL << 62) /* from our heap, shown to a domain (shared_info, grant table...) */
#define FRAME_DIRTY      (1UL << 61) /* nobody's, and not known to be zero: scrub before use */
#define FRAME_FREE       (1UL << 60) /* first frame of a block in the page allocator */
#define FRAME_ABSENT     (1UL << 63) /* has a struct frame, but no RAM of ours or of guests */
#define FRAME_FLAG_BITS  8
#define FRAME_COUNT_MASK (~0UL >> FRAME_FLAG_BITS)

/* Layout of the type word; the meaning is pv/types.h's. */
#define TYPE_MASK       (7UL << 61)
#define TYPE_NONE       (0UL << 61)
#define TYPE_L1         (1UL << 61)
#define TYPE_L2         (2UL << 61)
#define TYPE_L3         (3UL << 61)
#define TYPE_L4         (4UL << 61)
#define TYPE_SEGDESC    (5UL << 61)
#define TYPE_WRITABLE   (7UL << 61)
#define TYPE_PINNED     (1UL << 60)
#define TYPE_VALIDATED  (1UL << 59)
#define TYPE_PARTIAL    (1UL << 58)
#define TYPE_LOCKED     (1UL << 57) /* a CPU edits the table's entries */
#define TYPE_COUNT_MASK ((1UL << 48) - 1)

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
    u32 claimed;              /* frames reserved by a claim and not yet taken; LOCK_FRAMES */
    bool dying;
};

extern u64 frame_table_end; /* one past the highest frame number with a struct frame */
#ifdef TENON_HOST
extern struct frame *host_frame_table;
#define frame_table host_frame_table
#else
#define frame_table ((struct frame *)FRAME_TABLE_START)
#endif

/* The struct frame of RAM, NULL: no such RAM. The number may be a guest's: it does not lead beyond
 * the table, not even speculatively, but to frame 0, which is none. */
static inline struct frame *frame_find(mfn_t m)
{
    struct frame *f = &frame_table[index_clamp(m.raw, frame_table_end)];

    return likely(!(READ_ONCE(f->count) & FRAME_ABSENT)) ? f : NULL;
}
static inline bool mfn_is_ram(mfn_t m)
{
    return frame_find(m) != NULL;
}
static inline struct frame *mfn_to_frame(mfn_t m)
{
    return &frame_table[m.raw];
}
static inline mfn_t frame_to_mfn(const struct frame *f)
{
    return mfn((u64)(f - frame_table));
}
static inline u32 frame_owner_number(const struct frame_owner *owner)
{
    return owner ? (u32)virt_to_mfn(owner).raw : 0;
}
/* NULL when the frame belongs to nobody. Only a hint unless a reference is held. */
static inline struct frame_owner *frame_owner_of(const struct frame *f)
{
    u32 number = READ_ONCE(f->owner);

    return likely(number) ? mfn_to_virt(mfn(number)) : NULL;
}

/* What is short where nobody interferes is done in place; NAME_slow takes whatever there is. */
/* Drops a reference; the last one gives the frame back to the allocator. */
void frame_put_slow(struct frame *f, u64 old);
static inline void frame_put(struct frame *f)
{
    u64 old = atomic_fetch_add(&f->count, -1UL);

    if (unlikely(old << FRAME_FLAG_BITS <= 1UL << FRAME_FLAG_BITS)) /* the last, or none */
        frame_put_slow(f, old);
}
/* Takes a reference if the frame is live and owned by `owner`; false otherwise. */
bool frame_get_none(u64 old);
static inline __must_check bool frame_get(struct frame *f, const struct frame_owner *owner)
{
    u64 seen = READ_ONCE(f->count), old;
    u32 number = frame_owner_number(owner);

    /* Asked first so that a stranger never disturbs a frame, even for a moment:
     * frame_steal() wants to find the owner's reference alone. */
    if (unlikely(READ_ONCE(f->owner) != number))
        return false;
    do {
        old = seen;
        if (unlikely((old + 1) << FRAME_FLAG_BITS <= 1UL << FRAME_FLAG_BITS)) /* none, or full */
            return frame_get_none(old);
        seen = atomic_cmpxchg(&f->count, old, old + 1);
    } while (unlikely(seen != old));
    if (likely(READ_ONCE(f->owner) == number))
        return true;
    frame_put(f);
    return false;
}
/* Takes one more reference on a frame the caller already holds one of. */
void frame_get_again(struct frame *f);
/* Of a variable: the reference it has (if not NULL) is dropped at the end of its block. */
#define __put_frame __attribute__((cleanup(frame_unhold_)))
static inline void frame_unhold_(struct frame **f)
{
    if (*f)
        frame_put(*f);
}
/* Gives up the owner's own reference: true if this caller cleared
 * FRAME_ALLOCATED (and so dropped it), false if someone had before. */
bool frame_release(struct frame *f);

/*
 * A writable use: succeeds when the type is writable, or when its count is zero
 * and no flag of a table is left; then it becomes writable. If it was a page
 * table (or descriptors), CPUs that have not flushed since its stamp are
 * flushed first: one may remember an upper entry which led to it and walk what
 * the guest now writes. Whoever ends the last use of such a type therefore
 * stamps the frame (frame_stamp).
 * TYPE_WRITABLE without TYPE_VALIDATED is a frame waiting for that flush.
 * The caller holds a reference. False: the frame is a page table or the like.
 * May wait for other CPUs.
 */
__must_check bool frame_get_writable_slow(struct frame *f);
void frame_put_writable_slow(struct frame *f);
#define TYPE_IN_USE (TYPE_WRITABLE | TYPE_VALIDATED)
static inline __must_check bool frame_get_writable(struct frame *f)
{
    u64 old = READ_ONCE(f->type);

    return likely(old - TYPE_IN_USE < TYPE_COUNT_MASK &&
                  atomic_cmpxchg(&f->type, old, old + 1) == old) ||
           frame_get_writable_slow(f);
}
static inline void frame_put_writable(struct frame *f)
{
    u64 old = READ_ONCE(f->type);

    /* The last use leaves a stamp. */
    if (unlikely(old - TYPE_IN_USE - 2 >= TYPE_COUNT_MASK - 1 ||
                 atomic_cmpxchg(&f->type, old, old - 1) != old))
        frame_put_writable_slow(f);
}
/* Notes that a use which CPUs may remember in their TLBs ends now; before the count drops. */
void frame_stamp(struct frame *f);
/* Flushes CPUs that may remember f from before its stamp. */
void frame_flush_stale(const struct frame *f);

/* Lists; the caller holds whatever lock guards the list. */
void frame_list_add(struct frame_list *l, struct frame *f);
void frame_list_add_tail(struct frame_list *l, struct frame *f);
void frame_list_del(struct frame_list *l, struct frame *f);
struct frame *frame_list_first(const struct frame_list *l); /* NULL: empty */

/* An owner must begin a page of its own (struct frame has 32 bits to name it). */
void frame_owner_init(struct frame_owner *o);
