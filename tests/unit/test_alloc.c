// sources: memory/frame.c memory/alloc.c memory/early.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* The page allocator against a plain array of who has which frame; range sets. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#define FAKE_FRAMES 8192
#include "fake_memory.h"
#include "memory/internal.h"

#define OWNERS 3
static struct frame_owner *owners[OWNERS + 1]; /* the last is nobody: our own pages */

struct block {
    u32 owner, first, order;
};
static struct block blocks[FAKE_FRAMES];
static u32 block_count;
static u8 model[FAKE_FRAMES]; /* 0 free, 1 + owner */

static void model_set(u32 first, u32 order, u8 old, u8 new)
{
    for (u32 i = first; i < first + (1u << order); i++) {
        assert_int_equal(model[i], old);
        model[i] = new;
    }
}

static bool all_zero(u32 first, u32 order)
{
    const char *p = mfn_to_virt(mfn(first));

    for (u64 i = 0; i < PAGE_SIZE << order; i++)
        if (p[i])
            return false;
    return true;
}

static void do_alloc(void)
{
    u32 who = (u32)rand() % (OWNERS + 1), order = (u32)rand() % 7;
    u32 bits = rand() % 4 ? 0 : 13 + (u32)rand() % 14;
    u32 flags = rand() % 2 ? ALLOC_ZERO : 0, first;
    struct frame *f = frames_alloc(owners[who], order, bits, flags);

    if (!f)
        return;
    first = (u32)frame_to_mfn(f).raw;
    assert_int_equal(first & ((1u << order) - 1), 0);
    assert_true(first >= FAKE_OWNER_FRAMES && first + (1u << order) <= FAKE_FRAMES);
    if (bits)
        assert_true((u64)(first + (1u << order)) << PAGE_SHIFT <= 1UL << bits);
    if (owners[who] || flags)
        assert_true(all_zero(first, order));
    for (u32 i = 0; i < 1u << order; i++) {
        assert_ptr_equal(frame_owner_of(&f[i]), owners[who]);
        assert_int_equal(f[i].count, owners[who] ? FRAME_ALLOCATED | 1 : 0);
    }
    model_set(first, order, 0, (u8)(who + 1));
    memset(mfn_to_virt(mfn(first)), 0xee, PAGE_SIZE << order);
    blocks[block_count++] = (struct block){who, first, order};
}

static void do_free(void)
{
    u32 n = (u32)rand() % (block_count ? block_count : 1);
    struct block b = blocks[n];

    if (!block_count)
        return;
    model_set(b.first, b.order, (u8)(b.owner + 1), 0);
    if (!owners[b.owner])
        pages_free(mfn_to_virt(mfn(b.first)), b.order);
    else
        for (u32 i = 0; i < 1u << b.order; i++)
            assert_true(frame_release(&host_frame_table[b.first + i]));
    blocks[n] = blocks[--block_count];
}

static void check_totals(void)
{
    u32 counts[OWNERS + 2] = {0};

    for (u32 i = FAKE_OWNER_FRAMES; i < FAKE_FRAMES; i++)
        counts[model[i]]++;
    assert_int_equal(memory_free(), counts[0]);
    for (u32 o = 0; o < OWNERS; o++)
        assert_int_equal(owners[o]->frames.count, counts[o + 1]);
}

static void test_random(void **state)
{
    u64 total = memory_free();

    (void)state;
    for (int round = 0; round < 40000; round++) {
        /* Long phases of filling and emptying, so that exhaustion is met. */
        if (rand() % 8 < ((round / 4000) % 2 ? 3 : 5))
            do_alloc();
        else
            do_free();
        if (rand() % 4 == 0)
            memory_scrub_some();
        if (round % 500 == 0)
            check_totals();
    }
    while (block_count)
        do_free();
    check_totals();
    while (memory_scrub_some())
        ;
    assert_int_equal(memory_scrub_pending(), 0);
    assert_true(all_zero(FAKE_FRAMES / 2, 12));
    /* All joined again: the largest block there can be is one. */
    assert_non_null(frames_alloc(NULL, 12, 0, 0));
    frames_free_unowned(&host_frame_table[FAKE_FRAMES / 2], 12);
    assert_int_equal(memory_free(), total);
}

static void test_limits(void **state)
{
    struct frame *f;

    (void)state;
    assert_null(frames_alloc(NULL, MAX_ORDER + 1, 0, 0));
    assert_null(frames_alloc(NULL, 0, 12, 0));
    assert_null(frames_alloc(NULL, 13, 0, 0));
    owners[0]->max = 5;
    f = frames_alloc(owners[0], 2, 0, 0);
    assert_non_null(f);
    assert_null(frames_alloc(owners[0], 1, 0, 0));
    assert_non_null(frames_alloc(owners[0], 1, 0, ALLOC_FORCE));
    owners[0]->dying = true;
    assert_null(frames_alloc(owners[0], 0, 0, ALLOC_FORCE));
    fake_raised = 0;
    while ((f = frame_list_first(&owners[0]->frames)))
        frame_release(f);
    assert_int_equal(fake_raised, 1u << WORK_REAP);
    owners[0]->dying = false;
    owners[0]->max = ~0u;
}

static void test_claims(void **state)
{
    u64 total = memory_free();
    struct frame *f;

    (void)state;
    assert_int_equal(memory_claim(owners[0], total + 1), -ENOMEM);
    assert_int_equal(memory_claim(owners[0], total - 10), 0);
    assert_int_equal(memory_claim(owners[0], 5), -EINVAL);
    assert_int_equal(memory_claim(owners[1], 11), -ENOMEM);
    owners[1]->dying = true; /* nobody would give it up any more */
    assert_int_equal(memory_claim(owners[1], 5), -EINVAL);
    owners[1]->dying = false;
    assert_null(frames_alloc(owners[1], 4, 0, 0));
    assert_null(frames_alloc(NULL, 4, 0, 0));
    f = frames_alloc(owners[0], 4, 0, 0);
    assert_non_null(f);
    assert_int_equal(memory_claimed(), total - 10 - 16);
    assert_int_equal(memory_claim(owners[0], 0), 0);
    assert_int_equal(memory_claimed(), 0);
    assert_int_equal(memory_claim(owners[0], 16), -EINVAL);
    assert_int_equal(memory_claim(owners[0], 20), 0);
    assert_int_equal(memory_claimed(), 4);
    assert_int_equal(memory_claim(owners[0], 0), 0);
    for (u32 i = 0; i < 16; i++)
        frame_release(&f[i]);
    assert_int_equal(memory_free(), total);
}

/* A freed frame that a CPU may remember is flushed for before it is used again. */
static void test_flush(void **state)
{
    struct frame *f = frames_alloc(owners[0], 0, 0, 0);
    u64 flushes;

    (void)state;
    frame_release(f);
    flushes = fake_flushes;
    f = frames_alloc(owners[1], 0, 0, 0);
    assert_int_equal(fake_flushes, flushes + 1);
    frame_release(f);
    cpu_flush_local(FLUSH_TLB, 0);
    flushes = fake_flushes;
    f = frames_alloc(owners[1], 0, 0, 0);
    assert_int_equal(fake_flushes, flushes);
    frame_release(f);
}

static struct memory_ranges set;

static void test_ranges(void **state)
{
    bool bits[256] = {false};

    (void)state;
    for (int round = 0; round < 50000; round++) {
        u64 start = (u64)rand() % 256, end = start + (u64)rand() % 20, at;

        end = MIN(end, 256UL);
        if (rand() % 2) {
            ranges_add(&set, start, end);
            memset(&bits[start], 1, end - start);
        } else if (rand() % 8) {
            ranges_remove(&set, start, end);
            memset(&bits[start], 0, end - start);
        } else {
            u64 align = 1UL << rand() % 3, size = align * (1 + (u64)rand() % 3);

            at = ranges_take(&set, size, align, end);
            if (at != ~0UL) {
                assert_true(at % align == 0 && at + size <= end);
                for (u64 i = at; i < at + size; i++) {
                    assert_true(bits[i]);
                    bits[i] = false;
                }
            }
        }
        for (u32 i = 0; i < set.count; i++) {
            assert_true(set.r[i].start < set.r[i].end);
            assert_true(i == 0 || set.r[i - 1].end < set.r[i].start);
        }
        for (u64 i = 0; i < 256; i++)
            assert_int_equal(ranges_overlap(&set, i, i + 1), bits[i]);
    }
    set = (struct memory_ranges){0};
    ranges_add(&set, 1, ~0UL);
    ranges_align(&set, PAGE_SIZE);
    assert_int_equal(set.count, 1);
    assert_int_equal(set.r[0].start, PAGE_SIZE);
    for (u64 i = 0; i < 2 * MAX_RANGES; i++)
        ranges_remove(&set, PAGE_SIZE * (2 * i + 2), PAGE_SIZE * (2 * i + 3));
    assert_true(set.overflow && set.count <= MAX_RANGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_limits), cmocka_unit_test(test_claims),
        cmocka_unit_test(test_flush),  cmocka_unit_test(test_ranges),
    };

    srand(1);
    fake_memory_init();
    for (u32 i = 0; i < OWNERS; i++)
        owners[i] = fake_owner(i);
    return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
