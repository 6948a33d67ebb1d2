// sources: lib/string.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* What a Multiboot2 loader says, above all on EFI machines: good, contradictory and damaged. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "boot_world.h"

#define INFO    0x10000U
#define SYSTEM  0x20000U
#define RUNTIME 0x21000U
#define TABLES  0x22000U
#define VENDOR  0x23000U
#define RIGHTS  0x24000U
#define WB      EFI_MEMORY_WB

static u32 end; /* of the tags so far */

static void begin(void)
{
    boot_world_reset();
    memset(machine + INFO, 0, 0x20000);
    end = 8;
}

static void add_tag(u32 type, const void *body, u32 length)
{
    u32 head[2] = {type, length + 8};

    memcpy(machine + INFO + end, head, sizeof(head));
    memcpy(machine + INFO + end + 8, body, length);
    end += ROUND_UP(length + 8, 8U);
}

static void read(void)
{
    add_tag(MB2_TAG_END, "", 0);
    memcpy(machine + INFO, &end, sizeof(end));
    multiboot_read(MULTIBOOT2_LOADED, INFO);
    boot_world_check();
}

struct efi_entry {
    u32 type, pad;
    u64 start, virtual, pages, attributes;
};

static void add_efi_map(const struct efi_entry *entries, u32 count, u32 size)
{
    u8 body[8 + 1024 * 48] = {0};
    u32 head[2] = {size, 1};

    memcpy(body, head, sizeof(head));
    for (u32 i = 0; i < count; i++)
        memcpy(body + 8 + i * size, &entries[i], MIN(size, (u32)sizeof(entries[i])));
    add_tag(MB2_TAG_EFI_MEMORY, body, 8 + count * size);
}

static void add_old_map(u64 start, u64 size, u32 type)
{
    struct {
        u32 size, version;
        u64 start, length;
        u32 type, zero;
    } body = {24, 0, start, size, type, 0};

    add_tag(MB2_TAG_MEMORY, &body, sizeof(body));
}

static const struct efi_entry low = {7, 0, 0, 0, 0xa0, WB};

static void assert_region(u32 i, u64 start, u64 size, u32 type)
{
    assert_true(i < memory_region_count);
    assert_int_equal(memory_regions[i].start, start);
    assert_int_equal(memory_regions[i].size, size);
    assert_int_equal(memory_regions[i].type, type);
}

static void test_efi_map_wins(void **state)
{
    static const struct efi_entry map[] = {
        {7, 0, 0, 0, 0xa0, WB},                              /* free */
        {3, 0, 0x100000, 0, 0x100, WB},                      /* boot services' code */
        {4, 0, 0x200000, 0, 0x100, WB},                      /* and data */
        {9, 0, 0x300000, 0, 0x100, WB},                      /* ACPI's, reclaimable */
        {10, 0, 0x400000, 0, 0x100, WB},                     /* ACPI's, not so */
        {5, 0, 0x500000, 0, 0x100, WB | EFI_MEMORY_RUNTIME}, /* run time */
        {6, 0, 0x600000, 0, 0x100, WB | EFI_MEMORY_RUNTIME},
        {8, 0, 0x700000, 0, 0x100, WB},                      /* bad */
        {7, 0, 0x800000, 0, 0x100, EFI_MEMORY_UC},           /* free, but slow */
        {7, 0, 0x900000, 0, 0x100, WB | EFI_MEMORY_RUNTIME}, /* free, but not yet */
        {14, 0, 0xa00000, 0, 0x100, WB},                     /* persistent */
        {2, 0, 0x100000000, 0, 0x100, WB},                   /* loader's, high */
        {11, 0, 0xffc00000, 0, 0x400, EFI_MEMORY_UC | EFI_MEMORY_RUNTIME},
    };

    (void)state;
    for (int round = 0; round < 2; round++) {
        begin();
        add_old_map(0, 1UL << 30, 1); /* which says that all of it is free */
        add_efi_map(map, ARRAY_SIZE(map), round ? 56 : 48);
        read();
        assert_true(boot_info.efi);
        assert_int_equal(memory_region_count, 9);
        assert_region(0, 0, 0xa0000, 1);
        assert_region(1, 0x100000, 0x200000, 1);
        assert_region(2, 0x300000, 0x100000, 3);
        assert_region(3, 0x400000, 0x100000, 4);
        assert_region(4, 0x500000, 0x200000, 2);
        assert_region(5, 0x700000, 0x100000, 5);
        assert_region(6, 0x800000, 0x300000, 2);
        assert_int_equal(boot_efi.region_count, ARRAY_SIZE(map));
        assert_int_equal(boot_efi.regions[12].start, 0xffc00000);
        assert_int_equal(boot_efi.regions[12].attributes, EFI_MEMORY_UC | EFI_MEMORY_RUNTIME);
        assert_region(7, 0xffc00000, 0x400000, 2);
        assert_region(8, 0x100000000, 0x100000, 1);
    }
}

/* A map that cannot be read, or has no memory: the older one is used. */
static void test_efi_map_damaged(void **state)
{
    static const struct efi_entry reserved = {0, 0, 0x100000, 0, 0x100, WB};
    static const u32 sizes[] = {0, 8, 39, 0x1000, 0xfffffff8, 0xffffffff};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
        u32 body[4] = {sizes[i], 1, 7, 0};

        begin();
        add_tag(MB2_TAG_EFI_MEMORY, body, sizeof(body));
        add_tag(MB2_TAG_MEMORY, body, sizeof(body));
        add_old_map(0x100000, 0x100000, 1);
        read();
        assert_int_equal(memory_region_count, 1);
        assert_region(0, 0x100000, 0x100000, 1);
    }
    begin();
    add_efi_map(&reserved, 1, 48);
    add_old_map(0x200000, 0x100000, 1);
    read();
    assert_region(1, 0x200000, 0x100000, 1);
    /* Entries that wrap, that are empty, and far more than anybody has. */
    struct efi_entry wild[1000];
    for (u32 i = 0; i < 1000; i++)
        wild[i] = (struct efi_entry){7, 0, i * 0x10000UL, 0, i % 3, WB};
    wild[1].pages = ~0UL;
    wild[2] = (struct efi_entry){7, 0, ~0xfffUL, 0, 5, WB};
    wild[3].start = (1UL << 52) - 4096;
    begin();
    add_efi_map(wild, 1000, 48);
    read();
    assert_int_equal(boot_efi.region_count, REGIONS_MAX);
    assert_true(boot_info.memory_dropped > 400);
    assert_int_equal(memory_region_count, MAX_REGIONS);
}

static void put_system_table(void)
{
    struct system_table system = {
        .header = {SYSTEM_TABLE_SIGNATURE, 0x20046, sizeof(system), 0, 0},
        .vendor = VENDOR,
        .vendor_revision = 3,
        .runtime = RUNTIME,
        .table_count = 3,
        .tables = TABLES,
    };
    struct runtime_table runtime = {.header = {RUNTIME_TABLE_SIGNATURE, 0x20046, 0, 0, 0}};
    struct configuration_table tables[3] = {
        {.address = 0xe0010}, {.address = 0x7f000}, {.address = RIGHTS}};
    static const u16 name[] = {'T', 'e', 's', 't', 0};

    for (u32 i = 0; i < EFI_SERVICES; i++)
        runtime.services[i] = 0x500000 + i;
    memcpy(tables[0].guid, guid_acpi10, 16);
    memcpy(tables[1].guid, guid_acpi20, 16);
    memcpy(tables[2].guid, guid_attributes, 16);
    memcpy(machine + SYSTEM, &system, sizeof(system));
    memcpy(machine + RUNTIME, &runtime, sizeof(runtime));
    memcpy(machine + TABLES, tables, sizeof(tables));
    memcpy(machine + VENDOR, name, sizeof(name));
}

static void read_system(u64 address)
{
    add_efi_map(&low, 1, 48);
    add_tag(MB2_TAG_EFI64, &address, sizeof(address));
    read();
}

static void test_system_table(void **state)
{
    struct attributes_table rights = {1, 2, sizeof(struct efi_entry), 0};
    struct efi_entry entries[2] = {{5, 0, 0x500000, 0, 4, EFI_MEMORY_RO},
                                   {5, 0, 0x504000, 0, 4, EFI_MEMORY_XP}};

    (void)state;
    begin();
    put_system_table();
    memcpy(machine + RIGHTS, &rights, sizeof(rights));
    memcpy(machine + RIGHTS + sizeof(rights), entries, sizeof(entries));
    read_system(SYSTEM);
    assert_true(boot_efi.present);
    assert_int_equal(boot_info.rsdp.raw, 0x7f000);
    assert_int_equal(boot_efi.revision, 0x20046);
    assert_int_equal(boot_efi.runtime_revision, 0x20046);
    assert_int_equal(boot_efi.vendor_revision, 3);
    assert_int_equal(boot_efi.tables, TABLES);
    assert_int_equal(boot_efi.table_count, 3);
    assert_memory_equal(boot_efi.vendor, u"Test", 10);
    assert_int_equal(boot_efi.services[EFI_QUERY_VARIABLE_INFO], 0x50000d);
    assert_int_equal(boot_efi.section_count, 2);
    assert_int_equal(boot_efi.sections[1].start, 0x504000);
    assert_int_equal(boot_efi.sections[1].attributes, EFI_MEMORY_XP);
}

static void test_system_table_nowhere(void **state)
{
    /* Nowhere, outside of memory, across its end, beyond 4 GiB, beyond everything, another's. */
    static const u64 places[] = {0, 0xb0000, 0xa0000 - 64, 1UL << 32, ~0UL - 8, VENDOR};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
        begin();
        put_system_table();
        read_system(places[i]);
        assert_true(boot_info.efi);
        assert_false(boot_efi.present);
        assert_int_equal(boot_info.rsdp.raw, 0);
    }
}

static void change(u32 table, u32 offset, u64 value)
{
    memcpy(machine + table + offset, &value, sizeof(value));
}

static void test_system_table_damaged(void **state)
{
    struct attributes_table many = {1, SECTIONS_MAX + 1, 48, 0}, large = {1, 400, 4096, 0};
    u16 name[VENDOR_MAX * 2];

    (void)state;
    begin();
    put_system_table();
    change(SYSTEM, offsetof(struct system_table, table_count), ~0UL);
    change(SYSTEM, offsetof(struct system_table, tables), 0xa0000 - 80); /* three and a bit */
    change(SYSTEM, offsetof(struct system_table, runtime), VENDOR);
    change(SYSTEM, offsetof(struct system_table, vendor), 0xa0000 - 4);
    memset(machine + 0xa0000 - 4, 'x', 4);
    read_system(SYSTEM);
    assert_int_equal(boot_efi.table_count, 3);
    assert_int_equal(boot_efi.runtime_revision, 0);
    assert_int_equal(boot_info.rsdp.raw, 0);

    memset(name, 'y', sizeof(name)); /* without an end */
    begin();
    put_system_table();
    memcpy(machine + VENDOR, name, sizeof(name));
    memcpy(machine + RIGHTS, &many, sizeof(many));
    change(RUNTIME, 8, 0x1000a); /* EFI 1.10 has fewer services */
    read_system(SYSTEM);
    assert_int_equal(boot_efi.section_count, 0);
    assert_int_equal(boot_efi.runtime_revision, 0x1000a);
    assert_int_equal(boot_efi.services[EFI_UPDATE_CAPSULE], 0);

    begin();
    put_system_table();
    memcpy(machine + RIGHTS, &large, sizeof(large)); /* beyond the memory's end */
    read_system(SYSTEM);
    assert_int_equal(boot_efi.section_count, 0);

    begin();
    put_system_table();
    change(RIGHTS, 0, 3 | 2UL << 32); /* of a version that we do not know */
    change(RIGHTS, 8, 40);
    read_system(SYSTEM);
    assert_int_equal(boot_efi.section_count, 0);
}

static void test_screen(void **state)
{
    struct {
        u64 address;
        u32 pitch, width, height;
        u8 bits, type, reserved[2], channels[6];
    } __packed f = {0xc0000000, 4096, 1024, 768, 32, 1, {0}, {16, 8, 8, 8, 0, 8}};

    (void)state;
    begin();
    add_old_map(0, 0x100000, 1);
    add_tag(MB2_TAG_FRAMEBUFFER, &f, sizeof(f));
    read();
    assert_int_equal(boot_info.framebuffer.width, 1024);
    assert_int_equal(boot_info.framebuffer.type, FRAMEBUFFER_RGB);
    assert_int_equal(boot_info.framebuffer.red_position, 16);
    assert_int_equal(boot_info.framebuffer.blue_size, 8);
    begin();
    add_old_map(0, 0x100000, 1);
    add_tag(MB2_TAG_FRAMEBUFFER, &f, 20); /* too short */
    read();
    assert_int_equal(boot_info.framebuffer.width, 0);
    f.type = 2;
    begin();
    add_old_map(0, 0x100000, 1);
    add_tag(MB2_TAG_FRAMEBUFFER, &f, sizeof(f));
    read();
    assert_int_not_equal(boot_info.framebuffer.type, FRAMEBUFFER_RGB);
}

static void test_modules_and_text(void **state)
{
    static const char line[] = "console=com1";
    u32 module[2] = {0x300000, 0x300010};
    char body[64];

    (void)state;
    begin();
    add_old_map(0, 0x10000000, 1);
    add_tag(MB2_TAG_COMMAND_LINE, line, sizeof(line));
    add_tag(MB2_TAG_LOADER, "GRUB 2.06", 10);
    for (u32 i = 0; i < 20; i++) {
        memcpy(body, module, 8);
        strlcpy(body + 8, "root=/dev/sda", 56);
        add_tag(MB2_TAG_MODULE, body, 8 + 14);
    }
    memcpy(body, (u32[2]){0x300010, 0x300000}, 8); /* ends before it begins */
    add_tag(MB2_TAG_MODULE, body, 22);
    add_tag(MB2_TAG_MODULE, body, 4);
    read();
    assert_string_equal(boot_info.command_line, "console=com1");
    assert_int_equal(boot_info.module_count, BOOT_MODULES_MAX);
    assert_int_equal(boot_info.modules_dropped, 5);
    assert_string_equal(boot_info.modules[15].arguments, "root=/dev/sda");
}

/* The second module is what the loader says is the second. */
static void test_bad_modules_keep_their_place(void **state)
{
    char body[64] = {0};

    (void)state;
    begin();
    add_old_map(0, 0x10000000, 1);
    add_tag(MB2_TAG_MODULE, memcpy(body, (u32[2]){0x300000, 0x300000}, 8), 9); /* empty */
    add_tag(MB2_TAG_MODULE, memcpy(body, (u32[2]){0x300000, 0x300010}, 8), 9);
    read();
    assert_int_equal(boot_info.module_count, 2);
    assert_int_equal(boot_info.modules_dropped, 1);
    assert_int_equal(boot_info.modules[0].size, 0);
    assert_int_equal(boot_info.modules[1].size, 0x10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_efi_map_wins),
        cmocka_unit_test(test_efi_map_damaged),
        cmocka_unit_test(test_system_table),
        cmocka_unit_test(test_system_table_nowhere),
        cmocka_unit_test(test_system_table_damaged),
        cmocka_unit_test(test_screen),
        cmocka_unit_test(test_modules_and_text),
        cmocka_unit_test(test_bad_modules_keep_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
