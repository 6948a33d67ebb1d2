/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The console's screen: the cursor and what moves it, above whichever of
 * framebuffer.c and vga.c can draw. Guarded by the console lock.
 */
#include "platform/framebuffer.h"
#include "platform/internal.h"

static const struct screen_device *device; /* NULL: no screen, or it is dom0's */
static u32 row, column;

__init bool screen_open(void)
{
    device = framebuffer_open();
    if (!device)
        device = vga_open();
    return device;
}

static void new_line(void)
{
    column = 0;
    if (row < *device->rows - 1)
        row++;
    else
        device->scroll();
}

void screen_write(const char *text, size_t length)
{
    for (size_t i = 0; device && i < length; i++) {
        unsigned char ch = (unsigned char)text[i];

        if (ch == '\n') {
            new_line();
        } else if (ch == '\r') {
            column = 0;
        } else if (ch == '\t') {
            column = MIN(ROUND_UP(column + 1, 8u), *device->columns - 1);
        } else if (ch >= ' ') {
            if (column == *device->columns)
                new_line();
            device->put(row, column++, (char)ch);
        }
    }
}

void screen_leave(void)
{
    if (device && device->leave)
        device->leave(row, column);
    device = NULL;
}
