// sources: memory/frame.c memory/alloc.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* Frame counts and types, sharing, stealing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_memory.h"

static struct frame_owner *a, *b;

static void test_is_ram(void **state)
{
    (void)state;
    assert_true(mfn_is_ram(mfn(100)));
    assert_false(mfn_is_ram(mfn(FAKE_FRAMES)));
    assert_false(mfn_is_ram(mfn(1UL << 40)));
    assert_false(mfn_is_ram(MFN_NONE));
    host_frame_table[5].count = FRAME_ABSENT;
    assert_false(mfn_is_ram(mfn(5)));
    host_frame_table[5].count = 0;
}

static void test_references(void **state)
{
    struct frame *f = frames_alloc(a, 0, 0, 0);
    u64 free = memory_free();

    (void)state;
    assert_non_null(f);
    assert_ptr_equal(frame_owner_of(f), a);
    assert_int_equal(f->count, FRAME_ALLOCATED | 1);
    assert_false(frame_get(f, b));
    assert_false(frame_get(f, NULL));
    assert_int_equal(f->count, FRAME_ALLOCATED | 1);
    assert_true(frame_get(f, a));
    frame_get_again(f);
    assert_true(frame_release(f));
    assert_false(frame_release(f));
    assert_int_equal(f->count, 2);
    assert_true(frame_get(f, a)); /* released, but still live */
    frame_put(f);
    frame_put(f);
    assert_int_equal(a->frames.count, 1);
    m2p_set(frame_to_mfn(f), 77);
    frame_put(f);
    assert_int_equal(a->frames.count, 0);
    assert_int_equal(memory_free(), free + 1);
    assert_int_equal(m2p_get(frame_to_mfn(f)), M2P_INVALID);
    assert_false(frame_get(f, a));
}

static void test_writable(void **state)
{
    struct frame *f = frames_alloc(a, 0, 0, 0);
    u64 flushes = fake_flushes;

    (void)state;
    assert_true(frame_get_writable(f));
    assert_true(frame_get_writable(f));
    assert_int_equal(f->type & TYPE_COUNT_MASK, 2);
    assert_int_equal(f->type & TYPE_MASK, TYPE_WRITABLE);
    frame_put_writable(f);
    frame_put_writable(f);
    assert_int_equal(fake_flushes, flushes);
    assert_int_equal(f->stamp, fake_clock);

    for (u64 kind = 1; kind <= 5; kind++) {
        f->type = kind << 61 | TYPE_VALIDATED | 1;
        assert_false(frame_get_writable(f));
        f->type = kind << 61 | TYPE_PARTIAL;
        assert_false(frame_get_writable(f));
        /* Once it was a table: who may remember it flushes first. */
        f->type = kind << 61;
        frame_stamp(f);
        flushes = fake_flushes;
        assert_true(frame_get_writable(f));
        assert_int_equal(fake_flushes, flushes + 1);
        assert_int_equal(f->type, TYPE_WRITABLE | TYPE_VALIDATED | 1);
        frame_put_writable(f);
    }
    frame_release(f);
}

static void test_share(void **state)
{
    void *page = page_alloc(ALLOC_ZERO);
    struct frame *f = mfn_to_frame(virt_to_mfn(page));
    u64 free = memory_free();

    (void)state;
    frame_share(page, a, false);
    assert_int_equal(a->hv.count, 1);
    assert_int_equal(a->frames.count, 0);
    assert_true(frame_get(f, a));
    assert_false(frame_get_writable(f)); /* shared read-only */
    assert_false(frame_release(f));      /* a guest cannot give it up */
    assert_int_equal(frame_steal(f, a), -EINVAL);
    frame_unshare(page);
    assert_int_equal(a->hv.count, 1); /* mapped still */
    frame_put(f);
    assert_int_equal(a->hv.count, 0);
    assert_int_equal(memory_free(), free + 1);

    page = page_alloc(ALLOC_ZERO);
    f = mfn_to_frame(virt_to_mfn(page));
    frame_share(page, b, true);
    assert_true(frame_get(f, b) && frame_get_writable(f));
    frame_unshare(page);
    assert_int_equal(b->hv.count, 1);
    frame_put_writable(f);
    b->dying = true;
    fake_raised = 0;
    frame_put(f);
    assert_int_equal(fake_raised, 1u << WORK_REAP);
    b->dying = false;
}

static void test_steal(void **state)
{
    struct frame *f = frames_alloc(a, 0, 0, 0);
    char *bytes = mfn_to_virt(frame_to_mfn(f));

    (void)state;
    *bytes = 42;
    assert_true(frame_get(f, a));
    assert_int_equal(frame_steal(f, a), -EINVAL);
    frame_put(f);
    assert_int_equal(frame_steal(f, b), -EINVAL);
    assert_int_equal(frame_steal(f, a), 0);
    assert_null(frame_owner_of(f));
    assert_int_equal(a->frames.count, 0);
    b->max = 0;
    assert_int_equal(frame_assign(f, b, 0), -ENOMEM);
    b->dying = true;
    assert_int_equal(frame_assign(f, b, ALLOC_FORCE), -EINVAL);
    b->dying = false;
    assert_int_equal(frame_assign(f, b, ALLOC_FORCE), 0);
    assert_int_equal(b->frames.count, 1);
    assert_int_equal(*bytes, 42);
    b->max = ~0u;
    assert_true(frame_release(f));
    f = frames_alloc(a, 0, 0, 0);
    bytes = mfn_to_virt(frame_to_mfn(f));
    assert_int_equal(*bytes, 0);
    frame_release(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_ram),   cmocka_unit_test(test_references),
        cmocka_unit_test(test_writable), cmocka_unit_test(test_share),
        cmocka_unit_test(test_steal),
    };

    fake_memory_init();
    a = fake_owner(0);
    b = fake_owner(1);
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
