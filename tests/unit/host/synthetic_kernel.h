/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes small kernels for the tests and the fuzzer's seeds: an ELF file with
 * three segments and Xen notes, and a bzImage around any payload. Everything is
 * built into a caller's buffer; nothing is checked, since only tests call it.
 */
#pragma once

#include "lib/elf.h"

#include <string.h>
#include <xen/elfnote.h>
#include <xen/features.h>

/* Flags of a segment, which the loader does not look at. */
#define ELF_PF_X            1
#define ELF_PF_W            2
#define ELF_PF_R            4

#define SYNTHETIC_VIRT_BASE 0xffffffff80000000UL
#define SYNTHETIC_PADDR     0x1000000UL
#define SYNTHETIC_ENTRY     (SYNTHETIC_VIRT_BASE + SYNTHETIC_PADDR + 0x40)
#define SYNTHETIC_P2M       0x8000000000UL
#define SYNTHETIC_TEXT      0x1000U /* bytes; also the offset of the text in the file */
#define SYNTHETIC_DATA      0x300U
#define SYNTHETIC_BSS       0x1800U
#define SYNTHETIC_MAX       0x4000U /* size of the buffer for synthetic_elf() */

struct note_writer {
    uint8_t *start;
    uint32_t used;
};

static inline void add_note(struct note_writer *writer, const char *name, uint32_t type,
                            const void *content, uint32_t size)
{
    struct elf_note_header header = {(uint32_t)strlen(name) + 1, size, type};
    uint8_t *at = writer->start + writer->used;

    memcpy(at, &header, sizeof(header));
    at += sizeof(header);
    memcpy(at, name, header.name_size);
    at += (header.name_size + 3) & ~3U;
    memcpy(at, content, size);
    at += (size + 3) & ~3U;
    writer->used = (uint32_t)(at - writer->start);
}

static inline void add_number_note(struct note_writer *writer, uint32_t type, uint64_t value)
{
    add_note(writer, "Xen", type, &value, sizeof(value));
}

static inline void add_text_note(struct note_writer *writer, uint32_t type, const char *text)
{
    add_note(writer, "Xen", type, text, (uint32_t)strlen(text) + 1);
}

/* What a Linux kernel says, and one note of somebody else. */
static inline void add_linux_notes(struct note_writer *writer)
{
    uint64_t valid[2] = {1, 1};
    uint32_t features = 1U << XENFEAT_dom0 | 1U << XENFEAT_hvm_callback_vector;

    add_note(writer, "GNU", 3, "build", 5);
    add_text_note(writer, XEN_ELFNOTE_GUEST_OS, "synthetic");
    add_text_note(writer, XEN_ELFNOTE_GUEST_VERSION, "1.0");
    add_text_note(writer, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    add_text_note(writer, XEN_ELFNOTE_LOADER, "generic");
    add_text_note(writer, XEN_ELFNOTE_PAE_MODE, "yes");
    add_text_note(writer, XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb|new");
    add_note(writer, "Xen", XEN_ELFNOTE_SUPPORTED_FEATURES, &features, sizeof(features));
    add_number_note(writer, XEN_ELFNOTE_VIRT_BASE, SYNTHETIC_VIRT_BASE);
    add_number_note(writer, XEN_ELFNOTE_PADDR_OFFSET, 0);
    add_number_note(writer, XEN_ELFNOTE_ENTRY, SYNTHETIC_ENTRY);
    add_number_note(writer, XEN_ELFNOTE_HYPERCALL_PAGE, SYNTHETIC_VIRT_BASE + SYNTHETIC_PADDR);
    add_number_note(writer, XEN_ELFNOTE_INIT_P2M, SYNTHETIC_P2M);
    add_number_note(writer, XEN_ELFNOTE_HV_START_LOW, 0xffff800000000000UL);
    add_note(writer, "Xen", XEN_ELFNOTE_MOD_START_PFN, "\1\0\0", 4);
    add_note(writer, "Xen", XEN_ELFNOTE_L1_MFN_VALID, valid, sizeof(valid));
    add_number_note(writer, XEN_ELFNOTE_PHYS32_ENTRY, SYNTHETIC_PADDR + 0x80);
}

/*
 * Headers, notes (at most 0xc00 bytes, at 0x200), text and data. add() writes
 * the notes. Returns the file's size.
 */
static inline size_t synthetic_elf(uint8_t *file, void (*add)(struct note_writer *writer))
{
    struct note_writer notes = {file + 0x200, 0};
    struct elf_header header = {
        .class = ELF_CLASS_64,
        .data = ELF_DATA_LITTLE,
        .ident_version = 1,
        .type = ELF_TYPE_EXEC,
        .machine = ELF_MACHINE_X86,
        .version = 1,
        .entry = SYNTHETIC_PADDR,
        .program_offset = sizeof(struct elf_header),
        .header_size = sizeof(struct elf_header),
        .program_size = sizeof(struct elf_program_header),
        .program_count = 4,
    };
    struct elf_program_header programs[4] = {
        {
            .type = ELF_PT_LOAD,
            .flags = ELF_PF_R | ELF_PF_X,
            .offset = SYNTHETIC_TEXT,
            .vaddr = SYNTHETIC_VIRT_BASE + SYNTHETIC_PADDR,
            .paddr = SYNTHETIC_PADDR,
            .file_size = SYNTHETIC_TEXT,
            .memory_size = SYNTHETIC_TEXT,
        },
        {
            .type = ELF_PT_LOAD,
            .flags = ELF_PF_R | ELF_PF_W,
            .offset = 2 * SYNTHETIC_TEXT,
            .vaddr = SYNTHETIC_VIRT_BASE + SYNTHETIC_PADDR + 0x2000,
            .paddr = SYNTHETIC_PADDR + 0x2000,
            .file_size = SYNTHETIC_DATA,
            .memory_size = SYNTHETIC_DATA + SYNTHETIC_BSS,
        },
        {.type = ELF_PT_NOTE, .offset = 0x200},
        {.type = ELF_PT_LOAD, .offset = ~0UL}, /* empty: to be passed over */
    };

    memset(file, 0, SYNTHETIC_MAX);
    add(&notes);
    programs[2].file_size = programs[2].memory_size = notes.used;
    memcpy(header.magic, ELF_MAGIC, 4);
    memcpy(file, &header, sizeof(header));
    memcpy(file + sizeof(header), programs, sizeof(programs));
    for (unsigned int i = 0; i < SYNTHETIC_TEXT + SYNTHETIC_DATA; i++)
        file[SYNTHETIC_TEXT + i] = (uint8_t)(i * 7 + i / 256);
    return 2 * SYNTHETIC_TEXT + SYNTHETIC_DATA;
}

/* Offsets the tests like to spoil. */
#define BZIMAGE_PAYLOAD_OFFSET 0x248
#define BZIMAGE_PAYLOAD_LENGTH 0x24c
#define BZIMAGE_OVERHEAD       (2 * 512 + 0x100)

/*
 * A bzImage with one setup sector and the payload 0x100 bytes into the
 * protected-mode part. Returns its size: BZIMAGE_OVERHEAD + payload_size.
 */
static inline size_t synthetic_bzimage(uint8_t *file, const void *payload, uint32_t payload_size)
{
    uint32_t offset = 0x100;

    memset(file, 0, BZIMAGE_OVERHEAD);
    file[0x1f1] = 1;
    file[0x1fe] = 0x55;
    file[0x1ff] = 0xaa;
    memcpy(file + 0x202, "HdrS\x0f\x02", 6);
    memcpy(file + BZIMAGE_PAYLOAD_OFFSET, &offset, 4);
    memcpy(file + BZIMAGE_PAYLOAD_LENGTH, &payload_size, 4);
    memcpy(file + BZIMAGE_OVERHEAD, payload, payload_size);
    return BZIMAGE_OVERHEAD + payload_size;
}
