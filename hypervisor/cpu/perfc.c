/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns the performance counters of each CPU. No locks: see perfc.h. */
#include "cpu/perfc.h"

DEFINE_PER_CPU(struct perf_counters, perf_counters);

#define WORD(name)                      (offsetof(struct perf_counters, name) / sizeof(u32))
#define PERFC(name, text)               {text, 0, WORD(name)},
#define PERFC_ARRAY(name, values, text) {text, values, WORD(name)},
const struct perfc_info perfc_info[] = {
#include "cpu/perfc.def"
};
#undef PERFC
#undef PERFC_ARRAY
const u32 perfc_count = ARRAY_SIZE(perfc_info);

u32 perfc_value(u32 cpu, u32 index)
{
    return READ_ONCE(((const u32 *)&per_cpu(perf_counters, cpu))[index]);
}

u32 perfc_sum(u32 index)
{
    u32 sum = 0;

    for_each_online_cpu (cpu)
        sum += perfc_value(cpu, index);
    return sum;
}

void perfc_reset(void)
{
    for_each_online_cpu (cpu)
        for (u32 i = 0; i < PERFC_WORDS; i++)
            WRITE_ONCE(((u32 *)&per_cpu(perf_counters, cpu))[i], 0);
}
