/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grants in a PV guest's page tables: the only way by which an entry comes to
 * map another domain's frame without that domain's being the caller's to
 * control. Such an entry holds what any other holds (rule 3 of pv/types.c), so
 * a guest that overwrites it by other means harms nobody but itself. The
 * caller (core's grant table) holds references of its own besides and flushes
 * TLBs before it gives those up.
 *
 * Locks: TYPE_LOCKED of the table. Seams declared in core/guest.h.
 */
#include "pv/mm.h"
#include "pv/types.h"
#include <xen/grant_table.h>

/* The level-1 entry meant: its table, its slot. NULL: none. The place is only a hint, as the walk
 * itself: replace_entry() looks at the table. */
static struct frame *find_entry(u64 host_addr, u32 flags, u32 *slot, struct grant_place *place)
{
    u64 region = host_addr >> (PAGE_SHIFT + 9);
    struct frame *table;

    if (flags & GNTMAP_contains_pte) {
        *slot = (host_addr & ~PAGE_MASK) / sizeof(u64);
        table = host_addr % sizeof(u64) ? NULL : frame_from_guest(host_addr >> PAGE_SHIFT);
    } else {
        *slot = PV_SLOT(host_addr);
        if (place->table && place->region == region)
            return place->table;
        *place = (struct grant_place){region, table = pv_walk(to_pv(current), host_addr)};
    }
    if (!table)
        (void)reject(GNTST_general_error, "grant mapping's place is no table entry");
    return table;
}

/* What must agree for an entry to be the one that a grant mapping made. */
#define ENTRY_IDENTITY (PTE_ADDRESS | PTE_PRESENT | PTE_WRITE)

/*
 * Writes an entry. With `expect` (not 0), only over a mapping of the same frame
 * with the same right to write. The old entry comes back in *old with what it
 * holds.
 */
static s16 replace_entry(struct domain *d, struct frame *table, u32 slot, u64 expect, u64 value,
                         u64 *old)
{
    if (!table_lock(table, TYPE_L1, d))
        return reject(GNTST_general_error, "grant mapping's place is not in a level-1 table");
    u64 *where = (u64 *)mfn_to_virt(frame_to_mfn(table)) + slot;
    bool fits = !expect || !((*where ^ expect) & ENTRY_IDENTITY);

    if (fits)
        *old = atomic_xchg(where, value);
    table_unlock(table);
    return fits ? GNTST_okay : reject(GNTST_general_error, "entry does not map the grant");
}

s16 guest_map_grant(struct domain *d, u64 host_addr, mfn_t m, u32 flags, struct grant_place *place)
{
    struct frame *f = mfn_to_frame(m);
    u64 entry, old;
    u32 slot;
    struct frame *table = find_entry(host_addr, flags, &slot, place);

    if (!table)
        return GNTST_general_error;
    entry = pte_make(m, PTE_PRESENT | PTE_USER | PTE_ACCESSED | PTE_DIRTY);
    /* Bits of the entry that are the guest's to use. */
    entry |= ((u64)flags >> _GNTMAP_guest_avail0 & 7) << 9;
    frame_get_again(f);
    if (!(flags & GNTMAP_readonly)) {
        if (!entry_get_writable(f)) {
            frame_put(f);
            return reject(GNTST_general_error, "granted frame is not writable");
        }
        entry |= PTE_WRITE;
    }
    s16 status = replace_entry(d, table, slot, 0, entry, &old);
    entry_put_l1(status == GNTST_okay ? old : entry);
    return status;
}

/* Takes the entry at address new_addr away from there, with what it holds. */
static s16 take_entry(struct domain *d, u64 new_addr, u64 *entry)
{
    u32 slot;
    struct frame *table = find_entry(new_addr, 0, &slot, &(struct grant_place){0});

    return table ? replace_entry(d, table, slot, 0, 0, entry) : GNTST_general_error;
}

s16 guest_unmap_grant(struct domain *d, u64 host_addr, mfn_t m, u32 flags, u64 new_addr,
                      struct grant_place *place)
{
    u64 mapped = pte_make(m, PTE_PRESENT | (flags & GNTMAP_readonly ? 0 : PTE_WRITE));
    u64 replacement = 0, old;
    u32 slot;
    struct frame *table = find_entry(host_addr, flags, &slot, place);

    if (!table)
        return GNTST_general_error;
    if (new_addr) {
        if (flags & GNTMAP_contains_pte)
            return GNTST_general_error;
        TRY(take_entry(d, new_addr, &replacement));
    }
    s16 status = replace_entry(d, table, slot, mapped, replacement, &old);
    entry_put_l1(status == GNTST_okay ? old : replacement);
    return status;
}
