/* SPDX-License-Identifier: GPL-2.0-only */
/* What is done for PV guests on processors that leak what they should not (docs/security.md). */
#pragma once

#include "lib/types.h"

/* Dom0 [0] and the others [1] run on page tables without the hypervisor's memory (Meltdown). */
extern bool pv_isolated[2];

/* PV guests are left by pv/shield.c: for that, or to overwrite buffers with VERW (MDS). */
extern bool shield_on;

/* After the command line was read and the processor identified. */
void mitigations_init(void);
