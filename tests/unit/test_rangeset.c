// sources: lib/rangeset.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* Range sets against an array of bool, at both ends of the number line, with failing allocations.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "lib/rangeset.h"

#define SPAN 64

static bool model[SPAN];
static u64 base; /* number of model[0] */
static bool alloc_fails;
static int blocks;

static void *count_alloc(size_t size)
{
    if (alloc_fails)
        return NULL;
    blocks++;
    return malloc(size);
}

static void count_free(void *block)
{
    blocks--;
    free(block);
}

static void check(const struct rangeset *set)
{
    unsigned int ranges = 0;

    for (u64 n = 0; n < SPAN; n++) {
        assert_int_equal(rangeset_contains(set, base + n, base + n), model[n]);
        ranges += model[n] && (n == 0 || !model[n - 1]);
    }
    /* As few as can be: those that touch have been joined. */
    assert_int_equal(ranges, set->count);
    assert_int_equal((int)set->count, blocks);
    assert_int_equal(rangeset_empty(set), set->count == 0);
}

static void run(void **state)
{
    struct rangeset set;

    (void)state;
    memset(model, 0, sizeof(model));
    rangeset_init(&set, count_alloc, count_free);
    for (int round = 0; round < 30000; round++) {
        u64 a = (u64)rand() % SPAN, b = (u64)rand() % SPAN;
        u64 first = MIN(a, b), last = rand() & 1 ? MAX(a, b) : MIN(first + 3, SPAN - 1UL);
        bool all = true, some = false, add = rand() & 1;
        int result;

        alloc_fails = rand() % 4 == 0;
        result = (add ? rangeset_add : rangeset_remove)(&set, base + first, base + last);
        assert_true(result == 0 || (result == -ENOMEM && alloc_fails));
        for (u64 n = first; n <= last && result == 0; n++)
            model[n] = add;
        check(&set);

        first = (u64)rand() % SPAN;
        last = first + (u64)rand() % (SPAN - first);
        for (u64 n = first; n <= last; n++)
            all = all && model[n], some = some || model[n];
        assert_int_equal(rangeset_contains(&set, base + first, base + last), all);
        assert_int_equal(rangeset_overlaps(&set, base + first, base + last), some);
    }
    rangeset_destroy(&set);
    assert_true(rangeset_empty(&set));
    assert_int_equal(blocks, 0);
}

static void test_at_zero(void **state)
{
    base = 0;
    run(state);
}

static void test_at_the_top(void **state)
{
    base = UINT64_MAX - SPAN + 1;
    run(state);
}

static void test_arguments(void **state)
{
    struct rangeset set;

    (void)state;
    alloc_fails = false;
    rangeset_init(&set, count_alloc, count_free);
    assert_int_equal(rangeset_add(&set, 2, 1), -EINVAL);
    assert_int_equal(rangeset_remove(&set, 2, 1), -EINVAL);
    assert_int_equal(rangeset_add(&set, 0, UINT64_MAX), 0);
    assert_true(rangeset_contains(&set, 0, UINT64_MAX));
    assert_false(rangeset_contains(&set, 2, 1));
    assert_int_equal(rangeset_remove(&set, 10, 20), 0);
    assert_int_equal(rangeset_remove(&set, 30, 40), 0);
    assert_int_equal(set.count, 3);
    rangeset_destroy(&set);
    assert_int_equal(blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_zero),
        cmocka_unit_test(test_at_the_top),
        cmocka_unit_test(test_arguments),
    };

    srand(1);
    return cmocka_run_group_tests_name("rangeset", tests, NULL, NULL);
}
