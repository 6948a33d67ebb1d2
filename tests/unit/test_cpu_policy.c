/* SPDX-License-Identifier: GPL-2.0-only */
// sources: core/cpu_policy.c core/cpu_policy_exchange.c core/cpu_policy_msr.c
/*
 * CPU policies: what a PV guest sees of a known machine, the round trip that
 * the toolstack makes, hostile policies, and the feature masks against the
 * public header's own marks.
 */
#include "core/cpu_policy_private.h"
#include "core/domain.h"
#include "core/guest.h"
#include "memory/alloc.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <xen/sysctl.h>

/* What the policy code needs of the rest of the hypervisor. */
struct cpu_local host_cpu_local;
u64 frame_table_end = 0x40000;
static u64 supported_states = 7;
static const char *last_rejection;

void reject_record(const char *why, const char *file, int line, int error)
{
    (void)file, (void)line, (void)error;
    last_rejection = why;
}
void *heap_alloc(size_t size)
{
    return malloc(size);
}
void heap_free(void *p)
{
    free(p);
}
u64 fpu_xcr0(const struct fpu_state *state)
{
    (void)state;
    return 3;
}
u32 fpu_xsave_size(u64 xcr0)
{
    return xcr0 & 4 ? 0x340 : 0x240;
}
u64 fpu_xcr0_supported(void)
{
    return supported_states;
}
ns_t clock_now(void)
{
    return 5 * NS_SECOND;
}
u32 clock_tsc_khz(void)
{
    return 2000000;
}
const struct clock_scale *clock_scale(void)
{
    static const struct clock_scale scale = {0, 0, 0x80000000, 0};
    return &scale;
}

/* The emulated AMD machine of the inventory: leaf, subleaf, then eax to edx. */
static const struct {
    u32 leaf, subleaf, out[4];
} machine[] = {
    {0x0, 0, {0x10, 0x68747541, 0x444d4163, 0x69746e65}},
    {0x1, 0, {0x663, 0x00020800, 0xfffaf3ff, 0xbfebfbff}},
    {0x7, 0, {1, 0xffffffff, 0xffffffff, 0xffffffff}},
    {0x7, 1, {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
    {0xd, 0, {7, 0x340, 0x340, 0}},
    {0xd, 1, {0xf, 0, 0, 0}},
    {0xd, 2, {0x100, 0x240, 0, 0}},
    {0x80000000, 0, {0x8000000a, 0x68747541, 0x444d4163, 0x69746e65}},
    {0x80000001, 0, {0x663, 0, 0xffffffff, 0xffffffff}},
    {0x80000002, 0, {0x554d4551, 0, 0, 0}},
    {0x80000007, 0, {0xff, 0xff, 0xff, 0x100}},
    {0x80000008, 0, {0x3028, 0xffffffff, 0x1001, 0xff}},
    {0x8000000a, 0, {1, 2, 3, 4}},
};

static void machine_reader(u32 leaf, u32 subleaf, u32 out[4])
{
    memset(out, 0, 4 * sizeof(out[0]));
    for (size_t i = 0; i < ARRAY_SIZE(machine); i++)
        if (machine[i].leaf == leaf && machine[i].subleaf == subleaf)
            memcpy(out, machine[i].out, sizeof(machine[i].out));
}

static void wild_reader(u32 leaf, u32 subleaf, u32 out[4])
{
    (void)subleaf;
    memset(out, 0xff, 4 * sizeof(out[0]));
    if (leaf == 0x80000000)
        out[0] = 0x8000ffff;
}

static struct domain domain;
static u64 guest_cr4;
static u64 read_cr4(const struct vcpu *v)
{
    (void)v;
    return guest_cr4;
}
static const struct guest_ops pv_ops = {.name = "PV"}, hvm_ops = {.name = "HVM", .cr4 = read_cr4};
static struct vcpu vcpu = {.domain = &domain, .id = 1, .ops = &pv_ops};

static int setup(void **state)
{
    (void)state;
    supported_states = 7;
    cpu_policy_init_from(machine_reader);
    memset(&domain, 0, sizeof(domain));
    return cpu_policy_new(&domain);
}

static int teardown(void **state)
{
    (void)state;
    heap_free(domain.cpu_policy);
    return 0;
}

static void guest_view(void **state)
{
    u32 out[4];
    (void)state;

    cpu_policy_cpuid(&vcpu, 0, 0, out);
    assert_int_equal(out[0], 0xd);
    cpu_policy_cpuid(&vcpu, 1, 0, out);
    assert_int_equal(out[1], 0x02020800);            /* APIC id twice the vCPU's number */
    assert_int_equal(out[2] & (1u << 31), 1u << 31); /* a hypervisor is there */
    assert_int_equal(out[2] & (1 << 5), 0);          /* no VMX */
    assert_int_equal(out[2] & (1 << 17), 0);         /* no PCID */
    assert_int_equal(out[2] & (1 << 27), 1 << 27);   /* OSXSAVE */
    assert_int_equal(out[3], 0x1fc9c3f5);            /* as stock gives a PV guest */
    cpu_policy_cpuid(&vcpu, 7, 0, out);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1] & (1 << 7 | 1 << 20 | 1 << 16), 0); /* SMEP, SMAP, AVX512F */
    assert_int_equal(out[1] & 1, 1);                            /* FSGSBASE */
    assert_int_equal(out[2] & (1 << 2 | 1 << 3), 0);            /* UMIP, PKU */
    assert_int_equal(out[3] & (1u << 26 | 1u << 29), 0);        /* IBRS, ARCH_CAPS */
    cpu_policy_cpuid(&vcpu, 0x80000001, 0, out);
    assert_int_equal(out[3] & 0x0183f3ff, 0x1fc9c3f5 & 0x0183f3ff);
    assert_int_equal(out[2] & (1 << 2), 0); /* SVM */
    cpu_policy_cpuid(&vcpu, 0x80000008, 0, out);
    assert_int_equal(out[0], 0x3028);
    assert_int_equal(out[2], 0x1001);
    cpu_policy_cpuid(&vcpu, 0x8000000a, 0, out);
    assert_int_equal(out[0] | out[1] | out[2] | out[3], 0);
    cpu_policy_cpuid(&vcpu, 0xd, 0, out);
    assert_int_equal(out[0], 7);
    assert_int_equal(out[1], 0x240);
    assert_int_equal(out[2], 0x340);
    cpu_policy_cpuid(&vcpu, 0xd, 1, out);
    assert_int_equal(out[0], 7); /* no XSAVES */
    cpu_policy_cpuid(&vcpu, 0xd, 2, out);
    assert_int_equal(out[1], 0x240);
    domain.is_hardware = true; /* dom0 learns that there are MTRRs */
    cpu_policy_cpuid(&vcpu, 1, 0, out);
    assert_int_equal(out[3], 0x1fc9d3f5);
}

/* A translated guest's processor is its own: its CR4 counts, the APIC is ours. */
static void translated_view(void **state)
{
    u32 out[4];
    (void)state;

    heap_free(domain.cpu_policy);
    domain.is_hvm = true;
    domain.id = 9;
    assert_int_equal(cpu_policy_new(&domain), 0);
    vcpu.ops = &hvm_ops;
    guest_cr4 = 0;
    cpu_policy_cpuid(&vcpu, 1, 0, out);
    assert_int_equal(out[2] & 1U << 27, 0);
    assert_int_equal(out[2] & (1 << 21 | 1 << 24 | 1 << 17), 1 << 21 | 1 << 24 | 1 << 17);
    assert_int_equal(out[2] & 1 << 5, 0);
    guest_cr4 = 1 << 18;
    cpu_policy_cpuid(&vcpu, 1, 0, out);
    assert_int_equal(out[2] & 1U << 27, 1U << 27);
    cpu_policy_cpuid(&vcpu, 7, 0, out);
    assert_int_equal(out[1] & (1 << 7 | 1 << 20), 1 << 7 | 1 << 20); /* SMEP, SMAP */
    assert_int_equal(out[1] & 1 << 1, 1 << 1);                       /* TSC_ADJUST */
    cpu_policy_cpuid(&vcpu, 0x80000001, 0, out);
    assert_int_equal(out[2] & 1 << 2, 0); /* SVM */
    cpu_policy_cpuid(&vcpu, 0x40000004, 0, out);
    assert_int_equal(out[0] & 1 << 3, 1 << 3);
    assert_int_equal(out[1], 1);
    assert_int_equal(out[2], 9);
    cpu_policy_cpuid(&vcpu, 0x40000004, 1, out);
    assert_int_equal(out[0] | out[1] | out[2] | out[3], 0);
    vcpu.ops = &pv_ops;
}

static void hypervisor_leaves(void **state)
{
    u32 out[4];
    (void)state;

    cpu_policy_cpuid(&vcpu, 0x40000000, 0, out);
    assert_int_equal(out[0], 0x40000005);
    assert_memory_equal(&out[1], "XenVMMXenVMM", 12);
    cpu_policy_cpuid(&vcpu, 0x40000001, 0, out);
    assert_int_equal(out[0], 0x00040011);
    cpu_policy_cpuid(&vcpu, 0x40000002, 0, out);
    assert_int_equal(out[1], 0x40000000);
    cpu_policy_cpuid(&vcpu, 0x40000005, 0, out);
    assert_int_equal(out[1], 31);
    for (u32 leaf = 0x40000100; leaf < 0x40010000; leaf += 0x100) {
        cpu_policy_cpuid(&vcpu, leaf, 0, out);
        assert_int_equal(out[0] | out[1] | out[2] | out[3], 0);
    }
}

/* Read the default, change nothing or little, set it, read it back. */
static void round_trip(void **state)
{
    struct xen_cpuid_leaf leaves[CPU_POLICY_MAX_LEAVES], again[CPU_POLICY_MAX_LEAVES];
    struct xen_msr_entry msrs[CPU_POLICY_MAX_MSRS];
    u32 nr = CPU_POLICY_MAX_LEAVES, nr_msrs = CPU_POLICY_MAX_MSRS, bad[3];
    u32 nr_again = CPU_POLICY_MAX_LEAVES, out[4];
    (void)state;

    assert_int_equal(
        cpu_policy_system(XEN_SYSCTL_cpu_policy_pv_default, leaves, &nr, msrs, &nr_msrs), 0);
    assert_int_equal(cpu_policy_set(&domain, leaves, nr, msrs, nr_msrs, &bad[0], &bad[1], &bad[2]),
                     0);
    assert_int_equal(cpu_policy_get(&domain, again, &nr_again, msrs, &nr_msrs), 0);
    assert_int_equal(nr, nr_again);
    assert_memory_equal(leaves, again, nr * sizeof(leaves[0]));

    /* Without AVX its dependants go too; what was never there does not come. */
    for (u32 i = 0; i < nr; i++) {
        if (leaves[i].leaf == 1)
            leaves[i].c = (leaves[i].c & ~(1u << 28)) | 1 << 5;
        if (leaves[i].leaf == 7 && leaves[i].subleaf == 0)
            leaves[i].b |= 1 << 7;
    }
    assert_int_equal(cpu_policy_set(&domain, leaves, nr, NULL, 0, &bad[0], &bad[1], &bad[2]), 0);
    cpu_policy_cpuid(&vcpu, 1, 0, out);
    assert_int_equal(out[2] & (1 << 28 | 1 << 12 | 1 << 29 | 1 << 5), 0);
    cpu_policy_cpuid(&vcpu, 7, 0, out);
    assert_int_equal(out[1] & (1 << 5 | 1 << 7), 0);
    assert_int_equal(cpu_policy_xcr0(&domain), 3);
    cpu_policy_cpuid(&vcpu, 0xd, 2, out);
    assert_int_equal(out[0], 0);
}

static void refusals(void **state)
{
    struct xen_cpuid_leaf leaf = {0xe, XEN_CPUID_NO_SUBLEAF, 0, 0, 0, 0};
    struct xen_msr_entry msr = {0xce, 0, 1};
    u32 nr = 1, nr_msrs = 0, bad[3], out[4];
    (void)state;

    assert_int_equal(cpu_policy_set(&domain, &leaf, 1, NULL, 0, &bad[0], &bad[1], &bad[2]),
                     -ERANGE);
    assert_int_equal(bad[0], 0xe);
    leaf = (struct xen_cpuid_leaf){7, 3, 0, 0, 0, 0};
    assert_int_equal(cpu_policy_set(&domain, &leaf, 1, NULL, 0, &bad[0], &bad[1], &bad[2]),
                     -ERANGE);
    assert_int_equal(bad[1], 3);
    leaf = (struct xen_cpuid_leaf){0, XEN_CPUID_NO_SUBLEAF, 0xffffffff, 0, 0, 0};
    assert_int_equal(cpu_policy_set(&domain, &leaf, 1, NULL, 0, &bad[0], &bad[1], &bad[2]),
                     -EINVAL);
    assert_int_equal(bad[0], 0);
    leaf = (struct xen_cpuid_leaf){0x80000000, XEN_CPUID_NO_SUBLEAF, 0xffffffff, 0, 0, 0};
    assert_int_equal(cpu_policy_set(&domain, &leaf, 1, NULL, 0, &bad[0], &bad[1], &bad[2]),
                     -EINVAL);
    assert_int_equal(bad[0], 0x80000000);
    assert_int_equal(cpu_policy_set(&domain, NULL, 0, &msr, 1, &bad[0], &bad[1], &bad[2]), -EINVAL);
    assert_int_equal(bad[2], 0xce);
    msr = (struct xen_msr_entry){0x48, 0, 0};
    assert_int_equal(cpu_policy_set(&domain, NULL, 0, &msr, 1, &bad[0], &bad[1], &bad[2]), -ERANGE);
    /* Nothing of all that has changed anything. */
    cpu_policy_cpuid(&vcpu, 0, 0, out);
    assert_int_equal(out[0], 0xd);

    assert_int_equal(cpu_policy_get(&domain, &leaf, &nr, &msr, &nr_msrs), -ENOBUFS);
    assert_in_range(nr, 2, CPU_POLICY_MAX_LEAVES);
    nr = 1;
    assert_int_equal(cpu_policy_system(XEN_SYSCTL_cpu_policy_hvm_max, &leaf, &nr, &msr, &nr_msrs),
                     -ENOBUFS);
    nr = 1;
    assert_int_equal(cpu_policy_system(6, &leaf, &nr, &msr, &nr_msrs), -EINVAL);
}

static u32 tsc_changes;
static void tsc_changed(struct domain *d)
{
    assert_ptr_equal(d, &domain);
    tsc_changes++;
}

/* When a TSC is emulated, at which rate, and what tools read of it afterwards. */
static void tsc_modes(void **state)
{
    static const struct guest_ops ops = {
        .name = "HVM", .cr4 = read_cr4, .tsc_changed = tsc_changed};
    static const struct {
        bool hvm;
        u32 mode, khz, emulated, read;
    } cases[] = {
        {true, TSC_DEFAULT, 0, 0, 2000000},
        {true, TSC_DEFAULT, 2000400, 0, 2000000},
        {true, TSC_DEFAULT, 1999600, 0, 2000000},
        {true, TSC_DEFAULT, 2000500, 2000500, 2000500},
        {true, TSC_DEFAULT, 1, 1, 1},
        {true, TSC_ALWAYS_EMULATED, 0, 2000000, 2000000},
        {true, TSC_ALWAYS_EMULATED, 3000000, 3000000, 3000000},
        {true, TSC_NEVER_EMULATED, 3000000, 0, 0},
        {false, TSC_ALWAYS_EMULATED, 3000000, 0, 2000000},
    };
    struct cpu_policy_tsc tsc;
    u32 out[4];
    (void)state;

    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        domain.is_hvm = cases[i].hvm;
        domain.ops = cases[i].hvm ? &ops : &pv_ops;
        tsc_changes = 0;
        cpu_policy_tsc_set(&domain, &(struct cpu_policy_tsc){cases[i].mode, cases[i].khz, 7, 900});
        assert_int_equal(tsc_changes, cases[i].hvm);
        assert_int_equal(domain.tsc_khz, cases[i].emulated);
        cpu_policy_tsc_get(&domain, &tsc);
        assert_int_equal(tsc.mode, cases[i].mode);
        assert_int_equal(tsc.khz, cases[i].read);
        assert_int_equal(tsc.incarnation, 8);
        assert_int_equal(tsc.elapsed_ns, cases[i].read ? 900 : 0);
        cpu_policy_cpuid(&vcpu, 0x40000003, 0, out);
        assert_int_equal(out[0] & 1, cases[i].emulated != 0);
        assert_int_equal(out[1], cases[i].mode);
        assert_int_equal(out[2], cases[i].emulated ? cases[i].emulated : 2000000);
        cpu_policy_cpuid(&vcpu, 0x40000003, 1, out);
        assert_int_equal(out[2], cases[i].emulated == 3000000   ? 0xaaaaaaaa
                                 : cases[i].emulated == 1       ? 0xf4240000
                                 : cases[i].emulated == 2000500 ? 0xffef9ebe
                                                                : 0x80000000);
    }
    domain.is_hvm = false;
    domain.ops = NULL;
}

/* Random policies: whatever is accepted stays within the maximum. */
static void hostile_policies(void **state)
{
    struct xen_cpuid_leaf leaves[CPU_POLICY_MAX_LEAVES];
    struct xen_msr_entry msrs[CPU_POLICY_MAX_MSRS];
    (void)state;

    srand(1);
    for (u32 round = 0; round < 2000; round++) {
        u32 nr = CPU_POLICY_MAX_LEAVES, nr_msrs = CPU_POLICY_MAX_MSRS, bad[3], out[4];
        assert_int_equal(
            cpu_policy_system(XEN_SYSCTL_cpu_policy_pv_max, leaves, &nr, msrs, &nr_msrs), 0);
        for (u32 i = 0; i < nr; i++) {
            u32 *field = &leaves[rand() % nr].leaf + rand() % 6;
            *field = rand() % 2 ? (u32)rand() << (rand() % 8) : *field ^ 1u << rand() % 32;
        }
        cpu_policy_set(&domain, leaves, nr, NULL, 0, &bad[0], &bad[1], &bad[2]);
        for (u32 n = 0; n < CPU_POLICY_WORDS; n++) {
            u32 *have = cpu_policy_word(domain.cpu_policy, n);
            u32 *most = cpu_policy_word(&cpu_policy_pv_max, n);
            if (have)
                assert_int_equal(*have & ~*most, 0);
        }
        for (u32 leaf = 0; leaf < 0x20; leaf++)
            for (u32 subleaf = 0; subleaf < 70; subleaf++)
                cpu_policy_cpuid(&vcpu, leaf, subleaf, out);
        nr = CPU_POLICY_MAX_LEAVES;
        assert_int_equal(cpu_policy_get(&domain, leaves, &nr, msrs, &nr_msrs), 0);
    }
}

static void wild_machine(void **state)
{
    u32 out[4], nr = CPU_POLICY_MAX_LEAVES, nr_msrs = CPU_POLICY_MAX_MSRS, threads, packages;
    struct xen_cpuid_leaf leaves[CPU_POLICY_MAX_LEAVES];
    struct xen_msr_entry msrs[CPU_POLICY_MAX_MSRS];
    (void)state;

    supported_states = 0xe7;
    cpu_policy_init_from(wild_reader);
    for (u32 leaf = 0; leaf < 0x40; leaf++)
        cpu_policy_cpuid(&vcpu, leaf * 0x8000000, ~0u, out);
    assert_int_equal(cpu_policy_system(XEN_SYSCTL_cpu_policy_host, leaves, &nr, msrs, &nr_msrs), 0);
    cpu_policy_topology(&threads, &packages);
    assert_true(threads < 32 && packages < 32);
}

/* The masks in cpu_policy.c are what the header marks A (all guests) or a (on request). */
static void masks_match_header(void **state)
{
    static const struct {
        u32 word, bits;
    } without[] = {/* features whose MSRs we do not give */
                   {3, 1u << 26},
                   {8, 1u << 12 | 1u << 30},
                   {9, 1u << 26 | 1u << 27 | 1u << 31 | 1u << 29},
                   {11, 3u << 27},
                   {13, 1},
                   {16, ~0u},
                   {17, ~0u}};
    u32 words[CPU_POLICY_WORDS] = {0};
    FILE *header = fopen("/usr/include/xen/arch-x86/cpufeatureset.h", "r");
    char line[256], name[64], mark[16];
    u32 word, bit;
    (void)state;

    if (!header)
        skip();
    while (fgets(line, sizeof(line), header))
        if (sscanf(line, "XEN_CPUFEATURE(%63[A-Z0-9_a-z], %u*32+ %u) /*%15[!AaSsHh]", name, &word,
                   &bit, mark) == 4 &&
            (strchr(mark, 'A') || strchr(mark, 'a')))
            words[word + bit / 32] |= 1u << bit % 32;
    fclose(header);
    for (size_t i = 0; i < ARRAY_SIZE(without); i++)
        words[without[i].word] &= ~without[i].bits;
    supported_states = 0xe7;
    cpu_policy_init_from(wild_reader);
    for (u32 n = 0; n < CPU_POLICY_WORDS; n++) {
        u32 *have = cpu_policy_word(&cpu_policy_pv_max, n);
        /* Only Intel keeps SEP. */
        u32 expected = words[n];
        if (n == 0)
            expected &= ~(1u << 11);
        if (have)
            assert_int_equal(*have, expected);
    }
}

static void msrs(void **state)
{
    u64 value;
    (void)state;

    vcpu.id = 0;
    assert_true(cpu_policy_rdmsr(&vcpu, 0x1b, &value));
    assert_int_equal(value, 0xfee00900);
    vcpu.id = 1;
    assert_true(cpu_policy_rdmsr(&vcpu, 0x1b, &value));
    assert_int_equal(value, 0xfee00800);
    assert_true(cpu_policy_rdmsr(&vcpu, 0x179, &value));
    assert_int_equal(value, 2);
    assert_true(cpu_policy_rdmsr(&vcpu, 0x277, &value));
    assert_int_equal(value, 0x50100070406);
    assert_true(cpu_policy_rdmsr(&vcpu, 0x404, &value));
    assert_true(value == ~0UL);
    assert_true(cpu_policy_rdmsr(&vcpu, 0x407, &value));
    assert_int_equal(value, 0);
    assert_false(cpu_policy_rdmsr(&vcpu, 0x408, &value));
    assert_true(cpu_policy_rdmsr(&vcpu, 0xc0011029, &value));
    assert_int_equal(value, 2);
    assert_true(cpu_policy_rdmsr(&vcpu, 0xc0010007, &value));
    assert_int_equal(value, 0);
    assert_true(cpu_policy_wrmsr(&vcpu, 0xc0010007, 0xffff));
    assert_true(cpu_policy_wrmsr(&vcpu, 0x400, 0));
    assert_true(cpu_policy_wrmsr(&vcpu, 0x404, ~0UL));
    assert_true(cpu_policy_wrmsr(&vcpu, 0x401, 0));
    assert_false(cpu_policy_wrmsr(&vcpu, 0x401, 1));
    assert_false(cpu_policy_wrmsr(&vcpu, 0xc0000082, 0));
    assert_false(cpu_policy_wrmsr(&vcpu, 0x277, 0));
    assert_false(cpu_policy_rdmsr(&vcpu, 0xc0000082, &value));
    assert_false(cpu_policy_rdmsr(&vcpu, 0x1234, &value));
}

static void feature_words(void **state)
{
    u32 words[CPU_POLICY_WORDS + 1];
    (void)state;

    assert_int_equal(
        cpu_policy_featureset(XEN_SYSCTL_cpu_featureset_host, words, CPU_POLICY_WORDS + 1),
        CPU_POLICY_WORDS);
    assert_int_equal(words[1], 0xfffaf3ff);
    assert_int_equal(cpu_policy_featureset(XEN_SYSCTL_cpu_featureset_pv_max, words, 3), 3);
    assert_int_equal(words[0], 0x1fc9c3f5);
    assert_int_equal(cpu_policy_featureset(XEN_SYSCTL_cpu_featureset_hvm, words, 3), 3);
    assert_int_equal(words[0], 0x1fcbfbff); /* VME, PSE, MTRR, PGE, PSE36 besides */
    assert_int_equal(cpu_policy_featureset(99, words, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(guest_view, setup, teardown),
        cmocka_unit_test_setup_teardown(translated_view, setup, teardown),
        cmocka_unit_test_setup_teardown(hypervisor_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(tsc_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_policies, setup, teardown),
        cmocka_unit_test_setup_teardown(wild_machine, setup, teardown),
        cmocka_unit_test_setup_teardown(masks_match_header, setup, teardown),
        cmocka_unit_test_setup_teardown(msrs, setup, teardown),
        cmocka_unit_test_setup_teardown(feature_words, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
