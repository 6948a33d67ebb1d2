/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of contents of the running system: every subsystem's start, in
 * order (the last two functions), with a few steps that are boot/'s own before
 * them. Runs once on the boot CPU, interrupts off; freed afterwards.
 */
#include "boot/boot.h"
#include "boot/cmdline.h"
#include "boot/dom0.h"
#include "core/cpu_policy.h"
#include "core/init.h"
#include "cpu/desc.h"
#include "cpu/features.h"
#include "cpu/mitigations.h"
#include "hvm/hvm.h"
#include "hypercall/hypercall.h"
#include "memory/init.h"
#include "platform/console.h"
#include "platform/irq.h"
#include "platform/machine.h"

extern u64 __stack_chk_guard;
extern const char __image_start[], __image_end[];

static void report_option(const char *word, const char *why)
{
    printk(LOG_WARNING, "Command line: \"%s\" ignored: %s\n", word, why);
}

static void options_init(void)
{
    boot_info.dom0_words = cmdline_parse(boot_info.command_line, report_option);
    strlcpy(hypervisor_command_line, boot_info.command_line, sizeof(hypervisor_command_line));
}

static void greet(void)
{
    printk(LOG_INFO, "Tenon " TENON_VERSION ", a drop-in for Xen 4.17\n");
    printk(LOG_INFO, "Boot loader: %s\n", boot_info.loader);
    printk(LOG_INFO, "Command line: %s\n", boot_info.command_line);
    if (boot_info.framebuffer.width)
        printk(LOG_INFO, "Screen: %ux%u, %u bits%s, at %#lx\n", boot_info.framebuffer.width,
               boot_info.framebuffer.height, boot_info.framebuffer.bits_per_pixel,
               boot_info.framebuffer.type == FRAMEBUFFER_RGB ? "" : ", text or palette",
               boot_info.framebuffer.address);
    if (boot_info.modules_dropped)
        printk(LOG_WARNING, "%u boot modules dropped: empty, out of bounds, or too many\n",
               boot_info.modules_dropped);
    if (boot_info.memory_dropped)
        printk(LOG_WARNING, "The memory map has too many pieces: %u are unknown to us\n",
               boot_info.memory_dropped);
    for (u32 i = 0; i < memory_region_count; i++)
        printk(LOG_INFO, "Memory map: %016lx-%016lx type %u\n", memory_regions[i].start,
               memory_regions[i].start + memory_regions[i].size, memory_regions[i].type);
}

static void processor_init(void)
{
    const char *missing = features_init();

    if (missing) {
        printk(LOG_ERROR, "Tenon cannot run on this machine: the processor has no %s\n", missing);
        halt_forever();
    }
    fpu_init();
    printk(LOG_INFO, "Processor: %s family %#x model %#x stepping %u\n", cpu_vendor_name,
           cpu_family, cpu_model, cpu_stepping);
    printk(LOG_INFO, "PV guests: page-table isolation %u for dom0, %u for others, VERW %u\n",
           pv_isolated[0], pv_isolated[1], shield_on);
}

static void memory_setup(void)
{
    struct memory_reserved reserved[BOOT_MODULES_MAX + 2];
    u32 n = 0;

    reserved[n++] = (struct memory_reserved){0, 0x100000};
    reserved[n++] = (struct memory_reserved){image_paddr(__image_start), image_paddr(__image_end)};
    for (u32 i = 0; i < boot_info.module_count; i++) {
        const struct boot_module *m = &boot_info.modules[i];

        reserved[n++] = (struct memory_reserved){m->address.raw, m->address.raw + m->size};
    }
    memory_init(reserved, n);
}

static void start_on_own_stack(void)
{
    desc_activate();
    cpumask_set(&cpus_online, 0);
    cpus_online_count = 1;
    acpi_init(boot_info.rsdp);
    acpi_add_reserved(boot_add_memory);
    boot_memory_finish(); /* as dom0 will see it */
    apic_init();
    pci_init();
    irq_init();
    clock_init();
    framebuffer_found(&boot_info.framebuffer);
    console_init_late();
    efi_init(&boot_efi);
    power_init();
    smp_start();
    clock_check_sync();
    cpu_policy_init();
    core_init();
    hvm_init();
    dom0_build(&boot_info);
    memory_init_done();
    boot_finish();
}

/* start.S calls this, on the stack that came with the image and on early tables. */
__attribute__((no_stack_protector)) void start_hypervisor(u32 magic, u32 info)
{
    __stack_chk_guard ^= rdtsc() * 0x9e3779b97f4a7c15UL;
    boot_cpu_early();
    multiboot_read(magic, info);
    options_init();
    console_init();
    crash_console_ready = true;
    greet();
    processor_init();
    memory_setup();
    boot_cpu_move(start_on_own_stack);
}
