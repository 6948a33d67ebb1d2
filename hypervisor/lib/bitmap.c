/* SPDX-License-Identifier: GPL-2.0-only */
/* See bitmap.h. A word at a time. */
#include "lib/bitmap.h"

/* Both searches in one: `flip` turns clear bits into set ones. */
static unsigned long find_next(const unsigned long *map, unsigned long size, unsigned long from,
                               unsigned long flip)
{
    if (from >= size)
        return size;

    unsigned long index = from / BITS_PER_LONG;
    unsigned long word = (READ_ONCE(map[index]) ^ flip) & (~0UL << (from % BITS_PER_LONG));
    while (!word) {
        if (++index >= BITMAP_LONGS(size))
            return size;
        word = READ_ONCE(map[index]) ^ flip;
    }
    from = index * BITS_PER_LONG + (unsigned long)__builtin_ctzl(word);
    return MIN(from, size);
}

unsigned long bitmap_find_next_set(const unsigned long *map, unsigned long size, unsigned long from)
{
    return find_next(map, size, from, 0);
}

unsigned long bitmap_find_next_clear(const unsigned long *map, unsigned long size,
                                     unsigned long from)
{
    return find_next(map, size, from, ~0UL);
}

void bitmap_fill(unsigned long *map, unsigned long size)
{
    for (unsigned long i = 0; i < BITMAP_LONGS(size); i++)
        map[i] = ~0UL;
    if (size % BITS_PER_LONG)
        map[BITMAP_LONGS(size) - 1] = BITMAP_BIT(size) - 1;
}
