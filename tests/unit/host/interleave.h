/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every interleaving of a few actors, on one host CPU. Each atomic access of lib/atomic.h and each
 * READ_ONCE and WRITE_ONCE of what is included after this is a point at which another actor may go
 * on; locks are taken when they are free. explore() runs the actors again and again, each time in
 * another order, until none is left: depth first, with sleep sets (Godefroid, LNCS 1032, chapter
 * 5), so that of orders which differ in independent accesses alone one is run. Memory is
 * sequentially consistent here: that a store waits in a processor's buffer is not shown.
 *
 * With `torn`, accesses that read and write are two, which is a bug that explore() must find.
 */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "lib/atomic.h"
#include "lib/types.h"

#define ACTORS_MAX 3
#define STEPS_MAX  200
#define STACK_EACH (64 << 10)

struct actor {
    void (*fn)(void);
    ucontext_t context;
    bool done;
    u64 next;   /* the word of its next access */
    bool write; /* which changes it */
    u8 *lock;   /* it wants this first */
};
struct choice {
    u32 chosen, enabled, asleep, tried; /* the others: a bit for each actor */
    u64 next[ACTORS_MAX];
    bool write[ACTORS_MAX];
};

static struct actor actors[ACTORS_MAX];
static struct choice choices[STEPS_MAX];
static u8 stacks[ACTORS_MAX][STACK_EACH] __aligned_to(64);
static ucontext_t explorer;
static s32 running = -1; /* -1: nobody, accesses are as usual */
static bool torn;
static u64 orders; /* run to the end by the last explore() */

static void interleave_step(const volatile void *where, bool write)
{
    struct actor *a;

    if (running < 0)
        return;
    a = &actors[running];
    a->next = (u64)where >> 3;
    a->write = write;
    swapcontext(&a->context, &explorer);
}

static __unused void interleave_lock(u8 *lock)
{
    if (running >= 0) {
        actors[running].lock = lock;
        interleave_step(lock, true);
        actors[running].lock = NULL;
    }
    ASSERT(!*lock);
    *lock = 1;
}
static __unused void interleave_unlock(u8 *lock)
{
    interleave_step(lock, true);
    *lock = 0;
}

static void actor_main(int number)
{
    actors[number].fn();
    actors[number].done = true;
    swapcontext(&actors[number].context, &explorer);
}

static void actor_go(u32 n)
{
    running = (s32)n;
    swapcontext(&explorer, &actors[n].context);
    running = -1;
}

static void actor_begin(u32 n)
{
    struct actor *a = &actors[n];

    a->done = false;
    a->lock = NULL;
    getcontext(&a->context);
    a->context.uc_stack.ss_sp = stacks[n];
    a->context.uc_stack.ss_size = STACK_EACH;
    makecontext(&a->context, (void (*)(void))actor_main, 1, n);
    actor_go(n); /* to its first access */
}

static u32 actors_enabled(u32 count)
{
    u32 enabled = 0;

    for (u32 n = 0; n < count; n++)
        if (!actors[n].done && !(actors[n].lock && *actors[n].lock))
            enabled |= 1U << n;
    return enabled;
}

/* Those that sleep after the choice before this one: their next access is independent of the one
 * that was made, so that theirs first has been seen already. */
static u32 asleep_after(const struct choice *before, u32 count)
{
    u32 asleep = 0, candidates = (before->asleep | before->tried) & ~(1U << before->chosen);
    u32 c = before->chosen;

    for (u32 n = 0; n < count; n++)
        if ((candidates >> n & 1) &&
            (before->next[n] != before->next[c] || (!before->write[n] && !before->write[c])))
            asleep |= 1U << n;
    return asleep;
}

/* One run: the first `depth` choices are made, the others are found. Returns how many there were.
 */
static u32 run_once(u32 count, u32 depth, bool *complete)
{
    u32 step = 0, enabled;

    for (u32 n = 0; n < count; n++)
        actor_begin(n);
    while ((enabled = actors_enabled(count))) {
        struct choice *c = &choices[step];

        ASSERT(step < STEPS_MAX);
        if (step >= depth) {
            u32 asleep = step ? asleep_after(c - 1, count) : 0;

            if (!(enabled & ~asleep))
                break; /* all that could follow has been seen */
            *c = (struct choice){.enabled = enabled,
                                 .asleep = asleep,
                                 .chosen = (u32)__builtin_ctz(enabled & ~asleep)};
            c->tried = 1U << c->chosen;
        }
        for (u32 n = 0; n < count; n++) {
            c->next[n] = actors[n].next;
            c->write[n] = actors[n].write;
        }
        actor_go(c->chosen);
        step++;
    }
    *complete = true;
    for (u32 n = 0; n < count; n++)
        *complete &= actors[n].done;
    if (!enabled)
        ASSERT(*complete); /* else nobody can go on: a deadlock */
    return step;
}

/* False: `good` was false after some order. begin: makes the world; nothing is shared before that.
 */
static bool explore(u32 count, void (*const fns[])(void), void (*begin)(void), bool (*good)(void))
{
    bool all_good = true, complete;
    u32 depth = 0, steps;

    orders = 0;
    for (u32 n = 0; n < count; n++)
        actors[n].fn = fns[n];
    for (;;) {
        begin();
        steps = run_once(count, depth, &complete);
        orders += complete;
        if (complete && !good())
            all_good = false;
        if (torn && !all_good)
            return false;
        /* Back to the last choice where somebody else could have been taken who does not sleep. */
        for (depth = steps; depth > 0; depth--) {
            struct choice *c = &choices[depth - 1];
            u32 left = c->enabled & ~(c->asleep | c->tried);

            if (left) {
                c->chosen = (u32)__builtin_ctz(left);
                c->tried |= 1U << c->chosen;
                break;
            }
        }
        if (!depth)
            return all_good;
    }
}

/* ---- the accesses ---- */

#define STEP_(p, write) interleave_step((const volatile void *)(p), write)
#define RMW_(p, value)                  \
    ({                                  \
        __auto_type p_ = (p);           \
        STEP_(p_, true);                \
        __typeof__(*p_ + 0) old_ = *p_; \
        if (torn)                       \
            STEP_(p_, true);            \
        *p_ = (__typeof__(*p_))(value); \
        old_;                           \
    })
#undef atomic_load
#undef atomic_store
#undef load_acquire
#undef store_release
#undef atomic_inc
#undef atomic_dec
#undef atomic_add
#undef atomic_sub
#undef atomic_or
#undef atomic_and
#undef atomic_add_return
#undef atomic_fetch_add
#undef atomic_fetch_or
#undef atomic_fetch_and
#undef atomic_dec_and_test
#undef atomic_xchg
#undef atomic_cmpxchg
#undef READ_ONCE
#undef WRITE_ONCE
#define READ_ONCE(x)                          \
    (*({                                      \
        STEP_(&(x), false);                   \
        (const volatile __typeof__(x) *)&(x); \
    }))
#define WRITE_ONCE(x, v)                          \
    ({                                            \
        __typeof__(x) value_ = (v);               \
        STEP_(&(x), true);                        \
        *(volatile __typeof__(x) *)&(x) = value_; \
    })
#define atomic_load(p)          READ_ONCE(*(p))
#define atomic_store(p, v)      WRITE_ONCE(*(p), v)
#define load_acquire(p)         READ_ONCE(*(p))
#define store_release(p, v)     WRITE_ONCE(*(p), v)
#define atomic_fetch_add(p, v)  RMW_(p, old_ + (v))
#define atomic_fetch_or(p, v)   RMW_(p, old_ | (v))
#define atomic_fetch_and(p, v)  RMW_(p, old_ &(v))
#define atomic_inc(p)           ((void)RMW_(p, old_ + 1))
#define atomic_dec(p)           ((void)RMW_(p, old_ - 1))
#define atomic_add(p, v)        ((void)RMW_(p, old_ + (v)))
#define atomic_sub(p, v)        ((void)RMW_(p, old_ - (v)))
#define atomic_or(p, v)         ((void)RMW_(p, old_ | (v)))
#define atomic_and(p, v)        ((void)RMW_(p, old_ & (v)))
#define atomic_add_return(p, v) (RMW_(p, old_ + (v)) + (v))
#define atomic_dec_and_test(p)  (RMW_(p, old_ - 1) == 1)
#define atomic_xchg(p, v)       RMW_(p, v)
#define atomic_cmpxchg(p, old, new)            \
    ({                                         \
        __typeof__(*(p)) want_ = (old);        \
        RMW_(p, old_ == want_ ? (new) : old_); \
    })
