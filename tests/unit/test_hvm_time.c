// sources: hvm/dev/devices.c hvm/dev/irq.c hvm/dev/pic.c hvm/dev/ioapic.c hvm/dev/pit.c
// sources: hvm/dev/rtc.c hvm/dev/hpet.c hvm/dev/pmtimer.c hvm/dev/lapic.c hvm/io.c
// sources: core/timer.c lib/tree.c lib/bitmap.c platform/rtc.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PIT, RTC, HPET and PM timer under a clock of the test's, as firmware and
 * kernels use them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/board_world.h"

#define LEVEL 0x8000U
#define D     (&world_domain.d)

static int setup(void **state)
{
    (void)state;
    srand(1);
    world_init();
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    world_end();
    return 0;
}

/* How many interrupts vCPU 0 gets in that time if it looks every `step`. */
static u32 interrupts(ns_t length, ns_t step, s32 vector)
{
    u32 count = 0;

    for (ns_t t = 0; t < length; t += step) {
        s32 got;

        world_run(step);
        while ((got = served(0)) >= 0) {
            assert_int_equal(got, vector);
            count++;
        }
    }
    return count;
}

/* ---- PIT ---- */

static void pit_set(u32 n, u32 mode, u32 count)
{
    outb(0x43, n << 6 | 0x30 | mode << 1);
    outb((u16)(0x40 + n), count & 0xff);
    outb((u16)(0x40 + n), count >> 8);
}
/* Two bytes, one after the other. */
static u32 word(u16 port)
{
    u32 low = inb(port);

    return low | (u32)inb(port) << 8;
}
static u32 pit_count(u32 n)
{
    outb(0x43, n << 6);
    return word((u16)(0x40 + n));
}

static void pit_periodic(void **state)
{
    u32 count;

    (void)state;
    pin(2, 0x30, 0);
    assert_int_equal(interrupts(NS_SECOND, NS_MS, 0x30), 0); /* nobody has started it */
    for (u32 mode = 2; mode < 8; mode = mode == 3 ? 6 : mode + 1) {
        pit_set(0, mode, 11932); /* 100 Hz */
        count = interrupts(NS_SECOND, NS_MS, 0x30);
        assert_in_range(count, 99, 100);
    }
    /* Missed ones are one late one, and then it is in step again. */
    pit_set(0, 2, 11932);
    world_now += 55 * NS_MS;
    assert_int_equal(interrupts(2 * NS_MS, NS_MS, 0x30), 1);
    assert_int_equal(interrupts(10 * NS_MS, NS_MS, 0x30), 1);
    /* The shortest period there is does not eat the machine. */
    pit_set(0, 2, 1);
    count = interrupts(10 * NS_MS, 10 * NS_US, 0x30);
    assert_in_range(count, 50, 210);
    outb(0x43, 0x34); /* until a count comes */
    assert_int_equal(interrupts(NS_SECOND, NS_MS, 0x30), 0);
}

static void pit_one_shot(void **state)
{
    (void)state;
    pin(2, 0x30, 0);
    pit_set(0, 0, 1193);
    assert_int_equal(interrupts(999 * NS_US, NS_US, 0x30), 0);
    assert_int_equal(interrupts(2 * NS_US, NS_US, 0x30), 1);
    assert_int_equal(interrupts(NS_SECOND, NS_MS, 0x30), 0);
    pit_set(0, 4, 1193);
    assert_int_equal(interrupts(NS_SECOND, NS_MS, 0x30), 1);
    pit_set(0, 1, 1193); /* its gate never opens anew */
    pit_set(0, 5, 1193);
    assert_int_equal(interrupts(NS_SECOND, NS_MS, 0x30), 0);
    pit_set(0, 0, 0); /* 65536 */
    assert_int_equal(interrupts(54 * NS_MS, NS_MS, 0x30), 0);
    assert_int_equal(interrupts(NS_MS, NS_MS, 0x30), 1);
}

static void pit_counters(void **state)
{
    (void)state;
    pit_set(0, 2, 10000);
    world_run(NS_MS); /* 1193 ticks */
    assert_int_equal(pit_count(0), 10000 - 1193);
    world_run(10 * NS_MS); /* 13125 */
    assert_int_equal(pit_count(0), 20000 - 13125);
    pit_set(0, 3, 10000); /* by twos */
    world_run(NS_MS);
    assert_int_equal(pit_count(0), 10000 - 2386);
    pit_set(1, 0, 1000);
    world_run(NS_MS);
    assert_int_equal(pit_count(1), 0x10000 - 193);
    /* A latched count stays until it is read. */
    outb(0x43, 0x40);
    world_run(NS_MS);
    outb(0x43, 0x40);
    assert_int_equal(inb(0x41), (0x10000 - 193) & 0xff);
    assert_int_equal(inb(0x41), 0xff);
    /* Without a latch, byte after byte. */
    assert_int_equal(word(0x41), 0x10000 + 1000 - 2386);
    /* One byte only. */
    outb(0x43, 0x90);
    outb(0x42, 200);
    world_run(84 * NS_US); /* 100 ticks */
    assert_int_equal(inb(0x42), 100);
    assert_int_equal(inb(0x42), 100);
    outb(0x43, 0xa0);
    outb(0x42, 2);
    assert_int_equal(inb(0x42), 2);
    assert_int_equal(in(0x40, 2), 0xffff);
    assert_int_equal(inb(0x43), 0xff);
}

static void pit_read_back(void **state)
{
    (void)state;
    pit_set(0, 2, 10000);
    outb(0x43, 0x90); /* channel 2: low byte, mode 0 */
    outb(0x42, 100);
    outb(0x43, 0xc0 | 0x08 | 0x02); /* counts and states of 2 and 0 */
    world_run(NS_MS);
    assert_int_equal(inb(0x40), 0xb4); /* output, both bytes, mode 2 */
    assert_int_equal(word(0x40), 10000);
    assert_int_equal(inb(0x42), 0x10);
    assert_int_equal(inb(0x42), 100);
    outb(0x43, 0xe0 | 0x08);
    assert_int_equal(inb(0x42), 0x90); /* it has come to its end */
    outb(0x43, 0xd0 | 0x08);           /* count only */
    assert_int_equal(inb(0x42), (u8)(100 - 1193));
}

/* How a kernel measures its processor: channel 2, gate open, until the output rises. */
static void pit_gate(void **state)
{
    ns_t start;
    u8 before;

    (void)state;
    outb(0x61, (inb(0x61) & ~2U) | 1);
    pit_set(2, 0, 59659);
    start = world_now;
    while (!(inb(0x61) & 0x20))
        world_run(10 * NS_US);
    assert_in_range(world_now - start, 50 * NS_MS - 20 * NS_US, 50 * NS_MS + 20 * NS_US);
    assert_int_equal(inb(0x61) & 3, 1);
    outb(0x61, 2);
    assert_int_equal(inb(0x61) & 3, 2);
    /* A gate that opens starts modes 1 to 3 and 5. */
    pit_set(2, 1, 1193);
    world_run(5 * NS_MS);
    assert_true(inb(0x61) & 0x20);
    outb(0x61, 1);
    assert_false(inb(0x61) & 0x20);
    world_run(1001 * NS_US);
    assert_true(inb(0x61) & 0x20);
    pit_set(2, 3, 1194);
    assert_true(inb(0x61) & 0x20);
    world_run(501 * NS_US);
    assert_false(inb(0x61) & 0x20);
    /* The clock in bit 4 changes. */
    before = inb(0x61);
    world_run(15 * NS_US);
    assert_true((inb(0x61) ^ before) & 0x10);
}

/* ---- RTC ---- */

static u8 cmos(u32 n)
{
    outb(0x70, n | 0x80); /* bit 7 is NMI's */
    return inb(0x71);
}
static void set_cmos(u32 n, u32 value)
{
    outb(0x70, n);
    outb(0x71, value);
}
static void expect_date(u32 year, u32 month, u32 day, u32 hours, u32 minutes, u32 seconds)
{
    assert_int_equal(cmos(9), year);
    assert_int_equal(cmos(8), month);
    assert_int_equal(cmos(7), day);
    assert_int_equal(cmos(4), hours);
    assert_int_equal(cmos(2), minutes);
    assert_int_equal(cmos(0), seconds);
}

static void rtc_date(void **state)
{
    (void)state;
    /* 1700001000: Tuesday 2023-11-14 22:30:00 */
    expect_date(0x23, 0x11, 0x14, 0x22, 0x30, 0);
    assert_int_equal(cmos(6), 3);
    assert_int_equal(cmos(10), 0x26);
    assert_int_equal(cmos(11), 2);
    assert_int_equal(cmos(13), 0x80);
    world_run(61 * NS_SECOND);
    expect_date(0x23, 0x11, 0x14, 0x22, 0x31, 1);
    set_cmos(11, 6);
    expect_date(23, 11, 14, 22, 31, 1);
    set_cmos(11, 4);
    expect_date(23, 11, 14, 0x80 | 10, 31, 1);
    set_cmos(11, 0);
    expect_date(0x23, 0x11, 0x14, 0x90, 0x31, 1);
    world_domain.d.wall_offset = 2 * 3600 * NS_SECOND;
    world_run(NS_SECOND);
    expect_date(0x23, 0x11, 0x15, 0x12, 0x31, 2); /* half past midnight */
}

static void rtc_set(void **state)
{
    (void)state;
    set_cmos(11, 0x82); /* stand still */
    set_cmos(9, 0x31);
    set_cmos(8, 2);
    set_cmos(7, 0x28);
    set_cmos(4, 0x23);
    set_cmos(2, 0x59);
    set_cmos(0, 0x58);
    world_run(5 * NS_SECOND);
    expect_date(0x31, 2, 0x28, 0x23, 0x59, 0x58);
    assert_int_equal(world_wall_updates, 0);
    set_cmos(11, 2);
    assert_int_equal(world_wall_updates, 1);
    expect_date(0x31, 2, 0x28, 0x23, 0x59, 0x58);
    world_run(3 * NS_SECOND);
    expect_date(0x31, 3, 1, 0, 0, 1);
    assert_int_equal(cmos(6), 7); /* Saturday */
    /* One register while it runs. */
    set_cmos(4, 0x12);
    assert_int_equal(world_wall_updates, 2);
    expect_date(0x31, 3, 1, 0x12, 0, 1);
    /* What no calendar has does no harm. */
    for (u32 i = 0; i < 2000; i++) {
        set_cmos((u32)rand() % 14, (u32)rand() % 256);
        world_run(rand() % NS_SECOND);
        (void)cmos((u32)rand() % 14);
    }
}

static void rtc_updating(void **state)
{
    (void)state;
    assert_int_equal(cmos(10) & 0x80, 0);
    world_run(NS_SECOND - 245 * NS_US);
    assert_int_equal(cmos(10) & 0x80, 0);
    world_run(2 * NS_US);
    assert_int_equal(cmos(10) & 0x80, 0x80);
    world_run(243 * NS_US);
    assert_int_equal(cmos(10) & 0x80, 0);
    assert_int_equal(cmos(12), 0x50); /* what nobody asked for is noted, too */
    assert_int_equal(cmos(12), 0);
}

static void rtc_interrupts(void **state)
{
    u32 count = 0;

    (void)state;
    pin(8, 0x38, 0);
    assert_int_equal(interrupts(3 * NS_SECOND, NS_MS, 0x38), 0);
    (void)cmos(12);
    set_cmos(11, 0x42); /* periodic: 1024 Hz */
    for (u32 i = 0; i < 4096; i++) {
        world_run(NS_SECOND / 4096);
        if (served(0) < 0)
            continue;
        count++;
        assert_int_equal(cmos(12) & 0xc0, 0xc0);
    }
    assert_in_range(count, 1022, 1025);
    set_cmos(10, 0x2f); /* 2 Hz */
    count = 0;
    for (u32 i = 0; i < 100; i++) {
        world_run(NS_SECOND / 10);
        if (served(0) >= 0)
            count++, (void)cmos(12);
    }
    assert_in_range(count, 19, 21);
    /* While nobody reads the cause there is no other. */
    count = interrupts(10 * NS_SECOND, NS_MS, 0x38);
    assert_in_range(count, 0, 1);
    assert_false(timer_is_active(&world_domain.devices->rtc.timer));
    /* After each second. */
    set_cmos(11, 0x12);
    (void)cmos(12);
    while (served(0) >= 0)
        (void)cmos(12);
    count = 0;
    for (u32 i = 0; i < 100; i++) {
        world_run(NS_SECOND / 10);
        if (served(0) >= 0)
            count++, assert_int_equal(cmos(12) & 0x90, 0x90);
    }
    assert_int_equal(count, 10);
    set_cmos(11, 0x92); /* while it is set there is none, and it is not wanted after that */
    assert_int_equal(cmos(11), 0x82);
}

static void rtc_alarm(void **state)
{
    (void)state;
    pin(8, 0x38, 0);
    set_cmos(5, 0x22);
    set_cmos(3, 0x31);
    set_cmos(1, 0x07);
    (void)cmos(12);
    set_cmos(11, 0x22);
    world_run(66 * NS_SECOND);
    assert_int_equal(served(0), -1);
    world_run(NS_SECOND);
    assert_int_equal(served(0), 0x38);
    assert_int_equal(cmos(12) & 0xa0, 0xa0);
    set_cmos(5, 0xff); /* every minute at second 7 */
    set_cmos(3, 0xc0);
    for (u32 i = 0; i < 3; i++) {
        world_run(59 * NS_SECOND);
        assert_int_equal(served(0), -1);
        world_run(NS_SECOND);
        assert_int_equal(served(0), 0x38);
        (void)cmos(12);
    }
}

/* Memory behind the clock is not ours: nothing of it is answered. */
static void rtc_memory(void **state)
{
    (void)state;
    assert_int_equal(cmos(14), 0xff);
    assert_int_equal(cmos(0x32), 0xff);
    outb(0x70, 14);
    assert_int_equal(world_domain.devices->rtc.hw.cmos_index, 14);
    outb(0x71, 0x55);
    assert_int_equal(cmos(14), 0xff);
    assert_int_equal(inb(0x70), 0xff);
    assert_int_equal(in(0x70, 2), 0xffff);
}

/* ---- HPET ---- */

#define H          HPET_BASE
#define TIMER(n)   (H + 0x100 + 32 * (n))
#define COMPARE(n) (TIMER(n) + 8)
#define MS_TICKS   62500U

static void hpet_start(u32 extra)
{
    store(H + 0x10, 1 | extra, 4);
}

static void hpet_registers(void **state)
{
    (void)state;
    assert_int_equal(load(H, 8), 0x00f424008086a201UL);
    assert_int_equal(load(H + 4, 4), 16000000); /* femtoseconds */
    assert_int_equal(load(H + 0xf0, 8), 0);
    world_run(NS_MS);
    assert_int_equal(load(H + 0xf0, 8), 0);
    hpet_start(0);
    world_run(NS_MS);
    assert_int_equal(load(H + 0xf0, 8), MS_TICKS);
    assert_int_equal(load(H + 0xf0, 4), MS_TICKS);
    assert_int_equal(load(H + 0xf4, 4), 0);
    store(H + 0xf0, 5, 8); /* not while it runs */
    assert_int_equal(load(H + 0xf0, 8), MS_TICKS);
    store(H + 0x10, 0, 4);
    store(H + 0xf4, 7, 4);
    world_run(NS_MS);
    assert_int_equal(load(H + 0xf0, 8), 7UL << 32 | MS_TICKS);
    for (u32 n = 0; n < 3; n++) {
        assert_int_equal(load(TIMER(n), 8), 0x00f0000000000030UL);
        store(TIMER(n), ~0UL, 8);
        assert_int_equal(load(TIMER(n), 8), 0x00f0000000003f7eUL);
        assert_int_equal(load(TIMER(n) + 4, 4), 0x00f00000);
    }
    assert_int_equal(load(H + 0x160, 8), 0);
    assert_int_equal(load(H + 2, 4), 0xffffffff);
    assert_int_equal(load(H, 1), 0xff);
    world_domain.params[HVM_PARAM_HPET_ENABLED] = 0;
    assert_int_equal(load(H, 8), ~0UL);
}

/* However often somebody looks, no part of a tick is lost. */
static void hpet_looks(void **state)
{
    (void)state;
    hpet_start(0);
    for (u32 i = 0; i < 100000; i++) {
        world_now += 7;
        (void)load(H + 0xf0, 8);
    }
    assert_int_equal(load(H + 0xf0, 8), 700000 / 16);
}

static void hpet_one_shot(void **state)
{
    (void)state;
    pin(20, 0x70, 0);
    store(TIMER(2), 20U << 9 | 4, 4);
    hpet_start(0);
    world_run(5 * NS_MS);
    store(COMPARE(2), load(H + 0xf0, 8) + MS_TICKS, 8);
    assert_int_equal(interrupts(999 * NS_US, NS_US, 0x70), 0);
    assert_int_equal(interrupts(2 * NS_US, NS_US, 0x70), 1);
    store(TIMER(1), 4, 4); /* another's settings are not an event */
    hpet_start(0);
    assert_int_equal(interrupts(100 * NS_MS, NS_MS, 0x70), 0);
    store(COMPARE(2), load(H + 0xf0, 8) - 10, 8); /* just missed */
    assert_int_equal(interrupts(NS_MS, NS_MS, 0x70), 1);
    /* With 32 bits what is behind comes around. */
    store(TIMER(2), 20U << 9 | 0x104, 4);
    store(COMPARE(2), load(H + 0xf0, 4) - 10, 4);
    assert_int_equal(interrupts(NS_MS, NS_MS, 0x70), 1);
    store(COMPARE(2), load(H + 0xf0, 4) - 2 * MS_TICKS, 4);
    assert_int_equal(interrupts(60 * NS_SECOND, NS_SECOND, 0x70), 0);
    assert_int_equal(interrupts(10 * NS_SECOND, NS_SECOND, 0x70), 1);
    store(COMPARE(2), load(H + 0xf0, 4) + MS_TICKS, 4);
    store(H + 0x10, 0, 4); /* stopped */
    assert_int_equal(interrupts(NS_SECOND, NS_MS, 0x70), 0);
    hpet_start(0);
    assert_int_equal(interrupts(2 * NS_MS, NS_MS, 0x70), 1);
    /* A pin that it cannot have. */
    store(TIMER(2), 5U << 9 | 4, 4);
    pin(5, 0x71, 0);
    store(COMPARE(2), load(H + 0xf0, 8) + 10, 8);
    assert_int_equal(interrupts(NS_MS, NS_MS, 0x70), 0);
}

/* As a kernel sets up its tick: legacy route, accumulator, then period. */
static void hpet_periodic(void **state)
{
    u32 count;

    (void)state;
    pin(2, 0x30, 0);
    pit_set(0, 2, 1193); /* silent while the other stands in for it */
    for (u32 width = 0; width < 2; width++) {
        hpet_start(2);
        store(TIMER(0), 0x4c | width << 8, 4);
        store(COMPARE(0), load(H + 0xf0, 8) + 4 * MS_TICKS, width ? 4 : 8);
        store(COMPARE(0), 4 * MS_TICKS, width ? 4 : 8);
        assert_int_equal(load(TIMER(0), 4) & 0x40, 0);
        count = interrupts(NS_SECOND, NS_MS, 0x30);
        assert_in_range(count, 249, 250);
        assert_in_range((u32)(load(COMPARE(0), 4) - load(H + 0xf0, 4)), 1, 4 * MS_TICKS);
        world_now += 50 * NS_MS; /* late by many */
        assert_int_equal(interrupts(NS_MS, NS_MS, 0x30), 1);
        assert_int_equal(interrupts(4 * NS_MS, NS_MS, 0x30), 1);
        world_run(300 * NS_SECOND); /* with 32 bits the counter has come around */
        (void)served(0);
        count = interrupts(NS_SECOND, NS_MS, 0x30);
        assert_in_range(count, 249, 250);
    }
    store(TIMER(0), 8, 4); /* without interrupts it goes on */
    world_run(100 * NS_MS);
    assert_in_range(load(COMPARE(0), 8) - load(H + 0xf0, 8), 1, 4 * MS_TICKS);
    store(H + 0x10, 1, 4); /* the PIT has its line again */
    (void)served(0);
    count = interrupts(100 * NS_MS, NS_MS, 0x30);
    assert_in_range(count, 99, 101);
}

static void hpet_levels(void **state)
{
    (void)state;
    pin(21, 0x71 | LEVEL, 0);
    store(TIMER(1), 21U << 9 | 6, 4);
    hpet_start(0);
    store(COMPARE(1), load(H + 0xf0, 8) + MS_TICKS, 8);
    world_run(2 * NS_MS);
    assert_int_equal(load(H + 0x20, 4), 2);
    assert_int_equal(taken(0), 0x71);
    eoi(0);
    assert_int_equal(taken(0), 0x71);
    store(H + 0x20, 2, 4);
    eoi(0);
    assert_int_equal(taken(0), -1);
    store(COMPARE(1), load(H + 0xf0, 8) + MS_TICKS, 8);
    world_run(2 * NS_MS);
    assert_int_equal(taken(0), 0x71);
    store(TIMER(1), 21U << 9 | 2, 4); /* no interrupts: the line falls */
    eoi(0);
    assert_int_equal(taken(0), -1);
}

/* ---- PM timer ---- */

static void pm_timer(void **state)
{
    u32 start = in(0x1f48, 4);

    (void)state;
    world_run(NS_SECOND);
    assert_in_range(in(0x1f48, 4) - start, 3579544, 3579545);
    for (u32 i = 0; i < 1000000; i++) {
        world_now += 999;
        (void)in(0x1f48, 4);
    }
    assert_in_range(in(0x1f48, 4) - start, 3579545 * 1.999 - 2, 3579545 * 1.999);
    assert_int_equal(in(0xb008, 4), 0xffffffff);
    world_domain.params[HVM_PARAM_ACPI_IOPORTS_LOCATION] = 1;
    assert_int_equal(in(0x1f48, 4), 0xffffffff);
    assert_in_range(in(0xb008, 4) - start, 3579545 * 1.999 - 2, 3579545 * 1.999);
    assert_int_equal(in(0xb009, 1), in(0xb008, 4) >> 8 & 0xff);
    assert_int_equal(in(0xb004, 2), 0xffff); /* the device model's */
}

static void pm_events(void **state)
{
    (void)state;
    pin(9, 0x39 | LEVEL, 0);
    assert_int_equal(hvm_press_button(D, false), 0);
    assert_int_equal(in(0x1f40, 2), 0x100);
    assert_int_equal(taken(0), -1);
    world_access(0x1f42, 2, true, true, 0x300);
    assert_int_equal(in(0x1f42, 2), 0x300);
    assert_int_equal(taken(0), 0x39);
    world_access(0x1f40, 2, true, true, 0x100);
    assert_int_equal(in(0x1f40, 2), 0);
    eoi(0);
    assert_int_equal(taken(0), -1);
    assert_int_equal(hvm_press_button(D, true), 0);
    assert_int_equal(taken(0), 0x39);
    outb(0x1f41, 2); /* by bytes */
    eoi(0);
    assert_int_equal(taken(0), -1);
    outb(0x1f43, 1);
    assert_int_equal(in(0x1f40, 4), 0x01000000);
    /* The device model pulls the same line. */
    hvm_isa_irq_set(D, 9, true);
    (void)in(0x1f48, 4);
    assert_int_equal(taken(0), 0x39);
    (void)in(0x1f48, 4);
    eoi(0);
    assert_int_equal(taken(0), 0x39);
    hvm_isa_irq_set(D, 9, false);
    eoi(0);
    /* The timer's: each time that its highest bit changes, 599.932 s. */
    world_access(0x1f40, 4, true, true, 0x0001ffff);
    world_run(599 * NS_SECOND);
    for (u32 i = 0; i < 3; i++) {
        u32 before = in(0x1f48, 4) >> 31;

        assert_int_equal(taken(0), -1);
        world_run(NS_SECOND);
        assert_int_equal(taken(0), 0x39);
        assert_int_equal(in(0x1f48, 4) >> 31, !before);
        world_access(0x1f40, 2, true, true, 1);
        eoi(0);
        world_run(598 * NS_SECOND + 932 * NS_MS);
    }
    world_domain.devices->d->d.is_hvm = false;
    assert_int_equal(hvm_press_button(D, false), -EINVAL);
    world_domain.devices->d->d.is_hvm = true;
}

/* ---- ends ---- */

static void stopped(void **state)
{
    struct hvm_devices *x = world_domain.devices;

    (void)state;
    pit_set(0, 2, 1193);
    set_cmos(11, 0x72);
    hpet_start(0);
    store(TIMER(0), 20U << 9 | 0x4c, 4);
    store(COMPARE(0), MS_TICKS, 8);
    world_run(5 * NS_MS);
    assert_true(timer_is_active(&x->pit.timer) && timer_is_active(&x->hpet.timer));
    hvm_devices_stop(&world_domain);
    pit_set(0, 2, 1193);
    store(COMPARE(0), MS_TICKS, 8);
    (void)cmos(12);
    assert_true(world_run(NS_SECOND) <= 1); /* the clock may have been armed for one of them */
    assert_false(timer_is_active(&x->pit.timer) || timer_is_active(&x->hpet.timer) ||
                 timer_is_active(&x->rtc.timer));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(pit_periodic),   TEST(pit_one_shot),  TEST(pit_counters),  TEST(pit_read_back),
        TEST(pit_gate),       TEST(rtc_date),      TEST(rtc_set),       TEST(rtc_updating),
        TEST(rtc_interrupts), TEST(rtc_alarm),     TEST(rtc_memory),    TEST(hpet_registers),
        TEST(hpet_looks),     TEST(hpet_one_shot), TEST(hpet_periodic), TEST(hpet_levels),
        TEST(pm_timer),       TEST(pm_events),     TEST(stopped),
    };

    return cmocka_run_group_tests_name("hvm_time", tests, NULL, NULL);
}
