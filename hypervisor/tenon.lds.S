/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The image: linked at IMAGE_START, loaded at IMAGE_LOAD_ADDRESS. What stays
 * comes first, each kind of access on pages of its own (text, rodata, data
 * that is read-only after boot, data); then the init region, which is given to
 * the page allocator once dom0 is built. Into that go all of boot/ but what
 * STAYS names, everything marked __init, and the decompression libraries.
 */
#include "cpu/layout.h"

#define ARCHIVES   *liblzma.a:* *libz.a:* *libzstd.a:* *liblz4.a:*
/* (The question mark keeps this from looking like a comment.) */
#define BOOT_ALL   *boot/?*.o
#define LOAD(name) AT(ADDR(name) - IMAGE_START + IMAGE_LOAD_ADDRESS)
/* Sections of these two names from all files that are not wholly boot-time. */
#define STAYS(a, b)    \
    *boot/crash.o(a b) \
    *boot/run.o(a b)   \
    *(EXCLUDE_FILE(BOOT_ALL ARCHIVES) a EXCLUDE_FILE(BOOT_ALL ARCHIVES) b)

OUTPUT_FORMAT("elf64-x86-64")
OUTPUT_ARCH(i386:x86-64)
ENTRY(start32)

PHDRS
{
    text PT_LOAD FLAGS(5);
    rodata PT_LOAD FLAGS(4);
    data PT_LOAD FLAGS(6);
    init PT_LOAD FLAGS(7);
}

SECTIONS
{
    . = IMAGE_START;
    __image_start = .;

    .text : LOAD(.text) {
        __text_start = .;
        /* Loaders look for it in the first 8 KiB of the file. */
        KEEP(*(.multiboot))
        STAYS(.text, .text.*)
        . = ALIGN(4096);
        __text_end = .;
    } :text

    .rodata : LOAD(.rodata) {
        __rodata_start = .;
        STAYS(.rodata, .rodata.*)
        . = ALIGN(8);
        __ex_table_start = .;
        KEEP(*(.ex_table))
        __ex_table_end = .;
        /* Last, as its size is only known to the second link. */
        KEEP(*(.symbols))
        . = ALIGN(4096);
        __rodata_end = .;
    } :rodata

    .data.ro_after_init : LOAD(.data.ro_after_init) {
        __ro_after_init_start = .;
        *(.data.ro_after_init .data.ro_after_init.* .data.rel.ro .data.rel.ro.*)
        *(.got .got.plt .igot .igot.plt)
        . = ALIGN(4096);
        __ro_after_init_end = .;
    } :data

    .data : LOAD(.data) {
        __data_start = .;
        . = ALIGN(64);
        __percpu_start = .;
        *(.data.percpu)
        . = ALIGN(64);
        __percpu_end = .;
        STAYS(.data, .data.*)
    } :data

    .bss (NOLOAD) : LOAD(.bss) {
        STAYS(.bss, .bss.*)
        . = ALIGN(4096);
        __data_end = .;
    } :data

    .init : LOAD(.init) {
        __init_start = .;
        __init_text_start = .;
        *(.init.text .init.text.*)
        *(.text .text.*)
        . = ALIGN(4096); /* memory/init.c maps it executable, the rest writable */
        __init_text_end = .;
        *(.init.rodata .init.rodata.*)
        *(.rodata .rodata.* .eh_frame_hdr)
        . = ALIGN(8);
        __smap_sites_start = .;
        KEEP(*(.smap_sites))
        __smap_sites_end = .;
        . = ALIGN(8);
        __start_tenon_options = .;
        KEEP(*(tenon_options))
        __stop_tenon_options = .;
        . = ALIGN(64);
        *(.init.data .init.data.*)
        *(.data .data.* .tdata .tdata.*)
        KEEP(*(.init.symbols))
        . = ALIGN(64);
    } :init

    .init.bss (NOLOAD) : LOAD(.init.bss) {
        __percpu_template = .;
        . += __percpu_end - __percpu_start;
        . = ALIGN(64);
        *(.bss .bss.* COMMON .tbss .tbss.*)
        *(.init.stack)
        . = ALIGN(4096);
        __init_end = .;
    } :init

    __image_end = .;

    /DISCARD/ : {
        *(.eh_frame .comment .note .note.* .gnu.* .init_array .fini_array .ctors .dtors)
        *(.rela.* .dynamic .dynsym .dynstr .hash .interp)
    }

    ASSERT(__image_end - __image_start <= 0x1000000, "start.S maps 16 MiB of image")
}
