/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See image.h. Here: find the payload in the module and unpack it. What the
 * ELF file inside says is read in image_elf.c.
 *
 * A bzImage is a real-mode boot sector and setup code, then the protected-mode
 * part, somewhere in which the compressed ELF kernel lies; the setup header
 * (Linux boot protocol 2.08 and later) says where. A module may also be that
 * payload alone, or the ELF file itself.
 */
#include "boot/image.h"

#include "boot/decompress.h"
#include "lib/elf.h"
#include "lib/string.h"

/* Offsets in the boot sector, by the Linux boot protocol. */
#define SETUP_SECTORS        0x1f1 /* u8, sectors of 512 bytes behind the first */
#define SETUP_BOOT_FLAG      0x1fe /* u16 0xaa55 */
#define SETUP_MAGIC          0x202 /* "HdrS" */
#define SETUP_VERSION        0x206 /* u16 */
#define SETUP_PAYLOAD_OFFSET 0x248 /* u32, from the protected-mode part */
#define SETUP_PAYLOAD_LENGTH 0x24c /* u32 */
#define SETUP_END            0x250
#define SETUP_SECTOR_DEFAULT 4 /* what 0 sectors means */
#define PROTOCOL_2_08        0x0208

static __init int fail(const char **reason, int error, const char *why)
{
    *reason = why;
    return error;
}

static __init u32 read_le(const u8 *bytes, unsigned int size)
{
    u32 value = 0;

    memcpy(&value, bytes, size);
    return value;
}

static __init bool is_bzimage(const u8 *module, u64 size)
{
    return size >= SETUP_END && read_le(module + SETUP_BOOT_FLAG, 2) == 0xaa55 &&
           memcmp(module + SETUP_MAGIC, "HdrS", 4) == 0;
}

/* Narrows *bytes and *size from a bzImage to its payload. */
static __init int find_payload(const u8 **bytes, u64 *size, const char **reason)
{
    const u8 *module = *bytes;
    u64 sectors = module[SETUP_SECTORS] ? module[SETUP_SECTORS] : SETUP_SECTOR_DEFAULT;
    u64 start, length;

    if (read_le(module + SETUP_VERSION, 2) < PROTOCOL_2_08)
        return fail(reason, -EOPNOTSUPP, "bzImage is older than boot protocol 2.08");
    start = (sectors + 1) * 512 + read_le(module + SETUP_PAYLOAD_OFFSET, 4);
    length = read_le(module + SETUP_PAYLOAD_LENGTH, 4);
    if (start > *size || length > *size - start)
        return fail(reason, -EINVAL, "bzImage is truncated");
    *bytes = module + start;
    *size = length;
    return 0;
}

static __init bool is_elf(const u8 *bytes, u64 size)
{
    return size >= 4 && memcmp(bytes, ELF_MAGIC, 4) == 0;
}

/* Unpacks `bytes` into a new buffer that *image then owns. */
static __init int unpack(const u8 *bytes, u64 size, u64 max_size, void *(*alloc)(size_t size),
                         struct kernel_image *image, const char **reason)
{
    enum compression format = compression_recognise(bytes, size);
    struct decompress_arena arena = {0};
    u64 output_size;
    s64 arena_size;

    if (format == COMPRESSION_NONE)
        return fail(reason, -EOPNOTSUPP,
                    "not a kernel: neither an ELF file nor in a known compression format");
    output_size = compression_output_size(format, bytes, size);
    if (output_size < sizeof(struct elf_header))
        return fail(reason, -EINVAL, "payload states no sensible unpacked size");
    if (output_size > max_size)
        return fail(reason, -E2BIG, "payload is too large when unpacked");
    arena_size = decompress_arena_size(format, bytes, size, reason);
    if (arena_size < 0)
        return (int)arena_size;

    image->buffer = alloc(output_size);
    if (!image->buffer)
        return fail(reason, -ENOMEM, "no memory for the unpacked kernel");
    image->buffer_size = output_size;
    if (arena_size) {
        image->scratch = alloc((size_t)arena_size);
        if (!image->scratch)
            return fail(reason, -ENOMEM, "no memory for the decompressor");
        image->scratch_size = (u64)arena_size;
        arena.start = image->scratch;
        arena.size = (size_t)arena_size;
    }
    return decompress(format, bytes, size, image->buffer, output_size, &arena, reason);
}

__init int image_load(const void *module, u64 module_size, u64 max_size,
                      void *(*alloc)(size_t size), struct kernel_image *image, const char **reason)
{
    const u8 *bytes = module;
    u64 size = module_size;
    int error;

    memset(image, 0, sizeof(*image));
    *reason = "";
    if (is_bzimage(bytes, size)) {
        error = find_payload(&bytes, &size, reason);
        if (error)
            return error;
    }
    if (!is_elf(bytes, size)) {
        error = unpack(bytes, size, max_size, alloc, image, reason);
        if (error)
            return error;
        bytes = image->buffer;
        size = image->buffer_size;
    }
    return image_parse_elf(bytes, size, image, reason);
}

__init int image_place(const struct kernel_image *image,
                       int (*put)(void *context, u64 offset, const void *bytes, u64 length),
                       void *context)
{
    for (unsigned int i = 0; i < image->segment_count; i++) {
        const struct kernel_segment *segment = &image->segments[i];
        u64 offset = segment->paddr - image->paddr_start;
        u64 zeros = segment->memory_size - segment->file_size;
        int result = 0;

        if (segment->file_size)
            result = put(context, offset, image->elf + segment->file_offset, segment->file_size);
        if (!result && zeros)
            result = put(context, offset + segment->file_size, NULL, zeros);
        if (result)
            return result;
    }
    return 0;
}
