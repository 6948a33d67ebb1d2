/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Doubly linked list, links embedded in the members. A head is a list_head that
 * is in no struct's middle; an unlinked member points at itself. No locks: the
 * owner of the head says which lock guards it.
 */
#pragma once

#include "lib/types.h"

struct list_head {
    struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name) ((struct list_head){&(name), &(name)})

static inline void list_init(struct list_head *head)
{
    head->next = head->prev = head;
}

/* Puts `item` between two neighbours; the others below are made of it. */
static inline void list_insert_between(struct list_head *item, struct list_head *before,
                                       struct list_head *after)
{
    item->prev = before;
    item->next = after;
    before->next = item;
    after->prev = item;
}

/* Last place: right before `head` (or before any other member). */
static inline void list_add_tail(struct list_head *item, struct list_head *head)
{
    list_insert_between(item, head->prev, head);
}

/* Unlinks and re-initialises, so that deleting twice is harmless. */
static inline void list_del(struct list_head *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

/* For a head: no members. For a member: in no list. */
static inline bool list_empty(const struct list_head *head)
{
    return head->next == head;
}

#define list_entry(link, type, member) container_of(link, type, member)
/* First containing struct; the list must not be empty. */
#define list_first(head, type, member) list_entry((head)->next, type, member)

/*
 * `pos` (and `tmp`) are pointers to the containing struct, declared by the
 * caller. The _safe form allows pos to be unlinked or freed in the body.
 * After a full run pos is not a member: do not use it.
 */
#define list_for_each(pos, head, member)                                                         \
    for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member); &(pos)->member != (head); \
         (pos) = list_entry((pos)->member.next, __typeof__(*(pos)), member))

#define list_for_each_safe(pos, tmp, head, member)                          \
    for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member),      \
        (tmp) = list_entry((pos)->member.next, __typeof__(*(pos)), member); \
         &(pos)->member != (head);                                          \
         (pos) = (tmp), (tmp) = list_entry((pos)->member.next, __typeof__(*(pos)), member))
