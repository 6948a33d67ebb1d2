/* SPDX-License-Identifier: GPL-2.0-only */
/* What a PV guest's exceptions, system calls and upcalls become: entries of its kernel. */
#pragma once

#include "pv/pv.h"

/*
 * Makes the current vCPU continue in its kernel at `address` with a frame on the
 * kernel's stack: rcx, r11, [error code], rip, cs, rflags, rsp, ss (public
 * arch-x86/xen-x86_64.h, "iret_context" and the trap frame of xen.h). The
 * domain is crashed when its kernel gave no entry or no usable stack.
 */
enum {
    ENTER_ERROR = 1,    /* error_code is pushed below rip */
    ENTER_FAILSAFE = 2, /* ds, es, fs, gs are pushed above r11 */
    ENTER_MASKED = 4,   /* upcalls masked on entry; the same bit as in a struct trap_info */
};
void pv_enter_kernel(struct cpu_user_regs *regs, u64 address, u32 how, u32 error_code);

/* From assembly. */
void guest_trap(struct cpu_user_regs *regs);
void pv_guest_syscall(struct cpu_user_regs *regs);
void pv_guest_syscall32(struct cpu_user_regs *regs);
void pv_guest_sysenter(struct cpu_user_regs *regs);
void pv_deliver_upcall(struct cpu_user_regs *regs);
bool pv_deliver_nmi(void);
void pv_iret_refused(struct cpu_user_regs *regs);

/* Debug registers a guest may set: an address not ours; a DR7 without reserved or general-detect
 * bits. */
bool pv_check_breakpoint(u64 address);
bool pv_check_dr7(u64 value);
/* DR4 and DR5 are other names of DR6 and DR7. */
static inline u64 pv_debug_number(u64 n)
{
    return n == 4 || n == 5 ? n + 2 : n;
}
/* MOV to a debug register of the current vCPU: 0, -EPERM, -EINVAL. */
int pv_set_debugreg(u64 n, u64 value);
