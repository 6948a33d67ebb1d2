/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one page-table entry may say and what it holds (rule 3 of pv/types.c).
 *
 * Bits: the guest kernel runs in ring 3, so every present entry gets USER from
 * us; kernel and processes are kept apart by having different top tables.
 * GLOBAL is cleared: nothing of a guest survives a change of top table.
 * Large pages are refused. Memory types other than write-back are for I/O
 * frames only: on RAM, which we always map write-back ourselves, a domain with
 * hardware has them ignored and any other has the entry refused.
 *
 * Locks: none. Callers: pv/types.c under the table's LOCKED, pv/mm.c likewise.
 */
#include "platform/irq.h"
#include "pv/types.h"

/*
 * May d map the entry's frame, which is no RAM, under the privilege of `owner`?
 * MSI-X tables in use are ours to write: whoever maps them for writing gets to
 * read, without a word, as drivers that only look there ask for both.
 */
static int check_io(struct domain *d, const struct domain *owner, u64 *entry)
{
    u64 number = pte_mfn(*entry).raw;

    if (owner && owner != d)
        return reject(-EINVAL, "maps I/O memory in the name of another domain");
    if (!rangeset_contains(&d->io_memory, number, number))
        return reject(-EINVAL, "maps a frame that is neither RAM nor its I/O memory");
    if (!memory_is_io(mfn_to_paddr(mfn(number)), PAGE_SIZE))
        return reject(-EINVAL, "maps memory of the hypervisor");
    if ((*entry & PTE_WRITE) && msi_owns_page(mfn(number)))
        *entry &= ~PTE_WRITE;
    return 0;
}

int entry_check_cache(const struct domain *d, u64 *entry)
{
    if (!mfn_is_ram(pte_mfn(*entry)))
        return 0;
    if (!d->is_hardware && rangeset_empty(&d->io_memory))
        return reject(-EINVAL, "memory type of a domain without hardware");
    *entry &= ~CACHE_BITS;
    return 0;
}

/* Does a writable entry count as a use of the frame as writable? Not of a translated domain's
 * memory: that is no table of ours ever, and its count says who writes besides control, which
 * says so itself (memory/p2m.h). */
static bool counts(const struct frame *f)
{
    const struct domain *owner = (const struct domain *)frame_owner_of(f);

    return !owner->is_hvm || (READ_ONCE(f->count) & FRAME_HV);
}

bool entry_get_writable(struct frame *f)
{
    return !counts(f) || frame_get_writable(f);
}

int entry_get_l1(struct domain *d, struct domain *owner, u64 *entry)
{
    TRY(entry_check_l1(d, entry));
    if (!(*entry & PTE_PRESENT))
        return 0;
    struct frame *f = frame_from_guest(pte_mfn(*entry).raw);

    if (unlikely(!f))
        return check_io(d, owner, entry);
    if (!owner || !frame_get(f, &owner->frames))
        return reject(-EINVAL, "maps a frame of another owner");
    if ((*entry & PTE_WRITE) && !entry_get_writable(f)) {
        frame_put(f);
        return reject(-EINVAL, "writable mapping of a page table or descriptors");
    }
    return 0;
}

void entry_put_l1(u64 entry)
{
    if (!(entry & PTE_PRESENT))
        return;
    struct frame *f = frame_from_guest(pte_mfn(entry).raw);

    if (!f)
        return;
    if ((entry & PTE_WRITE) && counts(f))
        frame_put_writable(f);
    frame_put(f);
}

/* What an entry that leads to a table may have set besides the frame. */
#define TABLE_BITS \
    (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY | 0xe00UL | PTE_NX | PTE_ADDRESS)

int entry_check_table(u64 *entry)
{
    if (!(*entry & PTE_PRESENT))
        return 0;
    if (*entry & ~TABLE_BITS)
        return reject(-EINVAL, "flags of a table's entry");
    *entry |= PTE_USER;
    return 0;
}

int entry_get_table(struct domain *d, u32 level, u64 *entry)
{
    int error = entry_check_table(entry);

    if (error || !(*entry & PTE_PRESENT))
        return error;
    struct frame *f = frame_get_from_guest(pte_mfn(*entry).raw, &d->frames);

    if (!f)
        return reject(-EINVAL, "table's entry leads to a frame of another owner");
    error = type_get(f, level_type(level - 1));
    if (error)
        frame_put(f);
    return error;
}

int entry_put_table(u64 entry)
{
    if (!(entry & PTE_PRESENT))
        return 0;
    /* Rule 3 holds this frame, so it is RAM and of a table's type. */
    struct frame *f = mfn_to_frame(pte_mfn(entry));
    u64 type = READ_ONCE(f->type);

    /* Level 1 is stamped here, see "stale translations". */
    if ((type & TYPE_MASK) == TYPE_L1)
        frame_stamp(f);
    int rc = type_put(f);

    frame_put(f);
    return rc;
}
