/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * domctl on what processor a domain sees: CPU policy, TSC, address size,
 * extended state. LOCK_CONTROL is held by the caller (but for the readers).
 */
#include "core/cpu_policy.h"
#include "hypercall/control.h"

s64 domctl_get_cpu_policy(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_cpu_policy *policy = &op->u.cpu_policy;

    return policy_to_guest(d, 0, handle_address(policy->leaves), &policy->nr_leaves,
                           handle_address(policy->msrs), &policy->nr_msrs);
}

s64 domctl_set_cpu_policy(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_cpu_policy *policy = &op->u.cpu_policy;
    struct xen_cpuid_leaf *leaves __heap_freed = NULL;
    struct xen_msr_entry *msrs __heap_freed = NULL;

    policy->err_leaf = policy->err_subleaf = policy->err_msr = ~0u;
    if (policy->nr_leaves > CPU_POLICY_MAX_LEAVES || policy->nr_msrs > CPU_POLICY_MAX_MSRS)
        return reject(-E2BIG, "more leaves or MSRs than a policy has");
    leaves = heap_alloc(CPU_POLICY_MAX_LEAVES * sizeof(*leaves));
    msrs = heap_alloc(CPU_POLICY_MAX_MSRS * sizeof(*msrs));
    if (!leaves || !msrs)
        return reject(-ENOMEM, "no memory for a CPU policy");
    TRY(guest_copy_in(leaves, handle_address(policy->leaves), policy->nr_leaves * sizeof(*leaves)));
    TRY(guest_copy_in(msrs, handle_address(policy->msrs), policy->nr_msrs * sizeof(*msrs)));
    return cpu_policy_set(d, leaves, policy->nr_leaves, msrs, policy->nr_msrs, &policy->err_leaf,
                          &policy->err_subleaf, &policy->err_msr);
}

s64 domctl_gettscinfo(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_tsc_info *info = &op->u.tsc_info;
    struct cpu_policy_tsc tsc;

    cpu_policy_tsc_get(d, &tsc);
    *info = (struct xen_domctl_tsc_info){.tsc_mode = tsc.mode,
                                         .gtsc_khz = tsc.khz,
                                         .incarnation = tsc.incarnation,
                                         .elapsed_nsec = tsc.elapsed_ns};
    return 0;
}

s64 domctl_settscinfo(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_tsc_info *info = &op->u.tsc_info;
    const struct cpu_policy_tsc tsc = {info->tsc_mode, info->gtsc_khz, info->incarnation,
                                       info->elapsed_nsec};

    if (tsc.mode >= TSC_MODES)
        return reject(-EINVAL, "no such TSC mode");
    cpu_policy_tsc_set(d, &tsc);
    return 0;
}

s64 domctl_set_address_size(struct domain *, struct xen_domctl *op)
{
    return op->u.address_size.size == 64 ? 0 : reject(-EINVAL, "64-bit PV guests only");
}

s64 domctl_get_address_size(struct domain *, struct xen_domctl *op)
{
    op->u.address_size.size = 64;
    return 0;
}

/*
 * Extended processor state: XCR0, the components ever in use (here: all that
 * the machine has), then XSAVE's standard format. Size 0 says that there is
 * nothing beyond vcpu_guest_context's FPU area; the tools then leave it out.
 */
struct extended_state {
    u64 xcr0, xcr0_ever;
    u8 image[];
};
/* More than the standard format with all that we know of ever needs. */
#define MAX_EXTENDED (4 * PAGE_SIZE)

s64 domctl_getvcpuextstate(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpuextstate *request = &op->u.vcpuextstate;
    struct vcpu *v = domain_vcpu(d, request->vcpu);
    u64 room = request->size, to = handle_address(request->buffer);
    struct extended_state *state __heap_freed = NULL;

    request->xfeature_mask = fpu_xcr0_supported();
    request->size = fpu_get_image(v->fpu, NULL);
    if (request->size)
        request->size += sizeof(*state);
    if (!to || !room || !request->size)
        return 0;
    if (room != request->size)
        return reject(-EINVAL, "size of extended state");
    state = heap_zalloc(room);
    if (!state)
        return reject(-ENOMEM, "no memory for extended state");
    state->xcr0 = fpu_xcr0(v->fpu);
    state->xcr0_ever = fpu_xcr0_supported();
    fpu_get_image(v->fpu, state->image);
    return guest_copy_out(to, state, room);
}

s64 domctl_setvcpuextstate(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuextstate *request = &op->u.vcpuextstate;
    struct vcpu *v = domain_vcpu(d, request->vcpu);
    struct extended_state *state __heap_freed = NULL;
    u64 size = request->size;

    if (size < sizeof(*state) || size > MAX_EXTENDED)
        return reject(-EINVAL, "size of extended state");
    state = heap_alloc(size);
    if (!state)
        return reject(-ENOMEM, "no memory for extended state");
    TRY(guest_copy_in(state, handle_address(request->buffer), size));
    if (size == sizeof(*state)) /* a vCPU that never used any */
        return 0;
    if (fpu_set_image(v->fpu, state->xcr0, state->image, size - sizeof(*state)))
        return reject(-EINVAL, "extended state that cannot be loaded");
    return 0;
}
