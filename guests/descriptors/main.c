/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptor tables: set_gdt, update_descriptor, LDTs and their faults, what is refused. */
#include "runtime.h"

#define DATA_DPL3 0x00cff3000000ffffUL /* flat, present, writable data */
#define CODE_DPL0 0x00af9b000000ffffUL
#define TSS       0x0000890000000067UL
#define GATE      0x00008e0000100000UL /* interrupt gate */

static u64 *gdt, *ldt;

static s64 set_gdt(u64 *frames, u64 entries)
{
    return call2(__HYPERVISOR_set_gdt, frames, entries);
}

static s64 update(u64 machine_address, u64 descriptor)
{
    return call2(__HYPERVISOR_update_descriptor, machine_address, descriptor);
}

static s64 set_ldt(const void *base, u32 entries)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT};
    op.arg1.linear_addr = (u64)base;
    op.arg2.nr_ents = entries;
    return call4(__HYPERVISOR_mmuext_op, &op, 1, 0, DOMID_SELF);
}

/* Limit of a segment by its selector, -1 if it cannot be used from here. */
static s64 limit_of(u32 selector)
{
    u64 limit;
    bool good;
    __asm__ volatile("lsl %2, %0" : "=r"(limit), "=@ccz"(good) : "r"((u64)selector));
    return good ? (s64)(u32)limit : -1;
}

static int load(u32 selector)
{
    int fault = FAULT_OF("mov %0, %%es\n", ::"r"(selector) : "rax", "memory");
    __asm__ volatile("mov %0, %%es" ::"r"(0));
    return fault;
}

static void test_gdt(void)
{
    u64 frames[16] = {0};

    gdt = page_new();
    gdt[2] = DATA_DPL3;
    gdt[3] = CODE_DPL0;
    gdt[4] = 0x0000f20000000fffUL; /* one page of read-write data */
    frames[0] = frame_of(gdt);
    CHECK(set_gdt(frames, 512) < 0); /* still mapped writable */
    CHECK_EQUAL(remap(gdt, PTE_P | PTE_U), 0);
    CHECK_EQUAL(set_gdt(frames, 512), 0);
    CHECK_EQUAL(limit_of(2 * 8 + 3), 0xffffffff);
    CHECK_EQUAL(load(2 * 8 + 3), -1);
    CHECK_EQUAL(limit_of(4 * 8 + 3), 0xfff);
    /* Descriptors of ring 0 were made ours. */
    CHECK_EQUAL(gdt[3] >> 45 & 3, 3);
    CHECK_EQUAL(load(0x100 + 3), 13);
    CHECK_EQUAL(trap_last_error[13], 0x100);
    /* Behind the end of the guest's part; the flat ones are still there. */
    CHECK_EQUAL(load(0x2000 + 3), 13);
    CHECK_EQUAL(limit_of(FLAT_KERNEL_DS64 ? FLAT_KERNEL_DS64 : FLAT_KERNEL_SS), 0xffffffff);

    /* Now it is a descriptor page: not writable, */
    CHECK(remap(gdt, PTE_P | PTE_W | PTE_U) != 0);
    /* but updated through the hypervisor. */
    u64 where = virt_to_machine(gdt);
    CHECK_EQUAL(update(where + 5 * 8, DATA_DPL3), 0);
    CHECK_EQUAL(limit_of(5 * 8 + 3), 0xffffffff);
    CHECK_EQUAL(update(where + 5 * 8, 0), 0);
    CHECK_EQUAL(limit_of(5 * 8 + 3), -1);
    CHECK_EQUAL(update(where + 6 * 8, TSS), -EINVAL);
    CHECK_EQUAL(update(where + 6 * 8, GATE), -EINVAL);
    CHECK_EQUAL(gdt[6], 0);
    CHECK_EQUAL(update(where + 6 * 8 + 4, DATA_DPL3), -EINVAL);
    CHECK_EQUAL(update(0x000f000000000000, DATA_DPL3), -EINVAL);
    CHECK(update(0x200000, DATA_DPL3) < 0);
    CHECK(update(virt_to_machine((void *)start_info->pt_base), DATA_DPL3) < 0);
    CHECK_EQUAL(update(where + 6 * 8, CODE_DPL0), 0);
    CHECK_EQUAL(gdt[6] >> 45 & 3, 3);

    /* Refused tables leave the old one in place. */
    CHECK_EQUAL(set_gdt(frames, 9000), -EINVAL);
    frames[1] = ~0UL >> 12;
    CHECK_EQUAL(set_gdt(frames, 1024), -EINVAL);
    frames[0] = frame_of((void *)start_info->pt_base);
    CHECK_EQUAL(set_gdt(frames, 512), -EINVAL);
    CHECK_EQUAL(set_gdt((u64 *)0x10, 512), -EFAULT);
    CHECK_EQUAL(limit_of(2 * 8 + 3), 0xffffffff);

    u64 *bad = page_new();
    bad[7] = TSS;
    CHECK_EQUAL(remap(bad, PTE_P | PTE_U), 0);
    frames[0] = frame_of(bad);
    CHECK_EQUAL(set_gdt(frames, 512), -EINVAL);
    CHECK_EQUAL(remap(bad, PTE_P | PTE_W | PTE_U), 0);
    bad[7] = 0;

    /* None: the page is free again. */
    CHECK_EQUAL(set_gdt(frames, 0), 0);
    CHECK_EQUAL(load(2 * 8 + 3), 13);
    CHECK_EQUAL(remap(gdt, PTE_P | PTE_W | PTE_U), 0);
}

static void test_ldt(void)
{
    u8 *pages = page_new();
    page_new(); /* the second page of the table */
    ldt = (u64 *)pages;

    ldt[1] = DATA_DPL3;
    ldt[2] = 0x0000f20000000fffUL;
    ldt[512] = DATA_DPL3;
    CHECK_EQUAL(load(1 * 8 + 7), 13); /* none yet */
    CHECK_EQUAL(remap(pages, PTE_P | PTE_U), 0);
    CHECK_EQUAL(set_ldt(ldt, 1024), 0);
    CHECK_EQUAL(load(1 * 8 + 7), -1);
    CHECK_EQUAL(limit_of(2 * 8 + 7), 0xfff);
    CHECK_EQUAL(load(3 * 8 + 7), 13);
    CHECK_EQUAL(trap_last_error[13], 3 * 8 + 4);

    /* Its second page is writable to us: to use it is a fault at its address. */
    CHECK_EQUAL(load(512 * 8 + 7), 14);
    CHECK_EQUAL(shared_info->vcpu_info[0].arch.cr2, (u64)&ldt[512]);
    CHECK_EQUAL(remap(pages + PAGE_SIZE, PTE_P | PTE_U), 0);
    CHECK_EQUAL(load(512 * 8 + 7), -1);
    CHECK(remap(pages, PTE_P | PTE_W | PTE_U) != 0 || limit_of(2 * 8 + 7) == -1);
    CHECK_EQUAL(update(virt_to_machine(ldt) + 8 * 9, DATA_DPL3), 0);
    CHECK_EQUAL(load(9 * 8 + 7), -1);
    /* A gate is not for LDTs of guests either. */
    CHECK_EQUAL(update(virt_to_machine(ldt) + 8 * 10, GATE), -EINVAL);

    CHECK_EQUAL(set_ldt(ldt, 9000), -EINVAL);
    CHECK_EQUAL(set_ldt((u8 *)ldt + 8, 4), -EINVAL);
    CHECK_EQUAL(set_ldt((void *)0xffff830000000000, 4), -EINVAL);
    CHECK_EQUAL(load(9 * 8 + 7), -1);
    CHECK_EQUAL(set_ldt(NULL, 0), 0);
    CHECK_EQUAL(load(1 * 8 + 7), 13);
    CHECK_EQUAL(remap(pages, PTE_P | PTE_W | PTE_U), 0);
    CHECK_EQUAL(remap(pages + PAGE_SIZE, PTE_P | PTE_W | PTE_U), 0);
    ldt[1] = 0;

    /* A table at an address where nothing is. */
    CHECK_EQUAL(set_ldt((void *)0x5000, 4), 0);
    CHECK_EQUAL(load(1 * 8 + 7), 14);
    CHECK_EQUAL(shared_info->vcpu_info[0].arch.cr2, 0x5008);
    CHECK_EQUAL(set_ldt(NULL, 0), 0);
}

static u16 es_after_sleep(void)
{
    struct sched_poll poll = {.timeout = system_time() + 5000000};
    u16 es;

    CHECK_EQUAL(call2(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll), 0);
    __asm__ volatile("mov %%es, %0" : "=r"(es));
    return es;
}

/* A selector in use while its page is not shown, and the vCPU leaves and comes back. */
static void test_switch(void)
{
    u64 *table = page_new();

    table[1] = DATA_DPL3;
    CHECK_EQUAL(remap(table, PTE_P | PTE_U), 0);
    CHECK_EQUAL(set_ldt(table, 1024), 0);
    __asm__ volatile("mov %0, %%es" ::"r"(1 * 8 + 7));
    CHECK_EQUAL(set_ldt(table, 512), 0);
    CHECK_EQUAL(es_after_sleep(), 1 * 8 + 7);
    CHECK_EQUAL(load(1 * 8 + 7), -1);
    /* A table that is nowhere: the stock hypervisor makes a failsafe callback of it. */
    if (!has_word("stock")) {
        __asm__ volatile("mov %0, %%es" ::"r"(1 * 8 + 7));
        CHECK_EQUAL(set_ldt((void *)0x5000, 4), 0);
        CHECK_EQUAL(es_after_sleep(), 0);
    }
    CHECK_EQUAL(set_ldt(NULL, 0), 0);
    CHECK_EQUAL(remap(table, PTE_P | PTE_W | PTE_U), 0);
}

void guest_main(void)
{
    test_gdt();
    test_ldt();
    test_switch();
}
