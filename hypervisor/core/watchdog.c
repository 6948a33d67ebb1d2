/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * watchdog: a CPU that leaves the hypervisor serves a timer every second. Each
 * looks, then and while it waits for others, whether the next CPU in the ring of
 * all still does. One that has not for watchdog_timeout= such looks is stuck: the
 * machine ends with a report that has every CPU's stack. Looks are counted, not
 * time, so that a machine that stands still as a whole is not taken for a stuck
 * CPU. Off by default, as an emulator may well stop one CPU for seconds; of no
 * use with one CPU.
 *
 * A struct beat is written by its CPU alone. No locks.
 */
#include "core/init.h"
#include "core/timer.h"
#include "cpu/percpu.h"
#include "lib/option.h"

static bool wanted __initdata;
static u32 timeout __ro_after_init = 5;
CMDLINE_BOOL("watchdog", wanted);
CMDLINE_UINT("watchdog_timeout", timeout);

struct beat {
    struct timer timer;
    u32 count;
    u32 seen, silent; /* the next CPU's count, and for how many looks it has been that */
    ns_t due;         /* the next look; 0: never */
};
static DEFINE_PER_CPU(struct beat, beat);

void watchdog_look(void)
{
    struct beat *mine = &this_cpu(beat);
    ns_t now;

    if (likely(!mine->due) || (now = clock_now()) < mine->due)
        return;
    mine->due = now + NS_SECOND;
    u32 other = cpumask_next(&cpus_online, this_cpu_id() + 1);
    if (other >= MAX_CPUS)
        other = cpumask_next(&cpus_online, 0);
    u32 count = READ_ONCE(per_cpu(beat, other).count);
    mine->silent = count == mine->seen ? mine->silent + 1 : 0;
    mine->seen = count;
    if (mine->silent > timeout)
        panic("CPU %u is stuck: no timer served for %u seconds", other, mine->silent);
}

static void serve(void *)
{
    struct beat *mine = &this_cpu(beat);

    WRITE_ONCE(mine->count, mine->count + 1);
    watchdog_look();
    timer_set(&mine->timer, clock_now() + NS_SECOND);
}

__init void watchdog_init(void)
{
    if (!wanted)
        return;
    for_each_online_cpu (cpu) {
        struct beat *b = &per_cpu(beat, cpu);

        timer_init(&b->timer, serve, NULL, cpu);
        WRITE_ONCE(b->due, clock_now() + NS_SECOND);
        timer_set(&b->timer, b->due);
    }
}
