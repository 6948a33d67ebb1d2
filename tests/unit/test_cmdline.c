// sources: boot/cmdline.c lib/string.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line, with a table of options of every kind. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "boot/cmdline.h"

static char text[8];
static bool flag, noisy;
static u8 small;
static u32 number;
static u64 bytes;
static char heard[64]; /* values that the custom parser got, each in brackets */
static char reported[2 * CMDLINE_WORD_MAX];
static int twice;

static int parse_custom(const char *value, void *where)
{
    (void)where;
    if (strcmp(value, "bad") == 0)
        return -EINVAL;
    sprintf(heard + strlen(heard), "[%s]", value);
    return 0;
}

static int parse_twice(const char *value, void *where)
{
    (void)value, (void)where;
    twice++;
    return 0;
}

static int parse_twice_again(const char *value, void *where)
{
    return parse_twice(value, where);
}

CMDLINE_STRING("text", text);
CMDLINE_BOOL("flag", flag);
CMDLINE_BOOL("no-ise", noisy);
CMDLINE_UINT("small", small);
CMDLINE_UINT("number", number);
CMDLINE_SIZE("bytes", bytes);
CMDLINE_CUSTOM("custom", parse_custom, NULL);
CMDLINE_CUSTOM("twice", parse_twice, NULL);
CMDLINE_CUSTOM("twice", parse_twice_again, NULL);

static void report(const char *word, const char *why)
{
    sprintf(reported + strlen(reported), "%.20s: %s;", word, why);
}

/* Starts afresh; returns dom0's words. */
static const char *parse(const char *line)
{
    memset(text, 0, sizeof(text));
    flag = noisy = false;
    small = 0;
    number = 0;
    bytes = 0;
    twice = 0;
    heard[0] = reported[0] = '\0';
    return cmdline_parse(line, report);
}

static void test_kinds(void **state)
{
    (void)state;
    assert_null(
        parse("text=abc flag small=0xff number=4000000000  bytes=512M\tcustom=a,b twice\n"));
    assert_string_equal(text, "abc");
    assert_true(flag);
    assert_int_equal(small, 255);
    assert_int_equal(number, 4000000000U);
    assert_int_equal(bytes, 512UL << 20);
    assert_string_equal(heard, "[a,b]");
    assert_int_equal(twice, 2);
    assert_string_equal(reported, "");

    assert_null(parse("bytes=4"));
    assert_int_equal(bytes, 4096);
    assert_null(parse("custom custom=x no-custom custom="));
    assert_string_equal(heard, "[][x][no][]");
    assert_null(parse(""));
    assert_null(parse("   "));
    assert_string_equal(reported, "");
}

static void test_booleans(void **state)
{
    static const struct {
        const char *line;
        bool result;
    } cases[] = {
        {"flag", true},
        {"flag=yes", true},
        {"flag=on", true},
        {"flag=true", true},
        {"flag=enable", true},
        {"flag=1", true},
        {"flag flag=no", false},
        {"flag flag=off", false},
        {"flag flag=false", false},
        {"flag flag=disable", false},
        {"flag flag=0", false},
        {"flag no-flag", false},
        {"no-flag=no", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        parse(cases[i].line);
        assert_int_equal(flag, cases[i].result);
        assert_string_equal(reported, "");
    }
    /* A name that itself begins with "no-". */
    parse("no-ise");
    assert_true(noisy);
    parse("no-ise no-no-ise");
    assert_false(noisy);
}

static void test_malformed(void **state)
{
    (void)state;
    parse("flag=maybe");
    assert_string_equal(reported, "flag=maybe: malformed value;");
    parse("small=256 number=4294967296 number=12x number= number no-number=1");
    assert_string_equal(reported, "small=256: malformed value;number=4294967296: malformed value;"
                                  "number=12x: malformed value;number=: malformed value;"
                                  "number: malformed value;no-number=1: malformed value;");
    assert_int_equal(small, 0);
    assert_int_equal(number, 0);
    parse("text=12345678");
    assert_string_equal(reported, "text=12345678: malformed value;");
    assert_string_equal(text, "");
    parse("bytes=1Q custom=bad");
    assert_string_equal(reported, "bytes=1Q: malformed value;custom=bad: malformed value;");
    parse("flags fla no- no-such=1 = flag");
    assert_string_equal(reported, "flags: unknown option;fla: unknown option;no-: unknown option;"
                                  "no-such=1: unknown option;=: unknown option;");
    assert_true(flag);
    /* Nobody need listen. */
    cmdline_parse("nonsense", NULL);
}

static void test_quotes(void **state)
{
    (void)state;
    parse("text=\"a b\" custom=\"x -- y\" \"flag\" \"\"");
    assert_string_equal(text, "a b");
    assert_string_equal(heard, "[x -- y]");
    assert_true(flag);
    parse("custom=\"never closed flag");
    assert_string_equal(heard, "[never closed flag]");
    assert_false(flag);
    assert_string_equal(reported, "");
}

static void test_dom0_words(void **state)
{
    (void)state;
    assert_string_equal(parse("flag -- root=/dev/sda  flag=no"), "root=/dev/sda  flag=no");
    assert_true(flag);
    assert_string_equal(parse("flag --"), "");
    assert_string_equal(parse("-- quiet"), "quiet");
    assert_null(parse("flag --x"));
    assert_string_equal(reported, "--x: unknown option;");
}

static void test_long_words(void **state)
{
    char line[CMDLINE_WORD_MAX + 40];

    (void)state;
    memset(line, 'x', sizeof(line));
    strcpy(line + CMDLINE_WORD_MAX - 1, " flag");
    parse(line);
    assert_string_equal(reported, "xxxxxxxxxxxxxxxxxxxx: unknown option;");
    assert_true(flag);
    memset(line, 'x', sizeof(line));
    strcpy(line + CMDLINE_WORD_MAX, " flag");
    parse(line);
    assert_string_equal(reported, "xxxxxxxxxxxxxxxxxxxx: too long;");
    assert_true(flag);
}

static void test_items(void **state)
{
    const char *list = "115200,,0x3f8";
    char item[7];

    (void)state;
    assert_int_equal(cmdline_item(&list, item, sizeof(item)), 1);
    assert_string_equal(item, "115200");
    assert_int_equal(cmdline_item(&list, item, sizeof(item)), 1);
    assert_string_equal(item, "");
    assert_int_equal(cmdline_item(&list, item, 5), -EINVAL);
    assert_int_equal(cmdline_item(&list, item, sizeof(item)), 0);
    list = "";
    assert_int_equal(cmdline_item(&list, item, sizeof(item)), 1);
    assert_string_equal(item, "");
    assert_int_equal(cmdline_item(&list, item, sizeof(item)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),      cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_malformed),  cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_dom0_words), cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_items),
    };

    return cmocka_run_group_tests_name("cmdline", tests, NULL, NULL);
}
