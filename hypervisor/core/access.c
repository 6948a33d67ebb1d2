/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory for hypercall arguments. The address space that is loaded now
 * is the caller's: PV calls come in on the caller's own page tables, so its
 * virtual addresses can be used under fault protection (cpu/uaccess.h), which
 * refuses our own window. No locks; a fault ends the copy.
 */
#include "core/access.h"

#include "core/guest.h"
#include "core/narrow.h"
#include "cpu/uaccess.h"

/* A translated guest's address space is never loaded: its tables are walked. */
static bool translated(void)
{
    return unlikely(current->ops->copy != NULL);
}

static int translated_copy(u64 address, void *buffer, size_t length, bool write)
{
    return (unlikely(narrow_is_view(address)) ? narrow_copy : current->ops->copy)(address, buffer,
                                                                                  length, write);
}

int guest_try_copy_in(void *to, u64 from, size_t length)
{
    if (translated())
        return translated_copy(from, to, length, false);
    return copy_from_guest_va(to, guest_va(from), length) ? -EFAULT : 0;
}

__attribute__((flatten)) int guest_copy_in(void *to, u64 from, size_t length)
{
    int error = guest_try_copy_in(to, from, length);

    return likely(!error) ? 0 : reject(error, "argument in memory that cannot be read");
}

int guest_try_copy_out(u64 to, const void *from, size_t length)
{
    if (translated())
        return translated_copy(to, (void *)from, length, true);
    return copy_to_guest_va(guest_va(to), from, length) ? -EFAULT : 0;
}

__attribute__((flatten)) int guest_copy_out(u64 to, const void *from, size_t length)
{
    int error = guest_try_copy_out(to, from, length);

    return likely(!error) ? 0 : reject(error, "result to memory that cannot be written");
}

int guest_clear(u64 to, size_t length)
{
    static const u8 zeros[64];
    int error = 0;

    if (!translated())
        return clear_guest_va(guest_va(to), length)
                   ? reject(-EFAULT, "memory to clear that cannot be written")
                   : 0;
    for (size_t done = 0; done < length && !error; done += sizeof(zeros))
        error = guest_copy_out(to + done, zeros, MIN(length - done, sizeof(zeros)));
    return error;
}
