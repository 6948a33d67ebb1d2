/* SPDX-License-Identifier: GPL-2.0-only */
/* Guests' segment descriptor tables; the rest of the interface is in pv/pv.h. */
#pragma once

#include "pv/pv.h"

/* Shows the page at `offset` into the current vCPU's LDT window: true when it is there now. */
bool pv_ldt_show(struct pv_vcpu *v, u64 offset);
/* The guest's fault there: true when it is dealt with, by showing the page or a #PF in the LDT. */
bool pv_ldt_fault(struct pv_vcpu *v, u64 offset);
/* May a guest's LDT be there? */
static inline bool pv_ldt_valid(u64 base, u64 entries)
{
    u64 sign = (u64)((s64)base >> 47); /* all ones or zero when canonical */

    return entries <= 8192 && !(base & ~PAGE_MASK) &&
           (!entries || (sign + 1 <= 1 && (base < HV_START || base >= HV_END)));
}
