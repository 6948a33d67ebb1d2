/* SPDX-License-Identifier: GPL-2.0-only */
/* What core/cpu_policy*.c share: the shape of a policy. */
#pragma once

#include "core/cpu_policy.h"

/* Highest leaves that a policy keeps. */
#define BASIC_LAST    0xdU
#define CACHE_LAST    5U
#define FEATURE_LAST  2U
#define TOPOLOGY_LAST 1U
#define EXTENDED_LAST 0x21U
#define STATES_LAST   9U /* XSAVE components: leaf 0xd subleaves 2..9 */

struct cpuid_leaf {
    u32 a, b, c, d;
};

struct cpu_policy {
    /* basic[4], [7], [0xb], [0xd] are not used: the arrays below hold these leaves. */
    struct cpuid_leaf basic[BASIC_LAST + 1];
    struct cpuid_leaf cache[CACHE_LAST + 1];
    struct cpuid_leaf feature[FEATURE_LAST + 1];
    struct cpuid_leaf topology[TOPOLOGY_LAST + 1];
    u32 xsave_features;                            /* leaf 0xd.1 eax */
    u32 hidden;                                    /* 0: feature words that we do not give */
    struct cpuid_leaf extended[EXTENDED_LAST + 1]; /* 0x80000000 and up */
    struct cpu_policy_tsc tsc;
};

enum { VENDOR_IS_AMD, VENDOR_IS_INTEL, VENDOR_IS_OTHER };
int cpu_policy_vendor(const struct cpu_policy *p);

extern struct cpu_policy cpu_policy_host, cpu_policy_pv_max, cpu_policy_pv_default,
    cpu_policy_hvm_max, cpu_policy_hvm_default;

/* Word `n` of the feature set. */
u32 *cpu_policy_word(struct cpu_policy *p, u32 n);
/* Where p keeps a leaf; NULL: nowhere (0xd is made up). */
struct cpuid_leaf *cpu_policy_leaf(struct cpu_policy *p, u32 leaf, u32 subleaf);
/* Takes out of p what max lacks and what depends on it; sets what is always so. */
void cpu_policy_restrict(struct cpu_policy *p, const struct cpu_policy *max);
/* XCR0 bits that p's features allow. */
u64 cpu_policy_states(const struct cpu_policy *p);
/* Leaf 0xd in full, from p's features and the current XCR0. */
void cpu_policy_xsave_leaf(const struct cpu_policy *p, u32 subleaf, u64 xcr0,
                           struct cpuid_leaf *out);
