/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads what a Multiboot 1 loader says (specification 0.6.96, section 3.3). */
#include "boot/boot.h"
#include "memory/map.h"

struct info {
    u32 flags;
    u32 memory_lower, memory_upper; /* KiB below 640 KiB, and from 1 MiB on */
    u32 boot_device;
    u32 command_line;
    u32 module_count, modules;
    u32 symbols[4];
    u32 map_length, map;
    u32 drives_length, drives;
    u32 config_table;
    u32 loader;
    u32 apm_table;
    u32 vbe[4];
    struct framebuffer framebuffer;
} __packed;

#define HAS_MEMORY       BIT(0)
#define HAS_COMMAND_LINE BIT(2)
#define HAS_MODULES      BIT(3)
#define HAS_MAP          BIT(6)
#define HAS_LOADER       BIT(9)
#define HAS_FRAMEBUFFER  BIT(12)

struct module {
    u32 start, end;
    u32 text;
    u32 reserved;
};

struct map_entry {
    u32 size; /* of what follows */
    u64 base, length;
    u32 type;
} __packed;

/* What the early tables map; text may run up to its end. */
#define LOW_END (1UL << 32)

static const void *low_memory(u64 where)
{
    return paddr_to_virt(paddr(where));
}

static void read_map(const struct info *info)
{
    u64 at = info->map, end = at + MIN(info->map_length, 65536U);
    struct map_entry entry;

    while (at + sizeof(entry) <= MIN(end, LOW_END)) {
        memcpy(&entry, low_memory(at), sizeof(entry));
        boot_add_memory(entry.base, entry.length, entry.type);
        /* Firmware with ACPI 3 attributes gives 24 bytes; less than 20 is nonsense. */
        if (entry.size < 20)
            break;
        at += entry.size + sizeof(entry.size);
    }
}

static void read_modules(const struct info *info)
{
    struct module m;

    for (u32 i = 0; i < MIN(info->module_count, 64U); i++) {
        u64 at = info->modules + i * sizeof(m);

        if (at + sizeof(m) > LOW_END)
            break;
        memcpy(&m, low_memory(at), sizeof(m));
        boot_add_module(m.start, m.end, low_memory(m.text), m.text ? LOW_END - m.text : 0);
    }
}

void multiboot1_read(u32 where)
{
    struct info info;

    if (where > LOW_END - sizeof(info))
        return;
    memcpy(&info, low_memory(where), sizeof(info));
    /* First: how text is read depends on who the loader is. */
    if ((info.flags & HAS_LOADER) && info.loader)
        boot_set_loader(low_memory(info.loader), LOW_END - info.loader);
    if ((info.flags & HAS_COMMAND_LINE) && info.command_line)
        boot_set_command_line(low_memory(info.command_line), LOW_END - info.command_line);
    if (info.flags & HAS_MODULES)
        read_modules(&info);
    if (info.flags & HAS_MAP) {
        read_map(&info);
    } else if (info.flags & HAS_MEMORY) {
        boot_add_memory(0, (u64)info.memory_lower << 10, 1);
        boot_add_memory(0x100000, (u64)info.memory_upper << 10, 1);
    }
    if (info.flags & HAS_FRAMEBUFFER)
        boot_info.framebuffer = info.framebuffer;
}
