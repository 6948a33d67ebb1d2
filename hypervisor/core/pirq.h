/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Physical interrupts given to domains: the domain's pirq numbers, the irqs
 * behind them (platform/irq.h), the event ports they are bound to.
 */
#pragma once

#include "core/domain.h"
#include <xen/physdev.h>

int pirq_init(struct domain *d);
void pirq_destroy(struct domain *d); /* unbinds and unmaps all */
/* PHYSDEVOP_map_pirq family; op is a kernel copy, d resolved. */
int pirq_map(struct domain *d, struct physdev_map_pirq *op);
int pirq_unmap(struct domain *d, u32 pirq);
int pirq_bind(struct domain *d, u32 pirq, u32 port, bool share); /* from event_bind_pirq */
void pirq_unbind(struct domain *d, u32 pirq);
int pirq_eoi(struct domain *d, u32 pirq);
int pirq_status(struct domain *d, u32 pirq, u32 *flags); /* XENIRQSTAT_* */
int pirq_get_free(struct domain *d, int type, u32 *pirq);
int pirq_set_eoi_map(struct domain *d, u64 number, bool auto_unmask);
/* The interrupt goes where its vCPU is. */
void pirq_follow_vcpu(struct domain *d, u32 pirq, struct vcpu *v);
