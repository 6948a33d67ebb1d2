/* SPDX-License-Identifier: GPL-2.0-only */
/* Grant tables with domain 0 as both sides: map, unmap, copy, transfer, sizes, version 2. */
#include "runtime.h"
#include <xen/grant_table.h>

static grant_entry_v1_t *table;
static grant_entry_v2_t *table2;
static u16 *status_page;
static xen_pfn_t frames[64];

static s64 grant_op(u32 op, void *arg)
{
    return call3(__HYPERVISOR_grant_table_op, op, arg, 1);
}

static int map(u32 ref, void *where, u32 flags, u32 *handle)
{
    struct gnttab_map_grant_ref m = {.host_addr = (u64)where, .flags = flags, .ref = ref, .dom = 0};
    *handle = ~0u;
    if (grant_op(GNTTABOP_map_grant_ref, &m))
        return 1000;
    *handle = m.handle;
    return m.status;
}

static int unmap(void *where, u32 handle)
{
    struct gnttab_unmap_grant_ref u = {.host_addr = (u64)where, .handle = handle};
    if (grant_op(GNTTABOP_unmap_grant_ref, &u))
        return 1000;
    return u.status;
}

static void grant(u32 ref, const void *page, u32 flags)
{
    table[ref].domid = 0;
    table[ref].frame = (u32)frame_of(page);
    barrier();
    table[ref].flags = GTF_permit_access | (u16)flags;
}

extern volatile u8 *probe;
volatile u8 *probe;
static int write_fault(void *p)
{
    probe = p;
    return FAULT_OF("mov probe(%%rip), %%rcx\n movb $1, (%%rcx)", ::: "rax", "rcx", "memory");
}

static void setup(void)
{
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 2};
    struct gnttab_get_version version = {.dom = DOMID_SELF};

    CHECK_EQUAL(grant_op(GNTTABOP_query_size, &size), 0);
    CHECK_EQUAL(size.status, GNTST_okay);
    CHECK(size.nr_frames >= 1 && size.max_nr_frames >= 32 && size.nr_frames <= size.max_nr_frames);
    set_xen_guest_handle(s.frame_list, frames);
    CHECK_EQUAL(grant_op(GNTTABOP_setup_table, &s), 0);
    CHECK_EQUAL(s.status, GNTST_okay);
    CHECK(frames[0] && frames[1] && frames[0] != frames[1]);
    table = page_new();
    u8 *second = page_new();
    CHECK_EQUAL(map_page(table, frames[0] << PAGE_SHIFT | 7), 0);
    CHECK_EQUAL(map_page(second, frames[1] << PAGE_SHIFT | 7), 0);
    table2 = (void *)table;
    CHECK_EQUAL(grant_op(GNTTABOP_get_version, &version), 0);
    CHECK_EQUAL(version.version, 1);

    s.nr_frames = size.max_nr_frames + 1;
    CHECK_EQUAL(grant_op(GNTTABOP_setup_table, &s), 0);
    CHECK(s.status < 0);
    s.nr_frames = 1;
    s.dom = 77;
    CHECK_EQUAL(grant_op(GNTTABOP_setup_table, &s), 0);
    CHECK_EQUAL(s.status, GNTST_bad_domain);
    size.dom = 77;
    CHECK_EQUAL(grant_op(GNTTABOP_query_size, &size), 0);
    CHECK_EQUAL(size.status, GNTST_bad_domain);
    CHECK_EQUAL(grant_op(GNTTABOP_query_size, (void *)0x10), -EFAULT);
    CHECK_EQUAL(grant_op(999, &size), -ENOSYS);
}

static void test_map(void)
{
    u8 *page = page_new(), *window = page_new();
    u64 home = frame_of(window);
    u32 handle, second;

    page[0] = 42;
    CHECK_EQUAL(map_page(window, 0), 0);
    grant(20, page, 0);
    CHECK_EQUAL(map(20, window, GNTMAP_host_map, &handle), GNTST_okay);
    CHECK_EQUAL(*(volatile u8 *)window, 42);
    CHECK_EQUAL(write_fault(window), -1);
    CHECK_EQUAL(page[0], 1);
    CHECK_EQUAL(table[20].flags, GTF_permit_access | GTF_reading | GTF_writing);

    /* A granted mapping is not replaced by an ordinary one of the same frame on unmap: it must fit.
     */
    u8 *other = page_new();
    u64 other_home = frame_of(other);
    CHECK_EQUAL(map_page(other, 0), 0);
    CHECK_EQUAL(map(20, other, GNTMAP_host_map | GNTMAP_readonly, &second), GNTST_okay);
    CHECK(second != handle);
    CHECK_EQUAL(write_fault(other), 14);
    CHECK_EQUAL(unmap(window, second), GNTST_general_error);
    CHECK_EQUAL(unmap(other, second), GNTST_okay);
    CHECK_EQUAL(unmap(other, second), GNTST_bad_handle);
    CHECK_EQUAL(table[20].flags, GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_EQUAL(unmap(window, handle), GNTST_okay);
    CHECK_EQUAL(table[20].flags, GTF_permit_access);
    CHECK_EQUAL(write_fault(window), 14);
    CHECK_EQUAL(unmap(window, handle), GNTST_bad_handle);
    CHECK_EQUAL(unmap(window, ~0u), GNTST_bad_handle);
    CHECK_EQUAL(unmap(window, 0x7fffffff), GNTST_bad_handle);

    /* Read-only for the other side. */
    grant(21, page, GTF_readonly);
    CHECK_EQUAL(map(21, window, GNTMAP_host_map, &handle), GNTST_general_error);
    CHECK_EQUAL(map(21, window, GNTMAP_host_map | GNTMAP_readonly, &handle), GNTST_okay);
    CHECK_EQUAL(table[21].flags, GTF_permit_access | GTF_readonly | GTF_reading);
    CHECK_EQUAL(write_fault(window), 14);
    CHECK_EQUAL(unmap(window, handle), GNTST_okay);

    /* By the machine address of the entry. */
    u64 entry = pte_machine_address(window);
    CHECK_EQUAL(map(20, (void *)entry, GNTMAP_host_map | GNTMAP_contains_pte, &handle), GNTST_okay);
    CHECK_EQUAL(*(volatile u8 *)window, 1);
    CHECK_EQUAL(unmap((void *)pte_machine_address(table), handle), GNTST_general_error);
    CHECK_EQUAL(unmap((void *)entry, handle), GNTST_okay);
    CHECK_EQUAL(write_fault(window), 14);
    CHECK_EQUAL(map(20, (void *)(entry | 0x000f000000000000), GNTMAP_host_map | GNTMAP_contains_pte,
                    &handle),
                GNTST_general_error);
    /* A page that is no page table. */
    CHECK_EQUAL(
        map(20, (void *)virt_to_machine(page), GNTMAP_host_map | GNTMAP_contains_pte, &handle),
        GNTST_general_error);

    /* Unmapping puts another mapping in its place. */
    u8 *source = page_new();
    u64 source_frame = frame_of(source);
    *source = 99;
    CHECK_EQUAL(map(20, window, GNTMAP_host_map, &handle), GNTST_okay);
    struct gnttab_unmap_and_replace replace = {
        .host_addr = (u64)window, .new_addr = (u64)source, .handle = handle};
    CHECK_EQUAL(grant_op(GNTTABOP_unmap_and_replace, &replace), 0);
    CHECK_EQUAL(replace.status, GNTST_okay);
    CHECK_EQUAL(*(volatile u8 *)window, 99);
    CHECK_EQUAL(write_fault(source), 14);
    CHECK_EQUAL(map_page(source, source_frame << PAGE_SHIFT | 7), 0);

    CHECK_EQUAL(map_page(window, home << PAGE_SHIFT | 7), 0);
    CHECK_EQUAL(map_page(other, other_home << PAGE_SHIFT | 7), 0);
}

static void test_map_refused(void)
{
    u8 *page = page_new(), *window = page_new();
    u32 handle;
    struct gnttab_map_grant_ref m[3] = {
        {.host_addr = (u64)window, .flags = GNTMAP_host_map, .ref = 30, .dom = 0},
        {.host_addr = (u64)window, .flags = GNTMAP_host_map, .ref = 1u << 20, .dom = 0},
        {.host_addr = (u64)window, .flags = GNTMAP_host_map, .ref = 20, .dom = 77},
    };

    CHECK_EQUAL(map_page(window, 0), 0);
    table[30].flags = 0; /* permits nothing */
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, m, 3), 0);
    CHECK_EQUAL(m[0].status, GNTST_general_error);
    CHECK_EQUAL(m[1].status, GNTST_bad_gntref);
    CHECK_EQUAL(m[2].status, GNTST_bad_domain);
    grant(30, page, 0);
    table[30].domid = 5; /* permits somebody else */
    CHECK_EQUAL(map(30, window, GNTMAP_host_map, &handle), GNTST_general_error);
    grant(30, page, 0);
    CHECK_EQUAL(map(30, window, 0, &handle), GNTST_bad_gntref); /* neither host nor device */
    CHECK_EQUAL(map(30, window + 8, GNTMAP_host_map, &handle), GNTST_okay); /* the page counts */
    CHECK_EQUAL(unmap(window, handle), GNTST_okay);
    CHECK_EQUAL(map(30, (void *)0xffff830000000000, GNTMAP_host_map, &handle), GNTST_general_error);
    CHECK_EQUAL(map(30, (void *)0x8000000000000000, GNTMAP_host_map, &handle), GNTST_general_error);
    CHECK_EQUAL(map(30, (void *)0x10000, GNTMAP_host_map, &handle), GNTST_general_error);
    CHECK_EQUAL(table[30].flags, GTF_permit_access);
    table[30].frame = 0x200; /* the hypervisor's, or nobody's */
    CHECK(map(30, window, GNTMAP_host_map, &handle) < 0);
    table[30].frame = ~0u;
    CHECK(map(30, window, GNTMAP_host_map, &handle) < 0);
    CHECK_EQUAL(table[30].flags, GTF_permit_access);
    /* A page table cannot be mapped writable. */
    table[30].frame = (u32)frame_of((void *)start_info->pt_base);
    CHECK(map(30, window, GNTMAP_host_map, &handle) < 0);
    CHECK_EQUAL(map(30, window, GNTMAP_host_map | GNTMAP_readonly, &handle), GNTST_okay);
    CHECK_EQUAL(unmap(window, handle), GNTST_okay);
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, 0x10, 1), -EFAULT);
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, m, 0), 0);
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, m, 0x80000000), -EINVAL);
    table[30].flags = 0;
}

static int copy(struct gnttab_copy *c)
{
    c->status = 55;
    CHECK_EQUAL(grant_op(GNTTABOP_copy, c), 0);
    return c->status;
}

static void test_copy(void)
{
    u8 *from = page_new(), *to = page_new();
    struct gnttab_copy c = {.len = 100, .flags = GNTCOPY_source_gref};

    for (u32 i = 0; i < PAGE_SIZE; i++)
        from[i] = (u8)(i * 7);
    grant(40, from, GTF_readonly);
    grant(41, to, 0);
    c.source.u.ref = 40;
    c.source.domid = 0;
    c.source.offset = 3;
    c.dest.u.gmfn = frame_of(to);
    c.dest.domid = DOMID_SELF;
    c.dest.offset = 200;
    CHECK_EQUAL(copy(&c), GNTST_okay);
    CHECK(!memcmp(to + 200, from + 3, 100));
    CHECK_EQUAL(to[199], 0);
    CHECK_EQUAL(to[300], 0);

    /* Grant to grant, a whole page. */
    c.flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
    c.dest.u.ref = 41;
    c.dest.domid = 0;
    c.source.offset = c.dest.offset = 0;
    c.len = PAGE_SIZE;
    CHECK_EQUAL(copy(&c), GNTST_okay);
    CHECK(!memcmp(to, from, PAGE_SIZE));
    CHECK_EQUAL(table[41].flags, GTF_permit_access);

    c.source.offset = 1;
    CHECK_EQUAL(copy(&c), GNTST_bad_copy_arg);
    c.source.offset = 0;
    c.dest.offset = 4090;
    c.len = 7;
    CHECK_EQUAL(copy(&c), GNTST_bad_copy_arg);
    c.dest.offset = 65535;
    c.len = 65535;
    CHECK_EQUAL(copy(&c), GNTST_bad_copy_arg);
    c.dest.offset = 0;
    c.len = 8;
    c.dest.u.ref = 40; /* read-only */
    CHECK_EQUAL(copy(&c), GNTST_general_error);
    c.dest.u.ref = 1u << 24;
    CHECK_EQUAL(copy(&c), GNTST_bad_gntref);
    c.dest.u.ref = 41;
    c.dest.domid = 77;
    CHECK_EQUAL(copy(&c), GNTST_bad_domain);
    c.dest.domid = 0;
    /* Without a grant only one's own frames. */
    c.flags = GNTCOPY_dest_gref;
    c.source.domid = 0;
    c.source.u.gmfn = frame_of(from);
    CHECK_EQUAL(copy(&c), GNTST_permission_denied);
    c.source.domid = DOMID_SELF;
    CHECK_EQUAL(copy(&c), GNTST_okay);
    c.source.u.gmfn = ~0UL >> 12;
    CHECK(copy(&c) < 0);
    /* A page table as the destination. */
    c.flags = 0;
    c.source.u.gmfn = frame_of(from);
    c.dest.domid = DOMID_SELF;
    c.dest.u.gmfn = frame_of((void *)start_info->pt_base);
    CHECK(copy(&c) < 0);
    c.dest.u.gmfn = frame_of(to);
    CHECK_EQUAL(copy(&c), GNTST_okay);
    CHECK_EQUAL(table[40].flags, GTF_permit_access | GTF_readonly);
    table[40].flags = table[41].flags = 0;
}

static void test_transfer(void)
{
    struct gnttab_transfer t = {
        .mfn = pfn_to_mfn(start_info->nr_pages - 1), .domid = 77, .ref = 50};

    CHECK_EQUAL(grant_op(GNTTABOP_transfer, &t), 0);
    CHECK_EQUAL(t.status, GNTST_bad_domain);
    t.mfn = 0x200;
    t.domid = 0;
    CHECK_EQUAL(grant_op(GNTTABOP_transfer, &t), 0);
    CHECK_EQUAL(t.status, GNTST_bad_page);
}

static void test_version2(void)
{
    struct gnttab_set_version set = {.version = 2};
    struct gnttab_get_version get = {.dom = DOMID_SELF};
    struct gnttab_get_status_frames status = {.nr_frames = 1, .dom = DOMID_SELF};
    uint64_t status_frames[1];
    u8 *page = page_new(), *window = page_new();
    u64 home = frame_of(window);
    u32 handle;

    CHECK_EQUAL(grant_op(GNTTABOP_set_version, &set), 0);
    CHECK_EQUAL(set.version, 2);
    CHECK_EQUAL(grant_op(GNTTABOP_get_version, &get), 0);
    CHECK_EQUAL(get.version, 2);
    set_xen_guest_handle(status.frame_list, status_frames);
    CHECK_EQUAL(grant_op(GNTTABOP_get_status_frames, &status), 0);
    CHECK_EQUAL(status.status, GNTST_okay);
    status_page = page_new();
    CHECK_EQUAL(map_page(status_page, status_frames[0] << PAGE_SHIFT | 7), 0);

    CHECK_EQUAL(map_page(window, 0), 0);
    page[0] = 17;
    table2[30].full_page.hdr.domid = 0;
    table2[30].full_page.frame = frame_of(page);
    barrier();
    table2[30].full_page.hdr.flags = GTF_permit_access;
    CHECK_EQUAL(map(30, window, GNTMAP_host_map, &handle), GNTST_okay);
    CHECK_EQUAL(*(volatile u8 *)window, 17);
    CHECK_EQUAL(status_page[30], GTF_reading | GTF_writing);
    CHECK_EQUAL(table2[30].full_page.hdr.flags, GTF_permit_access);
    set.version = 1; /* not while something is mapped */
    CHECK_EQUAL(grant_op(GNTTABOP_set_version, &set), -EBUSY);
    CHECK_EQUAL(unmap(window, handle), GNTST_okay);
    CHECK_EQUAL(status_page[30], 0);

    /* A part of a page can be copied from, not mapped. */
    u8 *to = page_new();
    struct gnttab_copy c = {.len = 16, .flags = GNTCOPY_source_gref};
    table2[31].sub_page.hdr.domid = 0;
    table2[31].sub_page.frame = frame_of(page);
    table2[31].sub_page.page_off = 64;
    table2[31].sub_page.length = 32;
    memset(page + 64, 7, 32);
    barrier();
    table2[31].sub_page.hdr.flags = GTF_permit_access | GTF_sub_page;
    CHECK(map(31, window, GNTMAP_host_map, &handle) < 0);
    c.source.u.ref = 31;
    c.dest.u.gmfn = frame_of(to);
    c.dest.domid = DOMID_SELF;
    CHECK_EQUAL(copy(&c), GNTST_general_error);
    c.source.offset = 70;
    CHECK_EQUAL(copy(&c), GNTST_okay);
    CHECK_EQUAL(to[15], 7);
    CHECK_EQUAL(to[16], 0);
    c.source.offset = 90;
    CHECK_EQUAL(copy(&c), GNTST_general_error);

    CHECK_EQUAL(map_page(status_page, 0), 0);
    table2[30].full_page.hdr.flags = table2[31].hdr.flags = 0;
    set.version = 1;
    CHECK_EQUAL(grant_op(GNTTABOP_set_version, &set), 0);
    set.version = 3;
    CHECK_EQUAL(grant_op(GNTTABOP_set_version, &set), -EINVAL);
    CHECK_EQUAL(map_page(window, home << PAGE_SHIFT | 7), 0);
}

/* Many maps in one call: continued in between, each with its own result. */
static void test_many(void)
{
    static struct gnttab_map_grant_ref maps[200];
    static struct gnttab_unmap_grant_ref unmaps[200];
    u8 *page = page_new(), *windows[4];
    u32 wrong = 0;

    grant(60, page, 0);
    for (u32 i = 0; i < 4; i++) {
        windows[i] = page_new();
        map_page(windows[i], 0);
    }
    /* Over an existing mapping the stock hypervisor maps without complaint: the old one is dropped.
     */
    for (u32 i = 0; i < 200; i++)
        maps[i] = (struct gnttab_map_grant_ref){.host_addr = (u64)windows[i / 50],
                                                .flags = GNTMAP_host_map | GNTMAP_readonly,
                                                .ref = i % 50 ? 500 : 60,
                                                .dom = 0};
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, maps, 200), 0);
    for (u32 i = 0; i < 200; i++)
        wrong += maps[i].status != (i % 50 ? GNTST_general_error : GNTST_okay);
    CHECK_EQUAL(wrong, 0);
    for (u32 i = 0; i < 200; i++)
        unmaps[i] = (struct gnttab_unmap_grant_ref){.host_addr = (u64)windows[i / 50],
                                                    .handle = maps[i / 50 * 50].handle};
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, unmaps, 200), 0);
    for (u32 i = wrong = 0; i < 200; i++)
        wrong += unmaps[i].status != (i % 50 ? GNTST_bad_handle : GNTST_okay);
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(table[60].flags, GTF_permit_access);
}

void guest_main(void)
{
    setup();
    test_map();
    test_map_refused();
    test_copy();
    test_transfer();
    test_many();
    test_version2();
}
