/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software timers: per-CPU ordered trees; the earliest arms the CPU's timer
 * interrupt (clock_arm). Functions run from WORK_TIMER on the timer's CPU with
 * no lock held; they may set their own timer again.
 */
#pragma once

#include "lib/tree.h"
#include "platform/clock.h"

struct timer {
    struct tree_node node;
    ns_t when;
    void (*fn)(void *);
    void *arg;
    u32 cpu;
    bool active;
    bool killed; /* timer_set does nothing any more */
};

void timer_init(struct timer *t, void (*fn)(void *), void *arg, u32 cpu);
/* Absolute system time; replaces an earlier setting; past: fires at once; NS_NEVER: stops. */
void timer_set(struct timer *t, ns_t when);
void timer_stop(struct timer *t);
/* Stops for good, and waits until its function is not running (unless that is the caller). */
void timer_kill(struct timer *t);
void timer_migrate(struct timer *t, u32 cpu);
static inline bool timer_is_active(const struct timer *t)
{
    return READ_ONCE(t->active);
}
/* Copies of the first timers of a CPU, soonest first: how many. For looking at only. */
u32 timer_list(u32 cpu, struct timer *out, u32 most);
void timer_work(void);        /* WORK_TIMER handler */
void timer_init_cpu(u32 cpu); /* core_init, for each CPU, before any timer of it is set */
