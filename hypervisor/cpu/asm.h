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
    .irp reg, rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
    push %\reg
    .endr
.endm

/* The reverse: rsp ends at the error code and vector word. */
.macro RESTORE_GPRS
    .irp reg, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
    pop %\reg
    .endr
.endm

/* No value of a guest's stays in a register for mispredicted code to use; rdi is written next.
 * One may be kept, which is ours by now. */
.macro CLEAR_GPRS keep=none
    .irp reg, eax, ebx, ecx, edx, esi, ebp, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d
    .ifnc \reg, \keep
    xor %\reg, %\reg
    .endif
    .endr
.endm

/* reg = this CPU's struct cpu_local, whose first member is the guest's frame. */
.macro GET_CPU_LOCAL reg:req
    mov %rsp, \reg
    and $-STACK_SIZE, \reg
    add $(STACK_SIZE - CPU_LOCAL_SIZE), \reg
.endm

/* rsp on any of the CPU's stacks or in its descriptor page: rdi = its struct cpu_local. rax is
 * lost. */
.macro LOAD_GUEST_TABLES
    mov %rsp, %rdi
    and $-STACK_STRIDE, %rdi
    mov DESC_PAGE + DESC_GUEST_CR3(%rdi), %rax
    mov %rax, %cr3
    add $(STACK_SIZE - CPU_LOCAL_SIZE), %rdi
.endm

/* The frame at rsi to rdi, where rsp and rdi are then. */
.macro CARRY_FRAME
    mov %rdi, %rdx
    mov $(REGS_ES / 8), %ecx
    rep movsq
    mov %rdx, %rsp
    mov %rdx, %rdi
.endm

/* From rsp in the CPU's descriptor page, on tables that may show no more than that (pv/shield.c):
 * onto the guest's own, with the frame carried to struct cpu_local. rsp = rdi = the frame there.
 * Others are lost. */
.macro LEAVE_SHIELD
    mov %rsp, %rsi
    LOAD_GUEST_TABLES
    CARRY_FRAME
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
