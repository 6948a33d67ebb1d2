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

enum { SECONDS, MINUTES, HOURS, DAY, MONTH, YEAR, CENTURY, FIELDS };
static const u8 registers[CENTURY] __initconst = {0, 2, 4, 7, 8, 9}; /* ACPI says the century's */
#define STATUS_A   10
#define STATUS_B   11
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

static __init void read_fields(u8 fields[FIELDS])
{
    /* An update takes up to 2 ms; a clock that updates for ever is read as it is. */
    for (u32 i = 0; i < 100000 && (cmos(STATUS_A) & A_UPDATING); i++)
        cpu_pause();
    for (u32 i = 0; i < CENTURY; i++)
        fields[i] = cmos(registers[i]);
    fields[CENTURY] = acpi.century ? cmos(acpi.century) : 0;
}

static __init u32 number(u8 value, bool binary)
{
    return binary ? value : (value >> 4) * 10u + (value & 15u);
}

__init u64 rtc_read(void)
{
    u8 f[FIELDS], again[FIELDS];
    bool binary = cmos(STATUS_B) & B_BINARY, full_day = cmos(STATUS_B) & B_24_HOURS, afternoon;
    u32 n[FIELDS], tries = 4;

    /* Twice the same: no update came in between. */
    read_fields(again);
    do {
        memcpy(f, again, sizeof(f));
        read_fields(again);
    } while (f[SECONDS] != again[SECONDS] && --tries);

    afternoon = !full_day && (f[HOURS] & HOURS_PM);
    if (!full_day)
        f[HOURS] &= (u8)~HOURS_PM;
    for (u32 i = 0; i < FIELDS; i++)
        n[i] = number(f[i], binary);
    if (!full_day)
        n[HOURS] = n[HOURS] % 12 + (afternoon ? 12 : 0);
    n[YEAR] += n[CENTURY] >= 19 && n[CENTURY] <= 22 ? n[CENTURY] * 100 : n[YEAR] < 70 ? 2000 : 1900;
    if (n[MONTH] < 1 || n[MONTH] > 12 || n[DAY] < 1 || n[DAY] > 31)
        return 0;
    return (u64)calendar_days(n[YEAR], n[MONTH], n[DAY]) * 86400 + n[HOURS] * 3600 +
           n[MINUTES] * 60 + n[SECONDS];
}
