/* SPDX-License-Identifier: GPL-2.0-only */
/* What is done for PV guests on processors that leak what they should not (docs/security.md). */
#pragma once

#include "lib/types.h"

/* Of dom0 [0] and of the others [1]; set once at boot by mitigations_init(). */
extern struct pv_mitigations {
    bool xpti; /* runs on page tables without the hypervisor's memory (Meltdown) */
    bool l1tf; /* may have no absent entry that names low memory */
} pv_mitigations[2];

/* Some PV guest is left by pv/shield.c: for xpti, or to overwrite buffers with VERW (MDS). */
extern bool shield_on;

/* After the command line was read and the processor identified. */
void mitigations_init(void);
