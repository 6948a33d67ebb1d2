/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What frame a domain means by a number: a PV domain names machine frames, a
 * translated one guest frames. The number is the guest's, unchecked.
 */
#pragma once

#include "core/domain.h"
#include "core/nospec.h"

/* The domain's own frame, with a reference; NULL: no such RAM, or not its own. */
struct frame *physmap_frame_get(struct domain *d, u64 number);
static inline struct frame *domain_frame_get(struct domain *d, u64 number)
{
    return likely(!d->p2m) ? frame_get_from_guest(number, &d->frames)
                           : physmap_frame_get(d, number);
}
/* The same for writing on the guest's account: a reference and a writable use.
 * 0, -EINVAL: no such RAM, -EPERM: not writable. */
int domain_page_take(struct domain *d, u64 number, struct frame **f);
void domain_page_drop(struct frame *f); /* both */
/* No CPU remembers mappings of d that are gone, when this returns. */
void domain_flush(struct domain *d);

/*
 * The rest is for translated domains. Guest frame numbers are the caller's,
 * unchecked; errnos are p2m.h's.
 */
/* 2^order frames of d's own, aligned, where there is nothing. */
int physmap_add(struct domain *d, u64 gfn, struct frame *f, u32 order);
/* 2^order guest frames become nothing, and own ones are given up. Granted ones stay:
 * -EINVAL. The caller has d's vCPUs' word, or control. */
int physmap_remove(struct domain *d, u64 gfn, u32 order);
/* A page of ours that is shown to d appears at gfn, in place of what was there, and
 * nowhere else. */
int physmap_show(struct domain *d, u64 gfn, mfn_t page);
/* One of d's own frames moves. */
int physmap_move(struct domain *d, u64 from, u64 to);
/* A frame of d's own may be read only, or written again. The caller flushes. */
int physmap_protect(struct domain *d, u64 gfn, bool readonly);
/* Seams of the grant table: GNTST_*. */
s16 physmap_map_grant(struct domain *d, u64 address, mfn_t frame, u32 flags);
s16 physmap_unmap_grant(struct domain *d, u64 address, mfn_t frame, u64 new_address);
