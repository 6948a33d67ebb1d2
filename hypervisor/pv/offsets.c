/* SPDX-License-Identifier: GPL-2.0-only */
/* Offsets for pv/entry.S. Never linked. */
#include "core/trace.h"
#include "cpu/offsets.h"
#include "cpu/perfc.h"
#include "pv/pv.h"

void offsets_pv(void);
void offsets_pv(void)
{
    DEFINE_OFFSET(PV_KERNEL_MODE, struct pv_vcpu, kernel_mode);
    DEFINE_OFFSET(VCPU_WORK, struct vcpu, work);
    DEFINE_OFFSET(VCPU_INFO, struct vcpu, info);
    DEFINE_OFFSET(VCPU_NMI, struct vcpu, nmi_pending);
    _Static_assert(offsetof(struct vcpu, nmi_pending) % 8 == 0 &&
                       offsetof(struct vcpu, work) == offsetof(struct vcpu, nmi_pending) + 4,
                   "one word");
    DEFINE_OFFSET(PERFC_HYPERCALLS, struct perf_counters, hypercalls);
    DEFINE_CONSTANT(TRACE_PV, TRC_PV >> 16 & 0xff);
    DEFINE_CONSTANT(TRACE_PV_BYTE, 2);
    DEFINE_CONSTANT(ERESTART_HYPERCALL, ERESTART_HYPERCALL);
}
