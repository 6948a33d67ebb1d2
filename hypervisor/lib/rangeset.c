/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See rangeset.h. Invariant: ranges rise, and between two of them at least one
 * number is missing. Each change needs at most one new range, allocated before
 * anything is touched, so a failure leaves the set as it was.
 */
#include "lib/rangeset.h"

struct range {
    struct list_head link;
    u64 first, last;
};

void rangeset_init(struct rangeset *set, void *(*alloc)(size_t size), void (*free)(void *block))
{
    list_init(&set->ranges);
    set->alloc = alloc;
    set->free = free;
    set->count = 0;
}

static void drop(struct rangeset *set, struct range *range)
{
    list_del(&range->link);
    set->free(range);
    set->count--;
}

void rangeset_destroy(struct rangeset *set)
{
    struct range *range, *next;

    list_for_each_safe (range, next, &set->ranges, link)
        drop(set, range);
}

/* Puts a new range first..last before `before` (a range's link or the head). */
static int insert(struct rangeset *set, struct list_head *before, u64 first, u64 last)
{
    struct range *range = set->alloc(sizeof(*range));

    if (!range)
        return -ENOMEM;
    range->first = first;
    range->last = last;
    list_add_tail(&range->link, before);
    set->count++;
    return 0;
}

int rangeset_add(struct rangeset *set, u64 first, u64 last)
{
    struct range *range, *next, *into = NULL;

    if (first > last)
        return -EINVAL;

    /* Everything that touches first..last melts into the first such range. */
    list_for_each_safe (range, next, &set->ranges, link) {
        if (first && range->last < first - 1)
            continue;
        if (range->first > last && range->first - 1 > last)
            break;
        if (!into) {
            into = range;
            into->first = MIN(into->first, first);
            into->last = MAX(into->last, last);
        } else {
            into->last = MAX(into->last, range->last);
            drop(set, range);
        }
    }
    return into ? 0 : insert(set, &range->link, first, last);
}

int rangeset_remove(struct rangeset *set, u64 first, u64 last)
{
    struct range *range, *next;

    if (first > last)
        return -EINVAL;

    list_for_each_safe (range, next, &set->ranges, link) {
        if (range->last < first)
            continue;
        if (range->first > last)
            break;
        if (range->first < first && range->last > last) {
            /* A hole in the middle of one range, and so nothing else to do. */
            if (insert(set, &range->link, range->first, first - 1) != 0)
                return -ENOMEM;
            range->first = last + 1;
            break;
        }
        if (range->first < first)
            range->last = first - 1;
        else if (range->last > last)
            range->first = last + 1;
        else
            drop(set, range);
    }
    return 0;
}

bool rangeset_contains(const struct rangeset *set, u64 first, u64 last)
{
    const struct range *range;

    if (first > last)
        return false;
    list_for_each (range, &set->ranges, link)
        if (range->first <= first && last <= range->last)
            return true;
    return false;
}

bool rangeset_overlaps(const struct rangeset *set, u64 first, u64 last)
{
    const struct range *range;

    list_for_each (range, &set->ranges, link)
        if (range->first <= last && first <= range->last)
            return true;
    return false;
}

bool rangeset_empty(const struct rangeset *set)
{
    return list_empty(&set->ranges);
}
