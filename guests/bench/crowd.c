/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a switch's cost grows: from one of our vCPUs to the other and back, while 0, 10, 100 and
 * 1,000 of other domains wait for the same CPU.
 */
#include "bench.h"

/* One of them gives up each turn at once, and needs no stack for that. */
__asm__(".text\n.globl crowd_entry\ncrowd_entry:\n"
        "mov $29, %eax; xor %edi, %edi; xor %esi, %esi; syscall; jmp crowd_entry\n");
extern char crowd_entry[];

/* Domains of `count` vCPUs in all; they stand still. */
static u32 crowd_build(u32 count)
{
    enum { MANY = 30 }; /* within what shared_info has room for */
    u32 domain = 0;

    for (u32 vcpus; count; count -= vcpus) {
        vcpus = count < MANY ? count : MANY;
        domain = (u32)domain_create(vcpus, BUILD_KIB);
        build_memory(domain);
        build_context(domain, crowd_entry);
        for (u32 vcpu = 1; vcpu < vcpus; vcpu++)
            build_vcpu(domain, vcpu, crowd_entry);
        build_done();
        domain_schedule(domain, 1, 0); /* what it is ahead for being new it soon has spent */
    }
    return domain; /* the last */
}

static void let_go(u32 *next, u32 last)
{
    while (*next <= last)
        CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, (*next)++), 0);
    nap(50000000); /* until all have found their place */
}

/* A queue may be in an order in which each change costs more than it mostly does: in several. */
#define MEASURE_TURN(name)                       \
    for (u32 order_ = 0; order_ < 8; order_++) { \
        nap(2000000);                            \
        MEASURE(name, 20, ping_pong());          \
    }

void measure_crowd(void)
{
    u32 last[3], next;

    domain_schedule(0, 65535, 0); /* else we would have our turn among a thousand */
    last[0] = crowd_build(10);
    last[1] = crowd_build(90);
    last[2] = crowd_build(900);
    next = last[0];
    MEASURE_TURN("turn-0");
    let_go(&next, last[0]);
    MEASURE_TURN("turn-10");
    let_go(&next, last[1]);
    MEASURE_TURN("turn-100");
    let_go(&next, last[2]);
    MEASURE_TURN("turn-1000");
}
