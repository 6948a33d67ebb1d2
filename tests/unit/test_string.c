// sources: lib/string.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* Our string functions against the C library, and the number parsers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "lib/string.h"

void *tenon_memcpy(void *to, const void *from, size_t length);
void *tenon_memmove(void *to, const void *from, size_t length);
void *tenon_memset(void *to, int byte, size_t length);
int tenon_memcmp(const void *a, const void *b, size_t length);
size_t tenon_strlen(const char *text);
size_t tenon_strnlen(const char *text, size_t limit);
int tenon_strcmp(const char *a, const char *b);
int tenon_strncmp(const char *a, const char *b, size_t limit);
char *tenon_strchr(const char *text, int byte);
char *tenon_strstr(const char *text, const char *part);

#define AREA 600

static void fill_random(u8 *bytes, size_t length)
{
    while (length--)
        *bytes++ = (u8)rand();
}

static void test_copies(void **state)
{
    u8 start[AREA], ours[AREA], theirs[AREA];

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t length = (size_t)rand() % (rand() & 1 ? 20 : 280);
        size_t to = (size_t)rand() % (AREA - length + 1),
               from = (size_t)rand() % (AREA - length + 1);

        fill_random(start, AREA);
        memcpy(ours, start, AREA);
        memcpy(theirs, start, AREA);
        assert_ptr_equal(tenon_memmove(ours + to, ours + from, length), ours + to);
        memmove(theirs + to, theirs + from, length);
        assert_memory_equal(ours, theirs, AREA);

        assert_ptr_equal(tenon_memcpy(ours + to, start + from, length), ours + to);
        memcpy(theirs + to, start + from, length);
        assert_memory_equal(ours, theirs, AREA);

        assert_ptr_equal(tenon_memset(ours + to, round, length), ours + to);
        memset(theirs + to, round, length);
        assert_memory_equal(ours, theirs, AREA);
    }
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void random_text(char *text, size_t limit)
{
    size_t length = (size_t)rand() % limit;

    /* Few letters, so that texts often agree; one is negative as a char. */
    for (size_t i = 0; i < length; i++)
        text[i] = "ab\xe4"[rand() % 3];
    text[length] = '\0';
}

static void test_comparisons(void **state)
{
    (void)state;
    for (int round = 0; round < 50000; round++) {
        char a[10], b[10], part[4];
        size_t n = (size_t)rand() % 12;
        int c = "ab\xe4\0x"[rand() % 5];

        random_text(a, sizeof(a));
        random_text(b, sizeof(b));
        random_text(part, sizeof(part));
        assert_int_equal(tenon_strlen(a), strlen(a));
        assert_int_equal(tenon_strnlen(a, n), strnlen(a, n));
        assert_int_equal(sign(tenon_strcmp(a, b)), sign(strcmp(a, b)));
        assert_int_equal(sign(tenon_strncmp(a, b, n)), sign(strncmp(a, b, n)));
        assert_ptr_equal(tenon_strchr(a, c), strchr(a, c));
        assert_ptr_equal(tenon_strstr(a, part), strstr(a, part));
        n = MIN(strlen(a), strlen(b));
        assert_int_equal(sign(tenon_memcmp(a, b, n)), sign(memcmp(a, b, n)));
    }
}

static void test_strlcpy(void **state)
{
    char to[5] = "xxxx";

    (void)state;
    assert_int_equal(strlcpy(to, "abcdef", 0), 6);
    assert_string_equal(to, "xxxx");
    assert_int_equal(strlcpy(to, "abcdef", sizeof(to)), 6);
    assert_string_equal(to, "abcd");
    assert_int_equal(strlcpy(to, "xyz", sizeof(to)), 3);
    assert_string_equal(to, "xyz");
    assert_int_equal(strlcpy(to, "", 1), 0);
    assert_string_equal(to, "");
}

static void check_number(const char *text, u64 value, const char *rest)
{
    const char *end;

    assert_int_equal(parse_u64(text, &end), value);
    assert_string_equal(end, rest);
    assert_int_equal(parse_u64(text, NULL), value);
}

static void test_parse_u64(void **state)
{
    (void)state;
    check_number("0", 0, "");
    check_number("42,x", 42, ",x");
    check_number("0x1fg", 0x1f, "g");
    check_number("0XAb", 0xab, "");
    check_number("0x", 0, "x");
    check_number("017", 15, "");
    check_number("08", 0, "8");
    check_number("18446744073709551615", UINT64_MAX, "");
    check_number("18446744073709551616", 0, "18446744073709551616");
    check_number("0x10000000000000000", 0, "0x10000000000000000");
    check_number("", 0, "");
    check_number("-1", 0, "-1");
    check_number(" 1", 0, " 1");
}

static void check_size(const char *text, unsigned int shift, u64 value, const char *rest)
{
    const char *end;

    assert_int_equal(parse_size(text, &end, shift), value);
    assert_string_equal(end, rest);
}

static void test_parse_size(void **state)
{
    (void)state;
    check_size("4", 10, 4096, "");
    check_size("4", 0, 4, "");
    check_size("4b", 10, 4, "");
    check_size("4K,", 0, 4096, ",");
    check_size("512M", 10, 512UL << 20, "");
    check_size("2g", 10, 2UL << 30, "");
    check_size("1T", 10, 1UL << 40, "");
    check_size("1Tx", 10, 1UL << 40, "x");
    check_size("0x10m", 10, 16UL << 20, "");
    check_size("16777215T", 10, 16777215UL << 40, "");
    check_size("16777216T", 10, 0, "16777216T");
    check_size("m", 10, 0, "m");
    check_size("", 10, 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies),     cmocka_unit_test(test_comparisons),
        cmocka_unit_test(test_strlcpy),    cmocka_unit_test(test_parse_u64),
        cmocka_unit_test(test_parse_size),
    };

    srand(1);
    return cmocka_run_group_tests_name("string", tests, NULL, NULL);
}
