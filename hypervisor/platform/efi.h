/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What EFI firmware said at boot, and its run-time services, which dom0 uses
 * through us (UEFI 2.10, chapter 8). On a machine that a BIOS started all is 0.
 */
#pragma once

#include "lib/types.h"

/* Of UEFI's memory types (7.2.1) those that are told apart. */
enum {
    EFI_RUNTIME_CODE = 5,
    EFI_RUNTIME_DATA = 6,
    EFI_MEMORY_MAPPED_IO = 11,
};

#define EFI_MEMORY_UC      BIT(0) /* how it can be cached */
#define EFI_MEMORY_WC      BIT(1)
#define EFI_MEMORY_WT      BIT(2)
#define EFI_MEMORY_WB      BIT(3)
#define EFI_MEMORY_XP      BIT(14) /* how it may be mapped: not executable, */
#define EFI_MEMORY_RO      BIT(17) /* not writable */
#define EFI_MEMORY_RUNTIME BIT(63) /* run-time services need it */

/* In memory it is so, too (7.2.3); entries may be longer. */
struct efi_region {
    u32 type, pad;
    u64 start, virtual, pages, attributes;
};

/* In the order of the table in memory (4.5), from offset 24 on. */
enum efi_service {
    EFI_GET_TIME,
    EFI_SET_TIME,
    EFI_GET_WAKEUP_TIME,
    EFI_SET_WAKEUP_TIME,
    EFI_SET_VIRTUAL_ADDRESS_MAP, /* never called: all stays at its machine address */
    EFI_CONVERT_POINTER,
    EFI_GET_VARIABLE,
    EFI_GET_NEXT_VARIABLE_NAME,
    EFI_SET_VARIABLE,
    EFI_GET_NEXT_HIGH_MONOTONIC_COUNT,
    EFI_RESET_SYSTEM,
    EFI_UPDATE_CAPSULE, /* from here on: revision 2.0 */
    EFI_QUERY_CAPSULE_CAPABILITIES,
    EFI_QUERY_VARIABLE_INFO,
    EFI_SERVICES
};
#define EFI_REVISION_2 0x20000u

struct efi_facts {
    bool present;      /* a system table was found; if not, all below is 0 */
    u32 revision;      /* of that table */
    u64 tables;        /* machine address of the configuration tables */
    u32 table_count;   /* how many */
    const u16 *vendor; /* its name, ended by a 0 */
    u32 vendor_revision;
    u32 runtime_revision; /* 0: no table of run-time services */
    u64 services[EFI_SERVICES];
    const struct efi_region *regions; /* the whole memory map, as it came */
    u32 region_count;
    const struct efi_region *sections; /* the memory attributes table (4.6.4): parts of regions */
    u32 section_count;
};
extern struct efi_facts efi;

/* Keeps what boot found and makes the run-time services callable if it can; needs the heap. */
void efi_init(const struct efi_facts *found);
bool efi_runtime_usable(void);
/*
 * Calls a service, with interrupts off throughout. fpu: where the extended state
 * in the processor belongs, NULL if nobody's. False: there are no such services,
 * or this call faulted, which is the last that is heard of them.
 */
struct fpu_state;
__must_check bool efi_call(struct fpu_state *fpu, enum efi_service service, const u64 args[5],
                           u64 *status);
/* The service of that name; comes back only if it cannot. */
void efi_reset(void);
