/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entering the guest's kernel: exceptions, system calls, upcalls.
 *
 * A PV kernel runs in ring 3 like its processes, so the processor cannot enter
 * it by itself: we build on its stack the frame that hardware would have
 * built, switch to its address space and GS base, and continue at the entry it
 * registered. All of it happens at once, on the vCPU's own frame in cpu_local;
 * nothing is left pending, so there is no state to unwind.
 *
 * Callers: pv/traps.c, pv/entry.S. No locks: only the current vCPU is touched.
 */
#include "core/event.h"
#include <xen/callback.h>
#include "cpu/perfc.h"
#include "cpu/uaccess.h"
#include "platform/console.h"
#include "pv/entry.h"
#include "pv/traps.h"

void pv_enter_kernel(struct cpu_user_regs *regs, const struct pv_entry *entry)
{
    struct pv_vcpu *v = to_pv(current);
    struct vcpu_info *info = v->v.info;
    bool from_user = !v->kernel_mode;
    u8 masked = READ_ONCE(info->evtchn_upcall_mask);
    u64 frame[12];
    u32 n = 0;

    if (!entry->address || !address_canonical(entry->address)) {
        domain_crash(v->v.domain, "its kernel has no entry for a trap");
        return;
    }
    if (from_user)
        pv_toggle_mode(v);
    u64 sp = from_user ? v->kernel_sp : regs->rsp;

    frame[n++] = regs->rcx;
    frame[n++] = regs->r11;
    if (entry->failsafe) {
        frame[n++] = regs->ds;
        frame[n++] = regs->es;
        frame[n++] = regs->fs;
        frame[n++] = regs->gs;
    }
    if (entry->has_error_code)
        frame[n++] = entry->error_code;
    frame[n++] = regs->rip;
    /* The kernel tells its own mode from its processes' by the selector's RPL. */
    frame[n++] = (from_user ? regs->cs : regs->cs & ~3u) | (u64)masked << 32;
    frame[n++] = (regs->rflags & ~(RFLAGS_IF | RFLAGS_IOPL)) | (masked ? 0 : RFLAGS_IF) |
                 ((v->v.domain->vm_assist & (1u << VMASST_TYPE_architectural_iopl))
                      ? (u64)v->iopl << 12
                      : 0);
    frame[n++] = regs->rsp;
    frame[n++] = regs->ss;

    sp = (sp & ~15UL) - n * sizeof(frame[0]);
    if (copy_to_guest_va(guest_va(sp), frame, n * sizeof(frame[0]))) {
        printk_guest(LOG_WARNING, "d%dv%d: kernel stack %lx is not writable (rip %lx)\n",
                     v->v.domain->id, v->v.id, sp, (u64)regs->rip);
        domain_crash(v->v.domain, "its kernel stack is not writable");
        return;
    }
    if (entry->mask_events)
        WRITE_ONCE(info->evtchn_upcall_mask, 1);

    regs->rip = entry->address;
    regs->rsp = sp;
    regs->cs = GUEST_CS64;
    regs->ss = GUEST_SS;
    regs->rflags = (regs->rflags &
                    ~(RFLAGS_TF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC)) |
                   RFLAGS_IF;
    regs->entry_vector = ENTRY_SYSCALL; /* rcx and r11 are in the frame */
}

/* The guest's own exception table: delivers `vector`. */
static void deliver_trap(struct cpu_user_regs *regs, u32 vector, bool has_error, u32 error_code)
{
    struct pv_vcpu *v = to_pv(current);
    const struct trap_info *trap = &v->traps[vector];

    perfc_inc(exceptions_passed);
    pv_enter_kernel(regs, &(struct pv_entry){.address = trap->address,
                                             .mask_events = TI_GET_IF(trap),
                                             .has_error_code = has_error,
                                             .error_code = error_code});
}

void pv_inject_exception(u32 vector, s64 error_code)
{
    deliver_trap(guest_regs(), vector, error_code >= 0, (u32)error_code);
}

void pv_inject_page_fault(u64 address, u32 error_code)
{
    current->info->arch.cr2 = address;
    deliver_trap(guest_regs(), VECTOR_PF, true, error_code);
}

void pv_deliver_upcall(struct cpu_user_regs *regs)
{
    struct pv_vcpu *v = to_pv(current);

    if (!v->event.address) {
        /* No entry yet: leave it pending, but masked, as at boot. */
        WRITE_ONCE(v->v.info->evtchn_upcall_mask, 1);
        return;
    }
    perfc_inc(upcalls);
    pv_enter_kernel(regs, &(struct pv_entry){.address = v->event.address, .mask_events = true});
}

bool pv_deliver_nmi(void)
{
    struct pv_vcpu *v = to_pv(current);

    if (!v->traps[VECTOR_NMI].address)
        return false;
    v->v.nmi_pending = false;
    deliver_trap(guest_regs(), VECTOR_NMI, false, 0);
    return true;
}

static void enter_callback(struct cpu_user_regs *regs, const struct pv_callback *cb)
{
    perfc_inc(system_calls);
    pv_enter_kernel(regs, &(struct pv_entry){.address = cb->address,
                                             .mask_events = cb->flags & CALLBACKF_mask_events});
}

void pv_guest_syscall(struct cpu_user_regs *regs)
{
    enter_callback(regs, &to_pv(current)->syscall);
}

void pv_guest_syscall32(struct cpu_user_regs *regs)
{
    struct pv_vcpu *v = to_pv(current);

    if (v->kernel_mode || !v->syscall32.address) {
        regs->rip -= 2; /* as if the processor had refused the instruction */
        deliver_trap(regs, VECTOR_UD, false, 0);
        return;
    }
    enter_callback(regs, &v->syscall32);
}

void pv_guest_sysenter(struct cpu_user_regs *regs)
{
    struct pv_vcpu *v = to_pv(current);

    if (v->kernel_mode) {
        domain_crash(v->v.domain, "SYSENTER in its kernel");
        return;
    }
    if (!v->sysenter.address) {
        /* The processor's answer to SYSENTER with no entry set: #GP(0). */
        deliver_trap(regs, VECTOR_GP, true, 0);
        return;
    }
    enter_callback(regs, &v->sysenter);
}

void pv_iret_refused(struct cpu_user_regs *regs)
{
    struct pv_vcpu *v = to_pv(current);

    printk_guest(LOG_DEBUG, "d%dv%d: return to %04x:%lx refused by the processor\n",
                 v->v.domain->id, v->v.id, regs->cs, (u64)regs->rip);
    if (!v->failsafe.address) {
        domain_crash(v->v.domain, "return refused and no failsafe callback");
        return;
    }
    /* The failsafe frame names the selectors in force: the kernel finds them
     * unchanged and so knows that the return itself was at fault. */
    struct guest_segments s;
    cpu_save_segments(&s);
    regs->ds = s.ds;
    regs->es = s.es;
    regs->fs = s.fs;
    regs->gs = s.gs;
    pv_enter_kernel(regs,
                    &(struct pv_entry){.address = v->failsafe.address,
                                       .mask_events = v->failsafe.flags & CALLBACKF_mask_events,
                                       .failsafe = true});
}
