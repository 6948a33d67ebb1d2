/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exceptions of a PV guest: ours to mend (page tables, privileged
 * instructions), or its kernel's to handle.
 *
 * Called by cpu/entry.S with the frame of the current vCPU, which then goes
 * to guest_exit. Interrupts are off.
 */
#include "core/trace.h"
#include "cpu/perfc.h"
#include "cpu/registers.h"
#include "cpu/traps.h"
#include "cpu/vectors.h"
#include "platform/console.h"
#include "pv/shield.h"
#include "pv/traps.h"

/* Those that go to the kernel as they are: #DE #BP #OF #BR #UD #TS #NP #SS #MF #AC #XM #CP. */
#define VECTORS_PASSED 0x2b1c79u

/* Error code of a #GP raised by INT n through a gate of ours (Intel SDM 6.13). */
#define ERROR_IDT 2u

static void debug_trap(void)
{
    struct pv_vcpu *v = to_pv(current);

    /* Bits 0-3 and BS of DR6 accumulate until the guest clears them. */
    v->dr[6] |= cpu_debug_status() & 0xe00f;
    cpu_set_debug(6, 0xffff0ff0);
    pv_inject_exception(VECTOR_DB, -1);
}

/* INT n: the guest's own gate if it may be used from its present mode. */
static bool software_interrupt(struct cpu_user_regs *regs)
{
    struct pv_vcpu *v = to_pv(current);

    if (!(regs->error_code & ERROR_IDT))
        return false;
    u32 vector = (regs->error_code >> 3) & 0xff;
    const struct trap_info *trap = &v->traps[vector];
    /* The gate's privilege is stated for a kernel in ring 1 or 3: only user mode is held back. */
    if (!trap->address || (!v->kernel_mode && TI_GET_DPL(trap) < 3))
        return false;
    regs->rip += 2; /* INT n is two bytes long; INT3 and INTO have gates of their own */
    pv_inject_exception(vector, -1);
    return true;
}

static bool forced_emulation(struct cpu_user_regs *regs)
{
    if (!pv_emulate_forced(regs))
        return false;
    TRACE(TRC_PV_FORCED_INVALID_OP | TRC_64_FLAG, TRACE_LONG(regs->rip - FORCED_LENGTH));
    return true;
}

static void general_protection(struct cpu_user_regs *regs)
{
    if (software_interrupt(regs))
        return;
    u64 rip = regs->rip;

    if (regs->error_code == 0 && pv_emulate_privileged(regs)) {
        perfc_inc(privileged);
        TRACE(TRC_PV_EMULATE_PRIVOP | TRC_64_FLAG, TRACE_LONG(rip));
        return;
    }
    pv_inject_exception(VECTOR_GP, regs->error_code);
}

static __attribute__((noinline)) void page_fault(struct cpu_user_regs *regs)
{
    struct pv_vcpu *v = to_pv(current);
    u64 address = cpu_fault_address();
    u32 error = regs->error_code;

    if (shield_stale())
        return;
    /* What is not present is the guest's affair, but for what we show it only when it looks:
     * no processor remembers that of an entry. */
    if (unlikely((error & PF_PRESENT) || address - HV_START < HV_END - HV_START) &&
        pv_mm_page_fault(regs, address, error))
        return;
    TRACE(TRC_PV_PAGE_FAULT | TRC_64_FLAG, TRACE_LONG(regs->rip), TRACE_LONG(address), error);
    if (unlikely(error & PF_RESERVED))
        printk_guest(LOG_ERROR, "d%dv%d: reserved bits in a page table for %lx\n", v->v.domain->id,
                     v->v.id, address);
    /* The kernel believes in a ring of its own. */
    if (v->kernel_mode)
        error &= ~PF_USER;
    pv_inject_page_fault(address, error);
}

/* The guest asked for lazy FPU (fpu_taskswitch): the first use is its kernel's to see. */
static void device_not_available(void)
{
    struct pv_vcpu *v = to_pv(current);

    TRACE(TRC_PV_MATH_STATE_RESTORE);
    cpu_set_task_switched(false);
    v->cr0_ts = 0;
    pv_inject_exception(VECTOR_NM, -1);
}

/*
 * A fault of our own code on the guest's account: loading one of its selectors,
 * or the IRET to it, read a descriptor of its LDT whose page is not shown yet.
 */
bool pv_handle_hv_fault(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;

    if (regs->entry_vector != VECTOR_PF || !v || v->ops != &guest_pv)
        return false;
    u64 offset = cpu_fault_address() - LDT_WINDOW(v->id);

    /* If it cannot be shown, the selector is refused: the fault must not come again. Before
     * ops->restore() the scheduler has made the vCPU current whose selectors are loaded. */
    return offset < 16 * PAGE_SIZE && pv_ldt_show(to_pv(v), offset);
}

/* Any exception but page faults, which have records of their own. */
static void trace_exception(const struct cpu_user_regs *regs)
{
    u32 vector = regs->entry_vector;

    if (vector == VECTOR_PF)
        return;
    TRACE(TRC_PV_TRAP | TRC_64_FLAG, TRACE_LONG(regs->rip),
          vector | (u32)((VECTORS_WITH_ERROR >> vector) & 1) << 15 | regs->error_code << 16);
}

static __attribute__((noinline)) void other_trap(struct cpu_user_regs *regs, u32 vector)
{
    if (vector == VECTOR_UD && forced_emulation(regs))
        return;
    switch (vector) {
    case VECTOR_GP:
        general_protection(regs);
        break;
    case VECTOR_NM:
        device_not_available();
        break;
    case VECTOR_DB:
        debug_trap();
        break;
    default:
        if ((VECTORS_PASSED >> vector) & 1) {
            pv_inject_exception(vector,
                                (VECTORS_WITH_ERROR >> vector) & 1 ? (s64)regs->error_code : -1);
            break;
        }
        printk_guest(LOG_ERROR, "d%dv%d: unexpected exception %u\n", current->domain->id,
                     current->id, vector);
        domain_crash(current->domain, "unexpected exception");
    }
}

void guest_trap(struct cpu_user_regs *regs)
{
    u32 vector = regs->entry_vector & 31;

    this_cpu(perf_counters).exceptions[vector]++;
    if (trace_wants(TRC_PV))
        trace_exception(regs);
    if (likely(vector == VECTOR_PF))
        page_fault(regs);
    else
        other_trap(regs, vector);
}
