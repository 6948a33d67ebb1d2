/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns each domain's grant table: its shared and status frames, its size and
 * version, its life. grant.h explains the whole; grant_map.c and grant_copy.c
 * use the table.
 *
 * Locks: LOCK_GRANT of the domain. Memory is allocated under it: the page
 * allocator's locks are of higher levels.
 * Callers: domain life (core/domain.c), hypercall/grant_op.c, memory_op.c.
 */
#include "core/continuation.h"
#include "core/grant_private.h"

#define DEFAULT_FRAMES          64
#define DEFAULT_MAPTRACK_FRAMES 1024
/* Bounds our own arrays, whatever the toolstack asks for. */
#define LIMIT_FRAMES          4096
#define LIMIT_MAPTRACK_FRAMES 65536

static u32 limit_or(u32 asked, u32 standard, u32 limit)
{
    return (s32)asked < 0 ? standard : MIN(asked, limit);
}

static u32 status_frames_for(u32 frames)
{
    return (frames * V2_PER_FRAME + STATUS_PER_FRAME - 1) / STATUS_PER_FRAME;
}

static u32 handle_pages(const struct grant_table *t)
{
    return (t->max_handles + HANDLES_PER_PAGE - 1) / HANDLES_PER_PAGE;
}

static void table_free(struct grant_table *t)
{
    for (u32 i = 0; t->active && i < t->chunks; i++)
        heap_free(t->active[i]);
    for (u32 i = 0; t->handles && i < handle_pages(t); i++)
        heap_free(t->handles[i]);
    heap_free(t->shared);
    heap_free(t->active);
    heap_free(t->status);
    heap_free(t->handles);
    heap_free(t);
}

int grant_init(struct domain *d)
{
    struct grant_table *t = heap_zalloc(sizeof(*t));

    if (!t)
        return -ENOMEM;
    d->max_grant_frames = limit_or(d->max_grant_frames, DEFAULT_FRAMES, LIMIT_FRAMES);
    d->max_grant_frames = MAX(d->max_grant_frames, 1U);
    d->max_maptrack_frames =
        limit_or(d->max_maptrack_frames, DEFAULT_MAPTRACK_FRAMES, LIMIT_MAPTRACK_FRAMES);
    t->lock = SPINLOCK(LOCK_GRANT);
    t->version = 1;
    t->max_frames = d->max_grant_frames;
    t->max_handles = d->max_maptrack_frames * HANDLES_PER_FRAME;
    t->free_handle = HANDLE_NONE;
    t->shared = heap_zalloc(t->max_frames * sizeof(*t->shared));
    t->active = heap_zalloc(t->max_frames * sizeof(*t->active));
    t->status = heap_zalloc(status_frames_for(t->max_frames) * sizeof(*t->status));
    t->handles = heap_zalloc(handle_pages(t) * sizeof(*t->handles));
    d->grants = t;
    int error = t->shared && t->active && t->status && t->handles ? grant_grow(d, 1) : -ENOMEM;
    if (error) {
        d->grants = NULL;
        table_free(t);
    }
    return error;
}

void grant_free(struct domain *d)
{
    if (!d->grants)
        return;
    ASSERT(!d->grants->frames && !d->grants->status_frames);
    table_free(d->grants);
    d->grants = NULL;
}

static int status_grow(struct domain *d, struct grant_table *t)
{
    while (t->status_frames < status_frames_for(t->frames)) {
        void *page = page_alloc_shared(&d->frames);

        if (!page)
            return -ENOMEM;
        t->status[t->status_frames++] = page;
    }
    return 0;
}

static int grow_locked(struct domain *d, struct grant_table *t, u32 frames)
{
    if (d->dying)
        return reject(-EINVAL, "grant table of a dying domain");
    if (frames > t->max_frames)
        return reject(-EINVAL, "grant table larger than allowed");
    while (t->frames < frames) {
        u32 n = t->frames;

        if (t->chunks == n) {
            t->active[n] = heap_zalloc(V1_PER_FRAME * sizeof(**t->active));
            if (!t->active[n])
                return -ENOMEM;
            t->chunks++;
        }
        t->shared[n] = page_alloc_shared(&d->frames);
        if (!t->shared[n])
            return -ENOMEM;
        t->frames++;
        /* A frame whose status has no place must not be seen. */
        if (t->version == 2 && status_grow(d, t)) {
            frame_unshare(t->shared[--t->frames]);
            return -ENOMEM;
        }
    }
    return 0;
}

int grant_grow(struct domain *d, u32 frames)
{
    struct grant_table *t = d->grants;

    spin_hold(&t->lock);
    return grow_locked(d, t, frames);
}

u32 grant_frame_count(struct domain *d, enum grant_frames which)
{
    struct grant_table *t = d->grants;

    return READ_ONCE(*(which == GRANT_STATUS ? &t->status_frames : &t->frames));
}

u32 grant_frame_max(struct domain *d, enum grant_frames which)
{
    u32 frames = READ_ONCE(d->grants->max_frames);

    return which == GRANT_STATUS ? status_frames_for(frames) : frames;
}

int grant_frame(struct domain *d, enum grant_frames which, u32 index, mfn_t *m)
{
    struct grant_table *t = d->grants;
    bool status = which == GRANT_STATUS;
    void **pages = status ? (void **)t->status : t->shared;
    u32 needed = index + 1;

    spin_hold(&t->lock);
    if (status && t->version != 2)
        return reject(-EINVAL, "status frames of a version 1 grant table");
    if (index >= (status ? status_frames_for(t->max_frames) : t->max_frames))
        return reject(-EINVAL, "grant frame beyond the table's limit");
    if (status)
        needed = MIN(t->max_frames, (u32)(index * STATUS_PER_FRAME / V2_PER_FRAME) + 1);
    TRY(grow_locked(d, t, MAX(t->frames, needed)));
    *m = virt_to_mfn(pages[index_clamp(index, status ? t->status_frames : t->frames)]);
    return 0;
}

/* Entries that tools set up and that survive a change of version. */
static int reserved_convert(struct grant_table *t, u32 version,
                            struct grant_entry_v1 v1[GNTTAB_NR_RESERVED_ENTRIES])
{
    for (u32 i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        if (version == 2) {
            v1[i] = *grant_v1(t, i);
        } else {
            union grant_entry_v2 e = *grant_v2(t, i);
            bool plain = (e.hdr.flags & GTF_type_mask) == GTF_permit_access &&
                         !(e.hdr.flags & GTF_sub_page);

            if (!plain && (e.hdr.flags & GTF_type_mask) != GTF_invalid)
                return reject(-ERANGE, "reserved grant has no version 1 form");
            if (e.full_page.frame >> 32)
                return reject(-ERANGE, "reserved grant's frame too high for version 1");
            v1[i] = (struct grant_entry_v1){e.hdr.flags, e.hdr.domid, (u32)e.full_page.frame};
            v1[i].flags &= (u16) ~(GTF_reading | GTF_writing);
            v1[i].flags |= *grant_status_word(t, i) & (GTF_reading | GTF_writing);
        }
    }
    return 0;
}

static void status_free(struct grant_table *t)
{
    while (t->status_frames)
        frame_unshare(t->status[--t->status_frames]);
}

static int set_version_locked(struct domain *d, struct grant_table *t, u32 version)
{
    struct grant_entry_v1 kept[GNTTAB_NR_RESERVED_ENTRIES];

    if (version == t->version)
        return 0;
    if (!t->frames)
        return reject(-EINVAL, "grant table of a dying domain");
    for (u32 i = GNTTAB_NR_RESERVED_ENTRIES; i < grant_entries(t); i++)
        if (grant_in_use(grant_active_at(t, i)))
            return reject(-EBUSY, "grant version changed while a grant is in use");
    int error = reserved_convert(t, version, kept);
    if (!error && version == 2)
        error = status_grow(d, t);
    if (error) {
        if (version == 2)
            status_free(t);
        return error;
    }
    for (u32 i = 0; i < t->frames; i++)
        memset(t->shared[i], 0, PAGE_SIZE);
    if (version == 1)
        status_free(t);
    t->version = version;
    for (u32 i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        u16 status = kept[i].flags & (GTF_reading | GTF_writing);

        if (version == 1) {
            *grant_v1(t, i) = kept[i];
            continue;
        }
        grant_v2(t, i)->full_page.hdr.flags = kept[i].flags ^ status;
        grant_v2(t, i)->full_page.hdr.domid = kept[i].domid;
        grant_v2(t, i)->full_page.frame = kept[i].frame;
        *grant_status_word(t, i) = status;
    }
    return 0;
}

int grant_set_version(struct domain *d, u32 version)
{
    if (version != 1 && version != 2)
        return reject(-EINVAL, "no such grant table version");
    if (version > MAX(d->grant_version_max, 1U))
        return reject(-ENOSYS, "grant table version not allowed");
    spin_hold(&d->grants->lock);
    return set_version_locked(d, d->grants, version);
}

u32 grant_version(struct domain *d)
{
    return READ_ONCE(d->grants->version);
}

/*
 * The page tables that used the handles' frames are already given up, with
 * what their entries held; here the handles' own holds go. No CPU may remember
 * the mappings: the domain runs nowhere and is flushed for at the start.
 */
int grant_destroy(struct domain *d)
{
    struct grant_table *t = d->grants;

    if (!t)
        return 0;
    if (t->destroy_at == 0)
        cpu_flush(&d->dirty_cpus, FLUSH_TLB, 0);
    for (; t->destroy_at < t->handle_count; t->destroy_at++) {
        struct grant_handle *h = grant_handle_at(t, t->destroy_at);
        struct grant_use use = grant_handle_use(h);

        if (h->flags & HANDLE_MAPPED) {
            h->flags = 0;
            grant_use_end(&use);
        }
        if (t->destroy_at % 64 == 63 && hypercall_should_yield()) {
            t->destroy_at++;
            return -ERESTART_HYPERCALL;
        }
    }
    spin_hold(&t->lock);
    status_free(t);
    while (t->frames)
        frame_unshare(t->shared[--t->frames]);
    return 0;
}
