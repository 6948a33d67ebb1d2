/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where exceptions and interrupts enter. Each vector has a stub of VECTOR_STUB
 * bytes that completes the frame with its number; the rest is common.
 *
 * From ring 3 the frame lies in struct cpu_local (TSS.rsp0 points behind its
 * ss), and the way out is always guest_exit. From ring 0 (a fault of ours, or
 * an interrupt of the idle loop) it lies on the stack and we return by IRET.
 * #MC, NMI, #DF and #DB have stacks of their own (IST): they can arrive before
 * SYSCALL code has left the guest's stack (#DB by MOV SS with a breakpoint).
 *
 * What pv/entry.S gets:
 *   guest_exit: rsp at cpu_local.guest, where the guest's registers are.
 *   pv_syscall_entry, pv_cstar_entry (from the CPU's stub, cpu/desc.c): rsp
 *     just past cpu_local.guest.ss; that slot holds the guest's rax; rax is
 *     the guest's rsp, rcx its rip, r11 its rflags; all others the guest's.
 *   pv_sysenter_entry: rsp just past cpu_local.guest.ss, all others the guest's.
 *   Interrupts are off in each, rflags.DF, AC, TF, NT clear but after SYSENTER,
 *   which leaves them to the entry to clear.
 */
#include "cpu/asm.h"
#include "cpu/vectors.h"

    .text

    .balign 16
ENTRY(vector_stubs)
vector = 0
    .rept 32
    .balign VECTOR_STUB
    .ifeq (VECTORS_WITH_ERROR >> vector) & 1
    push $0
    .endif
    movl $vector, 4(%rsp)
    .ifeq (VECTORS_WITH_IST >> vector) & 1
    jmp entry_common
    .else
    jmp entry_ist
    .endif
vector = vector + 1
    .endr
    .rept 256 - 32
    .balign VECTOR_STUB
    push $0
    movl $vector, 4(%rsp)
    jmp entry_common
vector = vector + 1
    .endr
END(vector_stubs)

ENTRY(entry_common)
    cld
    ASM_CLAC
    SAVE_GPRS
    CLEAR_GPRS
    mov %rsp, %rdi
    testb $3, REGS_CS(%rsp)
    jz 3f
1:  /* rdi = rsp = the frame in cpu_local */
    cmpl $32, REGS_VECTOR(%rdi)
    jae 2f
    call guest_trap
    jmp guest_exit
2:  mov REGS_VECTOR(%rdi), %edi
    call irq_dispatch
    jmp guest_exit

3:  /* From ring 0. */
    cmpl $32, REGS_VECTOR(%rdi)
    jae 4f
    call hv_fault
    jmp 5f
4:  mov REGS_VECTOR(%rdi), %edi
    call irq_dispatch
5:  RESTORE_GPRS
    add $8, %rsp
    iretq

/* The frame is on an IST stack. */
entry_ist:
    cld
    ASM_CLAC
    SAVE_GPRS
    CLEAR_GPRS
    mov %rsp, %rdi
    testb $3, REGS_CS(%rsp)
    jz 6f
    cmpl $VECTOR_NUMBER_DB, REGS_VECTOR(%rsp)
    jne 6f
    /* A guest's #DB is an exception like others: carry on with its frame where
     * the others have it. The IST stack is then free again. */
    mov %rsp, %rsi
    GET_CPU_LOCAL %rdi
    mov %rdi, %rdx
    mov $(REGS_ES / 8), %ecx
    rep movsq
    mov %rdx, %rsp
    mov %rdx, %rdi
    jmp 1b
6:  call hv_ist_trap
    jmp 5b
END(entry_common)

    .section .note.GNU-stack, "", @progbits
