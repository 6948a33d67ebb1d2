/* SPDX-License-Identifier: GPL-2.0-only */
/* A PV guest's way out when its page tables shall not show the hypervisor: pv/shield.c. */
#pragma once

#include "cpu/desc.h"
#include "cpu/mitigations.h"
#include "cpu/percpu.h"
#include "lib/atomic.h"

struct shield {
    u64 *table; /* this CPU's own top table */
    u64 source; /* the guest's top table (CR3) that it was copied from; 0: none */
    u64 seen;   /* shield_changes before that */
};
DECLARE_PER_CPU(struct shield, shield);
/* Counts changes of top tables, each after it was made. */
extern u64 shield_changes;

static inline void shield_table_changed(void)
{
    if (unlikely(shield_on))
        atomic_add_return(&shield_changes, 1);
}

/* The guest may have run on an older copy: an entry that was absent then is no fault of its. */
static inline bool shield_stale(void)
{
    return unlikely(shield_on) && this_cpu(shield).seen != READ_ONCE(shield_changes);
}

/* Makes a CPU's top table, once its stack, stubs and descriptors are mapped. -ENOMEM. */
int shield_create(u32 cpu, const struct cpu_resources *r);

/* What a frame's entry_vector says when SYSRET may be used: ENTRY_SYSCALL; nothing when shielded.
 */
extern u32 sysret_word;

/* pv/entry.S: the current vCPU's frame is on its way out, cr3 is its own; returns where to restore
 * it from, the one in the CPU's descriptor page, whose CR3 fields are set. */
struct cpu_user_regs *shield_leave(const struct cpu_user_regs *regs, u64 cr3);
/* An entry by SYSCALL or SYSENTER, of any of the ENTRY_ kinds. */
void shield_syscall(struct cpu_user_regs *regs);
