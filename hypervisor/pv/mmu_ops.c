/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hypercall mmuext_op: pins, top tables, flushes, LDT, whole pages. A guest's
 * context switch is one call with NEW_BASEPTR and NEW_USER_BASEPTR.
 *
 * Locks: none here. Callers: the hypercall table.
 */
#include "core/physmap.h"
#include "cpu/perfc.h"
#include "cpu/ports.h"
#include "pv/batch.h"
#include "pv/calls.h"
#include "pv/types.h"

__attribute__((noinline)) int pv_flush_vcpus(struct domain *d, u64 vcpus, enum flush_kind kind,
                                             u64 va)
{
    cpumask_t mask = d->dirty_cpus;

    if (vcpus) {
        cpumask_t wanted = {{0}};

        for (u32 first = 0; first < d->max_vcpus; first += BITS_PER_LONG) {
            u64 bits;

            TRY(guest_copy_in_at(&bits, vcpus, first / BITS_PER_LONG, sizeof(bits)));
            for (; bits; bits &= bits - 1) {
                struct vcpu *v = domain_vcpu(d, first + (u32)__builtin_ctzl(bits));

                /* One that has moved on since left nothing behind where it was. */
                if (v)
                    wanted.bits[v->cpu / 64] |= BIT(v->cpu % 64);
            }
        }
        mask = cpumask_and(&mask, &wanted);
    }
    cpu_flush(&mask, kind, va);
    return 0;
}

static int new_kernel_base(struct pv_vcpu *v, mfn_t m)
{
    mfn_t old = v->kernel_table;

    if (mfn_equal(m, old)) {
        pv_load_cr3(v);
        return 0;
    }

    TRY(pv_base_get(v->v.domain, m));
    v->kernel_table = m;
    /* Out of use by the processor before it may be taken apart. */
    pv_load_cr3(v);
    pv_base_put(old);
    return 0;
}

static int new_user_base(struct pv_vcpu *v, mfn_t m)
{
    mfn_t old = v->user_table;

    if (mfn_equal(m, old))
        return 0;
    if (!mfn_is_none(m)) {

        TRY(pv_base_get(v->v.domain, m));
    }
    /* The kernel runs, so the user table is not loaded. */
    v->user_table = m;
    pv_base_put(old);
    return 0;
}

static int clear_page(struct domain *d, u64 number)
{
    struct frame *f;

    if (domain_page_take(d, number, &f))
        return reject(-EINVAL, "page to clear is not writable memory");
    memset(mfn_to_virt(frame_to_mfn(f)), 0, PAGE_SIZE);
    domain_page_drop(f);
    return 0;
}

static int copy_page(struct domain *d, u64 to, u64 from)
{
    struct frame *source __put_frame = frame_get_from_guest(from, &d->frames), *f;

    if (!source)
        return reject(-EINVAL, "page to copy is no frame of the domain");
    if (domain_page_take(d, to, &f))
        return reject(-EINVAL, "page to copy to is not writable memory");
    memmove(mfn_to_virt(frame_to_mfn(f)), mfn_to_virt(frame_to_mfn(source)), PAGE_SIZE);
    domain_page_drop(f);
    return 0;
}

static void flush_caches_here(void *)
{
    cpu_write_back_caches();
}

static __attribute__((noinline)) int flush_caches(const struct domain *d, cpumask_t where)
{
    if (!d->is_hardware && rangeset_empty(&d->io_memory))
        return reject(-EACCES, "cache flush by a domain without hardware");
    cpu_call(&where, flush_caches_here, NULL);
    return 0;
}

static bool guest_address(u64 va)
{
    return va < HV_START || va >= HV_END;
}

/* What concerns the caller's own processor; pins and pages were tried before. */
static int own_op(struct pv_vcpu *v, const struct mmuext_op *op)
{
    struct domain *d = v->v.domain;
    u64 va = op->arg1.linear_addr, vcpus = handle_address(op->arg2.vcpumask);

    switch (op->cmd) {
    case MMUEXT_NEW_BASEPTR:
        return new_kernel_base(v, mfn(op->arg1.mfn));
    case MMUEXT_NEW_USER_BASEPTR:
        return new_user_base(v, op->arg1.mfn ? mfn(op->arg1.mfn) : MFN_NONE);
    case MMUEXT_TLB_FLUSH_LOCAL:
        cpu_flush_local(FLUSH_TLB, 0);
        return 0;
    case MMUEXT_INVLPG_LOCAL:
        if (guest_address(va))
            cpu_flush_local(FLUSH_ONE, va);
        return 0;
    case MMUEXT_TLB_FLUSH_MULTI:
        return vcpus ? pv_flush_vcpus(d, vcpus, FLUSH_TLB, 0) : 0;
    case MMUEXT_INVLPG_MULTI:
        return vcpus && guest_address(va) ? pv_flush_vcpus(d, vcpus, FLUSH_ONE, va) : 0;
    case MMUEXT_TLB_FLUSH_ALL:
        return pv_flush_vcpus(d, 0, FLUSH_TLB, 0);
    case MMUEXT_INVLPG_ALL:
        return guest_address(va) ? pv_flush_vcpus(d, 0, FLUSH_ONE, va) : 0;
    case MMUEXT_FLUSH_CACHE:
        return flush_caches(d, cpumask_of(this_cpu_id()));
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        return flush_caches(d, cpus_online);
    case MMUEXT_SET_LDT:
        return pv_ldt_valid(va, op->arg2.nr_ents) ? pv_set_ldt(v, va, op->arg2.nr_ents)
                                                  : reject(-EINVAL, "place or length of an LDT");
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
        return reject(-EOPNOTSUPP, "superpages of PV guests");
    default:
        return reject(-ENOSYS, "unknown mmuext operation");
    }
}

static int one_op(struct domain *owner, const struct mmuext_op *op)
{
    struct pv_vcpu *v = to_pv(current);

    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE ... MMUEXT_PIN_L4_TABLE:
        return pv_pin_table(owner, mfn(op->arg1.mfn), op->cmd - MMUEXT_PIN_L1_TABLE + 1);
    case MMUEXT_UNPIN_TABLE:
        return pv_unpin_table(owner, mfn(op->arg1.mfn));
    case MMUEXT_CLEAR_PAGE:
        return clear_page(owner, op->arg1.mfn);
    case MMUEXT_COPY_PAGE:
        return copy_page(owner, op->arg1.mfn, op->arg2.src_mfn);
    }
    if (owner != v->v.domain)
        return reject(-EPERM, "operation on another domain's processor");
    return own_op(v, op);
}

s64 hypercall_mmuext_op(u64 list, u64 count, u64 done_pointer, u64 domain, u64 a4 __unused)
{
    struct mmuext_op chunk[BATCH_CHUNK], *op;
    struct domain *owner;
    struct batch batch;

    if (unlikely(!pv_finish_tables()))
        return hypercall_continue(list, count, done_pointer, domain, 0);
    TRY(batch_begin(&batch, list, count, done_pointer));
    if ((u16)domain == DOMID_IO || (u16)domain == DOMID_XEN)
        return reject(-EPERM, "page tables of no guest");
    TRY(pv_get_frame_owner((u16)domain, POLICY_PAGE_TABLES, &owner));
    while ((op = batch_next(&batch, chunk, sizeof(*op))))
        batch.error = one_op(owner, op);
    perfc_add(mmuext_ops, batch.done);
    pv_put_frame_owner(owner);
    return batch_end(&batch, domain, sizeof(*op));
}
