/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What reads the loader's and EFI's structures, in one piece with a machine
 * memory of 4 GiB (of which only touched pages exist, and behind which the first
 * byte read faults), so that it can be started afresh. Include in one file.
 */
#pragma once

#include <stdlib.h>
#include <sys/mman.h>

#include "boot/efi.c"
#include "boot/memory_map.c"
#include "boot/multiboot.c"
#include "boot/multiboot1.c"
#include "boot/multiboot2.c"

#define MACHINE_SIZE (1UL << 32)

const char __image_start[4096], __image_end[1];
struct memory_region memory_regions[MAX_REGIONS];
u32 memory_region_count;
static u8 *machine;

void *paddr_to_virt(paddr_t a)
{
    ASSERT(a.raw < MACHINE_SIZE);
    return machine + a.raw;
}

static void boot_world_reset(void)
{
    if (!machine) {
        machine = mmap(NULL, MACHINE_SIZE + PAGE_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (machine == MAP_FAILED || mprotect(machine + MACHINE_SIZE, PAGE_SIZE, PROT_NONE))
            abort();
    }
    boot_info = (struct boot_info){.loader = "", .command_line = ""};
    strings_used = 0;
    raw_count = memory_region_count = 0;
    boot_efi = (struct efi_facts){0};
    memset(vendor, 0, sizeof(vendor));
}

/* What must hold after any input. */
static void boot_world_check(void)
{
    u64 at = 0;

    ASSERT(memory_region_count <= MAX_REGIONS);
    for (u32 i = 0; i < memory_region_count; i++) {
        const struct memory_region *r = &memory_regions[i];

        ASSERT(r->size && r->start >= at && r->type >= 1 && r->type <= 5);
        at = r->start + r->size;
        ASSERT(at > r->start && at <= 1UL << 52);
    }
    ASSERT(boot_info.module_count <= BOOT_MODULES_MAX);
    for (u32 i = 0; i < boot_info.module_count; i++) {
        const struct boot_module *m = &boot_info.modules[i];

        ASSERT(m->size ? m->address.raw + m->size <= MACHINE_SIZE : !m->start);
        ASSERT(strlen(m->arguments) <= 4096);
    }
    ASSERT(strlen(boot_info.command_line) <= 4096 && strlen(boot_info.loader) <= 64);
    ASSERT(boot_efi.region_count <= REGIONS_MAX && boot_efi.section_count <= SECTIONS_MAX);
    ASSERT(boot_efi.table_count <= TABLES_MAX);
    if (boot_efi.present) {
        u32 length = 0;

        while (boot_efi.vendor[length])
            length++;
        ASSERT(length < VENDOR_MAX);
    }
}
