/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a PV domain and its vCPUs have beyond the abstract machine. Assembly
 * (pv/entry.S) reads struct pv_vcpu through generated offsets (pv/offsets.c).
 */
#pragma once

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
#define FORCED_LENGTH 7                             /* UD2, "xen", CPUID */
bool pv_emulate_forced(struct cpu_user_regs *regs); /* #UD: ud2; 'xen'; cpuid */
/* pv/context.c: on and off a processor, and the parts of it that hypercalls use. */
void pv_context_save(struct vcpu *vcpu);
void pv_context_restore(struct vcpu *vcpu);
void pv_resume(void);                   /* assembly: enters the current vCPU's guest */
void pv_load_cr3(struct pv_vcpu *v);    /* the table of the mode it is in; flushes the TLB */
void pv_toggle_mode(struct pv_vcpu *v); /* kernel <-> user: tables, GS base */
void pv_load_ldt(struct pv_vcpu *v);    /* into the processor; v is current */
/* The 32 L1 entries of a vCPU's GDT/LDT window. */
static inline u64 *pv_window(struct pv_vcpu *v)
{
    return to_pv_domain(v->v.domain)->window_l1[v->v.id];
}

/* pv/ports.c: I/O ports as it sees them. */
/* May code in v's present mode use these ports at all (virtual IOPL, I/O bitmap)? */
bool pv_port_allowed(struct pv_vcpu *v, u16 port, u32 bytes);
/* bytes 1, 2, 4. Ports that are not the domain's read as ones and ignore writes. */
u32 pv_port_in(struct domain *d, u16 port, u32 bytes);
void pv_port_out(struct domain *d, u16 port, u32 bytes, u32 value);

/* pv/descriptors.c */
int pv_set_gdt(struct pv_vcpu *v, const u64 *frames, u32 entries);
void pv_drop_gdt(struct pv_vcpu *v);
void pv_drop_ldt(struct pv_vcpu *v);
/* Shows the page at `offset` into the current vCPU's LDT window: true when it is there now. */
bool pv_ldt_show(struct pv_vcpu *v, u64 offset);
/* The guest's fault there: true when it is dealt with, by showing the page or a #PF in the LDT. */
bool pv_ldt_fault(struct pv_vcpu *v, u64 offset);
/* May a guest's LDT be there? */
static inline bool pv_ldt_valid(u64 base, u64 entries)
{
    u64 sign = (u64)((s64)base >> 47); /* all ones or zero when canonical */

    return entries <= 8192 && !(base & ~PAGE_MASK) &&
           (!entries || (sign + 1 <= 1 && (base < HV_START || base >= HV_END)));
}
