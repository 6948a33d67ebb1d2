/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_grant_table_op: arrays of requests, worked through one by one, the
 * status of each written back into it. Long arrays continue where they stopped:
 * the arguments then name the rest. core/grant.h has the acts.
 *
 * Locks: none here. Called from hypercall/table.c.
 */
#include "core/grant.h"
#include "hypercall/access.h"
#include "hypercall/hypercall.h"
#include "hypercall/policy.h"

#define UNMAP_BATCH 16 /* unmapped under one TLB flush */

union request {
    struct gnttab_map_grant_ref map;
    struct gnttab_unmap_grant_ref unmap;
    struct gnttab_unmap_and_replace replace;
    struct gnttab_transfer transfer;
    struct gnttab_copy copy;
    struct gnttab_swap_grant_ref swap;
};

static s16 status_of(int error)
{
    switch (error) {
    case 0:
        return GNTST_okay;
    case -ESRCH:
        return GNTST_bad_domain;
    case -EPERM:
        return GNTST_permission_denied;
    default:
        return GNTST_general_error;
    }
}

/* The domain whose table a request is about. GNTST_*. */
static s16 table_target(domid_t id, struct domain **d)
{
    int error = policy_target(id, POLICY_GRANTS, d);

    if (!error && !(*d)->grants) {
        domain_put(*d);
        error = -ESRCH;
    }
    return status_of(error);
}

/* One request; unmaps note what is to be given up after the flush. */
static void request_do(u32 cmd, union request *r, struct grant_unmapped *gone,
                       struct grant_copier *copier)
{
    switch (cmd) {
    case GNTTABOP_map_grant_ref:
        r->map.status = grant_map(&r->map);
        break;
    case GNTTABOP_unmap_grant_ref:
        r->unmap.status =
            grant_unmap(r->unmap.host_addr, r->unmap.dev_bus_addr, 0, r->unmap.handle, gone);
        break;
    case GNTTABOP_unmap_and_replace:
        r->replace.status =
            grant_unmap(r->replace.host_addr, 0, r->replace.new_addr, r->replace.handle, gone);
        break;
    case GNTTABOP_transfer:
        r->transfer.status = grant_transfer(&r->transfer);
        break;
    case GNTTABOP_copy:
        r->copy.status = grant_copy(copier, &r->copy);
        break;
    default:
        r->swap.status = grant_swap(r->swap.ref_a, r->swap.ref_b);
        break;
    }
}

static s64 requests_do(u32 cmd, u64 array, u32 count, size_t size)
{
    struct grant_unmapped gone[UNMAP_BATCH];
    struct grant_copier copier = {0};
    u32 done = 0, pending = 0;
    int error = 0;

    while (done < count && !error) {
        union request r;

        error = guest_copy_in_at(&r, array, done, size);
        if (error)
            break;
        gone[pending] = (struct grant_unmapped){0};
        request_do(cmd, &r, &gone[pending], &copier);
        if (gone[pending].use.granter || gone[pending].flush)
            pending++;
        error = guest_copy_out_at(array, done, &r, size);
        done++;
        if (pending == UNMAP_BATCH) {
            grant_unmap_finish(gone, pending);
            pending = 0;
        }
        if (!error && done < count && hypercall_should_yield())
            break;
    }
    if (pending)
        grant_unmap_finish(gone, pending);
    grant_copy_end(&copier);
    if (error)
        return reject(error, "grant requests not accessible");
    if (done < count)
        return hypercall_continue(cmd, array + (u64)done * size, count - done, 0, 0);
    return 0;
}

/* Writes the numbers of the first n frames of a kind to a guest's array. */
static s16 frames_out(struct domain *d, enum grant_frames which, u32 n, u64 array)
{
    for (u32 i = 0; i < n; i++) {
        mfn_t m;

        if (grant_frame(d, which, i, &m))
            return GNTST_general_error;
        if (guest_copy_out_at(array, i, &m.raw, sizeof(m.raw)))
            return GNTST_bad_virt_addr;
    }
    return GNTST_okay;
}

static s64 setup_table(u64 arg)
{
    struct gnttab_setup_table op;
    struct domain *d;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    op.status = table_target(op.dom, &d);
    if (!op.status) {
        if (op.nr_frames > grant_frame_max(d, GRANT_SHARED))
            op.status = GNTST_general_error;
        else
            op.status = status_of(grant_grow(d, op.nr_frames));
        if (!op.status)
            op.status = frames_out(d, GRANT_SHARED, op.nr_frames, handle_address(op.frame_list));
        domain_put(d);
    }
    return guest_copy_out(arg, &op, sizeof(op));
}

static s64 query_size(u64 arg)
{
    struct gnttab_query_size op;
    struct domain *d;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    op.status = table_target(op.dom, &d);
    if (!op.status) {
        op.nr_frames = grant_frame_count(d, GRANT_SHARED);
        op.max_nr_frames = grant_frame_max(d, GRANT_SHARED);
        domain_put(d);
    }
    return guest_copy_out(arg, &op, sizeof(op));
}

static s64 get_status_frames(u64 arg)
{
    struct gnttab_get_status_frames op;
    struct domain *d;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    op.status = table_target(op.dom, &d);
    if (!op.status) {
        if (grant_version(d) != 2 || op.nr_frames > grant_frame_count(d, GRANT_STATUS))
            op.status = GNTST_general_error;
        else
            op.status = frames_out(d, GRANT_STATUS, op.nr_frames, handle_address(op.frame_list));
        domain_put(d);
    }
    return guest_copy_out(arg, &op, sizeof(op));
}

static s64 set_version(u64 arg)
{
    struct gnttab_set_version op;
    int error;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    error = grant_set_version(current->domain, op.version);
    op.version = grant_version(current->domain);
    if (guest_copy_out(arg, &op, sizeof(op)))
        return -EFAULT;
    return error;
}

static s64 get_version(u64 arg)
{
    struct gnttab_get_version op;
    struct domain *d;
    int error;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    error = policy_target(op.dom, POLICY_GRANTS, &d);
    if (error)
        return error;
    error = d->grants ? 0 : -ESRCH;
    if (!error)
        op.version = grant_version(d);
    domain_put(d);
    return error ? error : guest_copy_out(arg, &op, sizeof(op));
}

static s64 dump_table(u64 arg)
{
    struct gnttab_dump_table op;
    struct domain *d;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (!current->domain->is_control)
        return reject(-EPERM, "dump of a grant table by a guest");
    op.status = table_target(op.dom, &d);
    if (!op.status) {
        grant_dump(d);
        domain_put(d);
    }
    return guest_copy_out(arg, &op, sizeof(op));
}

/* Operations on a whole table: one request at a time. */
static s64 table_do(u32 cmd, u64 arg, u32 count)
{
    if (count != 1)
        return reject(-EINVAL, "several grant table requests at once");
    switch (cmd) {
    case GNTTABOP_setup_table:
        return setup_table(arg);
    case GNTTABOP_dump_table:
        return dump_table(arg);
    case GNTTABOP_query_size:
        return query_size(arg);
    case GNTTABOP_set_version:
        return set_version(arg);
    case GNTTABOP_get_status_frames:
        return get_status_frames(arg);
    default:
        return get_version(arg);
    }
}

s64 hypercall_grant_table_op(u64 a0, u64 a1, u64 a2, u64 a3 __unused, u64 a4 __unused)
{
    u32 cmd = (u32)a0, count = (u32)a2;

    if ((s32)count < 0)
        return reject(-EINVAL, "negative number of grant requests");
    if (!current->domain->grants)
        return reject(-ENOSYS, "domain without a grant table");
    switch (cmd) {
    case GNTTABOP_map_grant_ref:
        return requests_do(cmd, a1, count, sizeof(struct gnttab_map_grant_ref));
    case GNTTABOP_unmap_grant_ref:
        return requests_do(cmd, a1, count, sizeof(struct gnttab_unmap_grant_ref));
    case GNTTABOP_unmap_and_replace:
        return requests_do(cmd, a1, count, sizeof(struct gnttab_unmap_and_replace));
    case GNTTABOP_transfer:
        return requests_do(cmd, a1, count, sizeof(struct gnttab_transfer));
    case GNTTABOP_copy:
        return requests_do(cmd, a1, count, sizeof(struct gnttab_copy));
    case GNTTABOP_swap_grant_ref:
        return requests_do(cmd, a1, count, sizeof(struct gnttab_swap_grant_ref));
    case GNTTABOP_setup_table:
    case GNTTABOP_dump_table:
    case GNTTABOP_query_size:
    case GNTTABOP_set_version:
    case GNTTABOP_get_status_frames:
    case GNTTABOP_get_version:
        return table_do(cmd, a1, count);
    case GNTTABOP_cache_flush:
        return reject(-EOPNOTSUPP, "grant cache flush: caches are coherent");
    default:
        return reject(-ENOSYS, "no such grant table operation");
    }
}
