/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What core/event*.c and core/pirq.c share about a domain's ports.
 *
 * Two kinds of lock:
 * - the table's (LOCK_EVENT): everything that binds, closes or moves ports,
 *   and the domain's pirqs. Both domains' for an interdomain binding.
 * - each port's own bit: held over every delivery through that port, and by
 *   whoever changes its state (who holds the table's lock besides). Delivering
 *   needs no other lock: a sender holds its own end's bit, and the far end
 *   cannot go away meanwhile, because closing it begins with changing the
 *   sender's end. Never two bits at once.
 * Hence, while any port of a domain is open or being sent to, its FIFO state
 * and its port chunks stay.
 */
#pragma once

#include "core/event.h"
#include "cpu/work.h"

#define PORTS_PER_CHUNK 128

struct event_bound {
    struct domain *remote;
    struct event_port *peer;
};

struct event_port {
    u8 lock;
    u8 state;                   /* EVTCHNSTAT_* */
    u8 priority, last_priority; /* FIFO: wanted; of the queue it was last put in */
    u16 vcpu, last_vcpu;        /* which is told; of the queue it was last put in */
    u32 number;
    domid_t remote_id; /* unbound: who may bind */
    bool pending;      /* FIFO: before there is a word for it */
    bool ours;         /* the guest neither closes nor moves it, and gets nothing through it */
    union {
        struct {
            struct domain *remote;
            struct event_port *peer;
        };
        u32 pirq, virq;
        struct event_bound bound; /* all of them, whatever they are */
    };
};

struct fifo_domain;

struct event_table {
    spinlock_t lock;
    u32 max_port;    /* highest number it may have */
    u32 lowest_free; /* no free port below */
    u32 open;        /* ports that are not closed */
    u32 close_at;    /* how far closing all got */
    u32 chunk_count;
    struct event_port **chunks;
    struct fifo_domain *fifo; /* NULL: 2-level */
};

/* A lock of a byte, for a few instructions: a port's, or that of a vCPU's FIFO queues. */
static inline void byte_lock(u8 *lock)
{
    while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
        while (READ_ONCE(*lock))
            cpu_wait();
}
static inline void byte_unlock(u8 *lock)
{
    store_release(lock, 0);
}
static inline void byte_unhold_(u8 **lock)
{
    byte_unlock(*lock);
}
#define byte_hold(lock)                                                      \
    HOLD_(u8, byte_lock, byte_unhold_, lock, __LINE__) /* to the block's end \
                                                        */

struct event_port *event_port(const struct domain *d, u32 port); /* NULL: no such */
/* Makes the port pending and tells its vCPU; p is locked, or the sender's end is. */
void event_raise(struct domain *d, struct event_port *p);

/* The two ABIs. raise returns true if the port was not pending before. */
bool two_level_raise(struct domain *d, struct event_port *p);
void two_level_unmask(struct domain *d, struct event_port *p);
unsigned long *two_level_mask(struct domain *d);
u32 *two_level_selector(const struct vcpu *v, struct vcpu_info *info); /* two of them, or one */

bool fifo_raise(struct domain *d, struct event_port *p);
void fifo_unmask(struct domain *d, struct event_port *p);
u32 *fifo_word(const struct domain *d, u32 port); /* NULL: none yet */
void fifo_free(struct domain *d);                 /* back to 2-level; no port is open */
