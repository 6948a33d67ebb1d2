/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grants without mappings: copies, transfers of frames, swapped entries; and
 * the dump for debugging.
 *
 * Locks: LOCK_GRANT, of one domain at a time; the bytes are copied with none
 * held, under the uses' references, which end with the request's batch.
 * Callers: hypercall/grant_op.c.
 */
#include "core/grant_private.h"
#include "core/physmap.h"

/* Ends the use of a grant or frame; stays with the granting domain. */
static void side_release(struct grant_side *s, bool write)
{
    if (s->use2.granter)
        grant_use_end(&s->use2);
    if (s->granter2)
        domain_put(s->granter2);
    if (s->use.granter)
        grant_use_end(&s->use);
    if (s->frame && !s->by_ref) {
        if (write)
            frame_put_writable(s->frame);
        frame_put(s->frame);
    }
    s->use.granter = s->use2.granter = s->granter2 = NULL;
    s->frame = NULL;
}

static void side_end(struct grant_side *s, bool write)
{
    side_release(s, write);
    if (s->granter)
        domain_put(s->granter);
    s->granter = NULL;
}

struct domain *grant_granter(domid_t id)
{
    struct domain *d = domain_get(id);

    if (!d || d->grants)
        return d;
    domain_put(d);
    return NULL;
}

/* The grant that a transitive grant of `via` leads to; via is its user. */
static s16 side_follow(struct grant_side *s, domid_t via, bool write)
{

    s->granter2 = grant_granter(s->use.trans_domid);
    if (!s->granter2)
        return reject(GNTST_general_error, "transitive grant of no domain");
    TRY(grant_use_begin(s->granter2, s->use.trans_ref, via, write, true, &s->use2));
    if (!s->use2.frame)
        return reject(GNTST_general_error, "transitive grant of a transitive grant");
    s->frame = s->use2.frame;
    s->start = s->use2.start;
    s->length = s->use2.length;
    return GNTST_okay;
}

static s16 side_of_frame(struct grant_side *s, const struct gnttab_copy_ptr *p, bool write)
{
    struct domain *d = current->domain;

    if (p->domid != DOMID_SELF)
        return reject(GNTST_permission_denied, "copy by frame number of another domain");
    struct frame *f = domain_frame_get(d, p->u.gmfn);
    if (!f)
        return reject(GNTST_bad_page, "copy with a frame that is not the caller's");
    if (write && !frame_get_writable(f)) {
        frame_put(f);
        return reject(GNTST_general_error, "copy to a page table");
    }
    s->frame = f;
    s->start = 0;
    s->length = PAGE_SIZE;
    return GNTST_okay;
}

static s16 side_of_grant(struct grant_side *s, const struct gnttab_copy_ptr *p, bool write)
{

    if (!s->granter)
        s->granter = grant_granter(p->domid);
    if (!s->granter)
        return reject(GNTST_bad_domain, "no such granting domain");
    TRY(grant_use_begin(s->granter, p->u.ref, current->domain->id, write, true, &s->use));
    if (!s->use.frame)
        return side_follow(s, s->granter->id, write);
    s->frame = s->use.frame;
    s->start = s->use.start;
    s->length = s->use.length;
    return GNTST_okay;
}

/* Makes s what p asks for: it may be that already. */
static s16 side_begin(struct grant_side *s, const struct gnttab_copy_ptr *p, bool by_ref,
                      bool write)
{
    u64 name = by_ref ? p->u.ref : p->u.gmfn;

    if (s->frame) {
        if (s->by_ref == by_ref && s->domid == p->domid && s->name == name)
            return GNTST_okay;
        side_release(s, write);
    }
    if (s->granter && s->domid != p->domid) {
        domain_put(s->granter);
        s->granter = NULL;
    }
    s->by_ref = by_ref;
    s->domid = p->domid;
    s->name = name;
    s16 status = by_ref ? side_of_grant(s, p, write) : side_of_frame(s, p, write);
    if (status)
        side_end(s, write);
    return status;
}

static s16 side_range(const struct grant_side *s, u32 offset, u32 length)
{
    if (offset < s->start || offset + length > s->start + s->length)
        return reject(GNTST_general_error, "copy outside of what is granted");
    return GNTST_okay;
}

s16 grant_copy(struct grant_copier *copier, const struct gnttab_copy *op)
{
    struct grant_side *from = &copier->from, *to = &copier->to;

    if (op->source.offset + op->len > PAGE_SIZE || op->dest.offset + op->len > PAGE_SIZE)
        return reject(GNTST_bad_copy_arg, "copy across the end of a page");
    TRY(side_begin(from, &op->source, op->flags & GNTCOPY_source_gref, false));
    TRY(side_range(from, op->source.offset, op->len));
    TRY(side_begin(to, &op->dest, op->flags & GNTCOPY_dest_gref, true));
    TRY(side_range(to, op->dest.offset, op->len));
    /* The two may be the same bytes: the guest's own affair, but no overlap for us. */
    memmove((char *)mfn_to_virt(frame_to_mfn(to->frame)) + op->dest.offset,
            (char *)mfn_to_virt(frame_to_mfn(from->frame)) + op->source.offset, op->len);
    return GNTST_okay;
}

void grant_copy_end(struct grant_copier *copier)
{
    side_end(&copier->to, true);
    side_end(&copier->from, false);
}

/* Takes the receiver's word that it wants a frame from `from` in this slot. */
static bool transfer_commit(struct grant_table *t, u32 ref, domid_t from)
{
    u32 *word, wanted = GTF_accept_transfer | (u32)from << 16;

    spin_hold(&t->lock);
    if (ref >= grant_entries(t))
        return false;
    ref = (u32)index_clamp(ref, grant_entries(t));
    word = t->version == 1 ? (u32 *)grant_v1(t, ref) : (u32 *)grant_v2(t, ref);
    return atomic_cmpxchg(word, wanted, wanted | GTF_transfer_committed) == wanted;
}

/* Tells the receiver which frame came, and what it wanted to call it. */
static void transfer_complete(struct grant_table *t, u32 ref, mfn_t m)
{
    spin_hold(&t->lock);
    if (ref >= grant_entries(t))
        return;
    ref = (u32)index_clamp(ref, grant_entries(t));
    if (t->version == 1) {
        struct grant_entry_v1 *e = grant_v1(t, ref);

        m2p_set(m, READ_ONCE(e->frame));
        WRITE_ONCE(e->frame, (u32)m.raw);
        atomic_or(&e->flags, (u16)GTF_transfer_completed);
    } else {
        union grant_entry_v2 *e = grant_v2(t, ref);

        m2p_set(m, READ_ONCE(e->full_page.frame));
        WRITE_ONCE(e->full_page.frame, m.raw);
        atomic_or(&e->hdr.flags, (u16)GTF_transfer_completed);
    }
}

/* Only a bad page stays with the caller; whatever else goes wrong, it is gone. */
s16 grant_transfer(const struct gnttab_transfer *op)
{
    struct domain *d = current->domain, *to __put_domain = grant_granter(op->domid);
    struct frame *f = frame_from_guest(op->mfn);
    s16 status;

    if (!f || frame_steal(f, &d->frames))
        return reject(GNTST_bad_page, "transfer of a frame in use or not the caller's");
    m2p_set(frame_to_mfn(f), M2P_INVALID);
    if (!to) {
        status = reject(GNTST_bad_domain, "transfer to no domain");
    } else if (to->dying || to->frames.frames.count >= to->frames.max ||
               !transfer_commit(to->grants, op->ref, d->id)) {
        status = reject(GNTST_general_error, "transfer not wanted");
    } else if (frame_assign(f, &to->frames, 0)) {
        /* Committed, so the receiver waits: there is no frame for it. */
        transfer_complete(to->grants, op->ref, mfn(0));
        status = reject(GNTST_general_error, "transfer over the receiver's limit");
    } else {
        transfer_complete(to->grants, op->ref, frame_to_mfn(f));
        status = GNTST_okay;
    }
    if (status)
        frames_free_unowned(f, 0);
    return status;
}

s16 grant_swap(u32 ref_a, u32 ref_b)
{
    struct grant_table *t = current->domain->grants;

    spin_hold(&t->lock);
    if (ref_a >= grant_entries(t) || ref_b >= grant_entries(t))
        return reject(GNTST_bad_gntref, "grant reference beyond the table");
    ref_a = (u32)index_clamp(ref_a, grant_entries(t));
    ref_b = (u32)index_clamp(ref_b, grant_entries(t));
    if (ref_a == ref_b)
        return GNTST_okay;
    if (grant_in_use(grant_active_at(t, ref_a)) || grant_in_use(grant_active_at(t, ref_b)))
        return reject(GNTST_eagain, "swap of a grant in use");
    if (t->version == 1) {
        struct grant_entry_v1 e = *grant_v1(t, ref_a);

        *grant_v1(t, ref_a) = *grant_v1(t, ref_b);
        *grant_v1(t, ref_b) = e;
    } else {
        union grant_entry_v2 e = *grant_v2(t, ref_a);

        *grant_v2(t, ref_a) = *grant_v2(t, ref_b);
        *grant_v2(t, ref_b) = e;
    }
    return GNTST_okay;
}

void grant_dump(struct domain *d)
{
    struct grant_table *t = d->grants;
    u32 mapped = 0, used = 0;

    spin_lock(&t->lock);
    for (u32 i = 0; i < t->chunks * V1_PER_FRAME; i++)
        used += grant_in_use(grant_active_at(t, i));
    for (u32 i = 0; i < t->handle_count; i++)
        mapped += (grant_handle_at(t, i)->flags & HANDLE_MAPPED) != 0;
    spin_unlock(&t->lock);
    printk(LOG_INFO, "d%u grants: version %u, %u/%u frames, %u in use, %u mapped\n", d->id,
           t->version, t->frames, t->max_frames, used, mapped);
}
