/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns each CPU's tree of timers and the setting of its timer interrupt.
 *
 * Locks: the tree's own (LOCK_TIMER), under which nothing else is taken, so
 * timers may be set under any lock but the console's and the allocators'.
 * Invariants: a timer is in the tree of its CPU exactly while `active`; its
 * `cpu` changes only under the locks of both CPUs' trees, one after the other,
 * while it is in neither; the interrupt is armed for a time not later than the
 * first of the tree (earlier is harmless: timer_work finds nothing and arms
 * anew).
 */
#include "core/timer.h"
#include "cpu/lock.h"
#include "cpu/percpu.h"
#include "cpu/work.h"
#include "lib/atomic.h"

struct timer_cpu {
    spinlock_t lock;
    struct tree tree;
    struct timer *running; /* whose function is being called */
} __aligned_to(64);

static DEFINE_PER_CPU(struct timer_cpu, timer_cpu);

static bool earlier(const struct tree_node *a, const struct tree_node *b)
{
    return tree_entry(a, struct timer, node)->when < tree_entry(b, struct timer, node)->when;
}

/* The timer's tree, locked. The timer may migrate until we hold the lock. */
static struct timer_cpu *lock_timer(struct timer *t)
{
    for (;;) {
        u32 cpu = READ_ONCE(t->cpu);
        struct timer_cpu *tc = &per_cpu(timer_cpu, cpu);

        spin_lock(&tc->lock);
        if (t->cpu == cpu)
            return tc;
        spin_unlock(&tc->lock);
    }
}

/* Makes the CPU's interrupt come no later than its new first timer. */
static void rearm(u32 cpu, ns_t when)
{
    if (cpu == this_cpu_id())
        clock_arm(when);
    else
        cpu_raise_work(cpu, WORK_TIMER);
}

static void take_out(struct timer_cpu *tc, struct timer *t)
{
    if (t->active) {
        tree_remove(&tc->tree, &t->node);
        WRITE_ONCE(t->active, false);
    }
}

void timer_init_cpu(u32 cpu)
{
    per_cpu(timer_cpu, cpu) = (struct timer_cpu){.lock = SPINLOCK(LOCK_TIMER)};
}

void timer_init(struct timer *t, void (*fn)(void *), void *arg, u32 cpu)
{
    *t = (struct timer){.fn = fn, .arg = arg, .cpu = cpu};
}

void timer_set(struct timer *t, ns_t when)
{
    struct timer_cpu *tc = lock_timer(t);

    take_out(tc, t);
    if (when != NS_NEVER && !t->killed) {
        t->when = when;
        tree_insert(&tc->tree, &t->node, earlier);
        WRITE_ONCE(t->active, true);
        if (tree_first(&tc->tree) == &t->node)
            rearm(t->cpu, when);
    }
    spin_unlock(&tc->lock);
}

void timer_stop(struct timer *t)
{
    if (!timer_is_active(t))
        return;
    struct timer_cpu *tc = lock_timer(t);

    take_out(tc, t);
    spin_unlock(&tc->lock);
}

void timer_kill(struct timer *t)
{
    if (!t->fn)
        return; /* never initialised */
    struct timer_cpu *tc = lock_timer(t);
    take_out(tc, t);
    t->killed = true;
    spin_unlock(&tc->lock);
    /* Where it was before a migration its function may still be running. */
    for_each_online_cpu (cpu)
        while (cpu != this_cpu_id() && load_acquire(&per_cpu(timer_cpu, cpu).running) == t)
            cpu_wait();
}

void timer_migrate(struct timer *t, u32 cpu)
{
    if (READ_ONCE(t->cpu) == cpu || !t->fn)
        return;
    struct timer_cpu *tc = lock_timer(t);
    bool was_active = t->active;
    take_out(tc, t);
    t->cpu = cpu;
    spin_unlock(&tc->lock);
    /* `when` is stable: only the owner sets and migrates its timer. */
    if (was_active)
        timer_set(t, t->when);
}

void timer_work(void)
{
    struct timer_cpu *tc = &this_cpu(timer_cpu);
    struct tree_node *first;
    ns_t now = clock_now();

    spin_lock(&tc->lock);
    while ((first = tree_first(&tc->tree)) != NULL) {
        struct timer *t = tree_entry(first, struct timer, node);

        if (t->when > now) {
            /* Calling functions took time: look again before going to sleep on it. */
            now = clock_now();
            if (t->when > now)
                break;
        }
        take_out(tc, t);
        tc->running = t;
        spin_unlock(&tc->lock);
        t->fn(t->arg);
        spin_lock(&tc->lock);
        store_release(&tc->running, NULL);
    }
    clock_arm(first ? tree_entry(first, struct timer, node)->when : NS_NEVER);
    spin_unlock(&tc->lock);
}

u32 timer_list(u32 cpu, struct timer *out, u32 most)
{
    struct timer_cpu *tc = &per_cpu(timer_cpu, cpu);
    u32 n = 0;

    spin_hold(&tc->lock);
    for (struct tree_node *t = tree_first(&tc->tree); t && n < most; t = tree_next(t))
        out[n++] = *tree_entry(t, struct timer, node);
    return n;
}
