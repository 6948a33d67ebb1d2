/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a hypercall's number to its handler, and how a call is run again: a
 * handler that stops half-way leaves its new arguments with
 * hypercall_continue(), the caller's instruction pointer goes back over the
 * two bytes of SYSCALL, and the guest re-enters by itself after interrupts and
 * scheduling had their turn. Inside a multicall the entry's arguments are
 * rewritten and the multicall itself is what continues.
 *
 * State is per CPU and lives for one call: a handler never leaves its CPU.
 * No locks. Called from pv/entry.S.
 */
#include "hypercall/hypercall.h"

#include "core/narrow.h"
#include "core/trace.h"
#include "cpu/perfc.h"
#include "cpu/uaccess.h"
#include "pv/calls.h"
#include "pv/entry.h"

#include <xen/arch-x86/xen-mca.h>

/* How long a long operation may hold the CPU: 200 us, in TSC ticks at 1 kHz. */
#define SLICE_FRACTION 5
#define SYSCALL_LENGTH 2

struct arguments {
    u64 a[5];
};

struct desk {
    struct arguments args; /* of the continuation */
    bool in_multicall;
    bool narrow; /* HVM: the caller is 32-bit code */
};
static DEFINE_PER_CPU(struct desk, desk);

enum { PV = HYPERCALL_PV, HVM = 2, HVM32 = 4, ALL = 7 };
#define CALLS HYPERCALL_ROWS

struct call {
    hypercall_fn handler;
    u8 kinds;
};
_Static_assert(sizeof(struct call) == 1 << HYPERCALL_ROW_SHIFT &&
                   offsetof(struct call, kinds) == HYPERCALL_ROW_KINDS &&
                   __HYPERVISOR_iret == HYPERCALL_IRET,
               "pv/entry.S knows it");

#define CALL(name, nr_arguments, guest_kinds) \
    [__HYPERVISOR_##name] = {hypercall_##name, guest_kinds},
extern const struct call hypercall_rows[CALLS];
const struct call hypercall_rows[CALLS] = {
#include "core/calls.def"
};

/* Those of whose arguments a record tells the small ones: bit n is argument n. */
static const u8 traced_arguments[CALLS] = {
    [__HYPERVISOR_mmu_update] = BIT(1),
    [__HYPERVISOR_multicall] = BIT(1),
    [__HYPERVISOR_grant_table_op] = BIT(0) | BIT(2),
    [__HYPERVISOR_vcpu_op] = BIT(0) | BIT(1),
    [__HYPERVISOR_mmuext_op] = BIT(1),
    [__HYPERVISOR_sched_op] = BIT(0),
    [__HYPERVISOR_event_channel_op] = BIT(0),
    [__HYPERVISOR_memory_op] = BIT(0),
};

static void trace_call(u32 event, u64 number, const u64 args[5])
{
    u32 words[6] = {(u32)number}, n = 1;

    if (number >= CALLS)
        return;
    for (u32 i = 0; i < 5; i++)
        if (traced_arguments[number] & BIT(i)) {
            words[0] |= TRC_PV_HYPERCALL_V2_ARG_32(i);
            words[n++] = (u32)args[i];
        }
    trace_write(event, n, words);
}

s64 hypercall_none(void)
{
    return reject(-ENOSYS, "no such hypercall");
}

/* Inline, so that a guest's registers become arguments without a detour. */
static __always_inline s64 call_handler(u32 kind, u64 number, u64 a0, u64 a1, u64 a2, u64 a3,
                                        u64 a4)
{
    if (unlikely(number >= CALLS))
        return hypercall_none();
    /* The number is the guest's: keep a mispredicted check from reading beyond the table. */
    __asm__("" : "+r"(number));
    number &= CALLS - 1;
    const struct call *call = &hypercall_rows[number];
    perfc_inc(hypercalls[number]);
    if (unlikely(!(call->kinds & kind)))
        return hypercall_none();
    return call->handler(a0, a1, a2, a3, a4);
}

static __attribute__((noinline)) s64 call_narrow(u64 number, const u64 args[5])
{
    u64 wide[5];

    for (u32 i = 0; i < 5; i++)
        wide[i] = (u32)args[i];
    TRY(narrow_arguments(number, wide));
    return call_handler(HVM32, number, wide[0], wide[1], wide[2], wide[3], wide[4]);
}

s64 hypercall_call(u64 number, const u64 args[5])
{
    u32 kind = likely(!current->domain->is_hvm) ? PV : HVM;

    if (unlikely(kind == HVM && this_cpu(desk).narrow))
        return call_narrow(number, args);
    return call_handler(kind, number, args[0], args[1], args[2], args[3], args[4]);
}

s64 hypercall_continue(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    this_cpu(desk).args = (struct arguments){{a0, a1, a2, a3, a4}};
    return -ERESTART_HYPERCALL;
}

bool hypercall_should_yield(void)
{
    u64 *end = &cpu_local()->slice_end, now;

    if (cpu_has_work())
        return true;
    now = __builtin_ia32_rdtsc();
    if (unlikely(*end == 0))
        *end = now + clock_tsc_khz() / SLICE_FRACTION;
    return now > *end;
}

static __attribute__((noinline)) void trace_registers(const struct cpu_user_regs *regs)
{
    const u64 args[5] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8};

    trace_call(TRC_PV_HYPERCALL_V2, regs->rax, args);
}

/* The call in these registers goes on with the arguments that it left. */
void hypercall_again(struct cpu_user_regs *regs)
{
    const u64 *a = this_cpu(desk).args.a;

    regs->rip -= SYSCALL_LENGTH;
    regs->rdi = a[0];
    regs->rsi = a[1];
    regs->rdx = a[2];
    regs->r10 = a[3];
    regs->r8 = a[4];
}

/* What pv/entry.S does not do by itself, and whatever it does. */
void hypercall_pv(struct cpu_user_regs *regs)
{
    u64 number = regs->rax;

    if (trace_wants(TRC_PV))
        trace_registers(regs);
    /* Its result is the rax of whatever the guest goes back to: any value at
     * all, also one that would mean "run again". */
    if (number == __HYPERVISOR_iret)
        return pv_iret(regs);
    cpu_local()->slice_end = 0;
    s64 result = call_handler(PV, number, regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8);
    if (unlikely(result == -ERESTART_HYPERCALL))
        hypercall_again(regs);
    else
        regs->rax = result;
}

/* Registers of the two calling conventions: xen/arch-x86/xen-x86_64.h, -x86_32.h. */
bool hypercall_hvm(struct cpu_user_regs *r, bool code64)
{
    struct desk *own = &this_cpu(desk);
    u64 *const wide[5] = {&r->rdi, &r->rsi, &r->rdx, &r->r10, &r->r8};
    u64 *const narrow[5] = {&r->rbx, &r->rcx, &r->rdx, &r->rsi, &r->rdi};
    u64 *const *at = code64 ? wide : narrow, args[5];

    cpu_local()->slice_end = 0;
    own->narrow = !code64;
    for (u32 i = 0; i < 5; i++)
        args[i] = *at[i];
    s64 result = hypercall_call((u32)r->rax, args);
    if (likely(result != -ERESTART_HYPERCALL)) {
        r->rax = code64 ? (u64)result : (u32)result;
        return true;
    }
    for (u32 i = 0; i < 5; i++)
        *at[i] = code64 ? own->args.a[i] : (u32)narrow_address(own->args.a[i]);
    return false;
}

/* One entry; -ERESTART_HYPERCALL: it wants to go on later, its arguments are rewritten. A PV
 * guest's is taken by the short way. */
static __always_inline s64 multicall_entry(u64 where, bool pv)
{
    struct multicall_entry entry;
    const u64 *a = (const u64 *)entry.args;
    s64 result;

    if (!pv || copy_from_guest_va(&entry, guest_va(where), sizeof(entry)))
        TRY(guest_copy_in(&entry, where, sizeof(entry)));
    perfc_inc(multicall_entries);
    if (trace_wants(TRC_PV))
        trace_call(TRC_PV_HYPERCALL_SUBCALL, entry.op, a);
    /* iret replaces the registers that the rest of the batch would need. */
    if (unlikely(entry.op == __HYPERVISOR_iret))
        result = reject(-EINVAL, "iret in a multicall");
    else
        result = pv ? call_handler(PV, entry.op, a[0], a[1], a[2], a[3], a[4])
                    : hypercall_call(entry.op, a);
    entry.result = (u64)result;
    if (unlikely(result == -ERESTART_HYPERCALL)) {
        memcpy(entry.args, &this_cpu(desk).args, sizeof(struct arguments));
        TRY(guest_copy_out(where, &entry, sizeof(entry)));
        return -ERESTART_HYPERCALL;
    }
    where += offsetof(struct multicall_entry, result);
    return pv && likely(!word_to_guest_va(where, (u64)result))
               ? 0
               : guest_copy_out(where, &entry.result, sizeof(entry.result));
}

s64 hypercall_multicall(u64 list, u64 count, u64, u64, u64)
{
    struct desk *own = &this_cpu(desk);
    s64 result = 0;

    if (own->in_multicall)
        return reject(-EINVAL, "multicall within a multicall");
    own->in_multicall = true;
    count = (u32)count;
    for (u64 i = 0; i < count; i++) {
        u64 where = list + i * sizeof(struct multicall_entry);
        if (i && hypercall_time_to_yield(i))
            result = -ERESTART_HYPERCALL;
        else
            result = likely(!current->domain->is_hvm) ? multicall_entry(where, true)
                                                      : multicall_entry(where, false);
        if (result == -ERESTART_HYPERCALL)
            result = hypercall_continue(where, count - i, 0, 0, 0);
        if (result)
            break;
    }
    own->in_multicall = false;
    return result;
}
