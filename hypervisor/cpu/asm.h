/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Macros for entry code in assembly (cpu/entry.S, pv/entry.S): the register
 * frame, exception table entries and SMAP brackets.
 */
#pragma once

#include "asm-offsets.h"
#include "cpu/extable.h"
#include "cpu/layout.h"

#ifdef __ASSEMBLER__

/* Below rip in struct cpu_user_regs comes one word of error code and vector;
 * with rsp at it, saves the 15 registers. Then rsp is the frame. */
.macro SAVE_GPRS
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

/* The reverse: rsp ends at the error code and vector word. */
.macro RESTORE_GPRS
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
.endm

/* No value of a guest's stays in a register for mispredicted code to use. */
.macro CLEAR_GPRS
    xor %eax, %eax
    xor %ebx, %ebx
    xor %ecx, %ecx
    xor %edx, %edx
    xor %esi, %esi
    xor %edi, %edi
    xor %ebp, %ebp
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r11d, %r11d
    xor %r12d, %r12d
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
.endm

/* reg = this CPU's struct cpu_local, whose first member is the guest's frame. */
.macro GET_CPU_LOCAL reg:req
    mov %rsp, \reg
    and $-STACK_SIZE, \reg
    add $(STACK_SIZE - CPU_LOCAL_SIZE), \reg
.endm

/* Three-byte NOPs that features_init() turns into CLAC or STAC. */
.macro SMAP_SITE last_byte:req
.Lsmap_\@:
    .byte 0x0f, 0x1f, 0x00
    .pushsection .smap_sites, "a"
    .quad .Lsmap_\@, \last_byte
    .popsection
.endm
.macro ASM_CLAC
    SMAP_SITE 0xca
.endm
.macro ASM_STAC
    SMAP_SITE 0xcb
.endm

#define ENTRY(name)        \
    .globl name;           \
    .hidden name;          \
    .type name, @function; \
    name:
#define END(name) .size name, .- name

#endif
