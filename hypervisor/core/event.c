/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the ports of each domain: which there are, what they are bound to, and
 * sending through them. How a pending port is shown to the guest is the matter
 * of event_2l.c and event_fifo.c.
 *
 * Locks: event_table.h has the rules. Binding and closing an interdomain pair
 * holds both tables' locks; everything that delivers holds one port's bit.
 * Invariants: an interdomain port's peer is interdomain and points back, but
 * for the moments within bind and close, when both table locks are held;
 * `open` counts ports that are not closed; a domain with DYING set opens none.
 *
 * Callers: the event-channel hypercall, interrupts, timers, the life of domains.
 */
#include "core/continuation.h"
#include "core/event_table.h"
#include "core/ioreq.h"
#include "core/pirq.h"
#include "cpu/perfc.h"

/* Who gets a global VIRQ if not the hardware domain; each holds a reference. */
static spinlock_t handler_lock = SPINLOCK(LOCK_EVENT);
static struct domain *virq_handlers[NR_VIRQS];

static __always_inline struct event_port *find_port(const struct domain *d, u32 port)
{
    const struct event_table *t = d->events;
    u64 n = port / PORTS_PER_CHUNK;

    if (!t || n >= t->chunk_count || port == 0)
        return NULL;
    struct event_port *chunk = load_acquire(&t->chunks[index_clamp(n, t->chunk_count)]);
    return chunk ? &chunk[port % PORTS_PER_CHUNK] : NULL;
}

struct event_port *event_port(const struct domain *d, u32 port)
{
    return find_port(d, port);
}

/* ---- delivery ---- */

static __attribute__((noinline)) void wake_pollers(struct domain *d, u32 port)
{
    for_each_vcpu (d, v)
        if ((READ_ONCE(v->pause_flags) & PAUSE_POLL) &&
            (v->poll_port == port || v->poll_port == ~0U))
            vcpu_poll_end(v);
}

void event_raise(struct domain *d, struct event_port *p)
{
    perfc_inc(events);
    bool fresh = d->events->fifo ? fifo_raise(d, p) : two_level_raise(d, p);
    if (fresh && unlikely(READ_ONCE(d->pollers)))
        wake_pollers(d, p->number);
}

int event_send(struct domain *d, u32 port)
{
    struct event_port *p = find_port(d, port);

    if (!p)
        return reject(-EINVAL, "sends through an invalid port");
    byte_hold(&p->lock);
    switch (p->state) {
    case EVTCHNSTAT_interdomain:
        if (unlikely(p->peer->ours)) {
            ioreq_notified(p->remote, p->peer->vcpu);
            return 0;
        }
        sched_sending(true);
        event_raise(p->remote, p->peer);
        sched_sending(false);
        return 0;
    case EVTCHNSTAT_ipi:
        event_raise(d, p);
        return 0;
    case EVTCHNSTAT_unbound:
        return 0; /* nobody is there yet: lost, by the interface's rule */
    default:
        return reject(-EINVAL, "sends through a port that is not for sending");
    }
}

/* Delivers to d's own port if it still is what the caller thinks. */
static void raise_if(struct domain *d, u32 port, u8 state, u32 what)
{
    struct event_port *p = event_port(d, port);

    if (!p)
        return;
    byte_hold(&p->lock);
    if (p->state == state && (state == EVTCHNSTAT_virq ? p->virq == what : true))
        event_raise(d, p);
}

void event_send_virq(struct vcpu *v, u32 virq)
{
    u32 port = READ_ONCE(v->virq_port[virq]);

    if (port)
        raise_if(v->domain, port, EVTCHNSTAT_virq, virq);
}

void event_send_pirq(struct domain *d, u32 port)
{
    raise_if(d, port, EVTCHNSTAT_pirq, 0);
}

static struct domain *virq_handler(u32 virq)
{
    spin_hold(&handler_lock);
    struct domain *d = virq_handlers[virq] ? virq_handlers[virq] : hardware_domain;

    if (d)
        domain_get_again(d);
    return d;
}

void event_send_global_virq(u32 virq)
{
    struct domain *to __put_domain = virq_handler(virq);

    if (to && to->max_vcpus && to->vcpus[0])
        event_send_virq(to->vcpus[0], virq);
}

void console_input_notify(void)
{
    event_send_global_virq(VIRQ_CONSOLE);
}

int event_unmask(struct domain *d, u32 port)
{
    struct event_port *p = event_port(d, port);

    if (!p)
        return reject(-EINVAL, "unmasks an invalid port");
    byte_hold(&p->lock);
    if (p->state != EVTCHNSTAT_closed)
        (d->events->fifo ? fifo_unmask : two_level_unmask)(d, p);
    return 0;
}

/* One flag of the port as the guest sees it; false for closed ports. */
static bool port_flag(struct domain *d, u32 port, u32 bit)
{
    struct event_port *p = event_port(d, port);

    if (!p)
        return false;
    byte_hold(&p->lock);
    if (p->state == EVTCHNSTAT_closed)
        return false;
    if (!d->events->fifo)
        return bit_test(
            bit == EVTCHN_FIFO_PENDING ? d->shared_info->evtchn_pending : two_level_mask(d), port);
    u32 *word = fifo_word(d, port);
    return word && (READ_ONCE(*word) & (1U << bit));
}

bool event_port_pending(struct domain *d, u32 port)
{
    return port_flag(d, port, EVTCHN_FIFO_PENDING);
}

bool event_port_masked(struct domain *d, u32 port)
{
    return port_flag(d, port, EVTCHN_FIFO_MASKED);
}

/* ---- ports come and go; the table's lock is held ---- */

static u32 highest_port(const struct domain *d)
{
    u32 two_level = d->narrow ? 32 * 32 : EVTCHN_2L_NR_CHANNELS;

    return MIN(d->events->max_port, (d->events->fifo ? EVTCHN_FIFO_NR_CHANNELS : two_level) - 1);
}

/* A port of a table, whose memory may have to be made. */
static struct event_port *port_make(struct domain *d, u32 port)
{
    struct event_port *chunk;
    u32 first = ROUND_DOWN(port, (u32)PORTS_PER_CHUNK);

    if (event_port(d, port))
        return event_port(d, port);
    chunk = heap_zalloc(PORTS_PER_CHUNK * sizeof(*chunk));
    if (!chunk)
        return NULL;
    for (u32 i = 0; i < PORTS_PER_CHUNK; i++)
        chunk[i].number = first + i;
    store_release(&d->events->chunks[port / PORTS_PER_CHUNK], chunk);
    return &chunk[port - first];
}

/* The first free port becomes what `as` says: state, vCPU and the fields that go with the state. */
static int port_open(struct domain *d, const struct event_port *as, u32 *number)
{
    struct event_table *t = d->events;
    struct event_port *p = NULL;
    u32 port = t->lowest_free;

    if (READ_ONCE(d->dying) != DYING_NOT)
        return reject(-EINVAL, "new port of a dying domain");
    for (; port <= highest_port(d); port++) {
        p = port_make(d, port);
        if (!p)
            return -ENOMEM;
        if (p->state == EVTCHNSTAT_closed)
            break;
    }
    if (port > highest_port(d))
        return reject(-ENOSPC, "no free port");
    p->vcpu = as->vcpu;
    p->remote_id = as->remote_id;
    p->bound = as->bound;
    p->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    if (!t->fifo)
        p->last_priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    p->pending = false;
    p->ours = as->ours;
    byte_lock(&p->lock);
    p->state = as->state; /* makes it visible */
    byte_unlock(&p->lock);
    t->open += !p->ours;
    t->lowest_free = port + 1;
    *number = port;
    return 0;
}

static void port_free(struct domain *d, struct event_port *p)
{
    struct event_table *t = d->events;

    byte_lock(&p->lock);
    p->state = EVTCHNSTAT_closed;
    p->pending = false;
    /* What is pending is nobody's any more, and must not come with the next use. */
    if (!t->fifo)
        atomic_bit_clear(d->shared_info->evtchn_pending, p->number);
    else if (fifo_word(d, p->number))
        atomic_and(fifo_word(d, p->number), ~(1U << EVTCHN_FIFO_PENDING));
    byte_unlock(&p->lock);
    t->open -= !p->ours;
    t->lowest_free = MIN(t->lowest_free, p->number);
}

/* ---- binding ---- */

static int alloc_unbound(struct domain *d, domid_t remote, u32 vcpu, bool ours, u32 *port)
{
    struct event_port as = {
        .state = EVTCHNSTAT_unbound,
        .vcpu = (u16)vcpu,
        .remote_id = remote == DOMID_SELF ? current->domain->id : remote,
        .ours = ours,
    };

    spin_hold(&d->events->lock);
    return port_open(d, &as, port);
}

int event_alloc_unbound(struct domain *d, struct evtchn_alloc_unbound *op)
{
    return alloc_unbound(d, op->remote_dom, 0, false, &op->port);
}

int event_alloc_ours(struct domain *d, u32 vcpu, u32 *port)
{
    return alloc_unbound(d, DOMID_SELF, vcpu, true, port);
}

/* Both tables are locked. */
static int bind_pair(struct domain *d, struct domain *rd, struct evtchn_bind_interdomain *op)
{
    struct event_port *rp = event_port(rd, op->remote_port), *p;
    struct event_port as = {.state = EVTCHNSTAT_interdomain, .bound.remote = rd, .bound.peer = rp};

    if (!rp || rp->state != EVTCHNSTAT_unbound || rp->remote_id != d->id)
        return reject(-EINVAL, "remote port does not wait for this domain");
    TRY(port_open(d, &as, &op->local_port));
    p = event_port(d, op->local_port);
    byte_lock(&rp->lock);
    rp->remote = d;
    rp->peer = p;
    rp->state = EVTCHNSTAT_interdomain;
    byte_unlock(&rp->lock);
    /* The far end may have sent before we were there: have a look. */
    byte_hold(&p->lock);
    event_raise(d, p);
    return 0;
}

int event_bind_interdomain(struct evtchn_bind_interdomain *op)
{
    struct domain *d = current->domain, *rd __put_domain = domain_get(op->remote_dom);

    if (!rd)
        return reject(-ESRCH, "no such remote domain");
    if (!rd->events)
        return reject(-EINVAL, "remote domain has no event channels");
    spin_lock_pair(&d->events->lock, &rd->events->lock);
    int error = bind_pair(d, rd, op);
    spin_unlock_pair(&d->events->lock, &rd->events->lock);
    return error;
}

static bool virq_is_global(u32 virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

int event_bind_virq(struct evtchn_bind_virq *op)
{
    struct domain *d = current->domain;
    struct event_port as = {.state = EVTCHNSTAT_virq};

    if (op->virq >= NR_VIRQS)
        return reject(-EINVAL, "no such VIRQ");
    as.virq = (u32)index_clamp(op->virq, NR_VIRQS);
    if (virq_is_global(as.virq) && op->vcpu != 0)
        return reject(-EINVAL, "global VIRQ for a vCPU other than 0");
    struct vcpu *v = domain_vcpu(d, op->vcpu);
    if (!v)
        return reject(-ENOENT, "no such vCPU for a VIRQ");
    as.vcpu = (u16)v->id;
    spin_hold(&d->events->lock);
    if (v->virq_port[as.virq])
        return reject(-EEXIST, "VIRQ is bound");
    TRY(port_open(d, &as, &op->port));
    WRITE_ONCE(v->virq_port[as.virq], op->port);
    return 0;
}

int event_bind_ipi(struct evtchn_bind_ipi *op)
{
    struct domain *d = current->domain;
    struct vcpu *v = domain_vcpu(d, op->vcpu);

    if (!v)
        return reject(-ENOENT, "no such vCPU for an IPI");
    spin_hold(&d->events->lock);
    return port_open(d, &(struct event_port){.state = EVTCHNSTAT_ipi, .vcpu = (u16)v->id},
                     &op->port);
}

int event_bind_pirq(struct evtchn_bind_pirq *op)
{
    struct domain *d = current->domain;
    struct event_port as = {.state = EVTCHNSTAT_pirq, .pirq = op->pirq};
    u32 port;

    spin_hold(&d->events->lock);
    /* Open first: the interrupt may come while it is being bound. */
    TRY(port_open(d, &as, &port));
    int error = pirq_bind(d, op->pirq, port, op->flags & BIND_PIRQ__WILL_SHARE);
    if (error)
        port_free(d, event_port(d, port));
    else
        op->port = port;
    return error;
}

int event_bind_vcpu(struct domain *d, u32 port, u32 vcpu)
{
    struct event_port *p = event_port(d, port);
    struct vcpu *v = domain_vcpu(d, vcpu);

    if (!v)
        return reject(-ENOENT, "no such vCPU for a port");
    if (!p || p->ours)
        return reject(-EINVAL, "moves an invalid port");
    spin_hold(&d->events->lock);
    switch (p->state) {
    case EVTCHNSTAT_virq:
        if (!virq_is_global(p->virq))
            return reject(-EINVAL, "per-vCPU VIRQ stays with its vCPU");
        break;
    case EVTCHNSTAT_pirq:
        pirq_follow_vcpu(d, p->pirq, v);
        break;
    case EVTCHNSTAT_unbound:
    case EVTCHNSTAT_interdomain:
        break;
    default:
        return reject(-EINVAL, "port does not change its vCPU");
    }
    WRITE_ONCE(p->vcpu, (u16)v->id);
    return 0;
}

int event_set_priority(struct domain *d, u32 port, u32 priority)
{
    struct event_port *p = event_port(d, port);

    if (priority > EVTCHN_FIFO_PRIORITY_MIN)
        return reject(-EINVAL, "no such event priority");
    if (!p)
        return reject(-EINVAL, "priority of an invalid port");
    spin_hold(&d->events->lock);
    if (!d->events->fifo)
        return reject(-ENOSYS, "2-level events have no priorities");
    WRITE_ONCE(p->priority, (u8)priority);
    return 0;
}

/* ---- closing ---- */

/*
 * Closes p, which is open. Both d's table and, if p is interdomain, its
 * remote's are locked.
 */
static void close_locked(struct domain *d, struct event_port *p)
{
    if (p->state == EVTCHNSTAT_interdomain) {
        struct event_port *peer = p->peer;

        /* The far end first: afterwards nobody sends to p. Its lock waits for
         * a delivery that is under way. */
        byte_hold(&peer->lock);
        peer->state = EVTCHNSTAT_unbound;
        peer->remote_id = d->id;
    } else if (p->state == EVTCHNSTAT_virq) {
        WRITE_ONCE(d->vcpus[virq_is_global(p->virq) ? 0 : p->vcpu]->virq_port[p->virq], 0);
    } else if (p->state == EVTCHNSTAT_pirq) {
        pirq_unbind(d, p->pirq);
    }
    port_free(d, p);
}

int event_close(struct domain *d, u32 port, bool by_guest)
{
    struct event_table *t = d->events;
    struct event_port *p = event_port(d, port);
    struct domain *rd = d; /* whose table is locked besides; we hold a reference */
    int error = 0;

    if (!p || (p->ours && by_guest))
        return reject(-EINVAL, "closes an invalid port");
    domain_get_again(d);
    spin_lock(&t->lock);
    /* The remote's lock may have to be taken first; the binding, and with it the
     * remote, may be gone when we have both: hold the domain and look again. */
    while (p->state == EVTCHNSTAT_interdomain && p->remote != d && p->remote != rd) {
        struct domain *remote = p->remote;

        domain_get_again(remote);
        spin_unlock_pair(&t->lock, &rd->events->lock);
        domain_put(rd);
        rd = remote;
        spin_lock_pair(&t->lock, &rd->events->lock);
    }
    if (p->state == EVTCHNSTAT_closed)
        error = reject(-EINVAL, "port is closed already");
    else
        close_locked(d, p);
    spin_unlock_pair(&t->lock, &rd->events->lock);
    domain_put(rd);
    return error;
}

int event_status(struct evtchn_status *op)
{
    struct domain *d __put_domain = domain_get(op->dom);

    if (!d)
        return reject(-ESRCH, "no such domain");
    struct event_port *p = event_port(d, op->port);
    if (!p)
        return reject(-EINVAL, "status of an invalid port");
    spin_hold(&d->events->lock);
    op->status = p->state;
    op->vcpu = p->state == EVTCHNSTAT_closed ? 0 : p->vcpu;
    switch (p->state) {
    case EVTCHNSTAT_unbound:
        op->u.unbound.dom = p->remote_id;
        break;
    case EVTCHNSTAT_interdomain:
        op->u.interdomain.dom = p->remote->id;
        op->u.interdomain.port = p->peer->number;
        break;
    case EVTCHNSTAT_pirq:
        op->u.pirq = p->pirq;
        break;
    case EVTCHNSTAT_virq:
        op->u.virq = p->virq;
        break;
    }
    return 0;
}

/*
 * Closes all ports and goes back to 2-level; -ERESTART_HYPERCALL when the CPU
 * has something else to do.
 */
static int close_all(struct domain *d)
{
    struct event_table *t = d->events;

    for (;;) {
        if (!READ_ONCE(t->open)) {
            spin_hold(&t->lock);
            if (!t->open) { /* really: no other CPU has opened one meanwhile */
                t->close_at = 0;
                fifo_free(d);
                return 0;
            }
        }
        if (t->close_at > t->max_port || (t->close_at && !event_port(d, t->close_at)))
            t->close_at = 0; /* some were opened behind us */
        struct event_port *p = event_port(d, t->close_at);
        if (p && READ_ONCE(p->state) != EVTCHNSTAT_closed && !p->ours)
            event_close(d, p->number, false);
        if (++t->close_at % 64 == 0 && hypercall_should_yield())
            return -ERESTART_HYPERCALL;
    }
}

int event_reset(struct domain *d)
{
    if (d != current->domain && !READ_ONCE(d->control_pause_count))
        return reject(-EINVAL, "resets events of a domain that is not paused");
    return close_all(d);
}

/* ---- routing of global VIRQs ---- */

int event_set_virq_handler(struct domain *d, u32 virq)
{
    if (virq >= NR_VIRQS || !virq_is_global(virq))
        return reject(-EINVAL, "VIRQ has no handler domain");
    spin_hold(&handler_lock);
    /* Looked at under the lock: forget_handler comes after DYING is set. */
    if (READ_ONCE(d->dying) != DYING_NOT)
        return reject(-EINVAL, "VIRQ handler is dying");
    domain_get_again(d);
    if (virq_handlers[virq])
        domain_put(virq_handlers[virq]);
    virq_handlers[virq] = d;
    return 0;
}

static void forget_handler(struct domain *d)
{
    spin_hold(&handler_lock);
    for (u32 virq = 0; virq < NR_VIRQS; virq++)
        if (virq_handlers[virq] == d) {
            virq_handlers[virq] = NULL;
            domain_put(d);
        }
}

/* ---- life ---- */

int event_init(struct domain *d, u32 max_port)
{
    struct event_table *t = heap_zalloc(sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->lock = SPINLOCK(LOCK_EVENT);
    t->max_port = MIN(max_port, (u32)EVTCHN_FIFO_NR_CHANNELS - 1);
    t->lowest_free = 1;
    t->chunk_count = t->max_port / PORTS_PER_CHUNK + 1;
    t->chunks = heap_zalloc(t->chunk_count * sizeof(t->chunks[0]));
    if (!t->chunks) {
        heap_free(t);
        return -ENOMEM;
    }
    d->events = t;
    return 0;
}

int event_destroy(struct domain *d)
{
    forget_handler(d);
    return close_all(d);
}

void event_free(struct domain *d)
{
    struct event_table *t = d->events;

    if (!t)
        return;
    for (u32 i = 0; i < t->chunk_count; i++)
        heap_free(t->chunks[i]);
    heap_free(t->chunks);
    heap_free(t);
    d->events = NULL;
}
