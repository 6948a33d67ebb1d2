/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hypercalls about the processor as a PV kernel sees it: where traps and
 * callbacks go, its stack, segment bases, debug registers, and its IRET.
 * Each acts on the current vCPU only; no locks.
 */
#include "core/access.h"
#include "cpu/perfc.h"
#include "cpu/uaccess.h"
#include "pv/calls.h"
#include "pv/shield.h"
#include "pv/traps.h"
#include <xen/callback.h>

s64 hypercall_set_trap_table(u64 list, u64, u64, u64, u64)
{
    struct pv_vcpu *v = to_pv(current);
    struct trap_info trap;

    if (!list) { /* the interface's way to clear it */
        memset(v->traps, 0, 256 * sizeof(trap));
        return 0;
    }
    /* At most every vector once, however long the guest's list claims to be. */
    for (u32 i = 0; i <= 256; i++) {
        TRY(guest_copy_in_at(&trap, list, i, sizeof(trap)));
        if (!trap.address)
            return 0;
        if (!address_canonical(trap.address))
            return reject(-EINVAL, "non-canonical trap handler");
        v->traps[trap.vector] = trap;
    }
    return reject(-EINVAL, "trap table without an end");
}

s64 hypercall_stack_switch(u64 ss, u64 sp, u64 a2 __unused, u64 a3 __unused, u64 a4 __unused)
{
    struct pv_vcpu *v = to_pv(current);

    v->kernel_ss = (ss & 0xffff) | 3;
    v->kernel_sp = sp;
    return 0;
}

s64 hypercall_set_callbacks(u64 event, u64 failsafe, u64 syscall, u64 a3 __unused, u64 a4 __unused)
{
    struct pv_vcpu *v = to_pv(current);

    if (!address_canonical(event) || !address_canonical(failsafe) || !address_canonical(syscall))
        return reject(-EINVAL, "non-canonical callback");
    v->event.address = event;
    v->failsafe.address = failsafe;
    v->syscall.address = syscall;
    return 0;
}

static struct pv_callback *callback_slot(struct pv_vcpu *v, u32 type)
{
    switch (type) {
    case CALLBACKTYPE_event:
        return &v->event;
    case CALLBACKTYPE_failsafe:
        return &v->failsafe;
    case CALLBACKTYPE_syscall:
        return &v->syscall;
    case CALLBACKTYPE_syscall32:
        return &v->syscall32;
    case CALLBACKTYPE_sysenter:
        return &v->sysenter;
    default:
        return NULL;
    }
}

s64 hypercall_callback_op(u64 op, u64 arg, u64 a2 __unused, u64 a3 __unused, u64 a4 __unused)
{
    struct pv_vcpu *v = to_pv(current);

    switch (op) {
    case CALLBACKOP_register: {
        struct callback_register reg;
        TRY(guest_copy_in(&reg, arg, sizeof(reg)));
        if (!address_canonical(reg.address))
            return reject(-EINVAL, "non-canonical callback");
        if (reg.type == CALLBACKTYPE_nmi) { /* an older name of trap 2 */
            v->traps[VECTOR_NMI] = (struct trap_info){
                .vector = VECTOR_NMI, .flags = 4, .cs = GUEST_CS64, .address = reg.address};
            return 0;
        }
        struct pv_callback *slot = callback_slot(v, reg.type);
        if (!slot)
            return reject(-ENOSYS, "unknown callback type");
        slot->address = reg.address;
        slot->flags = reg.flags;
        return 0;
    }
    case CALLBACKOP_unregister: {
        struct callback_unregister un;
        TRY(guest_copy_in(&un, arg, sizeof(un)));
        if (callback_slot(v, un.type)) /* a kernel cannot do without these */
            return reject(-EINVAL, "callback cannot be unregistered");
        if (un.type != CALLBACKTYPE_nmi)
            return reject(-ENOSYS, "unknown callback type");
        v->traps[VECTOR_NMI] = (struct trap_info){0};
        return 0;
    }
    default:
        return reject(-ENOSYS, "unknown callback operation");
    }
}

s64 hypercall_fpu_taskswitch(u64 set, u64, u64, u64, u64)
{
    struct pv_vcpu *v = to_pv(current);

    v->cr0_ts = set ? 8 : 0;
    cpu_set_task_switched(set);
    return 0;
}

bool pv_check_breakpoint(u64 address)
{
    return address_canonical(address) && (address < HV_START || address >= HV_END);
}

bool pv_check_dr7(u64 value)
{
    /* Bits 11, 12, 14, 15 and the upper half are reserved; GD would trap our
     * own accesses; I/O breakpoints (type 2) need CR4.DE, which is off. */
    if (value >> 32 || value & 0xf800)
        return false;
    for (u32 i = 0; i < 4; i++)
        if (((value >> (16 + i * 4)) & 3) == 2)
            return false;
    return true;
}

int pv_set_debugreg(u64 n, u64 value)
{
    struct pv_vcpu *v = to_pv(current);

    switch (pv_debug_number(n)) {
    case 0 ... 3:
        if (!pv_check_breakpoint(value))
            return reject(-EPERM, "breakpoint inside the hypervisor");
        v->dr[n] = value;
        if (v->dr[7] & 0xff)
            cpu_set_debug(n, value);
        return 0;
    case 6:
        v->dr[6] = (value & 0xe00f) | 0xffff0ff0;
        return 0;
    case 7:
        if (!pv_check_dr7(value))
            return reject(-EINVAL, "reserved bits in DR7");
        value |= 0x400;
        if (value & 0xff) {
            v->dr[7] = value;
            cpu_load_debug(v->dr);
        } else if (v->dr[7] & 0xff) {
            cpu_set_debug(7, 0);
        }
        v->dr[7] = value;
        return 0;
    default:
        return reject(-EINVAL, "no such debug register");
    }
}

s64 hypercall_set_debugreg(u64 n, u64 value, u64, u64, u64)
{
    return pv_set_debugreg(n, value);
}

s64 hypercall_get_debugreg(u64 n, u64, u64, u64, u64)
{
    n = pv_debug_number(n);
    return n < 8 ? (s64)to_pv(current)->dr[n] : reject(-EINVAL, "no such debug register");
}

s64 hypercall_set_segment_base(u64 which, u64 base, u64, u64, u64)
{
    if (which == SEGBASE_GS_USER_SEL) {
        cpu_load_gs_other_selector(base & 0xffff);
        return 0;
    }
    if (!address_canonical(base))
        return reject(-EINVAL, "non-canonical segment base");
    switch (which) {
    case SEGBASE_FS:
        cpu_set_fs_base(base);
        return 0;
    case SEGBASE_GS_USER:
        cpu_set_gs_base_other(base);
        return 0;
    case SEGBASE_GS_KERNEL:
        cpu_set_gs_base(base);
        return 0;
    default:
        return reject(-EINVAL, "no such segment base");
    }
}

/* The frame is on the kernel's stack; xen-x86_64.h, struct iret_context. */
void pv_iret(struct cpu_user_regs *regs)
{
    struct pv_vcpu *v = to_pv(current);
    const struct iret_context *frame = (const struct iret_context *)regs->rsp;
    u64 word, cs, flags, r11, rcx;

    perfc_inc(hypercalls[__HYPERVISOR_iret]);
    if (unlikely(!guest_range((u64)frame, sizeof(*frame))))
        goto unreadable;
    guest_access_begin();
    guest_get(word, &frame->rax, unreadable);
    regs->rax = word;
    guest_get(word, &frame->rip, unreadable);
    regs->rip = word;
    guest_get(word, &frame->rsp, unreadable);
    regs->rsp = word;
    guest_get(word, &frame->ss, unreadable);
    regs->ss = (u16)word | 3;
    guest_get(cs, &frame->cs, unreadable);
    guest_get(flags, &frame->rflags, unreadable);
    guest_get(word, &frame->flags, unreadable);
    guest_get(r11, &frame->r11, unreadable);
    guest_get(rcx, &frame->rcx, unreadable);
    guest_access_end();
    regs->cs = (u16)cs | 3;
    regs->rflags = (flags & ~FLAGS_NEVER) | RFLAGS_IF | 2;
    regs->entry_vector = word & VGCF_in_syscall && regs->cs == GUEST_CS64 ? sysret_word : 0;
    if (!regs->entry_vector) { /* else both are lost */
        regs->r11 = r11;
        regs->rcx = rcx;
    }
    v->v.info->evtchn_upcall_mask = !(flags & RFLAGS_IF);
    if (unlikely(v->v.domain->vm_assist & BIT(VMASST_TYPE_architectural_iopl)))
        v->iopl = (flags >> 12) & 3;
    /* RPL 3 in the frame means one of its processes; its own mode shows RPL 0. */
    if ((cs & 3) == 3)
        pv_toggle_mode(v);
    return;
unreadable:
    guest_access_end();
    domain_crash(v->v.domain, "IRET frame not readable");
}

s64 hypercall_iret(u64, u64, u64, u64, u64)
{
    pv_iret(guest_regs());
    return (s64)guest_regs()->rax;
}
