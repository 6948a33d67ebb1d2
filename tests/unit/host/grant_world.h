/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Three domains that grant to each other, driven by bytes, and a plain model of
 * what must hold after each step:
 *
 *   every frame's references and writable uses are exactly those of its owner,
 *   of the handles and of the (fake) page-table entries;
 *   GTF_reading and GTF_writing show exactly the uses there are;
 *   a map succeeds exactly when a few lines of model code say so;
 *   at the end, when all have died in any order, all memory is back.
 */
#pragma once

#include "fake_memory.h"

#include "core/grant_private.h"
#include "lib/log.h"

#define WORLD_DOMAINS 3
#define WORLD_FRAMES  6  /* of each domain's own */
#define WORLD_REFS    12 /* grant references that are played with */
#define WORLD_HANDLES 24
#define WORLD_PTES    16 /* places for host mappings, of each domain */

struct world_pte {
    u32 frame; /* 0: not present */
    bool write;
};

static struct world {
    struct domain *d[WORLD_DOMAINS];
    struct vcpu vcpu[WORLD_DOMAINS];
    struct world_pte pte[WORLD_DOMAINS][WORLD_PTES];
    u32 frame[WORLD_DOMAINS][WORLD_FRAMES]; /* 0: given up */
    struct world_handle {
        u32 number, host_pte;
        bool live, host, device;
    } handle[WORLD_DOMAINS][WORLD_HANDLES];
    bool dead[WORLD_DOMAINS];
    bool refuse_map; /* the next host mapping fails */
    bool yield;
} world;

void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why;
    (void)file;
    (void)line;
    ASSERT(error < 0);
}

void printk(enum log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
}

bool hypercall_should_yield(void)
{
    world.yield = !world.yield;
    return world.yield;
}

struct domain *domain_get(domid_t id)
{
    struct domain *d = id < WORLD_DOMAINS ? world.d[id] : NULL;

    if (d)
        d->references++;
    return d;
}

void domain_put(struct domain *d)
{
    ASSERT(d->references > 1);
    d->references--;
}

/* host_addr: 1 + the number of the fake entry. */
s16 guest_map_grant(struct domain *d, u64 host_addr, mfn_t m, u32 flags, struct grant_place *)
{
    struct world_pte *p = &world.pte[d->id][(host_addr - 1) % WORLD_PTES];
    struct frame *f = mfn_to_frame(m);

    ASSERT(!fake_locks_held);
    if (world.refuse_map || p->frame)
        return GNTST_general_error;
    frame_get_again(f);
    p->write = !(flags & GNTMAP_readonly);
    if (p->write)
        ASSERT(frame_get_writable(f));
    p->frame = (u32)m.raw;
    return GNTST_okay;
}

static void world_pte_clear(struct world_pte *p)
{
    struct frame *f = &frame_table[p->frame];

    if (!p->frame)
        return;
    p->frame = 0;
    if (p->write)
        frame_put_writable(f);
    frame_put(f);
}

s16 guest_unmap_grant(struct domain *d, u64 host_addr, mfn_t m, u32 flags, u64 new_addr,
                      struct grant_place *)
{
    struct world_pte *p = &world.pte[d->id][(host_addr - 1) % WORLD_PTES];

    (void)new_addr;
    ASSERT(!fake_locks_held);
    if (p->frame != m.raw || p->write != !(flags & GNTMAP_readonly))
        return GNTST_general_error;
    world_pte_clear(p);
    return GNTST_okay;
}

#pragma push_macro("current")
#undef current
static void world_as(u32 who)
{
    host_cpu_local.current = &world.vcpu[who];
}
#pragma pop_macro("current")

static void world_init(void)
{
    memset(&world, 0, sizeof(world));
    for (u32 i = 0; i < WORLD_DOMAINS; i++) {
        struct domain *d = (struct domain *)fake_owner(2 * i);

        _Static_assert(sizeof(*d) <= 2 * PAGE_SIZE, "a fake domain has two pages");
        memset(d, 0, sizeof(*d));
        frame_owner_init(&d->frames);
        d->id = (domid_t)i;
        d->references = 1;
        d->dirty_cpus.bits[0] = 1;
        d->max_grant_frames = 3;
        d->max_maptrack_frames = 1;
        d->grant_version_max = 2;
        world.d[i] = d;
        world.vcpu[i].domain = d;
        ASSERT(grant_init(d) == 0);
        for (u32 n = 0; n < WORLD_FRAMES; n++) {
            struct frame *f = frames_alloc(&d->frames, 0, 0, 0);

            ASSERT(f);
            world.frame[i][n] = (u32)frame_to_mfn(f).raw;
        }
    }
}

/* The guest writes an entry of its table, as it likes. */
static void world_write_entry(u32 who, u32 ref, u16 flags, domid_t to, u64 frame, u16 off, u16 len)
{
    struct grant_table *t = world.d[who]->grants;

    if (world.dead[who])
        return;
    if (t->version == 1) {
        struct grant_entry_v1 *e = grant_v1(t, ref);

        /* A guest that keeps the rules: no change while the grant is used. */
        if (e->flags & (GTF_reading | GTF_writing))
            return;
        *e = (struct grant_entry_v1){flags & (u16) ~(GTF_reading | GTF_writing), to, (u32)frame};
    } else {
        union grant_entry_v2 *e = grant_v2(t, ref);

        memset(e, 0, sizeof(*e));
        if ((flags & GTF_type_mask) == GTF_transitive) {
            e->transitive.trans_domid = off % WORLD_DOMAINS;
            e->transitive.gref = len % WORLD_REFS;
        } else {
            e->sub_page.page_off = off;
            e->sub_page.length = len;
            e->sub_page.frame = frame;
        }
        e->hdr.domid = to;
        e->hdr.flags = flags;
    }
}

/* What the interface says about mapping; only for grants not in use. */
static bool world_may_map(u32 granter, u32 ref, u32 who, bool write)
{
    struct grant_table *t = world.d[granter]->grants;
    u16 flags;
    domid_t to;
    u64 frame;

    if (ref >= grant_entries(t))
        return false;
    if (t->version == 1) {
        flags = grant_v1(t, ref)->flags;
        to = grant_v1(t, ref)->domid;
        frame = grant_v1(t, ref)->frame;
    } else {
        flags = grant_v2(t, ref)->hdr.flags;
        to = grant_v2(t, ref)->hdr.domid;
        frame = grant_v2(t, ref)->full_page.frame;
    }
    return (flags & (GTF_type_mask | GTF_sub_page)) == GTF_permit_access && to == who &&
           !(write && (flags & GTF_readonly)) && mfn_is_ram(mfn(frame)) &&
           frame_table[frame].owner &&
           frame_owner_of(&frame_table[frame]) == &world.d[granter]->frames &&
           (!write || (frame_table[frame].type & TYPE_MASK) != TYPE_L1);
}

static void world_map(u32 who, u32 granter, u32 ref, u32 flags, u32 pte)
{
    struct world_handle *h = NULL;
    struct gnttab_map_grant_ref op = {
        .host_addr = pte + 1, .flags = flags, .ref = ref, .dom = (domid_t)granter};
    struct grant_table *t = world.d[granter]->grants;
    bool used = ref < grant_entries(t) && grant_in_use(grant_active_at(t, ref));
    bool may = world_may_map(granter, ref, who, !(flags & GNTMAP_readonly));
    struct grant_mapper mapper = {0};
    bool room = !(flags & GNTMAP_host_map) || (!world.pte[who][pte].frame && !world.refuse_map);

    for (u32 i = 0; i < WORLD_HANDLES; i++)
        if (!world.handle[who][i].live)
            h = &world.handle[who][i];
    if (!h || world.dead[who])
        return;
    world_as(who);
    op.status = grant_map(&op, &mapper);
    grant_mapper_end(&mapper);
    /* Handles may be used up; that is checked before anything else. */
    if (!used && op.status != GNTST_no_device_space)
        ASSERT((op.status == GNTST_okay) ==
               (may && room && (flags & (GNTMAP_host_map | GNTMAP_device_map))));
    if (op.status)
        return;
    *h = (struct world_handle){.number = op.handle,
                               .host_pte = pte,
                               .live = true,
                               .host = flags & GNTMAP_host_map,
                               .device = flags & GNTMAP_device_map};
}

static void world_unmap(u32 who, u32 n, bool host, bool device)
{
    struct world_handle *h = &world.handle[who][n];
    struct grant_mapper mapper = {0};
    struct grant_unmapped gone;
    u64 bus = 0;
    s16 status;

    if (world.dead[who])
        return;
    world_as(who);
    if (h->live && device) {
        struct grant_table *t = world.d[who]->grants;

        bus = (u64)t->handles[h->number / HANDLES_PER_PAGE][h->number % HANDLES_PER_PAGE].frame
              << PAGE_SHIFT;
    }
    status = grant_unmap(host ? h->host_pte + 1 : 0, bus, 0, h->number, &gone, &mapper);
    grant_unmap_finish(&gone, 1);
    if (!h->live || status)
        return;
    h->host = h->host && !host;
    h->device = h->device && !device;
    h->live = h->host || h->device;
}

static void world_kill(u32 who)
{
    struct domain *d = world.d[who];
    int error;

    if (world.dead[who])
        return;
    d->dying = DYING_NOW;
    d->frames.dying = true;
    for (u32 i = 0; i < WORLD_PTES; i++)
        world_pte_clear(&world.pte[who][i]);
    do
        error = grant_destroy(d);
    while (error == -ERESTART_HYPERCALL);
    ASSERT(error == 0);
    for (u32 i = 0; i < WORLD_FRAMES; i++)
        if (world.frame[who][i])
            frame_release(&frame_table[world.frame[who][i]]);
    for (u32 i = 0; i < WORLD_HANDLES; i++)
        world.handle[who][i].live = false;
    memset(world.frame[who], 0, sizeof(world.frame[who]));
    world.dead[who] = true;
}

/* Every count of every frame, every status bit: as the model has it. */
static void world_check(void)
{
    static u32 refs[FAKE_FRAMES], writes[FAKE_FRAMES];
    static u32 readers[WORLD_DOMAINS][WORLD_REFS], writers[WORLD_DOMAINS][WORLD_REFS];

    memset(refs, 0, sizeof(refs));
    memset(writes, 0, sizeof(writes));
    memset(readers, 0, sizeof(readers));
    memset(writers, 0, sizeof(writers));
    ASSERT(!fake_locks_held);
    for (u32 i = 0; i < WORLD_DOMAINS; i++) {
        struct grant_table *t = world.d[i]->grants;

        for (u32 n = 0; n < WORLD_FRAMES; n++)
            refs[world.frame[i][n]]++;
        for (u32 n = 0; n < WORLD_PTES; n++) {
            refs[world.pte[i][n].frame]++;
            writes[world.pte[i][n].frame] += world.pte[i][n].write && world.pte[i][n].frame;
        }
        for (u32 n = 0; n < t->handle_count; n++) {
            struct grant_handle *h = &t->handles[n / HANDLES_PER_PAGE][n % HANDLES_PER_PAGE];
            bool write = !(h->flags & GNTMAP_readonly);

            ASSERT(!(h->flags & HANDLE_BUSY));
            if (!(h->flags & (GNTMAP_host_map | GNTMAP_device_map)))
                continue;
            refs[h->frame]++;
            writes[h->frame] += write;
            (write ? writers : readers)[h->granter->id][h->ref]++;
        }
        ASSERT(world.d[i]->references == 1);
    }
    for (u32 m = FAKE_OWNER_FRAMES; m < FAKE_FRAMES; m++) {
        struct frame *f = &frame_table[m];

        if (!f->owner || (f->count & FRAME_HV))
            continue;
        ASSERT((f->count & FRAME_COUNT_MASK) == refs[m]);
        if ((f->type & TYPE_MASK) == TYPE_WRITABLE)
            ASSERT((f->type & TYPE_COUNT_MASK) == writes[m]);
    }
    for (u32 i = 0; i < WORLD_DOMAINS; i++)
        for (u32 ref = 0; ref < WORLD_REFS; ref++) {
            struct grant_table *t = world.d[i]->grants;
            struct grant_active *a = grant_active_at(t, ref);
            u16 *status = grant_status_word(t, ref);

            ASSERT(a->readers == readers[i][ref] && a->writers == writers[i][ref]);
            if (!status || (t->version == 1 && (*status & GTF_type_mask) != GTF_permit_access))
                continue;
            ASSERT(!(*status & GTF_writing) == !a->writers);
            ASSERT(!(*status & GTF_reading) == !grant_in_use(a));
        }
}

static struct gnttab_copy_ptr world_copy_ptr(u32 x, u32 who, bool by_ref)
{
    struct gnttab_copy_ptr p = {.domid = by_ref ? (domid_t)(x % WORLD_DOMAINS) : DOMID_SELF,
                                .offset = (u16)(x * 97 % 4096)};

    if (by_ref)
        p.u.ref = x / 4 % (WORLD_REFS + 1);
    else
        p.u.gmfn = world.frame[x % 16 ? who : (who + 1) % WORLD_DOMAINS][x % WORLD_FRAMES];
    return p;
}

static void world_transfer(u32 who, u32 to, u32 ref, u32 n)
{
    struct gnttab_transfer op = {.mfn = world.frame[who][n], .domid = (domid_t)to, .ref = ref};
    s16 status;
    u32 slot = 0;

    while (slot < WORLD_FRAMES && world.frame[to][slot])
        slot++;
    if (slot == WORLD_FRAMES || world.dead[who] || to == who)
        return;
    world_as(who);
    status = grant_transfer(&op);
    if (status != GNTST_bad_page)
        world.frame[who][n] = 0;
    if (status == GNTST_okay)
        world.frame[to][slot] = (u32)op.mfn;
}

/* One step from four bytes. */
static void world_step(u8 what, u8 x, u8 y, u8 z)
{
    u32 who = x % WORLD_DOMAINS, other = x / 4 % WORLD_DOMAINS, ref = y % WORLD_REFS;

    world_as(who);
    world.refuse_map = z % 16 == 15;
    switch (what % 16) {
    case 0:
    case 1:
    case 2:
        world_write_entry(
            who, ref, (u16)(z % 4 ? GTF_permit_access | (z & GTF_readonly) : z * 8U + (z >> 4)),
            (domid_t)other, z & 0x80 ? z : world.frame[z & 0x40 ? other : who][z % WORLD_FRAMES],
            (u16)(z * 21), (u16)(y * 33));
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        world_map(who, other, y % (WORLD_REFS + 1) == WORLD_REFS ? 4000 : ref, z & 7,
                  z / 8 % WORLD_PTES);
        break;
    case 7:
    case 8:
    case 9:
        world_unmap(who, y % WORLD_HANDLES, z & 1, z & 2);
        break;
    case 10: {
        struct gnttab_copy op = {.source = world_copy_ptr(y, who, z & 1),
                                 .dest = world_copy_ptr(x + y, who, z & 2),
                                 .len = (u16)(z * 17)};

        struct grant_copier copier = {0};

        op.flags = (z & 1 ? GNTCOPY_source_gref : 0) | (z & 2 ? GNTCOPY_dest_gref : 0);
        if (!world.dead[who]) {
            grant_copy(&copier, &op);
            /* More of the run, with another source, destination, or none. */
            if (x & 1)
                op.source = world_copy_ptr(x, who, z & 1);
            grant_copy(&copier, &op);
            if (x & 2)
                op.dest = world_copy_ptr(z, who, z & 2);
            grant_copy(&copier, &op);
            grant_copy_end(&copier);
        }
        break;
    }
    case 11: /* the guest overwrites an entry of its page table */
        world_pte_clear(&world.pte[who][y % WORLD_PTES]);
        break;
    case 12:
        if (!world.dead[who])
            (void)(z % 2 ? grant_set_version(world.d[who], z / 2 % 4)
                         : grant_grow(world.d[who], z / 2 % 6));
        break;
    case 13:
        if (!world.dead[who])
            grant_swap(ref, z % (WORLD_REFS + 1));
        break;
    case 14:
        if (z % 2 && world.frame[who][y % WORLD_FRAMES]) {
            frame_release(&frame_table[world.frame[who][y % WORLD_FRAMES]]);
            world.frame[who][y % WORLD_FRAMES] = 0;
        } else {
            world_transfer(who, other, ref, y % WORLD_FRAMES);
        }
        break;
    default:
        if (z == 77)
            world_kill(who);
        break;
    }
    world_check();
}

/* All die, in an order that `seed` chooses; everything must be back. */
static void world_end(u32 seed)
{
    for (u32 i = 0; i < WORLD_DOMAINS; i++)
        world_kill((i + seed) % WORLD_DOMAINS);
    world_check();
    for (u32 i = 0; i < WORLD_DOMAINS; i++) {
        ASSERT(!world.d[i]->frames.frames.count && !world.d[i]->frames.hv.count);
        grant_free(world.d[i]);
    }
}
