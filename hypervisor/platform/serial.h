/* SPDX-License-Identifier: GPL-2.0-only */
/* The form of com1= and com2=, apart from serial.c for its tests. */
#pragma once

#include "lib/types.h"

struct serial_config {
    u32 baud;  /* 0: as the firmware left it */
    u32 clock; /* Hz; baud times 16 times the divisor */
    u16 io_base;
    u8 irq; /* ISA interrupt, 0: poll */
    u8 bits, stop;
    char parity; /* n o e m s */
};

/* Applies an option's value: 0, or -EINVAL with *config unchanged. Empty items keep a default. */
int serial_parse(const char *value, void *config);
/* The line control register for it. */
u8 serial_line_control(const struct serial_config *config);
