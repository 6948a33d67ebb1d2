/* SPDX-License-Identifier: GPL-2.0-only */
/* The handlers of all hypercalls: raw arguments, a result or -errno. hypercall/table.c has the
 * table. */
#pragma once

#include "lib/types.h"

#define CALL(name, nr_arguments, guest_kinds) s64 hypercall_##name(u64, u64, u64, u64, u64);
#include "core/calls.def"
#undef CALL

struct cpu_user_regs;
void pv_iret(struct cpu_user_regs *regs);
/* hypercall/table.c: a PV guest's SYSCALL from its kernel. */
void hypercall_pv(struct cpu_user_regs *regs);
