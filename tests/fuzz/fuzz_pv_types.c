// sources: pv/types.c pv/types_entry.c pv/mm.c pv/mmu_update.c pv/mmu_ops.c pv/mm_fault.c
// sources: pv/grant_map.c pv/descriptors.c memory/frame.c memory/alloc.c
// sources: core/physmap.c memory/p2m.c lib/bitmap.c lib/rangeset.c
// options: -max_len=2048
/* SPDX-License-Identifier: GPL-2.0-only */
/* PV page types: the fuzzer writes the mad guest's script, see pv_types_play.h. */
#include <assert.h>

#include "pv_types_play.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    play(data, size);
    return 0;
}
