/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A micro dom0 builds domains out of its very own image, as a toolstack does: memory, foreign
 * mappings, page tables, context. One at a time is being built.
 */
#pragma once

#include "control.h"

#define BUILD_KIB (4096 + 64) /* what to give domain_create for one */

/*
 * Memory, tables, a copy of this image and its start_info for a domain that has nothing yet. It has
 * the image as we have it: what the domain shall find otherwise is written by build_page.
 */
void build_memory(u32 domain);
void build_populate(u32 domain); /* of these the first, the memory, alone */
/* The same for a translated domain, without tables and start_info: the image is where it is here.
 */
void build_translated(u32 domain);
u64 build_frame(u64 pfn); /* the frame behind a pseudo-physical number */
/* A page of it, by its pseudo-physical number, until the next call. */
void *build_page(u32 domain, u64 pfn);
/* The same by another entry of our tables, for longer; 0 or what mmu_update refuses with. */
int build_map(u32 domain, u64 pfn, u64 entry);
/* Pins its tables, which no window shows any more, and sets vCPU 0's context. It still stands
 * still. */
void build_context(u32 domain, const void *entry);
void build_vcpu(u32 domain, u32 vcpu, const void *entry); /* a further one, with the same stack */
/* Nobody can map its tables writable: 0 if we could. */
int build_map_table(u32 domain);
void build_done(void); /* lets go of the window */
