/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory's start: once, from boot/init.c on the boot CPU.
 *
 * Before: memory_regions[] as firmware gave it, features_init() done, the early
 * tables of boot/start.S loaded (image, and the direct map of the first 4 GiB).
 * After: hv_l4 loaded, page allocator and heap usable, W^X in force but for the
 * init sections' existence and __ro_after_init data.
 */
#pragma once

#include "lib/types.h"

/* Machine bytes that hold something: the image, boot modules, boot information. */
struct memory_reserved {
    u64 start, end;
};

void memory_init(const struct memory_reserved *reserved, u32 n);
/* Everything initialised: __ro_after_init becomes read-only. */
void memory_init_done(void);
/* Nothing will run or read the init sections again: frees them. Returns the bytes. */
u64 memory_free_init(void);
