/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a guest came in, beyond the processor's vectors: values of
 * cpu_user_regs.entry_vector. ENTRY_SYSCALL as a bit says that the guest
 * expects rcx and r11 to be lost on the way back, so SYSRET may be used: its
 * selectors are GUEST_CS64 and GUEST_SS.
 */
#pragma once

#define ENTRY_SYSCALL   0x100
#define ENTRY_SYSCALL32 0x200
#define ENTRY_SYSENTER  0x400

/* The table of hypercalls, supplied by hypercall/table.c: a power of two of rows, each the handler
 * and in a byte behind it a bit that says whether PV guests have it. */
#define HYPERCALL_ROWS      64
#define HYPERCALL_ROW_SHIFT 4
#define HYPERCALL_ROW_KINDS 8
#define HYPERCALL_PV        1
#define HYPERCALL_IRET      23
