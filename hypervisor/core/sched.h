/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who runs where. The policy (core/sched_credit2.c) is pure: it works on
 * struct sched_vcpu and a clock it is given, so that it runs on the host too.
 * The mechanism (core/sched.c) switches registers.
 */
#pragma once

#include "lib/list.h"
#include "lib/tree.h"
#include "lib/types.h"
#include "platform/clock.h"

struct vcpu;
struct domain;

struct sched_vcpu {
    struct tree_node node; /* in its run queue, by credit */
    s64 credit;
    ns_t started;          /* when it last began to run */
    u32 weight;
    u32 cap;               /* per cent of a CPU, 0 none; the domain's */
    u32 cpu;               /* run queue it is on or would be */
    bool queued, migrate_pending;
    s64 budget;            /* what is left of its cap in this period */
};

void sched_init(void);                 /* after CPUs are up; creates per-CPU state */
int sched_vcpu_init(struct vcpu *v);   /* chooses a CPU */
void sched_vcpu_free(struct vcpu *v);
void sched_wake(struct vcpu *v);       /* became runnable */
void sched_sleep_nosync(struct vcpu *v); /* became not runnable */
void sched_sleep_sync(struct vcpu *v);   /* same, and waits until its registers are saved */
void sched_yield(void);
void sched_work(void);                 /* WORK_SCHEDULE handler; does not return if it switches */
/* Affinity: -EINVAL when no online CPU is in it. */
struct cpumask;
int sched_set_affinity(struct vcpu *v, const void *hard, const void *soft); /* cpumask_t*, NULL: keep */
int sched_set_params(struct domain *d, u32 weight, u32 cap);
/* Loads nothing new but leaves `v`'s address space on no CPU: for destruction. */
void sched_idle_time(u64 *ns, u32 cpu);
u64 vcpu_cpu_time(struct vcpu *v);     /* ns it has run */
