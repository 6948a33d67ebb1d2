/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine of up to 64 CPUs under a simulated clock, for tests of the
 * scheduler: the real mechanism, policy and timers, on CPUs which are played
 * one after the other; vCPUs that run for a while and sleep for a while. Include
 * in one file and link the sources that test_sched.c names; its libs line makes
 * the linker send calls of the trees through here, where steps are counted.
 */
#pragma once

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/guest.h"
#include "core/sched_policy.h"
#include "cpu/work.h"
#include "lib/atomic.h"

#define CPUS  64
#define VCPUS 1024

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
    u64 wakes, late;                /* late: waited for more than a millisecond after waking */
    ns_t latency, worst_latency;    /* from waking to running */
    bool fresh;
    double share; /* for the tests' own use */
};

static ns_t now;
static struct {
    u32 work;
    ns_t armed;
    struct vcpu *runs;
} cpus[CPUS];
static struct domain *domains[VCPUS + 1];
static struct life lives[VCPUS];
static u32 life_count, domain_count, cpu_count;
static jmp_buf out;
static u64 idle_waits; /* times a CPU was idle though somebody waited for it */
static u64 steps, worst_steps, all_steps, decisions; /* along trees: this one's, ... */
static void *kept[CPUS + 2]; /* the scheduler gives no memory back: finish() does */
static u32 kept_count;

/* ---- what lies below ---- */

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
void *heap_zalloc(size_t size)
{
    size_t whole = (size + 63) / 64 * 64;
    void *p = aligned_alloc(64, whole);

    assert_non_null(p);
    if (size < PAGE_SIZE) /* a pool, which core/pool.c uses again */
        return memset(p, 0, whole);
    assert_true(kept_count < ARRAY_SIZE(kept));
    return kept[kept_count++] = memset(p, 0, whole);
}
void domain_put(struct domain *d)
{
    (void)d;
}
void domain_finish_shutdown(struct domain *d)
{
    (void)d;
}
static bool forgot;
void cpu_forget_branches(void)
{
    forgot = true;
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

/* ---- counting ---- */

void __real_tree_insert(struct tree *tree, struct tree_node *node, tree_less_fn *less);
void __real_tree_remove(struct tree *tree, struct tree_node *node);
struct tree_node *__real_tree_next(const struct tree_node *node);
struct tree_node *__real_tree_last(const struct tree *tree);
void __wrap_tree_insert(struct tree *tree, struct tree_node *node, tree_less_fn *less);
void __wrap_tree_remove(struct tree *tree, struct tree_node *node);
struct tree_node *__wrap_tree_next(const struct tree_node *node);
struct tree_node *__wrap_tree_last(const struct tree *tree);

static tree_less_fn *counted_less;
static bool count_less(const struct tree_node *a, const struct tree_node *b)
{
    steps++;
    return counted_less(a, b);
}
void __wrap_tree_insert(struct tree *tree, struct tree_node *node, tree_less_fn *less)
{
    counted_less = less;
    __real_tree_insert(tree, node, count_less);
}
void __wrap_tree_remove(struct tree *tree, struct tree_node *node)
{
    steps += (u64)tree->root->height; /* the way to the root */
    __real_tree_remove(tree, node);
}
struct tree_node *__wrap_tree_next(const struct tree_node *node)
{
    steps++;
    return __real_tree_next(node);
}
struct tree_node *__wrap_tree_last(const struct tree *tree)
{
    steps += tree->root ? (u64)tree->root->height : 0;
    return __real_tree_last(tree);
}

static void counted(void)
{
    worst_steps = MAX(worst_steps, steps);
    all_steps += steps;
    decisions++;
    steps = 0;
}

/* ---- CPUs ---- */

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
        steps = 0;
        if (schedule && !setjmp(out))
            sched_work();
        counted();
        /* Exactly when a guest of another domain than the last one's comes. */
        static u64 ran[CPUS];
        u64 runs = current->domain->is_idle ? ran[cpu] : current->domain->created_at;
        assert_int_equal(forgot, runs != ran[cpu]);
        ran[cpu] = runs;
        forgot = false;
    }
    cpus[cpu].runs = current;
}

/* Somebody waits for another CPU. */
void cpu_wait(void)
{
    struct vcpu *was = current;
    u32 cpu = host_cpu_local.cpu;

    for (u32 other = 0; other < cpu_count; other++)
        if (other != cpu)
            play(other);
    host_cpu_local.cpu = cpu;
    current = was;
}

static struct domain *new_domain(u32 max_vcpus, u32 weight, u32 cap)
{
    struct domain *d = calloc(1, sizeof(*d));

    static u64 made;
    d->created_at = ++made;
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

static __unused struct life *hog(u32 weight)
{
    return live(new_domain(1, weight, 0), 0, NS_NEVER, 0);
}

static __unused struct life *pinned_hog(u32 weight, u64 mask)
{
    struct life *l = hog(weight);
    cpumask_t m = {{mask, 0}};

    assert_int_equal(sched_set_affinity(l->v, &m, NULL), 0);
    return l;
}

static void start(u32 count)
{
    now = 1000;
    life_count = domain_count = kept_count = 0;
    cpu_count = count;
    idle_waits = worst_steps = all_steps = decisions = 0;
    memset(cpus, 0, sizeof(cpus));
    memset(&cpus_online, 0, sizeof(cpus_online));
    cpus_online.bits[0] = count == 64 ? ~0UL : (1UL << count) - 1;
    cpus_online_count = count;
    for (u32 cpu = 0; cpu < count; cpu++) {
        timer_init_cpu(cpu);
        cpus[cpu].armed = NS_NEVER;
    }
    host_cpu_local.cpu = 0;
    sched_init();
    idle_domain = new_domain(count, 0, 0);
    idle_domain->is_idle = true;
    for (u32 cpu = 0; cpu < count; cpu++) {
        cpus[cpu].runs = new_vcpu(idle_domain, cpu);
        cpu_raise_work(cpu, WORK_SCHEDULE);
        play(cpu);
    }
}

static void finish(void)
{
    for (u32 i = 0; i < domain_count; i++) {
        sched_domain_free(domains[i]);
        for (u32 id = 0; id < domains[i]->max_vcpus; id++)
            free(domains[i]->vcpus[id]);
        free(domains[i]->vcpus);
        free(domains[i]);
    }
    for (u32 i = 0; i < kept_count; i++)
        free(kept[i]);
}

/* ---- lives ---- */

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
        l->late += wait > NS_MS;
        l->latency += wait;
        l->worst_latency = MAX(l->worst_latency, wait);
    }
    l->woken = NS_NEVER;
}

static void check_invariants(void)
{
    u32 idle[CPUS], idle_count = 0;

    for (u32 cpu = 0; cpu < cpu_count; cpu++)
        if (cpus[cpu].runs == idle_domain->vcpus[cpu])
            idle[idle_count++] = cpu;
    for (u32 i = 0; i < life_count; i++) {
        struct vcpu *v = lives[i].v;
        cpumask_t usable = sched_usable(v);

        if (on_cpu(v)) {
            assert_true(cpumask_test(&usable, v->cpu));
            assert_int_equal(v->sched.state, SCHED_RUNNING);
        } else if (vcpu_runnable(v)) {
            assert_true(v->sched.state == SCHED_WAITING || v->sched.state == SCHED_PARKED);
        } else {
            assert_int_equal(v->sched.state, SCHED_ASLEEP);
        }
        if (v->sched.state == SCHED_WAITING)
            for (u32 n = 0; n < idle_count; n++)
                idle_waits += cpumask_test(&usable, idle[n]);
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
    steps = 0;
    sched_wake(l->v);
    counted();
}

static bool gone(const struct life *l)
{
    return (l->v->pause_flags & PAUSE_IO) || l->v->domain->pause_count;
}

static void note(struct life *l)
{
    if (on_cpu(l->v)) {
        if (l->woken != NS_NEVER)
            note_wait(l);
    } else if (gone(l)) {
        l->woken = NS_NEVER;
        l->fresh = false;
    } else if (l->wake_at == NS_NEVER) {
        if (l->woken == NS_NEVER)
            l->woken = now;
        l->worst = MAX(l->worst, now - l->woken);
    }
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
            else if (l->left != NS_NEVER && on_cpu(l->v))
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
            else if (lives[i].left <= 0 && lives[i].nap && on_cpu(lives[i].v))
                sleep_now(&lives[i]);
        }
        settle();
        for (u32 i = 0; i < life_count; i++)
            note(&lives[i]);
    }
}

/* From here on counts. */
static __unused void forget(void)
{
    for (u32 i = 0; i < life_count; i++) {
        struct life *l = &lives[i];

        l->ran = l->waited = l->worst = l->latency = l->worst_latency = 0;
        l->wakes = l->late = 0;
    }
    worst_steps = all_steps = decisions = 0;
}

static __unused void assert_share(const struct life *l, double wanted, ns_t of, double tolerance)
{
    double share = (double)l->ran / (double)of;

    if (share < wanted * (1 - tolerance) || share > wanted * (1 + tolerance))
        fail_msg("vCPU %u has %.4f, wanted %.4f", (u32)(l - lives), share, wanted);
}

/* 100 more of random workloads with TENON_MANY=100. */
static __unused u32 how_many(u32 usual)
{
    const char *more = getenv("TENON_MANY");

    return usual + (more ? (u32)atoi(more) : 0);
}
