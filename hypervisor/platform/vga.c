/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * 80x25 text on a VGA. A new line costs one row of writes: the visible window
 * slides down through the 32 KiB of text memory by the CRT controller's start
 * address, and only at the memory's end is it copied back to the top. Matters on
 * emulators, where each write to that memory is a trap.
 *
 * Guarded by the console lock. Register names as in the IBM VGA manual.
 */
#include "cpu/instructions.h"
#include "memory/map.h"
#include "platform/internal.h"

#define VGA_MEMORY     0xb8000
#define VGA_SIZE       0x8000
#define CRTC_INDEX     0x3d4
#define CRTC_DATA      0x3d5
#define GRAPHICS_INDEX 0x3ce
#define GRAPHICS_DATA  0x3cf
#define COLUMNS        80
#define ROWS           25
#define MEMORY_ROWS    (VGA_SIZE / 2 / COLUMNS)
#define BLANK          0x0720u /* grey on black */

static volatile u16 *cells;
static u32 top;                   /* memory row shown first */
static u16 shadow[ROWS][COLUMNS]; /* reading video memory is slower still */

static void crtc_write(u8 index, u8 value)
{
    out8(CRTC_INDEX, index);
    out8(CRTC_DATA, value);
}

static void show_window(void)
{
    u32 start = top * COLUMNS;

    crtc_write(0x0c, (u8)(start >> 8));
    crtc_write(0x0d, (u8)start);
}

static void draw_rows(u32 first)
{
    for (u32 r = first; r < ROWS; r++)
        for (u32 c = 0; c < COLUMNS; c++)
            cells[(top + r) * COLUMNS + c] = shadow[r][c];
}

static void put(u32 row, u32 column, char ch)
{
    shadow[row][column] = (u16)((BLANK & 0xff00) | (u8)ch);
    cells[(top + row) * COLUMNS + column] = shadow[row][column];
}

static void scroll(void)
{
    for (u32 r = 1; r < ROWS; r++)
        for (u32 c = 0; c < COLUMNS; c++)
            shadow[r - 1][c] = shadow[r][c];
    for (u32 c = 0; c < COLUMNS; c++)
        shadow[ROWS - 1][c] = BLANK;
    if (top + 1 + ROWS <= MEMORY_ROWS) {
        top++;
        draw_rows(ROWS - 1);
    } else {
        top = 0;
        draw_rows(0);
    }
    show_window();
}

static void leave(u32 row, u32 column)
{
    u32 cursor = row * COLUMNS + MIN(column, COLUMNS - 1u);

    /* A driver that does not read the start address expects the memory's beginning. */
    top = 0;
    draw_rows(0);
    show_window();
    crtc_write(0x0a, 0x0e);
    crtc_write(0x0e, (u8)(cursor >> 8));
    crtc_write(0x0f, (u8)cursor);
}

__init const struct screen_device *vga_open(void)
{
    static const u32 rows = ROWS, columns = COLUMNS;
    static const struct screen_device device = {&rows, &columns, put, scroll, leave};

    /* Graphics mode (a boot loader's or EFI's frame buffer) shows no text. */
    out8(GRAPHICS_INDEX, 6);
    if (in8(GRAPHICS_DATA) & 1)
        return NULL;
    cells = map_io(paddr(VGA_MEMORY), VGA_SIZE, true);
    if (!cells)
        return NULL;
    u16 seen = cells[0];
    cells[0] = 0x0a55;
    if (cells[0] != 0x0a55)
        return NULL;
    cells[0] = seen;

    for (u32 r = 0; r < ROWS; r++)
        for (u32 c = 0; c < COLUMNS; c++)
            shadow[r][c] = BLANK;
    draw_rows(0);
    show_window();
    crtc_write(0x0a, 0x20); /* cursor off */
    return &device;
}
