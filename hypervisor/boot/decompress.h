/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One face for the four compression formats of kernel images. The work is done
 * by Debian's static liblzma, zlib, libzstd and liblz4; see image.h for what the
 * caller must set up around it. Boot-time code: freed.
 */
#pragma once

#include "lib/types.h"

enum compression {
    COMPRESSION_NONE, /* not a format we know */
    COMPRESSION_GZIP,
    COMPRESSION_XZ,
    COMPRESSION_ZSTD,
    COMPRESSION_LZ4, /* the "legacy" framing that kernels use */
};

/* By the magic number in the first bytes. */
enum compression compression_recognise(const u8 *bytes, u64 size);

/*
 * How many bytes `bytes` unpacks to, as its format or the kernel build (a little
 * endian u32 behind the stream) says; untrusted, 0 when nothing says it.
 */
u64 compression_output_size(enum compression format, const u8 *bytes, u64 size);

/* Working memory for the decompressor: everything it allocates comes from here. */
struct decompress_arena {
    u8 *start;
    size_t size;
    size_t used;
    bool overflowed; /* something did not fit */
};

/*
 * How large the arena must be, bytes (0 is possible). For xz it depends on the
 * stream. NULL, or what is wrong with the stream's header.
 */
const char *decompress_arena_size(enum compression format, const u8 *bytes, u64 size, u64 *needed);

/*
 * Unpacks the first stream of `bytes` into output[output_size], which it must
 * fill exactly. NULL, or why it could not. format is not COMPRESSION_NONE.
 */
const char *decompress(enum compression format, const u8 *bytes, u64 size, u8 *output,
                       u64 output_size, struct decompress_arena *arena);
