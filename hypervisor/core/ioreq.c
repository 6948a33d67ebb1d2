/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns a translated domain's device-model servers. The set of servers, their
 * ranges and states change only while all vCPUs of the domain stand still, and
 * under the domain's lock against other such changes; so a vCPU looks at them
 * without a lock.
 *
 * A vCPU that waits has PAUSE_IO set; it is cleared by each notification, and
 * the vCPU looks again for itself.
 */
#include "core/ioreq.h"

#include "core/event.h"
#include "cpu/work.h"

#include <xen/hvm/dm_op.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>

#define RANGE_TYPES 3
#define RANGES_MAX  256

/* The header's pointers, which are read and written together. */
union pointers {
    struct {
        u32 read, write;
    };
    u64 both;
};

struct ioreq_server {
    bool enabled, rewinds; /* rewinds: both pointers at once may be set back */
    struct shared_iopage *slots;
    struct buffered_iopage *buffer; /* NULL: none */
    struct rangeset ranges[RANGE_TYPES];
    u32 buffer_port;
    u32 ports[]; /* of vCPUs; 0: it came later, and is not served */
};

struct ioreq_table {
    struct ioreq_server *servers[IOREQ_SERVERS];
    u32 memory_gone; /* servers are to be told; atomic */
};

#define for_each_server(t, s)                                  \
    for (u32 i_##s = 0; (t) && i_##s < IOREQ_SERVERS; i_##s++) \
        if (((s) = (t)->servers[i_##s]) != NULL)

/* ---- control ---- */

static int find(struct domain *d, u32 id, struct ioreq_server **s)
{
    *s = d->ioreq && id < IOREQ_SERVERS ? d->ioreq->servers[index_clamp(id, IOREQ_SERVERS)] : NULL;
    return *s ? 0 : reject(-ENOENT, "no such device model");
}

/* The domain stands still and is locked to the end of the block, for a change. */
#define stand_still(d) struct domain *still __attribute__((cleanup(goes_on), unused)) = stands(d)

static struct domain *stands(struct domain *d)
{
    domain_pause(d);
    spin_lock(&d->lock);
    return d;
}

static void goes_on(struct domain **d)
{
    spin_unlock(&(*d)->lock);
    domain_unpause(*d);
}

static void free_server(struct domain *d, struct ioreq_server *s)
{
    for (u32 i = 0; i < d->max_vcpus; i++)
        if (s->ports[i])
            event_close(d, s->ports[i], false);
    if (s->buffer_port)
        event_close(d, s->buffer_port, false);
    if (s->slots)
        frame_unshare(s->slots);
    if (s->buffer)
        frame_unshare(s->buffer);
    for (u32 i = 0; i < RANGE_TYPES; i++)
        rangeset_destroy(&s->ranges[i]);
    heap_free(s);
}

/* Pages and ports; what is there already stays for free_server if it fails. */
static int equip(struct domain *d, struct ioreq_server *s, u32 buffering)
{
    int error = 0;

    s->slots = page_alloc_shared(&d->frames);
    s->buffer = buffering ? page_alloc_shared(&d->frames) : NULL;
    s->rewinds = buffering == HVM_IOREQSRV_BUFIOREQ_ATOMIC;
    if (!s->slots || (buffering && !s->buffer))
        return -ENOMEM;
    for_each_vcpu (d, v) {
        error = event_alloc_ours(d, v->id, &s->ports[v->id]);
        if (error)
            return error;
        s->slots->vcpu_ioreq[v->id].vp_eport = s->ports[v->id];
    }
    return buffering ? event_alloc_ours(d, 0, &s->buffer_port) : 0;
}

static int create(struct domain *d, u32 buffering, u16 *id)
{
    struct ioreq_server *s;
    u16 free = 0;
    int error;

    if (d->dying)
        return reject(-EINVAL, "device model for a dying domain");
    if (!d->ioreq)
        d->ioreq = heap_zalloc(sizeof(*d->ioreq));
    s = heap_zalloc(sizeof(*s) + d->max_vcpus * sizeof(s->ports[0]));
    if (!d->ioreq || !s) {
        heap_free(s);
        return -ENOMEM;
    }
    for (u32 i = 0; i < RANGE_TYPES; i++)
        rangeset_init(&s->ranges[i], heap_alloc, heap_free);
    while (free < IOREQ_SERVERS && d->ioreq->servers[free])
        free++;
    error = free == IOREQ_SERVERS ? reject(-ENOSPC, "too many device models")
                                  : equip(d, s, buffering);
    if (error) {
        free_server(d, s);
        return error;
    }
    d->ioreq->servers[free] = s;
    *id = free;
    return 0;
}

int ioreq_create(struct domain *d, u32 buffering, u16 *id)
{
    if (buffering > HVM_IOREQSRV_BUFIOREQ_ATOMIC)
        return reject(-EINVAL, "no such way of buffering");
    stand_still(d);
    return create(d, buffering, id);
}

/* Who waits for the one that is gone looks again. */
static void wake_all(struct domain *d)
{
    for (u32 i = 0; i < d->max_vcpus; i++)
        ioreq_notified(d, i);
}

int ioreq_destroy(struct domain *d, u16 id)
{
    struct ioreq_server *s;

    stand_still(d);
    TRY(find(d, id, &s));
    d->ioreq->servers[id] = NULL;
    free_server(d, s);
    wake_all(d);
    return 0;
}

int ioreq_enable(struct domain *d, u16 id, bool enable)
{
    struct ioreq_server *s;

    stand_still(d);
    TRY(find(d, id, &s));
    s->enabled = enable;
    wake_all(d);
    return 0;
}

int ioreq_claim(struct domain *d, u16 id, u32 type, u64 first, u64 last, bool claim)
{
    struct ioreq_server *s;
    struct rangeset *r;

    if (type >= RANGE_TYPES)
        return reject(-EINVAL, "no such kind of range");
    if (first > last)
        return reject(-EINVAL, "range of a device model ends before it begins");
    stand_still(d);
    TRY(find(d, id, &s));
    r = &s->ranges[type];
    if (claim && rangeset_overlaps(r, first, last))
        return reject(-EEXIST, "range is the device model's already");
    if (!claim && !rangeset_contains(r, first, last))
        return reject(-ENOENT, "range is not the device model's");
    if (r->count >= RANGES_MAX)
        return reject(-ENOSPC, "too many ranges of a device model");
    return claim ? rangeset_add(r, first, last) : rangeset_remove(r, first, last);
}

int ioreq_buffer_port(struct domain *d, u16 id, u32 *port)
{
    struct ioreq_server *s;

    spin_hold(&d->lock);
    TRY(find(d, id, &s));
    *port = s->buffer_port;
    return 0;
}

int ioreq_frame(struct domain *d, u32 id, u64 which, mfn_t *frame)
{
    struct ioreq_server *s;
    void *page;

    spin_hold(&d->lock);
    TRY(find(d, id, &s));
    page = which == XENMEM_resource_ioreq_server_frame_bufioreq ? (void *)s->buffer : s->slots;
    if (!page)
        return reject(-ENOENT, "no such page of a device model");
    *frame = virt_to_mfn(page);
    return 0;
}

int ioreq_destroy_all(struct domain *d)
{
    struct ioreq_table *t;
    struct ioreq_server *s;

    /* A device model may be at it still; it finds none from here on. */
    spin_lock(&d->lock);
    t = d->ioreq;
    d->ioreq = NULL;
    spin_unlock(&d->lock);
    for_each_server (t, s)
        free_server(d, s);
    heap_free(t);
    return 0;
}

/* ---- questions ---- */

static struct ioreq_server *server_of(struct ioreq_table *t, u32 type, u64 first, u64 last)
{
    struct ioreq_server *s;

    for_each_server (t, s)
        if (s->enabled && s->ports[current->id] && rangeset_contains(&s->ranges[type], first, last))
            return s;
    return NULL;
}

/* False: no room, or not of this kind. */
static bool buffer_write(struct ioreq_server *s, u64 address, u32 bytes, u64 value)
{
    struct buffered_iopage *b = s->buffer;
    u32 n = bytes == 8 ? 2 : 1;
    union pointers *at, seen, back;

    if (!b || !vga_memory(address) || !vga_memory(address + bytes - 1))
        return false;
    at = (union pointers *)b;
    seen.both = READ_ONCE(at->both);
    if (seen.write - seen.read > IOREQ_BUFFER_SLOT_NUM - n)
        return false;
    for (u32 i = 0; i < n; i++)
        b->buf_ioreq[(seen.write + i) % IOREQ_BUFFER_SLOT_NUM] = (struct buf_ioreq){
            .type = IOREQ_TYPE_COPY,
            .size = (u8)__builtin_ctz(bytes) & 3,
            .addr = (u32)address & 0xfffff,
            .data = (u32)(value >> 32 * i),
        };
    store_release(&at->write, seen.write + n);
    /* The number of slots is no power of two: pointers must not come round by themselves. */
    seen.both = READ_ONCE(at->both);
    back = seen;
    if (s->rewinds && seen.read >= IOREQ_BUFFER_SLOT_NUM) {
        back.read -= IOREQ_BUFFER_SLOT_NUM;
        back.write -= IOREQ_BUFFER_SLOT_NUM;
        atomic_cmpxchg(&at->both, seen.both, back.both);
    }
    event_send(current->domain, s->buffer_port);
    return true;
}

static void ask(struct ioreq_server *s, const struct ioreq *question)
{
    volatile struct ioreq *slot = &s->slots->vcpu_ioreq[current->id];
    struct ioreq q = *question;

    q.vp_eport = s->ports[current->id];
    q.state = STATE_IOREQ_NONE;
    *slot = q;
    memory_barrier();
    q.state = STATE_IOREQ_READY;
    /* The state shares its byte with the direction. */
    ((volatile u8 *)slot)[offsetof(struct ioreq, type) - 1] =
        ((const u8 *)&q)[offsetof(struct ioreq, type) - 1];
    current->asks = true;
    atomic_or(&current->pause_flags, PAUSE_IO);
    event_send(current->domain, q.vp_eport);
    cpu_raise_work(this_cpu_id(), WORK_SCHEDULE);
}

enum ioreq_sent ioreq_send(const struct ioreq *q)
{
    static const u8 ranges[] = {
        [IOREQ_TYPE_PIO] = XEN_DMOP_IO_RANGE_PORT,
        [IOREQ_TYPE_COPY] = XEN_DMOP_IO_RANGE_MEMORY,
        [IOREQ_TYPE_PCI_CONFIG] = XEN_DMOP_IO_RANGE_PCI,
    };
    struct ioreq_table *t = current->domain->ioreq;
    u64 first = q->addr, last = first + q->size - 1;
    struct ioreq_server *s;

    if (q->type == IOREQ_TYPE_PCI_CONFIG)
        first = last = q->addr >> 32;
    else if (q->type == IOREQ_TYPE_COPY && q->df)
        first -= (q->count - 1UL) * q->size;
    else if (q->type == IOREQ_TYPE_COPY)
        last += (q->count - 1UL) * q->size;
    s = server_of(t, ranges[q->type], first, last);
    if (!s)
        return IOREQ_NOBODY;
    if (q->dir == IOREQ_WRITE && q->count == 1 && q->type == IOREQ_TYPE_COPY && !q->data_is_ptr &&
        buffer_write(s, q->addr, q->size, q->data))
        return IOREQ_TAKEN;
    ask(s, q);
    return IOREQ_ASKED;
}

bool ioreq_waits(u64 *value)
{
    struct ioreq_table *t = current->domain->ioreq;
    struct ioreq_server *s;

    *value = ~0UL;
    for_each_server (t, s) {
        volatile struct ioreq *slot = &s->slots->vcpu_ioreq[current->id];
        u32 state = slot->state;

        if (!s->enabled)
            continue;
        if (state == STATE_IOREQ_READY || state == STATE_IOREQ_INPROCESS)
            return true;
        if (state == STATE_IORESP_READY) {
            memory_barrier();
            *value = slot->data;
            slot->state = STATE_IOREQ_NONE;
        }
    }
    return false;
}

void ioreq_memory_gone(struct domain *d)
{
    struct ioreq_table *t = READ_ONCE(d->ioreq);

    if (t)
        WRITE_ONCE(t->memory_gone, 1);
}

bool ioreq_tell_memory_gone(void)
{
    struct ioreq_table *t = current->domain->ioreq;
    struct ioreq_server *s;
    bool asked = false;

    if (likely(!t || !READ_ONCE(t->memory_gone)) || !atomic_xchg(&t->memory_gone, 0))
        return false;
    for_each_server (t, s) {
        if (!s->enabled || !s->ports[current->id])
            continue;
        ask(s, &(struct ioreq){.data = ~0UL,
                               .count = 1,
                               .size = 4,
                               .dir = IOREQ_WRITE,
                               .type = IOREQ_TYPE_INVALIDATE});
        asked = true;
    }
    return asked;
}

void ioreq_notified(struct domain *d, u32 id)
{
    struct vcpu *v = domain_vcpu(d, id);

    if (v && (atomic_fetch_and(&v->pause_flags, ~(u32)PAUSE_IO) & PAUSE_IO))
        vcpu_wake(v);
}
