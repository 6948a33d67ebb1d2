// sources: boot/image.c boot/image_elf.c boot/decompress.c
// libs: -llzma -lz -lzstd
// options: -max_len=10000
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as a boot module, and again as the ELF file that a payload might
 * hold. What is accepted must be consistent: every byte that image_place() hands
 * out is readable and lies in the kernel's range.
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

static int put(void *context, u64 offset, const void *bytes, u64 length)
{
    const struct kernel_image *image = context;
    u64 span = image->paddr_end - image->paddr_start;

    require(length > 0 && offset <= span && length <= span - offset);
    for (u64 i = 0; bytes && i < length; i++)
        sink = ((const u8 *)bytes)[i];
    return 0;
}

static void check(const struct kernel_image *image, int result, const char *reason)
{
    require(result <= 0);
    require(result == 0 || (reason && *reason));
    if (result)
        return;
    require(image->pv || image->has_phys32_entry);
    require(image->segment_count > 0 && image->segment_count <= KERNEL_SEGMENTS_MAX);
    require(image->paddr_end > image->paddr_start);
    require(image->paddr_end - image->paddr_start <= KERNEL_SPAN_MAX);
    require(memchr(image->guest_os, 0, sizeof(image->guest_os)));
    require(memchr(image->guest_version, 0, sizeof(image->guest_version)));
    require(memchr(image->xen_version, 0, sizeof(image->xen_version)));
    if (image->pv) {
        require(image->virt_end - image->virt_start == image->paddr_end - image->paddr_start);
        require(image->entry >= image->virt_start && image->entry < image->virt_end);
    }
    require(image_place(image, put, (void *)image) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kernel_image image;
    const char *reason = NULL;

    check(&image, image_load(data, size, MAX_UNPACKED, alloc, &image, &reason), reason);
    free(image.buffer);
    free(image.scratch);
    memset(&image, 0, sizeof(image));
    reason = NULL;
    check(&image, image_parse_elf(data, size, &image, &reason), reason);
    return 0;
}
