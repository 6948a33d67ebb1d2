/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Domain watchdogs: timers that a domain sets and must set again and again;
 * when one runs out, the domain is shut down with SHUTDOWN_watchdog, and the
 * tools do what its configuration says (on_watchdog).
 *
 * Lock: the domain's (LOCK_DOMAIN) for which of them are in use. The timers run
 * on where they were made; while a domain is paused they go on, as the
 * interface has it. domain_destroy ends them for good.
 */
#include "core/domain_private.h"
#include "platform/console.h"
#include <xen/sched.h>

static void run_out(void *arg)
{
    struct domain *d = arg;

    if (READ_ONCE(d->dying) != DYING_NOT || READ_ONCE(d->shutdown) != SHUTDOWN_NOT)
        return;
    printk(LOG_WARNING, "d%u: its watchdog has run out\n", d->id);
    domain_shutdown(d, SHUTDOWN_watchdog);
}

void domain_watchdog_init(struct domain *d)
{
    for (u32 i = 0; i < DOMAIN_WATCHDOGS; i++)
        timer_init(&d->watchdogs[i], run_out, d, this_cpu_id());
}

void domain_watchdog_kill(struct domain *d)
{
    for (u32 i = 0; i < DOMAIN_WATCHDOGS; i++)
        timer_kill(&d->watchdogs[i]);
}

/* Ids count from 1, since 0 asks for a new one. The lock is held. */
static int choose(const struct domain *d, u32 id, u32 seconds)
{
    if (id > DOMAIN_WATCHDOGS)
        return reject(-EINVAL, "no such watchdog");
    if (id)
        return d->watchdogs_used & 1U << (id - 1) ? (int)id : reject(-EINVAL, "unused watchdog");
    if (!seconds)
        return reject(-EINVAL, "watchdog without time");
    for (u32 i = 0; i < DOMAIN_WATCHDOGS; i++)
        if (!(d->watchdogs_used & 1U << i))
            return (int)i + 1;
    return reject(-ENOSPC, "all watchdogs are in use");
}

int domain_watchdog(struct domain *d, u32 id, u32 seconds)
{
    spin_hold(&d->lock);
    int chosen = choose(d, id, seconds);
    if (chosen < 0)
        return chosen;
    u32 bit = 1U << (chosen - 1);
    d->watchdogs_used = seconds ? d->watchdogs_used | bit : d->watchdogs_used & ~bit;
    timer_set(&d->watchdogs[chosen - 1],
              seconds ? clock_now() + (ns_t)seconds * NS_SECOND : NS_NEVER);
    return id ? 0 : chosen;
}
