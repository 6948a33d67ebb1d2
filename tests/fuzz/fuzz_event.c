// sources: core/init.c core/domain.c core/domain_end.c core/domain_watchdog.c
// sources: core/vcpu.c core/physmap.c core/reject.c memory/p2m.c
// sources: core/sched.c core/sched_cpus.c core/sched_credit2.c core/timer.c
// sources: core/ioreq.c core/event.c core/event_2l.c core/event_fifo.c core/pirq.c
// sources: memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c lib/tree.c lib/rangeset.c
// options: -max_len=4096
/* SPDX-License-Identifier: GPL-2.0-only */
/* Event-channel operations of two domains, one of which may scribble over its words. */
#include "../unit/event_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world_init();
    srand(1);
    play_bytes(data, size, true);
    return 0;
}
