/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Message-signalled interrupts (PCI Local Bus 3.0, 6.8): finds a device's MSI or
 * MSI-X capability, owns the address, data and mask fields of each entry it
 * was asked for. dom0 itself sets the capability's enable bits.
 *
 * Records hang on irq descriptors (irq.c), which also own their vectors.
 * LOCK_PCI guards the records and the devices' registers.
 */
#include "memory/alloc.h"
#include "platform/internal.h"

#define CONFIG_STATUS       0x06
#define STATUS_CAPABILITIES 0x10
#define CONFIG_BAR0         0x10
#define CONFIG_CAPABILITIES 0x34
#define CAPABILITY_MSI      0x05
#define CAPABILITY_MSIX     0x11

/* Offsets in the MSI capability; what follows the address depends on its width. */
#define MSI_CONTROL       2
#define MSI_CONTROL_64BIT 0x80
#define MSI_CONTROL_MASKS 0x100
#define MSI_ADDRESS       4

#define MSIX_CONTROL      2
#define MSIX_TABLE        4
#define MSIX_ENTRY_SIZE   16
#define MSIX_SIZE_MASK    0x7ff

#define ADDRESS_BASE      0xfee00000u

struct msi {
    u32 sbdf, irq;
    u16 entry;
    u8 capability; /* offset in configuration space */
    bool is_msix;
    bool wide;     /* MSI: 64-bit address */
    bool maskable; /* MSI: has mask bits */
    bool masked;
    u32 address, data;
    mfn_t page;              /* MSI-X: frame of the entry */
    volatile u32 *registers; /* MSI-X: address low, high, data, control (bit 0: masked) */
};

/*
 * Frames among which those with MSI-X entries are; only ever widened, under LOCK_PCI. Read without
 * it, to spare the many other I/O frames that dom0 maps (256 MiB of configuration space at once)
 * the search: an entry that is being set up meanwhile could as well come just after.
 */
static u64 msix_first, msix_end;

/* Follows the list of capabilities, which a broken device may have made a ring. */
static u8 find_capability(u32 sbdf, u8 wanted)
{
    u32 at, limit = 48;

    if (pci_read_locked(sbdf, 0, 2) == 0xffff ||
        !(pci_read_locked(sbdf, CONFIG_STATUS, 2) & STATUS_CAPABILITIES))
        return 0;
    at = pci_read_locked(sbdf, CONFIG_CAPABILITIES, 1);
    while (limit-- && (at & 0xfc) >= 0x40) {
        u32 header = pci_read_locked(sbdf, at & 0xfc, 2);

        if ((header & 0xff) == wanted)
            return (u8)(at & 0xfc);
        at = header >> 8;
    }
    return 0;
}

/* Memory BAR of a device; 0 when it is none or not set up. */
static u64 read_bar(u32 sbdf, u32 bar)
{
    if (bar > 5)
        return 0;
    u32 low = pci_read_locked(sbdf, CONFIG_BAR0 + 4 * bar, 4);
    if (low & 1) /* I/O ports */
        return 0;
    u64 address = low & ~0xfu;
    if ((low & 6) == 4 && bar < 5)
        address |= (u64)pci_read_locked(sbdf, CONFIG_BAR0 + 4 * (bar + 1), 4) << 32;
    return address;
}

static void write_message(const struct msi *m)
{
    u32 at = m->capability;

    if (m->is_msix) {
        m->registers[0] = m->address;
        m->registers[1] = 0;
        m->registers[2] = m->data;
        return;
    }
    pci_write_locked(m->sbdf, at + MSI_ADDRESS, 4, m->address);
    if (m->wide)
        pci_write_locked(m->sbdf, at + MSI_ADDRESS + 4, 4, 0);
    pci_write_locked(m->sbdf, at + MSI_ADDRESS + (m->wide ? 8 : 4), 2, m->data);
}

static void write_mask(const struct msi *m)
{
    if (m->is_msix) {
        m->registers[3] = m->masked;
    } else if (m->maskable) {
        u32 at = m->capability + (m->wide ? 0x10u : 0x0cu);
        pci_write_locked(m->sbdf, at, 4,
                         (pci_read_locked(m->sbdf, at, 4) & ~1u) | (m->masked ? 1 : 0));
    }
}

void msi_mask(void *msi, bool masked)
{
    struct msi *m = msi;

    m->masked = masked;
    write_mask(m);
}

void msi_route(void *msi, u8 vector, u32 apic_id)
{
    struct msi *m = msi;

    /* Physical destination, fixed delivery, edge: all zero bits (Intel SDM 3, 11.11). */
    m->address = ADDRESS_BASE | (apic_id & 0xff) << 12;
    m->data = vector;
    if (m->is_msix && !m->masked)
        m->registers[3] = 1; /* the entry must not change while it may be sent */
    write_message(m);
    write_mask(m);
}

static int setup_msi(struct msi *m)
{
    m->capability = find_capability(m->sbdf, CAPABILITY_MSI);
    if (!m->capability)
        return -ENODEV;
    u32 control = pci_read_locked(m->sbdf, m->capability + MSI_CONTROL, 2);
    m->wide = control & MSI_CONTROL_64BIT;
    m->maskable = control & MSI_CONTROL_MASKS;
    m->entry = 0;
    return 0;
}

static int setup_msix(struct msi *m, u64 table_base)
{
    m->capability = find_capability(m->sbdf, CAPABILITY_MSIX);
    if (!m->capability)
        return -ENODEV;
    u32 control = pci_read_locked(m->sbdf, m->capability + MSIX_CONTROL, 2);
    if (m->entry > (control & MSIX_SIZE_MASK))
        return -EINVAL;
    u32 table = pci_read_locked(m->sbdf, m->capability + MSIX_TABLE, 4);
    u64 bar = read_bar(m->sbdf, table & 7);
    if (!bar && pci_device_is_virtual(m->sbdf))
        bar = table_base; /* virtual functions have no BARs of their own to read */
    u64 where = bar + (table & ~7u) + (u64)m->entry * MSIX_ENTRY_SIZE;
    if (!bar || where < bar || !memory_is_io(paddr(where), MSIX_ENTRY_SIZE))
        return -ENXIO;
    m->page = paddr_to_mfn(paddr(where));
    m->registers = map_io(paddr(where), MSIX_ENTRY_SIZE, true);
    if (!m->registers)
        return -ENOMEM;
    atomic_store(&msix_first, msix_end ? MIN(msix_first, m->page.raw) : m->page.raw);
    atomic_store(&msix_end, MAX(msix_end, m->page.raw + 1));
    return 0;
}

/* Is the entry in use, or one of the other kind? MSI and MSI-X exclude each other on a device. */
static bool in_use(u32 sbdf, bool is_msix, u32 entry)
{
    const struct msi *m;

    for (u32 n = 0; (m = irq_next_msi(&n)) != NULL;)
        if (m->sbdf == sbdf && (m->is_msix != is_msix || m->entry == entry))
            return true;
    return false;
}

int msi_enable(u32 sbdf, u32 entry, u64 table_base, bool msix, u32 count, u32 *irq)
{
    struct msi *m;
    u32 apic_id;
    u8 vector;
    int rc;

    if (count > 1)
        return -EOPNOTSUPP;
    if (msix && entry > MSIX_SIZE_MASK)
        return -EINVAL;
    m = heap_zalloc(sizeof(*m));
    if (!m)
        return -ENOMEM;
    *m = (struct msi){
        .sbdf = sbdf, .entry = msix ? (u16)entry : 0, .is_msix = msix, .page = MFN_NONE};

    spin_lock(&pci_lock);
    rc = in_use(sbdf, msix, m->entry) ? -EEXIST : msix ? setup_msix(m, table_base) : setup_msi(m);
    if (!rc)
        rc = irq_alloc_msi(m, irq, &vector, &apic_id);
    if (!rc) {
        m->irq = *irq;
        m->masked = true;
        msi_route(m, vector, apic_id);
    }
    spin_unlock(&pci_lock);
    if (rc) {
        if (m->registers)
            unmap_io((void *)m->registers, MSIX_ENTRY_SIZE);
        heap_free(m);
    }
    return rc;
}

void msi_disable(u32 irq)
{
    void *detached = NULL;

    spin_lock(&pci_lock);
    struct msi *m = irq_msi(irq);
    if (m) {
        /* The device may be gone already: writes to nothing do no harm. */
        msi_mask(m, true);
        detached = irq_detach_msi(irq);
    }
    spin_unlock(&pci_lock);
    if (!m)
        return;
    irq_free_detached(detached);
    if (m->registers)
        unmap_io((void *)m->registers, MSIX_ENTRY_SIZE);
    heap_free(m);
}

/* Nothing of ours on the device is no error: dom0 asks for each it resumes. */
int msi_restore(u32 sbdf)
{
    const struct msi *m;

    spin_hold(&pci_lock);
    for (u32 n = 0; (m = irq_next_msi(&n)) != NULL;)
        if (m->sbdf == sbdf) {
            write_message(m);
            write_mask(m);
        }
    return 0;
}

int msi_prepare(u32 sbdf, bool prepare)
{
    spin_hold(&pci_lock);
    if (prepare && in_use(sbdf, true, ~0u)) /* plain MSI */
        return -EBUSY;
    return find_capability(sbdf, CAPABILITY_MSIX) ? 0 : -ENODEV;
}

bool msi_owns_page(mfn_t page)
{
    const struct msi *m;

    if (page.raw < atomic_load(&msix_first) || page.raw >= atomic_load(&msix_end))
        return false;
    spin_hold(&pci_lock);
    for (u32 n = 0; (m = irq_next_msi(&n)) != NULL;)
        if (mfn_equal(m->page, page))
            return true;
    return false;
}

void msi_show(unsigned char)
{
    const struct msi *m;

    console_say("Message-signalled interrupts:\n");
    spin_hold(&pci_lock);
    for (u32 n = 0; (m = irq_next_msi(&n)) != NULL;)
        printk(LOG_ERROR, "  %04x:%02x:%02x.%x %s entry %u: irq %u, address %x data %x%s\n",
               m->sbdf >> 16, m->sbdf >> 8 & 0xff, m->sbdf >> 3 & 0x1f, m->sbdf & 7,
               m->is_msix ? "MSI-X" : "MSI", m->entry, m->irq, m->address, m->data,
               m->masked ? ", masked" : "");
}
