// sources: emulate/emulate.c emulate/decode.c
// options: -max_len=256
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as code and registers, callbacks that sometimes fail or race:
 * the executor ends, asks only for good sizes, and on failure has changed no
 * register and written nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "emulate/emulate.h"

struct run {
    u8 code[INSTRUCTION_MAX];
    u32 code_bytes, writes, tries;
    u8 script; /* bits: how the next callbacks go */
};

static void good_size(u32 size)
{
    if (size != 1 && size != 2 && size != 4 && size != 8)
        abort();
}

static u32 next(struct run *r)
{
    u32 way = r->script & 3;
    r->script = (u8)(r->script >> 2);
    return way;
}

static u32 do_fetch(void *ctx, u64 rip, u8 *bytes, u32 count)
{
    struct run *r = ctx;
    (void)rip;
    if (count > INSTRUCTION_MAX)
        abort();
    memcpy(bytes, r->code, r->code_bytes);
    return r->code_bytes;
}

static u64 do_segment_base(void *ctx, enum segment segment)
{
    (void)ctx;
    if (segment > SEGMENT_GS)
        abort();
    return segment * 0x1000;
}

static int do_read(void *ctx, u64 address, u64 *value, u32 size)
{
    good_size(size);
    *value = size == 8 ? ~address : ~address & ((1UL << (8 * size)) - 1);
    return next(ctx) == 3 ? -EFAULT : 0;
}

static void fits(u64 value, u32 size)
{
    good_size(size);
    if (size < 8 && value >> (8 * size))
        abort();
}

static int do_write(void *ctx, u64 address, u64 value, u32 size)
{
    struct run *r = ctx;
    (void)address;
    fits(value, size);
    if (next(r) == 3)
        return -EFAULT;
    r->writes++;
    return 0;
}

static int do_exchange(void *ctx, u64 address, u64 *expected, u64 value, u32 size)
{
    struct run *r = ctx;
    (void)address;
    fits(value, size);
    fits(*expected, size);
    if (++r->tries > 8)
        abort(); /* the script is long over */
    switch (next(r)) {
    case 3:
        return -EFAULT;
    case 2:
        *expected ^= 1;
        return 1;
    }
    r->writes++;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static const struct emulate_ops ops = {.fetch = do_fetch,
                                           .segment_base = do_segment_base,
                                           .read = do_read,
                                           .write = do_write,
                                           .exchange = do_exchange};
    struct run run = {0};
    struct cpu_user_regs regs = {0}, start;

    if (size < 4)
        return 0;
    run.script = input[0];
    bool long_mode = input[1] & 1;
    run.code_bytes = input[1] >> 1 & 15;
    if (run.code_bytes > size - 2)
        run.code_bytes = (u32)size - 2;
    memcpy(run.code, input + 2, run.code_bytes);
    size_t rest = size - 2 - run.code_bytes;
    memcpy(&regs, input + size - rest, rest < sizeof(regs) ? rest : sizeof(regs));
    start = regs;
    bool load = input[1] & 32;
    int status = (load ? emulate_memory_read : emulate_memory_write)(&regs, long_mode, &ops, &run);
    if (status > 0 || run.writes > !load)
        abort();
    if (status && (run.writes || memcmp(&regs, &start, sizeof(regs))))
        abort();
    if (!status &&
        (regs.rip - start.rip > run.code_bytes || regs.cs != start.cs || regs.ss != start.ss))
        abort();
    return 0;
}
