/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest does to ports and to guest-physical addresses that no memory is
 * behind: its instruction is executed by the emulator, each access led to
 * memory or to hvm_io(). Where a device model takes its time (-EAGAIN), nothing
 * has changed, and hvm_io_again() does the same once more with the answer.
 *
 * Everything is about the current vCPU; no locks. Guest memory may change
 * under us: what the instruction is now counts, not what has faulted.
 */
#include "emulate/emulate.h"

#include "core/ioreq.h"
#include "cpu/registers.h"
#include "hvm/hvm.h"

/* Attributes of a segment (Intel SDM vol. 3, 3.4.5). */
#define SEGMENT_WRITABLE    BIT(1) /* of code: readable */
#define SEGMENT_EXPAND_DOWN BIT(2)
#define SEGMENT_CODE        BIT(3)
#define SEGMENT_PRESENT     BIT(7)
#define SEGMENT_BIG         BIT(10)

#define STRING_ROUNDS       64 /* for one exit: then interrupts have their turn */

struct access {
    struct hvm_vcpu *v;
    struct hvm_paging paging;
    struct emulation e;
    u32 vector; /* the exception that -EFAULT stands for; 0: it has no right one */
    struct hvm_fault fault;
};

static int raise(struct access *a, u32 vector, u64 address, u32 error)
{
    a->vector = vector;
    a->fault = (struct hvm_fault){address, error};
    return -EFAULT;
}

/* May the operand be in the segment (Intel SDM vol. 3, 5.3 to 5.5)? */
static bool segment_permits(const struct access *a, const struct hvm_segment *s, u64 offset,
                            u64 size, bool write)
{
    u64 last = offset + size - 1;
    bool code = s->attributes & SEGMENT_CODE, allowed = s->attributes & SEGMENT_WRITABLE;

    if ((a->paging.cr0 & CR0_PE) && !(a->e.regs->rflags & RFLAGS_VM) &&
        (!(s->attributes & SEGMENT_PRESENT) || (write ? code || !allowed : code && !allowed)))
        return false;
    if (code || !(s->attributes & SEGMENT_EXPAND_DOWN))
        return last <= s->limit;
    return offset > s->limit && last <= (s->attributes & SEGMENT_BIG ? ~0U : 0xffffU);
}

static u32 rights(const struct access *a)
{
    return a->paging.privilege == 3 ? HVM_USER : 0;
}

static int translate(struct access *a, u64 address, bool write, u64 *physical)
{
    const struct instruction *in = &a->e.in;
    struct hvm_fault fault;

    /* The nested fault has said where the only operand is. */
    if (in->memory && !((address ^ a->v->fault) & ~PAGE_MASK) && a->v->fault != HVM_NO_FAULT &&
        !(in->opcode == 0xff && in->reg >= 2)) {
        *physical = a->v->fault;
        return 0;
    }
    return hvm_translate(a->v, address, rights(a) | (write ? HVM_WRITE : HVM_READ), physical,
                         &fault)
               ? raise(a, VECTOR_PF, fault.address, fault.error)
               : 0;
}

static int linear(void *ctx, enum segment segment, u64 offset, u32 size, bool write, u64 *address)
{
    struct access *a = ctx;
    struct hvm_segment s = {0};
    u64 physical;
    bool good;

    if (!a->paging.code64 || segment >= SEGMENT_FS)
        s = hvm_machine->segment(a->v, segment);
    *address = s.base + offset;
    if (a->paging.code64) {
        good = address_canonical(*address) && address_canonical(*address + size - 1);
    } else {
        *address = (u32)*address;
        good = segment_permits(a, &s, offset, size, write);
    }
    if (!good)
        return raise(a, segment == SEGMENT_SS ? VECTOR_SS : VECTOR_GP, 0, 0);
    /* INS: what the port gives must not be lost by a page fault. */
    return write && !a->e.in.map && (a->e.in.opcode & 0xfe) == 0x6c
               ? translate(a, *address, true, &physical)
               : 0;
}

/* Bytes within a page. */
static int reach(struct access *a, u64 physical, void *bytes, u32 size, bool write)
{
    struct domain *d = a->v->v.domain;
    struct p2m_entry entry = p2m_lookup(d->p2m, physical >> PAGE_SHIFT);
    u64 value = 0;
    int status;

    if (write && (entry.kind == P2M_READONLY || entry.kind == P2M_GRANT_READONLY))
        return 0; /* as to a ROM */
    if (entry.kind != P2M_NONE)
        return hvm_copy_physical(d, physical, bytes, size, write);
    if (size & (size - 1))
        return -EOPNOTSUPP;
    memcpy(&value, bytes, size);
    status =
        hvm_io(a->v, &(struct hvm_io_access){physical, (u8)size, false, write, false, 1}, &value);
    if (!status && !write)
        memcpy(bytes, &value, size);
    return status;
}

/* Both pages are looked up before one is touched. */
static int transfer(struct access *a, u64 address, u64 *value, u32 size, bool write)
{
    u32 first = (u32)MIN((u64)size, PAGE_SIZE - (address & ~PAGE_MASK));
    u64 physical, next = 0;
    int status = translate(a, address, write, &physical);

    if (!status && first < size)
        status = translate(a, address + first, write, &next);
    if (!status)
        status = reach(a, physical, value, first, write);
    if (!status && first < size)
        status = reach(a, next, (u8 *)value + first, size - first, write);
    return status;
}

static int read(void *ctx, u64 address, u64 *value, u32 size)
{
    *value = 0;
    return transfer(ctx, address, value, size, false);
}

static int write(void *ctx, u64 address, u64 value, u32 size)
{
    return transfer(ctx, address, &value, size, true);
}

/* Nobody else's accesses can come between those to a device. */
static int exchange(void *ctx, u64 address, u64 *expected, u64 value, u32 size)
{
    (void)expected;
    return write(ctx, address, value, size);
}

static u32 fetch(void *ctx, u64 rip, u8 *bytes, u32 count)
{
    struct access *a = ctx;
    u64 at = rip;
    u32 done = 0, part;

    if (!a->paging.code64)
        at = (u32)(hvm_machine->segment(a->v, SEGMENT_CS).base + rip);
    for (; done < count; done += part, at += part) {
        part = (u32)MIN((u64)(count - done), PAGE_SIZE - (at & ~PAGE_MASK));
        if (hvm_copy_linear(a->v, at, bytes + done, part, rights(a) | HVM_FETCH, &a->fault)) {
            a->vector = a->fault.address == ~0UL ? 0 : VECTOR_PF;
            break;
        }
    }
    return done;
}

static u8 code_bytes(const struct hvm_paging *p)
{
    return p->code64 ? 8 : p->code32 ? 4 : 2;
}

bool hvm_decode(struct hvm_vcpu *v, struct instruction *in)
{
    struct access a = {.v = v};
    u8 bytes[INSTRUCTION_MAX];
    u32 count;

    hvm_machine->get_paging(v, &a.paging);
    count = fetch(&a, guest_regs()->rip, bytes, sizeof(bytes));
    return !instruction_decode(bytes, count, code_bytes(&a.paging), guest_regs(), in);
}

static int port(void *ctx, u64 *value, u32 size, bool out)
{
    struct access *a = ctx;

    return hvm_io(a->v, &(struct hvm_io_access){(u16)a->e.regs->rdx, (u8)size, true, out, false, 1},
                  value);
}

/* What is at the first of many items, and *count no more than are in its page. */
static enum p2m_kind reach_many(struct access *a, u64 address, u32 size, bool write, u64 *count,
                                u64 *physical)
{
    u64 within = address & ~PAGE_MASK, room = (PAGE_SIZE - within) / size;
    struct hvm_fault fault;
    enum p2m_kind kind;

    *count = MIN(*count, a->e.regs->rflags & RFLAGS_DF && room ? within / size + 1 : room);
    if (hvm_translate(a->v, address, rights(a) | (write ? HVM_WRITE : HVM_READ), physical, &fault))
        return P2M_KINDS; /* the next single one tells the guest */
    kind = p2m_lookup(a->v->v.domain->p2m, *physical >> PAGE_SHIFT).kind;
    return !write && (kind == P2M_READONLY || kind == P2M_LOGDIRTY) ? P2M_RAM : kind;
}

/*
 * In one go with memory on one side. On both sides there may be that of a screen, as it is one
 * device's: whoever draws there moves lines.
 */
static int many(void *ctx, u64 source, u64 target, u32 size, u64 count)
{
    struct access *a = ctx;
    u32 op = a->e.in.opcode & 0xfe; /* INS, OUTS, MOVS or STOS */
    enum p2m_kind from = P2M_RAM, to = P2M_RAM;
    struct hvm_io_access access = {(u16)a->e.regs->rdx, (u8)size, op < 0x70, op == 0x6e, true, 0};
    u64 data = 0;
    int status;

    if (op == 0x6e || op == 0xa4)
        from = reach_many(a, source, size, false, &count, &source);
    if (op != 0x6e)
        to = reach_many(a, target, size, true, &count, &target);
    if (op == 0x6c || op == 0x6e) {
        data = op == 0x6c ? target : source;
    } else if (to == P2M_NONE && from == P2M_RAM) {
        access.address = target;
        access.write = true;
        access.memory = op == 0xa4;
        data = access.memory ? source : register_read(a->e.regs, 0, size, 0x40);
        to = P2M_RAM;
    } else if (from == P2M_NONE && (to == P2M_RAM || (vga_memory(source) && vga_memory(target)))) {
        access.address = source;
        data = target;
        from = to = P2M_RAM;
    } else {
        return 0;
    }
    if (from != P2M_RAM || to != P2M_RAM || count < 2)
        return 0;
    access.count = a->e.regs->rflags & RFLAGS_DF ? -(s32)count : (s32)count;
    status = hvm_io_many(a->v, &access, data);
    return status > 0 ? (int)count : status;
}

static void vector(void *ctx, u32 number, u64 value[2], bool set)
{
    (void)ctx;
    fpu_vector(number, value, set);
}

static void complete(void *ctx)
{
    hvm_io_complete(((struct access *)ctx)->v);
}

static const struct emulate_ops ops = {
    .fetch = fetch,
    .linear = linear,
    .read = read,
    .write = write,
    .exchange = exchange,
    .vector = vector,
    .port = port,
    .many = many,
    .round = complete,
};

void hvm_instruction_done(struct hvm_vcpu *v, u32 length)
{
    struct hvm_hw_cpu s;

    hvm_machine->instruction_done(v, length);
    if (unlikely(guest_regs()->rflags & RFLAGS_TF)) {
        hvm_machine->get_state(v, &s);
        s.dr6 |= DR6_BS;
        hvm_machine->set_state(v, &s);
        hvm_raise(v, VECTOR_DB, -1);
    }
}

static void emulate(struct hvm_vcpu *v, u64 fault)
{
    struct cpu_user_regs *r = guest_regs();
    struct access a = {.v = v, .e = {.regs = r, .ops = &ops, .rounds = STRING_ROUNDS}};
    int status;

    v->fault = fault;
    hvm_machine->get_paging(v, &a.paging);
    a.e.ctx = &a;
    a.e.code_bytes = code_bytes(&a.paging);
    a.e.stack_bytes = hvm_machine->segment(v, SEGMENT_SS).attributes & SEGMENT_BIG ? 4 : 2;
    if (a.paging.code64)
        a.e.stack_bytes = 8;
    status = emulate_instruction(&a.e);
    if (status == -EAGAIN) {
        v->io.again = HVM_AGAIN_MEMORY;
        return;
    }
    if (!status) {
        hvm_io_complete(v);
        hvm_instruction_done(v, 0);
        return;
    }
    hvm_io_complete(v);
    if (status == -EFAULT && a.vector == VECTOR_PF) {
        hvm_raise_page_fault(v, a.fault.address, a.fault.error);
        return;
    }
    if (status != -EFAULT || !a.vector) {
        printk_guest(LOG_WARNING, "d%dv%d at %lx: instruction %x on %lx cannot be emulated\n",
                     v->v.domain->id, v->v.id, r->rip, a.e.in.map << 8 | a.e.in.opcode, fault);
        a.vector = VECTOR_GP;
    }
    hvm_raise(v, a.vector, 0);
}

void hvm_exit_port(struct hvm_vcpu *v, const struct hvm_port_access *a)
{
    struct cpu_user_regs *r = guest_regs();
    u64 value = r->rax;

    if (a->string) {
        emulate(v, HVM_NO_FAULT);
        return;
    }
    v->port = *a;
    if (hvm_io(v, &(struct hvm_io_access){a->port, a->bytes, true, !a->in, false, 1}, &value)) {
        v->io.again = HVM_AGAIN_PORT;
        return;
    }
    if (a->in)
        register_write(r, 0, a->bytes, 0x40, value);
    hvm_io_complete(v);
    hvm_instruction_done(v, (u32)(a->next_rip - r->rip));
}

static void crash_at(struct hvm_vcpu *v, const char *why, u64 address, struct p2m_entry e)
{
    printk_guest(LOG_INFO, "d%dv%d: guest-physical %lx, mapping of kind %u, event %x\n",
                 v->v.domain->id, v->v.id, address, e.kind,
                 v->event.valid ? v->event.vector | v->event.type << 8 : 0);
    hvm_crash(v, why);
}

void hvm_exit_page(struct hvm_vcpu *v, u64 address, bool write, bool fetched)
{
    struct p2m_entry e = p2m_lookup(v->v.domain->p2m, address >> PAGE_SHIFT);

    if (e.kind == P2M_LOGDIRTY && write)
        p2m_written(v->v.domain->p2m, address >> PAGE_SHIFT);
    if (e.kind == P2M_RAM || e.kind == P2M_LOGDIRTY)
        return; /* or it has come meanwhile */
    if (fetched || (e.kind != P2M_NONE && !write))
        crash_at(v, "runs code where there is no memory", address, e);
    else if (v->event.valid)
        crash_at(v, "delivers an event through what is no memory", address, e);
    else
        emulate(v, address);
}

void hvm_io_again(struct hvm_vcpu *v)
{
    u8 again = v->io.again;
    struct hvm_port_access a = v->port;

    v->io.again = HVM_AGAIN_NOTHING;
    if (again == HVM_AGAIN_PORT)
        hvm_exit_port(v, &a);
    else if (again == HVM_AGAIN_MEMORY)
        emulate(v, v->fault);
}
