// sources: core/init.c core/domain.c core/domain_end.c core/domain_watchdog.c
// sources: core/vcpu.c core/physmap.c core/reject.c memory/p2m.c
// sources: core/sched.c core/sched_cpus.c core/sched_credit2.c core/timer.c
// sources: core/ioreq.c core/event.c core/event_2l.c core/event_fifo.c core/pirq.c
// sources: memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c lib/tree.c lib/rangeset.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* The life of domains and vCPUs: making, pausing, blocking, ending; and all memory comes back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core_world.h"

static struct domain *dom0;

static u64 free_at_start;

static int setup(void **state)
{
    (void)state;
    world_init();
    if (!dom0)
        dom0 = world_domain(true, 1);
    return 0;
}

/* Numbers go up and up; what finds domains by them shall not grow with them. */
static void numbers_cost_nothing(void **state)
{
    u64 before;

    (void)state;
    world_destroy(world_domain(false, 1));
    before = memory_free();
    for (u32 i = 0; i < 700; i++)
        world_destroy(world_domain(false, 1));
    assert_int_equal(memory_free(), before);
}

static void all_comes_back(void **state)
{
    u64 before = memory_free();

    (void)state;
    for (u32 round = 0; round < 40; round++) {
        struct domain *d = world_domain(false, 1 + round % 5);
        world_yield = round & 1;
        world_relinquish_left = round % 3;
        for (u32 i = 0; i < round * 3; i++)
            assert_non_null(frames_alloc(&d->frames, 0, 0, 0));
        assert_int_equal(rangeset_add(&d->irqs, round, round + 5), 0);
        d->e820 = heap_alloc(100);
        world_as(d->vcpus[0]);
        for (u32 i = 0; i < round * 10; i++) {
            struct evtchn_alloc_unbound op = {DOMID_SELF, 0, 0};
            assert_int_equal(event_alloc_unbound(d, &op), 0);
        }
        domain_unpause_by_control(d);
        for (u32 i = 0; i < d->max_vcpus; i++)
            vcpu_up(d->vcpus[i]);
        world_as(idle_domain->vcpus[0]);
        world_run(5 * NS_MS);
        world_as(idle_domain->vcpus[0]);
        domid_t id = d->id;
        world_destroy(d);
        assert_null(domain_get(id));
    }
    world_yield = false;
    assert_int_equal(world_kind_domains, 1);
    assert_int_equal(world_kind_vcpus, 1);
    /* Slab pages of the heap may stay, a few at most, and not more with each round. */
    assert_true(before - memory_free() < 12);
    free_at_start = memory_free();
    for (u32 round = 0; round < 20; round++)
        world_destroy(world_domain(false, 3));
    assert_int_equal(memory_free(), free_at_start);
}

/* Another domain still maps a frame of the dead one. */
static void zombie(void **state)
{
    struct domain *d = world_domain(false, 1), *again;
    struct frame *f = frames_alloc(&d->frames, 0, 0, 0);
    u64 before = memory_free();
    domid_t id = d->id;

    (void)state;
    assert_true(frame_get(f, &d->frames));
    world_destroy(d);
    again = domain_get(id);
    assert_ptr_equal(again, d);
    assert_int_equal(d->dying, DYING_DEAD);
    assert_int_equal(domain_destroy(d), 0);
    domain_put(again);
    assert_null(frames_alloc(&d->frames, 0, 0, 0));
    frame_put(f);
    world_work();
    assert_null(domain_get(id));
    assert_true(memory_free() > before);
}

static void ids(void **state)
{
    struct xen_domctl_createdomain config = {.max_vcpus = 1, .max_evtchn_port = 100};
    struct domain *a = world_domain(false, 1), *b = world_domain(false, 1), *c, *found;
    domid_t first = a->id;

    (void)state;
    assert_int_equal(b->id, first + 1);
    assert_int_equal(domain_create(first, &config, false, &c), -EEXIST);
    assert_int_equal(domain_create(777, &config, false, &c), 0);
    assert_int_equal(c->id, 777);
    found = domain_get_next((domid_t)(b->id + 1));
    assert_ptr_equal(found, c);
    domain_put(found);
    found = domain_get_next(0);
    assert_ptr_equal(found, dom0);
    domain_put(found);
    assert_null(domain_get_next(778));
    world_destroy(a);
    /* An id is not used again at once. */
    a = world_domain(false, 1);
    assert_int_equal(a->id, first + 2);
    world_destroy(a);
    world_destroy(b);
    world_destroy(c);
    config.flags = XEN_DOMCTL_CDF_hvm;
    free_at_start = memory_free();
    assert_int_equal(domain_create(0xffff, &config, false, &c), -EINVAL);
    assert_int_equal(memory_free(), free_at_start);
    config.flags = 0;
    config.max_vcpus = MAX_VCPUS + 1;
    assert_int_equal(domain_create(0xffff, &config, false, &c), -EINVAL);
    config.max_vcpus = 1;
    free_at_start = memory_free();
    world_kind_fails = true;
    assert_int_equal(domain_create(0xffff, &config, false, &c), -ENOMEM);
    world_kind_fails = false;
    assert_int_equal(memory_free(), free_at_start);
    a = world_domain(false, 2);
    assert_int_equal(vcpu_create(a, 2), -EINVAL);
    assert_int_equal(vcpu_create(a, 1), -EEXIST);
    world_destroy(a);
}

static void pausing(void **state)
{
    struct domain *d = world_domain(false, 2);
    struct vcpu *v = d->vcpus[0];

    (void)state;
    vcpu_up(v);
    world_run(NS_MS);
    assert_false(v->is_running);
    assert_int_equal(domain_unpause_by_control(d), 0);
    assert_int_equal(domain_unpause_by_control(d), -EINVAL);
    world_run(NS_MS);
    assert_ptr_equal(current, v);
    world_as(idle_domain->vcpus[0]); /* as if on another CPU */
    domain_pause_nosync(d);
    domain_pause_nosync(d);
    world_as(v);
    world_work();
    assert_false(v->is_running);
    domain_unpause(d);
    world_work();
    assert_false(v->is_running);
    domain_unpause(d);
    world_work();
    assert_ptr_equal(current, v);
    /* Blocks until an event. */
    v->info->evtchn_upcall_mask = 1;
    vcpu_block();
    assert_int_equal(v->info->evtchn_upcall_mask, 0);
    world_run(NS_MS);
    assert_false(v->is_running);
    assert_int_equal(v->runstate.state, RUNSTATE_blocked);
    vcpu_mark_events_pending(v);
    world_work();
    assert_ptr_equal(current, v);
    /* One is pending: does not block. */
    vcpu_block();
    world_work();
    assert_ptr_equal(current, v);
    v->info->evtchn_upcall_pending = 0;
    /* Its timer ends the block. */
    struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER, .vcpu = 0};
    assert_int_equal(event_bind_virq(&bind), 0);
    assert_int_equal(vcpu_set_singleshot(v, 5, true), -ETIME);
    assert_int_equal(vcpu_set_singleshot(v, world_now + 3 * NS_MS, true), 0);
    vcpu_block();
    world_run(2 * NS_MS);
    assert_false(v->is_running);
    world_run(2 * NS_MS);
    assert_ptr_equal(current, v);
    assert_true(event_port_pending(d, bind.port));
    /* All vCPUs down: the domain is over. */
    vcpu_down(v);
    world_work();
    assert_int_equal(d->shutdown, SHUTDOWN_DONE);
    assert_int_equal(d->shutdown_code, SHUTDOWN_poweroff);
    world_destroy(d);
}

static void shutting_down(void **state)
{
    struct domain *d = world_domain(false, 2);
    struct evtchn_bind_virq exc = {.virq = VIRQ_DOM_EXC, .vcpu = 0};
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = 0};

    (void)state;
    world_as(dom0->vcpus[0]);
    assert_int_equal(event_bind_virq(&exc), 0);
    world_as(idle_domain->vcpus[0]);
    domain_unpause_by_control(d);
    vcpu_up(d->vcpus[0]);
    world_work();
    assert_ptr_equal(current, d->vcpus[0]);
    assert_int_equal(event_alloc_unbound(d, &op), 0);
    world_as(dom0->vcpus[0]);
    struct evtchn_bind_interdomain bind = {.remote_dom = d->id, .remote_port = op.port};
    assert_int_equal(event_bind_interdomain(&bind), 0);
    atomic_bit_clear(dom0->shared_info->evtchn_pending, bind.local_port);
    d->suspend_port = op.port;
    world_as(d->vcpus[0]);
    domain_shutdown(d, SHUTDOWN_suspend);
    /* Still on its CPU: not done, nobody told. */
    assert_int_equal(d->shutdown, SHUTDOWN_PENDING);
    assert_false(event_port_pending(dom0, bind.local_port));
    world_work();
    assert_int_equal(d->shutdown, SHUTDOWN_DONE);
    assert_true(event_port_pending(dom0, bind.local_port));
    assert_false(event_port_pending(dom0, exc.port));
    domain_resume(d);
    world_work();
    assert_ptr_equal(current, d->vcpus[0]);
    assert_int_equal(d->shutdown_code, ~0U);
    domain_crash(d, "test");
    world_work();
    assert_int_equal(d->shutdown_code, SHUTDOWN_crash);
    assert_true(event_port_pending(dom0, exc.port));
    atomic_bit_clear(dom0->shared_info->evtchn_pending, exc.port);
    world_destroy(d);
    assert_true(event_port_pending(dom0, exc.port));
    world_as(dom0->vcpus[0]);
    assert_int_equal(event_close(dom0, exc.port, true), 0);
    assert_int_equal(event_close(dom0, bind.local_port, true), 0);
    assert_int_equal(domain_destroy(dom0), -EINVAL);
    if (!setjmp(world_end))
        domain_shutdown(dom0, SHUTDOWN_poweroff);
    assert_int_equal(world_machine_ended, 2);
    if (!setjmp(world_end))
        domain_shutdown(dom0, SHUTDOWN_reboot);
    assert_int_equal(world_machine_ended, 1);
}

static void watchdogs(void **state)
{
    struct domain *d = world_domain(false, 1);

    (void)state;
    world_as(idle_domain->vcpus[0]);
    domain_unpause_by_control(d);
    assert_int_equal(domain_watchdog(d, 0, 0), -EINVAL);
    assert_int_equal(domain_watchdog(d, 1, 5), -EINVAL);
    assert_int_equal(domain_watchdog(d, 0, 2), 1);
    assert_int_equal(domain_watchdog(d, 0, UINT32_MAX), 2);
    assert_int_equal(domain_watchdog(d, 0, 5), -ENOSPC);
    assert_int_equal(domain_watchdog(d, 3, 5), -EINVAL);
    for (u32 i = 0; i < 5; i++) {
        world_run(NS_SECOND);
        assert_int_equal(domain_watchdog(d, 1, 2), 0);
    }
    assert_int_equal(domain_watchdog(d, 1, 0), 0);
    assert_int_equal(domain_watchdog(d, 1, 0), -EINVAL);
    world_run(5 * NS_SECOND);
    assert_int_equal(d->shutdown, SHUTDOWN_NOT);
    assert_int_equal(domain_watchdog(d, 0, 2), 1);
    world_run(3 * NS_SECOND);
    assert_int_equal(d->shutdown, SHUTDOWN_DONE);
    assert_int_equal(d->shutdown_code, SHUTDOWN_watchdog);
    /* The tools let it go on; the other one then ends with it. */
    domain_resume(d);
    assert_int_equal(d->shutdown, SHUTDOWN_NOT);
    assert_int_equal(domain_watchdog(d, 2, 1), 0);
    world_destroy(d);
    world_run(2 * NS_SECOND);
}

static void registered_areas(void **state)
{
    struct domain *d = world_domain(false, 34), *other = world_domain(false, 1);
    struct vcpu *v = d->vcpus[33];
    struct frame *f = frames_alloc(&d->frames, 0, 0, 0);
    struct frame *foreign = frames_alloc(&other->frames, 0, 0, 0);
    struct vcpu_info *info = (struct vcpu_info *)((char *)mfn_to_virt(frame_to_mfn(f)) + 64);
    struct vcpu_runstate_info run;
    struct vcpu_time_info time;

    (void)state;
    memset(info, 0xff, sizeof(*info));
    memset(&time, 0, sizeof(time));
    world_as(d->vcpus[0]);
    assert_int_equal(vcpu_register_info(v, frame_to_mfn(foreign).raw, 64), -EINVAL);
    assert_int_equal(vcpu_register_info(v, frame_to_mfn(f).raw, 4092), -ENXIO);
    assert_int_equal(vcpu_register_info(v, frame_to_mfn(f).raw, 3), -ENXIO);
    assert_int_equal(vcpu_register_info(v, 1UL << 40, 64), -EINVAL);
    assert_int_equal(vcpu_register_info(v, frame_to_mfn(f).raw, 64), 0);
    assert_int_equal(vcpu_register_info(v, frame_to_mfn(f).raw, 128), -EINVAL);
    assert_ptr_equal(v->info, info);
    assert_int_equal(info->evtchn_upcall_mask, 1);
    assert_int_equal(info->evtchn_upcall_pending, 1);
    assert_int_equal(info->evtchn_pending_sel, ~0UL);
    assert_int_equal(f->count & FRAME_COUNT_MASK, 2);
    v->initialised = true;
    vcpu_up(v);
    vcpu_register_runstate(v, (u64)&run);
    vcpu_register_time(v, (u64)&time);
    domain_unpause_by_control(d);
    world_as(idle_domain->vcpus[0]);
    world_run(NS_MS);
    assert_int_equal(v->work, 0);
    assert_int_equal(run.state, RUNSTATE_running);
    assert_int_equal(run.state_entry_time, v->runstate.state_entry_time);
    assert_int_equal(time.version % 2, 0);
    assert_true(time.version > 0);
    assert_int_equal(time.tsc_timestamp, 7);
    assert_int_equal(info->time.tsc_timestamp, 7);
    assert_int_equal(info->time.version % 2, 0);
    d->vm_assist = 1U << VMASST_TYPE_runstate_update_flag;
    vcpu_register_runstate(v, (u64)&run);
    vcpu_do_work(v);
    assert_false(run.state_entry_time & XEN_RUNSTATE_UPDATE);
    vcpu_register_runstate(v, 8); /* not mapped: no harm */
    vcpu_do_work(v);
    assert_int_equal(v->work, 0);
    assert_int_equal(d->shared_info->wc_version % 2, 0);
    assert_int_equal(d->shared_info->wc_sec, 0x34567890);
    assert_int_equal(d->shared_info->wc_sec_hi, 0x12);
    world_destroy(d);
    world_destroy(other);
}

static void polling(void **state)
{
    struct domain *d = world_domain(false, 1);
    struct vcpu *v = d->vcpus[0];
    struct evtchn_bind_ipi a = {.vcpu = 0}, b = {.vcpu = 0};
    u32 ports[2];

    (void)state;
    domain_unpause_by_control(d);
    vcpu_up(v);
    v->info->evtchn_upcall_mask = 1;
    world_work();
    assert_ptr_equal(current, v);
    event_bind_ipi(&a);
    event_bind_ipi(&b);
    ports[0] = a.port;
    ports[1] = b.port;
    /* Timeout. */
    assert_int_equal(vcpu_poll(ports, 2, world_now + 2 * NS_MS), 0);
    world_run(NS_MS);
    assert_false(v->is_running);
    world_run(2 * NS_MS);
    assert_ptr_equal(current, v);
    /* Event, masked for the kernel as pollers do. */
    bit_set(d->shared_info->evtchn_mask, b.port);
    assert_int_equal(vcpu_poll(ports, 2, 0), 0);
    world_run(50 * NS_MS);
    assert_false(v->is_running);
    world_as(v);
    event_send(d, b.port);
    world_as(idle_domain->vcpus[0]);
    world_work();
    assert_ptr_equal(current, v);
    assert_int_equal(d->pollers, 0);
    /* Pending already. */
    assert_int_equal(vcpu_poll(ports, 2, 0), 0);
    world_work();
    assert_ptr_equal(current, v);
    ports[1] = 100000;
    bit_clear(d->shared_info->evtchn_pending, b.port);
    assert_int_equal(vcpu_poll(ports, 2, 0), -EINVAL);
    assert_int_equal(d->pollers, 0);
    /* Only the port waited for ends it. */
    assert_int_equal(vcpu_poll(ports, 1, 0), 0);
    world_work();
    event_send(d, b.port);
    world_work();
    assert_false(v->is_running);
    event_send(d, a.port);
    world_work();
    assert_ptr_equal(current, v);
    world_destroy(d);
}

static void interrupts(void **state)
{
    struct domain *d = dom0;
    struct physdev_map_pirq map = {.type = MAP_PIRQ_TYPE_GSI, .index = 9, .pirq = 9};
    struct evtchn_bind_pirq bind = {.pirq = 9};
    u32 flags;

    (void)state;
    world_as(d->vcpus[0]);
    assert_int_equal(pirq_map(d, &map), -EPERM);
    rangeset_add(&d->irqs, 0, 1023);
    world_irqs[9].level = true;
    assert_int_equal(event_bind_pirq(&bind), -EINVAL);
    assert_int_equal(pirq_map(d, &map), 0);
    assert_int_equal(pirq_map(d, &map), 0);
    map.pirq = 11;
    assert_int_equal(pirq_map(d, &map), -EEXIST);
    assert_int_equal(event_bind_pirq(&bind), 0);
    assert_int_equal(event_bind_pirq(&bind), -EEXIST);
    assert_int_equal(pirq_status(d, 9, &flags), 0);
    assert_int_equal(flags, XENIRQSTAT_needs_eoi);
    world_fire(9);
    assert_true(event_port_pending(d, bind.port));
    bit_clear(d->shared_info->evtchn_pending, bind.port);
    world_fire(9);
    assert_false(event_port_pending(d, bind.port));
    assert_int_equal(pirq_eoi(d, 9), 0);
    world_fire(9);
    assert_true(event_port_pending(d, bind.port));
    assert_int_equal(event_close(d, bind.port, true), 0);
    assert_null(world_irqs[9].fn);
    /* A message. */
    struct physdev_map_pirq msi = {.type = MAP_PIRQ_TYPE_MSI_SEG, .pirq = -1, .bus = 1, .devfn = 8};
    assert_int_equal(pirq_map(d, &msi), 0);
    assert_int_equal(msi.pirq, MAX_IRQS - 1);
    bind.pirq = (u32)msi.pirq;
    assert_int_equal(event_bind_pirq(&bind), 0);
    assert_int_equal(pirq_status(d, bind.pirq, &flags), 0);
    assert_int_equal(flags, 0);
    world_fire(24);
    assert_true(event_port_pending(d, bind.port));
    assert_int_equal(pirq_unmap(d, bind.pirq), 0);
    assert_false(world_irqs[24].allocated);
    assert_int_equal(pirq_unmap(d, bind.pirq), -EINVAL);
    assert_int_equal(event_close(d, bind.port, true), 0);
    assert_int_equal(pirq_unmap(d, 9), 0);
    /* The map that says which need the call. */
    struct frame *f = frames_alloc(&d->frames, 0, 0, 0);
    u64 *needs = mfn_to_virt(frame_to_mfn(f));
    memset(needs, 0, PAGE_SIZE);
    assert_int_equal(pirq_set_eoi_map(d, frame_to_mfn(f).raw, true), 0);
    assert_int_equal(pirq_set_eoi_map(d, frame_to_mfn(f).raw, true), -EBUSY);
    map.pirq = -1;
    assert_int_equal(pirq_map(d, &map), 0);
    bind.pirq = (u32)map.pirq;
    assert_int_equal(event_bind_pirq(&bind), 0);
    assert_int_equal(needs[0], BIT(bind.pirq));
    bit_set(d->shared_info->evtchn_mask, bind.port);
    assert_int_equal(pirq_eoi(d, bind.pirq), 0);
    assert_false(event_port_masked(d, bind.port));
    assert_int_equal(event_close(d, bind.port, true), 0);
    assert_int_equal(needs[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(numbers_cost_nothing, setup),
        cmocka_unit_test_setup(all_comes_back, setup),
        cmocka_unit_test_setup(zombie, setup),
        cmocka_unit_test_setup(ids, setup),
        cmocka_unit_test_setup(pausing, setup),
        cmocka_unit_test_setup(shutting_down, setup),
        cmocka_unit_test_setup(watchdogs, setup),
        cmocka_unit_test_setup(registered_areas, setup),
        cmocka_unit_test_setup(polling, setup),
        cmocka_unit_test_setup(interrupts, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
