/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to core/sched*.c: run queues, and the policy: which vCPU of a queue
 * runs next, on which CPU a woken one should run, and when to look again.
 *
 * A run queue serves up to eight CPUs of one pool: they share one set of trees
 * and one lock, so that N vCPUs on M CPUs of a queue are served equally without
 * moving work about. Between queues of a pool the mechanism moves vCPUs when
 * CPUs go idle or loads differ.
 *
 * All functions expect the queue's lock to be held.
 */
#pragma once

#include "core/domain.h"
#include "core/pool.h"
#include "cpu/percpu.h"

#define QUEUE_CPUS 8
#define CAP_PERIOD (10 * NS_MS)
/* Where one may run: bit n: on CPU n of the queue; WIDE: on CPUs outside, too. */
#define CLASS_WIDE  (1U << QUEUE_CPUS)
#define CLASS_CPUS  (CLASS_WIDE - 1)
#define CLASS_COUNT (2 * CLASS_WIDE)
#define CLASS_WORDS (CLASS_COUNT / 64)

struct sched_queue;

struct sched_cpu {
    struct sched_queue *queue;
    u32 cpu, slot;
    struct sched_vcpu *running; /* NULL: idle */
    ns_t charged;               /* its time up to here is in running->spent */
    ns_t since;                 /* when it came */
    ns_t started;               /* when its turn began */
    ns_t grace;                 /* until then it may go on, as it has just sent an event; 0: none */
    bool sending;               /* is at it: only this CPU's own business */
    s64 level;                  /* what those have spent whom it serves */
    ns_t slice_end;             /* when to look again; NS_NEVER: nobody waits */
    struct timer timer;         /* set for slice_end */
};

/* Those of a queue that may run on the same of its CPUs. */
struct sched_class {
    struct tree tree; /* who waits, by `spent` */
    s64 offset;       /* `spent` plus this compares with other classes' members */
};

struct sched_queue {
    spinlock_t lock; /* LOCK_SCHED: all below, and sched_vcpu of those here */
    u32 online;      /* its CPUs, bit n: cpus[n] is there */
    u32 idle;        /* those that run nothing and have not been told to look; a hint to readers
                      * without the lock, as `waiting` and `weight` */
    u32 waiting;
    s64 weight;            /* of all that run or wait here */
    s64 floor;             /* what the neediest has spent; never falls */
    ns_t balanced;         /* when it last looked at other queues */
    ns_t compared;         /* when its classes were last brought near each other */
    struct cpu_pool *pool; /* NULL: the queue is not in use */
    struct sched_cpu *cpus[QUEUE_CPUS];
    u64 filled[CLASS_WORDS]; /* bit n: somebody waits in classes[n] */
    struct sched_class classes[CLASS_COUNT];
} __aligned_to(64);

/* core/sched_cpus.c: the queues and what CPUs they serve. */
DECLARE_PER_CPU(struct sched_cpu, sched_cpu);
extern struct sched_queue *sched_queues[MAX_CPUS];
extern u32 sched_queue_count; /* of those; they are never freed, some may be out of use */
extern struct sched_queue *sched_limbo;

#define for_each_queue(q)                                \
    for (struct sched_queue **at_##q = sched_queues, *q; \
         at_##q < sched_queues + sched_queue_count && (q = *at_##q) != NULL; at_##q++)

static inline struct sched_queue *sched_queue_of(u32 cpu)
{
    return READ_ONCE(per_cpu(sched_cpu, cpu).queue);
}
/* The queue of the CPU that *cpu says, locked; either may change until it is. */
struct sched_queue *sched_lock_at(const u32 *cpu);
static inline struct sched_queue *sched_lock_cpu(u32 cpu)
{
    return sched_lock_at(&cpu);
}
static inline struct sched_queue *sched_lock_vcpu(const struct vcpu *v)
{
    return sched_lock_at(&v->cpu);
}

static inline struct vcpu *sched_to_vcpu(struct sched_vcpu *s)
{
    return container_of(s, struct vcpu, sched);
}
/* CPUs of the queue in a mask, bit n: cpus[n]. */
static inline u32 queue_mask(const struct sched_queue *q, const cpumask_t *m)
{
    u32 mask = 0;

    for (u32 left = READ_ONCE(q->online); left; left &= left - 1) {
        u32 slot = (u32)__builtin_ctz(left);
        const struct sched_cpu *c = READ_ONCE(q->cpus[slot]);

        if (c && cpumask_test(m, c->cpu))
            mask |= 1U << slot;
    }
    return mask;
}
/* Where v may run: its affinity in its pool; all of the pool if there is nothing in common. */
static inline cpumask_t sched_usable(const struct vcpu *v)
{
    const struct cpu_pool *pool = v->domain->sched.pool;
    cpumask_t usable = cpumask_and(&v->hard_affinity, &pool->cpus);

    return cpumask_empty(&usable) ? pool->cpus : usable;
}
/* Where v may run in this queue. */
static inline u32 queue_allowed(const struct sched_queue *q, const struct vcpu *v)
{
    if (READ_ONCE(q->pool) != v->domain->sched.pool)
        return 0;
    cpumask_t usable = sched_usable(v);
    return queue_mask(q, &usable);
}
/* The account as it compares within the queue. */
static inline s64 queue_level(const struct sched_queue *q, const struct sched_vcpu *s)
{
    return s->spent + q->classes[s->class].offset;
}

/* Sets s's class from its affinity and the queue's CPUs; s is not in the tree. */
void policy_classify(struct sched_queue *q, struct sched_vcpu *s);
void policy_charge(struct sched_queue *q, struct sched_cpu *c, ns_t now);
void policy_charge_all(struct sched_queue *q, ns_t now);
void policy_raise_floor(struct sched_queue *q);
/*
 * Into the tree. Unless it comes back (it ran here), its account is brought near
 * those of the ones with whom it will compete.
 */
enum arrival { ARRIVES_BACK, ARRIVES_AWAKE, ARRIVES_MOVED };
void policy_insert(struct sched_queue *q, struct sched_vcpu *s, ns_t now, enum arrival how);
void policy_remove(struct sched_queue *q, struct sched_vcpu *s); /* out of the tree; LEAVING */
void policy_reclassify(struct sched_queue *q); /* after a change of the queue's CPUs */
bool policy_waiting_for(const struct sched_queue *q, const struct sched_cpu *c); /* anybody? */
bool policy_out_of_budget(struct sched_vcpu *s);
/*
 * The next for c, taken out of the tree if it was there; NULL: idle. prev is
 * what c runs now if it may go on, else NULL. *until: when to look again.
 * Those found without budget are parked.
 */
struct sched_vcpu *policy_next(struct sched_queue *q, struct sched_cpu *c, struct sched_vcpu *prev,
                               ns_t now, ns_t *until);
/*
 * The CPU that should look because s waits, and from when on; NULL: none,
 * slices will do. s->fresh: it has just woken up. sender: whose vCPU woke it and
 * has probably more to do for it; NULL: none.
 */
struct sched_cpu *policy_preempt(struct sched_queue *q, struct sched_vcpu *s, ns_t now,
                                 const struct sched_cpu *sender, ns_t *when);
/* An idle CPU's slot for v here, the one it was on or of its soft affinity first; -1: none. */
int policy_find_idle(const struct sched_queue *q, const struct vcpu *v);
/* A waiting one, of the neediest, that may move to a CPU elsewhere; NULL: none. */
struct sched_vcpu *policy_movable(struct sched_queue *q, u32 cpu, u32 max_weight);
ns_t policy_slice(const struct sched_vcpu *s);
