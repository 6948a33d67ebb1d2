/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes and text. The names of the C library mean what C says; on the host
 * they are the C library's own, and ours are reachable as tenon_<name> for the
 * tests. Nothing here allocates or locks; any context may call it.
 */
#pragma once

#include "lib/types.h"

#ifdef TENON_HOST
#include <string.h>
#define strlcpy tenon_strlcpy
#else
void *memcpy(void *to, const void *from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *a, const void *b, size_t length);
size_t strlen(const char *text);
size_t strnlen(const char *text, size_t limit);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t limit);
char *strchr(const char *text, int byte);
char *strstr(const char *text, const char *part);
#endif

/*
 * Copies at most size - 1 bytes of `from` and always ends `to` with a zero
 * (unless size is 0). Returns strlen(from): a result >= size means truncation.
 */
size_t strlcpy(char *to, const char *from, size_t size);

/*
 * Reads an unsigned number at the very start of `text`: decimal, 0x hex or
 * 0-prefixed octal; no sign, no leading space. *end (when end is not NULL)
 * becomes the first byte not read. No digits, or a value beyond 64 bits:
 * returns 0 with *end == text.
 */
u64 parse_u64(const char *text, const char **end);

/*
 * As parse_u64, then an optional suffix B K M G T (either case, powers of
 * 1024). A bare number counts units of 1 << bare_shift bytes (Xen's memory
 * options use 10: KiB). Returns bytes; failure or overflow as parse_u64.
 */
u64 parse_size(const char *text, const char **end, unsigned int bare_shift);
