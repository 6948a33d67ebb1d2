/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of hvm/svm/ share. */
#pragma once

#include "hvm/hvm.h"
#include "hvm/svm/vmcb.h"

struct svm_vcpu {
    struct vmcb *vmcb;
    u64 asid_generation, flush_generation;
    u32 asid_cpu;
    bool debug_loaded; /* DR0-3 are in the processor, accesses do not exit */
    u64 dr[4];
};

static inline struct svm_vcpu *to_svm(const struct hvm_vcpu *v)
{
    return v->machine;
}

/* entry.S calls these. svm_enter returns the block's machine address. */
u64 svm_enter(struct hvm_vcpu *v);
void svm_not_entered(struct hvm_vcpu *v); /* after svm_enter, when work came up */
void svm_exit(void);
void svm_resume(void);

/* state.c */
void svm_state_init(struct hvm_vcpu *v);
void svm_get_state(struct hvm_vcpu *v, struct hvm_hw_cpu *s);
int svm_set_state(struct hvm_vcpu *v, const struct hvm_hw_cpu *s);
void svm_get_paging(struct hvm_vcpu *v, struct hvm_paging *p);
struct hvm_segment svm_segment(struct hvm_vcpu *v, u32 segment);
bool svm_get_msr(struct hvm_vcpu *v, u32 msr, u64 *value);
bool svm_set_msr(struct hvm_vcpu *v, u32 msr, u64 value, bool *refused);
void svm_load_debug(struct svm_vcpu *s);
void svm_save_debug(struct svm_vcpu *s);

/* Privileged: the guest state that VMRUN does not switch, to and from a block. */
static inline void vmsave(u64 block)
{
    __asm__ volatile("vmsave" ::"a"(block) : "memory");
}
static inline void vmload(u64 block)
{
    __asm__ volatile("vmload" ::"a"(block) : "memory");
}
