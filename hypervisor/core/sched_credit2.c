/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduling policy: what credit schedulers do, told from the other side.
 *
 * Each vCPU has an account of what it has spent: the time it ran, times 256
 * over its weight. Who has spent least is next. A CPU runs one until its slice
 * is over, until somebody who has spent clearly less wakes up, or until it
 * stops by itself. Hence, of those that always want to run, all spend alike:
 * each gets time in proportion to its weight, and nobody waits for ever, as
 * the others' accounts grow while its own stands still.
 *
 * `floor` is the least that anyone who wants to run has spent. Who slept comes
 * back with at least floor - BONUS: unused time is not saved up, but it will be
 * served before those who never sleep. That is all the boost that I/O needs.
 * `floor + LEAD` bounds accounts from above. They run away when shares cannot be
 * had (a CPU's only vCPU runs all the time whatever its weight): when others
 * come to that CPU, it is not to pay long for having been alone.
 *
 * Trees have at most the queue's waiting vCPUs: every step is O(log n), but for
 * the skipping of those that are pinned to another CPU of the same queue.
 *
 * Locks: the caller holds the queue's. No clock, no registers, no kicks here.
 */
#include "core/sched_policy.h"
#include "lib/atomic.h"

#define SLICE_MIN        NS_MS
#define BONUS            (3 * NS_MS)
#define LEAD             (100 * NS_MS)
#define MARGIN           NS_MS         /* how much less it must have spent to preempt */
#define RESIST           (500 * NS_US) /* how much more it may have spent to stay on its CPU */
#define LOOK_AHEAD       8             /* waiting ones looked at for that reason */
#define BUDGET_CHUNK_MIN (250 * NS_US)

u32 sched_slice_us = 10000;
u32 sched_ratelimit_us = 500;

static struct sched_vcpu *of(const struct tree_node *node)
{
    return tree_entry(node, struct sched_vcpu, node);
}

static bool spent_less(const struct tree_node *a, const struct tree_node *b)
{
    return of(a)->spent < of(b)->spent;
}

static s64 weighted(const struct sched_vcpu *s, ns_t ran)
{
    return ran * SCHED_WEIGHT_DEFAULT / s->weight;
}

static struct sched_group *group_of(struct sched_vcpu *s)
{
    return &sched_to_vcpu(s)->domain->sched;
}

bool policy_out_of_budget(struct sched_vcpu *s)
{
    struct sched_group *g = group_of(s);

    return g->cap && atomic_load(&g->budget) <= 0;
}

/* Light ones get shorter slices: one slice shall not cost them LEAD, down to weight 3. */
ns_t policy_slice(const struct sched_vcpu *s)
{
    ns_t slice = (ns_t)sched_slice_us * NS_US;

    if (s->weight < SCHED_WEIGHT_DEFAULT)
        slice = slice * s->weight / SCHED_WEIGHT_DEFAULT;
    return MAX(slice, SLICE_MIN);
}

static void raise_floor(struct sched_queue *q)
{
    s64 least = INT64_MAX;

    if (tree_first(&q->tree))
        least = of(tree_first(&q->tree))->spent;
    for (u32 i = 0; i < QUEUE_CPUS; i++)
        if (q->cpus[i].running)
            least = MIN(least, q->cpus[i].running->spent);
    if (least != INT64_MAX)
        q->floor = MAX(q->floor, least);
}

void policy_charge(struct sched_queue *q, struct sched_cpu *c, ns_t now)
{
    struct sched_vcpu *s = c->running;
    ns_t ran = now - c->charged;

    if (!s || ran <= 0)
        return;
    c->charged = now;
    s->spent += weighted(s, ran);
    if (group_of(s)->cap)
        atomic_sub(&group_of(s)->budget, ran);
    raise_floor(q);
    s->spent = MIN(s->spent, q->floor + LEAD);
}

/* The least that is spent on the CPUs where v may run, if all of them are busy; else the floor. */
static s64 local_floor(const struct sched_queue *q, u32 allowed)
{
    s64 least = INT64_MAX;

    for (u32 i = 0; i < QUEUE_CPUS; i++) {
        if (!(allowed & (1U << i)))
            continue;
        if (!q->cpus[i].running)
            return q->floor;
        least = MIN(least, q->cpus[i].running->spent);
    }
    return least == INT64_MAX ? q->floor : MAX(q->floor, least);
}

void policy_insert(struct sched_queue *q, struct sched_vcpu *s, ns_t now, bool woken)
{
    if (woken) {
        u32 allowed = queue_allowed(q, sched_to_vcpu(s));

        for (u32 i = 0; i < QUEUE_CPUS; i++)
            policy_charge(q, &q->cpus[i], now);
        raise_floor(q);
        /* Whoever is pinned competes with those of its CPU, not with the whole queue. */
        s64 base = allowed == q->online ? q->floor : local_floor(q, allowed);
        s->spent = MAX(s->spent, base - BONUS);
    }
    s->state = SCHED_WAITING;
    tree_insert(&q->tree, &s->node, spent_less);
    q->waiting++;
    q->weight += s->weight;
}

void policy_remove(struct sched_queue *q, struct sched_vcpu *s)
{
    tree_remove(&q->tree, &s->node);
    q->waiting--;
    q->weight -= s->weight;
    s->state = SCHED_LEAVING;
}

static bool at_home(const struct vcpu *v, u32 cpu)
{
    return v->cpu == cpu && cpumask_test(&v->soft_affinity, cpu);
}

/*
 * Of those waiting that may run on c, who has spent least; but one of about the
 * same claim that ran here last is better, for its caches' sake.
 */
static struct sched_vcpu *best_waiting(struct sched_queue *q, struct sched_cpu *c)
{
    struct sched_vcpu *best = NULL;
    struct tree_node *node, *next;
    u32 looked = 0;

    for (node = tree_first(&q->tree); node && looked < LOOK_AHEAD; node = next) {
        struct sched_vcpu *s = of(node);
        struct vcpu *v = sched_to_vcpu(s);

        next = tree_next(node);
        if (!cpumask_test(&v->hard_affinity, c->cpu))
            continue;
        if (policy_out_of_budget(s)) {
            policy_remove(q, s);
            s->state = SCHED_PARKED;
            continue;
        }
        if (best) {
            looked++;
            if (s->spent > best->spent + RESIST)
                break;
        }
        if (at_home(v, c->cpu))
            return s;
        if (!best)
            best = s;
    }
    return best;
}

/* When to look again at a CPU that runs s, given that somebody else waits or not. */
static ns_t look_again(struct sched_vcpu *s, ns_t now, bool contended)
{
    struct sched_group *g = group_of(s);
    ns_t until = contended ? now + policy_slice(s) : NS_NEVER;

    if (g->cap) {
        /* The others of its domain draw on the same budget meanwhile. */
        s64 part = atomic_load(&g->budget) / (s64)MAX(sched_to_vcpu(s)->domain->max_vcpus, 1U);
        until = MIN(until, now + MAX(part, BUDGET_CHUNK_MIN));
    }
    return until;
}

struct sched_vcpu *policy_next(struct sched_queue *q, struct sched_cpu *c, struct sched_vcpu *prev,
                               ns_t now, ns_t *until)
{
    ns_t limit = c->started + (ns_t)sched_ratelimit_us * NS_US;
    struct sched_vcpu *best;
    bool yields = false;

    if (prev &&
        (policy_out_of_budget(prev) || !cpumask_test(&sched_to_vcpu(prev)->hard_affinity, c->cpu)))
        prev = NULL;
    if (prev) {
        yields = prev->yielding;
        prev->yielding = false;
        /* Somebody better may have come, but a turn has a least length. */
        if (!yields && now < limit) {
            *until = MIN(look_again(prev, now, false), q->waiting ? limit : NS_NEVER);
            return prev;
        }
    }
    best = best_waiting(q, c);
    if (best && prev && !yields && prev->spent < best->spent)
        best = NULL;
    if (!best) {
        *until = prev ? look_again(prev, now, q->waiting) : NS_NEVER;
        if (prev)
            c->started = now;
        return prev;
    }
    policy_remove(q, best);
    q->weight += best->weight; /* it stays with the queue */
    *until = look_again(best, now, q->waiting || prev);
    if (yields)
        *until = MIN(*until, now + SLICE_MIN); /* who yields does not give a whole slice away */
    return best;
}

int policy_find_idle(const struct sched_queue *q, const struct vcpu *v)
{
    u32 idle = READ_ONCE(q->idle) & queue_allowed(q, v);
    u32 soft = idle & queue_mask(q, &v->soft_affinity);

    if (!idle)
        return -1;
    if (soft)
        idle = soft;
    if (v->cpu / QUEUE_CPUS == q->index && (idle & (1U << (v->cpu % QUEUE_CPUS))))
        return (int)(v->cpu % QUEUE_CPUS);
    return __builtin_ctz(idle);
}

struct sched_cpu *policy_preempt(struct sched_queue *q, struct sched_vcpu *s, ns_t now, ns_t *when)
{
    struct vcpu *v = sched_to_vcpu(s);
    u32 allowed = queue_allowed(q, v);
    struct sched_cpu *victim = NULL;
    int idle = policy_find_idle(q, v);

    *when = now;
    if (idle >= 0)
        return &q->cpus[idle];
    for (u32 i = 0; i < QUEUE_CPUS; i++) {
        struct sched_cpu *c = &q->cpus[i];

        if (!(allowed & (1U << i)) || !c->running)
            continue; /* not running and not idle: it has been told to look */
        policy_charge(q, c, now);
        if (!victim || c->running->spent > victim->running->spent)
            victim = c;
    }
    if (!victim || victim->running->spent < s->spent + MARGIN)
        return NULL;
    *when = MAX(now, victim->started + (ns_t)sched_ratelimit_us * NS_US);
    return victim;
}

struct sched_vcpu *policy_movable(struct sched_queue *q, u32 cpu, u32 max_weight)
{
    struct tree_node *node = tree_first(&q->tree);

    for (u32 i = 0; node && i < 4 * LOOK_AHEAD; i++, node = tree_next(node))
        if (cpumask_test(&sched_to_vcpu(of(node))->hard_affinity, cpu) &&
            of(node)->weight <= max_weight)
            return of(node);
    return NULL;
}
