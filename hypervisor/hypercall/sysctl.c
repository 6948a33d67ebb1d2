/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sysctl: the control domain asks about, and steers, the whole system. The
 * table names every operation: a handler here or in sysctl_info.c, or the
 * errno with which it is refused. Copies the request in and back. Operations
 * here take no lock of their own but what core/ takes.
 */
#include "hypercall/control.h"
#include "platform/console.h"

#define CHUNK         256
#define MAX_DEBUG_KEY 32

static s64 readconsole(struct xen_sysctl *op)
{
    struct xen_sysctl_readconsole *read = &op->u.readconsole;
    u64 to = handle_address(read->buffer);
    u32 done = 0, index = read->index;
    bool incremental = read->incremental;
    char bytes[CHUNK];

    while (done < read->count) {
        size_t part =
            console_ring_read(bytes, MIN(read->count - done, CHUNK + 0u), &index, incremental);
        if (!part)
            break;
        TRY(guest_copy_out(to + done, bytes, part));
        incremental = true;
        done += part;
    }
    if (read->clear)
        console_ring_clear_to(index);
    read->count = done;
    read->index = index;
    return 0;
}

static s64 sched_id(struct xen_sysctl *op)
{
    op->u.sched_id.sched_id = OUR_SCHEDULER;
    return 0;
}

static s64 getdomaininfolist(struct xen_sysctl *op)
{
    struct xen_sysctl_getdomaininfolist *list = &op->u.getdomaininfolist;
    domid_t from = list->first_domain;
    struct domain *d;
    u32 count = 0;

    while (count < list->max_domains && (d = domain_get_next(from)) != NULL) {
        struct xen_domctl_getdomaininfo info;
        domctl_fill_info(d, &info);
        from = d->id + 1;
        domain_put(d);
        TRY(guest_copy_out_at(handle_address(list->buffer), count, &info, sizeof(info)));
        count++;
    }
    list->num_domains = count;
    return 0;
}

static s64 debug_keys(struct xen_sysctl *op)
{
    struct xen_sysctl_debug_keys *keys = &op->u.debug_keys;
    char key;

    if (keys->nr_keys > MAX_DEBUG_KEY)
        return reject(-EINVAL, "too many debug keys");
    for (u32 i = 0; i < keys->nr_keys; i++) {
        TRY(guest_copy_in_at(&key, handle_address(keys->keys), i, 1));
        console_key(key);
    }
    return 0;
}

static s64 levelling_caps(struct xen_sysctl *op)
{
    op->u.cpu_levelling_caps.caps = 0; /* CPUID of processes is never masked */
    return 0;
}

/* Who does each operation, or why it is refused; the others: -ENOSYS. */
#define DONE(cmd, fn)         [XEN_SYSCTL_##cmd] = {fn, 0, false}
#define LOCKED(cmd, fn)       [XEN_SYSCTL_##cmd] = {fn, 0, true}
#define REFUSED(cmd, because) [XEN_SYSCTL_##cmd] = {NULL, because, false}
static const struct operation {
    sysctl_fn *handler;
    u8 error;
    bool locked; /* with control_lock, which is only ever tried: see hypercall/domctl.c */
} operations[] = {
    DONE(readconsole, readconsole),
    LOCKED(tbuf_op, sysctl_tbuf_op),
    DONE(physinfo, sysctl_physinfo),
    DONE(sched_id, sched_id),
    DONE(perfc_op, sysctl_perfc_op),
    DONE(getdomaininfolist, getdomaininfolist),
    DONE(debug_keys, debug_keys),
    DONE(getcpuinfo, sysctl_getcpuinfo),
    DONE(availheap, sysctl_availheap),
    REFUSED(get_pmstat, ENODEV), /* no P- and C-states of ours */
    REFUSED(cpu_hotplug, EOPNOTSUPP),
    REFUSED(pm_op, ENODEV),
    REFUSED(page_offline_op, EOPNOTSUPP),
    DONE(cputopoinfo, sysctl_cputopoinfo),
    DONE(numainfo, sysctl_numainfo),
    LOCKED(cpupool_op, sysctl_cpupool_op),
    LOCKED(scheduler_op, sysctl_scheduler_op),
    REFUSED(coverage_op, EOPNOTSUPP),
    REFUSED(psr_cmt_op, ENODEV),
    DONE(pcitopoinfo, sysctl_pcitopoinfo),
    REFUSED(psr_alloc, ENODEV),
    DONE(get_cpu_levelling_caps, levelling_caps),
    DONE(get_cpu_featureset, sysctl_get_cpu_featureset),
    DONE(get_cpu_policy, sysctl_get_cpu_policy),
};

s64 hypercall_sysctl(u64 arg, u64, u64, u64, u64)
{
    struct xen_sysctl op;

    TRY(control_request(&op, arg, sizeof(op), XEN_SYSCTL_INTERFACE_VERSION));
    if (op.cmd >= ARRAY_SIZE(operations))
        return reject(-ENOSYS, "no such system control operation");
    const struct operation *o = &operations[op.cmd];
    if (!o->handler)
        return reject(o->error ? -o->error : -ENOSYS, "system control operation not offered");
    if (o->locked && !spin_trylock(&control_lock))
        return hypercall_continue(arg, 0, 0, 0, 0);
    s64 error = o->handler(&op);
    if (o->locked)
        spin_unlock(&control_lock);
    if (error == -ERESTART_HYPERCALL)
        return hypercall_continue(arg, 0, 0, 0, 0);
    /* With -ENOBUFS the request says how much room is needed. */
    if (!error || error == -ENOBUFS)
        TRY(guest_copy_out(arg, &op, sizeof(op)));
    return error;
}
