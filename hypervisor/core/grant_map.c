/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Uses of grants, and handles: mapping and unmapping. grant.h says who holds
 * what; grant.c owns the table.
 *
 * Locks: LOCK_GRANT, of one domain at a time. A handle under work is busy: a
 * second operation on it meanwhile is told that there is no such handle.
 * Callers: hypercall/grant_op.c, grant_copy.c.
 */
#include "core/grant_private.h"
#include "core/physmap.h"

/* How often the guest may change an entry under our hands before we give up. */
#define CLAIM_TRIES 5

/* What a claim saw in the shared entry. */
struct claim {
    u16 flags;
    domid_t domid;
};

/* May `who` do this by an entry with these flags? pinned: it is in use already. */
static s16 claim_check(struct claim c, bool pinned, domid_t who, u16 mask, bool write, u32 version)
{
    u16 type = c.flags & mask;

    if (!pinned) {
        bool transitive = type == GTF_transitive && version == 2 && !(mask & GTF_sub_page);

        if ((type != GTF_permit_access && !transitive) || c.domid != who)
            return reject(GNTST_general_error, "grant's flags or domain do not allow it");
    }
    if (write && (c.flags & GTF_readonly))
        return reject(GNTST_general_error, "write use of a read-only grant");
    return GNTST_okay;
}

/* Version 1: flags, domain and status are one word; taken together by exchange. */
static __always_inline s16 claim_v1(struct grant_table *t, u32 ref, bool pinned, domid_t who,
                                    u16 mask, bool write, struct claim *c)
{
    u32 *word = (u32 *)grant_v1(t, ref);
    u32 old = READ_ONCE(*word);

    for (u32 tries = 0; tries < CLAIM_TRIES; tries++) {
        *c = (struct claim){(u16)old, (domid_t)(old >> 16)};
        TRY(claim_check(*c, pinned, who, mask, write, 1));
        u32 seen = atomic_cmpxchg(word, old, old | GTF_reading | (write ? GTF_writing : 0U));
        if (seen == old)
            return GNTST_okay;
        old = seen;
    }
    return reject(GNTST_general_error, "grant entry changes all the time");
}

/*
 * Version 2: the status is a word of its own. We set it, then look at the entry
 * again; the guest changes the entry, then looks at the status. One of the two
 * sees the other (both orders are full barriers).
 */
static __attribute__((noinline)) s16 claim_v2(struct grant_table *t, u32 ref, bool pinned,
                                              domid_t who, u16 mask, bool write, struct claim *c)
{
    u32 *word = (u32 *)grant_v2(t, ref);
    u32 seen = READ_ONCE(*word);

    *c = (struct claim){(u16)seen, (domid_t)(seen >> 16)};
    TRY(claim_check(*c, pinned, who, mask, write, 2));
    atomic_or(grant_status_word(t, ref), (u16)(GTF_reading | (write ? GTF_writing : 0)));
    seen = READ_ONCE(*word);
    *c = (struct claim){(u16)seen, (domid_t)(seen >> 16)};
    return claim_check(*c, pinned, who, mask, write, 2);
}

/* Shows the guest what uses are left. */
static __always_inline void status_update(struct grant_table *t, u32 ref,
                                          const struct grant_active *a)
{
    u16 *status = grant_status_word(t, ref);
    u16 gone = (u16)((a->writers ? 0 : GTF_writing) | (grant_in_use(a) ? 0 : GTF_reading));

    if (status && gone)
        atomic_and(status, (u16)~gone);
}

/* Reads what the claimed entry grants into its active entry, and holds the frame. */
static s16 active_fill(struct domain *granter, u32 ref, struct claim c, struct grant_active *a)
{
    struct grant_table *t = granter->grants;
    u64 number;

    *a = (struct grant_active){.domid = c.domid, .length = PAGE_SIZE};
    if (t->version == 1) {
        number = READ_ONCE(grant_v1(t, ref)->frame);
    } else {
        union grant_entry_v2 *e = grant_v2(t, ref);

        if ((c.flags & GTF_type_mask) == GTF_transitive) {
            a->transitive = true;
            a->trans_domid = READ_ONCE(e->transitive.trans_domid);
            a->trans_ref = READ_ONCE(e->transitive.gref);
            return GNTST_okay;
        }
        number = READ_ONCE(e->full_page.frame);
        if (c.flags & GTF_sub_page) {
            a->sub_page = true;
            a->start = READ_ONCE(e->sub_page.page_off);
            a->length = READ_ONCE(e->sub_page.length);
            if (a->start + a->length > PAGE_SIZE)
                return reject(GNTST_general_error, "sub-page grant beyond its page");
        }
    }
    struct frame *f = domain_frame_get(granter, number);
    if (!f)
        return reject(GNTST_bad_page, "granted frame is not the granter's");
    a->frame = (u32)frame_to_mfn(f).raw;
    return GNTST_okay;
}

/* With the claim made: the frame and its counts. LOCK_GRANT held. */
static s16 use_take(struct domain *granter, u32 ref, struct claim c, struct grant_active *a,
                    bool write, struct grant_use *use)
{
    bool pinned = grant_in_use(a);
    struct frame *f = NULL;

    if (!pinned) {
        TRY(active_fill(granter, ref, c, a));
        f = a->transitive ? NULL : &frame_table[a->frame];
    } else if (!a->transitive) {
        f = &frame_table[a->frame];
        /* Other uses hold it, so it is still the granter's. */
        if (!frame_get(f, &granter->frames))
            return reject(GNTST_bad_page, "granted frame is gone");
    }
    if (f && write && !frame_get_writable(f)) {
        frame_put(f);
        return reject(GNTST_general_error, "granted frame is a page table");
    }
    if (write)
        a->writers++;
    else
        a->readers++;
    *use = (struct grant_use){granter,        f,           ref, write, a->start, a->length,
                              a->trans_domid, a->trans_ref};
    return GNTST_okay;
}

s16 grant_use_begin(struct domain *granter, u32 ref, domid_t who, bool write, bool for_copy,
                    struct grant_use *use)
{
    struct grant_table *t = granter->grants;
    u16 mask = GTF_type_mask | (for_copy ? 0 : GTF_sub_page);
    struct claim c;

    spin_hold(&t->lock);
    if (ref >= grant_entries(t))
        return reject(GNTST_bad_gntref, "grant reference beyond the table");
    ref = (u32)index_clamp(ref, grant_entries(t));
    struct grant_active *a = grant_active_at(t, ref);
    bool pinned = grant_in_use(a);
    if (pinned && (a->domid != who || (!for_copy && (a->sub_page || a->transitive))))
        return reject(GNTST_general_error, "grant is in use otherwise");
    s16 status = likely(t->version == 1) ? claim_v1(t, ref, pinned, who, mask, write, &c)
                                         : claim_v2(t, ref, pinned, who, mask, write, &c);
    if (!status)
        status = use_take(granter, ref, c, a, write, use);
    if (status)
        status_update(t, ref, a);
    return status;
}

/* The granter's LOCK_GRANT held. */
static void use_count_down(const struct grant_use *use)
{
    struct grant_table *t = use->granter->grants;
    struct grant_active *a = grant_active_at(t, use->ref);
    u32 *count = use->writable ? &a->writers : &a->readers;

    ASSERT(*count);
    --*count;
    status_update(t, use->ref, a);
}

/* Last: this may be what keeps the granter in being. */
static void use_drop_frame(const struct grant_use *use)
{
    if (!use->frame)
        return;
    if (use->writable)
        frame_put_writable(use->frame);
    frame_put(use->frame);
}

void grant_use_end(const struct grant_use *use)
{
    spinlock_t *lock = &use->granter->grants->lock;

    spin_lock(lock);
    use_count_down(use);
    spin_unlock(lock);
    use_drop_frame(use);
}

/* A free handle, marked busy; HANDLE_NONE: limit or memory. */
static u32 handle_take(struct grant_table *t)
{
    spin_hold(&t->lock);
    u32 number = t->free_handle;
    if (number != HANDLE_NONE) {
        t->free_handle = grant_handle_at(t, number)->next;
    } else if (t->handle_count < t->max_handles) {
        struct grant_handle **page = &t->handles[t->handle_count / HANDLES_PER_PAGE];

        if (!*page)
            *page = heap_zalloc(PAGE_SIZE);
        if (*page) {
            number = t->handle_count;
            store_release(&t->handle_count, number + 1);
        }
    }
    if (number != HANDLE_NONE)
        grant_handle_at(t, number)->flags = HANDLE_BUSY;
    return number;
}

/* LOCK_GRANT held. */
static void handle_drop(struct grant_table *t, u32 number)
{
    struct grant_handle *h = grant_handle_at(t, number);

    h->flags = 0;
    h->granter = NULL;
    h->next = t->free_handle;
    t->free_handle = number;
}

static s16 map_use(struct gnttab_map_grant_ref *op, struct domain *d, struct grant_mapper *mapper,
                   u32 handle)
{
    struct grant_handle *h = grant_handle_at(d->grants, handle);
    struct grant_use use;

    TRY(grant_use_begin(mapper->granter, op->ref, d->id, !(op->flags & GNTMAP_readonly), false,
                        &use));
    mfn_t m = frame_to_mfn(use.frame);
    s16 status = !(op->flags & GNTMAP_host_map) ? GNTST_okay
                 : d->p2m                       ? physmap_map_grant(d, op->host_addr, m, op->flags)
                          : guest_map_grant(d, op->host_addr, m, op->flags, &mapper->place);
    if (status) {
        grant_use_end(&use);
        return status;
    }
    op->handle = handle;
    op->dev_bus_addr = mfn_to_paddr(m).raw;
    h->granter = mapper->granter;
    h->frame = (u32)m.raw;
    h->ref = use.ref;
    store_release(&h->flags, op->flags & (HANDLE_MAPPED | GNTMAP_readonly | GNTMAP_application_map |
                                          GNTMAP_contains_pte));
    return GNTST_okay;
}

void grant_mapper_end(struct grant_mapper *mapper)
{
    if (mapper->granter)
        domain_put(mapper->granter);
    mapper->granter = NULL;
}

s16 grant_map(struct gnttab_map_grant_ref *op, struct grant_mapper *mapper)
{
    struct domain *d = current->domain;

    if (!(op->flags & HANDLE_MAPPED))
        return reject(GNTST_bad_gntref, "grant map for neither CPU nor device");
    if (!mapper->granter || mapper->granter->id != op->dom) {
        grant_mapper_end(mapper);
        mapper->granter = op->dom == DOMID_SELF ? NULL : grant_granter(op->dom);
        if (!mapper->granter)
            return reject(GNTST_bad_domain, "no such granting domain");
    }
    u32 handle = handle_take(d->grants);
    if (handle == HANDLE_NONE)
        return reject(GNTST_no_device_space, "no free grant handle");
    s16 status = map_use(op, d, mapper, handle);
    if (unlikely(status)) {
        spin_hold(&d->grants->lock);
        handle_drop(d->grants, handle);
    }
    return status;
}

/* Marks the handle busy; NULL: no such mapping. */
static struct grant_handle *handle_hold(struct grant_table *t, u32 number)
{
    u32 count = load_acquire(&t->handle_count);

    if (number >= count)
        return NULL;
    struct grant_handle *h = grant_handle_at(t, (u32)index_clamp(number, count));
    u32 flags = READ_ONCE(h->flags);
    if (!(flags & HANDLE_MAPPED) || (flags & HANDLE_BUSY))
        return NULL;
    return atomic_cmpxchg(&h->flags, flags, flags | HANDLE_BUSY) == flags ? h : NULL;
}

struct grant_use grant_handle_use(const struct grant_handle *h)
{
    return (struct grant_use){.granter = h->granter,
                              .frame = mfn_to_frame(mfn(h->frame)),
                              .ref = h->ref,
                              .writable = !(h->flags & GNTMAP_readonly)};
}

s16 grant_unmap(u64 host_addr, u64 dev_bus_addr, u64 new_addr, u32 handle,
                struct grant_unmapped *gone, struct grant_mapper *mapper)
{
    struct domain *d = current->domain;
    struct grant_handle *h = handle_hold(d->grants, handle);
    s16 status = GNTST_okay;
    u32 drop = 0;

    *gone = (struct grant_unmapped){.handle = handle};
    if (!h)
        return reject(GNTST_bad_handle, "no such grant handle");
    mfn_t m = mfn(h->frame);
    if (dev_bus_addr && (h->flags & GNTMAP_device_map)) {
        if (dev_bus_addr != mfn_to_paddr(m).raw)
            status = reject(GNTST_bad_dev_addr, "device address of another frame");
        drop |= GNTMAP_device_map;
    }
    if (!status && host_addr && (h->flags & GNTMAP_host_map)) {
        status = d->p2m ? physmap_unmap_grant(d, host_addr, m, new_addr)
                        : guest_unmap_grant(d, host_addr, m, h->flags, new_addr, &mapper->place);
        gone->flush = !status;
        drop |= GNTMAP_host_map;
    }
    u32 flags = h->flags & ~(status ? 0 : drop);
    gone->last = !(flags & HANDLE_MAPPED);
    store_release(&h->flags, gone->last ? flags : flags & ~HANDLE_BUSY);
    return status;
}

void grant_unmap_finish(struct grant_unmapped *gone, u32 n)
{
    struct grant_table *own = current->domain->grants;
    bool flush = false, last = false;

    for (u32 i = 0; i < n; i++) {
        flush |= gone[i].flush;
        last |= gone[i].last;
    }
    if (flush)
        domain_flush(current->domain);
    if (!last)
        return;
    for (u32 i = 0; i < n; i++)
        if (gone[i].last) {
            struct grant_use use = grant_handle_use(grant_handle_at(own, gone[i].handle));

            grant_use_end(&use);
        }
    spin_hold(&own->lock);
    for (u32 i = 0; i < n; i++)
        if (gone[i].last)
            handle_drop(own, gone[i].handle);
}
