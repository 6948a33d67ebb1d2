/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptor tables, the TSS and the SYSCALL entry of each CPU.
 *
 * A CPU's own descriptors fill the start of one page, which appears as page 14
 * of whatever GDT is loaded: in the vCPU's window (pv/context.c maps
 * cpu_gdt_frame() there), or alone while the CPU is idle.
 */
#pragma once

#include "cpu/layout.h"
#include "lib/types.h"

/* Limit of any GDT we load: our descriptors and nothing behind them. */
#define HV_GDT_LIMIT 0xe05f
#define STUB_BYTES   64 /* SYSCALL and CSTAR stubs of one CPU */

/* What boot/ gathers for a CPU before it starts. */
struct cpu_resources {
    u64 stack;         /* lowest address of its 32 KiB */
    u64 percpu_offset; /* its per-CPU area is the template's address plus this */
    void *gdt_page;    /* a zeroed page of ours */
    mfn_t gdt_frame;
    u64 stub; /* where its stubs run (0: none yet), and the same bytes, writable */
    void *stub_alias;
};

/* Fills in the CPU's cpu_local, TSS, GDT page and stubs. Any CPU may do it for another. */
void desc_prepare(u32 cpu, const struct cpu_resources *r);
/* Loads them on this CPU, with its IDT and SYSCALL MSRs; rsp is on its stack. */
void desc_activate(void);

mfn_t cpu_gdt_frame(u32 cpu);
void cpu_load_gdt(u64 base, u16 limit);
/* The table that has our descriptors only. Before the window of a vCPU goes away. */
void cpu_load_idle_gdt(void);
/* Writes this CPU's LDT descriptor; LLDT HV_LDT then loads it. limit in bytes - 1. */
void cpu_set_ldt_descriptor(u64 base, u32 limit);
