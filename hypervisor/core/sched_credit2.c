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
 * Who comes (awake, or from another queue) is brought near to those with whom
 * it will compete: whom that one of its CPUs serves who have spent most; there
 * it will get its time. Who slept comes with at least that less BONUS: unused
 * time is not saved up, but it will be served before those who never sleep. That
 * is all the boost that I/O needs.
 *
 * Those who may run on the same CPUs of the queue are a class, with a tree of
 * its own: a CPU looks at the first of each class that it serves, so nobody
 * has to be skipped. A decision costs O(log n) in the waiting ones, plus the
 * number of different affinities among them (one or two; 510 at the very most).
 *
 * Classes that do not compete may spend at different speeds: three that share
 * one CPU, two on another. Nothing may bring those accounts together one by one
 * (their weights would be lost), nor may they drift apart for ever (who may run
 * on both CPUs would be bound to the one for long when things change). So whole
 * classes are shifted by an offset: where no account lies within GAP above a
 * group of classes, all classes above are lowered. Nothing changes among them.
 *
 * A turn has a least length. Who wakes another up by an event has mostly more to
 * do for it, so where these two are the only ones it gets a grace of some turns,
 * unless it stops before: a backend fills its ring and the frontend then empties
 * it, instead of both taking it in small bits. As soon as anybody else wants to
 * run the grace is over.
 *
 * One that is too heavy for its share to be had, who runs all the time and is
 * owed more and more, is not owed more than OWED and another's turn.
 *
 * Locks: the caller holds the queue's. No clock, no registers, no kicks here.
 */
#include "core/sched_policy.h"

#define SLICE_MIN        NS_MS
#define BONUS            (3 * NS_MS)
#define LEAD             (100 * NS_MS)
#define LONG             (100 * NS_MS) /* who runs on and on for that long has all it can get */
#define OWED             (20 * NS_MS)  /* and is not owed more than this and a turn */
#define GAP              (300 * NS_MS) /* between classes that do not compete */
#define MARGIN           NS_MS         /* how much less it must have spent to preempt */
#define GRACE_TURNS      4             /* least turns that a sender may go on for */
#define RESIST           (500 * NS_US) /* how much more it may have spent to stay on its CPU */
#define LOOK_AHEAD       8             /* waiting ones looked at for that reason */
#define BUDGET_CHUNK_MIN (250 * NS_US)
#define COMPARE_PERIOD   (20 * NS_MS)
#define ANY_SLOT         QUEUE_CPUS

u32 sched_slice_us = 10000;

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

/* Light ones get shorter slices, so that one slice does not put them far behind. */
ns_t policy_slice(const struct sched_vcpu *s)
{
    ns_t slice = (ns_t)sched_slice_us * NS_US;

    if (s->weight < SCHED_WEIGHT_DEFAULT)
        slice = slice * s->weight / SCHED_WEIGHT_DEFAULT;
    return MAX(slice, SLICE_MIN);
}

static s64 turn_of(const struct sched_vcpu *s)
{
    return weighted(s, policy_slice(s));
}

/* ---- classes ---- */

/* Which of the 64 classes of a word contain the slot. */
static u64 classes_with(u32 slot, u32 word)
{
    static const u64 low[6] = {0xaaaaaaaaaaaaaaaa, 0xcccccccccccccccc, 0xf0f0f0f0f0f0f0f0,
                               0xff00ff00ff00ff00, 0xffff0000ffff0000, 0xffffffff00000000};

    if (slot == ANY_SLOT)
        return ~0UL;
    return slot < 6 ? low[slot] : word & (1U << (slot - 6)) ? ~0UL : 0;
}

/* The first class from `from` on in which somebody waits for the slot; CLASS_COUNT: none. */
static u32 next_class(const u64 *filled, u32 slot, u32 from)
{
    u64 mask = ~0UL << (from % 64);

    for (u32 word = from / 64; word < CLASS_WORDS; word++, mask = ~0UL) {
        u64 found = filled[word] & mask; /* mostly none */

        if (found && (found &= classes_with(slot, word)))
            return word * 64 + (u32)__builtin_ctzl(found);
    }
    return CLASS_COUNT;
}

#define for_each_class(k, filled, slot) \
    for (u32 k = next_class(filled, slot, 0); k < CLASS_COUNT; k = next_class(filled, slot, k + 1))

/* The least that one of a class has spent who waits; it has some. */
static s64 class_level(const struct sched_queue *q, u32 k)
{
    return queue_level(q, of(tree_first(&q->classes[k].tree)));
}

bool policy_waiting_for(const struct sched_queue *q, const struct sched_cpu *c)
{
    return q->waiting && next_class(q->filled, c->slot, 0) < CLASS_COUNT;
}

void policy_classify(struct sched_queue *q, struct sched_vcpu *s)
{
    struct vcpu *v = sched_to_vcpu(s);
    cpumask_t usable = sched_usable(v);
    u32 cpus = queue_allowed(q, v), class = cpus, count = 0;

    for (u32 i = 0; i < MAX_CPUS / 64; i++)
        count += (u32)__builtin_popcountl(usable.bits[i]);
    if (count > (u32)__builtin_popcount(cpus))
        class |= CLASS_WIDE;
    if (class != s->class) {
        s->spent = queue_level(q, s) - q->classes[class].offset;
        s->class = (u16) class;
    }
}

static void enter(struct sched_queue *q, struct sched_vcpu *s)
{
    bit_set(q->filled, s->class);
    tree_insert(&q->classes[s->class].tree, &s->node, spent_less);
    s->state = SCHED_WAITING;
    q->waiting++;
    q->weight += s->weight;
}

void policy_remove(struct sched_queue *q, struct sched_vcpu *s)
{
    struct tree *tree = &q->classes[s->class].tree;

    tree_remove(tree, &s->node);
    if (tree_empty(tree))
        bit_clear(q->filled, s->class);
    q->waiting--;
    q->weight -= s->weight;
    s->state = SCHED_LEAVING;
}

void policy_reclassify(struct sched_queue *q)
{
    struct tree_node *all = NULL, *node;

    for_each_class (k, q->filled, ANY_SLOT)
        while ((node = tree_first(&q->classes[k].tree)) != NULL) {
            policy_remove(q, of(node));
            node->parent = all; /* unlinked: its links are free for use */
            all = node;
        }
    while ((node = all) != NULL) {
        all = node->parent;
        policy_classify(q, of(node));
        enter(q, of(node));
    }
    for (u32 i = 0; i < QUEUE_CPUS; i++)
        if (q->cpus[i] && q->cpus[i]->running)
            policy_classify(q, q->cpus[i]->running);
}

/* ---- accounts ---- */

/* c: each CPU of the queue that runs somebody. */
#define for_each_running(q, c)              \
    for (u32 i_ = 0; i_ < QUEUE_CPUS; i_++) \
        for (struct sched_cpu *c = (q)->cpus[i_]; c && c->running; c = NULL)

void policy_raise_floor(struct sched_queue *q)
{
    s64 least = INT64_MAX;

    for_each_class (k, q->filled, ANY_SLOT)
        least = MIN(least, class_level(q, k));
    for_each_running (q, c)
        least = MIN(least, queue_level(q, c->running));
    if (least != INT64_MAX)
        q->floor = MAX(q->floor, least);
}

/* From the least to the most that one of the class has spent who waits or runs. */
static void class_range(const struct sched_queue *q, u32 k, s64 *low, s64 *high)
{
    *low = INT64_MAX;
    *high = INT64_MIN;
    if (!tree_empty(&q->classes[k].tree)) {
        *low = class_level(q, k);
        *high = queue_level(q, of(tree_last(&q->classes[k].tree)));
    }
    for_each_running (q, c)
        if (c->running->class == k) {
            *low = MIN(*low, queue_level(q, c->running));
            *high = MAX(*high, queue_level(q, c->running));
        }
}

/* Lowers the classes that are far above all others, together, so that they are GAP above them. */
static void close_gaps(struct sched_queue *q, ns_t now)
{
    u64 left[CLASS_WORDS];
    s64 low, high, top, next = 0;

    if (now - q->compared < COMPARE_PERIOD)
        return;
    q->compared = now;
    policy_raise_floor(q);
    memcpy(left, q->filled, sizeof(left));
    for_each_running (q, c)
        bit_set(left, c->running->class);
    for (top = q->floor; next != INT64_MAX;) {
        bool more = false;

        /* Those that begin within GAP of the ones before belong to them. */
        next = INT64_MAX;
        for_each_class (k, left, ANY_SLOT) {
            class_range(q, k, &low, &high);
            if (low <= top + GAP) {
                top = MAX(top, high);
                bit_clear(left, k);
                more = true;
            } else {
                next = MIN(next, low);
            }
        }
        if (more || next == INT64_MAX)
            continue;
        for_each_class (k, left, ANY_SLOT)
            q->classes[k].offset -= next - top - GAP;
        for_each_running (q, c)
            if (bit_test(left, c->running->class))
                c->level -= next - top - GAP;
    }
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
    close_gaps(q, now);
}

void policy_charge_all(struct sched_queue *q, ns_t now)
{
    for_each_running (q, c)
        policy_charge(q, c, now);
}

/*
 * What those have spent whom the CPU serves. Ones who are behind for reasons of
 * their own, as they slept or are capped, do not count, or each would be an
 * excuse for the next.
 */
static void set_level(struct sched_queue *q, struct sched_cpu *c, struct sched_vcpu *s)
{
    s64 level = queue_level(q, s);

    if (level > c->level || !(s->fresh || group_of(s)->cap))
        c->level = level;
}

/* What s's account is to be near to. */
static s64 base_level(struct sched_queue *q, const struct sched_vcpu *s)
{
    s64 base = INT64_MIN, idle = INT64_MAX;

    for (u32 cpus = s->class & CLASS_CPUS; cpus; cpus &= cpus - 1) {
        const struct sched_cpu *c = q->cpus[__builtin_ctz(cpus)];

        if (!c->running) /* there it need not compete */
            idle = MIN(idle, c->level);
        else if (!policy_waiting_for(q, c))
            base = MAX(base, queue_level(q, c->running));
        else
            base = MAX(base, c->level);
    }
    if (base != INT64_MIN && idle == INT64_MAX)
        return base;
    policy_raise_floor(q);
    return idle == INT64_MAX ? q->floor : MAX(q->floor, idle);
}

void policy_insert(struct sched_queue *q, struct sched_vcpu *s, ns_t now, enum arrival how)
{
    policy_classify(q, s);
    s->fresh = how == ARRIVES_AWAKE;
    if (how != ARRIVES_BACK) {
        s64 base, level, lag = how == ARRIVES_AWAKE ? BONUS : LEAD;

        policy_charge_all(q, now);
        base = base_level(q, s);
        level = MIN(MAX(queue_level(q, s), base - lag), base + LEAD + turn_of(s));
        s->spent = level - q->classes[s->class].offset;
    }
    enter(q, s);
}

/* ---- decisions ---- */

/* Who has spent least of a class, of those with budget. */
static struct sched_vcpu *class_best(struct sched_queue *q, u32 k)
{
    struct tree_node *node;

    while ((node = tree_first(&q->classes[k].tree)) != NULL) {
        struct sched_vcpu *s = of(node);

        if (!policy_out_of_budget(s))
            return s;
        policy_remove(q, s);
        s->state = SCHED_PARKED;
    }
    return NULL;
}

/*
 * Of those waiting that may run on c, who has spent least; but one of about the
 * same claim that ran here last is better, for its caches' sake.
 */
static struct sched_vcpu *best_waiting(struct sched_queue *q, struct sched_cpu *c)
{
    struct sched_vcpu *best = NULL;

    for_each_class (k, q->filled, c->slot) {
        struct sched_vcpu *s = class_best(q, k);

        if (s && (!best || queue_level(q, s) < queue_level(q, best)))
            best = s;
    }
    if (!best || best->fresh)
        return best;
    struct tree_node *node = &best->node;
    for (u32 i = 0; node && i < LOOK_AHEAD; i++, node = tree_next(node)) {
        struct sched_vcpu *s = of(node);
        const struct vcpu *v = sched_to_vcpu(s);

        if (s->spent > best->spent + RESIST)
            break;
        if (v->cpu == c->cpu && cpumask_test(&v->soft_affinity, c->cpu) && !policy_out_of_budget(s))
            return s;
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

static ns_t turn_length(const struct sched_cpu *c)
{
    return (ns_t)READ_ONCE(c->queue->pool->ratelimit_us) * NS_US;
}

static ns_t turn_end(const struct sched_cpu *c)
{
    return MAX(c->started + turn_length(c), c->grace);
}

struct sched_vcpu *policy_next(struct sched_queue *q, struct sched_cpu *c, struct sched_vcpu *prev,
                               ns_t now, ns_t *until)
{
    bool yields = false, contended;

    if (prev && (policy_out_of_budget(prev) || !(prev->class & (1U << c->slot))))
        prev = NULL;
    contended = policy_waiting_for(q, c);
    if (prev) {
        yields = prev->yielding;
        prev->yielding = false;
        /* Somebody better may have come, but a turn has a least length. */
        if (!yields && now < turn_end(c)) {
            *until = MIN(look_again(prev, now, false), contended ? turn_end(c) : NS_NEVER);
            return prev;
        }
    }
    struct sched_vcpu *best = best_waiting(q, c);
    if (best && prev && !yields && queue_level(q, prev) < queue_level(q, best)) {
        /* What it is owed and could not be given before, it need not be given later. */
        s64 owed = queue_level(q, best) - OWED - turn_of(best) - queue_level(q, prev);

        if (now - c->since > LONG)
            prev->spent += MAX(owed, 0);
        best = NULL;
    }
    if (!best) {
        *until = prev ? look_again(prev, now, contended) : NS_NEVER;
        if (prev) {
            c->started = now;
            set_level(q, c, prev);
        }
        return prev;
    }
    set_level(q, c, best);
    policy_remove(q, best);
    q->weight += best->weight; /* it stays with the queue */
    best->fresh = false;
    *until = look_again(best, now, prev || policy_waiting_for(q, c));
    if (yields)
        *until = MIN(*until, now + SLICE_MIN); /* who yields does not give a whole slice away */
    return best;
}

int policy_find_idle(const struct sched_queue *q, const struct vcpu *v)
{
    u32 idle = READ_ONCE(q->idle), soft;

    if (idle)
        idle &= queue_allowed(q, v);
    if (!idle)
        return -1;
    soft = idle & queue_mask(q, &v->soft_affinity);
    if (soft)
        idle = soft;
    for (u32 left = idle; left; left &= left - 1) {
        const struct sched_cpu *c = READ_ONCE(q->cpus[__builtin_ctz(left)]);

        if (c && c->cpu == v->cpu)
            return __builtin_ctz(left);
    }
    return __builtin_ctz(idle);
}

struct sched_cpu *policy_preempt(struct sched_queue *q, struct sched_vcpu *s, ns_t now,
                                 const struct sched_cpu *sender, ns_t *when)
{
    struct sched_cpu *victim = NULL;
    int idle = policy_find_idle(q, sched_to_vcpu(s));

    *when = now;
    if (idle >= 0)
        return q->cpus[idle];
    *when = NS_NEVER;
    for (u32 cpus = s->class & CLASS_CPUS; cpus; cpus &= cpus - 1) {
        struct sched_cpu *c = q->cpus[__builtin_ctz(cpus)];

        if (!c->running)
            continue; /* not running and not idle: it has been told to look */
        policy_charge(q, c, now);
        s64 ahead = queue_level(q, c->running) - queue_level(q, s) - MARGIN;
        if (ahead < 0 && !s->fresh)
            continue;
        if (c != sender || q->waiting > 1)
            c->grace = 0; /* others shall not wait for what the two have to do */
        else if (c->grace <= now)
            c->grace = now + GRACE_TURNS * turn_length(c);
        ns_t at = ahead < 0 ? now - ahead * c->running->weight / SCHED_WEIGHT_DEFAULT : now;
        at = MAX(at, turn_end(c));
        if (at < *when || (victim && at == *when &&
                           queue_level(q, c->running) > queue_level(q, victim->running))) {
            victim = c;
            *when = at;
        }
    }
    return victim;
}

struct sched_vcpu *policy_movable(struct sched_queue *q, u32 cpu, u32 max_weight)
{
    struct sched_vcpu *found = NULL;

    for (u32 k = next_class(q->filled, ANY_SLOT, CLASS_WIDE); k < CLASS_COUNT;
         k = next_class(q->filled, ANY_SLOT, k + 1)) {
        struct tree_node *node = tree_first(&q->classes[k].tree);

        for (u32 i = 0; node && i < LOOK_AHEAD; i++, node = tree_next(node)) {
            struct sched_vcpu *s = of(node);
            cpumask_t usable = sched_usable(sched_to_vcpu(s));

            if (!cpumask_test(&usable, cpu) || s->weight > max_weight)
                continue;
            if (!found || queue_level(q, s) < queue_level(q, found))
                found = s;
            break;
        }
    }
    return found;
}
