/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bitmaps in arrays of unsigned long, bit 0 the lowest of the first word (also
 * the layout of the public interface's event words). Sizes and positions count
 * bits. Plain forms need the owner's lock; atomic_ forms are full barriers.
 */
#pragma once

#include "lib/types.h"

#define BITS_PER_LONG      64
#define BITMAP_LONGS(bits) (((bits) + BITS_PER_LONG - 1) / BITS_PER_LONG)
/* Declares a map of that many bits (not zeroed unless static). */
#define BITMAP(name, bits)  unsigned long name[BITMAP_LONGS(bits)]
#define BITMAP_WORD(map, n) ((map)[(n) / BITS_PER_LONG])
#define BITMAP_BIT(n)       (1UL << ((n) % BITS_PER_LONG))

static inline void bit_set(unsigned long *map, unsigned long n)
{
    BITMAP_WORD(map, n) |= BITMAP_BIT(n);
}

static inline void bit_clear(unsigned long *map, unsigned long n)
{
    BITMAP_WORD(map, n) &= ~BITMAP_BIT(n);
}

static inline bool bit_test(const unsigned long *map, unsigned long n)
{
    return READ_ONCE(BITMAP_WORD(map, n)) & BITMAP_BIT(n);
}

static inline void atomic_bit_set(unsigned long *map, unsigned long n)
{
    __atomic_or_fetch(&BITMAP_WORD(map, n), BITMAP_BIT(n), __ATOMIC_SEQ_CST);
}

static inline void atomic_bit_clear(unsigned long *map, unsigned long n)
{
    __atomic_and_fetch(&BITMAP_WORD(map, n), ~BITMAP_BIT(n), __ATOMIC_SEQ_CST);
}

/* Both return what the bit was before. */
static inline bool atomic_bit_test_and_set(unsigned long *map, unsigned long n)
{
    return __atomic_fetch_or(&BITMAP_WORD(map, n), BITMAP_BIT(n), __ATOMIC_SEQ_CST) & BITMAP_BIT(n);
}

static inline bool atomic_bit_test_and_clear(unsigned long *map, unsigned long n)
{
    return __atomic_fetch_and(&BITMAP_WORD(map, n), ~BITMAP_BIT(n), __ATOMIC_SEQ_CST) &
           BITMAP_BIT(n);
}

/* First set (clear) bit at or after `from`; `size` when there is none. */
unsigned long bitmap_find_next_set(const unsigned long *map, unsigned long size,
                                   unsigned long from);
unsigned long bitmap_find_next_clear(const unsigned long *map, unsigned long size,
                                     unsigned long from);

/* Sets `size` bits; the unused ones of the last word become clear. */
void bitmap_fill(unsigned long *map, unsigned long size);

/* i (unsigned long or unsigned int) runs over the set bits in rising order. */
#define for_each_bit(i, map, size)                                   \
    for ((i) = bitmap_find_next_set((map), (size), 0); (i) < (size); \
         (i) = bitmap_find_next_set((map), (size), (i) + 1UL))
