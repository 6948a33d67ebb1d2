// sources: hvm/context.c hvm/dev/devices.c hvm/dev/irq.c hvm/dev/pic.c hvm/dev/ioapic.c
// sources: hvm/dev/pit.c hvm/dev/rtc.c hvm/dev/hpet.c hvm/dev/pmtimer.c hvm/dev/lapic.c
// sources: core/timer.c lib/tree.c lib/bitmap.c platform/rtc.c
// options: -max_len=8192
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as a list of state records, then as the rest of a list that begins
 * well: whatever is taken of them can be read and set again.
 */
#include "context_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static u8 list[WORLD_CONTEXT];
    const u32 head = sizeof(struct hvm_save_descriptor) + sizeof(struct hvm_save_header);

    if (size > sizeof(list) - head)
        return 0;
    world_init();
    (void)world_set(data, (u32)size);
    world_check();
    (void)world_get(list);
    memcpy(list + head, data, size);
    (void)world_set(list, head + (u32)size);
    world_check();
    world_end();
    return 0;
}
