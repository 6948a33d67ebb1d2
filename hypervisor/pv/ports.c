/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * I/O ports of PV guests: the ones a domain was given (rangeset io_ports) are
 * the machine's; PCI configuration by 0xcf8/0xcfc goes through platform/pci,
 * which shares those two ports with us; everything else is not there.
 * No locks here; the address latch belongs to the hardware domain, whose
 * kernel serialises its own use of it.
 */
#include "pv/pv.h"
#include "core/access.h"
#include "cpu/ports.h"
#include "platform/machine.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc
#define PCI_ENABLE  0x80000000u

/* The hardware domain's own 0xcf8. */
static u32 pci_latch;

bool pv_port_allowed(struct pv_vcpu *v, u16 port, u32 bytes)
{
    /* A PV kernel counts as ring 1 for its virtual IOPL. */
    if (v->iopl >= (v->kernel_mode ? 1 : 3))
        return true;
    if (!v->io_bitmap || (u32)port + bytes > v->io_bitmap_limit)
        return false;
    /* The bits may cross a byte. */
    u8 map[2] = {0xff, 0xff};
    if (guest_copy_in(map, v->io_bitmap + port / 8, port % 8 + bytes > 8 ? 2 : 1))
        return false;
    u32 bits = map[0] | (u32)map[1] << 8;
    return !((bits >> (port % 8)) & ((1u << bytes) - 1));
}

static bool is_pci_data(u16 port, u32 bytes)
{
    return port >= PCI_DATA && port + bytes <= PCI_DATA + 4;
}

static u32 latch_sbdf(void)
{
    return (pci_latch >> 8) & 0xffff;
}

static u32 latch_register(u16 port)
{
    /* Bits 24-27 are AMD's extension to 4 KiB of configuration space. */
    return (pci_latch & 0xfc) | (port & 3) | ((pci_latch >> 16) & 0xf00);
}

static bool owns(struct domain *d, u16 port, u32 bytes)
{
    return (u32)port + bytes <= 0x10000 && rangeset_contains(&d->io_ports, port, port + bytes - 1);
}

u32 pv_port_in(struct domain *d, u16 port, u32 bytes)
{
    u32 none = bytes == 4 ? ~0u : (1u << (8 * bytes)) - 1;

    if (d->is_hardware && port == PCI_ADDRESS && bytes == 4)
        return pci_latch;
    if (d->is_hardware && is_pci_data(port, bytes)) {
        if (!(pci_latch & PCI_ENABLE))
            return none;
        return pci_read(latch_sbdf(), latch_register(port), bytes);
    }
    if (owns(d, port, bytes))
        return port_in(port, bytes);
    return none;
}

void pv_port_out(struct domain *d, u16 port, u32 bytes, u32 value)
{
    if (d->is_hardware && port == PCI_ADDRESS && bytes == 4) {
        pci_latch = value;
        return;
    }
    if (d->is_hardware && is_pci_data(port, bytes)) {
        if (pci_latch & PCI_ENABLE)
            pci_write(latch_sbdf(), latch_register(port), bytes, value);
        return;
    }
    if (owns(d, port, bytes))
        port_out(port, bytes, value);
}
