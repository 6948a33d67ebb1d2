// sources: platform/acpi.c
// libs: -lcmocka
// options: -max_len=1024
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ACPI tables: good ones in which the input changes bytes (table, offset, value; the sum is made
 * right again, or not), then whole tables of nothing but the input, then the root pointer.
 */
#include "unit_play.h"
#include "../unit/test_acpi.c"

static void change_bytes(u32 count)
{
    while (count--) {
        u32 what = fuzz_byte(), at = fuzz_byte() | fuzz_byte() << 8, length;
        u8 *table = memory + addresses[what % address_count];

        memcpy(&length, table + 4, 4);
        if (length >= 36 && length <= 0x1000) {
            table[at % length] = (u8)fuzz_byte();
            memcpy(&length, table + 4, 4);
            if (length >= 36 && length <= 0x1000 && !(what & 0x80))
                fix_sum(table, length, 9);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char names[][5] = {"APIC", "FACP", "HPET", "MCFG", "DSDT", "SSDT"};
    u32 how;

    fuzz_at = data;
    fuzz_end = data + size;
    build(fuzz_byte() & 2);
    how = fuzz_byte();
    change_bytes(how & 15);
    if (how & 0x40) {
        const char *name = names[fuzz_byte() % ARRAY_SIZE(names)];
        u32 length = MIN((u32)(fuzz_end - fuzz_at), 900U);

        addresses[how % address_count] = add_table(name, fuzz_at, length);
        next_table = TABLES + 0x1000;
        add_root(2);
    }
    if ((how & 0xc0) == 0x80)
        memory[RSDP + fuzz_byte() % 36] = (u8)fuzz_byte();
    acpi_init(paddr((how & 0x30) == 0x30 ? 0 : RSDP));
    assert_int_equal(mapped, 0);
    assert_in_range(machine_cpu_count, 1, MAX_CPUS);
    assert_in_range(acpi.ioapic_count, 0, ACPI_IOAPICS_MAX);
    for (u32 i = 0; i < 16; i++)
        assert_true(acpi.isa[i].gsi < MAX_GSI);
    for (u32 i = 1; i < machine_cpu_count; i++)
        for (u32 n = 0; n < i; n++)
            assert_true(machine_apic_id[n] != machine_apic_id[i]);
    return 0;
}
