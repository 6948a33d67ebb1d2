/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What firmware starts from a disk, in real mode: counts on the debug port for
 * as long as it is let, a line for each two of the BIOS' timer ticks. Meanwhile
 * it asks the device model's DMA controller, whose registers are had byte by
 * byte in turns: an access that is made twice or not at all gives another
 * answer, and that ends the counting.
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

next:
    mov   0x46c, %bx
    add   $2, %bx
2:  mov   %ax, %cx          /* another number each time */
    inc   %cx
    out   %al, $0x0c        /* the next byte is a lower one */
    mov   %cl, %al
    out   %al, $0x02        /* channel 1's address */
    mov   %ch, %al
    out   %al, $0x02
    in    $0x02, %al
    mov   %al, %dl
    in    $0x02, %al
    mov   %al, %dh
    cmp   %cx, %dx
    jne   wrong
    mov   %cx, %ax
    mov   0x46c, %dx
    sub   %bx, %dx
    js    2b

    incw  count
    mov   count, %bx
    mov   $digits, %di
    mov   $4, %cx
3:  rol   $4, %bx
    mov   %bl, %dl
    and   $15, %dl
    add   $'0', %dl
    cmp   $'9', %dl
    jbe   4f
    add   $'a' - '9' - 1, %dl
4:  mov   %dl, (%di)
    inc   %di
    loop  3b
    mov   $said, %si
    call  say
    jmp   next

wrong:
    mov   $differs, %si
    call  say
5:  hlt
    jmp   5b

say:
    push  %ax
    mov   $0xe9, %dx
6:  lodsb
    test  %al, %al
    jz    7f
    out   %al, %dx
    jmp   6b
7:  pop   %ax
    ret

count:   .word 0
said:    .ascii "count "
digits:  .asciz "0000\n"
differs: .asciz "counting ends: another answer\n"

    .org 510
    .word 0xaa55
    .section .note.GNU-stack, "", @progbits
