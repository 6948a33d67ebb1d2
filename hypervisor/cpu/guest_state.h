/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processor state of a PV guest that is not in its register frame:
 * segment registers and bases, debug registers, the loaded address space and
 * descriptor table. All act on this CPU, at once.
 */
#pragma once

#include "cpu/cpumask.h"

struct guest_segments {
    u64 fs_base;
    u64 gs_base;       /* in force */
    u64 gs_base_other; /* what SWAPGS would bring */
    u16 ds, es, fs, gs;
};

void cpu_save_segments(struct guest_segments *s);
/* Loads them; a selector that cannot be loaded is null then. */
void cpu_load_segments(const struct guest_segments *s);
void cpu_swap_gs(void);
u64 cpu_gs_base(void);
u64 cpu_gs_base_other(void);
u64 cpu_fs_base(void);
void cpu_set_gs_base(u64 base);
void cpu_set_gs_base_other(u64 base);
void cpu_set_fs_base(u64 base);
/* Loads a selector into the GS that SWAPGS would bring; null if it is refused. */
void cpu_load_gs_other_selector(u16 selector);

void cpu_load_debug(const u64 dr[8]); /* DR0-3, 6, 7 */
u64 cpu_debug_status(void);           /* DR6 */
void cpu_set_debug(u32 n, u64 value);

/* What RDTSCP and RDPID give besides; nothing on processors that have neither. */
void cpu_load_tsc_aux(u32 value);

/*
 * Loads a top-level table. `users` (may be NULL for our own tables) is the set
 * of CPUs that may cache entries of that address space: this CPU is added
 * before the load and removed from the set it was in after it.
 */
void cpu_load_space(u64 cr3, cpumask_t *users);
/* Same space, other table (guest kernel <-> user, new base pointer). */
void cpu_load_cr3(u64 cr3);

/* CR0.TS: on, the next x87/SSE instruction raises #NM. */
void cpu_set_task_switched(bool on);

/* LDT of `entries` descriptors at base; 0 entries: none. */
void cpu_load_ldt(u64 base, u32 entries);
