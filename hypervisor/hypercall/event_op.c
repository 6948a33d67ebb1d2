/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event_channel_op: copies each operation's small structure in, asks policy
 * where another domain is named, and hands it to core/event.h, which locks.
 */
#include "core/event.h"
#include "cpu/uaccess.h"
#include "hypercall/hypercall.h"

/* Any of the operations' structures. */
union event_args {
    struct evtchn_alloc_unbound alloc_unbound;
    struct evtchn_bind_interdomain bind_interdomain;
    struct evtchn_bind_virq bind_virq;
    struct evtchn_bind_pirq bind_pirq;
    struct evtchn_bind_ipi bind_ipi;
    struct evtchn_close close;
    struct evtchn_send send;
    struct evtchn_status status;
    struct evtchn_bind_vcpu bind_vcpu;
    struct evtchn_unmask unmask;
    struct evtchn_reset reset;
    struct evtchn_init_control init_control;
    struct evtchn_expand_array expand_array;
    struct evtchn_set_priority set_priority;
};

#define SIZE_AND_RESULT(field, result)                 \
    {                                                  \
        sizeof(((union event_args *)0)->field), result \
    }
/* How much to copy in, and whether results go back. */
static const struct {
    u8 size;
    bool result;
} forms[] = {
    [EVTCHNOP_bind_interdomain] = SIZE_AND_RESULT(bind_interdomain, true),
    [EVTCHNOP_bind_virq] = SIZE_AND_RESULT(bind_virq, true),
    [EVTCHNOP_bind_pirq] = SIZE_AND_RESULT(bind_pirq, true),
    [EVTCHNOP_close] = SIZE_AND_RESULT(close, false),
    [EVTCHNOP_status] = SIZE_AND_RESULT(status, true),
    [EVTCHNOP_alloc_unbound] = SIZE_AND_RESULT(alloc_unbound, true),
    [EVTCHNOP_bind_ipi] = SIZE_AND_RESULT(bind_ipi, true),
    [EVTCHNOP_bind_vcpu] = SIZE_AND_RESULT(bind_vcpu, false),
    [EVTCHNOP_reset] = SIZE_AND_RESULT(reset, false),
    [EVTCHNOP_init_control] = SIZE_AND_RESULT(init_control, true),
    [EVTCHNOP_expand_array] = SIZE_AND_RESULT(expand_array, false),
    [EVTCHNOP_set_priority] = SIZE_AND_RESULT(set_priority, false),
    [EVTCHNOP_send] = SIZE_AND_RESULT(send, false),
    [EVTCHNOP_unmask] = SIZE_AND_RESULT(unmask, false),
};

/* Operations whose structure names a domain that may be another. */
static s64 on_domain(u32 op, domid_t id, union event_args *args)
{
    struct domain *d __put_domain = NULL;
    int error;

    TRY(policy_target(id, POLICY_EVENTS, &d));
    switch (op) {
    case EVTCHNOP_alloc_unbound:
        if (args->alloc_unbound.remote_dom == DOMID_SELF)
            args->alloc_unbound.remote_dom = current->domain->id;
        return event_alloc_unbound(d, &args->alloc_unbound);
    case EVTCHNOP_status:
        args->status.dom = d->id;
        error = event_status(&args->status);
        args->status.dom = id;
        return error;
    default:
        return event_reset(d);
    }
}

static s64 perform(u32 op, union event_args *args)
{
    struct domain *d = current->domain;

    switch (op) {
    case EVTCHNOP_bind_interdomain:
        return event_bind_interdomain(&args->bind_interdomain);
    case EVTCHNOP_bind_virq:
        return event_bind_virq(&args->bind_virq);
    case EVTCHNOP_bind_pirq:
        return event_bind_pirq(&args->bind_pirq);
    case EVTCHNOP_close:
        return event_close(d, args->close.port, true);
    case EVTCHNOP_status:
        return on_domain(op, args->status.dom, args);
    case EVTCHNOP_alloc_unbound:
        return on_domain(op, args->alloc_unbound.dom, args);
    case EVTCHNOP_bind_ipi:
        return event_bind_ipi(&args->bind_ipi);
    case EVTCHNOP_bind_vcpu:
        return event_bind_vcpu(d, args->bind_vcpu.port, args->bind_vcpu.vcpu);
    case EVTCHNOP_reset:
        return on_domain(op, args->reset.dom, args);
    case EVTCHNOP_init_control:
        return event_init_control(&args->init_control);
    case EVTCHNOP_expand_array:
        return event_expand_array(&args->expand_array);
    case EVTCHNOP_send:
        return event_send(d, args->send.port);
    case EVTCHNOP_unmask:
        return event_unmask(d, args->unmask.port);
    case EVTCHNOP_set_priority:
        return event_set_priority(d, args->set_priority.port, args->set_priority.priority);
    default:
        return reject(-ENOSYS, "no such event channel operation");
    }
}

static __attribute__((noinline)) s64 any_op(u32 op, u64 arg)
{
    union event_args args;

    if (op >= ARRAY_SIZE(forms) || !forms[op].size)
        return reject(-ENOSYS, "no such event channel operation");
    TRY(guest_copy_in(&args, arg, forms[op].size));
    s64 error = perform(op, &args);
    if (error == -ERESTART_HYPERCALL)
        return hypercall_continue(op, arg, 0, 0, 0);
    TRY(error);
    return forms[op].result ? guest_copy_out(arg, &args, forms[op].size) : 0;
}

s64 hypercall_event_channel_op(u64 op, u64 arg, u64, u64, u64)
{
    struct domain *d = current->domain;
    u32 port; /* all there is in the structure */

    /* What is done most, at once. */
    if (likely((u32)op == EVTCHNOP_send && !d->is_hvm && !u32_from_guest_va(&port, arg)))
        return event_send(d, port);
    return any_op((u32)op, arg);
}

/* Before interface 0x00030202: number and structure in one record. */
s64 hypercall_event_channel_op_compat(u64 arg, u64, u64 a2, u64 a3, u64 a4)
{
    u32 op;

    TRY(guest_copy_in(&op, arg, sizeof(op)));
    if (op > EVTCHNOP_unmask)
        return reject(-ENOSYS, "operation younger than this form of the call");
    return hypercall_event_channel_op(op, arg + offsetof(struct evtchn_op, u), a2, a3, a4);
}
