/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How late a guest that sleeps is woken while others are busy. vCPU 0 sleeps until a timer that it
 * sets now and then, and notes how late it runs; with a second vCPU, which is always busy, also
 * until that one sends it an event. With "busy" on its command line all its vCPUs spin for ever:
 * the competition, as another domain. Runs as a guest (its report goes to its PV console) or as
 * dom0. "samples=N" of each kind, 500 if not said.
 */
#include "runtime.h"
#include <xen/event_channel.h>
#include <xen/io/console.h>

#define US          1000UL
#define MAX_VCPUS   32
#define MAX_SAMPLES 5000U

extern char trap_200[], trap_201[], trap_202[];

static struct vcpu_guest_context context;
static u8 __aligned_to(16) stacks[MAX_VCPUS][4096];
static u8 __aligned_to(4096) console_page[4096];
static u64 samples[MAX_SAMPLES];
static volatile u64 woken_at, send_at, sent_at, awaited;
static evtchn_port_t timer_port, wake_port;

static void upcall(struct trap_frame *frame)
{
    struct vcpu_info *v = &shared_info->vcpu_info[0];
    u64 now = system_time(), pending;

    (void)frame;
    v->evtchn_upcall_pending = 0;
    v->evtchn_pending_sel = 0;
    pending = __atomic_exchange_n(&shared_info->evtchn_pending[0], 0, __ATOMIC_SEQ_CST);
    if (pending & awaited) /* not the console's */
        woken_at = now;
}

/* The ring that xenconsoled reads; drained before we go on, so that an end loses nothing. */
static void into_console(const char *text, u32 length)
{
    volatile struct xencons_interface *ring = (void *)console_page;
    struct evtchn_send notify = {.port = start_info->console.domU.evtchn};

    for (u32 i = 0; i < length; i++) {
        ring->out[MASK_XENCONS_IDX(ring->out_prod, ring->out)] = text[i];
        barrier();
        ring->out_prod++;
        if (i + 1 < length && ring->out_prod - ring->out_cons < sizeof(ring->out))
            continue;
        call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &notify);
        while (ring->out_prod != ring->out_cons)
            call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    }
}

/* What the busy vCPUs do. The first of the others sends an event when vCPU 0 wants one. */
static __noreturn void spin(u64 vcpu)
{
    struct evtchn_send wake = {.port = wake_port};

    for (u64 when;;) {
        for (u32 i = 0; i < 200; i++)
            barrier();
        when = vcpu == 1 ? send_at : 0;
        if (!when || system_time_of(1) < when)
            continue;
        send_at = 0;
        sent_at = system_time_of(1);
        call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &wake);
    }
}

static u32 start_others(void)
{
    u64 cr3;
    u32 vcpu = 1;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    for (; vcpu < MAX_VCPUS && call3(__HYPERVISOR_vcpu_op, VCPUOP_is_up, vcpu, NULL) == 0; vcpu++) {
        kernel_context(&context, spin, (u64)stacks[vcpu] + sizeof(stacks[vcpu]) - 8, cr3);
        context.user_regs.rdi = vcpu;
        context.event_callback_eip = (u64)trap_200;
        context.failsafe_callback_eip = (u64)trap_202;
        context.syscall_callback_eip = (u64)trap_201;
        CHECK_EQUAL(call3(__HYPERVISOR_vcpu_op, VCPUOP_initialise, vcpu, &context), 0);
        /* Its upcalls stay masked, as they are at first: it gets no events. */
        CHECK_EQUAL(call3(__HYPERVISOR_vcpu_op, VCPUOP_up, vcpu, NULL), 0);
    }
    return vcpu;
}

/* The same lengths in every run. */
static u64 between(u64 least, u64 most)
{
    static u64 state = 88172645463325252UL;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return least + state % (most - least);
}

/* Masked from before anything can come until the block, which unmasks. */
static void sleep_until_woken(void)
{
    while (!woken_at) {
        call2(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
        events_off();
    }
}

static u64 timer_sample(void)
{
    u64 deadline = system_time() + between(500 * US, 8000 * US);

    awaited = 1UL << timer_port;
    CHECK_EQUAL(call1(__HYPERVISOR_set_timer_op, deadline), 0);
    sleep_until_woken();
    return woken_at > deadline ? woken_at - deadline : 0;
}

static u64 event_sample(void)
{
    awaited = 1UL << wake_port;
    send_at = system_time() + between(200 * US, 2000 * US);
    sleep_until_woken();
    return woken_at - sent_at;
}

static void measure(const char *name, u64 (*sample)(void), u32 count)
{
    for (u32 i = 0; i < count; i++) {
        woken_at = 0;
        u64 late = sample();
        u32 at = i; /* kept in order */
        for (; at && samples[at - 1] > late; at--)
            samples[at] = samples[at - 1];
        samples[at] = late;
    }
    say("wake: %s %u samples p50 %lu p90 %lu p99 %lu max %lu ns\n", name, count, samples[count / 2],
        samples[count * 9 / 10], samples[count * 99 / 100], samples[count - 1]);
    CHECK(samples[count / 2] < 1000000 * US); /* woken at all */
}

static u32 wanted(void)
{
    const char *at = strstr((const char *)start_info->cmd_line, "samples=");
    u32 count = 0;

    for (at = at ? at + strlen("samples=") : ""; *at >= '0' && *at <= '9'; at++)
        count = count * 10 + (u32)(*at - '0');
    return count ? MIN(count, MAX_SAMPLES) : 500;
}

void guest_main(void)
{
    struct evtchn_bind_virq timer = {.virq = VIRQ_TIMER};
    struct evtchn_bind_ipi wake = {.vcpu = 0};
    u32 vcpus, count = wanted();

    if (!(start_info->flags & SIF_INITDOMAIN)) {
        CHECK_EQUAL(map_page(console_page, start_info->console.domU.mfn << PAGE_SHIFT | 7), 0);
        say_hook = into_console;
    }
    trap_hook = upcall;
    events_off();
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &timer), 0);
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &wake), 0);
    timer_port = timer.port;
    wake_port = wake.port;
    vcpus = start_others();
    say("wake: %u vCPUs\n", vcpus);
    if (has_word("busy"))
        spin(0);
    measure("timer", timer_sample, count);
    if (vcpus > 1)
        measure("event", event_sample, count);
}
