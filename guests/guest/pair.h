/* SPDX-License-Identifier: GPL-2.0-only */
/* What the micro dom0 (main.c) and the domain it builds out of its own image (domu.c) share. */
#pragma once

#include "control.h"

/* Ways to end. */
enum death {
    DEATH_POWEROFF,
    DEATH_REBOOT,
    DEATH_CRASH,      /* by its own word */
    DEATH_NO_HANDLER, /* an exception without a handler */
    DEATH_NO_STACK,   /* an exception whose frame cannot be written */
    DEATH_BAD_IRET,   /* an iret frame that cannot be read */
    DEATH_TABLES,     /* leaves pinned and self-referring page tables behind */
    DEATH_WATCHDOG,   /* it sets one and goes on */
    DEATH_RUNNING,    /* none: ended from outside while it runs */
    DEATH_COUNT
};

/* A page of the domain's image, mapped by dom0 as well. */
struct mailbox {
    volatile u32 step; /* both count it up in turn */
    u32 death;
    u32 port;          /* the domain's end of the channel */
    u32 ref_from_dom0; /* grants */
    u64 foreign_frame; /* a frame of dom0 */
    volatile u32 passed, failed;
    volatile u32 text_used;
    char text[3000];
};

extern struct mailbox mailbox;
extern char domu_entry[];

#define REF_TO_DOM0 8
#define REF_TO_DOMU 9
#define MAGIC       0x7e11a5c0ffee
