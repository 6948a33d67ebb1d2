/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI configuration space by ports 0xcf8/0xcfc, and by the memory-mapped
 * windows of MCFG for what the ports do not reach (registers from 256 on,
 * other segments); the devices dom0 told us of.
 *
 * LOCK_PCI guards the port pair, the window mappings and the device list.
 */
#include "cpu/ports.h"
#include "lib/list.h"
#include "memory/alloc.h"
#include "platform/internal.h"

#define ADDRESS_PORT 0xcf8
#define DATA_PORT    0xcfc
#define BUS_WINDOW   (1u << 20) /* 32 devices of 8 functions of 4 KiB */

struct pci_device {
    struct list_head link;
    u32 sbdf;
    bool virtual_function;
};

spinlock_t pci_lock = SPINLOCK(LOCK_PCI);
static u8 *windows[ACPI_ECAMS_MAX]; /* from the first bus on; NULL: not mapped */
static struct list_head devices = LIST_HEAD_INIT(devices);

/* The register's place in a memory window, mapped when first needed; NULL: none. */
static volatile void *ecam_register(u32 sbdf, u32 reg)
{
    u32 bus = sbdf >> 8 & 0xff;

    for (u32 i = 0; i < acpi.ecam_count; i++) {
        const struct acpi_ecam *e = &acpi.ecams[i];
        paddr_t where = paddr(e->base + (u64)e->first_bus * BUS_WINDOW);
        u64 size = (e->last_bus - e->first_bus + 1ul) * BUS_WINDOW;

        if (e->segment != sbdf >> 16 || bus < e->first_bus || bus > e->last_bus)
            continue;
        if (!windows[i] && memory_is_io(where, size))
            windows[i] = map_io(where, size, true);
        if (windows[i])
            return windows[i] + (bus - e->first_bus) * BUS_WINDOW + ((sbdf & 0xff) << 12) + reg;
    }
    return NULL;
}

/* Naturally aligned, 1, 2 or 4 bytes, inside the device's 4 KiB. */
static bool access_is_valid(u32 reg, u32 bytes)
{
    return (bytes == 1 || bytes == 2 || bytes == 4) && !(reg & (bytes - 1)) && reg < 4096;
}

static bool ports_reach(u32 sbdf, u32 reg)
{
    return sbdf < 0x10000 && reg < 256;
}

static u16 select_register(u32 sbdf, u32 reg)
{
    port_out(ADDRESS_PORT, 4, 0x80000000u | sbdf << 8 | (reg & 0xfc));
    return (u16)(DATA_PORT + (reg & 3));
}

u32 pci_read_locked(u32 sbdf, u32 reg, u32 bytes)
{
    if (!access_is_valid(reg, bytes))
        return ~0u;
    if (ports_reach(sbdf, reg))
        return port_in(select_register(sbdf, reg), bytes);
    volatile void *p = ecam_register(sbdf, reg);
    if (!p)
        return ~0u;
    return bytes == 1 ? *(volatile u8 *)p : bytes == 2 ? *(volatile u16 *)p : *(volatile u32 *)p;
}

void pci_write_locked(u32 sbdf, u32 reg, u32 bytes, u32 value)
{
    if (!access_is_valid(reg, bytes))
        return;
    if (ports_reach(sbdf, reg)) {
        port_out(select_register(sbdf, reg), bytes, value);
        return;
    }
    volatile void *p = ecam_register(sbdf, reg);
    if (!p)
        return;
    if (bytes == 1)
        *(volatile u8 *)p = (u8)value;
    else if (bytes == 2)
        *(volatile u16 *)p = (u16)value;
    else
        *(volatile u32 *)p = value;
}

u32 pci_read(u32 sbdf, u32 reg, u32 bytes)
{
    spin_hold(&pci_lock);
    return pci_read_locked(sbdf, reg, bytes);
}

void pci_write(u32 sbdf, u32 reg, u32 bytes, u32 value)
{
    spin_hold(&pci_lock);
    pci_write_locked(sbdf, reg, bytes, value);
}

/* --- Devices ------------------------------------------------------------- */

static struct pci_device *device_find(u32 sbdf)
{
    struct pci_device *d;

    list_for_each (d, &devices, link)
        if (d->sbdf == sbdf)
            return d;
    return NULL;
}

int pci_device_add(u32 sbdf, bool virtual_function)
{
    spin_hold(&pci_lock);
    struct pci_device *d = device_find(sbdf);
    if (!d) {
        d = heap_alloc(sizeof(*d));
        if (!d)
            return -ENOMEM;
        d->sbdf = sbdf;
        list_add_tail(&d->link, &devices);
    }
    d->virtual_function = virtual_function;
    return 0;
}

int pci_device_remove(u32 sbdf)
{
    spin_hold(&pci_lock);
    struct pci_device *d = device_find(sbdf);
    if (!d)
        return -ENODEV;
    list_del(&d->link);
    heap_free(d);
    return 0;
}

bool pci_device_known(u32 sbdf)
{
    spin_hold(&pci_lock);
    return device_find(sbdf) != NULL;
}

bool pci_device_is_virtual(u32 sbdf)
{
    const struct pci_device *d = device_find(sbdf);

    return d && d->virtual_function;
}

/* The windows are those of the MCFG table: what dom0 can add is only its word,
 * and the wrong word would have us write to memory that is something else. */
int pci_mmcfg_reserved(u64 base, u16 segment, u8 first_bus, u8 last_bus)
{
    for (u32 i = 0; i < acpi.ecam_count; i++) {
        const struct acpi_ecam *e = &acpi.ecams[i];

        if (e->base == base && e->segment == segment && e->first_bus <= first_bus &&
            e->last_bus >= last_bus)
            return 0;
    }
    return -ENODEV;
}

static void key_devices(unsigned char)
{
    struct pci_device *d;

    console_say("PCI devices:\n");
    spin_hold(&pci_lock);
    list_for_each (d, &devices, link)
        printk(LOG_ERROR, "  %04x:%02x:%02x.%x vendor %04x device %04x%s\n", d->sbdf >> 16,
               d->sbdf >> 8 & 0xff, d->sbdf >> 3 & 0x1f, d->sbdf & 7,
               pci_read_locked(d->sbdf, 0, 2), pci_read_locked(d->sbdf, 2, 2),
               d->virtual_function ? ", virtual function" : "");
}

__init void pci_init(void)
{
    /* Function 0:0.0 answers on every PC; all ones means the port pair is dead. */
    if (pci_read(0, 0, 4) == ~0u)
        printk(LOG_WARNING, "PCI: no answer from 00:00.0\n");
    console_key_register('Q', key_devices, "PCI devices that dom0 told of");
}
