/* SPDX-License-Identifier: GPL-2.0-only */
/* The domains that are measured: built, told what to do, ended. */
#include "build.h"
#include "busy.h"

struct built domain_build(enum role role, u32 vcpus)
{
    static u8 *mail_windows[MAX_DOMAINS];
    static u64 mail_entries[MAX_DOMAINS];
    static u32 next;
    u32 slot = next++ % MAX_DOMAINS;
    s64 created = domain_create(vcpus, BUILD_KIB);
    u32 domain = (u32)created;
    struct evtchn_alloc_unbound alloc = {.dom = (domid_t)domain};

    if (created < 0)
        panic("domain not created");
    if (!mail_windows[slot]) {
        mail_windows[slot] = page_new();
        mail_entries[slot] = pte_machine_address(mail_windows[slot]);
    }
    map_page(mail_windows[slot], 0);
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc), 0);
    struct evtchn_bind_interdomain bind = {.remote_dom = (domid_t)domain,
                                           .remote_port = alloc.port};
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind), 0);
    build_memory(domain);
    struct mailbox *box = build_page(domain, virt_to_pfn(&mailbox));
    memset(box, 0, PAGE_SIZE);
    box->role = role;
    box->port = alloc.port;
    build_context(domain, domu_entry);
    CHECK_EQUAL(build_map(domain, virt_to_pfn(&mailbox), mail_entries[slot]), 0);
    build_done();
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
