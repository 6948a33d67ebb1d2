/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers that a guest chose, as indices. */
#pragma once

#include "memory/frame.h"

/*
 * index if index < size, else 0, computed without a branch: even while the
 * processor speculates past a bounds check that will fail, what is loaded with
 * the result lies inside the array.
 */
static inline u64 index_clamp(u64 index, u64 size)
{
    u64 mask;

    __asm__("cmp %2, %1\n\tsbb %0, %0" : "=r"(mask) : "r"(index), "r"(size) : "cc");
    return index & mask;
}

/*
 * A machine frame number from a guest, for RAM only: NULL when there is no such
 * RAM. The number cannot index beyond the frame table, not even speculatively.
 */
static inline struct frame *frame_from_guest(u64 number)
{
    return mfn_is_ram(mfn(number)) ? &frame_table[index_clamp(number, frame_table_end)] : NULL;
}
/* The same with a reference, if it is the owner's. */
static inline struct frame *frame_get_from_guest(u64 number, const struct frame_owner *owner)
{
    struct frame *f = frame_from_guest(number);

    return f && frame_get(f, owner) ? f : NULL;
}
