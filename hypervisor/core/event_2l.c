/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 2-level ABI: one pending bit and one mask bit for each of 4096 ports in
 * shared_info, and in each vcpu_info a selector with one bit for each 64 of
 * them. The words belong to the guest as much as to us: atomic operations only,
 * and whatever it writes there harms but itself.
 *
 * Callers: core/event.c, with the port's lock (event_table.h).
 */
#include "core/event_table.h"

/* The port is pending and not masked: shows it to its vCPU. */
static void select_word(struct domain *d, struct event_port *p)
{
    struct vcpu *v = d->vcpus[READ_ONCE(p->vcpu)];
    u64 bit = 1UL << (p->number / 64);

    if (v && !(atomic_fetch_or(&READ_ONCE(v->info)->evtchn_pending_sel, bit) & bit))
        vcpu_mark_events_pending(v);
}

bool two_level_raise(struct domain *d, struct event_port *p)
{
    if (atomic_bit_test_and_set(d->shared_info->evtchn_pending, p->number))
        return false;
    if (!bit_test(d->shared_info->evtchn_mask, p->number))
        select_word(d, p);
    return true;
}

void two_level_unmask(struct domain *d, struct event_port *p)
{
    if (atomic_bit_test_and_clear(d->shared_info->evtchn_mask, p->number) &&
        bit_test(d->shared_info->evtchn_pending, p->number))
        select_word(d, p);
}
