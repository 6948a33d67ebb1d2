/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dm_op: what a device model may do to the domain whose devices it plays
 * (public/hvm/dm_op.h). The arguments lie in buffers that the caller names, the
 * first holds struct xen_dm_op. No locks of its own.
 */
#include "core/access.h"
#include "core/continuation.h"
#include "core/ioreq.h"
#include "core/physmap.h"
#include "hvm/dev/irq.h"
#include "hvm/hvm.h"
#include "core/policy.h"

#include <xen/hvm/dm_op.h>

#define BUFFERS 2

struct dm_call {
    struct domain *d;
    struct xen_dm_op op;
    struct xen_dm_op_buf buffers[BUFFERS];
    u32 count;
};

static s64 create_server(struct dm_call *c)
{
    struct xen_dm_op_create_ioreq_server *op = &c->op.u.create_ioreq_server;

    if (op->pad[0] || op->pad[1] || op->pad[2])
        return reject(-EINVAL, "padding set");
    return ioreq_create(c->d, op->handle_bufioreq, &op->id);
}

/* Pages are had by XENMEM_acquire_resource only: none of the guest's are taken for them. */
static s64 server_info(struct dm_call *c)
{
    struct xen_dm_op_get_ioreq_server_info *op = &c->op.u.get_ioreq_server_info;

    if (op->flags & ~XEN_DMOP_no_gfns)
        return reject(-EINVAL, "unknown flags");
    if (!(op->flags & XEN_DMOP_no_gfns))
        return reject(-EOPNOTSUPP, "device model's pages in guest memory");
    return ioreq_buffer_port(c->d, op->id, &op->bufioreq_port);
}

static s64 server_range(struct dm_call *c)
{
    const struct xen_dm_op_ioreq_server_range *op = &c->op.u.map_io_range_to_ioreq_server;

    if (op->pad)
        return reject(-EINVAL, "padding set");
    return ioreq_claim(c->d, op->id, op->type, op->start, op->end,
                       c->op.op == XEN_DMOP_map_io_range_to_ioreq_server);
}

static s64 server_state(struct dm_call *c)
{
    const struct xen_dm_op_set_ioreq_server_state *op = &c->op.u.set_ioreq_server_state;

    return op->pad ? reject(-EINVAL, "padding set") : ioreq_enable(c->d, op->id, op->enabled);
}

static s64 destroy_server(struct dm_call *c)
{
    const struct xen_dm_op_destroy_ioreq_server *op = &c->op.u.destroy_ioreq_server;

    return op->pad ? reject(-EINVAL, "padding set") : ioreq_destroy(c->d, op->id);
}

static s64 set_intx(struct dm_call *c)
{
    const struct xen_dm_op_set_pci_intx_level *op = &c->op.u.set_pci_intx_level;

    if (op->domain || op->bus || op->level > 1)
        return reject(-EINVAL, "no such PCI interrupt line");
    return hvm_pci_intx_set(c->d, op->device, op->intx, op->level);
}

static s64 set_isa(struct dm_call *c)
{
    const struct xen_dm_op_set_isa_irq_level *op = &c->op.u.set_isa_irq_level;

    return op->level > 1 ? reject(-EINVAL, "no such level")
                         : hvm_isa_irq_set(c->d, op->isa_irq, op->level);
}

static s64 set_link(struct dm_call *c)
{
    const struct xen_dm_op_set_pci_link_route *op = &c->op.u.set_pci_link_route;

    return hvm_pci_link_set(c->d, op->link, op->isa_irq);
}

static s64 inject_msi(struct dm_call *c)
{
    const struct xen_dm_op_inject_msi *op = &c->op.u.inject_msi;

    return op->pad ? reject(-EINVAL, "padding set") : hvm_msi_deliver(c->d, op->addr, op->data);
}

/* ROM or RAM; where there is neither, nothing changes, as firmware's areas have holes. */
static s64 set_memory_type(struct dm_call *c)
{
    struct xen_dm_op_set_mem_type *op = &c->op.u.set_mem_type;
    bool more = false;

    if (op->pad || op->first_pfn >> P2M_GFN_BITS)
        return reject(-EINVAL, "no such guest frames");
    if (op->mem_type != HVMMEM_ram_rw && op->mem_type != HVMMEM_ram_ro)
        return reject(-EOPNOTSUPP, "memory type that is not there");
    while (op->nr && !more) {
        (void)physmap_protect(c->d, op->first_pfn, op->mem_type == HVMMEM_ram_ro);
        op->first_pfn++;
        more = --op->nr && hypercall_should_yield();
    }
    domain_flush(c->d);
    return more ? -ERESTART_HYPERCALL : 0;
}

/* Nothing has to be done: memory types are the guest's, caches are coherent. */
static s64 set_cache_type(struct dm_call *c)
{
    const struct xen_dm_op_pin_memory_cacheattr *op = &c->op.u.pin_memory_cacheattr;

    if (op->pad || op->end < op->start)
        return reject(-EINVAL, "no such range of guest frames");
    return 0;
}

static bool beyond_map(u64 first, u32 count)
{
    return (first | (first + count)) >> P2M_GFN_BITS;
}

#define SCREEN_MAX (256UL << (20 - PAGE_SHIFT))

/* Which frames of a screen's memory have been written since it was asked for them last. */
static s64 track_screen(struct dm_call *c)
{
    const struct xen_dm_op_track_dirty_vram *op = &c->op.u.track_dirty_vram;
    const struct xen_dm_op_buf *b = &c->buffers[1];
    u64 bytes = (op->nr + 7UL) / 8;
    unsigned long *dirty __heap_freed = NULL;

    if (op->pad || op->nr > SCREEN_MAX || beyond_map(op->first_pfn, op->nr))
        return reject(-EINVAL, "no such memory of a screen");
    if (op->nr && (c->count < 2 || b->size < bytes))
        return reject(-EINVAL, "no room for the bitmap");
    dirty = heap_zalloc(bytes + sizeof(*dirty));
    if (!dirty)
        return -ENOMEM;
    p2m_log_screen(c->d->p2m, op->first_pfn, op->nr, dirty);
    domain_flush(c->d); /* before it reads what it is told of */
    return guest_copy_out(handle_address(b->h), dirty, bytes);
}

/* From the last extent to the first: what is left to do, or is wrong, stands in the operation. */
static s64 modified(struct dm_call *c)
{
    struct xen_dm_op_modified_memory *op = &c->op.u.modified_memory;
    const struct xen_dm_op_buf *b = &c->buffers[1];
    struct xen_dm_op_modified_memory_extent e;

    while (op->nr_extents) {
        if (c->count < 2 || op->nr_extents > b->size / sizeof(e) ||
            guest_copy_in_at(&e, handle_address(b->h), op->nr_extents - 1, sizeof(e)))
            return reject(-EFAULT, "extents not readable");
        if (e.pad || beyond_map(e.first_pfn, e.nr))
            return reject(-EINVAL, "no such guest frames");
        for (; op->opaque < e.nr; op->opaque++) {
            if (hypercall_should_yield())
                return -ERESTART_HYPERCALL;
            p2m_written(c->d->p2m, e.first_pfn + op->opaque);
        }
        op->opaque = 0;
        op->nr_extents--;
    }
    return 0;
}

static s64 shut_down(struct dm_call *c)
{
    domain_shutdown(c->d, c->op.u.remote_shutdown.reason);
    return 0;
}

static s64 relocate(struct dm_call *c)
{
    struct xen_dm_op_relocate_memory *op = &c->op.u.relocate_memory;
    int error = 0;

    if (op->pad)
        return reject(-EINVAL, "padding set");
    while (op->size && !error) {
        u64 n = op->size - 1;

        error = physmap_move(c->d, op->src_gfn + n, op->dst_gfn + n);
        if (!error && --op->size && hypercall_should_yield())
            return -ERESTART_HYPERCALL;
    }
    return error;
}

static s64 count_vcpus(struct dm_call *c)
{
    c->op.u.nr_vcpus.vcpus = c->d->max_vcpus;
    return 0;
}

static const struct {
    s64 (*act)(struct dm_call *c);
    bool back; /* the structure is an answer, too */
} operations[] = {
    [XEN_DMOP_create_ioreq_server] = {create_server, true},
    [XEN_DMOP_get_ioreq_server_info] = {server_info, true},
    [XEN_DMOP_map_io_range_to_ioreq_server] = {server_range, false},
    [XEN_DMOP_unmap_io_range_from_ioreq_server] = {server_range, false},
    [XEN_DMOP_set_ioreq_server_state] = {server_state, false},
    [XEN_DMOP_destroy_ioreq_server] = {destroy_server, false},
    [XEN_DMOP_set_pci_intx_level] = {set_intx, false},
    [XEN_DMOP_set_isa_irq_level] = {set_isa, false},
    [XEN_DMOP_set_pci_link_route] = {set_link, false},
    [XEN_DMOP_track_dirty_vram] = {track_screen, false},
    [XEN_DMOP_modified_memory] = {modified, true},
    [XEN_DMOP_set_mem_type] = {set_memory_type, true},
    [XEN_DMOP_inject_msi] = {inject_msi, false},
    [XEN_DMOP_remote_shutdown] = {shut_down, false},
    [XEN_DMOP_relocate_memory] = {relocate, true},
    [XEN_DMOP_pin_memory_cacheattr] = {set_cache_type, false},
    [XEN_DMOP_nr_vcpus] = {count_vcpus, true},
};

/* Buffer 0 may be shorter than the structure: what is missing is zero. */
static s64 copy_op(struct dm_call *c, bool in)
{
    const struct xen_dm_op_buf *b = &c->buffers[0];
    size_t size = MIN((size_t)b->size, sizeof(c->op));

    return in ? guest_copy_in(&c->op, handle_address(b->h), size)
              : guest_copy_out(handle_address(b->h), &c->op, size);
}

static s64 dispatch(struct dm_call *c)
{
    u32 op = c->op.op;
    s64 result;

    if (c->op.pad)
        return reject(-EINVAL, "padding set");
    if (op >= ARRAY_SIZE(operations) || !operations[op].act)
        return reject(-EOPNOTSUPP, "no such operation of a device model");
    result = operations[op].act(c);
    if (operations[op].back && copy_op(c, false))
        return reject(-EFAULT, "operation not writable");
    return result;
}

s64 hypercall_dm_op(u64 domid, u64 count, u64 buffers, u64 a3, u64 a4)
{
    struct dm_call c = {.count = (u32)MIN(count, (u64)BUFFERS)};
    s64 result;

    (void)a3, (void)a4;
    if (!c.count || count > UINT32_MAX)
        return reject(-EINVAL, "operation without its buffer");
    for (u32 i = 0; i < c.count; i++)
        if (guest_copy_in_at(&c.buffers[i], buffers, i, sizeof(c.buffers[i])))
            return reject(-EFAULT, "buffers not readable");
    if (copy_op(&c, true))
        return reject(-EFAULT, "operation not readable");
    result = policy_target((domid_t)domid, POLICY_DOMCTL, &c.d);
    if (result)
        return result;
    if (!c.d->is_hvm || c.d == current->domain)
        result = reject(-EINVAL, "device model of a domain that has none");
    else
        result = dispatch(&c);
    domain_put(c.d);
    return result == -ERESTART_HYPERCALL ? hypercall_continue(domid, count, buffers, 0, 0) : result;
}
