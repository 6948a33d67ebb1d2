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
    if (d->p2m)
        return (s64)d->p2m->last;
    spin_hold(&d->lock); /* the page goes away when the domain dies */
    u64 frames = d->shared_info ? READ_ONCE(d->shared_info->arch.max_pfn) : 0;

    return frames ? (s64)(frames - 1) : 0;
}

/* Any of the operations' structures. */
union args {
    struct xen_memory_domain domain;
    struct xen_machphys_mfn_list mfn_list;
    struct xen_machphys_mapping mapping;
    struct xen_memory_map map;
    struct xen_foreign_memory_map foreign_map;
    struct xen_add_to_physmap add;
    struct xen_add_to_physmap_batch batch;
    struct xen_remove_from_physmap gone;
    struct xen_memory_reservation reservation;
    struct xen_pod_target pod;
    struct xen_reserved_device_memory_map reserved;
    struct xen_vnuma_topology_info vnuma;
    struct xen_mem_acquire_resource resource;
};

/* A call with its structure, and the domain that this names (forms[] below), if it does. */
struct call {
    u32 op;
    u64 start, arg; /* progress of the same call before */
    struct domain *d;
    union args a;
};

static s64 domain_figure(struct call *c)
{
    if (c->op == XENMEM_maximum_gpfn)
        return last_gfn(c->d);
    return READ_ONCE(
        *(c->op == XENMEM_current_reservation ? &c->d->frames.frames.count : &c->d->frames.max));
}

static s64 machphys_mfn_list(struct call *c)
{
    struct xen_machphys_mfn_list *list = &c->a.mfn_list;
    u64 extents = (m2p_entries() + M2P_EXTENT_FRAMES - 1) / M2P_EXTENT_FRAMES;
    mfn_t last = mfn(0);
    u32 i;

    for (i = 0; i < list->max_extents && i < extents; i++) {
        mfn_t m = m2p_extent(i);

        /* The tools map all they are told of: a hole repeats what came before. */
        if (!mfn_is_none(m))
            last = m;
        TRY(guest_copy_out_at(handle_address(list->extent_start), i, &last.raw, sizeof(last.raw)));
    }
    list->nr_extents = i;
    return 0;
}

static s64 machphys_mapping(struct call *c)
{
    c->a.mapping = (struct xen_machphys_mapping){
        .v_start = M2P_RO_START, .v_end = MACH2PHYS_VIRT_END, .max_mfn = m2p_entries() - 1};
    return 0;
}

static s64 memory_map(struct call *c)
{
    struct domain *d = current->domain;
    struct xen_memory_map *map = &c->a.map;

    spin_hold(&d->lock);
    if (!d->e820_count)
        return reject(-ENOSYS, "domain without a memory map");
    map->nr_entries = MIN(map->nr_entries, d->e820_count);
    return guest_copy_out(handle_address(map->buffer), d->e820,
                          map->nr_entries * sizeof(struct e820_entry));
}

static s64 set_memory_map(struct call *c)
{
    const struct xen_memory_map *map = &c->a.foreign_map.map;
    size_t size = map->nr_entries * sizeof(struct e820_entry);
    void *entries, *old;

    if (map->nr_entries > MAX_MAP_ENTRIES)
        return reject(-EINVAL, "memory map too long");
    entries = heap_alloc(size);
    if (!entries)
        return -ENOMEM;
    int error = guest_copy_in(entries, handle_address(map->buffer), size);
    if (!error) {
        spin_lock(&c->d->lock);
        old = c->d->e820;
        c->d->e820 = entries;
        c->d->e820_count = map->nr_entries;
        spin_unlock(&c->d->lock);
        entries = old;
    }
    heap_free(entries);
    return error;
}

/* The machine's own map, for the hardware domain. A NULL buffer asks for the length. */
static s64 machine_memory_map(struct call *c)
{
    struct xen_memory_map *map = &c->a.map;
    u64 buffer = handle_address(map->buffer);

    TRY(policy_system(current->domain));
    if (buffer && map->nr_entries < memory_region_count)
        return reject(-EINVAL, "no room for the machine's memory map");
    map->nr_entries = memory_region_count;
    for (u32 i = 0; buffer && i < map->nr_entries; i++) {
        const struct memory_region *r = &memory_regions[i];
        struct e820_entry e = {r->start, r->size, r->type};

        TRY(guest_copy_out_at(buffer, i, &e, sizeof(e)));
    }
    return 0;
}

static int add_to_physmap(struct domain *d, u32 space, u64 index, u64 gfn)
{
    mfn_t page;

    switch (space) {
    case XENMAPSPACE_shared_info:
        if (index)
            return reject(-EINVAL, "there is one shared_info page");
        return physmap_show(d, gfn, virt_to_mfn(d->shared_info));
    case XENMAPSPACE_grant_table:
        TRY(grant_frame(d, index & XENMAPIDX_grant_table_status ? GRANT_STATUS : GRANT_SHARED,
                        (u32)MIN(index & ~XENMAPIDX_grant_table_status, (u64)UINT32_MAX), &page));
        return physmap_show(d, gfn, page);
    case XENMAPSPACE_gmfn:
        return physmap_move(d, index, gfn);
    default:
        return reject(-EOPNOTSUPP, "no such kind of physmap entry");
    }
}

static s64 add_batch(struct domain *d, const struct xen_add_to_physmap_batch *op)
{
    if (op->space == XENMAPSPACE_gmfn_foreign)
        return reject(-EOPNOTSUPP, "frames of others in a physmap");
    for (u32 i = 0; i < op->size; i++) {
        u64 index, gfn;

        TRY(guest_copy_in_at(&index, handle_address(op->idxs), i, sizeof(index)));
        TRY(guest_copy_in_at(&gfn, handle_address(op->gpfns), i, sizeof(gfn)));
        s32 result = add_to_physmap(d, op->space, index, gfn);
        TRY(guest_copy_out_at(handle_address(op->errs), i, &result, sizeof(result)));
    }
    return 0;
}

/* A PV domain has no physmap of ours to change. */
static s64 physmap_op(struct call *c)
{
    const struct xen_add_to_physmap *add = &c->a.add;

    ioreq_memory_gone(current->domain);
    if (!c->d->p2m)
        return reject(-EACCES, "physmap of a domain that is not translated");
    if (c->op == XENMEM_add_to_physmap)
        return add_to_physmap(c->d, add->space, add->idx, add->gpfn);
    return c->op == XENMEM_remove_from_physmap ? physmap_remove(c->d, c->a.gone.gpfn, 0)
                                               : add_batch(c->d, &c->a.batch);
}

static s64 claim_pages(struct call *c)
{
    const struct xen_memory_reservation *r = &c->a.reservation;

    if (handle_address(r->extent_start) || r->extent_order || r->mem_flags)
        return reject(-EINVAL, "claim with arguments of a reservation");
    int error = memory_claim(&c->d->frames, r->nr_extents);
    return error ? reject(error, "claim not possible") : 0;
}

/* Nothing is ever populated on demand: the target is met by ballooning. */
static s64 pod_target(struct call *c)
{
    c->a.pod.tot_pages = c->d->frames.frames.count;
    c->a.pod.pod_cache_pages = c->a.pod.pod_entries = 0;
    return 0;
}

static s64 reserved_device_memory_map(struct call *c)
{
    if (c->a.reserved.flags & ~XENMEM_RDM_ALL)
        return reject(-EINVAL, "unknown flags for reserved device memory");
    c->a.reserved.nr_entries = 0;
    return 0;
}

static s64 get_vnumainfo(struct call *c)
{
    return c->a.vnuma.pad ? reject(-EINVAL, "padding set") : reject(-EOPNOTSUPP, "no virtual NUMA");
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
static s64 acquire_resource(struct call *c)
{
    const struct xen_mem_acquire_resource *r = &c->a.resource;
    u64 list = handle_address(r->frame_list);
    u32 max;

    if (r->pad || (!list && r->nr_frames))
        return reject(-EINVAL, "resource request's padding or list");
    if (c->d == current->domain)
        return reject(-EPERM, "resource of the caller's own");
    TRY(resource_frames(r, c->d, &max));
    if (!r->nr_frames) /* without a list: how many are there? */
        return list ? 0
                    : guest_copy_out(c->arg + offsetof(struct xen_mem_acquire_resource, nr_frames),
                                     &max, sizeof(max));
    if (r->frame > max || r->nr_frames > max - r->frame)
        return reject(-EINVAL, "resource frames beyond the limit");
    for (u64 i = c->start; i < r->nr_frames; i++) {
        mfn_t m;

        if (i > c->start && hypercall_should_yield())
            return hypercall_continue(c->op | i << MEMORY_OP_SHIFT, c->arg, 0, 0, 0);
        TRY(r->type == XENMEM_resource_ioreq_server
                ? ioreq_frame(c->d, r->id, r->frame + i, &m)
                : grant_frame(c->d, grant_frames_of(r), (u32)(r->frame + i), &m));
        TRY(guest_copy_out_at(list, i, &m.raw, sizeof(m.raw)));
    }
    return 0;
}

/* How the operations with a structure are done: its size, what must be allowed on the domain that
 * it names (or it names none: then it is also a result). */
#define ON_DOMAIN(handler, type, rights, result)                                   \
    {                                                                              \
        handler, sizeof(struct type), offsetof(struct type, domid), rights, result \
    }
#define PLAIN(handler, type)                             \
    {                                                    \
        handler, sizeof(struct type), NO_DOMAIN, 0, true \
    }
#define NO_DOMAIN 0xff
static const struct form {
    s64 (*handler)(struct call *c);
    u8 size, domid, rights;
    bool result;
} forms[] = {
    [XENMEM_current_reservation] =
        ON_DOMAIN(domain_figure, xen_memory_domain, POLICY_MEMORY, false),
    [XENMEM_maximum_reservation] =
        ON_DOMAIN(domain_figure, xen_memory_domain, POLICY_MEMORY, false),
    [XENMEM_maximum_gpfn] = ON_DOMAIN(domain_figure, xen_memory_domain, POLICY_MEMORY, false),
    [XENMEM_machphys_mfn_list] = PLAIN(machphys_mfn_list, xen_machphys_mfn_list),
    [XENMEM_machphys_compat_mfn_list] = PLAIN(machphys_mfn_list, xen_machphys_mfn_list),
    [XENMEM_machphys_mapping] = PLAIN(machphys_mapping, xen_machphys_mapping),
    [XENMEM_memory_map] = PLAIN(memory_map, xen_memory_map),
    [XENMEM_set_memory_map] =
        ON_DOMAIN(set_memory_map, xen_foreign_memory_map, POLICY_MEMORY, false),
    [XENMEM_machine_memory_map] = PLAIN(machine_memory_map, xen_memory_map),
    [XENMEM_add_to_physmap] = ON_DOMAIN(physmap_op, xen_add_to_physmap, POLICY_MEMORY, false),
    [XENMEM_add_to_physmap_batch] =
        ON_DOMAIN(physmap_op, xen_add_to_physmap_batch, POLICY_MEMORY, false),
    [XENMEM_remove_from_physmap] =
        ON_DOMAIN(physmap_op, xen_remove_from_physmap, POLICY_MEMORY, false),
    [XENMEM_claim_pages] = ON_DOMAIN(claim_pages, xen_memory_reservation, POLICY_DOMCTL, false),
    [XENMEM_set_pod_target] = ON_DOMAIN(pod_target, xen_pod_target, POLICY_DOMCTL, true),
    [XENMEM_get_pod_target] = ON_DOMAIN(pod_target, xen_pod_target, POLICY_DOMCTL, true),
    [XENMEM_reserved_device_memory_map] =
        PLAIN(reserved_device_memory_map, xen_reserved_device_memory_map),
    [XENMEM_get_vnumainfo] = PLAIN(get_vnumainfo, xen_vnuma_topology_info),
    [XENMEM_acquire_resource] =
        ON_DOMAIN(acquire_resource, xen_mem_acquire_resource, POLICY_DOMCTL, false),
};

static s64 structured(struct call *c)
{
    const struct form *form = c->op < ARRAY_SIZE(forms) ? &forms[c->op] : NULL;
    struct domain *d __put_domain = NULL;
    domid_t id;

    if (!form || !form->handler)
        return reject(-ENOSYS, "no such memory operation");
    TRY(guest_copy_in(&c->a, c->arg, form->size));
    if (form->domid != NO_DOMAIN) {
        memcpy(&id, (char *)&c->a + form->domid, sizeof(id));
        TRY(policy_target(id, form->rights, &d));
        c->d = d;
    }
    TRY(form->handler(c));
    return form->result ? guest_copy_out(c->arg, &c->a, form->size) : 0;
}

s64 hypercall_memory_op(u64 a0, u64 arg, u64, u64, u64)
{
    struct call c = {.op = a0 & MEMORY_OP_MASK, .start = a0 >> MEMORY_OP_SHIFT, .arg = arg};

    switch (c.op) {
    case XENMEM_decrease_reservation:
        ioreq_memory_gone(current->domain);
        return memory_reservation(c.op, c.start, arg);
    case XENMEM_increase_reservation:
    case XENMEM_populate_physmap:
        return memory_reservation(c.op, c.start, arg);
    case XENMEM_exchange:
        return memory_exchange(arg);
    case XENMEM_maximum_ram_page:
        return (s64)frame_table_end - 1;
    case XENMEM_get_sharing_freed_pages:
    case XENMEM_get_sharing_shared_pages:
        return 0;
    default:
        return structured(&c);
    }
}
