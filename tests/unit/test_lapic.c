// sources: hvm/dev/lapic.c core/timer.c lib/tree.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC: what is delivered and in which order against a plain model,
 * who is addressed, the timer under a clock of the test's, modes, and any
 * values in any registers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/work.h"
#include "hvm/dev/irq.h"
#include "hvm/hvm.h"

#define VCPUS 12U

struct cpu_local host_cpu_local;
cpumask_t cpus_online = {{1}};
u32 cpus_online_count = 1;
static ns_t now = 1000, armed = NS_NEVER;
static bool timer_due;
static u32 kicks[VCPUS], ups[VCPUS];
static struct hvm_vcpu *v[VCPUS];
static struct domain domain;
static struct vcpu *slots[VCPUS];

ns_t clock_now(void)
{
    return now;
}
void clock_arm(ns_t when)
{
    armed = when;
}
const struct clock_scale *clock_scale(void)
{
    static const struct clock_scale two_ghz = {.mul = 1U << 31};

    return &two_ghz;
}
void cpu_raise_work(u32 cpu, u32 bit)
{
    assert_int_equal(cpu, 0);
    assert_int_equal(bit, WORK_TIMER);
    timer_due = true;
}
void cpu_wait(void)
{
    abort();
}
void spin_lock(spinlock_t *lock)
{
    assert_int_equal(lock->owner, 0);
    lock->owner = 1;
}
void spin_unlock(spinlock_t *lock)
{
    lock->owner = 0;
}
void vcpu_kick(struct vcpu *vcpu)
{
    kicks[vcpu->id]++;
}
void ioapic_eoi(struct domain *d, u32 vector)
{
    (void)d, (void)vector;
}
int vcpu_up(struct vcpu *vcpu)
{
    assert_true(vcpu->initialised);
    ups[vcpu->id]++;
    return 0;
}

enum {
    ID = 0x20,
    VERSION = 0x30,
    TPR = 0x80,
    PPR = 0xa0,
    EOI = 0xb0,
    LDR = 0xd0,
    DFR = 0xe0,
    SVR = 0xf0,
    ISR = 0x100,
    TMR = 0x180,
    IRR = 0x200,
    ESR = 0x280,
    ICR = 0x300,
    ICR_HIGH = 0x310,
    LVT_TIMER = 0x320,
    LVT_ERROR = 0x370,
    INITIAL = 0x380,
    CURRENT = 0x390,
    DIVIDE = 0x3e0,
    SELF_IPI = 0x3f0,
};
#define PERIODIC   0x20000U
#define DEADLINE   0x40000U
#define MASKED     0x10000U
#define LOGICAL    0x800U
#define BASE       0x1bU
#define DEADLINES  0x6e0U
#define X2(offset) (0x800U + (offset) / 16)

static u32 get(u32 n, u32 offset)
{
    return lapic_read(v[n], offset);
}
static void put(u32 n, u32 offset, u32 value)
{
    lapic_write(v[n], offset, value);
}
static u64 msr(u32 n, u32 number)
{
    u64 value = 0;

    assert_true(lapic_read_msr(v[n], number, &value));
    return value;
}
static bool put_msr(u32 n, u32 number, u64 value)
{
    return lapic_write_msr(v[n], number, value);
}
static bool bit_of(u32 n, u32 which, u32 vector)
{
    return get(n, which + vector / 32 * 16) >> (vector % 32) & 1;
}

static void run(ns_t length)
{
    ns_t end = now + length;

    while (timer_due || armed <= end) {
        if (!timer_due)
            now = armed > now ? armed : now;
        timer_due = false;
        armed = NS_NEVER;
        timer_work();
    }
    now = end;
}

static int setup(void **state)
{
    (void)state;
    armed = NS_NEVER;
    timer_due = false;
    timer_init_cpu(0);
    memset(&domain, 0, sizeof(domain));
    domain.vcpus = slots;
    domain.max_vcpus = VCPUS;
    for (u32 i = 0; i < VCPUS; i++) {
        v[i] = calloc(1, sizeof(struct hvm_vcpu));
        v[i]->v.domain = &domain;
        v[i]->v.id = i;
        slots[i] = &v[i]->v;
        lapic_init(v[i]);
        kicks[i] = ups[i] = 0;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (u32 i = 0; i < VCPUS; i++) {
        lapic_free(v[i]);
        assert_false(timer_is_active(&v[i]->lapic.timer));
        free(v[i]);
    }
    return 0;
}

static void enable_all(void)
{
    for (u32 i = 0; i < VCPUS; i++)
        put(i, SVR, 0x1ff);
}

/* The one interrupt that is pending is taken and ended; -1: there is none. */
static s32 take(u32 n)
{
    s32 vector = lapic_highest(v[n]);

    if (vector < 0)
        return -1;
    lapic_take(v[n], (u32)vector);
    assert_true(bit_of(n, ISR, (u32)vector));
    put(n, EOI, 0);
    assert_false(bit_of(n, ISR, (u32)vector));
    return vector;
}

static void after_power_up(void **state)
{
    (void)state;
    for (u32 i = 0; i < VCPUS; i++) {
        assert_int_equal(get(i, ID), (i * 2) << 24);
        assert_int_equal(get(i, VERSION), 0x50014);
        assert_int_equal(get(i, SVR), 0xff);
        assert_int_equal(get(i, DFR), ~0U);
        assert_int_equal(msr(i, BASE), 0xfee00800 | (i ? 0 : 0x100));
        for (u32 offset = LVT_TIMER; offset <= LVT_ERROR; offset += 16)
            assert_int_equal(get(i, offset), MASKED);
        assert_int_equal(lapic_highest(v[i]), -1);
        assert_int_equal(v[i]->lapic.waits, i != 0);
    }
    /* Disabled by software: what comes waits. Vectors below 16 are none. */
    lapic_set(v[0], 0x41, false);
    lapic_set(v[0], 15, false);
    assert_int_equal(lapic_highest(v[0]), -1);
    put(0, LVT_TIMER, 0x31); /* stays masked */
    assert_int_equal(get(0, LVT_TIMER), MASKED | 0x31);
    put(0, SVR, 0x1ff);
    put(0, LVT_TIMER, 0x31);
    assert_int_equal(get(0, LVT_TIMER), 0x31);
    assert_int_equal(take(0), 0x41);
    assert_int_equal(take(0), -1);
    assert_int_equal(kicks[0], 1);
    put(0, SVR, 0xff); /* masks them all */
    assert_int_equal(get(0, LVT_TIMER), MASKED | 0x31);
}

/* ---- order ---- */

static struct {
    bool irr[256], isr[256], level[256];
    u32 tpr;
} model;

static s32 model_highest(const bool *bits)
{
    for (s32 i = 255; i >= 0; i--)
        if (bits[i])
            return i;
    return -1;
}

static u32 model_ppr(void)
{
    s32 service = model_highest(model.isr);
    u32 class = service < 0 ? 0 : (u32)service & 0xf0;

    return (model.tpr & 0xf0) >= class ? model.tpr : class;
}

static void order(void **state)
{
    (void)state;
    memset(&model, 0, sizeof(model));
    put(0, SVR, 0x1ff);
    for (u32 round = 0; round < 60000; round++) {
        u32 vector = 16 + (u32)rand() % 240;
        s32 next = model_highest(model.irr), service = model_highest(model.isr);

        if (next >= 0 && ((u32)next & 0xf0) <= (model_ppr() & 0xf0))
            next = -1;
        assert_int_equal(lapic_highest(v[0]), next);
        assert_int_equal(get(0, PPR), model_ppr());
        assert_int_equal(lapic_priority(v[0]), model_ppr());
        switch (rand() % 5) {
        case 0:
            model.irr[vector] = true;
            model.level[vector] = rand() % 2;
            lapic_set(v[0], vector, model.level[vector]);
            break;
        case 1:
        case 2:
            if (next < 0)
                break;
            lapic_take(v[0], (u32)next);
            model.irr[next] = false;
            model.isr[next] = true;
            break;
        case 3:
            put(0, EOI, (u32)rand());
            if (service >= 0)
                model.isr[service] = false;
            break;
        default:
            model.tpr = rand() % 4 ? 0 : (u32)rand() & 0xff;
            put(0, TPR, model.tpr | 0x5500);
            assert_int_equal(get(0, TPR), model.tpr);
        }
        for (u32 i = round % 2; i < 256; i += 2) {
            assert_int_equal(bit_of(0, IRR, i), model.irr[i]);
            assert_int_equal(bit_of(0, ISR, i), model.isr[i]);
            assert_true(!model.irr[i] || bit_of(0, TMR, i) == model.level[i]);
        }
    }
}

/* ---- who is addressed ---- */

/* Which vCPUs got `vector`; they have it no longer then. */
static u32 receivers(u32 vector)
{
    u32 who = 0;

    for (u32 i = 0; i < VCPUS; i++) {
        s32 got = take(i);

        assert_true(got == -1 || got == (s32)vector);
        who |= (u32)(got >= 0) << i;
    }
    return who;
}

static u32 sent(u32 from, u32 command, u32 destination)
{
    put(from, ICR_HIGH, destination << 24);
    put(from, ICR, command);
    assert_int_equal(get(from, ICR) & 0x1000, 0); /* delivered */
    return receivers(command & 0xff);
}

#define ALL ((1U << VCPUS) - 1)
static void addressed(void **state)
{
    (void)state;
    enable_all();
    for (u32 i = 0; i < VCPUS; i++) {
        assert_int_equal(sent(3, 0x40 + i, i * 2), 1U << i);
        assert_int_equal(sent(3, 0x40 + i, i * 2 + 1), 0);
    }
    assert_int_equal(sent(5, 0x51, 0xff), ALL);
    assert_int_equal(sent(5, 0x51 | 1 << 18, 0), 1U << 5);
    assert_int_equal(sent(5, 0x51 | 2 << 18, 0), ALL);
    assert_int_equal(sent(5, 0x51 | 3 << 18, 0), ALL & ~(1U << 5));
    /* Flat: a bit for each of eight. */
    for (u32 i = 0; i < 8; i++)
        put(i, LDR, 1U << i << 24 | 0xabcdef);
    assert_int_equal(get(2, LDR), 4U << 24);
    assert_int_equal(sent(0, 0x61 | LOGICAL, 0xa5), 0xa5);
    assert_int_equal(sent(0, 0x61 | LOGICAL, 0xff), ALL);
    assert_int_equal(sent(0, 0x61 | LOGICAL, 0), 0);
    /* Lowest priority: one of them. */
    u32 who = sent(0, 0x61 | LOGICAL | 1 << 8, 0xa4);
    assert_true(who && !(who & ~0xa4U) && !(who & (who - 1)));
    /* Not one that is switched off, if another is not. */
    put(2, SVR, 0xff);
    who = sent(0, 0x61 | LOGICAL | 1 << 8, 0xa4);
    assert_true(who && !(who & ~0xa0U) && !(who & (who - 1)));
    put(2, SVR, 0x1ff);
    /* Clusters of four. */
    for (u32 i = 0; i < VCPUS; i++) {
        put(i, DFR, 0x0fffffff);
        put(i, LDR, (i / 4 << 4 | 1U << (i % 4)) << 24);
    }
    assert_int_equal(get(1, DFR), 0x0fffffff);
    assert_int_equal(sent(0, 0x71 | LOGICAL, 0x15), 0x050);
    assert_int_equal(sent(0, 0x71 | LOGICAL, 0x2f), 0xf00);
    assert_int_equal(sent(0, 0x71 | LOGICAL, 0x30), 0);
    /* Nobody who is switched off takes interrupts; vectors below 16 are none. */
    put(7, SVR, 0xff);
    assert_int_equal(sent(0, 0x51, 0xff), ALL & ~(1U << 7));
    put(7, SVR, 0x1ff);
    assert_int_equal(receivers(0), 0);
    assert_int_equal(sent(0, 0xf, 0xff), 0);
}

static void addressed_x2(void **state)
{
    (void)state;
    enable_all();
    for (u32 i = 0; i < VCPUS; i++) {
        assert_true(put_msr(i, BASE, msr(i, BASE) | 0x400));
        assert_int_equal(msr(i, X2(ID)), i * 2);
        assert_int_equal(msr(i, X2(LDR)), (i * 2 / 16) << 16 | 1U << (i * 2 % 16));
    }
#define SENT(command, destination)                                               \
    ({                                                                           \
        assert_true(put_msr(1, X2(ICR), (u64)(destination) << 32 | (command)));  \
        assert_int_equal(msr(1, X2(ICR)), (u64)(destination) << 32 | (command)); \
        receivers((command)&0xff);                                               \
    })
    for (u32 i = 0; i < VCPUS; i++)
        assert_int_equal(SENT(0x40 + i, i * 2), 1U << i);
    assert_int_equal(SENT(0x55, 0xff), 0); /* one of 256 and no broadcast any more */
    assert_int_equal(SENT(0x55, ~0U), ALL);
    assert_int_equal(SENT(0x55 | LOGICAL, ~0U), ALL);
    assert_int_equal(SENT(0x55 | LOGICAL, 0x00000005), 1U << 0 | 1U << 1);
    assert_int_equal(SENT(0x55 | LOGICAL, 0x00010005), 1U << 8 | 1U << 9);
    assert_int_equal(SENT(0x55 | LOGICAL, 0x00020005), 0);
    assert_int_equal(SENT(0x55 | 3 << 18, 0), ALL & ~2U);
    assert_true(put_msr(4, X2(SELF_IPI), 0x99));
    assert_int_equal(receivers(0x99), 1U << 4);
    assert_false(put_msr(4, X2(SELF_IPI), 0x199));
    assert_int_equal(receivers(0x99), 0);
}

static void signals(void **state)
{
    (void)state;
    put(0, SVR, 0x1ff);
    /* NMI needs no enabled APIC. */
    assert_int_equal(sent(0, 4 << 8, 6), 0);
    for (u32 i = 0; i < VCPUS; i++)
        assert_int_equal(v[i]->v.nmi_pending, i == 3);
    assert_int_equal(kicks[3], 1);
    /* Start-up: to who waits for it. */
    assert_int_equal(sent(0, 6 << 8 | 0x9a, 4), 0);
    assert_int_equal(v[2]->lapic.signals, LAPIC_SIPI | 0x9a);
    assert_true(v[2]->v.initialised);
    assert_int_equal(ups[2], 1);
    v[2]->lapic.waits = false;
    v[2]->lapic.signals = 0;
    assert_int_equal(sent(0, 6 << 8 | 0x12, 4), 0);
    assert_int_equal(v[2]->lapic.signals, 0);
    assert_int_equal(ups[2], 1);
    /* INIT, which it has not seen yet when the start-up comes. */
    assert_int_equal(sent(0, 5 << 8 | 0xc000, 4), 0);
    assert_int_equal(v[2]->lapic.signals, LAPIC_INIT);
    assert_int_equal(sent(0, 5 << 8 | 0x8000, 4), 0); /* de-assert */
    assert_int_equal(sent(0, 6 << 8 | 0x12, 4), 0);
    assert_int_equal(v[2]->lapic.signals, LAPIC_INIT | LAPIC_SIPI | 0x12);
    assert_int_equal(ups[2], 2);
    assert_int_equal(sent(0, 5 << 8 | 0x8000, 8), 0);
    assert_int_equal(v[4]->lapic.signals, 0);
    assert_int_equal(sent(0, 5 << 8 | 3 << 18, 0), 0);
    for (u32 i = 0; i < VCPUS; i++)
        assert_int_equal(!(v[i]->lapic.signals & LAPIC_INIT), i == 0);
    /* SMI, and modes that are none: nothing. */
    memset(kicks, 0, sizeof(kicks));
    for (u32 mode = 2; mode < 8; mode += mode == 3 ? 4 : 1)
        assert_int_equal(sent(0, mode << 8 | 0x44, 0xff), 0);
    for (u32 i = 0; i < VCPUS; i++)
        assert_int_equal(kicks[i], 0);
}

/* ---- the timer ---- */

static void one_shot(void **state)
{
    static const u8 divide[16] = {2, 4, 8, 16, 2, 4, 8, 16, 32, 64, 128, 1, 32, 64, 128, 1};

    (void)state;
    put(0, SVR, 0x1ff);
    for (u32 code = 0; code < 16; code++) {
        ns_t length = 1000 * 10 * divide[code];

        put(0, DIVIDE, code);
        assert_int_equal(get(0, DIVIDE), code & 0xb);
        put(0, LVT_TIMER, 0x35);
        put(0, INITIAL, 1000);
        assert_int_equal(get(0, INITIAL), 1000);
        assert_int_equal(get(0, CURRENT), 1000);
        run(length / 2);
        assert_int_equal(get(0, CURRENT), 500);
        run(length / 2 - 1);
        assert_int_equal(lapic_highest(v[0]), -1);
        run(1);
        assert_int_equal(get(0, CURRENT), 0);
        assert_int_equal(take(0), 0x35);
        run(10 * length);
        assert_int_equal(take(0), -1);
    }
    /* Masked: it runs for nothing. Written again: it starts again. Zero: it stops. */
    put(0, DIVIDE, 0xb);
    put(0, LVT_TIMER, 0x35 | MASKED);
    put(0, INITIAL, 100);
    run(2000);
    assert_int_equal(take(0), -1);
    put(0, LVT_TIMER, 0x36);
    put(0, INITIAL, 100);
    run(900);
    put(0, INITIAL, 100);
    run(900);
    assert_int_equal(take(0), -1);
    run(100);
    assert_int_equal(take(0), 0x36);
    put(0, INITIAL, 100);
    put(0, INITIAL, 0);
    run(5000);
    assert_int_equal(take(0), -1);
    /* INIT stops it. */
    put(0, INITIAL, 100);
    lapic_reset(v[0]);
    put(0, SVR, 0x1ff);
    put(0, LVT_TIMER, 0x36);
    run(5000);
    assert_int_equal(take(0), -1);
    /* The longest there is: an hour and a half. */
    put(0, DIVIDE, 0xa);
    put(0, INITIAL, ~0U);
    run(~0U * 1280L - 1);
    assert_int_equal(take(0), -1);
    run(1);
    assert_int_equal(take(0), 0x36);
}

static void periodic(void **state)
{
    u32 count = 0;

    (void)state;
    put(0, SVR, 0x1ff);
    put(0, DIVIDE, 0xb);
    put(0, LVT_TIMER, PERIODIC | 0x77);
    put(0, INITIAL, 10000); /* 100 us */
    for (u32 i = 0; i < 10; i++) {
        run(99 * NS_US);
        assert_int_equal(take(0), -1);
        assert_in_range(get(0, CURRENT), 1, 10000);
        run(NS_US);
        assert_int_equal(take(0), 0x77);
    }
    /* A mode of its own: a change stops it. */
    put(0, LVT_TIMER, 0x77);
    assert_int_equal(get(0, CURRENT), 0);
    run(NS_MS);
    assert_int_equal(take(0), -1);
    /* A period too short to live with becomes one that is not. */
    put(0, LVT_TIMER, PERIODIC | 0x77);
    put(0, INITIAL, 1);
    for (u32 i = 0; i < 10000; i++) {
        run(NS_US);
        count += take(0) == 0x77;
        assert_int_equal(get(0, CURRENT), 1);
    }
    assert_in_range(count, 150, 201);
    put(0, INITIAL, 0);
    run(NS_MS);
    (void)take(0);
    run(NS_MS);
    assert_int_equal(take(0), -1);
}

static void deadline(void **state)
{
    u64 value;

    (void)state;
    put(0, SVR, 0x1ff);
    put(0, LVT_TIMER, 0x50);
    /* In another mode the deadline is nothing. */
    assert_true(put_msr(0, DEADLINES, ~0UL));
    assert_int_equal(msr(0, DEADLINES), 0);
    put(0, LVT_TIMER, DEADLINE | 0x50);
    put(0, INITIAL, 5);
    assert_int_equal(get(0, INITIAL), 0);
    /* Passed: at once. */
    assert_true(put_msr(0, DEADLINES, 1));
    run(0);
    assert_int_equal(take(0), 0x50);
    assert_int_equal(msr(0, DEADLINES), 0);
    /* The guest's own time counts; two ticks are a nanosecond. */
    v[0]->tsc_offset = 1UL << 60;
    value = __builtin_ia32_rdtsc() + (1UL << 60) + 1000 * 2000000000UL;
    assert_true(put_msr(0, DEADLINES, value));
    assert_int_equal(msr(0, DEADLINES), value);
    assert_int_equal(get(0, CURRENT), 0);
    run(980 * NS_SECOND);
    assert_int_equal(take(0), -1);
    run(20 * NS_SECOND);
    assert_int_equal(take(0), 0x50);
    assert_int_equal(msr(0, DEADLINES), 0);
    /* Zero: it stops. So does another mode, and a time that never comes is none. */
    assert_true(put_msr(0, DEADLINES, value));
    assert_true(put_msr(0, DEADLINES, 0));
    assert_false(timer_is_active(&v[0]->lapic.timer));
    assert_true(put_msr(0, DEADLINES, value + (1UL << 40)));
    assert_true(timer_is_active(&v[0]->lapic.timer));
    put(0, LVT_TIMER, 0x50);
    assert_false(timer_is_active(&v[0]->lapic.timer));
    assert_int_equal(msr(0, DEADLINES), 0);
    put(0, LVT_TIMER, DEADLINE | 0x50);
    v[0]->tsc_offset = 0;
    assert_true(put_msr(0, DEADLINES, ~0UL));
    assert_false(timer_is_active(&v[0]->lapic.timer));
    assert_int_equal(take(0), -1);
}

/* Registers put there from a record: the timer goes on by them. */
static void resume(void **state)
{
    (void)state;
    put(0, SVR, 0x1ff);
    put(0, DIVIDE, 0xb);
    put(0, LVT_TIMER, PERIODIC | 0x80);
    put(0, INITIAL, 10000);
    memcpy(v[1]->lapic.registers, v[0]->lapic.registers, sizeof(v[0]->lapic.registers));
    lapic_resume(v[1]);
    run(100 * NS_US);
    assert_int_equal(take(1), 0x80);
    put(2, SVR, 0x1ff);
    put(2, LVT_TIMER, DEADLINE | 0x81);
    v[2]->lapic.tsc_deadline = 1;
    lapic_resume(v[2]);
    run(0);
    assert_int_equal(take(2), 0x81);
}

/* ---- modes ---- */

static void modes(void **state)
{
    static const u32 bits[4] = {0, 0x800, 0xc00, 0x400}; /* off, xAPIC, x2APIC, no mode */
    /* SDM vol. 3, figure 11-27: from off, xAPIC, x2APIC to each. */
    static const bool may[3][4] = {{1, 1, 0, 0}, {1, 1, 1, 0}, {1, 0, 1, 0}};

    (void)state;
    for (u32 n = 0; n < 2; n++)
        for (u32 from = 0; from < 3; from++)
            for (u32 to = 0; to < 4; to++) {
                u64 fixed = 0xfee00000 | (n ? 0 : 0x100), was = fixed | bits[from];

                lapic_reset(v[n]);
                v[n]->lapic.base = was;
                assert_int_equal(put_msr(n, BASE, fixed | bits[to]), may[from][to]);
                assert_int_equal(msr(n, BASE), may[from][to] ? fixed | bits[to] : was);
            }
    /* Reserved bits, another place; the flag of the first CPU does not change. */
    v[0]->lapic.base = 0xfee00900;
    for (u32 bit = 0; bit < 64; bit++)
        if (bit != 8 && bit != 10 && bit != 11)
            assert_false(put_msr(0, BASE, 0xfee00900 ^ 1UL << bit));
    assert_true(put_msr(0, BASE, 0xfee00800));
    assert_int_equal(msr(0, BASE), 0xfee00900);
    /* Off and on again is a reset. */
    put(0, SVR, 0x1ff);
    lapic_set(v[0], 0x40, false);
    assert_true(put_msr(0, BASE, 0xfee00d00));
    assert_int_equal(msr(0, X2(ID)), 0);
    assert_int_equal(lapic_highest(v[0]), 0x40); /* stays over the change to x2APIC */
    assert_true(put_msr(0, BASE, 0xfee00100));
    assert_true(put_msr(0, BASE, 0xfee00900));
    assert_int_equal(get(0, SVR), 0xff);
    assert_int_equal(lapic_highest(v[0]), -1);
    v[5]->lapic.base = 0xfee00800;
    assert_true(put_msr(5, BASE, 0xfee00c00));
    assert_int_equal(msr(5, X2(ID)), 10);
    assert_true(put_msr(5, BASE, 0xfee00000));
    assert_true(put_msr(5, BASE, 0xfee00800));
    assert_int_equal(get(5, ID), 10U << 24);
}

static void by_msr(void **state)
{
    static const u16 readable[] = {ID,    VERSION,   TPR,       PPR,     LDR,   SVR,
                                   ISR,   0x170,     TMR,       0x1f0,   IRR,   0x270,
                                   ESR,   ICR,       LVT_TIMER, 0x330,   0x340, 0x350,
                                   0x360, LVT_ERROR, INITIAL,   CURRENT, DIVIDE};
    static const u16 writable[] = {TPR,   EOI,   SVR,   ESR,       ICR,     LVT_TIMER, 0x330,
                                   0x340, 0x350, 0x360, LVT_ERROR, INITIAL, DIVIDE,    SELF_IPI};
    u64 value;

    (void)state;
    for (u32 number = 0x800; number < 0x840; number++) {
        assert_false(lapic_read_msr(v[0], number, &value)); /* xAPIC mode has none */
        assert_false(put_msr(0, number, 0));
    }
    assert_true(put_msr(0, BASE, msr(0, BASE) | 0x400));
    for (u32 number = 0x800; number < 0x840; number++) {
        bool can_read = false, can_write = false;
        u32 offset = (number - 0x800) * 16;

        for (u32 i = 0; i < ARRAY_SIZE(readable); i++)
            can_read |= readable[i] == offset;
        for (u32 i = 0; i < ARRAY_SIZE(writable); i++)
            can_write |= writable[i] == offset;
        can_read |= offset >= ISR && offset < ESR;
        assert_int_equal(lapic_read_msr(v[0], number, &value), can_read);
        assert_int_equal(put_msr(0, number, 0), can_write);
        if (offset != ICR)
            assert_false(put_msr(0, number, 1UL << 32));
    }
    assert_false(put_msr(0, X2(EOI), 1));
    assert_false(put_msr(0, X2(ESR), 1));
}

/* ---- anything ---- */

static void reserved_stay_zero(u32 n)
{
    assert_int_equal(get(n, TPR) & ~0xffU, 0);
    assert_int_equal(get(n, SVR) & ~0x1ffU, 0);
    assert_int_equal(get(n, VERSION), 0x50014);
    assert_int_equal(get(n, ESR), 0);
    assert_int_equal(get(n, LVT_TIMER) & ~0x710ffU, 0);
    assert_int_equal(get(n, LVT_ERROR) & ~0x110ffU, 0);
    assert_int_equal(get(n, 0x350) & ~0x1b7ffU, 0);
    assert_int_equal(get(n, 0x330) & ~0x117ffU, 0);
    assert_int_equal(get(n, DIVIDE) & ~0xbU, 0);
    assert_int_equal(get(n, DFR) & 0x0fffffff, 0x0fffffff);
    assert_int_equal(get(n, ICR) & 0x1000, 0);
    assert_true(lapic_highest(v[n]) < 256);
}

static void garbage(void **state)
{
    (void)state;
    for (u32 round = 0; round < 200000; round++) {
        u32 n = (u32)rand() % VCPUS, value = (u32)rand() * 3U + ((u32)rand() << 16);
        u32 offset = rand() % 8 ? (u32)rand() % 64 * 16 : (u32)rand() % 4096 & ~3U;
        u64 out;

        if (rand() % 4 == 0)
            value = (u32)1 << rand() % 32;
        switch (rand() % 8) {
        case 0:
            (void)get(n, offset);
            break;
        case 1:
            (void)lapic_read_msr(v[n], 0x800 + (u32)rand() % 64, &out);
            break;
        case 2:
            (void)put_msr(n, 0x800 + (u32)rand() % 64,
                          rand() % 4 ? value : (u64)rand() << 40 | value);
            break;
        case 3:
            (void)put_msr(n, rand() % 2 ? BASE : DEADLINES,
                          rand() % 2 ? 0xfee00000UL | (value & 0xd00) : (u64)rand() << 33);
            break;
        case 4:
            run(rand() % (2 * NS_US));
            (void)take(n);
            break;
        default:
            put(n, offset, value);
        }
        reserved_stay_zero(n);
        if (round % 1000 == 0)
            v[n]->lapic.signals = 0, v[n]->lapic.waits = rand() % 2;
    }
}

/* A record may hold anything in any register. */
static void any_record(void **state)
{
    (void)state;
    for (u32 round = 0; round < 3000; round++) {
        u32 n = (u32)rand() % VCPUS;

        for (u32 i = 0; i < ARRAY_SIZE(v[n]->lapic.registers); i++)
            v[n]->lapic.registers[i] = rand() % 3 ? (u32)rand() * 2U + (u32)rand() % 2 : 0;
        v[n]->lapic.tsc_deadline = rand() % 2 ? 0 : (u64)rand() << 32;
        lapic_resume(v[n]);
        for (u32 offset = 0; offset < 4096; offset += 4)
            (void)get(n, offset);
        run(100 * NS_US);
        assert_true(lapic_highest(v[n]) < 256);
        (void)take(n);
        if (round % 3 == 0)
            lapic_reset(v[n]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(after_power_up), TEST(order),    TEST(addressed),  TEST(addressed_x2), TEST(signals),
        TEST(one_shot),       TEST(periodic), TEST(deadline),   TEST(resume),       TEST(modes),
        TEST(by_msr),         TEST(garbage),  TEST(any_record),
    };

    srand(1);
    return cmocka_run_group_tests_name("lapic", tests, NULL, NULL);
}
