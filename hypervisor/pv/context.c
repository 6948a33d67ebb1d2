/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PV vCPU on and off a processor, and between its kernel and its processes.
 *
 * While it runs: the register frame is in cpu_local, segments and FPU in the
 * processor, its own top table in CR3 and its GDT window in GDTR, whose page
 * 14 is this CPU's own descriptors (cpu/desc.h). SWAPGS state follows the
 * mode: in kernel mode the other GS base is the user's, and the reverse.
 *
 * Callers: the scheduler through guest_pv; pv/bounce.c and pv/calls.c for the
 * mode switch. Everything belongs to this CPU; no locks.
 */
#include "cpu/desc.h"
#include "pv/pv.h"

/* What cpu_user_regs holds from the entry; segment fields are kept apart. */
#define FRAME_SIZE offsetof(struct cpu_user_regs, es)

static mfn_t mode_table(const struct pv_vcpu *v)
{
    return v->kernel_mode ? v->kernel_table : v->user_table;
}

void pv_load_cr3(struct pv_vcpu *v)
{
    cpu_load_cr3(mfn_to_paddr(mode_table(v)).raw);
}

void pv_toggle_mode(struct pv_vcpu *v)
{
    if (v->kernel_mode && mfn_is_none(v->user_table)) {
        domain_crash(v->v.domain, "enters user mode without a user page table");
        return;
    }
    v->kernel_mode = !v->kernel_mode;
    cpu_swap_gs();
    pv_load_cr3(v);
}

void pv_load_ldt(struct pv_vcpu *v)
{
    cpu_load_ldt(LDT_WINDOW(v->v.id), v->ldt_entries);
}

static bool debug_in_use(const struct pv_vcpu *v)
{
    return v->dr[7] & 0xff;
}

void pv_context_save(struct vcpu *vcpu)
{
    struct pv_vcpu *v = to_pv(vcpu);

    memcpy(&vcpu->regs, guest_regs(), FRAME_SIZE);
    cpu_save_segments(&v->segments);
    if (debug_in_use(v))
        cpu_set_debug(7, 0);
    if (v->cr0_ts)
        cpu_set_task_switched(false);
    fpu_save(vcpu->fpu);
}

void pv_context_restore(struct vcpu *vcpu)
{
    struct pv_vcpu *v = to_pv(vcpu);
    u32 cpu = this_cpu_id();

    memcpy(guest_regs(), &vcpu->regs, FRAME_SIZE);
    fpu_restore(vcpu->fpu);

    /* The GDT in force must be mapped at every moment, for NMIs' sake: our own
     * while the address space changes. */
    cpu_load_idle_gdt();
    pv_window(v)[14] =
        pte_make(cpu_gdt_frame(cpu), PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY | PTE_NX);
    cpu_load_space(mfn_to_paddr(mode_table(v)).raw, &vcpu->domain->dirty_cpus);
    cpu_load_gdt(GDT_WINDOW(vcpu->id), HV_GDT_LIMIT);
    pv_load_ldt(v);
    /* A selector that went bad while away is null now, as if the guest's
     * kernel had reloaded it and found it gone. */
    cpu_load_segments(&v->segments);
    cpu_load_tsc_aux(v->tsc_aux);
    if (debug_in_use(v))
        cpu_load_debug(v->dr);
    if (v->cr0_ts)
        cpu_set_task_switched(true);
}
