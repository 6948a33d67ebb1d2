/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The second half of image.h: the ELF file's headers, its loadable segments and
 * its Xen notes (public/elfnote.h), as the interface describes them for PV and
 * PVH kernels. Everything is copied out before it is looked at, since nothing
 * in the file need be aligned, and every offset is checked against the file.
 */
#include "boot/image.h"

#include "lib/elf.h"
#include "lib/string.h"

#include <xen/elfnote.h>
#include <xen/features.h>

/* The names in the FEATURES note. */
static const struct {
    const char *name;
    u32 bit;
} feature_names[] = {
    {"writable_page_tables", 1U << XENFEAT_writable_page_tables},
    {"writable_descriptor_tables", 1U << XENFEAT_writable_descriptor_tables},
    {"auto_translated_physmap", 1U << XENFEAT_auto_translated_physmap},
    {"supervisor_mode_kernel", 1U << XENFEAT_supervisor_mode_kernel},
    {"pae_pgdir_above_4gb", 1U << XENFEAT_pae_pgdir_above_4gb},
    {"hvm_callback_vector", 1U << XENFEAT_hvm_callback_vector},
    {"dom0", 1U << XENFEAT_dom0},
};

/* What the notes say, before anything is concluded. */
struct notes {
    bool any;
    bool has_entry;
    bool has_virt_base;
    char loader[KERNEL_TEXT_MAX];
};

static __init int fail(const char **reason, int error, const char *why)
{
    *reason = why;
    return error;
}

/* Copies size bytes at offset out of the file, if they lie inside it. */
static __init bool read_file(const struct kernel_image *image, void *to, u64 offset, u64 size)
{
    if (offset > image->elf_size || size > image->elf_size - offset)
        return false;
    memcpy(to, image->elf + offset, size);
    return true;
}

/* A note's text, which need not end in a zero. */
static __init void copy_text(char to[KERNEL_TEXT_MAX], const u8 *text, u32 size)
{
    size_t length = strnlen((const char *)text, MIN(size, KERNEL_TEXT_MAX - 1U));

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
static __init int parse_features(struct kernel_image *image, const char *text, const char **reason)
{
    while (*text) {
        bool required = *text == '!';
        const char *name = text + required;
        const char *end = strchr(name, '|');
        size_t length = end ? (size_t)(end - name) : strlen(name);
        u32 bit = 0;

        for (unsigned int i = 0; i < ARRAY_SIZE(feature_names); i++)
            if (strlen(feature_names[i].name) == length &&
                strncmp(feature_names[i].name, name, length) == 0)
                bit = feature_names[i].bit;
        if (required && !bit)
            return fail(reason, -EINVAL, "kernel requires a feature we do not know");
        image->features_supported |= bit;
        image->features_required |= required ? bit : 0;
        text = name + length + (end != NULL);
    }
    return 0;
}

/* One Xen note; unknown ones are nobody's business. */
static __init int take_note(struct kernel_image *image, struct notes *notes, u32 type,
                            const u8 *content, u32 size, const char **reason)
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
        copy_text(image->xen_version, content, size);
        break;
    case XEN_ELFNOTE_GUEST_OS:
        copy_text(image->guest_os, content, size);
        break;
    case XEN_ELFNOTE_GUEST_VERSION:
        copy_text(image->guest_version, content, size);
        break;
    case XEN_ELFNOTE_LOADER:
        copy_text(notes->loader, content, size);
        break;
    case XEN_ELFNOTE_FEATURES:
        if (size > sizeof(text) - 1)
            return fail(reason, -EINVAL, "FEATURES note is too long");
        memcpy(text, content, size);
        text[size] = '\0';
        return parse_features(image, text, reason);
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
        image->features_supported |= (u32)number;
        image->has_features = true;
        break;
    case XEN_ELFNOTE_HV_START_LOW:
        image->hv_start_low = number;
        break;
    case XEN_ELFNOTE_L1_MFN_VALID:
        if (size >= 16) {
            image->l1_mfn_mask = read_number(content, 8);
            image->l1_mfn_value = read_number(content + 8, 8);
            image->has_l1_mfn_valid = true;
        }
        break;
    case XEN_ELFNOTE_INIT_P2M:
        image->init_p2m = number;
        image->has_init_p2m = true;
        break;
    case XEN_ELFNOTE_MOD_START_PFN:
        image->mod_start_pfn = number != 0;
        break;
    case XEN_ELFNOTE_PHYS32_ENTRY:
        image->phys32_entry = number;
        image->has_phys32_entry = true;
        break;
    }
    notes->any = true;
    return 0;
}

/* All Xen notes among `size` bytes of notes at `offset` in the file. */
static __init int read_notes(struct kernel_image *image, struct notes *notes, u64 offset, u64 size,
                             const char **reason)
{
    u64 end = offset + size;

    if (offset > image->elf_size || size > image->elf_size - offset)
        return fail(reason, -EINVAL, "notes lie outside the ELF file");
    while (end - offset >= sizeof(struct elf_note_header)) {
        struct elf_note_header note;
        u64 name, content, next;
        int error;

        read_file(image, &note, offset, sizeof(note));
        name = offset + sizeof(note);
        content = name + ROUND_UP((u64)note.name_size, 4);
        next = content + ROUND_UP((u64)note.size, 4);
        /* The padding of the last note may be missing. */
        if (content > end || note.size > end - content)
            return fail(reason, -EINVAL, "a note reaches beyond its segment");
        if (note.name_size == sizeof("Xen") && memcmp(image->elf + name, "Xen", 4) == 0) {
            error = take_note(image, notes, note.type, image->elf + content, note.size, reason);
            if (error)
                return error;
        }
        if (next > end)
            break;
        offset = next;
    }
    return 0;
}

static __init int add_segment(struct kernel_image *image, const struct elf_program_header *header,
                              const char **reason)
{
    u64 end;

    if (header->memory_size == 0)
        return 0;
    if (image->segment_count == KERNEL_SEGMENTS_MAX)
        return fail(reason, -EINVAL, "ELF file has too many segments");
    if (header->file_size > header->memory_size || header->offset > image->elf_size ||
        header->file_size > image->elf_size - header->offset)
        return fail(reason, -EINVAL, "ELF segment lies outside the file");
    if (__builtin_add_overflow(header->paddr, header->memory_size, &end))
        return fail(reason, -EINVAL, "ELF segment wraps around the address space");

    image->segments[image->segment_count++] = (struct kernel_segment){
        .file_offset = header->offset,
        .file_size = header->file_size,
        .memory_size = header->memory_size,
        .paddr = header->paddr,
        .vaddr = header->vaddr,
        .flags = header->flags,
    };
    if (image->segment_count == 1) {
        image->paddr_start = header->paddr;
        image->paddr_end = end;
    }
    image->paddr_start = MIN(image->paddr_start, header->paddr);
    image->paddr_end = MAX(image->paddr_end, end);
    if (image->paddr_end - image->paddr_start > KERNEL_SPAN_MAX)
        return fail(reason, -E2BIG, "ELF segments span too much memory");
    return 0;
}

static __init int check_header(const struct elf_header *header, const char **reason)
{
    if (memcmp(header->magic, ELF_MAGIC, 4) != 0)
        return fail(reason, -EINVAL, "not an ELF file");
    if (header->class != ELF_CLASS_64 || header->machine != ELF_MACHINE_X86)
        return fail(reason, -EINVAL, "kernel is not a 64-bit x86 one");
    if (header->data != ELF_DATA_LITTLE ||
        (header->type != ELF_TYPE_EXEC && header->type != ELF_TYPE_DYN))
        return fail(reason, -EINVAL, "ELF file is not an executable");
    if (header->program_size < sizeof(struct elf_program_header))
        return fail(reason, -EINVAL, "ELF program headers have a strange size");
    return 0;
}

static __init int read_program_headers(struct kernel_image *image, const struct elf_header *header,
                                       struct notes *notes, const char **reason)
{
    for (unsigned int i = 0; i < header->program_count; i++) {
        struct elf_program_header program;
        u64 offset;
        int error = 0;

        if (__builtin_add_overflow(header->program_offset, (u64)i * header->program_size,
                                   &offset) ||
            !read_file(image, &program, offset, sizeof(program)))
            return fail(reason, -EINVAL, "ELF program headers lie outside the file");
        if (program.type == ELF_PT_LOAD)
            error = add_segment(image, &program, reason);
        else if (program.type == ELF_PT_NOTE)
            error = read_notes(image, notes, program.offset, program.file_size, reason);
        if (error)
            return error;
    }
    if (image->segment_count == 0)
        return fail(reason, -EINVAL, "ELF file has nothing to load");
    return 0;
}

/* Some small kernels have note sections but no note segment. */
static __init int read_note_sections(struct kernel_image *image, const struct elf_header *header,
                                     struct notes *notes, const char **reason)
{
    if (header->section_size < sizeof(struct elf_section_header))
        return 0;
    for (unsigned int i = 0; i < header->section_count; i++) {
        struct elf_section_header section;
        u64 offset;
        int error;

        if (__builtin_add_overflow(header->section_offset, (u64)i * header->section_size,
                                   &offset) ||
            !read_file(image, &section, offset, sizeof(section)))
            return fail(reason, -EINVAL, "ELF section headers lie outside the file");
        if (section.type != ELF_SHT_NOTE)
            continue;
        error = read_notes(image, notes, section.offset, section.size, reason);
        if (error)
            return error;
    }
    return 0;
}

/* Works out where a PV kernel sits in its virtual space, and whether that makes sense. */
static __init int check_pv_layout(struct kernel_image *image, const char **reason)
{
    /* Differences of addresses: meant to wrap, as virt_base is near the top. */
    image->virt_start = image->paddr_start - image->paddr_offset + image->virt_base;
    image->virt_end = image->paddr_end - image->paddr_offset + image->virt_base;
    if (image->paddr_start < image->paddr_offset || image->virt_start < image->virt_base ||
        image->virt_end <= image->virt_start)
        return fail(reason, -EINVAL, "kernel's addresses do not fit its VIRT_BASE");
    if (image->entry < image->virt_start || image->entry >= image->virt_end)
        return fail(reason, -EINVAL, "kernel's entry lies outside it");
    if (image->has_hypercall_page &&
        (image->hypercall_page % PAGE_SIZE || image->hypercall_page < image->virt_start ||
         image->hypercall_page > image->virt_end - PAGE_SIZE))
        return fail(reason, -EINVAL, "kernel's hypercall page lies outside it");
    if (image->has_init_p2m &&
        (image->init_p2m % PAGE_SIZE ||
         (image->init_p2m >= image->virt_start && image->init_p2m < image->virt_end)))
        return fail(reason, -EINVAL, "kernel's INIT_P2M is unusable");
    return 0;
}

__init int image_parse_elf(const void *elf, u64 size, struct kernel_image *image,
                           const char **reason)
{
    struct notes notes = {0};
    struct elf_header header;
    int error;

    image->elf = elf;
    image->elf_size = size;
    if (!read_file(image, &header, 0, sizeof(header)))
        return fail(reason, -EINVAL, "ELF file is truncated");
    error = check_header(&header, reason);
    if (error)
        return error;
    image->entry = header.entry;
    error = read_program_headers(image, &header, &notes, reason);
    if (!error && !notes.any)
        error = read_note_sections(image, &header, &notes, reason);
    if (error)
        return error;
    if (!notes.any)
        return fail(reason, -EINVAL, "kernel has no Xen notes");

    image->pv = (notes.has_entry || notes.has_virt_base) && strcmp(notes.loader, "generic") == 0 &&
                strcmp(image->xen_version, "xen-3.0") == 0;
    if (image->has_phys32_entry &&
        (image->phys32_entry < image->paddr_start || image->phys32_entry >= image->paddr_end ||
         image->phys32_entry > UINT32_MAX))
        return fail(reason, -EINVAL, "kernel's PVH entry lies outside it");
    if (!image->pv && !image->has_phys32_entry)
        return fail(reason, -EINVAL, "kernel can boot neither as PV nor as PVH");
    return image->pv ? check_pv_layout(image, reason) : 0;
}
