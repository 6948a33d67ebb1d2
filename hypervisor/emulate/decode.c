/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decoder behind decode.h. It knows the shape of all one-byte opcodes and
 * of the 0F opcodes that the executor and the privileged emulation handle;
 * anything else is -EINVAL, never a guess about its length.
 * No state, no locks. Callers: emulate/emulate.c, pv/emulate.c.
 */
#include "emulate/decode.h"

/* What follows an opcode; 0: not known here. */
enum {
    MODRM = 1,
    IMM8 = 2,
    IMM = 4,   /* 2 or 4 bytes by operand size, sign extended */
    SIZED = 8, /* an even opcode is about bytes */
    MODRM_IMM8 = MODRM | IMM8,
    MODRM_IMM = MODRM | IMM,
    GROUP3 = 16, /* F6, F7: an immediate for /0 and /1 only */
    OFFSET = 32, /* the memory operand's offset itself; the register is the accumulator */
    FAR = 64,    /* a pointer: an offset of operand size, and a selector */
    NONE = 128,
};

/* 00..3F follow one pattern of eight: Eb,Gb Ev,Gv Gb,Eb Gv,Ev AL,Ib eAX,Iz. */
#define ARITHMETIC(first) \
    [(first)...(first) + 3] = MODRM | SIZED, [(first) + 4] = IMM8 | SIZED, [(first) + 5] = IMM

static const u8 one_byte_shapes[256] = {
    ARITHMETIC(0x00),
    ARITHMETIC(0x08),
    ARITHMETIC(0x10),
    ARITHMETIC(0x18),
    ARITHMETIC(0x20),
    ARITHMETIC(0x28),
    ARITHMETIC(0x30),
    ARITHMETIC(0x38),
    [0x63] = MODRM,
    [0x6c ... 0x6f] = SIZED, /* INS, OUTS */
    [0x80] = MODRM_IMM8 | SIZED,
    [0x81] = MODRM_IMM,
    [0x83] = MODRM_IMM8,
    [0x84 ... 0x8b] = MODRM | SIZED,
    [0x8d] = MODRM,
    [0x90] = NONE,
    [0x9a] = FAR,
    [0xa0 ... 0xa3] = OFFSET | SIZED,
    [0xa4 ... 0xa7] = SIZED, /* MOVS, CMPS */
    [0xaa ... 0xaf] = SIZED, /* STOS, LODS, SCAS */
    [0xc0 ... 0xc1] = MODRM_IMM8 | SIZED,
    [0xc6] = MODRM_IMM8 | SIZED,
    [0xc7] = MODRM_IMM,
    [0xcc] = NONE,
    [0xcd] = IMM8,
    [0xce ... 0xcf] = NONE,
    [0xd0 ... 0xd3] = MODRM | SIZED,
    [0xe4 ... 0xe7] = IMM8 | SIZED, /* IN, OUT */
    [0xea] = FAR,
    [0xec ... 0xef] = SIZED,
    [0xf4] = NONE,
    [0xf6 ... 0xf7] = MODRM | SIZED | GROUP3,
    [0xf8 ... 0xfb] = NONE,
    [0xfe ... 0xff] = MODRM | SIZED,
};

static const u8 two_byte_shapes[256] = {
    [0x00 ... 0x01] = MODRM,
    [0x05 ... 0x06] = NONE,
    [0x08 ... 0x09] = NONE,
    [0x0b] = NONE,
    [0x10 ... 0x11] = MODRM, /* moves of 16 bytes, as those at 28, 2B, 6F, 7F, E7 */
    [0x20 ... 0x23] = MODRM,
    [0x28 ... 0x29] = MODRM,
    [0x2b] = MODRM,
    [0x30 ... 0x33] = NONE,
    [0x6f] = MODRM,
    [0x7f] = MODRM,
    [0xa2] = NONE,
    [0xa3] = MODRM,
    [0xab] = MODRM,
    [0xaf] = MODRM,
    [0xb0 ... 0xb1] = MODRM | SIZED,
    [0xb3] = MODRM,
    [0xb6 ... 0xb7] = MODRM,
    [0xba] = MODRM_IMM8,
    [0xbb] = MODRM,
    [0xbe ... 0xbf] = MODRM,
    [0xc0 ... 0xc1] = MODRM | SIZED,
    [0xc3] = MODRM,
    [0xc7] = MODRM,
    [0xe7] = MODRM,
};

struct cursor {
    const u8 *bytes;
    u32 count, at; /* count: INSTRUCTION_MAX at the most */
    bool overrun;
};

static u8 next_byte(struct cursor *c)
{
    if (c->at >= c->count) {
        c->overrun = true;
        return 0;
    }
    return c->bytes[c->at++];
}

/* Little endian, sign extended to 64 bits. */
static s64 next_signed(struct cursor *c, u32 bytes)
{
    u64 value = 0;

    if (bytes > c->count - c->at) {
        c->overrun = true;
        return 0;
    }
    for (u32 i = bytes; i--;)
        value = value << 8 | c->bytes[c->at + i];
    c->at += bytes;
    return (s64)(value << (64 - 8 * bytes)) >> (64 - 8 * bytes);
}

/* What the prefixes say and the rest of the decoding needs. */
struct prefixes {
    bool operand, address, segment;
};

static u8 take_prefixes(struct cursor *c, bool code64, struct instruction *in, struct prefixes *p)
{
    for (;;) {
        u8 byte = next_byte(c);
        switch (byte) {
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            if (!code64) {
                in->segment = (byte >> 3) & 3;
                p->segment = true;
            }
            break;
        case 0x64:
        case 0x65:
            in->segment = byte - 0x64 + SEGMENT_FS;
            p->segment = true;
            break;
        case 0x66:
            p->operand = true;
            break;
        case 0x67:
            p->address = true;
            break;
        case 0xf0:
            in->lock = true;
            break;
        case 0xf2:
            in->repne = true;
            in->rep = false;
            break;
        case 0xf3:
            in->rep = true;
            in->repne = false;
            break;
        default:
            if (!code64 || (byte & 0xf0) != 0x40)
                return byte;
            in->rex = byte;
            continue;
        }
        in->rex = 0; /* it counts only right before the opcode */
    }
}

/* An operand based on the stack pointer or the frame pointer is on the stack. */
static u64 base_value(const struct cpu_user_regs *regs, u32 base, struct instruction *in,
                      const struct prefixes *p)
{
    if (!p->segment && (base == 4 || base == 5))
        in->segment = SEGMENT_SS;
    return register_read(regs, base, 8, 0x40);
}

/* BX+SI, BX+DI, BP+SI, BP+DI, SI, DI, BP or a displacement alone, BX (Intel SDM vol. 2, table 2-1).
 */
static void take_address_16(struct cursor *c, const struct cpu_user_regs *regs,
                            struct instruction *in, const struct prefixes *p)
{
    static const u8 bases[] = {3, 3, 5, 5, 6, 7, 5, 3};
    bool no_base = in->mod == 0 && in->rm == 6;

    if (!no_base)
        in->address = base_value(regs, bases[in->rm], in, p);
    if (in->rm < 4)
        in->address += register_read(regs, in->rm & 1 ? 7 : 6, 8, 0x40);
    if (in->mod == 1)
        in->address += (u64)next_signed(c, 1);
    else if (in->mod == 2 || no_base)
        in->address += (u64)next_signed(c, 2);
}

static void take_modrm(struct cursor *c, bool code64, const struct cpu_user_regs *regs,
                       struct instruction *in, const struct prefixes *p, bool *rip_relative)
{
    u8 modrm = next_byte(c);
    u32 base, index = 4, scale = 0;
    bool no_base = false;

    in->mod = modrm >> 6;
    in->reg = ((modrm >> 3) & 7) | (in->rex & 4) << 1;
    in->rm = (modrm & 7) | (in->rex & 1) << 3;
    if (in->mod == 3)
        return;
    in->memory = true;
    if (in->address_bytes == 2) {
        take_address_16(c, regs, in, p);
        return;
    }
    base = in->rm;
    if ((modrm & 7) == 4) {
        u8 sib = next_byte(c);
        scale = sib >> 6;
        index = ((sib >> 3) & 7) | (in->rex & 2) << 2;
        base = (sib & 7) | (in->rex & 1) << 3;
        if ((sib & 7) == 5 && in->mod == 0)
            no_base = true;
    } else if ((modrm & 7) == 5 && in->mod == 0) {
        no_base = true;
        *rip_relative = code64;
    }
    if (!no_base)
        in->address = base_value(regs, base, in, p);
    if (index != 4)
        in->address += register_read(regs, index, 8, 0x40) << scale;
    if (in->mod == 1)
        in->address += (u64)next_signed(c, 1);
    else if (in->mod == 2 || no_base)
        in->address += (u64)next_signed(c, 4);
}

int instruction_decode(const u8 *bytes, u32 count, u32 code_bytes, const struct cpu_user_regs *regs,
                       struct instruction *in)
{
    struct cursor c = {.bytes = bytes, .count = MIN(count, (u32)INSTRUCTION_MAX)};
    bool code64 = code_bytes == 8, rip_relative = false;
    struct prefixes p = {0};

    *in = (struct instruction){.segment = SEGMENT_DS};
    u8 opcode = take_prefixes(&c, code64, in, &p);
    if (opcode == 0x0f && !c.overrun) {
        in->map = 1;
        opcode = next_byte(&c);
    }
    if (c.overrun)
        return count < INSTRUCTION_MAX ? -EFAULT : -EINVAL;
    in->opcode = opcode;
    in->narrow = p.operand;

    u32 shape = in->map ? two_byte_shapes[opcode] : one_byte_shapes[opcode];
    if (!shape || (code64 && shape & FAR)) /* 64-bit code has no such pointers */
        return -EINVAL;
    /* In 64-bit code the prefixes choose 2 and 4 bytes, in the others the one of 2 and 4 that is
     * not the code's own. */
    in->address_bytes = !p.address ? code_bytes : code_bytes == 4 ? 2 : 4;
    in->operand_bytes = p.operand != (code_bytes == 2) ? 2 : 4;
    if (shape & SIZED && !(opcode & 1))
        in->operand_bytes = 1;
    else if (in->rex & 8)
        in->operand_bytes = 8;

    if (shape & MODRM)
        take_modrm(&c, code64, regs, in, &p, &rip_relative);
    if (shape & OFFSET) {
        in->memory = true;
        in->address = (u64)next_signed(&c, in->address_bytes);
    }
    if (shape & GROUP3 && (in->reg & 7) < 2)
        shape |= opcode & 1 ? IMM : IMM8;
    if (shape & IMM8)
        in->immediate = (u64)next_signed(&c, 1);
    else if (shape & IMM)
        in->immediate = (u64)next_signed(&c, in->operand_bytes == 2 ? 2 : 4);
    if (shape & FAR)
        in->address = (u64)next_signed(&c, in->operand_bytes + 2U);
    if (c.overrun)
        return count < INSTRUCTION_MAX ? -EFAULT : -EINVAL;
    in->length = (u8)c.at;
    if (rip_relative)
        in->address += regs->rip + in->length;
    in->address &= ~0UL >> (64 - 8 * in->address_bytes);
    return 0;
}

/* The registers lie in the frame in the order of the pushes, not of their numbers. */
static u64 *register_slot(const struct cpu_user_regs *regs, u32 number)
{
    static const u8 offsets[16] = {
        offsetof(struct cpu_user_regs, rax), offsetof(struct cpu_user_regs, rcx),
        offsetof(struct cpu_user_regs, rdx), offsetof(struct cpu_user_regs, rbx),
        offsetof(struct cpu_user_regs, rsp), offsetof(struct cpu_user_regs, rbp),
        offsetof(struct cpu_user_regs, rsi), offsetof(struct cpu_user_regs, rdi),
        offsetof(struct cpu_user_regs, r8),  offsetof(struct cpu_user_regs, r9),
        offsetof(struct cpu_user_regs, r10), offsetof(struct cpu_user_regs, r11),
        offsetof(struct cpu_user_regs, r12), offsetof(struct cpu_user_regs, r13),
        offsetof(struct cpu_user_regs, r14), offsetof(struct cpu_user_regs, r15),
    };
    return (u64 *)((char *)regs + offsets[number & 15]);
}

static bool high_byte(u32 number, u32 bytes, u8 rex)
{
    return bytes == 1 && !rex && number >= 4 && number < 8;
}

u64 register_read(const struct cpu_user_regs *regs, u32 number, u32 bytes, u8 rex)
{
    if (high_byte(number, bytes, rex))
        return (*register_slot(regs, number - 4) >> 8) & 0xff;
    u64 value = *register_slot(regs, number);
    return bytes == 8 ? value : value & ((1UL << (8 * bytes)) - 1);
}

void register_write(struct cpu_user_regs *regs, u32 number, u32 bytes, u8 rex, u64 value)
{
    bool high = high_byte(number, bytes, rex);
    u64 *slot = register_slot(regs, high ? number - 4 : number);
    u64 mask = bytes == 1 ? 0xff : bytes == 2 ? 0xffff : ~0UL;

    if (bytes == 4)
        value = (u32)value; /* 32-bit results clear the upper half */
    *slot = (*slot & ~(mask << 8 * high)) | (value & mask) << 8 * high;
}
