/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC of each CPU (Intel SDM volume 3, chapter 11; AMD APM volume 2,
 * chapter 16): x2APIC mode by MSRs where CPUID has it, else xAPIC mode by
 * memory-mapped registers. IPIs, end of interrupt, the one-shot timer.
 *
 * Each CPU touches its own APIC only, with interrupts off: no locks.
 */
#include "cpu/features.h"
#include "lib/atomic.h"
#include "lib/option.h"
#include "memory/map.h"
#include "platform/internal.h"

#define APIC_BASE_X2     (1UL << 10)
#define APIC_BASE_ENABLE (1UL << 11)

/* Register offsets of xAPIC mode; in x2APIC mode register r is MSR 0x800 + r / 16. */
enum {
    REG_ID = 0x20,
    REG_TPR = 0x80,
    REG_EOI = 0xb0,
    REG_LDR = 0xd0,
    REG_DFR = 0xe0,
    REG_SVR = 0xf0,
    REG_ISR = 0x100,
    REG_ESR = 0x280,
    REG_ICR = 0x300,
    REG_ICR_HIGH = 0x310,
    REG_LVT_TIMER = 0x320,
    REG_LVT_LINT0 = 0x350,
    REG_LVT_LINT1 = 0x360,
    REG_LVT_ERROR = 0x370,
    REG_TIMER_INITIAL = 0x380,
    REG_TIMER_CURRENT = 0x390,
    REG_TIMER_DIVIDE = 0x3e0,
};
#define SVR_ENABLE         0x100
#define LVT_MASKED         0x10000
#define LVT_NMI            0x400
#define LVT_TIMER_DEADLINE 0x40000
#define DIVIDE_BY_1        0xb

#define ICR_NMI            0x400
#define ICR_INIT           0x500
#define ICR_STARTUP        0x600
#define ICR_PENDING        0x1000
#define ICR_ASSERT         0x4000
#define ICR_OTHERS         0xc0000

static bool x2apic __ro_after_init;
static bool tsc_deadline __ro_after_init;
static volatile u32 *registers __ro_after_init;
static int x2apic_option __initdata = -1; /* not said */

static __init int parse_x2apic(const char *value, void *)
{
    x2apic_option = *value ? cmdline_bool(value) : true;
    return x2apic_option < 0 ? -EINVAL : 0;
}
CMDLINE_CUSTOM("x2apic", parse_x2apic, NULL);

static u32 apic_read(u32 reg)
{
    return x2apic ? (u32)rdmsr(MSR_X2APIC + reg / 16) : registers[reg / 4];
}

static void apic_write(u32 reg, u32 value)
{
    if (x2apic)
        wrmsr(MSR_X2APIC + reg / 16, value);
    else
        registers[reg / 4] = value;
}

u32 boot_apic_id(void)
{
    u32 r[4]; /* EAX EBX ECX EDX */

    cpuid(0, 0, r);
    if (r[0] >= 0xb) {
        cpuid(0xb, 0, r);
        if (r[1]) /* the leaf is there: EDX is the x2APIC id */
            return r[3];
    }
    cpuid(1, 0, r);
    return r[1] >> 24;
}

u32 apic_id(void)
{
    return x2apic ? apic_read(REG_ID) : apic_read(REG_ID) >> 24;
}

void apic_eoi(void)
{
    apic_write(REG_EOI, 0);
}

/* Puts this CPU's APIC into our mode and state. */
static void apic_enable(void)
{
    u64 base = rdmsr(MSR_APIC_BASE);

    if (!(base & APIC_BASE_ENABLE)) {
        base |= APIC_BASE_ENABLE;
        wrmsr(MSR_APIC_BASE, base);
    }
    if (x2apic && !(base & APIC_BASE_X2))
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2);
    if (!x2apic) { /* flat logical mode; we address physically, but a defined state is better */
        apic_write(REG_DFR, ~0u);
        apic_write(REG_LDR, 0);
    }
    apic_write(REG_TPR, 0);
    apic_write(REG_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
    apic_write(REG_LVT_TIMER, (tsc_deadline ? LVT_TIMER_DEADLINE : 0) | VECTOR_TIMER);
    apic_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_write(REG_TIMER_INITIAL, 0);
    apic_write(REG_LVT_LINT0, LVT_MASKED); /* the PIC is not used */
    apic_write(REG_LVT_LINT1, apic_id() == machine_apic_id[0] ? LVT_NMI : LVT_MASKED);
    apic_write(REG_LVT_ERROR, VECTOR_ERROR);
    apic_write(REG_ESR, 0);
    /* What the firmware or a previous kernel left in service would block our vectors. */
    for (u32 i = 0; i < 256; i++) {
        u32 in_service = 0;

        for (u32 reg = 0; reg < 8; reg++)
            in_service |= apic_read(REG_ISR + reg * 16);
        if (!in_service)
            break;
        apic_eoi();
    }
    /* The deadline register obeys only after the mode write is complete. */
    memory_barrier();
}

/*
 * Where the processor has it, but for one emulator: QEMU's own (TCG) gives up
 * ("Bad icount read") at the timer's MSRs when it counts instructions.
 */
static __init bool choose_x2apic(u64 base)
{
    u32 r[4] = {0};

    if (!cpu_has(FEATURE_X2APIC))
        return false;
    /* Firmware that hands over in x2APIC mode has its reasons, and going back is a reset. */
    if (base & APIC_BASE_X2)
        return true;
    if (x2apic_option >= 0)
        return x2apic_option;
    if (cpu_has(FEATURE_HYPERVISOR))
        cpuid(0x40000000, 0, r);
    for (u32 cpu = 0; cpu < machine_cpu_count; cpu++)
        if (machine_apic_id[cpu] >= 0xff)
            return true;
    return memcmp(&r[1], "TCGTCGTCGTCG", 12) != 0;
}

__init void apic_init(void)
{
    u64 base = rdmsr(MSR_APIC_BASE);

    tsc_deadline = cpu_has(FEATURE_TSC_DEADLINE);
    x2apic = choose_x2apic(base);
    if (!x2apic) {
        u64 where = base & PTE_ADDRESS;

        registers = map_io(paddr(where ? where : acpi.lapic_address), PAGE_SIZE, true);
        if (!registers)
            panic("cannot map the local APIC");
    }
    apic_enable();
    machine_apic_id[0] = apic_id();
    printk(LOG_INFO, "Local APIC in %s mode, timer by %s\n", x2apic ? "x2APIC" : "xAPIC",
           tsc_deadline ? "TSC deadline" : "count");
}

void apic_init_secondary(void)
{
    apic_enable();
    if (apic_id() != machine_apic_id[this_cpu_id()])
        printk(LOG_WARNING, "CPU %u has APIC id %u, firmware said %u\n", this_cpu_id(), apic_id(),
               machine_apic_id[this_cpu_id()]);
}

bool apic_can_route_to(u32 cpu)
{
    return machine_apic_id[cpu] < 0xff;
}

/* --- Messages to other CPUs ---------------------------------------------- */

static void send(u32 destination, u32 command)
{
    if (x2apic) {
        /* Unlike a store to the xAPIC, this MSR write does not order earlier stores. */
        memory_barrier();
        wrmsr(MSR_X2APIC + REG_ICR / 16, (u64)destination << 32 | command);
        return;
    }
    while (apic_read(REG_ICR) & ICR_PENDING)
        cpu_pause();
    apic_write(REG_ICR_HIGH, destination << 24);
    apic_write(REG_ICR, command);
}

void apic_send_ipi(u32 cpu, u32 vector)
{
    send(machine_apic_id[cpu], ICR_ASSERT | vector);
}

void apic_send_nmi_others(void)
{
    if (x2apic || registers)
        send(0, ICR_OTHERS | ICR_ASSERT | ICR_NMI);
}

void apic_send_init(u32 id)
{
    send(id, ICR_ASSERT | ICR_INIT);
}

void apic_send_startup(u32 id, u32 page)
{
    send(id, ICR_ASSERT | ICR_STARTUP | (page & 0xff));
}

void apic_error(void)
{
    apic_write(REG_ESR, 0); /* a write latches what happened since the last one */
    u32 status = apic_read(REG_ESR);
    printk(LOG_WARNING, "CPU %u: local APIC error %#x\n", this_cpu_id(), status);
}

/* --- Timer --------------------------------------------------------------- */

bool apic_timer_uses_deadline(void)
{
    return tsc_deadline;
}

void apic_timer_set(u64 value)
{
    if (tsc_deadline)
        wrmsr(MSR_TSC_DEADLINE, value);
    else
        apic_write(REG_TIMER_INITIAL, (u32)value);
}

u32 apic_timer_count(void)
{
    return apic_read(REG_TIMER_CURRENT);
}
