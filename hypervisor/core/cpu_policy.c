/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Policies: gathering the host's leaves, what of them a PV guest may see, and
 * a guest's CPUID instruction. The forms that tools exchange are in
 * cpu_policy_exchange.c, MSRs in cpu_policy_msr.c.
 *
 * A PV kernel asks through the forced-emulation prefix and gets this view. Its
 * processes execute CPUID natively and see the host, since there is no way to
 * trap it; so nothing here is a secret, only advice.
 */
#include "core/cpu_policy_private.h"

#include "core/guest.h"

#include <cpuid.h>
#include <xen/arch-x86/cpufeatureset.h>
#include <xen/arch-x86/cpuid.h>

#define FEATURE_BIT(f)     (1U << (XEN_X86_FEATURE_##f % 32))

#define HYPERVISOR_LEAF    0x40000000U
#define HYPERVISOR_VERSION 0x00040011U /* 4.17 */
#define MSR_HYPERCALL_BASE 0x40000000U
#define CR4_OSXSAVE_BIT    BIT(18)
#define LEAF_NONE          ((struct cpuid_leaf){0, 0, 0, 0})

/* Leaf 0x80000001 edx repeats these bits of leaf 1 edx on AMD. */
#define AMD_COMMON_BITS 0x0183f3ffU

struct cpu_policy cpu_policy_host __ro_after_init;
struct cpu_policy cpu_policy_pv_max __ro_after_init;
struct cpu_policy cpu_policy_pv_default __ro_after_init;
struct cpu_policy cpu_policy_hvm_max __ro_after_init;
struct cpu_policy cpu_policy_hvm_default __ro_after_init;
/* Size and offset of each XSAVE component in the standard format. */
static struct cpuid_leaf host_states[STATES_LAST + 1] __ro_after_init;

/*
 * Features a PV guest may have: those that the public header marks "A" (all
 * guests) or "a" (all, if asked for), less those whose MSRs we do not give:
 * speculation controls (IBRSB STIBP SSBD IBPB SBPB PSFD ...), ARCH_CAPS, DBEXT.
 */
static const u32 pv_features[CPU_POLICY_WORDS] = {
    [0] = 0x1fc9cbf5,  [1] = 0xf6d83203,  [2] = 0xea500800,  [3] = 0x002109e3,  [4] = 0x00000007,
    [5] = 0xfdaf0b39,  [6] = 0x1a405f43,  [7] = 0x00000100,  [8] = 0x24000005,  [9] = 0x0001451c,
    [10] = 0x00001c30, [11] = 0x60000064, [13] = 0x00000020, [18] = 0x00000006,
};
/* What a translated guest may have besides, marked "S" or "H" there: its processor is
 * its own. Less those whose MSRs or instructions nobody here gives it. */
static const u32 hvm_features[CPU_POLICY_WORDS] = {
    [0] = 0x0002300a, /* VME PSE MTRR PGE PSE36 */
    [1] = 0x01220000, /* PCID X2APIC TSC_DEADLINE */
    [2] = 0x04000000, /* PAGE1GB */
    [3] = 0x00000010, /* CR8_LEGACY */
    [5] = 0x00100482, /* TSC_ADJUST SMEP INVPCID SMAP */
    [6] = 0x00000004, /* UMIP */
};
/* Made by us whether the processor has it or not. */
#define HVM_EMULATED_1 0x01200000U /* X2APIC TSC_DEADLINE */
#define HVM_EMULATED_5 0x00000002U /* TSC_ADJUST */
/* Of these, the ones that a domain gets only when the toolstack asks. */
static const u32 on_request[CPU_POLICY_WORDS] = {
    [5] = 0x00000810, /* HLE, RTM */
    [6] = 0x18000000, /* MOVDIRI, MOVDIR64B */
    [7] = 0x00000100, /* ITSC: the guest could not be moved */
    [9] = 0x00010100, /* VP2INTERSECT, TSXLDTRK */
};

/* A feature is taken away with the one it needs. In order: a need stands before its needers. */
#define F(name) XEN_X86_FEATURE_##name
static const struct {
    u16 needed, by[13]; /* up to a 0 */
} dependencies[] = {
    {F(FPU), {F(MMX), F(FXSR), F(XSAVE)}},
    {F(FXSR), {F(SSE), F(FFXSR)}},
    {F(MMX), {F(MMXEXT), F(3DNOW)}},
    {F(3DNOW), {F(3DNOWEXT)}},
    {F(SSE), {F(SSE2)}},
    {F(SSE2), {F(SSE3), F(AESNI), F(PCLMULQDQ), F(SHA), F(GFNI)}},
    {F(SSE3), {F(SSSE3), F(SSE4A)}},
    {F(SSSE3), {F(SSE4_1)}},
    {F(SSE4_1), {F(SSE4_2)}},
    {F(SSE4_2), {F(AVX)}},
    {F(XSAVE), {F(XSAVEOPT), F(XSAVEC), F(XGETBV1), F(AVX)}},
    {F(AVX), {F(FMA), F(FMA4), F(F16C), F(XOP), F(AVX2), F(VAES), F(VPCLMULQDQ)}},
    {F(AVX2), {F(AVX_VNNI), F(AVX512F)}},
    {F(AVX512F),
     {F(AVX512DQ), F(AVX512_IFMA), F(AVX512PF), F(AVX512ER), F(AVX512CD), F(AVX512BW), F(AVX512VL),
      F(AVX512_4VNNIW), F(AVX512_4FMAPS), F(AVX512_VNNI), F(AVX512_VPOPCNTDQ),
      F(AVX512_VP2INTERSECT)}},
    {F(AVX512BW), {F(AVX512_VBMI), F(AVX512_VBMI2), F(AVX512_BITALG), F(AVX512_BF16)}},
    {F(LM), {F(LAHF_LM), F(SYSCALL), F(FSGSBASE), F(CX16)}},
};

u32 *cpu_policy_word(struct cpu_policy *p, u32 n)
{
#define AT(word) offsetof(struct cpu_policy, word)
    static const u16 words[CPU_POLICY_WORDS] = {
        AT(basic[1].d),     AT(basic[1].c),   AT(extended[1].d),   AT(extended[1].c),
        AT(xsave_features), AT(feature[0].b), AT(feature[0].c),    AT(extended[7].d),
        AT(extended[8].b),  AT(feature[0].d), AT(feature[1].a),    AT(extended[0x21].a),
        AT(feature[1].b),   AT(feature[2].d), AT(feature[1].c),    AT(feature[1].d),
        AT(hidden),         AT(hidden),       AT(extended[0x21].c)};
    return (u32 *)((char *)p + words[n]);
}

static u32 word_value(const struct cpu_policy *p, u32 n)
{
    return *cpu_policy_word((struct cpu_policy *)p, n);
}

static bool feature_test(const struct cpu_policy *p, u32 feature)
{
    return (word_value(p, feature / 32) >> (feature % 32)) & 1;
}

static void feature_put(struct cpu_policy *p, u32 feature, bool on)
{
    u32 *word = cpu_policy_word(p, feature / 32), bit = 1U << (feature % 32);

    *word = on ? *word | bit : *word & ~bit;
}

int cpu_policy_vendor(const struct cpu_policy *p)
{
    switch (p->basic[0].b) {
    case 0x68747541: /* AuthenticAMD */
    case 0x6f677948: /* HygonGenuine */
        return VENDOR_IS_AMD;
    case 0x756e6547: /* GenuineIntel */
        return VENDOR_IS_INTEL;
    default:
        return VENDOR_IS_OTHER;
    }
}

u64 cpu_policy_states(const struct cpu_policy *p)
{
    u64 states = 3; /* x87 and SSE cannot be without */

    if (!feature_test(p, XEN_X86_FEATURE_XSAVE))
        return 0;
    if (feature_test(p, XEN_X86_FEATURE_AVX))
        states |= 4;
    if (feature_test(p, XEN_X86_FEATURE_AVX512F))
        states |= 0xe0;
    return states & fpu_xcr0_supported();
}

/* Leaves that never carry features and that a guest gets as the machine has them. */
static void copy_descriptive(struct cpu_policy *p, const struct cpu_policy *max)
{
    static const u8 basic_shown[] = {0, 1, 2},
                    extended_shown[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 0x19, 0x1a, 0x21};
    struct cpu_policy kept = *p;

    memset(p->basic, 0, sizeof(p->basic));
    memset(p->extended, 0, sizeof(p->extended));
    for (u32 i = 0; i < ARRAY_SIZE(basic_shown); i++)
        p->basic[basic_shown[i]] = kept.basic[basic_shown[i]];
    for (u32 i = 0; i < ARRAY_SIZE(extended_shown); i++)
        p->extended[extended_shown[i]] = kept.extended[extended_shown[i]];
    /* Processor and APIC ids are put in when a vCPU asks. */
    p->basic[1].b = (max->basic[1].b & 0x0000ff00) | (kept.basic[1].b & 0x00ff0000);
    p->extended[7] = (struct cpuid_leaf){0, 0, 0, kept.extended[7].d};
    p->extended[8] =
        (struct cpuid_leaf){max->extended[8].a, kept.extended[8].b, kept.extended[8].c, 0};
    p->extended[0x21] = (struct cpuid_leaf){kept.extended[0x21].a, 0, kept.extended[0x21].c, 0};
    p->feature[1].b = p->feature[1].c = p->feature[1].d = 0;
    p->feature[2] = (struct cpuid_leaf){0, 0, 0, kept.feature[2].d};
}

static void clear_beyond_max(struct cpu_policy *p)
{
    u32 basic = MIN(p->basic[0].a, BASIC_LAST), feature = MIN(p->feature[0].a, FEATURE_LAST);
    u32 extended = p->extended[0].a & 0xffff;

    if (p->extended[0].a >> 16 != 0x8000)
        extended = 0, p->extended[0].a = 0x80000000;
    extended = MIN(extended, EXTENDED_LAST);
    for (u32 i = basic + 1; i <= BASIC_LAST; i++)
        p->basic[i] = LEAF_NONE;
    for (u32 i = extended + 1; i <= EXTENDED_LAST; i++)
        p->extended[i] = LEAF_NONE;
    if (basic < 4)
        memset(p->cache, 0, sizeof(p->cache));
    if (basic < 7)
        memset(p->feature, 0, sizeof(p->feature));
    for (u32 i = feature + 1; i <= FEATURE_LAST; i++)
        p->feature[i] = LEAF_NONE;
    if (basic < 0xb)
        memset(p->topology, 0, sizeof(p->topology));
    if (basic < 0xd)
        p->xsave_features = 0;
    p->basic[0].a = basic;
    p->feature[0].a = basic < 7 ? 0 : feature;
    p->extended[0].a = 0x80000000 | extended;
}

void cpu_policy_restrict(struct cpu_policy *p, const struct cpu_policy *max)
{
    bool amd = cpu_policy_vendor(max) == VENDOR_IS_AMD;

    clear_beyond_max(p);
    copy_descriptive(p, max);
    for (u32 n = 0; n < CPU_POLICY_WORDS; n++)
        *cpu_policy_word(p, n) &= word_value(max, n);
    for (u32 i = 0; i < ARRAY_SIZE(dependencies); i++)
        if (!feature_test(p, dependencies[i].needed))
            for (const u16 *by = dependencies[i].by; *by; by++)
                feature_put(p, *by, false);
    /* The common bits of 0x80000001 mirror leaf 1 on AMD and do not exist elsewhere. */
    p->extended[1].d &= ~AMD_COMMON_BITS;
    if (amd)
        p->extended[1].d |= p->basic[1].d & AMD_COMMON_BITS;
    if (feature_test(max, XEN_X86_FEATURE_HYPERVISOR))
        feature_put(p, XEN_X86_FEATURE_HYPERVISOR, true);
    if (cpu_policy_vendor(max) != VENDOR_IS_INTEL)
        memset(p->cache, 0, sizeof(p->cache));
}

void cpu_policy_xsave_leaf(const struct cpu_policy *p, u32 subleaf, u64 xcr0,
                           struct cpuid_leaf *out)
{
    u64 states = cpu_policy_states(p);

    *out = LEAF_NONE;
    if (!states)
        return;
    if (subleaf == 0) {
        out->a = states;
        out->b = fpu_xsave_size(xcr0 ? xcr0 & states : 1);
        out->c = fpu_xsave_size(states);
        out->d = states >> 32;
    } else if (subleaf == 1) {
        out->a = p->xsave_features;
    } else if (subleaf <= STATES_LAST && (states >> subleaf & 1)) {
        out->a = host_states[subleaf].a;
        out->b = host_states[subleaf].b;
    }
}

static void gather_host(cpu_policy_reader *read)
{
    struct cpu_policy *h = &cpu_policy_host;
    struct cpuid_leaf leaf;

    memset(h, 0, sizeof(*h));
    read(0, 0, (u32 *)&h->basic[0]);
    h->basic[0].a = MIN(h->basic[0].a, BASIC_LAST);
    for (u32 i = 1; i <= h->basic[0].a; i++)
        if (i != 4 && i != 7 && i != 0xb && i != 0xd)
            read(i, 0, (u32 *)&h->basic[i]);
    /* Leaf 4 exists on Intel; its list ends with type 0. */
    for (u32 i = 0; h->basic[0].a >= 4 && i <= CACHE_LAST; i++) {
        read(4, i, (u32 *)&h->cache[i]);
        if (!(h->cache[i].a & 0x1f))
            break;
    }
    for (u32 i = 0; h->basic[0].a >= 7 && i <= FEATURE_LAST; i++) {
        read(7, i, (u32 *)&h->feature[i]);
        h->feature[0].a = MIN(h->feature[0].a, FEATURE_LAST);
        if (i == h->feature[0].a)
            break;
    }
    for (u32 i = 0; h->basic[0].a >= 0xb && i <= TOPOLOGY_LAST; i++)
        read(0xb, i, (u32 *)&h->topology[i]);
    if (h->basic[0].a >= 0xd) {
        read(0xd, 1, (u32 *)&leaf);
        h->xsave_features = leaf.a;
        for (u32 i = 2; i <= STATES_LAST; i++)
            read(0xd, i, (u32 *)&host_states[i]);
    }
    read(0x80000000, 0, (u32 *)&h->extended[0]);
    clear_beyond_max(h);
    for (u32 i = 1; i <= (h->extended[0].a & 0xffff); i++)
        read(0x80000000 | i, 0, (u32 *)&h->extended[i]);
}

/* max: of the host what `first` and `more` have; by_default: without what must be asked for. */
static void derive(const u32 *first, const u32 *more, struct cpu_policy *max,
                   struct cpu_policy *by_default)
{
    struct cpu_policy limit = cpu_policy_host;

    feature_put(&limit, XEN_X86_FEATURE_HYPERVISOR, true);
    if (more) {
        limit.basic[1].c |= HVM_EMULATED_1;
        limit.feature[0].b |= HVM_EMULATED_5;
        limit.basic[1].d |= FEATURE_BIT(MTRR);
    }
    for (u32 n = 0; n < CPU_POLICY_WORDS; n++)
        *cpu_policy_word(&limit, n) &= first[n] | (more ? more[n] : 0);
    /* Only Intel has SYSENTER in long mode. */
    if (!more && cpu_policy_vendor(&limit) != VENDOR_IS_INTEL)
        feature_put(&limit, XEN_X86_FEATURE_SEP, false);
    if ((fpu_xcr0_supported() & 7) != 7)
        feature_put(&limit, XEN_X86_FEATURE_AVX, false);
    if ((fpu_xcr0_supported() & 0xe0) != 0xe0)
        feature_put(&limit, XEN_X86_FEATURE_AVX512F, false);
    if (!fpu_xcr0_supported())
        feature_put(&limit, XEN_X86_FEATURE_XSAVE, false);

    *max = limit;
    cpu_policy_restrict(max, &limit);
    *by_default = *max;
    for (u32 n = 0; n < CPU_POLICY_WORDS; n++)
        *cpu_policy_word(by_default, n) &= ~on_request[n];
    cpu_policy_restrict(by_default, max);
}

void cpu_policy_init_from(cpu_policy_reader *read)
{
    gather_host(read);
    derive(pv_features, NULL, &cpu_policy_pv_max, &cpu_policy_pv_default);
    derive(pv_features, hvm_features, &cpu_policy_hvm_max, &cpu_policy_hvm_default);
}

/* CPUID is not privileged: the host's own instruction serves in both builds. */
static void native_reader(u32 leaf, u32 subleaf, u32 out[4])
{
    __cpuid_count(leaf, subleaf, out[0], out[1], out[2], out[3]);
}

void cpu_policy_init(void)
{
    cpu_policy_init_from(native_reader);
}

int cpu_policy_new(struct domain *d)
{
    struct cpu_policy *p = heap_alloc(sizeof(*p));

    if (!p)
        return -ENOMEM;
    *p = d->is_hvm ? cpu_policy_hvm_default : cpu_policy_pv_default;
    p->tsc.khz = clock_tsc_khz();
    p->tsc.incarnation = 0;
    d->cpu_policy = p;
    return 0;
}

u64 cpu_policy_xcr0(const struct domain *d)
{
    return d->cpu_policy ? cpu_policy_states(d->cpu_policy) : 0;
}

/* xen/arch-x86/cpuid.h describes these leaves. */
static void hypervisor_leaf(const struct vcpu *v, u32 leaf, u32 subleaf, struct cpuid_leaf *out)
{
    struct clock_scale scale;

    switch (leaf - HYPERVISOR_LEAF) {
    case 0:
        *out = (struct cpuid_leaf){HYPERVISOR_LEAF + XEN_CPUID_MAX_NUM_LEAVES,
                                   XEN_CPUID_SIGNATURE_EBX, XEN_CPUID_SIGNATURE_ECX,
                                   XEN_CPUID_SIGNATURE_EDX};
        break;
    case 1:
        out->a = HYPERVISOR_VERSION;
        break;
    case 2:
        out->a = 1; /* hypercall pages */
        out->b = MSR_HYPERCALL_BASE;
        if (!v->domain->is_hvm)
            out->c = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
        break;
    case 3:
        if (subleaf == 0) {
            out->a = (v->domain->tsc_khz != 0) |
                     feature_test(&cpu_policy_host, XEN_X86_FEATURE_ITSC) << 1 |
                     feature_test(&cpu_policy_host, XEN_X86_FEATURE_RDTSCP) << 2;
            out->b = v->domain->tsc_mode;
            out->c = v->domain->cpu_policy->tsc.khz;
            out->d = v->domain->cpu_policy->tsc.incarnation;
        } else if (subleaf == 1) {
            scale = domain_tsc_scale(v->domain); /* no offset that would be all vCPUs' */
            out->c = scale.mul;
            out->d = (u8)scale.shift;
        } else if (subleaf == 2) {
            out->a = clock_tsc_khz();
        }
        break;
    case 4:
        if (v->domain->is_hvm && subleaf == 0) {
            out->a = XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT |
                     XEN_HVM_CPUID_UPCALL_VECTOR;
            out->b = v->id;
            out->c = v->domain->id;
        }
        break;
    case 5:
        if (subleaf == 0) /* bits of the highest machine address */
            out->b = frame_table_end ? 64 - __builtin_clzl(frame_table_end) + PAGE_SHIFT : 0;
        break;
    }
}

/* What depends on who asks. */
static void adjust_for_vcpu(const struct vcpu *v, const struct cpu_policy *p, u32 leaf,
                            struct cpuid_leaf *out)
{
    bool hardware_mtrr = v->domain->is_hardware &&
                         feature_test(&cpu_policy_host, XEN_X86_FEATURE_MTRR);

    if (leaf == 1) {
        out->b = (out->b & 0x00ffffff) | (v->id * 2 & 0xff) << 24;
        /* Forced emulation answers the kernel, whose CR4 has what the hypervisor set; a
         * translated guest's own CR4 counts. */
        if (feature_test(p, XEN_X86_FEATURE_XSAVE) &&
            (!v->ops->cr4 || (v->ops->cr4(v) & CR4_OSXSAVE_BIT)))
            out->c |= FEATURE_BIT(OSXSAVE);
        if (hardware_mtrr)
            out->d |= FEATURE_BIT(MTRR);
    } else if (leaf == 0x80000001 && hardware_mtrr && cpu_policy_vendor(p) == VENDOR_IS_AMD) {
        out->d |= FEATURE_BIT(MTRR);
    } else if (leaf == 0xb && p->topology[0].b) {
        out->d = v->id * 2;
    }
}

struct cpuid_leaf *cpu_policy_leaf(struct cpu_policy *p, u32 leaf, u32 subleaf)
{
    switch (leaf) {
    case 4:
        return subleaf <= CACHE_LAST ? &p->cache[subleaf] : NULL;
    case 7:
        return subleaf <= FEATURE_LAST ? &p->feature[subleaf] : NULL;
    case 0xb:
        return subleaf <= TOPOLOGY_LAST ? &p->topology[subleaf] : NULL;
    case 0xd:
        return NULL;
    default:
        if (leaf <= BASIC_LAST)
            return &p->basic[leaf];
        leaf -= 0x80000000U;
        return leaf <= EXTENDED_LAST ? &p->extended[leaf] : NULL;
    }
}

/* Leaves beyond those that p says it has are all zero. */
static void policy_leaf(const struct cpu_policy *p, u32 leaf, u32 subleaf, struct cpuid_leaf *out)
{
    const struct cpuid_leaf *kept = cpu_policy_leaf((struct cpu_policy *)p, leaf, subleaf);

    *out = kept ? *kept : LEAF_NONE;
    /* Beyond the last level the input subleaf is echoed (SDM, CPUID leaf 0BH). */
    if (leaf == 0xb && !kept && p->basic[0].a >= 0xb)
        out->c = subleaf & 0xff;
}

void cpu_policy_cpuid(const struct vcpu *v, u32 leaf, u32 subleaf, u32 out[4])
{
    const struct cpu_policy *p = v->domain->cpu_policy;
    struct cpuid_leaf *found = (struct cpuid_leaf *)out;

    *found = LEAF_NONE;
    if (!p)
        p = &cpu_policy_pv_default;
    if (leaf == 0xd) {
        if (p->basic[0].a >= 0xd)
            cpu_policy_xsave_leaf(p, subleaf, v->fpu ? fpu_xcr0(v->fpu) : 0, found);
    } else if (leaf - HYPERVISOR_LEAF <= XEN_CPUID_MAX_NUM_LEAVES) {
        hypervisor_leaf(v, leaf, subleaf, found);
    } else {
        policy_leaf(p, leaf, subleaf, found);
        adjust_for_vcpu(v, p, leaf, found);
    }
}

void cpu_policy_host_leaf(u32 leaf, u32 subleaf, u32 out[4])
{
    policy_leaf(&cpu_policy_host, leaf, subleaf, (struct cpuid_leaf *)out);
}

static u32 bits_for(u32 count)
{
    return count > 1 ? 32 - __builtin_clz(count - 1) : 0;
}

void cpu_policy_topology(u32 *thread_bits, u32 *package_bits)
{
    const struct cpu_policy *h = &cpu_policy_host;

    *thread_bits = 0;
    *package_bits = 0;
    if (h->topology[0].b) { /* leaf 0xb: shifts to the next level */
        *thread_bits = h->topology[0].a & 0x1f;
        *package_bits = h->topology[1].b ? h->topology[1].a & 0x1f : *thread_bits;
    } else if (cpu_policy_vendor(h) == VENDOR_IS_AMD) {
        u32 id_bits = h->extended[8].c >> 12 & 0xf;
        *package_bits = id_bits ? id_bits : bits_for((h->extended[8].c & 0xff) + 1);
        if (feature_test(h, XEN_X86_FEATURE_TOPOEXT))
            *thread_bits = bits_for((h->extended[0x1e].b >> 8 & 0xff) + 1);
    } else if (feature_test(h, XEN_X86_FEATURE_HTT)) {
        *package_bits = bits_for(h->basic[1].b >> 16 & 0xff);
        *thread_bits = *package_bits - MIN(*package_bits, bits_for((h->cache[0].a >> 26) + 1));
    }
}
