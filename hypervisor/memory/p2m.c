/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The walker behind p2m.h. Tables have 512 entries of 8 bytes on four levels
 * in either format (AMD APM vol. 2, 15.25; Intel SDM vol. 3, 29.3.2). Bits
 * 52-55 of an entry are nobody's in both and keep the kind.
 *
 * An entry is written whole, tables are filled before they are entered, so a
 * processor or a reader without the lock sees the old or the new mapping.
 * Callers: core/physmap.c, hvm/, hypercall/.
 */
#include "memory/p2m.h"

#include "cpu/work.h"
#include "memory/alloc.h"

#define KIND_SHIFT  52
#define KIND_MASK   15UL
#define PRESENT     7UL /* any of these: there is something */
#define TOP_LEVEL   3
#define TABLE_ORDER 9
/* Tables a map may have before tools set an allowance: 1 MiB of them. */
#define TABLES_FIRST 256

/* NPT: user accessible, since nested walks count as user accesses (APM 15.25.5). */
#define NPT_READ  (PTE_PRESENT | PTE_USER | PTE_ACCESSED)
#define NPT_WRITE (NPT_READ | PTE_WRITE | PTE_DIRTY)
const struct p2m_format p2m_format_npt = {
    .table = NPT_WRITE,
    .leaf =
        {
            [P2M_RAM] = NPT_WRITE,
            [P2M_READONLY] = NPT_READ,
            [P2M_LOGDIRTY] = NPT_READ,
            [P2M_DEVICE] = NPT_WRITE | PTE_PWT | PTE_PCD | PTE_NX,
            [P2M_GRANT] = NPT_WRITE | PTE_NX,
            [P2M_GRANT_READONLY] = NPT_READ | PTE_NX,
            [P2M_FOREIGN] = NPT_WRITE | PTE_NX,
        },
    .large = PTE_PSE,
    .has_1g = true,
};

static u32 slot_of(u64 gfn, u32 level)
{
    return gfn >> (level * TABLE_ORDER) & 511;
}

static bool is_table(const struct p2m *p, u64 entry, u32 level)
{
    return level && (entry & PRESENT) && !(entry & p->format->large);
}

static u64 leaf(const struct p2m *p, mfn_t frame, u32 level, enum p2m_kind kind)
{
    return pte_make(frame, p->format->leaf[kind] | (level ? p->format->large : 0)) |
           (u64)kind << KIND_SHIFT;
}

static struct p2m_entry describe(u64 entry, u64 gfn, u32 level)
{
    u64 within = gfn & ((1UL << (level * TABLE_ORDER)) - 1);

    return (struct p2m_entry){mfn(pte_mfn(entry).raw + within), entry >> KIND_SHIFT & KIND_MASK,
                              (u8)(level * TABLE_ORDER)};
}

int p2m_init(struct p2m *p, const struct p2m_format *format)
{
    *p = (struct p2m){.lock = SPINLOCK(LOCK_P2M), .format = format, .tables_max = TABLES_FIRST};
    p->root = page_alloc(ALLOC_ZERO);
    p->tables = 1;
    return p->root ? 0 : -ENOMEM;
}

static void free_table(const struct p2m *p, u64 *table, u32 level)
{
    for (u32 i = 0; level && i < 512; i++)
        if (is_table(p, table[i], level))
            free_table(p, mfn_to_virt(pte_mfn(table[i])), level - 1);
    page_free(table);
}

void p2m_free(struct p2m *p)
{
    if (p->root)
        free_table(p, p->root, TOP_LEVEL);
    p->root = NULL;
}

struct p2m_entry p2m_lookup(const struct p2m *p, u64 gfn)
{
    const u64 *table = p->root;

    if (gfn >> P2M_GFN_BITS)
        return (struct p2m_entry){MFN_NONE, P2M_NONE, 0};
    for (u32 level = TOP_LEVEL;; level--) {
        u64 entry = atomic_load(&table[slot_of(gfn, level)]);

        if (!(entry & PRESENT))
            return (struct p2m_entry){MFN_NONE, P2M_NONE, (u8)(level * TABLE_ORDER)};
        if (!is_table(p, entry, level))
            return describe(entry, gfn, level);
        table = mfn_to_virt(pte_mfn(entry));
    }
}

/* The same within one table. */
static u64 next_in(const struct p2m *p, const u64 *table, u32 level, u64 gfn, struct p2m_entry *e)
{
    u64 found = ~0UL, step = 1UL << (level * TABLE_ORDER);

    for (u32 i = slot_of(gfn, level); i < 512 && found == ~0UL; i++, gfn = (gfn | (step - 1)) + 1) {
        u64 entry = atomic_load(&table[i]);

        if (is_table(p, entry, level)) {
            found = next_in(p, mfn_to_virt(pte_mfn(entry)), level - 1, gfn, e);
        } else if (entry & PRESENT) {
            *e = describe(entry, gfn, level);
            found = gfn;
        }
    }
    return found;
}

u64 p2m_next(const struct p2m *p, u64 gfn, struct p2m_entry *entry)
{
    return gfn > p->last ? ~0UL : next_in(p, p->root, TOP_LEVEL, gfn, entry);
}

/* A new table in *entry, empty or saying what the large mapping there said. */
static int grow(struct p2m *p, u64 *entry, u32 level)
{
    u64 old = *entry, step = 1UL << ((level - 1) * TABLE_ORDER);
    u64 *table = p->tables < p->tables_max ? page_alloc(ALLOC_ZERO) : NULL;

    if (!table)
        return -ENOMEM;
    for (u32 i = 0; (old & PRESENT) && i < 512; i++)
        table[i] =
            leaf(p, mfn(pte_mfn(old).raw + i * step), level - 1, old >> KIND_SHIFT & KIND_MASK);
    p->tables++;
    store_release(entry, pte_make(virt_to_mfn(table), p->format->table));
    return 0;
}

/* The entry for gfn at a level; tables on the way are made, large mappings split.
 * NULL: no memory, or (not with `make`) nothing there. */
static u64 *entry_at(struct p2m *p, u64 gfn, u32 to_level, bool make)
{
    u64 *table = p->root;

    for (u32 level = TOP_LEVEL; level > to_level; level--) {
        u64 *entry = &table[slot_of(gfn, level)];

        if (!make && !(*entry & PRESENT))
            return NULL;
        if (!is_table(p, *entry, level) && grow(p, entry, level))
            return NULL;
        table = mfn_to_virt(pte_mfn(*entry));
    }
    return &table[slot_of(gfn, to_level)];
}

/* Is nothing mapped at or below this entry? */
static bool is_empty(const struct p2m *p, u64 entry, u32 level)
{
    const u64 *table;

    if (!(entry & PRESENT))
        return true;
    if (!is_table(p, entry, level))
        return false;
    table = mfn_to_virt(pte_mfn(entry));
    for (u32 i = 0; i < 512; i++)
        if (!is_empty(p, table[i], level - 1))
            return false;
    return true;
}

/*
 * Writes a mapping, or (P2M_NONE) none. Tables that are there stay: a large mapping
 * then becomes many small ones.
 */
static void fill(const struct p2m *p, u64 *entry, mfn_t frame, u32 level, enum p2m_kind kind)
{
    u64 *table;

    if (!is_table(p, *entry, level)) {
        store_release(entry, kind == P2M_NONE ? 0 : leaf(p, frame, level, kind));
        return;
    }
    table = mfn_to_virt(pte_mfn(*entry));
    for (u64 i = 0; i < 512; i++)
        fill(p, &table[i], mfn_add(frame, i << ((level - 1) * TABLE_ORDER)), level - 1, kind);
}

int p2m_add(struct p2m *p, u64 gfn, mfn_t frame, u32 order, enum p2m_kind kind)
{
    u64 count = 1UL << order, *entry;
    u32 level = order / TABLE_ORDER;

    ASSERT(spin_held(&p->lock) && kind > P2M_NONE && kind < P2M_KINDS && level < TOP_LEVEL &&
           !((gfn | frame.raw) & (count - 1)));
    if ((gfn + count - 1) >> P2M_GFN_BITS)
        return -EINVAL;
    if (p2m_lookup(p, gfn).kind != P2M_NONE)
        return -EEXIST;
    entry = entry_at(p, gfn, level, true);
    if (!entry)
        return -ENOMEM;
    if (!is_empty(p, *entry, level))
        return -EEXIST;
    fill(p, entry, frame, level, kind);
    p->last = MAX(p->last, gfn + count - 1);
    return 0;
}

void p2m_take_back(struct p2m *p, u64 gfn, u32 order)
{
    u64 *entry = entry_at(p, gfn, order / TABLE_ORDER, false);

    ASSERT(spin_held(&p->lock) && entry);
    fill(p, entry, mfn(0), order / TABLE_ORDER, P2M_NONE);
}

/* The entry of one frame that is mapped, split out of a large mapping if need be. */
static int single(struct p2m *p, u64 gfn, u64 **entry)
{
    ASSERT(spin_held(&p->lock));
    if (p2m_lookup(p, gfn).kind == P2M_NONE)
        return -ENOENT;
    *entry = entry_at(p, gfn, 0, false);
    return *entry ? 0 : -ENOMEM;
}

int p2m_remove(struct p2m *p, u64 gfn, struct p2m_entry *old)
{
    u64 *entry;
    int error = single(p, gfn, &entry);

    if (error)
        return error;
    *old = describe(atomic_xchg(entry, 0), gfn, 0);
    return 0;
}

int p2m_set_kind(struct p2m *p, u64 gfn, enum p2m_kind kind)
{
    u64 *entry;
    int error = single(p, gfn, &entry);

    if (!error)
        store_release(entry, leaf(p, pte_mfn(*entry), 0, kind));
    return error;
}

void p2m_log(struct p2m *p, u64 gfn, u64 count, enum p2m_log what, unsigned long *dirty)
{
    enum p2m_kind to = what == P2M_LOG_OFF ? P2M_RAM : P2M_LOGDIRTY;

    ASSERT(spin_held(&p->lock));
    for (u64 i = 0, n; i < count; i += n) {
        struct p2m_entry e = p2m_lookup(p, gfn + i);
        u32 level = e.order && !((gfn + i) & 511) && count - i >= 512;
        bool ram = e.kind == P2M_RAM;
        u64 *entry;

        n = 1UL << (level * TABLE_ORDER);
        if (!ram && e.kind != P2M_LOGDIRTY)
            continue;
        for (u64 k = 0; k < n; k++) {
            const struct frame *f = mfn_to_frame(mfn(e.frame.raw + k));

            /* frame.c: the stamp comes before the last use ends. */
            if (ram ||
                (mfn_is_ram(frame_to_mfn(f)) && ((READ_ONCE(f->type) & TYPE_COUNT_MASK) ||
                                                 (s32)(READ_ONCE(f->stamp) - p->log.clock) >= 0)))
                bit_set(dirty, i + k);
        }
        /* What cannot be split stays dirty. */
        entry = e.kind == to || what == P2M_LOG_PEEK ? NULL : entry_at(p, gfn + i, level, false);
        if (entry)
            store_release(entry, leaf(p, pte_mfn(*entry), level, to));
    }
}

void p2m_log_screen(struct p2m *p, u64 gfn, u64 count, unsigned long *dirty)
{
    u32 clock;
    bool known;

    spin_hold(&p->lock);
    known = p->log.screen == gfn && p->log.screen_size == count;
    p->log.screen = gfn;
    p->log.screen_size = count;
    known &= !p->log.on && !p->log.at;
    if (!known && count)
        memset(dirty, 0xff, (count + 63) / 64 * 8);
    if (p->log.on || p->log.at)
        return;
    cpu_flush_local(FLUSH_TLB, 0); /* the flush clock goes on: uses from now on are later */
    clock = flush_clock_now();
    p2m_log(p, gfn, count, P2M_LOG_CLEAN, dirty);
    p->log.clock = clock;
}

void p2m_written(struct p2m *p, u64 gfn)
{
    struct p2m_entry e;
    u64 *entry;

    spin_hold(&p->lock);
    e = p2m_lookup(p, gfn);
    if (e.kind != P2M_LOGDIRTY || !p2m_set_kind(p, gfn, P2M_RAM))
        return;
    entry = entry_at(p, gfn, e.order / TABLE_ORDER, false);
    store_release(entry, leaf(p, pte_mfn(*entry), e.order / TABLE_ORDER, P2M_RAM));
}
