// sources: memory/p2m.c memory/frame.c memory/alloc.c lib/bitmap.c
// libs: -lcmocka
// options: -max_len=512
/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest-physical map: any changes in any order, with enough tables or not, against an array. */
#define WINDOW 1024U
#include "unit_play.h"
#include "../unit/test_p2m.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!fake_arena)
        fake_memory_init();
    fuzz_at = data;
    fuzz_end = data + size;
    play((u32)size / 4 + 1, fuzz_byte() & 1);
    return 0;
}
