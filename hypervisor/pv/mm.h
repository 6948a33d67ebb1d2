/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PV guest's page tables as the rest of pv/ and the dom0 builder use them.
 * The rules of types are in pv/types.c, the hypercalls in pv/mmu_*.c.
 *
 * Contract for others: a domain's io_memory changes only while the domain is
 * paused (its own vCPUs read it without a lock); a top table stays referenced
 * as long as any CPU has it loaded.
 */
#pragma once

#include "core/policy.h"
#include "cpu/work.h"
#include "pv/pv.h"

/*
 * Pins a frame of d as a table of level 1..4 (hypercall and dom0 builder).
 * 0, -EINVAL, -ERESTART_HYPERCALL: call again.
 */
int pv_pin_table(struct domain *d, mfn_t m, u32 level);
int pv_unpin_table(struct domain *d, mfn_t m);

/* Uses of top tables: a reference and a type count. Errors as pv_pin_table. */
__must_check int pv_base_get(struct domain *d, mfn_t m);
void pv_base_put(mfn_t m);

/*
 * Takes both top tables for v (user MFN_NONE: none), then gives up the ones it
 * had. v stands still or is current; nothing is loaded. -EINVAL or
 * -ERESTART_HYPERCALL with v unchanged.
 */
int pv_set_base_tables(struct pv_vcpu *v, mfn_t kernel, mfn_t user);
void pv_drop_base_tables(struct pv_vcpu *v);

/* Gives up everything that makes frames of a dying domain page tables or
 * descriptors. -ERESTART_HYPERCALL: call again until 0. */
int pv_relinquish_tables(struct domain *d);

/*
 * Use of a table that ended half-way (type_put's or a failed type_get's
 * -ERESTART): remembered in the current vCPU, or finished at once where no PV
 * vCPU is current. pv_finish_tables() goes on with it; true: nothing is left.
 */
void pv_unfinished_table(struct frame *f);
bool pv_finish_table(struct pv_vcpu *v);
static inline bool pv_finish_tables(void) /* of a PV vCPU, the current one */
{
    return likely(!to_pv(current)->unfinished) || pv_finish_table(to_pv(current));
}

/*
 * Where an address is mapped in v's kernel (or user) address space, by walking
 * the guest's tables. False: there is no L1 table. *entry is the L1 entry's value,
 * *rights its PRESENT, WRITE and NX bits as the levels together grant them.
 */
bool pv_walk_rights(const struct pv_vcpu *v, bool kernel, u64 va, u64 *entry, u64 *rights);
/* The frame that is the level-1 table of an address in v's kernel space, as far as its upper
 * tables tell; NULL: none. */
struct frame *pv_walk(const struct pv_vcpu *v, u64 va);
#define PV_SLOT(va) ((u32)((va) >> PAGE_SHIFT) % TABLE_ENTRIES)

enum entry_mode {
    ENTRY_SET,         /* *entry = value */
    ENTRY_PRESERVE_AD, /* *entry = value | accessed and dirty bits it has */
    ENTRY_EXCHANGE,    /* pv_exchange_l1 */
};
/*
 * A checked update of the entry at machine address `where` in a table of d;
 * frames of `owner` may be mapped. A frame that is no table is plain memory.
 * 0, -EINVAL, -ERESTART_HYPERCALL (call again).
 */
int pv_update_entry(struct domain *d, struct domain *owner, u64 where, u64 value,
                    enum entry_mode mode);
/* The same for an L1 entry only, without looking at other types. */
int pv_update_l1(struct domain *d, struct domain *owner, struct frame *table, u32 slot, u64 value,
                 enum entry_mode mode);
/* The same if the entry is `expected`, else -EAGAIN. */
int pv_exchange_l1(struct domain *d, struct frame *table, u32 slot, u64 value, u64 expected);

/*
 * Flushes (part of) the TLB where vCPUs of d run: those in the guest's bitmap
 * at address `vcpus`, or all when it is 0. -EFAULT.
 */
int pv_flush_vcpus(struct domain *d, u64 vcpus, enum flush_kind kind, u64 va);

/*
 * The domain that a hypercall's domain argument says mapped frames belong to:
 * NULL in *owner for DOMID_IO. A reference is taken on another than the caller,
 * for pv_put_frame_owner(). -ESRCH, -EPERM.
 */
__must_check int pv_find_frame_owner(u32 id, enum policy_op op, struct domain **owner);
static inline __must_check int pv_get_frame_owner(u32 id, enum policy_op op, struct domain **owner)
{
    *owner = current->domain;
    return likely(id == DOMID_SELF) ? 0 : pv_find_frame_owner(id, op, owner);
}

static inline void pv_put_frame_owner(struct domain *owner)
{
    if (owner && owner != current->domain)
        domain_put(owner);
}

/* In `count` of mmu_update and mmuext_op: this is a continuation of ours, the
 * number of requests done before is where the caller wants the total. */
#define COUNT_CONTINUED 0x80000000U

/* MMUEXT_SET_LDT for the current vCPU; 0 entries: none. */
int pv_set_ldt(struct pv_vcpu *v, u64 base, u32 entries);
