/* SPDX-License-Identifier: GPL-2.0-only */
/* What the compiler calls when the processor it may assume has no instruction for it. */
#include "lib/types.h"

int __popcountdi2(u64 word);

/* Sums of neighbours: of bits, of pairs, of nibbles; then all bytes by multiplication. */
int __popcountdi2(u64 word)
{
    word -= (word >> 1) & 0x5555555555555555UL;
    word = (word & 0x3333333333333333UL) + ((word >> 2) & 0x3333333333333333UL);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fUL;
    return (int)((word * 0x0101010101010101UL) >> 56);
}
