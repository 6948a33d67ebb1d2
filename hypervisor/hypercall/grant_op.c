/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_grant_table_op: arrays of requests, worked through one by one, the
 * status of each written back into it. Long arrays continue where they stopped:
 * the arguments then name the rest. core/grant.h has the acts.
 *
 * Locks: none here. Called from hypercall/table.c.
 */
#include "core/grant.h"
#include "hypercall/hypercall.h"

#define CHUNK 16U /* requests copied in at once, and unmapped under one TLB flush */

union request {
    struct gnttab_map_grant_ref map;
    struct gnttab_unmap_grant_ref unmap;
    struct gnttab_unmap_and_replace replace;
    struct gnttab_transfer transfer;
    struct gnttab_copy copy;
    struct gnttab_swap_grant_ref swap;
    struct gnttab_setup_table setup;
    struct gnttab_dump_table dump;
    struct gnttab_query_size query;
    struct gnttab_get_status_frames frames;
    struct gnttab_get_version get_version;
    struct gnttab_set_version set_version;
};

#define SIZE(field) sizeof(((union request *)0)->field)
static const u8 request_size[] = {
    [GNTTABOP_map_grant_ref] = SIZE(map),
    [GNTTABOP_unmap_grant_ref] = SIZE(unmap),
    [GNTTABOP_unmap_and_replace] = SIZE(replace),
    [GNTTABOP_transfer] = SIZE(transfer),
    [GNTTABOP_copy] = SIZE(copy),
    [GNTTABOP_swap_grant_ref] = SIZE(swap),
    [GNTTABOP_setup_table] = SIZE(setup),
    [GNTTABOP_dump_table] = SIZE(dump),
    [GNTTABOP_query_size] = SIZE(query),
    [GNTTABOP_get_status_frames] = SIZE(frames),
    [GNTTABOP_get_version] = SIZE(get_version),
    [GNTTABOP_set_version] = SIZE(set_version),
};

/* Operations on single grants, which come in arrays. */
#define IN_ARRAYS                                                                    \
    (BIT(GNTTABOP_map_grant_ref) | BIT(GNTTABOP_unmap_grant_ref) |                   \
     BIT(GNTTABOP_unmap_and_replace) | BIT(GNTTABOP_transfer) | BIT(GNTTABOP_copy) | \
     BIT(GNTTABOP_swap_grant_ref))

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

/* What is found and held for a list. */
struct holds {
    struct grant_mapper mapper;
    struct grant_copier copier;
};

static void request_do(u32 cmd, void *request, struct holds *holds, struct grant_unmapped *gone)
{
    gnttab_map_grant_ref_t *map = request;
    gnttab_unmap_grant_ref_t *unmap = request;
    gnttab_unmap_and_replace_t *replace = request;
    gnttab_transfer_t *transfer = request;
    gnttab_copy_t *copy = request;
    gnttab_swap_grant_ref_t *swap = request;

    if (cmd == GNTTABOP_map_grant_ref)
        map->status = grant_map(map, &holds->mapper);
    else if (cmd == GNTTABOP_unmap_grant_ref)
        unmap->status = grant_unmap(unmap->host_addr, unmap->dev_bus_addr, 0, unmap->handle, gone,
                                    &holds->mapper);
    else if (cmd == GNTTABOP_copy)
        copy->status = grant_copy(&holds->copier, copy);
    else if (cmd == GNTTABOP_unmap_and_replace)
        replace->status = grant_unmap(replace->host_addr, 0, replace->new_addr, replace->handle,
                                      gone, &holds->mapper);
    else if (cmd == GNTTABOP_transfer)
        transfer->status = grant_transfer(transfer);
    else
        swap->status = grant_swap(swap->ref_a, swap->ref_b);
}

static void chunk_do(u32 cmd, void *requests, u32 n, struct holds *holds)
{
    struct grant_unmapped gone[CHUNK];

    for (u32 i = 0; i < n; i++, requests = (char *)requests + request_size[cmd])
        request_do(cmd, requests, holds, &gone[i]);
    if (cmd == GNTTABOP_unmap_grant_ref || cmd == GNTTABOP_unmap_and_replace)
        grant_unmap_finish(gone, n);
}

static s64 requests_do(u32 cmd, u64 array, u32 count)
{
    const size_t size = request_size[cmd];
    union request chunk[CHUNK]; /* in the array's layout */
    struct holds holds;
    int error = 0;
    u32 done = 0;

    holds.mapper = (struct grant_mapper){0};
    if (cmd == GNTTABOP_copy)
        grant_copy_begin(&holds.copier);

    do {
        u64 at = array + done * size;
        u32 n = MIN(count - done, CHUNK);

        /* Requests before one that cannot be read are done. */
        if (n > 1 && guest_try_copy_in(chunk, at, n * size))
            n = 1;
        if (n == 1)
            error = guest_copy_in(chunk, at, size);
        if (error || !n)
            break;
        chunk_do(cmd, chunk, n, &holds);
        error = guest_copy_out(at, chunk, n * size);
        done += n;
    } while (!error && done < count && !hypercall_should_yield());
    grant_mapper_end(&holds.mapper);
    if (cmd == GNTTABOP_copy)
        grant_copy_end(&holds.copier);
    TRY(error);
    if (done < count)
        return hypercall_continue(cmd, array + done * size, count - done, 0, 0);
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

static s16 setup_table(struct domain *d, const struct gnttab_setup_table *op)
{
    s16 status = op->nr_frames > grant_frame_max(d, GRANT_SHARED)
                     ? GNTST_general_error
                     : status_of(grant_grow(d, op->nr_frames));

    return status ? status
                  : frames_out(d, GRANT_SHARED, op->nr_frames, handle_address(op->frame_list));
}

static s16 status_frames(struct domain *d, const struct gnttab_get_status_frames *op)
{
    if (grant_version(d) != 2 || op->nr_frames > grant_frame_count(d, GRANT_STATUS))
        return GNTST_general_error;
    return frames_out(d, GRANT_STATUS, op->nr_frames, handle_address(op->frame_list));
}

/* The domain whose table a request is about. */
static int table_target(u32 cmd, const union request *r, struct domain **d)
{
    domid_t id = cmd == GNTTABOP_set_version         ? DOMID_SELF
                 : cmd == GNTTABOP_get_status_frames ? r->frames.dom
                                                     : r->setup.dom; /* in front for all others */
    int error = policy_target(id, POLICY_GRANTS, d);

    return !error && !(*d)->grants ? -ESRCH : error;
}

/* Operations on a whole table: one request at a time. Most tell in it how it went. */
static __attribute__((noinline)) s64 table_do(u32 cmd, u64 arg, u32 count)
{
    struct domain *d __put_domain = NULL;
    union request r;

    if (count != 1)
        return reject(-EINVAL, "several grant table requests at once");
    TRY(guest_copy_in(&r, arg, request_size[cmd]));
    if (cmd == GNTTABOP_dump_table && !current->domain->is_control)
        return reject(-EPERM, "dump of a grant table by a guest");
    int error = table_target(cmd, &r, &d);
    switch (cmd) {
    case GNTTABOP_setup_table:
        r.setup.status = error ? status_of(error) : setup_table(d, &r.setup);
        break;
    case GNTTABOP_get_status_frames:
        r.frames.status = error ? status_of(error) : status_frames(d, &r.frames);
        break;
    case GNTTABOP_query_size:
        r.query.status = status_of(error);
        if (!error) {
            r.query.nr_frames = grant_frame_count(d, GRANT_SHARED);
            r.query.max_nr_frames = grant_frame_max(d, GRANT_SHARED);
        }
        break;
    case GNTTABOP_dump_table:
        r.dump.status = status_of(error);
        if (!error)
            grant_dump(d);
        break;
    case GNTTABOP_set_version: /* tells the version there is also when it stays */
        error = grant_set_version(d, r.set_version.version);
        r.set_version.version = grant_version(d);
        return guest_copy_out(arg, &r, request_size[cmd]) ? -EFAULT : error;
    default:
        if (error)
            return error;
        r.get_version.version = grant_version(d);
        break;
    }
    return guest_copy_out(arg, &r, request_size[cmd]);
}

s64 hypercall_grant_table_op(u64 a0, u64 array, u64 a2, u64, u64)
{
    u32 cmd = (u32)a0, count = (u32)a2;

    if ((s32)count < 0)
        return reject(-EINVAL, "negative number of grant requests");
    if (!current->domain->grants)
        return reject(-ENOSYS, "domain without a grant table");
    if (cmd == GNTTABOP_cache_flush)
        return reject(-EOPNOTSUPP, "grant cache flush: caches are coherent");
    if (cmd >= ARRAY_SIZE(request_size) || !request_size[cmd])
        return reject(-ENOSYS, "no such grant table operation");
    return BIT(cmd) & IN_ARRAYS ? requests_do(cmd, array, count) : table_do(cmd, array, count);
}
