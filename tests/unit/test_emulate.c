// sources: emulate/emulate.c emulate/decode.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The instruction executor against this machine's own processor: generated
 * instructions with random operands run natively (from a page of code we write)
 * and through the emulator on a copy of the memory; memory, registers and the
 * defined flags must agree. The same operations in 16- and 32-bit code, which
 * this process cannot run, must come to what their 64-bit forms come to. Then
 * what happens when callbacks fail or race, and where operands lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "emulate_forms.h"

/* The register frame has its own order: by names. */
static void to_frame(const struct native_state *s, struct cpu_user_regs *f)
{
    for (u32 i = 0; i < 16; i++)
        register_write(f, i, 8, 0x40, s->r[i]);
    f->rflags = s->flags;
}

struct context {
    u32 fail_read, fail_write, races, calls;
    u64 base;             /* of all segments */
    enum segment segment; /* last asked for */
    bool written;
    u32 rounds;
    u64 port_value;
};

static u32 do_fetch(void *ctx, u64 rip, u8 *bytes, u32 count)
{
    (void)ctx;
    memcpy(bytes, (void *)rip, count);
    return count;
}

static u8 *in_copy(u64 address, u32 size)
{
    if (address < (u64)data || address + size > (u64)data + DATA_BYTES)
        return NULL;
    return copy + (address - (u64)data);
}

static int do_linear(void *ctx, enum segment segment, u64 offset, u32 size, bool write,
                     u64 *address)
{
    struct context *c = ctx;

    c->segment = segment;
    c->written = write;
    *address = c->base + offset;
    return in_copy(*address, size) ? 0 : -ERANGE;
}

static int do_read(void *ctx, u64 address, u64 *result, u32 size)
{
    struct context *c = ctx;
    u8 *p = in_copy(address, size);
    if (c->fail_read || !p)
        return -EFAULT;
    *result = 0;
    memcpy(result, p, size);
    return 0;
}

static int do_write(void *ctx, u64 address, u64 v, u32 size)
{
    struct context *c = ctx;
    u8 *p = in_copy(address, size);
    if (c->fail_write || !p)
        return -EFAULT;
    assert_true(size == 8 || !(v >> (8 * size)));
    memcpy(p, &v, size);
    return 0;
}

static int do_exchange(void *ctx, u64 address, u64 *expected, u64 v, u32 size)
{
    struct context *c = ctx;
    u8 *p = in_copy(address, size);
    u64 now = 0;

    if (c->fail_write || !p)
        return -EFAULT;
    c->calls++;
    if (c->races) { /* somebody was in between */
        c->races--;
        p[0]++;
    }
    memcpy(&now, p, size);
    if (now != *expected) {
        *expected = now;
        return 1;
    }
    memcpy(p, &v, size);
    return 0;
}

static int do_port(void *ctx, u64 *v, u32 size, bool out)
{
    struct context *c = ctx;

    assert_in_range(size, 1, 4);
    if (out)
        c->port_value = c->port_value * 3 + *v;
    else
        *v = ++c->port_value & ((1UL << (8 * size)) - 1);
    return 0;
}

static void do_round(void *ctx)
{
    ((struct context *)ctx)->rounds++;
}

static const struct emulate_ops ops = {.fetch = do_fetch,
                                       .linear = do_linear,
                                       .read = do_read,
                                       .write = do_write,
                                       .exchange = do_exchange,
                                       .port = do_port,
                                       .round = do_round};

static int run(struct cpu_user_regs *regs, struct context *c, u32 code_bytes, u32 rounds)
{
    struct emulation e = {.regs = regs,
                          .ops = &ops,
                          .ctx = c,
                          .code_bytes = (u8)code_bytes,
                          .stack_bytes = (u8)code_bytes,
                          .rounds = rounds};

    return emulate_instruction(&e);
}

static void place(const struct test_case *t)
{
    const void *back = native_back;
    static const u8 jump[] = {0xff, 0x25, 0, 0, 0, 0}; /* jmp *(%rip) */
    memcpy(code, t->bytes, t->length);
    memcpy(code + t->length, jump, sizeof(jump));
    memcpy(code + t->length + sizeof(jump), &back, sizeof(back));
}

static void show(const struct test_case *t)
{
    fprintf(stderr, "bytes");
    for (u32 i = 0; i < t->length; i++)
        fprintf(stderr, " %02x", t->bytes[i]);
    fprintf(stderr, ", flags %lx\n", t->start.flags);
}

static int emulate(const struct test_case *t, struct cpu_user_regs *regs, struct context *c)
{
    int status, steps = 0;

    memset(regs, 0, sizeof(*regs));
    to_frame(&t->start, regs);
    regs->rip = (u64)code;
    do { /* a repeated string instruction goes on where it is */
        status = run(regs, c, 8, 1 + t->length % 4);
    } while (!status && regs->rip == (u64)code && ++steps < 20);
    return status;
}

static void fill_data(void)
{
    for (u32 i = 0; i < DATA_BYTES / 8; i++)
        ((u64 *)data)[i] = value();
}

static void test_against_processor(void **state)
{
    (void)state;
    struct test_case t;
    struct cpu_user_regs regs;

    for (u32 round = 0; round < 200000; round++) {
        if (!(round % 1000))
            fill_data();
        make_case(&t);
        place(&t);
        memcpy(copy, data, DATA_BYTES);
        struct context c = {0};
        int status = emulate(&t, &regs, &c);
        if (status) { /* the processor might fault on it as well */
            fprintf(stderr, "status %d\n", status);
            show(&t);
        }
        assert_int_equal(status, 0);
        native_state = t.start;
        native_target = code;
        native_run();
        bool bad = memcmp(copy, data, DATA_BYTES) || regs.rip != (u64)code + t.length;
        for (u32 i = 0; i < 16; i++)
            if (register_read(&regs, i, 8, 0x40) != native_state.r[i]) {
                fprintf(stderr, "r%u is %lx, not %lx\n", i, register_read(&regs, i, 8, 0x40),
                        native_state.r[i]);
                bad = true;
            }
        u64 mask = (ARITHMETIC | DF) & ~(u64)t.undefined;
        if ((regs.rflags ^ native_state.flags) & mask) {
            fprintf(stderr, "flags %lx, not %lx\n", regs.rflags, native_state.flags);
            bad = true;
        }
        if (bad)
            show(&t);
        assert_false(bad);
    }
}

static void test_loads_against_processor(void **state)
{
    loads = true;
    test_against_processor(state);
    loads = false;
}

/* A callback's refusal: its errno, and nothing has changed. */
static void test_failing_callbacks(void **state)
{
    (void)state;
    struct test_case t;
    struct cpu_user_regs regs, start;

    for (u32 round = 0; round < 20000; round++) {
        make_case(&t);
        place(&t);
        memcpy(copy, data, DATA_BYTES);
        memcpy(before, copy, DATA_BYTES);
        struct context c = {.fail_write = 1, .fail_read = round & 1};
        bool nothing_to_do = t.form->kind == STRING && t.bytes[0] != t.form->opcode &&
                             !t.start.r[1];
        int status = emulate(&t, &regs, &c);
        if ((nothing_to_do || (t.form->kind == COMPARE_EXCHANGE && !c.fail_read)) && !status)
            continue; /* another value was there: nothing is written */
        memset(&start, 0, sizeof(start));
        to_frame(&t.start, &start);
        start.rip = (u64)code;
        if (status != -EFAULT || memcmp(&start, &regs, sizeof(regs)))
            show(&t);
        assert_int_equal(status, -EFAULT);
        assert_memory_equal(&start, &regs, sizeof(regs));
        assert_memory_equal(copy, before, DATA_BYTES);
    }
}

static void test_failing_loads(void **state)
{
    (void)state;
    struct test_case t;
    struct cpu_user_regs regs, start;

    loads = true;
    for (u32 round = 0; round < 20000; round++) {
        make_case(&t);
        place(&t);
        struct context c = {.fail_write = 1, .fail_read = 1};
        memset(&start, 0, sizeof(start));
        to_frame(&t.start, &start);
        start.rip = (u64)code;
        if (t.form->kind == STRING && !(u8)t.start.r[1])
            continue;
        assert_int_equal(emulate(&t, &regs, &c), -EFAULT);
        assert_memory_equal(&start, &regs, sizeof(regs));
    }
    loads = false;
}

/* Somebody else writes between read and exchange: the result is that of the later value. */
static void test_races(void **state)
{
    (void)state;
    struct test_case t = {
        .form = &forms[1], .length = 3, .operand = 8, .bytes = {0x48, 0x01, 0x03}};
    struct cpu_user_regs regs;
    struct context c = {.races = 3};
    u64 result;

    place(&t);
    t.start.r[0] = 1000;
    t.start.r[3] = (u64)data;
    memset(copy, 0, 8);
    assert_int_equal(emulate(&t, &regs, &c), 0);
    memcpy(&result, copy, 8);
    assert_int_equal(result, 1003);
    assert_int_equal(c.calls, 4);

    /* XADD gives back what was really there; CMPXCHG with a stale value does not write. */
    memcpy(t.bytes, (u8[]){0x48, 0x0f, 0xc1, 0x03}, t.length = 4);
    place(&t);
    c = (struct context){.races = 2};
    memset(copy, 0, 8);
    assert_int_equal(emulate(&t, &regs, &c), 0);
    assert_int_equal(regs.rax, 2);
    memcpy(t.bytes, (u8[]){0x48, 0x0f, 0xb1, 0x0b}, 4);
    place(&t);
    c = (struct context){.races = 1};
    t.start.r[0] = 0;
    t.start.r[1] = 77;
    memset(copy, 0, 8);
    assert_int_equal(emulate(&t, &regs, &c), 0);
    assert_int_equal(regs.rax, 1);
    assert_false(regs.rflags & ZF);
    memcpy(&result, copy, 8);
    assert_int_equal(result, 1);
}

/* What is not for this executor changes nothing. */
static void test_not_handled(void **state)
{
    (void)state;
    static const u8 others[][6] = {
        {0x90},                /* NOP */
        {0x48, 0x89, 0xc3},    /* register to register */
        {0xff, 0x13},          /* CALL through memory */
        {0xf7, 0x23},          /* MUL */
        {0xc7, 0x0b},          /* no such member of its group */
        {0x0f, 0xba, 0x1b, 1}, /* nor of this */
        {0x0f, 0xff},          /* UD0 */
        {0xc5, 0xf8},          /* VEX */
    };
    struct cpu_user_regs regs, start;

    for (u32 i = 0; i < ARRAY_SIZE(others); i++) {
        struct context c = {0};
        memset(code, 0x90, 64);
        memcpy(code, others[i], sizeof(others[i]));
        memset(&regs, 0, sizeof(regs));
        regs.rbx = regs.rsi = regs.rdi = (u64)data;
        regs.rip = (u64)code;
        start = regs;
        memcpy(before, copy, DATA_BYTES);
        assert_int_equal(run(&regs, &c, 8, 1), -EOPNOTSUPP);
        assert_memory_equal(&regs, &start, sizeof(regs));
        assert_memory_equal(copy, before, DATA_BYTES);
    }
}

/* The same operation in 16- or 32-bit code and in 64-bit code, on the same operands: prefixes
 * give both the same sizes. */
static void test_other_code_sizes(void **state)
{
    (void)state;
    const struct form *form;
    struct cpu_user_regs regs[2];
    u8 *result = before;

    for (u32 round = 0; round < 100000; round++) {
        u32 narrow = below(2) ? 2 : 4, operand_16 = (u32)below(2), n = 0, immediate;
        u64 where = 64 + below(DATA_BYTES / 2), extension, initial[8];

        loads = below(2);
        form = loads ? &load_forms[below(ARRAY_SIZE(load_forms))]
                     : &forms[below(ARRAY_SIZE(forms))];
        if (form->opcode == 0x63 || form->opcode == 0x0fc3 || form->kind == OFFSET ||
            form->kind == BITS_REGISTER)
            continue;
        extension = form->extension >= 0 ? (u64)form->extension : below(4); /* not BX */
        if (extension == 3 && form->extension < 0)
            extension = 2;
        immediate = form->immediate == 4 && operand_16 ? 2 : form->immediate;
        u64 bytes = draw();
        for (u32 i = 0; i < 8; i++)
            initial[i] = (u32)value();
        for (u32 way = 0; way < 2; way++) {
            u32 size = way ? 8 : narrow;
            struct cpu_user_regs *r = &regs[way];
            struct context c = {.base = way ? 0 : (u64)data - 16};

            n = 0;
            if (operand_16 != (size == 2))
                code[n++] = 0x66;
            if (form->opcode >= 0x100)
                code[n++] = 0x0f;
            code[n++] = (u8)form->opcode;
            if (form->kind != STRING) { /* [BX] or [EBX] or [RBX] */
                code[n++] = (u8)(extension << 3 | (size == 2 ? 7 : 3));
                memcpy(code + n, &bytes, 8);
                n += immediate;
            }
            memset(r, 0, sizeof(*r));
            for (u32 i = 0; i < 8; i++)
                register_write(r, i, 8, 0x40, initial[i]);
            r->rip = (u64)code;
            r->rflags = 2 | (initial[0] & ARITHMETIC);
            /* Above the offset there is something in 16-bit code that does not count. */
            u64 offset = way ? (u64)data - 16 + where : size == 2 ? where | 0xabcd0000 : where;
            r->rbx = offset;
            r->rsi = offset;
            r->rdi = offset + 8;
            memcpy(copy, data, DATA_BYTES);
            assert_int_equal(run(r, &c, size, 1), 0);
            assert_int_equal(r->rip, (u32)(u64)code + n);
            r->rip = 0;
            if (form->kind == STRING) { /* as far from where it began */
                r->rsi -= offset;
                r->rdi -= offset;
            } else {
                assert_int_equal(r->rbx, offset);
                r->rsi = r->rdi = 0;
            }
            r->rbx = 0;
            if (!way)
                memcpy(result, copy, DATA_BYTES);
        }
        assert_memory_equal(&regs[0], &regs[1], sizeof(regs[0]));
        assert_memory_equal(result, copy, DATA_BYTES);
    }
    loads = false;
}

static u32 set_code(struct cpu_user_regs *regs, const u8 *bytes, u32 length)
{
    memset(regs, 0, sizeof(*regs));
    memcpy(code, bytes, length);
    regs->rip = (u64)code;
    regs->rflags = 2;
    return length;
}
#define CODE(regs, ...) set_code(regs, (const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))

/* Registers of string instructions wrap at their address size, and rounds are limited. */
static void test_strings(void **state)
{
    (void)state;
    struct cpu_user_regs regs;
    struct context c = {.base = (u64)data};
    u32 length = CODE(&regs, 0xf3, 0xaa); /* rep stosb in 16-bit code */

    memset(copy, 0, DATA_BYTES);
    regs.rax = 0x5a;
    regs.rcx = 0xffff0000 + 20;
    regs.rdi = 0x1234fff8;
    assert_int_equal(run(&regs, &c, 2, 8), 0);
    assert_int_equal(regs.rip, (u64)code); /* not done yet */
    assert_int_equal(c.rounds, 8);
    assert_int_equal(c.segment, SEGMENT_ES);
    assert_int_equal(regs.rcx, 0xffff0000 + 12);
    assert_int_equal(regs.rdi, 0x12340000);
    assert_int_equal(copy[0xffff], 0x5a);
    assert_int_equal(run(&regs, &c, 2, 64), 0);
    assert_int_equal(regs.rip, (u32)(u64)code + length);
    assert_int_equal(c.rounds, 20);
    assert_int_equal(regs.rcx, 0xffff0000);
    assert_int_equal(copy[11], 0x5a);
    assert_int_equal(copy[12], 0);

    /* With the trap flag, one round. */
    CODE(&regs, 0xf3, 0xab);
    regs.rflags |= 0x100;
    regs.rcx = 3;
    regs.rdi = (u64)data;
    c = (struct context){0};
    assert_int_equal(run(&regs, &c, 8, 64), 0);
    assert_int_equal(regs.rcx, 2);

    /* A failure behind complete rounds is left for the next time; -EFAULT at once is told. */
    CODE(&regs, 0xf3, 0xab);
    regs.rcx = 5;
    regs.rdi = (u64)data + DATA_BYTES - 8;
    assert_int_equal(run(&regs, &c, 8, 64), 0);
    assert_int_equal(regs.rcx, 3);
    assert_int_equal(regs.rip, (u64)code);
    assert_int_equal(run(&regs, &c, 8, 64), -ERANGE);

    /* Ports: at most four bytes, REX or not; the source's segment may be another. */
    length = CODE(&regs, 0xf3, 0x48, 0x6d);
    regs.rcx = 2;
    regs.rdi = (u64)data;
    c = (struct context){.port_value = 7};
    assert_int_equal(run(&regs, &c, 8, 64), 0);
    assert_int_equal(regs.rdi, (u64)data + 8);
    assert_int_equal(copy[0], 8);
    assert_int_equal(copy[4], 9);
    assert_int_equal(regs.rip, (u64)code + length);
    CODE(&regs, 0x26, 0x6e);
    regs.rsi = 4;
    c = (struct context){.base = (u64)data};
    assert_int_equal(run(&regs, &c, 4, 64), 0);
    assert_int_equal(c.port_value, 9);
    assert_int_equal(c.segment, SEGMENT_ES);
}

/* PUSH of memory, by the sizes of code and stack; and which segment an operand is in. */
static void test_push(void **state)
{
    (void)state;
    static const struct {
        u8 code_bytes, prefix, pushed;
    } cases[] = {{8, 0x90, 8}, {8, 0x66, 2}, {4, 0x90, 4},
                 {4, 0x66, 2}, {2, 0x90, 2}, {2, 0x66, 4}};

    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cpu_user_regs regs;
        struct context c = {.base = cases[i].code_bytes == 8 ? 0 : (u64)data};
        u32 prefix = cases[i].prefix == 0x66;
        u64 offset = (cases[i].code_bytes == 8 ? (u64)data : 0) + 0x100;

        set_code(&regs, (u8[]){0x66, 0xff, cases[i].code_bytes == 2 ? 0x37 : 0x33} + !prefix,
                 2 + prefix);
        memset(copy, 0, DATA_BYTES);
        memcpy(copy + 0x100, "abcdefgh", 8);
        regs.rbx = offset;
        regs.rsp = offset + 0x100;
        assert_int_equal(run(&regs, &c, cases[i].code_bytes, 1), 0);
        assert_int_equal(regs.rsp, offset + 0x100 - cases[i].pushed);
        assert_memory_equal(copy + 0x200 - cases[i].pushed, "abcdefgh", cases[i].pushed);
        assert_int_equal(copy[0x200 - cases[i].pushed - 1], 0);
        assert_int_equal(c.segment, SEGMENT_SS);
        assert_true(c.written);
    }
}

static int setup(void **state)
{
    (void)state;
    /* Low addresses, so that 32-bit ones and displacements reach them. */
    code = mmap(NULL, 4096 + DATA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (code == MAP_FAILED)
        return -1;
    data = code + 4096;
    copy = malloc(DATA_BYTES);
    before = malloc(DATA_BYTES);
    fill_data();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(copy);
    free(before);
    return munmap(code, 4096 + DATA_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_processor),
        cmocka_unit_test(test_loads_against_processor),
        cmocka_unit_test(test_failing_callbacks),
        cmocka_unit_test(test_failing_loads),
        cmocka_unit_test(test_races),
        cmocka_unit_test(test_not_handled),
        cmocka_unit_test(test_other_code_sizes),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_push),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
