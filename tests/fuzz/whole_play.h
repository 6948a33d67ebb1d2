/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plays bytes on the whole machine (../unit/host/whole_world.h): whoever, in turns, makes calls
 * with structures that the bytes fill in field by field, and the rest of its window is what they
 * say. What must hold: no assertion and no sanitizer complains, no call keeps a lock, a guest's
 * control calls are refused, and when all domains have ended every page is back.
 */
#pragma once

#include "core/trace.h"
#include "whole_world.h"

#include <xen/arch-x86/xen-mca.h>
#include <xen/platform.h>

enum {
    PLAY_DOMCTL,
    PLAY_SYSCTL,
    PLAY_PLATFORM,
    PLAY_MEMORY,
    PLAY_CALL,
    PLAY_OP,
    PLAY_WRITE,
    PLAY_TIME,
    PLAY_TRAP
};
#define STRUCT_VA (WINDOW_VA + 0x1000)

static const u8 *play_at, *play_end;
static u32 play_who;

static u64 play_bytes(u32 count)
{
    u64 value = 0;

    for (u32 i = 0; i < count && play_at < play_end; i++)
        value |= (u64)*play_at++ << 8 * i;
    return value;
}

/* A number worth trying: small, a place in the window, a frame of somebody's, a power of two, any.
 */
static u64 play_value(void)
{
    u32 b = (u32)play_bytes(1);

    if (b < 0x60)
        return b;
    if (b < 0x70)
        return WINDOW_VA + (b & 15) * 0x1000;
    if (b < 0x80)
        return world_pages[b & 8 ? 1 : play_who][b & 7];
    if (b < 0x90)
        return 1UL << (b & 15) * 4;
    if (b < 0xa0)
        return world_pages[play_who][b & 7] << PAGE_SHIFT | (u64)play_bytes(1) * 8;
    if (b < 0xb0) /* an entry for a page table */
        return world_pages[play_who][b & 7] << PAGE_SHIFT | (b & 8 ? 0x27 : 0x25);
    if (b < 0xd0)
        return play_bytes(1 + (b & 3));
    if (b < 0xe0) /* registers of the model-specific kind */
        return b & 8 ? 0xc0000080 + (b & 7) : 0xc0000100 + (b & 7);
    return b < 0xf0 ? -(u64)(b & 15) : play_bytes(8);
}

static void play_store(u64 at, u32 bytes)
{
    u64 value = play_value();

    if (in_window(at, 8))
        memcpy(window_at(at), &value, bytes);
}

/* Fields of the structure of a call, from `at` on. */
static void play_fields(u64 at)
{
    u32 count = (u32)play_bytes(1);

    for (u32 i = 0; i < (count & 15); i++) {
        u32 where = (u32)play_bytes(1);

        play_store(at + (where & 63) * 4, where & 64 ? 8 : where & 128 ? 2 : 4);
    }
}

static bool play_alive(u32 n)
{
    const struct domain *d = world_domains[n];

    return !d->dying && d->shutdown == SHUTDOWN_NOT;
}

/* A PV guest's processes make no hypercalls: their kernel is entered first. */
static bool play_can_call(u32 n)
{
    if (n < 2 && play_alive(n) && !to_pv(world_domains[n]->vcpus[0])->kernel_mode) {
        current = world_domains[n]->vcpus[0];
        guest_regs()->rsp = WINDOW_VA + 0x7000;
        pv_guest_syscall(guest_regs());
    }
    return play_alive(n) && (n == 2 || to_pv(world_domains[n]->vcpus[0])->kernel_mode);
}

static s64 play_call(u64 number, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    const u64 args[5] = {a0, a1, a2, a3, a4};

    return play_can_call(play_who) ? world_call(play_who, number, args, false) : -EPERM;
}

/* One of the three; one that was made since; or nobody. */
static u32 play_domain(u32 n)
{
    u32 id = n == 7 ? DOMID_SELF : 0x123;

    if (n < 3)
        return world_domains[n]->id;
    for_each_domain (d)
        if (n == 3 && d != world_domains[0] && d != world_domains[1] && d != world_domains[2])
            id = d->id;
    return id;
}

static void play_control(u32 kind)
{
    static const struct {
        u32 number, version;
    } calls[] = {{__HYPERVISOR_domctl, XEN_DOMCTL_INTERFACE_VERSION},
                 {__HYPERVISOR_sysctl, XEN_SYSCTL_INTERFACE_VERSION},
                 {__HYPERVISOR_platform_op, XENPF_INTERFACE_VERSION}};
    u32 head[4] = {(u32)play_bytes(1), calls[kind].version, 0, 0};
    s64 result;

    if (kind == PLAY_DOMCTL) {
        head[2] = play_domain((u32)play_bytes(1) & 7);
    }
    memset(window_at(STRUCT_VA), 0, 0x100);
    memcpy(window_at(STRUCT_VA), head, sizeof(head));
    play_fields(STRUCT_VA + (kind == PLAY_DOMCTL ? 16 : 8));
    result = play_call(calls[kind].number, STRUCT_VA, 0, 0, 0, 0);
    ASSERT(!play_who || result < 0);
}

/* Calls that take an operation and its structure, in the order of their arguments: operation,
 * structure, a small number, our vCPU, a domain. */
static void play_op(void)
{
    static const struct {
        u8 number;
        char form[6];
    } calls[] = {
        {__HYPERVISOR_event_channel_op, "os"},
        {__HYPERVISOR_grant_table_op, "osn"},
        {__HYPERVISOR_physdev_op, "os"},
        {__HYPERVISOR_sched_op, "os"},
        {__HYPERVISOR_vcpu_op, "ovs"},
        {__HYPERVISOR_hvm_op, "os"},
        {__HYPERVISOR_xen_version, "os"},
        {__HYPERVISOR_callback_op, "os"},
        {__HYPERVISOR_vm_assist, "on"},
        {__HYPERVISOR_mmuext_op, "sn0d"},
        {__HYPERVISOR_mmu_update, "sn0d"},
        {__HYPERVISOR_multicall, "sn"},
        {__HYPERVISOR_dm_op, "dns"},
        {__HYPERVISOR_set_gdt, "sn"},
        {__HYPERVISOR_mca, "s"},
        {__HYPERVISOR_console_io, "ons"},
    };
    u32 n = (u32)play_bytes(1), op = (u32)play_bytes(1);
    const char *form = calls[n % ARRAY_SIZE(calls)].form;
    u64 a[5] = {0};

    memset(window_at(STRUCT_VA), 0, 0x100);
    if (*form == 'd') { /* its first buffer has the operation */
        u64 buffers[4] = {WINDOW_VA + 0x2000, 64, WINDOW_VA + 0x3000, 64};

        memcpy(window_at(STRUCT_VA), buffers, sizeof(buffers));
        memset(window_at(WINDOW_VA + 0x2000), 0, 64);
        *(u32 *)window_at(WINDOW_VA + 0x2000) = op & 31;
        play_fields(WINDOW_VA + 0x2008);
    } else {
        play_fields(STRUCT_VA);
    }
    for (u32 i = 0; form[i]; i++)
        a[i] = form[i] == 'o'   ? op & 63
               : form[i] == 's' ? STRUCT_VA
               : form[i] == 'n' ? 1 + (op >> 6)
               : form[i] == 'd' ? (*form == 'd' ? world_domains[2]->id
                                   : op & 64    ? play_domain(op >> 5)
                                                : DOMID_SELF)
                                : 0;
    (void)play_call(calls[n % ARRAY_SIZE(calls)].number, a[0], a[1], a[2], a[3], a[4]);
}

/* What a kernel in ring 3 is not let do, at `at`. */
static void play_instruction(u64 at)
{
    static const u8 code[][8] = {{0x0f, 0x30},
                                 {0x0f, 0x32},
                                 {0x0f, 0x20},
                                 {0x0f, 0x22},
                                 {0x0f, 0x21},
                                 {0x0f, 0x23},
                                 {0xe4},
                                 {0xe6},
                                 {0xec},
                                 {0xef},
                                 {0x66, 0xed},
                                 {0xee},
                                 {0xf3, 0x6c},
                                 {0xf3, 0x6f},
                                 {0x6e},
                                 {0x6d},
                                 {0x0f, 0x01},
                                 {0x0f, 0x01, 0xd1},
                                 {0x0f, 0x01, 0xf0},
                                 {0x0f, 0x06},
                                 {0x0f, 0x08},
                                 {0x0f, 0x09},
                                 {0xfa},
                                 {0xfb},
                                 {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2},
                                 {0xcd, 0x80},
                                 {0x87, 0x07},
                                 {0xf0, 0x0f, 0xb1, 0x0f}};
    const u8 *chosen = code[play_bytes(1) % ARRAY_SIZE(code)];
    u32 length = 0;

    while (length < 7 && (chosen[length] || length == 0))
        length++;
    memcpy(window_at(at), chosen, 8);
    if (length < 7)
        *(u8 *)window_at(at + length) = (u8)play_bytes(1);
}

static void play_trap(void)
{
    struct cpu_user_regs *r = guest_regs();
    u32 vector = (u32)play_bytes(1);
    u32 n = play_who % 2;

    if (!play_alive(n))
        return;
    current = world_domains[n]->vcpus[0];
    *r = (struct cpu_user_regs){.rip = WINDOW_VA + 0x3000,
                                .rsp = WINDOW_VA + 0x7000,
                                .cs = 0xe033,
                                .ss = 0xe02b,
                                .rflags = 0x202};
    r->error_code = (u16)play_bytes(1);
    r->entry_vector = vector & 31;
    r->rax = play_value();
    r->rcx = play_value();
    r->rdx = play_value();
    r->rsi = r->rdi = play_value();
    world_fault = play_value();
    play_instruction(r->rip);
    switch (vector >> 5) {
    case 0:
        pv_guest_syscall(r);
        break;
    case 1:
        pv_guest_syscall32(r);
        break;
    case 2:
        pv_guest_sysenter(r);
        break;
    case 3:
        pv_deliver_upcall(r);
        break;
    case 4:
        if (vector & 1)
            (void)pv_deliver_nmi();
        else
            pv_iret_refused(r);
        break;
    default:
        guest_trap(r);
    }
    ASSERT(!fake_locks_held);
}

static void play_write(void)
{
    u64 at = WINDOW_VA + play_bytes(1) % 16 * 0x1000 + play_bytes(1) * 8;
    u32 count = (u32)play_bytes(1) & 31;

    for (u32 i = 0; i < count; i++)
        if (count & 1)
            play_store(at + 8 * i, 8);
        else if (in_window(at + i, 1))
            *(u8 *)window_at(at + i) = (u8)play_bytes(1);
}

static void play_step(u32 kind)
{
    u32 op;
    u64 a[5];

    switch (kind) {
    case PLAY_DOMCTL ... PLAY_PLATFORM:
        play_control(kind);
        break;
    case PLAY_MEMORY:
        op = (u32)play_bytes(1);
        memset(window_at(STRUCT_VA), 0, 0x100);
        play_fields(STRUCT_VA);
        (void)play_call(__HYPERVISOR_memory_op, op & 63, STRUCT_VA, 0, 0, 0);
        break;
    case PLAY_CALL:
        op = (u32)play_bytes(1) & 63;
        for (u32 i = 0; i < 5; i++)
            a[i] = i < 3 || op == __HYPERVISOR_mmuext_op || op == __HYPERVISOR_mmu_update ||
                           op == __HYPERVISOR_update_va_mapping_otherdomain
                       ? play_value()
                       : 0;
        if (op == __HYPERVISOR_domctl || op == __HYPERVISOR_sysctl ||
            op == __HYPERVISOR_platform_op)
            break;
        (void)play_call(op, a[0], a[1], a[2], a[3], a[4]);
        break;
    case PLAY_OP:
        play_op();
        break;
    case PLAY_WRITE:
        play_write();
        break;
    case PLAY_TIME:
        op = (u32)play_bytes(1);
        host_cpu_local.work = op & 1; /* everything that may be done in pieces is */
        if (op & 2)
            world_run((op >> 2) * NS_MS);
        break;
    case PLAY_TRAP:
        play_trap();
        break;
    }
}

/* Pages of trace buffers: once made they stay, for whatever runs later. */
static u64 play_traced(void)
{
    struct trace_info t = trace_get_info();

    return mfn_is_none(t.info)
               ? 0
               : ROUND_UP(t.info_bytes, PAGE_SIZE) / PAGE_SIZE +
                     ((struct t_info *)mfn_to_virt(t.info))->tbuf_size * cpus_online_count;
}

/* kinds: 16 of them, chosen by the upper half of a step's first byte. */
static void play(const u8 *data, size_t size, const u8 *kinds)
{
    static u64 free_before;

    play_at = data;
    play_end = data + size;
    world_begin();
    if (!setjmp(world_end))
        while (play_at < play_end) {
            u32 what = (u32)play_bytes(1);

            play_who = what & 3;
            play_who = play_who == 3 ? 0 : play_who;
            play_step(kinds[what >> 4]);
        }
    world_finish();
    /* Slabs of the heap may stay, as many as there ever were. */
    if (!free_before)
        free_before = memory_free();
    ASSERT(memory_free() + play_traced() + 40 > free_before);
}
