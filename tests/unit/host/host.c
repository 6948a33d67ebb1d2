/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every host build of hypervisor code needs and gets linked in: the two
 * ways in which the hypervisor ends itself. Both abort, which cmocka and
 * libFuzzer report as a failure.
 */
#include "lib/types.h"

#include <stdio.h>
#include <stdlib.h>

void panic(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("panic: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

void assertion_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "assertion failed: %s at %s:%d\n", what, file, line);
    abort();
}
