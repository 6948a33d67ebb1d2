/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happened in the guest, as the machine reports it in neutral terms, and
 * what becomes of it. Everything here runs on behalf of the current vCPU; the
 * next entry follows, so nothing loops: an instruction that is not done yet is
 * entered again.
 */
#include "core/cpu_policy.h"
#include "core/event.h"
#include "emulate/decode.h"
#include "hvm/hvm.h"

#include <xen/sched.h>

static void tell_state(struct hvm_vcpu *v)
{
    const struct cpu_user_regs *r = guest_regs();
    struct hvm_hw_cpu s;

    hvm_machine->get_state(v, &s);
    printk(LOG_INFO, "d%dv%d: %x:%lx rsp %lx rflags %lx cr0 %lx cr2 %lx cr3 %lx cr4 %lx efer %lx\n",
           v->v.domain->id, v->v.id, s.cs_sel, r->rip, r->rsp, r->rflags, s.cr0, s.cr2, s.cr3,
           s.cr4, s.msr_efer);
}

void hvm_crash(struct hvm_vcpu *v, const char *why)
{
    tell_state(v);
    domain_crash(v->v.domain, why);
}

void hvm_set_width(void)
{
    struct hvm_paging p;

    hvm_machine->get_paging(hvm_current(), &p);
    domain_set_narrow(current->domain, !p.code64);
}

void hvm_exit_triple_fault(struct hvm_vcpu *v)
{
    struct domain *d = v->v.domain;

    printk(LOG_INFO, "d%dv%d: triple fault\n", d->id, v->v.id);
    tell_state(v);
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
    hvm_instruction_done(v, 2);
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
    hvm_instruction_done(v, 2);
}

/* The processor need not tell which of the two it is. */
void hvm_exit_tsc(struct hvm_vcpu *v)
{
    struct cpu_user_regs *r = guest_regs();
    struct instruction in;
    u64 value = hvm_tsc(v);

    if (!hvm_decode(v, &in) || !in.map || (in.opcode != 0x31 && in.opcode != 0x01))
        return; /* it is another one by now */
    r->rax = (u32)value;
    r->rdx = value >> 32;
    if (in.opcode == 0x01)
        r->rcx = v->tsc_aux;
    hvm_instruction_done(v, in.length);
}

void hvm_exit_halt(struct hvm_vcpu *v)
{
    hvm_instruction_done(v, 1);
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
        hvm_instruction_done(v, 3);
}

void hvm_exit_hypercall(struct hvm_vcpu *v, u32 length)
{
    struct cpu_user_regs *r = guest_regs();
    struct hvm_paging p;

    hvm_machine->get_paging(v, &p);
    if (p.privilege) {
        r->rax = (u64)(s64)reject(-EPERM, "hypercall from user mode");
        hvm_instruction_done(v, length);
        return;
    }
    if (hypercall_hvm(r, p.code64))
        hvm_instruction_done(v, length);
}
