/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The FIFO ABI: each port has a 32-bit word in pages of the guest; words of
 * pending ports are chained into queues, one per vCPU and priority, by their
 * link fields. The guest takes from the head, we append at the tail.
 *
 * The protocol, and why no loop is needed. A word is in a queue while LINKED.
 * The guest takes one out by clearing LINKED and the link in one atomic
 * operation that gives it the link as it was. We append by or-ing the new
 * port's number into the link of the tail, which is 0 as long as it is the
 * tail: one atomic operation too, whose old value says whether the tail was
 * still LINKED. If it was, the guest will find the number there. If not, the
 * queue had run empty (the bits do no harm: nobody follows the link of a word
 * that is not LINKED, and it is cleared before it is), and the new port becomes
 * the head.
 *
 * A hostile guest can write what it likes into words and control blocks: we
 * never follow a link, and of the words read only flags, so that it loses or
 * repeats its own events at worst.
 *
 * Locks: one bit lock per vCPU over its tails. A port whose vCPU or priority
 * changed may still be the tail of the queue it was in last, so both vCPUs'
 * are taken, in the order of their numbers. Held for a few instructions.
 * Mapping and unmapping pages: the table's lock.
 */
#include "core/event_table.h"
#include "core/physmap.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define ARRAY_PAGES    (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)

#define WORD_PENDING   (1U << EVTCHN_FIFO_PENDING)
#define WORD_MASKED    (1U << EVTCHN_FIFO_MASKED)
#define WORD_LINKED    (1U << EVTCHN_FIFO_LINKED)
#define WORD_LINK      ((u32)EVTCHN_FIFO_LINK_MASK)

struct fifo_domain {
    u32 pages;
    event_word_t *array[ARRAY_PAGES];
};

struct fifo_vcpu {
    u8 lock;
    struct frame *frame;
    struct evtchn_fifo_control_block *control; /* in the guest's page */
    u32 tail[EVTCHN_FIFO_MAX_QUEUES];          /* last port appended; 0: none */
};

u32 *fifo_word(const struct domain *d, u32 port)
{
    const struct fifo_domain *f = d->events->fifo;
    u64 page = index_clamp(port / WORDS_PER_PAGE, ARRAY_PAGES);
    event_word_t *words = load_acquire(&f->array[page]);

    return words ? &words[port % WORDS_PER_PAGE] : NULL;
}

static struct fifo_vcpu *fifo_of(const struct domain *d, u32 vcpu)
{
    const struct vcpu *v = d->vcpus[vcpu];

    return v ? load_acquire(&v->fifo) : NULL;
}

/*
 * Locks the queues of the vCPU that p goes to, which is returned, and of the one
 * whose queue it was in last. -1: the vCPU has no control block, nothing locked.
 */
static int lock_queues(struct domain *d, struct event_port *p, struct fifo_vcpu **to,
                       struct fifo_vcpu **from)
{
    for (;;) {
        u32 vcpu = READ_ONCE(p->vcpu), last = READ_ONCE(p->last_vcpu);

        *to = fifo_of(d, vcpu);
        *from = fifo_of(d, last);
        if (!*to)
            return -1;
        if (!*from)
            *from = *to;
        byte_lock(vcpu < last ? &(*to)->lock : &(*from)->lock);
        if (*from != *to)
            byte_lock(vcpu < last ? &(*from)->lock : &(*to)->lock);
        if (READ_ONCE(p->last_vcpu) == last)
            return (int)vcpu;
        byte_unlock(&(*to)->lock);
        if (*from != *to)
            byte_unlock(&(*from)->lock);
    }
}

/* p is pending, not masked and not in a queue: puts it in one and tells the vCPU. */
static void link_port(struct domain *d, struct event_port *p, event_word_t *word)
{
    struct fifo_vcpu *to, *from;
    bool tell = false;
    u32 priority, tail;
    int vcpu = lock_queues(d, p, &to, &from);

    if (vcpu < 0)
        return;
    if (READ_ONCE(*word) & WORD_LINKED)
        goto out; /* another CPU was faster */
    /* The guest has taken it out of where it was: it is no tail any more. */
    if (from->tail[p->last_priority] == p->number)
        from->tail[p->last_priority] = 0;
    priority = READ_ONCE(p->priority);
    p->last_priority = (u8)priority;
    WRITE_ONCE(p->last_vcpu, (u16)vcpu);
    atomic_and(word, ~WORD_LINK);
    atomic_or(word, WORD_LINKED);
    tail = to->tail[priority];
    to->tail[priority] = p->number;
    if (!tail || !(atomic_fetch_or(fifo_word(d, tail), p->number) & WORD_LINKED)) {
        WRITE_ONCE(to->control->head[priority], p->number);
        tell = !(atomic_fetch_or(&to->control->ready, 1U << priority) & (1U << priority));
    }
out:
    byte_unlock(&to->lock);
    if (from != to)
        byte_unlock(&from->lock);
    if (tell)
        vcpu_mark_events_pending(d->vcpus[vcpu]);
}

bool fifo_raise(struct domain *d, struct event_port *p)
{
    event_word_t *word = fifo_word(d, p->number);

    if (!word) {
        WRITE_ONCE(p->pending, true);
        memory_barrier();
        word = fifo_word(d, p->number); /* mapped just now? Then nobody looks at the flag again. */
        if (!word)
            return false;
    }
    u32 old = atomic_fetch_or(word, WORD_PENDING);
    if (!(old & (WORD_MASKED | WORD_LINKED)))
        link_port(d, p, word);
    return !(old & WORD_PENDING);
}

void fifo_unmask(struct domain *d, struct event_port *p)
{
    event_word_t *word = fifo_word(d, p->number);

    if (!word)
        return;
    u32 old = atomic_fetch_and(word, ~WORD_MASKED);
    if ((old & WORD_PENDING) && !(old & WORD_LINKED))
        link_port(d, p, word);
}

/* First use of FIFO: what is pending in shared_info is kept until its words come. */
static int fifo_enable(struct domain *d)
{
    struct event_table *t = d->events;
    struct fifo_domain *f = heap_zalloc(sizeof(*f));

    if (!f)
        return -ENOMEM;
    for (u32 port = 1; port < EVTCHN_2L_NR_CHANNELS; port++) {
        struct event_port *p = event_port(d, port);

        if (!p)
            break;
        p->priority = p->last_priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
        p->pending = atomic_bit_test_and_clear(d->shared_info->evtchn_pending, port);
    }
    store_release(&t->fifo, f);
    return 0;
}

int event_init_control(struct evtchn_init_control *op)
{
    struct domain *d = current->domain;
    struct event_table *t = d->events;
    struct vcpu *v = domain_vcpu(d, op->vcpu);
    struct fifo_vcpu *q;

    op->link_bits = EVTCHN_FIFO_LINK_BITS;
    if (!v)
        return reject(-ENOENT, "no such vCPU for a control block");
    if (op->offset % 8 || op->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block))
        return reject(-EINVAL, "control block leaves its page or is not aligned");
    spin_hold(&t->lock);
    if (v->fifo)
        return reject(-EINVAL, "vCPU has a control block");
    q = heap_zalloc(sizeof(*q));
    if (!q)
        return -ENOMEM;
    int error = domain_page_take(d, op->control_gfn, &q->frame);
    if (error)
        error = reject(-EINVAL, "control block in a page that is not the domain's to write");
    if (!error && !t->fifo) {
        error = fifo_enable(d);
        if (error)
            domain_page_drop(q->frame);
    }
    if (error) {
        heap_free(q);
        return error;
    }
    q->control = (void *)((char *)mfn_to_virt(frame_to_mfn(q->frame)) + op->offset);
    store_release(&v->fifo, q);
    return 0;
}

int event_expand_array(struct evtchn_expand_array *op)
{
    struct domain *d = current->domain;
    struct frame *frame;

    spin_hold(&d->events->lock);
    struct fifo_domain *f = d->events->fifo;
    if (!f)
        return reject(-EINVAL, "event array before a control block");
    if (f->pages >= ARRAY_PAGES)
        return reject(-ENOSPC, "event array is complete");
    if (domain_page_take(d, op->array_gfn, &frame))
        return reject(-EINVAL, "event page that is not the domain's to write");
    u32 first = f->pages * WORDS_PER_PAGE;
    (void)atomic_xchg(&f->array[f->pages],
                      mfn_to_virt(frame_to_mfn(frame))); /* before looking at flags */
    f->pages++;
    for (u32 port = MAX(first, 1U); port < first + WORDS_PER_PAGE; port++) {
        struct event_port *p = event_port(d, port);

        if (!p)
            break;
        byte_hold(&p->lock);
        if (p->pending && p->state != EVTCHNSTAT_closed)
            event_raise(d, p);
        p->pending = false;
    }
    return 0;
}

void fifo_free(struct domain *d)
{
    struct event_table *t = d->events;
    struct fifo_domain *f = t->fifo;

    if (!f)
        return;
    ASSERT(t->open == 0);
    t->fifo = NULL;
    for_each_vcpu (d, v) {
        if (!v->fifo)
            continue;
        domain_page_drop(v->fifo->frame);
        heap_free(v->fifo);
        v->fifo = NULL;
    }
    for (u32 i = 0; i < f->pages; i++)
        domain_page_drop(mfn_to_frame(virt_to_mfn(f->array[i])));
    heap_free(f);
}
