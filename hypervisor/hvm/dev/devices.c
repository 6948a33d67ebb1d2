/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A board as a whole: made, ended, accessed. Its lock is taken here for every
 * access by a guest; timers' functions take it themselves.
 */
#include "hvm/dev/devices.h"

#include "memory/alloc.h"

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
    spin_unlock(&x->lock);
    return mine;
}

int hvm_devices_init(struct hvm_domain *d)
{
    struct hvm_devices *x = heap_zalloc(sizeof(*x));

    if (!x)
        return -ENOMEM;
    x->lock = SPINLOCK(LOCK_DEVICES);
    x->d = d;
    pic_reset(x);
    ioapic_reset(x);
    d->devices = x;
    return 0;
}

void hvm_devices_stop(struct hvm_domain *d)
{
    (void)d;
}

void hvm_devices_free(struct hvm_domain *d)
{
    hvm_devices_stop(d);
    heap_free(d->devices);
    d->devices = NULL;
}
