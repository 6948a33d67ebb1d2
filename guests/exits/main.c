/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that makes a PVH or HVM guest leave for the hypervisor, good and bad: the guest goes
 * on as on a processor of its own, or it ends, alone, with the reason that it must have.
 */
#include "exits.h"

#include <xen/hvm/dm_op.h>
#include <xen/hvm/hvm_op.h>

struct report __aligned_to(4096) report;
u8 __aligned_to(4096) rom[PAGE_SIZE] = {0xb8, 0x77, 0, 0, 0, 0xc3}; /* mov $0x77, %eax; ret */

/* Shutdown code of the domain, once it has one. */
static u32 ending(u32 domain)
{
    struct xen_domctl_getdomaininfo info;
    u64 start = system_time();

    do {
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
        CHECK_EQUAL(domain_info(domain, &info), 0);
    } while (!(info.flags & XEN_DOMINF_shutdown) && system_time() - start < 20000000000UL);
    return info.flags & XEN_DOMINF_shutdown
               ? info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask
               : ~0U;
}

static void run(bool hvm, enum deed deed, u32 expected)
{
    static struct report its;
    u32 domain = translated_create(hvm, 3) /* two are for the guest to start */;

    struct xen_domctl tsc = {.u.tsc_info = {.tsc_mode = hvm, .gtsc_khz = TSC_KHZ}};

    CHECK_EQUAL(domctl(XEN_DOMCTL_settscinfo, domain, &tsc), 0); /* default, or emulated */
    tsc = (struct xen_domctl){0};
    CHECK_EQUAL(domctl(XEN_DOMCTL_gettscinfo, domain, &tsc), 0);
    CHECK_EQUAL(tsc.u.tsc_info.tsc_mode, hvm);
    CHECK(!hvm || tsc.u.tsc_info.gtsc_khz == TSC_KHZ);
    translated_tables();
    build_translated(domain);
    *(struct report *)build_page(domain, virt_to_pfn(&report)) =
        (struct report){.deed = deed, .hvm = hvm};
    if (hvm) {
        struct xen_dm_op dm = {
            .op = XEN_DMOP_set_mem_type,
            .u.set_mem_type = {.mem_type = HVMMEM_ram_ro, .nr = 1, .first_pfn = virt_to_pfn(rom)}};
        struct xen_dm_op_buf buffer = {.size = sizeof(dm)};

        set_xen_guest_handle(buffer.h, &dm);
        CHECK_EQUAL(call3(__HYPERVISOR_dm_op, domain, 1, &buffer), 0);
    }
    translated_start(domain, 1, inside_main);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, domain), 0);
    u32 code = ending(domain);
    its = *(struct report *)build_page(domain, virt_to_pfn(&report));
    build_done();
    if (code != expected || its.failed || (!deed && !its.told))
        say("%s guest, deed %u: %u passed, %u failed\n%s", hvm ? "HVM" : "PVH", deed, its.passed,
            its.failed, its.words);
    CHECK_EQUAL(code, expected);
    CHECK_EQUAL(its.failed, 0);
    CHECK(deed || (its.told && its.passed > 80));
    domain_destroy(domain);
    CHECK(domain_gone(domain));
}

void guest_main(void)
{
    static const u32 endings[DEEDS] = {
        [DEED_EVERYTHING] = SHUTDOWN_poweroff,    [DEED_TRIPLE_FAULT] = SHUTDOWN_reboot,
        [DEED_HALT_FOR_EVER] = SHUTDOWN_poweroff, [DEED_RUN_NOTHING] = SHUTDOWN_crash,
        [DEED_STACK_ON_NOTHING] = SHUTDOWN_crash, [DEED_SHUTDOWN_CRASH] = SHUTDOWN_crash,
    };
    struct xen_sysctl machine = {0};

    CHECK_EQUAL(sysctl(XEN_SYSCTL_physinfo, &machine), 0);
    if (!(machine.u.physinfo.capabilities & XEN_SYSCTL_PHYSCAP_hap)) {
        say("no nested paging here\n");
        return;
    }
    run(false, DEED_SHUTDOWN_CRASH, SHUTDOWN_crash); /* what dom0 keeps from the first one on */
    u64 free = settled_free_pages();
    for (u32 hvm = 0; hvm < 2; hvm++)
        for (u32 deed = 0; deed < DEEDS; deed++)
            run(hvm, deed, endings[deed]);
    CHECK_EQUAL(settled_free_pages(), free);
}
