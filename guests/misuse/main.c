/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control calls used wrongly, one argument at a time, on a domain that is being built and on
 * one that is dead but for a frame which we map: each gives the errno of the interface, the
 * domain stays whole, and when it goes nothing of it is left.
 */
#include "control.h"

#define HV_POINTER 0xffff830000000000UL
#define GARBAGE    0xfffffffffffff123UL /* neither frame nor pointer nor count */
#define FRAMES     64

static u32 victim;
static xen_pfn_t frames[FRAMES];
static u8 scratch[64 * PAGE_SIZE] __aligned_to(PAGE_SIZE); /* the second half is not mapped */
static bool stock;

#define DOMCTL(what, want, ...)                                      \
    ({                                                               \
        struct xen_domctl op = {0};                                  \
        __VA_ARGS__;                                                 \
        CHECK_EQUAL(domctl(XEN_DOMCTL_##what, victim, &op), (want)); \
    })
#define HANDLE(where, value) set_xen_guest_handle(where, (void *)(value))

static void make_victim(void)
{
    struct xen_memory_reservation r = {.nr_extents = FRAMES};
    s64 id = domain_create(1, 4096);

    CHECK(id > 0);
    victim = (u32)id;
    for (u64 i = 0; i < FRAMES; i++)
        frames[i] = i;
    r.domid = (domid_t)id;
    set_xen_guest_handle(r.extent_start, frames);
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r), FRAMES);
}

static void test_figures(void)
{
    DOMCTL(max_vcpus, -EINVAL, op.u.max_vcpus.max = 0);
    DOMCTL(max_vcpus, -EINVAL, op.u.max_vcpus.max = 2);
    DOMCTL(max_vcpus, -EINVAL, op.u.max_vcpus.max = ~0u);
    DOMCTL(max_mem, 0, op.u.max_mem.max_memkb = ~0UL);
    DOMCTL(max_mem, 0, op.u.max_mem.max_memkb = 0);
    DOMCTL(max_mem, 0, op.u.max_mem.max_memkb = 4096);
    DOMCTL(getvcpuinfo, -EINVAL, op.u.getvcpuinfo.vcpu = ~0u);
    DOMCTL(settscinfo, -EINVAL, op.u.tsc_info.tsc_mode = 9);
    DOMCTL(set_address_size, -EINVAL, op.u.address_size.size = 17);
    DOMCTL(sendtrigger, -ENOSYS, op.u.sendtrigger.trigger = 77);
    DOMCTL(sendtrigger, -ESRCH, op.u.sendtrigger.vcpu = 9);
    DOMCTL(set_virq_handler, -EINVAL, op.u.set_virq_handler.virq = 255);
    DOMCTL(subscribe, 0, op.u.subscribe.port = ~0u);
    DOMCTL(subscribe, 0, op.u.subscribe.port = 0);
    DOMCTL(scheduler_op, -EINVAL, op.u.scheduler_op.sched_id = 99);
    DOMCTL(scheduler_op, -EINVAL, op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
           op.u.scheduler_op.cmd = 99);
    /* A shift of time that overflows when counted in ns. */
    if (!stock) {
        DOMCTL(settimeoffset, -EINVAL, op.u.settimeoffset.time_offset_seconds = INT64_MAX);
        DOMCTL(settimeoffset, -EINVAL, op.u.settimeoffset.time_offset_seconds = INT64_MIN);
    }
}

static void test_affinity(void)
{
    static u64 none, all = ~0UL;

    DOMCTL(setvcpuaffinity, -ESRCH, op.u.vcpuaffinity.vcpu = 9; op.u.vcpuaffinity.flags = 1);
    DOMCTL(setvcpuaffinity, -EINVAL, op.u.vcpuaffinity.flags = 0);
    DOMCTL(setvcpuaffinity, -EINVAL, op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
           op.u.vcpuaffinity.cpumap_hard.nr_bits = 64;
           HANDLE(op.u.vcpuaffinity.cpumap_hard.bitmap, &none));
    DOMCTL(setvcpuaffinity, -EFAULT, op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
           op.u.vcpuaffinity.cpumap_hard.nr_bits = 64;
           HANDLE(op.u.vcpuaffinity.cpumap_hard.bitmap, HV_POINTER));
    DOMCTL(getvcpuaffinity, -EFAULT, op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
           op.u.vcpuaffinity.cpumap_hard.nr_bits = 64;
           HANDLE(op.u.vcpuaffinity.cpumap_hard.bitmap, HV_POINTER));
    DOMCTL(setvcpuaffinity, 0, op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
           op.u.vcpuaffinity.cpumap_hard.nr_bits = 64;
           HANDLE(op.u.vcpuaffinity.cpumap_hard.bitmap, &all));
    DOMCTL(setnodeaffinity, -EFAULT, op.u.nodeaffinity.nodemap.nr_bits = 64;
           HANDLE(op.u.nodeaffinity.nodemap.bitmap, HV_POINTER));
    none = 0;
    DOMCTL(setnodeaffinity, -EINVAL, op.u.nodeaffinity.nodemap.nr_bits = 64;
           HANDLE(op.u.nodeaffinity.nodemap.bitmap, &none));
}

static void test_access(void)
{
    DOMCTL(ioport_permission, -EINVAL, op.u.ioport_permission.first_port = 65535;
           op.u.ioport_permission.nr_ports = 2; op.u.ioport_permission.allow_access = 1);
    DOMCTL(ioport_permission, -EINVAL, op.u.ioport_permission.first_port = 2;
           op.u.ioport_permission.nr_ports = ~0u; op.u.ioport_permission.allow_access = 1);
    DOMCTL(iomem_permission, -EINVAL, op.u.iomem_permission.first_mfn = ~0UL;
           op.u.iomem_permission.nr_mfns = 2; op.u.iomem_permission.allow_access = 1);
    DOMCTL(memory_mapping, -EINVAL, op.u.memory_mapping.first_mfn = ~0UL;
           op.u.memory_mapping.nr_mfns = 2; op.u.memory_mapping.add_mapping = 1);
    CHECK(stock || ({
                       struct xen_domctl op = {0};
                       op.u.iomem_permission.first_mfn = frame_of(scratch);
                       op.u.iomem_permission.nr_mfns = 1;
                       op.u.iomem_permission.allow_access = 1;
                       domctl(XEN_DOMCTL_iomem_permission, victim, &op);
                   }) == -EPERM);
    DOMCTL(hypercall_init, -EACCES, op.u.hypercall_init.gmfn = GARBAGE);
    DOMCTL(hypercall_init, -EACCES, op.u.hypercall_init.gmfn = frame_of(scratch));
    DOMCTL(hypercall_init, 0, op.u.hypercall_init.gmfn = frames[9]);
    DOMCTL(getpageframeinfo3, -E2BIG, op.u.getpageframeinfo3.num = ~0UL);
    DOMCTL(getpageframeinfo3, -EFAULT, op.u.getpageframeinfo3.num = 4;
           HANDLE(op.u.getpageframeinfo3.array, HV_POINTER));
    *(u64 *)scratch = GARBAGE;
    DOMCTL(getpageframeinfo3, 0, op.u.getpageframeinfo3.num = 1;
           HANDLE(op.u.getpageframeinfo3.array, scratch));
    CHECK_EQUAL(*(u64 *)scratch & XEN_DOMCTL_PFINFO_LTAB_MASK, XEN_DOMCTL_PFINFO_XTAB);
}

static void test_policy(void)
{
    xen_cpuid_leaf_t *leaves = (void *)scratch;

    memset(scratch, 0xff, PAGE_SIZE);
    DOMCTL(set_cpu_policy, -E2BIG, op.u.cpu_policy.nr_leaves = ~0u;
           HANDLE(op.u.cpu_policy.leaves, leaves));
    DOMCTL(set_cpu_policy, -EFAULT, op.u.cpu_policy.nr_leaves = 9;
           HANDLE(op.u.cpu_policy.leaves, HV_POINTER));
    DOMCTL(set_cpu_policy, -ERANGE, op.u.cpu_policy.nr_leaves = 9;
           HANDLE(op.u.cpu_policy.leaves, leaves));
    DOMCTL(get_cpu_policy, -EFAULT, op.u.cpu_policy.nr_leaves = 300; op.u.cpu_policy.nr_msrs = 40;
           HANDLE(op.u.cpu_policy.leaves, HV_POINTER); HANDLE(op.u.cpu_policy.msrs, scratch));
    DOMCTL(get_cpu_policy, -ENOBUFS, op.u.cpu_policy.nr_leaves = 1; op.u.cpu_policy.nr_msrs = 40;
           HANDLE(op.u.cpu_policy.leaves, leaves); HANDLE(op.u.cpu_policy.msrs, scratch));
}

static s64 set_context(u32 vcpu, const void *context)
{
    struct xen_domctl op = {0};

    op.u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, (struct vcpu_guest_context *)context);
    return domctl(XEN_DOMCTL_setvcpucontext, victim, &op);
}

static struct vcpu_guest_context *good_context(void)
{
    struct vcpu_guest_context *c = (void *)scratch;

    memset(c, 0, sizeof(*c));
    c->flags = VGCF_in_kernel | VGCF_online;
    c->ctrlreg[3] = xen_pfn_to_cr3(frames[0]); /* an empty top table */
    return c;
}

/* Cleared, so that it holds valid entries only. */
static void clear(u64 frame)
{
    struct mmuext_op op = {.cmd = MMUEXT_CLEAR_PAGE};

    op.arg1.mfn = frame;
    CHECK_EQUAL(call4(__HYPERVISOR_mmuext_op, &op, 1, 0, victim), 0);
}

#define REFUSED_CONTEXT(change)                        \
    ({                                                 \
        struct vcpu_guest_context *c = good_context(); \
        change;                                        \
        CHECK_EQUAL(set_context(0, c), -EINVAL);       \
    })

static void test_context(void)
{
    struct xen_domctl op = {0};

    for (u32 i = 0; i < 8; i++)
        clear(frames[i]);
    CHECK_EQUAL(set_context(9, good_context()), -EINVAL);
    CHECK_EQUAL(set_context(~0u, good_context()), -EINVAL);
    CHECK_EQUAL(set_context(0, (void *)HV_POINTER), -EFAULT);
    DOMCTL(getvcpucontext, -ESRCH, op.u.vcpucontext.vcpu = 9);
    DOMCTL(getvcpucontext, -ENODATA, HANDLE(op.u.vcpucontext.ctxt, scratch));
    REFUSED_CONTEXT(c->ctrlreg[3] = ~0UL);
    REFUSED_CONTEXT(c->ctrlreg[3] = xen_pfn_to_cr3(frame_of(scratch)));
    REFUSED_CONTEXT(c->ctrlreg[1] = xen_pfn_to_cr3(frame_of(scratch)));
    REFUSED_CONTEXT(c->gdt_ents = 10000);
    REFUSED_CONTEXT(c->gdt_ents = 513; c->gdt_frames[0] = frames[1]; c->gdt_frames[1] = GARBAGE);
    REFUSED_CONTEXT(c->gdt_ents = 1; c->gdt_frames[0] = frame_of(scratch));
    REFUSED_CONTEXT(c->ldt_ents = ~0u; c->ldt_base = 0x1000);
    if (!stock) { /* it puts others in their place instead of refusing them */
        REFUSED_CONTEXT(c->user_regs.rip = 0x8000000000000000);
        REFUSED_CONTEXT(c->event_callback_eip = 0x8000000000000000);
        REFUSED_CONTEXT(c->fs_base = 0x8000000000000000);
        REFUSED_CONTEXT(c->trap_ctxt[255].address = 0x8000000000000000);
    }
    /* Ring 0, I/O privilege, virtual 8086 mode: the hypervisor's own ideas of these win. */
    struct vcpu_guest_context *c = good_context();
    c->user_regs.cs = 0xe008;
    c->user_regs.ss = 0;
    c->user_regs.rflags = ~0UL;
    c->debugreg[7] = ~0UL;
    memset(&c->fpu_ctxt, 0xff, sizeof(c->fpu_ctxt));
    c->flags |= VGCF_i387_valid;
    CHECK_EQUAL(set_context(0, c), 0);
    memset(scratch, 0, PAGE_SIZE);
    DOMCTL(getvcpucontext, 0, HANDLE(op.u.vcpucontext.ctxt, scratch));
    CHECK_EQUAL(c->user_regs.cs & 3, 3);
    CHECK_EQUAL(c->user_regs.ss & 3, 3);
    CHECK_EQUAL(c->user_regs.rflags & 0x24000, 0);
    DOMCTL(getvcpucontext, -EFAULT, HANDLE(op.u.vcpucontext.ctxt, HV_POINTER));
    if (stock)
        return;
    /* A vCPU that has lost its context is down, whatever it was before. */
    CHECK_EQUAL(set_context(0, NULL), 0);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, victim), 0);
    CHECK_EQUAL(domctl(XEN_DOMCTL_getvcpuinfo, victim, &op), 0);
    CHECK_EQUAL(op.u.getvcpuinfo.online, 0);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_pausedomain, victim), 0);
    CHECK_EQUAL(set_context(0, good_context()), 0);
    REFUSED_CONTEXT(c->gdt_ents = 1; c->gdt_frames[0] = GARBAGE);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, victim), 0);
    CHECK_EQUAL(domctl(XEN_DOMCTL_getvcpuinfo, victim, &op), 0);
    CHECK_EQUAL(op.u.getvcpuinfo.online, 0);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_pausedomain, victim), 0);
}

static void test_state(void)
{
    memset(scratch, 0xff, 4 * PAGE_SIZE);
    DOMCTL(setvcpuextstate, -ESRCH, op.u.vcpuextstate.vcpu = 9);
    DOMCTL(getvcpuextstate, -ESRCH, op.u.vcpuextstate.vcpu = 9);
    DOMCTL(setvcpuextstate, -EINVAL, op.u.vcpuextstate.size = 1;
           HANDLE(op.u.vcpuextstate.buffer, scratch));
    DOMCTL(setvcpuextstate, -EINVAL, op.u.vcpuextstate.size = ~0UL;
           HANDLE(op.u.vcpuextstate.buffer, scratch));
    DOMCTL(setvcpuextstate, -EFAULT, op.u.vcpuextstate.size = 848;
           HANDLE(op.u.vcpuextstate.buffer, HV_POINTER));
    DOMCTL(setvcpuextstate, -EINVAL, op.u.vcpuextstate.size = 848;
           HANDLE(op.u.vcpuextstate.buffer, scratch));
    DOMCTL(set_vcpu_msrs, -EINVAL, op.u.vcpu_msrs.msr_count = ~0u;
           HANDLE(op.u.vcpu_msrs.msrs, scratch));
    DOMCTL(set_vcpu_msrs, -EFAULT, op.u.vcpu_msrs.msr_count = 1;
           HANDLE(op.u.vcpu_msrs.msrs, HV_POINTER));
    DOMCTL(set_vcpu_msrs, -EINVAL, op.u.vcpu_msrs.msr_count = 1;
           HANDLE(op.u.vcpu_msrs.msrs, scratch));
    DOMCTL(set_ext_vcpucontext, -EINVAL, op.u.ext_vcpucontext.size = 1);
    DOMCTL(set_ext_vcpucontext, -ESRCH, op.u.ext_vcpucontext.vcpu = 9;
           op.u.ext_vcpucontext.size = sizeof(op.u.ext_vcpucontext));
}

static s64 reserve(u32 op, u64 count, u32 order, u32 flags, const void *list)
{
    struct xen_memory_reservation r = {
        .nr_extents = count, .extent_order = order, .mem_flags = flags, .domid = (domid_t)victim};

    set_xen_guest_handle(r.extent_start, (xen_pfn_t *)list);
    return call2(__HYPERVISOR_memory_op, op, &r);
}

static void test_memory(void)
{
    static const u32 ops[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
                              XENMEM_populate_physmap};
    struct xen_foreign_memory_map map = {.domid = (domid_t)victim};
    struct xen_memory_exchange exchange = {0};
    struct xen_mem_acquire_resource resource = {.domid = (domid_t)victim};
    struct mmuext_op op = {0};

    memset(scratch, 0xff, PAGE_SIZE);
    for (u32 i = 0; i < ARRAY_SIZE(ops); i++) {
        CHECK_EQUAL(reserve(ops[i], 1, 63, 0, scratch), 0);
        CHECK_EQUAL(reserve(ops[i], 1, ~0u, 0, scratch), 0);
        CHECK_EQUAL(reserve(ops[i], ~0UL, 0, 0, scratch), 0);
    }
    CHECK_EQUAL(reserve(XENMEM_decrease_reservation, 4, 0, 0, scratch), 0);
    CHECK_EQUAL(reserve(XENMEM_decrease_reservation, 4, 0, 0, (void *)HV_POINTER), 0);
    CHECK_EQUAL(reserve(XENMEM_populate_physmap, 4, 0, 0, (void *)HV_POINTER), 0);
    *(u64 *)scratch = frame_of(scratch); /* ours, not the victim's */
    CHECK_EQUAL(reserve(XENMEM_decrease_reservation, 1, 0, 0, scratch), 0);

    exchange.in.domid = exchange.out.domid = (domid_t)victim;
    exchange.in.nr_extents = 1;
    exchange.out.nr_extents = 2;
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_exchange, &exchange), -EINVAL);
    exchange.in.extent_order = exchange.out.extent_order = 40;
    exchange.out.nr_extents = 1;
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_exchange, &exchange), -EPERM);

    map.map.nr_entries = ~0u;
    CHECK(call2(__HYPERVISOR_memory_op, XENMEM_set_memory_map, &map) < 0);
    map.map.nr_entries = 1;
    set_xen_guest_handle(map.map.buffer, (void *)HV_POINTER);
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_set_memory_map, &map), -EFAULT);
    CHECK(reserve(XENMEM_claim_pages, 1 << 30, 0, 0, NULL) < 0);
    CHECK_EQUAL(reserve(XENMEM_claim_pages, 100, 5, 0, NULL), -EINVAL);
    resource.type = 99;
    resource.nr_frames = 1;
    set_xen_guest_handle(resource.frame_list, (xen_pfn_t *)scratch);
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_acquire_resource, &resource), -EOPNOTSUPP);
    resource.type = XENMEM_resource_grant_table;
    resource.frame = ~0UL;
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_acquire_resource, &resource), -EINVAL);

    for (op.cmd = MMUEXT_PIN_L1_TABLE; op.cmd <= MMUEXT_UNPIN_TABLE; op.cmd++) {
        op.arg1.mfn = GARBAGE;
        CHECK(call4(__HYPERVISOR_mmuext_op, &op, 1, 0, victim) < 0);
        op.arg1.mfn = frame_of(scratch);
        CHECK(call4(__HYPERVISOR_mmuext_op, &op, 1, 0, victim) < 0);
        if (op.cmd == MMUEXT_PIN_L4_TABLE)
            op.cmd = MMUEXT_UNPIN_TABLE - 1;
    }
}

/* Every operation with every word the same: none of these may do more than fail or be harmless. */
static void test_patterns(void)
{
    const u64 words[] = {0,
                         ~0UL,
                         0x8000000000000000,
                         0x7fffffffffffffff,
                         HV_POINTER,
                         1,
                         0x10,
                         (u64)scratch,
                         (u64)scratch + 31 * PAGE_SIZE + 1,
                         0xffffffff,
                         frames[9]};
    u32 wrong = 0;

    for (u32 i = 0; i < ARRAY_SIZE(words); i++)
        for (u32 cmd = 1; cmd < 100; cmd++) {
            struct xen_domctl op = {0};
            struct xen_sysctl sys = {0};
            s64 status;

            if (cmd != XEN_DOMCTL_createdomain && cmd != XEN_DOMCTL_destroydomain) {
                for (u32 k = 0; k < sizeof(op.u) / 8; k++)
                    ((u64 *)&op.u)[k] = words[i];
                status = domctl(cmd, victim, &op);
                wrong += status < -4095;
            }
            if (cmd == XEN_SYSCTL_debug_keys || cmd == XEN_SYSCTL_cpupool_op ||
                cmd == XEN_SYSCTL_tbuf_op || cmd == XEN_SYSCTL_cpu_hotplug)
                continue;
            for (u32 k = 0; k < sizeof(sys.u) / 8; k++)
                ((u64 *)&sys.u)[k] = words[i];
            status = sysctl(cmd, &sys);
            wrong += status < -4095;
        }
    CHECK_EQUAL(wrong, 0);
}

/* Dead, but we map a frame of it: what would hold more of it for ever is refused. */
static void test_zombie(void)
{
    static u8 window[PAGE_SIZE] __aligned_to(PAGE_SIZE);
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L1_TABLE};
    u64 own = pte_value(window), frame = frames[1];
    struct xen_domctl_getdomaininfo info;

    clear(frame);
    CHECK_EQUAL(call4(__HYPERVISOR_update_va_mapping_otherdomain, window,
                      frame << PAGE_SHIFT | PTE_P, UVMF_INVLPG | UVMF_LOCAL, victim),
                0);
    domain_destroy(victim);
    CHECK_EQUAL(domain_info(victim, &info), 0);
    CHECK(info.flags & XEN_DOMINF_dying);
    CHECK_EQUAL(info.tot_pages, 1);

    frames[0] = frame;
    if (!stock) { /* which undoes some of it later, and calls it a success */
        CHECK_EQUAL(set_context(0, good_context()), -EINVAL);
        CHECK_EQUAL(set_context(0, NULL), -EINVAL);
        pin.arg1.mfn = frame;
        CHECK_EQUAL(call4(__HYPERVISOR_mmuext_op, &pin, 1, 0, victim), -EINVAL);
        pin.cmd = MMUEXT_PIN_L4_TABLE;
        CHECK_EQUAL(call4(__HYPERVISOR_mmuext_op, &pin, 1, 0, victim), -EINVAL);
        CHECK_EQUAL(reserve(XENMEM_claim_pages, 500, 0, 0, NULL), -EINVAL);
        test_patterns();
    }
    CHECK_EQUAL(reserve(XENMEM_increase_reservation, 1, 0, 0, NULL), 0);
    *(u64 *)scratch = 7;
    CHECK_EQUAL(reserve(XENMEM_populate_physmap, 1, 0, 0, scratch), 0);
    CHECK(simple_domctl(XEN_DOMCTL_destroydomain, victim) <= 0);
    CHECK_EQUAL(map_page(window, own), 0);
    CHECK(domain_gone(victim));
}

static u64 claimed(void)
{
    struct xen_sysctl op = {0};
    return sysctl(XEN_SYSCTL_physinfo, &op) ? ~0UL : op.u.physinfo.outstanding_pages;
}

static void round(void)
{
    make_victim();
    test_figures();
    test_affinity();
    test_access();
    test_policy();
    test_state();
    test_memory();
    test_context();
    if (!stock)
        test_patterns();
    test_zombie();
}

void guest_main(void)
{
    stock = has_word("stock");
    CHECK_EQUAL(map_page(scratch + sizeof(scratch) / 2, 0), 0);
    round(); /* the first may leave caches filled */
    u64 before = settled_free_pages();
    round();
    CHECK(pages_back(before));
    CHECK_EQUAL(claimed(), 0);
}
