/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's way to hypervisor/lib/types.h: the C library defines some of the
 * same attribute names, so take them back first.
 */
#pragma once

#include <sys/cdefs.h>
#undef __always_inline
#undef __packed
#undef __unused
#undef __noreturn

#include "../../../../hypervisor/lib/types.h"

/* The thread sanitizer takes a volatile access for a careless one. */
#ifdef __SANITIZE_THREAD__
#undef READ_ONCE
#undef WRITE_ONCE
#define READ_ONCE(x)     __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#endif
