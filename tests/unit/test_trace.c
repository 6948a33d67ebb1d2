// sources: core/trace.c memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace rings against a reader that walks them as xenalyze does: what is
 * written comes out in order, whatever the sizes; what is lost is told; and a
 * reader that lies about how far it is ends the tracing and nothing else.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "host/fake_memory.h"

#include "core/domain.h"
#include "core/trace.h"
#include "lib/log.h"

#define PAGES    3
#define DATA     (PAGES * 4096 - 8)
#define SEQUENCE (TRC_SCHED_VERBOSE + 1)

static struct domain *idle;
struct domain *idle_domain;
static struct vcpu on_cpu;
static u32 virqs, complaints;

void event_send_global_virq(u32 virq)
{
    assert_int_equal(virq, VIRQ_TBUF);
    virqs++;
}
void printk(enum log_level level, const char *format, ...)
{
    (void)level, (void)format;
    complaints++;
}
void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why, (void)file, (void)line, (void)error;
}

/* ---- the reader ---- */

static const struct t_info *info(void)
{
    return mfn_to_virt(trace_get_info().info);
}
static struct t_buf *ring(void)
{
    return mfn_to_virt(mfn(((const u32 *)info())[info()->mfn_offset[0]]));
}
static u32 word_at(u32 byte)
{
    byte += sizeof(struct t_buf);
    mfn_t page = mfn(((const u32 *)info())[info()->mfn_offset[0] + byte / 4096]);
    return *(u32 *)((char *)mfn_to_virt(page) + byte % 4096);
}

struct record {
    u32 event, words, data[7];
    bool stamped;
};

/* The record at cons; false: none. No record may cross the end. */
static bool next(struct record *r)
{
    u32 cons = ring()->cons, at = cons % DATA, head, bytes;

    if (cons == ring()->prod)
        return false;
    head = word_at(at);
    r->event = head & 0x0fffffff;
    r->words = head >> 28 & 7;
    r->stamped = head >> 31;
    bytes = 4 * (1 + (r->stamped ? 2 : 0) + r->words);
    assert_true(at + bytes <= DATA);
    for (u32 i = 0; i < r->words; i++)
        r->data[i] = word_at(at + bytes - 4 * (r->words - i));
    ring()->cons = (cons + bytes) % (2 * DATA);
    return true;
}

/* Reads up to `most` records that are no filling. Sequence numbers rise by one; a record of
 * losses says how many are left out. */
static u32 expected, lost;
static u32 read_some(u32 most)
{
    struct record r;
    u32 count = 0;

    while (count < most && next(&r)) {
        if (r.event == TRC_TRACE_WRAP_BUFFER) {
            assert_int_equal(ring()->cons % DATA, 0);
            continue;
        }
        assert_true(r.stamped);
        count++;
        if (r.event == TRC_LOST_RECORDS) {
            assert_int_equal(r.words, 4);
            assert_int_equal(r.data[1], 7 | 2 << 16);
            assert_int_not_equal(r.data[0], 0);
            expected += r.data[0];
            lost += r.data[0];
            continue;
        }
        assert_int_equal(r.event, SEQUENCE);
        for (u32 i = 0; i < r.words; i++)
            assert_int_equal(r.data[i], expected + i);
        assert_int_equal(r.words, expected % 8);
        expected++;
    }
    return count;
}

static u32 written;
static void write_some(u32 count)
{
    while (count--) {
        u32 data[7];

        for (u32 i = 0; i < 7; i++)
            data[i] = written + i;
        if (trace_wants(SEQUENCE))
            trace_write(SEQUENCE, written % 8, data);
        written++;
    }
}

static int setup(void **state)
{
    (void)state;
    fake_memory_init();
    idle = heap_zalloc(ROUND_UP(sizeof(*idle), 4096));
    frame_owner_init(&idle->frames);
    idle->frames.max = ~0U;
    idle->id = 7;
    idle_domain = idle;
    on_cpu.domain = idle;
    on_cpu.id = 2;
    current = &on_cpu;
    return 0;
}

/* ---- the tests, in order ---- */

static void nothing_without_buffers(void **state)
{
    (void)state;
    assert_int_equal(trace_enable(true), -EINVAL);
    assert_false(trace_wants(SEQUENCE));
    assert_int_equal(trace_get_info().info.raw, 0);
    assert_int_equal(trace_set_size(0), -EINVAL);
    /* More than there is: nothing stays behind. */
    u64 before = memory_free();
    assert_int_equal(trace_set_size(FAKE_FRAMES), -ENOMEM);
    assert_int_equal(memory_free(), before);
    assert_int_equal(trace_get_info().info.raw, 0);
}

static void buffers_are_shared_as_they_should(void **state)
{
    (void)state;
    assert_int_equal(trace_set_size(PAGES), 0);
    assert_int_equal(trace_set_size(PAGES), -EBUSY);
    assert_int_equal(trace_set_size(PAGES + 1), -EINVAL);
    assert_int_equal(info()->tbuf_size, PAGES);
    /* t_info for reading, the rings for writing too. */
    struct frame *f = mfn_to_frame(trace_get_info().info);
    assert_true(frame_get(f, &idle->frames));
    assert_false(frame_get_writable(f));
    for (u32 i = 0; i < PAGES; i++) {
        f = mfn_to_frame(mfn(((const u32 *)info())[info()->mfn_offset[0] + i]));
        assert_true(frame_get(f, &idle->frames));
        assert_true(frame_get_writable(f));
    }
}

static void records_come_out_as_they_went_in(void **state)
{
    (void)state;
    assert_int_equal(trace_enable(true), 0);
    for (u32 round = 0; round < 20000; round++) {
        write_some((u32)rand() % 40);
        read_some((u32)rand() % 60);
    }
    read_some(~0U);
    assert_int_equal(expected, written);
    assert_int_equal(lost, 0);
}

static void losses_are_told(void **state)
{
    (void)state;
    for (u32 round = 0; round < 2000; round++) {
        write_some((u32)rand() % 1500);
        read_some((u32)rand() % 400);
    }
    read_some(~0U);
    write_some(1); /* brings the news of the last loss */
    read_some(~0U);
    assert_int_equal(expected, written);
    assert_true(lost > 1000);
}

static void half_full_is_told_once(void **state)
{
    u32 told = 0;

    (void)state;
    fake_raised = 0;
    for (u32 i = 0; i < 200; i++) {
        write_some(1);
        told += fake_raised >> WORK_TRACE & 1;
        fake_raised = 0;
        if (told)
            assert_true(i > 100);
    }
    write_some(2000);
    assert_int_equal(told + (fake_raised >> WORK_TRACE & 1), 1);
    trace_work();
    assert_int_equal(virqs, 1);
    read_some(~0U);
    write_some(1);
    read_some(~0U);
}

static void masks_choose(void **state)
{
    cpumask_t none = {{0}};

    (void)state;
    u32 prod = ring()->prod;
    trace_set_events(TRC_PV);
    assert_false(trace_wants(SEQUENCE));
    trace_set_events(TRC_SCHED_MIN); /* the class, but another subclass */
    assert_true(trace_wants(SEQUENCE));
    trace_write(SEQUENCE, 0, NULL);
    trace_set_events(TRC_ALL);
    trace_set_cpus(&none);
    trace_write(SEQUENCE, 0, NULL);
    trace_set_cpus(&cpus_online);
    assert_int_equal(trace_enable(false), 0);
    assert_false(trace_wants(SEQUENCE));
    trace_write(SEQUENCE, 0, NULL);
    assert_int_equal(ring()->prod, prod);
    assert_int_equal(trace_enable(true), 0);
}

/* What else is in the ring does not matter: it is never read. cons does. */
static void a_lying_reader_ends_it(void **state)
{
    static const u32 lies[] = {2 * DATA, 2 * DATA + 4, ~0U, 0x80000000U, 1, 2, 3};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(lies) + 2; i++) {
        u32 prod;

        read_some(~0U);
        write_some(1);
        read_some(~0U);
        prod = ring()->prod;
        complaints = 0;
        ring()->cons = i < ARRAY_SIZE(lies) ? lies[i]
                                            : (prod + 4 * (i - ARRAY_SIZE(lies) + 1)) % (2 * DATA);
        trace_write(SEQUENCE, 0, NULL);
        assert_int_equal(complaints, 1);
        assert_int_equal(ring()->prod, prod);
        assert_false(trace_wants(SEQUENCE));
        ring()->cons = prod;
        assert_int_equal(trace_enable(true), 0);
    }
    /* prod is ours: what stands there is overwritten with the truth. */
    u32 prod = ring()->prod;
    memset(ring(), 0xff, 4096);
    ring()->cons = prod;
    write_some(1);
    assert_true(ring()->prod != ~0U && ring()->prod < 2 * DATA);
    read_some(~0U);
    assert_int_equal(expected, written);
}

static bool in_ring(u32 frame)
{
    for (u32 i = 0; i < PAGES; i++)
        if (((const u32 *)info())[info()->mfn_offset[0] + i] == frame)
            return true;
    return false;
}

static void any_garbage_stays_inside(void **state)
{
    char *before = malloc((u64)FAKE_FRAMES << PAGE_SHIFT);

    (void)state;
    memcpy(before, fake_arena, (u64)FAKE_FRAMES << PAGE_SHIFT);
    for (u32 i = 0; i < 100000; i++) {
        ring()->cons = i & 1 ? (u32)rand() % (2 * DATA) & ~3U : (u32)rand();
        ring()->prod = (u32)rand();
        trace_enable(true);
        write_some((u32)rand() % 20);
    }
    for (u32 f = 0; f < FAKE_FRAMES; f++)
        if (!in_ring(f))
            assert_memory_equal(before + ((u64)f << PAGE_SHIFT),
                                fake_arena + ((u64)f << PAGE_SHIFT), 4096);
    free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_without_buffers),
        cmocka_unit_test(buffers_are_shared_as_they_should),
        cmocka_unit_test(records_come_out_as_they_went_in),
        cmocka_unit_test(losses_are_told),
        cmocka_unit_test(half_full_is_told_once),
        cmocka_unit_test(masks_choose),
        cmocka_unit_test(a_lying_reader_ends_it),
        cmocka_unit_test(any_garbage_stays_inside),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
