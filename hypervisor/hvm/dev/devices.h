/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The board of a domain that was made with a PC's devices: what the files of
 * this folder share. Registers are kept in the interface's own records, so
 * saving is copying (hvm/dev/devices.c); what stands beside them follows from
 * them and the time.
 *
 * Everything is under one lock, LOCK_DEVICES, which may be taken on any CPU and
 * under which vCPUs are kicked and timers set. Functions that take a struct
 * hvm_devices are called with it held; those of hvm/dev/irq.h take it themselves.
 */
#pragma once

#include "hvm/dev/irq.h"
#include "hvm/hvm.h"

#define HVM_GSIS     48 /* pins of the IO-APIC: 16 of ISA, 32 of PCI */
#define ISA_IRQ_PIT  0
#define ISA_IRQ_RTC  8
#define ISA_IRQ_SCI  9
#define IOAPIC_BASE  0xfec00000UL
#define HPET_BASE    0xfed00000UL
#define HPET_BYTES   0x400UL
#define HPET_TIMERS  3
#define PM_EVENTS_V0 0x1f40 /* xen/hvm/ioreq.h: where HVM_PARAM_ACPI_IOPORTS_LOCATION says */
#define PM_EVENTS_V1 0xb000
#define PM_TIMER     8 /* from there */

struct hvm_devices {
    spinlock_t lock;
    struct hvm_domain *d;

    struct hvm_hw_pci_irqs pci; /* lines that are up: bit device * 4 + intx */
    struct hvm_hw_isa_irqs isa; /* bit irq */
    struct hvm_hw_pci_link link;
    u64 levels;          /* of GSIs, as the controllers know them: bit GSI */
    u64 callback;        /* of HVM_PARAM_CALLBACK_IRQ, if it is a line; 0: none */
    bool callback_level; /* it is up */

    struct hvm_hw_vpic pic[2];
    struct hvm_hw_vioapic ioapic;

    struct {
        struct hvm_hw_pit hw;
        ns_t start[3]; /* when the count was loaded */
        ns_t due;      /* channel 0's next interrupt; NS_NEVER: none */
        struct timer timer;
    } pit;
    struct {
        struct hvm_hw_rtc hw;
        u64 second, tick; /* of the last look */
        bool was_set;     /* the guest set its clock: domain_update_wallclock is due */
        struct timer timer;
    } rtc;
    struct {
        struct hvm_hw_hpet hw;
        ns_t start; /* when the counter was hw.mc64 */
        ns_t due[HPET_TIMERS];
        u64 lines; /* GSIs that level-triggered timers hold up */
        struct timer timer;
    } hpet;
    struct {
        struct hvm_hw_pmtimer hw;
        ns_t start;     /* when the counter was... */
        u64 base, half; /* ... this; and how often it had come to half its range at the last look */
        bool sci;       /* it pulls interrupt 9, which the device model does, too */
        struct timer timer;
    } pm;
};

/* hvm/dev/devices.c */
/* All state records, each with its descriptor, to `at` (NULL: nothing is written): how long. */
u32 hvm_devices_get(struct hvm_domain *d, void *at);
/* -ENOENT: not a device's. -EINVAL. The domain stands still. */
int hvm_devices_set(struct hvm_domain *d, const struct hvm_save_descriptor *s, const void *record);
int hvm_devices_init(struct hvm_domain *d);
void hvm_devices_stop(struct hvm_domain *d); /* for good; they stay until hvm_devices_free */
void hvm_devices_free(struct hvm_domain *d);
/* One access, which the device may decline: false. */
bool hvm_devices_access(struct hvm_vcpu *v, const struct hvm_device *device, u64 address, u32 bytes,
                        bool write, u64 *value);
/* Sets a timer near vCPU 0; NS_NEVER stops it. Its function may come once more all the same. */
void device_arm(struct hvm_devices *x, struct timer *t, ns_t when);
/* A periodic event that was due: moves it to its next time. Missed ones become one. */
void device_advance(ns_t *due, ns_t period, ns_t now);

/* hvm/dev/irq.c */
void lines_update(struct hvm_devices *x); /* after any change of what they are made of */
void isa_irq_set(struct hvm_devices *x, u32 irq, bool level);

/* hvm/dev/pic.c, ioapic.c: a line has changed */
void pic_line(struct hvm_devices *x, u32 irq, bool level);
void ioapic_line(struct hvm_devices *x, u32 gsi, bool level);
void ioapic_end(struct hvm_devices *x, u32 vector); /* ioapic_eoi's part */

/* Of each device: after power-up; and after its registers were set from a record: it runs on. */
void pic_init(struct hvm_devices *x);
void pic_resume(struct hvm_devices *x);
void ioapic_reset(struct hvm_devices *x);
void lines_resume(struct hvm_devices *x);
void pit_init(struct hvm_devices *x);
void pit_resume(struct hvm_devices *x);
void rtc_init(struct hvm_devices *x);
void rtc_resume(struct hvm_devices *x);
void hpet_init(struct hvm_devices *x);
void hpet_resume(struct hvm_devices *x);
void pm_init(struct hvm_devices *x);
void pm_resume(struct hvm_devices *x);
/* Before saving and looking: registers that time changes. */
void hpet_sync(struct hvm_devices *x);
void rtc_sync(struct hvm_devices *x);
void pm_sync(struct hvm_devices *x);
bool hpet_legacy(const struct hvm_devices *x); /* it stands in for the PIT and the RTC */

hvm_device_access pic_access, elcr_access, ioapic_access, pit_access, speaker_access, rtc_access,
    hpet_access, pm_access;

static inline struct hvm_devices *devices_of(struct hvm_vcpu *v)
{
    return to_hvm_domain(v->v.domain)->devices;
}
