/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the compiler's indirect calls and jumps go: to the address in a
 * register by a RET, whose prediction is the CALL here and not what a guest
 * trained; what is executed on that guess waits in a loop.
 */
#include "cpu/asm.h"

    .text
    .irp reg, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    .balign 16
ENTRY(__x86_indirect_thunk_\reg)
    call 2f
1:  pause
    lfence
    jmp 1b
2:  mov %\reg, (%rsp)
    ret
END(__x86_indirect_thunk_\reg)
    .endr

    .section .note.GNU-stack, "", @progbits
