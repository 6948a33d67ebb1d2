// sources: core/physmap.c memory/p2m.c memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A translated domain's memory as it comes, moves and goes. After each step:
 * every mapping of its own memory leads to a frame that is its own, every such
 * frame is mapped once at most, and each reference is somebody's. What another
 * vCPU may do meanwhile is done from within the flush, where nothing is locked.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "host/fake_memory.h"

#include "core/guest.h"
#include "core/physmap.h"
#include "memory/p2m.h"

#include <xen/grant_table.h>

static struct domain *us, *other;
static struct p2m map;
static u64 flushes;
static u32 owned_at_flush;       /* frames of ours when the flush came */
static void (*meanwhile)(void);  /* what happens during the next flush */
static u32 foreign[FAKE_FRAMES]; /* references that mappings of foreign frames hold */

void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why, (void)file, (void)line;
    assert_true(error < 0);
}

static void flush(struct domain *d)
{
    void (*now)(void) = meanwhile;

    assert_ptr_equal(d, us);
    assert_int_equal(fake_locks_held, 0);
    flushes++;
    owned_at_flush = us->frames.frames.count;
    meanwhile = NULL;
    if (now)
        now();
}
static const struct guest_ops ops = {.name = "translated", .flush = flush};

/* Returns how many frames of ours are mapped. */
static u32 check(void)
{
    static u32 mapped[FAKE_FRAMES];
    struct p2m_entry e;
    u32 own = 0, count = 0;

    memset(mapped, 0, sizeof(mapped));
    memset(foreign, 0, sizeof(foreign));
    assert_int_equal(fake_locks_held, 0);
    for (u64 gfn = 0; (gfn = p2m_next(&map, gfn, &e)) != ~0UL; gfn++) {
        struct frame *f = mfn_to_frame(e.frame);

        if (e.kind == P2M_DEVICE)
            continue;
        assert_true(f->count & FRAME_COUNT_MASK);
        if (e.kind == P2M_FOREIGN) {
            foreign[e.frame.raw]++;
            continue;
        }
        if (e.kind == P2M_GRANT || e.kind == P2M_GRANT_READONLY)
            continue;
        assert_ptr_equal(frame_owner_of(f), &us->frames);
        assert_int_equal(mapped[e.frame.raw]++, 0);
        assert_int_equal(m2p_get(e.frame), gfn);
        own++;
    }
    for (u32 i = FAKE_OWNER_FRAMES; i < FAKE_FRAMES; i++) {
        struct frame *f = &frame_table[i];

        if (!f->owner || (f->count & FRAME_HV))
            continue;
        assert_int_equal(f->count, FRAME_ALLOCATED | (1 + foreign[i]));
        count += frame_owner_of(f) == &us->frames;
    }
    assert_int_equal(count, us->frames.frames.count);
    return own;
}

static u64 free_at_start;

static int setup(void **state)
{
    (void)state;
    free_at_start = memory_free();
    us = (struct domain *)fake_owner(0);
    other = (struct domain *)fake_owner(2);
    _Static_assert(sizeof(*us) <= 2 * PAGE_SIZE, "a fake domain has two pages");
    for (u32 i = 0; i < 2; i++) {
        struct domain *d = i ? other : us;

        memset(d, 0, sizeof(*d));
        frame_owner_init(&d->frames);
        d->ops = &ops;
        d->dirty_cpus.bits[0] = 1;
    }
    us->p2m = &map;
    meanwhile = NULL;
    return p2m_init(&map, &p2m_format_npt);
}

/* All that is mapped goes; nothing is left of it. */
static int teardown(void **state)
{
    struct p2m_entry e;
    struct frame *f;

    (void)state;
    check();
    map.tables_max = ~0U;
    for (u64 gfn = 0; (gfn = p2m_next(&map, gfn, &e)) != ~0UL; gfn++)
        assert_int_equal(physmap_remove(us, gfn, 0), 0);
    check();
    while ((f = frame_list_first(&us->frames.frames)))
        assert_true(frame_release(f));
    while ((f = frame_list_first(&other->frames.frames)))
        assert_true(frame_release(f));
    p2m_free(&map);
    assert_int_equal(us->frames.frames.count, 0);
    assert_int_equal(us->frames.hv.count, 0);
    assert_int_equal(memory_free(), free_at_start);
    return 0;
}

/* As the memory operation does. */
static int populate(u64 gfn, u32 order)
{
    struct frame *f = frames_alloc(&us->frames, order, 0, 0);
    int error;

    assert_non_null(f);
    error = physmap_add(us, gfn, f, order);
    for (u32 k = 0; error && k < 1U << order; k++)
        assert_true(frame_release(&f[k]));
    return error;
}

static u64 frame_at(u64 gfn)
{
    struct p2m_entry e = p2m_lookup(&map, gfn);

    return e.kind == P2M_NONE ? 0 : e.frame.raw;
}

static void populate_and_remove(void **state)
{
    u64 free, flushed = flushes;

    (void)state;
    assert_int_equal(populate(512, 9), 0);
    assert_int_equal(populate(3, 0), 0);
    assert_int_equal(populate(16, 3), 0);
    assert_int_equal(check(), 512 + 1 + 8);
    assert_int_equal(p2m_lookup(&map, 600).order, 9);
    assert_int_equal(flushes, flushed); /* nothing was taken away */
    free = memory_free();
    assert_int_equal(physmap_remove(us, 600, 0), 0);
    assert_int_equal(owned_at_flush, 521); /* it was still there when CPUs forgot it */
    assert_int_equal(check(), 520);
    assert_int_equal(memory_free(), free); /* one frame came, one table went */
    assert_int_equal(physmap_remove(us, 600, 0), -ENOENT);
    assert_int_equal(physmap_remove(us, 1024, 0), -ENOENT);
    assert_int_equal(physmap_remove(us, 1UL << 40, 0), -ENOENT);
    assert_int_equal(physmap_remove(us, ~0UL, 0), -ENOENT);
    assert_int_equal(physmap_remove(us, 16, 3), 0);
    assert_int_equal(check(), 512);
    /* What comes before the hole goes. */
    assert_int_equal(physmap_remove(us, 512, 9), -ENOENT);
    assert_int_equal(check(), 512 - (600 - 512));
}

/* What is refused leaves what was there, and leaves the caller its frames. */
static void populate_refused(void **state)
{
    u64 there;

    (void)state;
    assert_int_equal(populate(5, 0), 0);
    there = frame_at(5);
    assert_int_equal(populate(5, 0), -EEXIST);
    assert_int_equal(populate(4, 1), -EEXIST);
    assert_int_equal(frame_at(4), 0);
    assert_int_equal(frame_at(5), there);
    assert_int_equal(populate(0, 9), -EEXIST);
    assert_int_equal(check(), 1);
    assert_int_equal(populate(1UL << P2M_GFN_BITS, 0), -EINVAL);
    assert_int_equal(populate((1UL << P2M_GFN_BITS) - 4, 3), -EINVAL);
    assert_int_equal(populate(~0UL, 0), -EINVAL);
    assert_int_equal(populate(~0UL - 6, 3), -EINVAL);
    assert_int_equal(check(), 1);
    /* Large ones, in the middle of which something is. */
    assert_int_equal(populate(2048 + 700, 0), 0);
    assert_int_equal(populate(2048, 10), -EEXIST);
    assert_int_equal(frame_at(2048), 0);
    assert_int_equal(check(), 2);
    /* No tables: nothing half-way. */
    map.tables_max = map.tables;
    assert_int_equal(populate(1 << 20, 0), -ENOMEM);
    assert_int_equal(populate(2048 + 512 * 3, 9), 0);
    assert_int_equal(populate(4096 - 4, 3), -EEXIST);
    map.tables_max = map.tables + 1;
    assert_int_equal(populate(5120 - 4, 3), -ENOMEM); /* the second half needs another table */
    assert_int_equal(frame_at(5120 - 4), 0);
    assert_int_equal(check(), 2 + 512);
}

/* A number that does not suit the size: the guest's, so it must not be trusted. */
static void populate_unaligned(void **state)
{
    (void)state;
    assert_int_equal(populate(513, 9), 0);
    assert_int_equal(check(), 512);
    assert_int_equal(frame_at(512), 0);
    assert_int_equal(frame_at(1024), frame_at(513) + 511);
    assert_int_equal(populate(2048 + 512 + 1, 10), 0);
    assert_int_equal(populate(8192 + 512, 10), 0);
    assert_int_equal(p2m_lookup(&map, 8192 + 512).order, 9);
    assert_int_equal(check(), 512 + 1024 + 1024);
}

static void moving(void **state)
{
    u64 frame;

    (void)state;
    assert_int_equal(populate(512, 9), 0);
    frame = frame_at(700);
    assert_int_equal(physmap_move(us, 700, 700), 0);
    assert_int_equal(physmap_move(us, 700, 5), 0);
    assert_int_equal(frame_at(5), frame);
    assert_int_equal(frame_at(700), 0);
    assert_int_equal(check(), 512);
    /* Onto another: that one is given up. */
    assert_int_equal(physmap_move(us, 5, 513), 0);
    assert_int_equal(frame_at(513), frame);
    assert_int_equal(check(), 511);
    assert_int_equal(physmap_move(us, 5, 6), -EINVAL);
    assert_int_equal(physmap_move(us, ~0UL, 6), -EINVAL);
    assert_int_equal(physmap_move(us, 513, 1UL << P2M_GFN_BITS), -EINVAL);
    assert_int_equal(frame_at(513), frame);
    assert_int_equal(check(), 511);
}

/* It may be that a frame can come to its new place, but the mapping it was part of
 * cannot be split. It must not be at both then. */
static void moving_without_tables(void **state)
{
    u64 frame;

    (void)state;
    assert_int_equal(populate(512, 9), 0);
    assert_int_equal(populate(3, 0), 0);
    frame = frame_at(700);
    map.tables_max = map.tables;
    assert_int_equal(physmap_move(us, 700, 5), -ENOMEM);
    assert_int_equal(frame_at(700), frame);
    assert_int_equal(frame_at(5), 0);
    assert_int_equal(check(), 513);
    assert_int_equal(physmap_move(us, 3, 1 << 20), -ENOMEM);
    assert_int_not_equal(frame_at(3), 0);
    assert_int_equal(check(), 513);
}

static void move_elsewhere(void)
{
    assert_int_equal(physmap_move(us, 1, 9), 0);
}
static void take_away(void)
{
    assert_int_equal(physmap_remove(us, 1, 0), 0);
}
static void fill_again(void)
{
    assert_int_equal(populate(2, 0), 0);
}

/* A frame on its way to a place that is made free first is moved or taken meanwhile. */
static void moving_races(void **state)
{
    (void)state;
    for (u64 gfn = 1; gfn <= 3; gfn++)
        assert_int_equal(populate(gfn, 0), 0);
    meanwhile = move_elsewhere;
    assert_int_equal(physmap_move(us, 1, 2), -EINVAL);
    assert_int_equal(check(), 2);
    assert_int_not_equal(frame_at(9), 0);
    assert_int_equal(populate(1, 0), 0);
    assert_int_equal(populate(2, 0), 0);
    meanwhile = take_away;
    assert_int_equal(physmap_move(us, 1, 2), -EINVAL);
    assert_int_equal(check(), 2);
    assert_int_equal(populate(1, 0), 0);
    assert_int_equal(populate(2, 0), 0);
    meanwhile = fill_again;
    assert_int_equal(physmap_move(us, 1, 2), -EEXIST);
    assert_int_equal(check(), 4);
}

/* A page of ours is seen where the guest wants it, and outlives that. */
static void showing(void **state)
{
    void *page = page_alloc(ALLOC_ZERO);
    mfn_t m = virt_to_mfn(page);
    u64 flushed;

    (void)state;
    frame_share(page, &us->frames, true);
    assert_int_equal(populate(4, 0), 0);
    assert_int_equal(physmap_show(us, 4, m), 0); /* in place of RAM, which goes */
    assert_int_equal(us->frames.frames.count, 0);
    assert_int_equal(frame_at(4), m.raw);
    flushed = flushes;
    assert_int_equal(physmap_show(us, 4, m), 0);
    assert_int_equal(flushes, flushed);
    assert_int_equal(physmap_show(us, 7, m), 0);
    assert_int_equal(frame_at(4), 0);
    assert_int_equal(check(), 1);
    assert_int_equal(physmap_move(us, 7, 8), 0);
    assert_int_equal(frame_at(8), m.raw);
    assert_int_equal(check(), 1);
    assert_int_equal(physmap_show(us, 1UL << P2M_GFN_BITS, m), -EINVAL);
    assert_int_equal(physmap_remove(us, 8, 0), 0);
    assert_int_equal(us->frames.hv.count, 1);
    assert_int_equal(mfn_to_frame(m)->count & FRAME_COUNT_MASK, 1);
    assert_int_equal(physmap_show(us, 1UL << 30, m), 0);
    assert_int_equal(check(), 1);
    assert_int_equal(physmap_remove(us, 1UL << 30, 0), 0);
    frame_unshare(page);
}

static void grants_and_foreign(void **state)
{
    struct frame *f = frames_alloc(&other->frames, 0, 0, 0), *g;
    mfn_t m = frame_to_mfn(f);
    u64 at = 0x123UL << PAGE_SHIFT, device;

    (void)state;
    assert_int_equal(populate(3, 0), 0);
    assert_int_equal(physmap_map_grant(us, at + 8, m, GNTMAP_host_map), GNTST_general_error);
    assert_int_equal(physmap_map_grant(us, at, m, GNTMAP_host_map | GNTMAP_contains_pte),
                     GNTST_general_error);
    assert_int_equal(physmap_map_grant(us, 3UL << PAGE_SHIFT, m, GNTMAP_host_map),
                     GNTST_general_error);
    assert_int_equal(physmap_map_grant(us, ~PAGE_SIZE + 1, m, GNTMAP_host_map),
                     GNTST_general_error);
    assert_int_equal(physmap_map_grant(us, at, m, GNTMAP_host_map | GNTMAP_readonly), GNTST_okay);
    assert_int_equal(p2m_lookup(&map, 0x123).kind, P2M_GRANT_READONLY);
    assert_int_equal(physmap_map_grant(us, at, m, GNTMAP_host_map), GNTST_general_error);
    assert_int_equal(physmap_map_grant(us, at + PAGE_SIZE, m, GNTMAP_host_map), GNTST_okay);
    assert_int_equal(p2m_lookup(&map, 0x124).kind, P2M_GRANT);
    assert_int_equal(f->count, FRAME_ALLOCATED | 1); /* the grant table's business */
    assert_int_equal(check(), 1);
    /* It is no memory of ours: not to be named, moved, given up or covered. */
    assert_null(domain_frame_get(us, 0x123));
    assert_int_equal(domain_page_take(us, 0x124, &g), -EINVAL);
    assert_int_equal(physmap_move(us, 0x123, 9), -EINVAL);
    assert_int_equal(physmap_remove(us, 0x123, 0), -EINVAL);
    assert_int_equal(physmap_move(us, 3, 0x123), -EINVAL);
    assert_int_equal(populate(0x124, 0), -EEXIST);
    /* Only as what it is. */
    assert_int_equal(physmap_unmap_grant(us, at, mfn(m.raw + 1), 0), GNTST_general_error);
    assert_int_equal(physmap_unmap_grant(us, at, m, 4096), GNTST_general_error);
    assert_int_equal(physmap_unmap_grant(us, 3UL << PAGE_SHIFT, mfn(frame_at(3)), 0),
                     GNTST_general_error);
    assert_int_equal(physmap_unmap_grant(us, at, m, 0), GNTST_okay);
    assert_int_equal(physmap_unmap_grant(us, at, m, 0), GNTST_general_error);
    assert_int_equal(physmap_unmap_grant(us, at + PAGE_SIZE, m, 0), GNTST_okay);
    assert_int_equal(frame_at(0x123), 0);
    assert_int_equal(check(), 1);
    /* A foreign mapping holds its frame. */
    assert_true(frame_get(f, &other->frames));
    spin_lock(&map.lock);
    assert_int_equal(p2m_add(&map, 77, m, 0, P2M_FOREIGN), 0);
    spin_unlock(&map.lock);
    assert_int_equal(check(), 1);
    assert_null(domain_frame_get(us, 77));
    assert_int_equal(physmap_move(us, 77, 78), -EINVAL);
    assert_int_equal(physmap_remove(us, 77, 0), 0);
    assert_int_equal(f->count, FRAME_ALLOCATED | 1);
    /* A device has no struct frame that could be touched. */
    device = 1UL << 39;
    spin_lock(&map.lock);
    assert_int_equal(p2m_add(&map, 78, mfn(device), 0, P2M_DEVICE), 0);
    spin_unlock(&map.lock);
    assert_null(domain_frame_get(us, 78));
    assert_int_equal(physmap_remove(us, 78, 0), 0);
}

static void naming(void **state)
{
    struct frame *f;

    (void)state;
    assert_int_equal(populate(512, 9), 0);
    f = domain_frame_get(us, 1000);
    assert_int_equal(frame_to_mfn(f).raw, frame_at(1000));
    assert_int_equal(f->count, FRAME_ALLOCATED | 2);
    frame_put(f);
    assert_null(domain_frame_get(us, 1024));
    assert_null(domain_frame_get(us, ~0UL));
    assert_int_equal(domain_page_take(us, 1000, &f), 0);
    assert_int_equal(f->type & TYPE_MASK, TYPE_WRITABLE);
    domain_page_drop(f);
    assert_int_equal(f->type & TYPE_COUNT_MASK, 0);
    spin_lock(&map.lock);
    assert_int_equal(p2m_set_kind(&map, 1000, P2M_READONLY), 0);
    spin_unlock(&map.lock);
    assert_int_equal(domain_page_take(us, 1000, &f), -EPERM);
    f = domain_frame_get(us, 1000);
    assert_int_equal(frame_to_mfn(f).raw, frame_at(1000));
    frame_put(f);
    /* A PV domain names machine frames: its own, or none. */
    f = frames_alloc(&other->frames, 0, 0, 0);
    assert_ptr_equal(domain_frame_get(other, frame_to_mfn(f).raw), f);
    frame_put(f);
    assert_null(domain_frame_get(other, frame_at(1000)));
    assert_null(domain_frame_get(other, FAKE_FRAMES));
    assert_null(domain_frame_get(other, ~0UL));
    f->type = TYPE_L1 | TYPE_VALIDATED | 1;
    assert_int_equal(domain_page_take(other, frame_to_mfn(f).raw, &f), -EPERM);
    f->type = 0;
}

static void random_step(void)
{
    u64 from = (u64)rand() % 1600, to = (u64)rand() % 1600;

    switch (rand() % 8) {
    case 0:
        (void)populate(to, (u32)rand() % 3);
        break;
    case 1:
        (void)populate(rand() % 3 ? to & ~511UL : to, 9);
        break;
    case 2:
    case 3:
        (void)physmap_remove(us, from, (u32)rand() % 5);
        break;
    default:
        (void)physmap_move(us, from, to);
    }
}

static void random_play(void **state)
{
    (void)state;
    for (u32 round = 0; round < 15000; round++) {
        if (us->frames.frames.count > FAKE_FRAMES / 2)
            (void)physmap_remove(us, (u64)(rand() % 3) * 512, 9);
        map.tables_max = rand() % 3 ? ~0U : map.tables + (u32)rand() % 2;
        meanwhile = rand() % 4 ? NULL : random_step;
        random_step();
        if (round % 16 == 0)
            check();
    }
    check();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(populate_and_remove),
        TEST(populate_refused),
        TEST(populate_unaligned),
        TEST(moving),
        TEST(moving_races),
        TEST(moving_without_tables),
        TEST(showing),
        TEST(naming),
        TEST(grants_and_foreign),
        TEST(random_play),
    };

    srand(1);
    fake_memory_init();
    return cmocka_run_group_tests_name("physmap", tests, NULL, NULL);
}
