/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a long hypercall stops half-way and goes on later. Supplied by
 * hypercall/table.c; declared here because pv/ and core/ do the long work.
 */
#pragma once

#include "cpu/work.h"

/*
 * Notes the arguments with which the same hypercall is to run again and
 * returns -ERESTART_HYPERCALL, which the handler returns. The vCPU goes to its
 * exit path (interrupts, scheduling) and comes back by itself.
 */
s64 hypercall_continue(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4);
/* True when a long operation should do so: a CPU has work, or the slice is used up. */
bool hypercall_should_yield(void);
/* The same between the short steps of a list: what time it is is only asked at every eighth. */
static inline bool hypercall_time_to_yield(u64 step)
{
    return cpu_has_work() || (step % 8 == 0 && hypercall_should_yield());
}
