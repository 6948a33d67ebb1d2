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
