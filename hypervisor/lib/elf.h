/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of the 64-bit ELF format that we read and write (System V ABI,
 * chapters 4 and 5). Little endian, no alignment promise: copy a struct out of
 * untrusted bytes before use.
 */
#pragma once

#include "lib/types.h"

#define ELF_MAGIC       "\177ELF"
#define ELF_CLASS_64    2
#define ELF_DATA_LITTLE 1
#define ELF_TYPE_EXEC   2
#define ELF_TYPE_DYN    3
#define ELF_MACHINE_X86 62

#define ELF_PT_LOAD     1
#define ELF_PT_NOTE     4

#define ELF_SHT_NOTE    7

struct elf_header {
    u8 magic[4];
    u8 class;
    u8 data;
    u8 ident_version;
    u8 os_abi;
    u8 pad[8];
    u16 type;
    u16 machine;
    u32 version;
    u64 entry;
    u64 program_offset; /* file offset of the program headers */
    u64 section_offset; /* file offset of the section headers */
    u32 flags;
    u16 header_size;
    u16 program_size; /* bytes per program header */
    u16 program_count;
    u16 section_size; /* bytes per section header */
    u16 section_count;
    u16 names_index;
};

struct elf_program_header {
    u32 type;
    u32 flags;
    u64 offset; /* in the file */
    u64 vaddr;
    u64 paddr;
    u64 file_size;
    u64 memory_size; /* the part beyond file_size is zero */
    u64 align;
};

struct elf_section_header {
    u32 name;
    u32 type;
    u64 flags;
    u64 addr;
    u64 offset;
    u64 size;
    u32 link;
    u32 info;
    u64 align;
    u64 entry_size;
};

/* Followed by the name and the content, each padded to 4 bytes. */
struct elf_note_header {
    u32 name_size; /* with its zero */
    u32 size;
    u32 type;
};
