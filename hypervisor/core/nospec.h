/* SPDX-License-Identifier: GPL-2.0-only */
/* Indices that a guest chose, after their bounds check. */
#pragma once

#include "lib/types.h"

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
