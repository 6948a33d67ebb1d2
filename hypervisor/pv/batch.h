/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frame of mmu_update and mmuext_op: requests in a list in the guest's
 * memory, taken one after the other until one fails, until it is time to let
 * others run, or until one has begun more than it could finish. In the last two
 * cases the guest makes the call again without knowing, with what is left.
 *
 * The interface counts what was done in a word of the guest's: it is read back
 * when a call goes on, which COUNT_CONTINUED in its count says.
 */
#pragma once

#include "core/access.h"
#include "core/continuation.h"
#include "core/reject.h"
#include "pv/mm.h"
#include "pv/pv.h"

struct batch {
    u64 list, done_pointer;
    u32 count, size; /* requests, and the bytes of one */
    u32 before;      /* done by the calls that this one goes on from */
    u32 taken, done; /* in this call */
    s64 error;       /* the last request's, set by the caller */
};

/* -EFAULT when a call that goes on cannot read what was done before. */
static inline s64 batch_begin(struct batch *b, u64 list, u64 count, u64 done_pointer, u32 size)
{
    *b = (struct batch){.list = list,
                        .done_pointer = done_pointer,
                        .count = (u32)count & ~COUNT_CONTINUED,
                        .size = size};
    return unlikely((count & COUNT_CONTINUED) && done_pointer)
               ? guest_copy_in(&b->before, done_pointer, sizeof(b->before))
               : 0;
}

/* Counts the last request, if it went well, and fetches the next. False: no more in this call. */
static inline bool batch_next(struct batch *b, void *request)
{
    if (b->error)
        return false;
    b->done = b->taken;
    if (unlikely(to_pv(current)->unfinished))
        b->error = -ERESTART_HYPERCALL;
    else if (b->done == b->count)
        return false;
    else if (b->done && hypercall_should_yield())
        b->error = -ERESTART_HYPERCALL;
    else
        b->error = guest_copy_in_at(request, b->list, b->done, b->size);
    b->taken += !b->error;
    return !b->error;
}

/* The call's answer. */
static inline s64 batch_end(const struct batch *b, u64 domain)
{
    u32 done = b->before + b->done;

    if (b->done_pointer && guest_copy_out(b->done_pointer, &done, sizeof(done)) && !b->error)
        return -EFAULT;
    if (b->error == -ERESTART_HYPERCALL)
        return hypercall_continue(b->list + (u64)b->done * b->size,
                                  (b->count - b->done) | COUNT_CONTINUED, b->done_pointer, domain,
                                  0);
    return b->error;
}
