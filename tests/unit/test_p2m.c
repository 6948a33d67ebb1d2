// sources: memory/p2m.c memory/frame.c memory/alloc.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest-physical map against a plain array of what is mapped where, and
 * its entries against a walk of the tables as a processor does it (AMD APM
 * vol. 2, 15.25.5: long-mode tables, every access a user's).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "host/fake_memory.h"

#include "memory/p2m.h"

/* Three windows of guest frames are played with: at the bottom, across a
 * boundary of 1 GiB, at the very top. */
#ifndef WINDOW
#define WINDOW 2048U
#endif
#define WINDOWS 3
static const u64 windows[WINDOWS] = {0, (1UL << 18) * 5 - WINDOW / 2,
                                     (1UL << P2M_GFN_BITS) - WINDOW};

static struct model {
    u64 frame;
    u8 kind;
} model[WINDOWS][WINDOW];
static struct p2m map;

static u64 pick_gfn(u32 align_order)
{
    return (windows[rand() % WINDOWS] + (u64)rand() % WINDOW) & ~((1UL << align_order) - 1);
}

static struct model *model_of(u64 gfn)
{
    for (u32 w = 0; w < WINDOWS; w++)
        if (gfn >= windows[w] && gfn - windows[w] < WINDOW)
            return &model[w][gfn - windows[w]];
    return NULL;
}

/* What a processor finds: walks from the root, collects the rights. */
struct walked {
    bool there, write, user, execute, cached;
    u64 frame;
};
static struct walked walk(u64 gfn)
{
    struct walked w = {.write = true, .user = true, .execute = true, .cached = true};
    const u64 *table = map.root;

    for (s32 level = 3; level >= 0; level--) {
        u64 entry = table[gfn >> (9 * level) & 511], low = (1UL << (9 * level)) - 1;

        if (!(entry & 1))
            return (struct walked){0};
        w.write &= entry >> 1 & 1;
        w.user &= entry >> 2 & 1;
        w.execute &= !(entry >> 63);
        if (!level || (entry & 0x80)) {
            assert_true(level < 3);
            /* No dirty or accessed bit is left to be set by the walk. */
            assert_true(entry & 0x20);
            assert_true(!w.write || (entry & 0x40));
            w.frame = (entry >> 12 & 0xffffffffffUL) + (gfn & low);
            /* Large ones have bits 12 up to their size reserved. */
            assert_int_equal(entry >> 12 & 0xffffffffffUL & low, 0);
            w.cached = !(entry & 0x18);
            w.there = true;
            return w;
        }
        table = mfn_to_virt(mfn(entry >> 12 & 0xffffffffffUL));
    }
    abort();
}

/* A frame of our fake memory may have been written by others; the rest never is. */
static bool others_wrote(u64 frame)
{
    return frame < FAKE_FRAMES && ((frame_table[frame].type & TYPE_COUNT_MASK) ||
                                   (s32)(frame_table[frame].stamp - map.log.clock) >= 0);
}

static void check_one(u64 gfn, const struct model *m)
{
    struct p2m_entry e = p2m_lookup(&map, gfn);
    struct walked w = walk(gfn);

    assert_int_equal(e.kind, m->kind);
    assert_int_equal(w.there, m->kind != P2M_NONE);
    if (!w.there)
        return;
    assert_int_equal(e.frame.raw, m->frame);
    assert_int_equal(w.frame, m->frame);
    assert_true(w.user);
    assert_int_equal(w.write, m->kind != P2M_READONLY && m->kind != P2M_LOGDIRTY &&
                                  m->kind != P2M_GRANT_READONLY);
    assert_int_equal(w.execute, m->kind <= P2M_LOGDIRTY);
    assert_int_equal(w.cached, m->kind != P2M_DEVICE);
}

static void check_all(void)
{
    struct p2m_entry e;
    u64 at = 0;

    for (u32 w = 0; w < WINDOWS; w++)
        for (u32 i = 0; i < WINDOW; i++) {
            check_one(windows[w] + i, &model[w][i]);
            if (model[w][i].kind == P2M_NONE)
                continue;
            /* The next one mapped is this one, and says the same. */
            at = p2m_next(&map, at, &e);
            assert_int_equal(at, windows[w] + i);
            assert_int_equal(e.frame.raw, model[w][i].frame);
            at++;
        }
    assert_int_equal(p2m_next(&map, at, &e), ~0UL);
}

static void do_add(void)
{
    u32 order = rand() % 3 ? 0 : 9;
    u64 gfn = pick_gfn(order), count = 1UL << order;
    u64 frame = ((u64)rand() % (1UL << 27)) & ~(count - 1);
    enum p2m_kind kind = P2M_RAM + (u32)rand() % (P2M_KINDS - P2M_RAM);
    bool taken = false;
    u32 tables = map.tables;
    u64 before = memory_free();
    int error;

    for (u64 i = 0; i < count; i++)
        taken |= model_of(gfn + i)->kind != P2M_NONE;
    spin_lock(&map.lock);
    error = p2m_add(&map, gfn, mfn(frame), order, kind);
    spin_unlock(&map.lock);
    assert_true(error == (taken ? -EEXIST : 0) || (!taken && error == -ENOMEM));
    if (error == -ENOMEM)
        assert_int_equal(map.tables, map.tables_max);
    /* What there is in tables is counted. */
    assert_int_equal(before - memory_free(), map.tables - tables);
    if (error)
        return;
    for (u64 i = 0; i < count; i++)
        *model_of(gfn + i) = (struct model){frame + i, (u8)kind};
}

static void do_change(bool removing)
{
    u64 gfn = pick_gfn(0);
    struct model *m = model_of(gfn);
    enum p2m_kind kind = P2M_RAM + (u32)rand() % (P2M_KINDS - P2M_RAM);
    struct p2m_entry old = {MFN_NONE, 0xee, 0};
    int error;

    spin_lock(&map.lock);
    error = removing ? p2m_remove(&map, gfn, &old) : p2m_set_kind(&map, gfn, kind);
    spin_unlock(&map.lock);
    if (m->kind == P2M_NONE) {
        assert_int_equal(error, -ENOENT);
    } else if (error) {
        assert_int_equal(error, -ENOMEM);
        assert_int_equal(map.tables, map.tables_max);
        assert_true(p2m_lookup(&map, gfn).order > 0);
    } else if (removing) {
        assert_int_equal(old.frame.raw, m->frame);
        assert_int_equal(old.kind, m->kind);
        *m = (struct model){0};
    } else {
        m->kind = (u8)kind;
    }
}

/* The log of one stretch: what is reported, and what becomes of it. */
static void do_log(void)
{
    bool whole = rand() % 2;
    u64 gfn = pick_gfn(whole ? 9 : 0),
        count = whole ? 512 * (1 + (u64)rand() % 2) : (u64)rand() % 1024;
    unsigned long dirty[1024 / 64] = {0};
    enum p2m_log what = (u32)rand() % 3;

    spin_lock(&map.lock);
    p2m_log(&map, gfn, count, what, dirty);
    spin_unlock(&map.lock);
    for (u64 i = 0; i < count; i++) {
        struct model *m = model_of(gfn + i), none = {0};

        m = m ? m : &none;
        assert_int_equal(bit_test(dirty, i),
                         m->kind == P2M_RAM || (m->kind == P2M_LOGDIRTY && others_wrote(m->frame)));
        /* With too few tables what is large stays as it was. */
        if (what == P2M_LOG_PEEK || (m->kind != P2M_RAM && m->kind != P2M_LOGDIRTY))
            continue;
        if (p2m_lookup(&map, gfn + i).kind != m->kind)
            m->kind = m->kind == P2M_RAM ? P2M_LOGDIRTY : P2M_RAM;
        if (map.tables < map.tables_max)
            assert_int_equal(m->kind, what == P2M_LOG_OFF ? P2M_RAM : P2M_LOGDIRTY);
    }
}

/* A write makes that frame dirty, and no other if there is room for a table. */
static void do_write(void)
{
    u64 gfn = pick_gfn(0), first = gfn, count = 1;
    bool clean = model_of(gfn)->kind == P2M_LOGDIRTY;

    p2m_written(&map, gfn);
    if (!clean)
        return;
    if (p2m_lookup(&map, gfn).order) {
        assert_int_equal(map.tables, map.tables_max);
        first = gfn & ~511UL;
        count = 512;
    }
    for (u64 i = 0; i < count; i++)
        model_of(first + i)->kind = P2M_RAM;
}

static void play(u32 rounds, bool scarce)
{
    u64 free = memory_free();

    memset(model, 0, sizeof(model));
    assert_int_equal(p2m_init(&map, &p2m_format_npt), 0);
    map.log.clock = 1000;
    for (u32 round = 0; round < rounds; round++) {
        if (scarce)
            map.tables_max = map.tables + (u32)rand() % 2;
        switch (rand() % 11) {
        case 8:
        case 9:
            do_write();
            break;
        case 10:
            do_log();
            break;
        case 0 ... 2:
            do_add();
            break;
        case 3 ... 5:
            do_change(true);
            break;
        default:
            do_change(false);
        }
        check_one(windows[1] + round % WINDOW, &model[1][round % WINDOW]);
        if (round % 2000 == 0 || round + 1 == rounds)
            check_all();
    }
    p2m_free(&map);
    assert_int_equal(memory_free(), free);
}

static void random_play(void **state)
{
    (void)state;
    play(40000, false);
}

static void random_play_with_few_tables(void **state)
{
    (void)state;
    play(20000, true);
}

static int add(u64 gfn, u64 frame, u32 order, enum p2m_kind kind)
{
    int error;

    spin_lock(&map.lock);
    error = p2m_add(&map, gfn, mfn(frame), order, kind);
    spin_unlock(&map.lock);
    return error;
}

static int take(u64 gfn)
{
    struct p2m_entry old;
    int error;

    spin_lock(&map.lock);
    error = p2m_remove(&map, gfn, &old);
    spin_unlock(&map.lock);
    return error;
}

/* 1 GiB is one entry, until one frame of it is wanted otherwise. */
static void large_ones(void **state)
{
    u64 free = memory_free(), gfn = 3UL << 18;
    struct p2m_entry e;

    (void)state;
    assert_int_equal(p2m_init(&map, &p2m_format_npt), 0);
    assert_int_equal(add(gfn, 1UL << 18, 18, P2M_RAM), 0);
    assert_int_equal(map.tables, 2);
    assert_int_equal(walk(gfn + 12345).frame, (1UL << 18) + 12345);
    e = p2m_lookup(&map, gfn + 262143);
    assert_int_equal(e.order, 18);
    assert_int_equal(e.frame.raw, (1UL << 19) - 1);
    assert_int_equal(add(gfn, 0, 18, P2M_RAM), -EEXIST);
    assert_int_equal(add(gfn + 512, 0, 9, P2M_RAM), -EEXIST);
    assert_int_equal(add(gfn + 77, 0, 0, P2M_RAM), -EEXIST);
    /* It cannot be split without two tables. */
    map.tables_max = 3;
    assert_int_equal(take(gfn + 1000), -ENOMEM);
    for (u64 i = 0; i < 1UL << 18; i++)
        assert_int_equal(walk(gfn + i).frame, (1UL << 18) + i);
    map.tables_max = 4;
    assert_int_equal(take(gfn + 1000), 0);
    assert_int_equal(map.tables, 4);
    assert_int_equal(take(gfn + 1000), -ENOENT);
    for (u64 i = 0; i < 1UL << 18; i++) {
        struct walked w = walk(gfn + i);

        assert_int_equal(w.there, i != 1000);
        if (w.there)
            assert_true(w.frame == (1UL << 18) + i && w.write && w.execute);
        assert_int_equal(p2m_lookup(&map, gfn + i).kind, w.there ? P2M_RAM : P2M_NONE);
    }
    assert_int_equal(p2m_lookup(&map, gfn + 1001).order, 0);
    assert_int_equal(p2m_lookup(&map, gfn + 1024).order, 9);
    /* Its neighbours are not concerned. */
    assert_int_equal(p2m_lookup(&map, gfn - 1).kind, P2M_NONE);
    assert_int_equal(p2m_next(&map, 0, &e), gfn);
    /* One frame alone keeps a whole 1 GiB out, wherever in it. */
    assert_int_equal(add(gfn, 0, 18, P2M_RAM), -EEXIST);
    p2m_free(&map);
    assert_int_equal(memory_free(), free);
}

/* A table that is empty again takes a large mapping as many small ones. */
static void into_old_tables(void **state)
{
    u64 free = memory_free();
    u32 tables;

    (void)state;
    assert_int_equal(p2m_init(&map, &p2m_format_npt), 0);
    assert_int_equal(add(512 * 512 + 5, 99, 0, P2M_GRANT), 0);
    assert_int_equal(add(512 * 512, 0, 18, P2M_RAM), -EEXIST);
    assert_int_equal(take(512 * 512 + 5), 0);
    tables = map.tables;
    map.tables_max = tables;
    assert_int_equal(add(512 * 512, 1UL << 20, 18, P2M_RAM), 0);
    assert_int_equal(map.tables, tables);
    for (u64 i = 0; i < 1UL << 18; i++)
        assert_int_equal(walk(512 * 512 + i).frame, (1UL << 20) + i);
    assert_int_equal(p2m_lookup(&map, 512 * 512 + 3).order, 0);
    assert_int_equal(p2m_lookup(&map, 512 * 512 + 512).order, 9);
    p2m_free(&map);
    assert_int_equal(memory_free(), free);
}

/* Logging of 1 GiB in one piece: cleaning splits it once, a write splits it again. */
static void log_of_a_large_one(void **state)
{
    u64 free = memory_free(), gfn = 3UL << 18;
    unsigned long dirty[4096 / 64] = {0};
    struct frame *held = mfn_to_frame(mfn(1500));
    u64 note = held->type; /* the allocator's */

    (void)state;
    assert_int_equal(p2m_init(&map, &p2m_format_npt), 0);
    map.log.clock = 1000;
    assert_int_equal(add(gfn, 0, 18, P2M_RAM), 0);
    spin_lock(&map.lock);
    for (u64 i = 0; i < 1UL << 18; i += 4096)
        p2m_log(&map, gfn + i, 4096, P2M_LOG_CLEAN, dirty);
    spin_unlock(&map.lock);
    assert_int_equal(map.tables, 3);
    assert_int_equal(p2m_lookup(&map, gfn + 5).order, 9);
    assert_false(walk(gfn + 5).write);
    for (u64 i = 0; i < 4096; i++)
        assert_true(bit_test(dirty, i));
    held->type = 0;
    p2m_written(&map, gfn + 5);
    p2m_written(&map, gfn + 600);
    spin_lock(&map.lock);
    memset(dirty, 0, sizeof(dirty));
    assert_true(frame_get_writable(held)); /* one of ours or another domain writes there */
    p2m_log(&map, gfn, 4096, P2M_LOG_PEEK, dirty);
    p2m_log(&map, gfn, 4096, P2M_LOG_CLEAN, dirty);
    for (u64 i = 0; i < 4096; i++)
        assert_int_equal(bit_test(dirty, i), i == 5 || i == 600 || others_wrote(i));
    assert_true(bit_test(dirty, 1500));
    /* Of a use that has ended the stamp tells: since this cleaning, or before it. */
    frame_put_writable(held);
    held->stamp = 1000;
    memset(dirty, 0, sizeof(dirty));
    p2m_log(&map, gfn, 4096, P2M_LOG_CLEAN, dirty);
    for (u64 i = 0; i < 4096; i++)
        assert_int_equal(bit_test(dirty, i), others_wrote(i));
    assert_true(bit_test(dirty, 1500));
    map.log.clock = 1001;
    memset(dirty, 0, sizeof(dirty));
    p2m_log(&map, gfn, 4096, P2M_LOG_OFF, dirty);
    spin_unlock(&map.lock);
    for (u64 i = 0; i < 4096; i++) {
        assert_int_equal(bit_test(dirty, i), others_wrote(i));
        assert_true(walk(gfn + i).write);
    }
    assert_false(bit_test(dirty, 1500));
    held->type = note;
    held->stamp = 0;
    p2m_free(&map);
    assert_int_equal(memory_free(), free);
}

/* A screen's memory, within a large mapping: from time to time what is written there, all when
 * it moves or everything is logged; the rest of the map has nothing to do with it. */
static void log_of_a_screen(void **state)
{
    u64 free = memory_free(), gfn = 3UL << 18, first = gfn + 700, count = 900;
    unsigned long dirty[1024 / 64];

    (void)state;
    assert_int_equal(p2m_init(&map, &p2m_format_npt), 0);
    assert_int_equal(add(gfn, 1UL << 18, 18, P2M_RAM), 0);
#define LOOK(condition)                                                  \
    do {                                                                 \
        memset(dirty, 0, sizeof(dirty));                                 \
        p2m_log_screen(&map, first, count, dirty);                       \
        for (u64 i = 0; i < count; i++)                                  \
            assert_int_equal(bit_test(dirty, i), condition);             \
        for (u64 i = 0; i < 4096; i++)                                   \
            assert_true(walk(gfn + i).write || gfn + i - first < count); \
    } while (0)
    LOOK(true);
    LOOK(false);
    p2m_written(&map, first + 3);
    p2m_written(&map, first + 899);
    p2m_written(&map, first + 900);
    assert_true(walk(first + 3).write);
    assert_false(walk(first + 4).write);
    LOOK(i == 3 || i == 899);
    LOOK(false);
    count = 800;
    spin_lock(&map.lock); /* as when it moved, but for what is beyond it now */
    p2m_log(&map, first, 900, P2M_LOG_OFF, dirty);
    spin_unlock(&map.lock);
    LOOK(true);
    LOOK(false);
    /* The whole log has its own time; what it has cleaned is not lost for the screen. */
    map.log.on = true;
    p2m_written(&map, first + 5);
    LOOK(true);
    assert_true(walk(first + 5).write);
    map.log.on = false;
    LOOK(i == 5);
    p2m_log_screen(&map, 0, 0, NULL);
    LOOK(true);
    p2m_free(&map);
    assert_int_equal(memory_free(), free);
}

static void at_the_edges(void **state)
{
    u64 top = 1UL << P2M_GFN_BITS, free = memory_free();
    struct p2m_entry e;

    (void)state;
    assert_int_equal(p2m_init(&map, &p2m_format_npt), 0);
    assert_int_equal(add(top, 1, 0, P2M_RAM), -EINVAL);
    assert_int_equal(add(top, 512, 9, P2M_RAM), -EINVAL);
    assert_int_equal(add(1UL << 52, 1, 0, P2M_RAM), -EINVAL);
    assert_int_equal(add(~0UL, 1, 0, P2M_RAM), -EINVAL);
    assert_int_equal(add(~0UL << 18, 0, 18, P2M_RAM), -EINVAL);
    assert_int_equal(take(top), -ENOENT);
    assert_int_equal(take(~0UL), -ENOENT);
    assert_int_equal(p2m_lookup(&map, ~0UL).kind, P2M_NONE);
    assert_int_equal(map.tables, 1);
    assert_int_equal(p2m_next(&map, 0, &e), ~0UL);
    assert_int_equal(add(top - 1, 4711, 0, P2M_FOREIGN), 0);
    assert_int_equal(p2m_next(&map, 0, &e), top - 1);
    assert_int_equal(e.kind, P2M_FOREIGN);
    assert_int_equal(p2m_next(&map, top, &e), ~0UL);
    assert_int_equal(p2m_next(&map, ~0UL, &e), ~0UL);
    /* A frame beyond all RAM stays what it is. */
    assert_int_equal(add(0, (1UL << 40) - 1, 0, P2M_DEVICE), 0);
    assert_int_equal(walk(0).frame, (1UL << 40) - 1);
    assert_int_equal(p2m_lookup(&map, 0).frame.raw, (1UL << 40) - 1);
    assert_int_equal(p2m_lookup(&map, 0).kind, P2M_DEVICE);
    p2m_free(&map);
    p2m_free(&map); /* nothing is left to free */
    assert_int_equal(memory_free(), free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_ones),
        cmocka_unit_test(into_old_tables),
        cmocka_unit_test(log_of_a_large_one),
        cmocka_unit_test(log_of_a_screen),
        cmocka_unit_test(at_the_edges),
        cmocka_unit_test(random_play),
        cmocka_unit_test(random_play_with_few_tables),
    };

    srand(1);
    fake_memory_init();
    return cmocka_run_group_tests_name("p2m", tests, NULL, NULL);
}
