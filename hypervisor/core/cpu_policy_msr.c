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
#include "cpu/registers.h"

#define APIC_BASE_DEFAULT 0xfee00000UL
#define APIC_BASE_BSP     0x100
#define APIC_BASE_ENABLED 0x800
#define MC_BANKS          2

/* Who has a register: all, guests on Intel's or on others' processors, of those the hardware
 * domain only. */
enum { ALL, INTEL, OTHERS, OTHERS_HARDWARE };
/* What it takes: nothing, what it reads as, anything (and forgets it). */
enum { READ_ONLY, SAME, FORGETS };

static const struct rule {
    u32 first, last;
    u8 who, takes;
    u64 value; /* what it reads as */
} rules[] = {
    {0x17, 0x17, INTEL, READ_ONLY, 0},   /* PLATFORM_ID */
    {0x3a, 0x3a, INTEL, READ_ONLY, 1},   /* FEATURE_CONTROL: locked, no VMX */
    {0x8b, 0x8b, ALL, SAME, 0},          /* PATCH_LEVEL: Intel: written as 0 before it is read */
    {0xc1, 0xc8, INTEL, FORGETS, 0},     /* PMC */
    {0xce, 0xce, INTEL, READ_ONLY, 0},   /* PLATFORM_INFO */
    {0x140, 0x140, INTEL, READ_ONLY, 0}, /* MISC_FEATURES */
    {0x179, 0x179, ALL, READ_ONLY, MC_BANKS},     /* MCG_CAP */
    {0x17a, 0x17a, ALL, SAME, 0},                 /* MCG_STATUS */
    {0x186, 0x18d, INTEL, FORGETS, 0},            /* PERFEVTSEL */
    {0x1a0, 0x1a0, INTEL, FORGETS, 0x1801},       /* MISC_ENABLE: fast strings; no BTS, no PEBS */
    {0x1d9, 0x1d9, ALL, SAME, 0},                 /* DEBUGCTL */
    {0x277, 0x277, ALL, SAME, 0x050100070406},    /* PAT: as xen.h fixes it */
    {0x309, 0x30b, INTEL, FORGETS, 0},            /* FIXED_CTR */
    {0x38d, 0x390, INTEL, FORGETS, 0},            /* FIXED_CTR_CTRL to GLOBAL_OVF_CTRL */
    {0x400, 0x400, ALL, FORGETS, ~0UL},           /* MC0_CTL: all on */
    {0x401, 0x403, ALL, SAME, 0},                 /* and nothing has happened: SDM 15.3.2.2 */
    {0x404, 0x404, ALL, FORGETS, ~0UL},           /* MC1_CTL */
    {0x405, 0x407, ALL, SAME, 0},                 /* MC1_STATUS, ADDR, MISC */
    {0xc0000080, 0xc0000080, ALL, SAME, 0xd01},   /* EFER: SCE LME LMA NXE */
    {0xc0010000, 0xc0010007, OTHERS, FORGETS, 0}, /* performance counters */
    {0xc0010015, 0xc0010015, OTHERS, READ_ONLY, 0x1000000}, /* HWCR: TSC counts at P0's rate */
    {0xc001001f, 0xc001001f, OTHERS_HARDWARE, FORGETS, 0},  /* NB_CFG */
    {0xc0010055, 0xc0010055, OTHERS, READ_ONLY, 0},         /* INT_PENDING */
    {0xc0010058, 0xc0010058, OTHERS_HARDWARE, FORGETS, 0},  /* MMIO_CONF */
    {0xc0010200, 0xc001020b, OTHERS, FORGETS, 0},           /* more performance counters */
    {0xc0011029, 0xc0011029, OTHERS, FORGETS, 2},           /* DE_CFG: LFENCE is serialising */
};

static const struct rule *rule_for(const struct vcpu *v, u32 msr)
{
    bool intel = cpu_policy_vendor(&cpu_policy_host) == VENDOR_IS_INTEL;

    for (const struct rule *r = rules; r < rules + ARRAY_SIZE(rules); r++) {
        if (msr - r->first > r->last - r->first)
            continue;
        if (r->who != ALL && (r->who == INTEL) != intel)
            return NULL;
        return r->who == OTHERS_HARDWARE && !v->domain->is_hardware ? NULL : r;
    }
    return NULL;
}

bool cpu_policy_rdmsr(struct vcpu *v, u32 msr, u64 *value)
{
    const struct rule *r = rule_for(v, msr);

    *value = r ? r->value : 0;
    if (msr == MSR_TSC)
        *value = __builtin_ia32_rdtsc();
    else if (msr == MSR_APIC_BASE)
        *value = APIC_BASE_DEFAULT | APIC_BASE_ENABLED | (v->id == 0 ? APIC_BASE_BSP : 0);
    else
        return r;
    return true;
}

bool cpu_policy_wrmsr(struct vcpu *v, u32 msr, u64 value)
{
    const struct rule *r = rule_for(v, msr);

    if (msr == MSR_APIC_BASE)
        return (value & ~0xfffUL) == APIC_BASE_DEFAULT;
    return r && (r->takes == FORGETS || (r->takes == SAME && value == r->value));
}
