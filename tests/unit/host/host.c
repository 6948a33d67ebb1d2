/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every host build of hypervisor code needs and gets linked in: the two
 * ways in which the hypervisor ends itself. Both abort, which cmocka and
 * libFuzzer report as a failure. And counters and tracing for those who link
 * neither: nobody looks at them.
 */
#include "cpu/perfc.h"
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

__attribute__((weak)) DEFINE_PER_CPU(struct perf_counters, perf_counters);
__attribute__((weak)) u32 trace_events;
__attribute__((weak)) void trace_write(u32 event, u32 words, const u32 *data)
{
    (void)event, (void)words, (void)data;
    abort();
}
__attribute__((weak)) void trace_words(u32 event, u32 words, ...)
{
    (void)event, (void)words;
    abort();
}
__attribute__((weak)) void trace_init(void)
{
}
__attribute__((weak)) void keys_init(void)
{
}
__attribute__((weak)) bool console_say(const char *format, ...)
{
    (void)format;
    return true;
}
