/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest in 32-bit mode switches between hardware tasks in every way there is, good and bad. Some
 * processors leave all of that to the hypervisor, others do it themselves: they must not differ.
 */
#include "tasks.h"

#include <xen/sched.h>

volatile struct seen __aligned_to(4096) seen;

static void run(bool hvm)
{
    struct xen_domctl_getdomaininfo info;
    u32 domain = translated_create(hvm, 1);
    u64 start = system_time();

    translated_tables();
    build_translated(domain);
    translated_start(domain, 1, inside_main);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, domain), 0);
    do {
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
        CHECK_EQUAL(domain_info(domain, &info), 0);
    } while (!(info.flags & XEN_DOMINF_shutdown) && system_time() - start < 20000000000UL);
    CHECK_EQUAL(info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask,
                SHUTDOWN_poweroff);
    const struct seen *its = build_page(domain, virt_to_pfn((const void *)&seen));
    CHECK_EQUAL(its->count, expected_count);
    for (u32 i = 0; i < its->count && i < expected_count; i++)
        if (its->notes[i] != expected[i])
            say("FAILED note %u: %x, not %x\n", i, its->notes[i], expected[i]);
    CHECK(!memcmp(its->notes, expected, expected_count * sizeof(expected[0])));
    build_done();
    domain_destroy(domain);
    CHECK(domain_gone(domain));
}

void guest_main(void)
{
    struct xen_sysctl machine = {0};

    CHECK_EQUAL(sysctl(XEN_SYSCTL_physinfo, &machine), 0);
    if (!(machine.u.physinfo.capabilities & XEN_SYSCTL_PHYSCAP_hap)) {
        say("no nested paging here\n");
        return;
    }
    run(false);
    run(true);
}
