/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets of CPUs. */
#pragma once

#include "cpu/layout.h"
#include "lib/bitmap.h"

typedef struct {
    u64 bits[MAX_CPUS / 64];
} cpumask_t;

extern cpumask_t cpus_online;
extern u32 cpus_online_count;

static inline bool cpumask_test(const cpumask_t *m, u32 cpu)
{
    return (READ_ONCE(m->bits[cpu / 64]) >> (cpu % 64)) & 1;
}
static inline void cpumask_set(cpumask_t *m, u32 cpu) /* atomic */
{
    __atomic_fetch_or(&m->bits[cpu / 64], 1UL << (cpu % 64), __ATOMIC_SEQ_CST);
}
static inline void cpumask_clear(cpumask_t *m, u32 cpu) /* atomic */
{
    __atomic_fetch_and(&m->bits[cpu / 64], ~(1UL << (cpu % 64)), __ATOMIC_SEQ_CST);
}
static inline cpumask_t cpumask_of(u32 cpu)
{
    cpumask_t m = {{0}};
    m.bits[cpu / 64] = 1UL << (cpu % 64);
    return m;
}
static inline cpumask_t cpumask_and(const cpumask_t *a, const cpumask_t *b)
{
    cpumask_t m;
    for (u32 i = 0; i < MAX_CPUS / 64; i++)
        m.bits[i] = a->bits[i] & b->bits[i];
    return m;
}
static inline bool cpumask_empty(const cpumask_t *m)
{
    for (u32 i = 0; i < MAX_CPUS / 64; i++)
        if (m->bits[i])
            return false;
    return true;
}
/* First CPU of the mask at or after `from`; MAX_CPUS if there is none. */
static inline u32 cpumask_next(const cpumask_t *m, u32 from)
{
    u64 wanted = ~0UL << (from % 64);

    for (u32 word = from / 64; word < MAX_CPUS / 64; word++, wanted = ~0UL) {
        u64 bits = READ_ONCE(m->bits[word]) & wanted;

        if (bits)
            return word * 64 + (u32)__builtin_ctzl(bits);
    }
    return MAX_CPUS;
}
#define for_each_cpu_in(cpu, mask) \
    for (u32 cpu = cpumask_next(mask, 0); cpu < MAX_CPUS; cpu = cpumask_next(mask, cpu + 1))
#define for_each_online_cpu(cpu) for_each_cpu_in (cpu, &cpus_online)
