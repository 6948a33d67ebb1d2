/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All of the hypervisor above cpu/ and platform/ on one host CPU: the desk, core, PV and HVM
 * guests' parts, on real frames (fake_memory.h). Three domains that can make every hypercall: dom0
 * (0), a PV guest (1), a translated one (2). Include in one file; the sources are "whole"
 * (rules.mk).
 */
#pragma once

#include "whole_machine.h"

/* ---- running ---- */

/* Work of the CPU until there is none, as the way out to a guest would do it. */
static void world_work(void)
{
    struct vcpu *caller = current;

    current = world_runs;
    while (fake_raised) {
        u32 bits = fake_raised;

        fake_raised = 0;
        if (bits & (1U << WORK_TIMER))
            timer_work();
        if (bits & (1U << WORK_REAP))
            domain_reap();
        if ((bits & (1U << WORK_SCHEDULE)) && !setjmp(world_out))
            sched_work();
        world_runs = current;
        if (current->work && !current->domain->is_idle)
            vcpu_do_work(current);
    }
    current = caller;
}

/* Somebody waits for a vCPU to leave the CPU: it does, meanwhile. */
void cpu_wait(void);
void cpu_wait(void)
{
    struct cpu_user_regs regs = *guest_regs();

    fake_raised |= 1U << WORK_SCHEDULE;
    world_work();
    *guest_regs() = regs;
}

static __unused void world_run(ns_t length)
{
    ns_t end = world_now + length;

    world_work();
    for (u32 i = 0; i < 1000 && world_armed <= end; i++) {
        world_now = MAX(world_now, world_armed);
        world_armed = NS_NEVER;
        fake_raised |= 1U << WORK_TIMER;
        world_work();
    }
    world_now = end;
}

static struct domain *world_domains[3];
static u64 world_pages[3][8]; /* some frames (of the translated one: guest frames) of each */
static struct guest_ops world_hvm_ops;

static void world_vcpu(struct domain *d)
{
    ASSERT(!vcpu_create(d, 0));
    if (!d->is_hvm)
        return;
    world_hvm_ops = guest_hvm;
    world_hvm_ops.copy = world_copy;
    d->vcpus[0]->ops = &world_hvm_ops;
}

/* Page tables and a context for a PV vCPU: an empty top table and entry points in the window. */
static void world_context(struct domain *d, u64 top)
{
    static struct vcpu_guest_context c;

    memset(mfn_to_virt(mfn(top)), 0, PAGE_SIZE);
    memset(&c, 0, sizeof(c));
    c.flags = VGCF_in_kernel | VGCF_online;
    c.user_regs.rip = WINDOW_VA;
    c.user_regs.rsp = WINDOW_VA + 0x8000;
    c.user_regs.cs = 0xe033;
    c.user_regs.ss = 0xe02b;
    c.kernel_sp = WINDOW_VA + 0x9000;
    c.kernel_ss = 0xe02b;
    c.ctrlreg[3] = c.ctrlreg[1] = xen_pfn_to_cr3(top);
    for (u32 i = 0; i < 32; i++)
        c.trap_ctxt[i] = (struct trap_info){(u8)i, 0, 0xe033, WINDOW_VA + 16 * i};
    c.event_callback_eip = c.failsafe_callback_eip = c.syscall_callback_eip = WINDOW_VA + 0x100;
    ASSERT(d->ops->vcpu_set_context(d->vcpus[0], &c) == 0);
}

static void world_make(u32 n)
{
    struct xen_domctl_createdomain config = {
        .max_vcpus = n ? 2 : 1,
        .max_evtchn_port = -1,
        .max_grant_frames = 4,
        .max_maptrack_frames = 4,
        .grant_opts = 2,
        .flags = n == 2 ? XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap : 0,
        .arch.emulation_flags = n == 2 ? XEN_X86_EMU_LAPIC : 0,
    };
    struct domain *d;

    ASSERT(!domain_create(n ? 0xffff : 0, &config, n == 0, &d));
    world_domains[n] = d;
    domain_get_again(d);
    d->frames.max = 300;
    world_vcpu(d);
    for (u32 i = 0; i < 8; i++) {
        struct frame *f = frames_alloc(&d->frames, 0, 0, ALLOC_ZERO);

        ASSERT(f);
        world_pages[n][i] = frame_to_mfn(f).raw;
        if (n == 2) {
            ASSERT(!physmap_add(d, i, f, 0));
            world_pages[n][i] = i;
        }
    }
    if (n == 2)
        d->vcpus[0]->initialised = true;
    else
        world_context(d, world_pages[n][0]);
    (void)domain_unpause_by_control(d);
    vcpu_up(d->vcpus[0]);
}

static void world_begin(void)
{
    static bool ready;

    if (!ready) {
        fake_memory_init();
        hv_l4 = mfn_to_virt(mfn(1));
        cpu_policy_init();
        hvm_machine = &machine;
        core_init();
        world_runs = current;
        ready = true;
    }
    world_now = 1000;
    memset(world_window, 0, sizeof(world_window));
    memset(&world_segments, 0, sizeof(world_segments));
    for (u32 n = 0; n < ARRAY_SIZE(world_domains); n++)
        world_make(n);
    world_work();
}

/* All domains that there are end; then nothing is held any more. */
static void world_finish(void)
{
    host_cpu_local.work = 0;
    current = idle_domain->vcpus[0];
    for (u32 n = 0; n < ARRAY_SIZE(world_domains); n++)
        domain_put(world_domains[n]);
    hardware_domain = NULL; /* so that dom0 can end, too */
    for (struct domain *d; (d = domain_get_next(0)); domain_put(d)) {
        domain_pause_nosync(d);
        cpu_wait();
        current = idle_domain->vcpus[0];
        for (u32 tries = 0; domain_destroy(d) == -ERESTART_HYPERCALL; tries++) {
            world_work();
            ASSERT(tries < 1000);
        }
    }
    world_work();
    for (struct cpu_pool *pool; (pool = pool_next(1));) {
        while (!cpumask_empty(&pool->cpus))
            if (pool_remove_cpu(pool->id, POOL_ANY) == -ERESTART_HYPERCALL)
                cpu_wait();
        ASSERT(!pool_destroy(pool));
    }
    (void)pool_add_cpu(0, 0);
    (void)trace_enable(false);
    world_work();
}

/* A hypercall by vCPU 0 of domain n, made again as often as it asks for, but not for ever. */
static s64 world_call(u32 n, u64 number, const u64 a[5], bool narrow)
{
    struct domain *d = world_domains[n];
    struct cpu_user_regs *r = guest_regs();
    u64 result = 0;

    current = d->vcpus[0];
    memset(r, 0, sizeof(*r));
    *r = (struct cpu_user_regs){.rip = WINDOW_VA + 0x20,
                                .rsp = WINDOW_VA + 0x7000,
                                .cs = 0xe033,
                                .ss = 0xe02b,
                                .rflags = 0x202,
                                .rax = number,
                                .rdi = a[0],
                                .rsi = a[1],
                                .rdx = a[2],
                                .r10 = a[3],
                                .r8 = a[4]};
    if (narrow) {
        r->rbx = a[0];
        r->rcx = a[1];
        r->rsi = a[3];
        r->rdi = a[4];
    }
    for (u32 tries = 0; tries < 100; tries++) {
        u64 rip = r->rip;

        if (d->is_hvm ? hypercall_hvm(r, !narrow) : (hypercall_pv(r), r->rip != rip - 2)) {
            result = r->rax;
            break;
        }
        r->rip = rip;
    }
    ASSERT(!fake_locks_held);
    return (s64)result;
}
