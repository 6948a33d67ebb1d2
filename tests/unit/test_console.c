// sources: platform/ring.c platform/serial.c boot/cmdline.c lib/string.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* The log ring against a plain model, its indices across the 32-bit wrap; com1= values. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/regs.h"
#include "platform/console.h"
#include "platform/internal.h"
#include "platform/ring.h"
#include "platform/serial.h"

#define SIZE 64

/* What serial.c wants beside its options; no test touches a port. */
struct cpu_local host_cpu_local;
void cpu_raise_work(u32 cpu, u32 bit)
{
    (void)cpu;
    (void)bit;
}
int irq_request(u32 irq, irq_handler_t fn, void *arg)
{
    (void)irq;
    (void)fn;
    (void)arg;
    return 0;
}
void printk(enum log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
}

void console_ring_alloc(struct ring *ring, u64 size)
{
    (void)ring;
    (void)size;
}

static void test_ring_keeps_the_newest(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        char data[SIZE], model[20000], out[SIZE + 10];
        u32 first = 0xffffff00u + (u32)rand() % 0x200; /* wraps in most rounds */
        struct ring ring = {data, SIZE, first, first};
        size_t written = 0;

        while (written < sizeof(model) - 200) {
            char chunk[200];
            size_t length = (size_t)rand() % (rand() % 4 ? 20 : sizeof(chunk));
            size_t kept;
            u32 index = ring.start - (u32)(rand() % 3); /* possibly pushed out */

            for (size_t i = 0; i < length; i++)
                chunk[i] = model[written + i] = (char)rand();
            ring_put(&ring, chunk, length);
            written += length;
            kept = MIN(written, (size_t)SIZE);
            assert_int_equal(ring_used(&ring), kept);
            assert_int_equal(ring_peek(&ring, out, sizeof(out), &index), kept);
            assert_memory_equal(out, model + written - kept, kept);
            assert_int_equal(index, ring.end);
        }
    }
}

static void test_ring_reads_in_pieces(void **state)
{
    char data[SIZE], out[SIZE * 2];
    struct ring ring = {data, SIZE, 0, 0};
    u32 index = 0;

    (void)state;
    ring_put(&ring, "hello world", 11);
    assert_int_equal(ring_peek(&ring, out, 5, &index), 5);
    assert_int_equal(ring_peek(&ring, out + 5, 50, &index), 6);
    assert_memory_equal(out, "hello world", 11);
    assert_int_equal(ring_peek(&ring, out, 50, &index), 0);
    ring_put(&ring, "!", 1);
    assert_int_equal(ring_peek(&ring, out, 50, &index), 1);
    /* An index from the future: nothing until it comes. */
    index = 5000;
    assert_int_equal(ring_peek(&ring, out, 50, &index), 0);
    assert_int_equal(index, 12);
    assert_int_equal(ring_take(&ring, out, 6), 6);
    assert_int_equal(ring_take(&ring, out, 50), 6);
    assert_memory_equal(out, "world!", 6);
    assert_int_equal(ring_used(&ring), 0);
}

static void test_ring_moves(void **state)
{
    (void)state;
    for (u32 from = 8; from <= 64; from *= 2)
        for (u32 to = 8; to <= 64; to *= 2)
            for (u32 used = 0; used < 100; used++) {
                char a[64], b[64], out[100], text[100];
                struct ring ring = {a, from, 0xfffffff0u, 0xfffffff0u};
                u32 kept = MIN(used, MIN(from, to)), index;

                for (u32 i = 0; i < used; i++)
                    text[i] = (char)i;
                ring_put(&ring, text, used);
                ring_move(&ring, b, to);
                index = ring.start;
                assert_int_equal(ring_peek(&ring, out, sizeof(out), &index), kept);
                assert_memory_equal(out, text + used - kept, kept);
            }
}

static const struct serial_config defaults = {
    .io_base = 0x3f8, .irq = 4, .clock = 1843200, .bits = 8, .stop = 1, .parity = 'n'};

static struct serial_config parsed(const char *value)
{
    struct serial_config c = defaults;

    assert_int_equal(serial_parse(value, &c), 0);
    return c;
}

static void test_serial_options(void **state)
{
    struct serial_config c;

    (void)state;
    c = parsed("115200");
    assert_int_equal(c.baud, 115200);
    assert_int_equal(c.io_base, 0x3f8);
    assert_int_equal(serial_line_control(&c), 0x03);
    c = parsed("38400/57600,7e2,0x2e8,7");
    assert_int_equal(c.baud, 38400);
    assert_int_equal(c.clock, 57600 * 16);
    assert_int_equal(c.io_base, 0x2e8);
    assert_int_equal(c.irq, 7);
    assert_int_equal(serial_line_control(&c), 0x1e);
    c = parsed("auto,8n1,,0");
    assert_int_equal(c.baud, 0);
    assert_int_equal(c.io_base, 0x3f8);
    assert_int_equal(c.irq, 0);
    c = parsed("baud=9600,parity=o,data-bits=8,stop-bits=1,io-base=0x2f8,irq=3,clock-hz=3686400");
    assert_int_equal(c.baud, 9600);
    assert_int_equal(c.clock, 3686400);
    assert_int_equal(c.io_base, 0x2f8);
    assert_int_equal(c.irq, 3);
    assert_int_equal(serial_line_control(&c), 0x0b);
    assert_int_equal(parsed("").baud, 0);
}

static void test_serial_refuses(void **state)
{
    static const char *const bad[] = {
        "fast",           "115200x",      "0",           "115200/0",      "115200,9n1",
        "115200,8x1",     "115200,8n3",   "115200,8n",   "115200,8n11",   "115200,8n1,0x10000",
        "115200,8n1,pci", "115200,,,256", "115200,,,,1", "baud=",         "data-bits=9",
        "parity=q",       "parity=",      "stop-bits=0", "stop-bits=1.5", "color=red",
        "irq=x",          "clock-hz=0",   "-1",          "115200,8n1,0"};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        struct serial_config c = defaults;

        if (serial_parse(bad[i], &c) != -EINVAL)
            fail_msg("accepted: %s", bad[i]);
        assert_memory_equal(&c, &defaults, sizeof(c));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_keeps_the_newest),
        cmocka_unit_test(test_ring_reads_in_pieces),
        cmocka_unit_test(test_ring_moves),
        cmocka_unit_test(test_serial_options),
        cmocka_unit_test(test_serial_refuses),
    };

    srand(1);
    return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
