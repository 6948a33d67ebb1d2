/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A micro dom0 builds domains by itself, as a toolstack does: memory, foreign
 * mappings, page tables, context. Each runs a copy of this very image from
 * domu_entry, tests its side, talks to us over an event channel and grants, and
 * ends in another way; then all memory must be back.
 */
#include "pair.h"
#include <xen/grant_table.h>

/* The new domain's pseudo-physical pages. */
enum {
    PAGES = 1024,
    TABLES = 900,
    L4 = TABLES,
    L3,
    L2,
    L1,
    START = TABLES + 8,
    LIST,
    CONSOLE = LIST + 2,
    STORE
};

extern char image_end[];
static xen_pfn_t frames[PAGES];
static grant_entry_v1_t *grants;
static u64 *granted;
static u8 *window, *mail_window;
static u64 window_entry, mail_entry;

static int foreign_map(u32 domain, u64 entry, u64 frame)
{
    struct mmu_update u = {.ptr = entry, .val = frame << PAGE_SHIFT | 7};
    return (int)call4(__HYPERVISOR_mmu_update, &u, 1, 0, domain);
}

static void *foreign_page(u32 domain, u64 pfn)
{
    if (foreign_map(domain, window_entry, frames[pfn]) && checks_failed < 5)
        CHECK(!"foreign map");
    table_op(MMUEXT_TLB_FLUSH_LOCAL, 0);
    return window;
}

static void build_tables(u32 domain)
{
    u64 flags = PTE_P | PTE_W | PTE_U | 0x60;
    u64 *table = foreign_page(domain, L4);

    memset(table, 0, PAGE_SIZE);
    table[511] = frames[L3] << PAGE_SHIFT | flags;
    table = foreign_page(domain, L3);
    memset(table, 0, PAGE_SIZE);
    table[510] = frames[L2] << PAGE_SHIFT | flags;
    table = foreign_page(domain, L2);
    memset(table, 0, PAGE_SIZE);
    table[0] = frames[L1] << PAGE_SHIFT | flags;
    table[1] = frames[L1 + 1] << PAGE_SHIFT | flags;
    for (u32 part = 0; part < 2; part++) {
        table = foreign_page(domain, L1 + part);
        for (u32 i = 0; i < 512; i++) {
            u32 pfn = part * 512 + i;
            bool is_table = pfn >= TABLES && pfn <= L1 + 1;
            table[i] = frames[pfn] << PAGE_SHIFT | 0x60 | PTE_P | PTE_U | (is_table ? 0 : PTE_W);
        }
    }
}

static void build_image(u32 domain, u64 shared_info_frame, u32 death, u32 port)
{
    for (u64 pfn = 256; pfn < virt_to_pfn(image_end + PAGE_SIZE - 1); pfn++) {
        u8 *page = (u8 *)(VIRT_BASE + pfn * PAGE_SIZE);
        if (pte_value(page) & PTE_P) /* not our windows */
            memcpy(foreign_page(domain, pfn), page, PAGE_SIZE);
    }
    struct mailbox *box = foreign_page(domain, virt_to_pfn(&mailbox));
    memset(box, 0, sizeof(*box));
    box->death = death;
    box->port = port;
    box->ref_from_dom0 = REF_TO_DOMU;
    box->foreign_frame = frame_of(granted);

    struct start_info *si = foreign_page(domain, START);
    memset(si, 0, PAGE_SIZE);
    memcpy(si->magic, "xen-3.0-x86_64", 15);
    si->nr_pages = PAGES;
    si->shared_info = shared_info_frame << PAGE_SHIFT;
    si->pt_base = VIRT_BASE + TABLES * PAGE_SIZE;
    si->nr_pt_frames = 5;
    si->mfn_list = VIRT_BASE + LIST * PAGE_SIZE;
    for (u32 part = 0; part < 2; part++)
        memcpy(foreign_page(domain, LIST + part), frames + part * 512, PAGE_SIZE);
}

static void start(u32 domain)
{
    static struct vcpu_guest_context context;
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L4_TABLE};
    struct xen_domctl op = {0};

    foreign_page(domain, CONSOLE); /* none of its tables stays mapped writable */
    pin.arg1.mfn = frames[L4];
    CHECK_EQUAL(call4(__HYPERVISOR_mmuext_op, &pin, 1, 0, domain), 0);
    CHECK(foreign_map(domain, window_entry, frames[L2]) != 0);
    memset(&context, 0, sizeof(context));
    context.flags = VGCF_in_kernel | VGCF_online;
    context.user_regs.rip = (u64)domu_entry;
    context.user_regs.rsi = VIRT_BASE + START * PAGE_SIZE;
    context.user_regs.rsp = VIRT_BASE + STORE * PAGE_SIZE;
    context.user_regs.cs = FLAT_KERNEL_CS;
    context.user_regs.ss = FLAT_KERNEL_SS;
    context.user_regs.rflags = 0x200;
    context.kernel_ss = FLAT_KERNEL_SS;
    context.kernel_sp = context.user_regs.rsp;
    context.ctrlreg[0] = 0x8005003b;
    context.ctrlreg[3] = frames[L4] << PAGE_SHIFT;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &context);
    CHECK_EQUAL(domctl(XEN_DOMCTL_setvcpucontext, domain, &op), 0);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, domain), 0);
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
    struct xen_memory_reservation r = {.nr_extents = PAGES};
    struct xen_domctl_getdomaininfo info;
    s64 domain = domain_create(PAGES * 4 + 64);

    if (domain < 0) {
        CHECK_EQUAL(domain, 0);
        return;
    }
    u32 failed_before = checks_failed;
    for (u64 i = 0; i < PAGES; i++)
        frames[i] = i;
    r.domid = (domid_t)domain;
    set_xen_guest_handle(r.extent_start, frames);
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r), PAGES);
    CHECK_EQUAL(domain_info((u32)domain, &info), 0);
    struct evtchn_alloc_unbound alloc = {.dom = (domid_t)domain, .remote_dom = 0};
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc), 0);
    *granted = MAGIC + 1;
    grants[REF_TO_DOMU].domid = (domid_t)domain;
    grants[REF_TO_DOMU].frame = (u32)frame_of(granted);
    barrier();
    grants[REF_TO_DOMU].flags = GTF_permit_access;
    build_tables((u32)domain);
    build_image((u32)domain, info.shared_info_frame, death, alloc.port);
    CHECK_EQUAL(foreign_map((u32)domain, mail_entry, frames[virt_to_pfn(&mailbox)]), 0);
    table_op(MMUEXT_TLB_FLUSH_LOCAL, 0);
    struct mailbox *box = (struct mailbox *)mail_window;
    start((u32)domain);
    talk((u32)domain, box, alloc.port, death, its_page);
    if (box->text_used)
        call3(__HYPERVISOR_console_io, CONSOLEIO_write, box->text_used, box->text);
    check(!box->failed && box->passed > 40, __FILE__, __LINE__, "domain: %u passed, %u failed",
          box->passed, box->failed);
    checks_passed += box->passed;
    checks_failed += box->failed;
    CHECK_EQUAL(map_page(window, 0), 0);
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

    window = page_new();
    mail_window = page_new();
    u8 *its_page = page_new();
    window_entry = pte_machine_address(window);
    mail_entry = pte_machine_address(mail_window);
    map_page(window, 0);
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
