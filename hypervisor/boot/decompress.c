/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See decompress.h. Each library is used in its one-call form, straight from
 * the module into the output buffer, with its working memory out of the arena:
 * no malloc. (LZ4's block format is so small that ours is shorter than the glue.)
 */
#include "boot/decompress.h"

#include "lib/string.h"

#include <lzma.h>
#define Z_SOLO /* no stdio, no default allocator */
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY /* for decoding in memory that we give */
#include <zstd.h>

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

static __init int fail(const char **reason, int error, const char *why)
{
    *reason = why;
    return error;
}

__init enum compression compression_recognise(const u8 *bytes, u64 size)
{
    static const struct {
        u8 length;
        u8 magic[6];
        u8 format;
    } formats[] = {
        {3, {0x1f, 0x8b, 0x08}, COMPRESSION_GZIP},
        {6, {0xfd, '7', 'z', 'X', 'Z', 0}, COMPRESSION_XZ},
        {4, {0x28, 0xb5, 0x2f, 0xfd}, COMPRESSION_ZSTD},
        {4, {0x02, 0x21, 0x4c, 0x18}, COMPRESSION_LZ4},
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++)
        if (size >= formats[i].length && memcmp(bytes, formats[i].magic, formats[i].length) == 0)
            return formats[i].format;
    return COMPRESSION_NONE;
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
    const u8 *index;

    if (size < 2 * LZMA_STREAM_HEADER_SIZE ||
        lzma_stream_footer_decode(&footer, bytes + size - LZMA_STREAM_HEADER_SIZE) != LZMA_OK ||
        footer.backward_size > size - 2 * LZMA_STREAM_HEADER_SIZE)
        return 0;
    index = bytes + size - LZMA_STREAM_HEADER_SIZE - footer.backward_size;
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
    u64 indexed;

    if (size < 4)
        return 0;
    if (format == COMPRESSION_XZ) {
        indexed = xz_index_size(bytes, size);
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

static __init void *arena_alloc(struct decompress_arena *arena, size_t count, size_t size)
{
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
static __init void arena_free(struct decompress_arena *arena, void *bytes)
{
    struct piece *piece;

    if (!bytes)
        return;
    piece = (struct piece *)bytes - 1;
    if ((u8 *)bytes + piece->size == arena->start + arena->used)
        arena->used -= sizeof(*piece) + piece->size;
}

static __init void *xz_alloc(void *arena, size_t count, size_t size)
{
    return arena_alloc(arena, count, size);
}

static __init void xz_free(void *arena, void *bytes)
{
    arena_free(arena, bytes);
}

static __init void *gzip_alloc(void *arena, unsigned int count, unsigned int size)
{
    return arena_alloc(arena, count, size);
}

static __init void gzip_free(void *arena, void *bytes)
{
    arena_free(arena, bytes);
}

/* What the filters of the first block need, dictionary included. */
static __init s64 xz_arena_size(const u8 *bytes, u64 size, const char **reason)
{
    static const char broken[] = "xz payload has a broken header";
    u8 options[1024] __aligned_to(16);
    struct decompress_arena arena = {options, sizeof(options), 0, false};
    const lzma_allocator allocator = {xz_alloc, xz_free, &arena};
    lzma_filter filters[LZMA_FILTERS_MAX + 1];
    lzma_block block = {.version = 1, .filters = filters};
    lzma_stream_flags header;
    u64 needed;

    if (size <= LZMA_STREAM_HEADER_SIZE || lzma_stream_header_decode(&header, bytes) != LZMA_OK)
        return fail(reason, -EINVAL, broken);
    bytes += LZMA_STREAM_HEADER_SIZE;
    size -= LZMA_STREAM_HEADER_SIZE;
    if (bytes[0] == 0)
        return fail(reason, -EINVAL, "xz payload is empty");
    block.check = header.check;
    block.header_size = lzma_block_header_size_decode(bytes[0]);
    if (block.header_size > size || lzma_block_header_decode(&block, &allocator, bytes) != LZMA_OK)
        return fail(reason, -EINVAL, broken);
    needed = lzma_raw_decoder_memusage(filters);
    if (needed > INT64_MAX - XZ_ARENA_EXTRA)
        return fail(reason, -EINVAL, broken);
    return (s64)needed + XZ_ARENA_EXTRA;
}

__init s64 decompress_arena_size(enum compression format, const u8 *bytes, u64 size,
                                 const char **reason)
{
    switch (format) {
    case COMPRESSION_GZIP:
        return GZIP_ARENA;
    case COMPRESSION_XZ:
        return xz_arena_size(bytes, size, reason);
    case COMPRESSION_ZSTD:
        return (s64)ZSTD_estimateDCtxSize();
    default:
        return 0;
    }
}

static __init int unpack_gzip(const u8 *bytes, u64 size, u8 *output, u64 output_size,
                              struct decompress_arena *arena, const char **reason)
{
    z_stream stream = {
        .next_in = (u8 *)bytes,
        .avail_in = (unsigned int)size,
        .next_out = output,
        .avail_out = (unsigned int)output_size,
        .zalloc = gzip_alloc,
        .zfree = gzip_free,
        .opaque = arena,
    };

    if (size > UINT32_MAX || output_size > UINT32_MAX)
        return fail(reason, -E2BIG, "gzip payload is too large");
    /* 15: largest window; 16: the gzip wrapper, not zlib's. */
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        return fail(reason, -ENOMEM, "no memory to unpack gzip");
    if (inflate(&stream, Z_FINISH) != Z_STREAM_END || stream.avail_out != 0)
        return fail(reason, -EINVAL, "gzip payload is corrupt");
    return 0;
}

static __init int unpack_xz(const u8 *bytes, u64 size, u8 *output, u64 output_size,
                            struct decompress_arena *arena, const char **reason)
{
    const lzma_allocator allocator = {xz_alloc, xz_free, arena};
    u64 memory_limit = UINT64_MAX; /* the arena is the limit */
    size_t in = 0, out = 0;
    lzma_ret result = lzma_stream_buffer_decode(&memory_limit, 0, &allocator, bytes, &in, size,
                                                output, &out, output_size);

    if (arena->overflowed)
        return fail(reason, -ENOMEM, "no memory to unpack xz");
    if (result != LZMA_OK || out != output_size)
        return fail(reason, -EINVAL, "xz payload is corrupt");
    return 0;
}

static __init int unpack_zstd(const u8 *bytes, u64 size, u8 *output, u64 output_size,
                              struct decompress_arena *arena, const char **reason)
{
    ZSTD_DCtx *context = ZSTD_initStaticDCtx(arena->start, arena->size);
    size_t frame, written;

    if (!context)
        return fail(reason, -ENOMEM, "no memory to unpack zstd");
    /* One frame only: behind it may lie the kernel build's size. */
    frame = ZSTD_findFrameCompressedSize(bytes, size);
    if (ZSTD_isError(frame))
        return fail(reason, -EINVAL, "zstd payload is truncated or corrupt");
    /* The window may be as large as the output, since it is the output. */
    written = ZSTD_decompressDCtx(context, output, output_size, bytes, frame);
    if (ZSTD_isError(written) || written != output_size)
        return fail(reason, -EINVAL, "zstd payload is corrupt");
    return 0;
}

/* An LZ4 length: four bits, and if these are all ones any number of bytes more. */
static __init bool lz4_length(const u8 **in, const u8 *in_end, u64 *length)
{
    u8 more;

    if (*length != 15)
        return true;
    do {
        if (*in == in_end)
            return false;
        more = *(*in)++;
        *length += more;
    } while (more == 255);
    return true;
}

/* Unpacks one LZ4 block into at most out_size bytes; returns how many, or -EINVAL. */
static __init s64 lz4_block(const u8 *in, u64 in_size, u8 *start, u64 out_size)
{
    const u8 *in_end = in + in_size;
    u8 *out = start, *out_end = start + out_size;

    while (in < in_end) {
        u8 token = *in++;
        u64 literals = token >> 4, match = token & 15, distance;

        if (!lz4_length(&in, in_end, &literals) || literals > (u64)(in_end - in) ||
            literals > (u64)(out_end - out))
            return -EINVAL;
        memcpy(out, in, literals);
        in += literals;
        out += literals;
        if (in == in_end)
            return out - start; /* the last sequence has no match */

        if (in_end - in < 2)
            return -EINVAL;
        distance = in[0] | (u64)in[1] << 8;
        in += 2;
        if (!lz4_length(&in, in_end, &match) || distance == 0 || distance > (u64)(out - start))
            return -EINVAL;
        match += 4;
        if (match > (u64)(out_end - out))
            return -EINVAL;
        /* Byte by byte: source and destination overlap, and that is meant. */
        for (; match; match--, out++)
            *out = out[-(s64)distance];
    }
    return -EINVAL;
}

/* Magic, then blocks with their packed sizes in front, until the output is full. */
static __init int unpack_lz4(const u8 *bytes, u64 size, u8 *output, u64 output_size,
                             const char **reason)
{
    u64 at = 4, done = 0;

    while (done < output_size) {
        u64 room = MIN(output_size - done, (u64)LZ4_BLOCK_MAX);
        u64 packed;
        s64 unpacked;

        if (size < 4 || at > size - 4)
            return fail(reason, -EINVAL, "lz4 payload is truncated");
        packed = read_u32(bytes + at);
        at += 4;
        if (packed == LZ4_MAGIC)
            continue; /* two streams in a row */
        if (packed > size - at)
            return fail(reason, -EINVAL, "lz4 payload is truncated");
        unpacked = lz4_block(bytes + at, packed, output + done, room);
        if (unpacked <= 0)
            return fail(reason, -EINVAL, "lz4 payload is corrupt");
        at += packed;
        done += (u64)unpacked;
    }
    return 0;
}

__init int decompress(enum compression format, const u8 *bytes, u64 size, u8 *output,
                      u64 output_size, struct decompress_arena *arena, const char **reason)
{
    switch (format) {
    case COMPRESSION_GZIP:
        return unpack_gzip(bytes, size, output, output_size, arena, reason);
    case COMPRESSION_XZ:
        return unpack_xz(bytes, size, output, output_size, arena, reason);
    case COMPRESSION_ZSTD:
        return unpack_zstd(bytes, size, output, output_size, arena, reason);
    case COMPRESSION_LZ4:
        return unpack_lz4(bytes, size, output, output_size, reason);
    default:
        return fail(reason, -EOPNOTSUPP, "unknown compression format");
    }
}
