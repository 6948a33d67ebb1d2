/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exceptions and interrupts: the table of entries, faults of our own code,
 * and what entry.S expects of the layers above.
 */
#pragma once

#include "cpu/regs.h"

/* Builds the (one, soon read-only) IDT; each CPU loads it in desc_activate(). */
void traps_init(void);
/* with_stacks: NMI, #MC, #DF and #DB switch to stacks of their own. Without while a guest's
 * TSS is loaded: the stack is ours then at every moment. */
void traps_load_idt(bool with_stacks);

/* The last fault that the exception table mended on this CPU. */
struct trap_record {
    u32 vector;
    u32 error_code;
    u64 address; /* CR2, for a page fault */
};
const struct trap_record *trap_last_mended(void);

/* CR2: valid at the start of guest_trap() and pv_handle_hv_fault() for #PF. */
u64 cpu_fault_address(void);

/* Called by entry.S. */
void hv_fault(struct cpu_user_regs *regs);    /* exception from ring 0 */
void hv_ist_trap(struct cpu_user_regs *regs); /* NMI, #MC, #DF; #DB from ring 0 */

/* Set once by the crash path: a CPU that then takes an NMI halts for ever. */
extern bool crash_stops_cpus;

/*
 * Supplied by pv/. guest_trap gets exceptions from ring 3 (vectors 0..31
 * without NMI, #MC, #DF) with regs == guest_regs(); then guest_exit runs.
 * pv_handle_hv_fault is asked first about a #PF or #GP of our own code; true: mended.
 */
void guest_trap(struct cpu_user_regs *regs);
bool pv_handle_hv_fault(struct cpu_user_regs *regs);
/* Assembly labels, see entry.S for what is in the registers. */
void guest_exit(void);
void pv_syscall_entry(void);
void pv_syscall_shielded(void);
void pv_cstar_entry(void);
void pv_sysenter_entry(void);

/* Supplied by platform/: one external interrupt. */
void irq_dispatch(u32 vector);
/* Supplied by boot/crash.c. regs may be NULL. */
__noreturn void crash(const struct cpu_user_regs *regs, const char *why);
/* What another CPU's crash stops goes here; it is part of the report. */
__noreturn void crash_stopped(const struct cpu_user_regs *regs);
