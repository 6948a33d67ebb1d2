/* SPDX-License-Identifier: GPL-2.0-only */
/* Context switch of PV vCPUs, and the parts of it that hypercalls use. */
#pragma once

#include "pv/pv.h"

void pv_context_save(struct vcpu *vcpu);
void pv_context_restore(struct vcpu *vcpu);
void pv_resume(void); /* assembly: enters the current vCPU's guest */
/* Loads the current vCPU's LDT into the processor. */
void pv_load_ldt(struct pv_vcpu *v);
/* The 32 L1 entries of a vCPU's GDT/LDT window. */
static inline u64 *pv_window(struct pv_vcpu *v)
{
    return to_pv_domain(v->v.domain)->window_l1[v->v.id];
}
