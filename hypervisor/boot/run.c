/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of boot/ stays: the table of work handlers, which needs to know all
 * layers, and the step from booting to running. Not in the init region (see
 * tenon.lds.S), as it is this that gives the region back.
 */
#include "boot/boot.h"
#include "core/domain.h"
#include "core/init.h"
#include "core/trace.h"
#include "cpu/symbols.h"
#include "cpu/work.h"
#include "memory/init.h"
#include "platform/console.h"
#include "platform/irq.h"

_Static_assert(CPU_WORK_VECTOR == VECTOR_WORK, "cpu/work.h and platform/irq.h must agree");

/* Waking is all it is for: the way out looks at the vCPU by itself. */
static void vcpu_was_kicked(void)
{
}

void (*const work_handlers[WORK_COUNT])(void) = {
    [WORK_TIMER] = timer_work,     [WORK_SCHEDULE] = sched_work, [WORK_REAP] = domain_reap,
    [WORK_CONSOLE] = console_work, [WORK_CALL] = cpu_call_work,  [WORK_VCPU] = vcpu_was_kicked,
    [WORK_TRACE] = trace_work,
};

void cpu_run(void)
{
    atomic_inc(&cpus_online_count);
    cpumask_set(&cpus_online, this_cpu_id());
    /* Requests of the boot CPU, until core_init() sets this CPU's current and
     * raises WORK_SCHEDULE: the scheduler does not come back. */
    for (;;) {
        cpu_do_work();
        cpu_idle_wait();
    }
}

static void finish(void)
{
    symbols_drop_init();
    u64 bytes = memory_free_init();
    printk(LOG_INFO, "Boot code freed: %lu KiB\n", bytes >> 10);
    console_boot_done();
    core_start();
}

void boot_finish(void)
{
    /* The caller's frames belong to code that is about to go. */
    reset_stack_and_jump(finish);
}
