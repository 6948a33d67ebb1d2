/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The address space as the processor sees it while any domain runs.
 *
 * A PV guest owns everything but top-level slots 256..271. Within them:
 *
 *   slot 256  M2P for guests   readable in ring 3, the interface fixes it
 *   slot 257  per-domain       GDT/LDT windows of each vCPU (own L3 per domain)
 *   slot 258  M2P for us       the same frames, writable
 *   slot 259  frame table
 *   slot 260  stacks, I/O mappings
 *   slot 261  the image, per-CPU SYSCALL stubs
 *   slot 262+ direct map of all RAM, 5 TiB
 *
 * All L3 tables but slot 257's exist from boot and never change identity, so
 * a copy of the 16 entries in a guest's top table never goes stale.
 */
#pragma once

#define HV_FIRST_SLOT     256
#define HV_LAST_SLOT      271
#define PERDOMAIN_SLOT    257

#define M2P_RO_START      0xffff800000000000
#define PERDOMAIN_START   0xffff808000000000
#define M2P_RW_START      0xffff810000000000
#define FRAME_TABLE_START 0xffff818000000000
#define STACK_AREA_START  0xffff820000000000
#define IO_AREA_START     0xffff824000000000
#define IO_AREA_END       0xffff828000000000
#define IMAGE_START       0xffff82d040000000
#define STUB_AREA_START   0xffff82d060000000
#define DIRECT_MAP_START  0xffff830000000000
#define DIRECT_MAP_END    0xffff880000000000
#define HV_START          0xffff800000000000
#define HV_END            0xffff880000000000

/* The image is linked for IMAGE_START and loaded at this machine address. */
#define IMAGE_LOAD_ADDRESS 0x200000

/*
 * Per-CPU stack: 32 KiB mapped at STACK_AREA_START + cpu * STACK_STRIDE, the
 * other half of the stride unmapped but for its last page, that of the CPU's
 * descriptors (cpu/desc.h). Pages from the bottom: 0 #MC, 1 NMI, 2 #DF, 3 #DB
 * (IST stacks), 4 guard (unmapped), 5..7 the main stack with struct cpu_local
 * at its very top. Masking any of these stack pointers therefore finds the
 * CPU's struct cpu_local.
 */
#define STACK_SIZE   0x8000
#define STACK_STRIDE 0x10000
#define DESC_PAGE    0xf000 /* from the stack's lowest address */
#define IST_STACKS   4
#define MAX_CPUS     128
/* Behind those, one more of that size for calls of firmware: all of it is stack but for a copy of
 * the caller's struct cpu_local at its top; below is nothing. */
#define FIRMWARE_STACK (STACK_AREA_START + MAX_CPUS * STACK_STRIDE)

/* Per-domain window: each vCPU has 32 pages: 16 of GDT, 16 of LDT. */
#define VCPU_WINDOW_PAGES   32
#define VCPU_WINDOW_SHIFT   17
#define GDT_WINDOW(vcpu_id) (PERDOMAIN_START + ((u64)(vcpu_id) << VCPU_WINDOW_SHIFT))
#define LDT_WINDOW(vcpu_id) (GDT_WINDOW(vcpu_id) + 0x10000)

/* Selectors of our own descriptors, which live in the two pages that the
 * interface reserves at the top of every GDT (FIRST_RESERVED_GDT_PAGE = 14).
 * 0xe023/0xe02b/0xe033 are the guests' flat ring-3 segments (public header). */
#define HV_CS64    0xe008
#define HV_DS      0xe010
#define GUEST_CS32 0xe023
#define GUEST_SS   0xe02b
#define GUEST_CS64 0xe033
#define HV_TSS     0xe040 /* 16 bytes */
#define HV_LDT     0xe050 /* 16 bytes */
