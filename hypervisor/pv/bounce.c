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
#include "pv/shield.h"
#include "pv/traps.h"

#define FRAME_WORDS 12 /* of the longest frame */

/* In its kernel's address space: the frame at sp, then its entry. Calls nothing but at the end. */
static __attribute__((noinline)) void enter_with_frame(struct cpu_user_regs *regs, u64 address,
                                                       u32 how, u32 error_code, u64 sp, u64 cs)
{
    struct pv_vcpu *v = to_pv(current);
    struct vcpu_info *info = v->v.info;
    u64 masked = READ_ONCE(info->evtchn_upcall_mask);
    u64 flags = (regs->rflags & ~(RFLAGS_IF | RFLAGS_IOPL)) | ((masked - 1) & RFLAGS_IF);
    if (unlikely(v->v.domain->vm_assist & BIT(VMASST_TYPE_architectural_iopl)))
        flags |= (u64)v->iopl << 12;

    u64 *frame = (u64 *)(sp & ~15UL);
    if (unlikely(!guest_range((u64)(frame - FRAME_WORDS), FRAME_WORDS * sizeof(*frame))))
        goto refused;
    guest_access_begin();
    guest_put(frame - 1, regs->ss, refused);
    guest_put(frame - 2, regs->rsp, refused);
    guest_put(frame - 3, flags, refused);
    guest_put(frame - 4, cs | masked << 32, refused);
    guest_put(frame - 5, regs->rip, refused);
    frame -= 7;
    if (how & ENTER_ERROR) {
        frame--;
        guest_put(frame + 2, error_code, refused);
    }
    if (unlikely(how & ENTER_FAILSAFE)) {
        guest_put(frame + 1, regs->gs, refused);
        guest_put(frame, regs->fs, refused);
        guest_put(frame - 1, regs->es, refused);
        guest_put(frame - 2, regs->ds, refused);
        frame -= 4;
    }
    guest_put(frame + 1, regs->r11, refused);
    guest_put(frame, regs->rcx, refused);
    guest_access_end();
    if (how & ENTER_MASKED)
        WRITE_ONCE(info->evtchn_upcall_mask, 1);

    regs->rip = address;
    regs->rsp = (u64)frame;
    regs->cs = GUEST_CS64;
    regs->ss = GUEST_SS;
    regs->rflags = (regs->rflags &
                    ~(RFLAGS_TF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC)) |
                   RFLAGS_IF;
    regs->entry_vector = sysret_word; /* rcx and r11 are in the frame */
    return;
refused:
    guest_access_end();
    printk_guest(LOG_WARNING, "d%dv%d: kernel stack %lx is not writable (rip %lx)\n",
                 v->v.domain->id, v->v.id, sp, (u64)regs->rip);
    domain_crash(v->v.domain, "its kernel stack is not writable");
}

static __attribute__((noinline)) void enter_from_user(struct cpu_user_regs *regs, u64 address,
                                                      u32 how, u32 error_code)
{
    struct pv_vcpu *v = to_pv(current);

    pv_toggle_mode(v);
    enter_with_frame(regs, address, how, error_code, v->kernel_sp, regs->cs);
}

void pv_enter_kernel(struct cpu_user_regs *regs, u64 address, u32 how, u32 error_code)
{
    const struct pv_vcpu *v = to_pv(current);

    if (unlikely(!address)) /* one that is not canonical no kernel can register */
        return domain_crash(v->v.domain, "its kernel has no entry for a trap");
    /* The kernel tells its own mode from its processes' by the selector's RPL. */
    if (!v->kernel_mode)
        return enter_from_user(regs, address, how, error_code);
    enter_with_frame(regs, address, how, error_code, regs->rsp, regs->cs & ~3u);
}

/* The guest's own exception table: delivers `vector`. */
static __always_inline void deliver_trap(struct cpu_user_regs *regs, u32 vector, u32 how,
                                         u32 error_code)
{
    const struct trap_info *trap = &to_pv(current)->traps[vector];

    perfc_inc(exceptions_passed);
    pv_enter_kernel(regs, trap->address, how | (trap->flags & ENTER_MASKED), error_code);
}

void pv_inject_exception(u32 vector, s64 error_code)
{
    deliver_trap(guest_regs(), vector, error_code >= 0 ? ENTER_ERROR : 0, (u32)error_code);
}

void pv_inject_page_fault(u64 address, u32 error_code)
{
    current->info->arch.cr2 = address;
    deliver_trap(guest_regs(), VECTOR_PF, ENTER_ERROR, error_code);
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
    pv_enter_kernel(regs, v->event.address, ENTER_MASKED, 0);
}

bool pv_deliver_nmi(void)
{
    struct pv_vcpu *v = to_pv(current);

    if (!v->traps[VECTOR_NMI].address)
        return false;
    v->v.nmi_pending = false;
    deliver_trap(guest_regs(), VECTOR_NMI, 0, 0);
    return true;
}

static u32 callback_how(const struct pv_callback *cb)
{
    return cb->flags & CALLBACKF_mask_events ? ENTER_MASKED : 0;
}

static void enter_callback(struct cpu_user_regs *regs, const struct pv_callback *cb)
{
    perfc_inc(system_calls);
    pv_enter_kernel(regs, cb->address, callback_how(cb), 0);
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
        deliver_trap(regs, VECTOR_UD, 0, 0);
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
        deliver_trap(regs, VECTOR_GP, ENTER_ERROR, 0);
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
    pv_enter_kernel(regs, v->failsafe.address, ENTER_FAILSAFE | callback_how(&v->failsafe), 0);
}
