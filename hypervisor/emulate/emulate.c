/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The executor behind emulate.h: what compilers and firmware use on device
 * memory and page tables. MOV with its extending forms, XCHG, CMPXCHG, XADD, the
 * arithmetic group, TEST, NOT, NEG, INC, DEC, shifts, bit tests, PUSH of memory,
 * and the string instructions.
 *
 * Decide first, then act: operands and the result with its flags are computed,
 * then memory is written, and only when that succeeded do registers change.
 * No state, no locks. Callers: pv/mm_fault.c, hvm/emulate.c.
 */
#include "emulate/emulate.h"

#define FLAG_CF          0x001u
#define FLAG_PF          0x004u
#define FLAG_AF          0x010u
#define FLAG_ZF          0x040u
#define FLAG_SF          0x080u
#define FLAG_TF          0x100u
#define FLAG_DF          0x400u
#define FLAG_OF          0x800u
#define FLAG_RF          0x10000u
#define FLAGS_ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* The first sixteen by their numbers in opcodes 00..3F, group 80..83 and the shift group; bit
 * operations by theirs in 0F BA. */
enum { OP_ADD, OP_OR, OP_ADC, OP_SBB, OP_AND, OP_SUB, OP_XOR, OP_CMP, OP_SHIFT };
enum { OP_BT = OP_SHIFT + 8, OP_BTS, OP_BTR, OP_BTC, OP_TEST, OP_NOT, OP_NEG, OP_INC, OP_DEC };
enum { OP_MOV = OP_DEC + 1, OP_XCHG, OP_XADD, OP_CMPXCHG, OP_PUSH, OP_NONE };
/* With the operation: the result goes to the register; what is read is sign-extended; the other
 * operand is the immediate; ModRM says which operation of a group; nothing of that, so that no
 * operation is 0. */
enum { LOAD = 0x100, SIGN = 0x200, IMMEDIATE = 0x400, GROUP = 0x800, REGISTER = 0x1000 };

static const u16 one_byte_operations[256] = {
    [0x63] = OP_MOV | LOAD | SIGN, /* MOVSXD */
    [0x80 ... 0x83] = IMMEDIATE | GROUP,
    [0x84 ... 0x85] = OP_TEST,
    [0x86 ... 0x87] = OP_XCHG,
    [0x88 ... 0x89] = OP_MOV,
    [0x8a ... 0x8b] = OP_MOV | LOAD,
    [0xa0 ... 0xa1] = OP_MOV | LOAD,
    [0xa2 ... 0xa3] = OP_MOV,
    [0xc0 ... 0xc1] = OP_SHIFT | IMMEDIATE | GROUP,
    [0xc6 ... 0xc7] = OP_MOV | IMMEDIATE | GROUP,
    [0xd0 ... 0xd3] = OP_SHIFT | GROUP,
    [0xf6 ... 0xf7] = OP_TEST | IMMEDIATE | GROUP,
    [0xfe ... 0xff] = OP_INC | GROUP,
};
static const u16 two_byte_operations[256] = {
    [0xa3] = OP_BT,
    [0xab] = OP_BTS,
    [0xb0 ... 0xb1] = OP_CMPXCHG,
    [0xb3] = OP_BTR,
    [0xb6 ... 0xb7] = OP_MOV | LOAD, /* MOVZX, MOVSX */
    [0xba] = OP_BT | IMMEDIATE | GROUP,
    [0xbb] = OP_BTC,
    [0xbe ... 0xbf] = OP_MOV | LOAD | SIGN,
    [0xc0 ... 0xc1] = OP_XADD,
    [0xc3] = OP_MOV, /* MOVNTI */
};

/* What the instruction is to do with its memory operand: the other one is a register, result to
 * memory, unless the flags say otherwise. */
struct plan {
    u16 flags;
    u8 op;
    u8 bytes;    /* of the operand in memory */
    u64 operand; /* the other one */
};

static u64 size_mask(u32 bytes)
{
    return ~0UL >> (64 - 8 * bytes);
}

static u64 sign_bit(u32 bytes)
{
    return 1UL << (8 * bytes - 1);
}

static u64 sign_extend(u64 value, u32 bytes)
{
    u32 shift = 64 - 8 * bytes;
    return (u64)((s64)(value << shift) >> shift);
}

static u32 result_flags(u64 result, u32 bytes)
{
    return (result ? 0 : FLAG_ZF) | (result & sign_bit(bytes) ? FLAG_SF : 0) |
           (__builtin_parity((u8)result) ? 0 : FLAG_PF);
}

static u64 add(u64 a, u64 b, bool carry, u32 bytes, u32 *flags)
{
    u64 result = (a + b + carry) & size_mask(bytes);

    *flags = result_flags(result, bytes);
    if (result < a || (carry && result == a))
        *flags |= FLAG_CF;
    if ((a ^ result) & (b ^ result) & sign_bit(bytes))
        *flags |= FLAG_OF;
    if ((a ^ b ^ result) & 0x10)
        *flags |= FLAG_AF;
    return result;
}

/* a - b is a + ~b + 1, where no carry is a borrow. */
static u64 subtract(u64 a, u64 b, bool borrow, u32 bytes, u32 *flags)
{
    u64 result = add(a, ~b & size_mask(bytes), !borrow, bytes, flags);

    *flags ^= FLAG_CF | FLAG_AF;
    return result;
}

/* ROL, ROR, RCL, RCR, SHL, SHR, SAL, SAR by number, bit by bit: odd ones go right. */
static u64 shift(u32 op, u64 a, u32 count, u32 bytes, u64 *rflags)
{
    u64 top = sign_bit(bytes);
    u32 flags = *rflags & FLAGS_ARITHMETIC;

    count &= bytes == 8 ? 63 : 31;
    if (!count)
        return a;
    for (; count; count--) {
        bool right = op & 1, out = a & (right ? 1 : top);
        bool in = op < 2 ? out : op < 4 ? flags & FLAG_CF : op == 7 && a & top;

        a = right ? a >> 1 | (in ? top : 0) : ((a << 1) | in) & size_mask(bytes);
        flags &= ~(FLAG_CF | FLAG_OF);
        if (out)
            flags |= FLAG_CF;
        if (right ? (a ^ a << 1) & top : !(a & top) == out)
            flags |= FLAG_OF;
    }
    if (op >= 4)
        flags = (flags & (FLAG_CF | FLAG_OF)) | result_flags(a, bytes);
    *rflags = (*rflags & ~(u64)FLAGS_ARITHMETIC) | flags;
    return a;
}

/* What becomes of a, both within the operand size, and of the flags. */
static u64 compute(const struct emulation *e, u32 op, u64 a, u64 b, u64 *rflags)
{
    u32 bytes = e->in.operand_bytes, flags, affected = FLAGS_ARITHMETIC;
    bool carry = *rflags & FLAG_CF;
    u64 bit = 1UL << (b & (8 * bytes - 1)), result;

    switch (op) {
    case OP_ADD:
    case OP_XADD:
    case OP_ADC:
        result = add(a, b, carry && op == OP_ADC, bytes, &flags);
        break;
    case OP_SUB:
    case OP_CMP:
    case OP_SBB:
        result = subtract(a, b, carry && op == OP_SBB, bytes, &flags);
        break;
    case OP_NEG:
        result = subtract(0, a, false, bytes, &flags);
        break;
    case OP_INC:
    case OP_DEC:
        result = op == OP_INC ? add(a, 1, 0, bytes, &flags) : subtract(a, 1, 0, bytes, &flags);
        affected &= ~FLAG_CF;
        break;
    case OP_CMPXCHG:
        subtract(register_read(e->regs, 0, bytes, 0x40), a, false, bytes, &flags);
        result = b;
        break;
    case OP_OR:
    case OP_AND:
    case OP_TEST:
    case OP_XOR:
        result = op == OP_OR ? a | b : op == OP_XOR ? a ^ b : a & b;
        flags = result_flags(result, bytes);
        break;
    case OP_BT ... OP_BTC:
        result = op == OP_BTS ? a | bit : op == OP_BTR ? a & ~bit : op == OP_BTC ? a ^ bit : a;
        flags = a & bit ? FLAG_CF : 0;
        affected = FLAG_CF;
        break;
    case OP_NOT:
        return ~a & size_mask(bytes);
    case OP_SHIFT ... OP_SHIFT + 7:
        return shift(op - OP_SHIFT, a, (u32)b, bytes, rflags);
    default: /* MOV, XCHG */
        return b;
    }
    *rflags = (*rflags & ~(u64)affected) | (flags & affected);
    return result;
}

/* ---- one operand in memory ---- */

/* The operation of a group that starts with `first`; OP_NONE: not known. */
static u32 of_group(const struct instruction *in, u32 first)
{
    u32 reg = in->reg & 7;

    switch (first) {
    case OP_MOV:
        return reg ? OP_NONE : OP_MOV;
    case OP_TEST:
        return reg < 4 ? OP_TEST + (reg ? reg - 1 : 0) : OP_NONE;
    case OP_INC:
        return in->opcode == 0xff && reg == 6 ? OP_PUSH : reg < 2 ? OP_INC + reg : OP_NONE;
    case OP_BT:
        return reg < 4 ? OP_NONE : OP_BT + (reg & 3);
    default:
        return first + reg;
    }
}

static bool make_plan(const struct emulation *e, struct plan *p)
{
    const struct instruction *in = &e->in;
    u32 what = in->map ? two_byte_operations[in->opcode] : one_byte_operations[in->opcode];

    if (!in->map && in->opcode < 0x40 && !(in->opcode & 4))
        what = in->opcode >> 3 | (in->opcode & 2 ? LOAD : REGISTER);
    p->flags = (u16)what;
    p->op = (u8)(what & GROUP ? of_group(in, what & 0xff) : what);
    p->bytes = in->operand_bytes;
    p->operand = what & IMMEDIATE ? in->immediate
                                  : register_read(e->regs, in->reg, p->bytes, in->rex);
    if (!in->map && in->opcode >= 0xd0 && in->opcode <= 0xd3)
        p->operand = in->opcode & 2 ? e->regs->rcx : 1;
    p->operand &= size_mask(p->bytes);
    if (in->map && what & LOAD)
        p->bytes = in->opcode & 1 ? 2 : 1;
    else if (in->opcode == 0x63)
        p->bytes = 4;
    else if (p->op == OP_PUSH && p->bytes != 2)
        p->bytes = MAX(e->code_bytes, 4);
    return in->memory && what && p->op != OP_NONE && (in->opcode != 0x63 || e->code_bytes == 8);
}

static int load(struct emulation *e, const struct plan *p, u64 address)
{
    struct cpu_user_regs *r = e->regs;
    u32 bytes = e->in.operand_bytes;
    u64 value, rflags = r->rflags;
    int status = e->ops->read(e->ctx, address, &value, p->bytes);

    if (status)
        return status;
    if (p->flags & SIGN)
        value = sign_extend(value, p->bytes) & size_mask(bytes);
    value = compute(e, p->op, p->operand, value, &rflags);
    if (p->op != OP_CMP)
        register_write(r, e->in.reg, bytes, e->in.rex, value);
    r->rflags = rflags;
    return 0;
}

static int push(struct emulation *e, const struct plan *p, u64 address)
{
    u64 value, stack, top = register_read(e->regs, 4, 8, 0x40) - p->bytes;
    int status;

    top &= size_mask(e->stack_bytes);
    status = e->ops->read(e->ctx, address, &value, p->bytes);
    if (!status)
        status = e->ops->linear(e->ctx, SEGMENT_SS, top, p->bytes, true, &stack);
    if (!status)
        status = e->ops->write(e->ctx, stack, value, p->bytes);
    if (!status)
        register_write(e->regs, 4, e->stack_bytes, 0x40, top);
    return status;
}

/* Read, compute, exchange, until nobody was in between. */
static int modify(struct emulation *e, const struct plan *p, u64 address)
{
    struct cpu_user_regs *r = e->regs;
    u32 bytes = p->bytes;
    u64 old, rflags;
    int status = e->ops->read(e->ctx, address, &old, bytes);

    if (status)
        return status;
    do {
        rflags = r->rflags;
        u64 result = compute(e, p->op, old, p->operand, &rflags);

        if (p->op == OP_CMP || p->op == OP_TEST || p->op == OP_BT ||
            (p->op == OP_CMPXCHG && !(rflags & FLAG_ZF)))
            break;
        status = e->ops->exchange(e->ctx, address, &old, result, bytes);
        if (status < 0)
            return status;
    } while (status);
    r->rflags = rflags;
    if (p->op == OP_XCHG || p->op == OP_XADD)
        register_write(r, e->in.reg, bytes, e->in.rex, old);
    else if (p->op == OP_CMPXCHG && !(rflags & FLAG_ZF))
        register_write(r, 0, bytes, 0x40, old);
    return 0;
}

static int execute(struct emulation *e)
{
    const struct instruction *in = &e->in;
    struct plan p;
    u64 offset = in->address, address;
    bool reads;
    int status;

    if (!make_plan(e, &p))
        return -EOPNOTSUPP;
    if (p.op >= OP_BT && p.op <= OP_BTC && in->opcode != 0xba) {
        /* A bit's number in a register is signed and reaches beyond the operand. */
        s64 unit = (s64)sign_extend(p.operand, p.bytes) >> __builtin_ctz(8U * p.bytes);
        offset = (offset + (u64)unit * p.bytes) & size_mask(in->address_bytes);
    }
    reads = p.flags & LOAD || p.op == OP_CMP || p.op == OP_TEST || p.op == OP_BT || p.op == OP_PUSH;
    status = e->ops->linear(e->ctx, in->segment, offset, p.bytes, !reads, &address);
    if (status)
        return status;
    if (p.flags & LOAD || p.op == OP_PUSH)
        return p.op == OP_PUSH ? push(e, &p, address) : load(e, &p, address);
    return p.op == OP_MOV ? e->ops->write(e->ctx, address, p.operand, p.bytes)
                          : modify(e, &p, address);
}

/* ---- moves of 16 bytes ---- */

static bool moves_vector(const struct instruction *in)
{
    if (!in->map || !in->memory || in->repne)
        return false;
    switch (in->opcode) {
    case 0x10 ... 0x11: /* MOVUPS, MOVUPD */
    case 0x28 ... 0x29: /* MOVAPS, MOVAPD */
    case 0x2b:          /* MOVNTPS, MOVNTPD */
        return !in->rep;
    case 0x6f: /* MOVDQA, MOVDQU */
    case 0x7f:
        return in->rep || in->narrow;
    default:
        return in->opcode == 0xe7 && in->narrow && !in->rep; /* MOVNTDQ */
    }
}

/* As two of 8 bytes. */
static int execute_vector(struct emulation *e)
{
    const struct emulate_ops *ops = e->ops;
    u8 opcode = e->in.opcode;
    bool load = opcode == 0x10 || opcode == 0x28 || opcode == 0x6f;
    u64 value[2], address;
    int status = ops->linear(e->ctx, e->in.segment, e->in.address, sizeof(value), !load, &address);

    if (!load)
        ops->vector(e->ctx, e->in.reg, value, false);
    for (u32 i = 0; i < 2 && !status; i++)
        status = load ? ops->read(e->ctx, address + i * 8, &value[i], 8)
                      : ops->write(e->ctx, address + i * 8, value[i], 8);
    if (load && !status)
        ops->vector(e->ctx, e->in.reg, value, true);
    return status;
}

/* ---- string instructions ---- */

enum { INS = 0x6c, OUTS = 0x6e, MOVS = 0xa4, CMPS = 0xa6, STOS = 0xaa, LODS = 0xac, SCAS = 0xae };

static void advance(struct emulation *e, u32 number, u32 bytes)
{
    u64 value = register_read(e->regs, number, e->in.address_bytes, 0x40);

    value += e->regs->rflags & FLAG_DF ? -(u64)bytes : bytes;
    register_write(e->regs, number, e->in.address_bytes, 0x40,
                   value & size_mask(e->in.address_bytes));
}

static int string_round(struct emulation *e, u32 op)
{
    const struct emulate_ops *ops = e->ops;
    struct cpu_user_regs *r = e->regs;
    u32 bytes = e->in.operand_bytes, address_bytes = e->in.address_bytes;
    bool source = op == OUTS || op == MOVS || op == CMPS || op == LODS;
    bool target = op != OUTS && op != LODS, compares = op == CMPS || op == SCAS;
    u64 value = register_read(r, 0, bytes, 0x40), other = 0, from, to = 0;
    int status = 0;

    if (source) {
        from = register_read(r, 6, address_bytes, 0x40);
        status = ops->linear(e->ctx, e->in.segment, from, bytes, false, &from);
        if (!status)
            status = ops->read(e->ctx, from, &value, bytes);
    }
    if (target && !status) {
        to = register_read(r, 7, address_bytes, 0x40);
        status = ops->linear(e->ctx, SEGMENT_ES, to, bytes, !compares, &to);
    }
    if (!status && (op == INS || op == OUTS))
        status = ops->port(e->ctx, &value, bytes, op == OUTS);
    if (!status && target)
        status = compares ? ops->read(e->ctx, to, &other, bytes)
                          : ops->write(e->ctx, to, value, bytes);
    if (status)
        return status;
    if (compares)
        compute(e, OP_CMP, value, other, &r->rflags);
    if (op == LODS)
        register_write(r, 0, bytes, 0x40, value);
    if (source)
        advance(e, 6, bytes);
    if (target)
        advance(e, 7, bytes);
    return 0;
}

/* Several rounds at once, of those that do no more than move: how many, 0: one by one. */
static int string_many(struct emulation *e, u32 op, u64 count)
{
    bool down = e->regs->rflags & FLAG_DF, used[] = {op == OUTS || op == MOVS, op != OUTS};
    u32 bytes = e->in.operand_bytes;
    u64 offset[2], at[2] = {0}; /* of source and target */
    int done;

    if (!e->ops->many || e->regs->rflags & FLAG_TF ||
        (op != INS && op != OUTS && op != MOVS && op != STOS))
        return 0;
    for (u32 i = 0; i < 2; i++) {
        u64 within, room;

        offset[i] = register_read(e->regs, 6 + i, e->in.address_bytes, 0x40);
        within = offset[i] & ~PAGE_MASK;
        room = (PAGE_SIZE - within) / bytes;
        if (used[i])
            count = MIN(count, down && room ? within / bytes + 1 : room);
    }
    if (count < 2)
        return 0;
    for (u32 i = 0; i < 2; i++) {
        u64 rest = down ? (count - 1) * bytes : 0;

        if (used[i] && e->ops->linear(e->ctx, i ? SEGMENT_ES : e->in.segment, offset[i] - rest,
                                      (u32)count * bytes, i, &at[i]))
            return 0;
        at[i] += rest;
    }
    done = e->ops->many(e->ctx, at[0], at[1], bytes, count);
    for (u32 i = 0; i < 2; i++)
        if (used[i] && done > 0)
            advance(e, 6 + i, (u32)done * bytes);
    return done;
}

#define UNFINISHED 1 /* it is to run again */

static int execute_string(struct emulation *e, u32 op)
{
    struct cpu_user_regs *r = e->regs;
    u32 address_bytes = e->in.address_bytes;
    bool repeated = e->in.rep || e->in.repne;

    if (op == INS || op == OUTS) {
        if (!e->ops->port)
            return -EOPNOTSUPP;
        e->in.operand_bytes = MIN(e->in.operand_bytes, 4);
    }
    for (u32 round = 0;; round++) {
        u64 count = register_read(r, 1, address_bytes, 0x40);

        if (repeated && !count)
            return 0;
        if (round && (round >= e->rounds || r->rflags & FLAG_TF))
            return UNFINISHED;
        int many = repeated ? string_many(e, op, count) : 0;
        int status = many > 0 ? 0 : many ? many : string_round(e, op);
        if (status)
            return round && status != -EAGAIN ? UNFINISHED : status;
        if (repeated)
            register_write(r, 1, address_bytes, 0x40, count - (many ? (u32)many : 1));
        if (e->ops->round)
            e->ops->round(e->ctx);
        if (!repeated || ((op == CMPS || op == SCAS) && !(r->rflags & FLAG_ZF) == e->in.rep))
            return 0;
    }
}

int emulate_instruction(struct emulation *e)
{
    u8 bytes[INSTRUCTION_MAX];
    u32 count = e->ops->fetch(e->ctx, e->regs->rip, bytes, sizeof(bytes));
    int status = instruction_decode(bytes, count, e->code_bytes, e->regs, &e->in);
    u32 op = e->in.opcode & 0xfe;

    if (status)
        return status == -EINVAL ? -EOPNOTSUPP : status;
    if (!e->in.map && (op == INS || op == OUTS || (op >= MOVS && op <= SCAS)))
        status = execute_string(e, op);
    else if (e->ops->vector && moves_vector(&e->in))
        status = execute_vector(e);
    else
        status = execute(e);
    if (!status) {
        e->regs->rip = (e->regs->rip + e->in.length) & (e->code_bytes == 8 ? ~0UL : ~0U);
        e->regs->rflags &= ~(u64)FLAG_RF;
    }
    return status == UNFINISHED ? 0 : status;
}
