/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frame of mmu_update and mmuext_op: requests in a list in the guest's
 * memory, taken one after the other until one fails, until it is time to let
 * others run, or until one has begun more than it could finish. In the last two
 * cases the guest makes the call again without knowing, with what is left. They
 * are read once, some at a time.
 *
 * The interface counts what was done in a word of the guest's: it is read back
 * when a call goes on, which COUNT_CONTINUED in its count says.
 */
#pragma once

#include "core/access.h"
#include "core/continuation.h"
#include "cpu/uaccess.h"
#include "pv/mm.h"

#define BATCH_CHUNK 16U
struct batch {
    u64 list, done_pointer;
    u32 count;
    u32 before;      /* done by the calls that this one goes on from */
    u32 taken, done; /* in this call */
    u32 read, first; /* read so far; which of them is the chunk's first */
    s64 error;       /* the last request's, set by the caller */
};

/* -EFAULT when a call that goes on cannot read what was done before. */
static inline s64 batch_begin(struct batch *b, u64 list, u64 count, u64 done_pointer)
{
    *b = (struct batch){
        .list = list, .done_pointer = done_pointer, .count = (u32)count & ~COUNT_CONTINUED};
    return unlikely((count & COUNT_CONTINUED) && done_pointer)
               ? guest_copy_in(&b->before, done_pointer, sizeof(b->before))
               : 0;
}

/* Reads what comes next: up to a page that is not there. */
static inline s64 batch_read(struct batch *b, void *chunk, u32 size)
{
    size_t length = MIN(b->count - b->done, BATCH_CHUNK) * size;

    length -= copy_from_guest_va(chunk, guest_va(b->list + (u64)b->done * size), length);
    b->first = b->done;
    b->read = b->done + (u32)length / size;
    return b->read > b->done ? 0 : reject(-EFAULT, "request in memory that cannot be read");
}

/* Counts the last request, if it went well, and gives the next. NULL: no more in this call. */
static __always_inline void *batch_next(struct batch *b, void *chunk, u32 size)
{
    if (b->error)
        return NULL;
    b->done = b->taken;
    if (unlikely(to_pv(current)->unfinished))
        b->error = -ERESTART_HYPERCALL;
    else if (b->done == b->count)
        return NULL;
    else if (b->done && hypercall_time_to_yield(b->done))
        b->error = -ERESTART_HYPERCALL;
    else if (b->done == b->read)
        b->error = batch_read(b, chunk, size);
    if (b->error)
        return NULL;
    b->taken++;
    return (char *)chunk + (b->done - b->first) * size;
}

/* The call's answer. */
static inline s64 batch_end(const struct batch *b, u64 domain, u32 size)
{
    u32 done = b->before + b->done;

    if (b->done_pointer && guest_copy_out(b->done_pointer, &done, sizeof(done)) && !b->error)
        return -EFAULT;
    if (b->error == -ERESTART_HYPERCALL)
        return hypercall_continue(b->list + (u64)b->done * size,
                                  (b->count - b->done) | COUNT_CONTINUED, b->done_pointer, domain,
                                  0);
    return b->error;
}
