// sources: memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* The heap: random sizes, no overlap, contents kept, all pages come back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "fake_memory.h"

#define OBJECTS 500
static struct {
    u8 *p;
    size_t size;
    u8 fill;
} objects[OBJECTS];

static void check_and_free(u32 n)
{
    for (size_t i = 0; i < objects[n].size; i++)
        assert_int_equal(objects[n].p[i], objects[n].fill);
    heap_free(objects[n].p);
    objects[n].p = NULL;
}

static size_t random_size(void)
{
    switch (rand() % 4) {
    case 0:
        return (size_t)rand() % 64;
    case 1:
        return (size_t)rand() % 5000;
    case 2:
        return (size_t)rand() % 40000;
    default:
        return (size_t)rand() % 1100;
    }
}

static void test_random(void **state)
{
    u64 total = memory_free();

    (void)state;
    for (int round = 0; round < 40000; round++) {
        u32 n = (u32)rand() % OBJECTS;

        if (objects[n].p) {
            check_and_free(n);
            continue;
        }
        objects[n].size = random_size();
        objects[n].fill = (u8)rand();
        objects[n].p = heap_alloc(objects[n].size);
        if (!objects[n].p)
            continue;
        assert_int_equal((u64)objects[n].p % 16, 0);
        if (objects[n].size >= PAGE_SIZE)
            assert_int_equal((u64)objects[n].p % PAGE_SIZE, 0);
        memset(objects[n].p, objects[n].fill, objects[n].size);
    }
    for (u32 n = 0; n < OBJECTS; n++)
        if (objects[n].p)
            check_and_free(n);
    /* At most one empty slab stays for each of the 16 classes. */
    assert_true(memory_free() + 16 >= total);
}

static void test_edges(void **state)
{
    u8 *p = heap_alloc(0);

    (void)state;
    assert_non_null(p);
    heap_free(p);
    heap_free(NULL);
    assert_null(heap_alloc(~0UL));
    assert_null(heap_alloc(1UL << 40));
    p = heap_zalloc(3000);
    for (u32 i = 0; i < 3000; i++)
        assert_int_equal(p[i], 0);
    heap_free(p);
}

static void test_exhaustion(void **state)
{
    void **list = NULL, *p;
    u64 total = memory_free(), n = 0;

    (void)state;
    while ((p = heap_alloc(1024)) != NULL) {
        *(void **)p = list;
        list = p;
        n++;
    }
    assert_true(n >= (total - 16) * 4);
    while (list) {
        p = *list;
        heap_free(list);
        list = p;
    }
    assert_true(memory_free() + 16 >= total);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_exhaustion),
    };

    srand(1);
    fake_memory_init();
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
