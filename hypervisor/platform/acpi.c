/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds and reads the firmware's static ACPI tables (ACPI specification 6.4,
 * chapter 5): MADT, FADT, HPET, MCFG and the one DSDT object that says how to
 * turn the machine off. No byte code is run: dom0 does that.
 *
 * Tables are untrusted in form: every length is checked before a byte is read,
 * and a table whose checksum is wrong does not exist. Fields are read with
 * get(), as nothing in a table is aligned. Boot core only; the facts in
 * `acpi` are constant afterwards. Also compiled for the host by its unit test.
 */
#include "memory/map.h"
#include "platform/internal.h"

#define HEADER_SIZE  36
#define TABLE_MAX    (16u << 20)
#define TABLES_MAX   256
#define PHYSICAL_END (1UL << 52)
#define RSDP_SIZE_V1 20
#define RSDP_SIZE_V2 36

struct acpi_facts acpi;
u32 machine_cpu_count = 1;
u32 machine_apic_id[MAX_CPUS];
u32 machine_acpi_id[MAX_CPUS];
static u32 cpus_beyond_limit __initdata;

static __init u64 get(const u8 *p, u32 bytes)
{
    u64 v = 0;

    memcpy(&v, p, bytes);
    return v;
}

static __init bool sum_is_zero(const u8 *p, u32 length)
{
    u8 sum = 0;

    while (length--)
        sum = (u8)(sum + *p++);
    return sum == 0;
}

static __init const u8 *map_bytes(u64 address, u32 length)
{
    if (address == 0 || address >= PHYSICAL_END - length)
        return NULL;
    return map_io(paddr(address), length, false);
}

static __init void unmap_bytes(const u8 *p, u32 length)
{
    unmap_io((void *)p, length);
}

/*
 * Maps a whole table after looking at its header alone. signature NULL: any.
 * NULL when the table is not that, or is damaged. Unmap *length bytes.
 */
static __init const u8 *map_table(u64 address, const char *signature, u32 *length)
{
    const u8 *p = map_bytes(address, HEADER_SIZE);
    char name[5] = "";

    if (!p)
        return NULL;
    memcpy(name, p, 4);
    bool wanted = !signature || memcmp(name, signature, 4) == 0;
    *length = get(p + 4, 4);
    unmap_bytes(p, HEADER_SIZE);
    if (!wanted)
        return NULL;
    p = NULL;
    if (*length >= HEADER_SIZE && *length <= TABLE_MAX)
        p = map_bytes(address, *length);
    if (p && sum_is_zero(p, *length))
        return p;
    if (p)
        unmap_bytes(p, *length);
    printk(LOG_WARNING, "ACPI: table at %#lx is damaged, ignored\n", address);
    return NULL;
}

/* --- MADT ---------------------------------------------------------------- */

/* Gives the next CPU number to a local APIC; number 0 is the boot CPU's. */
static __init void add_cpu(u32 apic_id, u32 acpi_id)
{
    u32 cpu;

    for (cpu = 0; cpu < machine_cpu_count; cpu++)
        if (machine_apic_id[cpu] == apic_id) {
            machine_acpi_id[cpu] = acpi_id; /* the boot CPU, or listed twice */
            return;
        }
    if (cpu == MAX_CPUS) {
        cpus_beyond_limit++;
        return;
    }
    machine_apic_id[cpu] = apic_id;
    machine_acpi_id[cpu] = acpi_id;
    machine_cpu_count++;
}

static __init void add_ioapic(const u8 *entry)
{
    struct acpi_ioapic *io = &acpi.ioapics[acpi.ioapic_count];

    if (acpi.ioapic_count == ACPI_IOAPICS_MAX || get(entry + 4, 4) == 0)
        return;
    *io = (struct acpi_ioapic){
        .address = get(entry + 4, 4), .gsi_base = get(entry + 8, 4), .id = entry[2]};
    acpi.ioapic_count++;
}

/* Interrupt source override, 5.2.12.5: flags bits 1..0 polarity, 3..2 trigger mode. */
static __init void set_override(const u8 *entry)
{
    u16 flags = get(entry + 8, 2);

    if (entry[2] != 0 || entry[3] >= ARRAY_SIZE(acpi.isa) || get(entry + 4, 4) >= MAX_GSI)
        return;
    struct acpi_isa_line *line = &acpi.isa[entry[3]];
    line->gsi = get(entry + 4, 4);
    line->active_low = (flags & 3) == 3;
    line->level = (flags >> 2 & 3) == 3;
}

static __init void madt_entry(const u8 *e, u32 length)
{
    enum { LAPIC = 0, IOAPIC = 1, OVERRIDE = 2, LAPIC_ADDRESS = 5, X2APIC = 9 };

    switch (e[0]) {
    case LAPIC:
        if (length >= 8 && (get(e + 4, 4) & 1) && e[3] != 0xff)
            add_cpu(e[3], e[2]);
        break;
    case IOAPIC:
        if (length >= 12)
            add_ioapic(e);
        break;
    case OVERRIDE:
        if (length >= 10)
            set_override(e);
        break;
    case LAPIC_ADDRESS:
        if (length >= 12)
            acpi.lapic_address = get(e + 4, 8);
        break;
    case X2APIC:
        if (length >= 16 && (get(e + 8, 4) & 1) && get(e + 4, 4) != ~0u)
            add_cpu(get(e + 4, 4), get(e + 12, 4));
        break;
    default: /* NMI wiring and the rest: nothing that we need */
        break;
    }
}

static __init void read_madt(const u8 *t, u32 length)
{
    u32 at = 44;

    if (length < at)
        return;
    acpi.lapic_address = get(t + 36, 4);
    while (length - at >= 2) {
        u32 size = t[at + 1];

        if (size < 2 || size > length - at) {
            printk(LOG_WARNING, "ACPI: MADT entry at %u has length %u\n", at, size);
            return;
        }
        madt_entry(t + at, size);
        at += size;
    }
}

/* --- FADT and DSDT ------------------------------------------------------- */

/*
 * The package \_S5 as compilers write it (20.2.5.4): name, PackageOp, package
 * length, element count, then two constants. Anything else: no soft power-off
 * until dom0 tells the values.
 */
static __init bool aml_constant(const u8 **p, const u8 *end, u8 *value)
{
    if (end - *p >= 1 && (**p == 0 || **p == 1)) { /* ZeroOp, OneOp */
        *value = *(*p)++;
        return true;
    }
    if (end - *p >= 2 && **p == 0x0a) { /* BytePrefix */
        *value = (*p)[1];
        *p += 2;
        return *value < 8;
    }
    return false;
}

static __init void read_dsdt(const u8 *t, u32 length)
{
    const u8 *end = t + length, *p;

    for (p = t + HEADER_SIZE; end - p >= 8; p++)
        if (memcmp(p, "_S5_\x12", 5) == 0)
            break;
    if (end - p < 8)
        return;
    p += 5;
    p += 1 + (*p >> 6); /* package length: its top bits count the bytes that follow */
    p += 1;             /* element count */
    acpi.has_s5 = end > p && aml_constant(&p, end, &acpi.s5a) && aml_constant(&p, end, &acpi.s5b);
}

/* A port from an old 32-bit field, or else from the address structure at x (0: none). */
static __init u16 fadt_port(const u8 *t, u32 length, u32 old, u32 x)
{
    u64 port = get(t + old, 4);

    if (port == 0 && x + 12 <= length && t[x] == 1)
        port = get(t + x + 4, 8);
    return port < 0x10000 ? (u16)port : 0;
}

static __init void read_fadt(const u8 *t, u32 length)
{
    u32 flags, dsdt_length;

    if (length < 116)
        return;
    flags = get(t + 112, 4);
    acpi.sci = get(t + 46, 2);
    acpi.pm1a_control = fadt_port(t, length, 64, 172);
    acpi.pm1b_control = fadt_port(t, length, 68, 184);
    acpi.pm_timer_port = fadt_port(t, length, 76, 208);
    acpi.pm_timer_32bit = flags >> 8 & 1;
    acpi.century = t[108];
    if ((flags >> 10 & 1) && length >= 129 && t[116] <= 2) {
        acpi.reset_space = t[116];
        acpi.reset_address = get(t + 120, 8);
        acpi.reset_value = t[128];
        acpi.has_reset = acpi.reset_address != 0;
    }
    u64 dsdt = length >= 148 ? get(t + 140, 8) : 0;
    if (!dsdt)
        dsdt = get(t + 40, 4);
    const u8 *p = map_table(dsdt, "DSDT", &dsdt_length);
    if (p) {
        read_dsdt(p, dsdt_length);
        unmap_bytes(p, dsdt_length);
    }
}

/* --- HPET, MCFG ---------------------------------------------------------- */

static __init void read_hpet(const u8 *t, u32 length)
{
    if (length >= 56 && t[40] == 0) /* in memory */
        acpi.hpet_address = get(t + 44, 8);
}

static __init void read_mcfg(const u8 *t, u32 length)
{
    for (u32 at = 44; at <= length && length - at >= 16; at += 16) {
        struct acpi_ecam e = {.base = get(t + at, 8),
                              .segment = get(t + at + 8, 2),
                              .first_bus = t[at + 10],
                              .last_bus = t[at + 11]};

        if (acpi.ecam_count == ACPI_ECAMS_MAX)
            break;
        if (e.base && !(e.base & 0xfffff) && e.first_bus <= e.last_bus)
            acpi.ecams[acpi.ecam_count++] = e;
    }
}

/* --- Root ---------------------------------------------------------------- */

static __init void read_table(u64 address)
{
    static const struct {
        char signature[5];
        void (*read)(const u8 *table, u32 length);
    } readers[] __initconst = {
        {"APIC", read_madt}, {"FACP", read_fadt}, {"HPET", read_hpet}, {"MCFG", read_mcfg}};
    u32 length;

    for (u32 i = 0; i < ARRAY_SIZE(readers); i++) {
        const u8 *t = map_table(address, readers[i].signature, &length);

        if (t) {
            readers[i].read(t, length);
            unmap_bytes(t, length);
            return;
        }
    }
}

/* Root table: an array of addresses, `width` bytes each, behind the header. */
static __init bool read_root(u64 address, const char *signature, u32 width)
{
    u32 length, at, count = 0;
    const u8 *t = map_table(address, signature, &length);

    if (!t)
        return false;
    for (at = HEADER_SIZE; length - at >= width && count < TABLES_MAX; at += width, count++)
        read_table(get(t + at, width));
    unmap_bytes(t, length);
    return true;
}

/* Checks one place for a root pointer (5.2.5.3) and takes its addresses. */
static __init bool rsdp_at(const u8 *p, u32 room, u64 *rsdt, u64 *xsdt)
{
    if (room < RSDP_SIZE_V1 || memcmp(p, "RSD PTR ", 8) || !sum_is_zero(p, RSDP_SIZE_V1))
        return false;
    *rsdt = get(p + 16, 4);
    *xsdt = 0;
    if (p[15] >= 2 && room >= RSDP_SIZE_V2) {
        u32 length = get(p + 20, 4);
        if (length >= RSDP_SIZE_V2 && length <= room && sum_is_zero(p, length))
            *xsdt = get(p + 24, 8);
    }
    return true;
}

/* Searches [address, +length) on its 16-byte boundaries; the address found or 0. */
static __init u64 rsdp_search(u64 address, u32 length, u64 *rsdt, u64 *xsdt)
{
    const u8 *p = map_bytes(address, length);
    u64 found = 0;

    if (!p)
        return 0;
    for (u32 at = 0; at < length && !found; at += 16)
        if (rsdp_at(p + at, length - at, rsdt, xsdt))
            found = address + at;
    unmap_bytes(p, length);
    return found;
}

static __init u64 rsdp_find(paddr_t hint, u64 *rsdt, u64 *xsdt)
{
    const u8 *bda = map_bytes(0x400, 0x100);
    u64 found = 0, ebda = 0;

    if (bda) {
        ebda = get(bda + 0x0e, 2) << 4; /* segment of the extended BIOS data area */
        unmap_bytes(bda, 0x100);
    }
    if (hint.raw)
        found = rsdp_search(hint.raw, RSDP_SIZE_V2, rsdt, xsdt);
    if (!found && ebda >= 0x80000 && ebda < 0xa0000)
        found = rsdp_search(ebda, 1024, rsdt, xsdt);
    if (!found)
        found = rsdp_search(0xe0000, 0x20000, rsdt, xsdt);
    return found;
}

__init void acpi_init(paddr_t rsdp_hint)
{
    u64 rsdt = 0, xsdt = 0;

    acpi = (struct acpi_facts){.lapic_address = 0xfee00000};
    for (u32 i = 0; i < ARRAY_SIZE(acpi.isa); i++)
        acpi.isa[i].gsi = i;
    machine_cpu_count = 1;
    machine_apic_id[0] = boot_apic_id();
    acpi.rsdp = paddr(rsdp_find(rsdp_hint, &rsdt, &xsdt));
    if (!acpi.rsdp.raw || (!(xsdt && read_root(xsdt, "XSDT", 8)) && !read_root(rsdt, "RSDT", 4))) {
        printk(LOG_WARNING, "ACPI: no tables: one CPU, no device interrupts\n");
        return;
    }
    printk(LOG_INFO, "ACPI: root pointer at %#lx, %u CPU(s), %u IO-APIC(s)%s%s%s\n", acpi.rsdp.raw,
           machine_cpu_count, acpi.ioapic_count, acpi.hpet_address ? ", HPET" : "",
           acpi.pm_timer_port ? ", PM timer" : "", acpi.ecam_count ? ", ECAM" : "");
    if (cpus_beyond_limit)
        printk(LOG_WARNING, "ACPI: %u CPU(s) beyond our limit of %u are not used\n",
               cpus_beyond_limit, MAX_CPUS);
}

__init void acpi_add_reserved(void (*add)(u64 start, u64 size, u32 type))
{
    enum { RESERVED = 2 };

    for (u32 i = 0; i < acpi.ioapic_count; i++)
        add(acpi.ioapics[i].address & PAGE_MASK, PAGE_SIZE, RESERVED);
    add(0xfee00000, 0x100000, RESERVED); /* messages to local APICs go there, too */
}
