/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Callers of 32-bit code. Their structures and arrays have words and pointers
 * of four bytes. A handler does not notice: the address it is given is that of
 * a view (core/narrow.c), through which guest_copy_in and guest_copy_out show
 * the guest's memory in the native layout.
 */
#pragma once

#include "lib/types.h"

/* Views lie where no canonical address is. */
static inline bool narrow_is_view(u64 address)
{
    return address >> 62 == 1;
}

/* The arguments as a 32-bit caller gave them become what handlers take. -ENOSYS: not offered. */
int narrow_arguments(u64 number, u64 args[5]);
/* And back: the address behind a view; other values stay. */
u64 narrow_address(u64 value);
/* Copies through a view; the current vCPU's memory. 0 or -EFAULT. */
int narrow_copy(u64 view, void *buffer, u64 length, bool write);
