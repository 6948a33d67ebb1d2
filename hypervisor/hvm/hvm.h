/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a translated domain and its vCPUs have beyond the abstract machine,
 * and the seam to the processor's virtualisation (struct hvm_machine).
 *
 * A vCPU's state outside the general registers is the machine's while it
 * exists; everybody else sees it in the interface's own form, struct
 * hvm_hw_cpu, or through the few questions below. While a vCPU runs, its
 * general registers, rip, rsp and rflags are in guest_regs(), else in v.regs.
 */
#pragma once

#include "core/guest.h"
#include "hvm/dev/lapic.h"
#include "hvm/io.h"
#include "memory/p2m.h"

#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>

struct hvm_domain {
    struct domain d;
    struct p2m p2m;
    u64 params[HVM_NR_PARAMS];
    u32 callback_vector;         /* of every vCPU's event upcalls; 0: none */
    u64 flush_generation;        /* advances when a right in the map is taken away */
    u32 config_address;          /* of PCI configuration space, as last written to its port */
    struct hvm_devices *devices; /* its board, hvm/dev/; NULL: it has local APICs only */
    u64 relinquish_at;           /* guest frame that hvm_relinquish comes to next */
    u64 moment;                  /* the machine's TSC at which all records of state are */
};

/* Something to deliver at the next entry. */
enum hvm_event_type { HVM_INTERRUPT = 0, HVM_NMI = 2, HVM_EXCEPTION = 3, HVM_SOFTWARE = 4 };
struct hvm_event {
    u8 vector, type;
    bool valid, has_error;
    u32 error;
};

/* A port instruction, as the machine reports it. */
struct hvm_port_access {
    u16 port;
    u8 bytes;
    bool in, string, rep;
    u64 next_rip;
};

/* A switch to another hardware task, as the machine reports it: by what, and that the instruction
 * at rip has led to it (not an exception or interrupt). */
enum hvm_task_by { HVM_TASK_CALL, HVM_TASK_JMP, HVM_TASK_IRET, HVM_TASK_EVENT };
struct hvm_task_switch {
    u16 selector;
    u8 by;
    bool instruction, has_error;
    u32 error;
};

#define HVM_MTRRS 8
struct hvm_vcpu {
    struct vcpu v;
    u64 machine_address; /* of the control block: what the entry instruction takes */
    void *machine;       /* its owner's record */
    struct hvm_event event;
    struct lapic lapic;
    struct hvm_io io;
    u8 upcall_vector; /* HVMOP_set_evtchn_upcall_vector; 0: the domain's */
    bool nmi_masked;  /* an NMI handler runs */
    u64 tsc_offset, tsc_adjust;
    u32 tsc_aux;
    struct hvm_hw_mtrr mtrr; /* kept for the guest to read back: memory is write-back anyhow */
    char debug_line[96];     /* what it has written to the debug port */
    u32 debug_length;
    struct hvm_port_access port;   /* under way: what hvm_io_again makes again */
    struct vcpu_hvm_context start; /* what LAPIC_START means */
    u64 fault; /* guest-physical address of the emulated access that faulted; HVM_NO_FAULT */
};
#define HVM_NO_FAULT ~0UL

static inline struct hvm_vcpu *to_hvm(struct vcpu *v)
{
    return (struct hvm_vcpu *)v;
}
static inline struct hvm_domain *to_hvm_domain(struct domain *d)
{
    return (struct hvm_domain *)d;
}
#define hvm_current() to_hvm(current)

/* A segment register's hidden part; attributes in the form of hvm_hw_cpu. */
struct hvm_segment {
    u64 base;
    u32 limit;
    u16 attributes;
};

/* How the guest translates and with what rights: for walks of its tables. */
struct hvm_paging {
    u64 cr0, cr2, cr3, cr4, efer;
    u32 privilege; /* 0..3 */
    bool code64, code32;
};

/*
 * The processor family. All but init and available act on the vCPU given, which is
 * current or stands still.
 */
struct hvm_machine {
    const char *name;
    const struct p2m_format *format;
    int (*vcpu_init)(struct hvm_vcpu *v);
    void (*vcpu_free)(struct hvm_vcpu *v);
    void (*save)(struct hvm_vcpu *v); /* leaving, coming onto this CPU */
    void (*restore)(struct hvm_vcpu *v);
    void (*resume)(void); /* enters the guest, on a fresh stack */
    /* All but general registers, rip, rsp, rflags, FPU, TSC. set: -EINVAL, nothing changed. */
    void (*get_state)(struct hvm_vcpu *v, struct hvm_hw_cpu *state);
    int (*set_state)(struct hvm_vcpu *v, const struct hvm_hw_cpu *state);
    void (*get_paging)(struct hvm_vcpu *v, struct hvm_paging *p);
    /* By enum segment of emulate/decode.h; in 64-bit code only FS and GS have a base. */
    struct hvm_segment (*segment)(struct hvm_vcpu *v, u32 segment);
    void (*set_cr2)(struct hvm_vcpu *v, u64 address);
    bool (*get_msr)(struct hvm_vcpu *v, u32 msr, u64 *value); /* false: not held here */
    bool (*set_msr)(struct hvm_vcpu *v, u32 msr, u64 value, bool *refused);
    void (*set_tsc)(struct hvm_vcpu *v); /* by its offset and its domain's rate */
    void (*inject)(struct hvm_vcpu *v, const struct hvm_event *e); /* at the next entry */
    bool (*interruptible)(struct hvm_vcpu *v); /* else it will exit when it is */
    bool (*nmi_possible)(struct hvm_vcpu *v);  /* likewise */
    void (*instruction_done)(struct hvm_vcpu *v, u32 length);
};
extern const struct hvm_machine *hvm_machine; /* NULL: this processor cannot */
void hvm_init(void);                          /* boot */

/*
 * A guest's time-stamp counter when the machine's says that: the same, or, where its domain has a
 * rate of its own, made from system time (then reading it exits); with the vCPU's offset, as guests
 * can write it. Offsets are the vCPU's own, or of tools while it stands still.
 */
static inline u64 hvm_tsc_at(const struct vcpu *v, u64 machine)
{
    const struct clock_scale *s = clock_scale();
    u64 khz = v->domain->tsc_khz, ns = s->base_ns + scale_delta(s, machine - s->base_tsc);

    if (khz)
        machine = ns / NS_SECOND * khz * 1000 + ns % NS_SECOND * khz / 1000000;
    return machine + ((const struct hvm_vcpu *)v)->tsc_offset;
}
static inline u64 hvm_tsc(const struct hvm_vcpu *v)
{
    return hvm_tsc_at(&v->v, __builtin_ia32_rdtsc());
}
static inline void hvm_set_tsc_offset(struct hvm_vcpu *v, u64 offset)
{
    v->tsc_offset = offset;
    hvm_machine->set_tsc(v);
}

/* hvm/exit.c: what the machine's exits become. */
void hvm_exit_cpuid(struct hvm_vcpu *v);
void hvm_exit_msr(struct hvm_vcpu *v, bool write);
void hvm_exit_tsc(struct hvm_vcpu *v); /* RDTSC, RDTSCP */
void hvm_exit_halt(struct hvm_vcpu *v);
void hvm_exit_hypercall(struct hvm_vcpu *v, u32 length);
void hvm_exit_xsetbv(struct hvm_vcpu *v);
void hvm_exit_triple_fault(struct hvm_vcpu *v);
void hvm_crash(struct hvm_vcpu *v, const char *why); /* ends the domain */
void hvm_set_width(void); /* the current guest sets itself up for what it runs now */

/* hvm/emulate.c: likewise. */
/* The instruction at rip has run, or a round of it (length 0): on, and the trap of who steps. */
void hvm_instruction_done(struct hvm_vcpu *v, u32 length);
struct instruction;
void hvm_exit_port(struct hvm_vcpu *v, const struct hvm_port_access *a);
bool hvm_decode(struct hvm_vcpu *v, struct instruction *in); /* what is at rip */
void hvm_exit_page(struct hvm_vcpu *v, u64 address, bool write, bool fetch);

/* hvm/task.c */
void hvm_exit_task_switch(struct hvm_vcpu *v, const struct hvm_task_switch *how);

/* hvm/interrupt.c */
void hvm_raise(struct hvm_vcpu *v, u32 vector, s64 error); /* an exception; -1: no code */
void hvm_raise_page_fault(struct hvm_vcpu *v, u64 address, u32 error);
/* Work on the way in; chooses what is delivered. */
void hvm_before_entry(struct hvm_vcpu *v);
bool hvm_wakes(struct vcpu *v); /* is there anything that ends HLT? */
void hvm_upcall(struct vcpu *v);

/* hvm/walk.c: guest memory by linear address. 0; or -EFAULT, with the page fault in *fault
 * if that is not NULL. */
enum hvm_access { HVM_READ = 0, HVM_WRITE = 2, HVM_FETCH = 16, HVM_USER = 4 };
struct hvm_fault {
    u64 address;
    u32 error;
};
int hvm_translate(struct hvm_vcpu *v, u64 address, u32 access, u64 *physical,
                  struct hvm_fault *fault);
int hvm_copy_linear(struct hvm_vcpu *v, u64 address, void *buffer, u64 length, u32 access,
                    struct hvm_fault *fault);
int hvm_copy_physical(struct domain *d, u64 address, void *buffer, u64 length, bool write);

/* hvm/msr.c: false: #GP */
bool hvm_read_msr(struct hvm_vcpu *v, u32 msr, u64 *value);
bool hvm_write_msr(struct hvm_vcpu *v, u32 msr, u64 value);
void hvm_mtrr_reset(struct hvm_hw_mtrr *m);

/* hvm/context.c */
void hvm_reset_state(struct hvm_hw_cpu *state, u32 rip_page); /* as INIT leaves it; SIPI page */
int hvm_start_at(struct hvm_vcpu *v, const struct hvm_hw_cpu *state);

/* hvm/start.c: -EINVAL: a state that cannot be */
int hvm_start_state(const struct vcpu_hvm_context *c, struct hvm_hw_cpu *s);
int hvm_initialise(struct vcpu *v, const struct vcpu_hvm_context *c);

/* Supplied by hypercall/: false: the call is to be made again, its arguments are rewritten. */
bool hypercall_hvm(struct cpu_user_regs *regs, bool code64);
