/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Policies in the form that tools exchange: arrays of CPUID leaves and MSRs
 * (XEN_SYSCTL_get_cpu_policy, XEN_DOMCTL_get/set_cpu_policy), feature words,
 * and what the toolstack says of a domain's TSC.
 */
#include "core/cpu_policy_private.h"
#include "core/guest.h"

#include <xen/sysctl.h>

#define MSR_PLATFORM_INFO     0xceU
#define MSR_ARCH_CAPABILITIES 0x10aU

/* Appends leaves while there is room, and counts on when there is none. */
struct writer {
    struct xen_cpuid_leaf *leaves;
    u32 room, count;
};

static void put(struct writer *w, u32 leaf, u32 subleaf, const struct cpuid_leaf *value)
{
    if (w->count < w->room)
        w->leaves[w->count] =
            (struct xen_cpuid_leaf){leaf, subleaf, value->a, value->b, value->c, value->d};
    w->count++;
}

static void put_list(struct writer *w, u32 leaf, const struct cpuid_leaf *list, u32 last)
{
    for (u32 i = 0; i <= last; i++)
        put(w, leaf, i, &list[i]);
}

static void put_policy(struct writer *w, const struct cpu_policy *p)
{
    static const struct cpuid_leaf none;
    u64 states = cpu_policy_states(p);
    struct cpuid_leaf leaf;

    for (u32 i = 0; i <= p->basic[0].a; i++) {
        if (i == 4) {
            put_list(w, i, p->cache, CACHE_LAST);
        } else if (i == 7) {
            put_list(w, i, p->feature, p->feature[0].a);
        } else if (i == 0xb) {
            put_list(w, i, p->topology, TOPOLOGY_LAST);
        } else if (i == 0xd) {
            for (u32 n = 0; n <= STATES_LAST; n++) {
                if (n > 1 && !(states >> n & 1))
                    continue;
                cpu_policy_xsave_leaf(p, n, 1, &leaf);
                put(w, i, n, &leaf);
            }
        } else {
            put(w, i, XEN_CPUID_NO_SUBLEAF, &p->basic[i]);
        }
    }
    /* How many leaves of ours the domain sees cannot be changed: 0 means the usual. */
    put(w, 0x40000000, XEN_CPUID_NO_SUBLEAF, &none);
    put(w, 0x40000100, XEN_CPUID_NO_SUBLEAF, &none);
    for (u32 i = 0; i <= (p->extended[0].a & 0xffff); i++)
        put(w, 0x80000000 | i, XEN_CPUID_NO_SUBLEAF, &p->extended[i]);
}

static int give(const struct cpu_policy *p, struct xen_cpuid_leaf *leaves, u32 *nr_leaves,
                struct xen_msr_entry *msrs, u32 *nr_msrs)
{
    struct writer w = {leaves, *nr_leaves, 0};
    u32 msr_room = *nr_msrs;

    put_policy(&w, p);
    *nr_leaves = w.count;
    *nr_msrs = CPU_POLICY_MAX_MSRS;
    if (w.count > w.room || msr_room < CPU_POLICY_MAX_MSRS)
        return reject(-ENOBUFS, "policy array too small");
    /* Neither CPUID faulting nor ARCH_CAPABILITIES is offered. */
    msrs[0] = (struct xen_msr_entry){MSR_PLATFORM_INFO, 0, 0};
    msrs[1] = (struct xen_msr_entry){MSR_ARCH_CAPABILITIES, 0, 0};
    return 0;
}

static const struct cpu_policy *system_policy(u32 index)
{
    static const struct cpu_policy *const policies[] = {
        [XEN_SYSCTL_cpu_policy_raw] = &cpu_policy_host,
        [XEN_SYSCTL_cpu_policy_host] = &cpu_policy_host,
        [XEN_SYSCTL_cpu_policy_pv_max] = &cpu_policy_pv_max,
        [XEN_SYSCTL_cpu_policy_pv_default] = &cpu_policy_pv_default,
        [XEN_SYSCTL_cpu_policy_hvm_max] = &cpu_policy_hvm_max,
        [XEN_SYSCTL_cpu_policy_hvm_default] = &cpu_policy_hvm_default,
    };
    return index < ARRAY_SIZE(policies) ? policies[index] : NULL;
}

int cpu_policy_system(u32 index, struct xen_cpuid_leaf *leaves, u32 *nr_leaves,
                      struct xen_msr_entry *msrs, u32 *nr_msrs)
{
    const struct cpu_policy *p = system_policy(index);

    if (!p)
        return reject(-EINVAL, "no such policy index");
    return give(p, leaves, nr_leaves, msrs, nr_msrs);
}

int cpu_policy_get(struct domain *d, struct xen_cpuid_leaf *leaves, u32 *nr_leaves,
                   struct xen_msr_entry *msrs, u32 *nr_msrs)
{
    return give(d->cpu_policy, leaves, nr_leaves, msrs, nr_msrs);
}

/* Puts one leaf where it belongs. False: no policy has it. */
static bool take_leaf(struct cpu_policy *p, const struct xen_cpuid_leaf *l)
{
    struct cpuid_leaf *to = cpu_policy_leaf(p, l->leaf, l->subleaf);
    bool list = l->leaf == 4 || l->leaf == 7 || l->leaf == 0xb;

    if (l->leaf == 0xd) {
        if (l->subleaf == 1)
            p->xsave_features = l->a;
        return l->subleaf < 63; /* the sizes follow from the features */
    }
    if (!list && l->subleaf != XEN_CPUID_NO_SUBLEAF)
        return false;
    if (to)
        *to = (struct cpuid_leaf){l->a, l->b, l->c, l->d};
    return to || l->leaf == 0x40000000 || l->leaf == 0x40000100;
}

/* The leaf that says more leaves than the maximum has; ~0: none. */
static u32 excessive_leaf(const struct cpu_policy *p, const struct cpu_policy *max, u32 *subleaf)
{
    *subleaf = XEN_CPUID_NO_SUBLEAF;
    if (p->basic[0].a > max->basic[0].a)
        return 0;
    if (p->extended[0].a > max->extended[0].a)
        return 0x80000000;
    if (p->feature[0].a > max->feature[0].a) {
        *subleaf = 0;
        return 7;
    }
    return ~0U;
}

static int take_msrs(const struct xen_msr_entry *msrs, u32 nr, u32 *bad)
{
    for (u32 i = 0; i < nr; i++) {
        *bad = msrs[i].idx;
        if (msrs[i].flags)
            return reject(-EINVAL, "MSR entry with flags");
        if (msrs[i].idx != MSR_PLATFORM_INFO && msrs[i].idx != MSR_ARCH_CAPABILITIES)
            return reject(-ERANGE, "MSR that no policy has");
        if (msrs[i].val)
            return reject(-EINVAL, "MSR bits that are not offered");
    }
    *bad = ~0U;
    return 0;
}

int cpu_policy_set(struct domain *d, const struct xen_cpuid_leaf *leaves, u32 nr_leaves,
                   const struct xen_msr_entry *msrs, u32 nr_msrs, u32 *bad_leaf, u32 *bad_subleaf,
                   u32 *bad_msr)
{
    const struct cpu_policy *max = d->is_hvm ? &cpu_policy_hvm_max : &cpu_policy_pv_max;
    struct cpu_policy wanted = *d->cpu_policy;

    *bad_leaf = *bad_subleaf = *bad_msr = ~0U;
    for (u32 i = 0; i < nr_leaves; i++) {
        if (take_leaf(&wanted, &leaves[i]))
            continue;
        *bad_leaf = leaves[i].leaf;
        *bad_subleaf = leaves[i].subleaf;
        return reject(-ERANGE, "CPUID leaf that no policy has");
    }
    TRY(take_msrs(msrs, nr_msrs, bad_msr));
    *bad_leaf = excessive_leaf(&wanted, max, bad_subleaf);
    if (*bad_leaf != ~0U)
        return reject(-EINVAL, "policy has more leaves than the machine");
    cpu_policy_restrict(&wanted, max);
    *d->cpu_policy = wanted;
    return 0;
}

u32 cpu_policy_featureset(u32 index, u32 *words, u32 max_words)
{
    /* Sets are numbered otherwise than policies. */
    static const u8 policy_of[] = {
        [XEN_SYSCTL_cpu_featureset_raw] = XEN_SYSCTL_cpu_policy_raw,
        [XEN_SYSCTL_cpu_featureset_host] = XEN_SYSCTL_cpu_policy_host,
        [XEN_SYSCTL_cpu_featureset_pv] = XEN_SYSCTL_cpu_policy_pv_default,
        [XEN_SYSCTL_cpu_featureset_hvm] = XEN_SYSCTL_cpu_policy_hvm_default,
        [XEN_SYSCTL_cpu_featureset_pv_max] = XEN_SYSCTL_cpu_policy_pv_max,
        [XEN_SYSCTL_cpu_featureset_hvm_max] = XEN_SYSCTL_cpu_policy_hvm_max,
    };
    const struct cpu_policy *p = index < ARRAY_SIZE(policy_of) ? system_policy(policy_of[index])
                                                               : NULL;
    u32 n;

    if (!p)
        return 0;
    for (n = 0; n < MIN(max_words, CPU_POLICY_WORDS + 0U); n++)
        words[n] = *cpu_policy_word((struct cpu_policy *)p, n);
    return n;
}

void cpu_policy_tsc_get(const struct domain *d, struct cpu_policy_tsc *tsc)
{
    *tsc = d->cpu_policy->tsc;
    tsc->mode = d->tsc_mode;
    tsc->elapsed_ns += (u64)clock_now();
    if (tsc->mode == TSC_NEVER_EMULATED)
        tsc->khz = 0, tsc->elapsed_ns = 0;
}

void cpu_policy_tsc_set(struct domain *d, const struct cpu_policy_tsc *tsc)
{
    u32 host = clock_tsc_khz(), khz = tsc->khz ? tsc->khz : host;
    /* By default where its last host ran at another rate, by more than guests correct anyhow. */
    bool differs = MAX(khz, host) - MIN(khz, host) > host >> 12;

    d->tsc_mode = tsc->mode;
    d->tsc_khz = 0;
    if (d->is_hvm && (tsc->mode == TSC_ALWAYS_EMULATED || (tsc->mode == TSC_DEFAULT && differs)))
        d->tsc_khz = khz;
    d->cpu_policy->tsc = (struct cpu_policy_tsc){.khz = d->tsc_khz ? khz : host,
                                                 .incarnation = tsc->incarnation + 1,
                                                 .elapsed_ns = tsc->elapsed_ns - (u64)clock_now()};
    if (d->ops->tsc_changed)
        d->ops->tsc_changed(d);
}
