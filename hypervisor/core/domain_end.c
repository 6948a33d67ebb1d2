/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How domains end: shut down by themselves, crashed by us, destroyed by the
 * tools, freed when nothing refers to them any more.
 *
 * A destroyed domain first gives up what it has of others and lets go of its
 * own frames (domain_destroy, in steps that can be interrupted). Frames that
 * others still map stay, and with them the domain, as a zombie that the tools
 * see. When the last is gone WORK_REAP finds it and drops the reference that
 * stands for its life; when all references are gone it is freed.
 *
 * Locks: dead_lock (LOCK_DOMAIN_LIST) for the list of zombies; shutdown and its
 * code change by compare-and-exchange, as crashes come under any lock. The one
 * who destroys is alone by destroy_busy.
 */
#include "core/continuation.h"
#include "core/domain_private.h"
#include "core/event.h"
#include "core/grant.h"
#include "core/ioreq.h"
#include "core/pirq.h"
#include "platform/console.h"
#include "platform/machine.h"
#include <xen/sched.h>

static spinlock_t dead_lock = SPINLOCK(LOCK_DOMAIN_LIST);
static struct list_head dead = LIST_HEAD_INIT(dead);
static struct domain *zombies; /* without references; a stack, atomic */

/* ---- shutting down ---- */

static __noreturn void hardware_domain_down(u32 reason)
{
    if (reason == SHUTDOWN_poweroff) {
        printk(LOG_INFO, "Hardware domain has shut down: powering off\n");
        machine_power_off();
    }
    printk(LOG_INFO, "Hardware domain %s: restarting\n",
           reason == SHUTDOWN_reboot ? "wants a restart"
                                     : (reason == SHUTDOWN_watchdog ? "is stuck" : "has crashed"));
    machine_restart();
}

void domain_shutdown(struct domain *d, u32 reason)
{
    if (d->is_hardware)
        hardware_domain_down(reason);
    /* A reason given before (SCHEDOP_shutdown_code) stays. */
    atomic_cmpxchg(&d->shutdown_code, ~0U, reason);
    if (atomic_cmpxchg(&d->shutdown, SHUTDOWN_NOT, SHUTDOWN_PENDING) != SHUTDOWN_NOT)
        return;
    domain_pause_nosync(d);
    domain_finish_shutdown(d);
}

/* Complete when no vCPU runs any more: the tools may then read the whole state. */
void domain_finish_shutdown(struct domain *d)
{
    for_each_vcpu (d, v)
        if (load_acquire(&v->is_running) || v->asks)
            return; /* comes again when it has left its CPU */
    if (atomic_cmpxchg(&d->shutdown, SHUTDOWN_PENDING, SHUTDOWN_DONE) != SHUTDOWN_PENDING)
        return;
    if (d->shutdown_code == SHUTDOWN_suspend && d->suspend_port)
        event_send(d, d->suspend_port);
    else
        event_send_global_virq(VIRQ_DOM_EXC);
}

int domain_resume(struct domain *d)
{
    domain_pause(d);
    WRITE_ONCE(d->shutdown_code, ~0U);
    if (atomic_xchg(&d->shutdown, SHUTDOWN_NOT) != SHUTDOWN_NOT)
        domain_unpause(d);
    domain_unpause(d);
    return 0;
}

void domain_crash(struct domain *d, const char *why)
{
    printk(LOG_WARNING, "d%dv%d crashes: %s\n", d->id, current->domain == d ? (int)current->id : -1,
           why);
    ASSERT(!d->is_idle);
    if (current->domain == d)
        reject_dump();
    domain_shutdown(d, SHUTDOWN_crash);
}

/* ---- destroying ---- */

void domain_unshare_info(struct domain *d)
{
    spin_hold(&d->lock); /* against the wall clock being written */
    if (d->shared_info)
        frame_unshare(d->shared_info);
    d->shared_info = NULL;
}

/*
 * Drops the domain's own reference of each frame it has. Those that others map
 * stay on its list, hence the turning of the list instead of emptying it.
 */
static int release_frames(struct domain *d)
{
    struct frame_owner *o = &d->frames;

    while (d->destroy_left) {
        spin_lock(&o->lock);
        struct frame *f = frame_list_first(&o->frames);
        if (!f) {
            spin_unlock(&o->lock);
            break;
        }
        frame_list_del(&o->frames, f);
        frame_list_add_tail(&o->frames, f);
        bool held = frame_get(f, o);
        spin_unlock(&o->lock);
        if (held) {
            frame_release(f);
            frame_put(f);
        }
        if (--d->destroy_left % 64 == 0 && hypercall_should_yield())
            return -ERESTART_HYPERCALL;
    }
    return 0;
}

static int give_up_kind(struct domain *d)
{
    return d->ops->domain_relinquish(d);
}

static int give_up_rest(struct domain *d)
{
    pirq_destroy(d);
    domain_watchdog_kill(d);
    for_each_vcpu (d, v) {
        vcpu_kill_timers(v);
        vcpu_release_info(v);
    }
    memory_claim(&d->frames, 0);
    d->destroy_left = d->frames.frames.count;
    return 0;
}

/* One step after the other; each may stop half-way and be called again. */
static int destroy_steps(struct domain *d)
{
    static int (*const steps[])(struct domain *) = {ioreq_destroy_all, event_destroy,
                                                    grant_destroy,     give_up_kind,
                                                    give_up_rest,      release_frames};

    for (; d->destroy_step < ARRAY_SIZE(steps); d->destroy_step++) {
        int error = steps[d->destroy_step](d);

        if (error == -ERESTART_HYPERCALL)
            return error;
        if (error)
            panic("domain %u cannot be destroyed: step %u says %d", d->id, d->destroy_step, error);
    }
    return 0;
}

static void begin_dying(struct domain *d)
{
    domain_pause(d);
    WRITE_ONCE(d->dying, DYING_NOW);
    spin_lock(&d->frames.lock);
    d->frames.dying = true;
    spin_unlock(&d->frames.lock);
    memory_barrier();
}

int domain_destroy(struct domain *d)
{
    int error = 0;

    if (d == current->domain || d->is_idle || d == hardware_domain)
        return reject(-EINVAL, "domain cannot be destroyed");
    if (atomic_xchg(&d->destroy_busy, 1))
        return -ERESTART_HYPERCALL; /* another CPU is at it */
    if (d->dying == DYING_NOT)
        begin_dying(d);
    if (d->dying == DYING_NOW) {
        error = destroy_steps(d);
        if (!error) {
            domain_unshare_info(d);
            WRITE_ONCE(d->dying, DYING_DEAD);
            spin_lock(&dead_lock);
            list_add_tail(&d->link, &dead);
            spin_unlock(&dead_lock);
            event_send_global_virq(VIRQ_DOM_EXC);
            cpu_raise_work(this_cpu_id(), WORK_REAP);
        }
    }
    store_release(&d->destroy_busy, 0);
    return error;
}

/* ---- the end ---- */

void domain_put(struct domain *d)
{
    struct domain *next;

    if (!atomic_dec_and_test(&d->references))
        return;
    /* Freeing takes locks and waits: not here, where the caller may hold some. */
    do {
        next = READ_ONCE(zombies);
        d->zombie_next = next;
    } while (atomic_cmpxchg(&zombies, next, d) != next);
    cpu_raise_work(this_cpu_id(), WORK_REAP);
}

static bool has_frames(struct domain *d)
{
    /* Under the lock, so that whoever gave the last one back has let go of it. */
    spin_hold(&d->frames.lock);
    return d->frames.frames.count || d->frames.hv.count;
}

void domain_reap(void)
{
    struct domain *d, *next;

    spin_lock(&dead_lock);
    list_for_each_safe (d, next, &dead, link)
        if (!has_frames(d)) {
            list_del(&d->link);
            domain_put(d); /* its life's own reference */
        }
    spin_unlock(&dead_lock);
    for (d = atomic_xchg(&zombies, NULL); d; d = next) {
        next = d->zombie_next;
        domain_leave_table(d);
        domain_free(d);
        event_send_global_virq(VIRQ_DOM_EXC);
    }
}
