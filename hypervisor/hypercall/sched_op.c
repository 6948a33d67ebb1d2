/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sched_op: a vCPU gives up its processor, or its domain ends. Also the timer
 * call, which belongs to blocking. Handlers only mark; the way out switches.
 */
#include "core/trace.h"
#include "hypercall/hypercall.h"

#include <xen/sched.h>

#define MAX_POLL_PORTS 128

static s64 poll(u64 arg)
{
    struct sched_poll op;
    u32 ports[MAX_POLL_PORTS];

    TRY(guest_copy_in(&op, arg, sizeof(op)));
    if (op.nr_ports > MAX_POLL_PORTS)
        return reject(-EINVAL, "polls too many ports");
    TRY(guest_copy_in(ports, handle_address(op.ports), op.nr_ports * sizeof(ports[0])));
    return vcpu_poll(ports, op.nr_ports, op.timeout);
}

static s64 remote_shutdown(u64 arg)
{
    struct sched_remote_shutdown op;
    struct domain *d __put_domain = NULL;

    TRY(guest_copy_in(&op, arg, sizeof(op)));
    TRY(policy_target(op.domain_id, POLICY_DOMCTL, &d));
    if (d == current->domain)
        return reject(-EPERM, "remote shutdown of itself");
    domain_shutdown(d, (u8)op.reason);
    return 0;
}

static s64 shutdown(u64 arg, bool code_only)
{
    struct sched_shutdown op;
    struct domain *d = current->domain;

    TRY(guest_copy_in(&op, arg, sizeof(op)));
    TRACE(code_only ? TRC_SCHED_SHUTDOWN_CODE : TRC_SCHED_SHUTDOWN, TRACE_IDS(current), op.reason);
    if (code_only) { /* the reason to report if the domain is shut down later */
        if (READ_ONCE(d->shutdown) == SHUTDOWN_NOT)
            WRITE_ONCE(d->shutdown_code, op.reason & 0xff);
        return 0;
    }
    domain_shutdown(d, op.reason & 0xff);
    return 0;
}

static s64 watchdog(u64 arg)
{
    struct sched_watchdog op;

    TRY(guest_copy_in(&op, arg, sizeof(op)));
    return domain_watchdog(current->domain, op.id, op.timeout);
}

s64 hypercall_sched_op(u64 op, u64 arg, u64, u64, u64)
{
    switch ((u32)op) {
    case SCHEDOP_yield:
        sched_yield();
        return 0;
    case SCHEDOP_block:
        vcpu_block();
        return 0;
    case SCHEDOP_shutdown:
        return shutdown(arg, false);
    case SCHEDOP_poll:
        return poll(arg);
    case SCHEDOP_remote_shutdown:
        return remote_shutdown(arg);
    case SCHEDOP_shutdown_code:
        return shutdown(arg, true);
    case SCHEDOP_watchdog:
        return watchdog(arg);
    case SCHEDOP_pin_override:
        return reject(-ENOSYS, "no temporary pinning");
    default:
        return reject(-ENOSYS, "no such scheduling operation");
    }
}

/* Before interface 0x00030101: the shutdown reason itself is the argument. */
s64 hypercall_sched_op_compat(u64 op, u64 arg, u64 a2, u64 a3, u64 a4)
{
    switch ((u32)op) {
    case SCHEDOP_yield:
    case SCHEDOP_block:
        return hypercall_sched_op(op, arg, a2, a3, a4);
    case SCHEDOP_shutdown:
        domain_shutdown(current->domain, arg & 0xff);
        return 0;
    default:
        return reject(-ENOSYS, "no such scheduling operation");
    }
}

/*
 * The caller's single-shot timer; 0 stops it. Kernels are known to compute
 * deadlines that wrapped (negative, or a year ahead): they meant soon.
 */
s64 hypercall_set_timer_op(u64 timeout, u64, u64, u64, u64)
{
    struct vcpu *v = current;
    ns_t when = timeout, now = clock_now();

    if (!timeout) {
        timer_stop(&v->singleshot);
        return 0;
    }
    if (when < 0 || (when > now && when - now > 1L << 50))
        when = now + 100 * NS_MS;
    return vcpu_set_singleshot(v, when, false);
}
