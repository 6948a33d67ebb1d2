/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads what a Multiboot 1 loader says (specification 0.6.96, section 3.3). */
#include "boot/boot.h"
#include "lib/string.h"
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
    u64 framebuffer;
    u32 pitch, width, height;
    u8 bits_per_pixel, type;
    u8 colours[6]; /* RGB: position and size of red, green, blue */
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

/* Text may run up to the end of what the early tables map. */
static const char *text_at(u32 where, size_t *limit)
{
    *limit = (1UL << 32) - where;
    return paddr_to_virt(paddr(where));
}

static void read_map(const struct info *info)
{
    u64 at = info->map, end = at + MIN(info->map_length, 65536U);
    struct map_entry entry;

    while (at + sizeof(entry) <= MIN(end, 1UL << 32)) {
        memcpy(&entry, paddr_to_virt(paddr(at)), sizeof(entry));
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
    const char *text;
    size_t limit;

    for (u32 i = 0; i < MIN(info->module_count, 64U); i++) {
        u64 at = info->modules + i * sizeof(m);

        if (at + sizeof(m) > 1UL << 32)
            break;
        memcpy(&m, paddr_to_virt(paddr(at)), sizeof(m));
        text = m.text ? text_at(m.text, &limit) : "";
        boot_add_module(m.start, m.end, text, m.text ? limit : 0);
    }
}

void multiboot1_read(u32 where)
{
    struct info info;
    const char *text;
    size_t limit;

    if (where > (1UL << 32) - sizeof(info))
        return;
    memcpy(&info, paddr_to_virt(paddr(where)), sizeof(info));
    /* First: how text is read depends on who the loader is. */
    if ((info.flags & HAS_LOADER) && info.loader) {
        text = text_at(info.loader, &limit);
        boot_set_loader(text, limit);
    }
    if ((info.flags & HAS_COMMAND_LINE) && info.command_line) {
        text = text_at(info.command_line, &limit);
        boot_set_command_line(text, limit);
    }
    if (info.flags & HAS_MODULES)
        read_modules(&info);
    if (info.flags & HAS_MAP) {
        read_map(&info);
    } else if (info.flags & HAS_MEMORY) {
        boot_add_memory(0, (u64)info.memory_lower << 10, 1);
        boot_add_memory(0x100000, (u64)info.memory_upper << 10, 1);
    }
    if (info.flags & HAS_FRAMEBUFFER)
        boot_info.framebuffer = (struct framebuffer){
            .address = info.framebuffer,
            .pitch = info.pitch,
            .width = info.width,
            .height = info.height,
            .bits_per_pixel = info.bits_per_pixel,
            .rgb = info.type == 1,
            .red_position = info.colours[0],
            .red_size = info.colours[1],
            .green_position = info.colours[2],
            .green_size = info.colours[3],
            .blue_position = info.colours[4],
            .blue_size = info.colours[5],
        };
}
