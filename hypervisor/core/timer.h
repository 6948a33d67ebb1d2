/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software timers: per-CPU ordered trees; the earliest arms the CPU's timer
 * interrupt (clock_arm). Functions run from WORK_TIMER on the timer's CPU with
 * no lock held.
 */
#pragma once

#include "lib/tree.h"
#include "lib/types.h"
#include "platform/clock.h"

struct timer {
    struct tree_node node;
    ns_t when;
    void (*fn)(void *);
    void *arg;
    u32 cpu;
    bool active;
};

void timer_init(struct timer *t, void (*fn)(void *), void *arg, u32 cpu);
void timer_set(struct timer *t, ns_t when); /* absolute system time; replaces an earlier setting */
void timer_stop(struct timer *t);
void timer_kill(struct timer *t);           /* stops and waits until its function is not running */
void timer_migrate(struct timer *t, u32 cpu);
static inline bool timer_is_active(const struct timer *t)
{
    return t->active;
}
void timer_work(void); /* WORK_TIMER handler */
