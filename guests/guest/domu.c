/* SPDX-License-Identifier: GPL-2.0-only */
/* The unprivileged side: what it must not be allowed, events and grants with dom0, and then its
 * end. */
#include "pair.h"
#include <xen/grant_table.h>
#include <xen/physdev.h>
#include <xen/platform.h>

struct mailbox __aligned_to(4096) mailbox;

/* Its first instruction: a stack, then C. */
__asm__(
    ".text\n.globl domu_entry\ndomu_entry:\n"
    "cld; lea boot_stack_top(%rip), %rsp; mov %rsi, %rdi; xor %ebp, %ebp; call domu_start; ud2\n");

static grant_entry_v1_t *grants;

static void into_mailbox(const char *text, u32 length)
{
    for (u32 i = 0; i < length && mailbox.text_used < sizeof(mailbox.text) - 1; i++)
        mailbox.text[mailbox.text_used++] = text[i];
}

static void wait_for_step(u32 step)
{
    while (mailbox.step < step)
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
}

static void next_step(void)
{
    barrier();
    mailbox.step = mailbox.step + 1;
}

static void test_not_privileged(void)
{
    struct xen_sysctl sys = {0};
    struct xen_platform_op platform = {.cmd = XENPF_settime64,
                                       .interface_version = XENPF_INTERFACE_VERSION};
    struct xen_memory_map map = {.nr_entries = 1};
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = 0};
    struct evtchn_status status = {.dom = 0, .port = 1};
    struct evtchn_alloc_unbound alloc = {.dom = 0, .remote_dom = DOMID_SELF};
    struct sched_remote_shutdown shutdown = {.domain_id = 0, .reason = SHUTDOWN_crash};
    struct mmu_update update = {.ptr = mailbox.foreign_frame << PAGE_SHIFT, .val = 0};
    struct gnttab_query_size size = {.dom = 0};
    struct physdev_apic apic = {.apic_physbase = 0xfec00000, .reg = 0};
    xen_pfn_t frame = 5;
    domid_t dom0 = 0;

    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_getdomaininfo, 0), -EPERM);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_destroydomain, 0), -EPERM);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_createdomain, 99), -EPERM);
    CHECK_EQUAL(sysctl(XEN_SYSCTL_physinfo, &sys), -EPERM);
    CHECK_EQUAL(call1(__HYPERVISOR_platform_op, &platform), -EPERM);
    set_xen_guest_handle(map.buffer, &frame);
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_machine_memory_map, &map), -EPERM);
    set_xen_guest_handle(r.extent_start, &frame);
    CHECK(call2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r) <= 0);
    CHECK(call2(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r) <= 0);
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_current_reservation, &dom0), -EPERM);
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_status, &status), -EPERM);
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc), -EPERM);
    CHECK_EQUAL(call2(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &shutdown), -EPERM);
    CHECK_EQUAL(call4(__HYPERVISOR_mmu_update, &update, 1, 0, 0), -EPERM);
    CHECK_EQUAL(call4(__HYPERVISOR_mmu_update, &update, 1, 0, DOMID_IO),
                -EINVAL); /* a bad address */
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, &size, 1), 0);
    CHECK_EQUAL(size.status, GNTST_permission_denied);
    CHECK_EQUAL(call2(__HYPERVISOR_physdev_op, PHYSDEVOP_apic_read, &apic), -EPERM);
    CHECK_EQUAL(call3(__HYPERVISOR_console_io, CONSOLEIO_write, 1, "x"), -EPERM);
    CHECK_EQUAL(FAULT_OF("in $0x60, %%al", ::: "rax"), 13);
    CHECK_EQUAL(FAULT_OF("mov $0xcf8, %%edx\n out %%eax, %%dx", ::: "rax", "rdx"), 13);
}

static void test_not_ours(void)
{
    u8 *page = page_new();
    u64 own = frame_of(page);
    /* dom0's, the hypervisor's low memory, the local APIC, video memory, beyond memory. */
    u64 frames[] = {mailbox.foreign_frame, 0x200, 0xfee00, 0xb8, 0x000ffffffffff};

    for (u32 i = 0; i < ARRAY_SIZE(frames); i++) {
        CHECK(map_page(page, frames[i] << PAGE_SHIFT | 7) != 0);
        CHECK(map_page(page, frames[i] << PAGE_SHIFT | 5) != 0);
        CHECK(table_op(MMUEXT_PIN_L1_TABLE, frames[i]) != 0);
    }
    CHECK_EQUAL(map_page(page, own << PAGE_SHIFT | 7), 0);
    CHECK_EQUAL(FAULT_OF("mov 0xffff830000000000, %%rax", ::: "rax", "memory"), 14);
    /* No more than its share. */
    static xen_pfn_t more[64];
    struct xen_memory_reservation r = {.nr_extents = 64, .domid = DOMID_SELF};
    for (u32 i = 0; i < 64; i++)
        more[i] = 2000 + i;
    set_xen_guest_handle(r.extent_start, more);
    s64 got = call2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r);
    CHECK(got >= 0 && got < 64);
}

/* dom0 bound its end; each sends to the other. */
static void test_events(void)
{
    struct evtchn_send send = {.port = mailbox.port};

    u64 start = system_time();
    while (!(shared_info->evtchn_pending[0] >> mailbox.port & 1) &&
           system_time() - start < 5000000000)
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    CHECK(shared_info->evtchn_pending[0] >> mailbox.port & 1);
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send), 0);
    struct evtchn_bind_interdomain bind = {.remote_dom = 0, .remote_port = 1};
    CHECK(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind) < 0);
}

static void test_grants(void)
{
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
    u8 *page = page_new(), *window = page_new();
    u64 own = frame_of(window);
    xen_pfn_t frame;

    set_xen_guest_handle(setup.frame_list, &frame);
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, 1), 0);
    CHECK_EQUAL(setup.status, GNTST_okay);
    grants = page_new();
    CHECK_EQUAL(map_page(grants, frame << PAGE_SHIFT | 7), 0);
    *(u64 *)page = MAGIC;
    grants[REF_TO_DOM0].domid = 0;
    grants[REF_TO_DOM0].frame = (u32)frame_of(page);
    barrier();
    grants[REF_TO_DOM0].flags = GTF_permit_access;

    CHECK_EQUAL(map_page(window, 0), 0);
    struct gnttab_map_grant_ref map = {
        .host_addr = (u64)window, .flags = GNTMAP_host_map, .ref = mailbox.ref_from_dom0, .dom = 0};
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &map, 1), 0);
    CHECK_EQUAL(map.status, GNTST_okay);
    CHECK_EQUAL(*(volatile u64 *)window, MAGIC + 1);
    *(volatile u64 *)window = MAGIC + 2;
    /* A grant that was not given to us. */
    struct gnttab_map_grant_ref bad = map;
    bad.ref++;
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &bad, 1), 0);
    CHECK(bad.status < 0);
    /* A granted frame gives no other rights: it is no page table of ours. */
    CHECK(table_op(MMUEXT_PIN_L1_TABLE, mailbox.foreign_frame) != 0);
    if (mailbox.death != DEATH_TABLES) { /* which leaves it mapped */
        struct gnttab_unmap_grant_ref unmap = {.host_addr = (u64)window, .handle = map.handle};
        CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
        CHECK_EQUAL(unmap.status, GNTST_okay);
        CHECK_EQUAL(map_page(window, own << PAGE_SHIFT | 7), 0);
    }
}

/* Page tables that refer to themselves, and some pinned: the end must undo all. */
static void leave_tables(void)
{
    u64 *l4 = (u64 *)start_info->pt_base, *table = page_new();

    /* A top table in itself: the stock hypervisor's linear page tables, which
     * Tenon refuses (pv/types.c says why). */
    s64 linear =
        entry_update(virt_to_machine(l4 + 300), frame_of(l4) << PAGE_SHIFT | PTE_P | PTE_U);
    CHECK_EQUAL(linear, has_word("stock") ? 0 : -EINVAL);
    CHECK_EQUAL(remap(table, PTE_P | PTE_U), 0);
    CHECK_EQUAL(table_op(MMUEXT_PIN_L1_TABLE, frame_of(table)), 0);
    CHECK_EQUAL(entry_update(virt_to_machine(table), frame_of(table) << PAGE_SHIFT | PTE_P | PTE_U),
                0);
}

static void end(void)
{
    static const u32 reasons[] = {SHUTDOWN_poweroff, SHUTDOWN_reboot, SHUTDOWN_crash};
    struct sched_shutdown how = {.reason = SHUTDOWN_poweroff};
    struct sched_watchdog watchdog = {.timeout = 1};

    switch (mailbox.death) {
    case DEATH_NO_HANDLER:
        call1(__HYPERVISOR_set_trap_table, 0);
        __asm__ volatile("ud2");
        break;
    case DEATH_NO_STACK:
        __asm__ volatile("mov $0x1000, %rsp; ud2");
        break;
    case DEATH_BAD_IRET:
        __asm__ volatile("mov $0x1000, %rsp; mov $23, %eax; syscall");
        break;
    case DEATH_WATCHDOG:
        CHECK_EQUAL(call2(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &watchdog), 1);
        for (;;)
            ;
    case DEATH_RUNNING:
        for (;;)
            ;
    case DEATH_POWEROFF:
    case DEATH_REBOOT:
    case DEATH_CRASH:
        how.reason = reasons[mailbox.death];
    }
    call2(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &how);
    mailbox.failed = mailbox.failed + 1; /* not reached */
    for (;;)
        ;
}

void domu_start(struct start_info *si);
void domu_start(struct start_info *si)
{
    /* The image is a copy of a running one: forget what it did. */
    say_hook = into_mailbox;
    trap_hook = NULL;
    checks_passed = checks_failed = 0;
    runtime_adopt(si);
    events_off(); /* we poll */
    CHECK_EQUAL(si->flags & (SIF_PRIVILEGED | SIF_INITDOMAIN), 0);
    test_not_privileged();
    test_not_ours();
    next_step(); /* 1: dom0 binds and sends */
    wait_for_step(2);
    test_events();
    test_grants();
    if (mailbox.death == DEATH_TABLES)
        leave_tables();
    mailbox.passed = checks_passed;
    mailbox.failed = checks_failed;
    next_step(); /* 3: dom0 looks at the grant */
    wait_for_step(4);
    end();
}
