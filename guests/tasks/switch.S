/* SPDX-License-Identifier: GPL-2.0-only */
/* The tasks, in 32-bit mode, where all of memory is at its own address. */
#include "selectors.h"

#define P(name) (name + 0x80000000) /* where it is in memory */
#define NT      0x4000

/* It raises an exception that leads behind it. */
.macro FAILS instruction:vararg
    movl $P(8f), P(at)
    movl $P(9f), P(resume)
8:  \instruction
9:
.endm
.macro NOTE what:req
    mov \what, %eax
    call note
.endm
.macro NESTED on
    pushf
    andl $~NT, (%esp)
    orl $(\on * NT), (%esp)
    popf
.endm

    .text
    .globl down, note
/* From 64-bit mode. rdi: the descriptor tables, rsi: a stack, rbx: page tables. */
down:
    lgdt (%rdi)
    lidt 10(%rdi)
    pushq $CODE
    lea 1f - 0xffffffff80000000, %rax
    push %rax
    lretq
    .code32
1:  mov %cr0, %eax
    and $0x7fffffff, %eax
    mov %eax, %cr0
    mov $0xc0000080, %ecx
    rdmsr
    and $~0x100, %eax
    wrmsr
    mov $0x10, %eax
    mov %eax, %cr4
    mov %ebx, %cr3
    mov %cr0, %eax
    or $0x80010000, %eax
    mov %eax, %cr0
    mov $DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov %esi, %esp
    mov $MAIN, %eax
    ltr %ax
    mov $0x11223344, %ebp

    /* There and back by each way. */
    ljmp $TASK_A, $0
    NOTE %ebp
    xor %eax, %eax
    str %ax
    call note
    lcall $GATE, $0
    NOTE %ebp
    int $0x40
    NOTE %ebp
    push $TASK_A
    push $0
    lcall *(%esp)
    add $8, %esp

    /* What cannot be. */
    FAILS ljmp $MAIN, $0 /* busy */
    FAILS lcall $ABSENT, $0
    FAILS ljmp $SHORT, $0
    FAILS ljmp $UNMAPPED, $0
    movl $TASK_A, P(tss_main)
    NESTED 1
    FAILS iret /* A is not busy */
    NESTED 0

    /* A double fault: #GP has no handler. */
    andb $0x7f, P(task_idt) + 13 * 8 + 5
    mov $0xf8, %eax
    FAILS mov %eax, %ds
    orb $0x80, P(task_idt) + 13 * 8 + 5

    /* A task that comes to nothing: its #TS is another task's. */
    mov P(gate_of_bad), %eax
    mov %eax, P(task_idt) + 10 * 8
    mov P(gate_of_bad) + 4, %eax
    mov %eax, P(task_idt) + 10 * 8 + 4
    ljmp $BAD, $0
    ljmp $SMALL, $0
    NOTE %ebp
    ljmp $OLD, $0
    NOTE %ebp
    mov $29, %eax /* sched_op: shutdown */
    mov $2, %ebx
    mov $P(poweroff), %ecx
    vmmcall
1:  jmp 1b

note:
    push %ebx
    mov P(seen), %ebx
    mov %eax, P(seen) + 4(, %ebx, 4)
    incl P(seen)
    pop %ebx
    ret

/* Notes itself, the nested-task flag, task-switched, its tables, who is busy, who was before it, its
 * own registers, what it reads by its LDT's segment. */
    .globl task_a, task_double, task_bad, task_of_bad, task_small
task_a:
    xor %eax, %eax
    str %ax
    call note
    pushf
    pop %eax
    and $NT, %eax
    call note
    mov %cr0, %eax
    and $8, %eax
    clts
    call note
    mov %cr3, %eax
    sub $P(tables), %eax
    call note
    mov P(task_gdt) + MAIN + 4, %eax
    and $0x200, %eax
    call note
    mov P(task_gdt) + TASK_A + 4, %eax
    and $0x200, %eax
    call note
    movzwl P(tss_a), %eax
    call note
    NOTE %ebx
    NOTE %fs:P(tss_a) + 0x4c
    pushf
    pop %eax
    test $NT, %eax
    jz 1f
    iret
    jmp task_a
1:  ljmp $MAIN, $0
    jmp task_a

/* Its error code, who failed and where; that one goes on. */
task_double:
    pop %eax
    call note
    movzwl P(tss_double), %eax
    call note
    mov P(tss_main) + 0x20, %eax
    sub P(at), %eax
    call note
    mov P(resume), %eax
    mov %eax, P(tss_main) + 0x20
    iret

task_bad:
    ud2
task_of_bad:
    pop %eax
    call note
    movzwl P(tss_of_bad), %eax
    call note
    ljmp $MAIN, $0

task_small:
    and $0xffff, %eax
    call note
    xor %eax, %eax
    str %ax
    call note
    movzwl %bp, %eax
    call note
    ljmp $MAIN, $0

/* Vector, page of a page fault, error code, how far from `at`; from virtual-8086 mode IP, CS, FS. */
    .irp number, 10, 11, 13, 14
    .globl fault_\number
fault_\number:
    push $\number
    jmp trap
    .endr
trap:
    mov $DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    pop %eax
    call note
    cmp $14, %eax
    jne 1f
    mov %cr2, %eax
    and $~0xfff, %eax
    call note
1:  pop %eax
    call note
    testl $0x20000, 8(%esp)
    jnz 2f
    mov (%esp), %eax
    sub P(at), %eax
    call note
    mov P(resume), %eax
    mov %eax, (%esp)
    iret
2:  NOTE (%esp)
    NOTE 4(%esp)
    NOTE 28(%esp)
    ljmp $MAIN, $0

    .section .note.GNU-stack, "", @progbits
