/* SPDX-License-Identifier: GPL-2.0-only */
/* Hardware tasks in a translated guest: main.c makes the domain, inside.c is it. */
#pragma once

#include "translated.h"

#define NOTES 128

/* What the tasks have seen, in this order. */
struct seen {
    u32 count, notes[NOTES];
};
extern volatile struct seen seen;
extern const u32 expected[], expected_count;
__noreturn void inside_main(u64 vcpu);
