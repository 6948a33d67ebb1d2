/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypercalls that pv/ itself implements; hypercall/ has the table. Raw arguments, 0 or -errno.
 */
#pragma once

#include "lib/types.h"

/* pv/calls.c */
s64 hypercall_set_trap_table(u64 list, u64, u64, u64, u64);
s64 hypercall_stack_switch(u64 ss, u64 sp, u64, u64, u64);
s64 hypercall_set_callbacks(u64 event, u64 failsafe, u64 syscall, u64, u64);
s64 hypercall_callback_op(u64 op, u64 arg, u64, u64, u64);
s64 hypercall_fpu_taskswitch(u64 set, u64, u64, u64, u64);
s64 hypercall_set_debugreg(u64 n, u64 value, u64, u64, u64);
s64 hypercall_get_debugreg(u64 n, u64, u64, u64, u64);
s64 hypercall_set_segment_base(u64 which, u64 base, u64, u64, u64);
s64 hypercall_iret(u64, u64, u64, u64, u64);
struct cpu_user_regs;
void pv_iret(struct cpu_user_regs *regs);
/* pv/mmu_*.c, pv/descriptors.c */
s64 hypercall_mmu_update(u64 list, u64 count, u64 done, u64 domain, u64);
s64 hypercall_mmuext_op(u64 list, u64 count, u64 done, u64 domain, u64);
s64 hypercall_update_va_mapping(u64 va, u64 pte, u64 flags, u64, u64);
s64 hypercall_update_va_mapping_otherdomain(u64 va, u64 pte, u64 flags, u64 domain, u64);
s64 hypercall_set_gdt(u64 frames, u64 entries, u64, u64, u64);
s64 hypercall_update_descriptor(u64 address, u64 descriptor, u64, u64, u64);
