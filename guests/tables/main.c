/* SPDX-License-Identifier: GPL-2.0-only */
/* PV page tables: updates, types, pins, what is refused, what faults. */
#include "runtime.h"

#define P     1UL
#define W     2UL
#define U     4UL
#define TABLE (P | W | U | 0x60)

static int mmu_update(u64 where, u64 value)
{
    struct mmu_update u = {.ptr = where, .val = value};
    return (int)call4(__HYPERVISOR_mmu_update, &u, 1, 0, DOMID_SELF);
}

static int mmuext(u32 cmd, u64 arg)
{
    struct mmuext_op op = {.cmd = cmd};
    op.arg1.mfn = arg;
    return (int)call4(__HYPERVISOR_mmuext_op, &op, 1, 0, DOMID_SELF);
}

static u64 machine_frame(const void *p)
{
    return virt_to_machine(p) >> PAGE_SHIFT;
}

static int protect(void *page, u64 flags)
{
    return map_page(page, (virt_to_machine(page) & PAGE_MASK) | flags);
}

extern volatile u8 *probe;
volatile u8 *probe;
static int write_fault(void *p)
{
    probe = p;
    return FAULT_OF("mov probe(%%rip), %%rcx\n movb $1, (%%rcx)", ::: "rax", "rcx", "memory");
}

static void test_mapping(void)
{
    u8 *a = page_new(), *b = page_new();

    a[0] = 1;
    b[0] = 2;
    CHECK_EQUAL(map_page(a, (virt_to_machine(b) & PAGE_MASK) | P | W | U), 0);
    CHECK_EQUAL(*(volatile u8 *)a, 2);
    CHECK_EQUAL(protect(a, P | U), 0);
    CHECK_EQUAL(*(volatile u8 *)a, 1);
    CHECK_EQUAL(write_fault(a), 14);
    /* The kernel is told a supervisor write: not user, present, write. */
    CHECK_EQUAL(trap_last_error[14] & 7, 3);
    CHECK_EQUAL(shared_info->vcpu_info[0].arch.cr2, (u64)a);
    CHECK_EQUAL(map_page(a, 0), 0);
    CHECK_EQUAL(write_fault(a), 14);
    CHECK_EQUAL(protect(a, P | W | U), 0);
    CHECK_EQUAL(write_fault(a), -1);
}

static void test_refused(void)
{
    u8 *a = page_new();
    u64 l4 = start_info->pt_base;

    /* A writable mapping of a page table in use. */
    CHECK(map_page(a, (virt_to_machine((void *)l4) & PAGE_MASK) | P | W | U) != 0);
    /* Read-only is fine. */
    CHECK_EQUAL(map_page(a, (virt_to_machine((void *)l4) & PAGE_MASK) | P | U), 0);
    CHECK_EQUAL(protect(a, P | W | U), 0);
    /* A frame far beyond memory; one of the hypervisor's own. */
    CHECK(map_page(a, 0x000f000000000000UL | P | W | U) != 0);
    CHECK(map_page(a, 0x200000UL | P | W | U) != 0);
    /* Our part of the address space. */
    CHECK(map_page((void *)0xffff830000000000, (virt_to_machine(a) & PAGE_MASK) | P | W | U) != 0);
    CHECK(mmu_update(virt_to_machine((u64 *)l4 + 260), virt_to_machine(a) | TABLE) != 0 ||
          ((u64 *)l4)[260] != (virt_to_machine(a) | TABLE));
    /* An L1 table whose entry points nowhere good must not become a table. */
    u64 *table = page_new();
    table[3] = 0x200000UL | P | W | U;
    CHECK_EQUAL(protect(table, P | U), 0);
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, machine_frame(table)) != 0);
    CHECK_EQUAL(protect(table, P | W | U), 0);
    CHECK_EQUAL(mmuext(MMUEXT_UNPIN_TABLE, machine_frame(table)), -EINVAL);
    CHECK(mmuext(MMUEXT_NEW_BASEPTR, machine_frame(a)) != 0);
    CHECK(mmuext(MMUEXT_NEW_BASEPTR, ~0UL >> 8) != 0);
    CHECK_EQUAL(mmuext(999, 0), -ENOSYS);
    struct mmu_update u = {0};
    CHECK_EQUAL(call4(__HYPERVISOR_mmu_update, &u, 1, 0, 77), -ESRCH);
    CHECK_EQUAL(call4(__HYPERVISOR_mmu_update, 0x10, 1, 0, DOMID_SELF), -EFAULT);
}

static void test_types(void)
{
    u64 *table = page_new();
    u8 *page = page_new();

    table[0] = (virt_to_machine(page) & PAGE_MASK) | P | W | U;
    /* Still mapped writable: cannot be a table. */
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, machine_frame(table)) != 0);
    CHECK_EQUAL(protect(table, P | U), 0);
    CHECK_EQUAL(mmuext(MMUEXT_PIN_L1_TABLE, machine_frame(table)), 0);
    CHECK(mmuext(MMUEXT_PIN_L2_TABLE, machine_frame(table)) != 0);
    CHECK_EQUAL(mmuext(MMUEXT_PIN_L1_TABLE, machine_frame(table)), -EINVAL);
    /* Now it cannot be mapped writable, */
    CHECK(protect(table, P | W | U) != 0);
    /* but updated by the hypervisor, checked. */
    CHECK_EQUAL(mmu_update(virt_to_machine(table + 5), (virt_to_machine(page) & PAGE_MASK) | P | U),
                0);
    CHECK_EQUAL(table[5] & ~0x160UL, (virt_to_machine(page) & PAGE_MASK) | P | U);
    CHECK(mmu_update(virt_to_machine(table + 6), virt_to_machine(table) | P | W | U) != 0);
    CHECK_EQUAL(mmu_update(virt_to_machine(table + 5), 0), 0);
    /* A direct write through the read-only mapping is emulated when it is a mapped table. */
    CHECK_EQUAL(mmuext(MMUEXT_UNPIN_TABLE, machine_frame(table)), 0);
    CHECK_EQUAL(protect(table, P | W | U), 0);
    table[0] = 0;

    /* Machine-to-phys of a frame of ours. */
    u64 where = virt_to_machine(page) & PAGE_MASK;
    CHECK_EQUAL(machine_to_phys_mapping[where >> PAGE_SHIFT], virt_to_pfn(page));
    CHECK_EQUAL(mmu_update(where | MMU_MACHPHYS_UPDATE, 0x1234), 0);
    CHECK_EQUAL(machine_to_phys_mapping[where >> PAGE_SHIFT], 0x1234);
    CHECK_EQUAL(mmu_update(where | MMU_MACHPHYS_UPDATE, virt_to_pfn(page)), 0);
}

/* Writes to a live L1 entry through its read-only mapping, as Linux does with xchg. */
static void test_direct_write(void)
{
    u8 *page = page_new();
    u64 entry = pte_machine_address(page);
    u64 *live = NULL;

    for (u64 i = 0; i < start_info->nr_pt_frames; i++) {
        u64 *t = (u64 *)(start_info->pt_base + i * PAGE_SIZE);
        if (machine_frame(t) == entry >> PAGE_SHIFT)
            live = t + (entry & 0xfff) / 8;
    }
    CHECK(live != NULL);
    u64 old = *live, none = 0;
    __asm__ volatile("xchg %0, %1" : "+r"(none), "+m"(*live)::"memory");
    CHECK_EQUAL(none & PAGE_MASK & 0x000fffffffffffff, old & PAGE_MASK & 0x000fffffffffffff);
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
    CHECK_EQUAL(write_fault(page), 14);
    *(volatile u64 *)live = old;
    CHECK_EQUAL(write_fault(page), -1);
    /* A bad value through the same door is a fault, not a mapping. */
    CHECK_EQUAL(FAULT_OF("mov %0, %%rcx\n movq $0x200007, (%%rcx)", ::"r"(live)
                         : "rax", "rcx", "memory"),
                14);
    CHECK_EQUAL(*live, old);
}

void guest_main(void)
{
    test_mapping();
    test_refused();
    test_types();
    test_direct_write();
}
