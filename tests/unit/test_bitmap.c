// sources: lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* Bitmaps against arrays of bool, random operations. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bitmap.h"

#define MAX_BITS 200

struct pair {
    BITMAP(map, MAX_BITS);
    bool model[MAX_BITS];
};

static void randomise(struct pair *pair)
{
    /* Sparse, dense and even maps, with rubbish in the unused bits of the last word. */
    int density = rand() % 5;

    memset(pair->map, rand() & 1 ? 0xff : 0, sizeof(pair->map));
    for (unsigned int i = 0; i < MAX_BITS; i++) {
        pair->model[i] = rand() % 4 < density;
        if (pair->model[i])
            bit_set(pair->map, i);
        else
            bit_clear(pair->map, i);
    }
}

static void test_single_bits(void **state)
{
    struct pair p;

    (void)state;
    randomise(&p);
    for (int round = 0; round < 20000; round++) {
        unsigned int n = (unsigned int)rand() % MAX_BITS;

        switch (rand() % 6) {
        case 0:
            bit_set(p.map, n);
            p.model[n] = true;
            break;
        case 1:
            bit_clear(p.map, n);
            p.model[n] = false;
            break;
        case 2:
            atomic_bit_set(p.map, n);
            p.model[n] = true;
            break;
        case 3:
            atomic_bit_clear(p.map, n);
            p.model[n] = false;
            break;
        case 4:
            assert_int_equal(atomic_bit_test_and_set(p.map, n), p.model[n]);
            p.model[n] = true;
            break;
        case 5:
            assert_int_equal(atomic_bit_test_and_clear(p.map, n), p.model[n]);
            p.model[n] = false;
            break;
        }
        n = (unsigned int)rand() % MAX_BITS;
        assert_int_equal(bit_test(p.map, n), p.model[n]);
    }
}

static void test_search_and_count(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct pair p;
        unsigned long size = (unsigned long)rand() % (MAX_BITS + 1);
        unsigned long from = (unsigned long)rand() % (MAX_BITS + 10);
        unsigned long set = from, clear = from, weight = 0, seen = 0, i;

        randomise(&p);
        while (set < size && !p.model[set])
            set++;
        while (clear < size && p.model[clear])
            clear++;
        for (i = 0; i < size; i++)
            weight += p.model[i];
        assert_int_equal(bitmap_find_next_set(p.map, size, from), MIN(set, size));
        assert_int_equal(bitmap_find_next_clear(p.map, size, from), MIN(clear, size));
        for_each_bit (i, p.map, size) {
            assert_true(p.model[i]);
            seen++;
        }
        assert_int_equal(seen, weight);
    }
}

static void test_fill(void **state)
{
    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct pair p;
        unsigned long size = 1 + (unsigned long)rand() % MAX_BITS;
        unsigned long end = BITMAP_LONGS(size) * BITS_PER_LONG;

        randomise(&p);
        bitmap_fill(p.map, size);
        assert_int_equal(bitmap_find_next_clear(p.map, size, 0), size);
        assert_int_equal(bitmap_find_next_set(p.map, end, size), end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_bits),
        cmocka_unit_test(test_search_and_count),
        cmocka_unit_test(test_fill),
    };

    srand(1);
    return cmocka_run_group_tests_name("bitmap", tests, NULL, NULL);
}
