/* SPDX-License-Identifier: GPL-2.0-only */
/* Arithmetic of clocks, apart from clock.c for its tests: no state, no hardware. */
#pragma once

#include "platform/clock.h"

/* a * b / c with a 128-bit product; the quotient must fit into 64 bits. */
static inline u64 mul_div(u64 a, u64 b, u64 c)
{
    u64 quotient, high;

    __asm__("mul %3; div %4" : "=&a"(quotient), "=&d"(high) : "0"(a), "r"(b), "r"(c) : "cc");
    return quotient;
}

/* The factor from ticks at hz (at least 1 kHz) to nanoseconds; bases are zero. */
static inline struct clock_scale scale_from_hz(u64 hz)
{
    struct clock_scale s = {0};

    /* mul is a fraction of 2^32 and should use all its bits, so bring the rate to
     * (10^9, 2 * 10^9]: then a (shifted) tick is at least half and less than one ns. */
    for (; hz <= NS_SECOND; s.shift++)
        hz <<= 1;
    for (; hz > 2 * NS_SECOND; s.shift--)
        hz = (hz + 1) >> 1; /* up, as 10^9 itself is too low */
    s.mul = (u32)mul_div(NS_SECOND, 1UL << 32, hz);
    return s;
}

/* The interface's formula, with the same order of operations as guests use. */
static inline u64 scale_delta(const struct clock_scale *s, u64 ticks)
{
    ticks = s->shift < 0 ? ticks >> -s->shift : ticks << s->shift;
    return (u64)((unsigned __int128)ticks * s->mul >> 32);
}

/* Moments at which TSC and reference were read together; `error` is how far apart, in TSC. */
struct clock_sample {
    u64 tsc, reference, error;
    u32 apic; /* local APIC timer, counting down */
};

/*
 * The two samples between which the rate is known best: the sum of their
 * errors is smallest in relation to the time between them. False if no two
 * have both clocks moving.
 */
static inline bool sample_best_pair(const struct clock_sample *s, u32 count, u32 *from, u32 *to)
{
    u64 best_error = 0, best_length = 0;

    for (u32 i = 0; i < count; i++)
        for (u32 j = i + 1; j < count; j++) {
            u64 error = s[i].error + s[j].error + 1;
            u64 length = s[j].tsc - s[i].tsc;

            if (s[j].tsc <= s[i].tsc || s[j].reference <= s[i].reference)
                continue;
            if (!best_length ||
                (unsigned __int128)error * best_length < (unsigned __int128)best_error * length) {
                best_error = error;
                best_length = length;
                *from = i;
                *to = j;
            }
        }
    return best_length != 0;
}
