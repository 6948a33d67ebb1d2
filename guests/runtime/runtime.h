/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a micro guest stands on: it boots as a PV kernel straight on the
 * hypervisor (as its dom0, or as a guest a micro dom0 makes), checks one family
 * of behaviour, reports on the console and powers off. A test is
 * guests/<name>/main.c with a guest_main().
 */
#pragma once

#include "lib/printf.h"
#include "lib/string.h"
#include "lib/types.h"
#include "lib/xen.h"
#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define VIRT_BASE 0xffffffff80000000UL

extern struct start_info *start_info;
extern struct shared_info *shared_info; /* mapped by runtime_start */

void guest_main(void); /* the test */
/* Makes this image the kernel of the domain that si describes (start-up does it). */
void runtime_adopt(struct start_info *si);

static inline s64 hypercall(u64 number, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    register u64 r10 __asm__("r10") = a3;
    register u64 r8 __asm__("r8") = a4;
    s64 result;
    __asm__ volatile("syscall"
                     : "=a"(result), "+D"(a0), "+S"(a1), "+d"(a2), "+r"(r10), "+r"(r8)
                     : "0"(number)
                     : "rcx", "r11", "memory");
    return result;
}
#define call1(nr, a)          hypercall(nr, (u64)(a), 0, 0, 0, 0)
#define call2(nr, a, b)       hypercall(nr, (u64)(a), (u64)(b), 0, 0, 0)
#define call3(nr, a, b, c)    hypercall(nr, (u64)(a), (u64)(b), (u64)(c), 0, 0)
#define call4(nr, a, b, c, d) hypercall(nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), 0)

/* Is this a word of the command line? "stock": running on Xen itself, the oracle of these tests. */
bool has_word(const char *word);
/* The number behind "name=" there. */
u64 word_value(const char *name, u64 otherwise);

void say(const char *format, ...) __format_printf(1, 2);

/* One check: counted; a failed one says where and what. */
void check(bool ok, const char *file, int line, const char *format, ...) __format_printf(4, 5);
#define CHECK(condition) check((condition), __FILE__, __LINE__, "%s", #condition)
#define CHECK_EQUAL(got, want)                                                             \
    ({                                                                                     \
        s64 got_ = (s64)(got), want_ = (s64)(want);                                        \
        check(got_ == want_, __FILE__, __LINE__, "%s is %ld, not %ld", #got, got_, want_); \
    })
/* Ends the run: prints the count, powers the machine off. */
__noreturn void finish(void);

/* Where say() goes instead of the console, if set: a guest without access to it. */
extern void (*say_hook)(const char *text, u32 length);
extern u32 checks_passed, checks_failed;

/*
 * Frame of a trap; `vector` 200 is the event upcall, 201 a SYSCALL from user
 * mode, 202 the failsafe callback (an iret that the processor refused).
 */
struct trap_frame {
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    u64 vector, error_code;
    u64 rip, cs, rflags, rsp, ss;
};
/* The next trap of this vector goes on at `resume` (0: the handler decides); counted. */
extern volatile u64 trap_count[256], trap_last_error[256], trap_last_rip[256];
extern void (*trap_hook)(
    struct trap_frame *frame);    /* may change the frame; NULL: only fault_resume */
extern volatile u64 fault_resume; /* where a #GP, #PF or #UD continues; 0: fatal */
/* Installs trap table and callbacks. */
void traps_install(void);

/* Runs `instruction` and tells the vector of the fault it raised, -1 for none. */
#define FAULT_OF(instruction, ...)                                                             \
    ({                                                                                         \
        u64 before_[3] = {trap_count[6], trap_count[13], trap_count[14]};                      \
        __asm__ volatile("lea 9f(%%rip), %%rax\n mov %%rax, fault_resume(%%rip)\n" instruction \
                         "\n9: movq $0, fault_resume(%%rip)" __VA_ARGS__);                     \
        trap_count[6] != before_[0]    ? 6                                                     \
        : trap_count[13] != before_[1] ? 13                                                    \
        : trap_count[14] != before_[2] ? 14                                                    \
                                       : -1;                                                   \
    })

/* Memory as the builder gave it: pseudo-physical frame list and boot mapping. */
u64 pfn_to_mfn(u64 pfn);
static inline u64 virt_to_pfn(const void *p)
{
    return ((u64)p - VIRT_BASE) >> PAGE_SHIFT;
}
static inline u64 virt_to_machine(const void *p)
{
    return pfn_to_mfn(virt_to_pfn(p)) << PAGE_SHIFT | ((u64)p & (PAGE_SIZE - 1));
}
/* A page of the guest's own, mapped, zeroed, never given back. */
void *page_new(void);
/* Machine address of the L1 entry that maps p, through the boot page tables. */
u64 pte_machine_address(const void *p);
u64 pte_value(const void *p);
int map_page(void *where, u64 pte); /* update_va_mapping with INVLPG */

/* One operation each on the tables of ours; 0 or -errno. */
int entry_update(u64 machine_address, u64 value); /* mmu_update */
int table_op(u32 command, u64 frame);             /* mmuext_op with arg1.mfn */
static inline u64 frame_of(const void *p)
{
    return virt_to_machine(p) >> PAGE_SHIFT;
}
/* Maps p's own frame where it is, with these flags only. */
static inline int remap(void *p, u64 flags)
{
    return map_page(p, frame_of(p) << PAGE_SHIFT | flags);
}
#define PTE_P 1UL
#define PTE_W 2UL
#define PTE_U 4UL

/* A vCPU that begins in kernel mode, without trap handlers, at `entry` on the stack below
 * `stack_end`. */
static inline void kernel_context(struct vcpu_guest_context *c, const void *entry, u64 stack_end,
                                  u64 cr3)
{
    memset(c, 0, sizeof(*c));
    c->flags = VGCF_in_kernel;
    c->user_regs.rip = (u64)entry;
    c->user_regs.rsp = stack_end;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->user_regs.rflags = 0x200;
    c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = stack_end;
    c->ctrlreg[0] = 0x8005003b;
    c->ctrlreg[3] = cr3;
}
/* The same on the caller's tables, with the traps and events that traps_install gives vCPU 0. */
static inline void kernel_context_here(struct vcpu_guest_context *c, const void *entry,
                                       u64 stack_end)
{
    extern char trap_200[], trap_201[], trap_202[];
    u64 cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    kernel_context(c, entry, stack_end, cr3);
    c->event_callback_eip = (u64)trap_200;
    c->failsafe_callback_eip = (u64)trap_202;
    c->syscall_callback_eip = (u64)trap_201;
}
void events_off(void);
void events_on(void);
u64 system_time(void);        /* ns, from vcpu_time_info */
u64 system_time_of(u32 vcpu); /* the same, read by that vCPU */
/* Lets others run for so many ns. */
static inline void nap(u64 ns)
{
    struct sched_poll poll = {.timeout = system_time() + ns};
    call2(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
}
