/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text on a linear framebuffer of 16, 24 or 32 bits a pixel. What the screen
 * shows is kept as characters, so that scrolling reads no video memory and draws
 * only the cells that change.
 *
 * Guarded by the console lock, but for open and close, before and after which
 * the console does not write here. The font is Debian's (tools/font).
 */
#include "platform/framebuffer.h"

#include "memory/alloc.h"
#include "platform/internal.h"

#define CELL_WIDTH  8
#define CELL_HEIGHT 16
#define COLUMNS_MAX 240u /* of a larger screen the left upper part is used */
#define ROWS_MAX    100u
#define FIRST_GLYPH ' '
#define LAST_GLYPH  '~'
#define GREY        0xaau

static const u8 glyphs[LAST_GLYPH - FIRST_GLYPH + 1][CELL_HEIGHT] = {
#include "font.inc"
};

static struct framebuffer screen __ro_after_init;
static u32 ink __ro_after_init;
static u8 *pixels;
static char *cells; /* rows * columns */
static u32 rows, columns;

static __init bool channel_fits(const struct framebuffer *f, u32 position, u32 size)
{
    return size && size <= 16 && position + size <= f->bits_per_pixel;
}

__init bool framebuffer_usable(const struct framebuffer *f)
{
    u32 bytes = f->bits_per_pixel / 8;
    u64 size = (u64)f->pitch * f->height;

    if (f->type != FRAMEBUFFER_RGB || !f->address || f->address >= 1UL << 46 || bytes < 2 ||
        bytes > 4 || f->bits_per_pixel % 8)
        return false;
    if (!channel_fits(f, f->red_position, f->red_size) ||
        !channel_fits(f, f->green_position, f->green_size) ||
        !channel_fits(f, f->blue_position, f->blue_size))
        return false;
    return f->width >= 40 * CELL_WIDTH && f->width <= 0x7fff && f->height >= 10 * CELL_HEIGHT &&
           f->height <= 0x7fff && f->pitch >= f->width * bytes && f->pitch <= 0xffff &&
           memory_is_io(paddr(f->address), size);
}

__init void framebuffer_found(const struct framebuffer *f)
{
    screen = *f;
}

static __init u32 channel(u32 position, u32 size)
{
    return (size <= 8 ? GREY >> (8 - size) : GREY << (size - 8)) << position;
}

static void draw(u32 r, u32 c)
{
    unsigned char ch = (unsigned char)cells[r * columns + c];
    const u8 *glyph = glyphs[ch >= FIRST_GLYPH && ch <= LAST_GLYPH ? ch - FIRST_GLYPH : '?' - ' '];
    u32 bytes = screen.bits_per_pixel / 8;

    for (u32 y = 0; y < CELL_HEIGHT; y++) {
        u8 *line = pixels + (u64)(r * CELL_HEIGHT + y) * screen.pitch + c * CELL_WIDTH * bytes;

        for (u32 x = 0; x < CELL_WIDTH; x++, line += bytes) {
            u32 colour = glyph[y] & 0x80 >> x ? ink : 0;

            if (bytes == 4)
                *(volatile u32 *)line = colour;
            else if (bytes == 2)
                *(volatile u16 *)line = (u16)colour;
            else
                for (u32 i = 0; i < 3; i++)
                    ((volatile u8 *)line)[i] = (u8)(colour >> (8 * i));
        }
    }
}

static void put(u32 r, u32 c, char ch)
{
    if (cells[r * columns + c] == ch)
        return;
    cells[r * columns + c] = ch;
    draw(r, c);
}

static void scroll(void)
{
    for (u32 r = 0; r < rows; r++)
        for (u32 c = 0; c < columns; c++)
            put(r, c, r < rows - 1 ? cells[(r + 1) * columns + c] : ' ');
}

__init const struct screen_device *framebuffer_open(void)
{
    static const struct screen_device device = {&rows, &columns, put, scroll, NULL};

    if (!framebuffer_usable(&screen))
        return NULL;
    columns = MIN(screen.width / CELL_WIDTH, COLUMNS_MAX);
    rows = MIN(screen.height / CELL_HEIGHT, ROWS_MAX);
    cells = heap_alloc(rows * columns);
    pixels = map_framebuffer(paddr(screen.address), (u64)screen.pitch * screen.height);
    if (!cells || !pixels)
        return NULL;
    ink = channel(screen.red_position, screen.red_size) |
          channel(screen.green_position, screen.green_size) |
          channel(screen.blue_position, screen.blue_size);
    memset(pixels, 0, (u64)screen.pitch * screen.height);
    memset(cells, ' ', rows * columns);
    return &device;
}

void framebuffer_close(void)
{
    if (!pixels)
        return;
    heap_free(cells);
    unmap_io(pixels, (u64)screen.pitch * screen.height);
    cells = NULL;
    pixels = NULL;
}
