/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See uaccess.h. No state. A copy runs in the address space that is loaded;
 * page faults on a guest's address end it (cpu/faultable.S, cpu/extable.h), and
 * so do general-protection faults on an address that is not canonical.
 */
#include "cpu/uaccess.h"

size_t uaccess_clear(void *to, size_t length);

size_t clear_guest_va(guest_va_t to, size_t length)
{
    if (unlikely(!guest_range(to.raw, length)))
        return length;
    return uaccess_clear((void *)to.raw, length);
}
