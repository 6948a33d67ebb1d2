/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What firmware starts from a disk, in real mode: says so on the debug port,
 * waits for the BIOS to count ten timer ticks (IRQ 0 by PIT and PIC), moves
 * text to the screen and back by string instructions on device memory, asks
 * the keyboard controller for a reset.
 */
    .code16
    .globl start
start:
    ljmp  $0, $1f
1:  xor   %ax, %ax
    mov   %ax, %ds
    mov   %ax, %ss
    mov   $0x7c00, %sp
    sti
    mov   $begun, %si
    call  say

    mov   0x46c, %bx
    add   $10, %bx
2:  hlt
    mov   0x46c, %ax
    sub   %bx, %ax
    js    2b
    mov   $ticks, %si
    call  say

    /* There by the 16-bit instruction, back byte by byte. */
    cld
    mov   $0xb800, %ax
    mov   %ax, %es
    xor   %di, %di
    mov   $pattern, %si
    mov   $4, %cx
    rep movsw
    mov   $pattern, %si
    xor   %di, %di
    mov   $8, %cx
    repe cmpsb
    mov   $same, %si
    je    3f
    mov   $differs, %si
3:  call  say

    mov   $0xfe, %al
    out   %al, $0x64
4:  hlt
    jmp   4b

say:
    mov   $0xe9, %dx
5:  lodsb
    test  %al, %al
    jz    6f
    out   %al, %dx
    jmp   5b
6:  ret

begun:   .asciz "boot sector runs\n"
ticks:   .asciz "boot sector: ten ticks\n"
same:    .asciz "boot sector: screen memory keeps what it gets\n"
differs: .asciz "boot sector: screen memory differs\n"
pattern: .ascii "a1b2c3d4"

    .org 510
    .word 0xaa55
    .section .note.GNU-stack, "", @progbits
