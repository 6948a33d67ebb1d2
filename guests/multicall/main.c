/* SPDX-License-Identifier: GPL-2.0-only */
/* HYPERVISOR_multicall: results, order, nesting, bad pointers, long lists. */
#include "runtime.h"

#define MANY 4000

static struct multicall_entry list[MANY];

static s64 multicall(struct multicall_entry *entries, u64 count)
{
    return call2(__HYPERVISOR_multicall, entries, count);
}

static void test_results(void)
{
    struct xen_feature_info features = {.submap_idx = 0};
    struct multicall_entry calls[5] = {
        {.op = __HYPERVISOR_xen_version, .args = {XENVER_version}},
        {.op = 63},
        {.op = __HYPERVISOR_xen_version, .args = {XENVER_get_features, (u64)&features}},
        {.op = __HYPERVISOR_xen_version, .args = {XENVER_extraversion, 0x10}},
        {.op = ~0UL},
    };

    CHECK_EQUAL(multicall(calls, 5), 0);
    CHECK_EQUAL(calls[0].result, 4 << 16 | 17);
    CHECK_EQUAL(calls[1].result, -ENOSYS);
    CHECK_EQUAL(calls[2].result, 0);
    CHECK(features.submap != 0);
    CHECK_EQUAL(calls[3].result, -EFAULT);
    CHECK_EQUAL(calls[4].result, -ENOSYS);
    CHECK_EQUAL(multicall(calls, 0), 0);
    CHECK_EQUAL(multicall(NULL, 0), 0);
}

/* A failed entry does not stop those behind it, and they act in order. */
static void test_order(void)
{
    u64 *page = page_new(), *other = page_new();
    u64 mine = frame_of(page) << PAGE_SHIFT | 7, others = frame_of(other) << PAGE_SHIFT | 7;
    struct multicall_entry calls[3] = {
        {.op = __HYPERVISOR_update_va_mapping, .args = {(u64)page, others, UVMF_INVLPG}},
        {.op = __HYPERVISOR_update_va_mapping, .args = {(u64)page, 0x200007, UVMF_INVLPG}},
        {.op = __HYPERVISOR_update_va_mapping, .args = {(u64)page, mine, UVMF_INVLPG}},
    };

    *page = 11;
    *other = 22;
    CHECK_EQUAL(multicall(calls, 2), 0);
    CHECK_EQUAL(calls[0].result, 0);
    CHECK(calls[1].result != 0);
    CHECK_EQUAL(*(volatile u64 *)page, 22);
    CHECK_EQUAL(multicall(calls + 2, 1), 0);
    CHECK_EQUAL(*(volatile u64 *)page, 11);
}

static void test_nested(void)
{
    struct multicall_entry inner = {.op = __HYPERVISOR_xen_version, .args = {XENVER_version}};
    struct multicall_entry outer[2] = {
        {.op = __HYPERVISOR_multicall, .args = {(u64)&inner, 1}},
        {.op = __HYPERVISOR_xen_version, .args = {XENVER_version}},
    };

    CHECK_EQUAL(multicall(outer, 2), 0);
    CHECK_EQUAL(outer[0].result, -EINVAL);
    CHECK_EQUAL(inner.result, 0);
    CHECK_EQUAL(outer[1].result, 4 << 16 | 17);
}

static void test_bad_pointers(void)
{
    u8 *pages = page_new();
    page_new(); /* the one behind it, which will not be there */
    u8 *second = pages + PAGE_SIZE;
    u64 frame = frame_of(second);

    CHECK_EQUAL(multicall((void *)0x1000, 1), -EFAULT);
    CHECK_EQUAL(multicall((void *)0x8000000000000000, 1), -EFAULT);
    CHECK_EQUAL(multicall((void *)0xffff830000000000, 1), -EFAULT);
    CHECK_EQUAL(multicall((void *)0xfffffffffffff000, 64), -EFAULT);

    /* The second entry lies half on a page that is not there. */
    struct multicall_entry *calls = (void *)(second - 96);
    *calls = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .args = {XENVER_version}};
    CHECK_EQUAL(map_page(second, 0), 0);
    CHECK_EQUAL(multicall(calls, 2), -EFAULT);
    CHECK_EQUAL(calls->result, 4 << 16 | 17);
    CHECK_EQUAL(map_page(second, frame << PAGE_SHIFT | 7), 0);

    /* Results that cannot be written. */
    calls = (void *)pages;
    CHECK_EQUAL(remap(pages, PTE_P | PTE_U), 0);
    CHECK_EQUAL(multicall(calls, 1), -EFAULT);
    CHECK_EQUAL(remap(pages, PTE_P | PTE_W | PTE_U), 0);
}

/* Long enough to be interrupted and continued. */
static void test_many(void)
{
    u64 wrong = 0;

    for (u64 i = 0; i < MANY; i++)
        list[i] = (struct multicall_entry){.op = i % 7 == 3 ? 62 : __HYPERVISOR_xen_version,
                                           .args = {XENVER_version},
                                           .result = 77};
    CHECK_EQUAL(multicall(list, MANY), 0);
    for (u64 i = 0; i < MANY; i++)
        wrong += list[i].result != (i % 7 == 3 ? (unsigned long)-ENOSYS : 4UL << 16 | 17);
    CHECK_EQUAL(wrong, 0);

    /* Page-table work in a list, each of many updates: continuations inside entries. */
    static struct mmu_update updates[64][64];
    u64 *table = page_new();
    u8 *page = page_new();
    CHECK_EQUAL(remap(table, PTE_P | PTE_U), 0);
    CHECK_EQUAL(table_op(MMUEXT_PIN_L1_TABLE, frame_of(table)), 0);
    for (u32 i = 0; i < 64; i++) {
        for (u32 j = 0; j < 64; j++) {
            updates[i][j].ptr = virt_to_machine(table + (i * 64 + j) % 512);
            updates[i][j].val = frame_of(page) << PAGE_SHIFT | PTE_P | PTE_U | (j & 1 ? PTE_W : 0);
        }
        list[i] = (struct multicall_entry){.op = __HYPERVISOR_mmu_update,
                                           .args = {(u64)updates[i], 64, 0, DOMID_SELF}};
    }
    CHECK_EQUAL(multicall(list, 64), 0);
    for (u64 i = wrong = 0; i < 64; i++)
        wrong += list[i].result != 0;
    CHECK_EQUAL(wrong, 0);
    for (u64 i = wrong = 0; i < 512; i++)
        wrong += (table[i] & 7) != (PTE_P | PTE_U | (i & 1 ? PTE_W : 0));
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(table_op(MMUEXT_UNPIN_TABLE, frame_of(table)), 0);
    CHECK_EQUAL(remap(table, PTE_P | PTE_W | PTE_U), 0);
}

void guest_main(void)
{
    test_results();
    test_order();
    test_nested();
    test_bad_pointers();
    test_many();
}
