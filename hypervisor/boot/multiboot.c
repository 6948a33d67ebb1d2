/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns boot_info. The loader's structures may be wrong in any way: lengths are
 * bounded, text is copied, modules that cannot be are left empty. What they point
 * to lies below 4 GiB, which the early tables map. Boot CPU only, no locks.
 */
#include "boot/boot.h"
#include "boot/multiboot.h"
#include "memory/map.h"

struct boot_info boot_info = {.loader = "", .command_line = ""};

/* All text of the loader's goes here, one copy behind the other. */
static char strings[16384];
static size_t strings_used;

extern const char __image_start[], __image_end[];

u64 image_paddr(const void *p)
{
    return (u64)p - IMAGE_START + IMAGE_LOAD_ADDRESS;
}

static const char *boot_string(const char *text, size_t limit)
{
    size_t room = sizeof(strings) - strings_used, length = strnlen(text, limit);
    char *copy = strings + strings_used;

    if (!room)
        return "";
    length = MIN(length, room - 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    strings_used += length + 1;
    return copy;
}

/* GRUB 2 hands on arguments only; every other loader puts the file's name first. */
static bool names_come_first(void)
{
    return strncmp(boot_info.loader, "GRUB ", 5) != 0 || boot_info.loader[5] == '0';
}

static const char *arguments(const char *text, size_t limit)
{
    const char *at = boot_string(text, limit);

    while (*at == ' ')
        at++;
    if (!names_come_first())
        return at;
    while (*at && *at != ' ')
        at++;
    while (*at == ' ')
        at++;
    return at;
}

void boot_set_loader(const char *text, size_t limit)
{
    boot_info.loader = boot_string(text, MIN(limit, (size_t)64));
}

void boot_set_command_line(const char *text, size_t limit)
{
    boot_info.command_line = arguments(text, MIN(limit, (size_t)4096));
}

void boot_add_module(u64 start, u64 end, const char *text, size_t limit)
{
    u64 image_start = image_paddr(__image_start), image_end = image_paddr(__image_end);
    struct boot_module *m = &boot_info.modules[boot_info.module_count];

    if (boot_info.module_count == BOOT_MODULES_MAX) {
        boot_info.modules_dropped++;
        return;
    }
    /* One that cannot be keeps its place: else an initrd would be taken for the kernel. */
    if (end <= start || end > 1UL << 32 || (start < image_end && end > image_start)) {
        *m = (struct boot_module){paddr(0), NULL, 0, ""};
        boot_info.modules_dropped++;
        boot_info.module_count++;
        return;
    }
    m->address = paddr(start);
    m->start = paddr_to_virt(m->address);
    m->size = end - start;
    m->arguments = arguments(text, MIN(limit, (size_t)4096));
    boot_info.module_count++;
}

void multiboot_read(u32 magic, u32 info)
{
    if (magic == MULTIBOOT1_LOADED)
        multiboot1_read(info);
    else if (magic == MULTIBOOT2_LOADED)
        multiboot2_read(info);
    else
        panic("started by something that is no multiboot loader (%#x)", magic);
    boot_memory_finish();
    /* Firmware's own RSDP rather than the loader's copy, as dom0 is told where it
     * is: by EFI's tables; a BIOS has it where acpi_init searches. */
    if (!boot_info.efi)
        boot_info.rsdp = paddr(0);
    if (boot_info.efi_system_table) {
        paddr_t rsdp = efi_read(boot_info.efi_system_table);

        if (rsdp.raw)
            boot_info.rsdp = rsdp;
    }
}
