/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two 8259A interrupt controllers, the second at line 2 of the first, and the
 * register that makes lines level-triggered (ports 0x20, 0xa0, 0x4d0). Their
 * output is vCPU 0's, through its local APIC's LINT0 or pin 0 of the IO-APIC
 * as external interrupt, or directly if the APIC is off.
 *
 * The lock is the board's, but for pic_pending's look at the output.
 */
#include "hvm/dev/devices.h"

#define CASCADE 2
enum { ICW4_FOLLOWS = 4, SINGLE = 8 }; /* init_state: and in bits 0-1 which word is next */

/* Lines as they come to one of the two. */
static u8 lines(const struct hvm_devices *x, u32 chip)
{
    u64 levels = (x->levels & ~5UL) | (x->levels >> 2 & 1);

    return (u8)(levels >> 8 * chip);
}

/* The line that comes first among these, -1: none. */
static s32 first_of(const struct hvm_hw_vpic *p, u32 among)
{
    for (u32 i = 0; i < 8; i++)
        if (among >> ((p->priority_add + i) & 7) & 1)
            return (p->priority_add + i) & 7;
    return -1;
}

/* The request that is to be answered, -1: none comes before what is in service. */
static s32 highest(const struct hvm_hw_vpic *p)
{
    u32 service = p->isr, requests = p->irr & ~p->imr;
    s32 irq;

    if (p->special_mask_mode)
        service &= ~(u32)p->imr;
    /* A second one of the other chip may be more important than its first. */
    if (p->special_fully_nested_mode && p->is_master)
        service &= ~(1U << CASCADE);
    irq = first_of(p, service | requests);
    return p->init_state || irq < 0 || (service >> irq & 1) ? -1 : irq;
}

static void update(struct hvm_devices *x)
{
    struct hvm_hw_vpic *first = &x->pic[0], *second = &x->pic[1];
    bool output;

    second->int_output = highest(second) >= 0;
    first->irr = (u8)((first->irr & ~(1U << CASCADE)) | second->int_output << CASCADE);
    output = highest(first) >= 0;
    WRITE_ONCE(first->int_output, output);
    if (output && x->d->d.vcpus[0])
        vcpu_kick(x->d->d.vcpus[0]);
}

void pic_line(struct hvm_devices *x, u32 irq, bool level)
{
    struct hvm_hw_vpic *p = &x->pic[irq / 8];
    u8 bit = (u8)(1U << irq % 8);

    if (level)
        p->irr |= bit;
    else if (p->elcr & bit)
        p->irr &= (u8)~bit;
    update(x);
}

/* An edge is forgotten once it is answered, a level is not. */
static void answer(struct hvm_hw_vpic *p, u32 irq)
{
    p->irr &= (u8)(p->elcr | ~(1U << irq));
    if (!p->auto_eoi)
        p->isr |= (u8)(1U << irq);
    else if (p->rotate_on_auto_eoi)
        p->priority_add = (irq + 1) & 7;
}

bool pic_pending(const struct hvm_vcpu *v)
{
    const struct hvm_devices *x = to_hvm_domain(v->v.domain)->devices;
    union vioapic_redir_entry pin0;

    if (!x || v->v.id || !READ_ONCE(x->pic[0].int_output))
        return false;
    pin0.bits = READ_ONCE(x->ioapic.redirtbl[0].bits);
    return lapic_takes_external(v) || (!pin0.fields.mask && pin0.fields.delivery_mode == 7);
}

s32 pic_acknowledge(struct hvm_vcpu *v)
{
    struct hvm_devices *x = devices_of(v);
    struct hvm_hw_vpic *p = &x->pic[0];
    s32 irq;

    spin_hold(&x->lock);
    irq = highest(p);
    if (irq >= 0)
        answer(p, (u32)irq);
    if (irq == CASCADE) {
        p = &x->pic[1];
        irq = highest(p);
        if (irq >= 0)
            answer(p, (u32)irq);
        else
            irq = 7; /* as the chip does for a request that has gone */
    }
    update(x);
    return irq < 0 ? -1 : p->irq_base + irq;
}

/* OCW2: ends of interrupts, and who comes first from now on. */
static void command(struct hvm_hw_vpic *p, u32 value)
{
    u32 service = p->isr & ~(p->special_mask_mode ? p->imr : 0U);
    bool rotate = value & 0x80, end = value & 0x20;
    s32 irq = value & 0x40 ? (s32)(value & 7) : first_of(p, service);

    if (!end && !(value & 0x40))
        p->rotate_on_auto_eoi = rotate;
    else if (irq >= 0) {
        if (end)
            p->isr &= (u8) ~(1U << irq);
        if (rotate)
            p->priority_add = (irq + 1) & 7;
    }
}

static void write_even(struct hvm_devices *x, u32 chip, u32 value)
{
    struct hvm_hw_vpic *p = &x->pic[chip];

    if (value & 0x10) { /* ICW1 */
        *p = (struct hvm_hw_vpic){.irq_base = p->irq_base,
                                  .elcr = p->elcr,
                                  .irr = lines(x, chip) & p->elcr,
                                  .is_master = !chip,
                                  .init_state = (value & 3) << 2 | 1};
    } else if (value & 8) { /* OCW3 */
        if (value & 0x40)
            p->special_mask_mode = value >> 5 & 1;
        if (value & 2)
            p->readsel_isr = value & 1;
        p->poll = value >> 2 & 1;
    } else {
        command(p, value);
    }
}

static void write_odd(struct hvm_hw_vpic *p, u32 value)
{
    u32 state = p->init_state, next = 0;

    switch (state & 3) {
    case 0:
        p->imr = (u8)value;
        break;
    case 1:
        p->irq_base = value & 0xf8;
        next = state & SINGLE ? 3 : 2;
        break;
    case 2: /* how they are wired is known */
        next = 3;
        break;
    case 3:
        p->auto_eoi = value >> 1 & 1;
        p->special_fully_nested_mode = value >> 4 & 1;
        break;
    }
    if (next == 3 && !(state & ICW4_FOLLOWS))
        next = 0;
    p->init_state = next ? (state & (ICW4_FOLLOWS | SINGLE)) | next : 0;
}

static u32 read(struct hvm_hw_vpic *p, bool odd)
{
    s32 irq;

    if (p->poll) {
        p->poll = 0;
        irq = highest(p);
        if (irq < 0)
            return 7;
        answer(p, (u32)irq);
        return 0x80 | (u32)irq;
    }
    return odd ? p->imr : p->readsel_isr ? p->isr : p->irr;
}

bool pic_access(struct hvm_vcpu *v, u64 address, u32 bytes, bool write, u64 *value)
{
    struct hvm_devices *x = devices_of(v);
    u32 chip = address >> 7 & 1;

    if (bytes != 1)
        return true;
    if (!write)
        *value = read(&x->pic[chip], address & 1);
    else if (address & 1)
        write_odd(&x->pic[chip], (u32)*value);
    else
        write_even(x, chip, (u32)*value);
    update(x);
    return true;
}

bool elcr_access(struct hvm_vcpu *v, u64 address, u32 bytes, bool write, u64 *value)
{
    struct hvm_devices *x = devices_of(v);
    u32 chip = address & 1;
    struct hvm_hw_vpic *p = &x->pic[chip];

    if (bytes != 1)
        return true;
    if (write) { /* timer, keyboard, cascade, clock and coprocessor are edges */
        p->elcr = (u8)*value & (chip ? 0xde : 0xf8);
        p->irr = (u8)((p->irr & ~p->elcr) | (lines(x, chip) & p->elcr));
        update(x);
    }
    *value = p->elcr;
    return true;
}

void pic_resume(struct hvm_devices *x)
{
    for (u32 chip = 0; chip < 2; chip++) {
        x->pic[chip].is_master = !chip;
        x->pic[chip].elcr &= chip ? 0xde : 0xf8;
        x->pic[chip].irq_base &= 0xf8;
    }
    update(x);
}

void pic_init(struct hvm_devices *x)
{
    x->pic[0].irq_base = 8;
    x->pic[1].irq_base = 0x70;
    pic_resume(x);
}
