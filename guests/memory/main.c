/* SPDX-License-Identifier: GPL-2.0-only */
/* HYPERVISOR_memory_op: giving pages back, getting pages, exchanging, sizes, the machine-to-phys
 * table. */
#include "runtime.h"
#include <xen/memory.h>

#define COUNT 16

static xen_pfn_t frames[COUNT * 2];

static s64 memory_op(u32 op, void *arg)
{
    return call2(__HYPERVISOR_memory_op, op, arg);
}

static s64 reserve(u32 op, u64 count, u32 order)
{
    struct xen_memory_reservation r = {
        .nr_extents = count, .extent_order = order, .domid = DOMID_SELF};
    set_xen_guest_handle(r.extent_start, frames);
    return memory_op(op, &r);
}

static s64 pages(void)
{
    domid_t self = DOMID_SELF;
    return memory_op(XENMEM_current_reservation, &self);
}

static s64 map_foreign(void *va, u64 entry, u32 owner)
{
    return call4(__HYPERVISOR_update_va_mapping_otherdomain, (u64)va, entry,
                 UVMF_INVLPG | UVMF_LOCAL, owner);
}

/* Frames far behind the boot mapping: ours, mapped nowhere. */
static u64 last_pfn(u64 n)
{
    return start_info->nr_pages - 1 - n;
}

static void test_balloon(void)
{
    s64 before = pages();
    u8 *page = page_new();
    u64 own = frame_of(page);

    CHECK_EQUAL(before, start_info->nr_pages);
    for (u64 i = 0; i < COUNT; i++)
        frames[i] = pfn_to_mfn(last_pfn(i));
    CHECK_EQUAL(reserve(XENMEM_decrease_reservation, COUNT, 0), COUNT);
    CHECK_EQUAL(pages(), before - COUNT);
    /* Gone: not ours to give back again, nor to map. */
    CHECK_EQUAL(reserve(XENMEM_decrease_reservation, COUNT, 0), 0);
    CHECK(map_page(page, frames[0] << PAGE_SHIFT | 7) != 0);

    for (u64 i = 0; i < COUNT; i++)
        frames[i] = last_pfn(i);
    CHECK_EQUAL(reserve(XENMEM_populate_physmap, COUNT, 0), COUNT);
    CHECK_EQUAL(pages(), before);
    u64 wrong = 0;
    for (u64 i = 0; i < COUNT; i++) {
        wrong += machine_to_phys_mapping[frames[i]] != last_pfn(i);
        ((u64 *)start_info->mfn_list)[last_pfn(i)] = frames[i];
        CHECK_EQUAL(map_page(page, frames[i] << PAGE_SHIFT | 7), 0);
        *(volatile u64 *)page = i;
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(map_page(page, own << PAGE_SHIFT | 7), 0);

    /* In fours. */
    for (u64 i = 0; i < 4; i++)
        frames[i] = pfn_to_mfn(last_pfn(i));
    CHECK_EQUAL(reserve(XENMEM_decrease_reservation, 4, 0), 4);
    frames[0] = last_pfn(3);
    CHECK_EQUAL(reserve(XENMEM_populate_physmap, 1, 2), 1);
    for (u64 i = wrong = 0; i < 4; i++) {
        wrong += machine_to_phys_mapping[frames[0] + i] != last_pfn(3) + i;
        ((u64 *)start_info->mfn_list)[last_pfn(3) + i] = frames[0] + i;
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(frames[0] & 3, 0);

    /* A list whose third member is bad ends there. */
    for (u64 i = 0; i < 4; i++)
        frames[i] = i == 2 ? ~0UL >> 12 : pfn_to_mfn(last_pfn(i));
    CHECK_EQUAL(reserve(XENMEM_decrease_reservation, 4, 0), 2);
    frames[0] = last_pfn(0);
    frames[1] = last_pfn(1);
    CHECK_EQUAL(reserve(XENMEM_populate_physmap, 2, 0), 2);
    for (u64 i = 0; i < 2; i++)
        ((u64 *)start_info->mfn_list)[last_pfn(i)] = frames[i];

    /* increase_reservation: frames without a place in the pseudo-physical space. */
    CHECK_EQUAL(reserve(XENMEM_increase_reservation, 2, 0), 2);
    CHECK_EQUAL(pages(), before + 2);
    CHECK_EQUAL(map_page(page, frames[1] << PAGE_SHIFT | 7), 0);
    *(volatile u64 *)page = 5;
    /* Given back while mapped: it stays ours until the mapping goes. */
    CHECK_EQUAL(reserve(XENMEM_decrease_reservation, 2, 0), 2);
    CHECK_EQUAL(*(volatile u64 *)page, 5);
    CHECK_EQUAL(pages(), before + 1);
    CHECK_EQUAL(map_page(page, own << PAGE_SHIFT | 7), 0);
    CHECK_EQUAL(pages(), before);
}

static void test_exchange(void)
{
    struct xen_memory_exchange x = {
        .in = {.nr_extents = 4, .extent_order = 0, .domid = DOMID_SELF},
        .out = {.nr_extents = 1, .extent_order = 2, .domid = DOMID_SELF}};
    s64 before = pages();
    xen_pfn_t *in = frames, *out = frames + COUNT;

    for (u64 i = 0; i < 4; i++)
        in[i] = pfn_to_mfn(last_pfn(i));
    out[0] = last_pfn(3);
    set_xen_guest_handle(x.in.extent_start, in);
    set_xen_guest_handle(x.out.extent_start, out);
    CHECK_EQUAL(memory_op(XENMEM_exchange, &x), 0);
    CHECK_EQUAL(x.nr_exchanged, 4);
    CHECK_EQUAL(out[0] & 3, 0);
    u64 wrong = 0;
    for (u64 i = 0; i < 4; i++) {
        wrong += machine_to_phys_mapping[out[0] + i] != last_pfn(3) + i;
        ((u64 *)start_info->mfn_list)[last_pfn(3) + i] = out[0] + i;
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(pages(), before);

    /* Sizes that do not agree; frames that are not ours: nothing happens. */
    x.nr_exchanged = 0;
    x.out.nr_extents = 2;
    CHECK_EQUAL(memory_op(XENMEM_exchange, &x), -EINVAL);
    x.out.nr_extents = 1;
    in[0] = 0x200;
    for (u64 i = 1; i < 4; i++)
        in[i] = pfn_to_mfn(last_pfn(i));
    out[0] = last_pfn(3);
    CHECK(memory_op(XENMEM_exchange, &x) < 0);
    CHECK_EQUAL(x.nr_exchanged, 0);
    CHECK_EQUAL(pages(), before);
    CHECK_EQUAL(machine_to_phys_mapping[pfn_to_mfn(last_pfn(1))], last_pfn(1));
    x.nr_exchanged = 5;
    CHECK_EQUAL(memory_op(XENMEM_exchange, &x), -EINVAL);
}

static void test_tables(void)
{
    struct xen_machphys_mapping where = {0};
    struct xen_machphys_mfn_list list = {.max_extents = 2};
    static struct e820entry {
        u64 start, size;
        u32 type;
    } __packed map[128];
    struct xen_memory_map e820 = {.nr_entries = 128};

    CHECK_EQUAL(memory_op(XENMEM_machphys_mapping, &where), 0);
    CHECK_EQUAL(where.v_start, MACH2PHYS_VIRT_START);
    CHECK_EQUAL(where.v_end, MACH2PHYS_VIRT_END);
    s64 top = memory_op(XENMEM_maximum_ram_page, NULL);
    CHECK(top > 0x1000 && (u64)top <= where.max_mfn + 1); /* the number behind the last frame's */
    set_xen_guest_handle(list.extent_start, frames);
    CHECK_EQUAL(memory_op(XENMEM_machphys_mfn_list, &list), 0);
    CHECK(list.nr_extents >= 1 && frames[0] != 0);
    /* Its frames are DOMID_XEN's, to be read only. */
    volatile u64 *page = page_new();
    CHECK(map_foreign((void *)page, frames[0] << PAGE_SHIFT | PTE_P | PTE_W, DOMID_XEN) < 0);
    CHECK(map_foreign((void *)page, frames[0] << PAGE_SHIFT | PTE_P, DOMID_SELF) < 0);
    CHECK_EQUAL(map_foreign((void *)page, frames[0] << PAGE_SHIFT | PTE_P, DOMID_XEN), 0);
    CHECK_EQUAL(page[256], machine_to_phys_mapping[256]);
    CHECK_EQUAL(FAULT_OF("mov 0xffff800000000000, %%rax", ::: "rax", "memory"), -1);
    CHECK_EQUAL(FAULT_OF("mov $0xffff800000000000, %%rcx\n movb $0, (%%rcx)", ::
                             : "rax", "rcx", "memory"),
                14);

    set_xen_guest_handle(e820.buffer, map);
    CHECK_EQUAL(memory_op(XENMEM_machine_memory_map, &e820), 0);
    CHECK(e820.nr_entries > 2 && e820.nr_entries < 128);
    CHECK_EQUAL(map[0].start, 0);
    CHECK_EQUAL(map[0].type, 1);
    e820.nr_entries = 1;
    CHECK_EQUAL(memory_op(XENMEM_machine_memory_map, &e820), -EINVAL);
    e820.nr_entries = 128;
    CHECK_EQUAL(memory_op(XENMEM_memory_map, &e820), -ENOSYS);

    domid_t self = DOMID_SELF, nobody = 77;
    CHECK(memory_op(XENMEM_maximum_reservation, &self) >= pages());
    CHECK_EQUAL(memory_op(XENMEM_current_reservation, &nobody), -ESRCH);
    CHECK_EQUAL(memory_op(XENMEM_current_reservation, (void *)0x10), -EFAULT);
    CHECK_EQUAL(memory_op(XENMEM_maximum_gpfn, &self), 0); /* what we said; nothing yet */
    shared_info->arch.max_pfn = start_info->nr_pages;
    CHECK_EQUAL(memory_op(XENMEM_maximum_gpfn, &self), start_info->nr_pages - 1);
}

static void test_refused(void)
{
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    s64 before = pages();

    CHECK_EQUAL(memory_op(63, NULL), -ENOSYS);
    CHECK_EQUAL(memory_op(XENMEM_populate_physmap, (void *)0x10), 0); /* extents done, no errno */
    CHECK_EQUAL(reserve(XENMEM_populate_physmap, 0, 0), 0);
    frames[0] = 0x100000;
    CHECK_EQUAL(reserve(XENMEM_populate_physmap, 1, 40), 0);
    CHECK_EQUAL(reserve(XENMEM_populate_physmap, ~0UL, 0), 0);
    CHECK_EQUAL(reserve(XENMEM_decrease_reservation, 1, 40), 0);
    set_xen_guest_handle(r.extent_start, (xen_pfn_t *)0x10);
    CHECK_EQUAL(memory_op(XENMEM_populate_physmap, &r), 0);
    CHECK_EQUAL(memory_op(XENMEM_decrease_reservation, &r), 0);
    set_xen_guest_handle(r.extent_start, frames);
    r.domid = 77;
    CHECK_EQUAL(memory_op(XENMEM_populate_physmap, &r), 0);
    /* More than the machine has. */
    r.domid = DOMID_SELF;
    r.extent_order = 18;
    CHECK_EQUAL(memory_op(XENMEM_populate_physmap, &r), 0);
    CHECK_EQUAL(pages(), before);
    struct xen_add_to_physmap add = {.domid = DOMID_SELF, .space = 99};
    CHECK(memory_op(XENMEM_add_to_physmap, &add) < 0);
}

void guest_main(void)
{
    test_balloon();
    test_exchange();
    test_tables();
    test_refused();
}
