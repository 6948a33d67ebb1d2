/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hardware clocks of known rate, against which the TSC is measured at boot:
 * HPET (IA-PC HPET specification 1.0a), ACPI PM timer (ACPI 4.8.3.3), channel 2
 * of the PIT (Intel 8254). Boot CPU only, no locks.
 */
#include "platform/reference.h"

#include "cpu/instructions.h"
#include "lib/option.h"
#include "memory/map.h"
#include "platform/internal.h"

#define HPET_SIZE       0x400
#define HPET_PERIOD     1 /* index of the 32-bit word: femtoseconds per tick */
#define HPET_CONFIG     4
#define HPET_ENABLE     1
#define HPET_COUNTER    60
#define HPET_PERIOD_MAX 100000000 /* 10 MHz at least */

#define PIT_CHANNEL_2   0x42
#define PIT_COMMAND     0x43
#define PIT_GATE        0x61 /* system control port B: bit 0 gate, bit 1 speaker */

static volatile u32 *hpet __initdata;
static char wanted[16] __initdata;
CMDLINE_STRING("clocksource", wanted);

static __init u64 hpet_read(void)
{
    return hpet[HPET_COUNTER];
}

static __init bool hpet_start(struct reference *r)
{
    if (!acpi.hpet_address)
        return false;
    hpet = map_io(paddr(acpi.hpet_address), HPET_SIZE, true);
    if (!hpet)
        return false;
    u32 period = hpet[HPET_PERIOD];
    if (period == 0 || period > HPET_PERIOD_MAX)
        return false;
    hpet[HPET_CONFIG] |= HPET_ENABLE;
    *r = (struct reference){"HPET", 1000000000000000UL / period, 0xffffffff, hpet_read};
    return true;
}

static __init u64 pm_timer_read(void)
{
    return in32(acpi.pm_timer_port);
}

static __init bool pm_timer_start(struct reference *r)
{
    *r = (struct reference){"ACPI PM timer", 3579545, acpi.pm_timer_32bit ? 0xffffffff : 0xffffff,
                            pm_timer_read};
    return acpi.pm_timer_port != 0;
}

static __init u64 pit_read(void)
{
    out8(PIT_COMMAND, 0x80); /* latch channel 2 */
    u32 low = in8(PIT_CHANNEL_2);
    return 0x10000u - (low | (u32)in8(PIT_CHANNEL_2) << 8); /* it counts down */
}

static __init bool pit_start(struct reference *r)
{
    out8(PIT_GATE, (u8)((in8(PIT_GATE) & ~2u) | 1)); /* count, in silence */
    out8(PIT_COMMAND, 0xb4); /* channel 2, both bytes, mode 2: start again at zero */
    out8(PIT_CHANNEL_2, 0);
    out8(PIT_CHANNEL_2, 0);
    *r = (struct reference){"PIT", 1193182, 0xffff, pit_read};
    return true;
}

/* It counts: within a time that is long for any of them, measured in reads. */
static __init bool is_moving(const struct reference *r)
{
    u64 first = r->read() & r->mask;

    for (u32 i = 0; i < 100000; i++)
        if ((r->read() & r->mask) != first)
            return true;
    return false;
}

__init bool reference_start(struct reference *r)
{
    static const struct {
        char name[8];
        bool (*start)(struct reference *r);
    } kinds[] __initconst = {{"hpet", hpet_start}, {"acpi", pm_timer_start}, {"pit", pit_start}};

    /* First round: the one asked for; second: the best there is. */
    for (u32 round = wanted[0] ? 0 : 1; round < 2; round++)
        for (u32 i = 0; i < ARRAY_SIZE(kinds); i++)
            if ((round || strcmp(wanted, kinds[i].name) == 0) && kinds[i].start(r) && is_moving(r))
                return true;
    return false;
}

__init void reference_stop(void)
{
    if (hpet)
        unmap_io((void *)hpet, HPET_SIZE);
    hpet = NULL;
}
