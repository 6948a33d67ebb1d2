/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happened in the guest, as the machine reports it in neutral terms, and
 * what becomes of it. Everything here runs on behalf of the current vCPU; the
 * next entry follows, so nothing loops: an instruction that is not done yet is
 * entered again.
 */
#include "core/cpu_policy.h"
#include "core/event.h"
#include "cpu/perfc.h"
#include "emulate/emulate.h"
#include "hvm/hvm.h"
#include "lib/log.h"
#include "lib/string.h"

#include <xen/sched.h>

#define VECTOR_GP 13U
#define RFLAGS_IF BIT(9)
#define RFLAGS_DF BIT(10)

void hvm_crash(struct hvm_vcpu *v, const char *why)
{
    struct hvm_hw_cpu s;

    hvm_machine->get_state(v, &s);
    printk(LOG_INFO, "d%dv%d at %x:%lx, cr0 %lx cr3 %lx cr4 %lx efer %lx\n", v->v.domain->id,
           v->v.id, s.cs_sel, guest_regs()->rip, s.cr0, s.cr3, s.cr4, s.msr_efer);
    domain_crash(v->v.domain, why);
}

void hvm_exit_triple_fault(struct hvm_vcpu *v)
{
    struct domain *d = v->v.domain;

    printk(LOG_INFO, "d%dv%d: triple fault at %lx\n", d->id, v->v.id, guest_regs()->rip);
    v->event.valid = false;
    domain_shutdown(d, (u32)to_hvm_domain(d)->params[HVM_PARAM_TRIPLE_FAULT_REASON]);
}

void hvm_exit_cpuid(struct hvm_vcpu *v)
{
    struct cpu_user_regs *r = guest_regs();
    u32 out[4];

    cpu_policy_cpuid(&v->v, (u32)r->rax, (u32)r->rcx, out);
    r->rax = out[0];
    r->rbx = out[1];
    r->rcx = out[2];
    r->rdx = out[3];
    hvm_machine->instruction_done(v, 2);
}

void hvm_exit_msr(struct hvm_vcpu *v, bool write)
{
    struct cpu_user_regs *r = guest_regs();
    u64 value = (u32)r->rax | r->rdx << 32;

    if (write ? !hvm_write_msr(v, (u32)r->rcx, value) : !hvm_read_msr(v, (u32)r->rcx, &value)) {
        hvm_raise(v, VECTOR_GP, 0);
        return;
    }
    if (!write) {
        r->rax = (u32)value;
        r->rdx = value >> 32;
    }
    hvm_machine->instruction_done(v, 2);
}

void hvm_exit_halt(struct hvm_vcpu *v)
{
    hvm_machine->instruction_done(v, 1);
    if (guest_regs()->rflags & RFLAGS_IF)
        vcpu_block();
    else if (!READ_ONCE(v->v.nmi_pending)) /* nothing but NMI or INIT ends this */
        vcpu_down(&v->v);
}

void hvm_exit_xsetbv(struct hvm_vcpu *v)
{
    struct cpu_user_regs *r = guest_regs();
    u64 value = (u32)r->rax | r->rdx << 32;
    struct hvm_paging p;

    hvm_machine->get_paging(v, &p);
    if (p.privilege || (u32)r->rcx || (value & ~cpu_policy_xcr0(v->v.domain)) ||
        fpu_set_xcr0(v->v.fpu, value))
        hvm_raise(v, VECTOR_GP, 0);
    else
        hvm_machine->instruction_done(v, 3);
}

/* Registers of the two calling conventions (xen/arch-x86/xen-x86_64.h, -x86_32.h). */
void hvm_exit_hypercall(struct hvm_vcpu *v, u32 length)
{
    struct cpu_user_regs *r = guest_regs();
    struct hvm_paging p;

    hvm_machine->get_paging(v, &p);
    if (p.privilege) {
        r->rax = (u64)(s64)reject(-EPERM, "hypercall from user mode");
        hvm_machine->instruction_done(v, length);
        return;
    }
    if (!p.code64) {
        r->rax = (u32)reject(-ENOSYS, "hypercall from code of less than 64 bits");
        hvm_machine->instruction_done(v, length);
        return;
    }
    if (hypercall_hvm(r))
        hvm_machine->instruction_done(v, length);
}

/* ---- ports ---- */

static u32 port_in(struct hvm_vcpu *v, u16 port, u32 bytes)
{
    u64 value;

    hvm_io(v, &(struct hvm_io_access){port, (u8)bytes, true, false}, &value);
    return (u32)value;
}

static void port_out(struct hvm_vcpu *v, u16 port, u32 value, u32 bytes)
{
    u64 wide = value;

    hvm_io(v, &(struct hvm_io_access){port, (u8)bytes, true, true}, &wide);
}

static u32 fetch(void *ctx, u64 rip, u8 *bytes, u32 count);

/* One element of INS or OUTS. False: it faulted. */
static bool string_step(struct hvm_vcpu *v, const struct hvm_port_access *a,
                        const struct instruction *in, const struct hvm_paging *p)
{
    struct cpu_user_regs *r = guest_regs();
    u64 *index = a->in ? &r->rdi : &r->rsi, mask = ~0UL >> (64 - 8 * in->address_bytes);
    u64 step = r->rflags & RFLAGS_DF ? -(u64)a->bytes : a->bytes;
    u64 address = hvm_machine->segment_base(v, a->in ? SEGMENT_ES : in->segment) + (*index & mask);
    u32 value = 0, access = p->privilege == 3 ? HVM_USER : 0;
    struct hvm_fault fault;

    if (!p->code64)
        address = (u32)address;
    if (a->in)
        value = port_in(v, a->port, a->bytes);
    if (hvm_copy_linear(v, address, &value, a->bytes, access | (a->in ? HVM_WRITE : HVM_READ),
                        &fault)) {
        if (fault.address == ~0UL)
            hvm_crash(v, "string port instruction on memory that is not there");
        else
            hvm_raise_page_fault(v, fault.address, fault.error);
        return false;
    }
    if (!a->in)
        port_out(v, a->port, value, a->bytes);
    *index = (*index & ~mask) | ((*index + step) & mask);
    return true;
}

#define STRING_STEPS 64 /* for one exit: then interrupts have their turn */

static void port_string(struct hvm_vcpu *v, const struct hvm_port_access *a)
{
    struct cpu_user_regs *r = guest_regs();
    u8 bytes[INSTRUCTION_MAX];
    u32 got = fetch(v, r->rip, bytes, sizeof(bytes));
    struct hvm_paging p;
    struct instruction in;

    hvm_machine->get_paging(v, &p);
    if (instruction_decode(bytes, got, p.code64, r, &in) || in.map || in.opcode < 0x6c ||
        in.opcode > 0x6f) {
        hvm_crash(v, "port access by an instruction that is not known");
        return;
    }
    for (u32 n = 0; n < STRING_STEPS && (!a->rep || r->rcx); n++) {
        if (!string_step(v, a, &in, &p))
            return;
        if (a->rep)
            r->rcx--;
        else
            break;
    }
    hvm_machine->instruction_done(v, a->rep && r->rcx ? 0 : in.length);
}

void hvm_exit_port(struct hvm_vcpu *v, const struct hvm_port_access *a)
{
    struct cpu_user_regs *r = guest_regs();

    if (a->string) {
        port_string(v, a);
        return;
    }
    if (a->in)
        register_write(r, 0, a->bytes, 0x40, port_in(v, a->port, a->bytes));
    else
        port_out(v, a->port, (u32)r->rax, a->bytes);
    hvm_machine->instruction_done(v, (u32)(a->next_rip - r->rip));
}

/* ---- memory that no frame is behind ---- */

static u32 fetch(void *ctx, u64 rip, u8 *bytes, u32 count)
{
    struct hvm_vcpu *v = ctx;
    u64 at = hvm_machine->segment_base(v, SEGMENT_CS) + rip;
    u32 first = (u32)MIN((u64)count, PAGE_SIZE - (at & ~PAGE_MASK));

    if (hvm_copy_linear(v, at, bytes, first, HVM_FETCH, NULL))
        return 0;
    if (first < count &&
        hvm_copy_linear(v, at + first, bytes + first, count - first, HVM_FETCH, NULL))
        return first;
    return count;
}

static u64 segment_base(void *ctx, enum segment segment)
{
    return hvm_machine->segment_base(ctx, segment);
}

/* The page of the fault, for the callbacks: there is one access to it at a time. */
static int device_read(void *ctx, u64 address, u64 *value, u32 size)
{
    struct hvm_vcpu *v = ctx;

    return hvm_io(
        v, &(struct hvm_io_access){v->fault_page | (address & ~PAGE_MASK), (u8)size, false, false},
        value);
}

static int device_write(void *ctx, u64 address, u64 value, u32 size)
{
    struct hvm_vcpu *v = ctx;

    return hvm_io(
        v, &(struct hvm_io_access){v->fault_page | (address & ~PAGE_MASK), (u8)size, false, true},
        &value);
}

static int device_exchange(void *ctx, u64 address, u64 *expected, u64 value, u32 size)
{
    (void)expected;
    return device_write(ctx, address, value, size);
}

static const struct emulate_ops device_ops = {
    .fetch = fetch,
    .segment_base = segment_base,
    .read = device_read,
    .write = device_write,
    .exchange = device_exchange,
};

void hvm_exit_page(struct hvm_vcpu *v, u64 address, bool write, bool fetched)
{
    struct domain *d = v->v.domain;
    struct p2m_entry e = p2m_lookup(d->p2m, address >> PAGE_SHIFT);
    struct hvm_paging p;

    if (e.kind == P2M_RAM)
        return; /* it has come meanwhile */
    if (fetched || (e.kind != P2M_NONE && !write)) {
        hvm_crash(v, "runs code where there is no memory");
        return;
    }
    hvm_machine->get_paging(v, &p);
    v->fault_page = address & PAGE_MASK;
    if ((write ? emulate_memory_write : emulate_memory_read)(guest_regs(), p.code64, &device_ops,
                                                             v))
        hvm_crash(v, "instruction on device memory that cannot be emulated");
    else
        hvm_machine->instruction_done(v, 0);
}
