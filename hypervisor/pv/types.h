/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page types: how a frame of a PV guest becomes a page table or a page of
 * segment descriptors, and how it stops being one. pv/types.c opens with the
 * invariants.
 */
#pragma once

#include "core/domain.h"
#include "core/nospec.h"

#define TABLE_ENTRIES 512

static inline u32 type_level(u64 type)
{
    return (u32)(type >> 61);
}
static inline u64 level_type(u32 level)
{
    return (u64)level << 61;
}
static inline bool type_is_table(u64 type)
{
    u32 level = type_level(type);
    return level >= 1 && level <= 4;
}

/* The domain a live frame belongs to (the caller holds a reference or its lock). */
static inline struct domain *frame_domain(const struct frame *f)
{
    return (struct domain *)frame_owner_of(f);
}

/*
 * One more use of f as `type` (TYPE_L1..L4 or TYPE_SEGDESC), validating it if
 * it is the first. The caller holds a reference on f and keeps one as long as
 * the use lasts.
 * -EINVAL: it is in other use, or its contents are refused.
 * -ERESTART_HYPERCALL: begun; call again to go on. Nothing is held.
 */
__must_check int type_get(struct frame *f, u64 type);
/*
 * Ends a use. When it was the last, the entries are given up:
 * -ERESTART_HYPERCALL: not all yet; type_finish() goes on. The use is gone all the same.
 */
int type_put(struct frame *f);
/*
 * Goes on with giving up f's entries, if someone left that half done (and does
 * nothing otherwise, so f needs no reference). The caller has no table locked.
 * `all`: gives up also a table whose validation was left half done; for dying
 * domains.
 */
int type_finish(struct frame *f, bool all);
/* Was f left with entries to give up, by a failed type_get or an interrupted type_put? */
bool type_unfinished(const struct frame *f);

/*
 * Locks f against all others who would change entries of it or end its type,
 * if it is a valid table of `type` owned by d; false otherwise.
 */
bool table_lock_wait(struct frame *f, u64 type, const struct domain *d); /* somebody has it */
static inline void table_unlock(struct frame *f)
{
    atomic_and(&f->type, ~TYPE_LOCKED);
}
static inline __must_check bool table_lock(struct frame *f, u64 type, const struct domain *d)
{
    u64 old = READ_ONCE(f->type);

    /* What is valid, of a table's types, is in use. */
    if (unlikely((old & (TYPE_MASK | TYPE_LOCKED | TYPE_VALIDATED)) != (type | TYPE_VALIDATED) ||
                 atomic_cmpxchg(&f->type, old, old | TYPE_LOCKED) != old))
        return table_lock_wait(f, type, d);
    /* Valid, so it has an owner who cannot change while we hold the lock. */
    if (likely(f->owner == frame_owner_number(&d->frames)))
        return true;
    table_unlock(f);
    return false;
}

/*
 * Uses by entries (pv/mm_entry.c). d owns the table; owner is whose frames an
 * L1 entry may map. The entry may be adjusted (USER set, GLOBAL cleared...).
 * 0, -EINVAL, or type_get's -ERESTART_HYPERCALL. Absent entries are no use.
 */
__must_check int entry_get_l1(struct domain *d, struct domain *owner, u64 *entry);
__must_check bool entry_get_writable(struct frame *f); /* its part, for an entry of a frame held */
void entry_put_l1(u64 entry);
__must_check int entry_get_table(struct domain *d, u32 level, u64 *entry);
int entry_put_table(u64 entry);
#define CACHE_BITS (PTE_PWT | PTE_PCD | PTE_PAT)
__must_check int entry_check_cache(const struct domain *d, u64 *entry);
/* Puts an L1 entry into the form we store, or says -EINVAL. No references. */
static inline __must_check int entry_check_l1(const struct domain *d, u64 *entry)
{
    if (!(*entry & PTE_PRESENT))
        return 0;
    if (unlikely(*entry & CACHE_BITS))
        TRY(entry_check_cache(d, entry));
    *entry = (*entry | PTE_USER) & ~PTE_GLOBAL;
    return 0;
}
__must_check int entry_check_table(u64 *entry);

/* Checks and adjusts one segment descriptor (pv/descriptors.c). */
__must_check int descriptor_check(u64 *descriptor);
