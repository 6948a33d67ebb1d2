// sources: lib/printf.c lib/string.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* Our snprintf against the C library, over random formats and values. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "lib/printf.h"

int tenon_snprintf(char *buffer, size_t size, const char *format, ...);

/* The formats are made at run time, and that is the point. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

#define BUFFER 256

/* Formats into both buffers, of a random size that may be too small.
 * The arguments are evaluated twice. */
#define COMPARE(format, ...)                                                                     \
    do {                                                                                         \
        char ours[BUFFER], theirs[BUFFER];                                                       \
        size_t size = rand() % 4 ? BUFFER : (size_t)rand() % 20;                                 \
        int expected, got;                                                                       \
                                                                                                 \
        memset(ours, '~', BUFFER);                                                               \
        memset(theirs, '~', BUFFER);                                                             \
        expected = snprintf(theirs, size, format, __VA_ARGS__);                                  \
        got = tenon_snprintf(ours, size, format, __VA_ARGS__);                                   \
        if (got != expected || memcmp(ours, theirs, BUFFER) != 0)                                \
            fail_msg("format \"%s\" size %zu: expected %d \"%.*s\" got %d \"%.*s\"",             \
                     (const char *)(format), size, expected, BUFFER, theirs, got, BUFFER, ours); \
    } while (0)

/* "%", flags, width, precision: a random choice of those that C defines. */
static char *random_start(char *at, const char *flags, bool precision)
{
    *at++ = '%';
    for (int i = rand() % 4; i && *flags; i--)
        *at++ = flags[(size_t)rand() % strlen(flags)];
    if (rand() & 1)
        at += sprintf(at, "%d", 1 + rand() % 30);
    if (precision && rand() & 1)
        at += sprintf(at, rand() % 5 ? ".%d" : ".", rand() % 25);
    return at;
}

static u64 random_value(void)
{
    u64 value = (u64)rand() << 33 ^ (u64)rand() << 11 ^ (u64)rand();

    if (rand() % 8 == 0)
        return 0;
    return (rand() & 1 ? value : ~value) >> (rand() % 64);
}

static void test_integers(void **state)
{
    static const char *const lengths[] = {"", "h", "hh", "l", "ll", "z", "t", "j"};

    (void)state;
    for (int round = 0; round < 200000; round++) {
        char format[64] = "<", *at = format + 1;
        char conversion = "diuoxX"[rand() % 6];
        const char *length = lengths[rand() % 8];
        u64 value = random_value();
        bool is_signed = conversion == 'd' || conversion == 'i';

        at = random_start(at, is_signed ? "-0+ " : conversion == 'u' ? "-0" : "-0#", true);
        sprintf(at, "%s%c>", length, conversion);
        if (*length == '\0' || *length == 'h')
            COMPARE(format, (int)value);
        else
            COMPARE(format, value);
    }
}

static void test_texts(void **state)
{
    static const char *const texts[] = {"", "a", "hello", "a rather longer text, as texts go"};

    (void)state;
    for (int round = 0; round < 50000; round++) {
        char format[64] = "<";
        const char *text = texts[rand() % 4];
        int letter = rand() % 256;
        void *pointer = (void *)(random_value() | 1);

        strcpy(random_start(format + 1, "-", true), "s>");
        COMPARE(format, text);
        strcpy(random_start(format + 1, "-", false), "c>");
        COMPARE(format, letter);
        strcpy(random_start(format + 1, "-", false), "p>");
        COMPARE(format, pointer);
    }
}

static void test_stars(void **state)
{
    (void)state;
    for (int round = 0; round < 10000; round++) {
        int width = rand() % 40 - 20, precision = rand() % 30 - 5;
        u64 value = random_value();

        COMPARE("%*d|", width, (int)value);
        COMPARE("%.*d|", precision, (int)value);
        COMPARE("%-*.*x|", width, precision, (unsigned int)value);
        COMPARE("%0*lx|", width, value);
        COMPARE("%.*s|", precision, "some text");
    }
}

static void test_mixed(void **state)
{
    char small[4] = "abc";

    (void)state;
    COMPARE("%s", "plain");
    COMPARE("100%% of %u%c", 7u, '!');
    COMPARE("%s:%d [%#010lx] %5s|%-5s|%p", "file", -3, 0xdeadUL, "ab", "cd", (void *)0x1000);
    COMPARE("%lld %hhd %hd", (long long)INT64_MIN, (signed char)-7, (short)-700);
    assert_int_equal(tenon_snprintf(NULL, 0, "%d", 12345), 5);
    assert_int_equal(tenon_snprintf(small, 0, "x"), 1);
    assert_string_equal(small, "abc");
    assert_int_equal(tenon_snprintf(small, 1, "xyz"), 3);
    assert_string_equal(small, "");
}

/* Where C says nothing, we show the format as it stands. */
static void test_broken_formats(void **state)
{
    char text[64];

    (void)state;
    assert_int_equal(tenon_snprintf(text, sizeof(text), "a%"), 2);
    assert_string_equal(text, "a%");
    assert_int_equal(tenon_snprintf(text, sizeof(text), "a%-08l"), 6);
    assert_string_equal(text, "a%-08l");
    tenon_snprintf(text, sizeof(text), "%5q %d", 3);
    assert_string_equal(text, "%5q 3");
    tenon_snprintf(text, sizeof(text), "%s", NULL);
    assert_string_equal(text, "(null)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),       cmocka_unit_test(test_texts),
        cmocka_unit_test(test_stars),          cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_broken_formats),
    };

    srand(1);
    return cmocka_run_group_tests_name("printf", tests, NULL, NULL);
}
