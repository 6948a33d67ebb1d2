/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segment, debug and address-space state of the guest that runs on this CPU.
 * Callers: pv/context.c at context switch, pv/calls.c for the hypercalls, the
 * idle loop. No locks: everything belongs to this CPU.
 */
#include "cpu/guest_state.h"
#include "cpu/desc.h"
#include "cpu/extable.h"
#include "cpu/features.h"
#include "cpu/percpu.h"

DEFINE_PER_CPU(cpumask_t *, space_users); /* the set this CPU is in for what is loaded */
static DEFINE_PER_CPU(u64, tsc_aux);      /* what is loaded + 1; 0: unknown */

u64 cpu_fs_base(void)
{
    return cpu_has_fsgsbase ? rdfsbase() : rdmsr(MSR_FS_BASE);
}

u64 cpu_gs_base(void)
{
    return cpu_has_fsgsbase ? rdgsbase() : rdmsr(MSR_GS_BASE);
}

u64 cpu_gs_base_other(void)
{
    return rdmsr(MSR_KERNEL_GS_BASE);
}

void cpu_set_fs_base(u64 base)
{
    if (cpu_has_fsgsbase)
        wrfsbase(base);
    else
        wrmsr(MSR_FS_BASE, base);
}

void cpu_set_gs_base(u64 base)
{
    if (cpu_has_fsgsbase)
        wrgsbase(base);
    else
        wrmsr(MSR_GS_BASE, base);
}

void cpu_set_gs_base_other(u64 base)
{
    wrmsr(MSR_KERNEL_GS_BASE, base);
}

void cpu_swap_gs(void)
{
    __asm__ volatile("swapgs" ::: "memory");
}

/* Loads one data segment register with a guest's selector; null on a fault. */
#define LOAD_SELECTOR(reg, selector)                          \
    ({                                                        \
        u32 value_ = (selector);                              \
        __asm__ volatile("1: mov %w0, %%" reg "\n"            \
                         ".pushsection .text.fixup, \"ax\"\n" \
                         "2: xor %0, %0\n"                    \
                         "jmp 1b\n"                           \
                         ".popsection\n" EX_TABLE("1b", "2b") \
                         : "+r"(value_));                     \
    })

void cpu_load_gs_other_selector(u16 selector)
{
    /* Loading GS writes its base, so do it on the far side of SWAPGS. */
    cpu_swap_gs();
    LOAD_SELECTOR("gs", selector);
    cpu_swap_gs();
}

void cpu_save_segments(struct guest_segments *s)
{
    __asm__ volatile("mov %%ds, %0" : "=r"(s->ds));
    __asm__ volatile("mov %%es, %0" : "=r"(s->es));
    __asm__ volatile("mov %%fs, %0" : "=r"(s->fs));
    __asm__ volatile("mov %%gs, %0" : "=r"(s->gs));
    s->fs_base = cpu_fs_base();
    s->gs_base = cpu_gs_base();
    s->gs_base_other = cpu_gs_base_other();
}

void cpu_load_segments(const struct guest_segments *s)
{
    /* Selectors first: loading FS and GS overwrites the bases. Null ones are
     * loaded too: the last guest's must not shine through. */
    LOAD_SELECTOR("ds", s->ds);
    LOAD_SELECTOR("es", s->es);
    LOAD_SELECTOR("fs", s->fs);
    LOAD_SELECTOR("gs", s->gs);
    cpu_set_fs_base(s->fs_base);
    cpu_set_gs_base(s->gs_base);
    cpu_set_gs_base_other(s->gs_base_other);
}

#define CASE_DEBUG(n)                                     \
    case n:                                               \
        __asm__ volatile("mov %0, %%db" #n ::"r"(value)); \
        return

void cpu_set_debug(u32 n, u64 value)
{
    switch (n) {
        CASE_DEBUG(0);
        CASE_DEBUG(1);
        CASE_DEBUG(2);
        CASE_DEBUG(3);
        CASE_DEBUG(6);
        CASE_DEBUG(7);
    }
    BUG();
}

void cpu_load_debug(const u64 dr[8])
{
    for (u32 n = 0; n < 4; n++)
        cpu_set_debug(n, dr[n]);
    cpu_set_debug(6, dr[6]);
    cpu_set_debug(7, dr[7]);
}

u64 cpu_debug_status(void)
{
    u64 value;
    __asm__ volatile("mov %%db6, %0" : "=r"(value));
    return value;
}

void cpu_load_tsc_aux(u32 value)
{
    u64 *loaded = &this_cpu(tsc_aux);

    if (*loaded == value + 1UL || !(cpu_has(FEATURE_RDTSCP) || cpu_has(FEATURE_RDPID)))
        return;
    wrmsr(MSR_TSC_AUX, value);
    *loaded = value + 1UL;
}

void cpu_load_space(u64 cr3, cpumask_t *users)
{
    cpumask_t **slot = &this_cpu(space_users);
    u32 cpu = this_cpu_id();

    if (users)
        cpumask_set(users, cpu);
    cpu_load_cr3(cr3);
    if (*slot && *slot != users)
        cpumask_clear(*slot, cpu);
    *slot = users;
}

void cpu_load_cr3(u64 cr3)
{
    write_cr3(cr3);
}

void cpu_set_task_switched(bool on)
{
    if (on)
        write_cr0(read_cr0() | CR0_TS);
    else
        clts();
}

void cpu_load_ldt(u64 base, u32 entries)
{
    if (!entries) {
        __asm__ volatile("lldt %w0" ::"r"(0));
        return;
    }
    cpu_set_ldt_descriptor(base, entries * 8 - 1);
    __asm__ volatile("lldt %w0" ::"r"((u32)HV_LDT));
}
