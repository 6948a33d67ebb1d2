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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_abandoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
