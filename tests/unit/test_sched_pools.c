// sources: core/sched.c core/sched_cpus.c core/sched_credit2.c core/pool.c core/timer.c
// sources: lib/tree.c lib/bitmap.c
// libs: -Wl,--wrap=tree_insert,--wrap=tree_remove,--wrap=tree_next,--wrap=tree_last
/* SPDX-License-Identifier: GPL-2.0-only */
/* CPU pools: CPUs and domains that change pools while all run, sleep and wake. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched_world.h"

#include "core/continuation.h"

struct domain *domain_get_next(domid_t from)
{
    for (u32 i = from; i < domain_count; i++)
        if (domains[i] && !domains[i]->is_idle)
            return domains[i];
    return NULL;
}
void domain_pause(struct domain *d)
{
    d->pause_count++;
    for_each_vcpu (d, v)
        sched_sleep_sync(v);
}
void domain_unpause(struct domain *d)
{
    if (!--d->pause_count)
        for_each_vcpu (d, v)
            if (vcpu_runnable(v))
                sched_wake(v);
}

static u64 cpus_in(u32 id)
{
    return pool_find(id)->cpus.bits[0];
}

static u64 free_cpus(void)
{
    return pool_free_cpus().bits[0];
}

/* As a hypercall that is made again and again; the caller is on some CPU. */
static int remove_cpu(u32 id, u32 cpu)
{
    int error;

    for (u32 i = 0; i < 10; i++) {
        current = idle_domain->vcpus[0];
        host_cpu_local.cpu = 0;
        current = cpus[0].runs;
        error = pool_remove_cpu(id, cpu);
        settle();
        if (error != -ERESTART_HYPERCALL)
            return error;
    }
    fail_msg("CPU %u does not come out of pool %u", cpu, id);
    return error;
}

static void as_the_tools(void)
{
    host_cpu_local.cpu = 0;
    current = cpus[0].runs;
}

static int move_domain(struct domain *d, u32 id)
{
    int error;

    as_the_tools();
    if (current->domain ==
        d) { /* the tools are never in what they move: let another CPU be theirs */
        host_cpu_local.cpu = 1;
        current = cpus[1].runs;
    }
    error = current->domain == d ? 1 : pool_move_domain(d, pool_find(id));
    settle();
    return error;
}

/* Everything into pool 0, the others away. */
static void unite(void)
{
    for (u32 i = 0; i < life_count; i++)
        while (move_domain(lives[i].v->domain, 0))
            run(NS_MS); /* the tools were in its way */
    for (struct cpu_pool *pool; (pool = pool_next(1)) != NULL;) {
        while (!cpumask_empty(&pool->cpus))
            assert_int_equal(remove_cpu(pool->id, POOL_ANY), 0);
        assert_int_equal(pool_destroy(pool), 0);
    }
    as_the_tools();
    while (free_cpus())
        assert_int_equal(pool_add_cpu(0, POOL_ANY), 0);
    settle();
}

static void pools_come_and_go(void **state)
{
    u32 id;

    (void)state;
    start(4);
    as_the_tools();
    assert_ptr_equal(pool_find(0), &pool_zero);
    assert_int_equal(cpus_in(0), 0xf);
    assert_int_equal(free_cpus(), 0);
    assert_int_equal(pool_create(0, &id), -EEXIST);
    assert_int_equal(pool_create(POOL_ANY, &id), 0);
    assert_int_equal(id, 1);
    assert_int_equal(pool_create(7, &id), 0);
    assert_int_equal(pool_create(POOL_ANY, &id), 0);
    assert_int_equal(id, 2);
    assert_int_equal(pool_create(7, &id), -EEXIST);
    assert_int_equal(pool_next(3)->id, 7);
    assert_null(pool_next(8));
    assert_null(pool_find(3));
    assert_int_equal(pool_destroy(pool_find(2)), 0);
    assert_null(pool_find(2));
    assert_int_equal(pool_create(POOL_ANY, &id), 0);
    assert_int_equal(id, 2);

    assert_int_equal(pool_add_cpu(1, 2), -ENODEV);
    assert_int_equal(pool_add_cpu(1, 99), -ENODEV);
    assert_int_equal(pool_add_cpu(1, 999), -EINVAL);
    assert_int_equal(pool_add_cpu(1, POOL_ANY), -EINVAL);
    assert_int_equal(remove_cpu(0, 99), -EINVAL);
    assert_int_equal(remove_cpu(3, 1), -ENOENT);
    assert_int_equal(remove_cpu(1, 1), -EADDRNOTAVAIL);
    assert_int_equal(remove_cpu(1, POOL_ANY), -EINVAL);
    assert_int_equal(remove_cpu(0, 0), -EINVAL);
    assert_int_equal(remove_cpu(0, POOL_ANY), 0);
    assert_int_equal(free_cpus(), 0x8);
    assert_int_equal(remove_cpu(0, 1), 0);
    assert_int_equal(free_cpus(), 0xa);
    assert_int_equal(pool_add_cpu(3, 1), -ENOENT);
    assert_int_equal(pool_add_cpu(7, 3), 0);
    assert_int_equal(pool_add_cpu(7, POOL_ANY), 0);
    assert_int_equal(cpus_in(7), 0xa);
    assert_int_equal(cpus_in(0), 0x5);
    assert_int_equal(pool_destroy(pool_find(7)), -EBUSY);
    assert_int_equal(pool_destroy(pool_find(0)), -EBUSY);
    assert_int_equal(remove_cpu(7, POOL_ANY), 0);
    assert_int_equal(remove_cpu(7, POOL_ANY), 0);
    assert_int_equal(pool_destroy(pool_find(7)), 0);
    assert_int_equal(pool_destroy(pool_find(1)), 0);
    assert_int_equal(pool_destroy(pool_find(2)), 0);
    assert_int_equal(pool_add_cpu(0, 1), 0);
    assert_int_equal(pool_add_cpu(0, 3), 0);
    finish();
}

/* Two pools: what goes on in one is nothing to the other; then everything moves. */
static void domains_move(void **state)
{
    u32 id;

    (void)state;
    start(4);
    for (u32 i = 0; i < 6; i++)
        hog(256);
    run(NS_SECOND);
    as_the_tools();
    assert_int_equal(pool_create(POOL_ANY, &id), 0);
    assert_int_equal(move_domain(lives[0].v->domain, id), -ENOENT);
    assert_int_equal(remove_cpu(0, 3), 0);
    assert_int_equal(remove_cpu(0, 2), 0);
    run(NS_SECOND); /* six on two CPUs, and two CPUs that do nothing */
    run(2 * NS_SECOND);
    forget();
    run(6 * NS_SECOND);
    for (u32 i = 0; i < 6; i++)
        assert_share(&lives[i], 1.0 / 3, 6 * NS_SECOND, 0.02);
    assert_int_equal(cpus[2].runs->domain->is_idle + cpus[3].runs->domain->is_idle, 2);

    assert_int_equal(pool_add_cpu(id, 3), 0);
    assert_int_equal(move_domain(lives[0].v->domain, id), 0);
    assert_int_equal(move_domain(lives[0].v->domain, id), 0);
    assert_int_equal(move_domain(lives[1].v->domain, id), 0);
    assert_int_equal(pool_domain_count(pool_find(id)), 2);
    assert_int_equal(pool_domain_count(pool_find(0)), 4);
    assert_int_equal(lives[0].v->cpu, 3);
    run(2 * NS_SECOND);
    forget();
    run(6 * NS_SECOND);
    for (u32 i = 0; i < 6; i++)
        assert_share(&lives[i], 1.0 / 2, 6 * NS_SECOND, 0.02);

    /* The last CPU stays while somebody needs it. Who dies does so elsewhere. */
    assert_int_equal(remove_cpu(id, 3), -EBUSY);
    assert_int_equal(pool_destroy(pool_find(id)), -EBUSY);
    assert_int_equal(pool_add_cpu(id, 2), 0);
    run(NS_SECOND);
    run(2 * NS_SECOND);
    forget();
    run(6 * NS_SECOND);
    assert_share(&lives[0], 1, 6 * NS_SECOND, 0.001);
    assert_share(&lives[1], 1, 6 * NS_SECOND, 0.001);
    assert_int_equal(remove_cpu(id, 3), 0);
    assert_int_equal(move_domain(lives[1].v->domain, 0), 0);
    lives[0].v->domain->dying = DYING_NOW;
    assert_int_equal(remove_cpu(id, 2), 0);
    assert_ptr_equal(lives[0].v->domain->sched.pool, &pool_zero);
    assert_int_equal(pool_destroy(pool_find(id)), 0);
    run(2 * NS_SECOND);
    forget();
    run(6 * NS_SECOND);
    for (u32 i = 0; i < 6; i++)
        assert_share(&lives[i], 1.0 / 3, 6 * NS_SECOND, 0.02);
    finish();
}

static void affinity_in_pools(void **state)
{
    cpumask_t two = cpumask_of(2), three = cpumask_of(3), both = {{0xc, 0}}, one = cpumask_of(1);
    struct life *l;
    u32 id;

    (void)state;
    start(4);
    l = hog(256);
    hog(256);
    assert_int_equal(sched_set_affinity(l->v, &one, &one), 0);
    run(NS_MS);
    as_the_tools();
    assert_int_equal(pool_create(POOL_ANY, &id), 0);
    assert_int_equal(remove_cpu(0, 3), 0);
    assert_int_equal(pool_add_cpu(id, 3), 0);
    /* What was chosen for another pool is forgotten. */
    assert_int_equal(move_domain(l->v->domain, id), 0);
    assert_int_equal(l->v->hard_affinity.bits[0] & l->v->soft_affinity.bits[1], ~0UL);
    assert_int_equal(sched_set_affinity(l->v, &two, NULL), -EINVAL);
    assert_int_equal(sched_set_affinity(l->v, &both, NULL), 0);
    run(NS_MS);
    assert_int_equal(l->v->cpu, 3);
    /* Later CPUs of an affinity that came before them. */
    assert_int_equal(remove_cpu(0, 2), 0);
    assert_int_equal(pool_add_cpu(id, 2), 0);
    assert_int_equal(sched_set_affinity(l->v, &two, NULL), 0);
    settle();
    assert_int_equal(l->v->cpu, 2);
    assert_int_equal(sched_set_affinity(l->v, &three, NULL), 0);
    settle();
    assert_int_equal(l->v->cpu, 3);
    /* Its CPU goes: it may run on all others. */
    assert_int_equal(remove_cpu(id, 3), 0);
    assert_int_equal(l->v->hard_affinity.bits[0], ~0UL);
    assert_true(on_cpu(l->v) && l->v->cpu == 2);
    /* In a sleeper's case, too. */
    assert_int_equal(pool_add_cpu(id, 3), 0);
    assert_int_equal(sched_set_affinity(l->v, &three, NULL), 0);
    settle();
    l->nap = NS_SECOND;
    sleep_now(l);
    settle();
    assert_int_equal(remove_cpu(id, 3), 0);
    assert_int_equal(l->v->cpu, 2);
    run(2 * NS_SECOND);
    assert_true(on_cpu(l->v) && l->v->cpu == 2);
    unite();
    finish();
}

/* Everything at once, for long: nobody is lost, nobody runs where it may not. */
static void random_pools(u32 seed)
{
    u32 ids[4] = {0}, pools = 1;

    srand(seed);
    start(4 + (u32)rand() % 20);
    for (u32 i = 0; i < cpu_count * 3; i++) {
        struct domain *d = new_domain(1 + (u32)rand() % 3, 128U << rand() % 3, rand() % 5 ? 0 : 40);

        for (u32 n = 0; n < d->max_vcpus; n++) {
            ns_t nap = (rand() % 3) * NS_MS * 4;

            live(d, n, nap ? (rand() % 20 + 1) * NS_MS : NS_NEVER, nap)->random = nap != 0;
        }
    }
    run(100 * NS_MS);
    for (u32 i = 0; i < 150; i++) {
        struct life *l = &lives[(u32)rand() % life_count];
        cpumask_t m = cpumask_of((u32)rand() % cpu_count);
        u32 id = ids[(u32)rand() % pools];

        as_the_tools();
        cpumask_set(&m, (u32)rand() % cpu_count);
        switch (rand() % 8) {
        case 0:
            if (pools < 4)
                assert_int_equal(pool_create(POOL_ANY, &ids[pools++]), 0);
            break;
        case 1:
            (void)remove_cpu(id, rand() % 2 ? POOL_ANY : (u32)rand() % cpu_count);
            break;
        case 2:
        case 3:
            (void)pool_add_cpu(id, POOL_ANY);
            break;
        case 4:
            (void)move_domain(l->v->domain, id);
            break;
        case 5:
            (void)sched_set_affinity(l->v, rand() % 2 ? &m : NULL, &m);
            break;
        case 6: /* up and down */
            if (l->v->pause_flags & PAUSE_IO) {
                l->v->pause_flags &= ~(u32)PAUSE_IO;
                if (vcpu_runnable(l->v))
                    sched_wake(l->v);
            } else {
                l->v->pause_flags |= PAUSE_IO;
                sched_sleep_nosync(l->v);
            }
            break;
        case 7:
            assert_int_equal(sched_set_params(l->v->domain, 1 + (u32)rand() % 999,
                                              (u32)(rand() % 2 * (rand() % 100))),
                             0);
            break;
        }
        settle();
        run((rand() % 40) * NS_MS);
        for (u32 cpu = 0; cpu < cpu_count; cpu++)
            if (free_cpus() & (1UL << cpu))
                assert_true(cpus[cpu].runs->domain->is_idle);
    }
    /* All in one again: nobody is forgotten. */
    unite();
    assert_int_equal(cpus_in(0), cpus_online.bits[0]);
    for (u32 i = 0; i < life_count; i++) {
        cpumask_t all = {{~0UL, ~0UL}};

        assert_int_equal(sched_set_params(lives[i].v->domain, 256, 0), 0);
        assert_int_equal(sched_set_affinity(lives[i].v, &all, NULL), 0);
    }
    run(3 * NS_SECOND);
    forget();
    run(2 * NS_SECOND);
    for (u32 i = 0; i < life_count; i++)
        if (!gone(&lives[i]) && lives[i].worst > NS_SECOND)
            fail_msg("seed %u: vCPU %u of %u waited %ld ms", seed, i, life_count,
                     (long)(lives[i].worst / NS_MS));
    finish();
}

static void random_changes(void **state)
{
    (void)state;
    for (u32 seed = 1; seed <= how_many(15); seed++)
        random_pools(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_come_and_go),
        cmocka_unit_test(domains_move),
        cmocka_unit_test(affinity_in_pools),
        cmocka_unit_test(random_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
