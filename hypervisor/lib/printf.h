/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Formatting into a buffer. Conversions: d i u o x X p s c %; flags 0 - + space #;
 * width and precision, also as `*`; lengths hh h l ll z t j. No floats, no %n.
 * On the host these are the C library's; ours are tenon_snprintf and
 * tenon_vsnprintf for the tests.
 */
#pragma once

#include "lib/types.h"

#ifdef TENON_HOST
#include <stdio.h>
#else
/*
 * Both write at most size bytes including the final zero (none when size is 0,
 * in which case buffer may be NULL) and return the length that the whole text
 * has, without the zero. An unknown conversion is copied as it stands.
 */
int snprintf(char *buffer, size_t size, const char *format, ...) __format_printf(3, 4);
int vsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
    __format_printf(3, 0);
#endif
