// sources: core/grant.c core/grant_map.c core/grant_copy.c core/physmap.c memory/p2m.c
// sources: memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c
// options: -max_len=2048
/* SPDX-License-Identifier: GPL-2.0-only */
/* Grants between three domains, any operations in any order, against a model. */
#include "grant_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u64 free;

    if (!fake_arena)
        fake_memory_init();
    free = memory_free();
    world_init();
    for (size_t i = 0; i + 4 <= size; i += 4)
        world_step(data[i], data[i + 1], data[i + 2], data[i + 3]);
    world_end(size ? data[0] : 0);
    /* The heap may keep one empty slab of each class. */
    ASSERT(memory_free() + 16 >= free);
    return 0;
}
