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

#define MSR_APIC_BASE      0x1b
#define MSR_SYSENTER_CS    0x174
#define MSR_SYSENTER_ESP   0x175
#define MSR_SYSENTER_EIP   0x176
#define MSR_MISC_ENABLE    0x1a0
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

#define DEFINE_READ(name, reg)                                         \
    static inline u64 name(void)                                       \
    {                                                                  \
        u64 value;                                                     \
        __asm__ volatile("mov %%" reg ", %0" : "=r"(value)::"memory"); \
        return value;                                                  \
    }
#define DEFINE_WRITE(name, reg)                                     \
    static inline void name(u64 value)                              \
    {                                                               \
        __asm__ volatile("mov %0, %%" reg ::"r"(value) : "memory"); \
    }
DEFINE_READ(read_cr0, "cr0")
DEFINE_READ(read_cr2, "cr2")
DEFINE_READ(read_cr3, "cr3")
DEFINE_READ(read_cr4, "cr4")
DEFINE_READ(read_dr6, "db6")
DEFINE_READ(read_dr7, "db7")
DEFINE_WRITE(write_cr0, "cr0")
DEFINE_WRITE(write_cr2, "cr2")
DEFINE_WRITE(write_cr3, "cr3")
DEFINE_WRITE(write_cr4, "cr4")
DEFINE_WRITE(write_dr6, "db6")
DEFINE_WRITE(write_dr7, "db7")

static inline void clts(void)
{
    __asm__ volatile("clts" ::: "memory");
}

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

static inline void out8(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}
static inline void out16(u16 port, u16 value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}
static inline void out32(u16 port, u32 value)
{
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}
static inline u8 in8(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
static inline u16 in16(u16 port)
{
    u16 value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
static inline u32 in32(u16 port)
{
    u32 value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void invlpg(u64 address)
{
    __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}
static inline void wbinvd(void)
{
    __asm__ volatile("wbinvd" ::: "memory");
}
static inline void cpu_pause(void)
{
    __asm__ volatile("pause" ::: "memory");
}
static inline void interrupts_off(void)
{
    __asm__ volatile("cli" ::: "memory");
}
/* One halt with interrupts on; they are off again on return. STI holds
 * interrupts off for one instruction, so none is taken before the HLT. */
static inline void halt_for_interrupt(void)
{
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}
/* Takes what is pending. STI holds interrupts off for one more instruction: the NOP. */
static inline void interrupts_window(void)
{
    __asm__ volatile("sti; nop; cli" ::: "memory");
}
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

/* Only with CR4.FSGSBASE. */
static inline u64 rdfsbase(void)
{
    u64 base;
    __asm__ volatile("rdfsbase %0" : "=r"(base)::"memory");
    return base;
}
static inline u64 rdgsbase(void)
{
    u64 base;
    __asm__ volatile("rdgsbase %0" : "=r"(base)::"memory");
    return base;
}
static inline void wrfsbase(u64 base)
{
    __asm__ volatile("wrfsbase %0" ::"r"(base) : "memory");
}
static inline void wrgsbase(u64 base)
{
    __asm__ volatile("wrgsbase %0" ::"r"(base) : "memory");
}
