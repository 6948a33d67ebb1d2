/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the table of per-CPU areas. The boot CPU uses the linked copy itself;
 * before anything in it changes, a pristine copy is put aside for the others.
 */
#include "cpu/percpu.h"

u64 percpu_offsets[MAX_CPUS];
cpumask_t cpus_online;
u32 cpus_online_count;

extern char __percpu_start[], __percpu_end[], __percpu_template[];

__init void percpu_init(void)
{
    memcpy(__percpu_template, __percpu_start, (size_t)(__percpu_end - __percpu_start));
}

__init size_t percpu_size(void)
{
    return (size_t)(__percpu_end - __percpu_start);
}

__init u64 percpu_fill(void *area)
{
    memcpy(area, __percpu_template, percpu_size());
    return (u64)area - (u64)__percpu_start;
}
