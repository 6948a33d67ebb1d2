/* SPDX-License-Identifier: GPL-2.0-only */
/* What the measuring dom0 (main.c), its domain builder (build.c) and the domains (domu.c) share. */
#pragma once

#include "control.h"

#define MS          1000000UL
#define MAX_SAMPLES 480

enum role {
    ROLE_SPIN,  /* every vCPU runs all the time */
    ROLE_SLEEP, /* wakes by its timer or by dom0's event, and notes how late */
};

/* A page of the domain's image, mapped by dom0 as well. */
struct mailbox {
    u32 role;
    u32 port;                    /* SLEEP: its end of the channel from dom0 */
    volatile u32 up;             /* the domain has come so far */
    s32 status;                  /* SPIN: what the first vCPU that was not brought up answered */
    volatile u64 end;            /* SLEEP: when to stop, system time */
    volatile u64 sent;           /* when dom0 sent its event; 0: the last one has been seen */
    volatile u32 timers, events; /* samples taken, ns each */
    u32 timer_late[MAX_SAMPLES], event_late[MAX_SAMPLES];
};

_Static_assert(sizeof(struct mailbox) <= PAGE_SIZE, "one page is mapped");
extern struct mailbox mailbox;
extern char domu_entry[];

#define MAX_DOMAINS 4

struct built {
    u32 id, vcpus, port; /* port: our end of the channel */
    struct mailbox *box;
};

/* Builds a domain that runs a copy of this image, paused. */
struct built domain_build(enum role role, u32 vcpus);
void domain_end(struct built *d);

__noreturn void spin_as_guest(void);
/* Sleeps until an upcall, but not beyond `when`; true: it was asleep. Returns with upcalls masked.
 */
void sleep_until(u64 when);
void sleeper_init(void);
u64 events_taken(void); /* and cleared: bits of the first 64 ports */
extern evtchn_port_t timer_port;
