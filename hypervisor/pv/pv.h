/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a PV domain and its vCPUs have beyond the abstract machine. Assembly
 * (pv/entry.S) reads struct pv_vcpu through generated offsets (pv/offsets.c).
 */
#pragma once

#include "core/domain.h"
#include "core/guest.h"
#include "cpu/guest_state.h"

#define FLAGS_NEVER 0x1b7000UL /* in RFLAGS of a guest: IOPL NT RF VM VIF VIP */

struct pv_domain {
    struct domain d;
    mfn_t perdomain_l3;  /* slot 257: the GDT/LDT windows */
    u64 **window_l1;     /* per vCPU: the 32 entries (in L1 pages of ours) of its window */
    u64 relinquish_step; /* pv/mm.c */
};

/* A callback of the guest kernel: address, and whether upcalls are masked on entry. */
struct pv_callback {
    u64 address;
    u32 flags; /* CALLBACKF_mask_events */
    u32 pad;
};

struct pv_vcpu {
    struct vcpu v;
    /* Address spaces: the guest's own top tables. */
    mfn_t kernel_table, user_table; /* MFN_NONE: none; each holds a type reference */
    bool kernel_mode;               /* guest kernel (true) or guest user */
    u8 iopl;                        /* virtual IOPL, from PHYSDEVOP_set_iopl and iret */
    /* Entry points. */
    struct trap_info *traps; /* 256 */
    struct pv_callback event, failsafe, syscall, syscall32, sysenter;
    u64 kernel_sp, kernel_ss;
    /* Segments, saved while it does not run. */
    struct guest_segments segments;
    /* Descriptor tables. */
    mfn_t gdt_frames[14];
    u32 gdt_entries; /* 0: none */
    u64 ldt_base;
    u32 ldt_entries;
    u32 ldt_mapped; /* pages of the LDT window filled on demand */
    /* Control and debug registers as it sees them. */
    u64 cr0_ts, cr4;
    u64 dr[8];
    u64 io_bitmap; /* PHYSDEVOP_set_iobitmap: guest VA */
    u32 io_bitmap_limit;
    u32 tsc_aux;
    struct frame *unfinished; /* table whose entries are still to be given up (pv/types.h) */
};

static inline struct pv_vcpu *to_pv(struct vcpu *v)
{
    return (struct pv_vcpu *)v;
}
static inline struct pv_domain *to_pv_domain(struct domain *d)
{
    return (struct pv_domain *)d;
}

/* pv/traps.c */
/* Into current's kernel, at the way out. error_code -1: none. */
void pv_inject_exception(u32 vector, s64 error_code);
void pv_inject_page_fault(u64 address, u32 error_code);
/* pv/mm.c: true when the fault was ours to mend (spurious, emulated write, LDT page). */
bool pv_mm_page_fault(struct cpu_user_regs *regs, u64 address, u32 error_code);
/* Code bytes, as many as can be read: an instruction may end right before an unmapped page. */
u32 pv_fetch_code(void *unused, u64 rip, u8 *bytes, u32 count);
/* pv/emulate.c: #GP or forced-emulation #UD from the guest kernel: true when emulated. */
bool pv_emulate_privileged(struct cpu_user_regs *regs);
bool pv_emulate_forced(struct cpu_user_regs *regs); /* #UD: ud2; 'xen'; cpuid */
/* pv/context.c */
void pv_load_cr3(struct pv_vcpu *v);    /* the table of the mode it is in; flushes the TLB */
void pv_toggle_mode(struct pv_vcpu *v); /* kernel <-> user: tables, GS base */
/* pv/descriptors.c */
int pv_set_gdt(struct pv_vcpu *v, const u64 *frames, u32 entries);
void pv_drop_gdt(struct pv_vcpu *v);
void pv_drop_ldt(struct pv_vcpu *v);
