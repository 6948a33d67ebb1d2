// sources: platform/irq.c platform/msi.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt descriptors over a fake IO-APIC, a fake PCI device and fake locks
 * that know their order: binding rules, masking of level lines until every
 * sharer is done, MSI-X programming, release of everything.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/lock.h"
#include "cpu/work.h"
#include "memory/alloc.h"
#include "memory/map.h"
#include "platform/console.h"
#include "platform/internal.h"
#include "platform/irq.h"
#include "platform/machine.h"

#define PINS 24

struct acpi_facts acpi;
u32 gsi_count = PINS;
u32 machine_apic_id[MAX_CPUS];
struct cpu_local host_cpu_local;
cpumask_t cpus_online;
static int allocations, eois, pci_held;
static struct {
    u8 vector;
    u32 apic_id;
    bool level, low, masked;
} pins[PINS];
static u32 table[8];   /* two MSI-X entries */
static u8 config[256]; /* of device 0x10 */
static bool is_locked;

/* --- The world below ------------------------------------------------------ */

spinlock_t pci_lock;

void spin_lock(spinlock_t *lock)
{
    assert_false(is_locked); /* LOCK_PCI comes first */
    if (lock == &pci_lock)
        assert_int_equal(pci_held++, 0);
    else
        is_locked = true;
}
void spin_unlock(spinlock_t *lock)
{
    if (lock == &pci_lock) {
        assert_int_equal(--pci_held, 0);
        return;
    }
    assert_true(is_locked);
    is_locked = false;
}
void *heap_alloc(size_t size)
{
    allocations++;
    return malloc(size);
}
void *heap_zalloc(size_t size)
{
    allocations++;
    return calloc(1, size);
}
void heap_free(void *p)
{
    allocations -= p != NULL;
    free(p);
}
void *map_io(paddr_t where, size_t length, bool uncached)
{
    assert_true(uncached);
    assert_int_equal(length, 16);
    assert_in_range(where.raw, 0xfe002000, 0xfe002010);
    allocations++;
    return &table[(where.raw - 0xfe002000) / 4];
}
void unmap_io(void *p, size_t length)
{
    (void)p;
    (void)length;
    allocations--;
}
bool memory_is_io(paddr_t start, u64 size)
{
    return start.raw >= 0xe0000000 && size <= 16;
}
u32 pci_read_locked(u32 sbdf, u32 reg, u32 bytes)
{
    u32 value = ~0u;

    assert_true(pci_held);
    if (sbdf == 0x10)
        memcpy(&value, config + reg, bytes);
    return bytes == 4 ? value : value & ((1u << bytes * 8) - 1);
}
void pci_write_locked(u32 sbdf, u32 reg, u32 bytes, u32 value)
{
    assert_true(pci_held);
    assert_int_equal(sbdf, 0x10);
    memcpy(config + reg, &value, bytes);
}
bool pci_device_is_virtual(u32 sbdf)
{
    (void)sbdf;
    return false;
}
bool ioapic_has_pin(u32 pin)
{
    return pin < PINS;
}
void ioapic_init(void)
{
}
void ioapic_route(u32 pin, u8 vector, u32 apic_id, bool level, bool low, bool masked)
{
    pins[pin].vector = vector;
    pins[pin].apic_id = apic_id;
    pins[pin].level = level;
    pins[pin].low = low;
    pins[pin].masked = masked;
}
void ioapic_retarget(u32 pin, u32 apic_id)
{
    pins[pin].apic_id = apic_id;
}
void ioapic_mask(u32 pin, bool masked)
{
    pins[pin].masked = masked;
}
void apic_eoi(void)
{
    eois++;
}
void apic_error(void)
{
}
bool apic_can_route_to(u32 cpu)
{
    return cpu != 3;
}
void clock_timer_fired(void)
{
}
void cpu_raise_work(u32 cpu, u32 bit)
{
    (void)cpu;
    (void)bit;
}
void cpu_wait(void)
{
}
bool serial_polled(void)
{
    return false;
}
void console_key_register(char key, void (*fn)(unsigned char key), const char *help)
{
    (void)key;
    (void)fn;
    (void)help;
}
void printk(enum log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
}

/* --- Tests ---------------------------------------------------------------- */

static int arrived[4];

static void handler(u32 irq, void *arg)
{
    (void)irq;
    assert_false(is_locked); /* it may take locks of lower levels */
    arrived[(size_t)arg]++;
}

static int reset(void **state)
{
    (void)state;
    memset(arrived, 0, sizeof(arrived));
    for (u32 i = 0; i < 16; i++)
        acpi.isa[i].gsi = i;
    acpi.isa[0].gsi = 2;
    acpi.isa[9].level = acpi.isa[9].active_low = true;
    for (u32 i = 0; i < 4; i++) {
        machine_apic_id[i] = 10 + i;
        cpumask_set(&cpus_online, i);
    }
    return 0;
}

static void test_edge(void **state)
{
    cpumask_t where = cpumask_of(1);

    (void)state;
    assert_int_equal(irq_bind_guest(4, handler, (void *)0, &where, false), 0);
    assert_false(irq_needs_eoi(4));
    assert_false(pins[4].masked || pins[4].level);
    assert_int_equal(pins[4].apic_id, 11);
    eois = 0;
    irq_dispatch(pins[4].vector);
    assert_int_equal(arrived[0], 1);
    assert_int_equal(eois, 1);
    assert_false(pins[4].masked);
    assert_int_equal(irq_bind_guest(4, handler, (void *)1, &where, true), -EBUSY);
    assert_int_equal(irq_request(4, handler, (void *)1), -EBUSY);
    where = cpumask_of(3); /* has an APIC id that no message can carry */
    irq_set_affinity(4, &where);
    assert_int_equal(pins[4].apic_id, 10);
    irq_unbind_guest(4, (void *)0);
    irq_sync(4);
    assert_true(pins[4].masked);
    irq_dispatch(pins[4].vector);
    assert_int_equal(arrived[0], 1);
    assert_int_equal(eois, 2);
    /* ISA line 0 is wired to pin 2. */
    assert_int_equal(irq_request(0, handler, (void *)2), 0);
    irq_dispatch(pins[2].vector);
    assert_int_equal(arrived[2], 1);
}

static void test_level_shared(void **state)
{
    cpumask_t where = cpumask_of(2);
    u8 vector;

    (void)state;
    assert_int_equal(irq_setup_gsi(20, true, false), 0);
    assert_int_equal(irq_setup_gsi(20, true, true), -EEXIST);
    assert_int_equal(irq_setup_gsi(PINS, true, true), -EINVAL);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(irq_bind_guest(20, handler, (void *)i, &where, true), 0);
    assert_true(irq_needs_eoi(20));
    assert_true(pins[20].level && !pins[20].low && !pins[20].masked);
    vector = pins[20].vector;
    assert_int_equal(irq_gsi_vector(20), vector);
    irq_eoi(20); /* nothing owed: no effect */
    irq_dispatch(vector);
    assert_true(arrived[0] == 1 && arrived[1] == 1 && arrived[2] == 1);
    irq_eoi(20);
    irq_eoi(20);
    assert_true(pins[20].masked);
    irq_eoi(20);
    assert_false(pins[20].masked);
    irq_dispatch(vector);
    assert_true(pins[20].masked);
    irq_unbind_guest(20, (void *)1); /* one leaves in the middle: the line comes back */
    assert_false(pins[20].masked);
    irq_dispatch(vector);
    assert_int_equal(arrived[1], 2);
    irq_unbind_guest(20, (void *)0);
    irq_unbind_guest(20, (void *)2);
    assert_true(pins[20].masked);
    irq_eoi(20);
    assert_true(pins[20].masked);
    assert_int_equal(irq_setup_gsi(20, false, false), -EEXIST);
    /* One of ours: unmasked again at once. */
    assert_int_equal(irq_request(9, handler, (void *)3), 0);
    irq_dispatch(pins[9].vector);
    assert_int_equal(arrived[3], 1);
    assert_false(pins[9].masked);
}

static void test_bad_numbers(void **state)
{
    cpumask_t none = {{0}};

    (void)state;
    assert_int_equal(irq_bind_guest(PINS, handler, NULL, &none, false), -EINVAL);
    assert_int_equal(irq_bind_guest(~0u, handler, NULL, &none, false), -EINVAL);
    assert_int_equal(irq_gsi_vector(~0u), -EINVAL);
    irq_unbind_guest(~0u, NULL);
    irq_unbind_guest(PINS + 1, NULL);
    irq_eoi(~0u);
    irq_sync(~0u);
    irq_set_affinity(MAX_IRQS, &none);
    msi_disable(~0u);
    msi_disable(20);
    assert_false(irq_needs_eoi(MAX_IRQS - 1));
    for (u32 v = 0x20; v < 256; v++)
        irq_dispatch(v);
}

static void config32(u32 at, u32 value)
{
    memcpy(config + at, &value, 4);
}

static void test_msix(void **state)
{
    cpumask_t where = cpumask_of(1);
    int before = allocations;
    u32 irq, second;
    u8 vector;

    (void)state;
    memset(config, 0, sizeof(config));
    config32(0, 0x12348086);
    config[6] = 0x10;
    config32(0x18, 0xfe000004); /* BAR 2, 64 bits */
    config[0x34] = 0x40;
    config32(0x40, 0x00015011); /* MSI-X, 2 entries, next at 0x50 */
    config32(0x44, 0x2002);     /* table: BAR 2 + 0x2000 */
    memset(table, 0xff, sizeof(table));
    assert_int_equal(msi_enable(0x10, 2, 0, true, 1, &irq), -EINVAL);
    assert_int_equal(msi_enable(0x10, 0, 0, true, 2, &irq), -EOPNOTSUPP);
    assert_int_equal(msi_enable(0x11, 0, 0, true, 1, &irq), -ENODEV);
    assert_int_equal(msi_enable(0x10, 0, 0, false, 1, &irq), -ENODEV);
    assert_int_equal(msi_prepare(0x10, true), 0);
    assert_int_equal(msi_enable(0x10, 1, 0, true, 1, &irq), 0);
    assert_int_equal(msi_enable(0x10, 1, 0, true, 1, &second), -EEXIST);
    assert_int_equal(msi_enable(0x10, 0, 0, true, 1, &second), 0);
    assert_true(irq >= PINS && second != irq);
    assert_int_equal(table[4], 0xfee0a000);
    assert_int_equal(table[5], 0);
    assert_int_equal(table[7], 1);
    vector = (u8)table[6];
    assert_true(msi_owns_page(mfn(0xfe002)));
    assert_false(msi_owns_page(mfn(0xfe003)));
    assert_int_equal(irq_bind_guest(irq, handler, (void *)1, &where, false), 0);
    assert_int_equal(table[4], 0xfee0b000);
    assert_int_equal(table[7], 0);
    irq_dispatch(vector);
    assert_int_equal(arrived[1], 1);
    assert_false(irq_needs_eoi(irq));
    where = cpumask_of(2);
    irq_set_affinity(irq, &where);
    assert_int_equal(table[4], 0xfee0c000);
    memset(table, 0xff, sizeof(table));
    assert_int_equal(msi_restore(0x10), 0);
    assert_int_equal(table[4], 0xfee0c000);
    assert_int_equal(table[6], vector);
    assert_int_equal(table[7], 0);
    assert_int_equal(table[3], 1);
    msi_disable(irq);
    assert_int_equal(table[7], 1);
    irq_dispatch(vector); /* late: nobody */
    assert_int_equal(arrived[1], 1);
    msi_disable(second);
    msi_disable(second);
    assert_int_equal(allocations, before);
    assert_false(msi_owns_page(mfn(0xfe002)));
    /* A table in RAM, a ring of capabilities. */
    config32(0x18, 0x00100000);
    assert_int_equal(msi_enable(0x10, 0, 0, true, 1, &irq), -ENXIO);
    config32(0x40, 0x00004009);
    assert_int_equal(msi_enable(0x10, 0, 0, true, 1, &irq), -ENODEV);
    assert_int_equal(allocations, before);
}

static void test_msi(void **state)
{
    cpumask_t where = cpumask_of(1);
    u32 irq, word;

    (void)state;
    memset(config, 0, sizeof(config));
    config32(0, 0x12348086);
    config[6] = 0x10;
    config[0x34] = 0xd0;
    config32(0xd0, 0x01800005); /* MSI, 64 bits, mask bits */
    assert_int_equal(msi_enable(0x10, 7, 0, false, 1, &irq), 0);
    memcpy(&word, config + 0xd4, 4);
    assert_int_equal(word, 0xfee0a000);
    assert_int_equal(config[0xe0] & 1, 1);
    assert_int_equal(irq_bind_guest(irq, handler, (void *)2, &where, false), 0);
    assert_int_equal(config[0xe0] & 1, 0);
    irq_dispatch(config[0xdc]);
    assert_int_equal(arrived[2], 1);
    assert_int_equal(msi_prepare(0x10, true), -EBUSY);
    irq_unbind_guest(irq, (void *)2);
    assert_int_equal(config[0xe0] & 1, 1);
    msi_disable(irq);
}

/* More than there are vectors: refused without harm, and all can be had again. */
static void test_vectors_run_out(void **state)
{
    cpumask_t none = {{0}};
    u32 irq[256], count;

    (void)state;
    for (int round = 0; round < 3; round++) {
        int before = allocations;

        for (count = 0; count < 256; count++) {
            u8 vector;
            u32 id;

            if (irq_alloc_msi(&irq[count], &irq[count], &vector, &id))
                break;
            assert_in_range(vector, VECTOR_FIRST_DYNAMIC, VECTOR_LAST_DYNAMIC);
        }
        assert_in_range(count, 150, 192);
        assert_int_equal(irq_bind_guest(11, handler, NULL, &none, false), -ENOSPC);
        while (count--)
            irq_free_detached(irq_detach_msi(irq[count]));
        assert_in_range(allocations - before, 0, 1); /* GSI 11 stays */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_edge, reset),
        cmocka_unit_test_setup(test_level_shared, reset),
        cmocka_unit_test_setup(test_bad_numbers, reset),
        cmocka_unit_test_setup(test_msix, reset),
        cmocka_unit_test_setup(test_msi, reset),
        cmocka_unit_test_setup(test_vectors_run_out, reset),
    };

    return cmocka_run_group_tests_name("irq", tests, NULL, NULL);
}
