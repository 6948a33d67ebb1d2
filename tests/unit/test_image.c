// sources: boot/image.c boot/image_elf.c boot/decompress.c
// libs: -llzma -lz -lzstd -llz4
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel images: synthetic ones in every packing, whole, truncated everywhere
 * and spoilt in every header byte; and the stock Debian kernel if it is there
 * (TENON_KERNEL names it, or build/dom0/vmlinuz).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "synthetic_kernel.h"
#include "synthetic_payload.h"

#include "boot/image.h"

#define MAX_SIZE (256UL << 20)

static const enum compression formats[] = {COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_XZ,
                                           COMPRESSION_ZSTD, COMPRESSION_LZ4};

static struct kernel_image image;
static const char *reason;
static int allocations_left; /* alloc() fails after so many */

static void *alloc(size_t size)
{
    /* Broken headers may ask for gigabytes. */
    if (allocations_left-- <= 0 || size > 2 * MAX_SIZE)
        return NULL;
    return malloc(size);
}

/* Loads from a block of exactly that size, so that the sanitizer sees any step beyond it. */
static bool load_limited(const uint8_t *module, size_t size, u64 max_size)
{
    uint8_t *exact = malloc(size ? size : 1);

    free(image.buffer);
    free(image.scratch);
    memcpy(exact, module, size);
    reason = image_load(exact, size, max_size, alloc, &image);
    if (reason)
        assert_true(strlen(reason) > 0 && strlen(reason) < 80);
    free(exact);
    return !reason;
}

static bool load(const uint8_t *module, size_t size)
{
    allocations_left = 2;
    return load_limited(module, size, MAX_SIZE);
}

/* Drops what the last load left. */
static int teardown(void **state)
{
    (void)state;
    free(image.buffer);
    free(image.scratch);
    memset(&image, 0, sizeof(image));
    return 0;
}

static void check_linux_like(void)
{
    assert_int_equal(image.segment_count, 2);
    assert_int_equal(image.paddr_start, SYNTHETIC_PADDR);
    assert_int_equal(image.paddr_end, SYNTHETIC_PADDR + 0x2000 + SYNTHETIC_DATA + SYNTHETIC_BSS);
    assert_int_equal(image.virt_start, SYNTHETIC_VIRT_BASE + image.paddr_start);
    assert_int_equal(image.virt_end, SYNTHETIC_VIRT_BASE + image.paddr_end);
    assert_int_equal(image.virt_base, SYNTHETIC_VIRT_BASE);
    assert_int_equal(image.entry, SYNTHETIC_ENTRY);
    assert_true(image.has_hypercall_page && image.has_init_p2m);
    assert_int_equal(image.hypercall_page, image.virt_start);
    assert_int_equal(image.init_p2m, SYNTHETIC_P2M);
    assert_true(image.mod_start_pfn);
}

static void test_all_formats(void **state)
{
    static uint8_t elf[SYNTHETIC_MAX], packed[2 * SYNTHETIC_MAX], file[3 * SYNTHETIC_MAX];
    size_t elf_size = synthetic_elf(elf, add_linux_notes);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        size_t size = synthetic_payload(formats[i], elf, elf_size, packed, sizeof(packed));

        assert_int_equal(compression_recognise(packed, size), formats[i]);
        assert_true(load(packed, size));
        check_linux_like();
        if (formats[i] != COMPRESSION_NONE) {
            assert_int_equal(image.elf_size, elf_size);
            assert_memory_equal(image.elf, elf, elf_size);
        }
        assert_true(load(file, synthetic_bzimage(file, packed, (uint32_t)size)));
        check_linux_like();
    }
}

/* Megabytes with long matches and more than one block: the decoders' inner loops. */
static void test_large_payloads(void **state)
{
    size_t size = 18000000, room = size + size / 8;
    uint8_t *plain = malloc(size), *packed = malloc(room), *unpacked = malloc(size);

    (void)state;
    for (size_t i = 0; i < size; i++)
        plain[i] = i % 100000 < 70000 ? (uint8_t)(i % 251 % 97) : (uint8_t)rand();
    for (size_t i = 1; i < ARRAY_SIZE(formats); i++) {
        size_t packed_size = synthetic_payload(formats[i], plain, size, packed, room);
        struct decompress_arena arena = {0};

        assert_null(decompress_arena_size(formats[i], packed, packed_size, &arena.size));
        assert_int_equal(compression_output_size(formats[i], packed, packed_size), size);
        arena.start = malloc(arena.size ? arena.size : 1);
        memset(unpacked, 0, size);
        assert_null(decompress(formats[i], packed, packed_size, unpacked, size, &arena));
        assert_memory_equal(plain, unpacked, size);
        free(arena.start);
    }
    free(plain);
    free(packed);
    free(unpacked);
}

/* A plain .xz and .zst file, as the tools make them: the format tells the size. */
static void test_no_size_appended(void **state)
{
    static uint8_t elf[SYNTHETIC_MAX], packed[2 * SYNTHETIC_MAX];
    size_t elf_size = synthetic_elf(elf, add_linux_notes);
    size_t size = synthetic_payload(COMPRESSION_XZ, elf, elf_size, packed, sizeof(packed));

    (void)state;
    assert_true(load(packed, size - 4));
    check_linux_like();
    size = synthetic_payload(COMPRESSION_ZSTD, elf, elf_size, packed, sizeof(packed));
    assert_true(load(packed, size - 4));
    check_linux_like();
}

static void test_truncated(void **state)
{
    static uint8_t elf[SYNTHETIC_MAX], packed[2 * SYNTHETIC_MAX], file[3 * SYNTHETIC_MAX];
    size_t elf_size = synthetic_elf(elf, add_linux_notes);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        size_t size = synthetic_payload(formats[i], elf, elf_size, packed, sizeof(packed));
        size_t whole = synthetic_bzimage(file, packed, (uint32_t)size);

        for (size_t length = 0; length < whole; length += length < 2000 || whole < 4000 ? 1 : 13)
            assert_false(load(file, length));
        /* The bare payload; without its size behind it, it may still be readable. */
        for (size_t length = 0; length < size - 4; length += 3)
            load(packed, length);
        /* The payload ends early inside a whole bzImage. */
        for (size_t length = 0; length < size - 4; length += 5) {
            whole = synthetic_bzimage(file, packed, (uint32_t)length);
            assert_false(load(file, whole));
        }
    }
}

static void test_spoilt_bytes(void **state)
{
    static uint8_t elf[SYNTHETIC_MAX], packed[2 * SYNTHETIC_MAX], file[3 * SYNTHETIC_MAX];
    size_t elf_size = synthetic_elf(elf, add_linux_notes);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        size_t size = synthetic_payload(formats[i], elf, elf_size, packed, sizeof(packed));
        size_t whole = synthetic_bzimage(file, packed, (uint32_t)size);

        for (size_t at = 0x1f0; at < whole; at++) {
            uint8_t was = file[at];
            static const uint8_t values[] = {0, 0xff, 0x7f, 0x80};

            for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
                file[at] = values[v];
                load(file, whole);
            }
            file[at] = was ^ 1;
            load(file, whole);
            file[at] = was;
            /* Only headers, notes and the first packed bytes are worth it. */
            if (at > BZIMAGE_OVERHEAD + 0x600)
                break;
        }
    }
}

static void test_limits(void **state)
{
    static uint8_t elf[SYNTHETIC_MAX], packed[2 * SYNTHETIC_MAX];
    size_t elf_size = synthetic_elf(elf, add_linux_notes);
    size_t size = synthetic_payload(COMPRESSION_XZ, elf, elf_size, packed, sizeof(packed));

    (void)state;
    allocations_left = 2;
    assert_false(load_limited(packed, size, elf_size - 1));
    assert_string_equal(reason, "payload is too large when unpacked");
    for (int n = 0; n < 2; n++) {
        allocations_left = n;
        assert_false(load_limited(packed, size, MAX_SIZE));
        assert_memory_equal(reason, "no memory for the ", 18);
        assert_int_equal(image.buffer != NULL, n > 0);
    }
    /* The kernel build's size is wrong: too small, too large. */
    for (int off = -1; off <= 1; off += 2) {
        uint32_t stated = (uint32_t)((int)elf_size + off);

        memcpy(packed + size - 4, &stated, 4);
        assert_false(load(packed, size));
        assert_string_equal(reason, "xz payload is corrupt");
    }
    assert_false(load((const uint8_t *)"#!/bin/sh", 9));
    assert_memory_equal(reason, "not a kernel", 12);
}

/* Each of these replaces or leaves out some of the notes. */
static void no_notes(struct note_writer *writer)
{
    add_note(writer, "GNU", 3, "x", 1);
}

static void pvh_only(struct note_writer *writer)
{
    add_note(writer, "Xen", XEN_ELFNOTE_PHYS32_ENTRY, "\0\0\0\1", 4);
}

static void other_loader(struct note_writer *writer)
{
    add_linux_notes(writer);
    add_text_note(writer, XEN_ELFNOTE_LOADER, "special");
    add_number_note(writer, XEN_ELFNOTE_PHYS32_ENTRY, SYNTHETIC_PADDR);
}

static void neither(struct note_writer *writer)
{
    add_text_note(writer, XEN_ELFNOTE_GUEST_OS, "nothing");
}

static void entry_outside(struct note_writer *writer)
{
    add_linux_notes(writer);
    add_number_note(writer, XEN_ELFNOTE_ENTRY, SYNTHETIC_VIRT_BASE);
}

static void p2m_inside(struct note_writer *writer)
{
    add_linux_notes(writer);
    add_number_note(writer, XEN_ELFNOTE_INIT_P2M, SYNTHETIC_VIRT_BASE + SYNTHETIC_PADDR + 0x1000);
}

static void hypercalls_outside(struct note_writer *writer)
{
    add_linux_notes(writer);
    add_number_note(writer, XEN_ELFNOTE_HYPERCALL_PAGE, SYNTHETIC_VIRT_BASE);
}

static void base_too_high(struct note_writer *writer)
{
    add_linux_notes(writer);
    add_number_note(writer, XEN_ELFNOTE_VIRT_BASE, 0xffffffffff800000UL);
}

static void unknown_requirement(struct note_writer *writer)
{
    add_linux_notes(writer);
    add_text_note(writer, XEN_ELFNOTE_FEATURES, "dom0|!time_travel");
}

static void long_text(struct note_writer *writer)
{
    add_linux_notes(writer);
    add_note(writer, "Xen", XEN_ELFNOTE_GUEST_OS,
             "a name without its zero and with far more letters than any reader has room for", 78);
}

static bool load_with(void (*notes)(struct note_writer *writer))
{
    static uint8_t elf[SYNTHETIC_MAX];

    return load(elf, synthetic_elf(elf, notes));
}

static void test_notes(void **state)
{
    static const struct {
        void (*notes)(struct note_writer *writer);
        const char *reason;
    } bad[] = {
        {no_notes, "kernel has no Xen notes"},
        {neither, "kernel can boot neither as PV nor as PVH"},
        {entry_outside, "kernel's entry lies outside it"},
        {p2m_inside, "kernel's INIT_P2M is unusable"},
        {hypercalls_outside, "kernel's hypercall page lies outside it"},
        {base_too_high, "kernel's addresses do not fit its VIRT_BASE"},
        {unknown_requirement, "kernel requires a feature we do not know"},
        {pvh_only, "not a Xen PV kernel"},
        {other_loader, "not a Xen PV kernel"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(load_with(bad[i].notes));
        assert_string_equal(reason, bad[i].reason);
    }
    assert_true(load_with(long_text));
}

/* The same notes, found by a section instead of a segment. */
static void test_note_section(void **state)
{
    static uint8_t elf[SYNTHETIC_MAX];
    size_t size = synthetic_elf(elf, add_linux_notes);
    struct elf_header *header = (struct elf_header *)elf;
    struct elf_program_header *programs = (struct elf_program_header *)(header + 1);
    struct elf_section_header section = {
        .type = ELF_SHT_NOTE, .offset = programs[2].offset, .size = programs[2].file_size};

    (void)state;
    programs[2].type = 0;
    assert_false(load(elf, size));
    memcpy(elf + size, &section, sizeof(section));
    header->section_offset = size;
    header->section_size = sizeof(section);
    header->section_count = 1;
    assert_true(load(elf, size + sizeof(section)));
    check_linux_like();
}

static void test_elf_headers(void **state)
{
    static uint8_t elf[SYNTHETIC_MAX];
    size_t size = synthetic_elf(elf, add_linux_notes);
    struct elf_header *header = (struct elf_header *)elf;
    struct elf_program_header *program = (struct elf_program_header *)(header + 1);

    (void)state;
#define EXPECT(field, value, why)            \
    do {                                     \
        synthetic_elf(elf, add_linux_notes); \
        field = value;                       \
        assert_false(load(elf, size));       \
        assert_string_equal(reason, why);    \
    } while (0)
    EXPECT(header->class, 1, "kernel is not a 64-bit x86 one");
    EXPECT(header->machine, 3, "kernel is not a 64-bit x86 one");
    EXPECT(header->type, 1, "ELF file is not an executable");
    EXPECT(header->program_size, 8, "ELF program headers have a strange size");
    EXPECT(header->program_offset, ~0UL, "ELF program headers lie outside the file");
    EXPECT(header->program_count, 0, "ELF file has nothing to load");
    EXPECT(program->file_size, program->memory_size + 1, "ELF segment lies outside the file");
    EXPECT(program->offset, size - 1, "ELF segment lies outside the file");
    EXPECT(program->paddr, ~0UL, "ELF segment wraps around the address space");
    EXPECT(program->paddr, 1UL << 40, "ELF segments span too much memory");
    EXPECT(program[2].offset, size, "notes lie outside the ELF file");
    EXPECT(program[2].file_size, 13, "a note reaches beyond its segment");
#undef EXPECT
}

/* What the builder copies, and where to. */
static void test_segments(void **state)
{
    static uint8_t elf[SYNTHETIC_MAX];
    size_t size = synthetic_elf(elf, add_linux_notes);
    const struct kernel_segment *text = &image.segments[0], *data = &image.segments[1];

    (void)state;
    memset(&image, 0, sizeof(image));
    assert_null(image_parse_elf(elf, size, &image));
    assert_ptr_equal(image.elf, elf);
    assert_int_equal(text->paddr, SYNTHETIC_PADDR);
    assert_int_equal(text->file_offset, SYNTHETIC_TEXT);
    assert_int_equal(text->file_size, SYNTHETIC_TEXT);
    assert_int_equal(text->memory_size, SYNTHETIC_TEXT);
    assert_int_equal(data->paddr, SYNTHETIC_PADDR + 0x2000);
    assert_int_equal(data->file_offset, 2 * SYNTHETIC_TEXT);
    assert_int_equal(data->file_size, SYNTHETIC_DATA);
    assert_int_equal(data->memory_size, SYNTHETIC_DATA + SYNTHETIC_BSS);
}

static void test_debian_kernel(void **state)
{
    const char *name = getenv("TENON_KERNEL");
    FILE *file = fopen(name ? name : "build/dom0/vmlinuz", "rb");
    size_t size;
    uint8_t *module;

    (void)state;
    if (!file)
        skip();
    module = malloc(64UL << 20);
    size = fread(module, 1, 64UL << 20, file);
    fclose(file);
    assert_true(load(module, size));
    assert_true(image.has_init_p2m);
    assert_int_equal(image.virt_base, 0xffffffff80000000UL);
    assert_int_equal(image.paddr_start, 0x1000000);
    assert_true(image.segment_count >= 2);
    /* The setup header, the payload's two ends, and a place in its middle. */
    assert_false(load(module, size / 2));
    module[size / 2] ^= 0x10;
    assert_false(load(module, size));
    free(module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_all_formats, teardown),
        cmocka_unit_test_teardown(test_large_payloads, teardown),
        cmocka_unit_test_teardown(test_no_size_appended, teardown),
        cmocka_unit_test_teardown(test_truncated, teardown),
        cmocka_unit_test_teardown(test_spoilt_bytes, teardown),
        cmocka_unit_test_teardown(test_limits, teardown),
        cmocka_unit_test_teardown(test_notes, teardown),
        cmocka_unit_test_teardown(test_note_section, teardown),
        cmocka_unit_test_teardown(test_elf_headers, teardown),
        cmocka_unit_test(test_segments),
        cmocka_unit_test_teardown(test_debian_kernel, teardown),
    };

    srand(1);
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
