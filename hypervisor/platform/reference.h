/* SPDX-License-Identifier: GPL-2.0-only */
/* A clock of known rate for the calibration at boot. */
#pragma once

#include "lib/types.h"

struct reference {
    const char *name;
    u64 hz;
    u64 mask; /* the counter's width */
    u64 (*read)(void);
};

/* Finds and starts one (clocksource= names a favourite: hpet acpi pit); false: none works. */
bool reference_start(struct reference *r);
void reference_stop(void);
