/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that may fault: copies to and from a guest's addresses, MSRs.
 * Arguments as C passes them; no stack is used.
 */
#include "cpu/asm.h"

    .text

/*
 * size_t uaccess_copy(void *to, const void *from, size_t length)
 * One of the two is a guest's. Eight bytes at a time, then the rest; a fault
 * says how many bytes are left (of whole words: that word counts as left).
 */
    .balign 16
ENTRY(uaccess_copy)
    mov %rdx, %rcx
    and $7, %edx
    shr $3, %rcx
    ASM_STAC
1:  rep movsq
    mov %edx, %ecx
2:  rep movsb
3:  ASM_CLAC
    mov %rcx, %rax
    ret
4:  lea (%rdx, %rcx, 8), %rcx
    jmp 3b
    EX_TABLE(1b, 4b)
    EX_TABLE(2b, 3b)
END(uaccess_copy)

/* size_t uaccess_clear(void *to, size_t length) */
    .balign 16
ENTRY(uaccess_clear)
    mov %rsi, %rcx
    and $7, %esi
    shr $3, %rcx
    xor %eax, %eax
    ASM_STAC
1:  rep stosq
    mov %esi, %ecx
2:  rep stosb
3:  ASM_CLAC
    mov %rcx, %rax
    ret
4:  lea (%rsi, %rcx, 8), %rcx
    jmp 3b
    EX_TABLE(1b, 4b)
    EX_TABLE(2b, 3b)
END(uaccess_clear)

/* bool rdmsr_safe(u32 msr, u64 *value) */
ENTRY(rdmsr_safe)
    mov %edi, %ecx
1:  rdmsr
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, (%rsi)
    mov $1, %eax
    ret
    EX_TABLE(1b, msr_refused)
END(rdmsr_safe)

/* bool wrmsr_safe(u32 msr, u64 value) */
ENTRY(wrmsr_safe)
    mov %edi, %ecx
    mov %esi, %eax
    mov %rsi, %rdx
    shr $32, %rdx
1:  wrmsr
    mov $1, %eax
    ret
msr_refused:
    xor %eax, %eax
    ret
    EX_TABLE(1b, msr_refused)
END(wrmsr_safe)

    .section .note.GNU-stack, "", @progbits
