/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a boot module to a kernel that the dom0 builder can place: recognises
 * bzImage, unpacks gzip, xz, zstd and lz4, checks the ELF file and reads its
 * Xen notes. The module's bytes are untrusted in form (a broken file must end
 * in a reason, never in a crash), though not hostile in purpose: it is what the
 * administrator told the boot loader to load.
 *
 * No globals, no locks; called by the boot core only. Boot-time code: freed.
 *
 * For the length of image_load() the caller must run with SSE usable (CR0.EM
 * and TS clear, CR4.OSFXSR set) and FS base at a readable block of at least
 * 0x30 bytes, as the decompressors are Debian's libraries, built with SSE2 and
 * a stack protector that reads %fs:0x28. They use about 2 KiB of stack; have 8.
 */
#pragma once

#include "lib/types.h"

#define KERNEL_SEGMENTS_MAX 16
/* Largest distance between the ends of the loaded kernel, bytes. */
#define KERNEL_SPAN_MAX (1UL << 30)

struct kernel_segment {
    u64 file_offset; /* in the ELF file */
    u64 file_size;   /* bytes to copy */
    u64 memory_size; /* >= file_size; the rest is zero */
    u64 paddr;
};

struct kernel_image {
    /* The unpacked ELF file: inside `buffer`, or inside the module if that was plain. */
    const u8 *elf;
    u64 elf_size;
    /* What came from alloc(), for the caller to give back; NULL if unused. */
    void *buffer;
    void *scratch; /* decompressor state: free right after image_load() */

    /* Loadable segments with memory_size > 0, in file order. */
    struct kernel_segment segments[KERNEL_SEGMENTS_MAX];
    unsigned int segment_count;
    /* Their union, by the program headers' physical addresses: [start, end). */
    u64 paddr_start, paddr_end;
    /*
     * The same range as a PV kernel sees it: paddr - paddr_offset + virt_base.
     * [start, end). Zero-based (virt_base 0) without a VIRT_BASE note.
     */
    u64 virt_start, virt_end;

    /* The notes. */
    u64 virt_base;      /* VIRT_BASE, 0 if absent */
    u64 paddr_offset;   /* PADDR_OFFSET, 0 if absent */
    u64 entry;          /* ENTRY; the ELF entry if absent: guest virtual */
    u64 hypercall_page; /* guest virtual, if has_hypercall_page */
    u64 init_p2m;       /* guest virtual, page aligned, if has_init_p2m */
    bool has_hypercall_page;
    bool has_init_p2m;
    bool mod_start_pfn; /* the start info's mod_start may be a frame number */
};

/*
 * Unpacks and checks `module`. The ELF file may have at most max_size bytes
 * unpacked (this bounds the buffer; a sensible value is 512 MiB). alloc gives
 * 16-byte aligned memory or NULL; it is called at most twice, for image->buffer
 * and for image->scratch, also on failures: give both back either way.
 * The module must stay while *image is in use.
 *
 * NULL, or in a short sentence why this is no PV kernel that we can start ("xz
 * payload is corrupt").
 */
const char *image_load(const void *module, u64 module_size, u64 max_size,
                       void *(*alloc)(size_t size), struct kernel_image *image);

/*
 * The part of image_load() behind the unpacking: checks the plain ELF file and
 * fills in *image (elf, elf_size are set; buffer and scratch are left alone).
 */
const char *image_parse_elf(const void *elf, u64 size, struct kernel_image *image);
