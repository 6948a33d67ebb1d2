// sources: platform/acpi.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ACPI tables over a small fake machine memory: good ones, broken ones, and
 * good ones with random bytes changed. map_io gives exact-size copies on the
 * heap, so the address sanitizer sees every byte read beyond a mapping.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "memory/map.h"
#include "platform/console.h"
#include "platform/internal.h"
#include "platform/machine.h"

#define MEMORY_SIZE 0x200000
#define RSDP        0xf5000
#define TABLES      0x100000

static u8 memory[MEMORY_SIZE];
static u32 next_table;
static u64 addresses[8];
static u32 address_count;
static int mapped;
static u32 warnings;

void *map_io(paddr_t where, size_t length, bool uncached)
{
    u8 *copy = malloc(length);

    (void)uncached;
    mapped++;
    memset(copy, 0xff, length); /* an empty bus */
    if (where.raw < MEMORY_SIZE)
        memcpy(copy, memory + where.raw, MIN(length, MEMORY_SIZE - where.raw));
    return copy;
}

void unmap_io(void *p, size_t length)
{
    /* Complains if the length is not what was mapped. */
    ((volatile u8 *)p)[length - 1] = 0;
    mapped--;
    free(p);
}

void printk(enum log_level level, const char *format, ...)
{
    (void)format;
    warnings += level <= LOG_WARNING;
}

u32 boot_apic_id(void)
{
    return 3;
}

static void put32(u8 *p, u32 v)
{
    memcpy(p, &v, 4);
}

static void put64(u8 *p, u64 v)
{
    memcpy(p, &v, 8);
}

static void fix_sum(u8 *p, u32 length, u32 at)
{
    u8 sum = 0;

    p[at] = 0;
    for (u32 i = 0; i < length; i++)
        sum += p[i];
    p[at] = (u8)-sum;
}

static u64 add_table(const char *signature, const u8 *body, u32 length)
{
    u64 address = next_table;
    u8 *p = memory + address;

    memset(p, 0, 36);
    memcpy(p, signature, 4);
    put32(p + 4, 36 + length);
    memcpy(p + 36, body, length);
    fix_sum(p, 36 + length, 9);
    next_table += ROUND_UP(36 + length, 64u);
    return address;
}

static void add_rooted(const char *signature, const u8 *body, u32 length)
{
    addresses[address_count++] = add_table(signature, body, length);
}

/* revision 0: RSDT only. */
static void add_root(u8 revision)
{
    u8 body[sizeof(addresses)], *p = memory + RSDP;
    u64 rsdt, xsdt;

    for (u32 i = 0; i < address_count; i++)
        put32(body + 4 * i, (u32)addresses[i]);
    rsdt = add_table("RSDT", body, 4 * address_count);
    for (u32 i = 0; i < address_count; i++)
        put64(body + 8 * i, addresses[i]);
    xsdt = add_table("XSDT", body, 8 * address_count);
    memset(p, 0, 36);
    memcpy(p, "RSD PTR ", 8);
    p[15] = revision;
    put32(p + 16, (u32)rsdt);
    put32(p + 20, 36);
    put64(p + 24, revision ? xsdt : 0xdead0000);
    fix_sum(p, 20, 8);
    fix_sum(p, 36, 32);
}

static void build(u8 revision)
{
    /* Flags word, then entries: CPUs 0 3 5(off) 4, x2APIC 3 again and 300, IO-APIC, overrides. */
    static const u8 madt[] = {
        0,    0,  0xe0, 0xfe, 1,    0, 0,    0,                               /* */
        0,    8,  10,   0,    1,    0, 0,    0,                               /* */
        0,    8,  11,   3,    1,    0, 0,    0,                               /* */
        0,    8,  12,   5,    0,    0, 0,    0,                               /* */
        0,    8,  13,   4,    1,    0, 0,    0,                               /* */
        0,    8,  14,   0xff, 1,    0, 0,    0,                               /* */
        9,    16, 0,    0,    3,    0, 0,    0,    1,   0, 0, 0, 21, 0, 0, 0, /* */
        9,    16, 0,    0,    0x2c, 1, 0,    0,    1,   0, 0, 0, 22, 0, 0, 0, /* */
        1,    12, 2,    0,    0,    0, 0xc0, 0xfe, 0,   0, 0, 0,              /* */
        2,    10, 0,    0,    2,    0, 0,    0,    0,   0,                    /* 0 -> 2 */
        2,    10, 0,    9,    9,    0, 0,    0,    0xf, 0,                    /* 9 level, low */
        2,    10, 0,    99,   9,    0, 0,    0,    0xf, 0,                    /* no such line */
        4,    6,  0xff, 0,    0,    1,                                        /* NMI */
        0x7f, 5,  1,    2,    3};
    static const u8 dsdt[] = {1, 2, 3, 0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 5, 1, 0, 0};
    static const u8 dsdt_end[] = {0, '_', 'S', '5', '_', 0x12, 6, 4};
    u8 fadt[208] = {0}, hpet[20] = {0}, mcfg[24] = {0};

    memset(memory, 0, 0x1000);
    memset(memory + 0x9f000, 0, 0x1000);
    memset(memory + TABLES, 0, 0x2000);
    next_table = TABLES;
    address_count = 0;
    put32(fadt + 4, (u32)add_table("DSDT", dsdt_end, sizeof(dsdt_end)));
    put64(fadt + 104, add_table("DSDT", dsdt, sizeof(dsdt)));
    fadt[10] = 9;
    put32(fadt + 28, 0x604);
    put32(fadt + 40, 0);
    fadt[172] = 1; /* PM timer by the extended address only */
    put64(fadt + 176, 0x608);
    fadt[72] = 0x32;
    put32(fadt + 76, 1u << 10 | 1u << 8);
    fadt[80] = 1;
    put64(fadt + 84, 0xcf9);
    fadt[92] = 0x0f;
    put64(hpet + 8, 0xfed00000);
    put64(mcfg + 8, 0xb0000000);
    mcfg[19] = 0xff;
    add_rooted("SSDT", dsdt, sizeof(dsdt));
    add_rooted("APIC", madt, sizeof(madt));
    add_rooted("FACP", fadt, sizeof(fadt));
    add_rooted("HPET", hpet, sizeof(hpet));
    add_rooted("MCFG", mcfg, sizeof(mcfg));
    add_root(revision);
}

static void check_good(void)
{
    assert_int_equal(mapped, 0);
    assert_int_equal(acpi.rsdp.raw, RSDP);
    assert_int_equal(machine_cpu_count, 4);
    assert_int_equal(machine_apic_id[0], 3);
    assert_int_equal(machine_acpi_id[0], 21);
    assert_int_equal(machine_apic_id[1], 0);
    assert_int_equal(machine_acpi_id[1], 10);
    assert_int_equal(machine_apic_id[2], 4);
    assert_int_equal(machine_apic_id[3], 300);
    assert_int_equal(acpi.lapic_address, 0xfee00000);
    assert_int_equal(acpi.ioapic_count, 1);
    assert_int_equal(acpi.ioapics[0].address, 0xfec00000);
    assert_int_equal(acpi.isa[0].gsi, 2);
    assert_false(acpi.isa[0].level);
    assert_true(acpi.isa[9].level && acpi.isa[9].active_low);
    assert_int_equal(acpi.isa[4].gsi, 4);
    assert_int_equal(acpi.sci, 9);
    assert_int_equal(acpi.pm1a_control, 0x604);
    assert_int_equal(acpi.pm1b_control, 0);
    assert_int_equal(acpi.pm_timer_port, 0x608);
    assert_true(acpi.pm_timer_32bit);
    assert_int_equal(acpi.century, 0x32);
    assert_true(acpi.has_reset);
    assert_int_equal(acpi.reset_space, 1);
    assert_int_equal(acpi.reset_address, 0xcf9);
    assert_int_equal(acpi.reset_value, 0x0f);
    assert_true(acpi.has_s5);
    assert_int_equal(acpi.s5a, 5);
    assert_int_equal(acpi.s5b, 1);
    assert_int_equal(acpi.hpet_address, 0xfed00000);
    assert_int_equal(acpi.ecam_count, 1);
    assert_int_equal(acpi.ecams[0].base, 0xb0000000);
    assert_int_equal(acpi.ecams[0].last_bus, 0xff);
}

static void test_good_tables(void **state)
{
    (void)state;
    warnings = 0;
    for (u8 revision = 0; revision <= 2; revision += 2) {
        build(revision);
        acpi_init(paddr(0));
        check_good();
        acpi_init(paddr(RSDP));
        check_good();
        acpi_init(paddr(0x1234)); /* a hint that leads nowhere */
        check_good();
    }
    /* The extended BIOS data area is searched first. */
    memcpy(memory + 0x9fc10, memory + RSDP, 36);
    memory[0x40e] = 0xc0;
    memory[0x40f] = 0x9f;
    acpi_init(paddr(0));
    assert_int_equal(acpi.rsdp.raw, 0x9fc10);
    assert_int_equal(machine_cpu_count, 4);
    assert_int_equal(warnings, 0);
}

static void test_no_tables(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    acpi_init(paddr(0));
    assert_int_equal(acpi.rsdp.raw, 0);
    assert_int_equal(machine_cpu_count, 1);
    assert_int_equal(machine_apic_id[0], 3);
    assert_int_equal(acpi.isa[7].gsi, 7);
    assert_int_equal(mapped, 0);
}

static void test_damaged_tables_are_ignored(void **state)
{
    (void)state;
    build(2);
    memory[addresses[1] + 40] ^= 1;               /* MADT, sum left wrong */
    put32(memory + addresses[3] + 4, 0xffffffff); /* HPET, absurd length */
    warnings = 0;
    acpi_init(paddr(0));
    assert_int_equal(machine_cpu_count, 1);
    assert_int_equal(acpi.ioapic_count, 0);
    assert_int_equal(acpi.hpet_address, 0);
    assert_int_equal(acpi.pm1a_control, 0x604);
    assert_int_equal(warnings, 2);
    assert_int_equal(mapped, 0);
    /* A damaged root pointer extension leaves the old table. */
    build(2);
    memory[RSDP + 25] ^= 1;
    acpi_init(paddr(0));
    check_good();
}

static void test_random_damage(void **state)
{
    (void)state;
    for (int round = 0; round < 5000; round++) {
        build(2);
        for (int change = rand() % 6; change >= 0; change--) {
            u64 table = addresses[rand() % (int)address_count];
            u32 length;

            memcpy(&length, memory + table + 4, 4);
            if (length < 36 || length > 0x1000)
                continue;
            memory[table + (u32)rand() % length] = rand() % 3 ? (u8)rand() : 0xff;
            memcpy(&length, memory + table + 4, 4);
            if (length >= 36 && length <= 0x1000)
                fix_sum(memory + table, length, 9);
        }
        acpi_init(paddr(0));
        assert_int_equal(mapped, 0);
        assert_in_range(machine_cpu_count, 1, MAX_CPUS);
        assert_in_range(acpi.ioapic_count, 0, ACPI_IOAPICS_MAX);
        for (u32 i = 0; i < 16; i++)
            assert_true(acpi.isa[i].gsi < MAX_GSI);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_tables),
        cmocka_unit_test(test_no_tables),
        cmocka_unit_test(test_damaged_tables_are_ignored),
        cmocka_unit_test(test_random_damage),
    };

    srand(1);
    return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
