/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 8254 timer (ports 0x40-0x43): channel 0 is ISA interrupt 0, channel 2
 * has its gate and output at port 0x61, where the speaker is. A channel's
 * count is computed from when it was loaded; only channel 0 has a timer of
 * ours. Decimal counting is not there. The lock is the board's.
 *
 * Nobody but firmware and a kernel's first moments use it: a gate that closes
 * does not stop a count under way, it starts anew when the gate opens.
 */
#include "hvm/dev/devices.h"

#define PIT_HZ 1193182
#define GATE2  1U

/* Which byte is next, and of a control word which bytes there are. */
enum { LOW = 1, HIGH = 2, BOTH = 3, BOTH_HIGH = 4 };
enum { ONE_SHOT, RETRIGGERED, RATE, SQUARE, STROBE, TRIGGERED_STROBE };

static u64 elapsed(const struct hvm_devices *x, u32 n)
{
    ns_t passed = clock_now() - x->pit.start[n];

    return passed > 0 ? mul_div((u64)passed, PIT_HZ, NS_SECOND) : 0;
}

static u32 counter(const struct hvm_devices *x, u32 n)
{
    const struct hvm_hw_pit_channel *c = &x->pit.hw.channels[n];
    u64 ticks = elapsed(x, n);

    if (c->mode == SQUARE)
        return c->count - (u32)(2 * ticks % c->count);
    return c->mode == RATE ? c->count - (u32)(ticks % c->count) : (u32)(c->count - ticks) & 0xffff;
}

static bool output(const struct hvm_devices *x, u32 n)
{
    const struct hvm_hw_pit_channel *c = &x->pit.hw.channels[n];
    u64 ticks = elapsed(x, n);

    switch (c->mode) {
    case ONE_SHOT:
    case RETRIGGERED:
        return ticks >= c->count;
    case RATE:
        return ticks % c->count != c->count - 1;
    case SQUARE:
        return ticks % c->count < (c->count + 1) / 2;
    default:
        return ticks != c->count;
    }
}

static bool periodic(const struct hvm_devices *x)
{
    u32 mode = x->pit.hw.channels[0].mode;

    return mode == RATE || mode == SQUARE;
}

static ns_t period(const struct hvm_devices *x)
{
    return (ns_t)mul_div(x->pit.hw.channels[0].count, NS_SECOND, PIT_HZ);
}

static void over(void *arg)
{
    struct hvm_devices *x = arg;
    ns_t now = clock_now();

    spin_hold(&x->lock);
    if (x->pit.due <= now) {
        if (periodic(x))
            device_advance(&x->pit.due, period(x), now);
        else
            x->pit.due = NS_NEVER;
        if (!hpet_legacy(x)) {
            isa_irq_set(x, ISA_IRQ_PIT, true);
            isa_irq_set(x, ISA_IRQ_PIT, false);
        }
        device_arm(x, &x->pit.timer, x->pit.due);
    }
}

/* A count begins. */
static void start(struct hvm_devices *x, u32 n)
{
    const struct hvm_hw_pit_channel *c = &x->pit.hw.channels[n];

    x->pit.start[n] = clock_now();
    if (n)
        return;
    x->pit.due = periodic(x) || c->mode == ONE_SHOT || c->mode == STROBE
                     ? x->pit.start[0] + period(x)
                     : NS_NEVER; /* its gate never opens anew */
    device_arm(x, &x->pit.timer, x->pit.due);
}

static void load(struct hvm_devices *x, u32 n, u32 count)
{
    x->pit.hw.channels[n].count = count ? count : 0x10000;
    start(x, n);
}

static void latch(struct hvm_devices *x, u32 n)
{
    struct hvm_hw_pit_channel *c = &x->pit.hw.channels[n];

    if (c->count_latched)
        return;
    c->latched_count = (u16)counter(x, n);
    c->count_latched = c->rw_mode;
}

static void read_back(struct hvm_devices *x, u32 value)
{
    for (u32 n = 0; n < 3; n++) {
        struct hvm_hw_pit_channel *c = &x->pit.hw.channels[n];

        if (!(value >> (n + 1) & 1))
            continue;
        if (!(value & 0x20))
            latch(x, n);
        if (!(value & 0x10) && !c->status_latched) {
            c->status = (u8)(output(x, n) << 7 | (c->rw_mode & 3) << 4 | (c->mode & 7) << 1);
            c->status_latched = 1;
        }
    }
}

static void control(struct hvm_devices *x, u32 value)
{
    u32 n = value >> 6, bytes = value >> 4 & 3, mode = value >> 1 & 7;
    struct hvm_hw_pit_channel *c = &x->pit.hw.channels[n];

    if (n == 3) {
        read_back(x, value);
        return;
    }
    if (!bytes) {
        latch(x, n);
        return;
    }
    c->rw_mode = c->read_state = c->write_state = (u8)bytes;
    c->mode = (u8)(mode > TRIGGERED_STROBE ? mode - 4 : mode);
    c->count_latched = c->status_latched = 0;
    x->pit.start[n] = clock_now();
    if (!n) { /* until its count comes */
        x->pit.due = NS_NEVER;
        timer_stop(&x->pit.timer);
    }
}

static void write(struct hvm_devices *x, u32 n, u32 value)
{
    struct hvm_hw_pit_channel *c = &x->pit.hw.channels[n];

    switch (c->write_state) {
    case LOW:
        load(x, n, value);
        break;
    case HIGH:
        load(x, n, value << 8);
        break;
    case BOTH:
        c->write_latch = (u8)value;
        c->write_state = BOTH_HIGH;
        break;
    default:
        c->write_state = BOTH;
        load(x, n, c->write_latch | value << 8);
    }
}

static u8 read(struct hvm_devices *x, u32 n)
{
    struct hvm_hw_pit_channel *c = &x->pit.hw.channels[n];
    u8 *state = c->count_latched ? &c->count_latched : &c->read_state, now = *state;
    u32 count = c->count_latched ? c->latched_count : counter(x, n);

    if (c->status_latched) {
        c->status_latched = 0;
        return c->status;
    }
    if (state == &c->count_latched)
        *state = now == BOTH ? BOTH_HIGH : 0;
    else if (now >= BOTH)
        *state = now == BOTH ? BOTH_HIGH : BOTH;
    return (u8)(now == HIGH || now == BOTH_HIGH ? count >> 8 : count);
}

bool pit_access(struct hvm_vcpu *v, u64 address, u32 bytes, bool writes, u64 *value)
{
    struct hvm_devices *x = devices_of(v);
    u32 n = address & 3;

    if (bytes != 1)
        return true;
    if (!writes)
        *value = n < 3 ? read(x, n) : 0xff;
    else if (n == 3)
        control(x, (u32)*value);
    else
        write(x, n, (u32)*value);
    return true;
}

/* Port 0x61: gate 2, speaker; read also a clock of 15 us and output 2. */
bool speaker_access(struct hvm_vcpu *v, u64 address, u32 bytes, bool writes, u64 *value)
{
    struct hvm_devices *x = devices_of(v);
    struct hvm_hw_pit_channel *c = &x->pit.hw.channels[2];
    (void)address;

    if (bytes != 1)
        return true;
    if (writes) {
        bool opens = (*value & GATE2) && !c->gate;

        c->gate = *value & GATE2;
        x->pit.hw.speaker_data_on = *value >> 1 & 1;
        if (opens && c->mode != ONE_SHOT && c->mode != STROBE)
            start(x, 2);
    }
    *value = c->gate | x->pit.hw.speaker_data_on << 1 | (u64)(clock_now() / (15 * NS_US) & 1) << 4 |
             (u64)output(x, 2) << 5;
    return true;
}

/* Counts begin anew. */
void pit_resume(struct hvm_devices *x)
{
    for (u32 n = 0; n < 3; n++) {
        struct hvm_hw_pit_channel *c = &x->pit.hw.channels[n];

        c->gate = c->gate != 0;
        load(x, n, c->count & 0xffff);
    }
    x->pit.hw.speaker_data_on &= 1;
}

void pit_init(struct hvm_devices *x)
{
    timer_init(&x->pit.timer, over, x, this_cpu_id());
    for (u32 n = 0; n < 3; n++)
        x->pit.hw.channels[n] = (struct hvm_hw_pit_channel){.count = 0x10000,
                                                            .mode = RETRIGGERED,
                                                            .rw_mode = BOTH,
                                                            .read_state = BOTH,
                                                            .write_state = BOTH,
                                                            .gate = n != 2};
    pit_resume(x);
}
