/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A plain model of what pv/types.c and pv/mm*.c have to do, which knows no
 * interruption and no locks, and the checks of the real machine:
 *  - all counts are recomputed from the tables, pins and base pointers there
 *    are, and compared with the frame table;
 *  - every entry of a valid table is in the form it must have;
 *  - what a processor may remember (writable translations, upper entries that
 *    led to a table) is checked against what the frames are now;
 *  - types, counts and contents are those of the model.
 */
#pragma once

#include "pv_types_world.h"

/* The model. */
struct model_frame {
    int owner; /* 0 none, 1 A, 2 B */
    bool allocated, pinned;
    int refs, count;
    u32 type; /* level, 5 descriptors, 7 writable */
    u64 content[TABLE_ENTRIES];
};
static struct model_frame model[FAKE_FRAMES];
static u64 model_kernel, model_user; /* 0: none */
static u64 model_gdt;
static u64 model_table_bits;

static bool model_slot_ours(u32 level, u32 slot)
{
    return level == 4 && slot >= 256 && slot <= 271;
}
static bool model_ref(u64 number, int owner)
{
    if (number >= FAKE_FRAMES || !model[number].refs || model[number].owner != owner)
        return false;
    model[number].refs++;
    return true;
}
static void model_unref(u64 number)
{
    struct model_frame *m = &model[number];

    assert(m->refs > 0);
    if (--m->refs == 0) {
        assert(!m->count && !m->allocated);
        m->owner = 0;
        m->type = 0;
    }
}
static void model_put_l1(u64 e)
{
    u64 number = (e & PTE_ADDRESS) >> 12;

    if (!(e & 1) || number >= FAKE_FRAMES)
        return;
    if (e & 2) {
        assert(model[number].type == 7 && model[number].count > 0);
        model[number].count--;
    }
    model_unref(number);
}
static bool model_form_l1(u64 *e)
{
    u64 number = (*e & PTE_ADDRESS) >> 12;

    if (!(*e & 1))
        return true;
    if ((*e & 0x98) && number < FAKE_FRAMES) {
        if (!dom_a->d.is_hardware && rangeset_empty(&dom_a->d.io_memory))
            return false;
        *e &= ~0x98UL;
    }
    *e = (*e | 4) & ~0x100UL;
    return true;
}
static bool model_writable(u64 number)
{
    struct model_frame *m = &model[number];

    if (m->count && m->type != 7)
        return false;
    m->type = 7;
    m->count++;
    return true;
}
/* owner: 1, 2; 0: I/O only. */
static bool model_get_l1(u64 *e, int owner)
{
    u64 number = (*e & PTE_ADDRESS) >> 12;

    if (!model_form_l1(e))
        return false;
    if (!(*e & 1))
        return true;
    if (number >= FAKE_FRAMES)
        return owner != 2 && rangeset_contains(&dom_a->d.io_memory, number, number);
    if (!owner || !model_ref(number, owner))
        return false;
    if ((*e & 2) && !model_writable(number)) {
        model_unref(number);
        return false;
    }
    return true;
}
static bool model_get(u64 number, u32 type);
static void model_put(u64 number);
static bool model_form_table(u64 *e)
{
    if (!(*e & 1))
        return true;
    if (*e & ~model_table_bits)
        return false;
    *e |= 4;
    return true;
}
static bool model_get_table(u64 *e, u32 level)
{
    u64 number = (*e & PTE_ADDRESS) >> 12;

    if (!model_form_table(e))
        return false;
    if (!(*e & 1))
        return true;
    if (!model_ref(number, 1))
        return false;
    if (!model_get(number, level - 1)) {
        model_unref(number);
        return false;
    }
    return true;
}
static void model_put_entry(u64 e, u32 level)
{
    u64 number = (e & PTE_ADDRESS) >> 12;

    if (level == 1) {
        model_put_l1(e);
    } else if (e & 1) {
        model_put(number);
        model_unref(number);
    }
}
static void model_undo(u64 number, u32 n)
{
    struct model_frame *m = &model[number];

    while (n--)
        if (!model_slot_ours(m->type, n))
            model_put_entry(m->content[n], m->type);
    if (m->type == 4)
        hv_slots_clear(m->content);
    m->count = 0;
}
static bool model_descriptor(u64 *x)
{
    if (!(*x >> 47 & 1) || (*x >> 40 & 0x1f) == 0)
        return true;
    if (!(*x >> 44 & 1))
        return false;
    *x |= 3UL << 45 | 1UL << 40;
    return true;
}
static bool model_get(u64 number, u32 type)
{
    struct model_frame *m = &model[number];

    if (m->count) {
        if (m->type != type)
            return false;
        m->count++;
        return true;
    }
    m->type = type;
    m->count = 1;
    for (u32 i = 0; i < TABLE_ENTRIES; i++) {
        bool ok = true;

        if (type == 5) {
            if (!model_descriptor(&m->content[i])) {
                m->count = 0;
                return false;
            }
            continue;
        }
        if (model_slot_ours(type, i))
            continue;
        if (m->content[i] & 1) {
            u64 e = m->content[i];
            ok = type == 1 ? model_get_l1(&e, 1) : model_get_table(&e, type);
            if (ok)
                m->content[i] = e;
        }
        if (!ok) {
            model_undo(number, i);
            return false;
        }
    }
    if (type == 4)
        hv_slots_fill(m->content, MFN_NONE);
    return true;
}
static void model_put(u64 number)
{
    if (model[number].count > 1)
        model[number].count--;
    else
        model_undo(number, model[number].type == 5 ? 0 : TABLE_ENTRIES);
}
static bool model_begin(u64 number, u32 type)
{
    if (!model_ref(number, 1))
        return false;
    if (model_get(number, type))
        return true;
    model_unref(number);
    return false;
}
static void model_end(u64 number)
{
    model_put(number);
    model_unref(number);
}
static bool model_update(u64 number, u32 slot, u64 e, int owner, bool keep_ad)
{
    struct model_frame *m = &model[number];
    u64 old, kept;

    if (number >= FAKE_FRAMES)
        return false;
    old = m->content[slot];
    kept = keep_ad ? old & (PTE_ACCESSED | PTE_DIRTY) : 0;
    if (!m->count || m->type > 4) {
        if (m->owner != 1 || !m->refs || !model_writable(number))
            return false;
        m->count--;
        m->content[slot] = e;
        return true;
    }
    if (m->owner != 1)
        return false;
    if (m->type == 1) {
        bool same = (old & e & 1) && !((old ^ e) & (PTE_ADDRESS | 2));
        if (same ? !model_form_l1(&e) : !model_get_l1(&e, owner))
            return false;
        m->content[slot] = e | kept;
        if (!same)
            model_put_l1(old);
        return true;
    }
    if (model_slot_ours(m->type, slot))
        return false;
    bool same = (old & e & 1) && !((old ^ e) & PTE_ADDRESS);
    if (same ? !model_form_table(&e) : !model_get_table(&e, m->type))
        return false;
    m->content[slot] = e | kept;
    if (!same)
        model_put_entry(old, m->type);
    return true;
}

/* What the processor may remember since the last flush. */
static bool remembers_writable[FAKE_FRAMES], remembers_table[FAKE_FRAMES][5];
static u64 flushes_seen;

static u64 *content_of(u64 number)
{
    return mfn_to_virt(mfn(number));
}

struct counted {
    u64 refs, types, writable;
    u32 table; /* level that entries and roots say it is of, 5: descriptors */
};
static struct counted counted[FAKE_FRAMES];

static void count_use(u64 number, u32 type)
{
    assert(number < FAKE_FRAMES && (!counted[number].table || counted[number].table == type));
    counted[number].refs++;
    counted[number].types++;
    counted[number].table = type;
}

static void count_entries(u64 number, u32 level, u32 n)
{
    const u64 *table = content_of(number);

    for (u32 i = 0; i < n; i++) {
        u64 e = table[i], target = (e & PTE_ADDRESS) >> 12;

        if (!(e & 1) || model_slot_ours(level, i))
            continue;
        assert(e & 4);
        if (level > 1) {
            assert(!(e & ~model_table_bits));
            count_use(target, level - 1);
        } else if (target < FAKE_FRAMES) {
            assert(!(e & 0x198));
            counted[target].refs++;
            if (e & 2)
                counted[target].writable++;
        } else {
            assert(!(e & 0x100) && rangeset_contains(&dom_a->d.io_memory, target, target));
        }
    }
}

/* Rule by rule, from what is there. */
static void check_machine(void)
{
    memset(counted, 0, sizeof(counted));
    if (!mfn_is_none(vcpu_a.kernel_table))
        count_use(vcpu_a.kernel_table.raw, 4);
    if (!mfn_is_none(vcpu_a.user_table))
        count_use(vcpu_a.user_table.raw, 4);
    for (u32 i = 0; i < (vcpu_a.gdt_entries + 511) / 512; i++)
        count_use(vcpu_a.gdt_frames[i].raw, 5);
    for (u64 n = 0; n < FAKE_FRAMES; n++) {
        const struct frame *f = &host_frame_table[n];
        u64 type = f->owner ? f->type : 0;
        u32 level = type_level(type);

        assert(!(type & TYPE_LOCKED));
        if (!f->owner)
            continue;
        if (f->count & FRAME_ALLOCATED)
            counted[n].refs++;
        if (type & TYPE_PINNED)
            count_use(n, level);
        if (type & TYPE_PARTIAL) {
            assert(!(type & TYPE_VALIDATED) && level >= 2 && level <= 4);
            assert((type & TYPE_COUNT_MASK) == 1);
            count_use(n, level);
            count_entries(n, level, f->validated);
        } else if (level >= 1 && level <= 4 && (type & TYPE_COUNT_MASK)) {
            assert(type & TYPE_VALIDATED);
            count_entries(n, level, TABLE_ENTRIES);
            for (u32 i = HV_FIRST_SLOT; level == 4 && i <= HV_LAST_SLOT; i++)
                assert(content_of(n)[i] == (HV_PATTERN | 1 | i << 12));
        }
    }
    for (u64 n = 0; n < FAKE_FRAMES; n++) {
        const struct frame *f = &host_frame_table[n];
        const struct counted *c = &counted[n];
        u32 level = type_level(f->type);

        if (!f->owner) {
            assert(!c->refs);
            continue;
        }
        assert((f->count & FRAME_COUNT_MASK) == c->refs);
        assert((f->type & TYPE_COUNT_MASK) == c->types + c->writable);
        assert(!c->types || !c->writable);
        assert(!c->types || level == c->table);
        assert(!c->writable || level == 7);
    }
}

static void check_memory_of_processor(void)
{
    if (fake_flushes != flushes_seen) {
        memset(remembers_writable, 0, sizeof(remembers_writable));
        memset(remembers_table, 0, sizeof(remembers_table));
        flushes_seen = fake_flushes;
    }
    for (u64 n = 0; n < FAKE_FRAMES; n++) {
        const struct frame *f = &host_frame_table[n];
        u32 level = type_level(f->type);

        if (!f->owner || !(f->type & TYPE_COUNT_MASK))
            continue;
        assert(level == 7 || !remembers_writable[n]);
        for (u32 i = 1; i <= 4; i++)
            assert(i == level || !remembers_table[n][i]);
        if (level == 7)
            remembers_writable[n] = true;
        /* An upper entry can only have been read if there is one. */
        if (level <= 4 && counted[n].types > !!(f->type & TYPE_PINNED))
            remembers_table[n][level] = true;
    }
}

static void check_model(void)
{
    for (u64 n = 0; n < FAKE_FRAMES; n++) {
        const struct frame *f = &host_frame_table[n];
        const struct model_frame *m = &model[n];

        assert(!!f->owner == !!m->owner || n < FAKE_OWNER_FRAMES);
        if (!f->owner)
            continue;
        assert((f->count & FRAME_COUNT_MASK) == (u64)m->refs);
        assert(!!(f->count & FRAME_ALLOCATED) == m->allocated);
        assert(!(f->type & TYPE_PARTIAL));
        assert((f->type & TYPE_COUNT_MASK) == (u64)m->count);
        assert(!m->count || type_level(f->type) == m->type);
        assert(!!(f->type & TYPE_PINNED) == m->pinned);
        assert(!memcmp(content_of(n), m->content, PAGE_SIZE));
    }
    assert(model_kernel == (mfn_is_none(vcpu_a.kernel_table) ? 0 : vcpu_a.kernel_table.raw));
    assert(model_user == (mfn_is_none(vcpu_a.user_table) ? 0 : vcpu_a.user_table.raw));
}
