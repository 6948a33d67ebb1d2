/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How any file declares a command-line option: one of the CMDLINE_ macros at
 * file scope puts a record into the section tenon_options, which the linker
 * gathers and boot/cmdline.c applies once, early in boot. boot/cmdline.h says
 * what is understood; files below boot/ include this instead of it.
 *
 * The variables belong in __initdata or __ro_after_init.
 */
#pragma once

#include "lib/types.h"

enum cmdline_kind {
    CMDLINE_KIND_STRING, /* where: char[size]; a longer value is malformed */
    CMDLINE_KIND_BOOL,   /* where: bool */
    CMDLINE_KIND_UINT,   /* where: unsigned integer of `size` bytes (1 2 4 8) */
    CMDLINE_KIND_SIZE,   /* where: u64, bytes; a bare number is KiB */
    CMDLINE_KIND_CUSTOM, /* parse(value, where): 0 or negative errno */
};

struct cmdline_option {
    const char *name;
    enum cmdline_kind kind;
    void *where;
    size_t size;
    int (*parse)(const char *value, void *where);
};

/* The explicit alignment keeps the compiler from padding the array the linker makes. */
#define CMDLINE_NAME_2_(line) cmdline_option_##line
#define CMDLINE_NAME_(line)   CMDLINE_NAME_2_(line)
#define CMDLINE_OPTION_(...)                                   \
    static const struct cmdline_option CMDLINE_NAME_(__LINE__) \
        __attribute__((section("tenon_options"), used, aligned(8))) = {__VA_ARGS__}

/* At file scope, at most one to a line, closed by a semicolon. */
#define CMDLINE_STRING(name, array) \
    CMDLINE_OPTION_(name, CMDLINE_KIND_STRING, array, sizeof(array), NULL)
#define CMDLINE_BOOL(name, variable)                                                \
    _Static_assert(sizeof(variable) == sizeof(bool), "a bool option needs a bool"); \
    CMDLINE_OPTION_(name, CMDLINE_KIND_BOOL, &(variable), sizeof(bool), NULL)
#define CMDLINE_UINT(name, variable) \
    CMDLINE_OPTION_(name, CMDLINE_KIND_UINT, &(variable), sizeof(variable), NULL)
#define CMDLINE_SIZE(name, variable)                                              \
    _Static_assert(sizeof(variable) == sizeof(u64), "a size option needs a u64"); \
    CMDLINE_OPTION_(name, CMDLINE_KIND_SIZE, &(variable), sizeof(u64), NULL)
/* Called once for each time the option appears, in the order of the line. */
#define CMDLINE_CUSTOM(name, function, where) \
    CMDLINE_OPTION_(name, CMDLINE_KIND_CUSTOM, where, 0, function)

/* Helpers for custom parsers, supplied by boot/cmdline.c. */

/* 1 for yes on true enable 1, 0 for no off false disable 0, -EINVAL else. */
int cmdline_bool(const char *value);

/*
 * Takes the next item of a comma-separated list from *cursor into item[size]
 * and moves *cursor behind it. Returns 1, 0 when the list is at its end, or
 * -EINVAL when the item does not fit. Empty items are items ("a,,b" has three).
 * After the last item *cursor is NULL; a NULL value has no items, an empty one has one.
 */
int cmdline_item(const char **cursor, char *item, size_t size);
