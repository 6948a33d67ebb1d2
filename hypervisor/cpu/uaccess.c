/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See uaccess.h. No state. A copy runs in the address space that is loaded;
 * page faults on a guest's address end it (cpu/faultable.S, cpu/extable.h), and
 * so do general-protection faults on an address that is not canonical.
 */
#include "cpu/uaccess.h"
#include "cpu/layout.h"

size_t uaccess_copy(void *to, const void *from, size_t length);
size_t uaccess_clear(void *to, size_t length);

/* Wholly below our window, or wholly above it; what wraps is neither. */
static bool range_is_guests(u64 start, size_t length)
{
    if (start < HV_START)
        return length <= HV_START - start;
    return start >= HV_END && length <= -start;
}

size_t copy_from_guest_va(void *to, guest_va_t from, size_t length)
{
    if (unlikely(!range_is_guests(from.raw, length)))
        return length;
    return uaccess_copy(to, (const void *)from.raw, length);
}

size_t copy_to_guest_va(guest_va_t to, const void *from, size_t length)
{
    if (unlikely(!range_is_guests(to.raw, length)))
        return length;
    return uaccess_copy((void *)to.raw, from, length);
}

size_t clear_guest_va(guest_va_t to, size_t length)
{
    if (unlikely(!range_is_guests(to.raw, length)))
        return length;
    return uaccess_clear((void *)to.raw, length);
}
