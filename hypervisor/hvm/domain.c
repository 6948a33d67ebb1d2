/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Translated domains and their vCPUs: made, switched, ended. Reached through
 * guest_hvm (core/guest.h), whose callers hold what core/ says there.
 */
#include "core/continuation.h"
#include "cpu/desc.h"
#include "cpu/guest_state.h"
#include "hvm/dev/devices.h"
#include "hvm/svm/init.h"
#include "platform/console.h"

#include <xen/domctl.h>
#include <xen/sched.h>

const struct hvm_machine *hvm_machine __ro_after_init;

__init void hvm_init(void)
{
    hvm_machine = svm_init();
}

/* What the toolstack asks for where it does not want a local APIC at most. */
#define BOARD ((u32)(XEN_X86_EMU_ALL & ~XEN_X86_EMU_VPCI))

static int hvm_domain_init(struct domain *domain, const struct xen_domctl_createdomain *config)
{
    struct hvm_domain *d = to_hvm_domain(domain);
    u32 devices = config->arch.emulation_flags;
    int error;

    if (!hvm_machine)
        return reject(-EINVAL, "this processor has no nested paging");
    if (!(config->flags & XEN_DOMCTL_CDF_hap))
        return reject(-EINVAL, "translated domain without nested paging");
    if (devices != BOARD && (devices & ~(u32)XEN_X86_EMU_LAPIC))
        return reject(-EINVAL, "set of emulated devices that is not there");
    error = p2m_init(&d->p2m, hvm_machine->format);
    if (!error && devices == BOARD) {
        error = hvm_devices_init(d);
        if (error)
            p2m_free(&d->p2m);
    }
    if (error)
        return error;
    domain->p2m = &d->p2m;
    d->params[HVM_PARAM_TRIPLE_FAULT_REASON] = SHUTDOWN_reboot;
    return 0;
}

static void hvm_domain_free(struct domain *domain)
{
    hvm_devices_free(to_hvm_domain(domain));
    p2m_free(&to_hvm_domain(domain)->p2m);
}

/* Mappings of other domains' frames go; its own are given up with all its frames. */
static int hvm_relinquish(struct domain *domain)
{
    struct hvm_domain *d = to_hvm_domain(domain);
    struct p2m_entry e;
    u64 gfn;
    u32 steps = 0;

    hvm_devices_stop(d);
    while ((gfn = p2m_next(&d->p2m, d->relinquish_at, &e)) != ~0UL) {
        if (e.kind == P2M_FOREIGN) {
            spin_lock(&d->p2m.lock);
            if (p2m_remove(&d->p2m, gfn, &e))
                e.kind = P2M_NONE;
            spin_unlock(&d->p2m.lock);
            if (e.kind == P2M_FOREIGN)
                frame_put(mfn_to_frame(e.frame));
        }
        d->relinquish_at = (gfn | ((1UL << e.order) - 1)) + 1;
        if (!(++steps % 1024) && hypercall_should_yield())
            return -ERESTART_HYPERCALL;
    }
    return 0;
}

static int hvm_vcpu_init(struct vcpu *vcpu)
{
    struct hvm_vcpu *v = to_hvm(vcpu);
    struct hvm_hw_cpu state;
    int error = hvm_machine->vcpu_init(v);

    if (error)
        return error;
    hvm_reset_state(&state, 0);
    hvm_mtrr_reset(&v->mtrr);
    error = hvm_start_at(v, &state);
    ASSERT(!error);
    lapic_init(v);
    return 0;
}

static void hvm_vcpu_free(struct vcpu *vcpu)
{
    lapic_free(to_hvm(vcpu));
    hvm_machine->vcpu_free(to_hvm(vcpu));
}

/* For tools that answer a hypercall: the general registers. The rest is in the state records. */
static int hvm_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    const struct cpu_user_regs *r = &c->user_regs;

    if (v->domain == current->domain)
        return reject(-EOPNOTSUPP, "PV context of a translated vCPU");
    memcpy(&v->regs, r, offsetof(struct cpu_user_regs, error_code));
    v->regs.rip = r->rip;
    v->regs.rsp = r->rsp;
    v->regs.rflags = r->rflags;
    return 0;
}

static void hvm_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    struct hvm_hw_cpu s;

    hvm_machine->get_state(to_hvm(v), &s);
    bool kernel = !(s.ss_arbytes >> 5 & 3);
    c->flags = VGCF_i387_valid | (kernel ? VGCF_in_kernel : 0);
    fpu_get_legacy(v->fpu, &c->fpu_ctxt);
    c->user_regs = v->regs;
    c->user_regs.cs = (u16)s.cs_sel;
    c->user_regs.ss = (u16)s.ss_sel;
    c->user_regs.ds = (u16)s.ds_sel;
    c->user_regs.es = (u16)s.es_sel;
    c->user_regs.fs = (u16)s.fs_sel;
    c->user_regs.gs = (u16)s.gs_sel;
    c->ctrlreg[0] = s.cr0;
    c->ctrlreg[2] = s.cr2;
    c->ctrlreg[3] = s.cr3;
    c->ctrlreg[4] = s.cr4;
    c->debugreg[6] = s.dr6;
    c->debugreg[7] = s.dr7;
    c->fs_base = s.fs_base;
    c->gs_base_kernel = kernel ? s.gs_base : s.shadow_gs;
    c->gs_base_user = kernel ? s.shadow_gs : s.gs_base;
}

static void hvm_vcpu_reset(struct vcpu *v)
{
    atomic_or(&to_hvm(v)->lapic.signals, LAPIC_INIT);
}

static void hvm_save(struct vcpu *vcpu)
{
    memcpy(&vcpu->regs, guest_regs(), offsetof(struct cpu_user_regs, es));
    hvm_machine->save(to_hvm(vcpu));
    fpu_save(vcpu->fpu);
}

static void hvm_restore(struct vcpu *vcpu)
{
    memcpy(guest_regs(), &vcpu->regs, offsetof(struct cpu_user_regs, es));
    fpu_restore(vcpu->fpu);
    cpu_load_idle_gdt();
    cpu_load_ldt(0, 0);
    cpu_load_space(mfn_to_paddr(virt_to_mfn(hv_l4)).raw, NULL);
    cpu_load_tsc_aux(to_hvm(vcpu)->tsc_aux);
    hvm_machine->restore(to_hvm(vcpu));
    lapic_follow(to_hvm(vcpu));
}

static void hvm_resume(void)
{
    hvm_machine->resume();
}

static int hvm_copy(u64 address, void *buffer, u64 length, bool write)
{
    return hvm_copy_linear(hvm_current(), address, buffer, length, write ? HVM_WRITE : HVM_READ,
                           NULL);
}

static u64 hvm_cr4(const struct vcpu *v)
{
    struct hvm_paging p;

    hvm_machine->get_paging(to_hvm((struct vcpu *)v), &p);
    return p.cr4;
}

static void hvm_dump(struct vcpu *vcpu)
{
    struct hvm_vcpu *v = to_hvm(vcpu);

    printk(LOG_INFO,
           "    rip %lx rflags %lx; event %d/%u; APIC in service above %x, highest %d%s\n",
           vcpu->regs.rip, vcpu->regs.rflags, v->event.valid, v->event.vector, lapic_priority(v),
           lapic_highest(v), v->lapic.waits ? ", waits for its start" : "");
}

static void out_of_guest(void *arg)
{
    (void)arg;
}

/* CPUs that run it leave their guests, which take new address-space numbers at re-entry. */
static void hvm_flush(struct domain *d)
{
    cpumask_t running = {{0}};

    atomic_inc(&to_hvm_domain(d)->flush_generation);
    for_each_vcpu (d, v)
        if (load_acquire(&v->is_running))
            cpumask_set(&running, v->cpu);
    cpu_call(&running, out_of_guest, NULL);
}

static void hvm_tsc_changed(struct domain *d)
{
    for_each_vcpu (d, v)
        hvm_machine->set_tsc(to_hvm(v));
}

const struct guest_ops guest_hvm = {
    .name = "HVM",
    .domain_size = sizeof(struct hvm_domain),
    .vcpu_size = sizeof(struct hvm_vcpu),
    .domain_init = hvm_domain_init,
    .domain_free = hvm_domain_free,
    .domain_relinquish = hvm_relinquish,
    .vcpu_init = hvm_vcpu_init,
    .vcpu_free = hvm_vcpu_free,
    .vcpu_set_context = hvm_set_context,
    .vcpu_get_context = hvm_get_context,
    .vcpu_reset = hvm_vcpu_reset,
    .save = hvm_save,
    .restore = hvm_restore,
    .resume = hvm_resume,
    .copy = hvm_copy,
    .cr4 = hvm_cr4,
    .wakes = hvm_wakes,
    .upcall = hvm_upcall,
    .dump = hvm_dump,
    .tsc = hvm_tsc_at,
    .tsc_changed = hvm_tsc_changed,
    .flush = hvm_flush,
};
