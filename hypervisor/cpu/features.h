/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the processors can do, and the control registers we choose by it.
 * Gathered once from the boot CPU; another CPU that lacks any of it is not
 * used. What guests may see of it is core/cpu_policy.h's affair.
 */
#pragma once

#include "cpu/instructions.h"

/* The CPUID words we look at, in this order in cpu_features[]. */
enum {
    CPUID_1_EDX,
    CPUID_1_ECX,
    CPUID_7_EBX,
    CPUID_7_ECX,
    CPUID_7_EDX,
    CPUID_D1_EAX,
    CPUID_81_EDX,
    CPUID_81_ECX,
    CPUID_87_EDX,
    CPUID_88_EBX,
    CPUID_8021_EAX,
    CPUID_WORDS
};
#define FEATURE(word, bit)   ((word)*32 + (bit))

#define FEATURE_TSC          FEATURE(CPUID_1_EDX, 4)
#define FEATURE_MSR          FEATURE(CPUID_1_EDX, 5)
#define FEATURE_PAE          FEATURE(CPUID_1_EDX, 6)
#define FEATURE_MCE          FEATURE(CPUID_1_EDX, 7)
#define FEATURE_CX8          FEATURE(CPUID_1_EDX, 8)
#define FEATURE_APIC         FEATURE(CPUID_1_EDX, 9)
#define FEATURE_PGE          FEATURE(CPUID_1_EDX, 13)
#define FEATURE_PAT          FEATURE(CPUID_1_EDX, 16)
#define FEATURE_FXSR         FEATURE(CPUID_1_EDX, 24)
#define FEATURE_SSE2         FEATURE(CPUID_1_EDX, 26)
#define FEATURE_X2APIC       FEATURE(CPUID_1_ECX, 21)
#define FEATURE_TSC_DEADLINE FEATURE(CPUID_1_ECX, 24)
#define FEATURE_XSAVE        FEATURE(CPUID_1_ECX, 26)
#define FEATURE_HYPERVISOR   FEATURE(CPUID_1_ECX, 31)
#define FEATURE_FSGSBASE     FEATURE(CPUID_7_EBX, 0)
#define FEATURE_SMEP         FEATURE(CPUID_7_EBX, 7)
#define FEATURE_SMAP         FEATURE(CPUID_7_EBX, 20)
#define FEATURE_UMIP         FEATURE(CPUID_7_ECX, 2)
#define FEATURE_RDPID        FEATURE(CPUID_7_ECX, 22)
#define FEATURE_SYSCALL      FEATURE(CPUID_81_EDX, 11)
#define FEATURE_NX           FEATURE(CPUID_81_EDX, 20)
#define FEATURE_PAGE_1G      FEATURE(CPUID_81_EDX, 26)
#define FEATURE_RDTSCP       FEATURE(CPUID_81_EDX, 27)
#define FEATURE_LONG_MODE    FEATURE(CPUID_81_EDX, 29)
#define FEATURE_IBRS_IBPB    FEATURE(CPUID_7_EDX, 26)
#define FEATURE_MD_CLEAR     FEATURE(CPUID_7_EDX, 10)
#define FEATURE_CAPABILITIES FEATURE(CPUID_7_EDX, 29)
#define FEATURE_SVM          FEATURE(CPUID_81_ECX, 2)
#define FEATURE_IBPB         FEATURE(CPUID_88_EBX, 12)
#define FEATURE_AUTO_IBRS    FEATURE(CPUID_8021_EAX, 8)

enum cpu_vendor { VENDOR_INTEL, VENDOR_AMD, VENDOR_OTHER };

extern u32 cpu_features[CPUID_WORDS];
extern enum cpu_vendor cpu_vendor;
extern char cpu_vendor_name[13];
extern u32 cpu_family, cpu_model, cpu_stepping;
extern u32 cpu_address_bits;  /* machine address width */
extern bool cpu_has_fsgsbase; /* and CR4 has it on */
extern bool cpu_has_ibpb;     /* branches learnt so far can be forgotten, cpu_forget_branches() */

static inline bool cpu_has(u32 feature)
{
    return (cpu_features[feature / 32] >> (feature % 32)) & 1;
}

/* Boot CPU: gathers, patches the SMAP sites and turns on what is there.
 * Returns what is missing and needed, or NULL. Before the text is read-only. */
const char *features_init(void);
/* Another CPU: NULL, or what it lacks that the boot CPU has. Sets it up likewise. */
const char *features_init_secondary(void);

/* A guest of one domain ran here, another's comes: what it taught the processor about branches
 * must not steer the other, or us on its behalf. */
#ifdef TENON_HOST
void cpu_forget_branches(void);
#else
static inline void cpu_forget_branches(void)
{
    if (cpu_has_ibpb)
        wrmsr(MSR_PRED_CMD, 1);
}
#endif

/* The PAT that the PV interface promises: WB WT UC- UC WC WP UC UC. */
#define PAT_VALUE 0x050100070406UL
