/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPU pools: each CPU is in one or in none, each domain is in one and runs on
 * its CPUs only. Pool 0 is there from the start, with all CPUs and dom0.
 *
 * Everything here is called with LOCK_CONTROL held. The scheduler reads `cpus`
 * and `ratelimit_us` without a lock. Pools that are destroyed keep their
 * memory, for the next one, so that a late reader finds a pool.
 */
#pragma once

#include "cpu/cpumask.h"
#include "lib/list.h"

struct domain;

struct cpu_pool {
    struct list_head link;
    u32 id;
    cpumask_t cpus;
    u32 ratelimit_us; /* least length of a turn; 0 or XEN_SYSCTL_SCHED_RATELIMIT_MIN.._MAX */
};

#define POOL_ANY          (~0U) /* an id, or a CPU: whichever fits */
#define POOL_RATELIMIT_US 500

extern struct cpu_pool pool_zero; /* core/sched_cpus.c */

struct cpu_pool *pool_find(u32 id); /* NULL: none */
struct cpu_pool *pool_next(u32 id); /* the one with the least id >= id */
u32 pool_domain_count(const struct cpu_pool *pool);
cpumask_t pool_free_cpus(void);            /* those in no pool */
int pool_create(u32 id, u32 *result);      /* POOL_ANY: lowest free. -EEXIST, -ENOMEM */
int pool_destroy(struct cpu_pool *pool);   /* -EBUSY: has CPUs or domains */
int pool_add_cpu(u32 id, u32 cpu);         /* -EINVAL, -ENODEV not free, -ENOENT, -ENOMEM */
int pool_remove_cpu(u32 id, u32 cpu);      /* -ENOENT, -EINVAL, -ENODEV not in it, -EBUSY last
                                            * and needed, -EADDRNOTAVAIL another one is on its
                                            * way out, -ERESTART_HYPERCALL: the same again */
void pool_adopt(struct domain *d, u32 id); /* d is new and has no vCPUs; the pool exists */
int pool_move_domain(struct domain *d, struct cpu_pool *pool); /* not the caller's own */
