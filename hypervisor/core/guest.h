/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest kind operations: what core/ needs of pv/ and hvm/, which are above it.
 * Also the seams by which grants reach a guest's page tables.
 */
#pragma once

#include "core/domain.h"

struct vcpu_guest_context;

struct guest_ops {
    const char *name;
    size_t domain_size, vcpu_size;
    /* Parts of the kind's own; called with core's fields set. 0 or -errno with nothing kept. */
    int (*domain_init)(struct domain *d, const struct xen_domctl_createdomain *config);
    void (*domain_free)(struct domain *d);
    /* Gives up page tables and the like of a dying domain, none of whose vCPUs runs.
     * Preemptible: -ERESTART_HYPERCALL until done. */
    int (*domain_relinquish)(struct domain *d);
    int (*vcpu_init)(struct vcpu *v);
    void (*vcpu_free)(struct vcpu *v);
    /* VCPUOP_initialise, XEN_DOMCTL_set/getvcpucontext; v stands still. */
    int (*vcpu_set_context)(struct vcpu *v, const struct vcpu_guest_context *c);
    void (*vcpu_get_context)(struct vcpu *v, struct vcpu_guest_context *c);
    void (*vcpu_reset)(struct vcpu *v);
    /* Context switch: this CPU's registers -> v; v -> this CPU's registers. */
    void (*save)(struct vcpu *v);
    void (*restore)(struct vcpu *v);
    /* Enters the guest; called with a fresh stack. */
    void (*resume)(void);
    /* NULL for PV. */
    int (*copy)(u64 address, void *buffer, u64 length, bool write); /* current's memory, -EFAULT */
    u64 (*cr4)(const struct vcpu *v);                               /* current's */
    bool (*wakes)(struct vcpu *v);  /* something other than an event ends its sleep */
    void (*upcall)(struct vcpu *v); /* evtchn_upcall_pending has come on */
    void (*dump)(struct vcpu *v);   /* a line of its own for the key that shows domains */
    /* What its TSC says when the machine's says that. */
    u64 (*tsc)(const struct vcpu *v, u64 machine);
    void (*tsc_changed)(struct domain *d); /* d->tsc_khz; d stands still */
    void (*flush)(struct domain *d);       /* a right in the guest-physical map was taken away */
};

extern const struct guest_ops guest_pv;  /* supplied by pv/ */
extern const struct guest_ops guest_hvm; /* supplied by hvm/ */

/*
 * Host mappings of grants (supplied by pv/). host_addr is the machine address
 * of an L1 entry with GNTMAP_contains_pte, else a virtual address of the
 * current address space of d's running vCPU. The entry written holds exactly
 * one frame reference and, if writable, one writable reference, which these
 * functions take and drop; the maptrack entry holds its own besides.
 * Returns GNTST_*. On unmap, new_addr != 0 means unmap_and_replace.
 */
struct grant_place { /* where the entry before in a list was; all zero: there is none */
    u64 region;
    struct frame *table;
};
s16 guest_map_grant(struct domain *d, u64 host_addr, mfn_t frame, u32 flags,
                    struct grant_place *place);
s16 guest_unmap_grant(struct domain *d, u64 host_addr, mfn_t frame, u32 flags, u64 new_addr,
                      struct grant_place *place);
