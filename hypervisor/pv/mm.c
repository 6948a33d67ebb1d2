/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables in use: finding and changing entries, pins, top tables, and the
 * end of it all when a domain dies. Changes keep rule 3 of pv/types.c: what the
 * new entry uses is taken first, then the entry is written, then what the old
 * one used is put.
 *
 * Locks: TYPE_LOCKED of the one table being changed. Lists of a dying domain
 * under LOCK_OWNER.
 *
 * Callers: the hypercalls (pv/mmu_*.c), faults (pv/mm_fault.c), grants
 * (pv/grant_map.c), vCPU contexts (pv/domain.c), the dom0 builder.
 */
#include "pv/mm.h"

#include "core/continuation.h"
#include "pv/shield.h"
#include "pv/types.h"

static struct pv_vcpu *current_pv(void)
{
    struct vcpu *v = current;

    return v && v->ops == &guest_pv && !v->domain->is_idle ? to_pv(v) : NULL;
}

void pv_unfinished_table(struct frame *f)
{
    struct pv_vcpu *v = current_pv();

    /* One is remembered, which is all that one request can leave behind but in
     * odd cases. Others wait for whoever wants the frame (begin_use). */
    if (v && !v->unfinished)
        v->unfinished = f;
}

bool pv_finish_table(struct pv_vcpu *v)
{
    if (type_finish(v->unfinished, false))
        return false;
    v->unfinished = NULL;
    return true;
}

/* Ends a use and drops the reference that went with it. */
static void end_use(struct frame *f)
{
    if (type_put(f))
        pv_unfinished_table(f);
    frame_put(f);
}

/* A reference on a frame of d and its use as `type`. */
static int begin_use(struct domain *d, mfn_t m, u64 type)
{
    struct frame *f = frame_get_from_guest(m.raw, &d->frames);
    int error = 0;

    if (!f)
        return reject(-EINVAL, "table is no frame of the domain");
    /* What others left half done may be in the way. */
    if (type_unfinished(f) && (READ_ONCE(f->type) & TYPE_MASK) != type)
        error = type_finish(f, false);
    if (!error)
        error = type_get(f, type);
    if (error) {
        if (error != -ERESTART_HYPERCALL && type_unfinished(f))
            pv_unfinished_table(f);
        frame_put(f);
    }
    return error;
}

/* Takes the pin away: true if f had one, whose use is then the caller's to end. */
static bool take_pin(struct frame *f)
{
    return (READ_ONCE(f->type) & TYPE_PINNED) &&
           (atomic_fetch_and(&f->type, ~TYPE_PINNED) & TYPE_PINNED);
}

int pv_pin_table(struct domain *d, mfn_t m, u32 level)
{

    TRY(begin_use(d, m, level_type(level)));
    struct frame *f = mfn_to_frame(m);

    if (atomic_fetch_or(&f->type, TYPE_PINNED) & TYPE_PINNED) {
        end_use(f);
        return reject(-EINVAL, "table is pinned already");
    }
    /* Seen by the end of the domain, or seeing that it has begun. */
    if (unlikely(READ_ONCE(d->dying) != DYING_NOT)) {
        if (take_pin(f))
            end_use(f);
        return reject(-EINVAL, "pin in a dying domain");
    }
    return 0;
}

int pv_unpin_table(struct domain *d, mfn_t m)
{
    struct frame *f __put_frame = frame_get_from_guest(m.raw, &d->frames);

    if (!f)
        return reject(-EINVAL, "unpin of no frame of the domain");
    if (!take_pin(f))
        return reject(-EINVAL, "table is not pinned");
    end_use(f);
    return 0;
}

int pv_base_get(struct domain *d, mfn_t m)
{
    return begin_use(d, m, TYPE_L4);
}

void pv_base_put(mfn_t m)
{
    if (!mfn_is_none(m))
        end_use(mfn_to_frame(m));
}

void pv_drop_base_tables(struct pv_vcpu *v)
{
    mfn_t kernel = v->kernel_table, user = v->user_table;

    v->kernel_table = v->user_table = MFN_NONE;
    pv_base_put(kernel);
    pv_base_put(user);
}

int pv_set_base_tables(struct pv_vcpu *v, mfn_t kernel, mfn_t user)
{
    TRY(pv_base_get(v->v.domain, kernel));
    if (!mfn_is_none(user)) {
        int error = pv_base_get(v->v.domain, user);
        if (error) {
            pv_base_put(kernel);
            return error;
        }
    }
    pv_drop_base_tables(v);
    v->kernel_table = kernel;
    v->user_table = user;
    return 0;
}

/*
 * No lock and no reference: other vCPUs may take the tables apart while we
 * look. Whatever we read is then wrong but harmless, since it is only used
 * after table_lock() found a valid L1 table of the domain there.
 */
static __always_inline struct frame *walk(mfn_t m, u64 va, u64 *rights)
{
    u64 top = (u64)((s64)va >> 47); /* all ones or zero when canonical */
    struct frame *table = NULL;

    if (mfn_is_none(m) || top + 1 > 1 || (va >= HV_START && va < HV_END))
        return NULL;
    for (u32 shift = PAGE_SHIFT + 27; shift > PAGE_SHIFT; shift -= 9, m = frame_to_mfn(table)) {
        u64 e = READ_ONCE(((u64 *)mfn_to_virt(m))[(va >> shift) % TABLE_ENTRIES]);

        if (rights)
            *rights = (*rights & (e | PTE_NX)) | (e & PTE_NX);
        table = e & PTE_PRESENT ? frame_from_guest(pte_mfn(e).raw) : NULL;
        if (!table)
            break;
    }
    return table;
}

struct frame *pv_walk(const struct pv_vcpu *v, u64 va)
{
    return walk(v->kernel_table, va, NULL);
}

bool pv_walk_rights(const struct pv_vcpu *v, bool kernel, u64 va, u64 *entry, u64 *rights)
{
    u64 r = PTE_PRESENT | PTE_WRITE;
    struct frame *table = walk(kernel ? v->kernel_table : v->user_table, va, &r);

    if (!table)
        return false;
    *entry = READ_ONCE(((u64 *)mfn_to_virt(frame_to_mfn(table)))[PV_SLOT(va)]);
    *rights = (r & (*entry | PTE_NX)) | (*entry & PTE_NX);
    return true;
}

/*
 * Writes a slot of a table we have locked; only the processor's accessed and
 * dirty bits can change beside us. False: the entry is not as expected.
 */
static bool store_entry(u64 *slot, u64 value, enum entry_mode mode, u64 expected)
{
    u64 old;

    switch (mode) {
    case ENTRY_SET:
        atomic_store(slot, value);
        return true;
    case ENTRY_EXCHANGE:
        return atomic_cmpxchg(slot, expected, value) == expected;
    case ENTRY_PRESERVE_AD:
        break;
    }
    do
        old = READ_ONCE(*slot);
    while (atomic_cmpxchg(slot, old, value | (old & (PTE_ACCESSED | PTE_DIRTY))) != old);
    return true;
}

static __always_inline int update_l1(struct domain *d, struct domain *owner, struct frame *table,
                                     u32 slot, u64 value, enum entry_mode mode, u64 expected)
{
    if (!table_lock(table, TYPE_L1, d))
        return reject(-EINVAL, "not a level-1 table of the domain");
    u64 *where = (u64 *)mfn_to_virt(frame_to_mfn(table)) + slot;
    u64 old = READ_ONCE(*where);
    /* The same frame with the same rights: what it uses stays as it is. */
    bool same = (old & value & PTE_PRESENT) && !((old ^ value) & (PTE_ADDRESS | PTE_WRITE));
    int error = same ? entry_check_l1(d, &value) : entry_get_l1(d, owner, &value);
    bool stored = !error && store_entry(where, value, mode, expected);

    table_unlock(table);
    if (unlikely(error))
        return error;
    if (!same)
        entry_put_l1(stored ? old : value);
    return stored ? 0 : -EAGAIN;
}

int pv_update_l1(struct domain *d, struct domain *owner, struct frame *table, u32 slot, u64 value,
                 enum entry_mode mode)
{
    return update_l1(d, owner, table, slot, value, mode, 0);
}

int pv_exchange_l1(struct domain *d, struct frame *table, u32 slot, u64 value, u64 expected)
{
    return update_l1(d, d, table, slot, value, ENTRY_EXCHANGE, expected);
}

/* An entry of a table of level 2..4. */
static int update_upper(struct domain *d, struct frame *table, u32 level, u32 slot, u64 value,
                        enum entry_mode mode)
{
    if (level == 4 && slot >= HV_FIRST_SLOT && slot <= HV_LAST_SLOT)
        return reject(-EINVAL, "slot of a top table that is ours");
    if (!table_lock(table, level_type(level), d))
        return reject(-EINVAL, "not a valid table of the domain");
    u64 *where = (u64 *)mfn_to_virt(frame_to_mfn(table)) + slot;
    u64 old = READ_ONCE(*where);
    bool same = (old & value & PTE_PRESENT) && !((old ^ value) & PTE_ADDRESS);
    int error = same ? entry_check_table(&value) : entry_get_table(d, level, &value);

    if (!error)
        store_entry(where, value, mode, 0);
    if (level == 4)
        shield_table_changed();
    table_unlock(table);
    if (error) {
        struct frame *child = frame_from_guest(pte_mfn(value).raw);

        if (error != -ERESTART_HYPERCALL && child && type_unfinished(child))
            pv_unfinished_table(child);
    } else if (!same && entry_put_table(old)) {
        pv_unfinished_table(mfn_to_frame(pte_mfn(old)));
    }
    return error;
}

/* A table that is none yet, or no more: the guest could write it itself. */
static int update_plain(struct domain *d, u64 number, u32 slot, u64 value)
{
    struct frame *f __put_frame = frame_get_from_guest(number, &d->frames);

    if (!f)
        return reject(-EINVAL, "table of another domain");
    if (!frame_get_writable(f))
        return reject(-EINVAL, "entry of a frame in other use");
    atomic_store((u64 *)mfn_to_virt(frame_to_mfn(f)) + slot, value);
    frame_put_writable(f);
    return 0;
}

int pv_update_entry(struct domain *d, struct domain *owner, u64 where, u64 value,
                    enum entry_mode mode)
{
    struct frame *table = frame_from_guest(where >> PAGE_SHIFT);

    if (unlikely(!table || (where & (sizeof(u64) - 1))))
        return reject(-EINVAL, "no place for a table entry");
    u32 slot = (where & ~PAGE_MASK) / sizeof(u64);
    u64 type = READ_ONCE(table->type);

    if (!(type & TYPE_COUNT_MASK) || !type_is_table(type))
        return update_plain(d, where >> PAGE_SHIFT, slot, value);
    if (likely(type_level(type) == 1))
        return pv_update_l1(d, owner, table, slot, value, mode);
    return update_upper(d, table, type_level(type), slot, value, mode);
}

/*
 * The end. First what vCPUs use, then each frame of the domain in turn: pins
 * are taken and half-done tables undone. By rule 3 and its lack of cycles no
 * table can then be left. The list is turned over once, a frame going to its
 * tail when done; frames may leave it meanwhile, none comes.
 * relinquish_step: 0 not begun, else 1 + frames still to look at.
 */

/* The list's head, with a reference; NULL: it is just going away, or there is none. */
static struct frame *next_frame(struct domain *d)
{
    spin_hold(&d->frames.lock);
    struct frame *f = frame_list_first(&d->frames.frames);

    return f && frame_get(f, &d->frames) ? f : NULL;
}

static void frame_done(struct domain *d, struct frame *f)
{
    spin_lock(&d->frames.lock);
    frame_list_del(&d->frames.frames, f);
    frame_list_add_tail(&d->frames.frames, f);
    spin_unlock(&d->frames.lock);
    frame_put(f);
}

/* -ERESTART_HYPERCALL: not done yet. */
static int relinquish_frame(struct frame *f)
{
    if (take_pin(f)) {
        (void)type_put(f);
        frame_put(f);
    }
    return type_finish(f, true);
}

int pv_relinquish_tables(struct domain *d)
{
    struct pv_domain *pd = to_pv_domain(d);

    if (!pd->relinquish_step) {
        for_each_vcpu (d, v) {
            pv_drop_gdt(to_pv(v));
            pv_drop_ldt(to_pv(v));
            pv_drop_base_tables(to_pv(v));
        }
        pd->relinquish_step = 1 + (u64)READ_ONCE(d->frames.frames.count);
    }
    while (pd->relinquish_step > 1) {
        struct frame *f = next_frame(d);

        if (!f) {
            if (!READ_ONCE(d->frames.frames.count))
                pd->relinquish_step = 1;
            cpu_wait();
            continue;
        }
        if (relinquish_frame(f)) {
            frame_put(f);
            return -ERESTART_HYPERCALL;
        }
        frame_done(d, f);
        pd->relinquish_step--;
        if (pd->relinquish_step % 64 == 0 && hypercall_should_yield())
            return -ERESTART_HYPERCALL;
    }
    return 0;
}
