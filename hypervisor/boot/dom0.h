/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Building domain 0 from the boot modules: the only domain the hypervisor
 * builds itself. Boot-time code; freed.
 */
#pragma once

#include "boot/image.h"
#include "core/domain.h"

struct boot_info;

/* Builds dom0 and lets it run; halts with one line on the console when it cannot. */
void dom0_build(const struct boot_info *boot);

/* boot/dom0_memory.c: dom0's frames in pseudo-physical order. */
struct dom0_memory {
    struct domain *d;
    u64 pages;        /* how many it has at the start */
    u64 extent_count; /* the machine runs behind pfn 0.. */
    struct dom0_extent {
        u64 pfn;
        mfn_t first;
        u64 count;
    } extents[512];
};
/* Pages dom0 starts with (dom0_mem=), or halts. */
u64 dom0_pages(void);
u32 dom0_max_pages(void); /* dom0_mem=max:, ~0u none */
u32 dom0_vcpus(void);     /* dom0_max_vcpus= */
/* Takes m->pages frames for m->d. -ENOMEM. */
int dom0_memory_take(struct dom0_memory *m);
mfn_t dom0_mfn(const struct dom0_memory *m, u64 pfn);
/* The direct-map address of a pfn's frame. */
void *dom0_frame(const struct dom0_memory *m, u64 pfn);
/* Copies bytes (NULL: zeros) to pseudo-physical addresses. */
void dom0_copy(const struct dom0_memory *m, u64 address, const void *bytes, u64 length);

/* boot/dom0_layout.c: the start-of-day layout of xen.h. */
struct dom0_layout {
    u64 virt_start, virt_end; /* mapped region; virt_start is pfn 0 */
    u64 initrd_pfn, initrd_pages;
    u64 p2m_pfn, p2m_pages, p2m_tables; /* list, then the tables that map it (if outside) */
    u64 p2m_virt;
    u64 start_info_pfn;
    u64 tables_pfn, tables;
    u64 stack_pfn;
    u64 end_pfn; /* first not used by any of these */
};
/* NULL, or why the kernel's wishes cannot be met. */
const char *dom0_layout(const struct kernel_image *image, u64 initrd_size, u64 pages,
                        struct dom0_layout *layout);
/* Builds the bootstrap tables in dom0's frames; returns the top one. */
mfn_t dom0_tables(const struct dom0_memory *m, const struct kernel_image *image,
                  const struct dom0_layout *layout);
