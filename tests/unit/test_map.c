// sources: memory/map.c memory/early.c memory/frame.c memory/alloc.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypervisor's mappings against a plain array of what each page should be. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "cpu/features.h"
#include "fake_memory.h"

u32 cpu_features[CPUID_WORDS];

#define PAGES 4096 /* eight large pages */
#define BASE  (DIRECT_MAP_START + 0x40000000UL)
static struct {
    u64 frame, flags; /* flags 0: not mapped */
} model[PAGES];

/* The processor's view: the walk that Intel's manual, volume 3, 4.5 describes. */
static u64 walk(u64 va, u64 *flags)
{
    const u64 *table = hv_l4;

    for (int level = 3; level >= 0; level--) {
        u64 entry = table[(va >> (12 + 9 * level)) & 511];

        *flags = 0;
        if (!(entry & PTE_PRESENT))
            return ~0UL;
        if (level == 0 || (level < 3 && (entry & PTE_PSE))) {
            u64 below = (va >> 12) & ((1UL << (9 * level)) - 1);

            *flags = entry & ~PTE_ADDRESS & ~(level ? PTE_PSE : 0);
            return ((entry & PTE_ADDRESS) >> 12) + below;
        }
        table = mfn_to_virt(pte_mfn(entry));
    }
    return ~0UL;
}

static void check(void)
{
    for (u64 i = 0; i < PAGES; i++) {
        u64 flags, frame = walk(BASE + i * PAGE_SIZE, &flags);

        assert_int_equal(flags, model[i].flags);
        assert_int_equal(frame, model[i].flags ? model[i].frame : ~0UL);
        assert_int_equal(map_lookup(BASE + i * PAGE_SIZE).raw, frame);
    }
}

static void test_random(void **state)
{
    static const u64 kinds[] = {MAP_RW, MAP_RO, MAP_RX};

    (void)state;
    for (int round = 0; round < 1500; round++) {
        u64 start = (u64)rand() % PAGES, n = (u64)rand() % (rand() % 2 ? 20 : 2000), i;
        u64 flags = kinds[rand() % 3], first = (u64)rand() * 512;

        if (rand() % 2)
            start &= ~511UL;
        n = MIN(n, PAGES - start);
        if (rand() % 3 == 0)
            first += start & 511; /* so that large pages fit */
        switch (rand() % 3) {
        case 0:
            assert_int_equal(map_pages(BASE + start * PAGE_SIZE, mfn(first), n, flags), 0);
            for (i = 0; i < n; i++) {
                model[start + i].frame = first + i;
                model[start + i].flags = flags;
            }
            break;
        case 1:
            assert_int_equal(protect_pages(BASE + start * PAGE_SIZE, n, flags), 0);
            for (i = 0; i < n; i++)
                if (model[start + i].flags)
                    model[start + i].flags = flags;
            break;
        default:
            unmap_pages(BASE + start * PAGE_SIZE, n);
            for (i = 0; i < n; i++)
                model[start + i].flags = 0;
        }
        if (round % 10 == 0)
            check();
    }
    check();
}

static void test_huge(void **state)
{
    u64 va = DIRECT_MAP_START + (5UL << 39), flags;

    (void)state;
    cpu_features[FEATURE_PAGE_1G / 32] |= 1u << FEATURE_PAGE_1G % 32;
    assert_int_equal(map_pages(va, mfn(7UL << 18), 3UL << 18, MAP_RW), 0);
    assert_int_equal(walk(va + 0x12345000, &flags), (7UL << 18) + 0x12345);
    assert_int_equal(protect_pages(va + 0x40201000, 1, MAP_RO), 0);
    assert_int_equal(walk(va + 0x40201000, &flags), (8UL << 18) + 0x201);
    assert_int_equal(flags, MAP_RO);
    assert_int_equal(walk(va + 0x40202000, &flags), (8UL << 18) + 0x202);
    assert_int_equal(flags, MAP_RW);
    assert_int_equal(walk(va + 0x7fffffff, &flags), (8UL << 18) + 0x3ffff);
    cpu_features[FEATURE_PAGE_1G / 32] = 0;
}

static void test_io(void **state)
{
    u8 *a = map_io(paddr(0xfee00123), 8, true), *b = map_io(paddr(0xfed00ffe), 4, false);
    u64 flags;

    (void)state;
    assert_int_equal(walk((u64)a, &flags), 0xfee00);
    assert_int_equal((u64)a & 0xfff, 0x123);
    assert_true((flags & PTE_PCD) && (flags & PTE_PWT) && (flags & PTE_NX));
    assert_int_equal(walk((u64)b + 2, &flags), 0xfed01);
    assert_false(flags & PTE_PCD);
    unmap_io(b, 4);
    assert_int_equal(walk((u64)b, &flags), ~0UL);
    assert_ptr_equal(map_io(paddr(0x1ffe), 4, false), b); /* the place is used again */
    assert_null(map_io(paddr(0), IO_AREA_END - IO_AREA_START, true));
    assert_null(map_io(paddr(0), 0, true));
}

static void test_slots(void **state)
{
    static u64 l4[512];

    (void)state;
    memset(l4, 0x77, sizeof(l4));
    hv_slots_fill(l4, MFN_NONE);
    for (u32 i = 0; i < 512; i++)
        assert_int_equal(l4[i], i == PERDOMAIN_SLOT                       ? 0
                                : i >= HV_FIRST_SLOT && i <= HV_LAST_SLOT ? hv_l4[i]
                                                                          : 0x7777777777777777);
    hv_slots_fill(l4, mfn(55));
    assert_int_equal(pte_mfn(l4[PERDOMAIN_SLOT]).raw, 55);
    assert_int_equal(map_stack(3), 0);
    for (u64 page = 0; page < STACK_STRIDE / PAGE_SIZE; page++)
        assert_int_equal(
            mfn_is_none(map_lookup(STACK_AREA_START + 3 * STACK_STRIDE + page * PAGE_SIZE)),
            page == 4 || (page >= STACK_SIZE / PAGE_SIZE && page != DESC_PAGE / PAGE_SIZE));
}

/* Another top table shows what it was given, with rights of its own, and nothing else. */
static void test_share(void **state)
{
    u64 *l4 = page_alloc(ALLOC_ZERO), *ours = hv_l4, va = STACK_AREA_START + 4 * STACK_STRIDE,
        flags;

    (void)state;
    assert_int_equal(map_stack(4), 0);
    mfn_t first = map_lookup(va);
    assert_int_equal(map_share(l4, va, 2, MAP_RO), 0);
    hv_l4 = l4;
    assert_int_equal(walk(va, &flags), first.raw);
    assert_false(flags & PTE_WRITE);
    assert_false(mfn_is_none(map_lookup(va + PAGE_SIZE)));
    for (u64 page = 2; page < STACK_STRIDE / PAGE_SIZE; page++)
        assert_true(mfn_is_none(map_lookup(va + page * PAGE_SIZE)));
    hv_l4 = ours;
    assert_int_equal(walk(va, &flags), first.raw);
    assert_true(flags & PTE_WRITE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_huge),  cmocka_unit_test(test_io),
        cmocka_unit_test(test_slots),  cmocka_unit_test(test_share),
    };

    srand(1);
    fake_memory_init();
    hv_l4 = page_alloc(ALLOC_ZERO);
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
