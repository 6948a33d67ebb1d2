/* SPDX-License-Identifier: GPL-2.0-only */
/* What a micro dom0 needs to make domains and to end them. */
#pragma once

#include "runtime.h"
#include <xen/domctl.h>
#include <xen/memory.h>
#include <xen/sysctl.h>

static inline s64 domctl(u32 cmd, u32 domain, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = (domid_t)domain;
    return call1(__HYPERVISOR_domctl, op);
}

static inline s64 simple_domctl(u32 cmd, u32 domain)
{
    struct xen_domctl op = {0};
    return domctl(cmd, domain, &op);
}

static inline s64 sysctl(u32 cmd, struct xen_sysctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return call1(__HYPERVISOR_sysctl, op);
}

static inline u64 free_pages(void)
{
    struct xen_sysctl op = {0};
    return sysctl(XEN_SYSCTL_physinfo, &op) ? ~0UL : op.u.physinfo.free_pages;
}

/* The same once it has stopped to change: some memory comes back late. */
static inline u64 settled_free_pages(void)
{
    u64 last = free_pages(), since = system_time(), start = since;

    while (system_time() - since < 50000000 && system_time() - start < 3000000000) {
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
        u64 now = free_pages();
        if (now != last)
            since = system_time();
        last = now;
    }
    return last;
}

/* How many of our ports below `end` are not closed. */
static inline u32 open_ports(u32 end)
{
    u32 open = 0;

    for (u32 port = 1; port < end; port++) {
        struct evtchn_status status = {.dom = DOMID_SELF, .port = port};
        if (!call2(__HYPERVISOR_event_channel_op, EVTCHNOP_status, &status))
            open += status.status != EVTCHNSTAT_closed;
    }
    return open;
}

/* A PV domain with vCPUs and nothing else in it; its number or -errno. */
static inline s64 domain_create(u32 vcpus, u64 max_kib)
{
    struct xen_domctl op = {0};

    op.u.createdomain.max_vcpus = vcpus;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
    s64 status = domctl(XEN_DOMCTL_createdomain, DOMID_INVALID & 0xffff, &op);
    if (status)
        return status;
    u32 domain = op.domain;
    memset(&op, 0, sizeof(op));
    op.u.max_vcpus.max = vcpus;
    CHECK_EQUAL(domctl(XEN_DOMCTL_max_vcpus, domain, &op), 0);
    memset(&op, 0, sizeof(op));
    op.u.max_mem.max_memkb = max_kib;
    CHECK_EQUAL(domctl(XEN_DOMCTL_max_mem, domain, &op), 0);
    return domain;
}

static inline s64 domain_info(u32 domain, struct xen_domctl_getdomaininfo *info)
{
    struct xen_domctl op = {0};
    s64 status = domctl(XEN_DOMCTL_getdomaininfo, domain, &op);
    *info = op.u.getdomaininfo;
    return !status && op.domain != domain ? -ESRCH : status; /* it answers with the next one */
}

/* In the default scheduler; no cap is 0. */
static inline void domain_schedule(u32 domain, u32 weight, u32 cap)
{
    struct xen_domctl op = {0};

    op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    op.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    op.u.scheduler_op.u.credit2.weight = (u16)weight;
    op.u.scheduler_op.u.credit2.cap = (u16)cap;
    CHECK_EQUAL(domctl(XEN_DOMCTL_scheduler_op, domain, &op), 0);
}

static inline void domain_destroy(u32 domain)
{
    s64 status;
    while ((status = simple_domctl(XEN_DOMCTL_destroydomain, domain)) == -EAGAIN)
        ;
    CHECK_EQUAL(status, 0);
}

/* Waits until nothing is left of it; false if something stays. */
static inline bool domain_gone(u32 domain)
{
    struct xen_domctl_getdomaininfo info;
    u64 start = system_time();

    while (domain_info(domain, &info) != -ESRCH)
        if (system_time() - start > 3000000000)
            return false;
        else
            call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    return true;
}

/* At least so much memory is free, once what is freed late has been. */
static inline bool pages_back(u64 expected)
{
    u64 start = system_time(), now;

    while ((now = free_pages()) < expected && system_time() - start < 3000000000)
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    if (now < expected)
        say("free pages: %lu, not %lu\n", now, expected);
    return now >= expected;
}
