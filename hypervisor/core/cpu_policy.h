/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What processor a domain sees: CPUID leaves and feature MSRs. The host's
 * policy is what the machine and we can give; each domain has its own copy,
 * cut down by the toolstack (XEN_DOMCTL_set_cpu_policy).
 */
#pragma once

#include "lib/types.h"
#include "lib/xen.h"

struct domain;
struct vcpu;
struct cpu_policy;

void cpu_policy_init(void);                        /* boot: host, PV max and default policies */
int cpu_policy_new(struct domain *d);              /* default for its kind */
void cpu_policy_free(struct domain *d);
/* A guest's CPUID instruction. out: eax, ebx, ecx, edx. */
void cpu_policy_cpuid(const struct vcpu *v, u32 leaf, u32 subleaf, u32 out[4]);
/* XEN_SYSCTL_get_cpu_policy / XEN_DOMCTL_get/set_cpu_policy: kernel arrays. index: XEN_SYSCTL_cpu_policy_*. */
struct xen_cpuid_leaf;
struct xen_msr_entry;
int cpu_policy_system(u32 index, struct xen_cpuid_leaf *leaves, u32 *nr_leaves, struct xen_msr_entry *msrs,
                      u32 *nr_msrs);
int cpu_policy_get(struct domain *d, struct xen_cpuid_leaf *leaves, u32 *nr_leaves, struct xen_msr_entry *msrs,
                   u32 *nr_msrs);
int cpu_policy_set(struct domain *d, const struct xen_cpuid_leaf *leaves, u32 nr_leaves,
                   const struct xen_msr_entry *msrs, u32 nr_msrs, u32 *bad_leaf, u32 *bad_subleaf, u32 *bad_msr);
/* XEN_SYSCTL_get_cpu_featureset. Returns words written. */
u32 cpu_policy_featureset(u32 index, u32 *words, u32 max_words);
/* MSRs a PV guest reads or writes. False: #GP. */
bool cpu_policy_rdmsr(struct vcpu *v, u32 msr, u64 *value);
bool cpu_policy_wrmsr(struct vcpu *v, u32 msr, u64 value);
