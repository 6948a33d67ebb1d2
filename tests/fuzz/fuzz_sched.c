// sources: core/sched.c core/sched_cpus.c core/sched_credit2.c core/pool.c core/timer.c
// sources: lib/tree.c lib/bitmap.c
// libs: -lcmocka -Wl,--wrap=tree_insert,--wrap=tree_remove,--wrap=tree_next,--wrap=tree_last
// options: -max_len=256
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine of two to four CPUs, up to eight domains, and anything that may happen to them: sleep
 * and wake, weights, caps, affinities, pools. After each step every vCPU is in the state it must be
 * in and runs where it may (settle() checks), and no two CPUs run the same; time is neither lost
 * nor made; no cap is exceeded; in the end, with all restrictions lifted, everybody gets a turn.
 */
#include "unit_play.h"
#include "../unit/test_sched_pools.c"

static u32 ids[3], pools;

static void people(void)
{
    u32 count = 1 + fuzz_byte() % 8;

    for (u32 i = 0; i < count; i++) {
        u32 how = fuzz_byte();
        struct domain *d = new_domain(1 + (how >> 6) % 2, 64U << (how & 3),
                                      how & 4 ? 20 + (how >> 3 & 1) * 40 : 0);

        for (u32 n = 0; n < d->max_vcpus; n++)
            live(d, n, how & 0x20 ? (1 + (how & 7)) * 300 * NS_US : NS_NEVER,
                 how & 0x20 ? (how & 0x18) * 100 * NS_US + 1 : 0);
    }
}

static void up_or_down(struct vcpu *v)
{
    if (v->pause_flags & PAUSE_IO) {
        v->pause_flags &= ~(u32)PAUSE_IO;
        if (vcpu_runnable(v))
            sched_wake(v);
    } else {
        v->pause_flags |= PAUSE_IO;
        sched_sleep_nosync(v);
    }
}

static void any_change(u32 what)
{
    struct life *l = &lives[fuzz_byte() % life_count];
    cpumask_t m = {{fuzz_byte() & 15, 0}};
    u32 id = ids[m.bits[0] % pools];

    as_the_tools();
    switch (what % 8) {
    case 0:
        if (pools < ARRAY_SIZE(ids))
            assert_int_equal(pool_create(POOL_ANY, &ids[pools++]), 0);
        break;
    case 1:
        (void)remove_cpu(id, what & 8 ? POOL_ANY : (u32)m.bits[0] % cpu_count);
        break;
    case 2:
        (void)pool_add_cpu(id, POOL_ANY);
        break;
    case 3:
        (void)move_domain(l->v->domain, id);
        break;
    case 4:
        (void)sched_set_affinity(l->v, what & 8 ? &m : NULL, what & 16 ? &m : NULL);
        break;
    case 5:
    case 6:
        up_or_down(l->v);
        break;
    case 7:
        /* More than all its vCPUs could use is refused. */
        (void)sched_set_params(l->v->domain, 1 + what * 20, what & 8 ? (u32)m.bits[0] * 10 : 0);
        break;
    }
    settle();
}

static ns_t all_ran(void)
{
    ns_t sum = 0;

    for (u32 i = 0; i < life_count; i++)
        sum += lives[i].ran;
    return sum;
}

/* For so long nothing is changed: the sums. */
static void quiet_time(ns_t length)
{
    ns_t before[VCPUS], all = all_ran();

    for (u32 i = 0; i < life_count; i++)
        before[i] = lives[i].ran;
    run(length);
    assert_true(all_ran() - all <= length * (ns_t)cpu_count);
    for (u32 i = 0; i < life_count; i++) {
        ns_t ran = lives[i].ran - before[i];

        assert_in_range(ran, 0, length);
        for (u32 cpu = 0; cpu < cpu_count; cpu++)
            for (u32 other = 0; other < cpu; other++)
                assert_true(cpus[cpu].runs != cpus[other].runs);
    }
    for (u32 n = 0; n < domain_count; n++) {
        ns_t ran = 0, cap = domains[n]->sched_cap;

        for (u32 i = 0; i < life_count; i++)
            if (lives[i].v->domain == domains[n])
                ran += lives[i].ran - before[i];
        /* Four periods may be carried over, one begins; what each overdraws until its timer comes.
         */
        assert_true(!cap || ran <= length * cap / 100 + 5 * CAP_PERIOD * cap / 100 + 2 * NS_MS);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const cpumask_t all = {{~0UL, ~0UL}};

    fuzz_at = data;
    fuzz_end = data + size;
    pools = 1;
    start(2 + fuzz_byte() % 3); /* the tools need one that is not theirs to move */
    people();
    run(NS_MS);
    while (fuzz_at < fuzz_end) {
        u32 what = fuzz_byte();

        if (what >= 0xc0)
            quiet_time((what & 0x3f) * NS_MS / 2);
        else
            any_change(what);
    }
    as_the_tools(); /* which are in nobody's way then */
    for (u32 i = 0; i < life_count; i++)
        if (!(lives[i].v->pause_flags & PAUSE_IO))
            up_or_down(lives[i].v);
    settle();
    unite();
    for (u32 i = 0; i < life_count; i++) {
        assert_int_equal(sched_set_params(lives[i].v->domain, 256, 0), 0);
        assert_int_equal(sched_set_affinity(lives[i].v, &all, NULL), 0);
        up_or_down(lives[i].v);
    }
    settle();
    run(500 *
        NS_MS); /* what each is ahead or behind comes from other weights, and takes its time */
    forget();
    quiet_time(300 * NS_MS);
    for (u32 i = 0; i < life_count; i++)
        assert_true(lives[i].ran > 0 && lives[i].worst < 250 * NS_MS);
    finish();
    return 0;
}
