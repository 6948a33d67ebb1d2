/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * System time from the TSC, the wall clock, and the arming of each CPU's timer.
 *
 * The TSC is taken to run at one rate for ever and to be in step on all CPUs,
 * which is so on all processors of the last decade and on emulators;
 * clock_check_sync() says so when it is not. Its rate is measured once: a few
 * moments at which TSC and reference were read close together, then the pair
 * of moments that leaves the least doubt. Being held up between moments (an
 * emulator on a busy machine) does not matter, being held up within one makes
 * that moment a bad one, which is then not chosen.
 *
 * The wall-clock offset has a writers' lock and a version for readers; the rest
 * is per CPU or constant after boot.
 */
#include "platform/clock.h"

#include "cpu/instructions.h"
#include "cpu/percpu.h"
#include "cpu/work.h"
#include "lib/atomic.h"
#include "platform/internal.h"
#include "platform/reference.h"
#include "platform/rtc.h"
#include "platform/scale.h"

/* How often CPU 0 looks for console input when no interrupt tells of it. */
#define CONSOLE_POLL      (20 * NS_MS)

#define SAMPLES           5
#define SAMPLE_TRIES      8
#define SAMPLE_SPACING_HZ 40 /* a fortieth of a second from one to the next */

static struct clock_scale boot_scale __ro_after_init;
static u64 tsc_hz __ro_after_init;
static u64 apic_hz __ro_after_init;
static DEFINE_PER_CPU(struct clock_scale, scale);
static DEFINE_PER_CPU(ns_t, armed); /* what the timer is set to; 0: unknown */

static u64 wall_seconds; /* UTC at system time 0 */
static u32 wall_nanoseconds;
static u32 wall_version; /* odd while the two change */

/* --- Reading ------------------------------------------------------------- */

ns_t clock_tsc_to_ns(u64 tsc)
{
    const struct clock_scale *s = &this_cpu(scale);

    /* A TSC value from before the base must not become the far future. */
    if ((s64)(tsc - s->base_tsc) < 0)
        return (ns_t)(s->base_ns - scale_delta(s, s->base_tsc - tsc));
    return (ns_t)(s->base_ns + scale_delta(s, tsc - s->base_tsc));
}

ns_t clock_now(void)
{
    return tsc_hz ? clock_tsc_to_ns(rdtsc_ordered()) : 0;
}

u64 clock_ns_to_tsc(ns_t ns)
{
    const struct clock_scale *s = &this_cpu(scale);
    u64 delta = ns > (ns_t)s->base_ns ? (u64)ns - s->base_ns : 0;

    /* Two years from boot will do for any deadline and keep the division in range. */
    return s->base_tsc + mul_div(MIN(delta, 1UL << 56), tsc_hz, NS_SECOND);
}

const struct clock_scale *clock_scale(void)
{
    return &this_cpu(scale);
}

u32 clock_tsc_khz(void)
{
    return (u32)(tsc_hz / 1000);
}

/* --- Wall clock ---------------------------------------------------------- */

/* A sequence instead of a lock: timestamps are read under the console's lock. */
void clock_wall_get(u64 *seconds, u32 *nanoseconds)
{
    u32 version;

    do {
        version = load_acquire(&wall_version);
        *seconds = READ_ONCE(wall_seconds);
        *nanoseconds = READ_ONCE(wall_nanoseconds);
        barrier();
    } while ((version & 1) || version != load_acquire(&wall_version));
}

void clock_wall_set(u64 seconds, u32 nanoseconds, ns_t at)
{
    static spinlock_t lock = SPINLOCK(LOCK_MAP);
    u64 at_seconds = (u64)at / NS_SECOND, at_nanoseconds = (u64)at % NS_SECOND;

    if (nanoseconds < at_nanoseconds) {
        nanoseconds += NS_SECOND;
        seconds--;
    }
    spin_hold(&lock);
    atomic_inc(&wall_version);
    WRITE_ONCE(wall_seconds, seconds - at_seconds);
    WRITE_ONCE(wall_nanoseconds, nanoseconds - (u32)at_nanoseconds);
    atomic_inc(&wall_version);
}

/* --- Timer --------------------------------------------------------------- */

void clock_timer_fired(void)
{
    this_cpu(armed) = 0;
}

void clock_arm(ns_t when)
{
    u64 ticks;

    if (when <= 0)
        when = 1;
    if (serial_polled() && this_cpu_id() == 0)
        when = MIN(when, clock_now() + CONSOLE_POLL);
    if (this_cpu(armed) == when)
        return;
    this_cpu(armed) = when;
    if (when == NS_NEVER) {
        ticks = 0;
    } else if (apic_timer_uses_deadline()) {
        ticks = clock_ns_to_tsc(when) + 1;
    } else {
        ns_t now = clock_now();
        /* What does not fit into 32 bits fires early and is armed again. */
        ticks = when > now ? mul_div(MIN((u64)(when - now), 1UL << 40), apic_hz, NS_SECOND) + 1 : 1;
        ticks = MIN(ticks, 0xffffffffUL);
    }
    apic_timer_set(ticks);
}

/* --- Calibration --------------------------------------------------------- */

struct counting {
    struct reference reference;
    u64 total; /* ticks since the first read, all of the counter's wraps included */
    u64 last;
};

static __init u64 count_read(struct counting *c)
{
    u64 now = c->reference.read() & c->reference.mask;

    c->total += (now - c->last) & c->reference.mask;
    c->last = now;
    return c->total;
}

/* Reads all clocks as close together as a few tries allow. */
static __init struct clock_sample take_sample(struct counting *c)
{
    struct clock_sample best = {.error = ~0UL};

    for (u32 i = 0; i < SAMPLE_TRIES; i++) {
        u64 before = rdtsc_ordered();
        u64 reference = count_read(c);
        u32 apic = apic_timer_uses_deadline() ? 0 : apic_timer_count();
        u64 after = rdtsc_ordered();

        if (after - before < best.error)
            best = (struct clock_sample){.tsc = before + (after - before) / 2,
                                         .reference = reference,
                                         .error = after - before,
                                         .apic = apic};
    }
    return best;
}

/* The samples span a tenth of a second; the counter is read on so that no wrap is missed. */
static __init void calibrate(struct counting *c)
{
    struct clock_sample s[SAMPLES];
    u32 from = 0, to = 0;

    if (!apic_timer_uses_deadline())
        apic_timer_set(~0u);
    for (u32 i = 0; i < SAMPLES; i++) {
        u64 start = count_read(c);

        while (i && count_read(c) - start < c->reference.hz / SAMPLE_SPACING_HZ)
            cpu_pause();
        s[i] = take_sample(c);
    }
    if (!apic_timer_uses_deadline())
        apic_timer_set(0);
    if (!sample_best_pair(s, SAMPLES, &from, &to))
        panic("the TSC does not advance");
    u64 ticks = s[to].reference - s[from].reference;
    tsc_hz = mul_div(s[to].tsc - s[from].tsc, c->reference.hz, ticks);
    apic_hz = mul_div(s[from].apic - s[to].apic, c->reference.hz, ticks);
    if (tsc_hz < 1000000 || tsc_hz > 100000000000UL)
        panic("TSC rate measured as %lu Hz", tsc_hz);
    if (!apic_timer_uses_deadline() && apic_hz < 10000)
        panic("local APIC timer rate measured as %lu Hz", apic_hz);
    /* System time begins with the measurement. */
    boot_scale = scale_from_hz(tsc_hz);
    boot_scale.base_tsc = s[0].tsc;
}

__init void clock_init(void)
{
    struct counting c = {.total = 0};

    if (!reference_start(&c.reference))
        panic("no clock to measure the TSC against: no HPET, PM timer or PIT");
    c.last = c.reference.read() & c.reference.mask;
    calibrate(&c);
    this_cpu(scale) = boot_scale;
    clock_wall_set(rtc_read(), 0, clock_now());
    printk(LOG_INFO, "Platform timer is %lu.%03luMHz %s\n", (c.reference.hz / 1000000),
           (c.reference.hz / 1000 % 1000), c.reference.name);
    printk(LOG_INFO, "Detected %lu.%03lu MHz processor.\n", (tsc_hz / 1000000),
           (tsc_hz / 1000 % 1000));
    reference_stop();
}

void clock_init_secondary(void)
{
    this_cpu(scale) = boot_scale;
    this_cpu(armed) = 0;
}

/* --- Are the CPUs in step? ----------------------------------------------- */

static u64 sync_latest; /* highest TSC value anyone has published */
static u64 sync_warp;   /* by how much someone was behind it */

/* On all CPUs at once: nobody may read less than what another had before. */
static void sync_run(void *)
{
    u64 start = rdtsc_ordered(), now = start;

    while (now - start < tsc_hz / 1000) {
        u64 latest = load_acquire(&sync_latest);

        now = rdtsc_ordered();
        if (now < latest && latest - now > READ_ONCE(sync_warp))
            WRITE_ONCE(sync_warp, latest - now);
        else if (now > latest)
            atomic_cmpxchg(&sync_latest, latest, now);
    }
}

__init void clock_check_sync(void)
{
    cpu_call(&cpus_online, sync_run, NULL);
    if (sync_warp)
        printk(LOG_WARNING, "TSCs of the CPUs differ by %lu ticks: time may jump\n", sync_warp);
}

u64 clock_tsc_warp(void)
{
    return sync_warp;
}
