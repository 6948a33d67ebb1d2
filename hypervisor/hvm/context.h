/* SPDX-License-Identifier: GPL-2.0-only */
/* A translated domain's state as records, for hypercall/. The domain stands still. */
#pragma once

#include "core/domain.h"

/* As much as hvm_context_get writes at most, in bytes. */
u32 hvm_context_size(const struct domain *d);
/* Returns the bytes written. */
u32 hvm_context_get(struct domain *d, void *buffer);
/* -EINVAL: a record that cannot be; -ENODATA: cut short. Records before it are set then. */
int hvm_context_set(struct domain *d, const void *buffer, u32 size);
