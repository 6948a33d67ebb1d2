/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of 64-bit numbers kept as disjoint closed ranges in rising order;
 * touching ranges are merged. For things like "which I/O ports may this domain
 * use": few ranges, so a list. No locks: the owner guards it.
 */
#pragma once

#include "lib/list.h"

struct rangeset {
    struct list_head ranges; /* private */
    void *(*alloc)(size_t size);
    void (*free)(void *block);
    unsigned int count; /* number of ranges, for limits and reports */
};

/* Starts empty. alloc may return NULL; both are called from add and remove. */
void rangeset_init(struct rangeset *set, void *(*alloc)(size_t size), void (*free)(void *block));
/* Frees all ranges; the set is empty and usable afterwards. */
void rangeset_destroy(struct rangeset *set);

/*
 * Adds (removes) every number of first..last, whether already (not) in the set.
 * 0, -EINVAL when first > last, -ENOMEM with nothing changed.
 */
int rangeset_add(struct rangeset *set, u64 first, u64 last);
int rangeset_remove(struct rangeset *set, u64 first, u64 last);

/* All of first..last is in the set; false when first > last. */
bool rangeset_contains(const struct rangeset *set, u64 first, u64 last);
/* Some of first..last is in the set. */
bool rangeset_overlaps(const struct rangeset *set, u64 first, u64 last);
bool rangeset_empty(const struct rangeset *set);
