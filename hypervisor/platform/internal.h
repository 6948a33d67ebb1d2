/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of platform/ tell each other and nobody else: the facts that
 * ACPI gave, the local APIC's timer, IO-APIC pins, MSI messages, the devices
 * behind the console.
 */
#pragma once

#include "cpu/lock.h"
#include "platform/console.h"
#include "platform/irq.h"
#include "platform/machine.h"
#include "platform/ring.h"

/* acpi.c: filled in once by acpi_init(), constant afterwards. */

#define ACPI_IOAPICS_MAX 16
#define ACPI_ECAMS_MAX   16

struct acpi_ioapic {
    u64 address;
    u32 gsi_base;
    u8 id;
};

/* Where an ISA interrupt line arrives. Identity, edge and active high unless firmware says so. */
struct acpi_isa_line {
    u32 gsi;
    bool level, active_low;
};

struct acpi_ecam {
    u64 base; /* of bus 0, whether or not bus 0 is served */
    u16 segment;
    u8 first_bus, last_bus;
};

struct acpi_facts {
    paddr_t rsdp;
    u64 lapic_address;
    u32 ioapic_count;
    struct acpi_ioapic ioapics[ACPI_IOAPICS_MAX];
    struct acpi_isa_line isa[16];
    u32 ecam_count;
    struct acpi_ecam ecams[ACPI_ECAMS_MAX];
    u64 hpet_address;  /* 0: none */
    u16 pm_timer_port; /* 0: none */
    bool pm_timer_32bit;
    u16 pm1a_control, pm1b_control; /* ports, 0: none */
    u16 sci;
    u8 century; /* index of the RTC's century byte, 0: none */
    bool has_reset;
    u8 reset_space; /* 0 memory, 1 I/O port, 2 PCI configuration */
    u64 reset_address;
    u8 reset_value;
    bool has_s5;
    u8 s5a, s5b; /* SLP_TYP for power-off */
};
extern struct acpi_facts acpi;

/* apic.c */

bool apic_timer_uses_deadline(void);
/* The TSC value to fire at, or else ticks of the bus clock to count down; 0: never. */
void apic_timer_set(u64 value);
u32 apic_timer_count(void);
/* 32-bit destinations do not fit into IO-APIC entries and MSI addresses. */
bool apic_can_route_to(u32 cpu);
void apic_error(void);

/* ioapic.c; the caller holds irq_lock. */

void ioapic_init(void);
bool ioapic_has_pin(u32 pin);
/* Writes the whole entry of a global pin number (= GSI). */
void ioapic_route(u32 pin, u8 vector, u32 apic_id, bool level, bool active_low, bool masked);
/* Changes the destination alone, in one write: no edge is lost. */
void ioapic_retarget(u32 pin, u32 apic_id);
void ioapic_mask(u32 pin, bool masked);

/* irq.c */

extern spinlock_t irq_lock; /* LOCK_IRQ: irq descriptors, vectors, IO-APIC registers */

/* Takes an irq number beyond the GSIs (and a vector) for an MSI; 0 or negative errno. */
int irq_alloc_msi(void *msi, u32 *irq, u8 *vector, u32 *apic_id);
/* Unbinds it and takes it out of reach, under the PCI lock; what it returns must then go to
 * irq_free_detached, with no lock held, which waits for running handlers. */
void *irq_detach_msi(u32 irq);
void irq_free_detached(void *detached);
/* PCI lock held. The msi that irq_alloc_msi was given; NULL if irq is none. */
void *irq_msi(u32 irq);
/* The next allocated MSI with an irq from *n on, which moves behind it; NULL: no more. PCI lock
 * held. */
void *irq_next_msi(u32 *n);

/* msi.c; called with the PCI lock held, irq_lock may be held too. */

void msi_route(void *msi, u8 vector, u32 apic_id);
void msi_mask(void *msi, bool masked);
void msi_show(unsigned char key); /* a debug key; no lock held */

/* pci.c */

extern spinlock_t pci_lock; /* LOCK_PCI; accesses for those who hold it: */
u32 pci_read_locked(u32 sbdf, u32 reg, u32 bytes);
void pci_write_locked(u32 sbdf, u32 reg, u32 bytes, u32 value);
bool pci_device_is_virtual(u32 sbdf); /* lock held */

/* clock.c: the timer interrupt of this CPU came. */
void clock_timer_fired(void);

/* Gives a console ring memory of at least `size` bytes, at most 16 MiB. Boot time, no lock held. */
void console_ring_alloc(struct ring *ring, u64 size);

/* serial.c; the caller holds the console lock. */

#define SERIAL_PORTS 2
bool serial_open(u32 port); /* false: no UART there */
void serial_write(u32 port, const char *text, size_t length);
void serial_work(bool input_stalled); /* sends on; stalled: received bytes need not interrupt */
/* Sends all that waits; true: and from now on everything before serial_write() returns. */
void serial_flush(bool synchronous);
size_t serial_read(char *bytes, size_t length); /* from all open ports; never waits */
void serial_enable_interrupts(void);            /* no lock held */
bool serial_polled(void); /* some open port has no interrupt: raise WORK_CONSOLE now and then */
bool serial_owns_port(u16 io_port);

/* screen.c; the caller holds the console lock. */

struct screen_device {
    const u32 *rows, *columns;
    void (*put)(u32 row, u32 column, char ch);
    void (*scroll)(void);               /* up by a row; the last one becomes blank */
    void (*leave)(u32 row, u32 column); /* with the cursor there; may be NULL */
};
bool screen_open(void); /* false: there is none */
void screen_write(const char *text, size_t length);
void screen_leave(void);                    /* nothing is written from now on */
const struct screen_device *vga_open(void); /* vga.c; NULL: no text there */
