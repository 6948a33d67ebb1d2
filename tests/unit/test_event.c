// sources: core/init.c core/domain.c core/domain_end.c core/domain_watchdog.c
// sources: core/vcpu.c core/physmap.c core/reject.c memory/p2m.c
// sources: core/sched.c core/sched_cpus.c core/sched_credit2.c core/timer.c
// sources: core/ioreq.c core/event.c core/event_2l.c core/event_fifo.c core/pirq.c
// sources: memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c lib/tree.c lib/rangeset.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* Event channels: the rules one by one, then random play against the model of event_play.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "event_play.h"

static int setup(void **state)
{
    (void)state;
    world_init();
    return 0;
}

static void limits(void **state)
{
    struct xen_domctl_createdomain config = {.max_vcpus = 1, .max_evtchn_port = 200};
    struct evtchn_alloc_unbound op = {DOMID_SELF, DOMID_SELF, 0};
    struct domain *d;

    (void)state;
    assert_int_equal(domain_create(0xffff, &config, false, &d), 0);
    assert_int_equal(vcpu_create(d, 0), 0);
    world_as(d->vcpus[0]);
    for (u32 i = 1; i <= 200; i++) {
        assert_int_equal(event_alloc_unbound(d, &op), 0);
        assert_int_equal(op.port, i);
    }
    assert_int_equal(event_alloc_unbound(d, &op), -ENOSPC);
    assert_int_equal(event_close(d, 57, true), 0);
    assert_int_equal(event_alloc_unbound(d, &op), 0);
    assert_int_equal(op.port, 57);
    assert_int_equal(event_send(d, 0), -EINVAL);
    assert_int_equal(event_send(d, 0xffffffff), -EINVAL);
    assert_int_equal(event_send(d, 5), 0);
    world_destroy(d);

    /* 2-level ends at 4096 however many are allowed. */
    d = world_domain(false, 1);
    d->frames.max = ~0U;
    world_as(d->vcpus[0]);
    for (u32 i = 1; i < 4096; i++)
        assert_int_equal(event_alloc_unbound(d, &op), 0);
    assert_int_equal(event_alloc_unbound(d, &op), -ENOSPC);
    world_destroy(d);
}

/* The pages of a guest that 32-bit code set up. */
struct info32 {
    u8 upcall_pending, upcall_mask;
    u32 selector, arch[6];
    struct vcpu_time_info time;
};
struct shared32 {
    struct info32 vcpu[32];
    u32 pending[32], mask[32];
    u32 wc_version, wc_sec, wc_nsec;
    u32 arch[6], wc_sec_hi;
};

static void narrow_layout(void **state)
{
    struct domain *d = world_domain(false, 2);
    struct shared32 *s = (struct shared32 *)d->shared_info;
    struct evtchn_bind_ipi op = {.vcpu = 1};
    struct info32 before, *info;
    struct frame *f;

    (void)state;
    domain_set_narrow(d, true);
    assert_int_equal(s->wc_sec, 0x34567890);
    assert_int_equal(s->wc_sec_hi, 0x12);
    assert_int_equal(s->wc_nsec, 5);
    assert_int_equal(s->wc_version & 1, 0);
    world_as(d->vcpus[0]);
    for (u32 i = 1; i < 1024; i++)
        assert_int_equal(event_bind_ipi(&op), 0);
    assert_int_equal(event_bind_ipi(&op), -ENOSPC);
    assert_int_equal(event_send(d, 40), 0);
    assert_int_equal(s->pending[1], 1U << 8);
    assert_int_equal(s->vcpu[1].upcall_pending, 1);
    assert_int_equal(s->vcpu[1].selector, 1U << 1);
    assert_int_equal(s->vcpu[1].arch[0], 0);
    s->mask[31] = 1U << 31;
    s->mask[0] = 1U << 7;
    assert_int_equal(event_send(d, 1023), 0);
    assert_int_equal(event_send(d, 7), 0);
    assert_true(event_port_masked(d, 1023));
    assert_true(event_port_pending(d, 1023));
    assert_int_equal(s->vcpu[1].selector, 1U << 1);
    assert_int_equal(event_unmask(d, 1023), 0);
    assert_int_equal(s->vcpu[1].selector, 1U << 31 | 1U << 1);
    assert_int_equal(s->mask[31], 0);
    assert_int_equal(s->pending[31], 1U << 31);
    assert_int_equal(s->mask[0], 1U << 7);
    assert_int_equal(s->vcpu[0].upcall_pending, 0);

    /* A page of its own: everything may have been missed. */
    f = frames_alloc(&d->frames, 0, 0, ALLOC_ZERO);
    before = s->vcpu[1];
    assert_int_equal(vcpu_register_info(d->vcpus[1], frame_to_mfn(f).raw, 192), 0);
    info = (struct info32 *)((u8 *)mfn_to_virt(frame_to_mfn(f)) + 192);
    before.selector = ~0U;
    assert_memory_equal(info, &before, sizeof(before));
    info->selector = 0;
    assert_int_equal(event_send(d, 64), 0);
    assert_int_equal(info->selector, 1U << 2);

    /* Another kernel, of 64 bits. */
    domain_set_narrow(d, false);
    assert_int_equal(d->shared_info->wc_sec, 0x34567890);
    assert_int_equal(event_send(d, 100), 0);
    assert_int_equal(d->shared_info->evtchn_pending[1] >> (100 - 64) & 1, 1);
    assert_int_equal(d->vcpus[1]->info->evtchn_pending_sel & 2, 2);
    world_destroy(d);
}

/* The queues keep their order, and priorities theirs. */
static void fifo_order(void **state)
{
    struct domain *d;
    u32 ports[6], seen = 0, port;

    (void)state;
    play_start();
    d = play.d[0];
    world_as(d->vcpus[0]);
    play_go_fifo(0);
    for (u32 i = 0; i < 6; i++) {
        struct evtchn_bind_ipi op = {.vcpu = 1};
        assert_int_equal(event_bind_ipi(&op), 0);
        ports[i] = op.port;
    }
    assert_int_equal(event_set_priority(d, ports[4], 3), 0);
    assert_int_equal(event_set_priority(d, ports[4], 16), -EINVAL);
    for (u32 i = 0; i < 6; i++)
        event_send(d, ports[5 - i]);
    event_send(d, ports[2]); /* twice is once */
    struct evtchn_fifo_control_block *c = play.control[0][1];
    assert_int_equal(d->vcpus[1]->info->evtchn_upcall_pending, 1);
    assert_int_equal(d->vcpus[0]->info->evtchn_upcall_pending, 0);
    assert_int_equal(c->ready, 1U << 3 | 1U << 7);
    assert_int_equal(c->head[3], ports[4]);
    static const u32 order[] = {5, 3, 2, 1, 0};
    for (port = c->head[7]; port; port = play.words[0][port] & EVTCHN_FIFO_LINK_MASK)
        assert_int_equal(port, ports[order[seen++]]);
    assert_int_equal(seen, 5);
    world_destroy(play.d[0]);
    world_destroy(play.d[1]);
}

/* Ports whose words are not there yet deliver when they come. */
static void fifo_late_words(void **state)
{
    struct evtchn_alloc_unbound op = {DOMID_SELF, DOMID_SELF, 0};
    struct evtchn_bind_ipi ipi = {.vcpu = 0};
    struct evtchn_expand_array array;
    struct domain *d;
    struct frame *f;

    (void)state;
    play_start();
    d = play.d[0];
    world_as(d->vcpus[0]);
    play_go_fifo(0);
    for (u32 i = 1; i < 1024; i++)
        assert_int_equal(event_alloc_unbound(d, &op), 0);
    assert_int_equal(event_bind_ipi(&ipi), 0);
    assert_int_equal(ipi.port, 1024);
    assert_int_equal(event_send(d, 1024), 0);
    assert_int_equal(d->vcpus[0]->info->evtchn_upcall_pending, 0);
    f = play_page(0);
    array.array_gfn = frame_to_mfn(f).raw;
    assert_int_equal(event_expand_array(&array), 0);
    assert_int_equal(d->vcpus[0]->info->evtchn_upcall_pending, 1);
    assert_int_equal(play.control[0][0]->head[7], 1024);
    assert_true(event_port_pending(d, 1024));
    /* A page that is not the guest's, and one that is none. */
    array.array_gfn = frame_to_mfn(play_page(1)).raw;
    assert_int_equal(event_expand_array(&array), -EINVAL);
    array.array_gfn = 1UL << 50;
    assert_int_equal(event_expand_array(&array), -EINVAL);
    world_destroy(play.d[0]);
    world_destroy(play.d[1]);
}

static void virq_routing(void **state)
{
    struct domain *a = world_domain(false, 1), *b = world_domain(false, 1);
    struct evtchn_bind_virq op = {.virq = VIRQ_CON_RING, .vcpu = 0};

    (void)state;
    world_as(a->vcpus[0]);
    assert_int_equal(event_bind_virq(&op), 0);
    event_send_global_virq(VIRQ_CON_RING); /* nobody: no hardware domain here */
    assert_false(event_port_pending(a, op.port));
    assert_int_equal(event_set_virq_handler(a, VIRQ_TIMER), -EINVAL);
    assert_int_equal(event_set_virq_handler(b, VIRQ_CON_RING), 0);
    assert_int_equal(event_set_virq_handler(a, VIRQ_CON_RING), 0);
    event_send_global_virq(VIRQ_CON_RING);
    assert_true(event_port_pending(a, op.port));
    world_destroy(b);
    world_destroy(a); /* the route's reference does not keep it */
    assert_null(domain_get(2));
    event_send_global_virq(VIRQ_CON_RING);
}

static void random_play(bool scribble, u32 rounds)
{
    static u8 bytes[8000];
    u64 free_before = 0;

    for (u32 round = 0; round < rounds; round++) {
        for (u32 i = 0; i < sizeof(bytes); i++)
            bytes[i] = (u8)(rand() >> 7);
        play_bytes(bytes, sizeof(bytes), scribble);
        if (round == 5)
            free_before = memory_free();
    }
    /* The heap keeps some slabs; what is lost by each round would show. */
    assert_true(memory_free() + 8 >= free_before);
}

static void play_against_model(void **state)
{
    (void)state;
    srand(4);
    random_play(false, 150);
}

static void play_hostile(void **state)
{
    (void)state;
    srand(5);
    random_play(true, 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(limits, setup),
        cmocka_unit_test_setup(narrow_layout, setup),
        cmocka_unit_test_setup(virq_routing, setup),
        cmocka_unit_test_setup(fifo_order, setup),
        cmocka_unit_test_setup(fifo_late_words, setup),
        cmocka_unit_test_setup(play_against_model, setup),
        cmocka_unit_test_setup(play_hostile, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
