/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pending work of a CPU: one word of named bits (struct cpu_local.work),
 * tested once on the way out to a guest and in the idle loop. Anyone may set
 * a bit; the handler runs on the CPU itself, interrupts off, no lock held.
 */
#pragma once

#include "cpu/cpumask.h"

enum {
    WORK_TIMER,    /* software timers may have expired: core/timer.c */
    WORK_SCHEDULE, /* pick the next vCPU: core/sched.c; must be last to run, it does not return */
    WORK_REAP,     /* a dying domain may have lost its last frame or reference: core/domain.c */
    WORK_CONSOLE,  /* console input or output to move */
    WORK_CALL,     /* cpu_call_* requests from other CPUs wait in the mailbox */
    WORK_TRACE,    /* a trace buffer is half full: core/trace.c */
    WORK_VCPU,     /* re-read the current vCPU's own state (kick) before entering it */
    WORK_COUNT
};

/* Table of handlers by bit, defined in boot/run.c (upper layers know the handlers). */
extern void (*const work_handlers[WORK_COUNT])(void);

/* Sets the bit on that CPU; interrupts the CPU if it is another one. */
void cpu_raise_work(u32 cpu, u32 bit);
/* That CPU's record. Only `work` may be written from another CPU. */
struct cpu_local *cpu_local_of(u32 cpu);
/* Handler of WORK_CALL, for the table. */
void cpu_call_work(void);
/* Runs handlers until no bit is set. Called on every way out and when idle. */
void cpu_do_work(void);
static inline bool cpu_has_work(void);

/* Idle loop: halts until an interrupt, unless work is pending. Interrupts are off before and after.
 */
void cpu_idle_wait(void);
/* Between steps of the idle loop's own work: lets interrupts that are pending raise theirs. */
void cpu_idle_step(void);

/* One turn of any wait loop: pause, and serve flush requests from other CPUs. */
void cpu_wait(void);
/* Supplied by core/: whether another CPU is stuck, now and then. */
void watchdog_look(void);

/* Runs fn(arg) on each CPU of the mask (this one included) and waits for all.
 * fn runs with interrupts off, possibly inside a wait loop of that CPU: it must take no lock. */
void cpu_call(const cpumask_t *mask, void (*fn)(void *), void *arg);

/* TLB flushing on other CPUs; returns when done. addr is used by FLUSH_ONE. */
enum flush_kind {
    FLUSH_TLB,        /* all non-global entries */
    FLUSH_TLB_GLOBAL, /* global ones too: after a change of hypervisor mappings */
    FLUSH_ONE,
};
void cpu_flush(const cpumask_t *mask, enum flush_kind kind, u64 addr);
void cpu_flush_local(enum flush_kind kind, u64 addr);

/*
 * Flush clock: a counter that advances with each flush. A frame records the
 * time at which its last use ended; a CPU whose own last flush is later holds
 * no stale entry for it.
 */
u32 flush_clock_now(void);
/* Removes from mask the CPUs that have flushed since stamp. */
void flush_clock_filter(cpumask_t *mask, u32 stamp);

/* Supplied by platform/; the vector that cpu_raise_work sends. */
void apic_send_ipi(u32 cpu, u32 vector);
#define CPU_WORK_VECTOR 0xf1

#include "cpu/regs.h"
static inline bool cpu_has_work(void)
{
    return READ_ONCE(cpu_local()->work) != 0;
}
