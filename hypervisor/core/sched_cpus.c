/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which CPUs a run queue serves: owns the queues and each CPU's part of one.
 *
 * Each queue has CPUs of one pool. Those of no pool are in `sched_limbo`, a
 * queue that serves nobody. Queues whose CPUs have all gone wait for new ones.
 *
 * Locks: each queue's (LOCK_SCHED), never two at once. A CPU's queue changes
 * only under the old queue's lock, while the CPU runs nobody; the set of queues
 * and the pool of each under LOCK_CONTROL (or while the machine boots). Callers:
 * core/pool.c, and core/sched.c for the look-ups.
 */
#include "core/sched_policy.h"
#include "cpu/work.h"

struct cpu_pool pool_zero;

DEFINE_PER_CPU(struct sched_cpu, sched_cpu);
struct sched_queue *sched_queues[MAX_CPUS];
u32 sched_queue_count; /* of those; they are never freed */
struct sched_queue *sched_limbo;

struct sched_queue *sched_lock_at(const u32 *cpu)
{
    for (;;) {
        struct sched_queue *q = sched_queue_of(READ_ONCE(*cpu));

        spin_lock(&q->lock);
        if (sched_queue_of(READ_ONCE(*cpu)) == q)
            return q;
        spin_unlock(&q->lock);
    }
}

static void slice_over(void *arg)
{
    struct sched_cpu *c = arg;

    cpu_raise_work(c->cpu, WORK_SCHEDULE);
}

static struct sched_queue *new_queue(void)
{
    struct sched_queue *q = heap_zalloc(sizeof(*q));

    if (q)
        q->lock = SPINLOCK(LOCK_SCHED);
    return q;
}

static struct sched_queue *queue_with_room(const struct cpu_pool *pool)
{
    struct sched_queue *unused = NULL;

    for_each_queue (q) {
        if (q->pool == pool && q->online != (1U << QUEUE_CPUS) - 1)
            return q;
        if (!q->pool)
            unused = q;
    }
    if (unused)
        return unused;
    unused = new_queue();
    if (unused) {
        sched_queues[sched_queue_count] = unused;
        store_release(&sched_queue_count, sched_queue_count + 1);
    }
    return unused;
}

/* Those who wait may run elsewhere than before. */
static void pool_changed(const struct cpu_pool *pool)
{
    for_each_queue (q) {
        spin_hold(&q->lock);
        if (q->pool == pool)
            policy_reclassify(q);
    }
}

int sched_cpu_join(struct cpu_pool *pool, u32 cpu)
{
    struct sched_cpu *c = &per_cpu(sched_cpu, cpu);
    struct sched_queue *q = queue_with_room(pool);
    s64 floor = 0;

    if (!q)
        return -ENOMEM;
    for_each_queue (other)
        if (other->pool == pool)
            floor = MAX(floor, READ_ONCE(other->floor));
    u32 slot = (u32)__builtin_ctz(~q->online);
    spin_lock(&q->lock);
    q->floor = MAX(q->floor, floor);
    WRITE_ONCE(q->pool, pool);
    WRITE_ONCE(q->cpus[slot], c);
    spin_unlock(&q->lock);
    spin_lock(&sched_limbo->lock); /* it may be looking for work there */
    c->slot = slot;
    c->level = READ_ONCE(q->floor);
    WRITE_ONCE(c->queue, q);
    spin_unlock(&sched_limbo->lock);
    spin_lock(&q->lock);
    q->online |= 1U << slot;
    cpumask_set(&pool->cpus, cpu);
    spin_unlock(&q->lock);
    pool_changed(pool);
    return 0;
}

void sched_cpu_quit(u32 cpu)
{
    struct sched_queue *q = sched_lock_cpu(cpu);

    q->online &= ~(1U << per_cpu(sched_cpu, cpu).slot);
    q->idle &= q->online;
    cpumask_clear(&q->pool->cpus, cpu);
    spin_unlock(&q->lock);
    pool_changed(q->pool);
    cpu_raise_work(cpu, WORK_SCHEDULE);
}

bool sched_cpu_detach(u32 cpu)
{
    struct sched_cpu *c = &per_cpu(sched_cpu, cpu);
    struct sched_queue *q = sched_lock_cpu(cpu);
    bool idle = !c->running;

    if (idle) {
        q->cpus[c->slot] = NULL;
        if (!q->online)
            WRITE_ONCE(q->pool, NULL);
        c->slot = 0;
        WRITE_ONCE(c->queue, sched_limbo);
    }
    spin_unlock(&q->lock);
    return idle;
}

void sched_init(void)
{
    sched_queue_count = 0;
    sched_limbo = new_queue();
    if (!sched_limbo)
        panic("no memory for a run queue");
    pool_zero = (struct cpu_pool){.ratelimit_us = POOL_RATELIMIT_US};
    list_init(&pool_zero.link);
    for_each_online_cpu (cpu) {
        struct sched_cpu *c = &per_cpu(sched_cpu, cpu);

        *c = (struct sched_cpu){.queue = sched_limbo, .cpu = cpu, .slice_end = NS_NEVER};
        timer_init(&c->timer, slice_over, c, cpu);
    }
    /* Nothing is idle until the CPU has entered its idle loop and said so. */
    for_each_online_cpu (cpu)
        if (sched_cpu_join(&pool_zero, cpu))
            panic("no memory for a run queue");
}
