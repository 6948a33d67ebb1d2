/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads what a Multiboot2 loader says (specification 2.0, section 3.4): tags
 * one behind the other. Each reader gets a tag whose size is known to lie
 * within the whole; structures are copied out, as alignment is not promised.
 */
#include "boot/boot.h"
#include "boot/multiboot.h"
#include "memory/map.h"

struct tag {
    u32 type, size; /* with these eight bytes */
};

#define INFO_MAX 0x100000

/* Copies `length` bytes at `offset` of the tag; false when it is not that long. */
static bool tag_copy(const struct tag *tag, u32 offset, void *to, u32 length)
{
    if (tag->size < offset + length)
        return false;
    memcpy(to, (const u8 *)tag + offset, length);
    return true;
}

static void read_module(const struct tag *tag)
{
    u32 bounds[2];

    if (tag_copy(tag, 8, bounds, sizeof(bounds)))
        boot_add_module(bounds[0], bounds[1], (const char *)tag + 16, tag->size - 16);
}

/* The same for the next entry of a tag that is a table: entry size at 8, entries from 16 on. */
static bool next_entry(const struct tag *tag, u32 *at, void *to, u32 length)
{
    u32 step;

    if (!tag_copy(tag, 8, &step, sizeof(step)) || step < length || step > tag->size ||
        !tag_copy(tag, *at, to, length))
        return false;
    *at += step;
    return true;
}

static void read_memory(const struct tag *tag)
{
    struct {
        u64 base, length;
        u32 type, reserved;
    } entry;

    for (u32 at = 16; next_entry(tag, &at, &entry, sizeof(entry));)
        boot_add_memory(entry.base, entry.length, entry.type);
}

/* Memory types of EFI (UEFI 2.10, table 7.10) as types of the older interface. */
static u32 efi_memory_type(u32 type, u64 attributes)
{
    /* 1 is RAM: loader code, data; boot services code, data; free. */
    static const u8 types[] = {2, 1, 1, 1, 1, 2, 2, 1, 5, 3, 4};

    /* Free for all that cannot be cached, or that firmware needs yet, is no RAM to us. */
    if (type <= 7 && (!(attributes & EFI_MEMORY_WB) || (attributes & EFI_MEMORY_RUNTIME)))
        return 2;
    return type < ARRAY_SIZE(types) ? types[type] : 2;
}

/* True if it told of memory. */
static bool read_efi_memory(const struct tag *tag)
{
    struct efi_region entry;
    u32 found = 0;

    for (u32 at = 16; next_entry(tag, &at, &entry, sizeof(entry));) {
        if (entry.pages >= 1UL << 40)
            continue;
        u32 type = efi_memory_type(entry.type, entry.attributes);
        found += type == 1;
        boot_add_memory(entry.start, entry.pages << PAGE_SHIFT, type);
        boot_add_efi_region(&entry);
    }
    return found != 0;
}

static void read_framebuffer(const struct tag *tag)
{
    struct framebuffer *f = &boot_info.framebuffer;

    if (tag_copy(tag, 8, f, offsetof(struct framebuffer, red_position)) &&
        f->type == FRAMEBUFFER_RGB)
        (void)tag_copy(tag, 32, &f->red_position, 6);
}

/* The loader's copy of the RSDP may lie in memory that is soon used: keep our own, for good. */
static void read_rsdp(const struct tag *tag)
{
    static u8 copy[36] __ro_after_init __aligned_to(16);

    if (boot_info.rsdp.raw && tag->type == MB2_TAG_RSDP_OLD)
        return;
    memset(copy, 0, sizeof(copy));
    if (tag_copy(tag, 8, copy, MIN(tag->size - 8, (u32)sizeof(copy))))
        boot_info.rsdp = paddr(image_paddr(copy));
}

/* Tags whose reading depends on nothing but themselves. */
static void read_tag(const struct tag *tag, bool has_memory, bool has_efi_memory)
{
    u32 basic[2];

    switch (tag->type) {
    case MB2_TAG_COMMAND_LINE:
        boot_set_command_line((const char *)tag + 8, tag->size - 8);
        break;
    case MB2_TAG_MODULE:
        read_module(tag);
        break;
    case MB2_TAG_BASIC_MEMORY:
        if (!has_memory && tag_copy(tag, 8, basic, sizeof(basic))) {
            boot_add_memory(0, (u64)basic[0] << 10, 1);
            boot_add_memory(0x100000, (u64)basic[1] << 10, 1);
        }
        break;
    case MB2_TAG_MEMORY:
        if (!has_efi_memory)
            read_memory(tag);
        break;
    case MB2_TAG_VBE: /* its answers 4F00h and 4F01h, 512 and 256 bytes (VBE 3.0, 4.3 and 4.4) */
        (void)tag_copy(tag, 16 + 10, &boot_info.vbe_capabilities, sizeof(u32));
        (void)tag_copy(tag, 16 + 512, &boot_info.vbe_mode_attributes, sizeof(u16));
        break;
    case MB2_TAG_FRAMEBUFFER:
        read_framebuffer(tag);
        break;
    case MB2_TAG_EFI64:
        boot_info.efi = true;
        (void)tag_copy(tag, 8, &boot_info.efi_system_table, sizeof(u64));
        break;
    case MB2_TAG_EFI_MEMORY:
        boot_info.efi = true;
        break;
    case MB2_TAG_RSDP_OLD:
    case MB2_TAG_RSDP_NEW:
        read_rsdp(tag);
        break;
    default:
        break;
    }
}

/* The next tag behind `at`, or NULL at the end or where the chain is broken. */
static const struct tag *next_tag(const u8 *info, u32 total, u32 *at)
{
    const struct tag *tag = (const struct tag *)(info + *at);

    if (*at + sizeof(*tag) > total || tag->type == MB2_TAG_END || tag->size < sizeof(*tag) ||
        tag->size > total - *at)
        return NULL;
    *at += ROUND_UP(tag->size, 8U);
    return tag;
}

void multiboot2_read(u32 where)
{
    const u8 *info = paddr_to_virt(paddr(where));
    bool has_memory = false, has_efi_memory = false;
    const struct tag *tag, *efi_memory = NULL;
    u32 total;

    if (where > (1UL << 32) - INFO_MAX)
        return;
    memcpy(&total, info, sizeof(total));
    total = MIN(total, (u32)INFO_MAX);
    /* First: how text is read depends on who the loader is, and which map to use. */
    for (u32 at = 8; (tag = next_tag(info, total, &at)) != NULL;) {
        if (tag->type == MB2_TAG_LOADER)
            boot_set_loader((const char *)tag + 8, tag->size - 8);
        else if (tag->type == MB2_TAG_MEMORY)
            has_memory = true;
        else if (tag->type == MB2_TAG_EFI_MEMORY)
            efi_memory = tag;
    }
    /* The loader's own rendering of EFI's map is poorer than the map. */
    if (efi_memory && read_efi_memory(efi_memory))
        has_memory = has_efi_memory = true;
    for (u32 at = 8; (tag = next_tag(info, total, &at)) != NULL;)
        read_tag(tag, has_memory, has_efi_memory);
}
