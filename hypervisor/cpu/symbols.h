/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of our functions for the crash report. The table is made from the
 * linked image by tools/symbols and linked in by a second pass.
 */
#pragma once

#include "lib/types.h"

/* The function that address lies in and how far; NULL if in none of ours. */
const char *symbol_find(u64 address, u32 *offset);
/* Any instruction of ours? */
bool symbol_is_text(u64 address);
/* From now on the init text is gone. */
void symbols_drop_init(void);
