/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vCPU's life, why it does not run, and what it sees of itself in memory:
 * vcpu_info, run state, time.
 *
 * Locks: none of its own. pause_flags and work are atomic words;
 * who clears the last reason not to run calls vcpu_wake, who sets one calls the
 * scheduler's sleep functions; the scheduler looks at them under its own lock,
 * so no wake is lost whatever the order. v->info changes once (registration).
 *
 * Everything the guest can write (vcpu_info) is read as hostile: nothing read
 * from there decides more than whether this guest gets its events.
 */
#include "core/access.h"
#include "core/event_table.h"
#include "core/guest.h"
#include "core/physmap.h"
#include "core/trace.h"
#include <xen/sched.h>

#define PERIOD_MIN NS_MS

/* Stands in for vCPUs beyond shared_info until they register. Its upcalls count for nothing. */
static struct vcpu_info dummy_info __aligned_to(64) = {.evtchn_upcall_mask = 1};

/* ---- life ---- */

struct vcpu *domain_vcpu(struct domain *d, u32 id)
{
    if (id >= d->max_vcpus)
        return NULL;
    return load_acquire(&d->vcpus[index_clamp(id, d->max_vcpus)]);
}

static void singleshot_over(void *arg)
{
    event_send_virq(arg, VIRQ_TIMER);
}

static void period_over(void *arg)
{
    struct vcpu *v = arg;

    v->periodic_last = clock_now();
    event_send_virq(v, VIRQ_TIMER);
    if (v->periodic_period)
        timer_set(&v->periodic, v->periodic_last + MAX(v->periodic_period, PERIOD_MIN));
}

static void poll_over(void *arg)
{
    vcpu_poll_end(arg);
}

int vcpu_create(struct domain *d, u32 id)
{
    int error = 0;

    if (id >= d->max_vcpus)
        return reject(-EINVAL, "vCPU number beyond the domain's maximum");
    if (d->vcpus[id])
        return reject(-EEXIST, "vCPU exists");
    struct vcpu *v = heap_zalloc(d->ops->vcpu_size);
    if (!v)
        return -ENOMEM;
    v->domain = d;
    v->ops = d->ops;
    v->id = id;
    v->info_frame = MFN_NONE;
    v->info = d->shared_info && id < XEN_LEGACY_MAX_VCPUS ? &d->shared_info->vcpu_info[id]
                                                          : &dummy_info;
    v->pause_flags = d->is_idle ? 0 : PAUSE_DOWN;
    sched_vcpu_init(v);
    timer_init(&v->singleshot, singleshot_over, v, v->cpu);
    timer_init(&v->periodic, period_over, v, v->cpu);
    timer_init(&v->poll_timer, poll_over, v, v->cpu);
    if (!d->is_idle) {
        v->fpu = fpu_state_new();
        error = v->fpu ? 0 : -ENOMEM;
    }
    if (!error && v->ops->vcpu_init)
        error = v->ops->vcpu_init(v);
    if (error) {
        fpu_state_free(v->fpu);
        sched_vcpu_free(v);
        heap_free(v);
        return error;
    }
    if (v->info != &dummy_info)
        vcpu_update_time(v);
    store_release(&d->vcpus[id], v);
    return 0;
}

void vcpu_kill_timers(struct vcpu *v)
{
    timer_kill(&v->singleshot);
    timer_kill(&v->periodic);
    timer_kill(&v->poll_timer);
}

void vcpu_free_all(struct domain *d)
{
    for (u32 id = 0; id < d->max_vcpus; id++) {
        struct vcpu *v = d->vcpus[id];

        if (!v)
            continue;
        vcpu_kill_timers(v);
        if (v->ops->vcpu_free)
            v->ops->vcpu_free(v);
        fpu_state_free(v->fpu);
        sched_vcpu_free(v);
        d->vcpus[id] = NULL;
        heap_free(v);
    }
}

/* ---- standing still ---- */

void vcpu_wake(struct vcpu *v)
{
    if (vcpu_runnable(v))
        sched_wake(v);
}

/* Takes away one of the reasons not to run; true: it was one. */
static bool clear_pause(struct vcpu *v, u32 reason)
{
    return (READ_ONCE(v->pause_flags) & reason) &&
           (atomic_fetch_and(&v->pause_flags, ~reason) & reason);
}

int vcpu_up(struct vcpu *v)
{
    if (!v->initialised)
        return reject(-EINVAL, "vCPU has no context");
    if (clear_pause(v, PAUSE_DOWN))
        vcpu_wake(v);
    return 0;
}

void vcpu_down(struct vcpu *v)
{
    struct domain *d = v->domain;

    atomic_or(&v->pause_flags, PAUSE_DOWN);
    sched_sleep_nosync(v);
    for_each_vcpu (d, other)
        if (!(READ_ONCE(other->pause_flags) & PAUSE_DOWN))
            return;
    /* The last one: nobody is left to say that the domain is over. */
    domain_shutdown(d, SHUTDOWN_poweroff);
}

void vcpu_kick(struct vcpu *v)
{
    if (clear_pause(v, PAUSE_BLOCKED))
        vcpu_wake(v);
    else if (!vcpu_poll_end(v) && READ_ONCE(v->is_running) && v != current)
        cpu_raise_work(v->cpu, WORK_VCPU); /* the way out looks at vcpu_info */
}

void vcpu_mark_events_pending(struct vcpu *v)
{
    struct vcpu_info *info = READ_ONCE(v->info);

    /* Set before: it was kicked then, and has not looked yet. */
    if (atomic_xchg(&info->evtchn_upcall_pending, 1) && info != &dummy_info)
        return;
    if (v->ops->upcall)
        v->ops->upcall(v);
    vcpu_kick(v);
}

void vcpu_block(void)
{
    struct vcpu *v = current;

    /* A translated guest masks by its interrupt flag and never by this. */
    WRITE_ONCE(v->info->evtchn_upcall_mask, 0);
    /* First say that we sleep, then look: an event in between does the same the
     * other way round, so that one of us notices. */
    atomic_or(&v->pause_flags, PAUSE_BLOCKED);
    if (v->ops->wakes ? v->ops->wakes(v) : vcpu_events_pending(v))
        atomic_and(&v->pause_flags, ~(u32)PAUSE_BLOCKED);
    else {
        TRACE(TRC_SCHED_BLOCK, TRACE_IDS(v));
        cpu_raise_work(this_cpu_id(), WORK_SCHEDULE);
    }
}

bool vcpu_poll_end(struct vcpu *v)
{
    if (!clear_pause(v, PAUSE_POLL))
        return false;
    atomic_dec(&v->domain->pollers);
    vcpu_wake(v);
    return true;
}

int vcpu_poll(const u32 *ports, u32 count, ns_t timeout)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;

    timer_stop(&v->poll_timer);
    v->poll_port = count == 0 ? 0 : count == 1 ? ports[0] : ~0U;
    atomic_inc(&d->pollers);
    atomic_or(&v->pause_flags, PAUSE_POLL);
    /* As with blocking: say it, then look. */
    if (vcpu_events_pending(v)) {
        vcpu_poll_end(v);
        return 0;
    }
    for (u32 i = 0; i < count; i++) {
        bool valid = event_port(d, ports[i]) != NULL;

        if (!valid || event_port_pending(d, ports[i])) {
            vcpu_poll_end(v);
            return valid ? 0 : reject(-EINVAL, "polls an invalid port");
        }
    }
    if (timeout)
        timer_set(&v->poll_timer, timeout);
    cpu_raise_work(this_cpu_id(), WORK_SCHEDULE);
    return 0;
}

/* ---- timers of its own ---- */

int vcpu_set_periodic(struct vcpu *v, ns_t period)
{
    if (period && period < PERIOD_MIN)
        return reject(-EINVAL, "timer period below a millisecond");
    if (period > NS_NEVER / 2)
        return reject(-EINVAL, "timer period too long");
    v->periodic_period = period;
    if (period)
        timer_set(&v->periodic, clock_now() + period);
    else
        timer_stop(&v->periodic);
    return 0;
}

int vcpu_set_singleshot(struct vcpu *v, ns_t when, bool only_future)
{
    if (only_future && when < clock_now())
        return reject(-ETIME, "timer is in the past");
    timer_set(&v->singleshot, when);
    return 0;
}

/* ---- what it sees in memory ---- */

int vcpu_register_info(struct vcpu *v, u64 number, u32 offset)
{
    struct domain *d = v->domain;
    struct vcpu_info *info;
    struct frame *f;

    if (offset > PAGE_SIZE - sizeof(*info) || offset % sizeof(u64))
        return reject(-ENXIO, "vcpu_info leaves its page or is not aligned");
    if (!mfn_is_none(v->info_frame))
        return reject(-EINVAL, "vcpu_info is registered already");
    if (v != current && !(READ_ONCE(v->pause_flags) & PAUSE_DOWN))
        return reject(-EINVAL, "vcpu_info of another vCPU that is up");
    if (domain_page_take(d, number, &f))
        return reject(-EINVAL, "vcpu_info in a page that is not the domain's to write");
    info = (struct vcpu_info *)((char *)mfn_to_virt(frame_to_mfn(f)) + offset);
    if (v->info == &dummy_info) {
        memset(info, 0, sizeof(*info));
        info->evtchn_upcall_mask = 1;
    } else {
        memcpy(info, v->info, sizeof(*info));
    }
    v->info_frame = frame_to_mfn(f);
    store_release(&v->info, info);
    memory_barrier();
    /* Events that were on their way may have gone into the old one: let the
     * guest look at every word, now that all new ones come here. */
    memset(two_level_selector(v, info), 0xff, d->narrow ? 4 : 8);
    vcpu_mark_events_pending(v);
    atomic_or(&v->work, VCPU_WORK_TIME);
    return 0;
}

void vcpu_release_info(struct vcpu *v)
{
    mfn_t frame = v->info_frame;

    v->info = &dummy_info;
    v->info_frame = MFN_NONE;
    v->runstate_guest = v->time_guest = 0;
    if (!mfn_is_none(frame))
        domain_page_drop(mfn_to_frame(frame));
}

void vcpu_register_runstate(struct vcpu *v, u64 guest_address)
{
    v->runstate_guest = guest_address;
    atomic_or(&v->work, VCPU_WORK_RUNSTATE);
}

void vcpu_register_time(struct vcpu *v, u64 guest_address)
{
    v->time_guest = guest_address;
    atomic_or(&v->work, VCPU_WORK_TIME);
}

/*
 * The run state goes to a guest virtual address, so only in its own address
 * space. Other vCPUs may read it meanwhile: with the assist on, a flag in the
 * entry time brackets the change.
 */
static void write_runstate(struct vcpu *v)
{
    u64 entry_at = v->runstate_guest + offsetof(struct vcpu_runstate_info, state_entry_time);
    struct vcpu_runstate_info r = v->runstate; /* running: only this CPU changes it */

    if (!(v->domain->vm_assist & (1U << VMASST_TYPE_runstate_update_flag))) {
        /* No page, no copy: the kernel's mapping may be absent while it is in user mode. */
        (void)!guest_try_copy_out(v->runstate_guest, &r, sizeof(r));
        return;
    }
    r.state_entry_time |= XEN_RUNSTATE_UPDATE;
    if (guest_try_copy_out(entry_at, &r.state_entry_time, sizeof(u64)))
        return;
    barrier();
    if (guest_try_copy_out(v->runstate_guest, &r, sizeof(r)))
        return;
    barrier();
    r.state_entry_time &= ~XEN_RUNSTATE_UPDATE;
    (void)!guest_try_copy_out(entry_at, &r.state_entry_time, sizeof(u64));
}

/* Stable: the same on every CPU. The boot CPU's scale is what others are compared with. */
static struct clock_scale common_scale;

static struct vcpu_time_info time_now(const struct vcpu *v)
{
    const struct clock_scale *s = clock_scale(), its = domain_tsc_scale(v->domain);

    if (!common_scale.mul)
        common_scale = *s;
    bool same = s->base_tsc == common_scale.base_tsc && s->base_ns == common_scale.base_ns &&
                s->mul == common_scale.mul && s->shift == common_scale.shift;

    return (struct vcpu_time_info){
        .tsc_timestamp = v->ops->tsc ? v->ops->tsc(v, s->base_tsc) : s->base_tsc,
        .system_time = s->base_ns,
        .tsc_to_system_mul = its.mul,
        .tsc_shift = its.shift,
        .flags = same ? XEN_PVCLOCK_TSC_STABLE_BIT : 0,
    };
}

/* Everything but the version. */
static bool same_time(const struct vcpu_time_info *a, const struct vcpu_time_info *b)
{
    return a->tsc_timestamp == b->tsc_timestamp && a->system_time == b->system_time &&
           a->tsc_to_system_mul == b->tsc_to_system_mul && a->tsc_shift == b->tsc_shift &&
           a->flags == b->flags;
}

void vcpu_update_time(struct vcpu *v)
{
    struct vcpu_time_info *shown = &v->info->time, t = time_now(v);

    if (v->info == &dummy_info || same_time(shown, &t))
        return;
    t.version = READ_ONCE(shown->version) | 1; /* odd: being written */
    WRITE_ONCE(shown->version, t.version);
    barrier();
    memcpy((char *)shown + sizeof(shown->version), (char *)&t + sizeof(t.version),
           sizeof(t) - sizeof(t.version));
    barrier();
    WRITE_ONCE(shown->version, t.version + 1);
    v->time_due = true;
}

/* The second copy, which processes of the guest read (vDSO). */
static void write_time_area(struct vcpu *v)
{
    struct vcpu_time_info t = time_now(v);
    u64 at = v->time_guest;

    t.version = v->time_version | 1;
    if (guest_try_copy_out(at, &t.version, sizeof(t.version)))
        return;
    barrier();
    if (guest_try_copy_out(at, &t, sizeof(t)))
        return;
    barrier();
    v->time_version = ++t.version;
    if (!guest_try_copy_out(at, &t.version, sizeof(t.version)))
        v->time_due = false;
}

void vcpu_do_work(struct vcpu *v)
{
    u32 work = atomic_xchg(&v->work, 0);

    if (work & VCPU_WORK_SWITCHED) {
        timer_migrate(&v->singleshot, v->cpu);
        timer_migrate(&v->periodic, v->cpu);
    }
    vcpu_update_time(v);
    if (work & VCPU_WORK_TIME)
        v->time_due = true;
    if (v->time_due && v->time_guest)
        write_time_area(v);
    if (v->runstate_guest && (work & (VCPU_WORK_SWITCHED | VCPU_WORK_RUNSTATE)))
        write_runstate(v);
}
