// sources: lib/string.c
// options: -max_len=8192 -rss_limit_mb=8192
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as what a loader and EFI left in memory. The first byte chooses the
 * protocol and the place: the top MiB from its start, so that the seeds' pointers
 * are right, or so that the memory's end is the input's.
 */
#include "boot_world.h"

#define PLACE 0xfff00000UL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static u64 last_place, last_size;
    u64 place = PLACE;

    if (size < 1)
        return 0;
    boot_world_reset();
    memset(machine + last_place, 0, last_size);
    if (data[0] & 2)
        place = (MACHINE_SIZE - size) & ~7UL;
    memcpy(machine + place, data + 1, size - 1);
    last_place = place;
    last_size = size - 1;
    if (data[0] & 1)
        multiboot1_read((u32)place);
    else
        multiboot2_read((u32)place);
    boot_memory_finish();
    if (boot_info.efi_system_table)
        (void)efi_read(boot_info.efi_system_table);
    boot_world_check();
    return 0;
}
