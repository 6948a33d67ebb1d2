/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of a vCPU that its control block holds, from and to the
 * interface's form (xen/arch-x86/hvm/save.h), and the questions that walks and
 * the emulator ask. The vCPU is current or stands still.
 */
#include "cpu/guest_state.h"
#include "cpu/instructions.h"
#include "hvm/svm/svm.h"

/* What a guest may set in EFER; LMA follows by itself. */
#define EFER_GUEST  (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | BIT(14))
#define ATTRIBUTE_L BIT(9)
#define ATTRIBUTE_D BIT(10)

/* VMSAVE's part is in the processor while the vCPU is. */
static struct vmcb *settled(struct hvm_vcpu *v)
{
    if (&v->v == current)
        vmsave(v->machine_address);
    return to_svm(v)->vmcb;
}

void svm_state_init(struct hvm_vcpu *v)
{
    struct vmcb *b = to_svm(v)->vmcb;

    b->efer = EFER_SVME;
    b->pat = 0x0007040600070406UL;
    b->dr6 = 0xffff0ff0;
    b->dr7 = 0x400;
}

#define SEGMENTS(each) each(cs) each(ds) each(es) each(fs) each(gs) each(ss) each(tr) each(ldtr)

/* Of the interface's form, of the block: what is the same in both. */
#define REGISTERS(each)                                                                          \
    each(gdtr_base, gdtr.base) each(gdtr_limit, gdtr.limit) each(idtr_base, idtr.base)           \
        each(idtr_limit, idtr.limit) each(cr0, cr0) each(cr2, cr2) each(cr3, cr3) each(cr4, cr4) \
            each(dr6, dr6) each(dr7, dr7) each(sysenter_cs, sysenter_cs)                         \
                each(sysenter_esp, sysenter_esp) each(sysenter_eip, sysenter_eip)                \
                    each(shadow_gs, kernel_gs_base) each(msr_lstar, lstar) each(msr_star, star)  \
                        each(msr_cstar, cstar) each(msr_syscall_mask, sfmask)
_Static_assert(offsetof(struct hvm_hw_cpu, dr3) == offsetof(struct hvm_hw_cpu, dr0) + 24,
               "an array");

void svm_get_state(struct hvm_vcpu *v, struct hvm_hw_cpu *s)
{
    const struct vmcb *b = settled(v);

#define GET(name)                     \
    s->name##_sel = b->name.selector; \
    s->name##_limit = b->name.limit;  \
    s->name##_base = b->name.base;    \
    s->name##_arbytes = b->name.attributes;
    SEGMENTS(GET)
#undef GET
#define GET(theirs, ours) s->theirs = b->ours;
    REGISTERS(GET)
#undef GET
    if (to_svm(v)->debug_loaded)
        svm_save_debug(to_svm(v));
    memcpy(&s->dr0, to_svm(v)->dr, sizeof(to_svm(v)->dr));
    s->msr_efer = b->efer & ~EFER_SVME;
}

/* The rules of VMRUN (APM 15.5.1) that we can name; it checks all of them itself. */
static bool plausible(const struct hvm_hw_cpu *s)
{
    return !((s->cr0 | s->dr6 | s->dr7) >> 32) && !(s->msr_efer & ~(u64)EFER_GUEST) &&
           (!(s->cr0 & CR0_PG) || (s->cr0 & CR0_PE)) &&
           (!(s->msr_efer & EFER_LMA) || ((s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE)));
}

int svm_set_state(struct hvm_vcpu *v, const struct hvm_hw_cpu *s)
{
    struct vmcb *b = settled(v);

    if (!plausible(s))
        return -EINVAL;
#define SET(name)                          \
    b->name.selector = (u16)s->name##_sel; \
    b->name.limit = s->name##_limit;       \
    b->name.base = s->name##_base;         \
    b->name.attributes = (u16)(s->name##_arbytes & 0xfff);
    SEGMENTS(SET)
#undef SET
    b->cpl = b->ss.attributes >> 5 & 3;
#define SET(theirs, ours) b->ours = s->theirs;
    REGISTERS(SET)
#undef SET
    svm_save_debug(to_svm(v));
    memcpy(to_svm(v)->dr, &s->dr0, sizeof(to_svm(v)->dr));
    b->efer = s->msr_efer | EFER_SVME;
    b->shadow = 0;
    if (&v->v == current) {
        vmload(v->machine_address);
        if (b->dr7 & 0xff)
            svm_load_debug(to_svm(v));
    }
    to_svm(v)->asid_cpu = ~0U; /* nothing of the old state may be remembered */
    return 0;
}

void svm_get_paging(struct hvm_vcpu *v, struct hvm_paging *p)
{
    const struct vmcb *b = to_svm(v)->vmcb;

    *p = (struct hvm_paging){
        .cr0 = b->cr0,
        .cr2 = b->cr2,
        .cr3 = b->cr3,
        .cr4 = b->cr4,
        .efer = b->efer,
        .privilege = b->cpl,
        .code64 = (b->efer & EFER_LMA) && (b->cs.attributes & ATTRIBUTE_L),
        .code32 = b->cs.attributes & ATTRIBUTE_D,
    };
}

/* In the order of enum segment. FS and GS are in the processor while the vCPU is. */
struct hvm_segment svm_segment(struct hvm_vcpu *v, u32 segment)
{
    const struct vmcb *b = segment >= 4 ? settled(v) : to_svm(v)->vmcb;
    const struct vmcb_segment *const segments[] = {&b->es, &b->cs, &b->ss, &b->ds, &b->fs, &b->gs};
    const struct vmcb_segment *s = segments[segment];
    bool flat = (b->efer & EFER_LMA) && (b->cs.attributes & ATTRIBUTE_L) && segment < 4;

    return (struct hvm_segment){flat ? 0 : s->base, s->limit, s->attributes};
}

bool svm_get_msr(struct hvm_vcpu *v, u32 msr, u64 *value)
{
    const struct vmcb *b = to_svm(v)->vmcb;

    switch (msr) {
    case MSR_EFER:
        *value = b->efer & ~EFER_SVME;
        return true;
    case MSR_PAT:
        *value = b->pat;
        return true;
    case MSR_TSC_AUX:
        *value = v->tsc_aux;
        return true;
    default:
        return false;
    }
}

/* Types of memory: 2, 3 and above 7 do not exist. */
static bool pat_valid(u64 value)
{
    for (u32 i = 0; i < 8; i++, value >>= 8)
        if ((value & 0xff) > 7 || (value & 0xfe) == 2)
            return false;
    return true;
}

bool svm_set_msr(struct hvm_vcpu *v, u32 msr, u64 value, bool *refused)
{
    struct vmcb *b = to_svm(v)->vmcb;

    switch (msr) {
    case MSR_EFER:
        *refused = (value & ~(u64)EFER_GUEST) ||
                   ((b->cr0 & CR0_PG) && ((value ^ b->efer) & EFER_LME));
        if (!*refused)
            b->efer = (value & ~EFER_LMA) | (b->efer & EFER_LMA) | EFER_SVME;
        return true;
    case MSR_PAT:
        *refused = !pat_valid(value);
        if (!*refused)
            b->pat = v->mtrr.msr_pat_cr = value;
        return true;
    case MSR_TSC_AUX:
        *refused = value >> 32;
        if (!*refused) {
            v->tsc_aux = (u32)value;
            if (&v->v == current)
                cpu_load_tsc_aux(v->tsc_aux);
        }
        return true;
    default:
        return false;
    }
}

#define DR_INTERCEPTS 0x000f000fU

void svm_load_debug(struct svm_vcpu *s)
{
    for (u32 n = 0; n < 4; n++)
        cpu_set_debug(n, s->dr[n]);
    s->debug_loaded = true;
    s->vmcb->dr_intercepts &= ~DR_INTERCEPTS;
}

void svm_save_debug(struct svm_vcpu *s)
{
    if (!s->debug_loaded)
        return;
    __asm__ volatile("mov %%db0, %0\n"
                     "mov %%db1, %1\n"
                     "mov %%db2, %2\n"
                     "mov %%db3, %3"
                     : "=r"(s->dr[0]), "=r"(s->dr[1]), "=r"(s->dr[2]), "=r"(s->dr[3]));
    s->debug_loaded = false;
    s->vmcb->dr_intercepts |= DR_INTERCEPTS;
}
