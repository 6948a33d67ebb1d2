/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Performance counters: what happened how often, on each CPU. Always on, as
 * one costs an instruction or two. They are 32 bits wide and wrap around, as the
 * interface has them. Only their own CPU counts; others may read and reset them
 * at any time, so a reset may miss a count.
 */
#pragma once

#include "cpu/percpu.h"

struct perf_counters {
#define PERFC(name, text)               u32 name;
#define PERFC_ARRAY(name, values, text) u32 name[values];
#include "cpu/perfc.def"
#undef PERFC
#undef PERFC_ARRAY
};
DECLARE_PER_CPU(struct perf_counters, perf_counters);

#define perfc_inc(name)    ((void)this_cpu(perf_counters).name++)
#define perfc_add(name, n) ((void)(this_cpu(perf_counters).name += (u32)(n)))

/* The counters in order: their texts, how many values each has, 0: one for each CPU. */
struct perfc_info {
    const char *text;
    u16 values, index; /* index: of the first word in struct perf_counters */
};
#define PERFC_WORDS (sizeof(struct perf_counters) / sizeof(u32))
extern const struct perfc_info perfc_info[];
extern const u32 perfc_count;

/* One word of a CPU's counters; their sum over all CPUs. */
u32 perfc_value(u32 cpu, u32 index);
u32 perfc_sum(u32 index);
void perfc_reset(void);
