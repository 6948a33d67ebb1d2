/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Model-specific registers of a PV guest, other than segment bases and
 * TSC_AUX (pv/). Nothing here reaches the machine's registers: reads give
 * constants that describe a plain processor without performance counters and
 * with two silent machine-check banks; writes are dropped where a kernel makes
 * them as a matter of routine and refused (#GP) everywhere else.
 */
#include "core/cpu_policy_private.h"

#include "core/domain.h"

enum {
    MSR_TSC = 0x10,
    MSR_PLATFORM_ID = 0x17,
    MSR_APIC_BASE = 0x1b,
    MSR_FEATURE_CONTROL = 0x3a,
    MSR_PATCH_LEVEL = 0x8b,
    MSR_PMC0 = 0xc1,
    MSR_PMC_LAST = 0xc8,
    MSR_PLATFORM_INFO = 0xce,
    MSR_MISC_FEATURES = 0x140,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS = 0x17a,
    MSR_PERFEVTSEL0 = 0x186,
    MSR_PERFEVTSEL_LAST = 0x18d,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_DEBUGCTL = 0x1d9,
    MSR_PAT = 0x277,
    MSR_FIXED_CTR0 = 0x309,
    MSR_FIXED_CTR_LAST = 0x30b,
    MSR_FIXED_CTR_CTRL = 0x38d,
    MSR_GLOBAL_OVF_CTRL = 0x390,
    MSR_MC0_CTL = 0x400,
};
#define MSR_EFER            0xc0000080U
#define MSR_AMD_PERF0       0xc0010000U
#define MSR_AMD_PERF_LAST   0xc0010007U
#define MSR_AMD_HWCR        0xc0010015U
#define MSR_AMD_NB_CFG      0xc001001fU
#define MSR_AMD_INT_PENDING 0xc0010055U
#define MSR_AMD_MMIO_CONF   0xc0010058U
#define MSR_AMD_PERFX0      0xc0010200U
#define MSR_AMD_PERFX_LAST  0xc001020bU
#define MSR_AMD_DE_CFG      0xc0011029U

#define APIC_BASE_DEFAULT   0xfee00000UL
#define APIC_BASE_BSP       0x100
#define APIC_BASE_ENABLED   0x800
#define MC_BANKS            2
#define PAT_PV              0x050100070406UL /* WB WT UC- UC WC WP: xen.h fixes it */
#define EFER_PV             0xd01            /* SCE LME LMA NXE */
#define HWCR_TSC_FREQ_SEL   (1UL << 24)
#define DE_CFG_LFENCE       2 /* LFENCE is serialising */
/* Fast strings; no branch trace, no precise events. */
#define MISC_ENABLE_PV 0x1801

static bool within(u32 msr, u32 first, u32 last)
{
    return msr - first <= last - first;
}

static bool is_mc_bank(u32 msr)
{
    return within(msr, MSR_MC0_CTL, MSR_MC0_CTL + 4 * MC_BANKS - 1);
}

static bool is_performance_counter(u32 msr, int vendor)
{
    if (vendor == VENDOR_IS_INTEL)
        return within(msr, MSR_PMC0, MSR_PMC_LAST) ||
               within(msr, MSR_PERFEVTSEL0, MSR_PERFEVTSEL_LAST) ||
               within(msr, MSR_FIXED_CTR0, MSR_FIXED_CTR_LAST) ||
               within(msr, MSR_FIXED_CTR_CTRL, MSR_GLOBAL_OVF_CTRL);
    return within(msr, MSR_AMD_PERF0, MSR_AMD_PERF_LAST) ||
           within(msr, MSR_AMD_PERFX0, MSR_AMD_PERFX_LAST);
}

static bool read_intel(u32 msr, u64 *value)
{
    switch (msr) {
    case MSR_FEATURE_CONTROL:
        *value = 1; /* locked, no VMX */
        return true;
    case MSR_MISC_ENABLE:
        *value = MISC_ENABLE_PV;
        return true;
    case MSR_PLATFORM_ID:
    case MSR_PLATFORM_INFO:
    case MSR_MISC_FEATURES:
        *value = 0;
        return true;
    default:
        return false;
    }
}

static bool read_amd(const struct vcpu *v, u32 msr, u64 *value)
{
    switch (msr) {
    case MSR_AMD_HWCR:
        *value = HWCR_TSC_FREQ_SEL; /* the TSC counts at P0 frequency */
        return true;
    case MSR_AMD_DE_CFG:
        *value = DE_CFG_LFENCE;
        return true;
    case MSR_AMD_INT_PENDING:
        *value = 0;
        return true;
    case MSR_AMD_NB_CFG:
    case MSR_AMD_MMIO_CONF:
        *value = 0;
        return v->domain->is_hardware;
    default:
        return false;
    }
}

bool cpu_policy_rdmsr(struct vcpu *v, u32 msr, u64 *value)
{
    int vendor = cpu_policy_vendor(&cpu_policy_host);

    *value = 0;
    switch (msr) {
    case MSR_TSC:
        *value = __builtin_ia32_rdtsc();
        return true;
    case MSR_APIC_BASE:
        *value = APIC_BASE_DEFAULT | APIC_BASE_ENABLED | (v->id == 0 ? APIC_BASE_BSP : 0);
        return true;
    case MSR_MCG_CAP:
        *value = MC_BANKS;
        return true;
    case MSR_PATCH_LEVEL:
    case MSR_MCG_STATUS:
    case MSR_DEBUGCTL:
        return true;
    case MSR_PAT:
        *value = PAT_PV;
        return true;
    case MSR_EFER:
        *value = EFER_PV;
        return true;
    }
    if (is_mc_bank(msr)) {
        *value = (msr & 3) == 0 ? ~0UL : 0; /* CTL: all on; STATUS, ADDR, MISC: nothing */
        return true;
    }
    if (is_performance_counter(msr, vendor))
        return true;
    return vendor == VENDOR_IS_INTEL ? read_intel(msr, value) : read_amd(v, msr, value);
}

bool cpu_policy_wrmsr(struct vcpu *v, u32 msr, u64 value)
{
    int vendor = cpu_policy_vendor(&cpu_policy_host);

    if (is_mc_bank(msr)) /* SDM 15.3.2.2: STATUS takes only zeros; CTL any */
        return (msr & 3) == 0 || value == 0;
    if (is_performance_counter(msr, vendor))
        return true;
    switch (msr) {
    case MSR_PATCH_LEVEL: /* Intel: written as 0 before the revision is read */
    case MSR_MCG_STATUS:
    case MSR_DEBUGCTL:
        return value == 0;
    case MSR_PAT:
        return value == PAT_PV;
    case MSR_EFER:
        return value == EFER_PV;
    case MSR_APIC_BASE:
        return (value & ~0xfffUL) == APIC_BASE_DEFAULT;
    case MSR_MISC_ENABLE:
        return vendor == VENDOR_IS_INTEL;
    case MSR_AMD_DE_CFG:
        return vendor != VENDOR_IS_INTEL;
    case MSR_AMD_NB_CFG:
    case MSR_AMD_MMIO_CONF:
        return vendor != VENDOR_IS_INTEL && v->domain->is_hardware;
    default:
        return false;
    }
}
