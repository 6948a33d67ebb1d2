/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What firmware starts from a disk, in real mode: says so on the debug port,
 * waits for the BIOS to count ten timer ticks (IRQ 0 by PIT and PIC), moves
 * text to the screen and back by string instructions on device memory.
 *
 * Then it counts, a line for each second, until it finds itself in a domain
 * of another number: it has been saved and restored. Meanwhile it asks the
 * device model's DMA controller all the time, whose registers are had byte by
 * byte in turns: an access that is made twice or not at all gives another
 * answer. Last, it asks the keyboard controller for a reset.
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

    mov   $10, %bx
    add   0x46c, %bx
2:  hlt
    mov   0x46c, %ax
    sub   %bx, %ax
    js    2b
    mov   $ticks, %si
    call  say

    /* There and on by the 16-bit instruction, back byte by byte. */
    cld
    mov   $0xb800, %ax
    mov   %ax, %es
    xor   %di, %di
    mov   $pattern, %si
    mov   $4, %cx
    rep movsw
    push  %ds
    push  %es
    pop   %ds
    xor   %si, %si
    mov   $4, %cx
    rep movsw
    pop   %ds
    mov   $pattern, %si
    mov   $8, %di
    mov   $8, %cx
    repe cmpsb
    mov   $same, %si
    je    3f
    mov   $differs, %si
3:  call  say

    call  domain
    mov   %cx, home
next:
    mov   $18, %bx
    add   0x46c, %bx
4:  inc   %bp                /* another number each time */
    out   %al, $0x0c         /* the next byte is a lower one */
    mov   %bp, %ax
    out   %al, $0x02         /* channel 1's address */
    mov   %ah, %al
    out   %al, $0x02
    in    $0x02, %al
    mov   %al, %dl
    in    $0x02, %al
    mov   %al, %dh
    mov   $twice, %si
    cmp   %bp, %dx
    jne   end
    mov   0x46c, %ax
    sub   %bx, %ax
    js    4b

    mov   $digits + 4, %di   /* decimal, from the right */
5:  dec   %di
    incb  (%di)
    cmpb  $'9', (%di)
    jbe   6f
    movb  $'0', (%di)
    jmp   5b
6:  mov   $count, %si
    call  say
    call  domain
    cmp   %cx, home
    je    next
    mov   $elsewhere, %si
end:
    call  say
    mov   $0xfe, %al
    out   %al, $0x64
7:  hlt
    jmp   7b

/* The domain's number in CX. */
domain:
    push  %bx
    mov   $0x40000004, %eax
    xor   %ecx, %ecx
    cpuid
    pop   %bx
    ret

say:
    mov   $0xe9, %dx
8:  lodsb
    test  %al, %al
    jz    9f
    out   %al, %dx
    jmp   8b
9:  ret

begun:   .asciz "boot sector runs\n"
ticks:   .asciz "boot sector: ten ticks\n"
same:    .asciz "boot sector: screen memory keeps what it gets\n"
differs: .asciz "boot sector: screen memory differs\n"
count:   .ascii "boot sector counts "
digits:  .asciz "0000\n"
elsewhere: .asciz "boot sector: was moved\n"
twice:   .asciz "boot sector: another answer\n"
pattern: .ascii "a1b2c3d4"
home:    .word 0

    .org 510
    .word 0xaa55
    .section .note.GNU-stack, "", @progbits
