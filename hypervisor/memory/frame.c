/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the counts in struct frame: references and the simple types. Frames
 * whose last reference goes are handed to alloc.c.
 *
 * Locks: none; each word changes by one compare-and-exchange. A reference
 * keeps the owner word from changing, so "take, then look again at the owner"
 * is a safe way from a guessed frame number to a reference.
 *
 * Callers: everything that stores a frame number which a guest can influence.
 */
#include "memory/frame.h"

#include "cpu/work.h"
#include "memory/internal.h"

u64 frame_table_end __ro_after_init;

void frame_set_owner(struct frame *f, const struct frame_owner *owner)
{
    atomic_store(&f->owner, frame_owner_number(owner));
}

bool frame_get_none(u64 old)
{
    ASSERT((old & FRAME_COUNT_MASK) != FRAME_COUNT_MASK);
    return false;
}

void frame_get_again(struct frame *f)
{
    u64 old = atomic_fetch_add(&f->count, 1UL);

    ASSERT((old & FRAME_COUNT_MASK) != 0);
}

void frame_put_slow(struct frame *f, u64 old)
{
    ASSERT((old & FRAME_COUNT_MASK) != 0);
    frame_give_back(f);
}

bool frame_release(struct frame *f)
{
    u64 seen = READ_ONCE(f->count), old;

    do {
        old = seen;
        if (!(old & FRAME_ALLOCATED))
            return false;
        seen = atomic_cmpxchg(&f->count, old, (old & ~FRAME_ALLOCATED) - 1);
    } while (seen != old);
    if ((old & FRAME_COUNT_MASK) == 1)
        frame_give_back(f);
    return true;
}

void frame_stamp(struct frame *f)
{
    atomic_store(&f->stamp, flush_clock_now());
}

__attribute__((noinline)) void frames_flush_since(u32 stamp)
{
    cpumask_t mask = cpus_online;

    flush_clock_filter(&mask, stamp);
    if (!cpumask_empty(&mask))
        cpu_flush(&mask, FLUSH_TLB, 0);
}

void frame_flush_stale(const struct frame *f)
{
    frames_flush_since(READ_ONCE(f->stamp));
}

bool frame_get_writable_slow(struct frame *f)
{
    for (;;) {
        u64 old = READ_ONCE(f->type);
        u64 kind = old & TYPE_MASK;

        if (kind == TYPE_WRITABLE && (old & TYPE_COUNT_MASK)) {
            if (!(old & TYPE_VALIDATED)) {
                cpu_wait(); /* another CPU is flushing for it */
                continue;
            }
            ASSERT((old & TYPE_COUNT_MASK) != TYPE_COUNT_MASK);
            if (atomic_cmpxchg(&f->type, old, old + 1) == old)
                return true;
            continue;
        }
        /* Anything that holds it in place? Then it is no other type's. */
        if (old & (TYPE_COUNT_MASK | TYPE_PINNED | TYPE_PARTIAL | TYPE_LOCKED))
            return false;
        if (kind == TYPE_NONE || kind == TYPE_WRITABLE) {
            if (atomic_cmpxchg(&f->type, old, TYPE_WRITABLE | TYPE_VALIDATED | 1) == old)
                return true;
        } else if (atomic_cmpxchg(&f->type, old, TYPE_WRITABLE | 1) == old) {
            frame_flush_stale(f);
            atomic_or(&f->type, TYPE_VALIDATED);
            return true;
        }
    }
}

void frame_put_writable_slow(struct frame *f)
{
    u64 seen = READ_ONCE(f->type), old;

    do {
        old = seen;
        ASSERT((old & TYPE_MASK) == TYPE_WRITABLE && (old & TYPE_COUNT_MASK));
        if ((old & TYPE_COUNT_MASK) == 1)
            frame_stamp(f);
        seen = atomic_cmpxchg(&f->type, old, old - 1);
    } while (seen != old);
}

/* Where the frame of that number (0: the list's end) is linked from the one side and the other. */
static u32 *next_of(struct frame_list *l, u32 number)
{
    return number ? &frame_table[number].next : &l->head;
}

static u32 *prev_of(struct frame_list *l, u32 number)
{
    return number ? &frame_table[number].prev : &l->tail;
}

static void insert_between(struct frame_list *l, struct frame *f, u32 prev, u32 next)
{
    f->prev = prev;
    f->next = next;
    *next_of(l, prev) = *prev_of(l, next) = (u32)(f - frame_table);
    l->count++;
}

void frame_list_add(struct frame_list *l, struct frame *f)
{
    insert_between(l, f, 0, l->head);
}

void frame_list_add_tail(struct frame_list *l, struct frame *f)
{
    insert_between(l, f, l->tail, 0);
}

void frame_list_del(struct frame_list *l, struct frame *f)
{
    ASSERT(l->count && *next_of(l, f->prev) == (u32)(f - frame_table));
    *next_of(l, f->prev) = f->next;
    *prev_of(l, f->next) = f->prev;
    f->next = f->prev = 0;
    l->count--;
}

struct frame *frame_list_first(const struct frame_list *l)
{
    return l->head ? &frame_table[l->head] : NULL;
}

void frame_owner_init(struct frame_owner *o)
{
    ASSERT(((u64)o & ~PAGE_MASK) == 0);
    memset(o, 0, sizeof(*o));
    o->lock = SPINLOCK(LOCK_OWNER);
    o->max = ~0u;
}
