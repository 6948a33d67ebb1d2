/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See cmdline.h. The line is cut into words on the stack, one at a time; every
 * registered option of the word's name gets it. Runs once, on the boot core.
 */
#include "boot/cmdline.h"

/* Made by the linker around the section of that name; none if no file has options. */
extern const struct cmdline_option __start_tenon_options[] __attribute__((weak));
extern const struct cmdline_option __stop_tenon_options[] __attribute__((weak));

static __init bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * Copies the next word from *cursor, without its quotes, and moves *cursor
 * behind it. Returns the word's length, 0 at the end of the line, -E2BIG when
 * it was too long (word then holds its beginning).
 */
static __init int next_word(const char **cursor, char word[CMDLINE_WORD_MAX])
{
    const char *at = *cursor;
    bool quoted = false;
    int length = 0, stored;

    while (is_space(*at))
        at++;
    for (; *at && (quoted || !is_space(*at)); at++) {
        if (*at == '"') {
            quoted = !quoted;
            continue;
        }
        if (length < CMDLINE_WORD_MAX - 1)
            word[length] = *at;
        length++;
    }
    stored = MIN(length, CMDLINE_WORD_MAX - 1);
    word[stored] = '\0';
    *cursor = at;
    return stored == length ? length : -E2BIG;
}

__init int cmdline_bool(const char *value)
{
    static const char *const names[2][5] = {
        {"no", "off", "false", "disable", "0"},
        {"yes", "on", "true", "enable", "1"},
    };

    for (int truth = 0; truth < 2; truth++)
        for (unsigned int i = 0; i < ARRAY_SIZE(names[0]); i++)
            if (strcmp(value, names[truth][i]) == 0)
                return truth;
    return -EINVAL;
}

__init int cmdline_item(const char **cursor, char *item, size_t size)
{
    const char *start = *cursor, *comma;
    size_t length;

    if (!start)
        return 0;
    comma = strchr(start, ',');
    length = comma ? (size_t)(comma - start) : strlen(start);
    *cursor = comma ? comma + 1 : NULL;
    if (length >= size)
        return -EINVAL;
    memcpy(item, start, length);
    item[length] = '\0';
    return 1;
}

/* Stores a number in an unsigned integer of 1, 2, 4 or 8 bytes, if it fits. */
static __init int store_uint(const struct cmdline_option *option, u64 value)
{
    if (option->size < 8 && value >> (8 * option->size))
        return -ERANGE;
    /* Little endian: the low bytes come first. */
    memcpy(option->where, &value, option->size);
    return 0;
}

/*
 * value is NULL for a bare name. negated: the name came behind "no-", which
 * only booleans and custom options understand.
 */
static __init int apply(const struct cmdline_option *option, const char *value, bool negated)
{
    const char *end;
    int truth;

    switch (option->kind) {
    case CMDLINE_KIND_BOOL:
        truth = value ? cmdline_bool(value) : 1;
        if (truth < 0)
            return truth;
        *(bool *)option->where = truth != negated;
        return 0;
    case CMDLINE_KIND_CUSTOM:
        if (negated && value)
            return -EINVAL;
        return option->parse(negated ? "no" : value ? value : "", option->where);
    default:
        break;
    }

    if (!value || negated)
        return -EINVAL;
    if (option->kind == CMDLINE_KIND_STRING) {
        if (strlen(value) >= option->size)
            return -E2BIG;
        strlcpy(option->where, value, option->size);
        return 0;
    }
    u64 number = option->kind == CMDLINE_KIND_SIZE ? parse_size(value, &end, 10)
                                                   : parse_u64(value, &end);
    if (end == value || *end)
        return -EINVAL;
    return store_uint(option, number);
}

/* Applies to all options called `name`; returns how many, or the first error. */
static __init int apply_to_all(const char *name, const char *value, bool negated)
{
    int count = 0, error = 0;

    for (const struct cmdline_option *option = __start_tenon_options;
         option != __stop_tenon_options; option++) {
        if (strcmp(option->name, name) != 0)
            continue;
        count++;
        error = error ? error : apply(option, value, negated);
    }
    return error ? error : count;
}

/* One word, which this takes apart. Returns why it had no effect, or NULL. */
static __init const char *handle_word(char *word)
{
    char *value = strchr(word, '=');
    int result;

    if (value)
        *value++ = '\0';
    /* The plain name first: some options' own names begin with "no-". */
    result = apply_to_all(word, value, false);
    if (result == 0 && strncmp(word, "no-", 3) == 0)
        result = apply_to_all(word + 3, value, true);
    if (value)
        value[-1] = '=';
    if (result == 0)
        return "unknown option";
    return result < 0 ? "malformed value" : NULL;
}

__init const char *cmdline_parse(const char *line,
                                 void (*report)(const char *word, const char *why))
{
    char word[CMDLINE_WORD_MAX];

    for (;;) {
        int length = next_word(&line, word);

        if (length == 0 && !*line)
            return NULL;
        if (strcmp(word, "--") == 0) {
            while (is_space(*line))
                line++;
            return line;
        }
        if (length == 0)
            continue; /* an empty pair of quotes */
        const char *why = length < 0 ? "too long" : handle_word(word);
        if (why && report)
            report(word, why);
    }
}
