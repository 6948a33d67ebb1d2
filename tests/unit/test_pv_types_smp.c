// sources: pv/types.c pv/types_entry.c pv/mm.c pv/mmu_update.c pv/mmu_ops.c pv/mm_fault.c
// sources: pv/grant_map.c pv/descriptors.c memory/frame.c memory/alloc.c
// sources: core/physmap.c memory/p2m.c lib/bitmap.c lib/rangeset.c
// libs: -lpthread
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PV page types on several processors at once: threads of random operations on
 * the same few tables, interrupted and abandoned. Nothing may hang, no
 * assertion fail, and afterwards all counts are what the tables say.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <assert.h>
#include <cmocka.h>
#include <pthread.h>

/* What the one-processor world would do in its place. */
#define spin_lock              world_spin_lock
#define spin_unlock            world_spin_unlock
#define cpu_wait               world_cpu_wait
#define hypercall_should_yield world_should_yield
#include "pv_types_play.h"
#include "lib/atomic.h"
#undef sched_yield
#undef spin_lock
#undef spin_unlock
#undef cpu_wait
#undef hypercall_should_yield

#define THREADS    4
#define OPERATIONS 20000

static pthread_mutex_t machine_lock = PTHREAD_MUTEX_INITIALIZER;
static __thread u32 seed;

void spin_lock(spinlock_t *lock);
void spin_unlock(spinlock_t *lock);
void cpu_wait(void);
bool hypercall_should_yield(void);

/* One for all: they nest, but only in the allocator, which takes two. */
static __thread u32 held;
void spin_lock(spinlock_t *lock)
{
    (void)lock;
    if (!held++)
        pthread_mutex_lock(&machine_lock);
}
void spin_unlock(spinlock_t *lock)
{
    (void)lock;
    if (!--held)
        pthread_mutex_unlock(&machine_lock);
}
void cpu_wait(void)
{
    sched_yield();
}

static u32 roll(u32 limit)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % limit;
}
bool hypercall_should_yield(void)
{
    if (roll(16) == 0)
        sched_yield();
    return seed && roll(4) == 0;
}

static u64 frame_of_a(void)
{
    return FAKE_FRAMES - 1 - roll(A_FRAMES);
}
static u64 roll_entry(void)
{
    static const u64 flags[] = {0x67, 0x65, 0x67, 0x65, 0x67, 0x65, 0, 0x107};
    return frame_of_a() << 12 | flags[roll(ARRAY_SIZE(flags))];
}

static void smp_update(void)
{
    u64 where = frame_of_a() << 12 | roll(6) * 8, value = roll_entry();
    enum entry_mode mode = roll(2) ? ENTRY_SET : ENTRY_PRESERVE_AD;

    while (pv_update_entry(&dom_a->d, &dom_a->d, where, value, mode) == -ERESTART_HYPERCALL &&
           roll(4))
        ;
}

static void smp_store(void)
{
    u64 number = frame_of_a();
    struct frame *f = &host_frame_table[number];

    if (!frame_get(f, &dom_a->d.frames))
        return;
    if (frame_get_writable(f)) {
        atomic_store(&content_of(number)[roll(6)], roll_entry());
        frame_put_writable(f);
    }
    frame_put(f);
}

static void smp_balloon(void)
{
    struct frame *f = &host_frame_table[frame_of_a()];

    if (roll(2)) {
        (void)frames_alloc(&dom_a->d.frames, 0, 0, 0);
    } else if (frame_get(f, &dom_a->d.frames)) {
        (void)frame_release(f);
        frame_put(f);
    }
}

static void *processor(void *arg)
{
    mfn_t base = MFN_NONE;

    seed = (u32)(u64)arg;
    for (u32 i = 0; i < OPERATIONS; i++) {
        mfn_t m = mfn(frame_of_a());
        u32 level = 1 + roll(4);

        switch (roll(10)) {
        case 0:
        case 1:
            while (pv_pin_table(&dom_a->d, m, level) == -ERESTART_HYPERCALL && roll(4))
                ;
            break;
        case 2:
        case 3:
            (void)pv_unpin_table(&dom_a->d, m);
            break;
        case 4:
            pv_base_put(base);
            base = m;
            if (pv_base_get(&dom_a->d, m))
                base = MFN_NONE;
            break;
        case 5:
            if (i % 8 == 0)
                smp_balloon();
            break;
        case 6:
        case 7:
            smp_store();
            break;
        default:
            smp_update();
        }
    }
    pv_base_put(base);
    return NULL;
}

static void test_processors(void **state)
{
    (void)state;
    for (u32 round = 0; round < 3; round++) {
        pthread_t threads[THREADS];

        begin_world(true);
        current = NULL; /* nobody remembers unfinished tables: whoever wants them finishes them */
        for (u64 i = 0; i < THREADS; i++)
            assert_int_equal(
                pthread_create(&threads[i], NULL, processor, (void *)(round * 16 + i + 1)), 0);
        for (u32 i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        check_machine();
        end_world();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_processors)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
