// sources: boot/cmdline.c lib/string.c
// options: -max_len=2048
/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as a command line: options of every kind, list items, booleans. */
#include <stdlib.h>
#include <string.h>

#include "boot/cmdline.h"

static char text[8];
static bool flag;
static u16 small;
static u64 bytes;

static int parse_list(const char *value, void *where)
{
    char item[12];
    const char *cursor = value;
    int count = 0, result;
    (void)where;

    while ((result = cmdline_item(&cursor, item, sizeof(item))) != 0)
        count += result;
    return count > 3 ? -EINVAL : 0;
}

CMDLINE_STRING("s", text);
CMDLINE_BOOL("b", flag);
CMDLINE_UINT("u", small);
CMDLINE_SIZE("z", bytes);
CMDLINE_CUSTOM("l", parse_list, NULL);

static void report(const char *word, const char *why)
{
    if (strlen(word) >= CMDLINE_WORD_MAX || !*why)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = malloc(size + 1);
    const char *rest;

    if (size)
        memcpy(line, data, size);
    line[size] = '\0';
    rest = cmdline_parse(line, report);
    if (rest && (rest < line || rest > line + size))
        abort();
    if (!memchr(text, 0, sizeof(text)))
        abort();
    free(line);
    return 0;
}
