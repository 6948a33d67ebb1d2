/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sysctl on CPU pools and on what a pool's scheduler is told. The set of pools
 * and the domains in them are under LOCK_CONTROL, which sysctl.c takes.
 */
#include "core/pool.h"
#include "hypercall/control.h"

static s64 pool_info(struct xen_sysctl_cpupool_op *op)
{
    const struct cpu_pool *pool = pool_next(op->cpupool_id);

    if (!pool)
        return -ENOENT; /* ends every enumeration */
    op->cpupool_id = pool->id;
    op->sched_id = OUR_SCHEDULER;
    op->n_dom = pool_domain_count(pool);
    return cpumask_to_guest(&op->cpumap, &pool->cpus);
}

static s64 move_domain(const struct xen_sysctl_cpupool_op *op)
{
    struct cpu_pool *pool = pool_find(op->cpupool_id);
    struct domain *d __put_domain =
        op->domid < DOMID_FIRST_RESERVED ? domain_get((domid_t)op->domid) : NULL;

    if (!d)
        return reject(-ESRCH, "no such domain");
    TRY(policy_check(current->domain, d, POLICY_DOMCTL));
    return pool ? pool_move_domain(d, pool) : reject(-ENOENT, "no such CPU pool");
}

s64 sysctl_cpupool_op(struct xen_sysctl *request)
{
    struct xen_sysctl_cpupool_op *op = &request->u.cpupool_op;
    struct cpu_pool *pool;
    cpumask_t free;

    switch (op->op) {
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        if (op->sched_id != OUR_SCHEDULER)
            return reject(-ENOENT, "no such scheduler");
        return pool_create(op->cpupool_id, &op->cpupool_id);
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        pool = pool_find(op->cpupool_id);
        return pool ? pool_destroy(pool) : reject(-ENOENT, "no such CPU pool");
    case XEN_SYSCTL_CPUPOOL_OP_INFO: /* of the first pool from this id on */
        return pool_info(op);
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
        return pool_add_cpu(op->cpupool_id, op->cpu);
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return pool_remove_cpu(op->cpupool_id, op->cpu);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return move_domain(op);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        free = pool_free_cpus();
        return cpumask_to_guest(&op->cpumap, &free);
    default:
        return reject(-ENOSYS, "no such CPU pool operation");
    }
}

s64 sysctl_scheduler_op(struct xen_sysctl *request)
{
    struct xen_sysctl_scheduler_op *op = &request->u.scheduler_op;
    struct cpu_pool *pool = pool_find(op->cpupool_id);
    u32 limit = op->u.sched_credit2.ratelimit_us;

    if (!pool)
        return reject(-ESRCH, "no such CPU pool");
    if (op->sched_id != OUR_SCHEDULER)
        return reject(-EINVAL, "no such scheduler");
    switch (op->cmd) {
    case XEN_SYSCTL_SCHEDOP_putinfo:
        if (limit &&
            (limit < XEN_SYSCTL_SCHED_RATELIMIT_MIN || limit > XEN_SYSCTL_SCHED_RATELIMIT_MAX))
            return reject(-EINVAL, "rate limit out of range");
        WRITE_ONCE(pool->ratelimit_us, limit);
        return 0;
    case XEN_SYSCTL_SCHEDOP_getinfo:
        op->u.sched_credit2.ratelimit_us = pool->ratelimit_us;
        return 0;
    default:
        return reject(-EINVAL, "no such scheduler operation");
    }
}
