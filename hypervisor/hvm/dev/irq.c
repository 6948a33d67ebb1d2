/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interrupt lines of a board: who pulls them, and which pins they reach.
 * A pin is up as long as anybody pulls it; the interrupt controllers hear of
 * changes only. The lock is the board's; callers come from everywhere.
 *
 * ISA lines 0-15 are pins of the same number of PIC and IO-APIC, but line 0 is
 * pin 2 of the IO-APIC. A PCI line is a pin above 15 of the IO-APIC, and by one
 * of four links an ISA line, as firmware has set them up.
 */
#include "core/event.h"
#include "hvm/dev/devices.h"

#define CALLBACK_KIND(value) ((u32)((value) >> 56))
#define PCI_LINES            128

static u32 pci_gsi(u32 device, u32 intx)
{
    return 16 + ((device * 4 + device / 8 + intx) & 31);
}

/* Which GSIs are up, from all there is. */
static u64 levels(const struct hvm_devices *x)
{
    u64 on = (x->isa.pad[0] & 0xfffa) | (x->isa.pad[0] & 1) << 2 | x->hpet.lines |
             (u64)x->pm.sci << ISA_IRQ_SCI;
    unsigned long lines[] = {x->pci.pad[0], x->pci.pad[1]}, n;

    if (x->callback_level && CALLBACK_KIND(x->callback) == HVM_PARAM_CALLBACK_TYPE_PCI_INTX)
        bit_set(lines, (x->callback >> 11 & 31) * 4 + (x->callback & 3));
    else if (x->callback_level)
        on |= BIT(x->callback);
    for_each_bit (n, lines, PCI_LINES) {
        u32 device = (u32)n / 4, intx = n % 4, irq = x->link.route[(device + intx) & 3] & 15;

        on |= BIT(pci_gsi(device, intx)) | (irq ? BIT(irq) : 0);
    }
    return on;
}

void lines_update(struct hvm_devices *x)
{
    u64 changed = x->levels;
    unsigned long gsi;

    x->levels = levels(x);
    changed ^= x->levels;
    for_each_bit (gsi, &changed, HVM_GSIS) {
        if (gsi < 16)
            pic_line(x, gsi == 2 ? ISA_IRQ_PIT : (u32)gsi, x->levels >> gsi & 1);
        ioapic_line(x, (u32)gsi, x->levels >> gsi & 1);
    }
}

/* Restored controllers know the levels: nothing rises. */
void lines_resume(struct hvm_devices *x)
{
    x->levels = levels(x);
}

void isa_irq_set(struct hvm_devices *x, u32 irq, bool level)
{
    (level ? bit_set : bit_clear)((unsigned long *)x->isa.pad, irq);
    lines_update(x);
}

/* NULL: there is none. */
static struct hvm_devices *board(struct domain *d)
{
    return d->is_hvm ? to_hvm_domain(d)->devices : NULL;
}

int hvm_isa_irq_set(struct domain *d, u32 irq, bool level)
{
    struct hvm_devices *x = irq < 16 ? board(d) : NULL;

    if (!x)
        return reject(-EINVAL, "no such ISA interrupt");
    spin_hold(&x->lock);
    isa_irq_set(x, irq, level);
    return 0;
}

int hvm_pci_intx_set(struct domain *d, u32 device, u32 intx, bool level)
{
    struct hvm_devices *x = device < 32 && intx < 4 ? board(d) : NULL;

    if (!x)
        return reject(-EINVAL, "no such PCI interrupt");
    spin_hold(&x->lock);
    (level ? bit_set : bit_clear)((unsigned long *)x->pci.pad, device * 4 + intx);
    lines_update(x);
    return 0;
}

int hvm_pci_link_set(struct domain *d, u32 link, u32 isa_irq)
{
    struct hvm_devices *x = link < 4 && isa_irq < 16 ? board(d) : NULL;

    if (!x)
        return reject(-EINVAL, "no such PCI link");
    spin_hold(&x->lock);
    x->link.route[link] = (u8)isa_irq;
    lines_update(x);
    return 0;
}

/* Intel SDM vol. 3, 11.11: the data has the form of a command to send. */
int hvm_msi_deliver(struct domain *d, u64 address, u32 data)
{
    if (!d->is_hvm || (address & ~0xfffffUL) != LAPIC_BASE || (data & 0xff) < 16)
        return reject(-EINVAL, "message to nobody");
    lapic_message(d, (data & 0x7ff) | (address & 4 ? LAPIC_LOGICAL : 0), address >> 12 & 0xff);
    return 0;
}

/* ---- event upcalls by a line ---- */

/* A vCPU with a vector of its own hears by that. */
static bool callback_due(const struct hvm_devices *x)
{
    const struct vcpu *v = x->d->d.vcpus[0];

    return READ_ONCE(x->callback) && v && !READ_ONCE(to_hvm((struct vcpu *)v)->upcall_vector) &&
           READ_ONCE(READ_ONCE(v->info)->evtchn_upcall_pending);
}

static void callback_follow(struct hvm_devices *x)
{
    if (x->callback_level != callback_due(x)) {
        x->callback_level = !x->callback_level;
        lines_update(x);
    }
}

void hvm_callback_set(struct domain *d, u64 value)
{
    struct hvm_devices *x = board(d);
    u32 kind = CALLBACK_KIND(value);

    if (!x)
        return;
    spin_hold(&x->lock);
    x->callback_level = false;
    lines_update(x);
    x->callback = kind == HVM_PARAM_CALLBACK_TYPE_PCI_INTX ||
                          (kind == HVM_PARAM_CALLBACK_TYPE_GSI && value < HVM_GSIS)
                      ? value
                      : 0;
    callback_follow(x);
}

void hvm_callback_update(struct hvm_vcpu *v)
{
    struct hvm_devices *x = devices_of(v);

    if (!x || v->v.id || READ_ONCE(x->callback_level) == callback_due(x))
        return;
    spin_hold(&x->lock);
    callback_follow(x);
}

/* The handler has cleared the pending flag and no exit told us: the line falls first. */
void ioapic_eoi(struct domain *d, u32 vector)
{
    struct hvm_devices *x = board(d);

    if (!x)
        return;
    spin_hold(&x->lock);
    callback_follow(x);
    ioapic_end(x, vector);
}
