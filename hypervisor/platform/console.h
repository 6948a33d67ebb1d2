/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The console: serial ports and VGA text, a ring of past output for
 * `xl dmesg`, input to dom0 or to our own key handlers (Ctrl-A three times).
 */
#pragma once

#include "lib/types.h"

void console_init(void);      /* after the command line is parsed: serial ports */
void console_init_late(void); /* heap and irqs work: interrupts for input, ring of final size */
/* The first guest is about to run: input goes to dom0, the screen is left to it. Happens by
 * itself at dom0's first output. */
void console_boot_done(void);

/* dom0's bytes (HYPERVISOR_console_io write), as they are. */
void console_write_dom0(const char *bytes, size_t length);
/* Input for dom0: returns bytes moved. */
size_t console_read(char *bytes, size_t length);
/* Supplied by core: input waits, tell the hardware domain (VIRQ_CONSOLE). No lock held. */
void console_input_notify(void);

/*
 * Past output for `xl dmesg`. index in/out as xen_sysctl_readconsole; returns bytes.
 * In pieces: after the first call pass incremental = true with the index it gave.
 */
size_t console_ring_read(char *bytes, size_t length, u32 *index, bool incremental);
/* Forgets what lies before the index that the last read returned. */
void console_ring_clear_to(u32 index);

/* Key handlers, for input to us and for XEN_SYSCTL_debug_keys; no lock is held. */
void console_key_register(char key, void (*fn)(unsigned char key), const char *help);
void console_key(unsigned char key);
/*
 * A line of what a key shows: whatever the level, and other CPUs get on after it; no lock is
 * held. False: the key has shown enough, stop.
 */
bool console_say(const char *format, ...) __format_printf(1, 2);

void console_work(void); /* WORK_CONSOLE handler */
/* Waits until all that was written is on its way: before the machine goes. */
void console_flush(void);
/* From now on output is synchronous and locks are broken: the crash path. */
void console_force_unlock(void);
