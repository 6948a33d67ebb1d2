/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two domains do event-channel operations that bytes choose, next to a plain
 * model: a table of ports with what they are bound to, pending, masked. After
 * each look by the guests (which go through their words as a kernel does) what
 * they found must be exactly what the model says is pending and not masked, and
 * an upcall must have announced it. Either domain may turn to FIFO, or back by a
 * reset. A hostile guest may scribble: then only our own state is checked.
 */
#pragma once

#include "core_world.h"

#define PLAY_PORTS 24 /* model keeps numbers below; more are closed again */
#define PLAY_VCPUS 3

struct play_port {
    u8 state;
    u32 far, far_port; /* interdomain; unbound: far is who may bind */
    u32 virq, vcpu, priority;
    bool pending, masked;
};

static struct play {
    struct domain *d[2];
    struct play_port port[2][PLAY_PORTS];
    bool fifo[2], hostile;
    u32 *words[2];
    struct evtchn_fifo_control_block *control[2][PLAY_VCPUS];
    u32 head[2][PLAY_VCPUS][EVTCHN_FIFO_MAX_QUEUES];
    u32 ready[2][PLAY_VCPUS];
    const u8 *bytes;
    size_t left;
} play;

static u32 play_byte(void)
{
    if (!play.left)
        return 0;
    play.left--;
    return *play.bytes++;
}

/* ---- the guests' side ---- */

static void play_handle(u32 port, bool found[PLAY_PORTS])
{
    if (play.hostile)
        return;
    ASSERT(port < PLAY_PORTS && !found[port]);
    found[port] = true;
}

static void play_look_2l(u32 i, struct vcpu *v, bool found[PLAY_PORTS])
{
    struct shared_info *s = play.d[i]->shared_info;
    u64 sel = __atomic_exchange_n(&v->info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

    for (; sel; sel &= sel - 1) {
        u32 word = (u32)__builtin_ctzl(sel);
        u64 bits = s->evtchn_pending[word] & ~s->evtchn_mask[word];

        for (; bits; bits &= bits - 1) {
            u32 port = word * 64 + (u32)__builtin_ctzl(bits);

            bit_clear(s->evtchn_pending, port);
            play_handle(port, found);
        }
    }
}

/* Takes words out of the queues, highest priority first, as the interface says. */
static void play_look_fifo(u32 i, u32 vcpu, bool found[PLAY_PORTS])
{
    struct evtchn_fifo_control_block *c = play.control[i][vcpu];
    u32 *ready = &play.ready[i][vcpu], rounds = 0;

    if (!c)
        return;
    for (;;) {
        *ready |= __atomic_exchange_n(&c->ready, 0, __ATOMIC_SEQ_CST);
        if (!(*ready & 0xffff) || ++rounds > 5000)
            break;
        u32 priority = (u32)__builtin_ctz(*ready & 0xffff);
        u32 *head = &play.head[i][vcpu][priority];
        u32 port = *head ? *head : c->head[priority];

        if (port >= 1024) { /* only after scribbling */
            ASSERT(play.hostile);
            *ready &= ~(1U << priority);
            *head = 0;
            continue;
        }
        u32 old = __atomic_fetch_and(&play.words[i][port],
                                     ~(1U << EVTCHN_FIFO_LINKED | (u32)EVTCHN_FIFO_LINK_MASK),
                                     __ATOMIC_SEQ_CST);
        *head = old & EVTCHN_FIFO_LINK_MASK;
        if (!*head)
            *ready &= ~(1U << priority);
        if ((old & 1U << EVTCHN_FIFO_PENDING) && !(old & 1U << EVTCHN_FIFO_MASKED)) {
            play.words[i][port] &= ~(1U << EVTCHN_FIFO_PENDING);
            play_handle(port, found);
        }
    }
}

/* All vCPUs of a domain look; returns whether everything was as the model says. */
static void play_look(u32 i)
{
    bool found[PLAY_PORTS] = {false};
    bool told = false, any = false;

    for (u32 n = 0; n < PLAY_VCPUS; n++) {
        struct vcpu *v = play.d[i]->vcpus[n];

        told |= v->info->evtchn_upcall_pending;
        v->info->evtchn_upcall_pending = 0;
        if (play.fifo[i])
            play_look_fifo(i, n, found);
        else
            play_look_2l(i, v, found);
    }
    if (play.hostile)
        return;
    for (u32 port = 1; port < PLAY_PORTS; port++) {
        struct play_port *p = &play.port[i][port];

        if (found[port] != (p->pending && !p->masked))
            panic("d%u port %u: found %d, pending %d masked %d state %u vcpu %u, %s", i, port,
                  found[port], p->pending, p->masked, p->state, p->vcpu,
                  play.fifo[i] ? "FIFO" : "2-level");
        any |= found[port];
        if (found[port])
            p->pending = false;
    }
    ASSERT(told || !any);
}

static void play_set_mask(u32 i, u32 port)
{
    if (play.fifo[i])
        __atomic_or_fetch(&play.words[i][port], 1U << EVTCHN_FIFO_MASKED, __ATOMIC_SEQ_CST);
    else
        bit_set(play.d[i]->shared_info->evtchn_mask, port);
    play.port[i][port].masked = true;
}

/* ---- operations, each with what the model expects ---- */

/* A port that we were given: in the model, or given back if the model is full. */
static bool play_new(u32 i, int error, u32 port, u8 state)
{
    struct play_port *p;

    ASSERT(!error);
    if (port >= PLAY_PORTS) {
        ASSERT(event_close(play.d[i], port, true) == 0);
        return false;
    }
    p = &play.port[i][port];
    ASSERT(p->state == EVTCHNSTAT_closed);
    *p = (struct play_port){.state = state, .masked = p->masked, .priority = 7};
    return true;
}

static void play_raise(u32 i, u32 port)
{
    if (port < PLAY_PORTS)
        play.port[i][port].pending = true;
}

static void play_interdomain(u32 i, u32 far, u32 far_port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = play.d[far]->id, .remote_port = far_port};
    struct play_port *fp = far_port < PLAY_PORTS ? &play.port[far][far_port] : NULL;
    bool fits = fp && fp->state == EVTCHNSTAT_unbound && fp->far == i;
    int error = event_bind_interdomain(&op);

    if (!fits) {
        ASSERT(error == -EINVAL);
        return;
    }
    if (!play_new(i, error, op.local_port, EVTCHNSTAT_interdomain))
        return; /* closed again: the far end is as before */
    play.port[i][op.local_port].far = far;
    play.port[i][op.local_port].far_port = far_port;
    play.port[i][op.local_port].pending = true;
    fp->state = EVTCHNSTAT_interdomain;
    fp->far = i;
    fp->far_port = op.local_port;
}

static void play_close(u32 i, u32 port)
{
    struct play_port *p = &play.port[i][port];
    int error = event_close(play.d[i], port, true);

    ASSERT(error == (port && p->state != EVTCHNSTAT_closed ? 0 : -EINVAL));
    if (error)
        return;
    if (p->state == EVTCHNSTAT_interdomain) {
        struct play_port *fp = &play.port[p->far][p->far_port];

        fp->state = EVTCHNSTAT_unbound;
        fp->far = i;
    }
    *p = (struct play_port){.masked = p->masked};
}

static void play_send(u32 i, u32 port)
{
    struct play_port *p = &play.port[i][port];
    bool may = port && (p->state == EVTCHNSTAT_interdomain || p->state == EVTCHNSTAT_ipi ||
                        p->state == EVTCHNSTAT_unbound);

    ASSERT(event_send(play.d[i], port) == (may ? 0 : -EINVAL));
    if (p->state == EVTCHNSTAT_interdomain)
        play_raise(p->far, p->far_port);
    else if (p->state == EVTCHNSTAT_ipi)
        play_raise(i, port);
}

static void play_status(u32 i, u32 port)
{
    struct evtchn_status op = {.dom = play.d[i]->id, .port = port};
    struct play_port *p = &play.port[i][port];

    if (event_status(&op))
        return; /* not within what was ever open */
    ASSERT(op.status == p->state);
    if (p->state == EVTCHNSTAT_interdomain)
        ASSERT(op.u.interdomain.dom == play.d[p->far]->id && op.u.interdomain.port == p->far_port);
    if (p->state == EVTCHNSTAT_unbound)
        ASSERT(op.u.unbound.dom == play.d[p->far]->id);
    if (p->state == EVTCHNSTAT_virq)
        ASSERT(op.u.virq == p->virq);
    if (p->state != EVTCHNSTAT_closed)
        ASSERT(op.vcpu == p->vcpu);
    ASSERT(play.hostile ||
           event_port_pending(play.d[i], port) == (p->pending && p->state != EVTCHNSTAT_closed));
}

static bool play_global(u32 virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

static void play_virq(u32 i, u32 virq, u32 vcpu)
{
    struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};
    bool global = play_global(virq), bound = false;
    int error;

    for (u32 port = 1; port < PLAY_PORTS; port++)
        bound |= play.port[i][port].state == EVTCHNSTAT_virq && play.port[i][port].virq == virq &&
                 (global || play.port[i][port].vcpu == vcpu);
    error = event_bind_virq(&op);
    if (virq >= NR_VIRQS || (global && vcpu)) {
        ASSERT(error == -EINVAL);
    } else if (vcpu >= PLAY_VCPUS) {
        ASSERT(error == -ENOENT);
    } else if (bound) {
        ASSERT(error == -EEXIST);
    } else if (play_new(i, error, op.port, EVTCHNSTAT_virq)) {
        play.port[i][op.port].virq = virq;
        play.port[i][op.port].vcpu = vcpu;
    }
}

static void play_fire_virq(u32 i, u32 virq, u32 vcpu)
{
    event_send_virq(play.d[i]->vcpus[vcpu], virq);
    for (u32 port = 1; port < PLAY_PORTS; port++) {
        struct play_port *p = &play.port[i][port];

        if (p->state == EVTCHNSTAT_virq && p->virq == virq &&
            (virq == VIRQ_ARGO ? vcpu == 0 : p->vcpu == vcpu))
            p->pending = true;
    }
}

static void play_move(u32 i, u32 port, u32 vcpu)
{
    struct play_port *p = &play.port[i][port];
    int error = event_bind_vcpu(play.d[i], port, vcpu);

    if (vcpu >= PLAY_VCPUS)
        ASSERT(error == -ENOENT);
    else if (!port || p->state == EVTCHNSTAT_closed || p->state == EVTCHNSTAT_ipi ||
             (p->state == EVTCHNSTAT_virq && !play_global(p->virq)))
        ASSERT(error == -EINVAL);
    else {
        ASSERT(!error);
        p->vcpu = vcpu;
    }
}

static struct frame *play_page(u32 i)
{
    struct frame *f = frames_alloc(&play.d[i]->frames, 0, 0, 0);

    ASSERT(f);
    memset(mfn_to_virt(frame_to_mfn(f)), 0, PAGE_SIZE);
    return f;
}

static void play_go_fifo(u32 i)
{
    struct evtchn_expand_array array;
    struct frame *f;

    if (play.fifo[i])
        return;
    array.array_gfn = 5;
    ASSERT(event_expand_array(&array) == -EINVAL);
    /* Masks do not carry over: the words start unmasked, as the kernel has them. */
    for (u32 vcpu = 0; vcpu < PLAY_VCPUS; vcpu++) {
        f = play_page(i);
        struct evtchn_init_control op = {
            .control_gfn = frame_to_mfn(f).raw, .offset = 8 * vcpu, .vcpu = vcpu};

        ASSERT(event_init_control(&op) == 0 && op.link_bits == 17);
        ASSERT(event_init_control(&op) == -EINVAL);
        play.control[i][vcpu] = (void *)((char *)mfn_to_virt(frame_to_mfn(f)) + op.offset);
        memset(play.head[i][vcpu], 0, sizeof(play.head[i][vcpu]));
        play.ready[i][vcpu] = 0;
    }
    f = play_page(i);
    array.array_gfn = frame_to_mfn(f).raw;
    play.words[i] = mfn_to_virt(frame_to_mfn(f));
    play.fifo[i] = true;
    for (u32 port = 1; port < PLAY_PORTS; port++) {
        if (play.port[i][port].masked)
            play_set_mask(i, port);
    }
    ASSERT(event_expand_array(&array) == 0);
}

static void play_reset(u32 i)
{
    world_yield = true;
    while (event_reset(play.d[i]) == -ERESTART_HYPERCALL)
        ;
    world_yield = false;
    for (u32 port = 1; port < PLAY_PORTS; port++) {
        struct play_port *p = &play.port[i][port];

        if (p->state == EVTCHNSTAT_interdomain && p->far != i) {
            play.port[p->far][p->far_port].state = EVTCHNSTAT_unbound;
            play.port[p->far][p->far_port].far = i;
        }
        *p = (struct play_port){0};
    }
    play.fifo[i] = false;
    memset(play.control[i], 0, sizeof(play.control[i]));
    /* The kernel starts anew with its words, also those that it last looked at before it had
     * queues. */
    for (u32 vcpu = 0; vcpu < PLAY_VCPUS; vcpu++)
        play.d[i]->vcpus[vcpu]->info->evtchn_pending_sel = 0;
    memset(play.d[i]->shared_info->evtchn_mask, 0, sizeof(play.d[i]->shared_info->evtchn_mask));
}

static void play_scribble(u32 i)
{
    u32 value = play_byte() << 24 | play_byte() << 16 | play_byte();

    play.hostile = true;
    if (play.fifo[i]) {
        play.words[i][play_byte() % PLAY_PORTS] = value;
        play.control[i][play_byte() % PLAY_VCPUS]->head[play_byte() % 16] = value;
        play.control[i][play_byte() % PLAY_VCPUS]->ready = value;
    } else {
        play.d[i]->shared_info->evtchn_pending[play_byte() % 64] = value;
        play.d[i]->shared_info->evtchn_mask[play_byte() % 64] = value;
        play.d[i]->vcpus[play_byte() % PLAY_VCPUS]->info->evtchn_pending_sel = value;
    }
}

static void play_step(bool may_scribble)
{
    u32 op = play_byte() % 19, i = play_byte() & 1, a = play_byte(), port = a % PLAY_PORTS;
    u32 b = play_byte();
    struct domain *d = play.d[i];
    struct play_port *p = &play.port[i][port];

    world_as(d->vcpus[a % PLAY_VCPUS]);
    switch (op) {
    case 0: {
        struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = play.d[b & 1]->id};
        int error = event_alloc_unbound(d, &alloc);

        if (play_new(i, error, alloc.port, EVTCHNSTAT_unbound))
            play.port[i][alloc.port].far = b & 1;
        break;
    }
    case 1:
        play_interdomain(i, b & 1, port);
        break;
    case 2: {
        struct evtchn_bind_ipi ipi = {.vcpu = b % PLAY_VCPUS};
        int error = event_bind_ipi(&ipi);

        if (play_new(i, error, ipi.port, EVTCHNSTAT_ipi))
            play.port[i][ipi.port].vcpu = b % PLAY_VCPUS;
        break;
    }
    case 3:
        play_virq(i, b % 4 == 0 ? VIRQ_ARGO : b % 4 == 1 ? VIRQ_TIMER : b % 30, a % 4);
        break;
    case 4:
        play_close(i, port);
        break;
    case 5:
        play_fire_virq(i, b % 2 ? VIRQ_TIMER : VIRQ_ARGO, a % PLAY_VCPUS);
        break;
    case 6:
        if (port)
            play_set_mask(i, port);
        break;
    case 7: {
        int error = event_unmask(d, port);
        /* Closed ports keep their mask. */
        if (!error && p->state != EVTCHNSTAT_closed)
            p->masked = false;
        break;
    }
    case 8:
    case 9:
        play_look(i);
        break;
    case 10:
        play_move(i, port, b % 4);
        break;
    case 11: {
        int error = event_set_priority(d, port, b % 17);
        ASSERT(error == 0 || error == -ENOSYS || error == -EINVAL);
        break;
    }
    case 12:
        play_status(i, port);
        break;
    case 13:
        if (b < 20)
            play_reset(i);
        break;
    case 14:
        if (b < 40)
            play_go_fifo(i);
        break;
    case 15:
        if (may_scribble && b < 16)
            play_scribble(i);
        break;
    default:
        play_send(i, port);
        break;
    }
}

static void play_start(void)
{
    memset(&play, 0, sizeof(play));
    for (u32 i = 0; i < 2; i++) {
        play.d[i] = world_domain(false, PLAY_VCPUS);
        for (u32 n = 0; n < PLAY_VCPUS; n++)
            vcpu_up(play.d[i]->vcpus[n]);
    }
}

/* Plays all bytes; afterwards both domains die, one with a page still mapped. */
static void play_bytes(const u8 *bytes, size_t size, bool may_scribble)
{
    play_start();
    play.bytes = bytes;
    play.left = size;
    while (play.left)
        play_step(may_scribble);
    for (u32 i = 0; i < 2; i++) {
        for (u32 port = 0; port < PLAY_PORTS; port++)
            play_status(i, port);
        play_look(i);
    }
    world_destroy(play.d[0]);
    for (u32 port = 1; port < PLAY_PORTS; port++) {
        struct play_port *p = &play.port[1][port];

        if (p->state == EVTCHNSTAT_interdomain && p->far == 0) {
            struct evtchn_status op = {.dom = play.d[1]->id, .port = port};

            ASSERT(!event_status(&op) && op.status == EVTCHNSTAT_unbound);
        }
    }
    world_destroy(play.d[1]);
}
