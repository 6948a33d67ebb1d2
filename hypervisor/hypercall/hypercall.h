/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The desk. A handler gets the raw arguments, copies structures in
 * (hypercall/access.h), checks form, asks policy (hypercall/policy.h), calls
 * core, copies results out. The caller is `current`.
 */
#pragma once

#include "core/access.h"
#include "core/continuation.h"
#include "core/domain.h"
#include "core/reject.h"
#include "lib/types.h"

/* Returns what goes into rax: >= 0 or -errno; or -ERESTART_HYPERCALL after
 * hypercall_continue(). */
typedef s64 (*hypercall_fn)(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4);

/* Called by pv/entry.S for a PV guest's SYSCALL from its kernel. */
void hypercall_pv(struct cpu_user_regs *regs);
/* Likewise for a translated guest; false: it is to be made again, its arguments are rewritten. */
bool hypercall_hvm(struct cpu_user_regs *regs);
/* One call by number with arguments given: multicall uses it. */
s64 hypercall_call(u64 number, const u64 args[5]);
const char *hypercall_name(u64 number);
/* Writes the 32-byte stubs of a PV guest's hypercall page (domain builder,
 * XEN_DOMCTL_hypercall_init). */
void hypercall_page_fill(void *page);

/* Our command line as the boot loader gave it; boot/ fills it in (xl info shows it). */
extern char hypervisor_command_line[1024];

/* One per family; prototypes for the table. */
s64 hypercall_set_trap_table(u64, u64, u64, u64, u64);
s64 hypercall_mmu_update(u64, u64, u64, u64, u64);
s64 hypercall_set_gdt(u64, u64, u64, u64, u64);
s64 hypercall_stack_switch(u64, u64, u64, u64, u64);
s64 hypercall_set_callbacks(u64, u64, u64, u64, u64);
s64 hypercall_fpu_taskswitch(u64, u64, u64, u64, u64);
s64 hypercall_platform_op(u64, u64, u64, u64, u64);
s64 hypercall_set_debugreg(u64, u64, u64, u64, u64);
s64 hypercall_get_debugreg(u64, u64, u64, u64, u64);
s64 hypercall_update_descriptor(u64, u64, u64, u64, u64);
s64 hypercall_memory_op(u64, u64, u64, u64, u64);
s64 hypercall_multicall(u64, u64, u64, u64, u64);
s64 hypercall_update_va_mapping(u64, u64, u64, u64, u64);
s64 hypercall_set_timer_op(u64, u64, u64, u64, u64);
s64 hypercall_xen_version(u64, u64, u64, u64, u64);
s64 hypercall_console_io(u64, u64, u64, u64, u64);
s64 hypercall_grant_table_op(u64, u64, u64, u64, u64);
s64 hypercall_vm_assist(u64, u64, u64, u64, u64);
s64 hypercall_update_va_mapping_otherdomain(u64, u64, u64, u64, u64);
s64 hypercall_iret(u64, u64, u64, u64, u64);
s64 hypercall_vcpu_op(u64, u64, u64, u64, u64);
s64 hypercall_set_segment_base(u64, u64, u64, u64, u64);
s64 hypercall_mmuext_op(u64, u64, u64, u64, u64);
s64 hypercall_sched_op(u64, u64, u64, u64, u64);
s64 hypercall_callback_op(u64, u64, u64, u64, u64);
s64 hypercall_event_channel_op(u64, u64, u64, u64, u64);
s64 hypercall_physdev_op(u64, u64, u64, u64, u64);
s64 hypercall_sched_op_compat(u64, u64, u64, u64, u64);
s64 hypercall_event_channel_op_compat(u64, u64, u64, u64, u64);
s64 hypercall_physdev_op_compat(u64, u64, u64, u64, u64);
s64 hypercall_xenpmu_op(u64, u64, u64, u64, u64);
s64 hypercall_mca(u64, u64, u64, u64, u64);
s64 hypercall_hvm_op(u64, u64, u64, u64, u64);
s64 hypercall_sysctl(u64, u64, u64, u64, u64);
s64 hypercall_domctl(u64, u64, u64, u64, u64);
