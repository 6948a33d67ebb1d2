/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways from a PV guest into the hypervisor by SYSCALL and its kin, and the
 * one way back.
 *
 * Entry: the per-CPU stubs (cpu/) have switched to this CPU's stack and jump
 * here with: rsp just past guest.ss, guest.ss holding the guest's rax, rax the
 * guest's rsp, rcx its rip, r11 its rflags (SYSCALL) - the rest is the guest's.
 * Interrupts are off and stay off. Exceptions and interrupts come through
 * cpu/entry.S, which calls C and then jumps to guest_exit as well.
 *
 * Exit: one check of work, then of the vCPU's pending upcall, then SYSRET when
 * the guest expects rcx and r11 to be lost, else IRET. Between the check and
 * the return interrupts are off, so nothing new can slip in unseen but what an
 * interrupt right after the return brings back here.
 */
#include "cpu/asm.h"
#include "pv/entry.h"

    .section .text, "ax", @progbits

/* The frame from an rsp just past guest.ss; see above for what is where. */
.macro save_syscall_frame vector cs
    mov   %rax, -16(%rsp)
    mov   -8(%rsp), %rax
    movq  $GUEST_SS, -8(%rsp)
    sub   $16, %rsp
    push  %r11
    pushq $\cs
    push  %rcx
    pushq $0
    movl  $\vector, 4(%rsp)
    SAVE_GPRS
.endm

.macro to_c function
    CLEAR_GPRS
    mov   %rsp, %rdi
    call  \function
    jmp   guest_exit
.endm

/*
 * The short way of a hypercall: its arguments stay where the guest has put them, which is where C
 * wants them but for the fourth. What is not a plain call goes to hypercall_pv, which does the same
 * with all there is to ask besides.
 */
ENTRY(pv_syscall_entry)
    save_syscall_frame ENTRY_SYSCALL, GUEST_CS64
    mov   CPU_CURRENT(%rsp), %rbx
    cmpb  $0, PV_KERNEL_MODE(%rbx)
    je    .Luser
    testb $TRACE_PV, trace_events + TRACE_PV_BYTE(%rip)
    jnz   .Lhypercall
    cmp   $HYPERCALL_IRET, %rax
    je    .Liret_call
    cmp   $HYPERCALL_ROWS, %rax
    jae   .Lnone
    /* The number is the guest's: a mispredicted check reads nothing beyond the table. */
    and   $(HYPERCALL_ROWS - 1), %eax
    mov   %r10, %rcx
    lea   percpu_perf_counters(%rip), %r10
    add   CPU_PERCPU_OFFSET(%rsp), %r10
    lea   PERFC_HYPERCALLS(%r10, %rax, 4), %r10
    shl   $HYPERCALL_ROW_SHIFT, %eax
    lea   hypercall_rows(%rip), %r9
    add   %rax, %r9
    testb $HYPERCALL_PV, HYPERCALL_ROW_KINDS(%r9)
    jz    .Lnone
    incl  (%r10)
    mov   (%r9), %r9
    .irp reg, eax, r11d, ebp, r12d, r13d, r14d, r15d
    xor   %\reg, %\reg
    .endr
    mov   %rax, CPU_SLICE_END(%rsp)
    call  __x86_indirect_thunk_r9
    cmp   $-ERESTART_HYPERCALL, %rax
    je    .Lagain
    mov   %rax, REGS_RAX(%rsp)
    jmp   guest_exit_current
.Liret_call:
    CLEAR_GPRS ebx
    mov   %rsp, %rdi
    call  pv_iret
    jmp   guest_exit_current
.Lnone:
    CLEAR_GPRS ebx
    call  hypercall_none
    mov   %rax, REGS_RAX(%rsp)
    jmp   guest_exit_current
.Lhypercall:
    to_c  hypercall_pv
.Lagain:
    mov   %rsp, %rdi
    call  hypercall_again
    jmp   guest_exit
.Luser:
    to_c  pv_guest_syscall
END(pv_syscall_entry)

/* The same with the frame in the descriptor page: the short way does not pay there, and there is
 * no SYSRET to go back by. */
ENTRY(pv_syscall_shielded)
    save_syscall_frame 0, GUEST_CS64
    CLEAR_GPRS
.Lshielded_call:
    LEAVE_SHIELD
    call  shield_syscall
    jmp   guest_exit
END(pv_syscall_shielded)

/* SYSCALL from 32-bit code of a guest: only ever from its user mode. */
ENTRY(pv_cstar_entry)
    save_syscall_frame ENTRY_SYSCALL32, GUEST_CS32
    test  $STACK_SIZE, %esp
    jnz   .Lshielded_call
    to_c  pv_guest_syscall32
END(pv_cstar_entry)

/*
 * SYSENTER keeps neither rip nor rsp: the guest's user code put them where its
 * kernel knows. The stub leaves rax, and rsp at its usual place, untouched.
 */
ENTRY(pv_sysenter_entry)
    mov   %rax, -8(%rsp)    /* what the stubs of the others do; rsp is unknown */
    xor   %eax, %eax
    xor   %ecx, %ecx
    mov   $0x202, %r11d
    save_syscall_frame ENTRY_SYSENTER, GUEST_CS32
    test  $STACK_SIZE, %esp
    jnz   .Lshielded_call
    to_c  pv_guest_sysenter
END(pv_sysenter_entry)

/*
 * Back to the guest that is current, whose frame is at rsp. Whoever comes here
 * needs no register preserved.
 */
ENTRY(guest_exit)
    mov   CPU_CURRENT(%rsp), %rbx
guest_exit_current: /* rbx is it */
.Lcheck:
    cmpl  $0, CPU_WORK(%rsp)
    jne   .Lwork
    cmpq  $0, VCPU_NMI(%rbx) /* its work is the other half */
    jne   .Lvcpu_work
    /* evtchn_upcall_pending and evtchn_upcall_mask are the first two bytes: 1 then 0. */
    mov   VCPU_INFO(%rbx), %rax
    cmpb  $0, (%rax)
    jne   .Lupcall
.Lrestore:
    testl $ENTRY_SYSCALL, REGS_VECTOR(%rsp)
    jz    .Liret
    /* SYSRET takes a fault in ring 0 if rip is not canonical: if bits 63..47 differ. */
    mov   REGS_RIP(%rsp), %rcx
    sar   $47, %rcx
    inc   %rcx
    shr   %rcx
    jnz   .Liret
    RESTORE_GPRS
    mov   8(%rsp), %rcx     /* rip */
    mov   24(%rsp), %r11    /* rflags */
    mov   32(%rsp), %rsp
    sysretq

.Liret:
    cmpb  $0, shield_on(%rip)
    jne   .Lshielded
    RESTORE_GPRS
    add   $8, %rsp
.Liret_instruction:
    iretq

.Lshielded:
    mov   %rsp, %rdi
    mov   %cr3, %rsi
    call  shield_leave
    mov   %rax, %rsp
    mov   DESC_SHIELD_CR3 - DESC_FRAME(%rsp), %rax
    verw  DESC_VERW - DESC_FRAME(%rsp)
    mov   %rax, %cr3
    RESTORE_GPRS
    add   $8, %rsp
    .globl shield_iret
    .hidden shield_iret
shield_iret:
    iretq

.Lwork:
    call  cpu_do_work
    jmp   .Lcheck
.Lvcpu_work:
    cmpl  $0, VCPU_WORK(%rbx)
    je    .Lnmi
    mov   %rbx, %rdi
    call  vcpu_do_work
    jmp   .Lcheck
.Lnmi:
    call  pv_deliver_nmi
    test  %al, %al
    jnz   .Lcheck
    mov   VCPU_INFO(%rbx), %rax
    cmpb  $0, (%rax)
    je    .Lrestore
.Lupcall:
    cmpb  $0, 1(%rax)
    jne   .Lrestore
    mov   %rsp, %rdi
    call  pv_deliver_upcall
    jmp   .Lcheck
END(guest_exit)

/*
 * The guest's frame was one the processor refuses (a selector that is not
 * there, a bad rip): rsp is as it was at the IRET, the registers are the
 * guest's. Save them again and let its kernel know.
 */
    EX_TABLE(.Liret_instruction, .Liret_refused)
    .type iret_refused, @function
iret_refused:
.Liret_refused:
    pushq $0
    SAVE_GPRS
    mov   %rsp, %rdi
    call  pv_iret_refused
    jmp   guest_exit
    .size iret_refused, . - iret_refused

/*
 * The same of a shielded exit, from cpu/entry.S, whose frame in the descriptor page is at rsp: the
 * guest's is still in cpu_local. What the IRET wanted may be there now: it is tried again.
 */
    EX_TABLE(shield_iret, shield_refused)
ENTRY(shield_refused)
    mov   %rsp, %rbx
    LOAD_GUEST_TABLES
    mov   %rdi, %rsp
    mov   %rbx, %rdi
    call  hv_fault
    lea   shield_iret(%rip), %rax
    cmp   %rax, REGS_RIP(%rbx)
    je    guest_exit
    mov   %rsp, %rdi
    call  pv_iret_refused
    jmp   guest_exit
END(shield_refused)

/* Entered by the scheduler on a fresh stack: registers are in cpu_local.guest. */
ENTRY(pv_resume)
    and   $~(STACK_SIZE - 1), %rsp
    add   $(STACK_SIZE - CPU_LOCAL_SIZE), %rsp
    jmp   guest_exit
END(pv_resume)

    .section .note.GNU-stack, "", @progbits
