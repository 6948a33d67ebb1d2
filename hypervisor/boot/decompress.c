/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See decompress.h. Each library is used in its one-call form, straight from
 * the module into the output buffer, with its working memory out of the arena:
 * no malloc. Only the framing of LZ4 is ours, since kernels use one of their own.
 */
#include "boot/decompress.h"

#include <lz4.h>
#include <lzma.h>
#define Z_SOLO /* no stdio, no default allocator */
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY /* for decoding in memory that we give */
#include <zstd.h>

/* Calls a library, which wants the stack aligned to 16 where we leave it at 8. */
#define __realigned __attribute__((force_align_arg_pointer))

/* zlib's state (10 KiB) and, should it want one, its window (32 KiB). */
#define GZIP_ARENA 0x10000
/* What liblzma takes on top of what it says for the filters. */
#define XZ_ARENA_EXTRA 0x10000
/* The most that one block of the legacy LZ4 framing unpacks to. */
#define LZ4_BLOCK_MAX 0x800000U
#define LZ4_MAGIC     0x184c2102U

/* Before each piece of the arena; keeps pieces 16-byte aligned. */
struct piece {
    size_t size;
    size_t pad;
};

static __init u32 read_u32(const u8 *bytes)
{
    u32 value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

/*
 * The sum over the index of an xz file that ends where the bytes end; 0 if the
 * bytes do not end like one. The decoder verifies the index later: here it only
 * has to be read without going astray.
 */
static __init u64 xz_index_size(const u8 *bytes, u64 size)
{
    lzma_stream_flags footer;
    lzma_vli records, packed, unpacked, total = 0;
    size_t at = 1, end; /* behind the index indicator */

    if (size < 2 * LZMA_STREAM_HEADER_SIZE ||
        lzma_stream_footer_decode(&footer, bytes + size - LZMA_STREAM_HEADER_SIZE) != LZMA_OK ||
        footer.backward_size > size - 2 * LZMA_STREAM_HEADER_SIZE)
        return 0;
    const u8 *index = bytes + size - LZMA_STREAM_HEADER_SIZE - footer.backward_size;
    end = footer.backward_size;
    if (lzma_vli_decode(&records, NULL, index, &at, end) != LZMA_OK)
        return 0;
    for (; records; records--) {
        if (lzma_vli_decode(&packed, NULL, index, &at, end) != LZMA_OK ||
            lzma_vli_decode(&unpacked, NULL, index, &at, end) != LZMA_OK ||
            __builtin_add_overflow(total, unpacked, &total))
            return 0;
    }
    return total;
}

__init u64 compression_output_size(enum compression format, const u8 *bytes, u64 size)
{
    unsigned long long stated;

    if (size < 4)
        return 0;
    if (format == COMPRESSION_XZ) {
        u64 indexed = xz_index_size(bytes, size);
        if (indexed)
            return indexed;
    }
    if (format == COMPRESSION_ZSTD) {
        stated = ZSTD_getFrameContentSize(bytes, size);
        if (stated != ZSTD_CONTENTSIZE_UNKNOWN && stated != ZSTD_CONTENTSIZE_ERROR)
            return stated;
    }
    return read_u32(bytes + size - 4);
}

/* These two have the form that liblzma wants. */
static __init void *arena_alloc(void *opaque, size_t count, size_t size)
{
    struct decompress_arena *arena = opaque;
    size_t bytes, room = arena->size - arena->used;
    struct piece *piece;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > room ||
        ROUND_UP(bytes, 16) + sizeof(*piece) > room) {
        arena->overflowed = true;
        return NULL;
    }
    piece = (struct piece *)(arena->start + arena->used);
    piece->size = ROUND_UP(bytes, 16);
    arena->used += sizeof(*piece) + piece->size;
    return piece + 1;
}

/* Only the last piece really comes back: enough for what xz does for each block. */
static __init void arena_free(void *opaque, void *bytes)
{
    struct decompress_arena *arena = opaque;
    size_t size = bytes ? ((struct piece *)bytes)[-1].size : 0;

    if (size && (u8 *)bytes + size == arena->start + arena->used)
        arena->used -= sizeof(struct piece) + size;
}

static __init void *gzip_alloc(void *arena, unsigned int count, unsigned int size)
{
    return arena_alloc(arena, count, size);
}

/* What the filters of the first block need, dictionary included. */
static __init __realigned const char *xz_arena_size(const u8 *bytes, u64 size, u64 *needed)
{
    static const char broken[] = "xz payload has a broken header";
    u8 options[1024] __aligned_to(16);
    struct decompress_arena arena = {options, sizeof(options), 0, false};
    const lzma_allocator allocator = {arena_alloc, arena_free, &arena};
    lzma_filter filters[LZMA_FILTERS_MAX + 1];
    lzma_block block = {.version = 1, .filters = filters};
    lzma_stream_flags header;

    if (size <= LZMA_STREAM_HEADER_SIZE || lzma_stream_header_decode(&header, bytes) != LZMA_OK)
        return broken;
    bytes += LZMA_STREAM_HEADER_SIZE;
    size -= LZMA_STREAM_HEADER_SIZE;
    if (bytes[0] == 0)
        return "xz payload is empty";
    block.check = header.check;
    block.header_size = lzma_block_header_size_decode(bytes[0]);
    if (block.header_size > size || lzma_block_header_decode(&block, &allocator, bytes) != LZMA_OK)
        return broken;
    *needed = lzma_raw_decoder_memusage(filters);
    if (*needed > INT64_MAX - XZ_ARENA_EXTRA)
        return broken;
    *needed += XZ_ARENA_EXTRA;
    return NULL;
}

static __init __realigned const char *unpack_gzip(const u8 *bytes, u64 size, u8 *output,
                                                  u64 output_size, struct decompress_arena *arena)
{
    z_stream stream = {
        .next_in = (u8 *)bytes,
        .avail_in = (unsigned int)size,
        .next_out = output,
        .avail_out = (unsigned int)output_size,
        .zalloc = gzip_alloc,
        .zfree = arena_free,
        .opaque = arena,
    };

    if (size > UINT32_MAX || output_size > UINT32_MAX)
        return "gzip payload is too large";
    /* 15: largest window; 16: the gzip wrapper, not zlib's. */
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        return "no memory to unpack gzip";
    if (inflate(&stream, Z_FINISH) != Z_STREAM_END || stream.avail_out != 0)
        return "gzip payload is corrupt";
    return NULL;
}

static __init __realigned const char *unpack_xz(const u8 *bytes, u64 size, u8 *output,
                                                u64 output_size, struct decompress_arena *arena)
{
    const lzma_allocator allocator = {arena_alloc, arena_free, arena};
    u64 memory_limit = UINT64_MAX; /* the arena is the limit */
    size_t in = 0, out = 0;
    lzma_ret result = lzma_stream_buffer_decode(&memory_limit, 0, &allocator, bytes, &in, size,
                                                output, &out, output_size);

    if (arena->overflowed)
        return "no memory to unpack xz";
    if (result != LZMA_OK || out != output_size)
        return "xz payload is corrupt";
    return NULL;
}

static __init __realigned const char *unpack_zstd(const u8 *bytes, u64 size, u8 *output,
                                                  u64 output_size, struct decompress_arena *arena)
{
    ZSTD_DCtx *context = ZSTD_initStaticDCtx(arena->start, arena->size);

    if (!context)
        return "no memory to unpack zstd";
    /* One frame only: behind it may lie the kernel build's size. */
    size_t frame = ZSTD_findFrameCompressedSize(bytes, size);
    if (ZSTD_isError(frame))
        return "zstd payload is truncated or corrupt";
    /* The window may be as large as the output, since it is the output. */
    size_t written = ZSTD_decompressDCtx(context, output, output_size, bytes, frame);
    if (ZSTD_isError(written) || written != output_size)
        return "zstd payload is corrupt";
    return NULL;
}

/* Magic, then blocks with their packed sizes in front, until the output is full. */
static __init __realigned const char *unpack_lz4(const u8 *bytes, u64 size, u8 *output,
                                                 u64 output_size, struct decompress_arena *)
{
    u64 at = 4, done = 0;

    while (done < output_size) {
        u64 room = MIN(output_size - done, (u64)LZ4_BLOCK_MAX), packed;
        int unpacked;

        if (size < 4 || at > size - 4)
            return "lz4 payload is truncated";
        packed = read_u32(bytes + at);
        at += 4;
        if (packed == LZ4_MAGIC)
            continue; /* two streams in a row */
        if (packed > size - at)
            return "lz4 payload is truncated";
        if (packed > LZ4_COMPRESSBOUND(LZ4_BLOCK_MAX))
            return "lz4 payload is corrupt";
        unpacked = LZ4_decompress_safe((const char *)bytes + at, (char *)output + done, (int)packed,
                                       (int)room);
        if (unpacked <= 0)
            return "lz4 payload is corrupt";
        at += packed;
        done += (u64)unpacked;
    }
    return NULL;
}

static const struct {
    u8 length, magic[6];
    const char *(*unpack)(const u8 *bytes, u64 size, u8 *output, u64 output_size,
                          struct decompress_arena *arena);
} formats[] = {
    [COMPRESSION_GZIP] = {3, {0x1f, 0x8b, 0x08}, unpack_gzip},
    [COMPRESSION_XZ] = {6, {0xfd, '7', 'z', 'X', 'Z', 0}, unpack_xz},
    [COMPRESSION_ZSTD] = {4, {0x28, 0xb5, 0x2f, 0xfd}, unpack_zstd},
    [COMPRESSION_LZ4] = {4, {0x02, 0x21, 0x4c, 0x18}, unpack_lz4},
};

__init enum compression compression_recognise(const u8 *bytes, u64 size)
{
    for (enum compression format = COMPRESSION_NONE + 1; format < ARRAY_SIZE(formats); format++)
        if (size >= formats[format].length &&
            memcmp(bytes, formats[format].magic, formats[format].length) == 0)
            return format;
    return COMPRESSION_NONE;
}

__init const char *decompress_arena_size(enum compression format, const u8 *bytes, u64 size,
                                         u64 *needed)
{
    if (format == COMPRESSION_XZ)
        return xz_arena_size(bytes, size, needed);
    *needed = format == COMPRESSION_GZIP   ? GZIP_ARENA
              : format == COMPRESSION_ZSTD ? ZSTD_estimateDCtxSize()
                                           : 0;
    return NULL;
}

__init const char *decompress(enum compression format, const u8 *bytes, u64 size, u8 *output,
                              u64 output_size, struct decompress_arena *arena)
{
    return formats[format].unpack(bytes, size, output, output_size, arena);
}
