/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * domctl on what a domain may touch and on its frames: ranges of I/O memory,
 * ports and interrupts, types of frames for saving, the hypercall page.
 * Range sets are under LOCK_DOMAIN of the domain they belong to.
 */
#include "core/physmap.h"
#include "hypercall/control.h"
#include "memory/p2m.h"

#define IO_PORTS     65536
#define MAX_PFINFO   1024
#define PFINFO_CHUNK 32
#define MACHINE_BITS 52

/* Adds or removes a range which the caller itself has. */
static s64 change_range(struct domain *d, struct rangeset *set, const struct rangeset *own,
                        u64 first, u64 last, bool allow)
{
    struct domain *caller = current->domain;
    bool has = caller->is_hardware;

    if (!has) {
        spin_hold(&caller->lock);
        has = rangeset_contains(own, first, last);
    }
    if (allow && !has)
        return reject(-EPERM, "gives away what it has not");
    spin_hold(&d->lock);
    return allow ? rangeset_add(set, first, last) : rangeset_remove(set, first, last);
}

s64 domctl_irq_permission(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_irq_permission *p = &op->u.irq_permission;

    return change_range(d, &d->irqs, &current->domain->irqs, p->pirq, p->pirq, p->allow_access);
}

s64 domctl_iomem_permission(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_iomem_permission *p = &op->u.iomem_permission;
    u64 last = p->first_mfn + p->nr_mfns - 1;

    if (!p->nr_mfns || last < p->first_mfn || last >> (MACHINE_BITS - PAGE_SHIFT))
        return reject(-EINVAL, "I/O memory range");
    if (p->allow_access && !memory_is_io(mfn_to_paddr(mfn(p->first_mfn)), p->nr_mfns << PAGE_SHIFT))
        return reject(-EPERM, "RAM is no I/O memory");
    return change_range(d, &d->io_memory, &current->domain->io_memory, p->first_mfn, last,
                        p->allow_access);
}

s64 domctl_ioport_permission(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_ioport_permission *p = &op->u.ioport_permission;

    if (!p->nr_ports || p->nr_ports > IO_PORTS || p->first_port > IO_PORTS - p->nr_ports)
        return reject(-EINVAL, "I/O port range");
    return change_range(d, &d->io_ports, &current->domain->io_ports, p->first_port,
                        p->first_port + p->nr_ports - 1, p->allow_access);
}

/* PV guests map machine frames themselves: the permission is all there is. */
s64 domctl_memory_mapping(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_memory_mapping *m = &op->u.memory_mapping;
    u64 last = m->first_mfn + m->nr_mfns - 1;

    if (!m->nr_mfns || last < m->first_mfn || last >> (MACHINE_BITS - PAGE_SHIFT))
        return reject(-EINVAL, "I/O memory range");
    spin_hold(&d->lock);
    return rangeset_contains(&d->io_memory, m->first_mfn, last)
               ? 0
               : reject(-EPERM, "domain may not use this I/O memory");
}

s64 domctl_hypercall_init(struct domain *d, struct xen_domctl *op)
{
    struct frame *f;
    int error = domain_page_take(d, op->u.hypercall_init.gmfn, &f);

    if (error)
        return reject(error == -EPERM ? -EPERM : -EACCES,
                      "hypercall page not the domain's to write");
    hypercall_page_fill(mfn_to_virt(frame_to_mfn(f)));
    domain_page_drop(f);
    return 0;
}

/* XEN_DOMCTL_PFINFO_* of one frame of d. */
static u32 frame_kind(struct domain *d, u64 raw)
{
    static const u32 kinds[] = {
        [TYPE_L1 >> 61] = XEN_DOMCTL_PFINFO_L1TAB,
        [TYPE_L2 >> 61] = XEN_DOMCTL_PFINFO_L2TAB,
        [TYPE_L3 >> 61] = XEN_DOMCTL_PFINFO_L3TAB,
        [TYPE_L4 >> 61] = XEN_DOMCTL_PFINFO_L4TAB,
        [7] = XEN_DOMCTL_PFINFO_NOTAB,
    };
    struct frame *f __put_frame = domain_frame_get(d, raw);

    if (!f)
        return XEN_DOMCTL_PFINFO_XTAB;
    u64 type = READ_ONCE(f->type);
    /* A type without uses is history: the contents need not be entries any more. */
    u32 kind = type & TYPE_COUNT_MASK ? kinds[type >> 61] : XEN_DOMCTL_PFINFO_NOTAB;

    return kind != XEN_DOMCTL_PFINFO_NOTAB && (type & TYPE_PINNED)
               ? kind | XEN_DOMCTL_PFINFO_LPINTAB
               : kind;
}

s64 domctl_getpageframeinfo3(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getpageframeinfo3 *info = &op->u.getpageframeinfo3;
    u64 list = handle_address(info->array), entries[PFINFO_CHUNK];

    if (info->num > MAX_PFINFO)
        return reject(-E2BIG, "more than 1024 frames at once");
    for (u64 done = 0; done < info->num; done += PFINFO_CHUNK) {
        u64 part = MIN(info->num - done, (u64)PFINFO_CHUNK);
        u64 at = list + done * sizeof(entries[0]);
        TRY(guest_copy_in(entries, at, part * sizeof(entries[0])));
        for (u64 i = 0; i < part; i++)
            entries[i] = frame_kind(d, entries[i]);
        TRY(guest_copy_out(at, entries, part * sizeof(entries[0])));
    }
    return 0;
}

#define LOG_CHUNK 4096 /* frames for one turn with the map's lock */

/* One pass over all frames, or for a tool's bitmap the first `pages`. Goes on from p->log.at. */
static s64 log_pass(struct domain *d, enum p2m_log what, u64 pages, u64 list)
{
    struct p2m *p = d->p2m;
    struct p2m_entry e;

    for (u64 *at = &p->log.at; list ? *at < pages : p2m_next(p, *at, &e) != ~0UL;) {
        u64 count = list ? MIN(pages - *at, (u64)LOG_CHUNK) : 0;
        unsigned long dirty[LOG_CHUNK / 64] = {0};

        *at = list ? *at : p2m_next(p, *at, &e) & ~(LOG_CHUNK - 1UL);
        spin_lock(&p->lock);
        p2m_log(p, *at, LOG_CHUNK, what, dirty);
        spin_unlock(&p->lock);
        for (u64 i = 0; i < count; i++)
            p->log.dirty += bit_test(dirty, i);
        if (list)
            TRY(guest_copy_out(list + *at / 8, dirty, (count + 7) / 8));
        *at += LOG_CHUNK;
        if (hypercall_should_yield())
            return -ERESTART_HYPERCALL;
    }
    return 0;
}

/* Logging of dirty frames, for live migration: of translated domains. Turning off what is off
 * is an error that tools know. */
s64 domctl_shadow_op(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_shadow_op *s = &op->u.shadow_op;
    bool peek = s->op == XEN_DOMCTL_SHADOW_OP_PEEK, off = s->op == XEN_DOMCTL_SHADOW_OP_OFF;
    bool read = peek || s->op == XEN_DOMCTL_SHADOW_OP_CLEAN;
    bool enable =
        s->op == XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY ||
        (s->op == XEN_DOMCTL_SHADOW_OP_ENABLE && s->mode == XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY);
    u64 list = read ? handle_address(s->dirty_bitmap) : 0;
    struct p2m *p = d->p2m;
    bool again = p && p->log.at && p->log.op == s->op;
    s64 error;

    if (!(enable || read || off) || (!p && !off))
        return reject(-EOPNOTSUPP, "no dirty logging of this kind or domain");
    if ((!again && (!p || enable == p->log.on)) || (read && (!list || s->pages >> P2M_GFN_BITS)))
        return reject(-EINVAL, "dirty logging is on already, or is off; or its bitmap");
    if (!again) {
        cpu_flush_local(FLUSH_TLB, 0); /* the flush clock goes on: uses from now on are later */
        p->log = (struct p2m_log_state){
            .on = !off, .op = s->op, .clock = p->log.clock, .next_clock = flush_clock_now()};
    }
    error = log_pass(d, peek ? P2M_LOG_PEEK : off ? P2M_LOG_OFF : P2M_LOG_CLEAN, s->pages, list);
    domain_flush(d); /* before a tool reads what it has been told of */
    if (error == -ERESTART_HYPERCALL)
        return error;
    p->log.at = 0;
    p->log.clock = peek ? p->log.clock : p->log.next_clock;
    s->stats = (struct xen_domctl_shadow_op_stats){.dirty_count = p->log.dirty};
    return error;
}
