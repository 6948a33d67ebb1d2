/* SPDX-License-Identifier: GPL-2.0-only */
/* Control of the machine and of domains: what is refused, and that a domain's whole life costs
 * nothing. */
#include "control.h"

static void test_refused(void)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_getdomaininfo, .interface_version = 1};
    struct xen_sysctl sys = {.cmd = XEN_SYSCTL_physinfo, .interface_version = 1};

    CHECK_EQUAL(call1(__HYPERVISOR_domctl, &op), -EACCES);
    CHECK_EQUAL(call1(__HYPERVISOR_sysctl, &sys), -EACCES);
    CHECK_EQUAL(call1(__HYPERVISOR_domctl, 0x10), -EFAULT);
    CHECK_EQUAL(call1(__HYPERVISOR_sysctl, 0x10), -EFAULT);
    CHECK_EQUAL(simple_domctl(9999, 0), -ENOSYS);
    CHECK_EQUAL(sysctl(9999, &sys), -ENOSYS);

    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_pausedomain, 77), -ESRCH);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, 77), -ESRCH);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_destroydomain, 77), -ESRCH);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_max_mem, 77), -ESRCH);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_getdomaininfo, 77), -ESRCH);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_getvcpuinfo, 77), -ESRCH);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_setvcpucontext, 77), -ESRCH);
    /* Not to ourselves. */
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_destroydomain, 0), -EINVAL);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_pausedomain, 0), -EINVAL);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_setvcpucontext, 0), -EINVAL);
}

static void test_information(void)
{
    struct xen_domctl op = {0};
    struct xen_sysctl sys = {0};
    static xen_domctl_getdomaininfo_t list[4];

    CHECK_EQUAL(domctl(XEN_DOMCTL_getdomaininfo, 0, &op), 0);
    CHECK_EQUAL(op.u.getdomaininfo.domain, 0);
    CHECK_EQUAL(op.u.getdomaininfo.tot_pages, start_info->nr_pages);
    CHECK_EQUAL(op.u.getdomaininfo.shared_info_frame, start_info->shared_info >> PAGE_SHIFT);
    CHECK(op.u.getdomaininfo.flags & XEN_DOMINF_running);
    CHECK_EQUAL(op.u.getdomaininfo.max_vcpu_id, 1);
    CHECK_EQUAL(op.u.getdomaininfo.nr_online_vcpus, 1);

    CHECK_EQUAL(sysctl(XEN_SYSCTL_physinfo, &sys), 0);
    CHECK(sys.u.physinfo.total_pages > 100000);
    CHECK(sys.u.physinfo.nr_cpus >= 1);
    CHECK(sys.u.physinfo.free_pages > 10000 &&
          sys.u.physinfo.free_pages < sys.u.physinfo.total_pages);
    CHECK(sys.u.physinfo.cpu_khz > 1000);

    memset(&sys, 0, sizeof(sys));
    sys.u.getdomaininfolist.max_domains = 4;
    set_xen_guest_handle(sys.u.getdomaininfolist.buffer, list);
    CHECK_EQUAL(sysctl(XEN_SYSCTL_getdomaininfolist, &sys), 0);
    CHECK_EQUAL(sys.u.getdomaininfolist.num_domains, 1);
    CHECK_EQUAL(list[0].domain, 0);
    CHECK_EQUAL(list[0].tot_pages, start_info->nr_pages);
    set_xen_guest_handle(sys.u.getdomaininfolist.buffer, (xen_domctl_getdomaininfo_t *)0x10);
    CHECK_EQUAL(sysctl(XEN_SYSCTL_getdomaininfolist, &sys), -EFAULT);

    memset(&op, 0, sizeof(op));
    CHECK_EQUAL(domctl(XEN_DOMCTL_getvcpuinfo, 0, &op), 0);
    CHECK_EQUAL(op.u.getvcpuinfo.online, 1);
    CHECK_EQUAL(op.u.getvcpuinfo.running, 1);
    op.u.getvcpuinfo.vcpu = 9;
    CHECK_EQUAL(domctl(XEN_DOMCTL_getvcpuinfo, 0, &op), -EINVAL);
}

static void test_policy(void)
{
    static xen_cpuid_leaf_t leaves[300];
    static xen_msr_entry_t msrs[40];
    struct xen_sysctl sys = {0};

    for (u32 index = 0; index <= 5; index++) {
        memset(&sys, 0, sizeof(sys));
        sys.u.cpu_policy.index = index;
        s64 status = sysctl(XEN_SYSCTL_get_cpu_policy, &sys); /* no buffers: how many there are */
        if (status == -EOPNOTSUPP && (index == 3 || index == 5))
            continue; /* a machine or a build without HVM */
        CHECK_EQUAL(status, 0);
        CHECK(sys.u.cpu_policy.nr_leaves > 10 && sys.u.cpu_policy.nr_leaves < 300);
        CHECK(sys.u.cpu_policy.nr_msrs >= 1 && sys.u.cpu_policy.nr_msrs < 40);
        sys.u.cpu_policy.nr_leaves = 300;
        sys.u.cpu_policy.nr_msrs = 40;
        set_xen_guest_handle(sys.u.cpu_policy.leaves, leaves);
        set_xen_guest_handle(sys.u.cpu_policy.msrs, msrs);
        memset(leaves, 0, sizeof(leaves));
        CHECK_EQUAL(sysctl(XEN_SYSCTL_get_cpu_policy, &sys), 0);
        CHECK_EQUAL(leaves[0].leaf, 0);
        CHECK(leaves[0].b != 0); /* the vendor */
        CHECK_EQUAL(leaves[1].leaf, 1);
        sys.u.cpu_policy.nr_leaves = 2;
        CHECK_EQUAL(sysctl(XEN_SYSCTL_get_cpu_policy, &sys), -ENOBUFS);
    }
    sys.u.cpu_policy.index = 6;
    CHECK_EQUAL(sysctl(XEN_SYSCTL_get_cpu_policy, &sys), -EINVAL);
    struct xen_domctl op = {0};
    op.u.cpu_policy.nr_leaves = 300;
    op.u.cpu_policy.nr_msrs = 40;
    set_xen_guest_handle(op.u.cpu_policy.leaves, leaves);
    set_xen_guest_handle(op.u.cpu_policy.msrs, msrs);
    CHECK_EQUAL(domctl(XEN_DOMCTL_get_cpu_policy, 0, &op), 0);
    CHECK(op.u.cpu_policy.nr_leaves > 10 && op.u.cpu_policy.nr_leaves < 300);
}

static void test_create_refused(void)
{
    struct xen_domctl op = {0};

    op.u.createdomain.max_vcpus = 1;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.flags = ~0u;
    CHECK_EQUAL(domctl(XEN_DOMCTL_createdomain, 0xffff, &op), -EINVAL);
    op.u.createdomain.flags = 0;
    op.u.createdomain.max_vcpus = 0;
    CHECK_EQUAL(domctl(XEN_DOMCTL_createdomain, 0xffff, &op), -EINVAL);
    op.u.createdomain.max_vcpus = 100000;
    CHECK_EQUAL(domctl(XEN_DOMCTL_createdomain, 0xffff, &op), -EINVAL);
    op.u.createdomain.max_vcpus = 1;
    op.u.createdomain.grant_opts = 9;
    CHECK_EQUAL(domctl(XEN_DOMCTL_createdomain, 0xffff, &op), -EINVAL);
}

/* Its whole life without a first instruction. */
static void life(bool thorough)
{
    static xen_pfn_t frames[256];
    struct xen_memory_reservation r = {.nr_extents = 256};
    struct xen_domctl_getdomaininfo info;
    struct xen_domctl op = {0};
    s64 domain = domain_create(1, 2048);

    if (domain < 0) {
        CHECK_EQUAL(domain, 0);
        return;
    }
    for (u64 i = 0; i < 256; i++)
        frames[i] = i;
    r.domid = (domid_t)domain;
    set_xen_guest_handle(r.extent_start, frames);
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r), 256);
    if (thorough) {
        CHECK_EQUAL(domain_info((u32)domain, &info), 0);
        CHECK_EQUAL(info.tot_pages, 256);
        CHECK_EQUAL(info.max_pages, 512);
        CHECK(info.flags & XEN_DOMINF_paused);
        CHECK(!(info.flags & XEN_DOMINF_dying));
        CHECK_EQUAL(info.max_vcpu_id, 0);
        CHECK_EQUAL(info.nr_online_vcpus, 0);
        /* The number is taken; more vCPUs than agreed; more memory than allowed. */
        op.u.createdomain.max_vcpus = 1;
        op.u.createdomain.max_evtchn_port = 1023;
        op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
        CHECK_EQUAL(domctl(XEN_DOMCTL_createdomain, (u32)domain, &op), -EEXIST);
        memset(&op, 0, sizeof(op));
        op.u.max_vcpus.max = 2;
        CHECK_EQUAL(domctl(XEN_DOMCTL_max_vcpus, (u32)domain, &op), -EINVAL);
        r.extent_order = 1;
        CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r), 128);
        CHECK_EQUAL(simple_domctl(XEN_DOMCTL_pausedomain, (u32)domain), 0);
        CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, (u32)domain), 0);
        CHECK_EQUAL(simple_domctl(XEN_DOMCTL_getvcpuinfo, (u32)domain), 0);
        memset(&op, 0, sizeof(op));
        memset(&op.u.setdomainhandle.handle, 0x5a, sizeof(op.u.setdomainhandle.handle));
        CHECK_EQUAL(domctl(XEN_DOMCTL_setdomainhandle, (u32)domain, &op), 0);
        CHECK_EQUAL(domain_info((u32)domain, &info), 0);
        CHECK_EQUAL(info.handle[15], 0x5a);
        /* A context without page tables. */
        static struct vcpu_guest_context context;
        memset(&op, 0, sizeof(op));
        set_xen_guest_handle(op.u.vcpucontext.ctxt, &context);
        context.ctrlreg[3] = frames[3] << PAGE_SHIFT;
        CHECK(domctl(XEN_DOMCTL_setvcpucontext, (u32)domain, &op) < 0);
        op.u.vcpucontext.vcpu = 7;
        CHECK(domctl(XEN_DOMCTL_setvcpucontext, (u32)domain, &op) < 0);
    }
    domain_destroy((u32)domain);
    CHECK(domain_gone((u32)domain));
}

void guest_main(void)
{
    test_refused();
    test_information();
    test_policy();
    test_create_refused();
    life(true); /* the first may leave caches filled */
    u64 before = settled_free_pages();
    life(true);
    CHECK(pages_back(before));
    for (u32 i = 0; i < 10; i++)
        life(false);
    CHECK(pages_back(before));
}
