/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the set of CPU pools and which domain is in which. Run queues and who
 * is where on them are the scheduler's (core/sched_cpus.c, core/sched.c).
 *
 * Locks: the caller's LOCK_CONTROL guards the lists and makes every change one
 * at a time. Invariants: a pool with a domain that is not dying has a CPU; a
 * CPU is in one pool's `cpus`, or free, or the one that is leaving. Callers: the
 * control calls, hypercall/sysctl_pool.c.
 */
#include "core/pool.h"
#include "core/domain.h"
#include "cpu/work.h"

/* Of all pools but pool 0, which is always the first. By id. */
static struct list_head pools = LIST_HEAD_INIT(pools);
static struct list_head unused = LIST_HEAD_INIT(unused);

/* The CPU that is on its way out of a pool, and that pool. */
static u32 leaving_cpu;
static struct cpu_pool *leaving_pool; /* NULL: none is */

struct cpu_pool *pool_next(u32 id)
{
    struct cpu_pool *pool;

    if (!id)
        return &pool_zero;
    list_for_each (pool, &pools, link)
        if (pool->id >= id)
            return pool;
    return NULL;
}

struct cpu_pool *pool_find(u32 id)
{
    struct cpu_pool *pool = pool_next(id);

    return pool && pool->id == id ? pool : NULL;
}

/* As for_each_domain, those of a pool. */
#define for_each_domain_in(pool_, d) \
    for_each_domain (d)              \
        if ((d)->sched.pool == (pool_))

u32 pool_domain_count(const struct cpu_pool *pool)
{
    u32 count = 0;

    for_each_domain_in (pool, d)
        count++;
    return count;
}

cpumask_t pool_free_cpus(void)
{
    cpumask_t free = cpus_online;

    for (struct cpu_pool *pool = &pool_zero; pool; pool = pool_next(pool->id + 1))
        for_each_cpu_in (cpu, &pool->cpus)
            cpumask_clear(&free, cpu);
    if (leaving_pool)
        cpumask_clear(&free, leaving_cpu);
    return free;
}

/* ---- pools ---- */

int pool_create(u32 id, u32 *result)
{
    struct cpu_pool *pool, *before = &pool_zero;

    if (id == POOL_ANY)
        for (id = 1; pool_find(id); id++)
            ;
    else if (pool_find(id))
        return reject(-EEXIST, "a CPU pool of that number exists");
    if (!list_empty(&unused)) {
        pool = list_first(&unused, struct cpu_pool, link);
        list_del(&pool->link);
    } else {
        pool = heap_zalloc(sizeof(*pool));
        if (!pool)
            return -ENOMEM;
    }
    pool->id = id;
    pool->cpus = (cpumask_t){{0}};
    pool->ratelimit_us = POOL_RATELIMIT_US;
    list_for_each (before, &pools, link)
        if (before->id > id)
            break;
    /* In front of the next one, or of the list's head: at its end. */
    list_add_tail(&pool->link, &before->link);
    *result = id;
    return 0;
}

int pool_destroy(struct cpu_pool *pool)
{
    if (pool == &pool_zero || !cpumask_empty(&pool->cpus) || leaving_pool == pool ||
        pool_domain_count(pool))
        return reject(-EBUSY, "the CPU pool has CPUs or domains");
    list_del(&pool->link);
    list_add_tail(&pool->link, &unused);
    return 0;
}

/* ---- CPUs ---- */

int pool_add_cpu(u32 id, u32 cpu)
{
    cpumask_t free = pool_free_cpus();
    struct cpu_pool *pool = pool_find(id);

    if (cpu == POOL_ANY)
        cpu = cpumask_next(&free, 0);
    if (cpu >= MAX_CPUS)
        return reject(-EINVAL, "no such CPU");
    if (leaving_pool)
        return reject(-EADDRNOTAVAIL, "another CPU is leaving its pool");
    if (!cpumask_test(&free, cpu))
        return reject(-ENODEV, "the CPU is not free");
    if (!pool)
        return reject(-ENOENT, "no such CPU pool");
    TRY(sched_cpu_join(pool, cpu));
    cpu_raise_work(cpu, WORK_SCHEDULE);
    return 0;
}

/* Affinities that have become impossible are forgotten. */
static void free_affinities(const struct cpu_pool *pool)
{
    static const cpumask_t all = {{~0UL, ~0UL}};

    for_each_domain_in (pool, d)
        for_each_vcpu (d, v) {
            cpumask_t left = cpumask_and(&v->hard_affinity, &pool->cpus);

            if (cpumask_empty(&left))
                sched_set_affinity(v, &all, NULL);
        }
}

static bool rehome_all(const struct cpu_pool *pool)
{
    bool all = true;

    for_each_domain_in (pool, d)
        for_each_vcpu (d, v)
            all &= sched_vcpu_rehome(v);
    return all;
}

/* The last CPU may go if nobody needs it: whoever is dying does so in pool 0. */
static int empty_pool(struct cpu_pool *pool)
{
    for_each_domain_in (pool, d)
        if (READ_ONCE(d->dying) == DYING_NOT || pool == &pool_zero) {
            domain_put(d);
            return reject(-EBUSY, "the last CPU of a pool with domains");
        }
    for_each_domain_in (pool, d)
        pool_move_domain(d, &pool_zero);
    return 0;
}

int pool_remove_cpu(u32 id, u32 cpu)
{
    struct cpu_pool *pool = pool_find(id);

    if (!pool)
        return reject(-ENOENT, "no such CPU pool");
    if (cpu == POOL_ANY) {
        cpu = leaving_pool == pool ? leaving_cpu : MAX_CPUS;
        if (cpu == MAX_CPUS)
            for_each_cpu_in (other, &pool->cpus)
                cpu = other;
    }
    if (cpu >= MAX_CPUS || !cpumask_test(&cpus_online, cpu))
        return reject(-EINVAL, "no such CPU");
    if (leaving_pool && (leaving_pool != pool || leaving_cpu != cpu))
        return reject(-EADDRNOTAVAIL, "another CPU is leaving its pool");
    if (!leaving_pool) {
        cpumask_t others = pool->cpus;

        if (!cpu) /* as the stock hypervisor has it */
            return reject(-EINVAL, "the boot CPU stays in its pool");
        if (!cpumask_test(&pool->cpus, cpu))
            return reject(-EADDRNOTAVAIL, "the CPU is not in the pool");
        cpumask_clear(&others, cpu);
        TRY(cpumask_empty(&others) ? empty_pool(pool) : 0);
        sched_cpu_quit(cpu);
        leaving_cpu = cpu;
        leaving_pool = pool;
        free_affinities(pool);
    }
    /* It may be our own, or in the middle of a switch: then the caller asks again. */
    if (!rehome_all(pool) || !sched_cpu_detach(cpu))
        return -ERESTART_HYPERCALL;
    leaving_pool = NULL;
    return 0;
}

/* ---- domains ---- */

void pool_adopt(struct domain *d, u32 id)
{
    struct cpu_pool *pool = pool_find(id);

    ASSERT(pool);
    d->sched.pool = pool;
}

int pool_move_domain(struct domain *d, struct cpu_pool *pool)
{
    if (d == current->domain)
        return reject(-EPERM, "moves itself to another CPU pool");
    if (d->sched.pool == pool)
        return 0;
    if (cpumask_empty(&pool->cpus))
        return reject(-ENOENT, "the CPU pool has no CPU");
    domain_pause(d);
    WRITE_ONCE(d->sched.pool, pool);
    for_each_vcpu (d, v) {
        /* CPUs that somebody chose are of the old pool. */
        bitmap_fill((unsigned long *)v->hard_affinity.bits, MAX_CPUS);
        bitmap_fill((unsigned long *)v->soft_affinity.bits, MAX_CPUS);
        while (!sched_vcpu_rehome(v))
            cpu_wait();
    }
    domain_unpause(d);
    return 0;
}
