/* SPDX-License-Identifier: GPL-2.0-only */
/* Starting core/: the idle domain and, on each CPU, the first vCPU to run. */
#pragma once

#include "lib/types.h"

/*
 * After memory, platform and all CPUs are up: timers, run queues, the idle
 * domain with a vCPU for each CPU that is online, which becomes current there.
 */
void core_init(void);
/* core/keys.c: debug keys. */
void keys_init(void);
/* core/watchdog.c: starts it if the command line wants it. */
void watchdog_init(void);
/* This CPU's idle vCPU, and from there whatever is to run. An empty stack. */
__noreturn void core_start(void);
