// sources: boot/image.c boot/image_elf.c boot/decompress.c
// libs: -llzma -lz -lzstd -llz4
// options: -max_len=10000
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as a boot module, and again as the ELF file that a payload might
 * hold. What is accepted must be consistent: every byte of a segment is readable
 * and lies in the kernel's range.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/image.h"

/* Small limits: allocations are slow, and size limits are tested elsewhere. */
#define MAX_UNPACKED (1UL << 20)
#define MAX_ALLOC    (8UL << 20)

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void *alloc(size_t size)
{
    return size <= MAX_ALLOC ? malloc(size) : NULL;
}

static volatile u8 sink;

static void check(const struct kernel_image *image, const char *wrong)
{
    u64 span = image->paddr_end - image->paddr_start;

    require(!wrong || *wrong);
    if (wrong)
        return;
    require(image->segment_count > 0 && image->segment_count <= KERNEL_SEGMENTS_MAX);
    require(image->paddr_end > image->paddr_start);
    require(span <= KERNEL_SPAN_MAX);
    require(image->virt_end - image->virt_start == span);
    require(image->entry >= image->virt_start && image->entry < image->virt_end);
    for (u32 n = 0; n < image->segment_count; n++) {
        const struct kernel_segment *s = &image->segments[n];
        u64 offset = s->paddr - image->paddr_start;

        require(s->file_size <= s->memory_size);
        require(offset <= span && s->memory_size <= span - offset);
        for (u64 i = 0; i < s->file_size; i++)
            sink = image->elf[s->file_offset + i];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kernel_image image;

    check(&image, image_load(data, size, MAX_UNPACKED, alloc, &image));
    free(image.buffer);
    free(image.scratch);
    memset(&image, 0, sizeof(image));
    check(&image, image_parse_elf(data, size, &image));
    return 0;
}
