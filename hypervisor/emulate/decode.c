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
    IMM = 4,     /* 2 or 4 bytes by operand size, sign extended */
    BYTE_OP = 8, /* operand is a byte */
    MODRM_IMM8 = MODRM | IMM8,
    MODRM_IMM = MODRM | IMM,
    MODRM_BYTE = MODRM | BYTE_OP,
    GROUP3 = 16, /* F6, F7: an immediate for /0 and /1 only */
    NONE = 128,
};

/* 00..3F follow one pattern of eight: Eb,Gb Ev,Gv Gb,Eb Gv,Ev AL,Ib eAX,Iz. */
#define ARITHMETIC(first)                                                    \
    [first] = MODRM_BYTE, [(first) + 1] = MODRM, [(first) + 2] = MODRM_BYTE, \
    [(first) + 3] = MODRM, [(first) + 4] = IMM8 | BYTE_OP, [(first) + 5] = IMM

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
    [0x6c] = BYTE_OP, /* INS, OUTS */
    [0x6d] = NONE,
    [0x6e] = BYTE_OP,
    [0x6f] = NONE,
    [0x80] = MODRM_IMM8 | BYTE_OP,
    [0x81] = MODRM_IMM,
    [0x83] = MODRM_IMM8,
    [0x84] = MODRM_BYTE,
    [0x85] = MODRM,
    [0x86] = MODRM_BYTE,
    [0x87] = MODRM,
    [0x88] = MODRM_BYTE,
    [0x89] = MODRM,
    [0x8a] = MODRM_BYTE,
    [0x8b] = MODRM,
    [0x8d] = MODRM,
    [0x90] = NONE,
    [0xa4] = BYTE_OP, /* MOVS, STOS, LODS */
    [0xa5] = NONE,
    [0xaa] = BYTE_OP,
    [0xab] = NONE,
    [0xac] = BYTE_OP,
    [0xad] = NONE,
    [0xc6] = MODRM_IMM8 | BYTE_OP,
    [0xc7] = MODRM_IMM,
    [0xcc] = NONE,
    [0xcd] = IMM8 | BYTE_OP,
    [0xcf] = NONE,
    [0xe4] = IMM8 | BYTE_OP, /* IN, OUT */
    [0xe5] = IMM8,
    [0xe6] = IMM8 | BYTE_OP,
    [0xe7] = IMM8,
    [0xec] = BYTE_OP,
    [0xed] = NONE,
    [0xee] = BYTE_OP,
    [0xef] = NONE,
    [0xf4] = NONE,
    [0xf6] = MODRM_BYTE | GROUP3,
    [0xf7] = MODRM | GROUP3,
    [0xf8] = NONE,
    [0xf9] = NONE,
    [0xfa] = NONE,
    [0xfb] = NONE,
    [0xfe] = MODRM_BYTE,
    [0xff] = MODRM,
};

static const u8 two_byte_shapes[256] = {
    [0x00] = MODRM, [0x01] = MODRM, [0x05] = NONE,  [0x06] = NONE,       [0x08] = NONE,
    [0x09] = NONE,  [0x0b] = NONE,  [0x20] = MODRM, [0x21] = MODRM,      [0x22] = MODRM,
    [0x23] = MODRM, [0x30] = NONE,  [0x31] = NONE,  [0x32] = NONE,       [0x33] = NONE,
    [0xa2] = NONE,  [0xa3] = MODRM, [0xab] = MODRM, [0xaf] = MODRM,      [0xb0] = MODRM_BYTE,
    [0xb1] = MODRM, [0xb3] = MODRM, [0xb6] = MODRM, [0xb7] = MODRM,      [0xba] = MODRM_IMM8,
    [0xbb] = MODRM, [0xbe] = MODRM, [0xbf] = MODRM, [0xc0] = MODRM_BYTE, [0xc1] = MODRM,
    [0xc3] = MODRM, [0xc7] = MODRM,
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
    const u8 *at = c->bytes + c->at;
    s16 word;
    s32 dword;

    if (bytes > c->count - c->at) {
        c->overrun = true;
        return 0;
    }
    c->at += bytes;
    switch (bytes) {
    case 1:
        return (s8)*at;
    case 2:
        __builtin_memcpy(&word, at, 2);
        return word;
    default:
        __builtin_memcpy(&dword, at, 4);
        return dword;
    }
}

static u8 take_prefixes(struct cursor *c, bool long_mode, struct instruction *in, bool *operand_16,
                        bool *address_short, bool *has_segment)
{
    for (;;) {
        u8 byte = next_byte(c);
        switch (byte) {
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            if (!long_mode) {
                in->segment = (byte >> 3) & 3;
                *has_segment = true;
            }
            break;
        case 0x64:
        case 0x65:
            in->segment = byte - 0x64 + SEGMENT_FS;
            *has_segment = true;
            break;
        case 0x66:
            *operand_16 = true;
            break;
        case 0x67:
            *address_short = true;
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
            if (!long_mode || (byte & 0xf0) != 0x40)
                return byte;
            in->rex = byte;
            continue;
        }
        in->rex = 0; /* it counts only right before the opcode */
    }
}

static void take_modrm(struct cursor *c, bool long_mode, const struct cpu_user_regs *regs,
                       struct instruction *in, bool has_segment, bool *rip_relative)
{
    u8 modrm = next_byte(c);
    u32 base, index = 4, scale = 0;
    bool no_base = false;
    u64 address = 0;

    in->has_modrm = true;
    in->mod = modrm >> 6;
    in->reg = ((modrm >> 3) & 7) | (in->rex & 4) << 1;
    in->rm = (modrm & 7) | (in->rex & 1) << 3;
    if (in->mod == 3)
        return;
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
        *rip_relative = long_mode;
    }
    if (!no_base) {
        address = register_read(regs, base, 8, 0x40);
        if (!has_segment && (base == 4 || base == 5))
            in->segment = SEGMENT_SS;
    }
    if (index != 4)
        address += register_read(regs, index, 8, 0x40) << scale;
    if (in->mod == 1)
        address += (u64)next_signed(c, 1);
    else if (in->mod == 2 || no_base)
        address += (u64)next_signed(c, 4);
    in->address = address;
}

int instruction_decode(const u8 *bytes, u32 count, bool long_mode, const struct cpu_user_regs *regs,
                       struct instruction *in)
{
    struct cursor c = {.bytes = bytes, .count = MIN(count, (u32)INSTRUCTION_MAX)};
    bool operand_16 = false, address_short = false, has_segment = false, rip_relative = false;

    *in = (struct instruction){.segment = SEGMENT_DS};
    u8 opcode = take_prefixes(&c, long_mode, in, &operand_16, &address_short, &has_segment);
    if (opcode == 0x0f && !c.overrun) {
        in->map = 1;
        opcode = next_byte(&c);
    }
    if (c.overrun)
        return count < INSTRUCTION_MAX ? -EFAULT : -EINVAL;
    in->opcode = opcode;

    u32 shape = in->map ? two_byte_shapes[opcode] : one_byte_shapes[opcode];
    if (!shape)
        return -EINVAL;
    in->operand_bytes = shape & BYTE_OP ? 1 : in->rex & 8 ? 8 : operand_16 ? 2 : 4;
    in->address_bytes = long_mode ? (address_short ? 4 : 8) : 4;
    if (!long_mode && address_short)
        return -EINVAL;

    if (shape & MODRM)
        take_modrm(&c, long_mode, regs, in, has_segment, &rip_relative);
    if (shape & GROUP3 && (in->reg & 7) < 2)
        shape |= shape & BYTE_OP ? IMM8 : IMM;
    if (shape & IMM8)
        in->immediate = (u64)next_signed(&c, 1);
    else if (shape & IMM)
        in->immediate = (u64)next_signed(&c, in->operand_bytes == 2 ? 2 : 4);
    if (c.overrun)
        return count < INSTRUCTION_MAX ? -EFAULT : -EINVAL;
    in->length = (u8)c.at;
    if (rip_relative)
        in->address += regs->rip + in->length;
    if (in->address_bytes == 4)
        in->address = (u32)in->address;
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
    if (high_byte(number, bytes, rex)) {
        u64 *slot = register_slot(regs, number - 4);
        *slot = (*slot & ~0xff00UL) | (value & 0xff) << 8;
        return;
    }
    u64 *slot = register_slot(regs, number);
    if (bytes == 8)
        *slot = value;
    else if (bytes == 4)
        *slot = (u32)value; /* 32-bit results clear the upper half */
    else
        *slot = (*slot & ~((1UL << (8 * bytes)) - 1)) | (value & ((1UL << (8 * bytes)) - 1));
}
