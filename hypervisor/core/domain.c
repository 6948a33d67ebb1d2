/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the set of domains, their references and their life: made here, ended
 * in core/domain_end.c.
 *
 * Locks: list_lock (LOCK_DOMAIN_LIST) guards the table by id and the ids in
 * use. A domain found in the table under the lock has memory; it can be had
 * only while its count of references is not zero. References are atomic.
 * Nothing here waits for vCPUs of other domains with a lock held, but for what
 * the control tools' own lock serialises.
 */
#include "core/cpu_policy.h"
#include "core/domain_private.h"
#include "core/event.h"
#include "core/grant.h"
#include "core/pirq.h"
#include "platform/console.h"
#include <xen/domctl.h>

#define CHUNK_BITS 9
#define CHUNK_SIZE (1U << CHUNK_BITS) /* a page of pointers */

struct domain *hardware_domain;

static spinlock_t list_lock = SPINLOCK(LOCK_DOMAIN_LIST);
/* By id; chunks come with the first domain in them and go with the last. */
static struct domain **table[DOMID_FIRST_RESERVED / CHUNK_SIZE + 1];
static u16 members[ARRAY_SIZE(table)];
static BITMAP(ids_in_use, DOMID_FIRST_RESERVED);

/* ---- finding ---- */

static bool get_live(struct domain *d)
{
    for (u32 n = atomic_load(&d->references); n;) {
        u32 seen = atomic_cmpxchg(&d->references, n, n + 1);
        if (seen == n)
            return true;
        n = seen;
    }
    return false;
}

/* list_lock is held. */
static struct domain *at(u32 id)
{
    u32 i = (u32)index_clamp(id, DOMID_FIRST_RESERVED);

    return table[i >> CHUNK_BITS] ? table[i >> CHUNK_BITS][i % CHUNK_SIZE] : NULL;
}

struct domain *domain_get(domid_t id)
{
    if (id == DOMID_SELF) {
        domain_get_again(current->domain);
        return current->domain;
    }
    if (id >= DOMID_FIRST_RESERVED)
        return NULL;
    spin_hold(&list_lock);
    struct domain *d = at(id);
    return d && get_live(d) ? d : NULL;
}

struct domain *domain_get_next(domid_t from)
{
    spin_hold(&list_lock);
    for (u64 id = from;; id++) {
        id = bitmap_find_next_set(ids_in_use, DOMID_FIRST_RESERVED, id);
        struct domain *d = id < DOMID_FIRST_RESERVED ? at((u32)id) : NULL;

        if (id >= DOMID_FIRST_RESERVED || (d && get_live(d)))
            return d;
    }
}

/* ---- ids ---- */

/* An id of its own for a new domain: the wanted one, or the first free after the last given. */
static int take_id(domid_t wanted, bool control, domid_t *id)
{
    static u32 rover;
    u32 next = wanted;

    spin_hold(&list_lock);
    if (wanted < DOMID_FIRST_RESERVED && (wanted || control)) {
        if (bit_test(ids_in_use, wanted))
            return -EEXIST;
    } else {
        next = (u32)bitmap_find_next_clear(ids_in_use, DOMID_FIRST_RESERVED, rover + 1);
        if (next >= DOMID_FIRST_RESERVED)
            next = (u32)bitmap_find_next_clear(ids_in_use, DOMID_FIRST_RESERVED, 1);
        if (next >= DOMID_FIRST_RESERVED)
            return -ENOMEM;
        rover = next;
    }
    *id = (domid_t)next;
    bit_set(ids_in_use, next);
    return 0;
}

static void give_id(domid_t id)
{
    spin_hold(&list_lock);
    bit_clear(ids_in_use, id);
}

static int enter(struct domain *d)
{
    u32 i = d->id >> CHUNK_BITS;

    spin_hold(&list_lock);
    if (!table[i])
        table[i] = heap_zalloc(CHUNK_SIZE * sizeof(*table[i]));
    if (!table[i])
        return -ENOMEM;
    table[i][d->id % CHUNK_SIZE] = d;
    members[i]++;
    return 0;
}

void domain_leave_table(struct domain *d)
{
    u32 i = d->id >> CHUNK_BITS;

    spin_hold(&list_lock);
    table[i][d->id % CHUNK_SIZE] = NULL;
    if (!--members[i]) {
        heap_free(table[i]);
        table[i] = NULL;
    }
}

/* ---- making ---- */

/* What needs no memory of its own but the struct and the vCPUs' slots. */
static struct domain *allocate(const struct guest_ops *ops, domid_t id, u32 max_vcpus)
{
    struct domain *d = pages_alloc(page_order(ops->domain_size), ALLOC_ZERO);

    if (!d)
        return NULL;
    d->vcpus = heap_zalloc(max_vcpus * sizeof(d->vcpus[0]));
    if (!d->vcpus) {
        pages_free(d, page_order(ops->domain_size));
        return NULL;
    }
    frame_owner_init(&d->frames);
    d->ops = ops;
    d->id = id;
    d->references = 1;
    d->max_vcpus = max_vcpus;
    d->lock = SPINLOCK(LOCK_DOMAIN);
    d->shutdown_code = ~0U;
    d->created_at = (u64)clock_now();
    d->address_width = 64;
    list_init(&d->link);
    rangeset_init(&d->io_memory, heap_alloc, heap_free);
    rangeset_init(&d->io_ports, heap_alloc, heap_free);
    rangeset_init(&d->irqs, heap_alloc, heap_free);
    sched_domain_init(d);
    domain_watchdog_init(d);
    return d;
}

struct domain *domain_create_idle(const struct guest_ops *ops, u32 cpus)
{
    struct domain *d = allocate(ops, DOMID_IDLE, cpus);

    if (d)
        d->is_idle = true;
    return d;
}

/* Gives back all that is there: of a domain whose making failed, or without references. */
void domain_free(struct domain *d)
{
    domid_t id = d->id;

    vcpu_free_all(d);
    if (d->kind_ready)
        d->ops->domain_free(d);
    heap_free(d->cpu_policy);
    grant_free(d);
    pirq_destroy(d);
    event_free(d);
    domain_unshare_info(d);
    rangeset_destroy(&d->io_memory);
    rangeset_destroy(&d->io_ports);
    rangeset_destroy(&d->irqs);
    sched_domain_free(d);
    heap_free(d->e820);
    heap_free(d->vcpus);
    pages_free(d, page_order(d->ops->domain_size));
    give_id(id);
}

/* The parts, each of which leaves nothing behind when it fails. */
static int furnish(struct domain *d, const struct xen_domctl_createdomain *config)
{
    d->shared_info = page_alloc_shared(&d->frames);
    if (!d->shared_info)
        return -ENOMEM;
    for (u32 i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        d->shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
    TRY(event_init(d, d->max_evtchn));
    TRY(pirq_init(d));
    TRY(cpu_policy_new(d));
    TRY(d->ops->domain_init(d, config));
    d->kind_ready = true;
    return grant_init(d);
}

int domain_create(domid_t id, const struct xen_domctl_createdomain *config, bool control,
                  struct domain **result)
{
    const struct guest_ops *ops = config->flags & XEN_DOMCTL_CDF_hvm ? &guest_hvm : &guest_pv;

    if (config->max_vcpus == 0 || config->max_vcpus > MAX_VCPUS)
        return reject(-EINVAL, "number of vCPUs out of range");
    int error = take_id(id, control, &id);
    if (error)
        return reject(error, "domain id is in use");
    struct domain *d = allocate(ops, id, config->max_vcpus);
    if (!d) {
        give_id(id);
        return -ENOMEM;
    }
    d->is_control = d->is_hardware = control;
    d->is_hvm = config->flags & XEN_DOMCTL_CDF_hvm;
    d->options = config->flags;
    memcpy(d->handle, config->handle, sizeof(d->handle));
    d->max_evtchn = MIN(config->max_evtchn_port, (u32)INT32_MAX);
    d->max_grant_frames = (u32)config->max_grant_frames;
    d->max_maptrack_frames = (u32)config->max_maptrack_frames;
    d->grant_version_max = XEN_DOMCTL_GRANT_version(config->grant_opts);
    /* It stands still until the tools have filled it. dom0 has no tools above it. */
    d->created_paused = true;
    d->pause_count = 1;
    d->control_pause_count = !control;
    error = furnish(d, config);
    if (!error)
        error = enter(d);
    if (error) {
        domain_free(d);
        return error;
    }
    domain_update_wallclock(d);
    if (control)
        hardware_domain = d;
    *result = d;
    return 0;
}

/* ---- standing still ---- */

void domain_pause_nosync(struct domain *d)
{
    atomic_inc(&d->pause_count);
    for_each_vcpu (d, v)
        sched_sleep_nosync(v);
}

void domain_pause(struct domain *d)
{
    ASSERT(d != current->domain);
    domain_pause_nosync(d);
    for_each_vcpu (d, v)
        sched_sleep_sync(v);
}

void domain_unpause(struct domain *d)
{
    ASSERT(READ_ONCE(d->pause_count) > 0);
    if (atomic_dec_and_test(&d->pause_count) || READ_ONCE(d->shutdown) == SHUTDOWN_PENDING)
        for_each_vcpu (d, v)
            vcpu_wake(v);
}

/* Counts a pause by control, or (-1) that one is over. */
static int control_count(struct domain *d, int by)
{
    spin_hold(&d->lock);
    if (by < 0 && d->control_pause_count == 0)
        return reject(-EINVAL, "is not paused by control");
    if (by > 0 && d->control_pause_count >= 255)
        return reject(-EOVERFLOW, "paused too often");
    d->control_pause_count += (u32)by;
    return 0;
}

int domain_pause_by_control(struct domain *d)
{
    TRY(control_count(d, 1));
    domain_pause(d);
    return 0;
}

int domain_unpause_by_control(struct domain *d)
{
    TRY(control_count(d, -1));
    domain_unpause(d);
    return 0;
}

/* ---- wall clock ---- */

void domain_update_wallclock(struct domain *d)
{
    u64 seconds;
    u32 ns, version;

    clock_wall_get(&seconds, &ns);
    seconds += (u64)(d->wall_offset / NS_SECOND);
    s64 rest = (s64)ns + d->wall_offset % NS_SECOND;
    if (rest < 0) {
        rest += NS_SECOND;
        seconds--;
    } else if (rest >= NS_SECOND) {
        rest -= NS_SECOND;
        seconds++;
    }
    spin_hold(&d->lock); /* the page goes away when the domain dies */
    struct shared_info *s = d->shared_info;
    if (!s)
        return;
    /* Version, seconds, nanoseconds, high half of the seconds: behind half as long words of
     * events, and the last one further away, in the layout of 32-bit code. */
    u32 *wc = d->narrow ? (u32 *)&s->evtchn_pending[2 * 32 * 32 / 64] : &s->wc_version;
    version = READ_ONCE(wc[0]) | 1; /* odd: being written */
    WRITE_ONCE(wc[0], version);
    barrier();
    wc[1] = (u32)seconds;
    wc[2] = (u32)rest;
    wc[d->narrow ? 9 : 3] = (u32)(seconds >> 32);
    barrier();
    WRITE_ONCE(wc[0], version + 1);
}

void domain_set_narrow(struct domain *d, bool narrow)
{
    if (d->narrow == narrow)
        return;
    d->narrow = narrow;
    domain_update_wallclock(d);
}

void domains_update_wallclock(void)
{
    for_each_domain (d)
        if (READ_ONCE(d->dying) == DYING_NOT)
            domain_update_wallclock(d);
}

void crash_describe_vcpu(void)
{
    const struct vcpu *v = current;

    if (!v)
        printk(LOG_ERROR, "No vCPU yet\n");
    else if (v->domain->is_idle)
        printk(LOG_ERROR, "Idle\n");
    else
        printk(LOG_ERROR, "On behalf of d%dv%u, pause %x/%u\n", v->domain->id, v->id,
               v->pause_flags, v->domain->pause_count);
}
