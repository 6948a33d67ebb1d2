// sources: core/sched.c core/sched_cpus.c core/sched_credit2.c core/timer.c lib/tree.c lib/bitmap.c
// libs: -Wl,--wrap=tree_insert,--wrap=tree_remove,--wrap=tree_next,--wrap=tree_last
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random workloads: who gets what, against what is just. Just is what filling
 * all glasses at speeds in proportion to the weights gives: a vCPU's glass is
 * full at one CPU or at its cap, and all glasses of those that are bound to a
 * set of CPUs are full together when these CPUs are used up.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched_world.h"

/* Sets of CPUs that may be used up: all subsets of a few; of many, each alone and all together. */
static u64 cpu_sets[1 << 8];
static u32 cpu_set_count;

static void list_cpu_sets(void)
{
    cpu_set_count = 0;
    if (cpu_count <= 6) {
        for (u64 set = 1; set < 1UL << cpu_count; set++)
            cpu_sets[cpu_set_count++] = set;
        return;
    }
    for (u32 cpu = 0; cpu < cpu_count; cpu++)
        cpu_sets[cpu_set_count++] = 1UL << cpu;
    cpu_sets[cpu_set_count++] = cpus_online.bits[0];
}

static u64 mask_of(const struct life *l)
{
    return l->v->hard_affinity.bits[0] & cpus_online.bits[0];
}

static double limit_of(const struct life *l)
{
    double cap = l->v->domain->sched.cap / 100.0 / l->v->domain->max_vcpus;

    return cap > 0 && cap < 1 ? cap : 1;
}

static double room_in(u64 set, const bool *full)
{
    double room = __builtin_popcountl(set), weight = 0;

    for (u32 i = 0; i < life_count; i++) {
        if (mask_of(&lives[i]) & ~set)
            continue;
        if (full[i])
            room -= lives[i].share;
        else
            weight += lives[i].v->sched.weight;
    }
    return weight > 0 ? room / weight : 1e9;
}

/* Sets everyone's just share; all are hogs. */
static void fill(void)
{
    static bool full[VCPUS];
    u32 left = life_count;

    memset(full, 0, sizeof(full));
    list_cpu_sets();
    while (left) {
        double level = 1e9;
        u64 tight = 0;

        for (u32 i = 0; i < cpu_set_count; i++) {
            double room = room_in(cpu_sets[i], full);

            if (room < level) {
                level = room;
                tight = cpu_sets[i];
            }
        }
        for (u32 i = 0; i < life_count; i++)
            if (!full[i])
                level = MIN(level, limit_of(&lives[i]) / lives[i].v->sched.weight);
        if (level < room_in(tight, full) - 1e-12)
            tight = 0;
        for (u32 i = 0; i < life_count; i++) {
            struct life *l = &lives[i];
            double share = level * l->v->sched.weight;

            if (full[i] || (share < limit_of(l) - 1e-9 && (!tight || (mask_of(l) & ~tight))))
                continue;
            l->share = share;
            full[i] = true;
            left--;
        }
    }
}

/*
 * Everybody within 2 % of what is just, and a slice and a half, which the ends
 * of the time cut off. One that could use more than a CPU and fits on those of
 * different others takes turns among them or stays with some: then nobody looks
 * for the chain of moves that would be just, but nobody starves either.
 */
static double worst;
static void check_shares(ns_t length, const char *what, u32 seed)
{
    bool heavy = false, pins = false;

    for (u32 i = 0; i < life_count; i++) {
        heavy |= lives[i].share > 0.999 && __builtin_popcountl(mask_of(&lives[i])) > 1;
        pins |= mask_of(&lives[i]) != cpus_online.bits[0];
    }
    for (u32 i = 0; i < life_count; i++) {
        const struct life *l = &lives[i];
        double wanted = l->share * (double)length, got = (double)l->ran, off, slack;

        off = got > wanted ? got - wanted : wanted - got;
        slack = 1.5 * (double)policy_slice(&l->v->sched);
        if (!heavy || !pins)
            worst = MAX(worst, l->share > 0.05 ? off / wanted : 0);
        if (off > wanted * (heavy && pins ? 0.5 : 0.02) + slack)
            fail_msg("%s %u: vCPU %u of %u on %u CPUs has %.4f, just is %.4f (weight %u, mask %lx, "
                     "cap %u)",
                     what, seed, i, life_count, cpu_count, got / (double)length, l->share,
                     l->v->sched.weight, mask_of(l), l->v->domain->sched.cap);
    }
}

static void pin(struct life *l, u32 cpus_at_most)
{
    cpumask_t m = {{0}};

    for (u32 n = 1 + (u32)rand() % cpus_at_most; n; n--)
        cpumask_set(&m, (u32)rand() % cpu_count);
    assert_int_equal(sched_set_affinity(l->v, &m, NULL), 0);
}

/* Hogs with or without weights, caps, affinities. */
static void one_random(u32 seed)
{
    ns_t length = 20 * NS_SECOND;
    bool pins, caps, weights;
    u32 count;

    srand(seed);
    start(1 + (u32)rand() % 6);
    count = 1 + (u32)rand() % (cpu_count * 6);
    pins = rand() % 2, caps = rand() % 3 == 0, weights = rand() % 3;
    for (u32 i = 0; i < count; i++) {
        u32 cap = caps && rand() % 3 == 0 ? 5 + (u32)rand() % 70 : 0;
        struct life *l =
            live(new_domain(1, weights ? 64U << rand() % 4 : 256, cap), 0, NS_NEVER, 0);

        if (pins && rand() % 2)
            pin(l, 2);
    }
    /* Time that is left while all with caps stand still would be nobody's. */
    for (u32 i = 0; caps && i < cpu_count + 2; i++)
        hog(256);
    fill();
    run(3 * NS_SECOND);
    forget();
    run(length);
    check_shares(length, "random", seed);
    assert_int_equal(idle_waits, 0);
    finish();
}

static void random_shares(void **state)
{
    u32 count = how_many(200);

    (void)state;
    worst = 0;
    for (u32 seed = 1; seed <= count; seed++)
        one_random(seed);
    print_message("%u workloads, shares off by %.2f %% at most\n", count, worst * 100);
}

/* Groups on different CPUs of one queue, at different speeds: weights hold within each. */
static void lonely_groups(void **state)
{
    (void)state;
    start(4);
    pinned_hog(256, 1);
    pinned_hog(256, 2), pinned_hog(768, 2);
    for (u32 i = 0; i < 5; i++)
        pinned_hog(128U << i, 4);
    pinned_hog(64, 8), pinned_hog(192, 8), hog(256);
    fill();
    run(2 * NS_SECOND);
    forget();
    run(20 * NS_SECOND);
    check_shares(20 * NS_SECOND, "groups", 0);
    /* The barriers fall: soon nobody remembers. */
    cpumask_t all = {{0xf}};
    for (u32 i = 0; i < life_count; i++)
        assert_int_equal(sched_set_affinity(lives[i].v, &all, NULL), 0);
    fill();
    run(3 * NS_SECOND);
    forget();
    run(20 * NS_SECOND);
    check_shares(20 * NS_SECOND, "groups united", 0);
    assert_int_equal(idle_waits, 0);
    finish();
}

/* Domains with several vCPUs and a cap for all of them together. */
static void caps_of_many(void **state)
{
    (void)state;
    for (u32 seed = 1; seed <= how_many(20); seed++) {
        struct domain *d;
        ns_t ran = 0;
        u32 cap, vcpus;

        srand(seed);
        start(4);
        vcpus = 1 + (u32)rand() % 8;
        cap = 10 + (u32)rand() % 90 * MIN(vcpus, 3U);
        d = new_domain(vcpus, 256, 0);
        sched_set_params(d, 0, cap);
        for (u32 i = 0; i < vcpus; i++)
            live(d, i, NS_NEVER, 0);
        if (cap < 150) /* then the others leave room for it */
            live(new_domain(1, 256, 0), 0, NS_NEVER, 0);
        live(new_domain(1, 256, 0), 0, 3 * NS_MS, 5 * NS_MS)->random = true;
        run(NS_SECOND);
        forget();
        run(10 * NS_SECOND);
        for (u32 i = 0; i < vcpus; i++)
            ran += lives[i].ran;
        if (ran < cap * 98L * NS_MS || ran > cap * 102L * NS_MS)
            fail_msg("cap %u, %u vCPUs: %ld ms in 10 s", cap, vcpus, ran / NS_MS);
        for (u32 i = 0; i < vcpus; i++)
            assert_in_range(lives[i].ran, ran / vcpus * 8 / 10, ran / vcpus * 12 / 10);
        finish();
    }
}

struct cost {
    double mean;
    u64 worst;
};

/* n hogs that may run everywhere, or every other one on one CPU only, and some that sleep. */
static struct cost big(u32 cpu_number, u32 n, bool pins)
{
    ns_t length = 10 * NS_SECOND * n / cpu_number / 16 + 3 * NS_SECOND;
    struct cost cost;

    srand(n);
    start(cpu_number);
    for (u32 i = 0; i < n; i++) {
        hog(pins ? 256 : 128U << i % 3);
        if (pins && i % 2)
            pin(&lives[i], 1);
    }
    fill();
    run(2 * NS_SECOND);
    forget();
    run(length);
    if (cpu_number <= 8 || !pins)
        check_shares(length, "big", n);
    cost = (struct cost){(double)all_steps / (double)decisions, worst_steps};
    print_message("%2u CPUs, %4u vCPUs%s: %.1f steps a decision, %lu at most\n", cpu_number, n,
                  pins ? ", half of them pinned" : "", cost.mean, cost.worst);
    finish();
    return cost;
}

/* What a decision costs grows like the depth of a tree, not like the number of vCPUs. */
static void costs(void **state)
{
    (void)state;
    for (u32 pins = 0; pins < 2; pins++) {
        struct cost few = big(8, 10, pins), more = big(8, 100, pins), most = big(8, 1000, pins);

        assert_true(more.mean - few.mean < 20 && most.mean - more.mean < 20);
        assert_true(most.worst < 200);
        most = big(64, 1000, pins);
        assert_true(most.worst < 200);
    }
}

/* More CPUs than a queue has: members change queues so that all are served alike. */
static void many_queues(void **state)
{
    static const u32 sizes[][2] = {{16, 17}, {16, 24}, {16, 25}, {9, 10}, {12, 20}, {64, 100}};

    (void)state;
    worst = 0;
    for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
        start(sizes[i][0]);
        for (u32 n = 0; n < sizes[i][1]; n++)
            hog(256);
        fill();
        run(2 * NS_SECOND);
        forget();
        run(10 * NS_SECOND);
        check_shares(10 * NS_SECOND, "queues", i);
        assert_int_equal(idle_waits, 0);
        finish();
    }
    print_message("several queues: shares off by %.2f %% at most\n", worst * 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_shares), cmocka_unit_test(lonely_groups),
        cmocka_unit_test(caps_of_many),  cmocka_unit_test(many_queues),
        cmocka_unit_test(costs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
