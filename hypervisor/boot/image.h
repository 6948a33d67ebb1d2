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
#define KERNEL_TEXT_MAX     64
/* Largest distance between the ends of the loaded kernel, bytes. */
#define KERNEL_SPAN_MAX (1UL << 30)

struct kernel_segment {
    u64 file_offset; /* in the ELF file */
    u64 file_size;   /* bytes to copy */
    u64 memory_size; /* >= file_size; the rest is zero */
    u64 paddr;
    u64 vaddr;
    u32 flags; /* ELF_PF_* */
};

struct kernel_image {
    /* The unpacked ELF file: inside `buffer`, or inside the module if that was plain. */
    const u8 *elf;
    u64 elf_size;
    /* What came from alloc(), for the caller to give back; NULL and 0 if unused. */
    void *buffer;
    u64 buffer_size;
    void *scratch; /* decompressor state: free right after image_load() */
    u64 scratch_size;

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
    u64 virt_base;                 /* VIRT_BASE, 0 if absent */
    u64 paddr_offset;              /* PADDR_OFFSET, 0 if absent */
    u64 entry;                     /* ENTRY; the ELF entry if absent: guest virtual */
    u64 hypercall_page;            /* guest virtual, if has_hypercall_page */
    u64 init_p2m;                  /* guest virtual, page aligned, if has_init_p2m */
    u64 hv_start_low;              /* HV_START_LOW, 0 if absent */
    u64 phys32_entry;              /* guest physical below 4 GiB, if has_phys32_entry (PVH) */
    u64 l1_mfn_mask, l1_mfn_value; /* first pair of L1_MFN_VALID, if has_l1_mfn_valid */
    bool has_hypercall_page;
    bool has_features; /* SUPPORTED_FEATURES is there, so features_supported is complete */
    bool has_init_p2m;
    bool has_phys32_entry;
    bool has_l1_mfn_valid;
    bool mod_start_pfn; /* the start info's mod_start may be a frame number */
    /*
     * Can boot as a PV guest: has ENTRY or VIRT_BASE, loader "generic", version "xen-3.0".
     */
    bool pv;
    u32 features_supported; /* bits 1 << XENFEAT_* */
    u32 features_required;  /* those without which the kernel will not run */
    char guest_os[KERNEL_TEXT_MAX];
    char guest_version[KERNEL_TEXT_MAX];
    char xen_version[KERNEL_TEXT_MAX];
};

/*
 * Unpacks and checks `module`. The ELF file may have at most max_size bytes
 * unpacked (this bounds the buffer; a sensible value is 512 MiB). alloc gives
 * 16-byte aligned memory or NULL; it is called at most twice, for image->buffer
 * and for image->scratch, also on failures: give both back either way.
 * The module must stay while *image is in use.
 *
 * 0; -EINVAL: not a kernel we can start; -ENOMEM: alloc said NULL;
 * -E2BIG: larger than max_size; -EOPNOTSUPP: a format we do not know.
 * On failure *reason is a short sentence ("xz payload is corrupt"); static.
 */
int image_load(const void *module, u64 module_size, u64 max_size, void *(*alloc)(size_t size),
               struct kernel_image *image, const char **reason);

/*
 * The part of image_load() behind the unpacking: checks the plain ELF file and
 * fills in *image (elf, elf_size are set; buffer and scratch are left alone).
 */
int image_parse_elf(const void *elf, u64 size, struct kernel_image *image, const char **reason);

/*
 * Hands out all loadable bytes in file order: put() gets their distance from
 * paddr_start (bytes), the bytes (NULL: zeros) and how many (> 0). Gaps between
 * segments are not mentioned. Segments may overlap: later ones win.
 * Stops at and returns put's first result other than 0.
 */
int image_place(const struct kernel_image *image,
                int (*put)(void *context, u64 offset, const void *bytes, u64 length),
                void *context);
