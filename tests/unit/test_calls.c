// sources: whole
/* SPDX-License-Identifier: GPL-2.0-only */
/* Hypercalls from their registers to what they change, on the whole machine of whole_world.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "whole_world.h"

#include <xen/arch-x86/xen-mca.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/physdev.h>
#include <xen/platform.h>

#define AT     (WINDOW_VA + 0x1000) /* the structure of a call */
#define LIST   (WINDOW_VA + 0x2000) /* and what it points to */
#define LIST_2 (WINDOW_VA + 0x3000)
#define list   ((u64 *)window_at(LIST))
#define list_2 ((u64 *)window_at(LIST_2))

static s64 ask(u32 who, u64 number, u64 a0, u64 a1, u64 a2)
{
    const u64 args[5] = {a0, a1, a2};

    return world_call(who, number, args, false);
}
/* Puts *op where the call finds it, and takes it back. */
#define ASK(who, number, a0, op)                    \
    ({                                              \
        memcpy(window_at(AT), (op), sizeof(*(op))); \
        s64 answer_ = ask(who, number, a0, AT, 0);  \
        memcpy((op), window_at(AT), sizeof(*(op))); \
        answer_;                                    \
    })
#define ASK_1(who, number, op)                      \
    ({                                              \
        memcpy(window_at(AT), (op), sizeof(*(op))); \
        s64 answer_ = ask(who, number, AT, 0, 0);   \
        memcpy((op), window_at(AT), sizeof(*(op))); \
        answer_;                                    \
    })
#define HANDLE(field, address) ((field).p = (void *)(address))

static int setup(void **state)
{
    (void)state;
    world_begin();
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    world_finish();
    return 0;
}

/* Frames for frames, of other sizes: what goes in is the machine's again, what comes out is told.
 */
static void exchange(void **state)
{
    struct xen_memory_exchange x = {
        .in = {.nr_extents = 4, .domid = DOMID_SELF},
        .out = {.nr_extents = 1, .extent_order = 2, .domid = DOMID_SELF}};
    u64 count = world_domains[1]->frames.frames.count;

    (void)state;
    HANDLE(x.in.extent_start, LIST);
    HANDLE(x.out.extent_start, LIST_2);
    for (u32 i = 0; i < 4; i++)
        list[i] = world_pages[1][4 + i];
    list_2[0] = 0x55;
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_exchange, &x), 0);
    assert_int_equal(x.nr_exchanged, 4);
    assert_int_equal(world_domains[1]->frames.frames.count, count);
    for (u32 i = 0; i < 4; i++)
        assert_int_equal(m2p_get(mfn(list_2[0] + i)), 0x55 + i);
    /* Back, one by one, in pieces; then what is not its own: nothing changes. */
    x = (struct xen_memory_exchange){
        .in = {.nr_extents = 1, .extent_order = 2, .domid = DOMID_SELF},
        .out = {.nr_extents = 4, .domid = DOMID_SELF}};
    HANDLE(x.in.extent_start, LIST);
    HANDLE(x.out.extent_start, LIST_2);
    list[0] = list_2[0];
    host_cpu_local.work = 1;
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_exchange, &x), 0);
    host_cpu_local.work = 0;
    x.nr_exchanged = 0;
    list[0] = world_pages[0][5];
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_exchange, &x), -EINVAL);
    x.out.nr_extents = 3;
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_exchange, &x), -EINVAL);
    x.in.extent_order = 10;
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_exchange, &x), -EPERM);
    x = (struct xen_memory_exchange){.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                     .out = {.nr_extents = 1, .domid = DOMID_SELF}};
    assert_int_equal(ASK(2, __HYPERVISOR_memory_op, XENMEM_exchange, &x), -EOPNOTSUPP);
    assert_int_equal(world_domains[1]->frames.frames.count, count);
}

static void reservations(void **state)
{
    struct xen_memory_reservation r = {.nr_extents = 3, .domid = DOMID_SELF};
    struct domain *d = world_domains[1];
    u64 count = d->frames.frames.count;

    (void)state;
    HANDLE(r.extent_start, LIST);
    list[0] = 0x100, list[1] = 0x101, list[2] = 0x102;
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_populate_physmap, &r), 3);
    assert_int_equal(d->frames.frames.count, count + 3);
    assert_int_equal(m2p_get(mfn(list[1])), 0x101);
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r), 3);
    assert_int_equal(d->frames.frames.count, count);
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_increase_reservation, &r), 3);
    /* Those of a translated one are where it says; not others'. */
    list[0] = 0x100, list[1] = 0x101, list[2] = 3;
    assert_int_equal(ASK(2, __HYPERVISOR_memory_op, XENMEM_populate_physmap, &r), 2);
    list[2] = 0x9999;
    assert_int_equal(ASK(2, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r), 2);
    r.mem_flags = XENMEMF_address_bits(12);
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_increase_reservation, &r), 0);
    r.mem_flags = XENMEMF_address_bits(22);
    assert_true(ASK(1, __HYPERVISOR_memory_op, XENMEM_increase_reservation, &r) <= 3);
    r = (struct xen_memory_reservation){.nr_extents = 100, .domid = d->id};
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_claim_pages, &r), 0);
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_claim_pages, &r), -EPERM);
    r.nr_extents = 0;
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_claim_pages, &r), 0);
    r.mem_flags = 1;
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_claim_pages, &r), -EINVAL);
}

static void physmap(void **state)
{
    struct xen_add_to_physmap add = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = 0x200};
    struct xen_add_to_physmap_batch batch = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn, .size = 2};
    struct xen_remove_from_physmap gone = {.domid = DOMID_SELF, .gpfn = 0x200};
    struct domain *d = world_domains[2];

    (void)state;
    assert_int_equal(ASK(2, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add), 0);
    assert_true(p2m_lookup(d->p2m, 0x200).frame.raw == virt_to_mfn(d->shared_info).raw);
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add), -EACCES);
    add.idx = 1;
    assert_int_equal(ASK(2, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add), -EINVAL);
    add.idx = 0;
    add.space = XENMAPSPACE_grant_table;
    add.gpfn = 0x201;
    assert_int_equal(ASK(2, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add), 0);
    add.idx = XENMAPIDX_grant_table_status;
    assert_true(ASK(2, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add) < 0);
    add.space = 77;
    assert_int_equal(ASK(2, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add), -EOPNOTSUPP);
    HANDLE(batch.idxs, LIST);
    HANDLE(batch.gpfns, LIST_2);
    HANDLE(batch.errs, LIST_2 + 0x100);
    list[0] = 5, list[1] = 0x777;
    list_2[0] = 0x300, list_2[1] = 0x301;
    assert_int_equal(ASK(2, __HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, &batch), 0);
    assert_int_equal(*(s32 *)window_at(LIST_2 + 0x100), 0);
    assert_true(*(s32 *)window_at(LIST_2 + 0x104) < 0);
    assert_int_equal(p2m_lookup(d->p2m, 5).kind, P2M_NONE);
    assert_int_equal(p2m_lookup(d->p2m, 0x300).kind, P2M_RAM);
    batch.space = XENMAPSPACE_gmfn_foreign;
    assert_int_equal(ASK(2, __HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, &batch),
                     -EOPNOTSUPP);
    assert_int_equal(ASK(2, __HYPERVISOR_memory_op, XENMEM_remove_from_physmap, &gone), 0);
    assert_int_equal(p2m_lookup(d->p2m, 0x200).kind, P2M_NONE);
}

static void resources(void **state)
{
    struct xen_mem_acquire_resource r = {.type = XENMEM_resource_grant_table};

    (void)state;
    r.domid = world_domains[1]->id;
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_acquire_resource, &r), 0);
    assert_int_equal(r.nr_frames, 4);
    HANDLE(r.frame_list, LIST);
    host_cpu_local.work = 1;
    r.nr_frames = 2;
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_acquire_resource, &r), 0);
    host_cpu_local.work = 0;
    assert_true(list[0] && list[1] && list[0] != list[1]);
    r.nr_frames = 5;
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_acquire_resource, &r), -EINVAL);
    r.id = 7;
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_acquire_resource, &r), -EINVAL);
    r.type = XENMEM_resource_ioreq_server;
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_acquire_resource, &r), -EOPNOTSUPP);
    r.domid = world_domains[2]->id;
    r.id = 0;
    r.nr_frames = 1;
    assert_true(ASK(0, __HYPERVISOR_memory_op, XENMEM_acquire_resource, &r) < 0);
    r.domid = DOMID_SELF;
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_acquire_resource, &r), -EPERM);
    r.domid = world_domains[0]->id;
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_acquire_resource, &r), -EPERM);
}

static void maps(void **state)
{
    struct xen_foreign_memory_map f = {.map.nr_entries = 2};
    struct xen_memory_map m = {.nr_entries = 5};
    struct xen_reserved_device_memory_map rdm = {.nr_entries = 3};
    struct xen_vnuma_topology_info v = {.domid = DOMID_SELF};

    (void)state;
    f.domid = world_domains[1]->id;
    HANDLE(f.map.buffer, LIST);
    HANDLE(m.buffer, LIST_2);
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_memory_map, &m), -ENOSYS);
    list[0] = 0x1234;
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_set_memory_map, &f), 0);
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_memory_map, &m), 0);
    assert_true(m.nr_entries == 2 && list_2[0] == 0x1234);
    f.map.nr_entries = 5000;
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_set_memory_map, &f), -EINVAL);
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_machine_memory_map, &m), -EPERM);
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_machine_memory_map, &m), 0);
    assert_int_equal(m.nr_entries, memory_region_count);
    m.nr_entries = 1;
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_machine_memory_map, &m), -EINVAL);
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_reserved_device_memory_map, &rdm), 0);
    assert_int_equal(rdm.nr_entries, 0);
    rdm.flags = 2;
    assert_int_equal(ASK(0, __HYPERVISOR_memory_op, XENMEM_reserved_device_memory_map, &rdm),
                     -EINVAL);
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_get_vnumainfo, &v), -EOPNOTSUPP);
    v.pad = 1;
    assert_int_equal(ASK(1, __HYPERVISOR_memory_op, XENMEM_get_vnumainfo, &v), -EINVAL);
}

/* Firmware's services and facts; each call in the form dom0's kernel gives it. */
static void firmware(void **state)
{
    struct xen_platform_op op = {.cmd = XENPF_efi_runtime_call,
                                 .interface_version = XENPF_INTERFACE_VERSION};
    struct xenpf_efi_runtime_call *call = &op.u.efi_runtime_call;

    (void)state;
    for (u32 function = 0; function < 16; function++)
        for (u32 seed = 0; seed < 8; seed++) {
            memset(call, 0, sizeof(*call));
            call->function = function;
            HANDLE(call->u.get_variable.name, LIST);
            call->u.get_variable.size = 8;
            HANDLE(call->u.get_variable.data, LIST_2);
            if (function == XEN_EFI_get_next_variable_name)
                HANDLE(call->u.get_next_variable_name.name, LIST);
            world_seed = seed;
            (void)ASK_1(0, __HYPERVISOR_platform_op, &op);
        }
    call->function = XEN_EFI_set_variable;
    call->u.get_variable.size = 1UL << 40;
    assert_int_equal(ASK_1(0, __HYPERVISOR_platform_op, &op), -E2BIG);
    op.cmd = XENPF_firmware_info;
    for (u32 type = 0; type < 8; type++)
        for (u32 index = 0; index < 10; index++) {
            memset(&op.u, 0, sizeof(op.u));
            op.u.firmware_info.type = type;
            op.u.firmware_info.index = index;
            if (index == XEN_FW_EFI_VENDOR) {
                op.u.firmware_info.u.efi_info.vendor.bufsz = 64;
                HANDLE(op.u.firmware_info.u.efi_info.vendor.name, LIST);
            }
            if (index == XEN_FW_EFI_MEM_INFO)
                op.u.firmware_info.u.efi_info.mem.addr = 0x701000;
            (void)ASK_1(0, __HYPERVISOR_platform_op, &op);
        }
    assert_int_equal(*(u16 *)window_at(LIST), 'T');
    for (op.cmd = 0; op.cmd < 70; op.cmd++) {
        memset(&op.u, 0, sizeof(op.u));
        op.u.getidletime.cpumap_nr_cpus = 9;
        HANDLE(op.u.getidletime.cpumap_bitmap, LIST);
        HANDLE(op.u.getidletime.idletime, LIST_2);
        if (op.cmd == XENPF_enter_acpi_sleep || op.cmd == XENPF_settime64)
            memset(&op.u, 0, sizeof(op.u));
        (void)ASK_1(0, __HYPERVISOR_platform_op, &op);
    }
}

static void parameters(void **state)
{
    struct xen_hvm_param p = {.domid = DOMID_SELF};
    struct xen_hvm_evtchn_upcall_vector up = {.vector = 0x40};
    static const u32 refused[] = {HVM_PARAM_NESTEDHVM, HVM_PARAM_ALTP2M, HVM_PARAM_VIRIDIAN};

    (void)state;
    p.domid = world_domains[2]->id;
    for (p.index = 0; p.index <= HVM_NR_PARAMS; p.index++) {
        p.value = 0;
        assert_true(ASK(0, __HYPERVISOR_hvm_op, HVMOP_set_param, &p) ==
                    (p.index < HVM_NR_PARAMS ? 0 : -EINVAL));
        p.value = 99;
        if (p.index < HVM_NR_PARAMS) {
            assert_int_equal(ASK(0, __HYPERVISOR_hvm_op, HVMOP_get_param, &p), 0);
            assert_int_equal(p.value, 0);
        }
    }
    for (u32 i = 0; i < ARRAY_SIZE(refused); i++) {
        p.index = refused[i];
        p.value = 1;
        assert_int_equal(ASK(0, __HYPERVISOR_hvm_op, HVMOP_set_param, &p), -EINVAL);
    }
    p.index = HVM_PARAM_TRIPLE_FAULT_REASON;
    p.value = 200;
    assert_int_equal(ASK(0, __HYPERVISOR_hvm_op, HVMOP_set_param, &p), -EINVAL);
    p.domid = DOMID_SELF;
    assert_int_equal(ASK(2, __HYPERVISOR_hvm_op, HVMOP_set_param, &p), -EPERM);
    p.index = HVM_PARAM_CALLBACK_IRQ;
    p.value = 2UL << 56 | 0x41;
    assert_int_equal(ASK(2, __HYPERVISOR_hvm_op, HVMOP_set_param, &p), 0);
    assert_int_equal(ASK(1, __HYPERVISOR_hvm_op, HVMOP_set_param, &p), -EINVAL);
    assert_int_equal(ASK(2, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &up), 0);
    up.vcpu = 9;
    assert_int_equal(ASK(2, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &up), -ENOENT);
    up.vector = 3;
    assert_int_equal(ASK(2, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &up), -EINVAL);
    assert_int_equal(ask(2, __HYPERVISOR_hvm_op, 99, AT, 0), -ENOSYS);
}

static s64 control(struct xen_domctl *op, u32 cmd, u32 n)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = n < 3 ? world_domains[n]->id : (domid_t)n;
    return ASK_1(0, __HYPERVISOR_domctl, op);
}

/* What saving and restoring a PV vCPU takes: context, extended context, extended state, MSRs. */
static void contexts(void **state)
{
    struct xen_domctl op = {0};
    struct vcpu_guest_context *c = window_at(LIST);

    (void)state;
    HANDLE(op.u.vcpucontext.ctxt, LIST);
    assert_int_equal(control(&op, XEN_DOMCTL_getvcpucontext, 1), 0);
    assert_int_equal(c->ctrlreg[3] >> 12, world_pages[1][0]);
    assert_int_equal(control(&op, XEN_DOMCTL_setvcpucontext, 1), 0);
    c->user_regs.rip = 1UL << 55;
    assert_int_equal(control(&op, XEN_DOMCTL_setvcpucontext, 1), -EINVAL);
    HANDLE(op.u.vcpucontext.ctxt, 0);
    assert_int_equal(control(&op, XEN_DOMCTL_setvcpucontext, 1), 0); /* as never initialised */
    memset(&op, 0, sizeof(op));
    assert_int_equal(control(&op, XEN_DOMCTL_get_ext_vcpucontext, 1), 0);
    assert_int_equal(control(&op, XEN_DOMCTL_set_ext_vcpucontext, 1), 0);
    op.u.ext_vcpucontext.syscall32_callback_eip = 1UL << 60;
    assert_int_equal(control(&op, XEN_DOMCTL_set_ext_vcpucontext, 1), -EINVAL);
    op.u.ext_vcpucontext.size = 2;
    assert_int_equal(control(&op, XEN_DOMCTL_set_ext_vcpucontext, 1), -EINVAL);
    assert_int_equal(control(&op, XEN_DOMCTL_get_ext_vcpucontext, 2), -EINVAL);
    memset(&op, 0, sizeof(op));
    assert_int_equal(control(&op, XEN_DOMCTL_getvcpuextstate, 1), 0);
    HANDLE(op.u.vcpuextstate.buffer, LIST);
    assert_int_equal(control(&op, XEN_DOMCTL_getvcpuextstate, 1), 0);
    assert_int_equal(control(&op, XEN_DOMCTL_setvcpuextstate, 1), 0);
    op.u.vcpuextstate.size = 3;
    assert_true(control(&op, XEN_DOMCTL_setvcpuextstate, 1) < 0);
    memset(&op, 0, sizeof(op));
    assert_int_equal(control(&op, XEN_DOMCTL_get_vcpu_msrs, 1), 0);
    HANDLE(op.u.vcpu_msrs.msrs, LIST);
    assert_int_equal(control(&op, XEN_DOMCTL_get_vcpu_msrs, 1), 0);
    assert_int_equal(control(&op, XEN_DOMCTL_set_vcpu_msrs, 1), 0);
    op.u.vcpu_msrs.msr_count = 1;
    list[0] = 0x1234567;
    list[1] = 9;
    (void)control(&op, XEN_DOMCTL_set_vcpu_msrs, 1);
    memset(&op, 0, sizeof(op));
    for (u32 trigger = 0; trigger < 6; trigger++)
        for (u32 n = 1; n < 3; n++) {
            op.u.sendtrigger.trigger = trigger;
            (void)control(&op, XEN_DOMCTL_sendtrigger, n);
        }
    memset(&op, 0, sizeof(op));
    op.u.max_vcpus.max = 2;
    assert_int_equal(control(&op, XEN_DOMCTL_max_vcpus, 1), 0);
    op.u.max_vcpus.max = 3;
    assert_int_equal(control(&op, XEN_DOMCTL_max_vcpus, 1), -EINVAL);
    memset(&op, 0, sizeof(op));
    assert_int_equal(control(&op, XEN_DOMCTL_getvcpuinfo, 1), 0);
    op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT;
    op.u.vcpuaffinity.cpumap_hard.nr_bits = op.u.vcpuaffinity.cpumap_soft.nr_bits = 8;
    HANDLE(op.u.vcpuaffinity.cpumap_hard.bitmap, LIST);
    HANDLE(op.u.vcpuaffinity.cpumap_soft.bitmap, LIST);
    assert_int_equal(control(&op, XEN_DOMCTL_getvcpuaffinity, 1), 0);
    assert_int_equal(control(&op, XEN_DOMCTL_setvcpuaffinity, 1), 0);
    op.u.vcpuaffinity.flags = 0;
    assert_true(control(&op, XEN_DOMCTL_setvcpuaffinity, 1) < 0);
}

static void pools(void **state)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_cpupool_op,
                            .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
    struct xen_sysctl_cpupool_op *p = &op.u.cpupool_op;
    struct xen_sysctl_scheduler_op *s = &op.u.scheduler_op;

    (void)state;
    for (p->op = 0; p->op < 10; p->op++) {
        p->sched_id = 5;
        p->cpupool_id = 1000;
        (void)ASK_1(0, __HYPERVISOR_sysctl, &op);
    }
    *p = (struct xen_sysctl_cpupool_op){
        .op = XEN_SYSCTL_CPUPOOL_OP_CREATE, .cpupool_id = ~0U, .sched_id = OUR_SCHEDULER};
    assert_int_equal(ASK_1(0, __HYPERVISOR_sysctl, &op), 0);
    p->op = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN; /* it has no CPU */
    p->domid = world_domains[1]->id;
    assert_true(ASK_1(0, __HYPERVISOR_sysctl, &op) < 0);
    p->cpupool_id = 0;
    assert_int_equal(ASK_1(0, __HYPERVISOR_sysctl, &op), 0);
    p->op = XEN_SYSCTL_CPUPOOL_OP_INFO;
    p->cpumap.nr_bits = 64;
    HANDLE(p->cpumap.bitmap, LIST);
    assert_int_equal(ASK_1(0, __HYPERVISOR_sysctl, &op), 0);
    assert_true(p->n_dom >= 3 && list[0] == 1);
    p->op = XEN_SYSCTL_CPUPOOL_OP_FREEINFO;
    assert_int_equal(ASK_1(0, __HYPERVISOR_sysctl, &op), 0);
    op.cmd = XEN_SYSCTL_scheduler_op;
    for (u32 cmd = 0; cmd < 3; cmd++)
        for (u32 limit = 0; limit < 3; limit++) {
            *s = (struct xen_sysctl_scheduler_op){.sched_id = OUR_SCHEDULER, .cmd = cmd};
            s->u.sched_credit2.ratelimit_us = limit * 1000;
            assert_true(ASK_1(0, __HYPERVISOR_sysctl, &op) == (cmd < 2 ? 0 : -EINVAL));
        }
    s->cpupool_id = 55;
    assert_int_equal(ASK_1(0, __HYPERVISOR_sysctl, &op), -ESRCH);
    op.cmd = XEN_SYSCTL_tbuf_op;
    for (u32 cmd = 0; cmd < 8; cmd++) {
        op.u.tbuf_op = (struct xen_sysctl_tbuf_op){.cmd = cmd, .evt_mask = ~0U, .size = 1};
        op.u.tbuf_op.cpu_mask.nr_bits = 8;
        HANDLE(op.u.tbuf_op.cpu_mask.bitmap, LIST);
        (void)ASK_1(0, __HYPERVISOR_sysctl, &op);
    }
}

static void machine_checks(void **state)
{
    struct xen_mc op = {.interface_version = XEN_MCA_INTERFACE_VERSION};

    (void)state;
    op.cmd = XEN_MC_fetch;
    assert_int_equal(ASK_1(0, __HYPERVISOR_mca, &op), 0);
    op.cmd = XEN_MC_physcpuinfo;
    op.u.mc_physcpuinfo.ncpus = 8;
    assert_int_equal(ASK_1(0, __HYPERVISOR_mca, &op), 0);
    assert_int_equal(op.u.mc_physcpuinfo.ncpus, 1);
    HANDLE(op.u.mc_physcpuinfo.info, LIST);
    assert_int_equal(ASK_1(0, __HYPERVISOR_mca, &op), 0);
    op.cmd = 9;
    assert_int_equal(ASK_1(0, __HYPERVISOR_mca, &op), -EOPNOTSUPP);
    assert_int_equal(ASK_1(1, __HYPERVISOR_mca, &op), -EPERM);
}

/* A port instruction of dom0's kernel and of a guest's. */
static u64 port_instruction(u32 n, const char *code, u64 port, u64 value)
{
    struct cpu_user_regs *r = guest_regs();

    current = world_domains[n]->vcpus[0];
    memcpy(window_at(LIST), code, 4);
    *r = (struct cpu_user_regs){.rip = LIST,
                                .rsp = WINDOW_VA + 0x7000,
                                .cs = GUEST_CS64,
                                .rax = value,
                                .rdx = port,
                                .rdi = LIST_2,
                                .rsi = LIST_2,
                                .rcx = 3,
                                .rflags = 0x202,
                                .entry_vector = VECTOR_GP};
    guest_trap(r);
    return r->rax;
}

static void ports(void **state)
{
    struct physdev_set_iopl iopl = {1};

    (void)state;
    assert_int_equal(ASK(0, __HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, &iopl), 0);
    assert_int_equal(ASK(1, __HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, &iopl), 0);
    assert_int_equal(rangeset_add(&world_domains[0]->io_ports, 0x30, 0xffff), 0);
    assert_int_equal(port_instruction(0, "\xec\x90\x90", 0x70, 0), (u8)world_any(0x70));
    assert_int_equal(port_instruction(0, "\xec\x90\x90", 0x20, 0) & 0xff, 0xff); /* ours */
    assert_int_equal(port_instruction(1, "\xed\x90\x90", 0x70, 0), ~0U);
    for (u32 n = 0; n < 2; n++)
        for (u32 port = 0xcf0; port < 0xd00; port++) {
            (void)port_instruction(n, "\xec\x90\x90", port, 0);
            (void)port_instruction(n, "\xee\x90\x90", port, 5);
            (void)port_instruction(n, "\xef\x90\x90", port, 0x80000010);
            (void)port_instruction(n, "\xed\x90\x90", port, 0);
            (void)port_instruction(n, "\xf3\x6c\x90", port, 0);
            (void)port_instruction(n, "\xf3\x6f\x90", port, 0);
            (void)port_instruction(n, "\xe4\x71\x90", port, 0);
        }
}

/* All keys, on a machine with guests of every kind that have something to show. */
static void keys(void **state)
{
    (void)state;
    for (u32 key = 0; key < 128; key++)
        if (world_keys[key])
            world_keys[key]((unsigned char)key);
}

/* What a PV kernel may ask of its tables and descriptors, with good and bad arguments. */
static void extended_operations(void **state)
{
    struct mmuext_op op = {0};
    u64 gdt = world_pages[1][5];

    (void)state;
    for (u32 cmd = 0; cmd < 24; cmd++)
        for (u32 what = 0; what < 6; what++) {
            op.cmd = cmd;
            op.arg1.mfn = what < 4 ? world_pages[1][1 + what] : what == 4 ? ~0UL : WINDOW_VA;
            op.arg2.nr_ents = what;
            if (cmd == MMUEXT_COPY_PAGE)
                op.arg2.src_mfn = world_pages[1][7];
            memcpy(window_at(AT), &op, sizeof(op));
            const u64 args[5] = {AT, 1, LIST, what == 3 ? world_domains[0]->id : DOMID_SELF, 0};
            (void)world_call(1, __HYPERVISOR_mmuext_op, args, false);
            /* Nothing stays pinned that the next round wants otherwise. */
            op.cmd = MMUEXT_UNPIN_TABLE;
            memcpy(window_at(AT), &op, sizeof(op));
            (void)world_call(1, __HYPERVISOR_mmuext_op, args, false);
        }
    list[0] = gdt;
    assert_int_equal(ask(1, __HYPERVISOR_set_gdt, LIST, 512, 0), 0);
    assert_int_equal(
        ask(1, __HYPERVISOR_update_descriptor, gdt << 12 | 0x18, 0xaffa000000ffffUL, 0), 0);
    assert_int_equal(ask(1, __HYPERVISOR_update_descriptor, gdt << 12 | 0x18,
                         0x00c09b0000000000UL & ~BIT(44), 0),
                     -EINVAL);
    assert_int_equal(ask(1, __HYPERVISOR_update_descriptor, gdt << 12 | 0x19, 0, 0), -EINVAL);
    assert_int_equal(ask(1, __HYPERVISOR_set_gdt, LIST, 9000, 0), -EINVAL);
    assert_int_equal(ask(1, __HYPERVISOR_set_gdt, LIST, 0, 0), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(exchange),
        CASE(reservations),
        CASE(physmap),
        CASE(resources),
        CASE(maps),
        CASE(firmware),
        CASE(parameters),
        CASE(contexts),
        CASE(pools),
        CASE(machine_checks),
        CASE(ports),
        CASE(keys),
        CASE(extended_operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
