/* SPDX-License-Identifier: GPL-2.0-only */
/* Builds domains out of this very image, as a toolstack does: memory, tables, context. */
#include "busy.h"

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
    STACK = LIST + 2
};

extern char image_end[];
static xen_pfn_t frames[PAGES];
static u8 *window;
static u64 window_entry;

static void foreign_map(u32 domain, u64 entry, u64 frame)
{
    struct mmu_update u = {.ptr = entry, .val = frame << PAGE_SHIFT | 7};

    if (call4(__HYPERVISOR_mmu_update, &u, 1, 0, domain))
        panic("foreign map");
    table_op(MMUEXT_TLB_FLUSH_LOCAL, 0);
}

static void *foreign_page(u32 domain, u64 pfn)
{
    foreign_map(domain, window_entry, frames[pfn]);
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

static void build_image(u32 domain, u64 shared_info_frame, enum role role, u32 port)
{
    for (u64 pfn = 256; pfn < virt_to_pfn(image_end + PAGE_SIZE - 1); pfn++) {
        u8 *page = (u8 *)(VIRT_BASE + pfn * PAGE_SIZE);
        if (pte_value(page) & PTE_P) /* not our windows */
            memcpy(foreign_page(domain, pfn), page, PAGE_SIZE);
    }
    struct mailbox *box = foreign_page(domain, virt_to_pfn(&mailbox));
    memset(box, 0, PAGE_SIZE);
    box->role = role;
    box->port = port;

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

static void set_context(u32 domain)
{
    static struct vcpu_guest_context context;
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L4_TABLE};
    struct xen_domctl op = {0};

    foreign_page(domain, STACK); /* none of its tables stays mapped writable */
    pin.arg1.mfn = frames[L4];
    CHECK_EQUAL(call4(__HYPERVISOR_mmuext_op, &pin, 1, 0, domain), 0);
    memset(&context, 0, sizeof(context));
    context.flags = VGCF_in_kernel | VGCF_online;
    context.user_regs.rip = (u64)domu_entry;
    context.user_regs.rsi = VIRT_BASE + START * PAGE_SIZE;
    context.user_regs.rsp = VIRT_BASE + STACK * PAGE_SIZE;
    context.user_regs.cs = FLAT_KERNEL_CS;
    context.user_regs.ss = FLAT_KERNEL_SS;
    context.user_regs.rflags = 0x200;
    context.kernel_ss = FLAT_KERNEL_SS;
    context.kernel_sp = context.user_regs.rsp;
    context.ctrlreg[0] = 0x8005003b;
    context.ctrlreg[3] = frames[L4] << PAGE_SHIFT;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &context);
    CHECK_EQUAL(domctl(XEN_DOMCTL_setvcpucontext, domain, &op), 0);
}

static u32 create(u32 vcpus)
{
    struct xen_domctl op = {0};

    op.u.createdomain.max_vcpus = vcpus;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
    if (domctl(XEN_DOMCTL_createdomain, DOMID_INVALID & 0xffff, &op))
        panic("domain not created");
    u32 domain = op.domain;
    memset(&op, 0, sizeof(op));
    op.u.max_vcpus.max = vcpus;
    CHECK_EQUAL(domctl(XEN_DOMCTL_max_vcpus, domain, &op), 0);
    memset(&op, 0, sizeof(op));
    op.u.max_mem.max_memkb = PAGES * 4 + 64;
    CHECK_EQUAL(domctl(XEN_DOMCTL_max_mem, domain, &op), 0);
    return domain;
}

struct built domain_build(enum role role, u32 vcpus)
{
    static u8 *mail_windows[MAX_DOMAINS];
    static u64 mail_entries[MAX_DOMAINS];
    static u32 next;
    u32 slot = next++ % MAX_DOMAINS;
    struct xen_memory_reservation r = {.nr_extents = PAGES};
    struct xen_domctl_getdomaininfo info;
    u32 domain = create(vcpus);
    struct evtchn_alloc_unbound alloc = {.dom = (domid_t)domain};

    if (!window) {
        window = page_new();
        window_entry = pte_machine_address(window);
        map_page(window, 0);
    }
    if (!mail_windows[slot]) {
        mail_windows[slot] = page_new();
        mail_entries[slot] = pte_machine_address(mail_windows[slot]);
    }
    map_page(mail_windows[slot], 0);
    for (u64 i = 0; i < PAGES; i++)
        frames[i] = i;
    r.domid = (domid_t)domain;
    set_xen_guest_handle(r.extent_start, frames);
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r), PAGES);
    CHECK_EQUAL(domain_info(domain, &info), 0);
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc), 0);
    struct evtchn_bind_interdomain bind = {.remote_dom = (domid_t)domain,
                                           .remote_port = alloc.port};
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind), 0);
    build_tables(domain);
    build_image(domain, info.shared_info_frame, role, alloc.port);
    set_context(domain);
    foreign_map(domain, mail_entries[slot], frames[virt_to_pfn(&mailbox)]);
    map_page(window, 0);
    return (struct built){.id = domain,
                          .vcpus = vcpus,
                          .port = bind.local_port,
                          .box = (struct mailbox *)mail_windows[slot]};
}

void domain_end(struct built *d)
{
    struct evtchn_close close = {.port = d->port};

    domain_destroy(d->id);
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &close), 0);
    CHECK_EQUAL(map_page(d->box, 0), 0);
    CHECK(domain_gone(d->id));
}
