/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What memory a domain has: taking more, giving some up, exchanging frames for
 * contiguous or lower ones. For PV domains frames are machine frames, and what
 * a domain calls them only matters for the machine-to-phys table.
 *
 * Increase, decrease and populate answer with the number of extents done,
 * whatever stopped them; there is no errno but -EFAULT for the arguments.
 *
 * Locks: none here; memory/alloc.c takes its own. Called from memory_op.c.
 */
#include "hypercall/memory.h"

#include "core/physmap.h"

/* Orders of the interface's usual limits: 1 GiB for dom0, 2 MiB for guests. */
#define GUEST_MAX_ORDER 9

static u32 memory_max_order(const struct domain *by)
{
    return by->is_control || by->is_hardware ? MAX_ORDER : GUEST_MAX_ORDER;
}

struct reservation {
    struct xen_memory_reservation r;
    struct domain *d;
    u32 address_bits;
    u64 extents; /* the guest's array, 0: none */
};

/* Address limits at least as wide as the machine's memory are no limits. */
static int address_limit(u32 mem_flags, u32 *bits)
{
    u64 top = (frame_table_end - 1) << PAGE_SHIFT;

    *bits = XENMEMF_get_address_bits(mem_flags);
    if (*bits && *bits <= PAGE_SHIFT)
        return reject(-EINVAL, "address limit below a page");
    if (*bits >= 64 || (*bits && !(top >> *bits)))
        *bits = 0;
    return 0;
}

static bool extent_increase(const struct reservation *a, u64 i)
{
    struct frame *f = frames_alloc(&a->d->frames, a->r.extent_order, a->address_bits, 0);

    if (!f)
        return reject(false, "no memory for an extent");
    u64 number = frame_to_mfn(f).raw;
    return !a->extents || !guest_copy_out_at(a->extents, i, &number, sizeof(number));
}

static bool extent_populate(const struct reservation *a, u64 i)
{
    u64 pfn, number;

    if (guest_copy_in_at(&pfn, a->extents, i, sizeof(pfn)))
        return reject(false, "extent list not accessible");
    struct frame *f = frames_alloc(&a->d->frames, a->r.extent_order, a->address_bits, 0);
    if (!f)
        return reject(false, "no memory for an extent");
    number = frame_to_mfn(f).raw;
    if (a->d->p2m) {
        int error = physmap_add(a->d, pfn, f, a->r.extent_order);

        for (u64 k = 0; error && k < 1UL << a->r.extent_order; k++) {
            if (!frame_get(&f[k], &a->d->frames))
                continue; /* the domain's end was faster */
            frame_release(&f[k]);
            frame_put(&f[k]);
        }
        return error ? reject(false, "extent where something is, or nothing can be") : true;
    }
    for (u64 k = 0; k < 1UL << a->r.extent_order; k++)
        m2p_set(mfn(number + k), pfn + k);
    return !guest_copy_out_at(a->extents, i, &number, sizeof(number));
}

/* Gives up one frame of d's; it goes back once nothing uses it any more. */
static bool frame_give_up(struct domain *d, u64 number)
{
    struct frame *f __put_frame = frame_get_from_guest(number, &d->frames);

    if (!f)
        return reject(false, "given up frame is not the domain's");
    if (frame_release(f))
        m2p_set(mfn(number), M2P_INVALID);
    return true;
}

static bool extent_decrease(const struct reservation *a, u64 i)
{
    u64 number;

    if (guest_copy_in_at(&number, a->extents, i, sizeof(number)))
        return reject(false, "extent list not accessible");
    if (a->d->p2m)
        return physmap_remove(a->d, number, a->r.extent_order)
                   ? reject(false, "given up frame is not there")
                   : true;
    for (u64 k = 0; k < 1UL << a->r.extent_order; k++)
        if (!frame_give_up(a->d, number + k))
            return false;
    return true;
}

static bool extent_do(u32 op, const struct reservation *a, u64 i)
{
    switch (op) {
    case XENMEM_increase_reservation:
        return extent_increase(a, i);
    case XENMEM_decrease_reservation:
        return extent_decrease(a, i);
    default:
        return extent_populate(a, i);
    }
}

s64 memory_reservation(u32 op, u64 start, u64 arg)
{
    struct reservation a = {.d = NULL};
    struct domain *d __put_domain = NULL;
    u64 i = start;

    /* Extents done is all these operations ever answer, also here. */
    if (guest_copy_in(&a.r, arg, sizeof(a.r)))
        return (s64)start;
    a.extents = handle_address(a.r.extent_start);
    if (start >= a.r.nr_extents || a.r.nr_extents > ~0UL >> MEMORY_OP_SHIFT)
        return (s64)start;
    if (a.r.extent_order > memory_max_order(current->domain) ||
        address_limit(a.r.mem_flags, &a.address_bits) ||
        (!a.extents && op != XENMEM_increase_reservation) ||
        policy_target(a.r.domid, POLICY_MEMORY, &d))
        return (s64)start;

    a.d = d;
    if (a.d->p2m && op == XENMEM_increase_reservation)
        reject_record("increase of a translated domain", __FILE__, __LINE__, -EOPNOTSUPP);
    else
        for (; i < a.r.nr_extents; i++) {
            if (i > start && hypercall_should_yield())
                return hypercall_continue(op | i << MEMORY_OP_SHIFT, arg, 0, 0, 0);
            if (!extent_do(op, &a, i))
                break;
        }
    return (s64)i;
}

/* An exchange at work: one chunk is as much as the larger extent of the two. */
struct exchange {
    struct xen_memory_exchange x;
    struct domain *d;
    u32 address_bits;
    u64 in_per_chunk, out_per_chunk; /* extents */
    struct frame_list in;            /* taken from d, nobody's now */
    struct frame_list out;           /* first frames of new extents, nobody's yet */
};

/* Everything back as it was. The frames were d's a moment ago: no limit applies. */
static void chunk_undo(struct exchange *e)
{
    struct frame *f;

    while ((f = frame_list_first(&e->out))) {
        frame_list_del(&e->out, f);
        frames_free_unowned(f, e->x.out.extent_order);
    }
    while ((f = frame_list_first(&e->in))) {
        frame_list_del(&e->in, f);
        if (frame_assign(f, &e->d->frames, ALLOC_FORCE))
            frames_free_unowned(f, 0); /* d is dying */
    }
}

static int chunk_take(struct exchange *e, u64 chunk)
{
    for (u64 i = 0; i < e->in_per_chunk; i++) {
        u64 number;

        TRY(guest_copy_in_at(&number, handle_address(e->x.in.extent_start),
                             chunk * e->in_per_chunk + i, sizeof(number)));
        for (u64 k = 0; k < 1UL << e->x.in.extent_order; k++) {
            struct frame *f = frame_from_guest(number + k);

            if (!f || frame_steal(f, &e->d->frames))
                return reject(-EINVAL, "exchanged frame in use or not the domain's");
            frame_list_add_tail(&e->in, f);
        }
    }
    for (u64 i = 0; i < e->out_per_chunk; i++) {
        struct frame *f = frames_alloc(NULL, e->x.out.extent_order, e->address_bits, ALLOC_ZERO);

        if (!f)
            return reject(-ENOMEM, "no memory to exchange for");
        frame_list_add_tail(&e->out, f);
    }
    return 0;
}

/* The new extents become d's. Only the guest's list can still be at fault. */
static int chunk_give(struct exchange *e, u64 chunk)
{
    u64 list = handle_address(e->x.out.extent_start), at = chunk * e->out_per_chunk;
    struct frame *f;
    int error = 0;

    while ((f = frame_list_first(&e->in))) {
        frame_list_del(&e->in, f);
        m2p_set(frame_to_mfn(f), M2P_INVALID);
        frames_free_unowned(f, 0);
    }
    for (; (f = frame_list_first(&e->out)); at++) {
        u64 pfn = 0, number = frame_to_mfn(f).raw;

        frame_list_del(&e->out, f);
        if (guest_copy_in_at(&pfn, list, at, sizeof(pfn)))
            error = -EFAULT;
        for (u64 k = 0; k < 1UL << e->x.out.extent_order; k++) {
            if (frame_assign(&f[k], &e->d->frames, ALLOC_FORCE))
                frames_free_unowned(&f[k], 0); /* d is dying */
            else
                m2p_set(mfn(number + k), pfn + k);
        }
        if (guest_copy_out_at(list, at, &number, sizeof(number)))
            error = -EFAULT;
    }
    return error;
}

static int exchange_check(struct exchange *e)
{
    const struct xen_memory_reservation *in = &e->x.in, *out = &e->x.out;
    u32 order = MAX(in->extent_order, out->extent_order);

    if (order > memory_max_order(current->domain))
        return reject(-EPERM, "exchange of too large extents");
    if (in->domid != out->domid || in->nr_extents > ~0UL >> MAX_ORDER ||
        out->nr_extents > ~0UL >> MAX_ORDER ||
        in->nr_extents << in->extent_order != out->nr_extents << out->extent_order ||
        e->x.nr_exchanged > in->nr_extents)
        return reject(-EINVAL, "exchange of unequal sizes");
    e->in_per_chunk = 1UL << (order - in->extent_order);
    e->out_per_chunk = 1UL << (order - out->extent_order);
    if (e->x.nr_exchanged & (e->in_per_chunk - 1))
        return reject(-EINVAL, "exchange resumed within an extent");
    return address_limit(out->mem_flags, &e->address_bits);
}

s64 memory_exchange(u64 arg)
{
    u64 progress = arg + offsetof(struct xen_memory_exchange, nr_exchanged);
    struct domain *d __put_domain = NULL;
    struct exchange e = {.d = NULL};
    int error = 0;

    TRY(guest_copy_in(&e.x, arg, sizeof(e.x)));
    TRY(exchange_check(&e));
    TRY(policy_target(e.x.in.domid, POLICY_MEMORY, &d));
    if (d->is_hvm)
        return reject(-EOPNOTSUPP, "exchange in a translated domain");
    e.d = d;
    u64 chunk = e.x.nr_exchanged / e.in_per_chunk;
    u64 chunks = e.x.in.nr_extents / e.in_per_chunk;
    for (bool first = true; chunk < chunks && !error; chunk++, first = false) {
        if (!first && hypercall_should_yield()) {
            error = -ERESTART_HYPERCALL;
            break;
        }
        error = chunk_take(&e, chunk);
        if (error) {
            chunk_undo(&e);
            break;
        }
        error = chunk_give(&e, chunk);
    }
    e.x.nr_exchanged = chunk * e.in_per_chunk;
    TRY(guest_copy_out(progress, &e.x.nr_exchanged, sizeof(e.x.nr_exchanged)));
    if (error == -ERESTART_HYPERCALL)
        return hypercall_continue(XENMEM_exchange, arg, 0, 0, 0);
    return error;
}
