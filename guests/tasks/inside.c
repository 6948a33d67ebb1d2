/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest. It leaves 64-bit mode, turns on paging with 4 MiB pages, all of memory where it is,
 * and switches tasks, each of which notes what it finds; `expected` has all of that in order.
 */
#include "selectors.h"
#include "tasks.h"

#include <xen/sched.h>

struct tss {
    u32 link, esp0, ss0, unused[4], cr3, eip, eflags, regs[8], segments[6], ldt, trap;
};
volatile u64 tables[2][512] __aligned_to(4096); /* as u32: with 4 MiB pages */
volatile u64 task_gdt[SEGMENTS], task_idt[256];
volatile u64 task_ldt[1];
volatile struct tss tss_main, tss_a, tss_double, tss_bad, tss_of_bad, tss_old;
volatile u16 tss_small[22];
volatile u32 at, resume;
volatile u64 gate_of_bad;
static u32 stacks[5][256];
struct sched_shutdown poweroff = {.reason = SHUTDOWN_poweroff};

#define SEEN_BY_A(nested)                                                                          \
    TASK_A, (nested) ? 0x4000 : 0, 8, 4096, (nested) ? 0x200 : 0, 0x200, (nested) ? MAIN : 0x7777, \
        0xb0b0b0b0, CODE
#define AGAIN 0x11223344
/* clang-format off */
const u32 expected[] = {
    SEEN_BY_A(false), AGAIN, MAIN, SEEN_BY_A(true), AGAIN, SEEN_BY_A(true), AGAIN, SEEN_BY_A(true),
    13, MAIN, 0, 11, ABSENT, 0, 10, SHORT, 0, 14, 0xc00000, 0, 0, 10, TASK_A, 0,
    0, MAIN, 0, /* by the double fault's task */
    0, BAD, 0x5a5a, SMALL, 0xb5b5, AGAIN, 13, 0, 2, 0x800, 0x1234, AGAIN,
};
/* clang-format on */
const u32 expected_count = ARRAY_SIZE(expected);

static u32 physical(const volatile void *p)
{
    return (u32)((u64)p - VIRT_BASE);
}

static u64 segment(u32 base, u32 limit, u64 type)
{
    return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | type << 40 | (u64)(limit >> 16) << 48 |
           (u64)(base >> 24) << 56;
}

static u64 gate(u32 type, u32 selector, u32 offset)
{
    return (offset & 0xffff) | (u64)selector << 16 | (u64)type << 40 | (u64)(offset >> 16) << 48;
}

static void task(u32 selector, volatile struct tss *t, const char *code, u32 stack)
{
    *t = (struct tss){.cr3 = physical(tables[0]),
                      .eip = physical(code),
                      .eflags = 2,
                      .regs = {[4] = physical(stacks[stack]) + sizeof(stacks[0])},
                      .segments = {DATA, CODE, DATA, DATA, DATA, DATA}};
    task_gdt[selector / 8] = segment(physical(t), sizeof(*t) - 1, 0x89);
}

__noreturn void inside_main(u64 vcpu)
{
    extern const char task_a[], task_double[], task_bad[], task_of_bad[], task_small[];
    extern const char fault_10[], fault_11[], fault_13[], fault_14[];
    static struct __packed {
        u16 limit;
        u64 base;
    } tables_at[2];

    (void)vcpu;
    for (u32 n = 0; n < 2; n++)
        for (u32 i = 0; i < 3; i++)
            ((volatile u32 *)tables[n])[i] = i << 22 | 0x87;
    task_gdt[CODE / 8] = 0x00cf9a000000ffff; /* not accessed yet */
    task_gdt[DATA / 8] = task_ldt[0] = 0x00cf92000000ffff;
    task_gdt[TABLE / 8] = segment(physical(task_ldt), 7, 0x82);
    task(MAIN, &tss_main, task_a, 0);
    task(TASK_A, &tss_a, task_a, 1);
    tss_a.link = 0x7777;
    tss_a.cr3 = physical(tables[1]);
    tss_a.regs[3] = 0xb0b0b0b0;
    tss_a.segments[4] = 4; /* the LDT's first */
    tss_a.ldt = TABLE;
    task(DOUBLE, &tss_double, task_double, 2);
    task(BAD, &tss_bad, task_bad, 3);
    tss_bad.segments[2] = 0;
    task(OF_BAD, &tss_of_bad, task_of_bad, 3);
    task(OLD, &tss_old, task_a, 4);
    tss_old.eip = 2;
    tss_old.eflags = 0x20002;
    tss_old.segments[1] = 0x800;
    tss_old.segments[4] = 0x1234;
    tss_old.ss0 = DATA;
    tss_old.esp0 = physical(stacks[4]) + sizeof(stacks[0]);
    *(volatile u8 *)0x8002 = 0xf4; /* HLT */
    task_gdt[GATE / 8] = gate(0x85, TASK_A, 0);
    task_gdt[SHORT / 8] = segment(physical(&tss_a), 102, 0x89);
    task_gdt[ABSENT / 8] = segment(physical(&tss_a), 103, 0x09);
    task_gdt[UNMAPPED / 8] = segment(3U << 22, 103, 0x89);
    task_gdt[CODE_16 / 8] = segment(physical(task_small), 0xfffff, 0x9a) | 3UL << 54;
    tss_small[7] = 0; /* IP, flags, AX, SP, BP, ES, CS, SS, DS */
    tss_small[8] = 2;
    tss_small[9] = 0x5a5a;
    tss_small[13] = 0x9000;
    tss_small[14] = 0xb5b5;
    tss_small[17] = tss_small[19] = tss_small[20] = DATA;
    tss_small[18] = CODE_16;
    task_gdt[SMALL / 8] = segment(physical(tss_small), 43, 0x81);
    task_idt[8] = gate(0x85, DOUBLE, 0);
    task_idt[10] = gate(0x8e, CODE, physical(fault_10));
    task_idt[11] = gate(0x8e, CODE, physical(fault_11));
    task_idt[13] = gate(0x8e, CODE, physical(fault_13));
    task_idt[14] = gate(0x8e, CODE, physical(fault_14));
    task_idt[0x40] = gate(0x85, TASK_A, 0);
    gate_of_bad = gate(0x85, OF_BAD, 0);
    tables_at[0].limit = sizeof(task_gdt) - 1;
    tables_at[0].base = physical(task_gdt);
    tables_at[1].limit = sizeof(task_idt) - 1;
    tables_at[1].base = physical(task_idt);
    __asm__ volatile("jmp down" ::"D"(tables_at), "S"(physical(stacks[0]) + sizeof(stacks[0])),
                     "b"(physical(tables[0])), "a"(0));
    __builtin_unreachable();
}
