/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A micro dom0 builds domains by itself, as a toolstack does: memory, foreign
 * mappings, page tables, context. Each runs a copy of this very image from
 * domu_entry, tests its side, talks to us over an event channel and grants, and
 * ends in another way; then all memory must be back.
 */
#include "build.h"
#include "pair.h"
#include <xen/grant_table.h>

static grant_entry_v1_t *grants;
static u64 *granted;
static u8 *mail_window;
static u64 mail_entry;

/* What the domain finds in its mailbox. */
static void post(u32 domain, u32 death, u32 port)
{
    struct mailbox *box = build_page(domain, virt_to_pfn(&mailbox));

    memset(box, 0, sizeof(*box));
    box->death = death;
    box->port = port;
    box->ref_from_dom0 = REF_TO_DOMU;
    box->foreign_frame = frame_of(granted);
}

static bool wait_step(struct mailbox *box, u32 domain, u32 step)
{
    struct xen_domctl_getdomaininfo info;
    u64 start = system_time();

    while (box->step < step) {
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
        domain_info(domain, &info);
        if (info.flags & XEN_DOMINF_shutdown || system_time() - start > 10000000000) {
            check(false, __FILE__, __LINE__, "step %u, not %u; flags %x", box->step, step,
                  info.flags);
            return false;
        }
    }
    return true;
}

static u32 wait_shutdown(u32 domain)
{
    struct xen_domctl_getdomaininfo info;
    u64 start = system_time();

    do {
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
        domain_info(domain, &info);
    } while (!(info.flags & XEN_DOMINF_shutdown) && system_time() - start < 5000000000);
    CHECK(info.flags & XEN_DOMINF_shutdown);
    return info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

/* The domain's grant: mapped here, read; copied from. */
static u32 test_its_grant(u32 domain, u8 *where)
{
    struct gnttab_map_grant_ref map = {.host_addr = (u64)where,
                                       .flags = GNTMAP_host_map,
                                       .ref = REF_TO_DOM0,
                                       .dom = (domid_t)domain};
    struct gnttab_copy copy = {.len = 8, .flags = GNTCOPY_source_gref};
    u64 *target = granted + 64;

    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &map, 1), 0);
    CHECK_EQUAL(map.status, GNTST_okay);
    CHECK_EQUAL(*(volatile u64 *)where, MAGIC);
    copy.source.u.ref = REF_TO_DOM0;
    copy.source.domid = (domid_t)domain;
    copy.dest.u.gmfn = frame_of(granted);
    copy.dest.domid = DOMID_SELF;
    copy.dest.offset = 512;
    *target = 0;
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, &copy, 1), 0);
    CHECK_EQUAL(copy.status, GNTST_okay);
    CHECK_EQUAL(*target, MAGIC);
    CHECK_EQUAL(*granted, MAGIC + 2); /* what it wrote through our grant */
    return map.handle;
}

static void talk(u32 domain, struct mailbox *box, u32 port, u32 death, u8 *its_page)
{
    struct evtchn_bind_interdomain bind = {.remote_dom = (domid_t)domain, .remote_port = port};

    if (!wait_step(box, domain, 1))
        return;
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind), 0);
    __atomic_fetch_and(&shared_info->evtchn_pending[0], ~(1UL << bind.local_port),
                       __ATOMIC_SEQ_CST);
    struct evtchn_send send = {.port = bind.local_port};
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send), 0);
    box->step = 2;
    if (!wait_step(box, domain, 3))
        return;
    CHECK(shared_info->evtchn_pending[0] >> bind.local_port & 1);
    u32 handle = test_its_grant(domain, its_page);
    box->step = 4;
    if (death == DEATH_RUNNING) {
        for (u32 i = 0; i < 100; i++)
            call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    } else {
        static const u32 reasons[] = {SHUTDOWN_poweroff, SHUTDOWN_reboot,  SHUTDOWN_crash,
                                      SHUTDOWN_crash,    SHUTDOWN_crash,   SHUTDOWN_crash,
                                      SHUTDOWN_poweroff, SHUTDOWN_watchdog};
        CHECK_EQUAL(wait_shutdown(domain), reasons[death]);
    }
    domain_destroy(domain);
    /* Our end of the channel is unbound now, not gone. */
    struct evtchn_status status = {.dom = DOMID_SELF, .port = bind.local_port};
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_status, &status), 0);
    CHECK_EQUAL(status.status, EVTCHNSTAT_unbound);
    struct evtchn_close close = {.port = bind.local_port};
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &close), 0);
    /* Its page is still there for us, and it with it, until we let go. */
    struct xen_domctl_getdomaininfo info;
    CHECK_EQUAL(*(volatile u64 *)its_page, MAGIC);
    CHECK_EQUAL(domain_info(domain, &info), 0);
    CHECK(info.flags & XEN_DOMINF_dying);
    struct gnttab_unmap_grant_ref unmap = {.host_addr = (u64)its_page, .handle = handle};
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
    CHECK_EQUAL(unmap.status, GNTST_okay);
}

static void life(u32 death, u8 *its_page)
{
    struct xen_domctl_getdomaininfo info;
    s64 domain = domain_create(1, BUILD_KIB);

    if (domain < 0) {
        CHECK_EQUAL(domain, 0);
        return;
    }
    u32 failed_before = checks_failed;
    struct evtchn_alloc_unbound alloc = {.dom = (domid_t)domain, .remote_dom = 0};
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc), 0);
    *granted = MAGIC + 1;
    grants[REF_TO_DOMU].domid = (domid_t)domain;
    grants[REF_TO_DOMU].frame = (u32)frame_of(granted);
    barrier();
    grants[REF_TO_DOMU].flags = GTF_permit_access;
    build_memory((u32)domain);
    post((u32)domain, death, alloc.port);
    CHECK_EQUAL(build_map((u32)domain, virt_to_pfn(&mailbox), mail_entry), 0);
    struct mailbox *box = (struct mailbox *)mail_window;
    build_context((u32)domain, domu_entry);
    CHECK(build_map_table((u32)domain) != 0);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, (u32)domain), 0);
    talk((u32)domain, box, alloc.port, death, its_page);
    if (box->text_used)
        call3(__HYPERVISOR_console_io, CONSOLEIO_write, box->text_used, box->text);
    check(!box->failed && box->passed > 40, __FILE__, __LINE__, "domain: %u passed, %u failed",
          box->passed, box->failed);
    checks_passed += box->passed;
    checks_failed += box->failed;
    build_done();
    CHECK_EQUAL(map_page(mail_window, 0), 0);
    if (checks_failed != failed_before && !domain_info((u32)domain, &info) &&
        !(info.flags & XEN_DOMINF_dying))
        domain_destroy((u32)domain);
    CHECK_EQUAL(grants[REF_TO_DOMU].flags, GTF_permit_access);
    grants[REF_TO_DOMU].flags = 0;
    CHECK(domain_gone((u32)domain));
}

void guest_main(void)
{
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
    xen_pfn_t frame;

    mail_window = page_new();
    u8 *its_page = page_new();
    mail_entry = pte_machine_address(mail_window);
    map_page(mail_window, 0);
    map_page(its_page, 0);
    granted = page_new();
    grants = page_new();
    set_xen_guest_handle(setup.frame_list, &frame);
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, 1), 0);
    CHECK_EQUAL(map_page(grants, frame << PAGE_SHIFT | 7), 0);
    life(DEATH_POWEROFF, its_page); /* the first may leave caches filled */
    u64 before = settled_free_pages();
    for (u32 death = 0; death < DEATH_COUNT; death++) {
        life(death, its_page);
        check(pages_back(before), __FILE__, __LINE__, "memory back after death %u", death);
    }
}
