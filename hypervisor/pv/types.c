/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page types: the state machine that keeps PV guests apart.
 *
 * A PV guest makes its own page tables, in its own frames, and the processor
 * walks them as they are. That is safe for as long as these hold:
 *
 * (1) A frame the processor may walk as a level-N table, or read descriptors
 *     from, is of that type, and every entry in it has been checked.
 * (2) No frame is of two types at once. Nobody but us writes a frame that is
 *     a table or descriptors: the guest has no writable mapping of it.
 * (3) Every present entry in a valid table holds what it uses. A level-1 entry:
 *     one reference on the frame and, when it permits writing, one count of
 *     type writable. An entry of level N > 1: one reference and one count of
 *     type level N-1. So nothing goes away under a table.
 *
 * The type word of a frame (memory/frame.h) has the type, a count of uses and
 * these flags:
 *
 *   count 0               idle. The type is what it was last, which matters only
 *                         for stale TLB entries: see below.
 *   LOCKED, no VALIDATED  count 1: one CPU checks its entries or gives them up.
 *   PARTIAL               count 1: the same, interrupted. `validated` says how
 *                         many entries, from the first on, are held. The half-done
 *                         state itself owns the count and one reference, and
 *                         belongs to no one: whoever comes by can go on, in
 *                         either direction. Level 1 is never interrupted.
 *   VALIDATED             in use; count says how often.
 *   VALIDATED and LOCKED  some CPU changes an entry.
 *   PINNED                one of the counts (and references) is the pin.
 *
 * A type changes only at count 0. Only the holder of LOCKED sets or clears
 * VALIDATED and PARTIAL, and the last use is ended only by taking LOCKED, so
 * LOCKED without a count of one's own keeps a valid table valid. Two uses of a
 * table are thus taken and ended with one compare-and-exchange each; the walk
 * over the entries is for the first and the last only.
 *
 * Level by level: a level-N entry must name a frame of type level N-1, and a
 * frame has one type, so a table can never be reached from itself. Self-
 * referencing ("linear") tables are refused by that, and every recursion here
 * is at most four deep.
 *
 * Interruption: work over levels 2..4 stops between entries when
 * hypercall_should_yield() and reports -ERESTART_HYPERCALL, which every level
 * passes up after noting its own position. Checking resumes when the
 * same type_get() is called again. Giving up resumes by type_finish(), or by
 * the giver-up of the table above (CHILD_PENDING: the entry just behind
 * `validated` leads to an unfinished table), or by anyone who wants to pin or
 * load the frame. A half-done table nobody comes back to is its domain's loss
 * until the domain dies, when type_finish(all) undoes it.
 *
 * Stale translations: the processor may remember what it read from tables. A
 * frame that was writable may still be written through a forgotten TLB
 * entry; a frame that was a level-1 table may still be walked through a
 * remembered level-2 entry. So the end of a use that a processor can remember
 * stamps the frame with the flush clock, and a change from one type to
 * another first flushes every CPU of the domain that has not flushed since. Level-1
 * tables are stamped when an entry that led to them goes; a pin leads nowhere.
 * (Other domains that had the frame mapped flush before they give their
 * references up: core's grant unmapping. A control domain is trusted to.)
 *
 * Locks: none but TYPE_LOCKED, a spinning bit below all lock levels of
 * cpu/lock.h but LOCK_OWNER and higher, which frame_put() may take. It is
 * taken from tables of higher level to lower only.
 */
#include "pv/shield.h"
#include "pv/types.h"

#include "core/continuation.h"
#include "pv/pv.h"

/* partial_flags */
#define GIVING_UP     1 /* entries are being given up, not checked */
#define CHILD_PENDING 2 /* see the essay */

static u64 *table_of(const struct frame *f)
{
    return mfn_to_virt(frame_to_mfn(f));
}

static bool slot_is_ours(u32 level, u32 slot)
{
    return level == 4 && slot >= HV_FIRST_SLOT && slot <= HV_LAST_SLOT;
}

/* Before a frame changes type: no CPU that ran its domain remembers the old one. */
static void flush_stale(const struct frame *f)
{
    cpumask_t mask = frame_domain(f)->dirty_cpus;

    flush_clock_filter(&mask, READ_ONCE(f->stamp));
    if (!cpumask_empty(&mask))
        cpu_flush(&mask, FLUSH_TLB, 0);
}

/*
 * Leaves a half-done frame to whoever comes next. `resumed`: it was left so
 * before, and so has the reference that the half-done state owns.
 */
static int leave_partial(struct frame *f, u32 n, u32 flags, bool resumed)
{
    u64 type = READ_ONCE(f->type);

    f->validated = (u16)n;
    WRITE_ONCE(f->partial_flags, (u16)flags);
    if (!resumed)
        frame_get_again(f);
    /* The word is ours alone while LOCKED without VALIDATED. */
    store_release(&f->type, (type & ~TYPE_LOCKED) | TYPE_PARTIAL);
    return -ERESTART_HYPERCALL;
}

static int finish(struct frame *f, u64 type, bool all);

/*
 * Goes on with an unfinished table that `entry`, which we no longer hold, led
 * to. By now the frame may be anything: only a table of the level below ours
 * is finished, or we might lock upwards and meet ourselves.
 */
static int finish_child(u64 entry, u32 level)
{
    struct frame *child = entry & PTE_PRESENT ? frame_from_guest(pte_mfn(entry).raw) : NULL;

    return child ? finish(child, level_type(level - 1), false) : 0;
}

/* Gives up entries n-1..0 of a frame LOCKED by us, then the type. */
static int give_up(struct frame *f, u32 n, u32 flags, bool resumed)
{
    u64 type = READ_ONCE(f->type) & TYPE_MASK;
    u32 level = type_level(type);
    u64 *table = table_of(f);

    if ((flags & CHILD_PENDING) && finish_child(table[n], level))
        return leave_partial(f, n, GIVING_UP | CHILD_PENDING, resumed);
    while (n > 0) {
        u64 entry = table[--n];

        if (!(entry & PTE_PRESENT) || slot_is_ours(level, n))
            continue;
        if (level == 1) {
            entry_put_l1(entry);
            continue;
        }
        if (entry_put_table(entry))
            return leave_partial(f, n, GIVING_UP | CHILD_PENDING, resumed);
        if (n > 0 && hypercall_should_yield())
            return leave_partial(f, n, GIVING_UP, resumed);
    }
    if (level == 4)
        hv_slots_clear(table);
    if (level != 1)
        frame_stamp(f);
    store_release(&f->type, type);
    if (resumed)
        frame_put(f);
    return 0;
}

static int check_descriptors(u64 *table)
{
    for (u32 i = 0; i < TABLE_ENTRIES; i++) {
        u64 descriptor = table[i];

        TRY(descriptor_check(&descriptor));
        if (descriptor != table[i])
            table[i] = descriptor;
    }
    return 0;
}

static int check_slot(struct domain *d, u32 level, u64 *slot)
{
    u64 entry = *slot;
    int error = level == 1 ? entry_get_l1(d, d, &entry) : entry_get_table(d, level, &entry);

    if (!error && entry != *slot)
        *slot = entry;
    return error;
}

/* Checks and takes entries from n on of a frame LOCKED by us; then it is valid. */
static int validate(struct frame *f, u32 n, bool resumed)
{
    struct domain *d = frame_domain(f);
    u64 type = READ_ONCE(f->type);
    u32 level = type_level(type);
    u64 *table = table_of(f);
    int error = 0;

    if ((type & TYPE_MASK) == TYPE_SEGDESC) {
        n = 0; /* there is nothing to give up */
        error = check_descriptors(table);
    } else {
        for (; n < TABLE_ENTRIES; n++) {
            if (!(table[n] & PTE_PRESENT) || slot_is_ours(level, n))
                continue;
            error = check_slot(d, level, &table[n]);
            if (error)
                break;
            if (level > 1 && n + 1 < TABLE_ENTRIES && hypercall_should_yield()) {
                n++;
                error = -ERESTART_HYPERCALL;
                break;
            }
        }
    }
    if (error == -ERESTART_HYPERCALL)
        return leave_partial(f, n, 0, resumed);
    if (error) {
        /* The refused entry may have led to a table which is not undone yet. */
        (void)give_up(f, n, level > 2 && n < TABLE_ENTRIES ? CHILD_PENDING : 0, resumed);
        return error;
    }
    if (level == 4)
        hv_slots_fill(table, to_pv_domain(d)->perdomain_l3);
    store_release(&f->type, (type & ~TYPE_LOCKED) | TYPE_VALIDATED);
    if (level == 4)
        shield_table_changed();
    if (resumed)
        frame_put(f);
    return 0;
}

/* Locks a half-done frame to go on with it; false: the word changed meanwhile. */
static bool take_partial(struct frame *f, u64 type)
{
    return atomic_cmpxchg(&f->type, type, (type & ~TYPE_PARTIAL) | TYPE_LOCKED) == type;
}

int type_get(struct frame *f, u64 type)
{
    for (;;) {
        u64 old = READ_ONCE(f->type);

        if (!(old & TYPE_COUNT_MASK)) {
            if (READ_ONCE(f->count) & FRAME_HV)
                return reject(-EINVAL, "a page of ours as a page table");
            if (atomic_cmpxchg(&f->type, old, type | TYPE_LOCKED | 1) != old)
                continue;
            /* From here on there can be no new writable use; forget the old ones. */
            if ((old & TYPE_MASK) != TYPE_NONE && (old & TYPE_MASK) != type)
                flush_stale(f);
            return validate(f, 0, false);
        }
        if ((old & TYPE_MASK) != type)
            return reject(-EINVAL, "frame is in use as another type");
        if (old & TYPE_VALIDATED) {
            if (atomic_cmpxchg(&f->type, old, old + 1) == old)
                return 0;
        } else if (old & TYPE_LOCKED) {
            cpu_wait();
        } else if (take_partial(f, old)) {
            return validate(f, f->validated, true);
        }
    }
}

int type_put(struct frame *f)
{
    for (;;) {
        u64 old = READ_ONCE(f->type);

        ASSERT((old & TYPE_COUNT_MASK) && (old & TYPE_VALIDATED));
        if ((old & TYPE_COUNT_MASK) > 1) {
            if (atomic_cmpxchg(&f->type, old, old - 1) == old)
                return 0;
        } else if (old & TYPE_LOCKED) {
            cpu_wait(); /* until an entry's change is complete */
        } else if (atomic_cmpxchg(&f->type, old, (old & ~TYPE_VALIDATED) | TYPE_LOCKED) == old) {
            return give_up(f, (old & TYPE_MASK) == TYPE_SEGDESC ? 0 : TABLE_ENTRIES, 0, false);
        }
    }
}

bool type_unfinished(const struct frame *f)
{
    return (READ_ONCE(f->type) & TYPE_PARTIAL) && (READ_ONCE(f->partial_flags) & GIVING_UP);
}

/* type_finish() for a frame of a certain type, or any (TYPE_NONE). */
static int finish(struct frame *f, u64 type, bool all)
{
    for (;;) {
        u64 old = READ_ONCE(f->type);

        if (type != TYPE_NONE && (old & TYPE_MASK) != type)
            return 0;
        if (old & TYPE_PARTIAL) {
            if (!take_partial(f, old))
                continue;
            if (!all && !(f->partial_flags & GIVING_UP)) {
                store_release(&f->type, old);
                return 0;
            }
            return give_up(f, f->validated, f->partial_flags, true);
        }
        if (!all || !(old & TYPE_LOCKED))
            return 0;
        cpu_wait();
    }
}

int type_finish(struct frame *f, bool all)
{
    return finish(f, TYPE_NONE, all);
}

bool table_lock_wait(struct frame *f, u64 type, const struct domain *d)
{
    u64 old;

    while (old = READ_ONCE(f->type), (old & TYPE_MASK) == type && (old & TYPE_LOCKED))
        cpu_wait();
    return (old & (TYPE_MASK | TYPE_VALIDATED)) == (type | TYPE_VALIDATED) &&
           table_lock(f, type, d);
}
