/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptor tables, the TSS and the SYSCALL entry of each CPU.
 *
 * A CPU's own descriptors fill the start of one page, which appears as page 14
 * of whatever GDT is loaded: in the vCPU's window (pv/context.c maps
 * cpu_gdt_frame() there), or alone while the CPU is idle. Behind them lies what
 * else the processor needs while it enters and leaves a guest on the guest's
 * page tables: the page is mapped in all of them.
 */
#pragma once

#include "cpu/percpu.h"

/* Limit of any GDT we load: our descriptors and nothing behind them. */
#define HV_GDT_LIMIT 0xe05f
#define STUB_BYTES   64 /* SYSCALL and CSTAR stubs of one CPU */

/* Intel SDM vol. 3, 8.7. */
struct tss {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3;
    u16 io_bitmap;
} __packed;

struct desc_page {
    u64 gdt[12];
    struct tss tss;
    /* Of shielded exits (pv/shield.c): the table the guest runs on (0: none yet), its own. */
    u64 shield_cr3, guest_cr3;
    u64 verw; /* a selector of writable data */
    u64 room[453];
    struct cpu_user_regs frame; /* where entries from there are pushed, behind its ss */
};
/* The processor aligns the stack before it pushes. */
_Static_assert((offsetof(struct desc_page, frame) + offsetof(struct cpu_user_regs, es)) % 16 == 0 &&
                   sizeof(struct desc_page) <= PAGE_SIZE,
               "the frame's place");

/* What boot/ gathers for a CPU before it starts. */
struct cpu_resources {
    u64 stack;              /* lowest address of its 32 KiB */
    u64 percpu_offset;      /* its per-CPU area is the template's address plus this */
    struct desc_page *desc; /* zeroed */
    mfn_t desc_frame;
    u64 stub; /* where its stubs run (0: none yet), and the same bytes, writable */
    void *stub_alias;
};

/* Fills in the CPU's cpu_local, TSS, GDT page and stubs. Any CPU may do it for another. */
void desc_prepare(u32 cpu, const struct cpu_resources *r);
/* Loads them on this CPU, with its IDT and SYSCALL MSRs; rsp is on its stack. */
void desc_activate(void);

DECLARE_PER_CPU(struct desc_page *, desc);
mfn_t cpu_gdt_frame(u32 cpu);
void cpu_load_gdt(u64 base, u16 limit);
/* The table that has our descriptors only. Before the window of a vCPU goes away. */
void cpu_load_idle_gdt(void);
/* Writes this CPU's LDT descriptor; LLDT HV_LDT then loads it. limit in bytes - 1. */
void cpu_set_ldt_descriptor(u64 base, u32 limit);
