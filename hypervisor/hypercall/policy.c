/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * May domain A do this to domain B? The control domain may do everything to
 * everyone; everyone else may look after itself, except where that is the
 * control domain's business. No state, no locks.
 */
#include "core/policy.h"

int policy_check(const struct domain *by, const struct domain *target, enum policy_op op)
{
    if (target->is_idle)
        return reject(-EPERM, "the idle domain is nobody's");
    if (by->is_control)
        return 0;
    if (by != target)
        return reject(-EPERM, "not the control domain");
    if (op == POLICY_DOMCTL)
        return reject(-EPERM, "control operation by a guest");
    if (op == POLICY_IRQ && !by->is_hardware)
        return reject(-EPERM, "interrupt mapping by a guest");
    return 0;
}

int policy_system(const struct domain *by)
{
    return by->is_control ? 0 : reject(-EPERM, "system operation by a guest");
}

int policy_hardware(const struct domain *by)
{
    return by->is_hardware ? 0 : reject(-EPERM, "hardware operation by a guest");
}

int policy_target(domid_t id, enum policy_op op, struct domain **target)
{
    struct domain *d = domain_get(id);

    if (!d)
        return reject(-ESRCH, "no such domain");
    int error = policy_check(current->domain, d, op);
    if (error) {
        domain_put(d);
        return error;
    }
    *target = d;
    return 0;
}
