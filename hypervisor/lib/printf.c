/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See printf.h. One pass over the format; each conversion is read into a
 * struct spec, turned into digits or text, and written with its padding.
 * Output beyond the buffer is counted and dropped. No state outside the stack.
 */
#include "lib/printf.h"

struct output {
    char *buffer;
    size_t size;
    size_t length; /* of the whole text, written or not */
};

/* Flags, in the order of their letters. */
static const char flag_letters[] = "-0+ #";
enum { LEFT = 1, ZERO = 2, PLUS = 4, SPACE = 8, ALTERNATIVE = 16 };

struct spec {
    u32 flags;
    int width;
    int precision; /* -1: none given */
    int bytes;     /* of the integer argument */
    char conversion;
};

static void put(struct output *out, char c)
{
    if (out->length < out->size)
        out->buffer[out->length] = c;
    out->length++;
}

static void put_many(struct output *out, char c, int count)
{
    for (; count > 0; count--)
        put(out, c);
}

/* Pads `text` with spaces to the width. */
static void put_text(struct output *out, const struct spec *spec, const char *text, int length)
{
    if (!(spec->flags & LEFT))
        put_many(out, ' ', spec->width - length);
    for (int i = 0; i < length; i++)
        put(out, text[i]);
    if (spec->flags & LEFT)
        put_many(out, ' ', spec->width - length);
}

/* sign is a zero-terminated prefix: "", "-", "+", " ", "0x", "0X". */
static void put_number(struct output *out, const struct spec *spec, u64 value, unsigned int base,
                       const char *sign)
{
    char digits[24]; /* 22 octal digits and a leading zero */
    const char *set = spec->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    int length = 0, zeros, pad;

    for (u64 rest = value; rest; rest /= base)
        digits[length++] = set[rest % base];
    zeros = (spec->precision < 0 ? 1 : spec->precision) - length;
    if (base == 8 && (spec->flags & ALTERNATIVE) && zeros <= 0)
        zeros = 1;
    zeros = MAX(zeros, 0);
    pad = spec->width - (int)strlen(sign) - zeros - length;
    pad = MAX(pad, 0);
    if ((spec->flags & (ZERO | LEFT)) == ZERO && spec->precision < 0) {
        zeros += pad;
        pad = 0;
    }

    if (!(spec->flags & LEFT))
        put_many(out, ' ', pad);
    while (*sign)
        put(out, *sign++);
    put_many(out, '0', zeros);
    while (length)
        put(out, digits[--length]);
    if (spec->flags & LEFT)
        put_many(out, ' ', pad);
}

/* Decimal digits at *format, capped far above any sane width. */
static int read_count(const char **format)
{
    int count = 0;

    for (; **format >= '0' && **format <= '9'; (*format)++)
        if (count < 100000)
            count = count * 10 + (**format - '0');
    return count;
}

static const char *read_flags(const char *format, struct spec *spec)
{
    for (const char *letter; *format && (letter = strchr(flag_letters, *format)); format++)
        spec->flags |= 1U << (letter - flag_letters);
    return format;
}

static const char *read_length(const char *format, struct spec *spec)
{
    char c = *format;
    bool twice = (c == 'h' || c == 'l') && format[1] == c;

    spec->bytes = sizeof(int);
    if (c == 'h')
        spec->bytes = twice ? 1 : 2;
    else if (c && strchr("lztj", c))
        spec->bytes = 8;
    else
        return format;
    return format + 1 + twice;
}

/* Writes an integer argument, already fetched at full width. */
static void put_integer(struct output *out, const struct spec *spec, u64 value)
{
    char c = spec->conversion;
    const char *sign = "";
    int shift = 64 - 8 * spec->bytes;
    s64 number = (s64)(value << shift) >> shift;

    if (c == 'd' || c == 'i') {
        if (number < 0)
            sign = "-";
        else if (spec->flags & (PLUS | SPACE))
            sign = spec->flags & PLUS ? "+" : " ";
        put_number(out, spec, number < 0 ? -(u64)number : (u64)number, 10, sign);
        return;
    }
    if (c != 'p' && spec->bytes < 8)
        value &= (1UL << (8 * spec->bytes)) - 1;
    if (c == 'p' || ((spec->flags & ALTERNATIVE) && value && (c | 0x20) == 'x'))
        sign = c == 'X' ? "0X" : "0x";
    put_number(out, spec, value, c == 'u' ? 10 : c == 'o' ? 8 : 16, sign);
}

/* What lies between '%' and the conversion letter. */
static const char *read_spec(const char *format, struct spec *spec, va_list *arguments)
{
    *spec = (struct spec){.precision = -1};
    format = read_flags(format, spec);
    if (*format == '*') {
        format++;
        spec->width = va_arg(*arguments, int);
        if (spec->width < 0) {
            spec->flags |= LEFT;
            spec->width = -spec->width;
        }
    } else {
        spec->width = read_count(&format);
    }
    if (*format == '.') {
        if (*++format == '*') {
            format++;
            spec->precision = va_arg(*arguments, int);
        } else {
            spec->precision = read_count(&format);
        }
    }
    format = read_length(format, spec);
    spec->conversion = *format;
    return format;
}

static void format_all(struct output *out, const char *format, va_list *arguments)
{
    struct spec spec;
    const char *text;
    char c;

    for (; *format; format++) {
        const char *start = format;

        if (*format != '%') {
            put(out, *format);
            continue;
        }
        format = read_spec(format + 1, &spec, arguments);
        switch (spec.conversion) {
        case 'd':
        case 'i':
        case 'u':
        case 'o':
        case 'x':
        case 'X':
            put_integer(out, &spec,
                        spec.bytes == 8 ? va_arg(*arguments, u64) : va_arg(*arguments, u32));
            break;
        case 'p':
            put_integer(out, &spec, (u64)va_arg(*arguments, void *));
            break;
        case 's':
            text = va_arg(*arguments, const char *);
            text = text ? text : "(null)";
            put_text(out, &spec, text,
                     (int)strnlen(text, spec.precision < 0 ? INT32_MAX : (size_t)spec.precision));
            break;
        case 'c':
            c = (char)va_arg(*arguments, int);
            put_text(out, &spec, &c, 1);
            break;
        case '%':
            put(out, '%');
            break;
        case '\0':
            format--; /* the format ends inside a conversion: show it as it stands */
            /* fall through */
        default:
            while (start <= format)
                put(out, *start++);
            break;
        }
    }
}

int vsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct output out = {buffer, size, 0};
    va_list copy; /* a va_list parameter is an array in disguise: &arguments is no va_list * */

    va_copy(copy, arguments);
    format_all(&out, format, &copy);
    va_end(copy);
    if (size)
        buffer[MIN(out.length, size - 1)] = '\0';
    return (int)out.length;
}

int snprintf(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
