/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler's mechanism: who is in which run queue, what each CPU runs, and
 * the switch from one vCPU to the next. Policy is in core/sched_credit2.c, which
 * CPUs a queue serves in core/sched_cpus.c.
 *
 * Locks: each queue's (LOCK_SCHED). A vCPU belongs to the queue of v->cpu;
 * v->cpu changes only under that queue's lock, and while it is LEAVING only by
 * the CPU that made it so. Two queues' locks are never held at once. A CPU's
 * queue changes only under the old queue's lock, while it runs nobody.
 *
 * A vCPU's way: ASLEEP -> WAITING -> RUNNING -> LEAVING -> WAITING or ASLEEP.
 * LEAVING covers the time from the decision to the moment its registers are
 * saved (is_running false): nobody picks it, wakes are not lost because the CPU
 * that lets it go looks at its pause bits again under the lock.
 *
 * Callers: the exit path and the idle loop through WORK_SCHEDULE; everyone who
 * wakes, pauses or moves vCPUs.
 */
#include "core/guest.h"
#include "core/sched_policy.h"
#include "core/trace.h"
#include "cpu/features.h"
#include "cpu/perfc.h"
#include "cpu/work.h"

#define BALANCE_PERIOD     (50 * NS_MS)
#define CAP_CARRIED        4             /* periods' worth of a cap that may be used at once */
#define FLOOR_DISTANCE     (20 * NS_MS)  /* when queues of like load change members */
#define FLOOR_DISTANCE_MAX (500 * NS_MS) /* more is not remembered */

/* ---- run states: what the guest and the tools see of all this ---- */

void vcpu_update_runstate(struct vcpu *v, int state, ns_t now)
{
    struct vcpu_runstate_info *r = &v->runstate;
    ns_t since = now - (ns_t)r->state_entry_time;

    if (since > 0) {
        r->time[r->state] += (u64)since;
        r->state_entry_time = (u64)now;
    }
    if (r->state != state)
        TRACE(TRC_SCHED_RUNSTATE_CHANGE | (u32)r->state << 8 | (u32)state << 4, TRACE_VCPU(v));
    r->state = state;
}

void vcpu_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
    struct sched_queue *q = sched_lock_vcpu(v);

    *out = v->runstate;
    spin_unlock(&q->lock);
    ns_t since = clock_now() - (ns_t)out->state_entry_time;
    if (since > 0)
        out->time[out->state] += (u64)since;
}

u64 vcpu_cpu_time(struct vcpu *v)
{
    struct vcpu_runstate_info r;

    vcpu_get_runstate(v, &r);
    return r.time[RUNSTATE_running];
}

u64 sched_idle_time(u32 cpu)
{
    return vcpu_cpu_time(idle_domain->vcpus[cpu]);
}

static int state_to_show(const struct vcpu *v)
{
    if (vcpu_runnable(v))
        return RUNSTATE_runnable;
    return READ_ONCE(v->pause_flags) & (PAUSE_BLOCKED | PAUSE_POLL) ? RUNSTATE_blocked
                                                                    : RUNSTATE_offline;
}

/* ---- slices and kicks ---- */

static void set_slice(struct sched_cpu *c, ns_t until)
{
    c->slice_end = until;
    if (until == NS_NEVER)
        timer_stop(&c->timer);
    else
        timer_set(&c->timer, until);
}

/* s waits: finds it a CPU now, or makes sure that one looks in time. */
static void kick(struct sched_queue *q, struct sched_vcpu *s, ns_t now)
{
    struct sched_cpu *me = &this_cpu(sched_cpu), *c;
    ns_t when;

    c = policy_preempt(q, s, now, me->sending ? me : NULL, &when);
    if (c && when <= now) {
        q->idle &= ~(1U << c->slot); /* the next one shall try another */
        cpu_raise_work(c->cpu, WORK_SCHEDULE);
        return;
    }
    if (c && when < c->slice_end)
        set_slice(c, when);
    /* CPUs with nobody waiting let theirs run on and on: that is over now. */
    for (u32 cpus = s->class & CLASS_CPUS; cpus; cpus &= cpus - 1) {
        c = q->cpus[__builtin_ctz(cpus)];
        if (c->running && c->slice_end == NS_NEVER)
            set_slice(c, MAX(now, c->started + policy_slice(c->running)));
    }
}

/* ---- which queue ---- */

/* Weight for each CPU, by hints. */
static u64 load_of(const struct sched_queue *q)
{
    u32 cpus = (u32)__builtin_popcount(READ_ONCE(q->online));

    return (u64)READ_ONCE(q->weight) / MAX(cpus, 1U);
}

static struct sched_queue *choose_queue(struct sched_queue *q, const struct vcpu *v)
{
    struct sched_queue *best = NULL;

    if ((sched_queue_count == 1 && queue_allowed(q, v)) || policy_find_idle(q, v) >= 0)
        return q;
    for_each_queue (other) {
        if (!queue_allowed(other, v))
            continue;
        if (policy_find_idle(other, v) >= 0)
            return other;
        if (!best || load_of(other) < load_of(best))
            best = other;
    }
    /* Nobody is idle: it stays where it is unless it may not. */
    return queue_allowed(q, v) || !best ? q : best;
}

static u32 choose_cpu(const struct sched_queue *q, const struct vcpu *v)
{
    u32 allowed = queue_allowed(q, v);
    int idle = policy_find_idle(q, v);

    if (idle < 0 && !allowed)
        return v->cpu;
    return q->cpus[idle >= 0 ? (u32)idle : (u32)__builtin_ctz(allowed)]->cpu;
}

/*
 * v, in no tree, goes to another queue, to one of its CPUs that it may use. q is
 * locked before, `to` afterwards. Within a pool accounts are valid everywhere.
 */
static void move(struct sched_queue *q, struct sched_queue *to, struct vcpu *v, u32 cpu)
{
    struct sched_vcpu *s = &v->sched;
    s64 level = queue_level(q, s), floor = q->floor;

    if (q->pool != to->pool)
        level += READ_ONCE(to->floor) - floor;
    s->spent = level;
    s->class = 0;
    WRITE_ONCE(v->cpu, cpu);
    spin_unlock(&q->lock);
    spin_lock(&to->lock);
    /* It is LEAVING, or of a domain that is paused: nobody else has touched it. */
    s->spent -= to->classes[0].offset;
}

/*
 * Puts v, which is in no tree, where it belongs: to sleep, aside until its cap
 * is filled up, or into a queue. q is its queue and locked; unlocked on return.
 */
static void place(struct sched_queue *q, struct vcpu *v, enum arrival how)
{
    ns_t now = clock_now();

    v->sched.state = SCHED_LEAVING;
    struct sched_queue *to = vcpu_runnable(v) ? choose_queue(q, v) : q;
    if (to != q) {
        move(q, to, v, choose_cpu(to, v));
        q = to;
        if (how == ARRIVES_BACK)
            how = ARRIVES_MOVED;
    }
    vcpu_update_runstate(v, state_to_show(v), now);
    if (!vcpu_runnable(v)) {
        v->sched.state = SCHED_ASLEEP;
    } else if (policy_out_of_budget(&v->sched)) {
        v->sched.state = SCHED_PARKED;
    } else {
        policy_insert(q, &v->sched, now, how);
        kick(q, &v->sched, now);
    }
    spin_unlock(&q->lock);
}

/* ---- load between queues ---- */

/* Queues of a pool advance alike: the floor of one that is served worse falls behind. */
static s64 ahead(const struct sched_queue *q, const struct sched_queue *other)
{
    return READ_ONCE(q->floor) - READ_ONCE(other->floor);
}

/* Takes a waiting vCPU of `from` over to q's CPU c; no lock held. False: there was none. */
static bool take(struct sched_queue *q, struct sched_cpu *c, struct sched_queue *from,
                 u32 max_weight)
{
    spin_lock(&from->lock);
    /* A CPU does not get far with quitting while anybody holds a lock of its pool's. */
    bool ok = from->pool == q->pool && sched_queue_of(c->cpu) == q &&
              (READ_ONCE(q->online) & (1U << c->slot));
    if (ok && ahead(q, from) > FLOOR_DISTANCE_MAX) {
        /* Who is bound to it holds it back, and will for long: it starts from here. */
        s64 by = ahead(q, from);

        for (u32 k = 0; k < CLASS_COUNT; k++)
            from->classes[k].offset += by;
        for (u32 i = 0; i < QUEUE_CPUS; i++)
            if (from->cpus[i])
                from->cpus[i]->level += by;
        from->floor += by;
    }
    struct sched_vcpu *s = ok ? policy_movable(from, c->cpu, max_weight) : NULL;
    if (!s) {
        spin_unlock(&from->lock);
        return false;
    }
    struct vcpu *v = sched_to_vcpu(s);
    policy_remove(from, s);
    move(from, q, v, c->cpu);
    ok = vcpu_runnable(v);
    if (ok)
        policy_insert(q, s, clock_now(), ARRIVES_MOVED);
    else
        s->state = SCHED_ASLEEP;
    spin_unlock(&q->lock);
    return ok;
}

/* Somebody of q's pool waits there. */
static bool has_waiting(const struct sched_queue *q, const struct sched_queue *other)
{
    return other != q && READ_ONCE(other->pool) == q->pool && READ_ONCE(other->waiting);
}

/* c has nothing to do: whoever may run there is welcome, from the fullest queue first. */
static void steal(struct sched_queue *q, struct sched_cpu *c)
{
    struct sched_queue *busiest = NULL;

    for_each_queue (other)
        if (has_waiting(q, other) && (!busiest || load_of(other) > load_of(busiest)))
            busiest = other;
    if (!busiest || take(q, c, busiest, UINT32_MAX))
        return;
    for_each_queue (other)
        if (other != busiest && has_waiting(q, other) && take(q, c, other, UINT32_MAX))
            return;
}

/*
 * Now and then: takes one from the fullest queue if that makes things more even.
 * CPUs of queues where nobody waits do not come here by themselves: they are
 * asked to.
 */
static void balance(struct sched_queue *q, struct sched_cpu *c, ns_t now)
{
    u64 own = load_of(q), most = own, least = own, load;
    struct sched_queue *from = NULL, *to = NULL;

    for_each_queue (other) {
        if (other == q || READ_ONCE(other->pool) != q->pool)
            continue;
        load = load_of(other);
        if (READ_ONCE(other->waiting)) {
            if (load > most || (from && load == most && ahead(from, other) > 0))
                most = load, from = other;
        } else if (load < least || (to && load == least && ahead(other, to) > 0)) {
            least = load, to = other;
        }
    }
    if (to && READ_ONCE(q->waiting) && now - READ_ONCE(to->balanced) > BALANCE_PERIOD) {
        u32 online = READ_ONCE(to->online);
        struct sched_cpu *other = online ? READ_ONCE(to->cpus[__builtin_ctz(online)]) : NULL;

        if (other) /* it may have quit meanwhile */
            cpu_raise_work(other->cpu, WORK_SCHEDULE);
    }
    if (!from)
        return;
    /* Half the difference, over all CPUs, evens it out. More turns it round, which is
     * right when they have been served worse for a while. */
    most = (most - own) * (u32)__builtin_popcount(q->online) / 2;
    take(q, c, from, ahead(q, from) > FLOOR_DISTANCE ? UINT32_MAX : (u32)MIN(most, UINT32_MAX));
}

/* ---- the switch ---- */

/* prev's registers are saved and this CPU has left its address space. */
static void let_go(struct vcpu *prev)
{
    struct domain *d = prev->domain;
    struct sched_queue *q = sched_lock_vcpu(prev);
    bool ending = READ_ONCE(d->shutdown) == SHUTDOWN_PENDING;

    /* From here on its domain may be freed, but for the lock (sched_vcpu_free). */
    if (ending)
        domain_get_again(d);
    store_release(&prev->is_running, false);
    place(q, prev, ARRIVES_BACK);
    if (ending) {
        domain_finish_shutdown(d);
        domain_put(d);
    }
}

/* Creation time of the domain whose guest ran here last. */
static DEFINE_PER_CPU(u64, ran_here);

static __noreturn void switch_to(struct vcpu *prev, struct vcpu *next)
{
    perfc_inc(switches);
    prev->ops->save(prev);
    current = next;
    next->ops->restore(next);
    if (!prev->domain->is_idle)
        let_go(prev);
    if (!next->domain->is_idle) {
        next->work |= VCPU_WORK_SWITCHED;
        if (this_cpu(ran_here) != next->domain->created_at)
            cpu_forget_branches();
        this_cpu(ran_here) = next->domain->created_at;
    }
    reset_stack_and_jump(next->ops->resume);
}

/* A decision, before the run states change. */
static void trace_decision(const struct vcpu *prev, const struct vcpu *next, ns_t now)
{
    u32 ran = (u32)(now - (ns_t)prev->runstate.state_entry_time);
    u32 waited = (u32)(now - (ns_t)next->runstate.state_entry_time);

    if (next == prev) {
        TRACE(TRC_SCHED_CONTINUE_RUNNING, TRACE_VCPU(next));
        return;
    }
    TRACE(TRC_SCHED_SWITCH_INFPREV, TRACE_IDS(prev), ran);
    TRACE(TRC_SCHED_SWITCH_INFNEXT, TRACE_IDS(next),
          next->runstate.state == RUNSTATE_runnable ? waited : 0);
    TRACE(TRC_SCHED_SWITCH, TRACE_IDS(prev), TRACE_IDS(next));
}

/* One who was to run here may have found another in its place: it may do elsewhere. */
static void kick_idle(struct sched_queue *q)
{
    for (u32 left = q->idle; left; left &= left - 1) {
        struct sched_cpu *c = q->cpus[__builtin_ctz(left)];

        if (policy_waiting_for(q, c)) {
            q->idle &= ~(1U << c->slot);
            cpu_raise_work(c->cpu, WORK_SCHEDULE);
            return;
        }
    }
}

static void start_refill(struct domain *d, ns_t now);

/* c's decision; the queue's lock is held. Returns the vCPU to run now. */
static struct vcpu *decide(struct sched_queue *q, struct sched_cpu *c, struct vcpu *prev, ns_t now)
{
    struct sched_vcpu *s, *was = c->running;
    ns_t until;

    s = policy_next(q, c, was && vcpu_runnable(prev) ? was : NULL, now, &until);
    struct vcpu *next = s ? sched_to_vcpu(s) : idle_domain->vcpus[c->cpu];
    set_slice(c, until);
    if (trace_wants(TRC_SCHED))
        trace_decision(prev, next, now);
    if (s)
        q->idle &= ~(1U << c->slot);
    else
        q->idle |= (1U << c->slot) & q->online;
    if (q->waiting && q->idle)
        kick_idle(q);
    if (next == prev)
        return next;
    if (was) {
        was->state = SCHED_LEAVING;
        q->weight -= was->weight;
    }
    c->running = s;
    c->since = c->started = c->charged = now;
    c->grace = 0;
    if (s) {
        s->state = SCHED_RUNNING;
        s->yielding = false;
        WRITE_ONCE(next->cpu, c->cpu);
        next->is_running = true;
        if (next->domain->sched.cap && !timer_is_active(&next->domain->sched.refill))
            start_refill(next->domain, now);
    }
    vcpu_update_runstate(prev, state_to_show(prev), now);
    vcpu_update_runstate(next, RUNSTATE_running, now);
    return next;
}

void sched_work(void)
{
    struct sched_cpu *c = &this_cpu(sched_cpu);
    struct sched_queue *q = sched_queue_of(c->cpu);
    struct vcpu *prev = current, *next;
    ns_t now = clock_now();

    perfc_inc(schedules);
    if (sched_queue_count > 1 && q != sched_limbo) {
        if (!READ_ONCE(q->waiting) && (!c->running || !vcpu_runnable(prev))) {
            steal(q, c);
        } else if (now - READ_ONCE(q->balanced) > BALANCE_PERIOD) {
            WRITE_ONCE(q->balanced, now);
            spin_lock(&q->lock);
            policy_charge_all(q, now);
            policy_raise_floor(q);
            spin_unlock(&q->lock);
            balance(q, c, now);
        }
    }
    q = sched_lock_cpu(c->cpu);
    policy_charge(q, c, now);
    next = decide(q, c, prev, now);
    spin_unlock(&q->lock);
    if (next != prev)
        switch_to(prev, next);
}

/* ---- waking and sleeping ---- */

void sched_wake(struct vcpu *v)
{
    struct sched_queue *q = sched_lock_vcpu(v);

    if (v->sched.state == SCHED_ASLEEP && vcpu_runnable(v)) {
        perfc_inc(wakes);
        TRACE(TRC_SCHED_WAKE, TRACE_IDS(v));
        place(q, v, ARRIVES_AWAKE);
    } else {
        spin_unlock(&q->lock);
    }
}

void sched_sending(bool begins)
{
    this_cpu(sched_cpu).sending = begins;
}

void sched_sleep_nosync(struct vcpu *v)
{
    struct sched_queue *q = sched_lock_vcpu(v);

    TRACE(TRC_SCHED_SLEEP, TRACE_IDS(v));
    if (!vcpu_runnable(v)) {
        switch (v->sched.state) { /* LEAVING: the one who lets it go will see */
        case SCHED_WAITING:
            policy_remove(q, &v->sched);
            /* fall through */
        case SCHED_PARKED:
        case SCHED_ASLEEP: /* blocked before, perhaps, and paused now */
            v->sched.state = SCHED_ASLEEP;
            vcpu_update_runstate(v, state_to_show(v), clock_now());
            break;
        case SCHED_RUNNING:
            cpu_raise_work(v->cpu, WORK_SCHEDULE);
            break;
        }
    }
    spin_unlock(&q->lock);
}

void sched_sleep_sync(struct vcpu *v)
{
    ASSERT(v != current);
    sched_sleep_nosync(v);
    /* The caller has a reason in place not to run it, so this is where it ends up. */
    while (load_acquire(&v->is_running) || load_acquire(&v->sched.state) != SCHED_ASLEEP)
        cpu_wait();
}

void sched_yield(void)
{
    u32 cpu = this_cpu_id();

    TRACE(TRC_SCHED_YIELD, TRACE_IDS(current));
    if (!READ_ONCE(sched_queue_of(cpu)->waiting))
        return;
    current->sched.yielding = true;
    cpu_raise_work(cpu, WORK_SCHEDULE);
}

/* ---- parameters ---- */

/* v, which neither waits nor runs, to a CPU it may use. q is its queue and locked; then the
 * returned one is. */
static struct sched_queue *settle(struct sched_queue *q, struct vcpu *v)
{
    struct sched_queue *to = choose_queue(q, v);
    u8 state = v->sched.state;

    v->sched.state = SCHED_LEAVING;
    if (to != q)
        move(q, to, v, choose_cpu(to, v));
    else
        WRITE_ONCE(v->cpu, choose_cpu(q, v));
    v->sched.state = state;
    return to;
}

int sched_set_affinity(struct vcpu *v, const void *hard, const void *soft)
{
    bool placing = false;

    if (hard) {
        cpumask_t usable = cpumask_and(hard, &v->domain->sched.pool->cpus);
        if (cpumask_empty(&usable))
            return reject(-EINVAL, "no CPU of its pool is in the hard affinity");
    }
    struct sched_queue *q = sched_lock_vcpu(v);
    if (hard) {
        if (v->sched.state == SCHED_WAITING) {
            policy_remove(q, &v->sched);
            placing = true;
        }
        v->hard_affinity = *(const cpumask_t *)hard;
        policy_classify(q, &v->sched);
    }
    if (soft)
        v->soft_affinity = *(const cpumask_t *)soft;
    if (placing) {
        place(q, v, ARRIVES_MOVED);
        return 0;
    }
    if (!cpumask_test(&v->hard_affinity, v->cpu)) {
        if (v->sched.state == SCHED_RUNNING)
            cpu_raise_work(v->cpu, WORK_SCHEDULE);
        else if (v->sched.state != SCHED_LEAVING)
            q = settle(q, v);
    }
    spin_unlock(&q->lock);
    return 0;
}

static s64 quota(const struct sched_group *g)
{
    return (s64)g->cap * CAP_PERIOD / 100;
}

/* Those of d whose cap was used up may run again, each time another one first; those that run are
 * looked at again. */
static void unpark(struct domain *d)
{
    u32 first = d->sched.unparked++;

    for (u32 i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpus[(first + i) % d->max_vcpus];

        if (!v)
            continue;
        struct sched_queue *q = sched_lock_vcpu(v);
        if (v->sched.state == SCHED_PARKED) {
            place(q, v, ARRIVES_MOVED);
            continue;
        }
        if (v->sched.state == SCHED_RUNNING)
            cpu_raise_work(v->cpu, WORK_SCHEDULE);
        spin_unlock(&q->lock);
    }
}

/* d, which has a cap, begins to be counted. */
static void start_refill(struct domain *d, ns_t now)
{
    d->sched.refilled = now;
    timer_set(&d->sched.refill, now + CAP_PERIOD);
}

/*
 * Periods are over: one, or more if this comes late. What was overdrawn comes off
 * the next one; what was not used, since others were served first or the machine
 * stood still, may be used in the next ones.
 */
static void refill(void *arg)
{
    struct domain *d = arg;
    struct sched_group *g = &d->sched;
    ns_t periods = (clock_now() - g->refilled) / CAP_PERIOD;
    s64 full = quota(g), left = atomic_add_return(&g->budget, full * periods);
    bool awake = false;

    g->refilled += periods * CAP_PERIOD;
    if (left > CAP_CARRIED * full)
        atomic_sub(&g->budget, left - CAP_CARRIED * full);
    for_each_vcpu (d, v)
        awake |= READ_ONCE(v->sched.state) != SCHED_ASLEEP;
    /* Full, and all asleep: this stops until one of them comes onto a CPU. */
    if (full && (awake || left < CAP_CARRIED * full))
        timer_set(&g->refill, g->refilled + CAP_PERIOD);
    if (left > 0)
        unpark(d);
}

int sched_set_params(struct domain *d, u32 weight, u32 cap)
{
    if (weight > SCHED_WEIGHT_MAX)
        return reject(-EINVAL, "scheduling weight out of range");
    if (cap > 100 * d->max_vcpus)
        return reject(-EINVAL, "cap above what its vCPUs can use");
    weight = weight ? weight : d->sched_weight;
    d->sched_weight = weight;
    for_each_vcpu (d, v) {
        struct sched_queue *q = sched_lock_vcpu(v);

        policy_charge_all(q, clock_now()); /* by what was in force until now */
        if (v->sched.state == SCHED_WAITING || v->sched.state == SCHED_RUNNING)
            q->weight += (s64)weight - v->sched.weight;
        v->sched.weight = weight;
        spin_unlock(&q->lock);
    }
    d->sched_cap = cap;
    if (cap != d->sched.cap) {
        WRITE_ONCE(d->sched.cap, cap);
        atomic_store(&d->sched.budget, quota(&d->sched));
        if (cap)
            start_refill(d, clock_now());
        unpark(d);
    }
    return 0;
}

/* ---- life ---- */

void sched_domain_init(struct domain *d)
{
    d->sched_weight = SCHED_WEIGHT_DEFAULT;
    d->sched_cap = 0;
    d->sched.pool = &pool_zero;
    TRACE(TRC_DOM0_DOM_ADD, d->id);
    timer_init(&d->sched.refill, refill, d, this_cpu_id());
}

void sched_domain_free(struct domain *d)
{
    TRACE(TRC_DOM0_DOM_REM, d->id);
    timer_kill(&d->sched.refill);
}

void sched_vcpu_init(struct vcpu *v)
{
    static u32 last = MAX_CPUS;
    const cpumask_t *cpus = &v->domain->sched.pool->cpus;
    u32 cpu = cpumask_next(cpus, last + 1);

    if (cpu >= MAX_CPUS)
        cpu = cpumask_next(cpus, 0);
    if (v->domain->is_idle)
        cpu = v->id;
    else
        last = cpu;
    v->cpu = cpu;
    struct sched_queue *q = sched_queue_of(cpu);
    v->sched = (struct sched_vcpu){
        .weight = v->domain->sched_weight,
        /* As if it had slept for long. */
        .spent = READ_ONCE(q->floor) - q->classes[0].offset - NS_SECOND,
        .state = SCHED_ASLEEP,
    };
    bitmap_fill((unsigned long *)v->hard_affinity.bits, MAX_CPUS);
    bitmap_fill((unsigned long *)v->soft_affinity.bits, MAX_CPUS);
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = (u64)clock_now();
}

void sched_vcpu_free(struct vcpu *v)
{
    /* The CPU that let it go last may still be about to unlock. */
    struct sched_queue *q = sched_lock_vcpu(v);

    ASSERT(v->domain->is_idle || (v->sched.state == SCHED_ASLEEP && !v->is_running));
    spin_unlock(&q->lock);
}

bool sched_vcpu_rehome(struct vcpu *v)
{
    struct sched_queue *q = sched_lock_vcpu(v);
    u8 state = v->sched.state;
    u32 slot = per_cpu(sched_cpu, v->cpu).slot;
    bool moves = !queue_allowed(q, v) || !(q->online & (1U << slot));

    if (moves && (state == SCHED_RUNNING || state == SCHED_LEAVING)) {
        cpu_raise_work(v->cpu, WORK_SCHEDULE);
        spin_unlock(&q->lock);
        return false;
    }
    if (moves) {
        if (state == SCHED_WAITING)
            policy_remove(q, &v->sched);
        q = settle(q, v);
        if (state == SCHED_WAITING) {
            place(q, v, ARRIVES_MOVED);
            return true;
        }
    }
    spin_unlock(&q->lock);
    return true;
}
