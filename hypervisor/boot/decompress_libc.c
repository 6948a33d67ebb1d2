/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the decompression libraries need from outside, beyond lib/string.c, and
 * what we give them in place of parts of their own that we do not want. Only
 * for the hypervisor's own link; on the host there is a real C library.
 *
 * The decompressors work in the arena that they are given (decompress.c), so
 * memory from malloc() is refused.
 */
#include "lib/types.h"

__init void *malloc(size_t)
{
    return NULL;
}

__init void *calloc(size_t, size_t)
{
    return NULL;
}

__init void free(void *)
{
}

__init __noreturn void abort(void)
{
    panic("a decompression library gave up");
}

/*
 * liblzma's own picks its implementation in a constructor, and nobody runs
 * constructors here. Kernel images use CRC32, so this one need not be fast:
 * four bits at a time, ECMA-182 polynomial, reflected.
 */
__init u64 lzma_crc64(const u8 *bytes, size_t size, u64 crc)
{
    const u64 polynomial = 0xc96c5795d7870f42UL;
    u64 table[16];

    for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
        table[i] = i;
        for (int bit = 0; bit < 4; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? polynomial : 0);
    }
    crc = ~crc;
    for (; size; size--) {
        crc ^= *bytes++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

/*
 * libzstd also reads three formats from before version 1.0: 90 KiB that no
 * kernel needs. compression_recognise() lets only the present format's magic
 * through and unpack_zstd() gives exactly one frame, so these are never called.
 */
#define UNWANTED(name) void name(void) __attribute__((alias("abort"), noreturn))
#define UNWANTED_VERSION(version)                        \
    UNWANTED(ZBUFF##version##_createDCtx);               \
    UNWANTED(ZBUFF##version##_decompressContinue);       \
    UNWANTED(ZBUFF##version##_decompressInitDictionary); \
    UNWANTED(ZBUFF##version##_freeDCtx);                 \
    UNWANTED(ZSTD##version##_createDCtx);                \
    UNWANTED(ZSTD##version##_decompress_usingDict);      \
    UNWANTED(ZSTD##version##_findFrameSizeInfoLegacy);   \
    UNWANTED(ZSTD##version##_freeDCtx);                  \
    UNWANTED(ZSTD##version##_getFrameParams)
UNWANTED_VERSION(v05);
UNWANTED_VERSION(v06);
UNWANTED_VERSION(v07);

/* Weak in libzstd, which looks whether they are there; our link has no address
 * near enough to zero to say no with, so they are, and trace nothing. */
unsigned long long __init ZSTD_trace_decompress_begin(const void *)
{
    return 0;
}
void __init ZSTD_trace_decompress_end(unsigned long long, const void *)
{
}
