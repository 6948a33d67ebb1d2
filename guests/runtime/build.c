/* SPDX-License-Identifier: GPL-2.0-only */
#include "build.h"

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
    STACK = LIST + 2,
    STACK_END
};

extern char image_end[];
static xen_pfn_t frames[PAGES];
static u8 *window;
static u64 window_entry;

int build_map(u32 domain, u64 pfn, u64 entry)
{
    struct mmu_update u = {.ptr = entry, .val = frames[pfn] << PAGE_SHIFT | 7};
    int error = (int)call4(__HYPERVISOR_mmu_update, &u, 1, 0, domain);

    table_op(MMUEXT_TLB_FLUSH_LOCAL, 0);
    return error;
}

void *build_page(u32 domain, u64 pfn)
{
    if (build_map(domain, pfn, window_entry) && checks_failed < 5)
        CHECK(!"foreign map");
    return window;
}

int build_map_table(u32 domain)
{
    return build_map(domain, L2, window_entry);
}

static void build_tables(u32 domain)
{
    u64 flags = PTE_P | PTE_W | PTE_U | 0x60;
    u64 *table = build_page(domain, L4);

    memset(table, 0, PAGE_SIZE);
    table[511] = frames[L3] << PAGE_SHIFT | flags;
    table = build_page(domain, L3);
    memset(table, 0, PAGE_SIZE);
    table[510] = frames[L2] << PAGE_SHIFT | flags;
    table = build_page(domain, L2);
    memset(table, 0, PAGE_SIZE);
    table[0] = frames[L1] << PAGE_SHIFT | flags;
    table[1] = frames[L1 + 1] << PAGE_SHIFT | flags;
    for (u32 part = 0; part < 2; part++) {
        table = build_page(domain, L1 + part);
        for (u32 i = 0; i < 512; i++) {
            u32 pfn = part * 512 + i;
            bool is_table = pfn >= TABLES && pfn <= L1 + 1;
            table[i] = frames[pfn] << PAGE_SHIFT | 0x60 | PTE_P | PTE_U | (is_table ? 0 : PTE_W);
        }
    }
}

static void copy_image(u32 domain)
{
    for (u64 pfn = 256; pfn < virt_to_pfn(image_end + PAGE_SIZE - 1); pfn++) {
        u8 *page = (u8 *)(VIRT_BASE + pfn * PAGE_SIZE);
        if (pte_value(page) & PTE_P) /* not our windows */
            memcpy(build_page(domain, pfn), page, PAGE_SIZE);
    }
}

static void build_image(u32 domain, u64 shared_info_frame)
{
    copy_image(domain);
    struct start_info *si = build_page(domain, START);
    memset(si, 0, PAGE_SIZE);
    memcpy(si->magic, "xen-3.0-x86_64", 15);
    si->nr_pages = PAGES;
    si->shared_info = shared_info_frame << PAGE_SHIFT;
    si->pt_base = VIRT_BASE + TABLES * PAGE_SIZE;
    si->nr_pt_frames = 5;
    si->mfn_list = VIRT_BASE + LIST * PAGE_SIZE;
    for (u32 part = 0; part < 2; part++)
        memcpy(build_page(domain, LIST + part), frames + part * 512, PAGE_SIZE);
}

void build_populate(u32 domain)
{
    struct xen_memory_reservation r = {.nr_extents = PAGES, .domid = (domid_t)domain};

    if (!window) {
        window = page_new();
        window_entry = pte_machine_address(window);
        map_page(window, 0);
    }
    for (u64 i = 0; i < PAGES; i++)
        frames[i] = i;
    set_xen_guest_handle(r.extent_start, frames);
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r), PAGES);
}

void build_memory(u32 domain)
{
    struct xen_domctl_getdomaininfo info;

    build_populate(domain);
    CHECK_EQUAL(domain_info(domain, &info), 0);
    build_tables(domain);
    build_image(domain, info.shared_info_frame);
}

void build_translated(u32 domain)
{
    build_populate(domain); /* its frames have the numbers that we gave */
    copy_image(domain);
}

u64 build_frame(u64 pfn)
{
    return frames[pfn];
}

void build_vcpu(u32 domain, u32 vcpu, const void *entry)
{
    static struct vcpu_guest_context context;
    struct xen_domctl op = {.u.vcpucontext.vcpu = vcpu};

    kernel_context(&context, entry, VIRT_BASE + STACK_END * PAGE_SIZE, frames[L4] << PAGE_SHIFT);
    context.flags |= VGCF_online;
    context.user_regs.rsi = VIRT_BASE + START * PAGE_SIZE;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &context);
    CHECK_EQUAL(domctl(XEN_DOMCTL_setvcpucontext, domain, &op), 0);
}

void build_context(u32 domain, const void *entry)
{
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L4_TABLE};

    build_page(domain, STACK); /* none of its tables stays mapped writable */
    pin.arg1.mfn = frames[L4];
    CHECK_EQUAL(call4(__HYPERVISOR_mmuext_op, &pin, 1, 0, domain), 0);
    build_vcpu(domain, 0, entry);
}

void build_done(void)
{
    CHECK_EQUAL(map_page(window, 0), 0);
}
