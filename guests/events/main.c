/* SPDX-License-Identifier: GPL-2.0-only */
/* Event channels with the 2-level ABI: binding, sending, masking, polling, closing, bad arguments.
 */
#include "runtime.h"

static volatile u32 upcalls;

static void upcall(struct trap_frame *frame)
{
    (void)frame;
    struct vcpu_info *v = &shared_info->vcpu_info[0];
    v->evtchn_upcall_pending = 0;
    upcalls++;
}

static int event_op(int op, void *arg)
{
    return (int)call2(__HYPERVISOR_event_channel_op, op, arg);
}

static bool pending(u32 port)
{
    return (shared_info->evtchn_pending[port / 64] >> (port % 64)) & 1;
}

static void clear_pending(u32 port)
{
    __atomic_fetch_and(&shared_info->evtchn_pending[port / 64], ~(1UL << (port % 64)),
                       __ATOMIC_SEQ_CST);
    shared_info->vcpu_info[0].evtchn_pending_sel = 0;
    shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
}

static void mask(u32 port)
{
    __atomic_fetch_or(&shared_info->evtchn_mask[port / 64], 1UL << (port % 64), __ATOMIC_SEQ_CST);
}

static u32 test_ipi(void)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 0};
    struct evtchn_bind_ipi bad = {.vcpu = 99};

    CHECK_EQUAL(event_op(EVTCHNOP_bind_ipi, &bad), -ENOENT);
    CHECK_EQUAL(event_op(EVTCHNOP_bind_ipi, &ipi), 0);
    CHECK(ipi.port > 0);
    struct evtchn_send send = {.port = ipi.port};
    u32 before = upcalls;
    events_off();
    CHECK_EQUAL(event_op(EVTCHNOP_send, &send), 0);
    CHECK(pending(ipi.port));
    CHECK_EQUAL(upcalls, before);
    CHECK_EQUAL(shared_info->vcpu_info[0].evtchn_upcall_pending, 1);
    events_on();
    CHECK_EQUAL(upcalls, before + 1);
    clear_pending(ipi.port);

    /* With upcalls on, the send itself delivers. */
    CHECK_EQUAL(event_op(EVTCHNOP_send, &send), 0);
    CHECK_EQUAL(upcalls, before + 2);
    clear_pending(ipi.port);

    /* A masked port becomes pending without an upcall; unmask delivers it. */
    mask(ipi.port);
    CHECK_EQUAL(event_op(EVTCHNOP_send, &send), 0);
    CHECK_EQUAL(upcalls, before + 2);
    CHECK(pending(ipi.port));
    struct evtchn_unmask unmask = {.port = ipi.port};
    CHECK_EQUAL(event_op(EVTCHNOP_unmask, &unmask), 0);
    CHECK_EQUAL(upcalls, before + 3);
    clear_pending(ipi.port);
    return ipi.port;
}

static void test_interdomain(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    CHECK_EQUAL(event_op(EVTCHNOP_alloc_unbound, &alloc), 0);
    struct evtchn_status status = {.dom = DOMID_SELF, .port = alloc.port};
    CHECK_EQUAL(event_op(EVTCHNOP_status, &status), 0);
    CHECK_EQUAL(status.status, EVTCHNSTAT_unbound);

    struct evtchn_bind_interdomain bind = {.remote_dom = DOMID_SELF, .remote_port = alloc.port};
    events_off();
    CHECK_EQUAL(event_op(EVTCHNOP_bind_interdomain, &bind), 0);
    clear_pending(bind.local_port);
    clear_pending(alloc.port);
    struct evtchn_send send = {.port = bind.local_port};
    CHECK_EQUAL(event_op(EVTCHNOP_send, &send), 0);
    CHECK(pending(alloc.port));
    CHECK(!pending(bind.local_port));
    clear_pending(alloc.port);
    status.port = bind.local_port;
    CHECK_EQUAL(event_op(EVTCHNOP_status, &status), 0);
    CHECK_EQUAL(status.status, EVTCHNSTAT_interdomain);
    CHECK_EQUAL(status.u.interdomain.port, alloc.port);
    events_on();

    struct evtchn_close close = {.port = bind.local_port};
    CHECK_EQUAL(event_op(EVTCHNOP_close, &close), 0);
    status.port = alloc.port;
    CHECK_EQUAL(event_op(EVTCHNOP_status, &status), 0);
    CHECK_EQUAL(status.status, EVTCHNSTAT_unbound);
    close.port = alloc.port;
    CHECK_EQUAL(event_op(EVTCHNOP_close, &close), 0);
    CHECK_EQUAL(event_op(EVTCHNOP_close, &close), -EINVAL);
    send.port = alloc.port;
    CHECK_EQUAL(event_op(EVTCHNOP_send, &send), -EINVAL);

    bind.remote_dom = 77;
    CHECK_EQUAL(event_op(EVTCHNOP_bind_interdomain, &bind), -ESRCH);
    bind.remote_dom = DOMID_SELF;
    bind.remote_port = 1u << 31;
    CHECK_EQUAL(event_op(EVTCHNOP_bind_interdomain, &bind), -EINVAL);
    alloc.dom = 77;
    CHECK_EQUAL(event_op(EVTCHNOP_alloc_unbound, &alloc), -ESRCH);
}

static void test_virq_and_poll(void)
{
    struct evtchn_bind_virq virq = {.virq = VIRQ_TIMER, .vcpu = 0};
    CHECK_EQUAL(event_op(EVTCHNOP_bind_virq, &virq), 0);
    struct evtchn_bind_virq twice = virq;
    CHECK_EQUAL(event_op(EVTCHNOP_bind_virq, &twice), -EEXIST);
    struct evtchn_bind_virq bad = {.virq = 4096, .vcpu = 0};
    CHECK_EQUAL(event_op(EVTCHNOP_bind_virq, &bad), -EINVAL);

    CHECK_EQUAL(call3(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0), 0);
    events_off();
    clear_pending(virq.port);
    u64 start = system_time();
    struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = start + 20000000};
    CHECK_EQUAL(call3(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, &timer), 0);
    evtchn_port_t port = virq.port;
    struct sched_poll poll = {.nr_ports = 1, .timeout = start + 5000000000};
    set_xen_guest_handle(poll.ports, &port);
    CHECK_EQUAL(call2(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll), 0);
    u64 slept = system_time() - start;
    CHECK(pending(virq.port));
    check(slept >= 20000000 && slept < 4000000000, __FILE__, __LINE__, "slept %lu ns", slept);
    clear_pending(virq.port);

    /* A poll that only its timeout ends. */
    start = system_time();
    poll.timeout = start + 10000000;
    CHECK_EQUAL(call2(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll), 0);
    CHECK(system_time() - start >= 10000000);

    /* Block until the timer's upcall. */
    u32 before = upcalls;
    timer.timeout_abs_ns = system_time() + 5000000;
    CHECK_EQUAL(call3(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, &timer), 0);
    CHECK_EQUAL(call2(__HYPERVISOR_sched_op, SCHEDOP_block, 0), 0);
    CHECK_EQUAL(upcalls, before + 1);
    clear_pending(virq.port);
    /* A time long past with FUTURE set: the stock hypervisor answers 0 or -ETIME by its age. */
    timer.flags = VCPU_SSHOTTMR_future;
    timer.timeout_abs_ns = 1;
    s64 late = call3(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, &timer);
    CHECK(late == 0 || late == -ETIME);
}

void guest_main(void)
{
    trap_hook = upcall;
    events_on();
    u32 port = test_ipi();
    test_interdomain();
    test_virq_and_poll();
    struct evtchn_close close = {.port = port};
    CHECK_EQUAL(event_op(EVTCHNOP_close, &close), 0);
    close.port = 0;
    CHECK(event_op(EVTCHNOP_close, &close) < 0);
    close.port = ~0u;
    CHECK_EQUAL(event_op(EVTCHNOP_close, &close), -EINVAL);
    CHECK_EQUAL(event_op(999, &close), -ENOSYS);
    CHECK_EQUAL(event_op(EVTCHNOP_send, (void *)0x10), -EFAULT);
}
