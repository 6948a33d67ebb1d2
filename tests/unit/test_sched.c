// sources: core/sched.c core/sched_cpus.c core/sched_credit2.c core/timer.c lib/tree.c lib/bitmap.c
// libs: -Wl,--wrap=tree_insert,--wrap=tree_remove,--wrap=tree_next,--wrap=tree_last
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler on a few CPUs: shares, weights, caps, latency, affinity, that no
 * CPU idles while somebody who may run there waits, that nobody starves.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched_world.h"

static void shares_equal(void **state)
{
    (void)state;
    start(2);
    for (u32 i = 0; i < 5; i++)
        hog(256);
    run(20 * NS_SECOND);
    for (u32 i = 0; i < 5; i++)
        assert_share(&lives[i], 2.0 / 5, 20 * NS_SECOND, 0.02);
    assert_int_equal(idle_waits, 0);
    finish();
}

static void shares_by_weight(void **state)
{
    (void)state;
    start(1);
    hog(256);
    hog(768);
    run(20 * NS_SECOND);
    assert_share(&lives[0], 0.25, 20 * NS_SECOND, 0.02);
    assert_share(&lives[1], 0.75, 20 * NS_SECOND, 0.02);
    finish();

    start(4);
    for (u32 i = 0; i < 8; i++)
        hog(i < 4 ? 100 : 300);
    run(40 * NS_SECOND);
    for (u32 i = 0; i < 8; i++)
        assert_share(&lives[i], i < 4 ? 0.25 : 0.75, 40 * NS_SECOND, 0.02);
    finish();
}

/* Weights that cannot be honoured: nobody may starve, the light ones stay equal. */
static void shares_infeasible(void **state)
{
    (void)state;
    start(2);
    hog(50000);
    hog(1);
    hog(1);
    run(30 * NS_SECOND);
    assert_share(&lives[0], 1, 30 * NS_SECOND, 0.02);
    assert_share(&lives[1], 0.5, 30 * NS_SECOND, 0.05);
    assert_share(&lives[2], 0.5, 30 * NS_SECOND, 0.05);
    finish();
}

static void caps(void **state)
{
    struct domain *d;

    (void)state;
    start(2);
    live(new_domain(1, 256, 50), 0, NS_NEVER, 0);
    d = new_domain(2, 256, 40);
    live(d, 0, NS_NEVER, 0);
    live(d, 1, NS_NEVER, 0);
    run(10 * NS_SECOND);
    assert_share(&lives[0], 0.5, 10 * NS_SECOND, 0.02);
    assert_in_range(lives[1].ran + lives[2].ran, 392 * NS_SECOND / 100, 408 * NS_SECOND / 100);
    /* Lifted: it has what the others leave, at once. */
    ns_t before = lives[0].ran;
    assert_int_equal(sched_set_params(lives[0].v->domain, 0, 0), 0);
    run(NS_SECOND);
    assert_in_range(lives[0].ran - before, 79 * NS_SECOND / 100, NS_SECOND);
    assert_int_equal(sched_set_params(d, 70000, 0), -EINVAL);
    finish();
}

/* One that has had a CPU to itself for long is counted from when it gets a cap, and from then on.
 */
static void cap_while_running(void **state)
{
    ns_t before;

    (void)state;
    start(2);
    hog(256);
    run(10 * NS_SECOND);
    before = lives[0].ran;
    assert_int_equal(sched_set_params(lives[0].v->domain, 0, 50), 0);
    run(NS_SECOND);
    assert_in_range(lives[0].ran - before, 48 * NS_SECOND / 100, 54 * NS_SECOND / 100);
    finish();
}

/* One that wakes often for a short time beside those that never sleep. */
static void wake_latency(void **state)
{
    struct life *io;

    (void)state;
    start(1);
    hog(256);
    hog(256);
    hog(256);
    io = live(new_domain(1, 256, 0), 0, 100 * NS_US, 10 * NS_MS);
    run(10 * NS_SECOND);
    assert_true(io->wakes > 900);
    assert_true(io->latency / (ns_t)io->wakes < 300 * NS_US);
    assert_true(io->worst_latency <= 600 * NS_US);
    finish();

    /* An idle CPU is there: at once. */
    start(2);
    hog(256);
    io = live(new_domain(1, 256, 0), 0, NS_MS, 3 * NS_MS);
    run(5 * NS_SECOND);
    assert_int_equal(io->worst_latency, 0);
    finish();
}

static struct life *sleeper(ns_t burst, ns_t nap)
{
    struct life *l = live(new_domain(1, 256, 0), 0, burst, nap);

    l->random = true;
    return l;
}

/* Of those that sleep, 99 of 100 times they run within a millisecond of being woken. */
static void assert_prompt(const char *what, u32 n)
{
    for (u32 i = 0; i < life_count; i++)
        if (lives[i].nap && (lives[i].late * 100 > lives[i].wakes || lives[i].wakes < 100))
            fail_msg("%s %u: vCPU %u was late %lu of %lu times, %ld us at worst", what, n, i,
                     lives[i].late, lives[i].wakes, lives[i].worst_latency / NS_US);
    finish();
}

/* One that is mostly idle, and ones that do some work, beside eight that are busy. */
static void wake_latency_busy(void **state)
{
    (void)state;
    for (u32 count = 1; count <= 2; count++)
        for (u32 kind = 0; kind < 6; kind++) {
            cpumask_t first = cpumask_of(0);

            srand(kind);
            start(count);
            for (u32 i = 0; i < 8; i++)
                live(new_domain(1, kind == 1 ? 64U << i % 5 : 256, kind == 2 ? 30 : 0), 0, NS_NEVER,
                     0);
            run(NS_SECOND);
            sleeper(50 * NS_US, 20 * NS_MS);
            if (kind == 3) /* others that come and go, within what is theirs */
                for (u32 i = 0; i < 4; i++)
                    sleeper(300 * NS_US, 15 * NS_MS / count);
            if (kind == 4) /* it lives where most are bound */
                for (u32 i = 0; i < 9; i += 2)
                    sched_set_affinity(lives[i].v, &first, NULL);
            if (kind == 5) /* bursts of wakes in short order */
                sleeper(30 * NS_US, 600 * NS_US);
            run(20 * NS_SECOND);
            assert_prompt("beside eight", count * 10 + kind);
        }
}

/* Random machines: sleepers that take less than their share are served at once. */
static void wake_latency_random(void **state)
{
    (void)state;
    for (u32 seed = 1; seed <= how_many(20); seed++) {
        u32 hogs, sleepers;

        srand(seed);
        start(1 + (u32)rand() % 8);
        hogs = cpu_count + (u32)rand() % (cpu_count * 5);
        sleepers = 1 + (u32)rand() % (cpu_count * 2);
        for (u32 i = 0; i < hogs; i++)
            hog(rand() % 2 ? 256 : 128U << rand() % 3);
        run(NS_SECOND);
        for (u32 i = 0; i < sleepers; i++) /* at most 4 % of a CPU each */
            sleeper((10 + rand() % 190) * NS_US, (5 + rand() % 20) * NS_MS);
        run(5 * NS_SECOND);
        assert_prompt("random", seed);
    }
}

/* One that uses more than its share waits, but has what is its, woken when it has just run. */
static void greedy_sleeper(void **state)
{
    struct life *io;

    (void)state;
    start(1);
    for (u32 i = 0; i < 8; i++)
        hog(256);
    io = live(new_domain(1, 256, 0), 0, 200 * NS_US, 100 * NS_US);
    run(NS_SECOND);
    forget();
    run(20 * NS_SECOND);
    assert_share(io, 1.0 / 9, 20 * NS_SECOND, 0.1);
    for (u32 i = 0; i < 8; i++)
        assert_share(&lives[i], 1.0 / 9, 20 * NS_SECOND, 0.03);
    finish();
}

/* A new one is as welcome as one that slept, after any length of time. */
static void newcomers(void **state)
{
    (void)state;
    start(2);
    for (u32 i = 0; i < 8; i++)
        hog(256);
    run(NS_SECOND);
    for (u32 i = 0; i < 20; i++) {
        struct life *l = live(new_domain(1, 256, 0), 0, NS_MS, NS_SECOND * 100);

        run(300 * NS_MS);
        l->v->pause_flags = PAUSE_BLOCKED;
        run(NS_MS);
        assert_true(l->ran > 0 && l->worst <= NS_MS);
    }
    finish();
}

/* vCPUs that stop and start again: nobody gains or loses by it. */
static void up_and_down(void **state)
{
    (void)state;
    start(2);
    for (u32 i = 0; i < 6; i++)
        hog(256);
    run(NS_SECOND);
    for (u32 i = 0; i < 40; i++) {
        struct life *l = &lives[4 + i % 2];

        l->v->pause_flags ^= PAUSE_IO;
        if (l->v->pause_flags & PAUSE_IO)
            sched_sleep_nosync(l->v);
        else
            sched_wake(l->v);
        settle();
        forget();
        run(2 * NS_SECOND);
        u32 down = !!(lives[4].v->pause_flags & PAUSE_IO) + !!(lives[5].v->pause_flags & PAUSE_IO);
        for (u32 n = 0; n < 4; n++)
            assert_share(&lives[n],
                         down == 2   ? 0.5
                         : down == 1 ? 0.4
                                     : 1.0 / 3,
                         2 * NS_SECOND, 0.05);
    }
    finish();
}

/* A refill that comes late, as the machine stood still, makes up for it. */
static void late_refill(void **state)
{
    struct life *l;

    (void)state;
    start(1);
    l = live(new_domain(1, 256, 20), 0, NS_NEVER, 0);
    run(NS_SECOND);
    forget();
    for (u32 i = 0; i < 100; i++) {
        run(10 * NS_MS);
        l->ran += on_cpu(l->v) ? 10 * NS_MS : 0; /* as far as anybody can tell */
        now += 10 * NS_MS;
    }
    assert_in_range(l->ran, 392 * NS_MS, 408 * NS_MS);
    finish();
}

/* A long sleeper must not get more than its share for having slept. */
static void no_saved_credit(void **state)
{
    struct life *a, *b;
    ns_t before;

    (void)state;
    start(1);
    a = hog(256);
    b = live(new_domain(1, 256, 0), 0, NS_NEVER, 0);
    b->wake_at = now + 5 * NS_SECOND;
    b->v->pause_flags = PAUSE_BLOCKED;
    run(5 * NS_SECOND + 1);
    before = a->ran;
    run(NS_SECOND);
    assert_in_range(a->ran - before, 480 * NS_MS, 520 * NS_MS);
    finish();
}

static void affinity(void **state)
{
    cpumask_t one = cpumask_of(0), other = cpumask_of(1), none = cpumask_of(99);

    (void)state;
    start(2);
    for (u32 i = 0; i < 3; i++)
        hog(256);
    assert_int_equal(sched_set_affinity(lives[0].v, &none, NULL), -EINVAL);
    assert_int_equal(sched_set_affinity(lives[0].v, &one, NULL), 0);
    assert_int_equal(sched_set_affinity(lives[1].v, &one, NULL), 0);
    assert_int_equal(sched_set_affinity(lives[2].v, &other, NULL), 0);
    run(10 * NS_SECOND);
    assert_share(&lives[0], 0.5, 10 * NS_SECOND, 0.02);
    assert_share(&lives[1], 0.5, 10 * NS_SECOND, 0.02);
    assert_share(&lives[2], 1, 10 * NS_SECOND, 0.001);
    /* lives[2] was alone and so far ahead: it must not pay long for that. */
    assert_int_equal(sched_set_affinity(lives[2].v, &one, NULL), 0);
    assert_int_equal(sched_set_affinity(lives[0].v, &other, NULL), 0);
    ns_t before = lives[2].ran;
    run(2 * NS_SECOND);
    assert_true(lives[2].ran - before > 800 * NS_MS);
    finish();
}

/* Who yields lets the other run, and does not lose its share for good. */
static void yielding(void **state)
{
    struct life *a, *b;

    (void)state;
    start(1);
    a = hog(256);
    b = hog(256);
    run(NS_SECOND);
    for (u32 i = 0; i < 100; i++) {
        struct vcpu *was = cpus[0].runs;

        host_cpu_local.cpu = 0;
        current = was;
        sched_yield();
        settle();
        assert_ptr_not_equal(cpus[0].runs, was);
        run(3 * NS_MS);
    }
    run(5 * NS_SECOND);
    assert_in_range(a->ran - b->ran + 100 * NS_MS, 0, 200 * NS_MS);
    /* Alone it just goes on. */
    b->v->pause_flags |= PAUSE_IO;
    sched_sleep_nosync(b->v);
    settle();
    sched_yield();
    settle();
    assert_ptr_equal(cpus[0].runs, a->v);
    finish();
}

/* The vCPU that runs wakes l up; how long that then waits. */
static ns_t latency_of_event(struct life *l)
{
    l->worst_latency = 0;
    assert_int_equal(l->v->sched.state, SCHED_ASLEEP);
    sched_sending(true);
    wake_now(l);
    sched_sending(false);
    settle();
    run(20 * NS_MS);
    assert_int_equal(l->v->sched.state, SCHED_ASLEEP); /* it ran */
    return l->worst_latency;
}

/* Who sends an event goes on for a moment, if nobody else is there and unless it sleeps. */
static void grace_of_sender(void **state)
{
    const ns_t turn = POOL_RATELIMIT_US * NS_US;
    struct life *sender, *receiver, *third;

    (void)state;
    start(1);
    sender = hog(256);
    receiver = live(new_domain(1, 256, 0), 0, 100 * NS_US, 1000 * NS_SECOND);
    third = live(new_domain(1, 256, 0), 0, 100 * NS_US, 1000 * NS_SECOND);
    run(100 * NS_MS);
    assert_int_equal(latency_of_event(receiver), 4 * turn);
    /* A timer's receiver does not wait, nor does the first one then. */
    sched_sending(true);
    wake_now(receiver);
    sched_sending(false);
    settle();
    run(turn / 2);
    assert_true(receiver->fresh);
    third->worst_latency = receiver->worst_latency = 0;
    wake_now(third);
    settle();
    run(10 * NS_MS);
    assert_in_range(third->worst_latency, 0, turn);
    assert_in_range(receiver->worst_latency, 0, 2 * turn);
    /* Without it: at once, as the sender has run for long. */
    wake_now(receiver);
    settle();
    assert_ptr_equal(cpus[0].runs, receiver->v);
    run(10 * NS_MS);
    /* The sender sleeps: at once. */
    sched_sending(true);
    wake_now(receiver);
    sched_sending(false);
    sender->nap = 10 * NS_MS;
    sleep_now(sender);
    settle();
    assert_ptr_equal(cpus[0].runs, receiver->v);
    run(20 * NS_MS);
    /* No least turn, no grace. */
    pool_zero.ratelimit_us = 0;
    assert_int_equal(latency_of_event(receiver), 0);
    pool_zero.ratelimit_us = POOL_RATELIMIT_US;
    /* Beside somebody who waits already: no longer than without. */
    hog(256);
    run(100 * NS_MS);
    assert_in_range(latency_of_event(receiver), 0, turn);
    finish();
}

static void random_load(u32 cpu_number, u32 vcpu_number, u32 seed)
{
    srand(seed);
    start(cpu_number);
    for (u32 i = 0; i < vcpu_number; i++) {
        struct domain *d = new_domain(1, (u32)(64 + rand() % 960), rand() % 6 ? 0 : 30);
        struct life *l = live(d, 0, (rand() % 20 + 1) * NS_MS / 4, (rand() % 40) * NS_MS / 4);

        l->random = l->nap != 0;
        if (!l->nap)
            l->burst = l->left = NS_NEVER;
        if (rand() % 4 == 0) {
            cpumask_t m = cpumask_of((u32)rand() % cpu_number);
            cpumask_set(&m, (u32)rand() % cpu_number);
            sched_set_affinity(l->v, &m, NULL);
        }
    }
    for (u32 i = 0; i < 10; i++) {
        run(NS_SECOND / 2);
        /* Somebody is moved about. */
        cpumask_t m = cpumask_of((u32)rand() % cpu_number);
        cpumask_set(&m, (u32)rand() % cpu_number);
        sched_set_affinity(lives[(u32)rand() % life_count].v, &m, NULL);
        settle();
    }
    for (u32 i = 0; i < life_count; i++) {
        struct vcpu_runstate_info r;
        u64 sum = 0;

        if (lives[i].worst > 3 * NS_SECOND)
            fail_msg("vCPU %u of %u waited %lld ms (weight %u)", i, life_count,
                     (long long)(lives[i].worst / NS_MS), lives[i].v->sched.weight);
        /* What the guest is told adds up. */
        vcpu_get_runstate(lives[i].v, &r);
        for (u32 n = 0; n < 4; n++)
            sum += r.time[n];
        assert_int_equal(sum, now - 1000);
        assert_int_equal(r.time[RUNSTATE_running], lives[i].ran);
    }
    finish();
}

static void random_loads(void **state)
{
    (void)state;
    for (u32 seed = 1; seed <= 12; seed++)
        random_load(seed % 4 + 1, 4 + seed * 2, seed);
}

/* Two queues: CPUs 0-7 and 8-15. */
static void many_cpus(void **state)
{
    (void)state;
    start(16);
    for (u32 i = 0; i < 24; i++)
        hog(256);
    run(20 * NS_SECOND);
    for (u32 i = 0; i < 24; i++)
        assert_share(&lives[i], 16.0 / 24, 20 * NS_SECOND, 0.1);
    finish();

    /* All pushed onto one queue by affinity, then let free: they spread out. */
    start(16);
    cpumask_t low = {{0xff}}, all = {{0xffff}};
    for (u32 i = 0; i < 16; i++)
        sched_set_affinity(hog(256)->v, &low, NULL);
    run(NS_SECOND);
    for (u32 i = 0; i < 16; i++)
        sched_set_affinity(lives[i].v, &all, NULL);
    run(NS_SECOND);
    for (u32 i = 0; i < 16; i++)
        lives[i].ran = 0;
    run(2 * NS_SECOND);
    for (u32 i = 0; i < 16; i++)
        assert_share(&lives[i], 1, 2 * NS_SECOND, 0.02);
    finish();
    for (u32 seed = 100; seed < 104; seed++)
        random_load(16, 50, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_equal),
        cmocka_unit_test(shares_by_weight),
        cmocka_unit_test(shares_infeasible),
        cmocka_unit_test(caps),
        cmocka_unit_test(cap_while_running),
        cmocka_unit_test(wake_latency),
        cmocka_unit_test(no_saved_credit),
        cmocka_unit_test(affinity),
        cmocka_unit_test(yielding),
        cmocka_unit_test(random_loads),
        cmocka_unit_test(many_cpus),
        cmocka_unit_test(wake_latency_busy),
        cmocka_unit_test(wake_latency_random),
        cmocka_unit_test(greedy_sleeper),
        cmocka_unit_test(newcomers),
        cmocka_unit_test(up_and_down),
        cmocka_unit_test(late_refill),
        cmocka_unit_test(grace_of_sender),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
