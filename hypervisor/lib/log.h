/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages to the console and its ring, for folders below platform/; supplied by
 * platform/console.c. Works under any lock, from the command line's parsing on
 * (what is said earlier than console_init() appears then).
 */
#pragma once

#include "lib/types.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* One line or a part of one; "(XEN) " goes before each line as tools expect. */
void printk(enum log_level level, const char *format, ...) __format_printf(2, 3);
void vprintk(enum log_level level, const char *format, va_list args) __format_printf(2, 0);
/* About a guest's doing: rate-limited and filtered by guest_loglvl=. */
void printk_guest(enum log_level level, const char *format, ...) __format_printf(2, 3);
