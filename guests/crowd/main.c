/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bench/compare counts to see how a switch's cost grows: from one of our vCPUs to the other
 * and back, while 0, 10, 100 and 1,000 of other domains wait for the same CPU. Without a stopwatch
 * it only shows that all of them come to be.
 */
#include "../bench/bench.h"

/* One of them gives up each turn at once, and needs no stack for that. */
__asm__(".text\n.globl crowd_entry\ncrowd_entry:\n"
        "mov $29, %eax; xor %edi, %edi; xor %esi, %esi; syscall; jmp crowd_entry\n");
extern char crowd_entry[];

static u32 ends[2]; /* a channel between our two vCPUs */

static void wait_for(u32 port)
{
    struct sched_poll poll = {.nr_ports = 1};

    set_xen_guest_handle(poll.ports, &port);
    call2(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
    shared_info->evtchn_pending[0] &= ~(1UL << port);
}

static void wake(u32 port)
{
    struct evtchn_send send = {.port = port};
    call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
}

__noreturn static void second_vcpu(void)
{
    for (;;) {
        wait_for(ends[1]);
        wake(ends[0]);
    }
}

static void sleep(u64 time)
{
    struct sched_poll poll = {.timeout = system_time() + time};
    call2(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
}

static void there_and_back(void)
{
    wake(ends[1]);
    wait_for(ends[0]);
}

static void weigh(u32 domain, u16 weight)
{
    struct xen_domctl op = {.u.scheduler_op = {.sched_id = XEN_SCHEDULER_CREDIT2,
                                               .cmd = XEN_DOMCTL_SCHEDOP_putinfo,
                                               .u.credit2.weight = weight}};

    CHECK_EQUAL(domctl(XEN_DOMCTL_scheduler_op, domain, &op), 0);
}

/* Domains of `count` vCPUs in all; they stand still. */
static u32 crowd_build(u32 count)
{
    enum { MANY = 30 }; /* within what shared_info has room for */
    u32 domain;

    for (; count; count -= count < MANY ? count : MANY) {
        u32 vcpus = count < MANY ? count : MANY;

        domain = (u32)domain_create(vcpus, BUILD_KIB);
        build_memory(domain);
        build_context(domain, crowd_entry);
        for (u32 vcpu = 1; vcpu < vcpus; vcpu++)
            build_vcpu(domain, vcpu, crowd_entry);
        build_done();
        weigh(domain, 1); /* what it is ahead for being new it soon has spent */
    }
    return domain; /* the last */
}

static void let_go(u32 *next, u32 last)
{
    while (*next <= last)
        CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, (*next)++), 0);
    sleep(200000000); /* until all have found their place */
}

void guest_main(void)
{
    static u8 __aligned_to(16) stack[4096];
    static struct vcpu_guest_context context;
    u32 last[3], next;

    events_off();
    call3(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0);
    for (u32 vcpu = 0; vcpu < 2; vcpu++) {
        struct evtchn_bind_ipi bind = {.vcpu = vcpu};
        CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &bind), 0);
        ends[vcpu] = bind.port;
    }
    kernel_context_here(&context, second_vcpu, (u64)stack + sizeof(stack) - 8);
    CHECK_EQUAL(call3(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, &context), 0);
    CHECK_EQUAL(call3(__HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0), 0);
    weigh(0, 65535); /* else we would have our turn among a thousand */
    last[0] = crowd_build(10);
    last[1] = crowd_build(90);
    last[2] = crowd_build(900);
    next = last[0];
    MEASURE("turn-0", 20, there_and_back());
    let_go(&next, last[0]);
    MEASURE("turn-10", 20, there_and_back());
    let_go(&next, last[1]);
    MEASURE("turn-100", 20, there_and_back());
    let_go(&next, last[2]);
    MEASURE("turn-1000", 20, there_and_back());
}
