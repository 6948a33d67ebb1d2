/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a guest's frame numbers to frames, and changes of a translated domain's
 * map. Reading takes no lock: the map may change meanwhile, so the frame is
 * held first and then looked up again; a PV domain's frame is its own or not.
 * Changes are made under LOCK_P2M; CPUs are flushed when it is free again, and
 * only then is what was mapped let go.
 *
 * The machine-to-phys table says where in the map a frame of the domain's own is.
 */
#include "core/physmap.h"

#include "core/guest.h"
#include "cpu/work.h"
#include "memory/p2m.h"

#include <xen/grant_table.h>

struct frame *physmap_frame_get(struct domain *d, u64 number)
{
    for (;;) {
        struct p2m_entry e = p2m_lookup(d->p2m, number);
        if (e.kind == P2M_NONE || e.kind > P2M_LOGDIRTY)
            return NULL;
        struct frame *f = frame_get_from_guest(e.frame.raw, &d->frames);
        if (!f || p2m_lookup(d->p2m, number).frame.raw == e.frame.raw)
            return f;
        frame_put(f);
    }
}

int domain_page_take(struct domain *d, u64 number, struct frame **f)
{
    *f = domain_frame_get(d, number);
    if (!*f)
        return -EINVAL;
    if (!(d->p2m && p2m_lookup(d->p2m, number).kind == P2M_READONLY) && frame_get_writable(*f))
        return 0;
    frame_put(*f);
    return -EPERM;
}

void domain_page_drop(struct frame *f)
{
    frame_put_writable(f);
    frame_put(f);
}

void domain_flush(struct domain *d)
{
    if (d->p2m)
        d->ops->flush(d);
    else
        cpu_flush(&d->dirty_cpus, FLUSH_TLB, 0);
}

int physmap_add(struct domain *d, u64 gfn, struct frame *f, u32 order)
{
    /* Sizes that the processor does not know, or that the place is not aligned for, are
     * made of the next smaller ones. */
    u64 machine = frame_to_mfn(f).raw, i = 0;
    u32 step = order >= 18 && !(gfn & 0x3ffff) ? 18 : order >= 9 && !(gfn & 0x1ff) ? 9 : 0;
    int error = 0;

    /* All under one lock: nobody else gives up what is there half-way. */
    spin_lock(&d->p2m->lock);
    for (; i < 1UL << order && !error; i += error ? 0 : 1UL << step)
        error = p2m_add(d->p2m, gfn + i, mfn(machine + i), step, P2M_RAM);
    for (u64 k = 0; k < i; k++)
        if (!error)
            m2p_set(mfn(machine + k), gfn + k);
        else if (!(k & ((1UL << step) - 1)))
            p2m_take_back(d->p2m, gfn + k, step);
    spin_unlock(&d->p2m->lock);
    if (error && i)
        domain_flush(d);
    return error;
}

/* What was at one guest frame, and is no longer visible to anybody, is let go. */
static void let_go(struct domain *d, const struct p2m_entry *old)
{
    struct frame *f = mfn_to_frame(old->frame);

    if (old->kind == P2M_FOREIGN) {
        frame_put(f);
        return;
    }
    if (old->kind == P2M_DEVICE || !frame_get(f, &d->frames))
        return;
    m2p_set(old->frame, M2P_INVALID);
    if (!(READ_ONCE(f->count) & FRAME_HV))
        frame_release(f);
    frame_put(f);
}

/* Takes one out; the caller flushes. */
static int take_out(struct domain *d, u64 gfn, struct p2m_entry *old)
{
    spin_hold(&d->p2m->lock);
    *old = p2m_lookup(d->p2m, gfn);
    if (old->kind == P2M_GRANT || old->kind == P2M_GRANT_READONLY)
        return -EINVAL;
    return p2m_remove(d->p2m, gfn, old);
}

#define TOGETHER 32 /* frames for one flush */

int physmap_remove(struct domain *d, u64 gfn, u32 order)
{
    struct p2m_entry old[TOGETHER];
    int error = 0;

    for (u64 i = 0; i < 1UL << order && !error;) {
        u32 n = 0;

        while (n < TOGETHER && i < 1UL << order && !error) {
            error = take_out(d, gfn + i, &old[n]);
            if (!error) {
                n++;
                i++;
            }
        }
        if (n)
            domain_flush(d);
        for (u32 k = 0; k < n; k++)
            let_go(d, &old[k]);
    }
    return error;
}

/*
 * Puts a frame of d's at gfn, which it leaves elsewhere, and where it counts as written.
 * The caller holds it. RAM must
 * be `from` there, still: if it is not, another CPU has moved it or given it up. A page
 * of ours (from: NULL) is where the machine-to-phys table says, or nowhere.
 */
static int put_at(struct domain *d, const u64 *from, u64 gfn, mfn_t frame)
{
    int error = 0;

    if (gfn >> P2M_GFN_BITS)
        return -EINVAL;
    if (p2m_lookup(d->p2m, gfn).kind != P2M_NONE) {
        error = physmap_remove(d, gfn, 0);
        if (error && error != -ENOENT)
            return error;
    }
    spin_lock(&d->p2m->lock);
    u64 before = from ? *from : m2p_get(frame);
    struct p2m_entry e = p2m_lookup(d->p2m, before);
    bool there = e.kind != P2M_NONE && e.frame.raw == frame.raw;
    error = there || !from ? 0 : -EINVAL;
    /* Splits the mapping that it is part of, so that it can be taken out afterwards. */
    if (there)
        error = p2m_set_kind(d->p2m, before, e.kind);
    if (!error)
        error = p2m_add(d->p2m, gfn, frame, 0, P2M_RAM);
    if (!error) {
        m2p_set(frame, gfn);
        error = there ? p2m_remove(d->p2m, before, &e) : 0;
        ASSERT(!error);
    }
    spin_unlock(&d->p2m->lock);
    domain_flush(d);
    return error;
}

int physmap_show(struct domain *d, u64 gfn, mfn_t page)
{
    struct p2m_entry there = p2m_lookup(d->p2m, gfn);

    return there.kind == P2M_RAM && there.frame.raw == page.raw ? 0 : put_at(d, NULL, gfn, page);
}

int physmap_move(struct domain *d, u64 from, u64 to)
{
    struct frame *f __put_frame = domain_frame_get(d, from);

    if (!f)
        return -EINVAL;
    return from == to ? 0 : put_at(d, &from, to, frame_to_mfn(f));
}

int physmap_protect(struct domain *d, u64 gfn, bool readonly)
{
    spin_hold(&d->p2m->lock);
    struct p2m_entry e = p2m_lookup(d->p2m, gfn);
    if (e.kind == P2M_RAM || e.kind == P2M_LOGDIRTY)
        return readonly ? p2m_set_kind(d->p2m, gfn, P2M_READONLY) : 0;
    if (e.kind != P2M_READONLY)
        return -EINVAL;
    return readonly ? 0 : p2m_set_kind(d->p2m, gfn, P2M_RAM);
}

s16 physmap_map_grant(struct domain *d, u64 address, mfn_t frame, u32 flags)
{
    if ((address & ~PAGE_MASK) || (flags & GNTMAP_contains_pte))
        return GNTST_general_error;
    spin_hold(&d->p2m->lock);
    if (p2m_add(d->p2m, address >> PAGE_SHIFT, frame, 0,
                flags & GNTMAP_readonly ? P2M_GRANT_READONLY : P2M_GRANT))
        return reject(GNTST_general_error, "grant mapped where something is, or nothing can be");
    return GNTST_okay;
}

s16 physmap_unmap_grant(struct domain *d, u64 address, mfn_t frame, u64 new_address)
{
    if (new_address)
        return GNTST_general_error;
    spin_hold(&d->p2m->lock);
    struct p2m_entry e = p2m_lookup(d->p2m, address >> PAGE_SHIFT);
    if ((e.kind != P2M_GRANT && e.kind != P2M_GRANT_READONLY) || e.frame.raw != frame.raw ||
        p2m_remove(d->p2m, address >> PAGE_SHIFT, &e))
        return reject(GNTST_general_error, "no such grant mapping");
    return GNTST_okay;
}
