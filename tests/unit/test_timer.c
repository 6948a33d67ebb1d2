// sources: core/timer.c lib/tree.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* Timers of two CPUs against a plain list: none early, none lost, the interrupt never armed late.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/timer.h"
#include "cpu/lock.h"
#include "cpu/regs.h"
#include "cpu/work.h"

#define TIMERS 40

struct cpu_local host_cpu_local;
cpumask_t cpus_online = {{3}};
u32 cpus_online_count = 2;
static ns_t now = 100, armed[2] = {NS_NEVER, NS_NEVER};
static bool work[2];

static struct test_timer {
    struct timer t;
    ns_t when; /* NS_NEVER: not set */
    u32 cpu, fired;
    ns_t again; /* sets itself that much later */
} timers[TIMERS];

ns_t clock_now(void)
{
    return now;
}
void clock_arm(ns_t when)
{
    armed[this_cpu_id()] = when;
}
void cpu_raise_work(u32 cpu, u32 bit)
{
    assert_int_equal(bit, WORK_TIMER);
    work[cpu] = true;
}
void cpu_wait(void)
{
    abort();
}
void spin_lock(spinlock_t *lock)
{
    assert_int_equal(lock->owner, 0);
    lock->owner = 1;
}
void spin_unlock(spinlock_t *lock)
{
    lock->owner = 0;
}

static void fire(void *arg)
{
    struct test_timer *t = arg;

    assert_int_equal(this_cpu_id(), t->cpu);
    assert_true(t->when <= now);
    t->fired++;
    t->when = NS_NEVER;
    if (t->again) {
        t->when = now + t->again;
        timer_set(&t->t, t->when);
    }
}

static void work_off(void)
{
    for (u32 cpu = 0; cpu < 2; cpu++) {
        host_cpu_local.cpu = cpu;
        if (armed[cpu] <= now) {
            armed[cpu] = NS_NEVER;
            work[cpu] = true;
        }
        if (work[cpu]) {
            work[cpu] = false;
            timer_work();
        }
    }
    host_cpu_local.cpu = 0;
}

static int setup(void **state)
{
    (void)state;
    memset(timers, 0, sizeof(timers));
    for (u32 cpu = 0; cpu < 2; cpu++)
        timer_init_cpu(cpu);
    for (u32 i = 0; i < TIMERS; i++) {
        timers[i].cpu = i & 1;
        timers[i].when = NS_NEVER;
        timer_init(&timers[i].t, fire, &timers[i], i & 1);
    }
    return 0;
}

static void one_after_the_other(void **state)
{
    struct test_timer *t = timers;

    (void)state;
    host_cpu_local.cpu = 0;
    t->when = now - 50; /* past: at once */
    timer_set(&t->t, t->when);
    assert_true(timer_is_active(&t->t));
    work_off();
    assert_int_equal(t->fired, 1);
    assert_false(timer_is_active(&t->t));
    t->when = now + 10;
    timer_set(&t->t, now + 1000);
    timer_set(&t->t, t->when);
    assert_int_equal(armed[0], t->when);
    now += 10;
    work_off();
    assert_int_equal(t->fired, 2);
    now += 2000;
    work_off();
    assert_int_equal(t->fired, 2);
    timer_kill(&t->t);
    timer_set(&t->t, now);
    work_off();
    assert_int_equal(t->fired, 2);
    timer_set(&timers[2].t, NS_NEVER);
    assert_false(timer_is_active(&timers[2].t));
}

static void random_play(void **state)
{
    (void)state;
    srand(1);
    for (u32 step = 0; step < 200000; step++) {
        struct test_timer *t = &timers[rand() % TIMERS];

        host_cpu_local.cpu = (u32)rand() & 1;
        switch (rand() % 8) {
        case 0:
        case 1:
        case 2:
            t->when = now + rand() % 500 - 20;
            timer_set(&t->t, t->when);
            break;
        case 3:
            t->when = NS_NEVER;
            timer_stop(&t->t);
            break;
        case 4:
            t->cpu = (u32)rand() & 1;
            timer_migrate(&t->t, t->cpu);
            break;
        case 5:
            t->again = rand() % 3 ? 0 : rand() % 300 + 1;
            break;
        default:
            now += rand() % 100;
            work_off();
            work_off();
        }
        for (u32 i = 0; i < TIMERS; i++) {
            struct test_timer *u = &timers[i];

            assert_int_equal(timer_is_active(&u->t), u->when != NS_NEVER);
            /* Its CPU will look in time. */
            if (u->when != NS_NEVER && !work[u->cpu])
                assert_true(armed[u->cpu] <= u->when);
        }
    }
    for (u32 i = 0; i < TIMERS; i++)
        assert_true(timers[i].fired > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_after_the_other, setup),
        cmocka_unit_test_setup(random_play, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
