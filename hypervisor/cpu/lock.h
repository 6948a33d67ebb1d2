/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks. The hypervisor runs with interrupts off except in the idle loop's
 * halt, so there are no irq-saving variants and no handler ever finds its own
 * CPU holding a lock. NMI and machine-check handlers take no lock.
 *
 * Because a CPU that waits has interrupts off, every wait loop calls
 * cpu_wait() (cpu/work.h), which serves flush requests from other CPUs:
 * one CPU may wait for flush acknowledgements while holding a lock that
 * another spins on.
 *
 * Levels: a CPU acquires locks in strictly rising level only; debug builds
 * assert it. Two locks of one level: spin_lock_pair(), lower address first.
 */
#pragma once

#include "lib/types.h"

enum lock_level {
    LOCK_NONE,
    LOCK_CONTROL, /* one domctl or sysctl that changes the set of domains at a time */
    LOCK_DOMAIN,  /* struct domain: life, vCPU set, settings */
    LOCK_DOMAIN_LIST,
    LOCK_GRANT,   /* one domain's grant table */
    LOCK_EVENT,   /* one domain's event channels */
    LOCK_P2M,     /* one domain's guest-physical map */
    LOCK_OWNER,   /* frame_owner: page list and totals */
    LOCK_DEVICES, /* one domain's board */
    LOCK_SCHED,
    LOCK_TIMER,
    LOCK_PCI,
    LOCK_IRQ,
    LOCK_MAP, /* hypervisor page tables; takes frames for tables */
    LOCK_HEAP,
    LOCK_FRAMES,   /* page allocator */
    LOCK_FIRMWARE, /* calls to EFI's services, which know no lock of ours */
    LOCK_CONSOLE,  /* printk works under any other lock */
};

typedef struct {
    u16 next, serving; /* ticket lock */
    u8 level;
    u8 pad;
    u16 owner; /* CPU + 1, debug builds */
} spinlock_t;

#define SPINLOCK(lvl) ((spinlock_t){.level = (lvl)})

bool spin_trylock(spinlock_t *lock);
void spin_wait(spinlock_t *lock, u16 ticket); /* until the ticket taken is served */
#if defined(TENON_DEBUG) || defined(TENON_HOST)
void spin_lock(spinlock_t *lock);
void spin_unlock(spinlock_t *lock);
#else
static inline void spin_lock(spinlock_t *lock)
{
    u16 ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

    if (unlikely(__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket))
        spin_wait(lock, ticket);
}
/* Only the holder writes serving, and no processor stores before what it did until then. */
static inline void spin_unlock(spinlock_t *lock)
{
    __asm__ volatile("incw %0" : "+m"(lock->serving) : : "memory");
}
#endif

/* The lock is held from here to the end of the block, whichever way that is left. */
#define spin_hold(lock)                     HOLD_(spinlock_t, spin_lock, spin_unhold_, lock, __LINE__)
#define HOLD_(type, take, drop, lock, line) HOLD_2_(type, take, drop, lock, line)
#define HOLD_2_(type, take, drop, lock, line)                          \
    type *held_##line __attribute__((cleanup(drop), unused)) = (lock); \
    take(held_##line)
static inline void spin_unhold_(spinlock_t **lock)
{
    spin_unlock(*lock);
}

/* True if this CPU holds it; for assertions (always true in non-debug builds). */
bool spin_held(const spinlock_t *lock);
/* Takes two locks of the same level in address order; a == b is allowed. */
void spin_lock_pair(spinlock_t *a, spinlock_t *b);
void spin_unlock_pair(spinlock_t *a, spinlock_t *b);
