/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calling code in ring 0 that is not ours, firmware's: by the convention of
 * UEFI (2.3.4.2, that of Microsoft's compilers), on a stack of its own, and in a
 * way that survives its faults, the stack's overflow among them. The caller has
 * mapped FIRMWARE_STACK, sees to page tables and extended state, and makes one
 * call at a time.
 */
#pragma once

#include "cpu/traps.h"

/* False: it faulted (trap_last_mended() tells how), *result is unchanged. */
__must_check bool foreign_call(u64 function, const u64 args[5], u64 *result);

/* cpu/foreign.S: the call itself. */
bool foreign_call_on(void *stack, u64 function, const u64 args[5], u64 *result);

/* A fault of such code's? Then regs lead back to foreign_call()'s caller. */
bool foreign_fault(struct cpu_user_regs *regs);
