/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine of FAKE_FRAMES frames of RAM for tests of what stands on memory/:
 * frame n is page n of one arena. Defines the things memory/frame.c, alloc.c
 * and heap.c want from below and above (locks that check themselves, flushes
 * that are counted, a machine-to-phys array). Include in one file of a test,
 * link "memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c".
 */
#pragma once

#include <stdlib.h>

#include "cpu/lock.h"
#include "cpu/regs.h"
#include "cpu/work.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "memory/alloc.h"
#include "memory/map.h"

#ifndef FAKE_FRAMES
#define FAKE_FRAMES 4096
#endif

struct cpu_local host_cpu_local;
struct frame *host_frame_table;
cpumask_t cpus_online = {{1}};
u32 cpus_online_count = 1;
static char *fake_arena;
static u64 fake_m2p[FAKE_FRAMES];
static u64 fake_flushes;
static u32 fake_clock = 1, fake_cpu_flushed = 1;
static u32 fake_raised; /* work bits raised on this CPU */
static u32 fake_locks_held;

void *mfn_to_virt(mfn_t m)
{
    ASSERT(m.raw < FAKE_FRAMES);
    return fake_arena + (m.raw << PAGE_SHIFT);
}

mfn_t virt_to_mfn(const void *p)
{
    ASSERT((const char *)p >= fake_arena &&
           (const char *)p < fake_arena + ((u64)FAKE_FRAMES << PAGE_SHIFT));
    return mfn((u64)((const char *)p - fake_arena) >> PAGE_SHIFT);
}

void m2p_set(mfn_t m, u64 pfn)
{
    if (m.raw < FAKE_FRAMES)
        fake_m2p[m.raw] = pfn;
}

u64 m2p_get(mfn_t m)
{
    return m.raw < FAKE_FRAMES ? fake_m2p[m.raw] : M2P_INVALID;
}

void spin_lock(spinlock_t *lock)
{
    ASSERT(!lock->owner);
    lock->owner = 1;
    fake_locks_held++;
}

bool spin_trylock(spinlock_t *lock)
{
    spin_lock(lock);
    return true;
}

void spin_unlock(spinlock_t *lock)
{
    ASSERT(lock->owner);
    lock->owner = 0;
    fake_locks_held--;
}

bool spin_held(const spinlock_t *lock)
{
    return lock->owner;
}

void spin_lock_pair(spinlock_t *a, spinlock_t *b)
{
    spin_lock(a);
    if (a != b)
        spin_lock(b);
}

void spin_unlock_pair(spinlock_t *a, spinlock_t *b)
{
    spin_unlock(a);
    if (a != b)
        spin_unlock(b);
}

void cpu_wait(void)
{
    panic("nothing to wait for on one CPU");
}

void cpu_raise_work(u32 cpu, u32 bit)
{
    ASSERT(cpu == 0);
    fake_raised |= 1u << bit;
}

u32 flush_clock_now(void)
{
    return __atomic_load_n(&fake_clock, __ATOMIC_RELAXED);
}

/* As the real one: a CPU that has flushed after `stamp` remembers nothing older. */
void flush_clock_filter(cpumask_t *mask, u32 stamp)
{
    if ((s32)(__atomic_load_n(&fake_cpu_flushed, __ATOMIC_RELAXED) - stamp) > 0)
        mask->bits[0] = 0;
}

void cpu_flush_local(enum flush_kind kind, u64 addr)
{
    (void)kind;
    (void)addr;
    __atomic_add_fetch(&fake_flushes, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&fake_cpu_flushed, __atomic_add_fetch(&fake_clock, 1, __ATOMIC_RELAXED),
                     __ATOMIC_RELAXED);
}

void cpu_flush(const cpumask_t *mask, enum flush_kind kind, u64 addr)
{
    ASSERT(!(mask->bits[0] & ~1UL));
    if (mask->bits[0])
        cpu_flush_local(kind, addr);
}

/* Frames 16.. are RAM for the allocator; the first ones are kept for owners. */
#define FAKE_OWNER_FRAMES 16
static __unused void fake_memory_init(void)
{
    fake_arena = aligned_alloc(PAGE_SIZE, (u64)FAKE_FRAMES << PAGE_SHIFT);
    ASSERT(fake_arena);
    memset(fake_arena, 0x5a, (u64)FAKE_FRAMES << PAGE_SHIFT);
    host_frame_table = calloc(FAKE_FRAMES + (1UL << MAX_ORDER), sizeof(struct frame));
    frame_table_end = FAKE_FRAMES;
    host_frame_table[0].count = FRAME_ABSENT;
    page_allocator_add(paddr((u64)FAKE_OWNER_FRAMES << PAGE_SHIFT),
                       paddr((u64)FAKE_FRAMES << PAGE_SHIFT));
}

static __unused struct frame_owner *fake_owner(u32 n)
{
    struct frame_owner *o = mfn_to_virt(mfn(1 + n));

    ASSERT(1 + n < FAKE_OWNER_FRAMES);
    memset(o, 0, PAGE_SIZE);
    frame_owner_init(o);
    return o;
}
