/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packs bytes the four ways of kernel builds, with the libraries' encoders; to
 * be linked with -llzma -lz -lzstd -llz4. As in those builds, the unpacked size
 * follows the stream (gzip has it at its end already).
 */
#pragma once

#include "boot/decompress.h"

#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* Returns the packed size, at most room; aborts when that does not suffice. */
static inline size_t synthetic_payload(enum compression format, const uint8_t *bytes, size_t size,
                                       uint8_t *packed, size_t room)
{
    static const uint8_t lz4_magic[4] = {0x02, 0x21, 0x4c, 0x18};
    uint32_t stated = (uint32_t)size;
    z_stream stream = {.next_in = (uint8_t *)bytes, .avail_in = (unsigned int)size};
    size_t at = 0, done = 0;

    switch (format) {
    case COMPRESSION_NONE:
        memcpy(packed, bytes, size);
        return size;
    case COMPRESSION_GZIP:
        deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
        stream.next_out = packed;
        stream.avail_out = (unsigned int)room;
        if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
            abort();
        at = stream.total_out;
        deflateEnd(&stream);
        return at;
    case COMPRESSION_XZ:
        if (lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, bytes, size, packed, &at,
                                    room - 4) != LZMA_OK)
            abort();
        break;
    case COMPRESSION_ZSTD:
        at = ZSTD_compress(packed, room - 4, bytes, size, 3);
        if (ZSTD_isError(at))
            abort();
        break;
    case COMPRESSION_LZ4:
        memcpy(packed, lz4_magic, 4);
        for (at = 4; done < size; done += 0x800000) {
            size_t piece = size - done < 0x800000 ? size - done : 0x800000;
            int length = LZ4_compress_default((const char *)bytes + done, (char *)packed + at + 4,
                                              (int)piece, (int)(room - at - 8));
            uint32_t stated_length = (uint32_t)length;

            if (length <= 0)
                abort();
            memcpy(packed + at, &stated_length, 4);
            at += 4 + (size_t)length;
        }
        break;
    }
    memcpy(packed + at, &stated, 4);
    return at + 4;
}
