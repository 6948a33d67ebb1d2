// sources: lib/string.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* Text on framebuffers of every kind, compared pixel by pixel with the font; and which are refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "platform/framebuffer.c"
#include "platform/screen.c"

const struct screen_device *vga_open(void)
{
    return NULL;
}

static u8 *video;
static size_t video_size;
static bool is_memory;

void *map_framebuffer(paddr_t where, size_t length)
{
    assert_int_equal(where.raw, 0xc0000000);
    video_size = length;
    video = malloc(length); /* exactly: the sanitizer sees the byte behind */
    memset(video, 0xe7, length);
    return video;
}

void unmap_io(void *p, size_t length)
{
    assert_ptr_equal(p, video);
    assert_int_equal(length, video_size);
    free(video);
}

void *heap_alloc(size_t size)
{
    return malloc(size);
}

void heap_free(void *p)
{
    free(p);
}

bool memory_is_io(paddr_t start, u64 size)
{
    (void)start, (void)size;
    return !is_memory;
}

static const struct framebuffer kinds[] = {
    {0xc0000000, 640 * 4, 640, 480, 32, FRAMEBUFFER_RGB, 16, 8, 8, 8, 0, 8},
    {0xc0000000, 4096, 1000, 175, 32, FRAMEBUFFER_RGB, 0, 8, 8, 8, 16,
     8}, /* a margin at each side */
    {0xc0000000, 800 * 3, 800, 600, 24, FRAMEBUFFER_RGB, 16, 8, 8, 8, 0, 8},
    {0xc0000000, 323 * 2 + 2, 323, 200, 16, FRAMEBUFFER_RGB, 11, 5, 5, 6, 0, 5},
    {0xc0000000, 2400 * 4, 2400, 1900, 32, FRAMEBUFFER_RGB, 20, 10, 10, 10, 0,
     10}, /* more than we use */
};

static u32 pixel(u32 x, u32 y)
{
    u32 bytes = screen.bits_per_pixel / 8, value = 0;

    memcpy(&value, video + (u64)y * screen.pitch + x * bytes, bytes);
    return value;
}

/* Every pixel of the screen is what these rows of text say. */
static void check(char text[][COLUMNS_MAX])
{
    for (u32 y = 0; y < screen.height; y++)
        for (u32 x = 0; x < screen.width; x++) {
            u32 r = y / CELL_HEIGHT, c = x / CELL_WIDTH;
            bool inside = r < rows && c < columns, lit = false;

            if (inside)
                lit = glyphs[text[r][c] - ' '][y % CELL_HEIGHT] & 0x80 >> x % CELL_WIDTH;
            if (pixel(x, y) != (lit ? ink : 0))
                fail_msg("pixel %u,%u of %c", x, y, inside ? text[r][c] : '-');
        }
}

static void test_text(void **state)
{
    static char model[ROWS_MAX][COLUMNS_MAX];

    (void)state;
    for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
        u32 r = 0, c = 0;

        row = column = 0;
        framebuffer_found(&kinds[k]);
        assert_true(screen_open());
        assert_true(columns <= COLUMNS_MAX && rows <= ROWS_MAX && ink);
        memset(model, ' ', sizeof(model));
        check(model);
        for (u32 i = 0; i < 200; i++) {
            char line[COLUMNS_MAX + 40];
            u32 length = (u32)rand() % (columns + 30);

            for (u32 n = 0; n < length; n++) {
                line[n] = (char)(' ' + rand() % 95);
                if (c == columns) {
                    memmove(model, model + (r == rows - 1), sizeof(model) - sizeof(model[0]));
                    r = MIN(r + 1, rows - 1);
                    memset(model[r], ' ', COLUMNS_MAX);
                    c = 0;
                }
                model[r][c++] = line[n];
            }
            line[length] = '\n';
            screen_write(line, length);
            if (i % 20 == 0)
                check(model);
            screen_write("\n", 1);
            memmove(model, model + (r == rows - 1), sizeof(model) - sizeof(model[0]));
            r = MIN(r + 1, rows - 1);
            memset(model[r], ' ', COLUMNS_MAX);
            c = 0;
        }
        check(model);
        screen_leave();
        framebuffer_close();
        framebuffer_close();
    }
}

/* Bytes that are no printable ASCII leave a mark, tabs and returns move. */
static void test_controls(void **state)
{
    static char model[ROWS_MAX][COLUMNS_MAX];

    (void)state;
    row = column = 0;
    framebuffer_found(&kinds[0]);
    assert_true(screen_open());
    memset(model, ' ', sizeof(model));
    screen_write("ab\rc\td\x80\xff\x01\x7f", 10);
    memcpy(model[0], "cb      d???", 11);
    model[0][11] = '?';
    check(model);
    screen_leave();
    screen_write("nobody's", 8);
    check(model);
    framebuffer_close();
}

static void test_refused(void **state)
{
    struct framebuffer f;

    (void)state;
#define REFUSED(field, value)                 \
    do {                                      \
        f = kinds[0];                         \
        f.field = value;                      \
        assert_false(framebuffer_usable(&f)); \
        framebuffer_found(&f);                \
        assert_false(screen_open());          \
    } while (0)
    assert_true(framebuffer_usable(&kinds[0]));
    REFUSED(address, 0);
    REFUSED(address, 1UL << 52);
    REFUSED(pitch, 640 * 4 - 1);
    REFUSED(pitch, 0xffffffff);
    REFUSED(width, 0);
    REFUSED(width, 0xffffffff);
    REFUSED(height, 0);
    REFUSED(height, 0xffffffff);
    REFUSED(bits_per_pixel, 0);
    REFUSED(bits_per_pixel, 8);
    REFUSED(bits_per_pixel, 15);
    REFUSED(bits_per_pixel, 64);
    REFUSED(type, 0);
    REFUSED(red_size, 0);
    REFUSED(red_position, 25);
    REFUSED(green_size, 200);
    REFUSED(blue_position, 255);
    is_memory = true; /* ours, or a guest's */
    REFUSED(type, FRAMEBUFFER_RGB);
    is_memory = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
