/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Privileged and special instructions as inline functions, and the numbers
 * that go with them (registers' bits, MSRs). Only boot/, cpu/, platform/ and
 * hvm/svm|vmx may include this.
 */
#pragma once

#include "cpu/regs.h"
#include "lib/types.h"

#define CR0_PE             BIT(0)
#define CR0_MP             BIT(1)
#define CR0_TS             BIT(3)
#define CR0_ET             BIT(4)
#define CR0_NE             BIT(5)
#define CR0_WP             BIT(16)
#define CR0_AM             BIT(18)
#define CR0_PG             BIT(31)

#define CR4_DE             BIT(3)
#define CR4_PAE            BIT(5)
#define CR4_MCE            BIT(6)
#define CR4_PGE            BIT(7)
#define CR4_OSFXSR         BIT(9)
#define CR4_OSXMMEXCPT     BIT(10)
#define CR4_UMIP           BIT(11)
#define CR4_FSGSBASE       BIT(16)
#define CR4_OSXSAVE        BIT(18)
#define CR4_SMEP           BIT(20)
#define CR4_SMAP           BIT(21)

#define EFER_SCE           BIT(0)
#define EFER_LME           BIT(8)
#define EFER_LMA           BIT(10)
#define EFER_NXE           BIT(11)
#define EFER_SVME          BIT(12)
#define EFER_AUTO_IBRS     BIT(21)

#define MSR_APIC_BASE      0x1b
#define MSR_PRED_CMD       0x49  /* bit 0: IBPB */
#define MSR_CAPABILITIES   0x10a /* bit 0: RDCL_NO */
#define MSR_SYSENTER_CS    0x174
#define MSR_SYSENTER_ESP   0x175
#define MSR_SYSENTER_EIP   0x176
#define MSR_PAT            0x277
#define MSR_TSC_DEADLINE   0x6e0
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_FMASK          0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX        0xc0000103

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
