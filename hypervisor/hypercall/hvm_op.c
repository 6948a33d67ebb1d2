/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hvm_op: parameters of translated domains (xen/hvm/params.h) and the vector of
 * a vCPU's event upcalls; and the state records of domctl. Parameters are
 * words that one side leaves for the other; the few that mean something to us
 * are acted on here.
 */
#include "core/event.h"
#include "hvm/context.h"
#include "hvm/dev/irq.h"
#include "hvm/hvm.h"
#include "hypercall/control.h"

#include <xen/sched.h>

#define CALLBACK_TYPE_SHIFT 56

/* Those that a domain may set for itself. */
#define OWN_PARAMS                                                                               \
    (BIT(HVM_PARAM_CALLBACK_IRQ) | BIT(HVM_PARAM_STORE_EVTCHN) | BIT(HVM_PARAM_CONSOLE_EVTCHN) | \
     BIT(HVM_PARAM_VM86_TSS) | BIT(HVM_PARAM_VM86_TSS_SIZED) |                                   \
     BIT(HVM_PARAM_ACPI_IOPORTS_LOCATION) | BIT(HVM_PARAM_VM_GENERATION_ID_ADDR))
/* And those that it may also read. */
#define OWN_READ (OWN_PARAMS | BIT(HVM_PARAM_STORE_PFN) | BIT(HVM_PARAM_CONSOLE_PFN))

/* Upcalls by an interrupt line need a board; a guest with vectors of its own says 1 here for the
 * tools to see (Linux does), so no value is an error. */
static void set_callback(struct hvm_domain *d, u64 value)
{
    bool vector = value >> CALLBACK_TYPE_SHIFT == HVM_PARAM_CALLBACK_TYPE_VECTOR;

    WRITE_ONCE(d->callback_vector, vector && (u8)value >= 16 ? (u8)value : 0);
    hvm_callback_set(&d->d, value);
}

static s64 set_param(struct domain *d, const struct xen_hvm_param *p)
{
    struct hvm_domain *h = to_hvm_domain(d);
    s64 error = 0;

    switch (p->index) {
    case HVM_PARAM_CALLBACK_IRQ:
        set_callback(h, p->value);
        if (d == current->domain)
            hvm_set_width();
        break;
    case HVM_PARAM_NESTEDHVM:
    case HVM_PARAM_ALTP2M:
    case HVM_PARAM_VIRIDIAN:
        if (p->value)
            error = reject(-EINVAL, "feature that is not there");
        break;
    case HVM_PARAM_TRIPLE_FAULT_REASON:
        if (p->value > SHUTDOWN_MAX)
            error = reject(-EINVAL, "no such shutdown reason");
        break;
    }
    if (!error)
        WRITE_ONCE(h->params[p->index], p->value);
    return error;
}

static s64 param_op(bool set, u64 arg)
{
    struct xen_hvm_param p;
    struct domain *d;
    s64 error;

    if (guest_copy_in(&p, arg, sizeof(p)))
        return reject(-EFAULT, "parameter request not readable");
    if (p.index >= HVM_NR_PARAMS)
        return reject(-EINVAL, "no such parameter");
    error = policy_target(p.domid, POLICY_MEMORY, &d);
    if (error)
        return error;
    if (!d->is_hvm)
        error = reject(-EINVAL, "parameter of a domain that is not translated");
    else if (!current->domain->is_control && !((set ? OWN_PARAMS : OWN_READ) >> p.index & 1))
        error = reject(-EPERM, "parameter that is the control domain's");
    else if (set)
        error = set_param(d, &p);
    else
        p.value = READ_ONCE(to_hvm_domain(d)->params[p.index]);
    domain_put(d);
    if (!error && !set && guest_copy_out(arg, &p, sizeof(p)))
        error = reject(-EFAULT, "parameter not writable");
    return error;
}

static s64 set_upcall_vector(u64 arg)
{
    struct xen_hvm_evtchn_upcall_vector op;
    struct vcpu *v;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return reject(-EFAULT, "upcall vector not readable");
    if (!current->domain->is_hvm || op.vector < 16)
        return reject(-EINVAL, "upcall vector");
    v = domain_vcpu(current->domain, op.vcpu);
    if (!v)
        return reject(-ENOENT, "no such vCPU");
    WRITE_ONCE(to_hvm(v)->upcall_vector, op.vector);
    if (READ_ONCE(v->info->evtchn_upcall_pending))
        hvm_upcall(v);
    return 0;
}

s64 hypercall_hvm_op(u64 op, u64 arg, u64 a2, u64 a3, u64 a4)
{
    (void)a2, (void)a3, (void)a4;
    switch ((u32)op) {
    case HVMOP_set_param:
    case HVMOP_get_param:
        return param_op(op == HVMOP_set_param, arg);
    case HVMOP_set_evtchn_upcall_vector:
        return set_upcall_vector(arg);
    default:
        return reject(-ENOSYS, "no such HVM operation");
    }
}

/* ---- domctl ---- */

#define MAX_CONTEXT (1UL << 20)

s64 domctl_gethvmcontext(struct domain *d, struct xen_domctl *op)
{
    u64 to = handle_address(op->u.hvmcontext.buffer);
    u32 size;
    s64 error = 0;
    void *buffer;

    if (!d->is_hvm || d == current->domain)
        return reject(-EINVAL, "state records of a domain that has none");
    size = hvm_context_size(d);
    if (!to) {
        op->u.hvmcontext.size = size;
        return 0;
    }
    buffer = heap_zalloc(size);
    if (!buffer)
        return reject(-ENOMEM, "no memory for state records");
    domain_pause(d);
    size = hvm_context_get(d, buffer);
    domain_unpause(d);
    if (op->u.hvmcontext.size < size)
        error = reject(-ENOSPC, "no room for the state records");
    else if (guest_copy_out(to, buffer, size))
        error = reject(-EFAULT, "state records not writable");
    op->u.hvmcontext.size = size;
    heap_free(buffer);
    return error;
}

s64 domctl_sethvmcontext(struct domain *d, struct xen_domctl *op)
{
    u32 size = op->u.hvmcontext.size;
    s64 error;
    void *buffer;

    if (!d->is_hvm || d == current->domain)
        return reject(-EINVAL, "state records of a domain that has none");
    if (size > MAX_CONTEXT)
        return reject(-ENOMEM, "state records too long");
    buffer = heap_alloc(size);
    if (!buffer)
        return reject(-ENOMEM, "no memory for state records");
    if (guest_copy_in(buffer, handle_address(op->u.hvmcontext.buffer), size)) {
        error = reject(-EFAULT, "state records not readable");
    } else {
        domain_pause(d);
        error = hvm_context_set(d, buffer, size);
        domain_unpause(d);
    }
    heap_free(buffer);
    return error;
}

/* Tables of the guest-physical map come from this allowance. */
s64 domctl_set_paging_mempool_size(struct domain *d, struct xen_domctl *op)
{
    u64 pages = op->u.paging_mempool.size >> PAGE_SHIFT;

    if (!d->p2m)
        return reject(-EOPNOTSUPP, "paging memory of a domain that is not translated");
    if ((op->u.paging_mempool.size & ~PAGE_MASK) || pages > UINT32_MAX)
        return reject(-EINVAL, "paging memory of no whole pages");
    spin_lock(&d->p2m->lock);
    d->p2m->tables_max = (u32)MAX(pages, d->p2m->tables);
    spin_unlock(&d->p2m->lock);
    return 0;
}

s64 domctl_get_paging_mempool_size(struct domain *d, struct xen_domctl *op)
{
    if (!d->p2m)
        return reject(-EOPNOTSUPP, "paging memory of a domain that is not translated");
    op->u.paging_mempool.size = (u64)d->p2m->tables_max << PAGE_SHIFT;
    return 0;
}
