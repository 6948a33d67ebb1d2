/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frame an entry leaves on the stack (the interface's own register image)
 * and the per-CPU record at the top of every hypervisor stack.
 */
#pragma once

#include "lib/types.h"

#include "cpu/layout.h"
#include "lib/xen.h"

#define RFLAGS_TF   BIT(8)
#define RFLAGS_IF   BIT(9)
#define RFLAGS_DF   BIT(10)
#define RFLAGS_IOPL (3UL << 12)
#define RFLAGS_NT   BIT(14)
#define RFLAGS_RF   BIT(16)
#define RFLAGS_VM   BIT(17)
#define RFLAGS_AC   BIT(18)

/* Exception vectors. */
enum {
    VECTOR_DB = 1,
    VECTOR_NMI,
    VECTOR_BP,
    VECTOR_OF,
    VECTOR_UD = 6,
    VECTOR_NM,
    VECTOR_DF,
    VECTOR_TS = 10,
    VECTOR_NP,
    VECTOR_SS,
    VECTOR_GP,
    VECTOR_PF,
    VECTOR_AC = 17,
    VECTOR_MC
};

struct vcpu;

/* At the top of each CPU's stack; `guest` is where the CPU's own push on
 * entry from ring 3 ends (TSS.rsp0 = &guest.es). Valid regs of the current
 * vCPU while we are in the hypervisor on its behalf. */
struct cpu_local {
    struct cpu_user_regs guest;
    struct vcpu *current;
    u64 percpu_offset;
    u32 cpu;
    u32 work;        /* WORK_* bits, cpu/work.h; set atomically from any CPU */
    u64 guest_stack; /* scratch for the entry code */
    u64 slice_end;   /* TSC from which on a long hypercall yields; 0: not asked yet in this call */
    u64 reserved;
};

#ifdef TENON_HOST
extern struct cpu_local host_cpu_local;
static inline struct cpu_local *cpu_local(void)
{
    return &host_cpu_local;
}
#else
static __always_inline struct cpu_local *cpu_local(void)
{
    u64 sp;
    __asm__("mov %%rsp, %0" : "=r"(sp));
    return (struct cpu_local *)((sp & ~(u64)(STACK_SIZE - 1)) + STACK_SIZE -
                                sizeof(struct cpu_local));
}
#endif

/* Empties this CPU's main stack and calls fn, which does not return. */
#ifdef TENON_HOST
#define reset_stack_and_jump(fn) \
    ({                           \
        (fn)();                  \
        __builtin_unreachable(); \
    })
#else
#define reset_stack_and_jump(fn)                           \
    ({                                                     \
        void (*fn_)(void) = (fn);                          \
        __asm__ volatile("lea -8(%0), %%rsp\n"             \
                         "xor %%ebp, %%ebp\n"              \
                         "call __x86_indirect_thunk_rdx\n" \
                         "ud2" ::"r"(cpu_local()),         \
                         "d"(fn_)                          \
                         : "memory");                      \
        __builtin_unreachable();                           \
    })
#endif

#define current       (cpu_local()->current)
#define this_cpu_id() (cpu_local()->cpu)

static inline struct cpu_user_regs *guest_regs(void)
{
    return &cpu_local()->guest;
}
