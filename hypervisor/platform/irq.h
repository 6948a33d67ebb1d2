/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts: IO-APIC lines (GSIs), MSI and MSI-X, each an `irq` with a CPU
 * vector; and the local APIC's own. Guest-bound lines are delivered to a
 * callback (core/pirq.c) that knows event channels.
 */
#pragma once

#include "cpu/cpumask.h"

#define MAX_IRQS 1024
#define MAX_GSI  256 /* irqs 0..gsi_count-1 are the GSIs themselves */
extern u32 gsi_count;

/* Vectors 0xf0 and up are ours. */
enum {
    VECTOR_FIRST_DYNAMIC = 0x30,
    VECTOR_LAST_DYNAMIC = 0xef,
    VECTOR_TIMER = 0xf0,
    VECTOR_WORK = 0xf1,  /* cpu_raise_work */
    VECTOR_FLUSH = 0xf2, /* cpu_flush, cpu_call */
    VECTOR_ERROR = 0xfe,
    VECTOR_SPURIOUS = 0xff,
};

/* An interrupt for irq arrived; runs with interrupts off on the CPU that took it. */
typedef void (*irq_handler_t)(u32 irq, void *arg);

void irq_init(void);
/* Entry from cpu/: acknowledges and dispatches one vector. */
void irq_dispatch(u32 vector);

/* Hypervisor's own use of a GSI (serial). */
int irq_request(u32 irq, irq_handler_t fn, void *arg);
/* Routes irq to fn for a guest. level: fn's owner must call irq_eoi when the guest is done.
 * -EBUSY: taken, -EINVAL. */
int irq_bind_guest(u32 irq, irq_handler_t fn, void *arg, const cpumask_t *where, bool shareable);
/* fn may still be running on another CPU afterwards: irq_sync, with no lock held that fn
 * takes, waits for that before arg goes away. */
void irq_unbind_guest(u32 irq, void *arg);
void irq_sync(u32 irq);
void irq_eoi(u32 irq);       /* guest finished with a level-triggered interrupt: unmask */
bool irq_needs_eoi(u32 irq); /* level-triggered */
void irq_set_affinity(u32 irq, const cpumask_t *where);

/* GSI trigger and polarity: -EEXIST if already set up (harmless), -EINVAL. */
int irq_setup_gsi(u32 gsi, bool level, bool active_low);
int irq_gsi_vector(u32 gsi); /* allocates and returns a vector; negative errno */

/*
 * MSI: allocates an irq for entry `entry` of device sbdf, programs the device masked until
 * bound. table_base: the BAR's address that dom0 says, used for virtual functions only.
 * -EOPNOTSUPP for several messages (count > 1), -EEXIST for an entry in use, -ENODEV
 * without the capability, -ENXIO when the table is not where it may be, -ENOSPC, -ENOMEM.
 * msi_disable also unbinds; call it with no lock held that a handler takes.
 */
int msi_enable(u32 sbdf, u32 entry, u64 table_base, bool msix, u32 count, u32 *irq);
void msi_disable(u32 irq);
int msi_restore(u32 sbdf);
int msi_prepare(u32 sbdf, bool prepare); /* PHYSDEVOP_prepare_msix / release_msix */
/* The frame holds an MSI-X table in use: guests may map it for reading only. */
bool msi_owns_page(mfn_t m);

/* IO-APIC registers as PHYSDEVOP_apic_read/write of dom0 see them: -EINVAL for an unknown one. */
int ioapic_guest_read(paddr_t base, u32 reg, u32 *value);
int ioapic_guest_write(paddr_t base, u32 reg, u32 value);
