/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt descriptors, vectors and dispatch.
 *
 * An irq below gsi_count is a GSI (an ISA line for 0..15), one above an MSI. It
 * gets a vector when someone first binds it; a vector means the same irq on
 * every CPU, so that moving an irq is only a change of destination.
 *
 * Ways of an interrupt: edge and MSI are acknowledged and handed on. A level
 * line of a guest is masked and acknowledged, handed on, and unmasked when all
 * guests it was handed to have called irq_eoi(). A level line of our own is
 * unmasked when its handler is done.
 *
 * irq_lock guards everything here. Handlers run without it, so one may still be
 * running on another CPU when it was unbound: irq_sync() waits for that. Changes
 * that touch an MSI's registers need LOCK_PCI, which comes before LOCK_IRQ, so
 * the slow paths take both; dispatch takes irq_lock alone.
 */
#include "platform/irq.h"

#include "cpu/instructions.h"
#include "cpu/perfc.h"
#include "cpu/work.h"
#include "memory/alloc.h"
#include "platform/internal.h"

#define SHARERS_MAX 4

struct binding {
    irq_handler_t fn;
    void *arg;
};

struct irq {
    u8 vector; /* 0: none yet */
    bool level;
    bool active_low;
    bool configured; /* trigger and polarity are settled */
    bool guest;      /* bound by irq_bind_guest */
    bool shareable;
    u8 bound;    /* entries of `bindings` in use */
    u8 owed;     /* guests that have yet to call irq_eoi; masked while not 0 */
    u32 pin;     /* GSIs: IO-APIC pin */
    u32 cpu;     /* destination */
    u32 running; /* CPUs inside its handlers; atomic */
    u32 count;   /* arrivals, for the key 'i' */
    void *msi;   /* MSIs: msi.c's record */
    struct binding bindings[SHARERS_MAX];
};

spinlock_t irq_lock = SPINLOCK(LOCK_IRQ);
static struct irq *irqs[MAX_IRQS];
static u16 vector_irq[256]; /* irq + 1, 0: free */

/* --- Descriptors and vectors (irq_lock held) ----------------------------- */

/* The irq's descriptor, made on first use if it is a GSI; NULL: no such irq. */
static struct irq *irq_get(u32 n)
{
    struct irq *irq;

    if (n >= MAX_IRQS)
        return NULL;
    if (irqs[n] || n >= gsi_count)
        return irqs[n];
    irq = heap_zalloc(sizeof(*irq));
    if (!irq)
        return NULL;
    irq->pin = n;
    irq->level = irq->active_low = n >= 16; /* as PCI wires them, until told otherwise */
    if (n < 16) {
        /* Lines that firmware moves above the ISA range are asked for by their GSI. */
        if (acpi.isa[n].gsi < 16)
            irq->pin = acpi.isa[n].gsi;
        irq->level = acpi.isa[n].level;
        irq->active_low = acpi.isa[n].active_low;
    }
    if (!ioapic_has_pin(irq->pin)) {
        heap_free(irq);
        return NULL;
    }
    irqs[n] = irq;
    return irq;
}

static int vector_assign(struct irq *irq, u32 n)
{
    static u32 last = VECTOR_LAST_DYNAMIC;

    if (irq->vector)
        return 0;
    for (u32 i = 0; i <= VECTOR_LAST_DYNAMIC - VECTOR_FIRST_DYNAMIC; i++) {
        if (++last > VECTOR_LAST_DYNAMIC)
            last = VECTOR_FIRST_DYNAMIC;
        if (!vector_irq[last]) {
            vector_irq[last] = (u16)(n + 1);
            irq->vector = (u8)last;
            return 0;
        }
    }
    return -ENOSPC;
}

/* A CPU of the mask that is online and can be named in a message, else CPU 0. */
static u32 choose_cpu(const cpumask_t *where)
{
    for_each_cpu_in (cpu, where)
        if (cpumask_test(&cpus_online, cpu) && apic_can_route_to(cpu))
            return cpu;
    return 0;
}

/* Writes destination and state to the hardware. An MSI also needs LOCK_PCI. */
static void irq_program(struct irq *irq, bool masked)
{
    u32 id = machine_apic_id[irq->cpu];

    if (irq->msi) {
        msi_route(irq->msi, irq->vector, id);
        msi_mask(irq->msi, masked);
    } else {
        ioapic_route(irq->pin, irq->vector, id, irq->level, irq->active_low, masked);
    }
}

/* --- Dispatch ------------------------------------------------------------ */

static void dispatch_irq(u32 vector)
{
    struct binding bindings[SHARERS_MAX];
    struct irq *irq = NULL;

    perfc_inc(irqs);
    spin_lock(&irq_lock);
    if (vector_irq[vector])
        irq = irqs[vector_irq[vector] - 1];
    if (!irq || !irq->bound) {
        /* A late edge after unbinding. A level line is masked then. */
        apic_eoi();
        spin_unlock(&irq_lock);
        return;
    }
    u32 n = vector_irq[vector] - 1u;
    u32 bound = irq->bound;
    bool level = irq->level && !irq->msi;
    bool guest = irq->guest;
    for (u32 i = 0; i < bound; i++)
        bindings[i] = irq->bindings[i];
    irq->count++;
    if (level) {
        ioapic_mask(irq->pin, true);
        if (guest)
            irq->owed = (u8)bound;
    }
    atomic_inc(&irq->running);
    apic_eoi();
    spin_unlock(&irq_lock);

    for (u32 i = 0; i < bound; i++)
        bindings[i].fn(n, bindings[i].arg);

    if (level && !guest) {
        spin_lock(&irq_lock);
        if (irq->bound)
            ioapic_mask(irq->pin, false);
        spin_unlock(&irq_lock);
    }
    atomic_dec(&irq->running);
}

void irq_dispatch(u32 vector)
{
    switch (vector) {
    case VECTOR_FIRST_DYNAMIC ... VECTOR_LAST_DYNAMIC:
        dispatch_irq(vector);
        break;
    case VECTOR_TIMER:
        perfc_inc(timer_irqs);
        apic_eoi();
        clock_timer_fired();
        cpu_raise_work(this_cpu_id(), WORK_TIMER);
        if (serial_polled() && this_cpu_id() == 0)
            cpu_raise_work(this_cpu_id(), WORK_CONSOLE);
        break;
    case VECTOR_WORK:
    case VECTOR_FLUSH: /* the work bits say what is wanted */
        perfc_inc(work_irqs);
        apic_eoi();
        break;
    case VECTOR_ERROR:
        apic_error();
        apic_eoi();
        break;
    case VECTOR_SPURIOUS: /* has no in-service bit */
        break;
    default:
        /* Below the dynamic ones: the PICs' spurious lines, which no APIC has in service. */
        if (vector >= VECTOR_FIRST_DYNAMIC) {
            printk(LOG_WARNING, "CPU %u: interrupt at unused vector %#x\n", this_cpu_id(), vector);
            apic_eoi();
        }
        break;
    }
}

/* --- Binding ------------------------------------------------------------- */

static int irq_bind(u32 n, irq_handler_t fn, void *arg, const cpumask_t *where, bool guest,
                    bool shareable)
{
    spin_hold(&pci_lock);
    spin_hold(&irq_lock);
    struct irq *irq = irq_get(n);
    if (!irq)
        return -EINVAL;
    if (irq->bound &&
        (!guest || !irq->guest || !irq->shareable || !shareable || irq->bound == SHARERS_MAX))
        return -EBUSY;
    TRY(vector_assign(irq, n));
    irq->bindings[irq->bound++] = (struct binding){fn, arg};
    irq->guest = guest;
    irq->configured = true;
    if (irq->bound == 1) {
        irq->shareable = shareable;
        irq->owed = 0;
        irq->cpu = choose_cpu(where);
        irq_program(irq, false);
    }
    return 0;
}

int irq_request(u32 irq, irq_handler_t fn, void *arg)
{
    cpumask_t boot_cpu = cpumask_of(0);

    return irq_bind(irq, fn, arg, &boot_cpu, false, false);
}

int irq_bind_guest(u32 irq, irq_handler_t fn, void *arg, const cpumask_t *where, bool shareable)
{
    return irq_bind(irq, fn, arg, where, true, shareable);
}

void irq_unbind_guest(u32 n, void *arg)
{
    u32 kept = 0;

    spin_hold(&pci_lock);
    spin_hold(&irq_lock);
    struct irq *irq = irq_get(n);
    if (!irq || !irq->guest)
        return;
    for (u32 i = 0; i < irq->bound; i++)
        if (irq->bindings[i].arg != arg)
            irq->bindings[kept++] = irq->bindings[i];
    irq->bound = (u8)kept;
    if (kept == 0) {
        irq->owed = 0;
        irq->guest = false;
        irq_program(irq, true);
    } else if (irq->owed > kept) {
        /* The one that left may have been the one to wait for. A line that
         * comes back too early interrupts once more, no harm done. */
        irq->owed = 0;
        ioapic_mask(irq->pin, false);
    }
}

static bool is_running(u32 n)
{
    spin_hold(&irq_lock);
    const struct irq *irq = irq_get(n);
    return irq && irq->running;
}

void irq_sync(u32 n)
{
    while (is_running(n))
        cpu_wait();
}

void irq_eoi(u32 n)
{
    spin_hold(&irq_lock);
    struct irq *irq = irq_get(n);
    if (irq && irq->owed && --irq->owed == 0 && irq->bound)
        ioapic_mask(irq->pin, false);
}

bool irq_needs_eoi(u32 n)
{
    spin_hold(&irq_lock);
    const struct irq *irq = irq_get(n);
    return irq && irq->level && !irq->msi;
}

void irq_set_affinity(u32 n, const cpumask_t *where)
{
    u32 cpu = choose_cpu(where);

    spin_hold(&pci_lock);
    spin_hold(&irq_lock);
    struct irq *irq = irq_get(n);
    if (!irq || !irq->bound || cpu == irq->cpu)
        return;
    irq->cpu = cpu;
    if (irq->msi)
        irq_program(irq, false);
    else
        ioapic_retarget(irq->pin, machine_apic_id[cpu]);
}

/* --- GSIs and MSIs ------------------------------------------------------- */

int irq_setup_gsi(u32 gsi, bool level, bool active_low)
{
    spin_hold(&irq_lock);
    struct irq *irq = gsi < gsi_count ? irq_get(gsi) : NULL;
    if (!irq || irq->configured)
        return irq ? -EEXIST : -EINVAL;
    irq->level = level;
    irq->active_low = active_low;
    irq->configured = true;
    return 0;
}

int irq_gsi_vector(u32 gsi)
{
    spin_hold(&irq_lock);
    struct irq *irq = gsi < gsi_count ? irq_get(gsi) : NULL;
    if (!irq)
        return -EINVAL;
    int rc = vector_assign(irq, gsi);
    return rc ? rc : irq->vector;
}

int irq_alloc_msi(void *msi, u32 *n, u8 *vector, u32 *apic_id)
{
    struct irq *irq = heap_zalloc(sizeof(*irq));
    int rc = -ENOSPC;

    if (!irq)
        return -ENOMEM;
    irq->msi = msi;
    irq->configured = true;
    spin_lock(&irq_lock);
    for (*n = MAX(gsi_count, 16u); *n < MAX_IRQS && irqs[*n]; (*n)++)
        ;
    if (*n < MAX_IRQS)
        rc = vector_assign(irq, *n);
    if (!rc) {
        irqs[*n] = irq;
        *vector = irq->vector;
        *apic_id = machine_apic_id[0];
    }
    spin_unlock(&irq_lock);
    if (rc)
        heap_free(irq);
    return rc;
}

void *irq_detach_msi(u32 n)
{
    struct irq *irq = irqs[n];

    spin_hold(&irq_lock);
    vector_irq[irq->vector] = 0;
    irq->bound = 0;
    irqs[n] = NULL;
    return irq;
}

void irq_free_detached(void *detached)
{
    struct irq *irq = detached;

    /* Dispatch finds descriptors under the lock: only one already under way is left. */
    while (load_acquire(&irq->running))
        cpu_wait();
    heap_free(irq);
}

void *irq_msi(u32 n)
{
    return n < MAX_IRQS && irqs[n] ? irqs[n]->msi : NULL;
}

void *irq_next_msi(u32 *n)
{
    while (*n < MAX_IRQS) {
        const struct irq *irq = irqs[(*n)++];

        if (irq && irq->msi)
            return irq->msi;
    }
    return NULL;
}

/* --- Start --------------------------------------------------------------- */

/*
 * The 8259 pair: given harmless vectors, then masked, so that not even its
 * spurious interrupts look like an exception (Intel 8259A data sheet, ICW1..4).
 */
static __init void pic_silence(void)
{
    static const struct {
        u8 port, value;
    } steps[] __initconst = {{0x20, 0x11}, {0xa0, 0x11}, {0x21, 0x20}, {0xa1, 0x28}, {0x21, 0x04},
                             {0xa1, 0x02}, {0x21, 0x01}, {0xa1, 0x01}, {0x21, 0xff}, {0xa1, 0xff}};

    for (u32 i = 0; i < ARRAY_SIZE(steps); i++)
        out8(steps[i].port, steps[i].value);
}

static void key_interrupts(unsigned char)
{
    console_say("Interrupts:\n");
    for (u32 n = 0; n < MAX_IRQS; n++) {
        const struct irq *irq = irqs[n];

        if (irq && irq->vector)
            console_say(" irq %3u vector %02x CPU %u %s %s bound %u owed %u count %u\n", n,
                        irq->vector, irq->cpu,
                        irq->msi     ? "msi"
                        : irq->level ? "level"
                                     : "edge",
                        !irq->bound  ? "free"
                        : irq->guest ? "guest"
                                     : "own",
                        irq->bound, irq->owed, irq->count);
    }
}

__init void irq_init(void)
{
    pic_silence();
    spin_hold(&irq_lock);
    ioapic_init();
    console_key_register('i', key_interrupts, "interrupts and who has them");
    console_key_register('M', msi_show, "message-signalled interrupts");
}
