/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IO-APICs (Intel 82093AA data sheet): a pin for each global system interrupt,
 * with a two-word redirection entry. All entries are ours: what dom0 writes by
 * hypercall is looked at and dropped, since vectors and delivery modes decide
 * what runs on our CPUs.
 *
 * The index and data registers are guarded by irq_lock (irq.c), which every
 * caller holds, but for the guests' reads, which take it here.
 */
#include "memory/map.h"
#include "platform/internal.h"

#define REG_VERSION  1
#define REG_ENTRY    0x10
#define ENTRY_LOW    (1u << 13) /* active low */
#define ENTRY_LEVEL  (1u << 15)
#define ENTRY_MASKED (1u << 16)

struct ioapic {
    u64 address;
    volatile u32 *index, *data;
    u32 first_pin, pins;
};

static struct ioapic ioapics[ACPI_IOAPICS_MAX];
static u32 ioapic_count;
u32 gsi_count;

static u32 reg_read(const struct ioapic *io, u32 reg)
{
    *io->index = reg;
    return *io->data;
}

static void reg_write(const struct ioapic *io, u32 reg, u32 value)
{
    *io->index = reg;
    *io->data = value;
}

static const struct ioapic *ioapic_of(u32 pin)
{
    for (u32 i = 0; i < ioapic_count; i++)
        if (pin - ioapics[i].first_pin < ioapics[i].pins)
            return &ioapics[i];
    return NULL;
}

bool ioapic_has_pin(u32 pin)
{
    return ioapic_of(pin) != NULL;
}

void ioapic_route(u32 pin, u8 vector, u32 apic_id, bool level, bool active_low, bool masked)
{
    const struct ioapic *io = ioapic_of(pin);
    u32 reg, low = vector;

    if (!io)
        return;
    reg = REG_ENTRY + 2 * (pin - io->first_pin);
    low |= (level ? ENTRY_LEVEL : 0) | (active_low ? ENTRY_LOW : 0) | (masked ? ENTRY_MASKED : 0);
    /* Masked while half of it is old. Fixed delivery, physical destination: zero bits. */
    reg_write(io, reg, reg_read(io, reg) | ENTRY_MASKED);
    reg_write(io, reg + 1, apic_id << 24);
    reg_write(io, reg, low);
}

void ioapic_retarget(u32 pin, u32 apic_id)
{
    const struct ioapic *io = ioapic_of(pin);

    if (io)
        reg_write(io, REG_ENTRY + 2 * (pin - io->first_pin) + 1, apic_id << 24);
}

void ioapic_mask(u32 pin, bool masked)
{
    const struct ioapic *io = ioapic_of(pin);

    if (!io)
        return;
    u32 reg = REG_ENTRY + 2 * (pin - io->first_pin);
    u32 low = reg_read(io, reg);
    reg_write(io, reg, masked ? low | ENTRY_MASKED : low & ~ENTRY_MASKED);
}

static void key_ioapics(unsigned char)
{
    for (u32 i = 0; i < ioapic_count; i++) {
        const struct ioapic *io = &ioapics[i];

        console_say("IO-APIC at %#lx:\n", io->address);
        for (u32 pin = 0; pin < io->pins; pin++) {
            spin_lock(&irq_lock);
            u32 low = reg_read(io, REG_ENTRY + 2 * pin);
            u32 high = reg_read(io, REG_ENTRY + 2 * pin + 1);
            spin_unlock(&irq_lock);
            if (low & 0xff)
                console_say("  GSI %3u: vector %02x %s %s%s to APIC %02x\n", io->first_pin + pin,
                            low & 0xff, low & ENTRY_LEVEL ? "level" : "edge",
                            low & ENTRY_LOW ? "low" : "high", low & ENTRY_MASKED ? ", masked," : "",
                            high >> 24);
        }
    }
}

__init void ioapic_init(void)
{
    for (u32 i = 0; i < acpi.ioapic_count; i++) {
        const struct acpi_ioapic *said = &acpi.ioapics[i];
        struct ioapic *io = &ioapics[ioapic_count];
        u8 *window = map_io(paddr(said->address), 0x20, true);

        if (!window)
            continue;
        *io = (struct ioapic){.address = said->address,
                              .index = (volatile u32 *)window,
                              .data = (volatile u32 *)(window + 0x10),
                              .first_pin = said->gsi_base};
        u32 version = reg_read(io, REG_VERSION);
        io->pins = (version >> 16 & 0xff) + 1;
        if (version == ~0u || said->gsi_base >= MAX_GSI || io->pins > MAX_GSI - said->gsi_base) {
            printk(LOG_WARNING, "IO-APIC at %#lx: not usable (version %#x, first GSI %u)\n",
                   said->address, version, said->gsi_base);
            unmap_io(window, 0x20);
            continue;
        }
        for (u32 pin = 0; pin < io->pins; pin++)
            reg_write(io, REG_ENTRY + 2 * pin, ENTRY_MASKED);
        gsi_count = MAX(gsi_count, io->first_pin + io->pins);
        ioapic_count++;
        printk(LOG_INFO, "IO-APIC at %#lx: version %#x, GSI %u-%u\n", said->address, version & 0xff,
               io->first_pin, io->first_pin + io->pins - 1);
    }
    console_key_register('z', key_ioapics, "IO-APICs");
}

static const struct ioapic *ioapic_at(paddr_t base, u32 reg)
{
    for (u32 i = 0; i < ioapic_count; i++)
        if (ioapics[i].address == base.raw)
            return reg < REG_ENTRY + 2 * ioapics[i].pins && (reg <= 2 || reg >= REG_ENTRY)
                       ? &ioapics[i]
                       : NULL;
    return NULL;
}

int ioapic_guest_read(paddr_t base, u32 reg, u32 *value)
{
    const struct ioapic *io = ioapic_at(base, reg);

    if (!io)
        return -EINVAL;
    spin_hold(&irq_lock);
    *value = reg_read(io, reg);
    return 0;
}

int ioapic_guest_write(paddr_t base, u32 reg, u32)
{
    return ioapic_at(base, reg) ? 0 : -EINVAL;
}
