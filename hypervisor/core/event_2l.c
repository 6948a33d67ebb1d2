/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 2-level ABI: one pending bit and one mask bit for each of 4096 ports in
 * shared_info, and in each vcpu_info a selector with one bit for each 64 of
 * them. Or, while 32-bit code runs the guest, 1024 ports and 32 of them: its
 * words are of half the size, which changes where the masks and the selector
 * lie, but not where a bit is. The words belong to the guest as much as to us:
 * atomic operations only, and whatever it writes there harms but itself.
 *
 * Callers: core/event.c, with the port's lock (event_table.h).
 */
#include "core/event_table.h"

unsigned long *two_level_mask(struct domain *d)
{
    return unlikely(d->narrow) ? &d->shared_info->evtchn_pending[32 * 32 / 64]
                               : d->shared_info->evtchn_mask;
}

u32 *two_level_selector(const struct vcpu *v, struct vcpu_info *info)
{
    return (u32 *)info + (unlikely(v->domain->narrow) ? 1 : 2);
}

/* The port is pending and not masked: shows it to its vCPU. */
static __always_inline void select_word(struct domain *d, const struct event_port *p, u32 port)
{
    struct vcpu *v = d->vcpus[READ_ONCE(p->vcpu)];
    u32 word = port >> (unlikely(d->narrow) ? 5 : 6), bit = 1U << word % 32;

    if (v && !(atomic_fetch_or(&two_level_selector(v, READ_ONCE(v->info))[word / 32], bit) & bit))
        vcpu_mark_events_pending(v);
}

bool two_level_raise(struct domain *d, struct event_port *p)
{
    struct shared_info *shared = d->shared_info;
    u32 port = p->number;

    if (atomic_bit_test_and_set(shared->evtchn_pending, port))
        return false;
    if (!bit_test(unlikely(d->narrow) ? two_level_mask(d) : shared->evtchn_mask, port))
        select_word(d, p, port);
    return true;
}

void two_level_unmask(struct domain *d, struct event_port *p)
{
    if (atomic_bit_test_and_clear(two_level_mask(d), p->number) &&
        bit_test(d->shared_info->evtchn_pending, p->number))
        select_word(d, p, p->number);
}
