/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the work bits, the requests between CPUs and the flush clock.
 *
 * A request lives in its sender's slot: a CPU has at most one under way. The
 * sender puts its number into the inbox of each receiver and waits until all
 * have counted down. A receiver serves its inbox on the way out to a guest
 * (WORK_CALL) or from cpu_wait(), so two CPUs that wait for each other both get
 * on. No lock is taken here, whatever locks the waiter holds.
 */
#include "cpu/work.h"
#include "cpu/instructions.h"
#include "cpu/perfc.h"
#include "lib/atomic.h"

struct request {
    void (*fn)(void *);
    void *arg;
    u32 remaining; /* receivers that have not finished; atomic */
};

static DEFINE_PER_CPU(struct request, request);
static DEFINE_PER_CPU(cpumask_t, inbox); /* senders whose request waits for this CPU */
static DEFINE_PER_CPU(bool, serving);

struct cpu_local *cpu_local_of(u32 cpu)
{
    if (cpu == this_cpu_id())
        return cpu_local();
    return (struct cpu_local *)(STACK_AREA_START + (u64)cpu * STACK_STRIDE + STACK_SIZE -
                                sizeof(struct cpu_local));
}

void cpu_raise_work(u32 cpu, u32 bit)
{
    u32 old = atomic_fetch_or(&cpu_local_of(cpu)->work, 1U << bit);

    /* A bit that was set has had its interrupt, and is still to be looked at. */
    if (!(old & (1U << bit)) && cpu != this_cpu_id())
        apic_send_ipi(cpu, CPU_WORK_VECTOR);
}

void cpu_do_work(void)
{
    u32 *work = &cpu_local()->work, bits;

    /* Lowest bit first, and look anew after each: WORK_SCHEDULE may not return,
     * then the others are still set for the next way out. */
    while ((bits = READ_ONCE(*work)) != 0) {
        /* Scheduling comes last, see the order's note in work.h. */
        u32 others = bits & ~(1U << WORK_SCHEDULE);
        u32 bit = (u32)__builtin_ctz(others ? others : bits);

        atomic_and(work, ~(1U << bit));
        work_handlers[bit]();
    }
}

void cpu_call_work(void)
{
    cpumask_t *mask = &this_cpu(inbox);

    for (u32 word = 0; word < ARRAY_SIZE(mask->bits); word++) {
        if (!READ_ONCE(mask->bits[word]))
            continue;
        for (u64 bits = atomic_xchg(&mask->bits[word], 0); bits; bits &= bits - 1) {
            u32 sender = word * 64 + (u32)__builtin_ctzl(bits);
            struct request *r = &per_cpu(request, sender);

            this_cpu(serving) = true;
            r->fn(r->arg);
            this_cpu(serving) = false;
            /* The sender may go on, and use the slot again, from here. */
            atomic_dec(&r->remaining);
        }
    }
}

void cpu_wait(void)
{
    cpu_call_work();
    watchdog_look();
    cpu_pause();
}

void cpu_idle_wait(void)
{
    /* Interrupts are off: whoever sets a bit from now on also wakes the HLT. */
    if (!cpu_has_work())
        halt_for_interrupt();
}

void cpu_idle_step(void)
{
    interrupts_window();
}

void cpu_call(const cpumask_t *mask, void (*fn)(void *), void *arg)
{
    struct request *r = &this_cpu(request);
    u32 me = this_cpu_id(), count = 0;
    cpumask_t to = cpumask_and(mask, &cpus_online);
    bool here = cpumask_test(mask, me);

    ASSERT(!this_cpu(serving)); /* fn of another's request must not make its own */
    to.bits[me / 64] &= ~BIT(me % 64);
    for_each_cpu_in (cpu, &to)
        count++;
    if (count) {
        perfc_inc(calls_sent);
        r->fn = fn;
        r->arg = arg;
        store_release(&r->remaining, count);
        for_each_cpu_in (cpu, &to) {
            cpumask_set(&per_cpu(inbox, cpu), me);
            cpu_raise_work(cpu, WORK_CALL);
        }
    }
    if (here)
        fn(arg);
    while (count && load_acquire(&r->remaining))
        cpu_wait();
}

/*
 * The flush clock. Kept in 64 bits, of which stamps have the low 32: a stamp
 * older than that reads as a newer time, which only makes us flush more.
 */
static u64 flush_clock = 1;
static DEFINE_PER_CPU(u64, flushed_at);

u32 flush_clock_now(void)
{
    return (u32)READ_ONCE(flush_clock);
}

/* This CPU is about to drop all its non-global entries (a load of CR3): stamps it. */
static void flush_clock_tick(void)
{
    /* The time is taken before the flush begins, so entries that were made
     * stale at or after it are not thought gone. */
    this_cpu(flushed_at) = atomic_add_return(&flush_clock, 1);
}

void flush_clock_filter(cpumask_t *mask, u32 stamp)
{
    u64 now = READ_ONCE(flush_clock);
    u64 then = (now & ~0xffffffffUL) | stamp;

    if (then > now)
        then -= 1UL << 32;
    for_each_cpu_in (cpu, mask)
        if (READ_ONCE(per_cpu(flushed_at, cpu)) > then)
            mask->bits[cpu / 64] &= ~BIT(cpu % 64);
}

void cpu_flush_local(enum flush_kind kind, u64 addr)
{
    u64 cr4;

    perfc_inc(flushes);
    switch (kind) {
    case FLUSH_ONE:
        invlpg(addr);
        return;
    case FLUSH_TLB:
        flush_clock_tick();
        write_cr3(read_cr3());
        return;
    case FLUSH_TLB_GLOBAL:
        /* Any change of CR4.PGE drops everything (Intel SDM vol. 3, 4.10.4.1). */
        flush_clock_tick();
        cr4 = read_cr4();
        write_cr4(cr4 ^ CR4_PGE);
        write_cr4(cr4);
        return;
    }
}

struct flush {
    enum flush_kind kind;
    u64 addr;
};

static void flush_here(void *arg)
{
    const struct flush *f = arg;

    cpu_flush_local(f->kind, f->addr);
}

void cpu_flush(const cpumask_t *mask, enum flush_kind kind, u64 addr)
{
    struct flush f = {kind, addr};
    cpumask_t others = *mask;
    u32 me = this_cpu_id();

    others.bits[me / 64] &= ~BIT(me % 64);
    if (cpumask_empty(&others) && cpumask_test(mask, me))
        cpu_flush_local(kind, addr);
    else
        cpu_call(mask, flush_here, &f);
}
