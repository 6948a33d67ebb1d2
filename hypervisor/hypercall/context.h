/* SPDX-License-Identifier: GPL-2.0-only */
/* Setting a vCPU's registers from a vcpu_guest_context, for vcpu_op and domctl. */
#pragma once

#include "core/domain.h"
#include "memory/alloc.h"

/* v runs nowhere. -ERESTART_HYPERCALL: page-table validation wants to go on later.
 * On success it has a context and, with VGCF_online, is up. */
int vcpu_context_set(struct vcpu *v, const struct vcpu_guest_context *context);
