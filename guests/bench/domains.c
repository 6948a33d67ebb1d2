/* SPDX-License-Identifier: GPL-2.0-only */
/* What dom0 does with other domains, and as a device model for one. */
#include "bench.h"
#include <xen/grant_table.h>
#include <xen/hvm/dm_op.h>
#include <xen/hvm/ioreq.h>

static u64 windows_home[GRANTS];

static u32 channel_to(u32 domain, u32 *local)
{
    struct evtchn_alloc_unbound alloc = {.dom = (domid_t)domain};

    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc), 0);
    struct evtchn_bind_interdomain bind = {.remote_dom = (domid_t)domain,
                                           .remote_port = alloc.port};
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind), 0);
    *local = bind.local_port;
    return alloc.port;
}

static void end(u32 domain, u32 port)
{
    struct evtchn_close close = {.port = port};

    domain_destroy(domain);
    if (port)
        CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &close), 0);
    CHECK(domain_gone(domain));
}

static void measure_grants(u32 domain, u8 *const *pages)
{
    static struct gnttab_map_grant_ref maps[GRANTS];
    static struct gnttab_unmap_grant_ref unmaps[GRANTS];
    static struct gnttab_copy copies[2 * GRANTS];

    for (u32 i = 0; i < GRANTS; i++) {
        windows_home[i] = frame_of(pages[i]);
        CHECK_EQUAL(map_page(pages[i], 0), 0);
        maps[i] = (struct gnttab_map_grant_ref){.host_addr = (u64)pages[i],
                                                .flags = GNTMAP_host_map,
                                                .ref = REF + i,
                                                .dom = (domid_t)domain};
        unmaps[i].host_addr = (u64)pages[i];
    }
#define MAP_AND_UNMAP(count)                                                 \
    call3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, maps, count); \
    for (u32 at = 0; at < (count); at++)                                     \
        unmaps[at].handle = maps[at].handle;                                 \
    call3(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, unmaps, count)
    MEASURE("dom-map-1", 50, MAP_AND_UNMAP(1));
    MEASURE("dom-map-32", 5, MAP_AND_UNMAP(GRANTS));
    for (u32 i = 0; i < GRANTS; i++) {
        CHECK(maps[i].status == GNTST_okay && unmaps[i].status == GNTST_okay);
        CHECK_EQUAL(map_page(pages[i], windows_home[i] << PAGE_SHIFT | 7), 0);
    }
    for (u32 i = 0; i < 2 * GRANTS; i++) {
        struct gnttab_copy *c = &copies[i];
        *c = (struct gnttab_copy){.len = 1500, .flags = GNTCOPY_source_gref};
        c->source.u.ref = REF + i % GRANTS;
        c->source.domid = (domid_t)domain;
        c->dest.u.gmfn = frame_of(pages[i]);
        c->dest.domid = DOMID_SELF;
    }
    MEASURE("dom-copy-1", 50, call3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, copies, 1));
    MEASURE("dom-copy-64", 2, call3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, copies, 64));
    CHECK_EQUAL(copies[63].status, GNTST_okay);
}

/* As a kernel does for a toolstack: some entries a call. */
static void foreign(u32 domain, u64 l1_frame, u64 flags)
{
    static struct mmu_update updates[16];

    for (u32 i = 0; i < 512; i += 16) {
        for (u32 at = 0; at < 16; at++)
            updates[at] =
                (struct mmu_update){l1_frame << PAGE_SHIFT | (i + at) * 8,
                                    flags ? build_frame(i + at) << PAGE_SHIFT | flags : 0};
        if (call4(__HYPERVISOR_mmu_update, updates, 16, 0, flags ? domain : DOMID_SELF))
            checks_failed++;
    }
}

static void measure_peer(u64 l1_frame, u8 *const *pages)
{
    u32 domain = (u32)domain_create(1, BUILD_KIB), port, its = channel_to(domain, &port);

    build_memory(domain);
    *(struct mailbox *)build_page(domain, virt_to_pfn(&mailbox)) = (struct mailbox){.port = its};
    build_context(domain, peer_entry);
    build_done();
    port_take(port);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, domain), 0);
    wait_port(port);
    MEASURE("dom-ping-pong", 50, notify(port); wait_port(port));
    measure_grants(domain, pages);
    MEASURE("dom-foreign", 1, foreign(domain, l1_frame, 7));
    foreign(domain, l1_frame, 0);
    end(domain, port);
}

/* ---- translated domains ---- */

static void dm_op(u32 domain, struct xen_dm_op *op)
{
    struct xen_dm_op_buf buffer = {.size = sizeof(*op)};

    set_xen_guest_handle(buffer.h, op);
    CHECK_EQUAL(call3(__HYPERVISOR_dm_op, domain, 1, &buffer), 0);
}

/* A device model for some ports and a page of memory; its page for requests is mapped at `where`.
 * Our end of the channel for vCPU 0's. */
static u32 serve(u32 domain, volatile struct ioreq *where)
{
    struct xen_dm_op op = {.op = XEN_DMOP_create_ioreq_server};
    struct xen_mem_acquire_resource resource = {
        .domid = (domid_t)domain, .nr_frames = 1, .frame = 1};
    u64 entry = pte_machine_address((void *)where);
    xen_pfn_t frame = 0;

    dm_op(domain, &op);
    u16 id = op.u.create_ioreq_server.id;
    for (u32 memory = 0; memory < 2; memory++) {
        op = (struct xen_dm_op){.op = XEN_DMOP_map_io_range_to_ioreq_server};
        op.u.map_io_range_to_ioreq_server = (struct xen_dm_op_ioreq_server_range){
            .id = id,
            .type = memory ? XEN_DMOP_IO_RANGE_MEMORY : XEN_DMOP_IO_RANGE_PORT,
            .start = memory ? DM_PAGE : DM_PORT,
            .end = memory ? DM_PAGE + 4095 : DM_PORT + 3};
        dm_op(domain, &op);
    }
    resource.id = id;
    set_xen_guest_handle(resource.frame_list, &frame);
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_acquire_resource, &resource), 0);
    op = (struct xen_dm_op){.op = XEN_DMOP_set_ioreq_server_state};
    op.u.set_ioreq_server_state.id = id;
    op.u.set_ioreq_server_state.enabled = 1;
    dm_op(domain, &op);
    struct mmu_update u = {entry | MMU_PT_UPDATE_NO_TRANSLATE, frame << PAGE_SHIFT | 7};
    CHECK_EQUAL(call4(__HYPERVISOR_mmu_update, &u, 1, 0, domain), 0);
    table_op(MMUEXT_TLB_FLUSH_LOCAL, 0);
    struct evtchn_bind_interdomain bind = {.remote_dom = (domid_t)domain,
                                           .remote_port = where->vp_eport};
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind), 0);
    port_take(bind.local_port);
    return bind.local_port;
}

/* Answers requests until the domain has ended; how it has. */
static u32 answer(u32 domain, u32 ended, u32 asked, volatile struct ioreq *request)
{
    struct xen_domctl_getdomaininfo info = {0};
    evtchn_port_t ports[] = {ended, asked};
    struct sched_poll poll = {.nr_ports = asked ? 2 : 1};

    set_xen_guest_handle(poll.ports, ports);
    do {
        call2(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
        if (asked && port_take(asked) && request->state == STATE_IOREQ_READY) {
            request->data = 0x5a;
            barrier();
            request->state = STATE_IORESP_READY;
            notify(asked);
        }
        if (port_take(ended))
            domain_info(domain, &info);
    } while (!(info.flags & XEN_DOMINF_shutdown));
    return info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

static void measure_translated(bool hvm, u32 ended, u8 *page)
{
    u32 domain = translated_create(hvm, 2), asked = 0;
    u64 home = frame_of(page);

    translated_tables();
    build_translated(domain);
    *(struct mailbox *)build_page(domain, virt_to_pfn(&mailbox)) = (struct mailbox){.hvm = hvm};
    build_done();
    translated_start(domain, 2, translated_main);
    if (hvm)
        asked = serve(domain, (void *)page);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, domain), 0);
    CHECK_EQUAL(answer(domain, ended, asked, (void *)page), SHUTDOWN_poweroff);
    if (hvm)
        CHECK_EQUAL(map_page(page, home << PAGE_SHIFT | 7), 0);
    end(domain, asked);
}

void measure_domains(u64 l1_frame, u8 *const *pages)
{
    struct evtchn_bind_virq ended = {.virq = VIRQ_DOM_EXC};

    measure_peer(l1_frame, pages);
    MEASURE("dom-create", 2, u32 domain = (u32)domain_create(1, BUILD_KIB); domain_destroy(domain);
            domain_gone(domain));
    MEASURE("dom-create-4", 2, u32 domain = (u32)domain_create(1, BUILD_KIB);
            build_populate(domain); domain_destroy(domain); domain_gone(domain));
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &ended), 0);
    struct xen_sysctl machine = {0};
    CHECK_EQUAL(sysctl(XEN_SYSCTL_physinfo, &machine), 0);
    for (u32 hvm = 0; hvm < 2 && machine.u.physinfo.capabilities & XEN_SYSCTL_PHYSCAP_hap; hvm++)
        measure_translated(hvm, ended.port, pages[0]);
}
