/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MC146818 clock: registers 0-13 behind ports 0x70 and 0x71, ISA interrupt
 * 8. The memory behind them is the device model's, so it gets those accesses.
 *
 * The date is the domain's wall-clock time, computed when somebody looks; a
 * guest that sets it moves the domain's offset. What happened since the last
 * look (an update, a periodic event) is found from the time, too, and we have
 * a timer of our own only while a guest wants an interrupt that is not pending
 * already. The lock is the board's.
 */
#include "hvm/dev/devices.h"
#include "platform/rtc.h"

enum { SECONDS, MINUTES = 2, HOURS = 4, WEEKDAY = 6, DAY, MONTH, YEAR, A, B, C, D };
#define A_UPDATING 0x80
#define A_DIVIDER  0x70 /* 0x20: it runs */
#define B_SET      0x80
#define B_BINARY   0x04
#define B_24_HOURS 0x02
#define C_PENDING  0x80
#define C_PERIODIC 0x40
#define C_ALARM    0x20
#define C_UPDATE   0x10
#define C_CAUSES   0x70
#define D_VALID    0x80
#define HOURS_PM   0x80
#define DAY_S      86400U
#define OFFSET_MAX (1L << 32)
#define UPDATE_NS  (244 * NS_US) /* announced that long before */

/* Nanoseconds since 1970 on the guest's clock. */
static u64 wall(const struct hvm_devices *x)
{
    u64 seconds;
    u32 ns;

    clock_wall_get(&seconds, &ns);
    return seconds * NS_SECOND + ns + (u64)clock_now() + (u64)x->d->d.wall_offset;
}

static u8 encode(const struct hvm_hw_rtc *r, u32 value)
{
    return (u8)(r->cmos_data[B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static u32 decode(const struct hvm_hw_rtc *r, u32 value)
{
    return r->cmos_data[B] & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

static u8 encode_hours(const struct hvm_hw_rtc *r, u32 hours)
{
    if (r->cmos_data[B] & B_24_HOURS)
        return encode(r, hours);
    return encode(r, (hours + 11) % 12 + 1) | (hours >= 12 ? HOURS_PM : 0);
}

/* The date's registers from a time. */
static void show(struct hvm_hw_rtc *r, u64 seconds)
{
    u32 of_day = seconds % DAY_S, month, day;
    s64 days = (s64)(seconds / DAY_S), year;

    calendar_date(days, &year, &month, &day);
    r->cmos_data[SECONDS] = encode(r, of_day % 60);
    r->cmos_data[MINUTES] = encode(r, of_day / 60 % 60);
    r->cmos_data[HOURS] = encode_hours(r, of_day / 3600);
    r->cmos_data[WEEKDAY] = encode(r, (u32)((days + 4) % 7) + 1);
    r->cmos_data[DAY] = encode(r, day);
    r->cmos_data[MONTH] = encode(r, month);
    r->cmos_data[YEAR] = encode(r, (u32)(year % 100));
}

/* The domain's time from the date's registers, in this century. */
static void adopt(struct hvm_devices *x)
{
    struct hvm_hw_rtc *r = &x->rtc.hw;
    u32 hours = r->cmos_data[HOURS], pm = hours & HOURS_PM;
    s64 days = calendar_days(2000 + decode(r, r->cmos_data[YEAR]) % 100,
                             decode(r, r->cmos_data[MONTH]), decode(r, r->cmos_data[DAY]));
    s64 seconds;

    if (r->cmos_data[B] & B_24_HOURS)
        hours = decode(r, hours);
    else
        hours = decode(r, hours & ~HOURS_PM) % 12 + (pm ? 12 : 0);
    seconds = days * DAY_S + hours * 3600 + decode(r, r->cmos_data[MINUTES]) * 60 +
              decode(r, r->cmos_data[SECONDS]);
    /* Whatever the toolstack has made of the offset: the sum is right. */
    x->d->d.wall_offset =
        (ns_t)((u64)x->d->d.wall_offset + ((u64)seconds - wall(x) / NS_SECOND) * NS_SECOND);
    x->rtc.second = wall(x) / NS_SECOND;
    x->rtc.was_set = true;
}

/* Between two periodic events; 0: there are none. */
static ns_t period(const struct hvm_hw_rtc *r)
{
    u32 rate = r->cmos_data[A] & 15;

    return !rate || (r->cmos_data[A] & A_DIVIDER) != 0x20
               ? 0
               : NS_SECOND >> (16 - (rate < 3 ? rate + 7 : rate));
}

/* Bits 7-6 set: any. */
static bool alarm_at(const struct hvm_hw_rtc *r, u32 reg)
{
    u8 at = r->cmos_data[reg + 1];

    return at >= 0xc0 || at == r->cmos_data[reg];
}

/* What has happened until now, the interrupt, and when to look again. */
void rtc_sync(struct hvm_devices *x)
{
    struct hvm_hw_rtc *r = &x->rtc.hw;
    u8 *cause = &r->cmos_data[C], *wants = &r->cmos_data[B];
    u64 time = wall(x), second = time / NS_SECOND, now = (u64)clock_now();
    ns_t length = period(r), when = NS_NEVER;

    if (!(*wants & B_SET) && second != x->rtc.second) {
        show(r, second);
        *cause |= C_UPDATE;
        if (alarm_at(r, SECONDS) && alarm_at(r, MINUTES) && alarm_at(r, HOURS))
            *cause |= C_ALARM;
    }
    x->rtc.second = second;
    if (length && now / (u64)length != x->rtc.tick)
        *cause |= C_PERIODIC;
    x->rtc.tick = length ? now / (u64)length : 0;
    if (*cause & *wants & C_CAUSES)
        *cause |= C_PENDING;
    isa_irq_set(x, ISA_IRQ_RTC, (*cause & C_PENDING) && !hpet_legacy(x));
    if (length && (*wants & ~*cause & C_PERIODIC))
        when = (ns_t)(x->rtc.tick + 1) * length;
    if (!(*wants & B_SET) && (*wants & ~*cause & (C_ALARM | C_UPDATE)))
        when = MIN(when, (ns_t)(now + NS_SECOND - time % NS_SECOND));
    device_arm(x, &x->rtc.timer, when);
}

static void over(void *arg)
{
    struct hvm_devices *x = arg;

    spin_hold(&x->lock);
    rtc_sync(x);
}

static u8 read(struct hvm_devices *x)
{
    struct hvm_hw_rtc *r = &x->rtc.hw;
    u32 n = r->cmos_index;
    u8 value;

    rtc_sync(x);
    if (n == A && !(r->cmos_data[B] & B_SET) && wall(x) % NS_SECOND >= NS_SECOND - UPDATE_NS)
        return r->cmos_data[A] | A_UPDATING;
    value = r->cmos_data[n];
    if (n == C) {
        r->cmos_data[C] = 0;
        rtc_sync(x);
    }
    return value;
}

static void write(struct hvm_devices *x, u8 value)
{
    struct hvm_hw_rtc *r = &x->rtc.hw;
    u32 n = r->cmos_index;
    bool was_set;

    rtc_sync(x);
    was_set = r->cmos_data[B] & B_SET;
    switch (n) {
    case C:
    case D:
        return;
    case A:
        r->cmos_data[A] = value & ~A_UPDATING;
        x->rtc.tick = period(r) ? (u64)clock_now() / (u64)period(r) : 0;
        break;
    case B:
        r->cmos_data[B] = value & B_SET ? value & ~C_UPDATE : value;
        if (was_set && !(value & B_SET))
            adopt(x);
        else if (!was_set) /* in the form that it asks for now */
            show(r, x->rtc.second);
        break;
    default:
        r->cmos_data[n] = value;
        if (!was_set && n != SECONDS + 1 && n != MINUTES + 1 && n != HOURS + 1)
            adopt(x);
    }
    rtc_sync(x);
}

bool rtc_access(struct hvm_vcpu *v, u64 address, u32 bytes, bool writes, u64 *value)
{
    struct hvm_devices *x = devices_of(v);
    u8 *index = &x->rtc.hw.cmos_index;

    if (bytes != 1)
        return true;
    if (!(address & 1)) {
        if (writes)
            *index = *value & 0x7f;
        return writes && *index < RTC_CMOS_SIZE;
    }
    if (*index >= RTC_CMOS_SIZE)
        return false;
    if (writes)
        write(x, (u8)*value);
    else
        *value = read(x);
    return true;
}

void rtc_resume(struct hvm_devices *x)
{
    s64 offset = x->rtc.hw.rtc_offset;

    /* The toolstack's word comes before that of a record. */
    if (!x->d->d.wall_offset && offset < OFFSET_MAX && offset > -OFFSET_MAX) {
        x->d->d.wall_offset = offset * NS_SECOND;
        x->rtc.was_set = offset;
    }
    x->rtc.hw.cmos_index &= 0x7f;
    x->rtc.hw.cmos_data[A] &= (u8)~A_UPDATING;
    x->rtc.hw.cmos_data[D] = D_VALID;
    x->rtc.second = wall(x) / NS_SECOND;
    x->rtc.tick = period(&x->rtc.hw) ? (u64)clock_now() / (u64)period(&x->rtc.hw) : 0;
    if (!(x->rtc.hw.cmos_data[B] & B_SET))
        show(&x->rtc.hw, x->rtc.second);
    rtc_sync(x);
}

void rtc_init(struct hvm_devices *x)
{
    timer_init(&x->rtc.timer, over, x, this_cpu_id());
    x->rtc.hw.cmos_data[A] = 0x26; /* the usual rate: 1024 Hz */
    x->rtc.hw.cmos_data[B] = B_24_HOURS;
    rtc_resume(x);
}
