/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns small objects: slabs of one page for each size class; from half a page
 * up whole pages of the allocator.
 *
 * All bookkeeping is out of the guests' and of overruns' reach, in the struct
 * frame of the page: the type word says slab or pages, the class or the order,
 * how many objects are in use and which is the first free one; the links put
 * slabs with free objects on their class's list. A free object holds the index
 * of the next free one and a mark by which a double free is found.
 *
 * Locks: LOCK_HEAP, never across the page allocator's work on a miss.
 * Callers: everyone but interrupt-time console output.
 */
#include "memory/alloc.h"

static const u16 class_sizes[] = {16,  32,  48,  64,  96,  128,  192,  256,
                                  336, 448, 576, 672, 816, 1024, 1360, 2048};
#define CLASSES ARRAY_SIZE(class_sizes)

/* The type word of a frame of the heap's. */
#define HEAP_SLAB  (0x51abUL << 48)
#define HEAP_PAGES (0xb16bUL << 48)
#define HEAP_TAG   (0xffffUL << 48)
#define NO_OBJECT  0xffffu
#define FREE_MARK  0x6672656564216f62UL

/* A slab's type word taken apart. */
struct slab {
    u32 class; /* bits 0..15; or the order for HEAP_PAGES */
    u32 used;  /* bits 16..31 */
    u32 first; /* bits 32..47: the first free object, NO_OBJECT none */
};

struct free_object {
    u64 next;
    u64 mark; /* FREE_MARK ^ own address */
};

static spinlock_t heap_lock = SPINLOCK(LOCK_HEAP);
static struct frame_list partial[CLASSES]; /* slabs with a free object */

static struct slab slab_read(const struct frame *f)
{
    return (struct slab){f->type & 0xffff, (f->type >> 16) & 0xffff, (f->type >> 32) & 0xffff};
}

static void slab_write(struct frame *f, struct slab s)
{
    f->type = HEAP_SLAB | (u64)s.first << 32 | s.used << 16 | s.class;
}

static struct free_object *slab_object(struct frame *f, u32 class, u32 index)
{
    return (void *)((char *)mfn_to_virt(frame_to_mfn(f)) + (u64)index * class_sizes[class]);
}

static void object_mark_free(struct free_object *o, u32 next)
{
    o->next = next;
    o->mark = FREE_MARK ^ (u64)o;
}

/* A fresh page as a slab: its objects linked in rising order. LOCK_HEAP not held. */
static struct frame *slab_new(u32 class)
{
    void *page = page_alloc(0);
    u32 objects = PAGE_SIZE / class_sizes[class];

    if (!page)
        return NULL;
    struct frame *f = mfn_to_frame(virt_to_mfn(page));
    for (u32 i = 0; i < objects; i++)
        object_mark_free(slab_object(f, class, i), i + 1 < objects ? i + 1 : NO_OBJECT);
    slab_write(f, (struct slab){class, 0, 0});
    return f;
}

static void *class_alloc(u32 class)
{
    struct frame *f, *fresh = NULL;

    spin_lock(&heap_lock);
    if (!partial[class].count) {
        spin_unlock(&heap_lock);
        fresh = slab_new(class);
        if (!fresh)
            return NULL;
        spin_lock(&heap_lock);
        frame_list_add(&partial[class], fresh);
    }
    f = frame_list_first(&partial[class]);
    struct slab s = slab_read(f);
    struct free_object *o = slab_object(f, class, s.first);
    /* Someone wrote to an object after freeing it, or beyond the end of one. */
    ASSERT(o->mark == (FREE_MARK ^ (u64)o));
    s.first = (u32)o->next;
    s.used++;
    slab_write(f, s);
    if (s.first == NO_OBJECT)
        frame_list_del(&partial[class], f);
    spin_unlock(&heap_lock);
    o->mark = 0;
    return o;
}

static void *whole_pages_alloc(size_t size)
{
    u32 order = page_order(size);
    void *p = pages_alloc(order, 0);

    if (p)
        mfn_to_frame(virt_to_mfn(p))->type = HEAP_PAGES | order;
    return p;
}

void *heap_alloc(size_t size)
{
    for (u32 class = 0; class < CLASSES; class ++)
        if (size <= class_sizes[class])
            return class_alloc(class);
    return whole_pages_alloc(size);
}

void *heap_zalloc(size_t size)
{
    void *p = heap_alloc(size);

    return p ? memset(p, 0, size) : NULL;
}

/* True when the object is on its slab's free list. LOCK_HEAP held. */
static bool object_is_free(struct frame *f, struct slab s, const struct free_object *o)
{
    for (u32 i = s.first; i != NO_OBJECT; i = (u32)slab_object(f, s.class, i)->next)
        if (slab_object(f, s.class, i) == o)
            return true;
    return false;
}

static void class_free(struct frame *f, void *p)
{
    struct free_object *o = p;

    spin_lock(&heap_lock);
    struct slab s = slab_read(f);
    ASSERT(s.class < CLASSES && s.used);
    u32 offset = (u32)((u64)p & ~PAGE_MASK);
    ASSERT(offset % class_sizes[s.class] == 0);
    /* The mark may also be a guest's bytes: only the list is proof. */
    ASSERT(o->mark != (FREE_MARK ^ (u64)o) || !object_is_free(f, s, o));

    if (s.first == NO_OBJECT)
        frame_list_add(&partial[s.class], f);
    object_mark_free(o, s.first);
    s.first = offset / class_sizes[s.class];
    s.used--;
    slab_write(f, s);
    /* An empty slab goes at once: free memory then tells leaks to the page. */
    if (s.used) {
        spin_unlock(&heap_lock);
        return;
    }
    frame_list_del(&partial[s.class], f);
    f->type = 0;
    spin_unlock(&heap_lock);
    page_free(mfn_to_virt(frame_to_mfn(f)));
}

void heap_free(void *p)
{
    if (!p)
        return;
    struct frame *f = mfn_to_frame(virt_to_mfn(p));
    ASSERT(mfn_is_ram(virt_to_mfn(p)) && !f->owner);
    if ((f->type & HEAP_TAG) == HEAP_PAGES) {
        ASSERT(((u64)p & ~PAGE_MASK) == 0);
        pages_free(p, f->type & 0xff);
        return;
    }
    ASSERT((f->type & HEAP_TAG) == HEAP_SLAB);
    class_free(f, p);
}
