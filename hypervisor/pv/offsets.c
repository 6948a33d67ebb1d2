/* SPDX-License-Identifier: GPL-2.0-only */
/* Offsets for pv/entry.S. Never linked. */
#include "cpu/offsets.h"
#include "pv/pv.h"

void offsets_pv(void);
void offsets_pv(void)
{
    DEFINE_OFFSET(PV_KERNEL_MODE, struct pv_vcpu, kernel_mode);
    DEFINE_OFFSET(VCPU_WORK, struct vcpu, work);
    DEFINE_OFFSET(VCPU_INFO, struct vcpu, info);
    DEFINE_OFFSET(VCPU_NMI, struct vcpu, nmi_pending);
}
