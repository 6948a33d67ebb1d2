/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bench/compare counts to see how costs grow: operations on one port or one grant while 10,
 * 100 and 1,000 are in use, and a whole domain's memory mapped. Without a stopwatch it only shows
 * that all of them work.
 */
#include "../bench/bench.h"
#include <xen/grant_table.h>

#define MOST  1000
#define FIRST 8 /* reference */

static u8 __aligned_to(4096) pages[MOST][4096]; /* places for mappings */

static u32 port_bind(void)
{
    struct evtchn_bind_ipi bind = {0};

    call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &bind);
    return bind.port;
}

static void port_close(u32 port)
{
    struct evtchn_close close = {.port = port};
    call2(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &close);
}

static void port_send(u32 port)
{
    struct evtchn_send send = {.port = port};

    call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
    shared_info->evtchn_pending[port / 64] = 0;
}

/* The marks' names are words of fixed length: one line for each number. */
#define AT_EACH(name, have, grow, ...)     \
    while ((have) < 10)                    \
        grow;                              \
    MEASURE(name "-10", 50, __VA_ARGS__);  \
    while ((have) < 100)                   \
        grow;                              \
    MEASURE(name "-100", 50, __VA_ARGS__); \
    while ((have) < MOST)                  \
        grow;                              \
    MEASURE(name "-1000", 50, __VA_ARGS__)

static void measure_ports(void)
{
    static u32 ports[MOST];
    u32 sent = 0, bound = 0;

    AT_EACH("send", sent, ports[sent++] = port_bind(), port_send(ports[sent - 1]));
    CHECK(ports[MOST - 1] >= MOST - 1);
    while (sent)
        port_close(ports[--sent]);
    AT_EACH("bind", bound, ports[bound++] = port_bind(), port_close(port_bind()));
    while (bound)
        port_close(ports[--bound]);
}

static struct gnttab_map_grant_ref map;

static void grant_map(u32 at)
{
    map = (struct gnttab_map_grant_ref){
        .host_addr = (u64)pages[at], .flags = GNTMAP_host_map, .ref = FIRST + at};
    call3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &map, 1);
}

static void grant_unmap(u32 at)
{
    struct gnttab_unmap_grant_ref unmap = {.host_addr = (u64)pages[at], .handle = map.handle};
    call3(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &unmap, 1);
}

/* Of its own: both sides of each mapping are one domain's. */
static void measure_grants(void)
{
    enum { FRAMES = 2 };
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = FRAMES};
    xen_pfn_t frames[FRAMES];
    grant_entry_v1_t *tables[FRAMES];
    u64 granted = frame_of(page_new());
    u32 mapped = 0;

    set_xen_guest_handle(setup.frame_list, frames);
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, 1), 0);
    CHECK_EQUAL(setup.status, 0);
    for (u32 i = 0; i < FRAMES; i++) {
        tables[i] = page_new();
        map_page(tables[i], frames[i] << PAGE_SHIFT | 7);
    }
    for (u32 i = FIRST; i < FIRST + MOST; i++)
        tables[i / 512][i % 512] = (grant_entry_v1_t){GTF_permit_access, 0, (u32)granted};
    AT_EACH("map", mapped, grant_map(mapped++), grant_unmap(mapped - 1); grant_map(mapped - 1));
    CHECK_EQUAL(map.status, GNTST_okay);
}

/* As a kernel does for a toolstack: 16 entries a call, over two level-1 tables. */
static void measure_foreign(void)
{
    static struct mmu_update updates[16];
    u32 domain = (u32)domain_create(1, BUILD_KIB), failed = 0;
    u64 tables[2];

    for (u32 i = 0; i < 2; i++) {
        u8 *table = page_new();
        tables[i] = frame_of(table) << PAGE_SHIFT;
        CHECK_EQUAL(remap(table, PTE_P | PTE_U), 0);
        CHECK_EQUAL(table_op(MMUEXT_PIN_L1_TABLE, tables[i] >> PAGE_SHIFT), 0);
    }
    build_populate(domain);
    for (u32 part = 0; part < 2; part++) {
        if (part == 1)
            MARK("foreign", 0);
        for (u32 i = 0; i < 1024; i += 16) {
            for (u32 at = i; at < i + 16; at++)
                updates[at - i] = (struct mmu_update){tables[at / 512] + at % 512 * 8,
                                                      build_frame(at) << PAGE_SHIFT | 7};
            failed += call4(__HYPERVISOR_mmu_update, updates, 16, 0, domain) != 0;
        }
        if (part == 1)
            MARK("foreign", 1);
        else
            for (u32 i = 0; i < 1024; i++)
                failed += entry_update(tables[i / 512] + i % 512 * 8, 0) != 0;
    }
    CHECK_EQUAL(failed, 0);
    for (u32 i = 0; i < 2; i++)
        CHECK_EQUAL(table_op(MMUEXT_UNPIN_TABLE, tables[i] >> PAGE_SHIFT), 0);
    domain_destroy(domain);
    CHECK(domain_gone(domain));
}

/* What of the machine's memory is neither free nor ours. */
static void tell_memory(void)
{
    struct xen_sysctl machine = {0};
    struct xen_domctl_getdomaininfo own;

    CHECK_EQUAL(sysctl(XEN_SYSCTL_physinfo, &machine), 0);
    CHECK_EQUAL(domain_info(0, &own), 0);
    say("bench: memory = %lu KiB\n",
        (machine.u.physinfo.total_pages - machine.u.physinfo.free_pages - own.tot_pages) * 4);
}

void guest_main(void)
{
    events_off();
    tell_memory();
    if (has_word("memory"))
        return;
    call3(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0);
    measure_ports();
    measure_grants();
    measure_foreign();
}
