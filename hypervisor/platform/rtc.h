/* SPDX-License-Identifier: GPL-2.0-only */
/* The battery-backed clock, and the calendar it speaks. */
#pragma once

#include "lib/types.h"

/* Seconds since 1970 UTC as the RTC has it, 0 if it makes no sense. Boot CPU only. */
u64 rtc_read(void);

/* Days since 1970-01-01 of a date in the Gregorian calendar. */
s64 calendar_days(s64 year, u32 month, u32 day);
/* The date of a day not before 0000-03-01. */
void calendar_date(s64 days, s64 *year, u32 *month, u32 *day);
