/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the IDT and the faults of our own code. A fault in ring 0 is, in this
 * order: one of firmware's (cpu/foreign.h), something PV demands (a descriptor
 * window's page), an instruction that was allowed to fault (the exception
 * table), or our end. No locks; NMI
 * and machine-check handlers touch nothing another context may be changing.
 */
#include "cpu/traps.h"
#include "cpu/extable.h"
#include "cpu/foreign.h"
#include "cpu/instructions.h"
#include "cpu/perfc.h"
#include "cpu/vectors.h"

struct gate {
    u16 offset_low;
    u16 selector;
    u8 ist; /* 1..7, 0: none */
    u8 attributes;
    u16 offset_middle;
    u32 offset_high;
    u32 reserved;
} __packed;

#define GATE_INTERRUPT 0x8e /* present, DPL 0; interrupts go off */
#define GATE_DPL3      0x60

static struct gate idt[2][256] __ro_after_init __aligned_to(16); /* without stacks, with */
static DEFINE_PER_CPU(struct trap_record, mended);
bool crash_stops_cpus;

extern const u8 vector_stubs[256][VECTOR_STUB];
extern const struct ex_entry __ex_table_start[], __ex_table_end[];

/* Which page of the stack serves which vector: cpu/layout.h, cpu/desc.c. */
static const u8 ist_of[256] __initconst = {
    [VECTOR_MC] = 1, [VECTOR_NMI] = 2, [VECTOR_DF] = 3, [VECTOR_DB] = 4};

__init void traps_init(void)
{
    for (u32 vector = 0; vector < 256; vector++) {
        u64 entry = (u64)vector_stubs[vector];
        bool from_guests = vector == VECTOR_BP || vector == VECTOR_OF;

        idt[1][vector] = (struct gate){
            .offset_low = (u16)entry,
            .selector = HV_CS64,
            .ist = ist_of[vector],
            /* Any other INT n of a guest is a #GP, which pv/ takes apart. */
            .attributes = GATE_INTERRUPT | (from_guests ? GATE_DPL3 : 0),
            .offset_middle = (u16)(entry >> 16),
            .offset_high = (u32)(entry >> 32),
        };
        idt[0][vector] = idt[1][vector];
        idt[0][vector].ist = 0;
    }
}

void traps_load_idt(bool with_stacks)
{
    lidt(idt[with_stacks], sizeof(idt[0]) - 1);
}

const struct trap_record *trap_last_mended(void)
{
    return &this_cpu(mended);
}

u64 cpu_fault_address(void)
{
    return read_cr2();
}

static void record(const struct cpu_user_regs *regs)
{
    this_cpu(mended) = (struct trap_record){regs->entry_vector, regs->error_code,
                                            regs->entry_vector == VECTOR_PF ? read_cr2() : 0};
}

static u32 foreign_cpu; /* who is in such a call */
extern u64 foreign_caller;

bool foreign_call(u64 function, const u64 args[5], u64 *result)
{
    struct cpu_local *top = (void *)(FIRMWARE_STACK + STACK_SIZE - sizeof(*top));

    /* What takes an exception on that stack looks there for the CPU it runs on. */
    *top = *cpu_local();
    foreign_cpu = this_cpu_id();
    return foreign_call_on((void *)ROUND_DOWN((u64)top, 16UL), function, args, result);
}

/* Firmware lies below our half. */
bool foreign_fault(struct cpu_user_regs *regs)
{
    extern const char foreign_failed[];

    if (!foreign_caller || foreign_cpu != this_cpu_id() || regs->rip >= HV_START)
        return false;
    record(regs);
    regs->rip = (u64)foreign_failed;
    regs->rsp = foreign_caller;
    regs->rflags &= ~(RFLAGS_AC | RFLAGS_DF | RFLAGS_TF | RFLAGS_NT | RFLAGS_IF);
    return true;
}

static bool mend(struct cpu_user_regs *regs)
{
    for (const struct ex_entry *e = __ex_table_start; e < __ex_table_end; e++) {
        if (e->from != regs->rip)
            continue;
        record(regs);
        regs->rip = e->to;
        return true;
    }
    return false;
}

static const char *vector_name(u32 vector)
{
    static const char names[][4] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD",
                                    "#NM", "#DF", "?",   "#TS", "#NP", "#SS", "#GP",
                                    "#PF", "?",   "#MF", "#AC", "#MC", "#XM"};
    return vector < ARRAY_SIZE(names) ? names[vector] : "trap";
}

void hv_fault(struct cpu_user_regs *regs)
{
    u32 vector = regs->entry_vector;

    if (foreign_fault(regs))
        return;
    if ((vector == VECTOR_PF || vector == VECTOR_GP) && pv_handle_hv_fault(regs))
        return;
    if (mend(regs))
        return;
    crash(regs, vector_name(vector));
}

void hv_ist_trap(struct cpu_user_regs *regs)
{
    switch (regs->entry_vector) {
    case VECTOR_NMI:
        perfc_inc(nmis);
        if (READ_ONCE(crash_stops_cpus))
            crash_stopped(regs);
        break; /* no source of NMIs concerns us: the machine's go unheard */
    case VECTOR_DB:
        /* A guest's breakpoint or single step reached into our code: SYSCALL
         * behind MOV SS, SYSENTER with TF, or a watched buffer that we copied. */
        write_dr6(0xffff0ff0);
        regs->rflags &= ~RFLAGS_TF;
        break;
    case VECTOR_DF:
        if (foreign_fault(regs)) /* its stack is full */
            break;
        __attribute__((fallthrough));
    default:
        crash(regs, vector_name(regs->entry_vector));
    }
}
