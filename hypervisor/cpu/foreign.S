/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls to firmware's code, see cpu/foreign.h. */
#include "cpu/asm.h"

    .text

/* bool foreign_call_on(void *stack, u64 function, const u64 args[5], u64 *result) */
    .balign 16
ENTRY(foreign_call_on)
    .irp reg, rbp, rbx, r12, r13, r14, r15, rcx
    push %\reg
    .endr
    mov %rsp, foreign_caller(%rip)
    mov %rsi, %rax
    mov %rdx, %rbx
    mov %rdi, %rsp
    mov (%rbx), %rcx
    mov 8(%rbx), %rdx
    mov 16(%rbx), %r8
    mov 24(%rbx), %r9
    mov 32(%rbx), %r10
    /* Room for the first four arguments belongs to the callee; the fifth lies above it. */
    sub $48, %rsp
    mov %r10, 32(%rsp)
    call *%rax
    cld
    mov foreign_caller(%rip), %rsp
    mov (%rsp), %rdx
    mov %rax, (%rdx)
    mov $1, %eax
1:  movq $0, foreign_caller(%rip)
    .irp reg, rdx, r15, r14, r13, r12, rbx, rbp
    pop %\reg
    .endr
    ret
/* foreign_fault() leads here, with rsp as foreign_caller says. */
    .globl foreign_failed
    .hidden foreign_failed
foreign_failed:
    xor %eax, %eax
    jmp 1b
END(foreign_call_on)

    .bss
    .balign 8
    .globl foreign_caller
    .hidden foreign_caller
foreign_caller:
    .skip 8 /* 0: no such call is on its way */

    .section .note.GNU-stack, "", @progbits
