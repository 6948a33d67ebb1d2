/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event channels: per-domain ports bound to other domains' ports, to virtual
 * or physical interrupts, or to other vCPUs; delivered through the 2-level
 * bitmaps of shared_info or through FIFO queues.
 * LOCK_EVENT of the domain guards its table; interdomain binding takes two.
 */
#pragma once

#include "core/domain.h"
#include <xen/event_channel.h>

int event_init(struct domain *d, u32 max_port); /* at creation */
int event_destroy(struct domain *d);            /* closes all; preemptible */
void event_free(struct domain *d);              /* last reference gone */

/* EVTCHNOP_*: the structs are kernel copies; results are written into them. */
/* -EINVAL, -ENOSPC, -ENOMEM; d is resolved from op->dom, op->remote_dom may be DOMID_SELF. */
int event_alloc_unbound(struct domain *d, struct evtchn_alloc_unbound *op);
int event_bind_interdomain(struct evtchn_bind_interdomain *op); /* for current's domain */
int event_bind_virq(struct evtchn_bind_virq *op);
int event_bind_ipi(struct evtchn_bind_ipi *op);
int event_bind_pirq(struct evtchn_bind_pirq *op);
int event_bind_vcpu(struct domain *d, u32 port, u32 vcpu);
/* by_guest: not a port that is ours. */
int event_close(struct domain *d, u32 port, bool by_guest);
int event_status(struct evtchn_status *op); /* -ESRCH; permission is the caller's to check */
int event_send(struct domain *d, u32 port);
int event_unmask(struct domain *d, u32 port);
int event_reset(struct domain *d); /* preemptible: -ERESTART_HYPERCALL */
int event_init_control(struct evtchn_init_control *op);
int event_expand_array(struct evtchn_expand_array *op);
int event_set_priority(struct domain *d, u32 port, u32 priority);

/* From the hypervisor. */
/* A port of d that the current domain may bind to, and that is ours: event_send through it
 * tells the far end; what comes from there is core/ioreq.h's, for the vCPU. */
int event_alloc_ours(struct domain *d, u32 vcpu, u32 *port);
void event_send_virq(struct vcpu *v, u32 virq); /* per-vCPU ones: VIRQ_TIMER, DEBUG, XENOPROF... */
/* To the domain it is routed to (XEN_DOMCTL_set_virq_handler), or the hardware domain. */
void event_send_global_virq(u32 virq);
int event_set_virq_handler(struct domain *d, u32 virq);
void event_send_pirq(struct domain *d, u32 port);
bool event_port_pending(struct domain *d, u32 port);
bool event_port_masked(struct domain *d, u32 port);
/* True if any event is pending and not masked for v (SCHEDOP_block checks). */
static inline bool vcpu_events_pending(const struct vcpu *v)
{
    return READ_ONCE(v->info->evtchn_upcall_pending) && !READ_ONCE(v->info->evtchn_upcall_mask);
}
void console_input_notify(void); /* VIRQ_CONSOLE to the hardware domain */
