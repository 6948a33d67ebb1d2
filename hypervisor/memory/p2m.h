/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest-physical map of a translated domain: which machine frame stands
 * behind which guest frame, kept in the format that the processor walks
 * (nested paging), so that there is one truth only. What a mapping is to us
 * stands in bits that the processor ignores.
 *
 * LOCK_P2M is held for changes; p2m_lookup needs no lock: a table that is once
 * in the map stays until p2m_free. Who uses a frame found so takes a reference
 * and looks again (core/physmap.h does).
 *
 * RAM of the domain's own is held by the owner's reference alone; a foreign
 * frame's reference is held by its mapping, a granted one's by the grant.
 */
#pragma once

#include "cpu/lock.h"

enum p2m_kind {
    P2M_NONE,
    P2M_RAM,      /* from here to P2M_LOGDIRTY: the domain's own */
    P2M_READONLY, /* RAM or a page of ours that the guest may only read */
    P2M_LOGDIRTY, /* RAM not written since p2m_log: its first write makes it P2M_RAM */
    P2M_DEVICE,   /* registers of a device given to the domain */
    P2M_GRANT,    /* another domain's frame, granted */
    P2M_GRANT_READONLY,
    P2M_FOREIGN, /* another domain's frame, mapped by right of control */
    P2M_KINDS
};

/* How a processor family writes entries. */
struct p2m_format {
    u64 table;           /* flags of an entry that leads to a table */
    u64 leaf[P2M_KINDS]; /* flags of a mapping */
    u64 large;           /* set in mappings of 2 MiB and 1 GiB */
    bool has_1g;
};
extern const struct p2m_format p2m_format_npt;

/* Of the control operation; p2m_log reads the clock. */
struct p2m_log_state {
    bool on;
    u32 op; /* request under way: which, the guest frame it has come to, what it has found */
    u64 at;
    u32 dirty, clock, next_clock; /* flush clock when the last cleaning began, and this one */
    u64 screen, screen_size;      /* frames whose log p2m_log_screen has last given; 0: none */
};

struct p2m {
    spinlock_t lock; /* LOCK_P2M */
    u64 *root;
    const struct p2m_format *format;
    u32 tables, tables_max; /* pages of tables: there are, may be */
    u64 last;               /* highest guest frame ever mapped */
    struct p2m_log_state log;
};

struct p2m_entry {
    mfn_t frame; /* behind this very guest frame, also within a large mapping */
    u8 kind;     /* enum p2m_kind */
    u8 order;    /* of the mapping it is part of: 0, 9, 18 */
};

#define P2M_GFN_BITS 36 /* four levels: 48 bits of address */

int p2m_init(struct p2m *p, const struct p2m_format *format); /* -ENOMEM */
void p2m_free(struct p2m *p);                                 /* tables only */

struct p2m_entry p2m_lookup(const struct p2m *p, u64 gfn);
/* The first guest frame >= gfn that is mapped; ~0: none. For walking through all. */
u64 p2m_next(const struct p2m *p, u64 gfn, struct p2m_entry *entry);

/* The rest: lock held. None flushes: who takes a right away does, before the frame is let go. */

/* 2^order frames (order 0, 9, 18; both numbers aligned) where nothing is mapped:
 * -EEXIST something is, -EINVAL beyond the address width, -ENOMEM no room for tables.
 * All or nothing. */
int p2m_add(struct p2m *p, u64 gfn, mfn_t frame, u32 order, enum p2m_kind kind);
/* Takes back what p2m_add has just put there; cannot fail. */
void p2m_take_back(struct p2m *p, u64 gfn, u32 order);
/* Takes one frame out. -ENOENT: not mapped; -ENOMEM: part of a large mapping that has no
 * room to be split. */
int p2m_remove(struct p2m *p, u64 gfn, struct p2m_entry *old);
/* One mapped frame becomes of another kind. Errors as p2m_remove. */
int p2m_set_kind(struct p2m *p, u64 gfn, enum p2m_kind kind);

/*
 * Which RAM is written. The map itself is the log: P2M_RAM is dirty, P2M_LOGDIRTY is clean
 * unless somebody of us or another domain has held a writable use of its frame since
 * log.clock. (What control maps is no such use: it says what it writes, p2m_written.) Marks
 * the dirty ones of count frames from gfn on in the bitmap; then makes all of them clean, or
 * P2M_RAM, or leaves them as they are.
 */
enum p2m_log { P2M_LOG_PEEK, P2M_LOG_CLEAN, P2M_LOG_OFF };
void p2m_log(struct p2m *p, u64 gfn, u64 count, enum p2m_log what, unsigned long *dirty);
/* The same for the memory of a screen, over and over: what was written since the last time, all
 * if these frames were others or the whole log is on. Takes the lock itself. */
void p2m_log_screen(struct p2m *p, u64 gfn, u64 count, unsigned long *dirty);
/* A clean frame is written; with its neighbours, if there is no room for a table. Takes the
 * lock itself. */
void p2m_written(struct p2m *p, u64 gfn);
