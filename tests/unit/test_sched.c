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
    b->v->pause_count = 1;
    sched_sleep_nosync(b->v);
    settle();
    sched_yield();
    settle();
    assert_ptr_equal(cpus[0].runs, a->v);
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
        cmocka_unit_test(shares_equal),      cmocka_unit_test(shares_by_weight),
        cmocka_unit_test(shares_infeasible), cmocka_unit_test(caps),
        cmocka_unit_test(wake_latency),      cmocka_unit_test(no_saved_credit),
        cmocka_unit_test(affinity),          cmocka_unit_test(yielding),
        cmocka_unit_test(random_loads),      cmocka_unit_test(many_cpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
