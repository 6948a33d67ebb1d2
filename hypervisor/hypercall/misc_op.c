/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small calls: vm_assist, the performance-counter call (none offered), the
 * machine-check call (counts processors, has no errors to tell), and the
 * hypercall page.
 */
#include "hypercall/control.h"

#include <xen/arch-x86/xen-mca.h>

#define ASSISTS                                                                 \
    (BIT(VMASST_TYPE_4gb_segments) | BIT(VMASST_TYPE_4gb_segments_notify) |     \
     BIT(VMASST_TYPE_writable_pagetables) | BIT(VMASST_TYPE_pae_extended_cr3) | \
     BIT(VMASST_TYPE_architectural_iopl) | BIT(VMASST_TYPE_runstate_update_flag))

s64 hypercall_vm_assist(u64 command, u64 type, u64, u64, u64)
{
    struct domain *d = current->domain;

    command = (u32)command;
    type = (u32)type;
    /* The M2P is always readable where the interface puts it: nothing to turn on. */
    if (type == VMASST_TYPE_m2p_strict && command <= VMASST_CMD_disable)
        return 0;
    if (type >= 32 || !(ASSISTS & BIT(type)))
        return reject(-EINVAL, "no such assist");
    switch (command) {
    case VMASST_CMD_enable:
        atomic_or(&d->vm_assist, (u32)BIT(type));
        return 0;
    case VMASST_CMD_disable:
        atomic_and(&d->vm_assist, ~(u32)BIT(type));
        return 0;
    default:
        return reject(-ENOSYS, "assist neither enabled nor disabled");
    }
}

s64 hypercall_xenpmu_op(u64, u64, u64, u64, u64)
{
    return reject(-EOPNOTSUPP, "no virtual performance counters");
}

/* The list of processors; without a list, their number. */
static s64 mca_processors(struct xen_mc_physcpuinfo *op)
{
    struct mcinfo_logical_cpu *info __heap_freed = NULL;
    u64 list = handle_address(op->info);
    u32 count = list ? MIN(op->ncpus, cpus_online_count) : 0;

    op->ncpus = cpus_online_count;
    if (!count)
        return 0;
    info = heap_zalloc(sizeof(*info));
    if (!info)
        return reject(-ENOMEM, "no memory for a processor record");
    for (u32 i = 0; i < count; i++) {
        info->mc_cpunr = i;
        TRY(guest_copy_out_at(list, i, info, sizeof(*info)));
    }
    op->ncpus = count;
    return 0;
}

s64 hypercall_mca(u64 arg, u64, u64, u64, u64)
{
    struct xen_mc op;

    TRY(control_request(&op, arg, sizeof(op), XEN_MCA_INTERFACE_VERSION));
    switch (op.cmd) {
    case XEN_MC_fetch:
        op.u.mc_fetch.flags = XEN_MC_NODATA;
        op.u.mc_fetch.fetch_id = 0;
        break;
    case XEN_MC_physcpuinfo:
        TRY(mca_processors(&op.u.mc_physcpuinfo));
        break;
    default:
        return reject(-EOPNOTSUPP, "machine check operation not offered");
    }
    return guest_copy_out(arg, &op, sizeof(op));
}

void hypercall_page_fill(void *page)
{
    /* push rcx; push r11; mov eax, N; syscall; pop r11; pop rcx; ret */
    static const u8 stub[] = {0x51, 0x41, 0x53, 0xb8, 0,    0,    0,
                              0,    0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3};
    /* iret does not come back; it takes rax, r11 and rcx from the top of the frame. */
    static const u8 stub_iret[] = {0x51, 0x41, 0x53, 0x50, 0xb8, __HYPERVISOR_iret,
                                   0,    0,    0,    0x0f, 0x05};

    memset(page, 0xcc, PAGE_SIZE);
    for (u32 n = 0; n < PAGE_SIZE / 32; n++) {
        u8 *at = (u8 *)page + n * 32;
        memcpy(at, stub, sizeof(stub));
        at[4] = n;
        if (n == __HYPERVISOR_iret)
            memcpy(at, stub_iret, sizeof(stub_iret));
    }
}
