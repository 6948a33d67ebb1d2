/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Per-CPU variables. The linked copy in .data.percpu is the boot CPU's and the
 * template for the others; an offset in struct cpu_local finds a CPU's own.
 */
#pragma once

#include "cpu/cpumask.h"
#include "cpu/regs.h"

#ifdef TENON_HOST
#define DEFINE_PER_CPU(type, name)  __typeof__(type) percpu_##name[MAX_CPUS]
#define DECLARE_PER_CPU(type, name) extern __typeof__(type) percpu_##name[MAX_CPUS]
#define this_cpu(name)              (percpu_##name[this_cpu_id()])
#define per_cpu(name, n)            (percpu_##name[n])
#else
extern u64 percpu_offsets[MAX_CPUS];
#define DEFINE_PER_CPU(type, name) \
    __attribute__((section(".data.percpu"))) __typeof__(type) percpu_##name
#define DECLARE_PER_CPU(type, name) extern __typeof__(type) percpu_##name
#define percpu_at(name, offset)     (*(__typeof__(percpu_##name) *)((char *)&percpu_##name + (offset)))
#define this_cpu(name)              percpu_at(name, cpu_local()->percpu_offset)
#define per_cpu(name, n)            percpu_at(name, percpu_offsets[n])

/* Boot: puts the template aside; its size; makes an area of that size and returns its offset. */
void percpu_init(void);
size_t percpu_size(void);
u64 percpu_fill(void *area);
#endif
