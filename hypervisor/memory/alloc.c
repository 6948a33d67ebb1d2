/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the free memory of the machine: a buddy allocator, claims, the
 * accounting of who has what, scrubbing.
 *
 * Free blocks of 2^order frames are naturally aligned and hang in lists by
 * zone and order. Zone z holds the frames whose number has its highest bit at
 * z-1, so an allocation below 2^bits bytes may use zones 0..bits-12, and taking
 * the highest zone first keeps low memory for devices. A block never straddles
 * zones: frame 0 is never ours, so no block starts at 0.
 *
 * The first frame of a free block has FRAME_FREE, its type word holds the order
 * and a lower bound of the index of the first dirty frame (BLOCK_CLEAN: none).
 * FRAME_DIRTY is exact for each frame. Blocks with dirty frames are at the tail
 * of their list. Everything given back is dirty, so no owner ever sees what
 * another, or we, left behind.
 *
 * Locks: LOCK_FRAMES for lists, figures, claims; LOCK_OWNER for an owner's
 * list and total. Not both at once, but memory_claim (owner first).
 */
#include "memory/alloc.h"

#include "cpu/work.h"
#include "memory/internal.h"

#define ZONES       33
#define BLOCK_CLEAN 0xffffffffUL

static spinlock_t frames_lock = SPINLOCK(LOCK_FRAMES);
static struct frame_list free_lists[ZONES][MAX_ORDER + 1];
static u32 free_orders[ZONES]; /* bit set: that list is not empty */
static u64 frames_free, frames_claimed;
static u64 frames_dirty; /* atomic: also counted down without the lock */

static u32 block_order(const struct frame *f)
{
    return f->type & 0xff;
}

static u64 block_dirty_from(const struct frame *f)
{
    return f->type >> 32;
}

/* 1 + the highest bit of the frame's number. */
static u32 zone_of(const struct frame *f)
{
    return 32 - (u32)__builtin_clz((u32)frame_to_mfn(f).raw);
}

static void block_insert(struct frame *f, u32 order, u64 dirty_from)
{
    u32 zone = zone_of(f);

    f->type = dirty_from << 32 | order;
    f->count |= FRAME_FREE;
    if (dirty_from == BLOCK_CLEAN)
        frame_list_add(&free_lists[zone][order], f);
    else
        frame_list_add_tail(&free_lists[zone][order], f);
    free_orders[zone] |= 1u << order;
}

static void block_remove(struct frame *f)
{
    u32 zone = zone_of(f), order = block_order(f);

    frame_list_del(&free_lists[zone][order], f);
    if (!free_lists[zone][order].count)
        free_orders[zone] &= ~(1u << order);
    f->count &= ~FRAME_FREE;
}

/* Puts a block in and joins it with its free neighbours. LOCK_FRAMES held. */
static void block_free(struct frame *f, u32 order, u64 dirty_from)
{
    u64 number = frame_to_mfn(f).raw;

    for (; order < MAX_ORDER; order++) {
        u64 buddy = number ^ (1UL << order);
        struct frame *b = &frame_table[buddy];

        if (!mfn_is_ram(mfn(buddy)) || !(b->count & FRAME_FREE) || block_order(b) != order)
            break;
        block_remove(b);
        u64 low = buddy < number ? block_dirty_from(b) : dirty_from;
        u64 high = buddy < number ? dirty_from : block_dirty_from(b);
        if (low != BLOCK_CLEAN)
            dirty_from = low;
        else
            dirty_from = high == BLOCK_CLEAN ? BLOCK_CLEAN : high + (1UL << order);
        number &= ~(1UL << order);
    }
    block_insert(&frame_table[number], order, dirty_from);
}

/* Takes a block out, splitting a larger one; upper halves first. LOCK_FRAMES held. */
static struct frame *block_take(u32 order, u32 max_zone)
{
    for (u32 zone = max_zone; zone > order; zone--) {
        u32 fitting = free_orders[zone] >> order << order;

        if (!fitting)
            continue;
        u32 have = (u32)__builtin_ctz(fitting);
        struct frame *f = frame_list_first(&free_lists[zone][have]);
        u64 dirty_from = block_dirty_from(f);
        block_remove(f);
        while (have > order) {
            u64 half = 1UL << --have;

            block_insert(f, have, dirty_from < half ? dirty_from : BLOCK_CLEAN);
            f += half;
            if (dirty_from != BLOCK_CLEAN)
                dirty_from = dirty_from < half ? 0 : dirty_from - half;
        }
        return f;
    }
    return NULL;
}

/* Marks the frames of a block nobody has and gives it in. */
void frames_free_unowned(struct frame *f, u32 order)
{
    u32 now = flush_clock_now();
    u64 n = 1UL << order;

    for (u64 i = 0; i < n; i++) {
        ASSERT(!(f[i].count & (FRAME_COUNT_MASK | FRAME_FREE | FRAME_ALLOCATED)));
        f[i].count = FRAME_DIRTY;
        f[i].type = 0;
        f[i].owner = 0;
        f[i].stamp = now;
    }
    atomic_add(&frames_dirty, n);
    spin_hold(&frames_lock);
    block_free(f, order, 0);
    frames_free += n;
}

void page_allocator_add(paddr_t start, paddr_t end)
{
    u64 at = ROUND_UP(start.raw, PAGE_SIZE) >> PAGE_SHIFT;
    u64 last = end.raw >> PAGE_SHIFT;

    at = MAX(at, 1UL);
    while (at < last) {
        u32 order = MIN((u32)__builtin_ctzll(at), (u32)MAX_ORDER);

        while (at + (1UL << order) > last)
            order--;
        frames_free_unowned(&frame_table[at], order);
        at += 1UL << order;
    }
}

/* Takes frames for `owner` out of the free memory that is not claimed by others. */
static struct frame *frames_take(struct frame_owner *owner, u32 order, u32 max_zone)
{
    u64 n = 1UL << order, claimed;
    struct frame *f = NULL;

    spin_hold(&frames_lock);
    claimed = owner ? owner->claimed : 0;
    if (frames_free >= n + frames_claimed - claimed)
        f = block_take(order, max_zone);
    if (!f)
        return NULL;
    frames_free -= n;
    if (claimed) {
        claimed = MIN(claimed, n);
        owner->claimed -= (u32)claimed;
        frames_claimed -= claimed;
    }
    return f;
}

/* Makes taken frames fit for use: no stale TLB entries, zeroed if wanted. */
static void frames_prepare(struct frame *f, u64 n, bool zero)
{
    u32 newest = f->stamp;
    u64 scrubbed = 0;

    for (u64 i = 1; i < n; i++)
        if ((s32)(f[i].stamp - newest) > 0)
            newest = f[i].stamp;
    frames_flush_since(newest);
    for (u64 i = 0; i < n; i++) {
        if (f[i].count & FRAME_DIRTY) {
            scrubbed++;
            if (zero)
                memset(mfn_to_virt(frame_to_mfn(&f[i])), 0, PAGE_SIZE);
        }
        f[i].type = 0;
        f[i].count = 0;
    }
    if (scrubbed)
        atomic_sub(&frames_dirty, scrubbed);
}

/* Nobody's frames become the owner's. The count, written last, makes them live. */
static int frames_attach(struct frame *f, u64 n, struct frame_owner *owner, u32 flags)
{
    spin_hold(&owner->lock);
    if (owner->dying)
        return -EINVAL;
    if (!(flags & ALLOC_FORCE) && owner->frames.count + n > owner->max)
        return -ENOMEM;
    for (u64 i = 0; i < n; i++) {
        frame_set_owner(&f[i], owner);
        frame_list_add_tail(&owner->frames, &f[i]);
        store_release(&f[i].count, FRAME_ALLOCATED | 1);
    }
    return 0;
}

struct frame *frames_alloc(struct frame_owner *owner, u32 order, u32 address_bits, u32 flags)
{
    u32 max_zone = ZONES - 1;

    if (order > MAX_ORDER || (address_bits && address_bits <= PAGE_SHIFT))
        return NULL;
    if (address_bits)
        max_zone = MIN(max_zone, address_bits - PAGE_SHIFT);
    struct frame *f = frames_take(owner, order, max_zone);
    if (!f)
        return NULL;
    frames_prepare(f, 1UL << order, owner || (flags & ALLOC_ZERO));
    if (owner && frames_attach(f, 1UL << order, owner, flags)) {
        frames_free_unowned(f, order);
        return NULL;
    }
    return f;
}

/* Takes a frame off its owner's list; raises the reaper after a dying owner's last. */
static void frame_unlink(struct frame *f, struct frame_owner *owner, struct frame_list *list)
{
    spin_lock(&owner->lock);
    frame_list_del(list, f);
    bool reap = owner->dying && !owner->frames.count && !owner->hv.count;
    /* Before the lock goes: the reaper may free the owner right after. */
    f->owner = 0;
    spin_unlock(&owner->lock);
    if (reap)
        cpu_raise_work(this_cpu_id(), WORK_REAP);
}

void frame_give_back(struct frame *f)
{
    struct frame_owner *owner = frame_owner_of(f);
    u64 flags = f->count;

    ASSERT(owner && !(flags & FRAME_ALLOCATED) && !(f->type & TYPE_COUNT_MASK));
    frame_unlink(f, owner, flags & FRAME_HV ? &owner->hv : &owner->frames);
    m2p_set(frame_to_mfn(f), M2P_INVALID);
    f->count = 0;
    frames_free_unowned(f, 0);
}

int frame_steal(struct frame *f, struct frame_owner *from)
{
    if (READ_ONCE(f->owner) == 0 || frame_owner_of(f) != from)
        return -EINVAL;
    /* From here on nobody can get a reference: live frames have one. */
    if (atomic_cmpxchg(&f->count, FRAME_ALLOCATED | 1, 0UL) != (FRAME_ALLOCATED | 1))
        return -EINVAL;
    if (frame_owner_of(f) != from) { /* it changed hands in between */
        store_release(&f->count, FRAME_ALLOCATED | 1);
        return -EINVAL;
    }
    ASSERT(!(f->type & TYPE_COUNT_MASK));
    frame_unlink(f, from, &from->frames);
    f->type = 0;
    frame_stamp(f);
    return 0;
}

int frame_assign(struct frame *f, struct frame_owner *to, u32 flags)
{
    ASSERT(!f->owner && !f->count);
    frame_flush_stale(f);
    return frames_attach(f, 1, to, flags);
}

void *pages_alloc(u32 order, u32 flags)
{
    struct frame *f = frames_alloc(NULL, order, 0, flags);

    return f ? mfn_to_virt(frame_to_mfn(f)) : NULL;
}

void pages_free(void *pages, u32 order)
{
    struct frame *f = mfn_to_frame(virt_to_mfn(pages));

    ASSERT(((u64)pages & ~PAGE_MASK) == 0 && !f->owner && !f->count);
    frames_free_unowned(f, order);
}

void *page_alloc(u32 flags)
{
    return pages_alloc(0, flags);
}

void page_free(void *page)
{
    pages_free(page, 0);
}

void frame_share(void *page, struct frame_owner *owner, bool writable)
{
    struct frame *f = mfn_to_frame(virt_to_mfn(page));

    ASSERT(!f->owner && !f->count);
    f->type = (writable ? TYPE_WRITABLE : TYPE_NONE) | TYPE_VALIDATED | 1;
    spin_hold(&owner->lock);
    frame_set_owner(f, owner);
    frame_list_add_tail(&owner->hv, f);
    store_release(&f->count, FRAME_HV | 1);
}

void *page_alloc_shared(struct frame_owner *owner)
{
    void *page = page_alloc(ALLOC_ZERO);

    if (page)
        frame_share(page, owner, true);
    return page;
}

void frame_unshare(void *page)
{
    struct frame *f = mfn_to_frame(virt_to_mfn(page));

    ASSERT(f->count & FRAME_HV);
    if ((f->type & TYPE_MASK) == TYPE_WRITABLE)
        frame_put_writable(f);
    else
        atomic_sub(&f->type, 1UL);
    frame_put(f);
}

u64 memory_free(void)
{
    return READ_ONCE(frames_free);
}

u64 memory_free_blocks(u32 order)
{
    u64 count = 0;

    for (u32 zone = 0; zone < ZONES; zone++)
        count += READ_ONCE(free_lists[zone][order].count);
    return count;
}

u64 memory_claimed(void)
{
    return READ_ONCE(frames_claimed);
}

u64 memory_scrub_pending(void)
{
    return READ_ONCE(frames_dirty);
}

int memory_claim(struct frame_owner *o, u64 frames)
{
    u64 want = 0;

    spin_hold(&o->lock);
    spin_hold(&frames_lock);
    if (frames) {
        want = frames - MIN(frames, (u64)o->frames.count);
        if (o->claimed || !want || frames > o->max || o->dying)
            return -EINVAL;
        if (want > frames_free - frames_claimed)
            return -ENOMEM;
    }
    frames_claimed += want - o->claimed;
    o->claimed = (u32)want;
    return 0;
}

/* A free block with dirty frames, NULL: none. LOCK_FRAMES held. */
static struct frame *block_dirty(void)
{
    for (u32 zone = ZONES; zone-- > 0;)
        for (u32 orders = free_orders[zone]; orders; orders &= orders - 1) {
            struct frame_list *l = &free_lists[zone][__builtin_ctz(orders)];
            struct frame *f = &frame_table[l->tail];

            if (block_dirty_from(f) != BLOCK_CLEAN)
                return f;
        }
    return NULL;
}

/*
 * Scrubs a few frames in place, in the allocator's lock: 32 KiB hold it for a
 * few microseconds, and nobody has to miss a block that is being cleaned.
 */
bool memory_scrub_some(void)
{
    u64 i, n, budget = 8, steps = 4096;

    if (!READ_ONCE(frames_dirty))
        return false;
    if (!spin_trylock(&frames_lock))
        return true;
    struct frame *f = block_dirty();
    if (f) {
        n = 1UL << block_order(f);
        for (i = block_dirty_from(f); i < n && budget && steps; i++, steps--) {
            if (!(f[i].count & FRAME_DIRTY))
                continue;
            memset(mfn_to_virt(frame_to_mfn(&f[i])), 0, PAGE_SIZE);
            f[i].count &= ~FRAME_DIRTY;
            atomic_sub(&frames_dirty, 1UL);
            budget--;
        }
        if (i < n) {
            f->type = i << 32 | block_order(f);
        } else {
            block_remove(f);
            block_insert(f, block_order(f), BLOCK_CLEAN);
        }
    }
    spin_unlock(&frames_lock);
    return f != NULL;
}
