/* SPDX-License-Identifier: GPL-2.0-only */
/* What a translated guest does and what comes of it: main.c makes the domains, inside.c is them. */
#pragma once

#include "translated.h"

/* What the domain is to do. The first reports and powers off, the others end it. */
enum deed {
    DEED_EVERYTHING,
    DEED_TRIPLE_FAULT,
    DEED_HALT_FOR_EVER,
    DEED_RUN_NOTHING,      /* code where no memory is */
    DEED_STACK_ON_NOTHING, /* an exception whose frame has no place */
    DEED_SHUTDOWN_CRASH,
    DEEDS
};

#define TSC_KHZ 1000000U /* where it is emulated, in the HVM guest */

/* In the image: dom0 writes the deed, the guest the rest. */
struct report {
    u32 deed;
    bool hvm, told;
    u32 passed, failed, length;
    char words[2048]; /* of checks that failed */
};
extern struct report report;
extern u8 rom[PAGE_SIZE]; /* a function; in the HVM guest the page may only be read */

__noreturn void inside_main(u64 vcpu);
