/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Into a guest by VMRUN and back. The way in is as pv/entry.S's: one check of
 * work with interrupts off, then the guest; what arrives in between ends the
 * guest's run before its first instruction, since VMRUN is executed with the
 * host's interrupts on behind CLGI, and interrupts are intercepted.
 *
 * rax, rsp, rip and rflags travel in the control block, the rest here. While
 * a guest's hidden TSS is loaded the IDT has no stacks of its own (cpu/traps.h).
 */
#include "cpu/asm.h"

    .section .text, "ax", @progbits

ENTRY(svm_resume)
    GET_CPU_LOCAL %rax
    mov   %rax, %rsp
.Lcheck:
    mov   CPU_CURRENT(%rsp), %rbx
    cmpl  $0, CPU_WORK(%rsp)
    jne   .Lwork
    cmpl  $0, VCPU_WORK(%rbx)
    jne   .Lvcpu_work
    mov   %rbx, %rdi
    call svm_enter
    /* Deciding may have made work: a domain that crashed, a vCPU that goes down. */
    cmpl  $0, CPU_WORK(%rsp)
    jne   .Lwork_late
    mov   %rax, CPU_GUEST_STACK(%rsp)
    clgi
    sti
    RESTORE_GPRS
    mov   (CPU_GUEST_STACK - REGS_ERROR)(%rsp), %rax
    vmrun
    SAVE_GPRS
    CLEAR_GPRS
    /* Returns are predicted from a stack of up to 32 that the guest has filled: fill it anew. */
    .rept 32
    call  1f
    int3
1:
    .endr
    add   $(32 * 8), %rsp
    xor   %edi, %edi
    cli
    stgi
    call svm_exit
    jmp   .Lcheck

.Lwork_late:
    mov   CPU_CURRENT(%rsp), %rdi
    call svm_not_entered
.Lwork:
    call cpu_do_work
    jmp   .Lcheck
.Lvcpu_work:
    mov   %rbx, %rdi
    call vcpu_do_work
    jmp   .Lcheck
END(svm_resume)

    .section .note.GNU-stack, "", @progbits
