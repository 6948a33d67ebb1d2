/* SPDX-License-Identifier: GPL-2.0-only */
/* What dom0 (main.c) and the guests it makes to break the hypervisor (inside.c) both know. */
#pragma once

#include "translated.h"

/* A page of the guest's image, mapped by dom0 as well. */
struct desk {
    u64 seed;
    u32 peer; /* the other one: grants and events go between the two */
    bool translated;
    volatile u64 calls, good,
        proof; /* of calls made and of those that succeeded: it may have overwritten them */
};
extern struct desk desk;

extern char fuzz_pv[]; /* a PV guest's first instruction */
__noreturn void fuzz_translated(u64 vcpu);
