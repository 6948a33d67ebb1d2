/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions at random for test_emulate.c: a way to run one on this machine's
 * own processor, the forms that the emulator knows, and cases made of them with
 * operands in a page of data.
 */
#include <stdint.h>
#include <string.h>

#include "emulate/emulate.h"

#define DATA_BYTES 65536u
#define CF         0x001u
#define PF         0x004u
#define AF         0x010u
#define ZF         0x040u
#define SF         0x080u
#define DF         0x400u
#define OF         0x800u
#define ARITHMETIC (CF | PF | AF | ZF | SF | OF)

/* Registers by number, as the processor counts them, for the code below. */
struct native_state {
    u64 r[16];
    u64 flags;
};
struct native_state native_state;
u64 native_host_rsp;
const void *native_target;
void native_run(void);
extern char native_back[];

__asm__(".text\n"
        "native_run:\n"
        " push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        " mov %rsp, native_host_rsp(%rip)\n"
        " pushq native_state+128(%rip); popfq\n"
        " mov native_state+0(%rip), %rax; mov native_state+8(%rip), %rcx\n"
        " mov native_state+16(%rip), %rdx; mov native_state+24(%rip), %rbx\n"
        " mov native_state+32(%rip), %rsp; mov native_state+40(%rip), %rbp\n"
        " mov native_state+48(%rip), %rsi; mov native_state+56(%rip), %rdi\n"
        " mov native_state+64(%rip), %r8; mov native_state+72(%rip), %r9\n"
        " mov native_state+80(%rip), %r10; mov native_state+88(%rip), %r11\n"
        " mov native_state+96(%rip), %r12; mov native_state+104(%rip), %r13\n"
        " mov native_state+112(%rip), %r14; mov native_state+120(%rip), %r15\n"
        " jmp *native_target(%rip)\n"
        "native_back:\n"
        " mov %rax, native_state+0(%rip); mov %rcx, native_state+8(%rip)\n"
        " mov %rdx, native_state+16(%rip); mov %rbx, native_state+24(%rip)\n"
        " mov %rsp, native_state+32(%rip); mov %rbp, native_state+40(%rip)\n"
        " mov %rsi, native_state+48(%rip); mov %rdi, native_state+56(%rip)\n"
        " mov %r8, native_state+64(%rip); mov %r9, native_state+72(%rip)\n"
        " mov %r10, native_state+80(%rip); mov %r11, native_state+88(%rip)\n"
        " mov %r12, native_state+96(%rip); mov %r13, native_state+104(%rip)\n"
        " mov %r14, native_state+112(%rip); mov %r15, native_state+120(%rip)\n"
        " mov native_host_rsp(%rip), %rsp\n"
        " pushfq; popq native_state+128(%rip); cld\n"
        " pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

static u8 *code, *data, *copy, *before;
static u64 seed = 0x2545f4914f6cdd1d;

static u64 draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x9e3779b97f4a7c15;
}

static u64 below(u64 n)
{
    return (draw() >> 11) % n;
}

/* Random, with the values at the edges more often than chance. */
static u64 value(void)
{
    static const u64 edges[] = {0,
                                1,
                                0x7f,
                                0x80,
                                0xff,
                                0x7fff,
                                0x8000,
                                0xffff,
                                0x7fffffff,
                                0x80000000,
                                0xffffffff,
                                0x7fffffffffffffff,
                                0x8000000000000000,
                                ~0UL,
                                ~0UL - 1};
    return below(3) ? draw() : edges[below(ARRAY_SIZE(edges))];
}

/* What kinds of instructions there are, by opcode. */
enum kind { PLAIN, BITS_REGISTER, BITS_IMMEDIATE, COMPARE_EXCHANGE, STRING, SHIFT, OFFSET };

static const struct form {
    u16 opcode;   /* 0x0fXX: after 0F */
    s8 extension; /* ModRM.reg, -1: a register */
    u8 immediate; /* bytes; 4: by operand size */
    bool byte, lockable;
    u32 undefined; /* flags */
    enum kind kind;
} forms[] = {
#define ARITHMETIC_FORMS(op, undefined)                                                            \
    {0x00 + 8 * (op), -1, 0, true, true, undefined, PLAIN},                                        \
        {0x01 + 8 * (op), -1, 0, false, true, undefined, PLAIN},                                   \
        {0x80, op, 1, true, true, undefined, PLAIN}, {0x81, op, 4, false, true, undefined, PLAIN}, \
    {                                                                                              \
        0x83, op, 1, false, true, undefined, PLAIN                                                 \
    }
    ARITHMETIC_FORMS(0, 0),
    ARITHMETIC_FORMS(1, AF),
    ARITHMETIC_FORMS(2, 0),
    ARITHMETIC_FORMS(3, 0),
    ARITHMETIC_FORMS(4, AF),
    ARITHMETIC_FORMS(5, 0),
    ARITHMETIC_FORMS(6, AF),
    {0x86, -1, 0, true, true, 0, PLAIN},
    {0x87, -1, 0, false, true, 0, PLAIN},
    {0x88, -1, 0, true, false, 0, PLAIN},
    {0x89, -1, 0, false, false, 0, PLAIN},
    {0xc6, 0, 1, true, false, 0, PLAIN},
    {0xc7, 0, 4, false, false, 0, PLAIN},
    {0xf6, 2, 0, true, true, 0, PLAIN},
    {0xf7, 2, 0, false, true, 0, PLAIN},
    {0xf6, 3, 0, true, true, 0, PLAIN},
    {0xf7, 3, 0, false, true, 0, PLAIN},
    {0xfe, 0, 0, true, true, 0, PLAIN},
    {0xff, 0, 0, false, true, 0, PLAIN},
    {0xfe, 1, 0, true, true, 0, PLAIN},
    {0xff, 1, 0, false, true, 0, PLAIN},
#define SHIFT_FORMS(op)                                                              \
    {0xc0, op, 1, true, false, 0, SHIFT}, {0xc1, op, 1, false, false, 0, SHIFT},     \
        {0xd0, op, 0, true, false, 0, SHIFT}, {0xd1, op, 0, false, false, 0, SHIFT}, \
        {0xd2, op, 0, true, false, 0, SHIFT},                                        \
    {                                                                                \
        0xd3, op, 0, false, false, 0, SHIFT                                          \
    }
    SHIFT_FORMS(0),
    SHIFT_FORMS(1),
    SHIFT_FORMS(2),
    SHIFT_FORMS(3),
    SHIFT_FORMS(4),
    SHIFT_FORMS(5),
    SHIFT_FORMS(7),
    {0xa2, -1, 0, true, false, 0, OFFSET},
    {0xa3, -1, 0, false, false, 0, OFFSET},
    {0xa4, -1, 0, true, false, 0, STRING},
    {0xa5, -1, 0, false, false, 0, STRING},
    {0xaa, -1, 0, true, false, 0, STRING},
    {0xab, -1, 0, false, false, 0, STRING},
    {0x0fab, -1, 0, false, true, OF | SF | AF | PF, BITS_REGISTER},
    {0x0fb3, -1, 0, false, true, OF | SF | AF | PF, BITS_REGISTER},
    {0x0fbb, -1, 0, false, true, OF | SF | AF | PF, BITS_REGISTER},
    {0x0fba, 5, 1, false, true, OF | SF | AF | PF, BITS_IMMEDIATE},
    {0x0fba, 6, 1, false, true, OF | SF | AF | PF, BITS_IMMEDIATE},
    {0x0fba, 7, 1, false, true, OF | SF | AF | PF, BITS_IMMEDIATE},
    {0x0fb0, -1, 0, true, true, 0, COMPARE_EXCHANGE},
    {0x0fb1, -1, 0, false, true, 0, COMPARE_EXCHANGE},
    {0x0fc0, -1, 0, true, true, 0, PLAIN},
    {0x0fc1, -1, 0, false, true, 0, PLAIN},
    {0x0fc3, -1, 0, false, false, 0, PLAIN},
};

/* Those that only read memory. */
static const struct form load_forms[] = {
#define LOAD_FORMS(op, undefined)                              \
    {0x02 + 8 * (op), -1, 0, true, false, undefined, PLAIN},   \
    {                                                          \
        0x03 + 8 * (op), -1, 0, false, false, undefined, PLAIN \
    }
    LOAD_FORMS(0, 0),
    LOAD_FORMS(1, AF),
    LOAD_FORMS(2, 0),
    LOAD_FORMS(3, 0),
    LOAD_FORMS(4, AF),
    LOAD_FORMS(5, 0),
    LOAD_FORMS(6, AF),
    LOAD_FORMS(7, 0),
    {0x38, -1, 0, true, false, 0, PLAIN},
    {0x39, -1, 0, false, false, 0, PLAIN},
    {0x80, 7, 1, true, false, 0, PLAIN},
    {0x81, 7, 4, false, false, 0, PLAIN},
    {0x83, 7, 1, false, false, 0, PLAIN},
    {0x84, -1, 0, true, false, AF, PLAIN},
    {0x85, -1, 0, false, false, AF, PLAIN},
    {0xf6, 0, 1, true, false, AF, PLAIN},
    {0xf7, 0, 4, false, false, AF, PLAIN},
    {0x8a, -1, 0, true, false, 0, PLAIN},
    {0x8b, -1, 0, false, false, 0, PLAIN},
    {0x63, -1, 0, false, false, 0, PLAIN}, /* MOVSXD */
    {0xa0, -1, 0, true, false, 0, OFFSET},
    {0xa1, -1, 0, false, false, 0, OFFSET},
    {0xa6, -1, 0, true, false, 0, STRING}, /* CMPS, LODS, SCAS */
    {0xa7, -1, 0, false, false, 0, STRING},
    {0xac, -1, 0, true, false, 0, STRING},
    {0xad, -1, 0, false, false, 0, STRING},
    {0xae, -1, 0, true, false, 0, STRING},
    {0xaf, -1, 0, false, false, 0, STRING},
    {0x0fa3, -1, 0, false, false, OF | SF | AF | PF, BITS_REGISTER},
    {0x0fba, 4, 1, false, false, OF | SF | AF | PF, BITS_IMMEDIATE},
    {0x0fb6, -1, 0, false, false, 0, PLAIN}, /* MOVZX, MOVSX */
    {0x0fb7, -1, 0, false, false, 0, PLAIN},
    {0x0fbe, -1, 0, false, false, 0, PLAIN},
    {0x0fbf, -1, 0, false, false, 0, PLAIN},
};
static bool loads; /* which of the two tables is drawn from */

struct test_case {
    const struct form *form;
    u8 bytes[32];
    u32 length, operand;
    u32 undefined; /* flags */
    struct native_state start;
};

static void put(struct test_case *t, u64 v, u32 bytes)
{
    memcpy(t->bytes + t->length, &v, bytes);
    t->length += bytes;
}

/* The register that an instruction's reg field names must not be one of these when its value
 * matters. */
static void make_operand(struct test_case *t, u8 *rex, bool short_address, u64 target, u32 tail)
{
    u32 mod = (u32)below(3), base = (u32)below(16), index = (u32)below(16), scale = (u32)below(4);
    u32 reg = t->form->extension >= 0 ? (u32)t->form->extension : (u32)below(16);
    u64 index_value = below(256), garbage = short_address ? draw() << 32 : 0;
    bool sib = (base & 7) == 4 || !below(3), rip_relative = !sib && mod == 0 && (base & 7) == 5;
    bool no_base = sib && mod == 0 && (base & 7) == 5;
    s64 disp = mod == 1 ? (s8)draw() : mod == 2 ? (s32)below(1 << 20) - (1 << 19) : 0;

    if (index == base)
        index = base == 2 ? 3 : 2;
    if (t->form->kind == BITS_REGISTER) {
        /* The bit's number reaches beyond the operand: keep it in reach, garbage above it. */
        u32 bits = 8 * t->operand;
        u64 offset = (u64)((s64)below(8192) - 4096);
        while (reg == base || reg == index)
            reg = (u32)below(16);
        t->start.r[reg] = bits == 64 ? offset : (offset & ((1UL << bits) - 1)) | draw() << bits;
    }
    *rex |= (u8)((reg & 8) >> 1 | (sib && index != 4 ? (index & 8) >> 2 : 0) | (base & 8) >> 3);
    if (sib && index != 4)
        t->start.r[index] = index_value | garbage;
    else
        index_value = 0;
    u64 scaled = sib ? index_value << scale : 0;
    t->bytes[t->length++] = 0; /* ModRM, below; REX and opcode are already there */
    u32 modrm_at = t->length - 1;
    t->bytes[modrm_at] = (u8)(mod << 6 | (reg & 7) << 3 | (sib ? 4 : base & 7));
    if (sib)
        put(t, scale << 6 | (index & 7) << 3 | (base & 7), 1);
    if (rip_relative) {
        put(t, target - ((u64)code + t->length + 4 + tail), 4);
        return;
    }
    if (no_base) {
        put(t, target - scaled, 4);
        return;
    }
    t->start.r[base] = short_address ? (u32)(target - (u64)disp - scaled) | garbage
                                     : target - (u64)disp - scaled;
    if (mod)
        put(t, (u64)disp, mod == 1 ? 1 : 4);
}

static void try_case(struct test_case *t)
{
    bool operand_16 = !below(3), short_address, lock;
    u8 rex = 0;

    memset(t, 0, sizeof(*t));
    t->form = loads ? &load_forms[below(ARRAY_SIZE(load_forms))] : &forms[below(ARRAY_SIZE(forms))];
    for (u32 i = 0; i < 16; i++)
        t->start.r[i] = value();
    t->start.flags = (draw() & ARITHMETIC) | 0x202;
    short_address = !below(5);
    lock = t->form->lockable && !below(3);
    if (t->form->opcode == 0x0fc3)
        operand_16 = false; /* MOVNTI has no 16-bit form */
    if (operand_16)
        put(t, 0x66, 1);
    if (short_address)
        put(t, 0x67, 1);
    if (!below(4))
        put(t, below(2) ? 0x3e : 0x65, 1); /* DS; GS, whose base is 0 in this process */
    if (lock)
        put(t, 0xf0, 1);
    bool repeat = t->form->kind == STRING && below(2);
    if (repeat)
        put(t, below(2) ? 0xf3 : 0xf2, 1);
    if (below(2))
        rex = (u8)(0x40 | (below(2) ? 8 : 0));
    t->operand = t->form->byte ? 1 : rex & 8 ? 8 : operand_16 ? 2 : 4;
    u32 immediate = t->form->immediate == 4 && t->operand == 2 ? 2 : t->form->immediate;
    u64 target = (u64)data + 8192 + below(DATA_BYTES - 16384);

    t->undefined = t->form->undefined;
    if (t->form->kind == OFFSET) {
        if (rex)
            put(t, rex, 1);
        put(t, t->form->opcode, 1);
        put(t, target, short_address ? 4 : 8);
        return;
    }
    if (t->form->kind == STRING) {
        /* Short addresses: rounds that end in between leave what is above them as it was, a
         * count of none leaves all as it was; the processors differ there. */
        t->start.r[1] = below(9) + short_address;
        t->start.r[7] = target;
        t->start.r[6] = (u64)data + 8192 + below(DATA_BYTES - 16384);
        t->start.flags |= below(2) ? DF : 0;
        if (rex)
            put(t, rex, 1);
        put(t, t->form->opcode, 1);
        return;
    }
    /* The operand decides about REX bits, which stand before it: make room and fill in after. */
    u32 rex_at = t->length;
    u8 needed = rex;
    put(t, 0, 1);
    if (t->form->opcode >= 0x100)
        put(t, 0x0f, 1);
    put(t, t->form->opcode & 0xff, 1);
    make_operand(t, &needed, short_address, target, immediate);
    t->bytes[rex_at] = (u8)(needed | 0x40);
    for (u32 i = 0; i < immediate; i++)
        put(t, value(), 1);
    if (t->form->kind == SHIFT) {
        /* How far; by more than one OF is undefined, by more than the operand CF as well. */
        u32 count = t->form->opcode < 0xd0   ? t->bytes[t->length - 1]
                    : t->form->opcode < 0xd2 ? 1
                                             : (u8)t->start.r[1];
        count &= t->operand == 8 ? 63 : 31;
        t->undefined |= t->form->extension >= 4 && count ? AF : 0;
        t->undefined |= count > 1 ? OF : 0;
        t->undefined |= t->form->extension >= 4 && count >= 8 * t->operand ? CF : 0;
    }
    if (t->form->kind == COMPARE_EXCHANGE && below(2))
        memcpy((void *)target, &t->start.r[0], t->operand);
}

static void make_case(struct test_case *t)
{
    do
        try_case(t);
    while (t->length > INSTRUCTION_MAX);
}
