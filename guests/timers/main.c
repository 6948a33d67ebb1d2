/* SPDX-License-Identifier: GPL-2.0-only */
/* Time: the clock record against the TSC, wallclock, single-shot and periodic timers, run states.
 */
#include "runtime.h"

#define MS 1000000UL

static volatile u32 upcalls;
static evtchn_port_t timer_port;

static void upcall(struct trap_frame *frame)
{
    (void)frame;
    struct vcpu_info *v = &shared_info->vcpu_info[0];
    v->evtchn_upcall_pending = 0;
    v->evtchn_pending_sel = 0;
    __atomic_fetch_and(&shared_info->evtchn_pending[0], ~(1UL << timer_port), __ATOMIC_SEQ_CST);
    upcalls++;
}

static s64 vcpu_op(u32 op, u64 vcpu, void *arg)
{
    return call3(__HYPERVISOR_vcpu_op, op, vcpu, arg);
}

/* Sleeps until that many upcalls have come. Masked until the block, so that none comes unseen. */
static void sleep_until(u32 count)
{
    events_off();
    while (upcalls < count) {
        call2(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
        events_off();
    }
    events_on();
}

static u64 tsc(void)
{
    u32 low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
    return (u64)high << 32 | low;
}

static void test_clock(void)
{
    const volatile struct vcpu_time_info *t = &shared_info->vcpu_info[0].time;
    u64 before = system_time(), start_tsc = tsc(), start = system_time(), last = start;
    u64 backwards = 0, odd = 0, rounds = 0;

    CHECK(t->tsc_to_system_mul != 0);
    CHECK_EQUAL(t->version & 1, 0);
    while (last - start < 100 * MS) {
        u64 now = system_time();
        backwards += now < last;
        odd += now - last > 1000 * MS;
        last = now;
        if (!(++rounds & 63))
            call2(__HYPERVISOR_xen_version, XENVER_version, 0);
    }
    CHECK_EQUAL(backwards, 0);
    CHECK_EQUAL(odd, 0);
    CHECK(rounds > 100);
    /* The TSC's own frequency, by the record, agrees with what has passed. */
    u64 ticks = tsc() - start_tsc;
    ticks = t->tsc_shift >= 0 ? ticks << t->tsc_shift : ticks >> -t->tsc_shift;
    u64 ns = (u64)((unsigned __int128)ticks * t->tsc_to_system_mul >> 32);
    /* However long the machine was busy with something else. */
    check(ns > last - start - 5 * MS && ns < system_time() - before + 5 * MS, __FILE__, __LINE__,
          "TSC says %lu ns", ns);

    CHECK_EQUAL(shared_info->wc_version & 1, 0);
    u64 seconds = ((u64)shared_info->wc_sec_hi << 32 | shared_info->wc_sec) +
                  system_time() / (1000 * MS);
    CHECK(seconds > 1600000000 && seconds < 4000000000);
    CHECK(shared_info->wc_nsec < 1000 * MS);
}

static void test_singleshot(void)
{
    struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = system_time() + 10 * MS};
    u64 start = system_time();

    upcalls = 0;
    CHECK_EQUAL(vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer), 0);
    sleep_until(1);
    CHECK_EQUAL(upcalls, 1);
    u64 slept = system_time() - start;
    check(slept >= 10 * MS && slept < 2000 * MS, __FILE__, __LINE__, "slept %lu ns", slept);

    /* Replaced by a later one, then stopped: it does not fire. */
    timer.timeout_abs_ns = system_time() + 20 * MS;
    CHECK_EQUAL(vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer), 0);
    CHECK_EQUAL(vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    start = system_time();
    while (system_time() - start < 40 * MS)
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    CHECK_EQUAL(upcalls, 1);

    /* In the past, without FUTURE: at once. */
    timer.timeout_abs_ns = system_time() - 5 * MS;
    CHECK_EQUAL(vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer), 0);
    start = system_time();
    while (upcalls < 2 && system_time() - start < 1000 * MS)
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    CHECK_EQUAL(upcalls, 2);

    /* The other door to the same timer; 0 stops. */
    CHECK_EQUAL(call1(__HYPERVISOR_set_timer_op, system_time() + 5 * MS), 0);
    sleep_until(3);
    CHECK_EQUAL(upcalls, 3);
    CHECK_EQUAL(call1(__HYPERVISOR_set_timer_op, 0), 0);

    CHECK_EQUAL(vcpu_op(VCPUOP_set_singleshot_timer, 0, (void *)0x10), -EFAULT);
    CHECK_EQUAL(vcpu_op(VCPUOP_set_singleshot_timer, 1, &timer), -EINVAL);
    CHECK_EQUAL(vcpu_op(VCPUOP_set_singleshot_timer, 99, &timer), -ENOENT);
    CHECK_EQUAL(vcpu_op(VCPUOP_stop_singleshot_timer, 1, NULL), -EINVAL);
}

static void test_periodic(void)
{
    struct vcpu_set_periodic_timer timer = {.period_ns = 5 * MS};
    u64 start = system_time();

    upcalls = 0;
    CHECK_EQUAL(vcpu_op(VCPUOP_set_periodic_timer, 0, &timer), 0);
    /* It ticks while the vCPU runs; it does not wake one that sleeps. */
    while (upcalls < 5 && system_time() - start < 2000 * MS)
        call2(__HYPERVISOR_xen_version, XENVER_version, 0);
    CHECK(upcalls >= 5);
    CHECK(system_time() - start >= 20 * MS);
    CHECK_EQUAL(vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    start = system_time();
    u32 before = upcalls;
    while (system_time() - start < 20 * MS)
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    CHECK(upcalls <= before + 1);
    timer.period_ns = 1000; /* too fast */
    CHECK_EQUAL(vcpu_op(VCPUOP_set_periodic_timer, 0, &timer), -EINVAL);
    CHECK_EQUAL(vcpu_op(VCPUOP_set_periodic_timer, 0, (void *)0x10), -EFAULT);
}

static void test_runstate(void)
{
    static struct vcpu_runstate_info area, info;
    struct vcpu_register_runstate_memory_area where;

    set_xen_guest_handle(where.addr.h, &area);
    CHECK_EQUAL(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &where), 0);
    CHECK_EQUAL(vcpu_op(VCPUOP_get_runstate_info, 0, &info), 0);
    CHECK_EQUAL(info.state, RUNSTATE_running);
    u64 sum = info.time[0] + info.time[1] + info.time[2] + info.time[3];
    CHECK(sum > 0 && sum <= system_time() + 1000 * MS);

    /* Sleeping counts as blocked, in the area as well. */
    u64 blocked = area.time[RUNSTATE_blocked];
    events_off();
    CHECK_EQUAL(call1(__HYPERVISOR_set_timer_op, system_time() + 20 * MS), 0);
    sleep_until(upcalls + 1);
    CHECK_EQUAL(area.state, RUNSTATE_running);
    u64 slept = area.time[RUNSTATE_blocked] - blocked;
    check(slept > 10 * MS && slept < 2000 * MS, __FILE__, __LINE__, "blocked %lu ns", slept);
    CHECK(area.state_entry_time <= system_time());
    CHECK_EQUAL(vcpu_op(VCPUOP_get_runstate_info, 0, (void *)0x10), -EFAULT);
    CHECK_EQUAL(vcpu_op(VCPUOP_get_runstate_info, 99, &info), -ENOENT);

    /* Registered where nothing is: the caller does not notice, nor does the machine. */
    set_xen_guest_handle(where.addr.h, (struct vcpu_runstate_info *)0x10);
    vcpu_op(VCPUOP_register_runstate_memory_area, 0, &where);
    CHECK_EQUAL(call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0), 0);
    set_xen_guest_handle(where.addr.h, &area);
    CHECK_EQUAL(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &where), 0);
}

/* A second copy of the clock record, at an address of ours. */
static void test_time_area(void)
{
    static struct vcpu_time_info copy;
    struct vcpu_register_time_memory_area where;

    set_xen_guest_handle(where.addr.h, &copy);
    CHECK_EQUAL(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &where), 0);
    events_off();
    CHECK_EQUAL(call1(__HYPERVISOR_set_timer_op, system_time() + 2 * MS), 0);
    sleep_until(upcalls + 1);
    const volatile struct vcpu_time_info *t = &shared_info->vcpu_info[0].time;
    CHECK_EQUAL(copy.tsc_to_system_mul, t->tsc_to_system_mul);
    CHECK_EQUAL(copy.tsc_shift, t->tsc_shift);
    CHECK_EQUAL(copy.version & 1, 0);
    /* system_time may be 0: one time line since boot, never moved. */
    CHECK(copy.tsc_timestamp != 0);
}

static s64 watchdog(u32 id, u32 seconds)
{
    struct sched_watchdog op = {.id = id, .timeout = seconds};
    return call2(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &op);
}

/* Its ids; none may run out here, as that ends the machine. guests/guest lets one. */
static void test_watchdog(void)
{
    CHECK_EQUAL(watchdog(0, 0), -EINVAL);
    CHECK_EQUAL(watchdog(1, 1000), -EINVAL);
    CHECK_EQUAL(watchdog(0, 1000), 1);
    CHECK_EQUAL(watchdog(0, 1), 2);
    CHECK_EQUAL(watchdog(2, 1000), 0); /* in time */
    CHECK_EQUAL(watchdog(0, 1000), -ENOSPC);
    CHECK_EQUAL(watchdog(3, 1000), -EINVAL);
    CHECK_EQUAL(watchdog(~0U, 1000), -EINVAL);
    CHECK_EQUAL(watchdog(1, 2000), 0);
    CHECK_EQUAL(watchdog(1, 0), 0);
    CHECK_EQUAL(watchdog(1, 0), -EINVAL);
    CHECK_EQUAL(watchdog(0, 1), 1);
    CHECK_EQUAL(watchdog(1, 0), 0);
    CHECK_EQUAL(watchdog(2, 0), 0);
    CHECK_EQUAL(call2(__HYPERVISOR_sched_op, SCHEDOP_watchdog, 0x10), -EFAULT);
    /* What was ended does not run out. */
    u64 start = system_time();
    while (system_time() - start < 1200 * MS)
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
}

void guest_main(void)
{
    struct evtchn_bind_virq virq = {.virq = VIRQ_TIMER, .vcpu = 0};

    CHECK_EQUAL(vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &virq), 0);
    timer_port = virq.port;
    trap_hook = upcall;
    events_on();
    test_clock();
    test_singleshot();
    test_periodic();
    test_runstate();
    test_time_area();
    test_watchdog();
}
