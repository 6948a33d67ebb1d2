/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Privileged instructions of a PV guest: its kernel runs in ring 3, so they
 * raise #GP, and we do what they ask as far as the guest's own state goes.
 * CPUID is not privileged; kernels ask for our answer with a prefix (the
 * forced-emulation bytes of xen.h) that raises #UD.
 *
 * All is about the current vCPU; no locks.
 */
#include "core/cpu_policy.h"
#include "cpu/ports.h"
#include "cpu/registers.h"
#include "cpu/uaccess.h"
#include "cpu/work.h"
#include "emulate/decode.h"
#include "pv/traps.h"

#define CR0_VALUE 0x80050033UL /* PG AM WP NE ET MP PE: how a 64-bit kernel knows it */
#define CR4_BASE  0x660UL      /* OSXMMEXCPT OSFXSR MCE PAE */

struct privileged {
    struct pv_vcpu *v;
    struct cpu_user_regs *regs;
    struct instruction in;
};

/* TSC_AUX is there with RDTSCP or RDPID (Intel SDM vol. 2, RDPID). */
static bool has_tsc_aux(const struct vcpu *v)
{
    u32 extended[4], structured[4];

    cpu_policy_cpuid(v, 0x80000001, 0, extended);
    cpu_policy_cpuid(v, 7, 0, structured);
    return (extended[3] & BIT(27)) || (structured[2] & BIT(22));
}

static bool read_msr(struct pv_vcpu *v, u32 msr, u64 *value)
{
    switch (msr) {
    case MSR_FS_BASE:
        *value = cpu_fs_base();
        return true;
    case MSR_GS_BASE:
        *value = cpu_gs_base();
        return true;
    case MSR_KERNEL_GS_BASE:
        *value = cpu_gs_base_other();
        return true;
    case MSR_TSC_AUX:
        *value = v->tsc_aux;
        return has_tsc_aux(&v->v);
    default:
        return cpu_policy_rdmsr(&v->v, msr, value);
    }
}

static bool write_msr(struct pv_vcpu *v, u32 msr, u64 value)
{
    switch (msr) {
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_KERNEL_GS_BASE:
        if (!address_canonical(value))
            return false;
        if (msr == MSR_FS_BASE)
            cpu_set_fs_base(value);
        else if (msr == MSR_GS_BASE)
            cpu_set_gs_base(value);
        else
            cpu_set_gs_base_other(value);
        return true;
    case MSR_TSC_AUX:
        if (value > UINT32_MAX || !has_tsc_aux(&v->v))
            return false;
        v->tsc_aux = (u32)value;
        cpu_load_tsc_aux(v->tsc_aux);
        return true;
    default:
        return cpu_policy_wrmsr(&v->v, msr, value);
    }
}

static bool emulate_msr(struct privileged *p)
{
    struct cpu_user_regs *r = p->regs;
    u64 value = (u32)r->rax | r->rdx << 32;

    if (p->in.opcode == 0x30)
        return write_msr(p->v, (u32)r->rcx, value);
    if (!read_msr(p->v, (u32)r->rcx, &value))
        return false;
    r->rax = (u32)value;
    r->rdx = value >> 32;
    return true;
}

static bool read_control(struct privileged *p, u32 number, u64 *value)
{
    struct pv_vcpu *v = p->v;

    switch (number) {
    case 0:
        *value = CR0_VALUE | v->cr0_ts;
        return true;
    case 2:
        *value = v->v.info->arch.cr2;
        return true;
    case 3:
        *value = xen_pfn_to_cr3(v->kernel_table.raw);
        return true;
    case 4:
        *value = v->cr4 ? v->cr4 : CR4_BASE;
        return true;
    default:
        return false;
    }
}

static bool write_control(struct privileged *p, u32 number, u64 value)
{
    struct pv_vcpu *v = p->v;

    switch (number) {
    case 0:
        /* Only TS is the guest's to change; the rest must be what it is. */
        if ((value | CR0_TS) != (CR0_VALUE | CR0_TS))
            return false;
        v->cr0_ts = value & CR0_TS;
        cpu_set_task_switched(v->cr0_ts);
        return true;
    case 2:
        v->v.info->arch.cr2 = value;
        return true;
    case 4:
        /* Remembered for reading back: what is in force is ours. */
        v->cr4 = value | CR4_BASE;
        return true;
    default:
        return false;
    }
}

static bool emulate_control(struct privileged *p)
{
    const struct instruction *in = &p->in;
    u64 value;

    if (in->mod != 3)
        return false;
    switch (in->opcode) {
    case 0x20:
        if (!read_control(p, in->reg, &value))
            return false;
        register_write(p->regs, in->rm, 8, 0x40, value);
        return true;
    case 0x22:
        return write_control(p, in->reg, register_read(p->regs, in->rm, 8, 0x40));
    case 0x21:
        if (in->reg > 7)
            return false;
        register_write(p->regs, in->rm, 8, 0x40, p->v->dr[pv_debug_number(in->reg)]);
        return true;
    default:
        return pv_set_debugreg(in->reg, register_read(p->regs, in->rm, 8, 0x40)) == 0;
    }
}

/* 0F 01: LMSW, INVLPG, XSETBV. Everything else there is not for PV kernels. */
static bool emulate_group7(struct privileged *p)
{
    const struct instruction *in = &p->in;
    struct cpu_user_regs *r = p->regs;
    u64 value = (u32)r->rax | r->rdx << 32;

    /* XSETBV: XCR0 is the only one there is, and the domain's policy says what may be in it. */
    if (in->mod == 3 && (in->reg & 7) == 2 && (in->rm & 7) == 1)
        return (u32)r->rcx == 0 && !(value & ~cpu_policy_xcr0(p->v->v.domain)) &&
               fpu_set_xcr0(p->v->v.fpu, value) == 0;
    if (in->mod != 3 && (in->reg & 7) == 7) { /* INVLPG */
        if (in->address < HV_START || in->address >= HV_END)
            cpu_flush_local(FLUSH_ONE, in->address);
        return true;
    }
    if (in->mod == 3 && (in->reg & 7) == 6) /* LMSW: TS is the bit that can matter */
        return write_control(p, 0, CR0_VALUE | (register_read(r, in->rm, 2, 0x40) & CR0_TS));
    return false;
}

static bool emulate_two_byte(struct privileged *p)
{
    switch (p->in.opcode) {
    case 0x30: /* WRMSR */
    case 0x32: /* RDMSR */
        return emulate_msr(p);
    case 0x20 ... 0x23:
        return emulate_control(p);
    case 0x01:
        return emulate_group7(p);
    case 0x06: /* CLTS */
        p->v->cr0_ts = 0;
        cpu_set_task_switched(false);
        return true;
    case 0x08: /* INVD is answered as WBINVD: it must not lose others' data */
    case 0x09:
        if (p->v->v.domain->is_hardware)
            cpu_write_back_caches();
        return true;
    default:
        return false;
    }
}

/* INS and OUTS move at most this many elements before interrupts get a chance. */
#define STRING_BATCH 128

/* False: #GP. A fault on the memory operand is injected here, at the element it hit. */
static bool emulate_string_port(struct privileged *p, bool in, bool *finished)
{
    struct cpu_user_regs *r = p->regs;
    u32 bytes = MIN((u32)p->in.operand_bytes, 4u);
    u16 port = (u16)r->rdx;
    bool rep = p->in.rep || p->in.repne;
    u64 step = r->rflags & RFLAGS_DF ? -(u64)bytes : bytes;

    if (p->in.address_bytes != 8 || !pv_port_allowed(p->v, port, bytes))
        return false;
    for (u32 i = 0; i < STRING_BATCH && (!rep || r->rcx); i++) {
        u32 value = 0;
        u64 *pointer = in ? &r->rdi : &r->rsi;
        if (in) {
            value = pv_port_in(p->v->v.domain, port, bytes);
            if (copy_to_guest_va(guest_va(*pointer), &value, bytes))
                goto fault;
        } else {
            if (copy_from_guest_va(&value, guest_va(*pointer), bytes))
                goto fault;
            pv_port_out(p->v->v.domain, port, bytes, value);
        }
        *pointer += step;
        if (!rep)
            return true;
        r->rcx--;
        continue;
    fault:
        *finished = false;
        pv_inject_page_fault(*pointer, (in ? 2 : 0) | (p->v->kernel_mode ? 0 : 4));
        return true;
    }
    *finished = !rep || !r->rcx;
    return true;
}

static bool emulate_port(struct privileged *p)
{
    const struct instruction *in = &p->in;
    u8 op = in->opcode;
    u16 port = op & 8 ? (u16)p->regs->rdx : (u8)in->immediate;
    u32 bytes = MIN((u32)in->operand_bytes, 4u);

    if (!pv_port_allowed(p->v, port, bytes))
        return false;
    if (op & 2)
        pv_port_out(p->v->v.domain, port, bytes, (u32)register_read(p->regs, 0, bytes, 0x40));
    else
        register_write(p->regs, 0, bytes, 0x40, pv_port_in(p->v->v.domain, port, bytes));
    return true;
}

bool pv_emulate_privileged(struct cpu_user_regs *regs)
{
    struct privileged p = {.v = to_pv(current), .regs = regs};
    u8 bytes[INSTRUCTION_MAX];
    bool finished = true, done;

    if (regs->cs != GUEST_CS64 && p.v->kernel_mode == false)
        return false; /* 32-bit user code has no business here */
    u32 count = pv_fetch_code(NULL, regs->rip, bytes, sizeof(bytes));
    if (instruction_decode(bytes, count, 8, regs, &p.in))
        return false;

    if (p.in.map == 0) {
        switch (p.in.opcode) {
        case 0xe4 ... 0xe7:
        case 0xec ... 0xef:
            done = emulate_port(&p);
            break;
        case 0x6c ... 0x6f:
            done = emulate_string_port(&p, p.in.opcode < 0x6e, &finished);
            break;
        case 0xfa: /* CLI, STI: the kernel's interrupt flag is its upcall mask */
        case 0xfb:
            done = p.v->kernel_mode || p.v->iopl == 3;
            break;
        default:
            done = false;
        }
    } else {
        done = p.v->kernel_mode && emulate_two_byte(&p);
    }
    if (done && finished && p.in.length)
        regs->rip += p.in.length;
    return done;
}

bool pv_emulate_forced(struct cpu_user_regs *regs)
{
    static const u8 prefixed_cpuid[8] = {0x0f, 0x0b, 'x', 'e',
                                         'n',  0x0f, 0xa2}; /* 7 bytes, and 0 */
    u64 bytes = 0;
    u32 out[4];

    if (copy_from_guest_va(&bytes, guest_va(regs->rip), FORCED_LENGTH) ||
        bytes != *(const u64 *)prefixed_cpuid)
        return false;
    cpu_policy_cpuid(current, (u32)regs->rax, (u32)regs->rcx, out);
    regs->rax = out[0];
    regs->rbx = out[1];
    regs->rcx = out[2];
    regs->rdx = out[3];
    regs->rip += FORCED_LENGTH;
    return true;
}
