/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A board as a whole: made, ended, accessed. Its lock is taken here for every
 * access by a guest; timers' functions take it themselves.
 */
#include "hvm/dev/devices.h"

void device_arm(struct hvm_devices *x, struct timer *t, ns_t when)
{
    const struct vcpu *v = x->d->d.vcpus[0];

    timer_stop(t);
    if (v)
        timer_migrate(t, READ_ONCE(v->cpu));
    /* Between two there is time for a handler. */
    timer_set(t, MAX(when, clock_now() + 50 * NS_US));
}

void device_advance(ns_t *due, ns_t period, ns_t now)
{
    *due += ((now - *due) / period + 1) * period;
}

static void leave(struct hvm_devices *x)
{
    bool was_set = x->rtc.was_set;

    x->rtc.was_set = false;
    spin_unlock(&x->lock);
    if (was_set)
        domain_update_wallclock(&x->d->d); /* takes the domain's lock */
}

bool hvm_devices_access(struct hvm_vcpu *v, const struct hvm_device *device, u64 address, u32 bytes,
                        bool write, u64 *value)
{
    struct hvm_devices *x = devices_of(v);
    bool mine;

    if (!device->board)
        return device->access(v, address, bytes, write, value);
    if (!x)
        return false;
    spin_lock(&x->lock);
    mine = device->access(v, address, bytes, write, value);
    leave(x);
    return mine;
}

/* ---- state records ---- */

#define RECORD(name, number, field, resume)                                                        \
    {                                                                                              \
        {HVM_SAVE_CODE(name), number, HVM_SAVE_LENGTH(name)}, offsetof(struct hvm_devices, field), \
            resume                                                                                 \
    }
/* In the order in which they are saved: lines before what pulls them. */
static const struct {
    struct hvm_save_descriptor head;
    u32 offset;
    void (*resume)(struct hvm_devices *x);
} records[] = {
    RECORD(PIC, 0, pic[0], pic_resume),      RECORD(PIC, 1, pic[1], pic_resume),
    RECORD(IOAPIC, 0, ioapic, lines_resume), RECORD(PCI_IRQ, 0, pci, lines_resume),
    RECORD(ISA_IRQ, 0, isa, lines_resume),   RECORD(PCI_LINK, 0, link, lines_resume),
    RECORD(PIT, 0, pit.hw, pit_resume),      RECORD(RTC, 0, rtc.hw, rtc_resume),
    RECORD(HPET, 0, hpet.hw, hpet_resume),   RECORD(PMTIMER, 0, pm.hw, pm_resume),
};

u32 hvm_devices_get(struct hvm_domain *d, void *to)
{
    struct hvm_devices *x = d->devices;
    u8 *at = to;
    u32 length = 0;

    if (!x)
        return 0;
    spin_hold(&x->lock);
    hpet_sync(x);
    rtc_sync(x);
    pm_sync(x);
    x->rtc.hw.rtc_offset = d->d.wall_offset / NS_SECOND;
    for (u32 i = 0; i < ARRAY_SIZE(records); i++) {
        if (at) {
            memcpy(at + length, &records[i].head, sizeof(records[i].head));
            memcpy(at + length + sizeof(records[i].head), (u8 *)x + records[i].offset,
                   records[i].head.length);
        }
        length += (u32)sizeof(records[i].head) + records[i].head.length;
    }
    return length;
}

int hvm_devices_set(struct hvm_domain *d, const struct hvm_save_descriptor *s, const void *record)
{
    struct hvm_devices *x = d->devices;
    u32 i = 0;

    while (i < ARRAY_SIZE(records) &&
           (records[i].head.typecode != s->typecode || records[i].head.instance != s->instance))
        i++;
    if (!x || i == ARRAY_SIZE(records))
        return -ENOENT;
    if (s->length != records[i].head.length ||
        (s->typecode == HVM_SAVE_CODE(IOAPIC) &&
         ((const struct hvm_hw_vioapic *)record)->base_address != IOAPIC_BASE))
        return -EINVAL;
    spin_lock(&x->lock);
    memcpy((u8 *)x + records[i].offset, record, s->length);
    records[i].resume(x);
    leave(x);
    return 0;
}

/* ---- life ---- */

int hvm_devices_init(struct hvm_domain *d)
{
    struct hvm_devices *x = heap_zalloc(sizeof(*x));

    if (!x)
        return -ENOMEM;
    x->lock = SPINLOCK(LOCK_DEVICES);
    x->d = d;
    ioapic_reset(x);
    pic_init(x);
    pit_init(x);
    hpet_init(x);
    rtc_init(x);
    pm_init(x);
    d->devices = x;
    return 0;
}

void hvm_devices_stop(struct hvm_domain *d)
{
    struct hvm_devices *x = d->devices;

    if (!x)
        return;
    timer_kill(&x->pit.timer);
    timer_kill(&x->rtc.timer);
    timer_kill(&x->pm.timer);
    timer_kill(&x->hpet.timer);
}

void hvm_devices_free(struct hvm_domain *d)
{
    hvm_devices_stop(d);
    heap_free(d->devices);
    d->devices = NULL;
}
