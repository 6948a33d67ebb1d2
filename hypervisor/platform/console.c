/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The console's front: formats messages, filters them by level, sends every
 * byte to the ring and the devices, and decides who gets the input.
 *
 * Owns the log ring, the input ring and the key table. console_lock
 * (LOCK_CONSOLE, the last level, so that printk works under any other lock)
 * guards all of it and the devices behind it, but not the key table, which only
 * boot code changes, and the levels of messages, which keys do. Output is synchronous: when printk
 * returns, the bytes are in the device.
 *
 * Input: an interrupt (or the poll in the timer interrupt) raises WORK_CONSOLE;
 * console_work() reads the bytes without any other lock held and either keeps
 * them for dom0 or calls key handlers. When dom0's ring is full, bytes stay in
 * the UART until console_read() has made room: nothing is lost to a slow reader.
 */
#include "platform/console.h"

#include "cpu/work.h"
#include "lib/option.h"
#include "lib/printf.h"
#include "memory/alloc.h"
#include "platform/clock.h"
#include "platform/framebuffer.h"
#include "platform/internal.h"
#include "platform/rtc.h"

#define PREFIX          "(XEN) "
#define EARLY_RING_SIZE 8192
#define RING_SIZE_MAX   (16UL << 20)
#define INPUT_SIZE      256

/* A message of level L: shown if L < always, at a limited rate if L < limited. */
struct thresholds {
    u8 always, limited;
};

/* At most RATE_BURST messages in RATE_WINDOW. */
#define RATE_WINDOW (5 * NS_SECOND)
#define RATE_BURST  10

struct rate {
    ns_t start;
    u32 count, dropped;
};

enum stamp { STAMP_NONE, STAMP_BOOT, STAMP_RAW, STAMP_DATE, STAMP_DATE_MS };

static spinlock_t console_lock = SPINLOCK(LOCK_CONSOLE);
static bool locks_broken;

static char early_ring[EARLY_RING_SIZE] __initdata;
static struct ring log_ring = {early_ring, EARLY_RING_SIZE, 0, 0};
static bool line_start = true;
static struct thresholds host_levels = {3, 3};
static struct thresholds guest_levels = {0, 2};
static struct rate host_rate, guest_rate;
static enum stamp stamp_kind __ro_after_init;

static bool serial_on[SERIAL_PORTS];
static bool screen_on;
static bool screen_wanted __initdata;

static char input_bytes[INPUT_SIZE];
static struct ring input = {input_bytes, INPUT_SIZE, 0, 0};
static bool left_to_dom0, input_to_dom0, input_stalled;
static u32 switch_count;
static char switch_char __ro_after_init = 'a';
static bool switch_at_boot __ro_after_init = true;

static struct {
    void (*fn)(unsigned char key);
    const char *help;
} keys[128];
/* However many domains there are: about what a large log ring holds. */
#define LINES_OF_A_KEY 1000u
static u32 lines_left;
static bool keys_change_guests;

/* --- Options ------------------------------------------------------------- */

static char console_option[64] __initdata = "com1,vga";
static u64 ring_size_option __initdata = 16384;
static bool screen_keep __ro_after_init;
static bool console_to_ring __ro_after_init;

CMDLINE_STRING("console", console_option);
CMDLINE_SIZE("conring_size", ring_size_option);
CMDLINE_BOOL("console_to_ring", console_to_ring);

/* Modes are the boot loader's business; "keep" shows our messages beside dom0's. */
static __init int parse_vga(const char *value, void *)
{
    screen_keep = strstr(value, "keep") != NULL;
    return 0;
}
CMDLINE_CUSTOM("vga", parse_vga, NULL);

static __init int parse_level(const char *text, size_t length, u8 *threshold)
{
    static const char *const names[] = {"none", "error", "warning", "info", "debug", "all"};

    for (u32 i = 0; i < ARRAY_SIZE(names); i++)
        if (strlen(names[i]) == length && strncmp(text, names[i], length) == 0) {
            *threshold = (u8)MIN(i, 4u);
            return 0;
        }
    return -EINVAL;
}

/* LEVEL or LEVEL/LIMITED-LEVEL. One level alone leaves nothing in between. */
static __init int parse_levels(const char *value, void *where)
{
    const char *slash = strchr(value, '/');
    size_t length = slash ? (size_t)(slash - value) : strlen(value);
    struct thresholds t, *out = where;

    if (parse_level(value, length, &t.always))
        return -EINVAL;
    t.limited = t.always;
    if (slash && parse_level(slash + 1, strlen(slash + 1), &t.limited))
        return -EINVAL;
    t.limited = MAX(t.limited, t.always);
    *out = t;
    return 0;
}

CMDLINE_CUSTOM("loglvl", parse_levels, &host_levels);
CMDLINE_CUSTOM("guest_loglvl", parse_levels, &guest_levels);

static __init int parse_timestamps(const char *value, void *)
{
    static const char *const names[] = {"none", "boot", "raw", "date", "datems"};
    int on = cmdline_bool(value);

    for (u32 i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(value, names[i]) == 0) {
            stamp_kind = i;
            return 0;
        }
    if (on < 0 && *value)
        return -EINVAL;
    stamp_kind = on == 0 ? STAMP_NONE : STAMP_DATE;
    return 0;
}
CMDLINE_CUSTOM("console_timestamps", parse_timestamps, NULL);

/* The letter that switches input together with Ctrl; 'x' behind it: not at boot. */
static __init int parse_conswitch(const char *value, void *)
{
    if (value[0] < 'a' || value[0] > 'z' || (value[1] && strcmp(value + 1, "x")))
        return -EINVAL;
    switch_char = value[0];
    switch_at_boot = !value[1];
    return 0;
}
CMDLINE_CUSTOM("conswitch", parse_conswitch, NULL);

/* --- Output -------------------------------------------------------------- */

static void console_acquire(void)
{
    if (!locks_broken)
        spin_lock(&console_lock);
}

static void console_release(void)
{
    if (!locks_broken)
        spin_unlock(&console_lock);
}

void console_force_unlock(void)
{
    locks_broken = true;
    line_start = true;
    serial_flush(true);
}

void console_flush(void)
{
    console_acquire();
    serial_flush(false);
    console_release();
}

/* Lock held, as for all that follow. */
static void write_devices(const char *text, size_t length)
{
    for (u32 i = 0; i < SERIAL_PORTS; i++)
        if (serial_on[i])
            serial_write(i, text, length);
    screen_write(text, length);
}

static void write_stamp(void)
{
    char text[40];
    ns_t now = clock_now();
    u64 seconds = (u64)now / NS_SECOND, wall, wall_seconds;
    u32 nanoseconds, month, day, ms;
    s64 year;
    int length;

    switch (stamp_kind) {
    case STAMP_RAW:
        length = snprintf(text, sizeof(text), "[%016lx] ", now);
        break;
    case STAMP_DATE:
    case STAMP_DATE_MS:
        clock_wall_get(&wall, &nanoseconds);
        nanoseconds += (u32)((u64)now % NS_SECOND);
        wall_seconds = wall + seconds + nanoseconds / NS_SECOND;
        ms = (u32)(nanoseconds % NS_SECOND / NS_MS);
        calendar_date((s64)(wall_seconds / 86400), &year, &month, &day);
        wall_seconds %= 86400;
        length = snprintf(text, sizeof(text), "[%04ld-%02u-%02u %02u:%02u:%02u", year, month, day,
                          (u32)(wall_seconds / 3600), (u32)(wall_seconds / 60 % 60),
                          (u32)(wall_seconds % 60));
        length += snprintf(text + length, sizeof(text) - (size_t)length,
                           stamp_kind == STAMP_DATE ? "] " : ".%03u] ", ms);
        break;
    default:
        length =
            snprintf(text, sizeof(text), "[%5lu.%06lu] ", seconds, (u64)(now % NS_SECOND / NS_US));
        break;
    }
    ring_put(&log_ring, text, (size_t)length);
    write_devices(text, (size_t)length);
}

/* Our own text: prefix at each line's beginning, everything into the ring. */
static void write_message(const char *text)
{
    while (*text) {
        const char *end = strchr(text, '\n');
        size_t length = end ? (size_t)(end - text) + 1 : strlen(text);

        if (line_start) {
            ring_put(&log_ring, PREFIX, strlen(PREFIX));
            write_devices(PREFIX, strlen(PREFIX));
            if (stamp_kind != STAMP_NONE)
                write_stamp();
        }
        ring_put(&log_ring, text, length);
        write_devices(text, length);
        line_start = end != NULL;
        text += length;
    }
}

/* Room for one more message in the window? Says how many were dropped when one ended. */
static bool rate_allows(struct rate *rate)
{
    ns_t now = clock_now();
    char text[64];

    if (now == 0) /* no clock yet: boot messages */
        return true;
    if (rate->start == 0 || now - rate->start > RATE_WINDOW) {
        if (rate->dropped) {
            snprintf(text, sizeof(text), "printk: %u messages suppressed.\n", rate->dropped);
            write_message(text);
        }
        *rate = (struct rate){.start = now};
    }
    if (rate->count < RATE_BURST) {
        rate->count++;
        return true;
    }
    rate->dropped++;
    return false;
}

static void log_message(u32 level, const struct thresholds *levels, struct rate *rate,
                        const char *format, va_list args)
{
    static char buffer[1024]; /* under the lock: stacks are small */

    if (level >= levels->limited && level >= levels->always)
        return;
    console_acquire();
    if (level < levels->always || rate_allows(rate)) {
        vsnprintf(buffer, sizeof(buffer), format, args);
        write_message(buffer);
    }
    console_release();
}

void vprintk(enum log_level level, const char *format, va_list args)
{
    log_message(level, &host_levels, &host_rate, format, args);
}

void printk(enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintk(level, format, args);
    va_end(args);
}

void printk_guest(enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_message(level, &guest_levels, &guest_rate, format, args);
    va_end(args);
}

/* Lock held. */
static void input_switch(bool to_dom0)
{
    char text[96];

    input_to_dom0 = to_dom0;
    snprintf(text, sizeof(text), "*** Serial input to %s (type 'CTRL-%c' three times to switch)\n",
             to_dom0 ? "DOM0" : "Xen", switch_char);
    write_message(text);
}

/* Lock held. Once: what dom0 is given when it starts. */
static void leave_to_dom0(void)
{
    if (left_to_dom0)
        return;
    left_to_dom0 = true;
    if (!screen_keep) {
        screen_leave();
        screen_on = false;
    }
    if (switch_at_boot)
        input_switch(true);
}

void console_boot_done(void)
{
    console_acquire();
    leave_to_dom0();
    console_release();
    if (!screen_on)
        framebuffer_close(); /* takes lower locks */
}

/* --- dom0's output ------------------------------------------------------- */

void console_write_dom0(const char *bytes, size_t length)
{
    console_acquire();
    leave_to_dom0();
    if (console_to_ring)
        ring_put(&log_ring, bytes, length);
    write_devices(bytes, length);
    console_release();
}

/* --- The ring of past output --------------------------------------------- */

size_t console_ring_read(char *bytes, size_t length, u32 *index, bool incremental)
{
    console_acquire();
    if (!incremental)
        *index = log_ring.start;
    size_t done = ring_peek(&log_ring, bytes, length, index);
    console_release();
    return done;
}

void console_ring_clear_to(u32 index)
{
    console_acquire();
    if (index - log_ring.start <= ring_used(&log_ring))
        log_ring.start = index;
    console_release();
}

/* --- Input --------------------------------------------------------------- */

/*
 * Lock held. Routes one byte; true if it is for a key handler. Switch
 * characters are held back until it is clear that they are not three in a row.
 */
static bool input_byte(char byte)
{
    char held = (char)(switch_char - 'a' + 1);

    if (byte == held) {
        if (++switch_count == 3) {
            switch_count = 0;
            input_switch(!input_to_dom0);
        }
        return false;
    }
    for (; switch_count; switch_count--)
        if (input_to_dom0)
            ring_put(&input, &held, 1);
    if (!input_to_dom0)
        return true;
    ring_put(&input, &byte, 1);
    return false;
}

void console_work(void)
{
    char bytes[16], key[16];
    size_t count, key_count;
    bool notify = false;

    do {
        key_count = 0;
        console_acquire();
        /* Room for a batch and the characters held back, or leave it in the UART. */
        input_stalled = INPUT_SIZE - ring_used(&input) < sizeof(bytes) + 2;
        count = input_stalled ? 0 : serial_read(bytes, sizeof(bytes));
        for (size_t i = 0; i < count; i++)
            if (input_byte(bytes[i]))
                key[key_count++] = bytes[i];
        notify |= ring_used(&input) != 0;
        serial_work(input_stalled);
        console_release();
        for (size_t i = 0; i < key_count; i++)
            console_key((unsigned char)key[i]);
    } while (count == sizeof(bytes));
    if (notify)
        console_input_notify();
}

size_t console_read(char *bytes, size_t length)
{
    console_acquire();
    size_t done = ring_take(&input, bytes, length);
    bool again = input_stalled;
    console_release();
    if (again && done)
        cpu_raise_work(this_cpu_id(), WORK_CONSOLE);
    return done;
}

/* --- Keys ---------------------------------------------------------------- */

void console_key_register(char key, void (*fn)(unsigned char key), const char *help)
{
    ASSERT((unsigned char)key < ARRAY_SIZE(keys));
    keys[(unsigned char)key].fn = fn;
    keys[(unsigned char)key].help = help;
}

void console_key(unsigned char key)
{
    lines_left = LINES_OF_A_KEY;
    if (key < ARRAY_SIZE(keys) && keys[key].fn)
        keys[key].fn(key);
}

bool console_say(const char *format, ...)
{
    static const struct thresholds always = {1, 1};
    va_list args;

    if (!lines_left)
        return false;
    va_start(args, format);
    log_message(LOG_ERROR, &always, &host_rate, format, args);
    va_end(args);
    if (!--lines_left)
        printk(LOG_ERROR, "(%u lines are enough)\n", LINES_OF_A_KEY);
    cpu_wait();
    return lines_left;
}

static void key_help(unsigned char)
{
    console_say("'h' pressed -> showing installed handlers\n");
    for (u32 i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i].fn)
            console_say(" key '%c' (ascii '%02x') => %s\n", (char)i, i, keys[i].help);
}

/* Whatever only shows something. */
static void key_all(unsigned char)
{
    for (u32 i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i].fn && !strchr("*+-GhPRw", (int)i)) {
            console_say("[%c: %s]\n", (char)i, keys[i].help);
            console_key((unsigned char)i);
        }
}

static void key_threshold(unsigned char key)
{
    struct thresholds *t = keys_change_guests ? &guest_levels : &host_levels;
    u8 level = t->always;

    if (key == '+' ? level < LOG_DEBUG + 1 : level > 0)
        level = (u8)(key == '+' ? level + 1 : level - 1);
    t->always = level;
    t->limited = MAX(level, t->limited);
    console_say("Messages of %s: level %u always shown, %u at a limited rate\n",
                keys_change_guests ? "guests" : "the hypervisor", level, t->limited);
}

static void key_whose_threshold(unsigned char)
{
    keys_change_guests = !keys_change_guests;
    console_say("Keys + and - are for messages of %s\n",
                keys_change_guests ? "guests" : "the hypervisor");
}

/* To the devices, not into the ring again. */
static void key_show_ring(unsigned char)
{
    u32 index = log_ring.start, end = log_ring.end;
    char text[128];
    size_t length;

    do {
        console_acquire();
        length = ring_peek(&log_ring, text, sizeof(text), &index);
        write_devices(text, length);
        console_release();
        cpu_wait();
    } while (length && (s32)(end - index) > 0);
}

/* --- Start --------------------------------------------------------------- */

/* Devices that open late also show what was said before. */
static __init void replay_to(s32 serial_port)
{
    char text[64];
    u32 index = log_ring.start;
    size_t length;

    while ((length = ring_peek(&log_ring, text, sizeof(text), &index)) != 0) {
        if (serial_port < 0)
            screen_write(text, length);
        else
            serial_write((u32)serial_port, text, length);
    }
}

__init void console_init(void)
{
    const char *cursor = console_option;
    char item[16];
    bool unknown = false;

    while (cmdline_item(&cursor, item, sizeof(item)) == 1) {
        s32 port = item[3] - '1';

        if (strcmp(item, "vga") == 0) {
            screen_wanted = true;
        } else if (strncmp(item, "com", 3) == 0 && port >= 0 && port < SERIAL_PORTS) {
            if (!serial_on[port] && serial_open((u32)port)) {
                serial_on[port] = true;
                replay_to(port);
            }
        } else if (strcmp(item, "none") != 0) {
            unknown = true;
        }
    }
    if (unknown)
        printk(LOG_WARNING, "console=%s: only com1, com2, vga and none are known\n",
               console_option);
}

static __init void console_init_vga(void)
{
    if (screen_on || !screen_wanted)
        return;
    screen_on = screen_open();
    if (screen_on)
        replay_to(-1);
}

__init void console_ring_alloc(struct ring *ring, u64 wanted)
{
    u64 size = PAGE_SIZE;

    while (size < wanted && size < RING_SIZE_MAX)
        size *= 2;
    char *data = heap_alloc(size);
    if (!data)
        panic("no memory for a console ring of %lu bytes", size);
    console_acquire();
    ring_move(ring, data, (u32)size);
    console_release();
}

__init void console_init_late(void)
{
    console_init_vga();
    console_ring_alloc(&log_ring, ring_size_option);
    printk(LOG_INFO, "Allocated console ring of %u KiB.\n", log_ring.size >> 10);
    console_key_register('h', key_help, "show this message");
    console_key_register('*', key_all, "all that only shows something");
    console_key_register('+', key_threshold, "show more messages");
    console_key_register('-', key_threshold, "show fewer messages");
    console_key_register('G', key_whose_threshold, "whose messages + and - are for");
    console_key_register('w', key_show_ring, "show the log ring on the console");
    serial_enable_interrupts();
}
