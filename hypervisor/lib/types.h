/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The words every other file is written in: fixed-width integers, the three
 * kinds of address, error returns, assertions.
 *
 * Frame numbers and addresses are one-member structs so that mixing them does
 * not compile. Make one with mfn(n), paddr(a), guest_va(a); read the
 * number back with .raw.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#define DEFINE_NUMBER(name)              \
    typedef struct {                     \
        u64 raw;                         \
    } name##_t;                          \
    static inline name##_t name(u64 raw) \
    {                                    \
        return (name##_t){raw};          \
    }
/* A machine frame number: index of a 4 KiB frame of real memory. */
DEFINE_NUMBER(mfn)
/* A machine (host physical) byte address. */
DEFINE_NUMBER(paddr)
/* A guest virtual address: never dereference, only hand to the copy functions
 * of core/access.h or cpu/uaccess.h. */
DEFINE_NUMBER(guest_va)

#define MFN_NONE ((mfn_t){~0UL})

static inline bool mfn_equal(mfn_t a, mfn_t b)
{
    return a.raw == b.raw;
}
static inline bool mfn_is_none(mfn_t m)
{
    return m.raw == ~0UL;
}
static inline mfn_t mfn_add(mfn_t m, u64 n)
{
    return mfn(m.raw + n);
}
static inline paddr_t mfn_to_paddr(mfn_t m)
{
    return paddr(m.raw << PAGE_SHIFT);
}
static inline mfn_t paddr_to_mfn(paddr_t a)
{
    return mfn(a.raw >> PAGE_SHIFT);
}

/* A virtual address the processor accepts: bits 63..47 all alike. */
static inline bool address_canonical(u64 address)
{
    return (u64)((s64)(address << 16) >> 16) == address;
}

#define likely(x)                       __builtin_expect(!!(x), 1)
#define unlikely(x)                     __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ROUND_UP(x, align)              (((x) + (align)-1) & ~((__typeof__(x))(align)-1))
#define ROUND_DOWN(x, align)            ((x) & ~((__typeof__(x))(align)-1))
#define PICK_(a, b, is)         \
    ({                          \
        __typeof__(a) a_ = (a); \
        __typeof__(b) b_ = (b); \
        a_ is b_ ? a_ : b_;     \
    })
#define MIN(a, b)             PICK_(a, b, <)
#define MAX(a, b)             PICK_(a, b, >)
#define BIT(n)                (1UL << (n))
#define READ_ONCE(x)          (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)      (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()             __asm__ volatile("" ::: "memory")

#define __packed              __attribute__((packed))
#define __aligned_to(n)       __attribute__((aligned(n)))
#define __unused              __attribute__((unused))
#define __noreturn            __attribute__((noreturn))
#define __always_inline       inline __attribute__((always_inline))
#define __must_check          __attribute__((warn_unused_result))
#define __format_printf(f, a) __attribute__((format(printf, f, a)))

/*
 * index if index < size, else 0, computed without a branch: even while the
 * processor speculates past a bounds check that will fail, what is loaded with
 * the result lies inside the array.
 */
static inline u64 index_clamp(u64 index, u64 size)
{
    u64 mask;

    __asm__("cmp %2, %1\n\tsbb %0, %0" : "=r"(mask) : "r"(index), "rm"(size) : "cc");
    return index & mask;
}

/*
 * Section marks. __init code and __initdata are freed once the first guest
 * runs: nothing outside boot-time code may refer to them.
 * __read_mostly is data written only at boot: it is made read-only with it.
 */
#ifdef TENON_HOST
#define __init
#define __initdata
#define __initconst
#define __ro_after_init
#else
#define __init          __attribute__((section(".init.text"), noinline))
#define __initdata      __attribute__((section(".init.data")))
#define __initconst     __attribute__((section(".init.rodata")))
#define __ro_after_init __attribute__((section(".data.ro_after_init")))
#endif

/* Errnos are the interface's own (positive XEN_Exxx); we return them negated. */
#ifndef TENON_HOST
#define XEN_ERRNO(name, value) name = value,
enum tenon_errno {
#include <xen/errno.h>
};
#else
#include <errno.h>
#endif
/* Tells the way out to run the same hypercall again; never reaches a guest. */
#define ERESTART_HYPERCALL 0x1000

/* What a step says, if it is not 0, is what the function says: it ends there. */
#define TRY(step)                    \
    do {                             \
        __auto_type tried_ = (step); \
        if (tried_)                  \
            return tried_;           \
    } while (0)

/* Ends the machine with a crash report: for our own invariants only. */
__noreturn void panic(const char *format, ...) __format_printf(1, 2);
__noreturn void assertion_failed(const char *what, const char *file, int line);
#define ASSERT(x)                                     \
    do {                                              \
        if (unlikely(!(x)))                           \
            assertion_failed(#x, __FILE__, __LINE__); \
    } while (0)
#define BUG() assertion_failed("unreachable", __FILE__, __LINE__)

/* Every file may copy, compare and report. */
#include "lib/log.h"
#include "lib/string.h"
