/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The second half of image.h: the ELF file's headers, its loadable segments and
 * its Xen notes (public/elfnote.h), as the interface describes them for PV and
 * PVH kernels. Everything is copied out before it is looked at, since nothing
 * in the file need be aligned, and every offset is checked against the file.
 */
#include "boot/image.h"

#include "lib/elf.h"

#include <xen/elfnote.h>

/* What a FEATURES note may ask for. */
static const char *const feature_names[] = {
    "writable_page_tables",
    "writable_descriptor_tables",
    "auto_translated_physmap",
    "supervisor_mode_kernel",
    "pae_pgdir_above_4gb",
    "hvm_callback_vector",
    "dom0",
};

#define TEXT_MAX 64

/* What the notes say, before anything is concluded. */
struct notes {
    bool any;
    bool has_entry;
    bool has_virt_base;
    bool has_phys32_entry; /* PVH: not how dom0 is started */
    char loader[TEXT_MAX];
    char xen_version[TEXT_MAX];
};

/* Copies size bytes at offset out of the file, if they lie inside it. */
static __init bool read_file(const struct kernel_image *image, void *to, u64 offset, u64 size)
{
    if (offset > image->elf_size || size > image->elf_size - offset)
        return false;
    memcpy(to, image->elf + offset, size);
    return true;
}

/* A note's text, which need not end in a zero. */
static __init void copy_text(char to[TEXT_MAX], const u8 *text, u32 size)
{
    size_t length = strnlen((const char *)text, MIN(size, TEXT_MAX - 1U));

    memcpy(to, text, length);
    to[length] = '\0';
}

/* A note's number: 1, 2, 4 or 8 bytes, anything else is 0. */
static __init u64 read_number(const u8 *bytes, u32 size)
{
    u64 value = 0;

    if (size == 1 || size == 2 || size == 4 || size == 8)
        memcpy(&value, bytes, size);
    return value;
}

/* "a|b|!c": supports a, b and c, and cannot do without c. */
static __init const char *check_features(const char *text)
{
    while (*text) {
        bool known = *text != '!';
        const char *name = text + !known, *end = strchr(name, '|');
        size_t length = end ? (size_t)(end - name) : strlen(name);

        for (u32 i = 0; i < ARRAY_SIZE(feature_names); i++)
            known |= strlen(feature_names[i]) == length &&
                     strncmp(feature_names[i], name, length) == 0;
        if (!known)
            return "kernel requires a feature we do not know";
        text = name + length + (end != NULL);
    }
    return NULL;
}

/* One Xen note; unknown ones are nobody's business. */
static __init const char *take_note(struct kernel_image *image, struct notes *notes, u32 type,
                                    const u8 *content, u32 size)
{
    char text[256];
    u64 number = read_number(content, size);

    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        image->entry = number;
        notes->has_entry = true;
        break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        image->hypercall_page = number;
        image->has_hypercall_page = true;
        break;
    case XEN_ELFNOTE_VIRT_BASE:
        image->virt_base = number;
        notes->has_virt_base = true;
        break;
    case XEN_ELFNOTE_PADDR_OFFSET:
        image->paddr_offset = number;
        break;
    case XEN_ELFNOTE_XEN_VERSION:
        copy_text(notes->xen_version, content, size);
        break;
    case XEN_ELFNOTE_LOADER:
        copy_text(notes->loader, content, size);
        break;
    case XEN_ELFNOTE_FEATURES:
        if (size > sizeof(text) - 1)
            return "FEATURES note is too long";
        memcpy(text, content, size);
        text[size] = '\0';
        return check_features(text);
    case XEN_ELFNOTE_INIT_P2M:
        image->init_p2m = number;
        image->has_init_p2m = true;
        break;
    case XEN_ELFNOTE_MOD_START_PFN:
        image->mod_start_pfn = number != 0;
        break;
    case XEN_ELFNOTE_PHYS32_ENTRY:
        notes->has_phys32_entry = true;
        break;
    }
    notes->any = true;
    return NULL;
}

/* All Xen notes among `size` bytes of notes at `offset` in the file. */
static __init const char *read_notes(struct kernel_image *image, struct notes *notes, u64 offset,
                                     u64 size)
{
    u64 end = offset + size;

    if (offset > image->elf_size || size > image->elf_size - offset)
        return "notes lie outside the ELF file";
    while (end - offset >= sizeof(struct elf_note_header)) {
        struct elf_note_header note;

        read_file(image, &note, offset, sizeof(note));
        u64 name = offset + sizeof(note);
        u64 content = name + ROUND_UP((u64)note.name_size, 4);
        u64 next = content + ROUND_UP((u64)note.size, 4);
        /* The padding of the last note may be missing. */
        if (content > end || note.size > end - content)
            return "a note reaches beyond its segment";
        if (note.name_size == sizeof("Xen") && memcmp(image->elf + name, "Xen", 4) == 0) {
            TRY(take_note(image, notes, note.type, image->elf + content, note.size));
        }
        if (next > end)
            break;
        offset = next;
    }
    return NULL;
}

static __init const char *add_segment(struct kernel_image *image,
                                      const struct elf_program_header *header)
{
    u64 end;

    if (header->memory_size == 0)
        return NULL;
    if (image->segment_count == KERNEL_SEGMENTS_MAX)
        return "ELF file has too many segments";
    if (header->file_size > header->memory_size || header->offset > image->elf_size ||
        header->file_size > image->elf_size - header->offset)
        return "ELF segment lies outside the file";
    if (__builtin_add_overflow(header->paddr, header->memory_size, &end))
        return "ELF segment wraps around the address space";

    image->segments[image->segment_count++] = (struct kernel_segment){
        .file_offset = header->offset,
        .file_size = header->file_size,
        .memory_size = header->memory_size,
        .paddr = header->paddr,
    };
    if (image->segment_count == 1) {
        image->paddr_start = header->paddr;
        image->paddr_end = end;
    }
    image->paddr_start = MIN(image->paddr_start, header->paddr);
    image->paddr_end = MAX(image->paddr_end, end);
    if (image->paddr_end - image->paddr_start > KERNEL_SPAN_MAX)
        return "ELF segments span too much memory";
    return NULL;
}

static __init const char *check_header(const struct elf_header *header)
{
    if (memcmp(header->magic, ELF_MAGIC, 4) != 0)
        return "not an ELF file";
    if (header->class != ELF_CLASS_64 || header->machine != ELF_MACHINE_X86)
        return "kernel is not a 64-bit x86 one";
    if (header->data != ELF_DATA_LITTLE ||
        (header->type != ELF_TYPE_EXEC && header->type != ELF_TYPE_DYN))
        return "ELF file is not an executable";
    if (header->program_size < sizeof(struct elf_program_header))
        return "ELF program headers have a strange size";
    return NULL;
}

/* The nth of a table of headers, each of them `step` bytes long, of which `size` are known. */
static __init bool read_header(const struct kernel_image *image, void *to, u64 table, u32 n,
                               u32 step, size_t size)
{
    u64 offset;

    return !__builtin_add_overflow(table, (u64)n * step, &offset) &&
           read_file(image, to, offset, size);
}

static __init const char *read_program_headers(struct kernel_image *image, struct notes *notes,
                                               const struct elf_header *header)
{
    struct elf_program_header program;

    for (u32 i = 0; i < header->program_count; i++) {
        if (!read_header(image, &program, header->program_offset, i, header->program_size,
                         sizeof(program)))
            return "ELF program headers lie outside the file";
        if (program.type == ELF_PT_LOAD)
            TRY(add_segment(image, &program));
        else if (program.type == ELF_PT_NOTE)
            TRY(read_notes(image, notes, program.offset, program.file_size));
    }
    return image->segment_count ? NULL : "ELF file has nothing to load";
}

/* Some small kernels have note sections but no note segment. */
static __init const char *read_note_sections(struct kernel_image *image, struct notes *notes,
                                             const struct elf_header *header)
{
    struct elf_section_header section;

    if (header->section_size < sizeof(section))
        return NULL;
    for (u32 i = 0; i < header->section_count; i++) {
        if (!read_header(image, &section, header->section_offset, i, header->section_size,
                         sizeof(section)))
            return "ELF section headers lie outside the file";
        if (section.type == ELF_SHT_NOTE)
            TRY(read_notes(image, notes, section.offset, section.size));
    }
    return NULL;
}

/* Works out where a PV kernel sits in its virtual space, and whether that makes sense. */
static __init const char *check_layout(struct kernel_image *image)
{
    /* Differences of addresses: meant to wrap, as virt_base is near the top. */
    image->virt_start = image->paddr_start - image->paddr_offset + image->virt_base;
    image->virt_end = image->paddr_end - image->paddr_offset + image->virt_base;
    if (image->paddr_start < image->paddr_offset || image->virt_start < image->virt_base ||
        image->virt_end <= image->virt_start)
        return "kernel's addresses do not fit its VIRT_BASE";
    if (image->entry < image->virt_start || image->entry >= image->virt_end)
        return "kernel's entry lies outside it";
    if (image->has_hypercall_page &&
        (image->hypercall_page % PAGE_SIZE || image->hypercall_page < image->virt_start ||
         image->hypercall_page > image->virt_end - PAGE_SIZE))
        return "kernel's hypercall page lies outside it";
    if (image->has_init_p2m &&
        (image->init_p2m % PAGE_SIZE ||
         (image->init_p2m >= image->virt_start && image->init_p2m < image->virt_end)))
        return "kernel's INIT_P2M is unusable";
    return NULL;
}

__init const char *image_parse_elf(const void *elf, u64 size, struct kernel_image *image)
{
    struct notes notes = {0};
    struct elf_header header;

    image->elf = elf;
    image->elf_size = size;
    if (!read_file(image, &header, 0, sizeof(header)))
        return "ELF file is truncated";
    TRY(check_header(&header));
    image->entry = header.entry;
    TRY(read_program_headers(image, &notes, &header));
    if (!notes.any)
        TRY(read_note_sections(image, &notes, &header));
    if (!notes.any)
        return "kernel has no Xen notes";
    if ((notes.has_entry || notes.has_virt_base) && strcmp(notes.loader, "generic") == 0 &&
        strcmp(notes.xen_version, "xen-3.0") == 0)
        return check_layout(image);
    return notes.has_phys32_entry ? "not a Xen PV kernel"
                                  : "kernel can boot neither as PV nor as PVH";
}
