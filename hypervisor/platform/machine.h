/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine as firmware describes it: ACPI, local APICs, PCI, and its end.
 * Boot order: acpi_init, apic_init, pci_init, irq_init, clock_init.
 */
#pragma once

#include "lib/types.h"

void acpi_init(paddr_t rsdp_hint); /* finds and checks the tables; 0: search the BIOS areas */
/* Calls add for what is nobody's though firmware may not say so: the APICs' registers (type 2). */
void acpi_add_reserved(void (*add)(u64 start, u64 size, u32 type));
/* MADT: */
extern u32 machine_cpu_count; /* CPUs enabled, at most MAX_CPUS */
extern u32 machine_apic_id[]; /* by our CPU number; 0 is the boot CPU */
extern u32 machine_acpi_id[]; /* ACPI processor UID by our CPU number */

void apic_init(void); /* boot CPU: chooses x2APIC or xAPIC, enables */
void apic_init_secondary(void);
u32 boot_apic_id(void); /* from CPUID, before apic_init; on the boot CPU */
u32 apic_id(void);
void apic_eoi(void);
void apic_send_ipi(u32 cpu, u32 vector);
void apic_send_nmi_others(void); /* crash path: stops the others */
void apic_send_init(u32 apic_id);
void apic_send_startup(u32 apic_id, u32 page); /* page: start address >> 12 */

u32 pci_read(u32 sbdf, u32 reg, u32 bytes); /* sbdf = segment<<16|bus<<8|device<<3|function */
void pci_write(u32 sbdf, u32 reg, u32 bytes, u32 value);
void pci_init(void);
/* PHYSDEVOP_pci_mmcfg_reserved: dom0 has reserved a window of the MCFG table; 0, -ENODEV: no such.
 */
int pci_mmcfg_reserved(u64 base, u16 segment, u8 first_bus, u8 last_bus);
/* dom0 tells of devices (PHYSDEVOP_pci_device_add ...). add: 0 also when known, -ENOMEM. */
int pci_device_add(u32 sbdf, bool virtual_function);
int pci_device_remove(u32 sbdf); /* -ENODEV */
bool pci_device_known(u32 sbdf);

__noreturn void machine_restart(void);
__noreturn void machine_power_off(void);
__noreturn void machine_halt(void); /* all CPUs, for ever */
/* dom0's ACPI sleep request with PM1 values it computed: XENPF_enter_acpi_sleep.
 * Only S5 (-ENOSYS for others, -ENODEV without ACPI), which does not return. */
int machine_acpi_sleep(u32 state, u32 pm1a_value, u32 pm1b_value);
void power_init(void); /* registers the key 'R' */
/* PIC, PIT, our UART, PCI config, PM timer...: never given to a guest raw */
bool machine_port_is_ours(u16 port);
