/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine of one CPU on which the real core/ runs, for tests of domains and
 * event channels: real frames and heap (host/fake_memory.h), real scheduler and
 * timers under a clock that world_run() moves, a guest kind that has no
 * registers, interrupts that the test fires. Include in one file and link
 * CORE_WORLD's sources, see test_event.c.
 */
#pragma once

#include <setjmp.h>

#include "host/fake_irqs.h"
#include "host/fake_memory.h"

#include "core/cpu_policy.h"
#include "core/domain.h"
#include "core/event.h"
#include "core/grant.h"
#include "core/guest.h"
#include "core/init.h"
#include "core/pirq.h"
#include "cpu/desc.h"
#include "cpu/guest_state.h"
#include "platform/console.h"
#include "platform/irq.h"
#include "platform/machine.h"
#include <xen/domctl.h>
#include <xen/sched.h>

static ns_t world_now = 1000;
static ns_t world_armed = NS_NEVER;
static jmp_buf world_out;
static bool world_yield;          /* long work stops half-way every other time */
static int world_machine_ended;   /* 1 restart, 2 power off */
static u32 world_relinquish_left; /* steps that the guest kind's part takes */
static struct vcpu *world_runs;   /* what the CPU runs, whoever makes hypercalls just now */
void watchdog_init(void)
{
}
void cpu_forget_branches(void)
{
}
u64 *hv_l4;

/* ---- what lies below ---- */

ns_t clock_now(void)
{
    return world_now;
}
void clock_arm(ns_t when)
{
    world_armed = when;
}
const struct clock_scale *clock_scale(void)
{
    static const struct clock_scale scale = {.base_tsc = 7, .base_ns = 9, .mul = 1U << 31};

    return &scale;
}
void clock_wall_get(u64 *seconds, u32 *nanoseconds)
{
    *seconds = 0x1234567890;
    *nanoseconds = 5;
}
struct cpu_local *cpu_local_of(u32 cpu)
{
    ASSERT(cpu == 0);
    return &host_cpu_local;
}
void cpu_do_work(void)
{
    longjmp(world_out, 1); /* the idle loop has been entered */
}
void cpu_idle_wait(void)
{
}
void cpu_idle_step(void)
{
}
bool memory_scrub_some(void);
void m2p_share(struct frame_owner *owner)
{
    (void)owner;
}
void cpu_load_idle_gdt(void)
{
}
void cpu_load_ldt(u64 base, u32 entries)
{
    (void)base, (void)entries;
}
void cpu_load_space(u64 cr3, cpumask_t *users)
{
    (void)cr3, (void)users;
}
struct fpu_state *fpu_state_new(void)
{
    return heap_alloc(64);
}
void fpu_state_free(struct fpu_state *state)
{
    heap_free(state);
}
size_t copy_to_guest_va(guest_va_t to, const void *from, size_t length)
{
    if (to.raw < 4096)
        return length; /* not mapped */
    memcpy((void *)to.raw, from, length);
    return 0;
}
void printk(enum log_level level, const char *format, ...)
{
    (void)level, (void)format;
}
void console_key_register(char key, void (*fn)(unsigned char key), const char *help)
{
    (void)key, (void)fn, (void)help;
}
static jmp_buf world_end;
void machine_restart(void)
{
    world_machine_ended = 1;
    longjmp(world_end, 1);
}
void machine_power_off(void)
{
    world_machine_ended = 2;
    longjmp(world_end, 1);
}
bool hypercall_should_yield(void)
{
    return world_yield && (rand() & 1);
}

/* ---- interrupts ---- */

void irq_eoi(u32 irq)
{
    world_irqs[irq].masked = false;
}
bool irq_needs_eoi(u32 irq)
{
    return world_irqs[irq].level;
}
static __unused void world_fire(u32 irq)
{
    if (!world_irqs[irq].fn || world_irqs[irq].masked)
        return;
    world_irqs[irq].masked = world_irqs[irq].level;
    world_irqs[irq].fn(irq, world_irqs[irq].arg);
}

/* ---- the parts of domains that others test ---- */

int grant_init(struct domain *d)
{
    d->grants = heap_alloc(100);
    return d->grants ? 0 : -ENOMEM;
}
int grant_destroy(struct domain *d)
{
    (void)d;
    return 0;
}
void grant_free(struct domain *d)
{
    heap_free(d->grants);
}
int cpu_policy_new(struct domain *d)
{
    d->cpu_policy = heap_alloc(100);
    return d->cpu_policy ? 0 : -ENOMEM;
}
/* ---- a guest kind without registers ---- */

static u32 world_kind_domains, world_kind_vcpus;
static bool world_kind_fails;

static int kind_domain_init(struct domain *d, const struct xen_domctl_createdomain *config)
{
    (void)d, (void)config;
    if (world_kind_fails)
        return -ENOMEM;
    world_kind_domains++;
    return 0;
}
static void kind_domain_free(struct domain *d)
{
    (void)d;
    world_kind_domains--;
}
static int kind_relinquish(struct domain *d)
{
    (void)d;
    if (world_relinquish_left) {
        world_relinquish_left--;
        return -ERESTART_HYPERCALL;
    }
    return 0;
}
static int kind_vcpu_init(struct vcpu *v)
{
    (void)v;
    world_kind_vcpus++;
    return 0;
}
static void kind_vcpu_free(struct vcpu *v)
{
    (void)v;
    world_kind_vcpus--;
}
static void kind_switch(struct vcpu *v)
{
    (void)v;
}
static void kind_resume(void)
{
    longjmp(world_out, 1);
}
const struct guest_ops guest_pv = {
    .name = "test",
    .domain_size = sizeof(struct domain) + 5000,
    .vcpu_size = sizeof(struct vcpu),
    .domain_init = kind_domain_init,
    .domain_free = kind_domain_free,
    .domain_relinquish = kind_relinquish,
    .vcpu_init = kind_vcpu_init,
    .vcpu_free = kind_vcpu_free,
    .save = kind_switch,
    .restore = kind_switch,
    .resume = kind_resume,
};
/* As on a processor that cannot have such guests. */
static int kind_refuse(struct domain *d, const struct xen_domctl_createdomain *config)
{
    (void)d, (void)config;
    return -EINVAL;
}
const struct guest_ops guest_hvm = {
    .name = "none",
    .domain_size = sizeof(struct domain),
    .vcpu_size = sizeof(struct vcpu),
    .domain_init = kind_refuse,
    .domain_free = kind_domain_free,
};

/* A PV domain's memory for hypercalls is the host's. */
int guest_try_copy_out(u64 to, const void *from, size_t length)
{
    return copy_to_guest_va(guest_va(to), from, length) ? -EFAULT : 0;
}

/* ---- running ---- */

/* Work of the CPU until there is none, as the way out to a guest would do it. */
static void world_work(void)
{
    current = world_runs;
    while (fake_raised) {
        u32 bits = fake_raised;

        fake_raised = 0;
        ASSERT(!fake_locks_held);
        if (bits & (1U << WORK_TIMER))
            timer_work();
        if (bits & (1U << WORK_REAP))
            domain_reap();
        if ((bits & (1U << WORK_SCHEDULE)) && !setjmp(world_out))
            sched_work();
        world_runs = current;
        if (current->work)
            vcpu_do_work(current);
    }
}

static __unused void world_run(ns_t length)
{
    ns_t end = world_now + length;

    world_work();
    while (world_armed <= end) {
        world_now = MAX(world_now, world_armed);
        world_armed = NS_NEVER;
        fake_raised |= 1U << WORK_TIMER;
        world_work();
    }
    world_now = end;
}

static void world_init(void)
{
    static bool ready;

    if (!ready) {
        fake_memory_init();
        hv_l4 = mfn_to_virt(mfn(1));
        core_init();
        world_runs = current;
        ready = true;
    }
    world_work();
}

static __unused struct domain *world_domain(bool control, u32 vcpus)
{
    struct xen_domctl_createdomain config = {
        .max_vcpus = vcpus,
        .max_evtchn_port = -1,
        .grant_opts = 2,
    };
    struct domain *d = NULL;
    int error = domain_create(control ? 0 : 0xffff, &config, control, &d);

    ASSERT(!error);
    d->frames.max = ~0U;
    for (u32 i = 0; i < vcpus; i++) {
        error = vcpu_create(d, i);
        ASSERT(!error);
        d->vcpus[i]->initialised = true;
    }
    return d;
}

/* Hypercalls come from v. It need not run: only `current` counts for them. */
static __unused void world_as(struct vcpu *v)
{
    current = v;
}

static __unused void world_destroy(struct domain *d)
{
    /* The only CPU must have left it, or the wait for that would never end. */
    domain_pause_nosync(d);
    world_work();
    world_as(idle_domain->vcpus[0]);
    while (domain_destroy(d) == -ERESTART_HYPERCALL)
        world_work();
    world_work();
}
