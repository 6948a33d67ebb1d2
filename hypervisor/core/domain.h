/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Domains and their vCPUs: the abstract machine, without hardware.
 *
 * A domain lives from domain_create to the drop of its last reference, which
 * cannot come before its frames are all given back. domain_get* take a
 * reference, domain_put drops it. vCPUs live as long as their domain.
 *
 * struct pv_domain and struct pv_vcpu (pv/pv.h) begin with these; the guest
 * kind's operations (core/guest.h) say how big they are.
 */
#pragma once

#include "core/reject.h"
#include "core/sched.h"
#include "platform/scale.h"
#include "cpu/cpumask.h"
#include "cpu/fpu.h"
#include "cpu/regs.h"
#include "lib/rangeset.h"
#include "memory/alloc.h"
#include <xen/vcpu.h>

struct guest_ops;
struct event_table; /* core/event.c */
struct grant_table; /* core/grant.c */
struct pirq_table;  /* core/pirq.c */
struct fifo_vcpu;   /* core/event_fifo.c */
struct cpu_policy;  /* core/cpu_policy.c */
struct ioreq_table; /* core/ioreq.c */

#define DOMAIN_WATCHDOGS 2
#define MAX_VCPUS        128 /* per domain; 8192 is what the interface allows at most */

/* Why a vCPU does not run: any bit set means it is not runnable. */
enum {
    PAUSE_BLOCKED = 1, /* SCHEDOP_block: until an event */
    PAUSE_DOWN = 2,    /* not brought up, or VCPUOP_down */
    PAUSE_POLL = 4,    /* SCHEDOP_poll */
    PAUSE_IO = 8,      /* a device model has to answer: core/ioreq.h */
};

/* Bits of vcpu.work: vcpu_do_work has something to do before it enters its guest. */
enum {
    VCPU_WORK_SWITCHED = 1, /* it came onto a CPU: run state, time, timers */
    VCPU_WORK_TIME = 2,     /* write its time areas though the clock is unchanged */
    VCPU_WORK_RUNSTATE = 4, /* write its run-state area */
};

enum shutdown_state { SHUTDOWN_NOT, SHUTDOWN_PENDING, SHUTDOWN_DONE };
enum dying_state { DYING_NOT, DYING_NOW, DYING_DEAD };

struct vcpu {
    struct domain *domain;
    const struct guest_ops *ops; /* same as domain's */
    u32 id;
    u32 cpu;          /* where it runs or ran last; changes under the scheduler's lock */
    bool initialised; /* has a context (VCPUOP_initialise, setvcpucontext, builder) */
    bool is_running;  /* its registers are on `cpu` now */
    u32 pause_flags;  /* PAUSE_*, atomic */
    struct sched_vcpu sched;

    struct cpu_user_regs regs; /* while not running; on its CPU: cpu_local.guest */
    struct fpu_state *fpu;

    /* Where the guest looks: in shared_info, or a frame it registered. */
    struct vcpu_info *info; /* our mapping; never NULL: a dummy before registration */
    mfn_t info_frame;       /* MFN_NONE unless registered; we hold a reference + writable */
    u64 runstate_guest;     /* guest VA registered for runstate, 0 none */
    struct vcpu_runstate_info runstate;
    u64 time_guest;   /* VCPUOP_register_vcpu_time_memory_area, 0 none */
    u32 time_version; /* of that copy */
    bool time_due;    /* that copy is stale: its page was not there */

    struct timer singleshot, periodic, poll_timer;
    ns_t periodic_period, periodic_last;
    u32 poll_port; /* SCHEDOP_poll of one port; ~0: several; 0: only the timeout */
    struct fifo_vcpu *fifo;
    u32 virq_port[24]; /* NR_VIRQS: port bound to each virq (global ones: of vCPU 0) */

    cpumask_t hard_affinity, soft_affinity;
    bool asks; /* a device model, and is in the middle of an instruction: core/ioreq.h */
    /* To be done before it enters its guest: one word for pv/entry.S to look at. */
    bool nmi_pending __aligned_to(8);
    u32 work; /* VCPU_WORK_* */

    struct rejection rejections[REJECTIONS_KEPT];
    u32 rejection_next;
};

struct domain {
    struct frame_owner frames; /* first: struct frame finds us by it */
    const struct guest_ops *ops;
    domid_t id;
    u32 references;             /* atomic */
    struct list_head link;      /* destroyed, but its frames are in use: LOCK_DOMAIN_LIST */
    struct domain *zombie_next; /* without references, to be freed */
    spinlock_t lock;            /* LOCK_DOMAIN */

    bool is_control;  /* dom0: may call control operations */
    bool is_hardware; /* has the machine's ports, interrupts, console */
    bool is_idle;
    bool is_hvm; /* translated; never with PV */
    bool narrow; /* shared_info and vcpu_info have the layout of 32-bit code */
    bool created_paused;
    enum dying_state dying;
    enum shutdown_state shutdown;
    u32 shutdown_code;       /* SHUTDOWN_*; ~0 none */
    u32 pause_count;         /* atomic: every vCPU stands still while it is not 0 */
    u32 control_pause_count; /* of those, by pausedomain; 1 at creation */
    u32 options;             /* XEN_DOMCTL_CDF_* */
    u8 handle[16];           /* UUID */
    u32 max_vcpus;
    struct vcpu **vcpus; /* max_vcpus slots, NULL until created */

    struct shared_info *shared_info; /* our page, shared; never NULL for a guest */
    u32 vm_assist;                   /* VMASST_TYPE bits */
    u32 address_width;
    cpumask_t dirty_cpus; /* CPUs that may hold TLB entries of it */
    ns_t wall_offset;     /* time_offset_seconds etc. of this guest's clock */
    u32 tsc_mode;
    u32 tsc_khz; /* of an emulated TSC; 0: it runs as the machine's */

    struct event_table *events;
    struct grant_table *grants;
    struct p2m *p2m; /* of a translated domain; else NULL: it names machine frames */
    struct pirq_table *pirqs;
    struct ioreq_table *ioreq; /* NULL: no device model yet */
    struct rangeset io_memory; /* machine frames it may map though they are no RAM */
    struct rangeset io_ports;
    struct rangeset irqs;

    void *e820; /* XENMEM_set_memory_map: heap array of e820_count 20-byte entries */
    u32 e820_count;
    u32 suspend_port;
    u32 max_evtchn, max_grant_frames, max_maptrack_frames, grant_version_max;
    struct cpu_policy *cpu_policy; /* core/cpu_policy.h */
    u64 created_at;                /* clock_now at creation */
    u32 sched_weight, sched_cap;
    struct sched_group sched;
    u32 pollers;      /* vCPUs with PAUSE_POLL; atomic */
    u32 destroy_step; /* how far domain_destroy got */
    u32 destroy_left; /* frames to look at in this step */
    u32 destroy_busy; /* a CPU is at it; atomic */
    bool kind_ready;  /* ops->domain_init has succeeded */
    struct timer watchdogs[DOMAIN_WATCHDOGS];
    u32 watchdogs_used; /* a bit each; under lock */
};

extern struct domain *hardware_domain; /* dom0; NULL before it is made */
extern struct domain *idle_domain;

/* config NULL: idle domain only. id DOMID_INVALID-like 0xffff: first free.
 * Errors: -EEXIST, -EINVAL, -ENOMEM, -EOPNOTSUPP (guest kind not there). */
struct xen_domctl_createdomain;
/* Anew it is paused once by control (domain_unpause_by_control starts it).
 * id 0 is dom0's: control only; for others 0 means the first free, too. */
int domain_create(domid_t id, const struct xen_domctl_createdomain *config, bool control,
                  struct domain **result);
/* Reference taken; NULL: none. DOMID_SELF gives the caller's own. */
struct domain *domain_get(domid_t id);
/* The first domain with an id >= from; reference taken. */
struct domain *domain_get_next(domid_t from);
static inline void domain_get_again(struct domain *d)
{
    __atomic_fetch_add(&d->references, 1, __ATOMIC_RELAXED);
}
void domain_put(struct domain *d);
/* The one behind d, whose reference is dropped. */
static inline struct domain *domain_next(struct domain *d)
{
    struct domain *next = domain_get_next(d->id + 1);

    domain_put(d);
    return next;
}
/* d is referenced inside; who leaves by break or return has the reference. */
#define for_each_domain(d) for (struct domain *d = domain_get_next(0); d; d = domain_next(d))
/* Of a variable: the reference it has (if not NULL) is dropped at the end of its block. */
#define __put_domain __attribute__((cleanup(domain_unhold_)))
static inline void domain_unhold_(struct domain **d)
{
    if (*d)
        domain_put(*d);
}
/* The first from this id on. */
static inline struct vcpu *domain_next_vcpu(const struct domain *d, u32 id)
{
    while (id < d->max_vcpus && !d->vcpus[id])
        id++;
    return id < d->max_vcpus ? d->vcpus[id] : NULL;
}
#define for_each_vcpu(d, v) \
    for (struct vcpu *v = domain_next_vcpu(d, 0); v; v = domain_next_vcpu(d, v->id + 1))

int vcpu_create(struct domain *d, u32 id); /* slot below max_vcpus; -EINVAL, -EEXIST, -ENOMEM */
void vcpu_release_info(struct vcpu *v);    /* domain_destroy: back to the dummy */
void vcpu_kill_timers(struct vcpu *v);     /* none runs out any more */
void vcpu_free_all(struct domain *d);      /* last step of a domain's life */
/* NULL: out of range or not created; speculation safe. */
struct vcpu *domain_vcpu(struct domain *d, u32 id);

/* Pausing: *_sync returns when no vCPU of it runs anywhere. Nestable. */
void domain_pause(struct domain *d);
void domain_pause_nosync(struct domain *d);
void domain_unpause(struct domain *d);
int domain_pause_by_control(struct domain *d);   /* counted apart; -EOVERFLOW... */
int domain_unpause_by_control(struct domain *d); /* -EINVAL when not paused so */

/* The guest says it ends (SCHEDOP_shutdown) or is ended by us (crash). */
void domain_shutdown(struct domain *d, u32 reason);
int domain_resume(struct domain *d); /* XEN_DOMCTL_resumedomain; 0 */
/* SCHEDOP_watchdog: id 0 takes a new one and returns its id; else 0. 0 seconds ends it. */
int domain_watchdog(struct domain *d, u32 id, u32 seconds);
/* A guest did what only its death answers; it is the current one. Logs why. */
void domain_crash(struct domain *d, const char *why);
/* XEN_DOMCTL_destroydomain: preemptible: -ERESTART_HYPERCALL until all is given up, then 0. */
int domain_destroy(struct domain *d);
void domain_reap(void); /* WORK_REAP handler */
/* The scheduler: a vCPU of a domain that is shutting down has left its CPU. */
void domain_finish_shutdown(struct domain *d);

/* vcpu_info and friends (VCPUOP_register_*). */
int vcpu_register_info(struct vcpu *v, u64 number, u32 offset); /* number: core/physmap.h */
/* 0: none; written on the way out. */
void vcpu_register_runstate(struct vcpu *v, u64 guest_address);
void vcpu_register_time(struct vcpu *v, u64 guest_address);
void vcpu_update_runstate(struct vcpu *v, int state, ns_t now); /* RUNSTATE_*; scheduler only */
void vcpu_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out);
/* From ticks of its TSC to nanoseconds. */
static inline struct clock_scale domain_tsc_scale(const struct domain *d)
{
    return d->tsc_khz ? scale_from_hz(d->tsc_khz * 1000UL) : *clock_scale();
}
void vcpu_update_time(struct vcpu *v);                 /* writes vcpu_time_info if it changed */
void domain_set_narrow(struct domain *d, bool narrow); /* as the code is that sets it up */
void domain_update_wallclock(struct domain *d);
void domains_update_wallclock(void); /* after dom0 set the time */
/* Runs on the way into v (pv exit path) while v->work is not 0, which it makes so:
 * run state and time to the guest, timers to this CPU. */
void vcpu_do_work(struct vcpu *v);
/* VCPUOP_set_periodic_timer (0: stop; -EINVAL: too short), set_singleshot_timer (-ETIME: past, if
 * the caller wants the future only; NS_NEVER stops). */
int vcpu_set_periodic(struct vcpu *v, ns_t period);
int vcpu_set_singleshot(struct vcpu *v, ns_t when, bool only_future);
int vcpu_up(struct vcpu *v); /* -EINVAL not initialised */
void vcpu_down(struct vcpu *v);

void vcpu_block(void);                                    /* current: SCHEDOP_block semantics */
int vcpu_poll(const u32 *ports, u32 count, ns_t timeout); /* current */
void vcpu_wake(struct vcpu *v);                           /* after clearing pause bits */
void vcpu_kick(struct vcpu *v);     /* make it re-examine pending events soon, wherever it is */
bool vcpu_poll_end(struct vcpu *v); /* wakes it if it polls; core/event.c */
/* An upcall is pending: sets vcpu_info bits, unblocks, kicks. */
void vcpu_mark_events_pending(struct vcpu *v);
/* A domain that shuts down is to be whole: who is in the middle of an instruction ends that. */
static inline bool vcpu_runnable(const struct vcpu *v)
{
    u32 paused = READ_ONCE(v->domain->pause_count);

    if (paused == 1 && v->asks && READ_ONCE(v->domain->shutdown) == SHUTDOWN_PENDING)
        paused = 0;
    return !(READ_ONCE(v->pause_flags) | paused);
}

void crash_describe_vcpu(void); /* one line about the current vCPU */
