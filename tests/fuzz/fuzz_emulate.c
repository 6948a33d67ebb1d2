// sources: emulate/emulate.c emulate/decode.c
// options: -max_len=256
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as code and registers, callbacks that sometimes fail, wait or race:
 * the executor ends, asks only for good sizes, and on failure has changed no
 * register and written nothing but in complete rounds of a string instruction.
 * One that is told to wait (-EAGAIN) makes the same accesses when done again.
 */
#include <stdlib.h>
#include <string.h>

#include "emulate/emulate.h"

#define ACCESSES 16

struct run {
    u8 code[INSTRUCTION_MAX];
    u32 code_bytes, writes, tries, rounds;
    u64 script;                        /* two bits each: how the next callbacks go */
    u64 made[ACCESSES];                /* in this round, to be made again */
    u32 count, again;                  /* of them; made again so far */
    struct cpu_user_regs *regs, start; /* start: as the last complete round has left them */
};

static void good_size(u32 size)
{
    if (size != 1 && size != 2 && size != 4 && size != 8)
        abort();
}

static u32 next(struct run *r)
{
    u32 way = r->script & 3;
    r->script >>= 2;
    return way;
}

/* The way of an access to a device: one that was made before is answered as then. */
static int access_way(struct run *r, u64 address, u32 size, u32 kind)
{
    u64 what = address * 64 + size * 4 + kind;
    u32 way;

    if (r->again < r->count) {
        if (r->made[r->again++] != what)
            abort();
        return 0;
    }
    way = next(r);
    if (way == 3)
        return -EFAULT;
    if (r->count == ACCESSES)
        abort();
    r->made[r->count++] = what;
    if (way == 2)
        return -EAGAIN;
    r->again++;
    return 0;
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

static int do_linear(void *ctx, enum segment segment, u64 offset, u32 size, bool write,
                     u64 *address)
{
    (void)write;
    good_size(size);
    if (segment > SEGMENT_GS)
        abort();
    *address = segment * 0x1000 + offset;
    return next(ctx) == 3 ? -EFAULT : 0;
}

static int do_read(void *ctx, u64 address, u64 *value, u32 size)
{
    good_size(size);
    *value = size == 8 ? ~address : ~address & ((1UL << (8 * size)) - 1);
    return access_way(ctx, address, size, 0);
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
    int status;

    fits(value, size);
    status = access_way(r, address, size, 1);
    r->writes += !status;
    return status;
}

static int do_port(void *ctx, u64 *value, u32 size, bool out)
{
    struct run *r = ctx;

    if (size > 4)
        abort();
    good_size(size);
    if (!out)
        *value = 0x12345678 & (~0U >> (32 - 8 * size));
    return access_way(r, (u16)r->regs->rdx, size, out ? 2 : 3);
}

static void do_round(void *ctx)
{
    struct run *r = ctx;

    r->start = *r->regs;
    r->writes = r->count = r->again = 0;
    r->rounds++;
}

static int do_exchange(void *ctx, u64 address, u64 *expected, u64 value, u32 size)
{
    struct run *r = ctx;
    (void)address;
    fits(value, size);
    fits(*expected, size);
    if (++r->tries > 40)
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
                                           .linear = do_linear,
                                           .read = do_read,
                                           .write = do_write,
                                           .exchange = do_exchange,
                                           .port = do_port,
                                           .round = do_round};
    struct run run = {0};
    struct cpu_user_regs regs = {0};
    struct emulation e = {.regs = &regs, .ops = &ops, .ctx = &run, .rounds = 5};
    u64 rip;
    int status;

    if (size < 11)
        return 0;
    e.code_bytes = (u8)(2U << input[0] % 3);
    e.stack_bytes = (u8)(2U << input[0] / 3 % 3);
    run.code_bytes = input[1] & 15;
    memcpy(&run.script, input + 2, 8);
    if (run.code_bytes > size - 10)
        run.code_bytes = (u32)size - 10;
    memcpy(run.code, input + 10, run.code_bytes);
    size_t rest = size - 10 - run.code_bytes;
    memcpy(&regs, input + size - rest, rest < sizeof(regs) ? rest : sizeof(regs));
    run.regs = &regs;
    run.start = regs;
    rip = regs.rip;
    do {
        run.again = 0;
        status = emulate_instruction(&e);
        if (status && memcmp(&regs, &run.start, sizeof(regs)))
            abort();
    } while (status == -EAGAIN);
    if (status > 0 || run.writes > 1 || (status && run.writes) || run.rounds > 5 * 33)
        abort();
    u64 length = regs.rip - rip;
    if (!status && ((e.code_bytes == 8 ? length : (u32)length) > run.code_bytes ||
                    regs.cs != run.start.cs || regs.ss != run.start.ss))
        abort();
    return 0;
}
