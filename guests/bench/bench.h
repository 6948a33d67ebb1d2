/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is measured, and by whom: a micro dom0 on its own (main.c), with a PV domain (domains.c,
 * peer.c), and a PVH and an HVM domain on their own and with dom0 as device model (translated.c).
 * All run this same image.
 */
#pragma once

#include "build.h"
#include "translated.h"

#define BATCHES 5
#define GRANTS  32
#define REF     8 /* the peer's first grant */

/*
 * A no-op that bench/stopwatch.c knows: a name in two registers, and how often it was done; not at
 * all yet: here it begins. So no memory needs to be found, which is nested here and there.
 */
#define MARK(name, count)                                                                 \
    ({                                                                                    \
        static const union {                                                              \
            char text[16];                                                                \
            u64 words[2];                                                                 \
        } name_ = {name};                                                                 \
        __asm__ volatile(".byte 0x0f, 0x1f, 0x80; .ascii \"NAME\"" ::"D"(name_.words[0]), \
                         "S"(name_.words[1]), "d"((u64)(count))                           \
                         : "memory");                                                     \
    })

/* Several times over: the least counts, which no timer's tick is in and nothing that comes first.
 */
#define MEASURE(name, count, ...)                      \
    for (u32 batch_ = 0; batch_ < BATCHES; batch_++) { \
        MARK(name, 0);                                 \
        for (u32 i = 0; i < (count); i++) {            \
            __VA_ARGS__;                               \
        }                                              \
        MARK(name, count);                             \
    }

/* A page of the image that dom0 fills before the domain runs. */
struct mailbox {
    u32 port; /* its end of the channel to dom0 */
    u32 hvm;  /* with all devices, and dom0 as device model */
};
extern struct mailbox mailbox;

/* Ports in the first word of the shared bitmap. */
static inline bool port_take(u32 port)
{
    return __atomic_fetch_and(&shared_info->evtchn_pending[0], ~(1UL << port), __ATOMIC_SEQ_CST) >>
               port &
           1;
}

#define SETTLE  500000000UL /* ns, until what the hypervisor does while idle is done */
#define DM_PORT 0x10
#define DM_PAGE 0xe0000000UL
#define NOTHING 0xd0000000UL /* where nothing is */

/* dom0's side of the domains; l1: a page table of ours, with a page of it to spare. */
void measure_domains(u64 l1_frame, u8 *const *pages);
void wait_port(u32 port);
void notify(u32 port);
void ping_pong(void); /* to our second vCPU and back */
void measure_crowd(void);

extern char peer_entry[];
__noreturn void translated_main(u64 vcpu); /* where a translated domain's vCPUs begin */
