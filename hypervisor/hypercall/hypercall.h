/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The desk. A handler gets the raw arguments, copies structures in
 * (core/access.h), checks form, asks policy (core/policy.h), calls
 * core, copies results out. The caller is `current`. pv/calls.h declares them all.
 */
#pragma once

#include "core/access.h"
#include "core/continuation.h"
#include "core/policy.h"
#include "pv/calls.h"

/* Returns what goes into rax: >= 0 or -errno; or -ERESTART_HYPERCALL after
 * hypercall_continue(). */
typedef s64 (*hypercall_fn)(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4);

/* For pv/entry.S, too: the answer to a number that the caller has not, and what makes the caller go
 * on with the arguments that hypercall_continue() left. */
s64 hypercall_none(void);
void hypercall_again(struct cpu_user_regs *regs);
/* Likewise for a translated guest; false: it is to be made again, its arguments are rewritten. */
bool hypercall_hvm(struct cpu_user_regs *regs, bool code64);
/* One call by number with arguments given: multicall uses it. */
s64 hypercall_call(u64 number, const u64 args[5]);
/* Writes the 32-byte stubs of a PV guest's hypercall page (domain builder,
 * XEN_DOMCTL_hypercall_init). */
void hypercall_page_fill(void *page);

/* Setting a vCPU's registers, for vcpu_op and domctl; v runs nowhere. On success it has a context
 * and, with VGCF_online, is up. -ERESTART_HYPERCALL: page-table validation wants to go on later. */
int vcpu_context_set(struct vcpu *v, const struct vcpu_guest_context *context);

/* Our command line as the boot loader gave it; boot/ fills it in (xl info shows it). */
extern char hypervisor_command_line[1024];
