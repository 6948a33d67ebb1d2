/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one key on the console, or `xl debug-keys`, shows of the abstract
 * machine: vCPUs' registers, ports, grants, queues, timers, clocks, memory and
 * counters. docs/debug-keys.md lists all keys, also those of other files.
 *
 * Everything is printed by console_say() with no lock held, so other CPUs get
 * on meanwhile, and what is shown may be a moment old. Domains are walked with
 * a reference on the one at hand. Nothing here changes anything but 'P'.
 *
 * Callers: the console's key table.
 */
#include "core/event_table.h"
#include "core/grant_private.h"
#include "core/init.h"
#include "cpu/perfc.h"
#include "cpu/symbols.h"
#include "lib/printf.h"
#include "platform/console.h"

#define say(...)        console_say(__VA_ARGS__)
#define TIMERS_SHOWN    16
#define PAGES_TO_KIB(n) ((u64)(n) << (PAGE_SHIFT - 10))

/* For each domain until the console has enough of this key; d is referenced inside. */
static void each_domain(bool (*show)(struct domain *d))
{
    for_each_domain (d)
        if (!show(d)) {
            domain_put(d);
            break;
        }
}

/* ---- registers ---- */

/* What a CPU had in its frame, and for whom. */
struct seen {
    struct cpu_user_regs regs;
    u32 domain, vcpu;
};
static DEFINE_PER_CPU(struct seen, seen);

static void look(void *)
{
    this_cpu(seen) = (struct seen){*guest_regs(), current->domain->id, current->id};
}

static void show_registers(const struct cpu_user_regs *r)
{
    say("  rip %04x:%016lx  rsp %04x:%016lx  rflags %016lx\n", r->cs, r->rip, r->ss, r->rsp,
        r->rflags);
    say("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    say("  rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", r->rsi, r->rdi, r->rbp, r->r8);
    say("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", r->r9, r->r10, r->r11, r->r12);
    say("  r13 %016lx r14 %016lx r15 %016lx\n", r->r13, r->r14, r->r15);
}

static void key_cpus(unsigned char)
{
    cpu_call(&cpus_online, look, NULL);
    for_each_online_cpu (cpu) {
        const struct seen *s = &per_cpu(seen, cpu);

        if (s->domain == DOMID_IDLE) {
            say("CPU %u: idle\n", cpu);
            continue;
        }
        say("CPU %u: d%uv%u\n", cpu, s->domain, s->vcpu);
        show_registers(&s->regs);
    }
}

static void key_dom0(unsigned char)
{
    struct domain *d = hardware_domain;

    if (!d)
        return;
    cpu_call(&cpus_online, look, NULL);
    for_each_vcpu (d, v) {
        struct cpu_user_regs regs = v->regs;
        const char *where = "not running";

        for_each_online_cpu (cpu)
            if (per_cpu(seen, cpu).domain == d->id && per_cpu(seen, cpu).vcpu == v->id) {
                regs = per_cpu(seen, cpu).regs;
                where = "running";
            }
        say("d%uv%u: %s, CPU %u\n", d->id, v->id, where, v->cpu);
        show_registers(&regs);
    }
}

/* ---- domains ---- */

static const char *const run_states[] = {"running", "runnable", "blocked", "offline"};

static void dump_vcpu(struct vcpu *v)
{
    struct vcpu_runstate_info r;

    vcpu_get_runstate(v, &r);
    printk(
        LOG_INFO,
        "  v%u: %s cpu %u ran %lld ms; pause %x/%u; upcall pending %u masked %u; timer %lld ms\n",
        v->id, run_states[r.state], v->cpu, (ns_t)r.time[RUNSTATE_running] / NS_MS, v->pause_flags,
        v->domain->pause_count, v->info->evtchn_upcall_pending, v->info->evtchn_upcall_mask,
        timer_is_active(&v->singleshot) ? (v->singleshot.when - clock_now()) / NS_MS : -1);
}

/* Every domain and vCPU, a line each. */
static void key_domains(unsigned char)
{
    for_each_domain (d) {
        printk(LOG_INFO, "d%u: %s, %u frames (at most %u), %u refs, pause %u/%u%s%s\n", d->id,
               d->ops->name, d->frames.frames.count, d->frames.max, d->references, d->pause_count,
               d->control_pause_count, d->dying ? ", dying" : "", d->shutdown ? ", shut down" : "");
        for_each_vcpu (d, v) {
            dump_vcpu(v);
            if (d->ops->dump)
                d->ops->dump(v);
        }
    }
}

static void key_rejections(unsigned char)
{
    reject_dump();
}

/* ---- events and grants ---- */

/* The port's line behind its number; false: it is closed. */
static bool describe_port(struct event_port *p, char *text, size_t size)
{
    byte_hold(&p->lock);
    switch (p->state) {
    case EVTCHNSTAT_unbound:
        snprintf(text, size, "unbound, for d%u", p->remote_id);
        break;
    case EVTCHNSTAT_interdomain:
        snprintf(text, size, "to d%u port %u", p->remote->id, p->peer->number);
        break;
    case EVTCHNSTAT_pirq:
        snprintf(text, size, "pirq %u", p->pirq);
        break;
    case EVTCHNSTAT_virq:
        snprintf(text, size, "virq %u", p->virq);
        break;
    case EVTCHNSTAT_ipi:
        snprintf(text, size, "ipi");
        break;
    default:
        return false;
    }
    return true;
}

static bool show_events(struct domain *d)
{
    struct event_table *t = d->events;
    char text[40];

    if (!t)
        return true;
    bool more = say("d%u: %u event channels open, %s, port [pending/masked]:\n", d->id,
                    READ_ONCE(t->open), t->fifo ? "FIFO" : "2-level");
    for (u32 chunk = 0; more && chunk < t->chunk_count; chunk++)
        for (u32 i = 0; more && load_acquire(&t->chunks[chunk]) && i < PORTS_PER_CHUNK; i++) {
            u32 port = chunk * PORTS_PER_CHUNK + i;
            struct event_port *p = event_port(d, port);

            if (p && describe_port(p, text, sizeof(text)))
                more = say("  %5u [%u/%u] v%u %s\n", port, event_port_pending(d, port),
                           event_port_masked(d, port), p->vcpu, text);
        }
    return more;
}

/* The next grant in use from *ref on; its number stays in *ref. */
static bool next_grant(struct grant_table *t, u32 *ref, struct grant_active *found)
{
    spin_hold(&t->lock);
    while (*ref < t->chunks * V1_PER_FRAME) {
        *found = *grant_active_at(t, (*ref)++);
        if (grant_in_use(found))
            return true;
    }
    return false;
}

static bool show_grants(struct domain *d)
{
    struct grant_active a;
    u32 ref = 0;
    bool more = true;

    if (!d->grants)
        return true;
    grant_dump(d);
    while (more && next_grant(d->grants, &ref, &a))
        more = say("  ref %u: frame %x by d%u, %u readers, %u writers\n", ref - 1, a.frame, a.domid,
                   a.readers, a.writers);
    return more;
}

static void key_events_or_grants(unsigned char key)
{
    each_domain(key == 'e' ? show_events : show_grants);
}

/* ---- memory ---- */

static void key_memory(unsigned char)
{
    say("Memory: %lu KiB in all, %lu KiB free, of which %lu KiB claimed, %lu KiB to be scrubbed\n",
        PAGES_TO_KIB(memory_total()), PAGES_TO_KIB(memory_free()), PAGES_TO_KIB(memory_claimed()),
        PAGES_TO_KIB(memory_scrub_pending()));
}

static void key_heap(unsigned char)
{
    say("Free memory by size of blocks:\n");
    for (u32 order = 0; order <= MAX_ORDER; order++) {
        u64 count = memory_free_blocks(order);

        if (count)
            say("  %8lu KiB: %lu blocks, %lu KiB free\n", PAGES_TO_KIB(1UL << order), count,
                PAGES_TO_KIB(count << order));
    }
}

static bool show_memory(struct domain *d)
{
    return say("  d%u: %u pages, %u of ours shown to it\n", d->id, d->frames.frames.count,
               d->frames.hv.count);
}

static void key_numa(unsigned char)
{
    say("NUMA: one node, %lu pages, %lu free, %u CPUs; memory of domains:\n", memory_total(),
        memory_free(), cpus_online_count);
    each_domain(show_memory);
}

/* ---- time ---- */

static void key_timers(unsigned char)
{
    struct timer timers[TIMERS_SHOWN];

    for_each_online_cpu (cpu) {
        u32 count = timer_list(cpu, timers, ARRAY_SIZE(timers)), offset;
        ns_t now = clock_now();

        say("CPU %u: timers\n", cpu);
        for (u32 i = 0; i < count; i++) {
            const char *name = symbol_find((u64)timers[i].fn, &offset);

            say("  in %8lld us: %s(%lx)\n", (timers[i].when - now) / NS_US, name ? name : "?",
                (u64)timers[i].arg);
        }
    }
}

static DEFINE_PER_CPU(ns_t, clock_seen);

static void read_clock(void *)
{
    this_cpu(clock_seen) = clock_now();
}

/* Every CPU reads its clock between two readings of ours: else they differ by that at least. */
static void key_clocks(unsigned char)
{
    ns_t before = clock_now(), after, worst = 0;

    cpu_call(&cpus_online, read_clock, NULL);
    after = clock_now();
    for_each_online_cpu (cpu) {
        ns_t seen = per_cpu(clock_seen, cpu);

        worst = MAX(worst, MAX(before - seen, seen - after));
    }
    say("Clocks of %u CPUs: skew at least %ld ns, seen within %ld ns\n", cpus_online_count, worst,
        after - before);
}

static bool show_tsc(struct domain *d)
{
    return say("  d%u: tsc_mode %u, %s %u kHz\n", d->id, d->tsc_mode,
               d->tsc_khz ? "emulated" : "native", d->tsc_khz ? d->tsc_khz : clock_tsc_khz());
}

static void key_tsc(unsigned char)
{
    say("TSC: %u kHz, %s\n", clock_tsc_khz(),
        clock_tsc_warp() ? "not in step between CPUs" : "the same on all CPUs");
    each_domain(show_tsc);
}

static void key_idle(unsigned char)
{
    for_each_online_cpu (cpu) {
        u64 idle = sched_idle_time(cpu);

        say("CPU %u: C1 by HLT, idle for %llu ms of %lld ms\n", cpu, idle / NS_MS,
            clock_now() / NS_MS);
    }
}

/* ---- the scheduler ---- */

static const char *const sched_states[] = {"asleep", "waiting", "running", "leaving", "parked"};

static bool show_queued(struct domain *d)
{
    bool more = say("d%u: weight %u, cap %u\n", d->id, d->sched_weight, d->sched_cap);

    for_each_vcpu (d, v) {
        if (!more)
            break;
        more = say("  v%u: %s, CPU %u, since %lld us, ran %llu ms, waited %llu ms\n", v->id,
                   sched_states[v->sched.state], v->cpu,
                   (clock_now() - (ns_t)v->runstate.state_entry_time) / NS_US,
                   v->runstate.time[RUNSTATE_running] / NS_MS,
                   v->runstate.time[RUNSTATE_runnable] / NS_MS);
    }
    return more;
}

static void key_queues(unsigned char)
{
    cpu_call(&cpus_online, look, NULL);
    for_each_online_cpu (cpu) {
        const struct seen *s = &per_cpu(seen, cpu);

        say(s->domain == DOMID_IDLE ? "CPU %u: idle\n" : "CPU %u: runs d%uv%u\n", cpu, s->domain,
            s->vcpu);
    }
    each_domain(show_queued);
}

/* ---- counters ---- */

static void key_counters(unsigned char)
{
    for (u32 i = 0; i < perfc_count; i++) {
        const struct perfc_info *c = &perfc_info[i];
        u32 sum = 0;

        for (u32 n = 0; n < c->values; n++) {
            u32 value = perfc_sum(c->index + n);

            sum += value;
            if (value)
                say("  %s[%u]: %u\n", c->text, n, value);
        }
        say("%s: %u\n", c->text, c->values ? sum : perfc_sum(c->index));
    }
}

static void key_reset_counters(unsigned char)
{
    perfc_reset();
    say("Counters are zero\n");
}

static void key_nmi(unsigned char)
{
    for_each_online_cpu (cpu)
        say("CPU %u: %u NMIs\n", cpu, per_cpu(perf_counters, cpu).nmis);
    if (hardware_domain && hardware_domain->vcpus[0])
        say("d0v0: NMI %spending\n", hardware_domain->vcpus[0]->nmi_pending ? "" : "not ");
}

void __init keys_init(void)
{
    console_key_register('0', key_dom0, "registers of dom0's vCPUs");
    console_key_register('a', key_timers, "timers of each CPU");
    console_key_register('c', key_idle, "idle states of each CPU");
    console_key_register('d', key_cpus, "registers of what each CPU runs");
    console_key_register('e', key_events_or_grants, "event channels");
    console_key_register('J', key_rejections, "last refusals");
    console_key_register('q', key_domains, "domains and vCPUs");
    console_key_register('g', key_events_or_grants, "grants in use");
    console_key_register('H', key_heap, "free memory by size of blocks");
    console_key_register('m', key_memory, "memory");
    console_key_register('n', key_nmi, "NMIs");
    console_key_register('p', key_counters, "performance counters");
    console_key_register('P', key_reset_counters, "reset performance counters");
    console_key_register('r', key_queues, "who runs and who waits");
    console_key_register('s', key_tsc, "TSC of the machine and of domains");
    console_key_register('t', key_clocks, "clocks of the CPUs compared");
    console_key_register('u', key_numa, "NUMA nodes and domains' memory");
}
