/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts of the machine, as platform/irq.h and platform/machine.h promise them: 24 GSIs, and
 * message-signalled ones behind them. Include in one file of a test.
 */
#pragma once

#include "platform/irq.h"
#include "platform/machine.h"

u32 gsi_count = 24;
static struct {
    irq_handler_t fn;
    void *arg;
    bool level, masked, allocated;
} world_irqs[64];

int irq_bind_guest(u32 irq, irq_handler_t fn, void *arg, const cpumask_t *where, bool shareable)
{
    (void)where, (void)shareable;
    if (irq >= ARRAY_SIZE(world_irqs) || world_irqs[irq].fn)
        return -EBUSY;
    world_irqs[irq].fn = fn;
    world_irqs[irq].arg = arg;
    return 0;
}
void irq_unbind_guest(u32 irq, void *arg)
{
    ASSERT(world_irqs[irq].arg == arg);
    world_irqs[irq].fn = NULL;
    world_irqs[irq].masked = false;
}
void irq_sync(u32 irq)
{
    (void)irq;
}
void irq_set_affinity(u32 irq, const cpumask_t *where)
{
    (void)irq, (void)where;
}
int msi_enable(u32 sbdf, u32 entry, u64 table_base, bool msix, u32 count, u32 *irq)
{
    (void)sbdf, (void)entry, (void)table_base, (void)msix;
    if (count != 1)
        return -EOPNOTSUPP;
    for (u32 i = gsi_count; i < ARRAY_SIZE(world_irqs); i++)
        if (!world_irqs[i].allocated) {
            world_irqs[i].allocated = true;
            *irq = i;
            return 0;
        }
    return -ENOSPC;
}
void msi_disable(u32 irq)
{
    ASSERT(world_irqs[irq].allocated && !world_irqs[irq].fn);
    world_irqs[irq].allocated = false;
}
