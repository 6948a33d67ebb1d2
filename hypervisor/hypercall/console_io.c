/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * console_io: the machine's console for the control domain. Guests get -EPERM,
 * which their early printing expects. Bytes go through a small buffer on the
 * stack; a long write stops and continues.
 */
#include "hypercall/hypercall.h"
#include "platform/console.h"

#define CHUNK 128

static s64 console_output(u64 count, u64 buffer)
{
    char bytes[CHUNK];

    while (count) {
        size_t part = MIN(count, (u64)CHUNK);
        if (hypercall_should_yield())
            return hypercall_continue(CONSOLEIO_write, count, buffer, 0, 0);
        TRY(guest_copy_in(bytes, buffer, part));
        console_write_dom0(bytes, part);
        buffer += part;
        count -= part;
    }
    return 0;
}

/* Returns the number of bytes read; what cannot be delivered is lost. */
static s64 console_input(u64 count, u64 buffer)
{
    char bytes[CHUNK];
    u64 done = 0;

    while (done < count) {
        size_t part = console_read(bytes, MIN(count - done, (u64)CHUNK));
        if (!part)
            break;
        TRY(guest_copy_out(buffer + done, bytes, part));
        done += part;
    }
    return done;
}

s64 hypercall_console_io(u64 op, u64 count, u64 buffer, u64, u64)
{

    TRY(policy_system(current->domain));
    if (count > INT32_MAX)
        return reject(-EINVAL, "console length is negative");
    switch ((u32)op) {
    case CONSOLEIO_write:
        return console_output(count, buffer);
    case CONSOLEIO_read:
        return console_input(count, buffer);
    default:
        return reject(-ENOSYS, "no such console operation");
    }
}
