/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the control calls (domctl*.c, sysctl*.c) share.
 *
 * A handler works on a kernel copy of the request and may change it; the
 * frame around it copies the request back when the handler says so.
 */
#pragma once

#include "hypercall/hypercall.h"

#include <xen/sysctl.h>

/* The one scheduler there is. */
#define OUR_SCHEDULER XEN_SCHEDULER_CREDIT2

/* Held by operations that change the set of domains or a domain as a whole. */
extern spinlock_t control_lock; /* LOCK_CONTROL */

/*
 * Takes in a request of domctl's, sysctl's or the like, which begins with an operation and the
 * version of the interface: it must be the control domain's, and of this version.
 */
int control_request(void *op, u64 arg, size_t size, u32 version);

/* d's state as the tools see it; d is referenced. */
void domctl_fill_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

/*
 * Bitmaps as the tools pass them: bit 0 of byte 0 first. Bits beyond ours are
 * ignored on the way in and zero on the way out; bits the caller has no room
 * for are dropped. -EFAULT, -EINVAL for an absurd size.
 */
int cpumask_from_guest(cpumask_t *mask, const struct xenctl_bitmap *from);
int cpumask_to_guest(const struct xenctl_bitmap *to, const cpumask_t *mask);

/*
 * Copies the policy of d, or of the system if d is NULL, to whatever arrays the
 * guest gave an address for, and sets the counts. -ENOBUFS: the room is less.
 */
int policy_to_guest(struct domain *d, u32 index, u64 leaves, u32 *nr_leaves, u64 msrs,
                    u32 *nr_msrs);

/* domctl_*.c; d is referenced, by the caller's right; the table in domctl.c says what else is so.
 */
typedef s64 domctl_fn(struct domain *d, struct xen_domctl *op);
domctl_fn domctl_setvcpuaffinity, domctl_getvcpuaffinity, domctl_setvcpucontext,
    domctl_getvcpucontext, domctl_getvcpuinfo, domctl_max_vcpus, domctl_sendtrigger,
    domctl_set_ext_vcpucontext, domctl_get_ext_vcpucontext, domctl_setvcpuextstate,
    domctl_getvcpuextstate, domctl_get_vcpu_msrs, domctl_set_vcpu_msrs;
domctl_fn domctl_irq_permission, domctl_iomem_permission, domctl_ioport_permission,
    domctl_memory_mapping, domctl_hypercall_init, domctl_getpageframeinfo3, domctl_shadow_op;
domctl_fn domctl_get_cpu_policy, domctl_set_cpu_policy, domctl_gettscinfo, domctl_settscinfo,
    domctl_set_address_size, domctl_get_address_size;
/* hvm_op.c */
domctl_fn domctl_gethvmcontext, domctl_sethvmcontext, domctl_set_paging_mempool_size,
    domctl_get_paging_mempool_size;

/* sysctl_*.c */
typedef s64 sysctl_fn(struct xen_sysctl *op);
sysctl_fn sysctl_physinfo, sysctl_cputopoinfo, sysctl_numainfo, sysctl_pcitopoinfo,
    sysctl_getcpuinfo, sysctl_availheap, sysctl_get_cpu_featureset, sysctl_get_cpu_policy;
sysctl_fn sysctl_tbuf_op, sysctl_perfc_op;        /* sysctl_trace.c */
sysctl_fn sysctl_cpupool_op, sysctl_scheduler_op; /* sysctl_pool.c */
