/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The executor behind emulate.h: MOV, XCHG, CMPXCHG, XADD, the arithmetic
 * group, BTS/BTR/BTC, NOT/NEG, INC/DEC and single STOS/MOVS steps to memory.
 *
 * Decide first, then act: operands and the result with its flags are computed,
 * then memory is written, and only when that succeeded do registers change.
 * No state, no locks. Callers: pv/mm.c, later hvm/.
 */
#include "emulate/emulate.h"

#define FLAG_CF          0x001u
#define FLAG_PF          0x004u
#define FLAG_AF          0x010u
#define FLAG_ZF          0x040u
#define FLAG_SF          0x080u
#define FLAG_DF          0x400u
#define FLAG_OF          0x800u
#define FLAGS_ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* The eight operations of opcodes 00..3F and of group 80..83, by number. */
enum { OP_ADD, OP_OR, OP_ADC, OP_SBB, OP_AND, OP_SUB, OP_XOR, OP_CMP };

struct execution {
    struct cpu_user_regs *regs;
    const struct emulate_ops *ops;
    void *ctx;
    struct instruction in;
    u64 address; /* linear, of the memory operand */
};

static u64 size_mask(u32 bytes)
{
    return bytes == 8 ? ~0UL : (1UL << (8 * bytes)) - 1;
}

static u64 sign_bit(u32 bytes)
{
    return 1UL << (8 * bytes - 1);
}

static u32 result_flags(u64 result, u32 bytes)
{
    u32 flags = 0;
    result &= size_mask(bytes);
    if (!result)
        flags |= FLAG_ZF;
    if (result & sign_bit(bytes))
        flags |= FLAG_SF;
    if (!(__builtin_popcount((u8)result) & 1))
        flags |= FLAG_PF;
    return flags;
}

static u64 add_with_flags(u64 a, u64 b, u64 carry, u32 bytes, u32 *flags)
{
    u64 mask = size_mask(bytes);
    u64 result = (a + b + carry) & mask;

    *flags = result_flags(result, bytes);
    if (result < a || (carry && result == a))
        *flags |= FLAG_CF;
    if ((a ^ result) & (b ^ result) & sign_bit(bytes))
        *flags |= FLAG_OF;
    if ((a ^ b ^ result) & 0x10)
        *flags |= FLAG_AF;
    return result;
}

static u64 subtract_with_flags(u64 a, u64 b, u64 borrow, u32 bytes, u32 *flags)
{
    u64 result = (a - b - borrow) & size_mask(bytes);

    *flags = result_flags(result, bytes);
    if (a < b || (borrow && a == b))
        *flags |= FLAG_CF;
    if ((a ^ b) & (a ^ result) & sign_bit(bytes))
        *flags |= FLAG_OF;
    if ((a ^ b ^ result) & 0x10)
        *flags |= FLAG_AF;
    return result;
}

/* a OP b; both within the operand size. */
static u64 arithmetic(u32 op, u64 a, u64 b, u64 old_flags, u32 bytes, u32 *flags)
{
    u64 carry = old_flags & FLAG_CF, result;

    switch (op) {
    case OP_ADD:
        return add_with_flags(a, b, 0, bytes, flags);
    case OP_ADC:
        return add_with_flags(a, b, carry, bytes, flags);
    case OP_SBB:
        return subtract_with_flags(a, b, carry, bytes, flags);
    case OP_SUB:
    case OP_CMP:
        return subtract_with_flags(a, b, 0, bytes, flags);
    case OP_OR:
        result = a | b;
        break;
    case OP_AND:
        result = a & b;
        break;
    default:
        result = a ^ b;
        break;
    }
    *flags = result_flags(result, bytes);
    return result;
}

static void set_flags(struct cpu_user_regs *regs, u32 affected, u32 flags)
{
    regs->rflags = (regs->rflags & ~(u64)affected) | (flags & affected);
}

static u64 register_operand(const struct execution *e)
{
    return register_read(e->regs, e->in.reg, e->in.operand_bytes, e->in.rex);
}

/* Read, compute by `op` with operand b, exchange until nobody was in between. */
static int modify(struct execution *e, u32 op, u64 b, u64 *old_value, u32 *flags)
{
    u32 bytes = e->in.operand_bytes;
    u64 old;
    int status = e->ops->read(e->ctx, e->address, &old, bytes);

    while (!status) {
        u64 result = arithmetic(op, old, b & size_mask(bytes), e->regs->rflags, bytes, flags);
        status = e->ops->exchange(e->ctx, e->address, &old, result, bytes);
        if (status != 1)
            break;
        status = 0;
    }
    *old_value = old;
    return status;
}

static int execute_arithmetic(struct execution *e, u32 op, u64 b)
{
    u32 flags;
    u64 old;

    if (op == OP_CMP)
        return -EOPNOTSUPP; /* writes nothing: not what we are called for */
    int status = modify(e, op, b, &old, &flags);
    if (!status)
        set_flags(e->regs, FLAGS_ARITHMETIC, flags);
    return status;
}

static int execute_exchange(struct execution *e)
{
    u32 bytes = e->in.operand_bytes;
    u64 old, value = register_operand(e);
    int status = e->ops->read(e->ctx, e->address, &old, bytes);

    while (!status && (status = e->ops->exchange(e->ctx, e->address, &old, value, bytes)) == 1)
        status = 0;
    if (!status)
        register_write(e->regs, e->in.reg, bytes, e->in.rex, old);
    return status;
}

static int execute_exchange_add(struct execution *e)
{
    u32 flags;
    u64 old;
    int status = modify(e, OP_ADD, register_operand(e), &old, &flags);

    if (!status) {
        register_write(e->regs, e->in.reg, e->in.operand_bytes, e->in.rex, old);
        set_flags(e->regs, FLAGS_ARITHMETIC, flags);
    }
    return status;
}

static int execute_compare_exchange(struct execution *e)
{
    u32 bytes = e->in.operand_bytes, flags;
    u64 accumulator = register_read(e->regs, 0, bytes, 0x40);
    u64 found = accumulator;
    int status = e->ops->exchange(e->ctx, e->address, &found, register_operand(e), bytes);

    if (status < 0)
        return status;
    subtract_with_flags(accumulator, status ? found : accumulator, 0, bytes, &flags);
    if (status)
        register_write(e->regs, 0, bytes, 0x40, found);
    set_flags(e->regs, FLAGS_ARITHMETIC, flags);
    return 0;
}

/* BTS, BTR, BTC: op is 1, 2, 3. The bit number may reach beyond the operand. */
static int execute_bit(struct execution *e, u32 op, bool from_register)
{
    u32 bytes = e->in.operand_bytes;
    s64 bit = from_register ? (s64)register_operand(e) : (s64)(e->in.immediate & (8 * bytes - 1));
    u64 old;

    if (from_register) {
        u32 shift = 64 - 8 * bytes;
        bit = (s64)((u64)bit << shift) >> shift;
        s64 unit = bit >> (bytes == 8 ? 6 : bytes == 4 ? 5 : 4);
        e->address += (u64)(unit * (s64)bytes);
        bit &= 8 * bytes - 1;
    }
    u64 mask = 1UL << bit;
    int status = e->ops->read(e->ctx, e->address, &old, bytes);
    while (!status) {
        u64 value = op == 1 ? old | mask : op == 2 ? old & ~mask : old ^ mask;
        status = e->ops->exchange(e->ctx, e->address, &old, value, bytes);
        if (status != 1)
            break;
        status = 0;
    }
    if (!status)
        set_flags(e->regs, FLAG_CF, old & mask ? FLAG_CF : 0);
    return status;
}

/* F6/F7 /2 NOT, /3 NEG; FE/FF /0 INC, /1 DEC. */
static int execute_unary(struct execution *e, bool group3)
{
    u32 flags;
    u64 old;
    int status;

    switch ((e->in.reg & 7) | (group3 ? 8 : 0)) {
    case 0:
    case 1:
        status = modify(e, e->in.reg & 7 ? OP_SUB : OP_ADD, 1, &old, &flags);
        if (!status)
            set_flags(e->regs, FLAGS_ARITHMETIC & ~FLAG_CF, flags);
        return status;
    case 8 + 2:
        return modify(e, OP_XOR, ~0UL, &old, &flags);
    case 8 + 3: {
        u32 bytes = e->in.operand_bytes;
        status = e->ops->read(e->ctx, e->address, &old, bytes);
        while (!status) {
            u64 result = subtract_with_flags(0, old, 0, bytes, &flags);
            status = e->ops->exchange(e->ctx, e->address, &old, result, bytes);
            if (status != 1)
                break;
            status = 0;
        }
        if (!status)
            set_flags(e->regs, FLAGS_ARITHMETIC, flags);
        return status;
    }
    default:
        return -EOPNOTSUPP;
    }
}

/* One step of STOS or MOVS; with REP the instruction is left to run again. */
static int execute_string(struct execution *e, bool move, bool *again)
{
    struct cpu_user_regs *r = e->regs;
    u32 bytes = e->in.operand_bytes;
    u64 value = register_read(r, 0, bytes, 0x40), step = bytes;

    if (e->in.address_bytes != 8)
        return -EOPNOTSUPP;
    *again = false;
    if ((e->in.rep || e->in.repne) && !r->rcx)
        return 0;
    if (move) {
        u64 base = e->ops->segment_base(e->ctx, e->in.segment);
        int status = e->ops->read(e->ctx, base + r->rsi, &value, bytes);
        if (status)
            return status;
    }
    int status = e->ops->write(e->ctx, r->rdi, value, bytes);
    if (status)
        return status;
    if (r->rflags & FLAG_DF)
        step = -step;
    r->rdi += step;
    if (move)
        r->rsi += step;
    if (e->in.rep || e->in.repne)
        *again = --r->rcx != 0;
    return 0;
}

static int execute_two_byte(struct execution *e)
{
    switch (e->in.opcode) {
    case 0xab:
        return execute_bit(e, 1, true);
    case 0xb3:
        return execute_bit(e, 2, true);
    case 0xbb:
        return execute_bit(e, 3, true);
    case 0xba:
        return (e->in.reg & 7) < 5 ? -EOPNOTSUPP : execute_bit(e, (e->in.reg & 7) - 4, false);
    case 0xb0:
    case 0xb1:
        return execute_compare_exchange(e);
    case 0xc0:
    case 0xc1:
        return execute_exchange_add(e);
    case 0xc3: /* MOVNTI */
        return e->ops->write(e->ctx, e->address, register_operand(e), e->in.operand_bytes);
    default:
        return -EOPNOTSUPP;
    }
}

static int execute_one_byte(struct execution *e, bool *again)
{
    const struct instruction *in = &e->in;

    if (in->opcode < 0x40 && (in->opcode & 7) < 2)
        return execute_arithmetic(e, in->opcode >> 3, register_operand(e));
    switch (in->opcode) {
    case 0x80:
    case 0x81:
    case 0x83:
        return execute_arithmetic(e, in->reg & 7, in->immediate);
    case 0x86:
    case 0x87:
        return execute_exchange(e);
    case 0x88:
    case 0x89:
        return e->ops->write(e->ctx, e->address, register_operand(e), in->operand_bytes);
    case 0xc6:
    case 0xc7:
        if (in->reg & 7)
            return -EOPNOTSUPP;
        return e->ops->write(e->ctx, e->address, in->immediate & size_mask(in->operand_bytes),
                             in->operand_bytes);
    case 0xf6:
    case 0xf7:
        return execute_unary(e, true);
    case 0xfe:
    case 0xff:
        return execute_unary(e, false);
    case 0xa4:
    case 0xa5:
        return execute_string(e, true, again);
    case 0xaa:
    case 0xab:
        return execute_string(e, false, again);
    default:
        return -EOPNOTSUPP;
    }
}

/* Loads, and what only compares: the operand is read once. */
static int execute_load(struct execution *e)
{
    const struct instruction *in = &e->in;
    u32 bytes = in->operand_bytes, op = in->opcode >> 3, flags, source = bytes;
    u64 value, own = register_operand(e);
    bool sign = false;
    int status;

    if (in->map) {
        if ((in->opcode & 0xf6) != 0xb6) /* MOVZX, MOVSX */
            return -EOPNOTSUPP;
        source = in->opcode & 1 ? 2 : 1;
        sign = in->opcode & 8;
    }
    status = e->ops->read(e->ctx, e->address, &value, source);
    if (status)
        return status;
    if (in->map) {
        u32 shift = 64 - 8 * source;
        value = sign ? (u64)((s64)(value << shift) >> shift) : value;
        register_write(e->regs, in->reg, bytes, in->rex, value & size_mask(bytes));
        return 0;
    }
    switch (in->opcode) {
    case 0x8a:
    case 0x8b:
        register_write(e->regs, in->reg, bytes, in->rex, value);
        return 0;
    case 0x84: /* TEST */
    case 0x85:
        arithmetic(OP_AND, value, own, 0, bytes, &flags);
        break;
    case 0xf6:
    case 0xf7:
        if ((in->reg & 7) > 1)
            return -EOPNOTSUPP;
        arithmetic(OP_AND, value, in->immediate & size_mask(bytes), 0, bytes, &flags);
        break;
    case 0x38: /* CMP */
    case 0x39:
        arithmetic(OP_CMP, value, own, 0, bytes, &flags);
        break;
    case 0x80:
    case 0x81:
    case 0x83:
        if ((in->reg & 7) != OP_CMP)
            return -EOPNOTSUPP;
        arithmetic(OP_CMP, value, in->immediate & size_mask(bytes), 0, bytes, &flags);
        break;
    default: /* ADD, OR ... CMP to a register */
        if (in->opcode >= 0x40 || (in->opcode & 6) != 2)
            return -EOPNOTSUPP;
        own = arithmetic(op, own, value, e->regs->rflags, bytes, &flags);
        if (op != OP_CMP)
            register_write(e->regs, in->reg, bytes, in->rex, own);
        break;
    }
    set_flags(e->regs, FLAGS_ARITHMETIC, flags);
    return 0;
}

/* Fetches, decodes and finds the memory operand. */
static int prepare(struct execution *e, bool long_mode)
{
    u8 bytes[INSTRUCTION_MAX];
    u32 count = e->ops->fetch(e->ctx, e->regs->rip, bytes, sizeof(bytes));

    if (instruction_decode(bytes, count, long_mode, e->regs, &e->in))
        return -EOPNOTSUPP;
    if (!e->in.has_modrm)
        return 0;
    if (e->in.mod == 3)
        return -EOPNOTSUPP;
    e->address = e->ops->segment_base(e->ctx, e->in.segment) + e->in.address;
    if (e->in.address_bytes == 4 && !long_mode)
        e->address = (u32)e->address;
    return 0;
}

int emulate_memory_write(struct cpu_user_regs *regs, bool long_mode, const struct emulate_ops *ops,
                         void *ctx)
{
    struct execution e = {.regs = regs, .ops = ops, .ctx = ctx};
    bool again = false;
    int status = prepare(&e, long_mode);

    if (!status)
        status = e.in.map ? execute_two_byte(&e) : execute_one_byte(&e, &again);
    if (!status && !again)
        regs->rip += e.in.length;
    return status;
}

int emulate_memory_read(struct cpu_user_regs *regs, bool long_mode, const struct emulate_ops *ops,
                        void *ctx)
{
    struct execution e = {.regs = regs, .ops = ops, .ctx = ctx};
    int status = prepare(&e, long_mode);

    if (!status)
        status = e.in.has_modrm ? execute_load(&e) : -EOPNOTSUPP;
    if (!status)
        regs->rip += e.in.length;
    return status;
}
