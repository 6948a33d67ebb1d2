/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the boot loader told us, whatever its protocol. Filled in once by
 * boot/multiboot.c (the memory map goes to memory_regions, memory/map.h);
 * freed with the init region.
 */
#pragma once

#include "platform/efi.h"
#include "platform/framebuffer.h"

#define BOOT_MODULES_MAX 16

struct boot_module {
    paddr_t address;
    const void *start;     /* the same, in the direct map */
    u64 size;              /* 0: not believable, nothing else of it is either */
    const char *arguments; /* without the file's name, if the loader put that first */
};

struct boot_info {
    const char *loader;       /* "" if it gave no name */
    const char *command_line; /* without the image's name */
    const char *dom0_words;   /* what stood behind " -- " in it, for dom0; NULL: nothing */
    u32 module_count;
    struct boot_module modules[BOOT_MODULES_MAX];
    struct framebuffer framebuffer; /* width 0: none was mentioned */
    u32 vbe_capabilities;           /* a BIOS's, and of the mode that it set */
    u16 vbe_mode_attributes;
    bool efi;
    u64 efi_system_table; /* 0: unknown */
    paddr_t rsdp;         /* 0: search for it */
    u32 memory_dropped;   /* regions of the memory map that we have no room for */
    u32 modules_dropped;  /* more than we keep, or kept empty */
};
extern struct boot_info boot_info;

/* magic and information structure as the loader left them in eax and ebx.
 * Runs on the early page tables. A magic we do not know: no return. */
void multiboot_read(u32 magic, u32 info);
/* The two formats: boot/multiboot1.c, boot/multiboot2.c. */
void multiboot1_read(u32 info);
void multiboot2_read(u32 info);

/* For those: each bounds and copies what it is given. */
void boot_set_loader(const char *text, size_t limit);
void boot_set_command_line(const char *text, size_t limit);
void boot_add_module(u64 start, u64 end, const char *text, size_t limit);
/* Adds a region as the firmware says; boot_memory_finish sorts, trims and merges. */
void boot_add_memory(u64 start, u64 size, u32 type);
void boot_memory_finish(void);

/* boot/efi.c: fills in boot_efi; efi_read returns the RSDP's address, 0 if EFI names none. */
extern struct efi_facts boot_efi;
void boot_add_efi_region(const struct efi_region *region);
paddr_t efi_read(u64 system_table);

/* boot/smp.c */
void boot_cpu_early(
    void); /* boot CPU, on the stack it came with: per-CPU data, descriptors, traps */
__noreturn void boot_cpu_move(void (*next)(void)); /* to its final stack, then next() */
void smp_start(void);                              /* all the others */

/* boot/start.S: the stack it comes with, and what it calls. */
extern u8 boot_stack[];
__noreturn void start_hypervisor(u32 magic, u32 info);
__noreturn void secondary_start(void);

/* boot/run.c, which stays. */
__noreturn void cpu_run(void);     /* a CPU that is set up: online, and idle */
__noreturn void boot_finish(void); /* boot CPU: gives the init region back, and is then idle */

/* boot/crash.c: the console shows what is printed; noreboot was given. */
extern bool crash_console_ready;

/* Machine address of something in the image. */
u64 image_paddr(const void *p);
