/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ticket locks: fair, and a waiter only reads until its number comes up.
 * Debug builds note per CPU which levels are held and check the order.
 */
#include "cpu/lock.h"
#include "cpu/percpu.h"
#include "cpu/work.h"

#ifdef TENON_DEBUG
#define CHECKING true
#else
#define CHECKING false
#endif
#define LEVELS (LOCK_CONSOLE + 1)
typedef u8 held_t[LEVELS];
static DEFINE_PER_CPU(held_t, held); /* how many locks of each level */

/* lowest: the lowest level that must not be held already. */
static void check_order(u32 lowest)
{
    for (u32 level = lowest; CHECKING && level < LEVELS; level++)
        ASSERT(this_cpu(held)[level] == 0);
}
static void note_locked(spinlock_t *lock)
{
    if (CHECKING) {
        lock->owner = (u16)(this_cpu_id() + 1);
        this_cpu(held)[lock->level]++;
    }
}
bool spin_held(const spinlock_t *lock)
{
    return !CHECKING || READ_ONCE(lock->owner) == this_cpu_id() + 1;
}

void spin_wait(spinlock_t *lock, u16 ticket)
{
    while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket)
        cpu_wait();
}

static void acquire(spinlock_t *lock)
{
    spin_wait(lock, __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED));
    note_locked(lock);
}

#if defined(TENON_DEBUG) || defined(TENON_HOST)
void spin_lock(spinlock_t *lock)
{
    check_order(lock->level);
    acquire(lock);
}

void spin_unlock(spinlock_t *lock)
{
    if (CHECKING) {
        ASSERT(spin_held(lock));
        lock->owner = 0;
        this_cpu(held)[lock->level]--;
    }
    __atomic_store_n(&lock->serving, (u16)(lock->serving + 1), __ATOMIC_RELEASE);
}
#endif

bool spin_trylock(spinlock_t *lock)
{
    u16 ticket = READ_ONCE(lock->serving);

    /* Free when the next ticket is the one being served; then take just that one.
     * No order check: a lock that is not waited for cannot deadlock. */
    if (!__atomic_compare_exchange_n(&lock->next, &ticket, (u16)(ticket + 1), false,
                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return false;
    note_locked(lock);
    return true;
}

void spin_lock_pair(spinlock_t *a, spinlock_t *b)
{
    spin_lock(a < b ? a : b);
    if (a != b) {
        check_order(a->level + 1U);
        acquire(a < b ? b : a);
    }
}

void spin_unlock_pair(spinlock_t *a, spinlock_t *b)
{
    spin_unlock(a);
    if (a != b)
        spin_unlock(b);
}
