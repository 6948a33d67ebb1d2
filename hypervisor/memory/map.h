/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor's own mappings: direct map, machine-to-phys table, frame
 * table, I/O windows. W^X throughout; the direct map is never executable.
 */
#pragma once

#include "lib/types.h"

#include "cpu/layout.h"

#define PTE_PRESENT  (1UL << 0)
#define PTE_WRITE    (1UL << 1)
#define PTE_USER     (1UL << 2)
#define PTE_PWT      (1UL << 3)
#define PTE_PCD      (1UL << 4)
#define PTE_ACCESSED (1UL << 5)
#define PTE_DIRTY    (1UL << 6)
#define PTE_PSE      (1UL << 7) /* L2, L3 */
#define PTE_PAT      (1UL << 7) /* L1 */
#define PTE_GLOBAL   (1UL << 8)
#define PTE_NX       (1UL << 63)
#define PTE_ADDRESS  0x000ffffffffff000UL
static inline mfn_t pte_mfn(u64 pte)
{
    return mfn((pte & PTE_ADDRESS) >> PAGE_SHIFT);
}
static inline u64 pte_make(mfn_t m, u64 flags)
{
    return (m.raw << PAGE_SHIFT) | flags;
}

#ifdef TENON_HOST
void *mfn_to_virt(mfn_t m);
mfn_t virt_to_mfn(const void *p);
void *paddr_to_virt(paddr_t a);
#else
/* Direct map; valid for RAM frames only. */
static inline void *mfn_to_virt(mfn_t m)
{
    return (void *)(DIRECT_MAP_START + (m.raw << PAGE_SHIFT));
}
static inline void *paddr_to_virt(paddr_t a)
{
    return (void *)(DIRECT_MAP_START + a.raw);
}
/* For direct-map pointers only (pages and heap objects). */
static inline mfn_t virt_to_mfn(const void *p)
{
    return mfn(((u64)p - DIRECT_MAP_START) >> PAGE_SHIFT);
}
#endif

/* Flags of our ordinary mappings. */
#define MAP_RW (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL | PTE_NX)
#define MAP_RO (PTE_PRESENT | PTE_ACCESSED | PTE_GLOBAL | PTE_NX)
#define MAP_RX (PTE_PRESENT | PTE_ACCESSED | PTE_GLOBAL)

/*
 * n 4 KiB pages at va of our own window, with large pages where they fit.
 * flags: MAP_* or the like; one must be PTE_PRESENT. -ENOMEM: some are mapped.
 * Replacing or unmapping flushes all CPUs; unmapping keeps the tables.
 */
int map_pages(u64 va, mfn_t first, u64 n, u64 flags);
void unmap_pages(u64 va, u64 n);
/* Changes the flags of n mapped pages; unmapped ones are skipped. */
int protect_pages(u64 va, u64 n, u64 flags);
/* The frame behind a mapped va of our window, MFN_NONE: not mapped. */
mfn_t map_lookup(u64 va);
/* n pages at va of our window, which are mapped, in the tables below another top table, with
 * flags of its own: -ENOMEM, with some of them. Nobody else has that table. */
int map_share(u64 *l4, u64 va, u64 n, u64 flags);
/* Allocates and maps the stack of a CPU and its descriptor page (cpu/layout.h): -ENOMEM. */
int map_stack(u32 cpu);

/* Maps a device's registers or firmware tables, read-write, no execute.
 * uncached: strong uncacheable, for registers. NULL: window full. */
void *map_io(paddr_t where, size_t length, bool uncached);
/* A framebuffer: writes to it are gathered (write-combining). */
void *map_framebuffer(paddr_t where, size_t length);
void unmap_io(void *p, size_t length);

/* Machine-to-phys: pfn for each machine frame as its owner tells us. */
#define M2P_INVALID 0xaaaaaaaaaaaaaaaaUL /* owner never told */
void m2p_set(mfn_t m, u64 pfn);
u64 m2p_get(mfn_t m);
u64 m2p_entries(void); /* machine frames covered: 1 + the highest */
/* The frames of the table: base of its nth 2 MiB; MFN_NONE: a hole without RAM. */
#define M2P_EXTENT_FRAMES (1UL << 18) /* machine frames told of by 2 MiB */
mfn_t m2p_extent(u64 n);
/* Lets the tools map the table read-only: its frames become `owner`'s (DOMID_XEN). Once. */
struct frame_owner;
void m2p_share(struct frame_owner *owner);

/* Pages from one symbol of the image to another. */
static inline u64 image_pages(const char *start, const char *end)
{
    return (u64)(end - start) >> PAGE_SHIFT;
}

/* Our top-level table; slots HV_FIRST..HV_LAST of it are what every guest's has. */
extern u64 *hv_l4;
/* Fills slots 256..271 of a guest's top table; slot 257 gets perdomain_l3 (may be NONE). */
void hv_slots_fill(u64 *l4, mfn_t perdomain_l3);
void hv_slots_clear(u64 *l4);

/* Where the firmware says RAM is (one entry per region, Xen's e820 numbering). */
struct memory_region {
    u64 start, size;
    u32 type; /* 1 RAM, 2 reserved, 3 ACPI, 4 NVS, 5 unusable */
};
#define MAX_REGIONS 256
extern struct memory_region memory_regions[MAX_REGIONS];
extern u32 memory_region_count;
/* True when [start, start+size) lies in no RAM that we or guests use: what dom0 may map as I/O. */
bool memory_is_io(paddr_t start, u64 size);
