// sources: platform/rtc.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* Clock arithmetic against wide integers and floating point; the calendar day by day. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "platform/internal.h"
#include "platform/rtc.h"
#include "platform/scale.h"

struct acpi_facts acpi;

static u64 random64(void)
{
    return (u64)rand() << 42 ^ (u64)rand() << 21 ^ (u64)rand();
}

static void test_mul_div(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        u64 a = random64() >> rand() % 64, b = random64() >> rand() % 64;
        u64 c = (random64() >> rand() % 64) + 1;
        unsigned __int128 product = (unsigned __int128)a * b;

        if (product / c > UINT64_MAX)
            continue;
        assert_true(mul_div(a, b, c) == (u64)(product / c));
    }
}

static void test_scale_is_exact_enough(void **state)
{
    static const u64 rates[] = {1000,       32768,      1000000,    999999999,   1000000000,
                                1000000001, 2000000000, 2000000001, 2893202000,  3000000000,
                                3999999999, 4000000000, 5100000000, 99999999999, 100000000000};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(rates); i++) {
        struct clock_scale s = scale_from_hz(rates[i]);
        u64 hour = rates[i] * 3600;
        double error = (double)scale_delta(&s, hour) / 3600e9 - 1;

        assert_true(s.mul & 0x80000000u);
        /* Within ten parts in 10^9: the mul's own precision and the halved rate's. */
        assert_true(error < 1e-8 && error > -1e-8);
        assert_int_equal(scale_delta(&s, 0), 0);
    }
}

static void test_scale_never_goes_back(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct clock_scale s = scale_from_hz(1000000 + random64() % 8000000000u);
        u64 tsc = random64() >> 12, last = scale_delta(&s, tsc);

        for (int step = 0; step < 50; step++) {
            u64 now = scale_delta(&s, tsc += (u64)rand() % 3);

            assert_true(now >= last);
            last = now;
        }
    }
}

static void test_best_pair(void **state)
{
    /* One moment was held up for long: not used, though it is the last. */
    struct clock_sample s[] = {
        {1000, 10, 50, 0}, {100000, 1000, 20, 0}, {200000, 2000, 20, 0}, {300000, 3000, 90000, 0}};
    struct clock_sample still[] = {{1000, 10, 1, 0}, {2000, 10, 1, 0}};
    struct clock_sample back[] = {{2000, 10, 1, 0}, {1000, 20, 1, 0}};
    u32 from = 9, to = 9;

    (void)state;
    assert_true(sample_best_pair(s, 4, &from, &to));
    assert_int_equal(from, 0);
    assert_int_equal(to, 2);
    assert_false(sample_best_pair(still, 2, &from, &to));
    assert_false(sample_best_pair(back, 2, &from, &to));
    assert_false(sample_best_pair(s, 1, &from, &to));
}

static void test_calendar(void **state)
{
    static const u32 lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    s64 y = 1600, days = calendar_days(1600, 1, 1);
    u32 m = 1, d = 1;

    (void)state;
    assert_int_equal(calendar_days(1970, 1, 1), 0);
    assert_int_equal(calendar_days(2000, 2, 29), 11016);
    while (y < 2420) {
        bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
        s64 year;
        u32 month, day;

        assert_int_equal(calendar_days(y, m, d), days);
        calendar_date(days, &year, &month, &day);
        assert_int_equal(year, y);
        assert_int_equal(month, m);
        assert_int_equal(day, d);
        days++;
        if (++d > lengths[m - 1] + (m == 2 && leap)) {
            d = 1;
            if (++m > 12) {
                m = 1;
                y++;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mul_div),
        cmocka_unit_test(test_scale_is_exact_enough),
        cmocka_unit_test(test_scale_never_goes_back),
        cmocka_unit_test(test_best_pair),
        cmocka_unit_test(test_calendar),
    };

    srand(1);
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
