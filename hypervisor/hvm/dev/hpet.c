/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The high-precision event timer (IA-PC HPET specification 1.0a): a counter of
 * 16 ns ticks and three timers, which may stand in for PIT and RTC or use pins
 * 20-23 of the IO-APIC. The interface's record has the registers as the guest
 * sees them; the counter's is right while it stands still or after hpet_sync.
 * The lock is the board's.
 */
#include "hvm/dev/devices.h"

#define TICK_NS    16
#define CAPABILITY (0x8086a201UL | TICK_NS * 1000000UL << 32) /* 3 timers of 64 bits, legacy */
#define PINS       0x00f00000U
#define TINY_TICKS (NS_MS / TICK_NS) /* a time that has just passed, not one far ahead */

enum { CAPABILITIES = 0, CONFIG = 0x10, STATUS = 0x20, COUNTER = 0xf0, TIMERS = 0x100 };
enum { TIMER_CONFIG = 0, TIMER_COMPARE = 8 };
#define ENABLED      1U
#define LEGACY       2U
#define LEVEL        2U
#define INTERRUPTS   4U
#define PERIODIC     8U
#define CAN_PERIODIC 0x10U
#define CAN_64       0x20U
#define SET_COMPARE  0x40U
#define WIDTH_32     0x100U
#define WRITABLE     0x3f4eU

bool hpet_legacy(const struct hvm_devices *x)
{
    return (x->hpet.hw.config & (ENABLED | LEGACY)) == (ENABLED | LEGACY);
}

static u64 counter(const struct hvm_devices *x)
{
    ns_t passed = clock_now() - x->hpet.start;

    return x->hpet.hw.mc64 +
           (x->hpet.hw.config & ENABLED && passed > 0 ? (u64)passed / TICK_NS : 0);
}

void hpet_sync(struct hvm_devices *x)
{
    u64 now = counter(x);

    /* No part of a tick is lost, however often somebody looks. */
    if (x->hpet.hw.config & ENABLED)
        x->hpet.start += (ns_t)(now - x->hpet.hw.mc64) * TICK_NS;
    else
        x->hpet.start = clock_now();
    x->hpet.hw.mc64 = now;
}

/* How far the comparator is ahead; negative: behind. */
static s64 ahead(const struct hvm_devices *x, u32 n)
{
    u64 left = x->hpet.hw.timers[n].cmp - counter(x);

    return x->hpet.hw.timers[n].config & WIDTH_32 ? (s32)left : (s64)left;
}

static void raise(struct hvm_devices *x, u32 n)
{
    u64 config = x->hpet.hw.timers[n].config;
    u32 pin = config >> 9 & 31;

    if (config & LEVEL)
        x->hpet.hw.isr |= 1U << n;
    if (!(config & INTERRUPTS))
        return;
    if (hpet_legacy(x) && n < 2) {
        isa_irq_set(x, n ? ISA_IRQ_RTC : ISA_IRQ_PIT, true);
        isa_irq_set(x, n ? ISA_IRQ_RTC : ISA_IRQ_PIT, false);
    } else if (PINS >> pin & 1) {
        x->hpet.lines |= BIT(pin);
        lines_update(x);
    }
}

/* Lines are up for what is in the status register. */
static void lines_follow(struct hvm_devices *x)
{
    const struct hvm_hw_hpet *h = &x->hpet.hw;

    x->hpet.lines = 0;
    for (u32 n = 0; n < HPET_TIMERS; n++)
        if ((h->isr >> n & 1) &&
            (h->timers[n].config & (LEVEL | INTERRUPTS)) == (LEVEL | INTERRUPTS) &&
            !(hpet_legacy(x) && n < 2))
            x->hpet.lines |= BIT(h->timers[n].config >> 9 & 31) & PINS;
    lines_update(x);
}

/* A periodic comparator is always ahead. */
static void advance(struct hvm_devices *x, u32 n)
{
    u64 period = x->hpet.hw.period[n], *cmp = &x->hpet.hw.timers[n].cmp;
    u32 config = (u32)x->hpet.hw.timers[n].config;
    s64 left = ahead(x, n);

    if (config & WIDTH_32)
        period = (u32)period;
    if (!(config & PERIODIC) || !period || left > 0)
        return;
    *cmp += ((u64)-left / period + 1) * period;
    if (config & WIDTH_32)
        *cmp = (u32)*cmp;
}

/* A time that has just passed while it was being written is now; others come around again,
 * with 64 bits never. */
static void arm(struct hvm_devices *x, u32 n, bool written)
{
    u64 config = x->hpet.hw.timers[n].config;
    ns_t *due = &x->hpet.due[n];
    s64 left = ahead(x, n);

    if (left < 0 && written && (left >= -TINY_TICKS || !(config & WIDTH_32)))
        left = 0;
    if (config & WIDTH_32)
        left = (u32)left;
    *due = NS_NEVER;
    if ((x->hpet.hw.config & ENABLED) && (config & (INTERRUPTS | LEVEL)) && left + written > 0 &&
        left < NS_NEVER / TICK_NS / 2)
        *due = clock_now() + left * TICK_NS;
    device_arm(x, &x->hpet.timer, MIN(MIN(x->hpet.due[0], x->hpet.due[1]), x->hpet.due[2]));
}

static void over(void *arg)
{
    struct hvm_devices *x = arg;

    spin_hold(&x->lock);
    for (u32 n = 0; n < HPET_TIMERS; n++)
        if (x->hpet.due[n] <= clock_now()) {
            raise(x, n);
            lines_follow(x);
            advance(x, n);
            arm(x, n, false);
        }
}

static void arm_all(struct hvm_devices *x)
{
    lines_follow(x);
    for (u32 n = 0; n < HPET_TIMERS; n++)
        arm(x, n, false);
}

static void compare_write(struct hvm_devices *x, u32 n, u64 value)
{
    u64 *config = &x->hpet.hw.timers[n].config;

    if (*config & WIDTH_32)
        value = (u32)value;
    if (!(*config & PERIODIC) || (*config & SET_COMPARE))
        x->hpet.hw.timers[n].cmp = value;
    x->hpet.hw.period[n] = value;
    *config &= ~(u64)SET_COMPARE;
    arm(x, n, true);
}

static void timer_write(struct hvm_devices *x, u32 at, u64 value)
{
    u32 n = (at - TIMERS) / 32;
    u64 *config = &x->hpet.hw.timers[n].config;

    switch (at % 32) {
    case TIMER_CONFIG:
        *config = (*config & ~(u64)WRITABLE) | (value & WRITABLE);
        if (*config & WIDTH_32) {
            x->hpet.hw.timers[n].cmp = (u32)x->hpet.hw.timers[n].cmp;
            x->hpet.hw.period[n] = (u32)x->hpet.hw.period[n];
        }
        arm(x, n, false);
        lines_follow(x);
        break;
    case TIMER_COMPARE:
        compare_write(x, n, value);
        break;
    }
}

static void register_write(struct hvm_devices *x, u32 at, u64 value)
{
    struct hvm_hw_hpet *h = &x->hpet.hw;

    switch (at) {
    case CONFIG:
        hpet_sync(x);
        h->config = value & (ENABLED | LEGACY);
        arm_all(x);
        break;
    case STATUS:
        h->isr &= ~value;
        lines_follow(x);
        break;
    case COUNTER: /* it has to stand still for that */
        if (!(h->config & ENABLED))
            h->mc64 = value;
        break;
    case TIMERS ... TIMERS + HPET_TIMERS * 32 - 1:
        timer_write(x, at, value);
        break;
    }
}

bool hpet_access(struct hvm_vcpu *v, u64 address, u32 bytes, bool write, u64 *value)
{
    struct hvm_devices *x = devices_of(v);
    u32 at = address & (HPET_BYTES - 1), shift = (at & 7) * 8;
    u64 all, mask = ~0UL >> (64 - 8 * bytes);

    if (!READ_ONCE(x->d->params[HVM_PARAM_HPET_ENABLED]))
        return false;
    if (bytes < 4 || (at & (bytes - 1)))
        return true;
    hpet_sync(x);
    for (u32 n = 0; n < HPET_TIMERS; n++)
        if (x->hpet.hw.config & ENABLED)
            advance(x, n);
    memcpy(&all, (const u8 *)&x->hpet.hw + (at & ~7U), sizeof(all));
    if (write)
        register_write(x, at & ~7U, (all & ~(mask << shift)) | *value << shift);
    else
        *value = all >> shift & mask;
    return true;
}

void hpet_resume(struct hvm_devices *x)
{
    struct hvm_hw_hpet *h = &x->hpet.hw;

    h->capability = CAPABILITY;
    h->config &= ENABLED | LEGACY;
    h->isr &= (1U << HPET_TIMERS) - 1;
    for (u32 n = 0; n < HPET_TIMERS; n++)
        h->timers[n].config = (h->timers[n].config & WRITABLE) | CAN_PERIODIC | CAN_64 |
                              (u64)PINS << 32;
    x->hpet.start = clock_now();
    arm_all(x);
}

void hpet_init(struct hvm_devices *x)
{
    timer_init(&x->hpet.timer, over, x, this_cpu_id());
    for (u32 n = 0; n < HPET_TIMERS; n++)
        x->hpet.hw.timers[n].cmp = ~0UL;
    hpet_resume(x);
}
