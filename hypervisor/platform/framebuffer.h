/* SPDX-License-Identifier: GPL-2.0-only */
/* A screen of pixels that the boot loader or firmware has set up, and text on it. */
#pragma once

#include "lib/types.h"

#define FRAMEBUFFER_RGB 1 /* a type */

/* In the order in which both boot protocols give it. */
struct framebuffer {
    u64 address;
    u32 pitch, width, height; /* bytes from line to line; pixels */
    u8 bits_per_pixel, type;  /* other types have a palette or are text */
    u8 red_position, red_size, green_position, green_size, blue_position, blue_size; /* bits */
};

/* Is it one that can be drawn on, and no memory of ours or a guest's? After memory_init(). */
bool framebuffer_usable(const struct framebuffer *f);
/* Before the console comes to its screen: this is what there is. */
void framebuffer_found(const struct framebuffer *f);

/* The console's, for screen.c; NULL: it cannot be drawn on. */
struct screen_device;
const struct screen_device *framebuffer_open(void);
/* Gives back what that took, when nothing is written any more. No lock; the screen stays as it is.
 */
void framebuffer_close(void);
