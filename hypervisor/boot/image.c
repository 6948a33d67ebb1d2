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
static __init const char *find_payload(const u8 **bytes, u64 *size)
{
    const u8 *module = *bytes;
    u64 sectors = module[SETUP_SECTORS] ? module[SETUP_SECTORS] : SETUP_SECTOR_DEFAULT;

    if (read_le(module + SETUP_VERSION, 2) < PROTOCOL_2_08)
        return "bzImage is older than boot protocol 2.08";
    u64 start = (sectors + 1) * 512 + read_le(module + SETUP_PAYLOAD_OFFSET, 4);
    u64 length = read_le(module + SETUP_PAYLOAD_LENGTH, 4);
    if (start > *size || length > *size - start)
        return "bzImage is truncated";
    *bytes = module + start;
    *size = length;
    return NULL;
}

static __init bool is_elf(const u8 *bytes, u64 size)
{
    return size >= 4 && memcmp(bytes, ELF_MAGIC, 4) == 0;
}

/* Unpacks *bytes into a new buffer that *image then owns, and makes them that. */
static __init const char *unpack(const u8 **bytes, u64 *size, u64 max_size,
                                 void *(*alloc)(size_t size), struct kernel_image *image)
{
    enum compression format = compression_recognise(*bytes, *size);
    struct decompress_arena arena = {0};

    if (format == COMPRESSION_NONE)
        return "not a kernel: neither an ELF file nor in a known compression format";
    u64 output_size = compression_output_size(format, *bytes, *size);
    if (output_size < sizeof(struct elf_header))
        return "payload states no sensible unpacked size";
    if (output_size > max_size)
        return "payload is too large when unpacked";
    TRY(decompress_arena_size(format, *bytes, *size, &arena.size));

    image->buffer = alloc(output_size);
    if (!image->buffer)
        return "no memory for the unpacked kernel";
    if (arena.size) {
        arena.start = image->scratch = alloc(arena.size);
        if (!image->scratch)
            return "no memory for the decompressor";
    }
    const char *wrong = decompress(format, *bytes, *size, image->buffer, output_size, &arena);
    *bytes = image->buffer;
    *size = output_size;
    return wrong;
}

__init const char *image_load(const void *module, u64 module_size, u64 max_size,
                              void *(*alloc)(size_t size), struct kernel_image *image)
{
    const u8 *bytes = module;
    u64 size = module_size;

    memset(image, 0, sizeof(*image));
    if (is_bzimage(bytes, size))
        TRY(find_payload(&bytes, &size));
    if (!is_elf(bytes, size))
        TRY(unpack(&bytes, &size, max_size, alloc, image));
    return image_parse_elf(bytes, size, image);
}
