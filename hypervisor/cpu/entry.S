/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where exceptions and interrupts enter. Each vector has a stub of VECTOR_STUB
 * bytes that completes the frame with its number; the rest is common.
 *
 * From ring 3 the frame lies in struct cpu_local (TSS.rsp0 points behind its
 * ss), or is carried there if exits are shielded (pv/shield.c), and the way out
 * is always guest_exit. From ring 0 (a fault of ours, or an interrupt of the
 * idle loop) it lies on the stack and we return by IRET.
 * #MC, NMI, #DF and #DB have stacks of their own (IST): they can arrive before
 * SYSCALL code has left the guest's stack (#DB by MOV SS with a breakpoint).
 *
 * What pv/entry.S gets:
 *   guest_exit: rsp at cpu_local.guest, where the guest's registers are.
 *   pv_syscall_entry, pv_cstar_entry (from the CPU's stub, cpu/desc.c): rsp
 *     just past cpu_local.guest.ss; that slot holds the guest's rax; rax is
 *     the guest's rsp, rcx its rip, r11 its rflags; all others the guest's.
 *   pv_syscall_shielded: as pv_syscall_entry, with the frame in the descriptor
 *     page in place of cpu_local; the next, too, when exits are shielded.
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
    test $STACK_SIZE, %esp
    jnz 7f
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
    lea shield_iret(%rip), %rax
    cmp %rax, REGS_RIP(%rdi)
    je shield_refused
    call hv_fault
    jmp 5f
4:  mov REGS_VECTOR(%rdi), %edi
    call irq_dispatch
5:  RESTORE_GPRS
    add $8, %rsp
    iretq

7:  LEAVE_SHIELD
    jmp 1b

/* The frame is on an IST stack. Whoever was interrupted gets the tables back that it was on: those
 * of a shielded guest may show no more than that stack and the descriptor page. */
entry_ist:
    cld
    ASM_CLAC
    SAVE_GPRS
    CLEAR_GPRS
    mov %cr3, %r12
    mov %rsp, %rdi
    and $-STACK_STRIDE, %rdi
    cmp DESC_PAGE + DESC_SHIELD_CR3(%rdi), %r12
    jne 8f
    LOAD_GUEST_TABLES
8:  mov %rsp, %rdi
    testb $3, REGS_CS(%rsp)
    jz 6f
    cmpl $VECTOR_NUMBER_DB, REGS_VECTOR(%rsp)
    jne 6f
    /* A guest's #DB is an exception like others: carry on with its frame where
     * the others have it. The IST stack is then free again. */
    mov %rsp, %rsi
    GET_CPU_LOCAL %rdi
    CARRY_FRAME
    jmp 1b
6:  call hv_ist_trap
    mov %r12, %cr3
    jmp 5b
END(entry_common)

    .section .note.GNU-stack, "", @progbits
