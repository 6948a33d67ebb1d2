/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns each domain's table of physical interrupts: its number for one (pirq),
 * the machine's (irq, platform/irq.h) and the event port it rings.
 *
 * Locks: the table is guarded by the lock of the domain's event table, which
 * event.c holds when it calls pirq_bind, pirq_unbind and pirq_follow_vcpu. The
 * interrupt itself takes no such lock: it reads a struct pirq that stays until
 * irq_sync says that no handler runs any more.
 *
 * End of interrupt: a level-triggered line stays masked from the interrupt
 * until the guest says it is done (PHYSDEVOP_eoi). Edges and messages need no
 * such call, and the status query and the map say so.
 */
#include "core/event_table.h"
#include "core/physmap.h"
#include "core/pirq.h"
#include "platform/irq.h"

#define PIRQ_COUNT   MAX_IRQS
#define LOWEST_GIVEN 16 /* below are the ISA interrupts, which keep their numbers */

struct pirq {
    struct domain *domain;
    u32 number;
    u32 irq;        /* 0 with `reserved`: number given out, nothing behind it */
    u32 port;       /* 0: not bound */
    u32 in_service; /* atomic: fired, and the guest has not said it is done */
    bool reserved, is_msi, shared;
};

struct pirq_table {
    struct pirq *slots[PIRQ_COUNT];
    u32 used;               /* of them */
    unsigned long *eoi_map; /* a page of the guest: pirqs that need PHYSDEVOP_eoi; NULL: none */
    bool auto_unmask;       /* v1 of the map: the call unmasks the port, too */
};

static struct pirq *find(const struct domain *d, u32 pirq)
{
    if (!d->pirqs || pirq >= PIRQ_COUNT)
        return NULL;
    return d->pirqs->slots[index_clamp(pirq, PIRQ_COUNT)];
}

static struct pirq *find_by_irq(const struct domain *d, u32 irq)
{
    for (u32 i = 0; i < PIRQ_COUNT; i++)
        if (d->pirqs->slots[i] && !d->pirqs->slots[i]->reserved && d->pirqs->slots[i]->irq == irq)
            return d->pirqs->slots[i];
    return NULL;
}

static void interrupt(u32 irq, void *arg)
{
    struct pirq *p = arg;

    if (irq_needs_eoi(irq))
        atomic_store(&p->in_service, 1);
    event_send_pirq(p->domain, READ_ONCE(p->port));
}

/* ---- numbers ---- */

/* A free number: for messages from the top, for lines from the bottom. -1: none. */
static int free_number(const struct domain *d, bool is_msi)
{
    for (u32 n = LOWEST_GIVEN; n < PIRQ_COUNT; n++) {
        u32 i = is_msi ? PIRQ_COUNT - 1 - (n - LOWEST_GIVEN) : n;

        if (!d->pirqs->slots[i])
            return (int)i;
    }
    return -1;
}

static struct pirq *put_in(struct domain *d, u32 number)
{
    struct pirq *p = d->pirqs->slots[number];

    if (p && p->reserved) {
        p->reserved = false;
        return p;
    }
    p = heap_zalloc(sizeof(*p));
    if (!p)
        return NULL;
    p->domain = d;
    p->number = number;
    d->pirqs->slots[number] = p;
    d->pirqs->used++;
    return p;
}

int pirq_get_free(struct domain *d, int type, u32 *pirq)
{
    spin_hold(&d->events->lock);
    int number = d->pirqs ? free_number(d, type != MAP_PIRQ_TYPE_GSI) : -1;
    struct pirq *p = number < 0 ? NULL : put_in(d, (u32)number);
    if (!p)
        return reject(-ENOSPC, "no free pirq");
    p->reserved = true;
    *pirq = p->number;
    return 0;
}

/* ---- mapping ---- */

/* The wanted number, or if it is negative any free one. */
static int choose(const struct domain *d, int number, bool is_msi)
{
    if (number < 0)
        number = free_number(d, is_msi);
    if (number < 0)
        return reject(-ENOSPC, "no free pirq");
    if (number >= PIRQ_COUNT)
        return reject(-EINVAL, "pirq out of range");
    const struct pirq *p = find(d, (u32)number);

    return p && !p->reserved ? reject(-EEXIST, "pirq is in use") : number;
}

static int map_gsi(struct domain *d, struct physdev_map_pirq *op)
{
    u32 irq = (u32)op->index;
    int number = op->pirq;

    if (irq >= gsi_count)
        return reject(-EINVAL, "no such GSI");
    if (!rangeset_contains(&current->domain->irqs, irq, irq))
        return reject(-EPERM, "GSI is not the caller's to map");
    struct pirq *p = find_by_irq(d, irq);
    if (p) {
        if (number >= 0 && (u32)number != p->number)
            return reject(-EEXIST, "GSI is mapped to another pirq");
        op->pirq = (int)p->number;
        return 0;
    }
    number = choose(d, number, false);
    if (number < 0)
        return number;
    p = put_in(d, (u32)number);
    if (!p)
        return -ENOMEM;
    p->irq = irq;
    op->pirq = number;
    return 0;
}

static int map_msi(struct domain *d, struct physdev_map_pirq *op)
{
    u32 segment = op->type == MAP_PIRQ_TYPE_MSI ? 0 : ((u32)op->bus >> 16) & 0xffff;
    u32 sbdf = segment << 16 | ((u32)op->bus & 0xff) << 8 | ((u32)op->devfn & 0xff);
    u32 count = op->type == MAP_PIRQ_TYPE_MULTI_MSI ? (u32)op->entry_nr : 1;
    u32 entry = op->type == MAP_PIRQ_TYPE_MULTI_MSI ? 0 : (u32)op->entry_nr;
    u32 irq;

    if (count == 0 || count > 32)
        return reject(-EDOM, "no such number of messages");
    int number = choose(d, op->pirq, true);
    if (number < 0)
        return number;
    int error = msi_enable(sbdf, entry, op->table_base, op->table_base != 0, count, &irq);
    if (error)
        return reject(error, "message-signalled interrupt of the device");
    struct pirq *p = put_in(d, (u32)number);
    if (!p) {
        msi_disable(irq);
        return -ENOMEM;
    }
    p->irq = irq;
    p->is_msi = true;
    op->pirq = number;
    return 0;
}

int pirq_map(struct domain *d, struct physdev_map_pirq *op)
{
    spin_hold(&d->events->lock);
    if (READ_ONCE(d->dying) != DYING_NOT)
        return reject(-EINVAL, "interrupt for a dying domain");
    switch (op->type) {
    case MAP_PIRQ_TYPE_GSI:
        return map_gsi(d, op);
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
    case MAP_PIRQ_TYPE_MULTI_MSI:
        return map_msi(d, op);
    default:
        return reject(-EINVAL, "unknown kind of interrupt");
    }
}

static void show_need(const struct domain *d, const struct pirq *p, bool needed)
{
    if (d->pirqs->eoi_map)
        (needed ? atomic_bit_set : atomic_bit_clear)(d->pirqs->eoi_map, p->number);
}

static void unbind(struct domain *d, struct pirq *p)
{
    if (!p->port)
        return;
    irq_unbind_guest(p->irq, p);
    irq_sync(p->irq);
    p->port = 0;
    p->in_service = 0;
    show_need(d, p, false);
}

/* The lock is held. */
static void unmap(struct domain *d, struct pirq *p)
{
    unbind(d, p);
    if (p->is_msi)
        msi_disable(p->irq);
    d->pirqs->slots[p->number] = NULL;
    d->pirqs->used--;
    heap_free(p);
}

int pirq_unmap(struct domain *d, u32 pirq)
{
    spin_hold(&d->events->lock);
    struct pirq *p = find(d, pirq);
    if (!p)
        return reject(-EINVAL, "pirq is not mapped");
    unmap(d, p);
    return 0;
}

/* ---- binding to ports ---- */

int pirq_bind(struct domain *d, u32 pirq, u32 port, bool share)
{
    struct pirq *p = find(d, pirq);
    struct vcpu *v = domain_vcpu(d, 0);
    cpumask_t where = v ? cpumask_of(v->cpu) : cpus_online;

    if (!p || p->reserved)
        return reject(-EINVAL, "pirq is not mapped");
    if (p->port)
        return reject(-EEXIST, "pirq is bound");
    p->port = port;
    p->shared = share;
    int error = irq_bind_guest(p->irq, interrupt, p, &where, share);
    if (error) {
        p->port = 0;
        return reject(error, "interrupt cannot be bound");
    }
    show_need(d, p, irq_needs_eoi(p->irq));
    return 0;
}

void pirq_unbind(struct domain *d, u32 pirq)
{
    struct pirq *p = find(d, pirq);

    if (p)
        unbind(d, p);
}

void pirq_follow_vcpu(struct domain *d, u32 pirq, struct vcpu *v)
{
    struct pirq *p = find(d, pirq);
    cpumask_t where = cpumask_of(v->cpu);

    if (p && p->port)
        irq_set_affinity(p->irq, &where);
}

/* ---- the guest's side of an interrupt ---- */

int pirq_eoi(struct domain *d, u32 pirq)
{
    spin_hold(&d->events->lock);
    struct pirq *p = find(d, pirq);
    if (!p)
        return reject(-EINVAL, "pirq is not mapped");
    if (atomic_xchg(&p->in_service, 0))
        irq_eoi(p->irq);
    return d->pirqs->auto_unmask && p->port ? event_unmask(d, p->port) : 0;
}

int pirq_status(struct domain *d, u32 pirq, u32 *flags)
{
    if (pirq >= PIRQ_COUNT)
        return reject(-EINVAL, "pirq out of range");
    spin_hold(&d->events->lock);
    struct pirq *p = find(d, pirq);
    *flags = 0;
    if (p && !p->reserved)
        *flags = (irq_needs_eoi(p->irq) ? XENIRQSTAT_needs_eoi : 0) |
                 (p->shared ? XENIRQSTAT_shared : 0);
    return 0;
}

int pirq_set_eoi_map(struct domain *d, u64 number, bool auto_unmask)
{
    struct pirq_table *t = d->pirqs;
    struct frame *f;

    spin_hold(&d->events->lock);
    if (t->eoi_map)
        return reject(-EBUSY, "EOI map is set");
    if (domain_page_take(d, number, &f))
        return reject(-EINVAL, "EOI map in a page that is not the domain's to write");
    t->eoi_map = mfn_to_virt(frame_to_mfn(f));
    t->auto_unmask = auto_unmask;
    for (u32 i = 0; i < PIRQ_COUNT; i++)
        if (t->slots[i] && t->slots[i]->port)
            show_need(d, t->slots[i], irq_needs_eoi(t->slots[i]->irq));
    return 0;
}

/* ---- life ---- */

int pirq_init(struct domain *d)
{
    d->pirqs = heap_zalloc(sizeof(*d->pirqs));
    return d->pirqs ? 0 : -ENOMEM;
}

void pirq_destroy(struct domain *d)
{
    struct pirq_table *t = d->pirqs;

    if (!t)
        return;
    spin_lock(&d->events->lock);
    for (u32 i = 0; t->used; i++)
        if (t->slots[i])
            unmap(d, t->slots[i]);
    d->pirqs = NULL;
    spin_unlock(&d->events->lock);
    if (t->eoi_map)
        domain_page_drop(mfn_to_frame(virt_to_mfn(t->eoi_map)));
    heap_free(t);
}
