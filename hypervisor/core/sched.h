/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who runs where. The policy (core/sched_credit2.c) is pure: it works on run
 * queues and a clock it is given. The mechanism (core/sched.c) locks, switches
 * registers, sets timers and kicks CPUs. Both run on the host under a simulated
 * clock in the tests.
 */
#pragma once

#include "core/timer.h"
#include "lib/list.h"

struct vcpu;
struct domain;
struct cpu_pool;

/* The host's C library has one, too, which its sanitizers call. */
#ifdef TENON_HOST
#define sched_yield tenon_sched_yield
#endif

#define SCHED_WEIGHT_DEFAULT 256
#define SCHED_WEIGHT_MAX     65535

enum sched_state {
    SCHED_ASLEEP,  /* not runnable */
    SCHED_WAITING, /* in its queue's tree */
    SCHED_RUNNING, /* is what a CPU runs, or is about to */
    SCHED_LEAVING, /* in no queue; whoever made it so puts it to sleep or in a queue */
    SCHED_PARKED,  /* runnable, but its domain's cap is used up in this period */
};

struct sched_vcpu {
    struct tree_node node; /* in its run queue, while WAITING, by `spent` */
    s64 spent;             /* weighted ns it has run; who has spent least runs first */
    u32 weight;            /* the domain's */
    u16 class;             /* where it may run in its queue (core/sched_policy.h) */
    u8 state;              /* enum sched_state; under the lock of its queue */
    bool yielding;         /* lets others go first, once */
    bool fresh;            /* woke up and has not run since */
};

/* What the vCPUs of a domain share. */
struct sched_group {
    u32 cap;    /* per cent of one CPU for all of them together, 0: none */
    s64 budget; /* ns left of it in this period; may be overdrawn; atomic */
    struct timer refill;
    ns_t refilled;         /* up to when */
    u32 unparked;          /* how often: another one is the first each time */
    struct cpu_pool *pool; /* whose CPUs it runs on; changes while it is paused: core/pool.c */
};

void sched_init(void);                    /* after CPUs are up; creates per-CPU state */
void sched_domain_init(struct domain *d); /* weight 256, no cap, pool 0 */
void sched_domain_free(struct domain *d);
void sched_vcpu_init(struct vcpu *v); /* chooses a CPU */
void sched_vcpu_free(struct vcpu *v);
void sched_wake(struct vcpu *v); /* may have become runnable */
/* Around waking somebody as the current vCPU's request: it may go on for a moment. */
void sched_sending(bool begins);
void sched_sleep_nosync(struct vcpu *v); /* became not runnable */
void sched_sleep_sync(struct vcpu *v);   /* same, and waits until its registers are saved */
void sched_yield(void);
void sched_work(void); /* WORK_SCHEDULE handler; does not return if it switches */
/* Affinity: -EINVAL when no CPU of its pool is in it. cpumask_t*, NULL: keep. */
int sched_set_affinity(struct vcpu *v, const void *hard, const void *soft);
int sched_set_params(struct domain *d, u32 weight, u32 cap); /* -EINVAL; weight 0: keep */
u64 sched_idle_time(u32 cpu);                                /* ns */
u64 vcpu_cpu_time(struct vcpu *v);                           /* ns it has run */

/* CPUs come to pools and go: core/pool.c, one call at a time. */
int sched_cpu_join(struct cpu_pool *pool, u32 cpu); /* of no pool before; -ENOMEM */
void sched_cpu_quit(u32 cpu);                       /* nobody is sent there from now on */
bool sched_cpu_detach(u32 cpu);                     /* false: it still runs somebody */
/* Off its CPU if that quits or is of another pool. False: not yet, it is running there. */
bool sched_vcpu_rehome(struct vcpu *v);

extern u32 sched_slice_us;
