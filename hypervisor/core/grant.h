/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grants: a domain lets another map or copy one of its frames, by an entry in
 * a table which it shares with us.
 *
 * WHO HOLDS WHAT. The frame stays its owner's. All that others hold are
 * references and writable uses, counted in struct frame like any others:
 *
 *   the handle   (maptrack entry of the mapping domain) holds one reference
 *                and, unless GNTMAP_readonly, one writable use;
 *   the entry    in the mapper's page table, made by guest_map_grant(), holds
 *                the same again, exactly as any L1 entry does which the guest
 *                writes itself. Nothing marks it as a grant's: when the guest
 *                overwrites it directly, the page-table code drops what the
 *                entry held, and only that. The handle keeps its own.
 *
 * So page-table code needs no knowledge of grants, and grant code none of who
 * removed an entry. Unmapping by handle clears the entry (if it still shows
 * the granted frame; else the request fails and nothing changes), flushes the
 * mapper's TLBs, and only then drops what the handle held: until that moment
 * the frame cannot become a page table of its owner nor leave it.
 *
 * USES. While a grant is mapped or copied from, its active entry (ours, not
 * shared) counts readers and writers, remembers for whom and which frame, and
 * keeps GTF_reading/GTF_writing set in what the guest sees; the guest must not
 * take the entry back while they are set, and nothing breaks if it does: we
 * go by the active entry.
 *
 * DEATH. A dying domain gives up its handles (grant_destroy). Frames of its own
 * that others still map stay allocated, and so does the domain, until those
 * unmap: a handle therefore names the granting domain by a plain pointer.
 *
 * LOCKS. LOCK_GRANT of a domain guards its shared table, active entries and the
 * list of free handles. Never two at once; none across guest_map_grant() and
 * guest_unmap_grant(), which may wait for page tables. A handle is its own lock: an
 * operation makes its flags busy by one exchange, and is alone with it then.
 */
#pragma once

#include "core/guest.h"
#include <xen/grant_table.h>

/* Life; limits and highest version are d's max_grant_frames, max_maptrack_frames
 * and grant_version_max (as from XEN_DOMCTL_createdomain; negative: default). */
int grant_init(struct domain *d);
int grant_destroy(struct domain *d); /* dying; -ERESTART_HYPERCALL until done */
void grant_free(struct domain *d);   /* last reference gone; d->grants may be NULL */
void grant_dump(struct domain *d);   /* sizes and uses, to the log */

/* What the requests of one list have found, for those behind them. All zero: new. */
struct grant_mapper {
    struct domain *granter; /* reference held; NULL: none */
    struct grant_place place;
};
void grant_mapper_end(struct grant_mapper *mapper);
/* Operations of the current domain. GNTST_*; results go into the op. */
s16 grant_map(struct gnttab_map_grant_ref *op, struct grant_mapper *mapper);

/* A use of a grant: what grant_use_end() has to take back. */
struct grant_use {
    struct domain *granter; /* NULL: nothing */
    struct frame *frame;    /* NULL: transitive, see trans_* */
    u32 ref;
    bool writable;
    u16 start;
    u32 length;
    domid_t trans_domid;
    u32 trans_ref;
};

/* What an unmap took away but must not give up before the TLB flush. */
struct grant_unmapped {
    u32 handle; /* maps nothing any more, busy */
    bool last;  /* such a handle is there */
    bool flush; /* an entry was cleared */
};
/* new_addr as in GNTTABOP_unmap_and_replace, 0 else. */
s16 grant_unmap(u64 host_addr, u64 dev_bus_addr, u64 new_addr, u32 handle,
                struct grant_unmapped *gone, struct grant_mapper *mapper);
/* Flushes if need be, then gives up; after each batch of unmaps. */
void grant_unmap_finish(struct grant_unmapped *gone, u32 n);

/*
 * One side of copies: what is held for it. Requests mostly come in runs that use
 * the same grant or frame, which is looked up and held once for all of a run.
 */
struct grant_side {
    struct domain *granter;  /* reference held; NULL: none */
    struct domain *granter2; /* of the grant a transitive one leads to */
    struct grant_use use, use2;
    struct frame *frame; /* NULL: nothing to copy to or from */
    u64 name;            /* a reference to a grant, or a frame number, of the request */
    u32 start, length;   /* what may be touched */
    domid_t domid;       /* of the request */
    bool by_ref;
};
struct grant_copier {
    struct grant_side from, to;
};
static inline void grant_copy_begin(struct grant_copier *c)
{
    c->from.frame = c->to.frame = NULL;
    c->from.granter = c->from.granter2 = c->from.use.granter = c->from.use2.granter = NULL;
    c->to.granter = c->to.granter2 = c->to.use.granter = c->to.use2.granter = NULL;
}
s16 grant_copy(struct grant_copier *copier, const struct gnttab_copy *op);
void grant_copy_end(struct grant_copier *copier); /* before the guest goes on */
s16 grant_transfer(const struct gnttab_transfer *op);
s16 grant_swap(u32 ref_a, u32 ref_b);

/* The table itself. */
int grant_set_version(struct domain *d, u32 version); /* errno */
u32 grant_version(struct domain *d);
enum grant_frames { GRANT_SHARED, GRANT_STATUS };
/* How many frames there are now, and may ever be. */
u32 grant_frame_count(struct domain *d, enum grant_frames which);
u32 grant_frame_max(struct domain *d, enum grant_frames which);
/* Makes the shared table at least so big: -EINVAL beyond the limit, -ENOMEM. */
int grant_grow(struct domain *d, u32 frames);
/* Frame `index`, growing the table up to it; status frames need version 2: -EINVAL. */
int grant_frame(struct domain *d, enum grant_frames which, u32 index, mfn_t *m);
