/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See string.h. Also serves the calls to memcpy and friends that compilers
 * make up themselves. Long copies use the string instructions, fast on every
 * processor that can run us; text is walked byte by byte, since texts are short.
 */
#include "lib/string.h"

/*
 * Keeps an optimiser from recognising the loop around it as the very function
 * that contains it, and turning it into a call to itself.
 */
#define NOT_AN_IDIOM(x) __asm__("" : "+r"(x))

/* Eight bytes anywhere, of any type. */
typedef u64 loose_u64 __attribute__((aligned(1), may_alias));

/* From here on the start-up cost of a string instruction is paid back. */
#define LONG_COPY 128

void *memcpy(void *to, const void *from, size_t length)
{
    u8 *out = to;
    const u8 *in = from;

    if (length >= LONG_COPY) {
        size_t words = length / 8;

        __asm__ volatile("rep movsq" : "+D"(out), "+S"(in), "+c"(words) : : "memory");
        length %= 8;
    }
    for (; length >= 8; length -= 8, out += 8, in += 8) {
        *(loose_u64 *)out = *(const loose_u64 *)in;
        NOT_AN_IDIOM(out);
    }
    for (; length; length--, out++, in++) {
        *out = *in;
        NOT_AN_IDIOM(out);
    }
    return to;
}

void *memmove(void *to, const void *from, size_t length)
{
    u8 *last_to = (u8 *)to + length - 1;
    const u8 *last_from = (const u8 *)from + length - 1;

    if ((uintptr_t)to - (uintptr_t)from >= length)
        return memcpy(to, from, length);

    /* The end of `from` lies in `to`: go backwards. */
    __asm__ volatile("std; rep movsb; cld"
                     : "+D"(last_to), "+S"(last_from), "+c"(length)
                     :
                     : "memory", "cc");
    return to;
}

void *memset(void *to, int byte, size_t length)
{
    u8 *out = to;
    u64 pattern = (u8)byte * 0x0101010101010101UL;

    if (length >= LONG_COPY) {
        size_t words = length / 8;

        __asm__ volatile("rep stosq" : "+D"(out), "+c"(words) : "a"(pattern) : "memory");
        length %= 8;
    }
    for (; length >= 8; length -= 8, out += 8) {
        *(loose_u64 *)out = pattern;
        NOT_AN_IDIOM(out);
    }
    for (; length; length--, out++) {
        *out = (u8)byte;
        NOT_AN_IDIOM(out);
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t length)
{
    const u8 *x = a, *y = b;

    for (; length; length--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *text)
{
    const char *end = text;

    while (*end) {
        end++;
        NOT_AN_IDIOM(end);
    }
    return (size_t)(end - text);
}

size_t strnlen(const char *text, size_t limit)
{
    size_t length = 0;

    while (length < limit && text[length])
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, ~(size_t)0);
}

int strncmp(const char *a, const char *b, size_t limit)
{
    for (; limit; limit--, a++, b++) {
        if (*a != *b)
            return (u8)*a - (u8)*b;
        if (!*a)
            break;
    }
    return 0;
}

char *strchr(const char *text, int byte)
{
    for (;; text++) {
        if (*text == (char)byte)
            return (char *)text;
        if (!*text)
            return NULL;
    }
}

char *strstr(const char *text, const char *part)
{
    size_t length = strlen(part);

    for (; strncmp(text, part, length) != 0; text++)
        if (!*text)
            return NULL;
    return (char *)text;
}

size_t strlcpy(char *to, const char *from, size_t size)
{
    size_t length = strlen(from);

    if (size) {
        size_t copied = MIN(length, size - 1);

        memcpy(to, from, copied);
        to[copied] = '\0';
    }
    return length;
}

/* The value of a digit in any base up to 16, 16 if it is none. */
static unsigned int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned int)(c - '0');
    c |= 0x20;
    if (c >= 'a' && c <= 'f')
        return (unsigned int)(c - 'a') + 10;
    return 16;
}

u64 parse_u64(const char *text, const char **end)
{
    const char *at = text;
    unsigned int base = 10;
    u64 value = 0;

    if (*at == '0')
        base = 8;
    if (base == 8 && (at[1] | 0x20) == 'x' && digit_value(at[2]) < 16) {
        base = 16;
        at += 2;
    }
    if (end)
        *end = text;
    for (; digit_value(*at) < base; at++)
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit_value(*at), &value))
            return 0;
    if (end)
        *end = at;
    return value;
}

u64 parse_size(const char *text, const char **end, unsigned int bare_shift)
{
    static const char suffixes[] = "bkmgt";
    unsigned int shift = bare_shift;
    const char *at, *suffix;
    u64 value = parse_u64(text, &at);

    suffix = *at ? strchr(suffixes, *at | 0x20) : NULL;
    if (at != text && suffix) {
        shift = 10 * (unsigned int)(suffix - suffixes);
        at++;
    }
    if (value << shift >> shift != value) {
        value = 0;
        at = text;
    }
    if (end)
        *end = at;
    return value << shift;
}
