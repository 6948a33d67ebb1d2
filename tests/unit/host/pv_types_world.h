/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What pv/'s page-table code wants from the rest of the hypervisor, for tests:
 * two domains on the fake machine, a vCPU of the first, continuations and
 * interruptions that a script of bytes decides. pv_types_model.h plays on it.
 */
#pragma once

#define FAKE_FRAMES 72
#include "fake_memory.h"

#include "core/access.h"
#include "core/continuation.h"
#include "core/guest.h"
#include "core/policy.h"
#include "cpu/guest_state.h"
#include "cpu/ports.h"
#include "cpu/uaccess.h"
#include "emulate/emulate.h"
#include "pv/calls.h"
#include "pv/mm.h"
#include "pv/shield.h"
#include "pv/types.h"
#include <xen/grant_table.h>

#define A_FRAMES   30
#define B_FRAMES   4
#define IO_FIRST   5000UL /* machine frames that are no RAM and the guest may map */
#define IO_LAST    5001UL
#define HV_PATTERN 0x5afe000000000000UL

/* The script. */
static const u8 *script;
static size_t script_left;
static bool script_abandons, script_yields;

static u32 next(u32 limit)
{
    u32 value;

    if (!script_left)
        return 0;
    value = *script++;
    script_left--;
    return value % limit;
}

/* The world. */
static struct pv_domain *dom_a, *dom_b;
static struct pv_vcpu vcpu_a;
static struct vcpu *vcpu_list[1] = {&vcpu_a.v};
static u64 window_a[VCPU_WINDOW_PAGES], *windows_a[1] = {window_a};
static u64 continued[5];
struct domain *idle_domain;
const struct guest_ops guest_pv;
static u64 b_frames[B_FRAMES], first_top; /* the top table of A's first tree */

bool hypercall_should_yield(void)
{
    static u32 turn;

    /* The domain's end comes when the script is over. */
    return script_yields && (script_left ? next(3) == 1 : ++turn % 3 == 1);
}
s64 hypercall_continue(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    u64 args[5] = {a0, a1, a2, a3, a4};
    memcpy(continued, args, sizeof(args));
    return -ERESTART_HYPERCALL;
}
int guest_copy_in(void *to, u64 from, size_t length)
{
    memcpy(to, (void *)from, length);
    return 0;
}
int guest_copy_out(u64 to, const void *from, size_t length)
{
    memcpy((void *)to, from, length);
    return 0;
}
size_t copy_from_guest_va(void *to, guest_va_t from, size_t length)
{
    memcpy(to, (void *)from.raw, length);
    return 0;
}
int policy_target(domid_t id, enum policy_op op, struct domain **target)
{
    (void)op;
    *target = &dom_b->d;
    return id == 2 ? 0 : -ESRCH;
}
void domain_put(struct domain *d)
{
    (void)d;
}
struct vcpu *domain_vcpu(struct domain *d, u32 id)
{
    return id < d->max_vcpus ? d->vcpus[id] : NULL;
}
void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why, (void)file, (void)line, (void)error;
}
bool msi_owns_page(mfn_t m)
{
    (void)m;
    return false;
}
bool memory_is_io(paddr_t start, u64 size)
{
    return start.raw >= IO_FIRST << PAGE_SHIFT && size == PAGE_SIZE;
}
bool shield_on;
u64 shield_changes;
DEFINE_PER_CPU(struct shield, shield);
void hv_slots_fill(u64 *l4, mfn_t perdomain_l3)
{
    (void)perdomain_l3;
    for (u32 i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
        l4[i] = HV_PATTERN | PTE_PRESENT | i << 12;
}
void hv_slots_clear(u64 *l4)
{
    for (u32 i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
        l4[i] = 0;
}
void pv_load_cr3(struct pv_vcpu *v)
{
    (void)v;
    cpu_flush_local(FLUSH_TLB, 0);
}
void pv_load_ldt(struct pv_vcpu *v)
{
    (void)v;
}
void pv_inject_page_fault(u64 address, u32 error_code)
{
    (void)address, (void)error_code;
}
void cpu_write_back_caches(void)
{
}
void cpu_call(const cpumask_t *mask, void (*fn)(void *), void *arg)
{
    (void)mask;
    fn(arg);
}
u64 cpu_fs_base(void)
{
    return 0;
}
u64 cpu_gs_base(void)
{
    return 0;
}

/* The instruction behind a write fault: an exchange with what the script said. */
static u64 fault_address, fault_value;
static u32 fault_size;
int emulate_instruction(struct emulation *e)
{
    u64 expected = 0;
    int rc;

    if (fault_value & 1 << 9)
        return e->ops->write(e->ctx, fault_address, fault_value, fault_size);
    do
        rc = e->ops->exchange(e->ctx, fault_address, &expected, fault_value, fault_size);
    while (rc == 1);
    return rc;
}
