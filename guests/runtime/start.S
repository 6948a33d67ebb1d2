/* SPDX-License-Identifier: GPL-2.0-only */
/* First instruction of a PV micro guest, the notes that make it one, and its trap entries. */
#include <xen/elfnote.h>

#define VIRT_BASE 0xffffffff80000000

.macro note type kind value:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 4, 2f - 1f, \type
    .asciz "Xen"
1:  \kind \value
2:  .balign 4
    .popsection
.endm

    note XEN_ELFNOTE_GUEST_OS, .asciz, "tenon-micro"
    note XEN_ELFNOTE_XEN_VERSION, .asciz, "xen-3.0"
    note XEN_ELFNOTE_LOADER, .asciz, "generic"
    note XEN_ELFNOTE_VIRT_BASE, .quad, VIRT_BASE
    note XEN_ELFNOTE_PADDR_OFFSET, .quad, 0
    note XEN_ELFNOTE_ENTRY, .quad, pv_start

    .text
    .globl pv_start
pv_start:
    cld
    lea   boot_stack_top(%rip), %rsp
    mov   %rsi, %rdi
    xor   %ebp, %ebp
    call  runtime_start
    ud2

/*
 * Trap entries. The hypervisor pushes rcx, r11, [error code,] rip, cs, rflags,
 * rsp, ss. We make one frame of it: 15 registers, vector, error code, then the
 * hardware part, and go back by HYPERVISOR_iret.
 */
.macro trap_entry vector has_error
    .globl trap_\vector
trap_\vector:
    pop   %rcx
    pop   %r11
    .if !\has_error
    push  $0
    .endif
    push  $\vector
    jmp   trap_common
.endm
    trap_entry 0 0
    trap_entry 1 0
    trap_entry 3 0
    trap_entry 6 0
    trap_entry 13 1
    trap_entry 14 1
    trap_entry 128 0
    trap_entry 200 0 /* upcall */
    trap_entry 201 0 /* SYSCALL from user mode */

    /* Failsafe: ds, es, fs, gs lie between r11 and the hardware part. */
    .globl trap_202
trap_202:
    pop   %rcx
    pop   %r11
    add   $32, %rsp
    push  $0
    push  $202

trap_common:
    push  %rax
    push  %rbx
    push  %rcx
    push  %rdx
    push  %rsi
    push  %rdi
    push  %rbp
    push  %r8
    push  %r9
    push  %r10
    push  %r11
    push  %r12
    push  %r13
    push  %r14
    push  %r15
    mov   %rsp, %rdi
    mov   %rsp, %rbx
    and   $-16, %rsp
    call  runtime_trap
    mov   %rbx, %rsp
    pop   %r15
    pop   %r14
    pop   %r13
    pop   %r12
    pop   %r11
    pop   %r10
    pop   %r9
    pop   %r8
    pop   %rbp
    pop   %rdi
    pop   %rsi
    pop   %rdx
    pop   %rcx
    pop   %rbx
    pop   %rax
    add   $16, %rsp
    /* struct iret_context: rax, r11, rcx, flags, then the hardware part. */
    push  $0
    push  %rcx
    push  %r11
    push  %rax
    mov   $23, %eax
    syscall
    ud2

    .bss
    .balign 4096
    .globl boot_stack
boot_stack:
    .skip 32768
    .globl boot_stack_top
boot_stack_top:
    .section .note.GNU-stack, "", @progbits
