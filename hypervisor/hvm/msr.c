/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Model-specific registers of a translated guest: its APIC's, its TSC's, those
 * the machine holds, memory types (kept to be read back; nested paging makes
 * all RAM write-back), the hypercall page; what is left over is answered as
 * for PV guests (core/cpu_policy_msr.c).
 */
#include "core/cpu_policy.h"
#include "core/physmap.h"
#include "cpu/registers.h"
#include "hvm/hvm.h"

enum { MSR_MTRR_CAP = 0xfe, MSR_MTRR_BASE0 = 0x200 };
enum { MSR_MTRR_LAST = MSR_MTRR_BASE0 + 2 * HVM_MTRRS - 1, MSR_MTRR_64K = 0x250 };
enum { MSR_MTRR_16K_0 = 0x258, MSR_MTRR_16K_1 = 0x259, MSR_MTRR_4K = 0x268 };
enum { MSR_MTRR_4K_LAST = 0x26f, MSR_MTRR_DEFAULT = 0x2ff, MSR_X2APIC_LAST = 0x8ff };
enum { MSR_HYPERCALLS = 0x40000000 };
#define MTRR_CAP 0x508UL /* 8 pairs, fixed ones, write-combining */

void hvm_mtrr_reset(struct hvm_hw_mtrr *m)
{
    memset(m, 0, sizeof(*m));
    m->msr_pat_cr = 0x0007040600070406UL; /* power-up value (SDM 12.12.4) */
    m->msr_mtrr_cap = MTRR_CAP;
}

/* Where the record keeps a memory-type register; NULL: none. */
static u64 *mtrr_at(struct hvm_hw_mtrr *m, u32 msr)
{
    switch (msr) {
    case MSR_MTRR_BASE0 ... MSR_MTRR_LAST:
        return &m->msr_mtrr_var[msr - MSR_MTRR_BASE0];
    case MSR_MTRR_64K:
        return &m->msr_mtrr_fixed[0];
    case MSR_MTRR_16K_0:
    case MSR_MTRR_16K_1:
        return &m->msr_mtrr_fixed[1 + msr - MSR_MTRR_16K_0];
    case MSR_MTRR_4K ... MSR_MTRR_4K_LAST:
        return &m->msr_mtrr_fixed[3 + msr - MSR_MTRR_4K];
    case MSR_MTRR_DEFAULT:
        return &m->msr_mtrr_def_type;
    case MSR_MTRR_CAP:
        return &m->msr_mtrr_cap;
    default:
        return NULL;
    }
}

bool hvm_read_msr(struct hvm_vcpu *v, u32 msr, u64 *value)
{
    u64 *mtrr = mtrr_at(&v->mtrr, msr);

    if (mtrr) {
        *value = *mtrr;
        return true;
    }
    switch (msr) {
    case MSR_TSC:
        *value = hvm_tsc(v);
        return true;
    case MSR_TSC_ADJUST:
        *value = v->tsc_adjust;
        return true;
    case MSR_APIC_BASE:
    case MSR_TSC_DEADLINE:
    case MSR_X2APIC ... MSR_X2APIC_LAST:
        return lapic_read_msr(v, msr, value);
    case MSR_HYPERCALLS:
        *value = 0;
        return true;
    }
    return hvm_machine->get_msr(v, msr, value) || cpu_policy_rdmsr(&v->v, msr, value);
}

static void set_tsc(struct hvm_vcpu *v, u64 change)
{
    v->tsc_adjust += change;
    hvm_set_tsc_offset(v, v->tsc_offset + change);
    vcpu_update_time(&v->v);
}

/* The guest says where it wants the 32-byte stubs (xen/arch-x86/cpuid.h). */
static bool write_hypercalls(struct hvm_vcpu *v, u64 value)
{
    u8 stub[] = {0xb8, 0, 0, 0, 0, 0x0f, 0x01, 0xd9, 0xc3}; /* mov eax, N; vmmcall; ret */
    struct frame *f;
    u8 *page;

    if ((value & ~PAGE_MASK) || domain_page_take(v->v.domain, value >> PAGE_SHIFT, &f))
        return false;
    page = mfn_to_virt(frame_to_mfn(f));
    memset(page, 0xcc, PAGE_SIZE);
    for (u32 n = 0; n < 64; n++) {
        stub[1] = (u8)n;
        memcpy(page + n * 32, stub, sizeof(stub));
    }
    domain_page_drop(f);
    hvm_set_width();
    return true;
}

bool hvm_write_msr(struct hvm_vcpu *v, u32 msr, u64 value)
{
    u64 *mtrr = mtrr_at(&v->mtrr, msr);
    bool refused = false;

    if (mtrr) {
        if (msr == MSR_MTRR_CAP)
            return false;
        *mtrr = value;
        return true;
    }
    switch (msr) {
    case MSR_TSC:
        set_tsc(v, value - hvm_tsc(v));
        return true;
    case MSR_TSC_ADJUST:
        set_tsc(v, value - v->tsc_adjust);
        return true;
    case MSR_APIC_BASE:
    case MSR_TSC_DEADLINE:
    case MSR_X2APIC ... MSR_X2APIC_LAST:
        return lapic_write_msr(v, msr, value);
    case MSR_HYPERCALLS:
        return write_hypercalls(v, value);
    }
    if (hvm_machine->set_msr(v, msr, value, &refused))
        return !refused;
    return cpu_policy_wrmsr(&v->v, msr, value);
}
