/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * domctl on vCPUs: creation, affinity, contexts for building, saving and
 * restoring. LOCK_CONTROL is held by the caller except for the two readers.
 * A vCPU's registers are touched only while its domain is paused: the table in
 * domctl.c does that, and sees to it that the vCPU exists.
 */
#include "core/pool.h"
#include "cpu/registers.h"
#include "hypercall/control.h"
#include "hvm/dev/irq.h"
#include "pv/pv.h"

#include <xen/callback.h>

#define MCG_CAP_BANKS 2 /* as cpu_policy_rdmsr says */

s64 domctl_max_vcpus(struct domain *d, struct xen_domctl *op)
{
    if (op->u.max_vcpus.max != d->max_vcpus)
        return reject(-EINVAL, "other number of vCPUs than at creation");
    for (u32 id = 0; id < d->max_vcpus; id++) {
        int error = domain_vcpu(d, id) ? 0 : vcpu_create(d, id);
        if (error)
            return reject(error, "vCPU not created");
    }
    return 0;
}

s64 domctl_setvcpuaffinity(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    bool hard = a->flags & XEN_VCPUAFFINITY_HARD, soft = a->flags & XEN_VCPUAFFINITY_SOFT;
    cpumask_t hard_mask, soft_mask, effective;
    struct vcpu *v = domain_vcpu(d, a->vcpu);

    if (!hard && !soft)
        return reject(-EINVAL, "affinity neither hard nor soft");
    if (hard)
        TRY(cpumask_from_guest(&hard_mask, &a->cpumap_hard));
    if (soft)
        TRY(cpumask_from_guest(&soft_mask, &a->cpumap_soft));
    TRY(sched_set_affinity(v, hard ? &hard_mask : NULL, soft ? &soft_mask : NULL));
    /* The tool learns what is left of its wish. */
    if (hard) {
        effective = cpumask_and(&v->hard_affinity, &d->sched.pool->cpus);
        TRY(cpumask_to_guest(&a->cpumap_hard, &effective));
    }
    if (!soft)
        return 0;
    effective = cpumask_and(&v->soft_affinity, &v->hard_affinity);
    effective = cpumask_and(&effective, &d->sched.pool->cpus);
    return cpumask_to_guest(&a->cpumap_soft, &effective);
}

s64 domctl_getvcpuaffinity(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v = domain_vcpu(d, a->vcpu);

    if (!(a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
        return reject(-EINVAL, "affinity neither hard nor soft");
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        TRY(cpumask_to_guest(&a->cpumap_hard, &v->hard_affinity));
    return a->flags & XEN_VCPUAFFINITY_SOFT ? cpumask_to_guest(&a->cpumap_soft, &v->soft_affinity)
                                            : 0;
}

s64 domctl_getvcpuinfo(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getvcpuinfo *info = &op->u.getvcpuinfo;
    struct vcpu *v = domain_vcpu(d, info->vcpu);
    u32 flags = READ_ONCE(v->pause_flags);

    info->online = !(flags & PAUSE_DOWN);
    info->blocked = (flags & (PAUSE_BLOCKED | PAUSE_POLL)) != 0;
    info->running = READ_ONCE(v->is_running);
    info->cpu_time = vcpu_cpu_time(v);
    info->cpu = READ_ONCE(v->cpu);
    return 0;
}

s64 domctl_setvcpucontext(struct domain *d, struct xen_domctl *op)
{
    struct vcpu_guest_context *context __heap_freed = NULL;
    u64 from = handle_address(op->u.vcpucontext.ctxt);
    struct vcpu *v = domain_vcpu(d, op->u.vcpucontext.vcpu);

    /* It has let go of its tables, and would not let go of new ones. */
    if (d->dying != DYING_NOT)
        return reject(-EINVAL, "context of a dying domain");
    if (!from) { /* back to how it was made */
        v->ops->vcpu_reset(v);
        atomic_or(&v->pause_flags, PAUSE_DOWN); /* paused: nothing to stop */
        return 0;
    }
    context = heap_alloc(sizeof(*context));
    if (!context)
        return reject(-ENOMEM, "no memory for a vCPU context");
    TRY(guest_copy_in(context, from, sizeof(*context)));
    s64 error = vcpu_context_set(v, context);
    /* Down by wish, or because a refused context has cost it the one it had. */
    if (error ? !v->initialised : !(context->flags & VGCF_online))
        atomic_or(&v->pause_flags, PAUSE_DOWN); /* paused: nothing to stop */
    return error;
}

s64 domctl_getvcpucontext(struct domain *d, struct xen_domctl *op)
{
    struct vcpu_guest_context *context __heap_freed = heap_zalloc(sizeof(*context));
    struct vcpu *v = domain_vcpu(d, op->u.vcpucontext.vcpu);

    if (!v->initialised)
        return reject(-ENODATA, "vCPU has no context");
    if (!context)
        return reject(-ENOMEM, "no memory for a vCPU context");
    v->ops->vcpu_get_context(v, context);
    if (!(READ_ONCE(v->pause_flags) & PAUSE_DOWN))
        context->flags |= VGCF_online;
    return guest_copy_out(handle_address(op->u.vcpucontext.ctxt), context, sizeof(*context));
}

/* The callbacks that vcpu_guest_context has no room for. */
s64 domctl_get_ext_vcpucontext(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
    const struct pv_vcpu *pv = to_pv(domain_vcpu(d, e->vcpu));

    *e = (struct xen_domctl_ext_vcpucontext){
        .vcpu = e->vcpu,
        .size = sizeof(*e),
        .syscall32_callback_eip = pv->syscall32.address,
        .syscall32_callback_cs = GUEST_CS64,
        .syscall32_disables_events = (pv->syscall32.flags & CALLBACKF_mask_events) != 0,
        .sysenter_callback_eip = pv->sysenter.address,
        .sysenter_callback_cs = GUEST_CS64,
        .sysenter_disables_events = (pv->sysenter.flags & CALLBACKF_mask_events) != 0,
        .mcg_cap = MCG_CAP_BANKS,
    };
    return 0;
}

s64 domctl_set_ext_vcpucontext(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
    struct pv_vcpu *pv = to_pv(domain_vcpu(d, e->vcpu));

    if (e->size < offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap))
        return reject(-EINVAL, "extended context too short");
    if (!address_canonical(e->syscall32_callback_eip) ||
        !address_canonical(e->sysenter_callback_eip))
        return reject(-EINVAL, "callback address not canonical");
    pv->syscall32.address = e->syscall32_callback_eip;
    pv->syscall32.flags = e->syscall32_disables_events ? CALLBACKF_mask_events : 0;
    pv->sysenter.address = e->sysenter_callback_eip;
    pv->sysenter.flags = e->sysenter_disables_events ? CALLBACKF_mask_events : 0;
    return 0;
}

s64 domctl_sendtrigger(struct domain *d, struct xen_domctl *op)
{
    struct vcpu *v = domain_vcpu(d, op->u.sendtrigger.vcpu);

    if (d->is_hvm && (op->u.sendtrigger.trigger == XEN_DOMCTL_SENDTRIGGER_POWER ||
                      op->u.sendtrigger.trigger == XEN_DOMCTL_SENDTRIGGER_SLEEP))
        return hvm_press_button(d, op->u.sendtrigger.trigger == XEN_DOMCTL_SENDTRIGGER_SLEEP);
    if (op->u.sendtrigger.trigger != XEN_DOMCTL_SENDTRIGGER_NMI)
        return reject(-ENOSYS, "trigger that the domain does not have");
    if (!v)
        return reject(-ESRCH, "no such vCPU");
    WRITE_ONCE(v->nmi_pending, true);
    vcpu_kick(v);
    return 0;
}

/* MSRs that a vCPU carries with it beyond its context: TSC_AUX, unless it is 0. */
s64 domctl_get_vcpu_msrs(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpu_msrs *list = &op->u.vcpu_msrs;
    struct xen_domctl_vcpu_msr msr = {
        .index = MSR_TSC_AUX,
        .value = READ_ONCE(to_pv(domain_vcpu(d, list->vcpu))->tsc_aux),
    };
    bool asks_how_many = !handle_address(list->msrs);
    u32 room = list->msr_count;

    list->msr_count = asks_how_many || msr.value;
    if (asks_how_many || !msr.value)
        return 0;
    if (!room)
        return reject(-ENOBUFS, "no room for a vCPU's MSRs");
    return guest_copy_out_at(handle_address(list->msrs), 0, &msr, sizeof(msr));
}

/* False: no vCPU carries it. A record from another host may list those that are 0 here. */
static bool set_msr(struct vcpu *v, const struct xen_domctl_vcpu_msr *msr)
{
    static const u32 harmless[] = {0x140, 0xc0011019, 0xc001101a, 0xc001101b, 0xc0011027};

    if (msr->reserved)
        return false;
    if (msr->index == MSR_TSC_AUX && msr->value <= UINT32_MAX) {
        to_pv(v)->tsc_aux = (u32)msr->value;
        return true;
    }
    for (u32 n = 0; n < ARRAY_SIZE(harmless); n++)
        if (harmless[n] == msr->index)
            return true;
    return false;
}

s64 domctl_set_vcpu_msrs(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpu_msrs *list = &op->u.vcpu_msrs;
    struct xen_domctl_vcpu_msr msr;
    struct vcpu *v = domain_vcpu(d, list->vcpu);

    if (list->msr_count > 6)
        return reject(-EINVAL, "more MSRs than there are");
    for (u32 i = 0; i < list->msr_count; i++) {
        TRY(guest_copy_in_at(&msr, handle_address(list->msrs), i, sizeof(msr)));
        if (set_msr(v, &msr))
            continue;
        list->msr_count = i;
        return reject(-EINVAL, "MSR that a vCPU does not carry");
    }
    return 0;
}
