/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The console: serial ports and VGA text, a ring of past output for
 * `xl dmesg`, input to dom0 or to our own key handler (Ctrl-A three times).
 */
#pragma once

#include "lib/types.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* One line or a part of one; "(XEN) " goes before each line as tools expect. */
void printk(enum log_level level, const char *format, ...) __format_printf(2, 3);
void vprintk(enum log_level level, const char *format, va_list args);
/* About a guest's doing: rate-limited and filtered by guest_loglvl=. */
void printk_guest(enum log_level level, const char *format, ...) __format_printf(2, 3);

void console_init(void);      /* after the command line is parsed; serial first */
void console_init_late(void); /* interrupts for input, ring of final size */
/* A guest's bytes to the console as they are (HYPERVISOR_console_io write). */
void console_write_guest(u16 domid, const char *bytes, size_t length);
/* Input for dom0: returns bytes moved. */
size_t console_read(char *bytes, size_t length);
/* Past output for `xl dmesg`. index in/out as xen_sysctl_readconsole; returns bytes. */
size_t console_ring_read(char *bytes, size_t length, u32 *index, bool incremental);
void console_ring_clear(void);
void console_work(void); /* WORK_CONSOLE handler */
/* From now on output is synchronous and locks are broken: the crash path. */
void console_force_unlock(void);
