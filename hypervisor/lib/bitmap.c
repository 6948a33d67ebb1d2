/* SPDX-License-Identifier: GPL-2.0-only */
/* See bitmap.h. A word at a time; the last word is masked where unused bits matter. */
#include "lib/bitmap.h"

/* The bits of the last word that belong to a map of `size` bits. */
static unsigned long last_word_mask(unsigned long size)
{
    unsigned long rest = size % BITS_PER_LONG;

    return rest ? (1UL << rest) - 1 : ~0UL;
}

/* Both searches in one: `flip` turns clear bits into set ones. */
static unsigned long find_next(const unsigned long *map, unsigned long size, unsigned long from,
                               unsigned long flip)
{
    unsigned long index, word;

    if (from >= size)
        return size;

    index = from / BITS_PER_LONG;
    word = (READ_ONCE(map[index]) ^ flip) & (~0UL << (from % BITS_PER_LONG));
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

void bitmap_zero(unsigned long *map, unsigned long size)
{
    for (unsigned long i = 0; i < BITMAP_LONGS(size); i++)
        map[i] = 0;
}

void bitmap_fill(unsigned long *map, unsigned long size)
{
    for (unsigned long i = 0; i < BITMAP_LONGS(size); i++)
        map[i] = ~0UL;
    if (size)
        map[BITMAP_LONGS(size) - 1] &= last_word_mask(size);
}

void bitmap_copy(unsigned long *to, const unsigned long *from, unsigned long size)
{
    for (unsigned long i = 0; i < BITMAP_LONGS(size); i++)
        to[i] = from[i];
}

void bitmap_and(unsigned long *to, const unsigned long *a, const unsigned long *b,
                unsigned long size)
{
    for (unsigned long i = 0; i < BITMAP_LONGS(size); i++)
        to[i] = a[i] & b[i];
}

void bitmap_or(unsigned long *to, const unsigned long *a, const unsigned long *b,
               unsigned long size)
{
    for (unsigned long i = 0; i < BITMAP_LONGS(size); i++)
        to[i] = a[i] | b[i];
}

bool bitmap_empty(const unsigned long *map, unsigned long size)
{
    return bitmap_find_next_set(map, size, 0) == size;
}

bool bitmap_equal(const unsigned long *a, const unsigned long *b, unsigned long size)
{
    unsigned long whole = size / BITS_PER_LONG;

    for (unsigned long i = 0; i < whole; i++)
        if (a[i] != b[i])
            return false;
    return size % BITS_PER_LONG == 0 || ((a[whole] ^ b[whole]) & last_word_mask(size)) == 0;
}

unsigned long bitmap_weight(const unsigned long *map, unsigned long size)
{
    unsigned long count = 0;

    for (unsigned long i = 0; i < BITMAP_LONGS(size); i++) {
        unsigned long word = map[i];

        if (i == BITMAP_LONGS(size) - 1)
            word &= last_word_mask(size);
        /* No popcnt instruction promised, and no libgcc: clear bit by bit. */
        for (; word; word &= word - 1)
            count++;
    }
    return count;
}
