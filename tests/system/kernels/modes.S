/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PVH kernel that does the same things to its local APIC's registers and to the debug port in
 * 32-bit, 16-bit, real-mode, 64-bit and 32-bit compatibility code, by instructions of many
 * kinds, and says on the debug port which of them went wrong. Linked at 0x10000, so that its
 * real-mode code has a segment.
 */
#define BASE     0x10000
#define REGISTER 0xfee00310 /* interrupt command, high half: only its top byte is kept */

        .section .note.Xen, "a", @note
        .long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
        .asciz "Xen"
        .long start

/* expect CONDITION: else the test fails with the number that is in EBP. */
        .macro expect condition, mode
        leal 1(%ebp), %ebp
        j\condition 9f
        jmp failed\mode
9:
        .endm

        .macro tests mode, size
        xorl %ebp, %ebp
        movl $REGISTER, %ebx
        movl $0x12345678, (%ebx)
        movl (%ebx), %eax
        cmpl $0x12000000, %eax
        expect e, \mode /* 1 */
        orl $0x21000000, (%ebx)
        cmpl $0x33000000, (%ebx)
        expect e, \mode
        movl $0x0f000000, %ecx
        xchgl %ecx, (%ebx)
        cmpl $0x33000000, %ecx
        expect e, \mode
        addl $0xf2000000, (%ebx)
        expect c, \mode /* 4 */
        movzbl 3(%ebx), %eax
        cmpl $1, %eax
        expect e, \mode
        btsl $30, (%ebx)
        expect nc, \mode
        testl $0x40000000, (%ebx)
        expect nz, \mode
        shrl $1, (%ebx)
        cmpl $0x20000000, (%ebx)
        expect e, \mode /* 8 */
        movl %ebx, %esi
        movl $scratch, %edi
        movl $1, %ecx
        cld
        .if \size == 16
        addr32 rep movsl
        .else
        rep movsl
        .endif
        cmpl $0, %ecx
        expect e, \mode
        movl $scratch, %esi
        cmpl $0x20000000, (%esi)
        expect e, \mode /* 10 */
        movl $0x77000000, (%esi)
        movl %ebx, %edi
        movl $0x77000000, %eax
        .if \size == 16
        addr32 movsl
        movl %ebx, %edi
        addr32 scasl
        .else
        movsl
        movl %ebx, %edi
        scasl
        .endif
        expect e, \mode
        .if \size == 64
        movabsl REGISTER, %eax
        .else
        .if \size == 16
        addr32 movl REGISTER, %eax
        .else
        movl REGISTER, %eax
        .endif
        pushl (%ebx)
        popl %ecx
        cmpl %ecx, %eax
        .endif
        expect e, \mode
        cmpl $0x77000000, %eax
        expect e, \mode /* 13 */
        movl $scratch, %edi
        movl $0xe9, %edx
        .if \size == 16
        addr32 insb
        .else
        insb
        .endif
        cmpb $0xe9, -1(%edi)
        expect e, \mode
        movl $said\mode, %esi
        movl $10, %ecx
        .if \size == 16
        addr32 rep outsb
        .else
        rep outsb
        .endif
        jmp 8f
failed\mode:
        movl $said\mode, %esi
        movl $0xe9, %edx
        movl $6, %ecx
        .if \size == 16
        addr32 rep outsb
        .else
        rep outsb
        .endif
        movl %ebp, %eax
        addb $'@', %al
        outb %al, %dx
        movb $'\n', %al
        outb %al, %dx
8:
        .endm

        .text
        .code32
        .globl start
start:
        movl $stack_top, %esp
        lgdt gdt_pointer
        movl $0x10, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        ljmp $8, $1f
1:
        tests A, 32
        ljmp $0x18, $(narrow - BASE)

        .code16
narrow:
        tests B, 16
        movl %cr0, %eax
        andl $~1, %eax
        movl %eax, %cr0
        ljmp $(BASE >> 4), $(real - BASE)
real: /* segments keep their limits of 4 GiB until they are loaded */
        tests C, 16
        movl %cr0, %eax
        orl $1, %eax
        movl %eax, %cr0
        ljmpl $8, $back

        .code32
back:
        movl %cr4, %eax
        orl $0x20, %eax /* PAE */
        movl %eax, %cr4
        movl $level4, %eax
        movl %eax, %cr3
        movl $0xc0000080, %ecx
        rdmsr
        orl $0x100, %eax /* LME */
        wrmsr
        movl %cr0, %eax
        orl $0x80000000, %eax
        movl %eax, %cr0
        ljmp $0x20, $wide

        .code64
wide:
        tests D, 64
        pushq $8
        pushq $compatible
        lretq

        .code32
compatible:
        tests E, 32
1:
        cli
        hlt
        jmp 1b

        .data
        .macro words mode, text
said\mode:
        .ascii "\text"
        .endm
        words A, "flat32 ok\n"
        words B, "prot16 ok\n"
        words C, "real16 ok\n"
        words D, "long64 ok\n"
        words E, "comp32 ok\n"
        .balign 8
gdt:
        .quad 0
        .quad 0x00cf9b000000ffff /* code, 32 bits */
        .quad 0x00cf93000000ffff /* data */
        .quad 0x00009b010000ffff /* code, 16 bits, at BASE */
        .quad 0x00af9b000000ffff /* code, 64 bits */
gdt_pointer:
        .word . - gdt - 1
        .long gdt
        .balign 4096
level4:
        .quad level3 + 3
        .fill 511, 8, 0
level3:
        .quad 0x83, 0x40000083, 0x80000083, 0xc0000083
        .fill 508, 8, 0
scratch:
        .fill 512, 8, 0
stack_top:
