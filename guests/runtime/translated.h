/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PVH or HVM domain that a micro dom0 makes out of its very own image, and what such a guest does
 * everything with. Its vCPUs begin in 64-bit mode at ring 0, with all RAM where it is and, as here,
 * at VIRT_BASE, and the devices' GiB (the fourth) where it is; the GDT has code at 8 and data at
 * 16, the IDT is empty.
 */
#pragma once

#include "build.h"

#define TRANSLATED_VCPUS 2

/* Its number; hvm: with all devices, else with a local APIC alone. */
u32 translated_create(bool hvm, u32 vcpus);
/* Makes its page tables, in this image: before build_translated copies that. */
void translated_tables(void);
/* vCPUs 0 to `vcpus` - 1 are to begin at `entry` with their numbers, each on a stack of its own. */
void translated_start(u32 domain, u32 vcpus, void (*entry)(u64 vcpu));

/* In the guest: where this vector's interrupts and exceptions go. */
void translated_gate(u32 vector, const void *handler);

#define vmcall(number, a, b, c)                                        \
    ({                                                                 \
        s64 result_;                                                   \
        u64 a_ = (u64)(a), b_ = (u64)(b), c_ = (u64)(c);               \
        __asm__ volatile("vmmcall"                                     \
                         : "=a"(result_), "+D"(a_), "+S"(b_), "+d"(c_) \
                         : "0"((u64)(number))                          \
                         : "memory");                                  \
        result_;                                                       \
    })

static inline void wrmsr(u32 msr, u64 value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}
static inline u64 rdmsr(u32 msr)
{
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (u64)high << 32 | low;
}
static inline u8 in(u16 port)
{
    u8 value;
    __asm__ volatile("in %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline void out(u16 port, u8 value)
{
    __asm__ volatile("out %0, %1" ::"a"(value), "Nd"(port));
}
static inline u32 read32(u64 address)
{
    return *(volatile u32 *)address;
}
static inline void write32(u64 address, u32 value)
{
    *(volatile u32 *)address = value;
}
