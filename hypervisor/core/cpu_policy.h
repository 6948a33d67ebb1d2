/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What processor a domain sees: CPUID leaves and feature MSRs. The host's
 * policy is what the machine has; the PV maximum is what of it we can give to
 * a PV guest; the PV default leaves out what must be asked for. Each domain
 * has its own copy, cut down by the toolstack (XEN_DOMCTL_set_cpu_policy).
 *
 * No locks: system policies are written at boot only, a domain's own only
 * while all its vCPUs stand still.
 */
#pragma once

#include "lib/types.h"

#include "lib/xen.h"

struct domain;
struct vcpu;
struct cpu_policy;

void cpu_policy_init(void); /* boot: host, PV max and default policies */
/* The same from a given reader of CPUID leaves; out: eax, ebx, ecx, edx. For tests. */
typedef void cpu_policy_reader(u32 leaf, u32 subleaf, u32 out[4]);
void cpu_policy_init_from(cpu_policy_reader *read);

int cpu_policy_new(struct domain *d); /* default for its kind */
/* A guest's CPUID instruction. out: eax, ebx, ecx, edx. */
void cpu_policy_cpuid(const struct vcpu *v, u32 leaf, u32 subleaf, u32 out[4]);
/* Extended states that the domain may switch on in XCR0; 0: no XSAVE. */
u64 cpu_policy_xcr0(const struct domain *d);

/* Most leaves and MSRs that any policy has, that is, sizes that always suffice. */
#define CPU_POLICY_MAX_LEAVES 128
#define CPU_POLICY_MAX_MSRS   2
#define CPU_POLICY_WORDS      19 /* 32-bit words of a feature set: xen/arch-x86/cpufeatureset.h */

/*
 * XEN_SYSCTL_get_cpu_policy / XEN_DOMCTL_get/set_cpu_policy on kernel arrays.
 * index: XEN_SYSCTL_cpu_policy_*. The counts are in: room, out: entries there
 * are. -ENOBUFS: too little room, -EINVAL, -EOPNOTSUPP: no such policy here.
 */
int cpu_policy_system(u32 index, struct xen_cpuid_leaf *leaves, u32 *nr_leaves,
                      struct xen_msr_entry *msrs, u32 *nr_msrs);
int cpu_policy_get(struct domain *d, struct xen_cpuid_leaf *leaves, u32 *nr_leaves,
                   struct xen_msr_entry *msrs, u32 *nr_msrs);
/*
 * d stands still. Features beyond the maximum are dropped without a word, as
 * the toolstack expects; -ERANGE: a leaf or MSR that no policy has, -EINVAL:
 * more leaves than there are, or a flag or value that cannot be. The bad_
 * fields are then set (~0 where they do not apply); nothing has changed.
 */
int cpu_policy_set(struct domain *d, const struct xen_cpuid_leaf *leaves, u32 nr_leaves,
                   const struct xen_msr_entry *msrs, u32 nr_msrs, u32 *bad_leaf, u32 *bad_subleaf,
                   u32 *bad_msr);
/* XEN_SYSCTL_get_cpu_featureset. Returns words written; 0: no such set. */
u32 cpu_policy_featureset(u32 index, u32 *words, u32 max_words);

/* One leaf of the host's, as the processor gave it at boot (0 for leaves not kept). */
void cpu_policy_host_leaf(u32 leaf, u32 subleaf, u32 out[4]);
/* How APIC ids divide: bits for the thread in its core and for the core in its package. */
void cpu_policy_topology(u32 *thread_bits, u32 *package_bits);

/* MSRs a PV guest reads or writes, except segment bases and TSC_AUX. False: #GP. */
bool cpu_policy_rdmsr(struct vcpu *v, u32 msr, u64 *value);
bool cpu_policy_wrmsr(struct vcpu *v, u32 msr, u64 value);

/* What CPUID and the toolstack say of a domain's TSC (XEN_DOMCTL_get/settscinfo). */
enum { TSC_DEFAULT, TSC_ALWAYS_EMULATED, TSC_NEVER_EMULATED, TSC_MODES };
struct cpu_policy_tsc {
    u32 mode, khz, incarnation;
    u64 elapsed_ns;
};
void cpu_policy_tsc_get(const struct domain *d, struct cpu_policy_tsc *tsc);
void cpu_policy_tsc_set(struct domain *d, const struct cpu_policy_tsc *tsc);
