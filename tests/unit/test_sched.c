// sources: core/sched.c core/sched_credit2.c core/timer.c lib/tree.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler under a simulated clock: the real mechanism and policy on up to
 * 16 CPUs which are played one after the other. vCPUs run for a while, sleep
 * for a while. Checked: shares, weights, caps, latency, affinity, that no CPU
 * idles while somebody who may run there waits, that nobody starves.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/guest.h"
#include "core/sched_policy.h"
#include "cpu/work.h"
#include "lib/atomic.h"

#define CPUS  16
#define VCPUS 64

struct cpu_local host_cpu_local;
cpumask_t cpus_online;
u32 cpus_online_count;
struct domain *idle_domain;

/* A simulated vCPU's behaviour. */
struct life {
    struct vcpu *v;
    ns_t burst, nap;                /* runs that long, then sleeps that long; nap 0: never sleeps */
    bool random;                    /* both vary from 0 to twice that */
    ns_t left, wake_at;             /* of this burst; NS_NEVER: awake */
    ns_t ran, woken, waited, worst; /* time on a CPU; when it woke or lost it; sum, longest wait */
    u64 wakes;
    ns_t latency, worst_latency; /* from waking to running */
    bool fresh;
};

static ns_t now;
static struct {
    u32 work;
    ns_t armed;
    struct vcpu *runs;
} cpus[CPUS];
static struct domain *domains[VCPUS];
static struct life lives[VCPUS];
static u32 life_count, domain_count, cpu_count;
static jmp_buf out;
static u64 idle_waits; /* steps in which a CPU was idle though somebody waited for it */

ns_t clock_now(void)
{
    return now;
}
void clock_arm(ns_t when)
{
    cpus[this_cpu_id()].armed = when;
}
void cpu_raise_work(u32 cpu, u32 bit)
{
    cpus[cpu].work |= 1U << bit;
}
void cpu_wait(void)
{
    abort(); /* nothing to wait for: one CPU plays at a time */
}
void spin_lock(spinlock_t *lock)
{
    assert_int_equal(lock->owner, 0);
    lock->owner = 1;
}
void spin_unlock(spinlock_t *lock)
{
    assert_int_equal(lock->owner, 1);
    lock->owner = 0;
}
void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why, (void)file, (void)line, (void)error;
}
void domain_put(struct domain *d)
{
    (void)d;
}
void domain_finish_shutdown(struct domain *d)
{
    (void)d;
}
static void no_state(struct vcpu *v)
{
    (void)v;
}
static void resumed(void)
{
    longjmp(out, 1);
}
static const struct guest_ops ops = {.save = no_state, .restore = no_state, .resume = resumed};

/* Plays a CPU until it has nothing to do. */
static void play(u32 cpu)
{
    host_cpu_local.cpu = cpu;
    current = cpus[cpu].runs;
    while (cpus[cpu].work) {
        if (cpus[cpu].work & (1U << WORK_TIMER)) {
            cpus[cpu].work &= ~(1U << WORK_TIMER);
            timer_work();
            continue;
        }
        u32 schedule = cpus[cpu].work & (1U << WORK_SCHEDULE);
        cpus[cpu].work = 0;
        if (schedule && !setjmp(out))
            sched_work();
    }
    cpus[cpu].runs = current;
}

static struct domain *new_domain(u32 max_vcpus, u32 weight, u32 cap)
{
    struct domain *d = calloc(1, sizeof(*d));

    d->id = (domid_t)domain_count;
    d->ops = &ops;
    d->max_vcpus = max_vcpus;
    d->vcpus = calloc(max_vcpus, sizeof(d->vcpus[0]));
    sched_domain_init(d);
    assert_int_equal(sched_set_params(d, weight, cap), 0);
    domains[domain_count++] = d;
    return d;
}

static struct vcpu *new_vcpu(struct domain *d, u32 id)
{
    struct vcpu *v = calloc(1, sizeof(*v));

    v->domain = d;
    v->ops = d->ops;
    v->id = id;
    d->vcpus[id] = v;
    sched_vcpu_init(v);
    return v;
}

static struct life *live(struct domain *d, u32 id, ns_t burst, ns_t nap)
{
    struct life *l = &lives[life_count++];

    *l = (struct life){.v = new_vcpu(d, id), .burst = burst, .nap = nap, .wake_at = NS_NEVER};
    l->left = burst;
    l->woken = now;
    return l;
}

static struct life *hog(u32 weight)
{
    return live(new_domain(1, weight, 0), 0, NS_NEVER, 0);
}

static void start(u32 count)
{
    now = 1000;
    life_count = domain_count = 0;
    cpu_count = count;
    idle_waits = 0;
    memset(cpus, 0, sizeof(cpus));
    memset(&cpus_online, 0, sizeof(cpus_online));
    cpus_online.bits[0] = (1UL << count) - 1;
    for (u32 cpu = 0; cpu < count; cpu++)
        timer_init_cpu(cpu);
    host_cpu_local.cpu = 0;
    sched_init();
    idle_domain = new_domain(count, 0, 0);
    idle_domain->is_idle = true;
    for (u32 cpu = 0; cpu < count; cpu++) {
        cpus[cpu].runs = new_vcpu(idle_domain, cpu);
        cpus[cpu].armed = NS_NEVER;
        cpu_raise_work(cpu, WORK_SCHEDULE);
        play(cpu);
    }
}

static void finish(void)
{
    for (u32 i = 0; i < domain_count; i++) {
        struct vcpu *v;

        sched_domain_free(domains[i]);
        for_each_vcpu (domains[i], v)
            free(v);
        free(domains[i]->vcpus);
        free(domains[i]);
    }
}

static ns_t vary(const struct life *l, ns_t n)
{
    return l->random && n != NS_NEVER ? (ns_t)(((double)rand() / RAND_MAX) * 2 * (double)n) + 1 : n;
}

static bool on_cpu(const struct vcpu *v)
{
    return v->is_running && cpus[v->cpu].runs == v;
}

static void note_wait(struct life *l)
{
    ns_t wait = now - l->woken;

    l->waited += wait;
    l->worst = MAX(l->worst, wait);
    if (l->fresh) {
        l->fresh = false;
        l->wakes++;
        l->latency += wait;
        l->worst_latency = MAX(l->worst_latency, wait);
    }
    l->woken = NS_NEVER;
}

static void check_invariants(void)
{
    for (u32 i = 0; i < life_count; i++) {
        struct vcpu *v = lives[i].v;

        if (on_cpu(v))
            assert_true(cpumask_test(&v->hard_affinity, v->cpu));
        if (v->sched.state != SCHED_WAITING)
            continue;
        for (u32 cpu = 0; cpu < cpu_count; cpu++)
            if (cpus[cpu].runs == idle_domain->vcpus[cpu] && cpumask_test(&v->hard_affinity, cpu))
                idle_waits++;
    }
}

/* Everything that is due now. */
static void settle(void)
{
    bool again = true;

    while (again) {
        again = false;
        for (u32 cpu = 0; cpu < cpu_count; cpu++) {
            if (cpus[cpu].armed <= now) {
                cpus[cpu].armed = NS_NEVER;
                cpus[cpu].work |= 1U << WORK_TIMER;
            }
            if (cpus[cpu].work) {
                play(cpu);
                again = true;
            }
        }
    }
    check_invariants();
}

static void sleep_now(struct life *l)
{
    l->wake_at = now + vary(l, l->nap);
    l->v->pause_flags |= PAUSE_BLOCKED;
    l->woken = NS_NEVER;
    host_cpu_local.cpu = l->v->cpu;
    cpu_raise_work(l->v->cpu, WORK_SCHEDULE);
}

static void wake_now(struct life *l)
{
    l->wake_at = NS_NEVER;
    l->left = vary(l, l->burst);
    l->woken = now;
    l->fresh = true;
    l->v->pause_flags &= ~(u32)PAUSE_BLOCKED;
    host_cpu_local.cpu = (u32)rand() % cpu_count; /* an interrupt anywhere */
    current = cpus[host_cpu_local.cpu].runs;
    sched_wake(l->v);
}

static void run(ns_t length)
{
    ns_t end = now + length;

    for (u32 i = 0; i < life_count; i++)
        if (lives[i].v->sched.state == SCHED_ASLEEP && lives[i].wake_at == NS_NEVER)
            sched_wake(lives[i].v);
    settle();
    while (now < end) {
        ns_t next = end;

        for (u32 cpu = 0; cpu < cpu_count; cpu++)
            next = MIN(next, cpus[cpu].armed);
        for (u32 i = 0; i < life_count; i++) {
            struct life *l = &lives[i];

            if (l->wake_at != NS_NEVER)
                next = MIN(next, l->wake_at);
            else if (on_cpu(l->v) && l->left != NS_NEVER)
                next = MIN(next, now + l->left);
        }
        next = MAX(next, now);
        for (u32 i = 0; i < life_count; i++)
            if (on_cpu(lives[i].v)) {
                lives[i].ran += next - now;
                if (lives[i].left != NS_NEVER)
                    lives[i].left -= next - now;
            }
        now = next;
        for (u32 i = 0; i < life_count; i++) {
            if (lives[i].wake_at <= now)
                wake_now(&lives[i]);
            else if (on_cpu(lives[i].v) && lives[i].left <= 0 && lives[i].nap)
                sleep_now(&lives[i]);
        }
        settle();
        for (u32 i = 0; i < life_count; i++) {
            struct life *l = &lives[i];

            if (on_cpu(l->v) && l->woken != NS_NEVER)
                note_wait(l);
            else if (!on_cpu(l->v) && l->wake_at == NS_NEVER && l->woken == NS_NEVER)
                l->woken = now;
            else if (!on_cpu(l->v) && l->wake_at == NS_NEVER)
                l->worst = MAX(l->worst, now - l->woken);
        }
    }
}

static void assert_share(const struct life *l, double wanted, ns_t of, double tolerance)
{
    double share = (double)l->ran / (double)of;

    if (share < wanted * (1 - tolerance) || share > wanted * (1 + tolerance))
        fail_msg("share %.4f, wanted %.4f", share, wanted);
}

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
