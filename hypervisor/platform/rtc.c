/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the MC146818 clock once at boot; later it is dom0's. No locks: the boot
 * CPU is alone then.
 *
 * The calendar counts years from March, so that the leap day is a year's last
 * and months' lengths follow one formula; an era is 400 years, 146097 days.
 */
#include "platform/rtc.h"

#include "cpu/instructions.h"
#include "platform/internal.h"

#define INDEX_PORT   0x70
#define DATA_PORT    0x71
#define DAYS_TO_1970 719468 /* from 0000-03-01 */

enum {
    SECONDS = 0,
    MINUTES = 2,
    HOURS = 4,
    DAY = 7,
    MONTH = 8,
    YEAR = 9,
    STATUS_A = 10,
    STATUS_B = 11
};
#define A_UPDATING 0x80
#define B_BINARY   0x04
#define B_24_HOURS 0x02
#define HOURS_PM   0x80

s64 calendar_days(s64 year, u32 month, u32 day)
{
    u32 from_march = (month + 9) % 12;
    s64 y = year - (month <= 2);

    return y * 365 + y / 4 - y / 100 + y / 400 + (s64)((from_march * 153 + 2) / 5 + day - 1) -
           DAYS_TO_1970;
}

void calendar_date(s64 days, s64 *year, u32 *month, u32 *day)
{
    u64 d = (u64)(days + DAYS_TO_1970), era = d / 146097, of_era = d % 146097;
    /* Years of the era: each 4 years add a day, each 100 leave one out, the 400th has it. */
    u64 y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    u32 of_year = (u32)(of_era - (365 * y + y / 4 - y / 100));
    u32 from_march = (of_year * 5 + 2) / 153;

    *day = of_year - (from_march * 153 + 2) / 5 + 1;
    *month = from_march < 10 ? from_march + 3 : from_march - 9;
    *year = (s64)(era * 400 + y) + (*month <= 2);
}

static __init u8 cmos(u8 index)
{
    out8(INDEX_PORT, index);
    return in8(DATA_PORT);
}

struct rtc_fields {
    u8 seconds, minutes, hours, day, month, year, century;
};

static __init struct rtc_fields read_fields(void)
{
    /* An update takes up to 2 ms; a clock that updates for ever is read as it is. */
    for (u32 i = 0; i < 100000 && (cmos(STATUS_A) & A_UPDATING); i++)
        cpu_pause();
    return (struct rtc_fields){cmos(SECONDS),
                               cmos(MINUTES),
                               cmos(HOURS),
                               cmos(DAY),
                               cmos(MONTH),
                               cmos(YEAR),
                               acpi.century ? cmos(acpi.century) : 0};
}

static __init u32 number(u8 value, bool binary)
{
    return binary ? value : (value >> 4) * 10u + (value & 15u);
}

__init u64 rtc_read(void)
{
    struct rtc_fields f, again = read_fields();
    bool binary = cmos(STATUS_B) & B_BINARY, full_day = cmos(STATUS_B) & B_24_HOURS;
    u32 hours, century, year, month, day;
    u32 tries = 4;

    /* Twice the same: no update came in between. */
    do {
        f = again;
        again = read_fields();
    } while (f.seconds != again.seconds && --tries);

    hours = number(f.hours & (full_day ? 0xff : 0x7f), binary);
    if (!full_day)
        hours = hours % 12 + ((f.hours & HOURS_PM) ? 12 : 0);
    century = number(f.century, binary);
    year = number(f.year, binary);
    year += century >= 19 && century <= 22 ? century * 100 : year < 70 ? 2000 : 1900;
    month = number(f.month, binary);
    day = number(f.day, binary);
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return 0;
    return (u64)calendar_days(year, month, day) * 86400 + hours * 3600 +
           number(f.minutes, binary) * 60 + number(f.seconds, binary);
}
