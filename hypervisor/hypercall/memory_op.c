/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_memory_op: the memory of domains and of the machine, as figures,
 * maps and frames. Reservations and exchange are in memory_reservation.c.
 *
 * Locks: LOCK_DOMAIN for a domain's memory map. Called from hypercall/table.c.
 */
#include "hypercall/memory.h"

#include "core/grant.h"
#include "core/ioreq.h"
#include "core/physmap.h"
#include "memory/alloc.h"
#include "memory/map.h"
#include "memory/p2m.h"

#define MAX_MAP_ENTRIES 1024 /* a domain's memory map */

/* As BIOS INT 15h, E820h gives it. */
struct e820_entry {
    u64 start, size;
    u32 type;
} __packed;

/* The last frame a PV guest says it has; 0: not told yet, as in a domain being restored. */
static s64 last_gfn(struct domain *d)
{
    u64 frames = 0;

    if (d->p2m)
        return (s64)d->p2m->last;
    spin_lock(&d->lock); /* the page goes away when the domain dies */
    if (d->shared_info)
        frames = READ_ONCE(d->shared_info->arch.max_pfn);
    spin_unlock(&d->lock);
    return frames ? (s64)(frames - 1) : 0;
}

/* Operations that ask for one figure of a domain. */
static s64 domain_figure(u32 op, u64 arg)
{
    struct xen_memory_domain m;
    struct domain *d;
    s64 result;
    int error;

    if (guest_copy_in(&m, arg, sizeof(m)))
        return -EFAULT;
    error = policy_target(m.domid, POLICY_MEMORY, &d);
    if (error)
        return error;
    if (op == XENMEM_current_reservation)
        result = READ_ONCE(d->frames.frames.count);
    else if (op == XENMEM_maximum_reservation)
        result = READ_ONCE(d->frames.max);
    else
        result = last_gfn(d);
    domain_put(d);
    return result;
}

static s64 machphys_mfn_list(u64 arg)
{
    struct xen_machphys_mfn_list list;
    u64 extents = (m2p_entries() + M2P_EXTENT_FRAMES - 1) / M2P_EXTENT_FRAMES;
    mfn_t last = mfn(0);
    u32 i;

    if (guest_copy_in(&list, arg, sizeof(list)))
        return -EFAULT;
    for (i = 0; i < list.max_extents && i < extents; i++) {
        mfn_t m = m2p_extent(i);

        /* The tools map all they are told of: a hole repeats what came before. */
        if (!mfn_is_none(m))
            last = m;
        if (guest_copy_out_at(handle_address(list.extent_start), i, &last.raw, sizeof(last.raw)))
            return -EFAULT;
    }
    list.nr_extents = i;
    return guest_copy_out(arg, &list, sizeof(list));
}

static s64 machphys_mapping(u64 arg)
{
    struct xen_machphys_mapping m = {
        .v_start = M2P_RO_START,
        .v_end = MACH2PHYS_VIRT_END,
        .max_mfn = m2p_entries() - 1,
    };

    return guest_copy_out(arg, &m, sizeof(m));
}

static s64 memory_map(u64 arg)
{
    struct domain *d = current->domain;
    struct xen_memory_map map;
    int error = 0;

    if (guest_copy_in(&map, arg, sizeof(map)))
        return -EFAULT;
    spin_lock(&d->lock);
    if (!d->e820_count)
        error = reject(-ENOSYS, "domain without a memory map");
    map.nr_entries = MIN(map.nr_entries, d->e820_count);
    if (!error && guest_copy_out(handle_address(map.buffer), d->e820,
                                 map.nr_entries * sizeof(struct e820_entry)))
        error = -EFAULT;
    spin_unlock(&d->lock);
    return error ? error : guest_copy_out(arg, &map, sizeof(map));
}

static s64 set_memory_map(u64 arg)
{
    struct xen_foreign_memory_map op;
    void *entries = NULL, *old;
    struct domain *d;
    size_t size;
    int error;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.map.nr_entries > MAX_MAP_ENTRIES)
        return reject(-EINVAL, "memory map too long");
    error = policy_target(op.domid, POLICY_MEMORY, &d);
    if (error)
        return error;
    size = op.map.nr_entries * sizeof(struct e820_entry);
    if (size) {
        entries = heap_alloc(size);
        if (!entries)
            error = -ENOMEM;
        else
            error = guest_copy_in(entries, handle_address(op.map.buffer), size);
    }
    if (!error) {
        spin_lock(&d->lock);
        old = d->e820;
        d->e820 = entries;
        d->e820_count = op.map.nr_entries;
        spin_unlock(&d->lock);
        entries = old;
    }
    heap_free(entries);
    domain_put(d);
    return error;
}

/* The machine's own map, for the hardware domain. A NULL buffer asks for the length. */
static s64 machine_memory_map(u64 arg)
{
    struct xen_memory_map map;
    u64 buffer;
    int error = policy_system(current->domain);

    if (error)
        return error;
    if (guest_copy_in(&map, arg, sizeof(map)))
        return -EFAULT;
    buffer = handle_address(map.buffer);
    if (buffer && map.nr_entries < memory_region_count)
        return reject(-EINVAL, "no room for the machine's memory map");
    map.nr_entries = memory_region_count;
    for (u32 i = 0; buffer && i < map.nr_entries; i++) {
        const struct memory_region *r = &memory_regions[i];
        struct e820_entry e = {r->start, r->size, r->type};

        if (guest_copy_out_at(buffer, i, &e, sizeof(e)))
            return -EFAULT;
    }
    return guest_copy_out(arg, &map, sizeof(map));
}

static int add_to_physmap(struct domain *d, u32 space, u64 index, u64 gfn)
{
    mfn_t page;
    int error;

    switch (space) {
    case XENMAPSPACE_shared_info:
        if (index)
            return reject(-EINVAL, "there is one shared_info page");
        return physmap_show(d, gfn, virt_to_mfn(d->shared_info));
    case XENMAPSPACE_grant_table:
        error = grant_frame(d, index & XENMAPIDX_grant_table_status ? GRANT_STATUS : GRANT_SHARED,
                            (u32)MIN(index & ~XENMAPIDX_grant_table_status, (u64)UINT32_MAX),
                            &page);
        return error ? error : physmap_show(d, gfn, page);
    case XENMAPSPACE_gmfn:
        return physmap_move(d, index, gfn);
    default:
        return reject(-EOPNOTSUPP, "no such kind of physmap entry");
    }
}

static int add_batch(struct domain *d, u64 arg)
{
    struct xen_add_to_physmap_batch op;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.space == XENMAPSPACE_gmfn_foreign)
        return reject(-EOPNOTSUPP, "frames of others in a physmap");
    for (u32 i = 0; i < op.size; i++) {
        u64 index, gfn;
        s32 result;

        if (guest_copy_in_at(&index, handle_address(op.idxs), i, sizeof(index)) ||
            guest_copy_in_at(&gfn, handle_address(op.gpfns), i, sizeof(gfn)))
            return -EFAULT;
        result = add_to_physmap(d, op.space, index, gfn);
        if (guest_copy_out_at(handle_address(op.errs), i, &result, sizeof(result)))
            return -EFAULT;
    }
    return 0;
}

/* A PV domain has no physmap of ours to change. */
static s64 physmap_op(u32 op, u64 arg)
{
    domid_t id; /* each of the three structures begins with it */
    struct xen_add_to_physmap add;
    struct xen_remove_from_physmap gone;
    struct domain *d;
    int error;

    if (guest_copy_in(&id, arg, sizeof(id)))
        return -EFAULT;
    error = policy_target(id, POLICY_MEMORY, &d);
    if (error)
        return error;
    if (!d->p2m)
        error = reject(-EACCES, "physmap of a domain that is not translated");
    else if (op == XENMEM_add_to_physmap_batch)
        error = add_batch(d, arg);
    else if (op == XENMEM_add_to_physmap)
        error = guest_copy_in(&add, arg, sizeof(add))
                    ? -EFAULT
                    : add_to_physmap(d, add.space, add.idx, add.gpfn);
    else
        error = guest_copy_in(&gone, arg, sizeof(gone)) ? -EFAULT : physmap_remove(d, gone.gpfn, 0);
    domain_put(d);
    return error;
}

static s64 claim_pages(u64 arg)
{
    struct xen_memory_reservation r;
    struct domain *d;
    int error;

    if (guest_copy_in(&r, arg, sizeof(r)))
        return -EFAULT;
    if (handle_address(r.extent_start) || r.extent_order || r.mem_flags)
        return reject(-EINVAL, "claim with arguments of a reservation");
    error = policy_target(r.domid, POLICY_DOMCTL, &d);
    if (error)
        return error;
    error = memory_claim(&d->frames, r.nr_extents);
    domain_put(d);
    return error ? reject(error, "claim not possible") : 0;
}

static s64 pod_target(u64 arg)
{
    struct xen_pod_target target;
    struct domain *d;
    int error;

    if (guest_copy_in(&target, arg, sizeof(target)))
        return -EFAULT;
    error = policy_target(target.domid, POLICY_DOMCTL, &d);
    if (error)
        return error;
    /* Nothing is ever populated on demand: the target is met by ballooning. */
    target.tot_pages = d->frames.frames.count;
    target.pod_cache_pages = target.pod_entries = 0;
    domain_put(d);
    return guest_copy_out(arg, &target, sizeof(target));
}

static s64 reserved_device_memory_map(u64 arg)
{
    struct xen_reserved_device_memory_map map;

    if (guest_copy_in(&map, arg, sizeof(map)))
        return -EFAULT;
    if (map.flags & ~XENMEM_RDM_ALL)
        return reject(-EINVAL, "unknown flags for reserved device memory");
    map.nr_entries = 0;
    return guest_copy_out(arg, &map, sizeof(map));
}

static s64 get_vnumainfo(u64 arg)
{
    struct xen_vnuma_topology_info info;

    if (guest_copy_in(&info, arg, sizeof(info)))
        return -EFAULT;
    if (info.pad)
        return reject(-EINVAL, "padding set");
    return reject(-EOPNOTSUPP, "no virtual NUMA");
}

static enum grant_frames grant_frames_of(const struct xen_mem_acquire_resource *r)
{
    return r->id == XENMEM_resource_grant_table_id_status ? GRANT_STATUS : GRANT_SHARED;
}

/* How many frames the resource has. */
static s64 resource_frames(const struct xen_mem_acquire_resource *r, struct domain *d, u32 *max)
{
    if (r->type == XENMEM_resource_ioreq_server && d->is_hvm) {
        *max = IOREQ_FRAMES;
        return 0;
    }
    if (r->type != XENMEM_resource_grant_table || !d->grants)
        return reject(-EOPNOTSUPP, "no such resource");
    if (r->id != XENMEM_resource_grant_table_id_shared &&
        r->id != XENMEM_resource_grant_table_id_status)
        return reject(-EINVAL, "no such kind of grant table frames");
    *max = grant_frame_max(d, grant_frames_of(r));
    return 0;
}

/* Frames of the domain's own that the tools want to map. */
static s64 acquire_frames(const struct xen_mem_acquire_resource *r, struct domain *d, u64 start,
                          u64 arg)
{
    u32 max;
    s64 error = resource_frames(r, d, &max);

    if (error)
        return error;
    if (!r->nr_frames && handle_address(r->frame_list))
        return 0;
    if (!r->nr_frames) {
        return guest_copy_out(arg + offsetof(struct xen_mem_acquire_resource, nr_frames), &max,
                              sizeof(max));
    }
    if (r->frame > max || r->nr_frames > max - r->frame)
        return reject(-EINVAL, "resource frames beyond the limit");
    for (u64 i = start; i < r->nr_frames; i++) {
        mfn_t m;

        if (i > start && hypercall_should_yield())
            return hypercall_continue(XENMEM_acquire_resource | i << MEMORY_OP_SHIFT, arg, 0, 0, 0);
        error = r->type == XENMEM_resource_ioreq_server
                    ? ioreq_frame(d, r->id, r->frame + i, &m)
                    : grant_frame(d, grant_frames_of(r), (u32)(r->frame + i), &m);
        if (error)
            return error;
        if (guest_copy_out_at(handle_address(r->frame_list), i, &m.raw, sizeof(m.raw)))
            return -EFAULT;
    }
    return 0;
}

static s64 acquire_resource(u64 start, u64 arg)
{
    struct xen_mem_acquire_resource r;
    struct domain *d;
    s64 result;
    int error;

    if (guest_copy_in(&r, arg, sizeof(r)))
        return -EFAULT;
    if (r.pad || (!handle_address(r.frame_list) && r.nr_frames))
        return reject(-EINVAL, "resource request's padding or list");
    error = policy_target(r.domid, POLICY_DOMCTL, &d);
    if (error)
        return error;
    if (d == current->domain)
        result = reject(-EPERM, "resource of the caller's own");
    else
        result = acquire_frames(&r, d, start, arg);
    domain_put(d);
    return result;
}

s64 hypercall_memory_op(u64 a0, u64 arg, u64 a2 __unused, u64 a3 __unused, u64 a4 __unused)
{
    u32 op = a0 & MEMORY_OP_MASK;
    u64 start = a0 >> MEMORY_OP_SHIFT;

    switch (op) {
    case XENMEM_decrease_reservation:
        ioreq_memory_gone(current->domain);
        return memory_reservation(op, start, arg);
    case XENMEM_increase_reservation:
    case XENMEM_populate_physmap:
        return memory_reservation(op, start, arg);
    case XENMEM_exchange:
        return memory_exchange(arg);
    case XENMEM_maximum_ram_page:
        return (s64)frame_table_end - 1;
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return domain_figure(op, arg);
    case XENMEM_machphys_mfn_list:
    case XENMEM_machphys_compat_mfn_list:
        return machphys_mfn_list(arg);
    case XENMEM_machphys_mapping:
        return machphys_mapping(arg);
    case XENMEM_memory_map:
        return memory_map(arg);
    case XENMEM_set_memory_map:
        return set_memory_map(arg);
    case XENMEM_machine_memory_map:
        return machine_memory_map(arg);
    case XENMEM_add_to_physmap:
    case XENMEM_add_to_physmap_batch:
    case XENMEM_remove_from_physmap:
        ioreq_memory_gone(current->domain);
        return physmap_op(op, arg);
    case XENMEM_claim_pages:
        return claim_pages(arg);
    case XENMEM_set_pod_target:
    case XENMEM_get_pod_target:
        return pod_target(arg);
    case XENMEM_get_sharing_freed_pages:
    case XENMEM_get_sharing_shared_pages:
        return 0;
    case XENMEM_reserved_device_memory_map:
        return reserved_device_memory_map(arg);
    case XENMEM_get_vnumainfo:
        return get_vnumainfo(arg);
    case XENMEM_acquire_resource:
        return acquire_resource(start, arg);
    default:
        return reject(-ENOSYS, "no such memory operation");
    }
}
