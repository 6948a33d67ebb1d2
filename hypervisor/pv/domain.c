/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making and unmaking what a domain and its vCPUs have by being PV: the
 * per-domain window, trap tables, initial register state.
 *
 * Reached only through guest_pv (core/guest.h). The caller holds what core/
 * says there; a vCPU whose context is set or read stands still.
 */
#include "pv/mm.h"
#include "pv/traps.h"
#include <xen/callback.h>

#define FLAGS_ALWAYS   0x202UL /* bit 1 and IF */

#define WINDOWS_PER_L1 (512 / VCPU_WINDOW_PAGES)

static u64 *l3_of(struct pv_domain *d)
{
    return mfn_to_virt(d->perdomain_l3);
}

static u64 *table_behind(u64 entry)
{
    return mfn_to_virt(pte_mfn(entry));
}

#define TABLE_FLAGS (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY)

static int pv_domain_init(struct domain *domain, const struct xen_domctl_createdomain *)
{
    struct pv_domain *d = to_pv_domain(domain);

    d->window_l1 = heap_zalloc(domain->max_vcpus * sizeof(d->window_l1[0]));
    u64 *l3 = page_alloc(ALLOC_ZERO);
    u64 *l2 = page_alloc(ALLOC_ZERO);
    if (!d->window_l1 || !l3 || !l2) {
        heap_free(d->window_l1);
        if (l3)
            page_free(l3);
        if (l2)
            page_free(l2);
        return -ENOMEM;
    }
    l3[0] = pte_make(virt_to_mfn(l2), TABLE_FLAGS);
    d->perdomain_l3 = virt_to_mfn(l3);
    domain->address_width = 64;
    return 0;
}

static void pv_domain_free(struct domain *domain)
{
    struct pv_domain *d = to_pv_domain(domain);

    u64 *l2 = table_behind(l3_of(d)[0]);
    for (u32 i = 0; i * WINDOWS_PER_L1 < domain->max_vcpus; i++)
        if (l2[i])
            page_free(table_behind(l2[i]));
    page_free(l2);
    page_free(l3_of(d));
    heap_free(d->window_l1);
}

static int pv_vcpu_init(struct vcpu *vcpu)
{
    struct pv_domain *d = to_pv_domain(vcpu->domain);
    struct pv_vcpu *v = to_pv(vcpu);
    u64 *l2_entry = &table_behind(l3_of(d)[0])[vcpu->id / WINDOWS_PER_L1];

    v->traps = heap_zalloc(256 * sizeof(v->traps[0]));
    if (!v->traps)
        return -ENOMEM;
    if (!*l2_entry) {
        u64 *l1 = page_alloc(ALLOC_ZERO);
        if (!l1) {
            heap_free(v->traps);
            return -ENOMEM;
        }
        *l2_entry = pte_make(virt_to_mfn(l1), TABLE_FLAGS);
    }
    d->window_l1[vcpu->id] = table_behind(*l2_entry) +
                             (vcpu->id % WINDOWS_PER_L1) * VCPU_WINDOW_PAGES;
    v->kernel_table = v->user_table = MFN_NONE;
    v->kernel_mode = true;
    v->dr[6] = 0xffff0ff0;
    v->dr[7] = 0x400;
    return 0;
}

static void pv_vcpu_free(struct vcpu *vcpu)
{
    heap_free(to_pv(vcpu)->traps);
}

/* Checks first, all of it, so that a refused context leaves the vCPU as it was. */
static int check_context(const struct vcpu_guest_context *c)
{
    if (!(c->flags & VGCF_in_kernel))
        return reject(-EINVAL, "vCPU context does not start in the kernel");
    if (!address_canonical(c->user_regs.rip) || !address_canonical(c->event_callback_eip) ||
        !address_canonical(c->failsafe_callback_eip) ||
        !address_canonical(c->syscall_callback_eip) || !address_canonical(c->fs_base) ||
        !address_canonical(c->gs_base_kernel) || !address_canonical(c->gs_base_user))
        return reject(-EINVAL, "non-canonical address in vCPU context");
    for (u32 i = 0; i < 256; i++)
        if (!address_canonical(c->trap_ctxt[i].address))
            return reject(-EINVAL, "non-canonical trap handler in vCPU context");
    if (c->gdt_ents > 14 * 512 || !pv_ldt_valid(c->ldt_base, c->ldt_ents))
        return reject(-EINVAL, "descriptor tables of vCPU context");
    for (u32 i = 0; i < 4; i++)
        if (!pv_check_breakpoint(c->debugreg[i]))
            return reject(-EINVAL, "breakpoint address in vCPU context");
    return 0;
}

static void set_registers(struct pv_vcpu *v, const struct vcpu_guest_context *c)
{
    struct cpu_user_regs *r = &v->v.regs;

    *r = c->user_regs;
    v->iopl = (c->user_regs.rflags >> 12) & 3;
    r->rflags = (r->rflags & ~FLAGS_NEVER) | FLAGS_ALWAYS;
    r->cs |= 3;
    r->ss |= 3;
    r->entry_vector = 0;
    v->segments = (struct guest_segments){
        c->fs_base, c->gs_base_kernel, c->gs_base_user, r->ds, r->es, r->fs, r->gs};
    v->kernel_ss = c->kernel_ss | 3;
    v->kernel_sp = c->kernel_sp;
    v->kernel_mode = true;
    v->event.address = c->event_callback_eip;
    v->failsafe.address = c->failsafe_callback_eip;
    v->syscall.address = c->syscall_callback_eip;
    v->failsafe.flags = c->flags & VGCF_failsafe_disables_events ? CALLBACKF_mask_events : 0;
    v->syscall.flags = c->flags & VGCF_syscall_disables_events ? CALLBACKF_mask_events : 0;
    v->cr0_ts = c->ctrlreg[0] & 8;
    memcpy(v->traps, c->trap_ctxt, sizeof(c->trap_ctxt));
    for (u32 i = 0; i < 4; i++)
        v->dr[i] = c->debugreg[i];
    v->dr[6] = 0xffff0ff0;
    v->dr[7] = pv_check_dr7(c->debugreg[7]) ? c->debugreg[7] : 0x400;
}

static int pv_set_context(struct vcpu *vcpu, const struct vcpu_guest_context *c)
{
    struct pv_vcpu *v = to_pv(vcpu);

    TRY(check_context(c));

    /* The frames it names, taken before anything is given up. */
    u64 frames[14] = {0};
    u32 frame_count = (c->gdt_ents + 511) / 512;
    for (u32 i = 0; i < frame_count; i++)
        frames[i] = c->gdt_frames[i];
    mfn_t kernel = mfn(xen_cr3_to_pfn(c->ctrlreg[3]));
    mfn_t user = c->ctrlreg[1] ? mfn(xen_cr3_to_pfn(c->ctrlreg[1])) : MFN_NONE;

    TRY(pv_set_base_tables(v, kernel, user));
    int error = pv_set_gdt(v, frames, c->gdt_ents);
    if (error) {
        pv_drop_base_tables(v);
        vcpu->initialised = false;
        return error;
    }
    pv_drop_ldt(v);
    v->ldt_base = c->ldt_base;
    v->ldt_entries = c->ldt_ents;
    set_registers(v, c);
    if (c->flags & VGCF_i387_valid)
        fpu_set_legacy(vcpu->fpu, &c->fpu_ctxt);
    if (vcpu->id == 0) {
        vcpu->domain->vm_assist = c->vm_assist;
        /* The builder has cleared shared_info since the domain was made. */
        domain_update_wallclock(vcpu->domain);
    }
    vcpu->initialised = true;
    return 0;
}

static void pv_get_context(struct vcpu *vcpu, struct vcpu_guest_context *c)
{
    struct pv_vcpu *v = to_pv(vcpu);
    const struct guest_segments *s = &v->segments;

    memset(c, 0, sizeof(*c));
    c->flags = VGCF_i387_valid | (v->kernel_mode ? VGCF_in_kernel : 0) |
               (vcpu->pause_flags & PAUSE_DOWN ? 0 : VGCF_online) |
               (v->failsafe.flags & CALLBACKF_mask_events ? VGCF_failsafe_disables_events : 0) |
               (v->syscall.flags & CALLBACKF_mask_events ? VGCF_syscall_disables_events : 0);
    fpu_get_legacy(vcpu->fpu, &c->fpu_ctxt);
    c->user_regs = vcpu->regs;
    c->user_regs.entry_vector = c->user_regs.error_code = 0;
    /* A PV kernel knows its interrupt flag from the upcall mask only. */
    if (vcpu->info->evtchn_upcall_mask)
        c->user_regs.rflags &= ~RFLAGS_IF;
    c->user_regs.saved_upcall_mask = vcpu->info->evtchn_upcall_mask;
    c->user_regs.rflags |= (u64)v->iopl << 12;
    c->user_regs.ds = s->ds;
    c->user_regs.es = s->es;
    c->user_regs.fs = s->fs;
    c->user_regs.gs = s->gs;
    memcpy(c->trap_ctxt, v->traps, sizeof(c->trap_ctxt));
    c->ldt_base = v->ldt_base;
    c->ldt_ents = v->ldt_entries;
    c->gdt_ents = v->gdt_entries;
    for (u32 i = 0; i < (v->gdt_entries + 511) / 512; i++)
        c->gdt_frames[i] = v->gdt_frames[i].raw;
    c->kernel_ss = v->kernel_ss;
    c->kernel_sp = v->kernel_sp;
    c->ctrlreg[0] = 0x80050033 | (v->cr0_ts ? 8 : 0);
    c->ctrlreg[3] = mfn_is_none(v->kernel_table) ? 0 : xen_pfn_to_cr3(v->kernel_table.raw);
    c->ctrlreg[1] = mfn_is_none(v->user_table) ? 0 : xen_pfn_to_cr3(v->user_table.raw);
    memcpy(c->debugreg, v->dr, sizeof(c->debugreg));
    c->event_callback_eip = v->event.address;
    c->failsafe_callback_eip = v->failsafe.address;
    c->syscall_callback_eip = v->syscall.address;
    c->vm_assist = vcpu->domain->vm_assist;
    c->fs_base = s->fs_base;
    c->gs_base_kernel = v->kernel_mode ? s->gs_base : s->gs_base_other;
    c->gs_base_user = v->kernel_mode ? s->gs_base_other : s->gs_base;
}

static void pv_reset(struct vcpu *vcpu)
{
    struct pv_vcpu *v = to_pv(vcpu);

    pv_drop_gdt(v);
    pv_drop_ldt(v);
    pv_drop_base_tables(v);
    memset(v->traps, 0, 256 * sizeof(v->traps[0]));
    v->event = v->failsafe = v->syscall = v->syscall32 = v->sysenter = (struct pv_callback){0};
    v->kernel_mode = true;
    v->iopl = 0;
    vcpu->initialised = false;
}

const struct guest_ops guest_pv = {
    .name = "PV",
    .domain_size = sizeof(struct pv_domain),
    .vcpu_size = sizeof(struct pv_vcpu),
    .domain_init = pv_domain_init,
    .domain_free = pv_domain_free,
    .domain_relinquish = pv_relinquish_tables,
    .vcpu_init = pv_vcpu_init,
    .vcpu_free = pv_vcpu_free,
    .vcpu_set_context = pv_set_context,
    .vcpu_get_context = pv_get_context,
    .vcpu_reset = pv_reset,
    .save = pv_context_save,
    .restore = pv_context_restore,
    .resume = pv_resume,
};
