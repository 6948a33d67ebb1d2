/* SPDX-License-Identifier: GPL-2.0-only */
/* What core/grant*.c share. */
#pragma once

#include "core/grant.h"

#define V1_PER_FRAME     (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define V2_PER_FRAME     (PAGE_SIZE / sizeof(union grant_entry_v2))
#define STATUS_PER_FRAME (PAGE_SIZE / sizeof(grant_status_t))
/* The interface's idea of how many handles a frame of maptrack_frames holds. */
#define HANDLES_PER_FRAME 256

/* One grant in use. All zero: not in use. */
struct grant_active {
    u32 readers, writers;
    u32 frame; /* machine frame */
    u32 trans_ref;
    u16 start, length; /* bytes that may be used */
    domid_t domid;     /* who uses it */
    domid_t trans_domid;
    bool sub_page, transitive;
};

/* A mapping of ours. */
struct grant_handle {
    struct domain *granter;
    u32 frame;
    u32 ref;
    u32 flags; /* GNTMAP_host_map, device_map, readonly, contains_pte; HANDLE_* */
    u32 next;  /* while free */
};
#define HANDLE_BUSY      (1U << 31) /* an operation works on it */
#define HANDLE_NONE      ~0U
#define HANDLE_MAPPED    (GNTMAP_host_map | GNTMAP_device_map)
#define HANDLES_PER_PAGE 128U /* as many as fit, for which finding one needs no division */

struct grant_table {
    spinlock_t lock; /* LOCK_GRANT */
    u32 version;     /* 1 or 2 */
    u32 max_frames, max_handles;
    u32 frames, status_frames;
    void **shared;                /* max_frames pointers to shared pages */
    struct grant_active **active; /* same index; V1_PER_FRAME entries each */
    grant_status_t **status;
    u32 chunks;                    /* of active[]: stays when a dying domain's frames are gone */
    struct grant_handle **handles; /* pages */
    u32 handle_count, free_handle; /* made so far; first of the free list */
    u32 destroy_at;                /* grant_destroy's progress */
};

/* `who` begins to use a grant, to map it or (for_copy) to copy. GNTST_*. */
s16 grant_use_begin(struct domain *granter, u32 ref, domid_t who, bool write, bool for_copy,
                    struct grant_use *use);
void grant_use_end(const struct grant_use *use);
/* The use that a mapping's handle stands for. */
struct grant_use grant_handle_use(const struct grant_handle *h);
/* A domain that may have granted something; reference taken. NULL: none. */
struct domain *grant_granter(domid_t id);

/* LOCK_GRANT held for all of these. */
static inline u32 grant_entries(const struct grant_table *t)
{
    return t->frames * (t->version == 1 ? V1_PER_FRAME : V2_PER_FRAME);
}
static inline struct grant_entry_v1 *grant_v1(const struct grant_table *t, u32 ref)
{
    return (struct grant_entry_v1 *)t->shared[ref / V1_PER_FRAME] + ref % V1_PER_FRAME;
}
static inline union grant_entry_v2 *grant_v2(const struct grant_table *t, u32 ref)
{
    return (union grant_entry_v2 *)t->shared[ref / V2_PER_FRAME] + ref % V2_PER_FRAME;
}
static inline struct grant_active *grant_active_at(const struct grant_table *t, u32 ref)
{
    return &t->active[ref / V1_PER_FRAME][ref % V1_PER_FRAME];
}
static inline struct grant_handle *grant_handle_at(const struct grant_table *t, u32 number)
{
    return &t->handles[number / HANDLES_PER_PAGE][number % HANDLES_PER_PAGE];
}
static inline bool grant_in_use(const struct grant_active *a)
{
    return a->readers || a->writers;
}
/* Where GTF_reading and GTF_writing are shown; NULL: the table is gone. */
static inline u16 *grant_status_word(const struct grant_table *t, u32 ref)
{
    if (ref >= grant_entries(t))
        return NULL;
    return t->version == 1 ? &grant_v1(t, ref)->flags
                           : &t->status[ref / STATUS_PER_FRAME][ref % STATUS_PER_FRAME];
}
