// sources: core/init.c core/domain.c core/domain_end.c core/domain_watchdog.c core/ioreq.c
// sources: core/vcpu.c core/physmap.c core/reject.c memory/p2m.c
// sources: core/sched.c core/sched_cpus.c core/sched_credit2.c core/timer.c
// sources: core/event.c core/event_2l.c core/event_fifo.c core/pirq.c
// sources: memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c lib/tree.c lib/rangeset.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* Device-model servers: the pages and ports as a device model uses them, with answers that are
 * late, wrong or never come. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/ioreq.h"
#include "core_world.h"

#include <xen/hvm/dm_op.h>
#include <xen/hvm/hvm_op.h>

static struct domain *dom0;

struct model { /* what a device model sees of a server */
    u16 id;
    struct ioreq *slots;
    struct buffered_iopage *buffer;
    u32 ports[2], buffer_port;
};

static int setup(void **state)
{
    (void)state;
    world_init();
    if (!dom0)
        dom0 = world_domain(true, 1);
    return 0;
}

static u32 bind(struct domain *d, u32 port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = d->id, .remote_port = port};

    assert_int_equal(event_bind_interdomain(&op), 0);
    bit_clear(dom0->shared_info->evtchn_pending, op.local_port);
    return op.local_port;
}

static struct model begin(struct domain *d, u32 buffering)
{
    struct model m;
    mfn_t frame;

    world_as(dom0->vcpus[0]);
    assert_int_equal(ioreq_create(d, buffering, &m.id), 0);
    assert_int_equal(ioreq_frame(d, m.id, XENMEM_resource_ioreq_server_frame_ioreq(0), &frame), 0);
    m.slots = mfn_to_virt(frame);
    m.buffer = NULL;
    m.buffer_port = 0;
    for (u32 i = 0; i < d->max_vcpus; i++)
        m.ports[i] = bind(d, m.slots[i].vp_eport);
    if (buffering) {
        u32 port;

        assert_int_equal(ioreq_frame(d, m.id, XENMEM_resource_ioreq_server_frame_bufioreq, &frame),
                         0);
        m.buffer = mfn_to_virt(frame);
        assert_int_equal(ioreq_buffer_port(d, m.id, &port), 0);
        m.buffer_port = bind(d, port);
    }
    return m;
}

static enum ioreq_sent send(u8 type, u64 address, u32 bytes, bool write, u64 value)
{
    return ioreq_send(&(struct ioreq){.type = type,
                                      .addr = address,
                                      .size = bytes,
                                      .count = 1,
                                      .dir = write ? IOREQ_WRITE : IOREQ_READ,
                                      .data = value});
}

static bool told(u32 port)
{
    bool pending = bit_test(dom0->shared_info->evtchn_pending, port);

    bit_clear(dom0->shared_info->evtchn_pending, port);
    return pending;
}

static void answer(const struct model *m, u32 vcpu, u64 data)
{
    m->slots[vcpu].data = data;
    m->slots[vcpu].state = STATE_IORESP_READY;
    world_as(dom0->vcpus[0]);
    assert_int_equal(event_send(dom0, m->ports[vcpu]), 0);
}

static void question_and_answer(void **state)
{
    struct domain *d = world_domain(false, 2);
    struct model m = begin(d, HVM_IOREQSRV_BUFIOREQ_OFF);
    struct vcpu *v = d->vcpus[1];
    u64 value;

    (void)state;
    assert_int_equal(ioreq_claim(d, m.id, XEN_DMOP_IO_RANGE_PORT, 0x60, 0x64, true), 0);
    world_as(v);
    assert_int_equal(send(IOREQ_TYPE_PIO, 0x60, 1, false, 0), IOREQ_NOBODY); /* not enabled */
    world_as(dom0->vcpus[0]);
    assert_int_equal(ioreq_enable(d, m.id, true), 0);
    world_as(v);
    assert_int_equal(send(IOREQ_TYPE_PIO, 0x65, 1, false, 0), IOREQ_NOBODY);
    assert_int_equal(send(IOREQ_TYPE_PIO, 0x64, 2, false, 0), IOREQ_NOBODY); /* not all of it */
    assert_int_equal(send(IOREQ_TYPE_COPY, 0x60, 1, false, 0), IOREQ_NOBODY);
    assert_int_equal(send(IOREQ_TYPE_PIO, 0x60, 1, false, 0), IOREQ_ASKED);
    assert_true(v->pause_flags & PAUSE_IO);
    assert_true(told(m.ports[1]));
    assert_false(told(m.ports[0]));
    assert_int_equal(m.slots[1].state, STATE_IOREQ_READY);
    assert_int_equal(m.slots[1].addr, 0x60);
    assert_int_equal(m.slots[1].size, 1);
    assert_int_equal(m.slots[1].count, 1);
    assert_int_equal(m.slots[1].dir, IOREQ_READ);
    assert_int_equal(m.slots[1].type, IOREQ_TYPE_PIO);
    assert_true(ioreq_waits(&value));
    m.slots[1].state = STATE_IOREQ_INPROCESS;
    assert_true(ioreq_waits(&value));
    answer(&m, 1, 0x1234);
    assert_false(v->pause_flags & PAUSE_IO);
    world_as(v);
    assert_false(ioreq_waits(&value));
    assert_int_equal(value, 0x1234);
    assert_int_equal(m.slots[1].state, STATE_IOREQ_NONE);
    world_destroy(d);
}

static void configuration_space(void **state)
{
    struct domain *d = world_domain(false, 1);
    struct model m = begin(d, HVM_IOREQSRV_BUFIOREQ_OFF);
    u64 value;

    (void)state;
    assert_int_equal(ioreq_claim(d, m.id, XEN_DMOP_IO_RANGE_PCI, XEN_DMOP_PCI_SBDF(0, 0, 3, 1),
                                 XEN_DMOP_PCI_SBDF(0, 0, 3, 1), true),
                     0);
    assert_int_equal(ioreq_enable(d, m.id, true), 0);
    world_as(d->vcpus[0]);
    u64 at = (u64)XEN_DMOP_PCI_SBDF(0, 0, 3, 1) << 32 | 0x46;

    assert_int_equal(send(IOREQ_TYPE_PIO, 0xcfc, 4, false, 0), IOREQ_NOBODY);
    assert_int_equal(send(IOREQ_TYPE_PCI_CONFIG, at, 2, true, 0xbeef), IOREQ_ASKED);
    assert_int_equal(m.slots[0].type, IOREQ_TYPE_PCI_CONFIG);
    assert_int_equal(m.slots[0].addr, at);
    assert_int_equal(m.slots[0].dir, IOREQ_WRITE);
    assert_int_equal(m.slots[0].data, 0xbeef);
    answer(&m, 0, 0);
    world_as(d->vcpus[0]);
    assert_false(ioreq_waits(&value));
    assert_int_equal(send(IOREQ_TYPE_PCI_CONFIG, at + (1UL << 32), 4, false, 0), IOREQ_NOBODY);
    world_destroy(d);
}

static void drawing_does_not_wait(void **state)
{
    struct domain *d = world_domain(false, 1);
    struct model m = begin(d, HVM_IOREQSRV_BUFIOREQ_ATOMIC);
    u32 sent = 0, seen = 0;

    (void)state;
    assert_int_equal(ioreq_claim(d, m.id, XEN_DMOP_IO_RANGE_MEMORY, 0xa0000, 0xbffff, true), 0);
    assert_int_equal(ioreq_enable(d, m.id, true), 0);
    world_as(d->vcpus[0]);
    /* Far more than the ring has, with pointers that must not come round by themselves. */
    for (u32 round = 0; round < 40; round++) {
        while (send(IOREQ_TYPE_COPY, 0xb8000 + sent % 4096, 2, true, sent & 0xffff) == IOREQ_TAKEN)
            sent++;
        assert_true(told(m.buffer_port));
        assert_int_equal(m.slots[0].state, STATE_IOREQ_READY); /* the one that had no room */
        m.slots[0].state = STATE_IOREQ_NONE;
        assert_int_equal(m.buffer->write_pointer - m.buffer->read_pointer, IOREQ_BUFFER_SLOT_NUM);
        for (; seen < sent - round % 7; seen++) {
            const struct buf_ioreq *b =
                &m.buffer->buf_ioreq[m.buffer->read_pointer++ % IOREQ_BUFFER_SLOT_NUM];

            assert_int_equal(b->type, IOREQ_TYPE_COPY);
            assert_int_equal(b->dir, IOREQ_WRITE);
            assert_int_equal(1 << b->size, 2);
            assert_int_equal(b->addr, 0xb8000 + seen % 4096);
            assert_int_equal(b->data, seen & 0xffff);
        }
        assert_true(m.buffer->write_pointer < 3 * IOREQ_BUFFER_SLOT_NUM);
    }
    /* Reads are asked, in order behind what was drawn; so is what lies elsewhere. */
    assert_int_equal(send(IOREQ_TYPE_COPY, 0xb8000, 2, false, 0), IOREQ_ASKED);
    m.slots[0].state = STATE_IOREQ_NONE;
    /* Two entries for 8 bytes. */
    m.buffer->read_pointer = m.buffer->write_pointer;
    assert_int_equal(send(IOREQ_TYPE_COPY, 0xa0010, 8, true, 0x1122334455667788), IOREQ_TAKEN);
    assert_int_equal(m.buffer->write_pointer - m.buffer->read_pointer, 2);
    assert_int_equal(m.buffer->buf_ioreq[(m.buffer->read_pointer + 1) % IOREQ_BUFFER_SLOT_NUM].data,
                     0x11223344);
    /* Pointers that make no sense harm nobody. */
    m.buffer->read_pointer = 0x80000000;
    m.buffer->write_pointer = 7;
    assert_int_equal(send(IOREQ_TYPE_COPY, 0xa0010, 8, true, 0), IOREQ_ASKED);
    m.buffer->read_pointer = ~0U;
    m.buffer->write_pointer = ~0U;
    send(IOREQ_TYPE_COPY, 0xa0010, 8, true, 0);
    world_destroy(d);
}

static void a_server_that_goes_leaves_nobody_waiting(void **state)
{
    u64 before, value;

    (void)state;
    world_destroy(world_domain(false, 2));
    before = memory_free();
    for (u32 how = 0; how < 3; how++) {
        struct domain *d = world_domain(false, 2);
        struct model m = begin(d, HVM_IOREQSRV_BUFIOREQ_ATOMIC);

        assert_int_equal(ioreq_claim(d, m.id, XEN_DMOP_IO_RANGE_MEMORY, 0, ~0UL, true), 0);
        assert_int_equal(ioreq_enable(d, m.id, true), 0);
        world_as(d->vcpus[0]);
        assert_int_equal(send(IOREQ_TYPE_COPY, 0xfed00000, 4, false, 0), IOREQ_ASKED);
        world_as(dom0->vcpus[0]);
        if (how == 0)
            assert_int_equal(ioreq_destroy(d, m.id), 0);
        else if (how == 1)
            assert_int_equal(ioreq_enable(d, m.id, false), 0);
        if (how < 2) {
            assert_false(d->vcpus[0]->pause_flags & PAUSE_IO);
            world_as(d->vcpus[0]);
            assert_false(ioreq_waits(&value));
            assert_int_equal(value, ~0UL);
        }
        for (u32 i = 0; i < 2; i++)
            event_close(dom0, m.ports[i], true);
        event_close(dom0, m.buffer_port, true);
        world_destroy(d); /* the last with a question open */
        assert_int_equal(memory_free(), before);
    }
}

static void the_guest_does_not_touch_the_ports(void **state)
{
    struct domain *d = world_domain(false, 2);
    struct model m = begin(d, HVM_IOREQSRV_BUFIOREQ_OFF);
    u32 port = m.slots[0].vp_eport;
    struct evtchn_alloc_unbound own = {DOMID_SELF, 0, 0};
    struct evtchn_status status = {.dom = d->id, .port = port};

    (void)state;
    world_as(d->vcpus[0]);
    assert_int_equal(event_close(d, port, true), -EINVAL);
    assert_int_equal(event_bind_vcpu(d, port, 1), -EINVAL);
    assert_int_equal(event_alloc_unbound(d, &own), 0);
    assert_int_equal(event_reset(d), 0); /* closes the guest's own only */
    assert_int_equal(event_close(d, own.port, true), -EINVAL);
    assert_int_equal(event_status(&status), 0);
    assert_int_equal(status.status, EVTCHNSTAT_interdomain);
    /* What the device model sends raises nothing in the guest. */
    world_as(dom0->vcpus[0]);
    assert_int_equal(event_send(dom0, m.ports[0]), 0);
    assert_int_equal(d->shared_info->evtchn_pending[0], 0);
    world_destroy(d);
}

static void memory_that_is_gone_is_told_once(void **state)
{
    struct domain *d = world_domain(false, 1);
    struct model m = begin(d, HVM_IOREQSRV_BUFIOREQ_OFF), n = begin(d, HVM_IOREQSRV_BUFIOREQ_OFF);
    u64 value;

    (void)state;
    assert_int_equal(ioreq_enable(d, m.id, true), 0);
    assert_int_equal(ioreq_enable(d, n.id, true), 0);
    world_as(d->vcpus[0]);
    assert_false(ioreq_tell_memory_gone());
    ioreq_memory_gone(d);
    assert_true(ioreq_tell_memory_gone());
    assert_int_equal(m.slots[0].type, IOREQ_TYPE_INVALIDATE);
    assert_int_equal(n.slots[0].type, IOREQ_TYPE_INVALIDATE);
    assert_true(ioreq_waits(&value));
    answer(&m, 0, 0);
    world_as(d->vcpus[0]);
    assert_true(ioreq_waits(&value));
    answer(&n, 0, 0);
    world_as(d->vcpus[0]);
    assert_false(ioreq_waits(&value));
    assert_false(ioreq_tell_memory_gone());
    world_destroy(d);
}

/* A domain that shuts down is whole when who is in the middle of an instruction has ended that,
 * whatever pauses come and go meanwhile; nobody else runs. */
static void shutdown_waits_for_the_answer(void **state)
{
    struct domain *d = world_domain(false, 2);
    struct model m = begin(d, HVM_IOREQSRV_BUFIOREQ_OFF);
    struct vcpu *v = d->vcpus[1];

    (void)state;
    assert_int_equal(ioreq_claim(d, m.id, XEN_DMOP_IO_RANGE_PORT, 0x60, 0x64, true), 0);
    assert_int_equal(ioreq_enable(d, m.id, true), 0);
    world_as(idle_domain->vcpus[0]);
    domain_unpause_by_control(d);
    vcpu_up(v);
    world_work();
    assert_ptr_equal(current, v);
    assert_int_equal(send(IOREQ_TYPE_PIO, 0x60, 1, false, 0), IOREQ_ASKED);
    world_work();
    assert_ptr_not_equal(current, v);
    domain_shutdown(d, SHUTDOWN_suspend);
    vcpu_up(d->vcpus[0]);
    assert_int_equal(d->shutdown, SHUTDOWN_PENDING);
    domain_pause(d);
    answer(&m, 1, 0);
    world_as(idle_domain->vcpus[0]);
    assert_false(vcpu_runnable(v));
    domain_unpause(d);
    assert_true(vcpu_runnable(v));
    assert_false(vcpu_runnable(d->vcpus[0]));
    world_work();
    assert_ptr_equal(current, v);
    assert_int_equal(d->shutdown, SHUTDOWN_PENDING);
    v->asks = false; /* as hvm/io.c says when the instruction is done */
    cpu_raise_work(0, WORK_SCHEDULE);
    world_work();
    assert_ptr_not_equal(current, v);
    assert_int_equal(d->shutdown, SHUTDOWN_DONE);
    world_destroy(d);
}

static void refusals(void **state)
{
    struct domain *d = world_domain(false, 1);
    struct model m = begin(d, HVM_IOREQSRV_BUFIOREQ_OFF);
    mfn_t frame;
    u16 id;

    (void)state;
    assert_int_equal(ioreq_create(d, 3, &id), -EINVAL);
    for (u32 i = 1; i < IOREQ_SERVERS; i++)
        assert_int_equal(ioreq_create(d, 0, &id), 0);
    assert_int_equal(ioreq_create(d, 0, &id), -ENOSPC);
    assert_int_equal(ioreq_destroy(d, IOREQ_SERVERS), -ENOENT);
    assert_int_equal(ioreq_destroy(d, 3), 0);
    assert_int_equal(ioreq_destroy(d, 3), -ENOENT);
    assert_int_equal(ioreq_enable(d, 3, true), -ENOENT);
    assert_int_equal(ioreq_claim(d, 3, 0, 1, 2, true), -ENOENT);
    assert_int_equal(ioreq_claim(d, m.id, 3, 1, 2, true), -EINVAL);
    assert_int_equal(ioreq_claim(d, m.id, 0, 2, 1, true), -EINVAL);
    assert_int_equal(ioreq_claim(d, m.id, 0, 1, 2, false), -ENOENT);
    assert_int_equal(ioreq_claim(d, m.id, 0, 1, 2, true), 0);
    assert_int_equal(ioreq_claim(d, m.id, 0, 2, 2, true), -EEXIST);
    assert_int_equal(ioreq_claim(d, m.id, 0, 2, 4, true), -EEXIST);
    for (u64 i = 0; i < 255; i++)
        assert_int_equal(ioreq_claim(d, m.id, 0, 10 + 2 * i, 10 + 2 * i, true), 0);
    assert_int_equal(ioreq_claim(d, m.id, 0, 5000, 5000, true), -ENOSPC);
    assert_int_equal(ioreq_frame(d, m.id, XENMEM_resource_ioreq_server_frame_bufioreq, &frame),
                     -ENOENT);
    assert_int_equal(ioreq_frame(d, 3, 1, &frame), -ENOENT);
    assert_int_equal(ioreq_frame(d, 0x10000U | m.id, 1, &frame), -ENOENT);
    world_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(question_and_answer),
        cmocka_unit_test(configuration_space),
        cmocka_unit_test(drawing_does_not_wait),
        cmocka_unit_test(a_server_that_goes_leaves_nobody_waiting),
        cmocka_unit_test(the_guest_does_not_touch_the_ports),
        cmocka_unit_test(memory_that_is_gone_is_told_once),
        cmocka_unit_test(shutdown_waits_for_the_answer),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
