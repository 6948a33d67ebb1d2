/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IO-APIC (Intel 82093AA, version 0x11), of 48 pins at its usual address.
 * A level-triggered interrupt stays in `remote_irr` from its delivery until a
 * local APIC's EOI; then it comes again if its line is still up. Pin 0 as
 * external interrupt is the PIC's way (hvm/dev/pic.c). The lock is the board's.
 */
#include "hvm/dev/devices.h"

#define VERSION_VALUE (0x11U | (HVM_GSIS - 1) << 16)
enum { SELECT = 0, WINDOW = 0x10 };
enum { ID = 0, VERSION = 1, ARBITRATION = 2, TABLE = 0x10 };
/* Of an entry: what cannot be written. */
#define READ_ONLY 0x00fffffffffe5000UL

static void deliver(struct hvm_devices *x, u32 pin)
{
    union vioapic_redir_entry *e = &x->ioapic.redirtbl[pin];
    u32 mode = e->fields.delivery_mode;
    bool taken = false;

    if (e->fields.mask || e->fields.remote_irr)
        return;
    /* An entry has the form of a command to send: fixed, lowest priority, NMI or INIT. */
    if (mode < 2 || mode == 4 || mode == 5)
        taken = lapic_message(&x->d->d, (u32)e->bits & 0x8fff, e->fields.dest_id);
    /* Nobody there: the line stays unseen. */
    e->fields.remote_irr = e->fields.trig_mode && taken && mode < 2;
}

void ioapic_line(struct hvm_devices *x, u32 gsi, bool level)
{
    if (level)
        deliver(x, gsi);
}

void ioapic_end(struct hvm_devices *x, u32 vector)
{
    for (u32 pin = 0; pin < HVM_GSIS; pin++) {
        union vioapic_redir_entry *e = &x->ioapic.redirtbl[pin];

        if (!e->fields.remote_irr || e->fields.vector != vector)
            continue;
        e->fields.remote_irr = 0;
        if (x->levels >> pin & 1)
            deliver(x, pin);
    }
}

static void entry_write(struct hvm_devices *x, u32 pin, u64 bits)
{
    union vioapic_redir_entry *e = &x->ioapic.redirtbl[pin];

    WRITE_ONCE(e->bits, (e->bits & READ_ONLY) | (bits & ~READ_ONLY));
    if (!e->fields.trig_mode)
        e->fields.remote_irr = 0; /* how drivers end an interrupt that hangs */
    else if (x->levels >> pin & 1)
        deliver(x, pin);
    if (!pin && x->pic[0].int_output && x->d->d.vcpus[0])
        vcpu_kick(x->d->d.vcpus[0]); /* the PIC's way may be open now */
}

static u32 read(const struct hvm_hw_vioapic *a)
{
    u32 n = a->ioregsel, pin = (n - TABLE) / 2;

    if (n >= TABLE)
        return pin < HVM_GSIS ? (u32)(a->redirtbl[pin].bits >> (n & 1) * 32) : ~0U;
    return n == VERSION ? VERSION_VALUE : n == ID || n == ARBITRATION ? a->id << 24 : 0;
}

static void write_window(struct hvm_devices *x, u32 value)
{
    struct hvm_hw_vioapic *a = &x->ioapic;
    u32 n = a->ioregsel, pin = (n - TABLE) / 2, shift = (n & 1) * 32;

    if (n >= TABLE && pin < HVM_GSIS)
        entry_write(x, pin,
                    (a->redirtbl[pin].bits & ~(0xffffffffUL << shift)) | (u64)value << shift);
    else if (n == ID)
        a->id = value >> 24 & 15;
}

bool ioapic_access(struct hvm_vcpu *v, u64 address, u32 bytes, bool write, u64 *value)
{
    struct hvm_devices *x = devices_of(v);
    u32 at = address & 0xff;

    if (!write)
        *value = (at == SELECT   ? x->ioapic.ioregsel
                  : at == WINDOW ? read(&x->ioapic)
                                 : 0) &
                 (~0UL >> (64 - 8 * bytes));
    else if (at == SELECT)
        x->ioapic.ioregsel = *value & 0xff;
    else if (at == WINDOW && bytes == 4)
        write_window(x, (u32)*value);
    return true;
}

void ioapic_reset(struct hvm_devices *x)
{
    x->ioapic = (struct hvm_hw_vioapic){.base_address = IOAPIC_BASE};
    for (u32 pin = 0; pin < HVM_GSIS; pin++)
        x->ioapic.redirtbl[pin].fields.mask = 1;
}
