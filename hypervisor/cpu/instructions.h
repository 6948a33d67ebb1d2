/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Privileged and special instructions as inline functions. Only boot/, cpu/,
 * platform/ and hvm/svm|vmx may include this.
 */
#pragma once

#include "cpu/registers.h"
#include "cpu/regs.h"

/* Functions of one instruction: that reads something, that writes it, that has no operand. */
#define DEFINE_READ(name, instruction)                         \
    static inline u64 name(void)                               \
    {                                                          \
        u64 value;                                             \
        __asm__ volatile(instruction : "=r"(value)::"memory"); \
        return value;                                          \
    }
#define DEFINE_WRITE(name, instruction)                        \
    static inline void name(u64 value)                         \
    {                                                          \
        __asm__ volatile(instruction ::"r"(value) : "memory"); \
    }
#define DEFINE_PLAIN(name, instruction)             \
    static inline void name(void)                   \
    {                                               \
        __asm__ volatile(instruction ::: "memory"); \
    }
DEFINE_READ(read_cr0, "mov %%cr0, %0")
DEFINE_READ(read_cr2, "mov %%cr2, %0")
DEFINE_READ(read_cr3, "mov %%cr3, %0")
DEFINE_READ(read_cr4, "mov %%cr4, %0")
DEFINE_WRITE(write_cr0, "mov %0, %%cr0")
DEFINE_WRITE(write_cr3, "mov %0, %%cr3")
DEFINE_WRITE(write_cr4, "mov %0, %%cr4")
DEFINE_WRITE(write_dr6, "mov %0, %%db6")
DEFINE_WRITE(invlpg, "invlpg (%0)")
/* Only with CR4.FSGSBASE. */
DEFINE_READ(rdfsbase, "rdfsbase %0")
DEFINE_READ(rdgsbase, "rdgsbase %0")
DEFINE_WRITE(wrfsbase, "wrfsbase %0")
DEFINE_WRITE(wrgsbase, "wrgsbase %0")
DEFINE_PLAIN(clts, "clts")
DEFINE_PLAIN(wbinvd, "wbinvd")
DEFINE_PLAIN(cpu_pause, "pause")
DEFINE_PLAIN(interrupts_off, "cli")
/* One halt with interrupts on; they are off again on return. STI holds
 * interrupts off for one instruction, so none is taken before the HLT. */
DEFINE_PLAIN(halt_for_interrupt, "sti; hlt; cli")
/* Takes what is pending. STI holds interrupts off for one more instruction: the NOP. */
DEFINE_PLAIN(interrupts_window, "sti; nop; cli")

static inline u64 rdmsr(u32 msr)
{
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return low | (u64)high << 32;
}
static inline void wrmsr(u32 msr, u64 value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}
/* False when the processor refuses (#GP); *value is then unchanged. cpu/faultable.S */
__must_check bool rdmsr_safe(u32 msr, u64 *value);
__must_check bool wrmsr_safe(u32 msr, u64 value);

/* r: eax, ebx, ecx, edx. */
static inline void cpuid(u32 leaf, u32 subleaf, u32 r[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
                     : "a"(leaf), "c"(subleaf));
}

static inline u64 rdtsc(void)
{
    u32 low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return low | (u64)high << 32;
}
/* Not before the loads and instructions ahead of it. */
static inline u64 rdtsc_ordered(void)
{
    u32 low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return low | (u64)high << 32;
}

#define DEFINE_PORT(bits, suffix)                                                      \
    static inline void out##bits(u16 port, u##bits value)                              \
    {                                                                                  \
        __asm__ volatile("out" suffix " %0, %1" ::"a"(value), "Nd"(port) : "memory");  \
    }                                                                                  \
    static inline u##bits in##bits(u16 port)                                           \
    {                                                                                  \
        u##bits value;                                                                 \
        __asm__ volatile("in" suffix " %1, %0" : "=a"(value) : "Nd"(port) : "memory"); \
        return value;                                                                  \
    }
DEFINE_PORT(8, "b")
DEFINE_PORT(16, "w")
DEFINE_PORT(32, "l")

static inline __noreturn void halt_forever(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" ::: "memory");
}

struct table_register {
    u16 limit;
    u64 base;
} __packed;
static inline void lgdt(u64 base, u16 limit)
{
    struct table_register r = {limit, base};
    __asm__ volatile("lgdt %0" ::"m"(r) : "memory");
}
static inline void lidt(const void *base, u16 limit)
{
    struct table_register r = {limit, (u64)base};
    __asm__ volatile("lidt %0" ::"m"(r) : "memory");
}
static inline void ltr(u16 selector)
{
    __asm__ volatile("ltr %0" ::"r"(selector) : "memory");
}

static inline u64 xgetbv(u32 index)
{
    u32 low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
    return low | (u64)high << 32;
}
static inline void xsetbv(u32 index, u64 value)
{
    __asm__ volatile("xsetbv" ::"c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}
