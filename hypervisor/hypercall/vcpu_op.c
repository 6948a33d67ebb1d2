/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vcpu_op: a domain manages its own vCPUs: bringing up, timers, the places
 * where time and run states are shown. LOCK_DOMAIN is held where a vCPU's life
 * changes.
 */
#include "hypercall/hypercall.h"
#include "hvm/hvm.h"

/* The caller holds LOCK_DOMAIN or has the domain paused; v runs nowhere. */
int vcpu_context_set(struct vcpu *v, const struct vcpu_guest_context *context)
{
    TRY(v->ops->vcpu_set_context(v, context));
    v->initialised = true;
    return context->flags & VGCF_online ? vcpu_up(v) : 0;
}

static int set_first_context(struct vcpu *v, const struct vcpu_guest_context *context)
{
    /* A second caller would see an initialised vCPU, or validate the same tables again. */
    spin_hold(&v->domain->lock);
    return v->initialised ? reject(-EEXIST, "vCPU has a context already")
                          : vcpu_context_set(v, context);
}

static s64 initialise_translated(struct vcpu *v, u64 arg)
{
    struct vcpu_hvm_context context;

    TRY(guest_copy_in(&context, arg, sizeof(context)));
    spin_hold(&v->domain->lock);
    return v->initialised ? reject(-EEXIST, "vCPU has a context already")
                          : hvm_initialise(v, &context);
}

static s64 initialise(struct vcpu *v, u64 arg)
{
    struct vcpu_guest_context *context __heap_freed = heap_alloc(sizeof(*context));

    if (!context)
        return reject(-ENOMEM, "no memory for a vCPU context");
    TRY(guest_copy_in(context, arg, sizeof(*context)));
    s64 error = set_first_context(v, context);
    if (error == -ERESTART_HYPERCALL)
        return hypercall_continue(VCPUOP_initialise, v->id, arg, 0, 0);
    return error;
}

/* Both areas are written before their vCPU enters its guest the next time. */
static s64 register_area(u32 op, struct vcpu *v, u64 arg)
{
    u64 address; /* both structures are a union of forms of it */

    TRY(guest_copy_in(&address, arg, sizeof(address)));
    if (op == VCPUOP_register_runstate_memory_area)
        vcpu_register_runstate(v, address);
    else
        vcpu_register_time(v, address);
    return 0;
}

static s64 get_runstate(struct vcpu *v, u64 arg)
{
    struct vcpu_runstate_info info;

    vcpu_get_runstate(v, &info);
    return guest_copy_out(arg, &info, sizeof(info));
}

static s64 register_info(struct vcpu *v, u64 arg)
{
    struct vcpu_register_vcpu_info op;

    TRY(guest_copy_in(&op, arg, sizeof(op)));
    spin_hold(&v->domain->lock);
    return vcpu_register_info(v, op.mfn, op.offset);
}

static s64 set_periodic(struct vcpu *v, u64 arg)
{
    struct vcpu_set_periodic_timer op;

    TRY(guest_copy_in(&op, arg, sizeof(op)));
    if (op.period_ns == 0 || op.period_ns > INT64_MAX)
        return reject(-EINVAL, "timer period");
    return vcpu_set_periodic(v, op.period_ns);
}

static s64 set_singleshot(struct vcpu *v, u64 arg)
{
    struct vcpu_set_singleshot_timer op;

    if (v != current)
        return reject(-EINVAL, "single-shot timer of another vCPU");
    TRY(guest_copy_in(&op, arg, sizeof(op)));
    return vcpu_set_singleshot(v, MIN(op.timeout_abs_ns, (u64)NS_NEVER),
                               op.flags & VCPU_SSHOTTMR_future);
}

static s64 vcpu_op_rare(u32 op, struct vcpu *v, u64 arg)
{
    switch (op) {
    case VCPUOP_initialise:
        return v->domain->is_hvm ? initialise_translated(v, arg) : initialise(v, arg);
    case VCPUOP_up:
        return vcpu_up(v);
    case VCPUOP_down:
        vcpu_down(v);
        return 0;
    case VCPUOP_get_runstate_info:
        return get_runstate(v, arg);
    case VCPUOP_register_runstate_memory_area:
    case VCPUOP_register_vcpu_time_memory_area:
        return register_area(op, v, arg);
    case VCPUOP_set_periodic_timer:
        return set_periodic(v, arg);
    case VCPUOP_stop_periodic_timer:
        return vcpu_set_periodic(v, 0);
    case VCPUOP_register_vcpu_info:
        return register_info(v, arg);
    case VCPUOP_send_nmi:
        if (arg)
            return reject(-EINVAL, "NMI with an argument");
        WRITE_ONCE(v->nmi_pending, true);
        vcpu_kick(v);
        return 0;
    case VCPUOP_get_physid:
        return reject(-EINVAL, "vCPUs are not pinned to processors");
    default:
        return reject(-ENOSYS, "no such vCPU operation");
    }
}

s64 hypercall_vcpu_op(u64 op, u64 id, u64 arg, u64, u64)
{
    struct vcpu *v = domain_vcpu(current->domain, MIN(id, (u64)UINT32_MAX));

    if (!v) /* a booting kernel asks for thousands: not worth a note each */
        return -ENOENT;
    switch ((u32)op) {
    case VCPUOP_is_up:
        return !(READ_ONCE(v->pause_flags) & PAUSE_DOWN);
    case VCPUOP_set_singleshot_timer:
        return set_singleshot(v, arg);
    case VCPUOP_stop_singleshot_timer:
        if (v != current)
            return reject(-EINVAL, "single-shot timer of another vCPU");
        timer_stop(&v->singleshot);
        return 0;
    default:
        return vcpu_op_rare(op, v, arg);
    }
}
