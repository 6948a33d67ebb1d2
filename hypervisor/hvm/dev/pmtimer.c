/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ACPI's fixed hardware as far as it is ours (ACPI 6, 4.8.3): the PM timer of
 * 3.58 MHz and 32 bits, and the events of block PM1a, which are interrupt 9.
 * PM1a control is the device model's. The lock is the board's.
 */
#include "hvm/dev/devices.h"

#define PM_HZ        3579545
#define TIMER_STATUS 0x001U
#define GLOBAL       0x020U
#define POWER_BUTTON 0x100U
#define SLEEP_BUTTON 0x200U
#define EVENTS       (TIMER_STATUS | GLOBAL | POWER_BUTTON | SLEEP_BUTTON)

/* The timer's status says that its highest bit has changed. */
void pm_sync(struct hvm_devices *x)
{
    struct hvm_hw_pmtimer *p = &x->pm.hw;
    ns_t passed = MAX(clock_now() - x->pm.start, 0L), when = NS_NEVER;
    u64 ticks = x->pm.base + mul_div((u64)passed, PM_HZ, NS_SECOND);

    if (ticks >> 31 != x->pm.half)
        p->pm1a_sts |= TIMER_STATUS;
    x->pm.half = ticks >> 31;
    p->tmr_val = (u32)ticks;
    x->pm.sci = p->pm1a_sts & p->pm1a_en & EVENTS;
    lines_update(x);
    if (p->pm1a_en & ~(u32)p->pm1a_sts & TIMER_STATUS)
        when = x->pm.start +
               (ns_t)mul_div(((x->pm.half + 1) << 31) - x->pm.base + 1, NS_SECOND, PM_HZ);
    device_arm(x, &x->pm.timer, when);
}

static void over(void *arg)
{
    struct hvm_devices *x = arg;

    spin_hold(&x->lock);
    pm_sync(x);
}

int hvm_press_button(struct domain *d, bool sleep)
{
    struct hvm_devices *x = d->is_hvm ? to_hvm_domain(d)->devices : NULL;

    if (!x)
        return reject(-EINVAL, "domain without buttons");
    spin_hold(&x->lock);
    x->pm.hw.pm1a_sts |= sleep ? SLEEP_BUTTON : POWER_BUTTON;
    pm_sync(x);
    return 0;
}

bool pm_access(struct hvm_vcpu *v, u64 address, u32 bytes, bool write, u64 *value)
{
    struct hvm_devices *x = devices_of(v);
    struct hvm_hw_pmtimer *p = &x->pm.hw;
    bool v1 = READ_ONCE(x->d->params[HVM_PARAM_ACPI_IOPORTS_LOCATION]) == 1;
    u32 at = address & 0xf, shift = (at & 3) * 8;
    u64 all, mask = ~0UL >> (64 - 8 * bytes) << shift;

    if ((address & ~0xfUL) != (v1 ? PM_EVENTS_V1 : PM_EVENTS_V0) || (at & 0xc) == 4)
        return false;
    pm_sync(x);
    all = at >= PM_TIMER ? p->tmr_val : p->pm1a_sts | (u32)p->pm1a_en << 16;
    if (!write) {
        *value = (all & mask) >> shift;
    } else if (at < PM_TIMER) { /* a status is cleared by writing it */
        u64 written = *value << shift & mask;

        p->pm1a_sts &= (u16)~written;
        p->pm1a_en = (u16)(((all & ~mask) | written) >> 16);
        pm_sync(x);
    }
    return true;
}

void pm_resume(struct hvm_devices *x)
{
    x->pm.start = clock_now();
    x->pm.base = x->pm.hw.tmr_val;
    x->pm.half = x->pm.base >> 31;
    pm_sync(x);
}

void pm_init(struct hvm_devices *x)
{
    timer_init(&x->pm.timer, over, x, this_cpu_id());
    pm_resume(x);
}
