/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies between the hypervisor and the address space that is loaded now (a
 * PV guest's), surviving faults. Addresses inside our own window are refused.
 * core/access.h is what hypercall handlers use; it chooses by guest kind.
 */
#pragma once

#include "lib/types.h"

#include "cpu/extable.h"
#include "cpu/layout.h"

/* Wholly below our window, or wholly above it; what wraps is neither. */
static inline bool guest_range(u64 start, size_t length)
{
    if (start < HV_START)
        return length <= HV_START - start;
    return start >= HV_END && length <= -start;
}

/* Each returns the number of bytes NOT copied: 0 is success. */
#ifdef TENON_HOST
__must_check size_t copy_from_guest_va(void *to, guest_va_t from, size_t length);
__must_check size_t copy_to_guest_va(guest_va_t to, const void *from, size_t length);
#else
size_t uaccess_copy(void *to, const void *from, size_t length); /* faultable.S */
/*
 * All ones instead of an address of ours: a mispredicted check must not read there.
 * Compares what all ours have in common, the bits from 43 on, without a branch.
 */
static inline u64 never_ours(u64 address)
{
    u64 mask;

    __asm__("cmp $1, %1; sbb %0, %0" : "=r"(mask) : "r"((address >> 43) ^ (HV_START >> 43)) : "cc");
    return address | mask;
}
static inline __must_check size_t copy_from_guest_va(void *to, guest_va_t from, size_t length)
{
    return likely(guest_range(from.raw, length))
               ? uaccess_copy(to, (const void *)never_ours(from.raw), length)
               : length;
}
_Static_assert(HV_END - HV_START == 1UL << 43, "never_ours() compares the bits from 43 on");
static inline __must_check size_t copy_to_guest_va(guest_va_t to, const void *from, size_t length)
{
    return likely(guest_range(to.raw, length)) ? uaccess_copy((void *)to.raw, from, length)
                                               : length;
}
#endif
__must_check size_t clear_guest_va(guest_va_t to, size_t length);

/*
 * Single words, for frames on a guest's stack: between begin and end, at addresses that
 * guest_range() has let pass. A fault goes to the label `failed`, which is to call end, too.
 */
#ifdef TENON_HOST
#define guest_access_begin() ((void)0)
#define guest_access_end()   ((void)0)
#define guest_put(where, value, failed)                             \
    if (copy_to_guest_va(guest_va((u64)(where)), &(u64){value}, 8)) \
    goto failed
#define guest_get(value, where, failed)                                      \
    if (copy_from_guest_va(&(value), guest_va((u64)(where)), sizeof(value))) \
    goto failed
#define word_to_guest_va(to, value)    copy_to_guest_va(guest_va(to), &(u64){value}, sizeof(u64))
#define u32_from_guest_va(value, from) copy_from_guest_va(value, guest_va(from), sizeof(u32))
#else
#define SMAP_SITE_(last_byte)                                                                     \
    __asm__ volatile("1: .byte 0x0f, 0x1f, 0x00\n"                                                \
                     ".pushsection .smap_sites, \"a\"; .quad 1b, " last_byte "; .popsection\n" :: \
                         : "memory")
#define guest_access_begin() SMAP_SITE_("0xcb")
#define guest_access_end()   SMAP_SITE_("0xca")
#define guest_put(where, value, failed)                                               \
    __asm__ goto("1: movq %1, %0\n" EX_TABLE("1b", "%l[" #failed "]")::"m"(*(where)), \
                 "er"((u64)(value))                                                   \
                 : "memory"                                                           \
                 : failed)
#define guest_get(value, where, failed)                              \
    __asm__ goto("1: mov %1, %0\n" EX_TABLE("1b", "%l[" #failed "]") \
                 : "=r"(value)                                       \
                 : "m"(*(where))                                     \
                 :                                                   \
                 : failed)
/* One word, aligned or not: 0, or not done. */
static inline __must_check size_t word_to_guest_va(u64 to, u64 value)
{
    size_t left = sizeof(value);

    if (unlikely(!guest_range(to, left)))
        return left;
    guest_access_begin();
    guest_put((u64 *)to, value, failed);
    left = 0;
failed:
    guest_access_end();
    return left;
}
static inline __must_check size_t u32_from_guest_va(u32 *value, u64 from)
{
    size_t left = sizeof(*value);

    if (unlikely(!guest_range(from, left)))
        return left;
    guest_access_begin();
    guest_get(*value, (const u32 *)never_ours(from), failed);
    left = 0;
failed:
    guest_access_end();
    return left;
}
#endif
