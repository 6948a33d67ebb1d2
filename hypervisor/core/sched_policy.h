/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler's policy, private to core/sched*.c: which vCPU of a run queue
 * runs next, on which CPU a woken one should run, and when to look again.
 *
 * A run queue serves up to eight CPUs, numbered one after the other: they share
 * one tree and one lock, so that N vCPUs on M CPUs of a queue are served
 * equally without moving work about. Between queues the mechanism moves vCPUs
 * when CPUs go idle or loads differ.
 *
 * All functions expect the queue's lock to be held.
 */
#pragma once

#include "core/domain.h"
#include "core/sched.h"

#define QUEUE_CPUS  8
#define CAP_PERIOD  (10 * NS_MS)
#define QUEUE_COUNT (MAX_CPUS / QUEUE_CPUS)

struct sched_cpu {
    u32 cpu;
    struct sched_vcpu *running; /* NULL: idle */
    ns_t charged;               /* its time up to here is in running->spent */
    ns_t started;               /* when its turn began */
    ns_t slice_end;             /* when to look again; NS_NEVER: nobody waits */
    struct timer timer;         /* set for slice_end */
};

struct sched_queue {
    spinlock_t lock; /* LOCK_SCHED: all below, and sched_vcpu of those here */
    u32 index;
    u32 online; /* its CPUs that exist, bit n: cpus[n] */
    u32 idle; /* those that run nothing and have not been told to look; read as a hint without lock
               */
    u32 waiting;   /* members of the tree; hint as above */
    s64 floor;     /* what the neediest has spent; never falls */
    s64 weight;    /* of all that run or wait here */
    ns_t balanced; /* when it last looked at other queues */
    struct tree tree;
    struct sched_cpu cpus[QUEUE_CPUS];
} __aligned_to(64);

static inline struct vcpu *sched_to_vcpu(struct sched_vcpu *s)
{
    return container_of(s, struct vcpu, sched);
}
/* CPUs of the queue in a mask, bit n: cpus[n]. */
static inline u32 queue_mask(const struct sched_queue *q, const cpumask_t *m)
{
    u32 first = q->index * QUEUE_CPUS;

    return (u32)(READ_ONCE(m->bits[first / 64]) >> (first % 64)) & ((1U << QUEUE_CPUS) - 1);
}
/* Where v may run in this queue. */
static inline u32 queue_allowed(const struct sched_queue *q, const struct vcpu *v)
{
    return queue_mask(q, &v->hard_affinity) & q->online;
}

void policy_charge(struct sched_queue *q, struct sched_cpu *c, ns_t now);
/* Into the tree. woken: it slept, so what it did not use is forgotten. */
void policy_insert(struct sched_queue *q, struct sched_vcpu *s, ns_t now, bool woken);
void policy_remove(struct sched_queue *q, struct sched_vcpu *s); /* out of the tree; LEAVING */
bool policy_out_of_budget(struct sched_vcpu *s);
/*
 * The next for c, taken out of the tree if it was there; NULL: idle. prev is
 * what c runs now if it may go on, else NULL. *until: when to look again.
 * Those found without budget are parked.
 */
struct sched_vcpu *policy_next(struct sched_queue *q, struct sched_cpu *c, struct sched_vcpu *prev,
                               ns_t now, ns_t *until);
/* The CPU that should look because s waits, and from when on; NULL: none, slices will do. */
struct sched_cpu *policy_preempt(struct sched_queue *q, struct sched_vcpu *s, ns_t now, ns_t *when);
/* An idle CPU for v here, the one it was on or of its soft affinity first; -1: none. */
int policy_find_idle(const struct sched_queue *q, const struct vcpu *v);
/* The first waiting one that may move to a CPU elsewhere; NULL: none. */
struct sched_vcpu *policy_movable(struct sched_queue *q, u32 cpu, u32 max_weight);
ns_t policy_slice(const struct sched_vcpu *s);
