/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calling code in ring 0 that is not ours, firmware's: by the convention of
 * UEFI (2.3.4.2, that of Microsoft's compilers), and in a way that survives its
 * faults. The caller has seen to page tables and extended state, and that one
 * call at a time is made.
 */
#pragma once

#include "cpu/traps.h"

/* False: it faulted (trap_last_mended() tells how), *result is unchanged. */
__must_check bool foreign_call(u64 function, const u64 args[5], u64 *result);

/* cpu/traps.c: is this a fault of such code's? Then regs lead back to foreign_call()'s caller. */
bool foreign_fault(struct cpu_user_regs *regs);
