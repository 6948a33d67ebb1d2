/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns cpu_features and the base values of CR0, CR4, EFER and PAT. No locks:
 * written by the boot CPU only, before the others run. Callers: boot/.
 */
#include "cpu/features.h"
#include "cpu/mitigations.h"

u32 cpu_features[CPUID_WORDS] __ro_after_init;
enum cpu_vendor cpu_vendor __ro_after_init;
char cpu_vendor_name[13] __ro_after_init;
u32 cpu_family __ro_after_init, cpu_model __ro_after_init, cpu_stepping __ro_after_init;
u32 cpu_address_bits __ro_after_init;
bool cpu_has_fsgsbase __ro_after_init, cpu_has_ibpb __ro_after_init;
static u64 base_cr4 __ro_after_init;

/* What no machine we can run on lacks; start.S has already checked some. */
static const struct {
    u16 feature;
    const char *name;
} needed[] __initconst = {
    {FEATURE_TSC, "TSC"},         {FEATURE_MSR, "MSR"},   {FEATURE_PAE, "PAE"},
    {FEATURE_CX8, "CX8"},         {FEATURE_APIC, "APIC"}, {FEATURE_PGE, "PGE"},
    {FEATURE_PAT, "PAT"},         {FEATURE_FXSR, "FXSR"}, {FEATURE_SSE2, "SSE2"},
    {FEATURE_SYSCALL, "SYSCALL"}, {FEATURE_NX, "NX"},     {FEATURE_LONG_MODE, "long mode"},
};

/* CR4 bits that need a feature of their own. */
static const struct {
    u16 feature;
    u64 bit;
} optional_cr4[] __initconst = {
    {FEATURE_MCE, CR4_MCE},   {FEATURE_UMIP, CR4_UMIP}, {FEATURE_FSGSBASE, CR4_FSGSBASE},
    {FEATURE_SMEP, CR4_SMEP}, {FEATURE_SMAP, CR4_SMAP}, {FEATURE_XSAVE, CR4_OSXSAVE},
};

static __init u32 cpuid_max(u32 range)
{
    u32 r[4];

    cpuid(range, 0, r);
    return r[0] >= range && r[0] <= range + 0xffff ? r[0] : 0;
}

static __init void gather(u32 words[CPUID_WORDS])
{
    enum { EAX, EBX, ECX, EDX };
    static const struct {
        u32 leaf;
        u8 subleaf, reg;
    } where[CPUID_WORDS] __initconst = {
        [CPUID_1_EDX] = {1, 0, EDX},
        [CPUID_1_ECX] = {1, 0, ECX},
        [CPUID_7_EBX] = {7, 0, EBX},
        [CPUID_7_ECX] = {7, 0, ECX},
        [CPUID_7_EDX] = {7, 0, EDX},
        [CPUID_D1_EAX] = {0xd, 1, EAX},
        [CPUID_81_EDX] = {0x80000001, 0, EDX},
        [CPUID_81_ECX] = {0x80000001, 0, ECX},
        [CPUID_87_EDX] = {0x80000007, 0, EDX},
        [CPUID_88_EBX] = {0x80000008, 0, EBX},
        [CPUID_8021_EAX] = {0x80000021, 0, EAX},
    };
    u32 r[4];

    for (u32 i = 0; i < CPUID_WORDS; i++) {
        words[i] = 0;
        if (cpuid_max(where[i].leaf & 0x80000000) < where[i].leaf)
            continue;
        cpuid(where[i].leaf, where[i].subleaf, r);
        words[i] = r[where[i].reg];
    }
    /* OSXSAVE and OSPKE mirror CR4: not the processor's own. */
    words[CPUID_1_ECX] &= ~BIT(27);
    words[CPUID_7_ECX] &= ~BIT(4);
    /* An emulator whose processor has XSAVE without any of leaf 0xd's extensions (QEMU 10,
     * Opteron_G5) takes CR4.OSXSAVE for reserved and loses its way when it is set. */
    if ((words[CPUID_1_ECX] & BIT(31)) && !words[CPUID_D1_EAX])
        words[CPUID_1_ECX] &= ~BIT(26);
}

static __init void identify(void)
{
    u32 r[4];

    cpuid(0, 0, r);
    memcpy(cpu_vendor_name, &r[1], 4);
    memcpy(cpu_vendor_name + 4, &r[3], 4);
    memcpy(cpu_vendor_name + 8, &r[2], 4);
    cpu_vendor = VENDOR_OTHER;
    if (strcmp(cpu_vendor_name, "GenuineIntel") == 0)
        cpu_vendor = VENDOR_INTEL;
    else if (strcmp(cpu_vendor_name, "AuthenticAMD") == 0 ||
             strcmp(cpu_vendor_name, "HygonGenuine") == 0)
        cpu_vendor = VENDOR_AMD;
    /* Extended family counts from family 15 on, extended model from 6 (Intel: CPUID leaf 1). */
    cpuid(1, 0, r);
    cpu_family = (r[0] >> 8) & 0xf;
    cpu_model = (r[0] >> 4) & 0xf;
    cpu_stepping = r[0] & 0xf;
    if (cpu_family >= 6)
        cpu_model |= (r[0] >> 12) & 0xf0;
    if (cpu_family == 15)
        cpu_family += (r[0] >> 20) & 0xff;
    cpu_address_bits = 36;
    if (cpuid_max(0x80000000) >= 0x80000008) {
        cpuid(0x80000008, 0, r);
        cpu_address_bits = r[0] & 0xff;
    }
    /* Tables have room for 52 bits. */
    cpu_address_bits = MIN(cpu_address_bits, 52U);
}

/*
 * CLAC and STAC sites (cpu/asm.h) are linked as three-byte NOPs; a CPU with
 * SMAP gets the instructions. CPUID serialises, so the new bytes are seen.
 */
static __init void patch_smap_sites(void)
{
    struct site {
        u8 *at;
        u64 last_byte;
    };
    extern const struct site __smap_sites_start[], __smap_sites_end[];
    u32 r[4];

    for (const struct site *s = __smap_sites_start; s < __smap_sites_end; s++) {
        s->at[0] = 0x0f;
        s->at[1] = 0x01;
        s->at[2] = (u8)s->last_byte;
    }
    cpuid(0, 0, r);
}

static __init void turn_on(void)
{
    write_cr0(CR0_PG | CR0_WP | CR0_AM | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
    write_cr4(base_cr4);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE | EFER_SCE |
                        (cpu_has(FEATURE_AUTO_IBRS) ? EFER_AUTO_IBRS : 0));
    wrmsr(MSR_PAT, PAT_VALUE);
    /* No stale value of the loader's in what guests swap in. */
    wrmsr(MSR_FS_BASE, 0);
    wrmsr(MSR_GS_BASE, 0);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
}

__init const char *features_init(void)
{
    gather(cpu_features);
    identify();
    for (u32 i = 0; i < ARRAY_SIZE(needed); i++)
        if (!cpu_has(needed[i].feature))
            return needed[i].name;
    mitigations_init();
    base_cr4 = CR4_PAE | (shield_on ? 0 : CR4_PGE) | CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    for (u32 i = 0; i < ARRAY_SIZE(optional_cr4); i++)
        if (cpu_has(optional_cr4[i].feature))
            base_cr4 |= optional_cr4[i].bit;
    cpu_has_fsgsbase = cpu_has(FEATURE_FSGSBASE);
    cpu_has_ibpb = cpu_has(FEATURE_IBPB) || cpu_has(FEATURE_IBRS_IBPB);
    if (cpu_has(FEATURE_SMAP))
        patch_smap_sites();
    turn_on();
    return NULL;
}

__init const char *features_init_secondary(void)
{
    u32 words[CPUID_WORDS];

    gather(words);
    for (u32 i = 0; i < CPUID_WORDS; i++)
        if (cpu_features[i] & ~words[i])
            return "features of the boot CPU";
    turn_on();
    return NULL;
}
