/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the boot loader to C. A multiboot loader enters start32 in flat 32-bit
 * protected mode without paging, interrupts off, eax a magic number and ebx the
 * address of its information. Here: is this a processor we can run on; long
 * mode on tables that map the first 4 GiB (as such, and at DIRECT_MAP_START)
 * and the image; start_hypervisor(magic, information).
 *
 * Other CPUs come through the trampoline at the end, copied to a free page
 * below 1 MiB by boot/smp.c, and use the same tables until they have a stack.
 */
#include "boot/multiboot.h"
#include "cpu/asm.h"

/* Where a label of the image is before paging. */
#define PHYS(label) (label - IMAGE_START + IMAGE_LOAD_ADDRESS)

#define CR0_VALUE 0x80010033 /* PG WP NE ET MP PE */
#define CR4_PAE_BIT 0x20
#define EFER 0xc0000080
#define EFER_BITS 0x901 /* NXE LME SCE */

/* Entries of the tables below: present, writable, accessed, dirty; large. */
#define TABLE_BITS 0x23
#define LARGE_BITS 0xe3

#define SLOT(address) (((address) >> 39) & 511)
#define SLOT3(address) (((address) >> 30) & 511)

/* Turns paging and long mode on; what runs on is a 16- or 32-bit segment of it. */
    .macro ENTER_LONG_MODE
    mov %cr4, %eax
    or $CR4_PAE_BIT, %eax
    mov %eax, %cr4
    mov $PHYS(boot_l4), %eax
    mov %eax, %cr3
    mov $EFER, %ecx
    rdmsr
    or $EFER_BITS, %eax
    wrmsr
    mov $CR0_VALUE, %eax
    mov %eax, %cr0
    .endm

    .macro CLEAR_SEGMENTS
    xor %eax, %eax
    mov %eax, %ss
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    .endm

/* Without that bit of a register of CPUID's: the end. */
    .macro NEED bit, register, missing
    mov $PHYS(\missing), %esi
    bt $\bit, %\register
    jnc die
    .endm

    .section .multiboot, "a"
    .balign 8
    .long MULTIBOOT1_HEADER, MULTIBOOT1_WANT_ALIGN | MULTIBOOT1_WANT_MEMORY
    .long -(MULTIBOOT1_HEADER + (MULTIBOOT1_WANT_ALIGN | MULTIBOOT1_WANT_MEMORY))

    .balign 8
multiboot2:
    .long MULTIBOOT2_HEADER, 0, multiboot2_end - multiboot2
    .long -(MULTIBOOT2_HEADER + (multiboot2_end - multiboot2))
1:  .short MB2_WANT_INFORMATION, MB2_OPTIONAL
    .long 2f - 1b
    .long MB2_TAG_COMMAND_LINE, MB2_TAG_LOADER, MB2_TAG_MODULE, MB2_TAG_BASIC_MEMORY
    .long MB2_TAG_MEMORY, MB2_TAG_FRAMEBUFFER, MB2_TAG_EFI64, MB2_TAG_RSDP_OLD
    .long MB2_TAG_RSDP_NEW, MB2_TAG_EFI_MEMORY
2:  .balign 8
    .short MB2_WANT_ALIGN, 0
    .long 8
    /* Text is welcome; so is whatever frame buffer there is. */
    .short MB2_WANT_CONSOLE, MB2_OPTIONAL
    .long 12, 2
    .balign 8
    .short MB2_WANT_FRAMEBUFFER, MB2_OPTIONAL
    .long 20, 0, 0, 0
    .balign 8
    .short 0, 0
    .long 8
multiboot2_end:

    .section .init.text, "ax"
    .code32
ENTRY(start32)
    cli
    cld
    mov $PHYS(boot_stack_end), %esp
    mov %eax, %ebp
    mov %ebx, %edi

    /* CPUID is there if the ID flag can be changed. */
    pushf
    pop %eax
    mov %eax, %ecx
    xor $0x200000, %eax
    push %eax
    popf
    pushf
    pop %eax
    push %ecx
    popf
    mov $PHYS(missing_cpuid), %esi
    cmp %eax, %ecx
    je die

    mov $1, %eax
    cpuid
    NEED 26, edx, missing_sse2
    NEED 6, edx, missing_pae
    mov $0x80000000, %eax
    cpuid
    mov $PHYS(missing_long_mode), %esi
    cmp $0x80000001, %eax
    jb die
    mov $0x80000001, %eax
    cpuid
    NEED 29, edx, missing_long_mode
    NEED 20, edx, missing_nx

    mov %edi, %ebx /* cpuid has had it */
    ENTER_LONG_MODE
    lgdt PHYS(boot_gdt_register)
    ljmp $BOOT_CS64, $PHYS(start64)

/* Says on the serial port and the screen what esi points to, and stops. */
die:
    mov $0xb8000, %edi
    mov $PHYS(missing_head), %ebx
    call say
    mov %esi, %ebx
    call say
1:  hlt
    jmp 1b
say:
    mov (%ebx), %cl
    inc %ebx
    test %cl, %cl
    jz 3f
    mov %cl, (%edi)
    movb $0x0f, 1(%edi)
    add $2, %edi
    /* A serial port that is not there never gets ready: wait for so long only. */
    mov $0x10000, %ebp
1:  mov $0x3fd, %edx
    in %dx, %al
    test $0x20, %al
    jnz 2f
    dec %ebp
    jnz 1b
2:  mov $0x3f8, %edx
    mov %cl, %al
    out %al, %dx
    jmp say
3:  ret

    .code64
start64:
    movabs $1f, %rax
    jmp *%rax
1:  lea boot_stack_end - CPU_LOCAL_SIZE - 8(%rip), %rsp
    CLEAR_SEGMENTS
    mov %ebp, %edi
    mov %ebx, %esi
    xor %ebp, %ebp
    call start_hypervisor
    ud2
END(start32)

/*
 * The other CPUs: real mode, cs the page's segment. The token keeps out a CPU
 * that comes when boot/smp.c has given up on it: only who turns it from 1 to 2
 * may use the stack.
 */
    .code16
ENTRY(trampoline_start)
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    lgdtl trampoline_gdt_register - trampoline_start
    ENTER_LONG_MODE
    ljmpl $BOOT_CS64, $PHYS(secondary64)
    .balign 8
trampoline_gdt_register:
    .word BOOT_GDT_SIZE - 1
    .long PHYS(boot_gdt)
ENTRY(trampoline_end)

    .code64
secondary64:
    movabs $1f, %rax
    jmp *%rax
1:  mov $1, %eax
    mov $2, %ecx
    lock cmpxchg %ecx, secondary_token(%rip)
    jne 2f
    mov secondary_cr3(%rip), %rax
    mov %rax, %cr3
    mov secondary_stack(%rip), %rsp
    CLEAR_SEGMENTS
    xor %ebp, %ebp
    call secondary_start
    ud2
2:  cli
    hlt
    jmp 2b
END(trampoline_start)

    .section .init.rodata, "a"
missing_head:      .asciz "Tenon cannot run on this machine: the processor has no "
missing_cpuid:     .asciz "CPUID instruction\r\n"
missing_sse2:      .asciz "SSE2\r\n"
missing_pae:       .asciz "physical address extension\r\n"
missing_long_mode: .asciz "64-bit mode\r\n"
missing_nx:        .asciz "no-execute page protection\r\n"

    .section .init.data, "aw"
    .balign 8
BOOT_CS64 = 8
boot_gdt:
    .quad 0, 0x00af9b000000ffff
BOOT_GDT_SIZE = . - boot_gdt
boot_gdt_register:
    .word BOOT_GDT_SIZE - 1
    .long PHYS(boot_gdt)
    .long 0
    .balign 8
    .globl secondary_token, secondary_stack, secondary_cr3
    .hidden secondary_token, secondary_stack, secondary_cr3
secondary_token: .quad 0
secondary_stack: .quad 0
secondary_cr3:   .quad 0

/* The early tables, complete as linked. */
    .section .init.data.tables, "aw"
    .balign 4096
boot_l4:
    .quad PHYS(boot_l3_low) + TABLE_BITS
    .fill SLOT(IMAGE_START) - 1, 8, 0
    .quad PHYS(boot_l3_image) + TABLE_BITS
    .fill SLOT(DIRECT_MAP_START) - SLOT(IMAGE_START) - 1, 8, 0
    .quad PHYS(boot_l3_low) + TABLE_BITS
    .fill 511 - SLOT(DIRECT_MAP_START), 8, 0
boot_l3_low:
    .quad PHYS(boot_l2_low) + TABLE_BITS, PHYS(boot_l2_low) + 4096 + TABLE_BITS
    .quad PHYS(boot_l2_low) + 8192 + TABLE_BITS, PHYS(boot_l2_low) + 12288 + TABLE_BITS
    .fill 508, 8, 0
boot_l3_image:
    .fill SLOT3(IMAGE_START), 8, 0
    .quad PHYS(boot_l2_image) + TABLE_BITS
    .fill 511 - SLOT3(IMAGE_START), 8, 0
boot_l2_image:
    frame = IMAGE_LOAD_ADDRESS
    .rept 8
    .quad frame + LARGE_BITS
    frame = frame + 0x200000
    .endr
    .fill 504, 8, 0
boot_l2_low:
    frame = 0
    .rept 2048
    .quad frame + LARGE_BITS
    frame = frame + 0x200000
    .endr

    .section .init.stack, "aw", @nobits
    .balign STACK_SIZE
    .globl boot_stack
    .hidden boot_stack
boot_stack:
    .skip STACK_SIZE
boot_stack_end:

    .section .note.GNU-stack, "", @progbits
