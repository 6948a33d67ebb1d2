/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers that a guest chose, as indices. */
#pragma once

#include "memory/frame.h"

/* A machine frame number from a guest, for RAM only: NULL when there is no such RAM. */
static inline struct frame *frame_from_guest(u64 number)
{
    return frame_find(mfn(number));
}
/* The same with a reference, if it is the owner's. */
static inline struct frame *frame_get_from_guest(u64 number, const struct frame_owner *owner)
{
    struct frame *f = frame_from_guest(number);

    return f && frame_get(f, owner) ? f : NULL;
}
