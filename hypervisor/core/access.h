/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's memory as its hypercall arguments name it: PV guests by virtual
 * address in the address space loaded now. 0 or -EFAULT.
 */
#pragma once

#include "lib/types.h"

/* Refusals name themselves. */
__must_check int guest_copy_in(void *to, u64 from, size_t length);
__must_check int guest_copy_out(u64 to, const void *from, size_t length);
__must_check int guest_clear(u64 to, size_t length);
/* Where it is no refusal if there is no page. */
__must_check int guest_try_copy_in(void *to, u64 from, size_t length);
__must_check int guest_try_copy_out(u64 to, const void *from, size_t length);

/* Element `index` of a guest array; overflow-checked. */
static inline __must_check int guest_copy_in_at(void *to, u64 base, u64 index, size_t size)
{
    u64 offset, from;
    if (__builtin_mul_overflow(index, (u64)size, &offset) ||
        __builtin_add_overflow(base, offset, &from))
        return -EFAULT;
    return guest_copy_in(to, from, size);
}
static inline __must_check int guest_copy_out_at(u64 base, u64 index, const void *from, size_t size)
{
    u64 offset, to;
    if (__builtin_mul_overflow(index, (u64)size, &offset) ||
        __builtin_add_overflow(base, offset, &to))
        return -EFAULT;
    return guest_copy_out(to, from, size);
}
/* The number in a XEN_GUEST_HANDLE field. */
#define handle_address(handle) ((u64)(handle).p)
