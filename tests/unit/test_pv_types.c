// sources: pv/types.c pv/types_entry.c pv/mm.c pv/mmu_update.c pv/mmu_ops.c pv/mm_fault.c
// sources: pv/grant_map.c pv/descriptors.c memory/frame.c memory/alloc.c
// sources: core/physmap.c memory/p2m.c lib/bitmap.c lib/rangeset.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* PV page types against a plain model: random guests. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <assert.h>
#include <cmocka.h>

#include "pv_types_play.h"

static void random_guests(u32 mode)
{
    static u8 bytes[6000];

    for (u32 round = 0; round < 60; round++) {
        srand(round * 16 + mode);
        for (u32 i = 0; i < sizeof(bytes); i++)
            bytes[i] = (u8)(rand() >> 8);
        bytes[0] = (u8)(mode | (round & 1) << 3);
        play(bytes, sizeof(bytes));
    }
}

static void test_plain(void **state)
{
    (void)state;
    random_guests(0);
    random_guests(4);
}
static void test_interrupted(void **state)
{
    (void)state;
    random_guests(2);
    random_guests(6);
}
static void test_abandoned(void **state)
{
    (void)state;
    random_guests(3);
    random_guests(7);
}

/* Mappings of a translated domain's memory hold it, and say nothing of who writes it; those of
 * pages that we show it do, and one that is only shown cannot be had otherwise. */
static void test_memory_of_a_translated_domain(void **state)
{
    struct frame *f;
    void *page;
    u64 entry;

    (void)state;
    begin_world(false);
    dom_b->d.is_hvm = true;
    f = mfn_to_frame(mfn(b_frames[0]));
    entry = pte_make(frame_to_mfn(f), PTE_PRESENT | PTE_WRITE | PTE_USER);
    assert_int_equal(entry_get_l1(&dom_a->d, &dom_b->d, &entry), 0);
    assert_int_equal(f->count & FRAME_COUNT_MASK, 2);
    assert_int_equal(f->type & TYPE_COUNT_MASK, 0);
    entry_put_l1(entry);
    assert_int_equal(f->count & FRAME_COUNT_MASK, 1);
    for (u32 writable = 0; writable < 2; writable++) {
        page = page_alloc(ALLOC_ZERO);
        frame_share(page, &dom_b->d.frames, writable);
        f = mfn_to_frame(virt_to_mfn(page));
        entry = pte_make(frame_to_mfn(f), PTE_PRESENT | PTE_WRITE | PTE_USER);
        assert_int_equal(entry_get_l1(&dom_a->d, &dom_b->d, &entry), writable ? 0 : -EINVAL);
        assert_int_equal(f->type & TYPE_COUNT_MASK, 1 + writable);
        if (writable)
            entry_put_l1(entry);
        frame_unshare(page);
    }
    end_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_abandoned),
        cmocka_unit_test(test_memory_of_a_translated_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
