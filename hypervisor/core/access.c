/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory for hypercall arguments. The address space that is loaded now
 * is the caller's: PV calls come in on the caller's own page tables, so its
 * virtual addresses can be used under fault protection (cpu/uaccess.h), which
 * refuses our own window. No locks; a fault ends the copy.
 */
#include "core/access.h"

#include "cpu/uaccess.h"

int guest_copy_in(void *to, u64 from, size_t length)
{
    return copy_from_guest_va(to, guest_va(from), length) ? -EFAULT : 0;
}

int guest_copy_out(u64 to, const void *from, size_t length)
{
    return copy_to_guest_va(guest_va(to), from, length) ? -EFAULT : 0;
}

int guest_clear(u64 to, size_t length)
{
    return clear_guest_va(guest_va(to), length) ? -EFAULT : 0;
}
