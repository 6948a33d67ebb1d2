/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pseudo-random hypercalls with nasty arguments, for guests that shall break the hypervisor: the
 * same state gives the same calls. Who uses it supplies what differs between kinds of guests in
 * random_guest, and eight pages to play with.
 */
#pragma once

#include "runtime.h"

#define SCRATCH 8

struct random_guest {
    s64 (*call)(u64 number, const u64 *a); /* makes it, or leaves it out */
    u64 (*frame_of)(const void *p);        /* what the guest calls the frame of an address */
    bool (*spares)(u64 frame); /* not this one; NULL: any. Those of scratch are not asked */
    u64 tables, table_count;   /* where the guest's page tables are mapped; count 0: nowhere */
    bool reckless; /* calls are not chosen with care for the machine: it has no power over it */
    u32 peer;      /* a domain that grants and events may be about */
};
extern struct random_guest random_guest;
void random_begin(u64 seed);
extern u8 *random_scratch[SCRATCH]; /* each with a hole behind it, where long lists end */

u64 draw_from(u64 *state); /* not 0; for several vCPUs, each with its own */
u64 draw(void);
u64 below(u64 n); /* 0 to n - 1 */
u64 any_frame(void);
u64 any_number(void);
u64 any_argument(void);
u8 *any_scratch(void);
void *fill(u32 bytes); /* a structure in scratch memory of words that mostly mean something */

/* One call of a kind that any guest may make. */
void random_call(void);
/* One that changes page tables. */
void random_tables(void);
/* Some in one. `spared`: those that are not to be in it. */
void random_multicall(bool (*spared)(u64 number, const u64 *a));

/* It would end or stop the caller, or take what the caller stands on. */
bool random_ends(u64 number, const u64 *a);

/* For PV guests. A page of scratch memory with nothing mapped behind it. */
u8 *random_page(void);
/* Scratch pages may have become tables or read-only: makes them the guest's to write again. */
void random_repair(void);
