/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Brings CPUs up: what each needs (stack, per-CPU area, descriptors, SYSCALL
 * stubs), the boot CPU's move from the loader's world to its own stack, and the
 * others, one at a time, by INIT and start-up IPIs. A CPU that does not come or
 * lacks features costs one line; we go on without it. Boot CPU only, no locks.
 */
#include "boot/boot.h"
#include "cpu/features.h"
#include "cpu/fpu.h"
#include "cpu/traps.h"
#include "cpu/work.h"
#include "lib/option.h"
#include "memory/alloc.h"
#include "platform/clock.h"
#include "platform/console.h"
#include "platform/machine.h"
#include "pv/shield.h"

/* start.S. The token: 1 the CPU may come, 2 it has, 0 it is too late. */
extern const u8 trampoline_start[], trampoline_end[];
extern u64 secondary_token, secondary_stack, secondary_cr3;
static const char *secondary_lacks;

/* Long enough for an emulated CPU on a busy machine. */
#define START_TIMEOUT  (10 * NS_SECOND)

#define STUBS_PER_PAGE (PAGE_SIZE / STUB_BYTES)
static void *stub_pages[MAX_CPUS / STUBS_PER_PAGE];

static u32 max_cpus = MAX_CPUS;
CMDLINE_UINT("maxcpus", max_cpus);
static bool nosmp;
CMDLINE_BOOL("nosmp", nosmp);

/* The boot CPU's descriptors are needed before there is an allocator. */
static struct desc_page boot_desc __ro_after_init __aligned_to(PAGE_SIZE);

void boot_cpu_early(void)
{
    struct cpu_resources r = {
        .stack = (u64)boot_stack,
        .desc = &boot_desc,
        .desc_frame = mfn(image_paddr(&boot_desc) >> PAGE_SHIFT),
    };

    /* Both 8259s silent while their line into the APIC is still open: a request
     * that is pending when the line closes stays in the processor for good, and
     * comes without a vector when interrupts go on. */
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    percpu_init();
    traps_init();
    desc_prepare(0, &r);
    desc_activate();
}

static int prepare_stubs(u32 cpu, struct cpu_resources *r)
{
    u32 page = cpu / STUBS_PER_PAGE, offset = cpu % STUBS_PER_PAGE * STUB_BYTES;
    u64 at = STUB_AREA_START + page * PAGE_SIZE;

    if (!stub_pages[page]) {
        void *p = page_alloc(ALLOC_ZERO);

        if (!p || map_pages(at, virt_to_mfn(p), 1, MAP_RX))
            return -ENOMEM;
        stub_pages[page] = p;
    }
    r->stub = at + offset;
    r->stub_alias = (u8 *)stub_pages[page] + offset;
    return 0;
}

static int prepare(u32 cpu)
{
    struct cpu_resources r = {.stack = STACK_AREA_START + (u64)cpu * STACK_STRIDE};

    if (map_stack(cpu) || prepare_stubs(cpu, &r))
        return -ENOMEM;
    r.desc = (struct desc_page *)(r.stack + DESC_PAGE);
    r.desc_frame = map_lookup((u64)r.desc);
    if (cpu) {
        void *area = pages_alloc(page_order(percpu_size()), ALLOC_ZERO);
        if (!area)
            return -ENOMEM;
        r.percpu_offset = percpu_fill(area);
    }
    desc_prepare(cpu, &r);
    return shield_on ? shield_create(cpu, &r) : 0;
}

/* Where the boot CPU goes on; the compiler's frame does not survive the change of stacks. */
void boot_cpu_move(void (*next)(void))
{
    struct cpu_local *old = cpu_local(), *final;

    if (prepare(0))
        panic("no memory for the boot CPU's stack");
    final = (struct cpu_local *)(STACK_AREA_START + STACK_SIZE - sizeof(*final));
    final->work = old->work;
    __asm__ volatile("lea -8(%0), %%rsp\n"
                     "xor %%ebp, %%ebp\n"
                     "call *%1\n"
                     "ud2" ::"r"(final),
                     "r"(next)
                     : "memory");
    __builtin_unreachable();
}

static bool in_module(u64 start, u64 end)
{
    for (u32 i = 0; i < boot_info.module_count; i++) {
        const struct boot_module *m = &boot_info.modules[i];

        if (m->address.raw < end && m->address.raw + m->size > start)
            return true;
    }
    return false;
}

/* The highest page of RAM below 640 KiB that nobody needs; 0: none. Page 0 is the BIOS's. */
static u32 trampoline_page(void)
{
    for (u32 page = 0x9f; page > 0; page--) {
        u64 start = (u64)page << PAGE_SHIFT, end = start + PAGE_SIZE;

        for (u32 i = 0; i < memory_region_count; i++) {
            const struct memory_region *m = &memory_regions[i];

            if (m->type == 1 && m->start <= start && m->start + m->size >= end &&
                !in_module(start, end))
                return page;
        }
    }
    return 0;
}

static bool wait_until(ns_t deadline, u32 cpu, bool online)
{
    while (clock_now() < deadline) {
        if (online ? cpumask_test(&cpus_online, cpu) || READ_ONCE(secondary_lacks)
                   : atomic_load(&secondary_token) == 2)
            return true;
        cpu_wait();
    }
    return false;
}

/* Intel SDM vol. 3, 9.4.4: INIT, 10 ms, start-up; again if it did not take. */
static const char *start_one(u32 cpu, u32 page)
{
    u32 id = machine_apic_id[cpu];

    if (prepare(cpu))
        return "no memory";
    secondary_stack = (u64)cpu_local_of(cpu) - 8;
    secondary_cr3 = mfn_to_paddr(virt_to_mfn(hv_l4)).raw;
    secondary_lacks = NULL;
    (void)atomic_xchg(&secondary_token, 1);
    apic_send_init(id);
    (void)wait_until(clock_now() + 10 * NS_MS, cpu, false);
    apic_send_startup(id, page);
    if (!wait_until(clock_now() + 1 * NS_MS, cpu, false)) {
        apic_send_startup(id, page);
        if (!wait_until(clock_now() + START_TIMEOUT, cpu, false) &&
            atomic_cmpxchg(&secondary_token, 1, 0) == 1)
            return "does not answer";
    }
    if (!wait_until(clock_now() + START_TIMEOUT, cpu, true))
        return "got stuck on the way";
    return READ_ONCE(secondary_lacks);
}

void smp_start(void)
{
    u32 count = MIN(machine_cpu_count, nosmp ? 1 : MAX(max_cpus, 1U));
    u32 page = trampoline_page();

    if (count > 1 && !page) {
        printk(LOG_WARNING, "No memory below 640 KiB to start other CPUs from\n");
        count = 1;
    }
    if (count > 1)
        memcpy(paddr_to_virt(paddr((u64)page << PAGE_SHIFT)), trampoline_start,
               (size_t)(trampoline_end - trampoline_start));
    for (u32 cpu = 1; cpu < count; cpu++) {
        const char *problem = start_one(cpu, page);

        if (problem)
            printk(LOG_WARNING, "CPU %u (APIC id %u) not used: %s\n", cpu, machine_apic_id[cpu],
                   problem);
    }
    /* Their other mapping runs: nobody writes them from now on. */
    for (u32 i = 0; i < ARRAY_SIZE(stub_pages); i++)
        if (stub_pages[i] && protect_pages((u64)stub_pages[i], 1, MAP_RO))
            panic("no memory to protect the SYSCALL stubs");
    printk(LOG_INFO, "Brought up %u CPUs\n", cpus_online_count);
}

/* A secondary CPU, on its final stack and tables. */
void secondary_start(void)
{
    desc_activate();
    const char *lacks = features_init_secondary();
    if (lacks) {
        WRITE_ONCE(secondary_lacks, lacks);
        halt_forever();
    }
    fpu_init_secondary();
    apic_init_secondary();
    clock_init_secondary();
    reset_stack_and_jump(cpu_run);
}
