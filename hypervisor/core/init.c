/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the idle domain. Its vCPUs are what CPUs run when nothing else is
 * runnable: they are in no run queue, have no guest state, and their "guest" is
 * the loop below. While it runs the CPU is on the hypervisor's own page tables.
 *
 * Locks: none; everything happens on the boot CPU before guests exist.
 */
#include "core/init.h"
#include "core/domain_private.h"
#include "core/guest.h"
#include "core/trace.h"
#include "cpu/desc.h"
#include "cpu/guest_state.h"
#include "cpu/work.h"

/* The field's name, for other CPUs' records. */
#undef current

struct domain *idle_domain;

static void idle_save(struct vcpu *v __unused)
{
}

static void idle_restore(struct vcpu *v __unused)
{
    /* The last guest's tables and its GDT window may go away from now on. */
    cpu_load_idle_gdt();
    cpu_load_ldt(0, 0);
    cpu_load_space(mfn_to_paddr(virt_to_mfn(hv_l4)).raw, NULL);
}

static void idle_loop(void)
{
    for (;;) {
        cpu_do_work();
        if (memory_scrub_some())
            cpu_idle_step();
        else
            cpu_idle_wait();
    }
}

static const struct guest_ops guest_idle = {
    .name = "idle",
    .domain_size = sizeof(struct domain),
    .vcpu_size = sizeof(struct vcpu),
    .save = idle_save,
    .restore = idle_restore,
    .resume = idle_loop,
};

void core_init(void)
{
    u32 last = 0;

    for_each_online_cpu (cpu) {
        timer_init_cpu(cpu);
        last = cpu;
    }
    sched_init();
    struct domain *d = domain_create_idle(&guest_idle, last + 1);
    if (!d)
        panic("no memory for the idle domain");
    for_each_online_cpu (cpu) {
        if (vcpu_create(d, cpu))
            panic("no memory for the idle vCPU of CPU %u", cpu);
        d->vcpus[cpu]->initialised = true;
        d->vcpus[cpu]->is_running = true;
    }
    idle_domain = d;
    m2p_share(&d->frames);
    for_each_online_cpu (cpu) {
        WRITE_ONCE(cpu_local_of(cpu)->current, d->vcpus[cpu]);
        cpu_raise_work(cpu, WORK_SCHEDULE);
    }
    keys_init();
    trace_init();
    watchdog_init();
}

void core_start(void)
{
    cpu_local()->current = idle_domain->vcpus[this_cpu_id()];
    cpu_raise_work(this_cpu_id(), WORK_SCHEDULE);
    reset_stack_and_jump(idle_loop);
}
