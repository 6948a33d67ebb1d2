/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * domctl: the control domain makes, steers and ends other domains. The table
 * at the end names every operation: a handler here or in domctl_*.c, or the
 * errno with which it is refused.
 *
 * control_lock (LOCK_CONTROL) is held around all operations that change
 * something. It is only ever tried: when it is taken, the call is run again
 * later, so that no CPU spins while another pauses a domain or ends one.
 */
#include "core/event.h"
#include "core/pool.h"
#include "cpu/features.h"
#include "hypercall/control.h"

void domctl_fill_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    const struct shared_info *shared = READ_ONCE(d->shared_info); /* goes away when it dies */
    bool blocked = true, running = false;

    memset(info, 0, sizeof(*info));
    info->domain = d->id;
    info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    for_each_vcpu (d, v) {
        u32 flags = READ_ONCE(v->pause_flags);
        info->max_vcpu_id = v->id;
        info->cpu_time += vcpu_cpu_time(v);
        if (flags & PAUSE_DOWN)
            continue;
        info->nr_online_vcpus++;
        blocked &= (flags & (PAUSE_BLOCKED | PAUSE_POLL)) != 0;
        running |= READ_ONCE(v->is_running);
    }
    info->flags = (d->dying == DYING_DEAD ? XEN_DOMINF_dying : 0) |
                  (d->shutdown == SHUTDOWN_DONE ? XEN_DOMINF_shutdown : 0) |
                  (READ_ONCE(d->control_pause_count) ? XEN_DOMINF_paused : 0) |
                  (blocked ? XEN_DOMINF_blocked : 0) | (running ? XEN_DOMINF_running : 0) |
                  (d->is_hvm ? XEN_DOMINF_hvm_guest | XEN_DOMINF_hap : 0) |
                  (d->options & XEN_DOMCTL_CDF_xs_domain ? XEN_DOMINF_xs_domain : 0) |
                  (d->shutdown_code & XEN_DOMINF_shutdownmask) << XEN_DOMINF_shutdownshift;
    info->tot_pages = d->frames.frames.count;
    info->max_pages = d->frames.max;
    info->outstanding_pages = d->frames.claimed;
    info->shared_info_frame = shared ? virt_to_mfn(shared).raw : ~0UL;
    memcpy(info->handle, d->handle, sizeof(info->handle));
    info->cpupool = READ_ONCE(d->sched.pool)->id;
    info->gpaddr_bits = (u8)cpu_address_bits;
}

/* The domain asked for or, if there is none, the next one. */
static s64 getdomaininfo(struct domain *, struct xen_domctl *op)
{
    struct domain *d __put_domain = domain_get_next(op->domain);

    if (!d)
        return -ESRCH; /* ends every enumeration */
    TRY(policy_check(current->domain, d, POLICY_DOMCTL));
    domctl_fill_info(d, &op->u.getdomaininfo);
    op->domain = d->id;
    return 0;
}

static int check_create(const struct xen_domctl_createdomain *c)
{
    u32 version = XEN_DOMCTL_GRANT_version(c->grant_opts);
    const struct cpu_pool *pool = pool_find(c->cpupool_id);

    if (c->flags & ~(XEN_DOMCTL_CDF_MAX * 2 - 1))
        return reject(-EINVAL, "unknown domain options");
    if (c->flags & (XEN_DOMCTL_CDF_vpmu | XEN_DOMCTL_CDF_nested_virt | XEN_DOMCTL_CDF_iommu))
        return reject(-EINVAL, "domain option not offered");
    if (!(c->flags & XEN_DOMCTL_CDF_hvm) && (c->flags & XEN_DOMCTL_CDF_hap))
        return reject(-EINVAL, "nested paging for a PV domain");
    if (c->iommu_opts & ~(XEN_DOMCTL_IOMMU_MAX * 2 - 1))
        return reject(-EINVAL, "unknown IOMMU options");
    if (!c->max_vcpus || c->max_vcpus > MAX_VCPUS)
        return reject(-EINVAL, "number of vCPUs");
    if (version < 1 || version > 2 || (c->grant_opts & ~XEN_DOMCTL_GRANT_version_mask))
        return reject(-EINVAL, "grant table version");
    if (c->vmtrace_size)
        return reject(-EINVAL, "processor trace not offered");
    if (!pool || cpumask_empty(&pool->cpus))
        return reject(-EINVAL, "no such CPU pool, or none with CPUs");
    if (c->arch.misc_flags & ~(XEN_X86_MISC_FLAGS_MAX * 2 - 1))
        return reject(-EINVAL, "unknown x86 options");
    if (!(c->flags & XEN_DOMCTL_CDF_hvm) && c->arch.emulation_flags)
        return reject(-EINVAL, "emulated devices for a PV domain");
    return 0;
}

static s64 createdomain(struct domain *, struct xen_domctl *op)
{
    const struct xen_domctl_createdomain *config = &op->u.createdomain;
    struct domain *d = NULL;

    TRY(check_create(config));
    /* 0 and the reserved ids ask for any: domain_create() goes round the free ones. */
    int error = domain_create(op->domain, config, false, &d);
    if (error)
        return reject(error, "domain not created");
    pool_adopt(d, config->cpupool_id);
    op->domain = d->id;
    return 0;
}

static s64 max_mem(struct domain *d, struct xen_domctl *op)
{
    u64 pages = op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);

    spin_hold(&d->frames.lock);
    d->frames.max = MIN(pages, (u64)UINT32_MAX);
    return 0;
}

static s64 scheduler_op(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_scheduler_op *sched = &op->u.scheduler_op;

    if (sched->sched_id != OUR_SCHEDULER)
        return reject(-EINVAL, "no such scheduler");
    switch (sched->cmd) {
    case XEN_DOMCTL_SCHEDOP_putinfo:
        return sched_set_params(d, sched->u.credit2.weight, sched->u.credit2.cap);
    case XEN_DOMCTL_SCHEDOP_getinfo:
        sched->u.credit2.weight = d->sched_weight;
        sched->u.credit2.cap = d->sched_cap;
        return 0;
    default: /* the vCPU forms belong to another scheduler */
        return reject(-EINVAL, "scheduler parameters are per domain");
    }
}

static s64 setdomainhandle(struct domain *d, struct xen_domctl *op)
{
    memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
    return 0;
}

static s64 setdebugging(struct domain *, struct xen_domctl *op)
{
    return op->u.setdebugging.enable ? reject(-EOPNOTSUPP, "no guest debugger") : 0;
}

static s64 settimeoffset(struct domain *d, struct xen_domctl *op)
{
    s64 seconds = op->u.settimeoffset.time_offset_seconds;

    if (seconds > INT64_MAX / NS_SECOND || seconds < -(INT64_MAX / NS_SECOND))
        return reject(-EINVAL, "time offset too large");
    d->wall_offset = seconds * NS_SECOND;
    domain_update_wallclock(d);
    return 0;
}

static s64 subscribe(struct domain *d, struct xen_domctl *op)
{
    WRITE_ONCE(d->suspend_port, op->u.subscribe.port);
    return 0;
}

static s64 set_virq_handler(struct domain *d, struct xen_domctl *op)
{
    return event_set_virq_handler(d, op->u.set_virq_handler.virq);
}

/* All memory is node 0. */
static s64 setnodeaffinity(struct domain *, struct xen_domctl *op)
{
    cpumask_t nodes;

    TRY(cpumask_from_guest(&nodes, &op->u.nodeaffinity.nodemap));
    return cpumask_test(&nodes, 0) ? 0 : reject(-EINVAL, "affinity with no node there is");
}

static s64 getnodeaffinity(struct domain *, struct xen_domctl *op)
{
    cpumask_t nodes = cpumask_of(0);

    return cpumask_to_guest(&op->u.nodeaffinity.nodemap, &nodes);
}

enum {
    COPY_BACK = 1,   /* the request goes back to the tool when it is done, or there was no room */
    COPY_ALWAYS = 2, /* also when not: it says what was wrong */
    UNLOCKED = 4,    /* reads only, or core locks */
    NO_DOMAIN = 8,   /* names none that must exist */
    OTHERS = 16,     /* not for the caller itself */
    PAUSED = 32,     /* the domain is, meanwhile */
    PV_ONLY = 64,    /* about state that only PV vCPUs have */
};

/* Who does each operation, or why it is refused; the others (of devices passed through, of ARM):
 * -ENOSYS. ON_VCPU: the structure begins with the
 * number of a vCPU that exists; if not, because of that. */
#define DONE(cmd, fn, how)             [XEN_DOMCTL_##cmd] = {fn, how, 0, NULL}
#define PLAIN(cmd, fn, how)            [XEN_DOMCTL_##cmd] = {NULL, how, 0, fn}
#define ON_VCPU(cmd, fn, how, because) [XEN_DOMCTL_##cmd] = {fn, how, because, NULL}
#define REFUSED(cmd, because)          [XEN_DOMCTL_##cmd] = {NULL, 0, because, NULL}
static const struct operation {
    domctl_fn *handler;
    u8 how, error;
    int (*plain)(struct domain *d); /* instead of a handler: all it needs is the domain */
} operations[] = {
    DONE(createdomain, createdomain, COPY_BACK | NO_DOMAIN),
    DONE(getdomaininfo, getdomaininfo, COPY_BACK | UNLOCKED | NO_DOMAIN),
    PLAIN(destroydomain, domain_destroy, OTHERS),
    PLAIN(pausedomain, domain_pause_by_control, OTHERS),
    PLAIN(unpausedomain, domain_unpause_by_control, 0),
    ON_VCPU(setvcpuaffinity, domctl_setvcpuaffinity, 0, ESRCH),
    DONE(shadow_op, domctl_shadow_op, OTHERS | COPY_BACK),
    DONE(max_mem, max_mem, 0),
    ON_VCPU(setvcpucontext, domctl_setvcpucontext, OTHERS | PAUSED, EINVAL),
    ON_VCPU(getvcpucontext, domctl_getvcpucontext, COPY_BACK | OTHERS | PAUSED, ESRCH),
    ON_VCPU(getvcpuinfo, domctl_getvcpuinfo, COPY_BACK | UNLOCKED, EINVAL),
    DONE(max_vcpus, domctl_max_vcpus, OTHERS),
    DONE(scheduler_op, scheduler_op, COPY_BACK),
    DONE(setdomainhandle, setdomainhandle, 0),
    DONE(setdebugging, setdebugging, 0),
    DONE(irq_permission, domctl_irq_permission, 0),
    DONE(iomem_permission, domctl_iomem_permission, 0),
    DONE(ioport_permission, domctl_ioport_permission, 0),
    DONE(hypercall_init, domctl_hypercall_init, 0),
    DONE(settimeoffset, settimeoffset, 0),
    ON_VCPU(getvcpuaffinity, domctl_getvcpuaffinity, UNLOCKED, ESRCH),
    PLAIN(resumedomain, domain_resume, OTHERS),
    DONE(sendtrigger, domctl_sendtrigger, 0),
    DONE(subscribe, subscribe, 0),
    DONE(gethvmcontext, domctl_gethvmcontext, COPY_BACK),
    DONE(sethvmcontext, domctl_sethvmcontext, 0),
    DONE(set_address_size, domctl_set_address_size, 0),
    DONE(get_address_size, domctl_get_address_size, COPY_BACK | UNLOCKED),
    REFUSED(bind_pt_irq, EINVAL), /* HVM only */
    DONE(memory_mapping, domctl_memory_mapping, 0),
    REFUSED(ioport_mapping, EINVAL), /* HVM only */
    ON_VCPU(set_ext_vcpucontext, domctl_set_ext_vcpucontext, OTHERS | PAUSED | PV_ONLY, ESRCH),
    ON_VCPU(get_ext_vcpucontext, domctl_get_ext_vcpucontext, COPY_BACK | OTHERS | PAUSED | PV_ONLY,
            ESRCH),
    REFUSED(set_target, EOPNOTSUPP), /* no device-model domains */
    REFUSED(unbind_pt_irq, EINVAL),
    REFUSED(debug_op, EOPNOTSUPP),
    REFUSED(gethvmcontext_partial, EINVAL),
    REFUSED(vm_event_op, EOPNOTSUPP),
    REFUSED(mem_sharing_op, EOPNOTSUPP),
    DONE(gettscinfo, domctl_gettscinfo, COPY_BACK),
    DONE(settscinfo, domctl_settscinfo, OTHERS),
    DONE(getpageframeinfo3, domctl_getpageframeinfo3, COPY_BACK | UNLOCKED),
    ON_VCPU(setvcpuextstate, domctl_setvcpuextstate, OTHERS | PAUSED, ESRCH),
    ON_VCPU(getvcpuextstate, domctl_getvcpuextstate, COPY_BACK | OTHERS | PAUSED, ESRCH),
    REFUSED(set_access_required, EOPNOTSUPP),
    REFUSED(audit_p2m, EOPNOTSUPP),
    DONE(set_virq_handler, set_virq_handler, 0),
    REFUSED(set_broken_page_p2m, EOPNOTSUPP),
    DONE(setnodeaffinity, setnodeaffinity, 0),
    DONE(getnodeaffinity, getnodeaffinity, UNLOCKED),
    ON_VCPU(get_vcpu_msrs, domctl_get_vcpu_msrs, COPY_BACK | PV_ONLY, EINVAL),
    ON_VCPU(set_vcpu_msrs, domctl_set_vcpu_msrs, COPY_ALWAYS | OTHERS | PAUSED | PV_ONLY, EINVAL),
    REFUSED(setvnumainfo, EOPNOTSUPP),
    REFUSED(psr_cmt_op, ENODEV),
    REFUSED(monitor_op, EOPNOTSUPP),
    REFUSED(psr_alloc, ENODEV),
    REFUSED(soft_reset, EOPNOTSUPP),
    DONE(get_cpu_policy, domctl_get_cpu_policy, COPY_BACK),
    DONE(set_cpu_policy, domctl_set_cpu_policy, COPY_ALWAYS | OTHERS | PAUSED),
    REFUSED(vmtrace_op, EOPNOTSUPP),
    DONE(get_paging_mempool_size, domctl_get_paging_mempool_size, COPY_BACK),
    DONE(set_paging_mempool_size, domctl_set_paging_mempool_size, 0),
};

/* Is the operation one for this domain? */
static int check_target(struct domain *d, const struct operation *o, const struct xen_domctl *op)
{

    TRY(policy_check(current->domain, d, POLICY_DOMCTL));
    if ((o->how & PV_ONLY) && d->is_hvm)
        return reject(-EINVAL, "PV state of a translated domain");
    if (o->error && !domain_vcpu(d, op->u.vcpucontext.vcpu))
        return reject(-o->error, "no such vCPU");
    if ((o->how & OTHERS) && d == current->domain)
        return reject(-EINVAL, "control operation on the caller itself");
    return 0;
}

/* Runs one operation on the domain it names. */
static s64 perform(const struct operation *o, struct xen_domctl *op)
{
    struct domain *d __put_domain = NULL;

    if (!o->plain && (o->how & NO_DOMAIN))
        return o->handler(NULL, op);
    d = op->domain < DOMID_FIRST_RESERVED ? domain_get(op->domain) : NULL;
    if (!d)
        return reject(-ESRCH, "no such domain");
    TRY(check_target(d, o, op));
    if (o->plain)
        return o->plain(d);
    if (!(o->how & PAUSED))
        return o->handler(d, op);
    domain_pause(d);
    s64 error = o->handler(d, op);
    domain_unpause(d);
    return error;
}

s64 hypercall_domctl(u64 arg, u64, u64, u64, u64)
{
    struct xen_domctl op;

    TRY(control_request(&op, arg, sizeof(op), XEN_DOMCTL_INTERFACE_VERSION));
    if (op.cmd >= ARRAY_SIZE(operations))
        return reject(-ENOSYS, "no such control operation");
    const struct operation *o = &operations[op.cmd];
    if (!o->handler && !o->plain)
        return reject(o->error ? -o->error : -ENOSYS, "control operation not offered");
    if (!(o->how & UNLOCKED) && !spin_trylock(&control_lock))
        return hypercall_continue(arg, 0, 0, 0, 0);
    s64 error = perform(o, &op);
    if (!(o->how & UNLOCKED))
        spin_unlock(&control_lock);
    if (error == -ERESTART_HYPERCALL)
        return hypercall_continue(arg, 0, 0, 0, 0);
    if ((o->how & COPY_ALWAYS) || ((o->how & COPY_BACK) && (!error || error == -ENOBUFS)))
        TRY(guest_copy_out(arg, &op, sizeof(op)));
    return error;
}
