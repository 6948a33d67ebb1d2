/* SPDX-License-Identifier: GPL-2.0-only */
/* Guests' segment descriptor tables; the rest of the interface is in pv/pv.h. */
#pragma once

#include "pv/pv.h"

/* A fault at `offset` into the current vCPU's LDT window: true when the page is there now. */
bool pv_ldt_fault(struct pv_vcpu *v, u64 offset);
