/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Eight vCPUs at once do what is permitted, of every family, to the same ports, grants, page tables
 * and domains. Each call may end as its list of errnos says and in no other way; what was granted
 * must read as it was written; in the end every page, port and grant is back. Words: "seed=N",
 * "seconds=N".
 */
#include "control.h"
#include "random.h"
#include <xen/grant_table.h>
#include <xen/memory.h>

#define VCPUS    8
#define PORTS    24
#define REFS     16
#define LEAVES   8
#define DOMAINS  3
#define SLACK    2 /* pages of the hypervisor's heap that a more crowded moment leaves behind */
#define MS       1000000UL
#define FLAGS_RO (PTE_P | PTE_U)
#define FLAGS_RW (PTE_P | PTE_W | PTE_U)

enum family { EVENTS, GRANTS, PAGES, TABLES, CONTROL, TIME, MULTICALL, FAMILIES };

struct worker {
    u32 id;
    u64 state, done[FAMILIES];
    u8 *window;       /* nothing is mapped there between two steps */
    u64 *spare, *own; /* own: its frame goes and comes */
    xen_pfn_t own_frame;
    volatile bool finished;
    volatile u32 family; /* what it is at, for the report */
};
static struct worker workers[VCPUS];
static u8 __aligned_to(16) stacks[VCPUS][16384];
static struct vcpu_guest_context context;
static volatile bool stop, printing;

static u32 ports[PORTS], domains[DOMAINS];
static grant_entry_v1_t *grants;
static u64 *granted[REFS], *leaves[LEAVES], *table1, *table2;

/* ---- what is drawn, and what may come of it ---- */

static u32 pick(struct worker *w, u32 n)
{
    return (u32)((draw_from(&w->state) >> 33) % n);
}

static void complain(const char *what, int line, s64 result)
{
    while (__atomic_exchange_n(&printing, true, __ATOMIC_ACQUIRE))
        ;
    if (++checks_failed <= 10)
        say("FAILED guests/stress/main.c:%d: %s is %ld\n", line, what, result);
    __atomic_store_n(&printing, false, __ATOMIC_RELEASE);
    stop = true;
}

static s64 judge(s64 result, const s64 *may, u32 count, const char *what, int line)
{
    for (u32 i = 0; i < count; i++)
        if (result == may[i])
            return result;
    complain(what, line, result);
    return result;
}
/* The result of a call, which may be one of those. */
#define MAY(call, ...)                                               \
    ({                                                               \
        static const s64 may_[] = {__VA_ARGS__};                     \
        judge((s64)(call), may_, ARRAY_SIZE(may_), #call, __LINE__); \
    })
#define MUST(condition)                        \
    do {                                       \
        if (!(condition))                      \
            complain(#condition, __LINE__, 0); \
    } while (0)

/* ---- events ---- */

static s64 event_op(u32 op, void *arg)
{
    return call2(__HYPERVISOR_event_channel_op, op, arg);
}

/* Whoever takes a port out of its place is the only one to close it. */
static void close_port(u32 port)
{
    struct evtchn_close op = {.port = port};

    if (port)
        MAY(event_op(EVTCHNOP_close, &op), 0);
}

static void put_port(struct worker *w, u32 port)
{
    close_port(__atomic_exchange_n(&ports[pick(w, PORTS)], port, __ATOMIC_SEQ_CST));
}

static void new_ports(struct worker *w)
{
    struct evtchn_bind_ipi ipi = {.vcpu = pick(w, VCPUS)};
    struct evtchn_alloc_unbound first = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};

    if (pick(w, 2)) {
        MAY(event_op(EVTCHNOP_bind_ipi, &ipi), 0);
        return put_port(w, ipi.port);
    }
    MAY(event_op(EVTCHNOP_alloc_unbound, &first), 0);
    struct evtchn_bind_interdomain second = {.remote_dom = DOMID_SELF, .remote_port = first.port};
    MAY(event_op(EVTCHNOP_bind_interdomain, &second), 0);
    put_port(w, first.port);
    put_port(w, second.local_port);
}

static void events(struct worker *w)
{
    u32 *place = &ports[pick(w, PORTS)], port = __atomic_load_n(place, __ATOMIC_RELAXED);
    struct evtchn_send send = {.port = port};
    struct evtchn_unmask unmask = {.port = port};
    struct evtchn_status status = {.dom = DOMID_SELF, .port = port};
    struct evtchn_bind_vcpu bind = {.port = port, .vcpu = pick(w, VCPUS)};

    switch (port ? pick(w, 8) : 0) {
    case 0:
        return new_ports(w);
    case 1:
        return close_port(__atomic_exchange_n(place, 0, __ATOMIC_SEQ_CST));
    case 2:
        MAY(event_op(EVTCHNOP_bind_vcpu, &bind), 0, -EINVAL);
        return;
    case 3:
        MAY(event_op(EVTCHNOP_status, &status), 0);
        return;
    case 4:
        MAY(event_op(EVTCHNOP_unmask, &unmask), 0, -EINVAL);
        return;
    default:
        MAY(event_op(EVTCHNOP_send, &send), 0, -EINVAL);
    }
}

/* ---- grants ---- */

static u64 pattern(u32 ref, u32 i)
{
    return (ref + 1) * 0x9e3779b97f4a7c15 + i;
}

static bool reads_right(const u64 *page, u32 ref)
{
    for (u32 i = 0; i < PAGE_SIZE / 8; i += 7)
        if (((const volatile u64 *)page)[i] != pattern(ref, i))
            return false;
    return true;
}

static void map_grant(struct worker *w, u32 ref)
{
    struct gnttab_map_grant_ref m = {.host_addr = (u64)w->window,
                                     .flags = GNTMAP_host_map | (pick(w, 2) ? GNTMAP_readonly : 0),
                                     .ref = ref};

    MAY(call3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &m, 1), 0);
    if (MAY(m.status, GNTST_okay, GNTST_bad_gntref, GNTST_permission_denied, GNTST_general_error,
            GNTST_eagain))
        return;
    MUST(reads_right((u64 *)w->window, ref));
    struct gnttab_unmap_grant_ref u = {.host_addr = (u64)w->window, .handle = m.handle};
    MAY(call3(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &u, 1), 0);
    MAY(u.status, GNTST_okay);
}

static void copy_grant(struct worker *w, u32 ref)
{
    struct gnttab_copy c = {.source.u.ref = ref,
                            .dest.u.gmfn = frame_of(w->spare),
                            .dest.domid = DOMID_SELF,
                            .len = PAGE_SIZE,
                            .flags = GNTCOPY_source_gref};

    MAY(call3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, &c, 1), 0);
    if (!MAY(c.status, GNTST_okay, GNTST_bad_gntref, GNTST_permission_denied, GNTST_general_error,
             GNTST_eagain))
        MUST(reads_right(w->spare, ref));
}

static void use_grants(struct worker *w)
{
    u32 ref = 8 + pick(w, REFS);
    u16 flags = __atomic_load_n(&grants[ref].flags, __ATOMIC_RELAXED);

    switch (pick(w, 4)) {
    case 0: /* taken back while nobody uses it, or given again */
        if (!flags || flags == GTF_permit_access)
            __atomic_compare_exchange_n(&grants[ref].flags, &flags,
                                        (u16)(flags ? 0 : GTF_permit_access), false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        return;
    case 1:
        return copy_grant(w, ref);
    default:
        map_grant(w, ref);
    }
}

/* ---- memory ---- */

static void pages(struct worker *w)
{
    xen_pfn_t fresh = 0x10000 + w->id;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    struct xen_memory_exchange x = {
        .in.nr_extents = 1, .in.domid = DOMID_SELF, .out.nr_extents = 1, .out.domid = DOMID_SELF};

    MAY(map_page(w->own, 0), 0);
    if (pick(w, 3)) {
        set_xen_guest_handle(r.extent_start, &w->own_frame);
        MAY(call2(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r), 1);
        set_xen_guest_handle(r.extent_start, &fresh);
        MAY(call2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r), 1);
    } else {
        set_xen_guest_handle(x.in.extent_start, &w->own_frame);
        set_xen_guest_handle(x.out.extent_start, &fresh);
        MAY(call2(__HYPERVISOR_memory_op, XENMEM_exchange, &x), 0);
        MAY(x.nr_exchanged, 1);
    }
    w->own_frame = fresh;
    MAY(map_page(w->own, fresh << PAGE_SHIFT | FLAGS_RW), 0);
    for (u32 i = 0; i < PAGE_SIZE / 8; i += 5)
        MUST(!((volatile u64 *)w->own)[i] || stop || has_word("stock"));
    memset(w->own, 0x55, PAGE_SIZE);
}

/* ---- page tables ---- */

static void tables(struct worker *w)
{
    u64 *table = pick(w, 3) ? table1 : table2;
    struct mmu_update u = {.ptr = virt_to_machine(table) + pick(w, 4) * 8};

    switch (pick(w, 8)) {
    case 0:
    case 1:
        MAY(table_op(table == table1 ? MMUEXT_PIN_L1_TABLE : MMUEXT_PIN_L2_TABLE, frame_of(table)),
            0, -EINVAL);
        return;
    case 2:
    case 3:
        MAY(table_op(MMUEXT_UNPIN_TABLE, frame_of(table)), 0, -EINVAL);
        return;
    case 4:
        MAY(table_op(MMUEXT_TLB_FLUSH_ALL, 0), 0);
        return;
    default:
        u.ptr |= pick(w, 2) ? MMU_PT_UPDATE_PRESERVE_AD : MMU_NORMAL_PT_UPDATE;
        if (pick(w, 3))
            u.val = table == table1 ? virt_to_machine(leaves[pick(w, LEAVES)]) |
                                          (pick(w, 2) ? FLAGS_RO : FLAGS_RW)
                                    : virt_to_machine(table1) | FLAGS_RW;
        MAY(call4(__HYPERVISOR_mmu_update, &u, 1, 0, DOMID_SELF), 0, -EINVAL);
    }
}

/* ---- domains ---- */

static void end_domain(u32 id)
{
    s64 status;

    while (id && (status = simple_domctl(XEN_DOMCTL_destroydomain, id)) != 0)
        MAY(status, -EAGAIN);
}

static void fill_domain(struct worker *w, u32 id)
{
    xen_pfn_t frames[4] = {0, 1, 2, 3};
    struct xen_memory_reservation r = {.nr_extents = 4, .domid = (domid_t)id};

    set_xen_guest_handle(r.extent_start, frames);
    if (MAY(call2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r), 0, 1, 2, 3, 4, -ESRCH,
            -EPERM) < 1)
        return;
    if (!MAY(call4(__HYPERVISOR_update_va_mapping_otherdomain, w->window,
                   frames[0] << PAGE_SHIFT | FLAGS_RW, UVMF_INVLPG | UVMF_LOCAL, id),
             0, -EINVAL, -ESRCH, -EPERM))
        *(volatile u64 *)w->window = id;
    MAY(map_page(w->window, 0), 0);
}

static void call_domain(u32 id)
{
    struct evtchn_alloc_unbound its = {.dom = (domid_t)id, .remote_dom = DOMID_SELF};

    if (MAY(event_op(EVTCHNOP_alloc_unbound, &its), 0, -ESRCH, -EINVAL, -ENOSPC))
        return;
    struct evtchn_bind_interdomain ours = {.remote_dom = (domid_t)id, .remote_port = its.port};
    if (MAY(event_op(EVTCHNOP_bind_interdomain, &ours), 0, -ESRCH, -EINVAL))
        return;
    struct evtchn_send send = {.port = ours.local_port};
    MAY(event_op(EVTCHNOP_send, &send), 0);
    close_port(ours.local_port);
}

static void control(struct worker *w)
{
    u32 *place = &domains[pick(w, DOMAINS)], id = __atomic_load_n(place, __ATOMIC_RELAXED);
    struct xen_domctl_getdomaininfo info;
    u32 made;

    switch (id ? pick(w, 8) : 0) {
    case 0:
        if (id || pick(w, 8)) {
            MUST(free_pages() != ~0UL);
            return;
        }
        made = (u32)domain_create(2, 64);
        MUST((s32)made > 0);
        return end_domain(__atomic_exchange_n(place, made, __ATOMIC_SEQ_CST));
    case 1:
        if (!pick(w, 4))
            end_domain(__atomic_exchange_n(place, 0, __ATOMIC_SEQ_CST));
        return;
    case 2:
        if (!MAY(simple_domctl(XEN_DOMCTL_pausedomain, id), 0, -ESRCH, -EINVAL))
            MAY(simple_domctl(XEN_DOMCTL_unpausedomain, id), 0, -ESRCH, -EINVAL);
        return;
    case 3:
        MAY(domain_info(id, &info), 0, -ESRCH);
        return;
    case 4:
    case 5:
        return fill_domain(w, id);
    default:
        call_domain(id);
    }
}

/* ---- vCPUs and time ---- */

static void time_and_vcpus(struct worker *w)
{
    struct vcpu_set_singleshot_timer shot = {.timeout_abs_ns = system_time() + pick(w, 100000)};
    struct vcpu_runstate_info info;
    u32 other = pick(w, VCPUS);

    switch (pick(w, 8)) {
    case 0:
        MAY(call3(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, w->id, &shot), 0);
        return;
    case 1:
        MAY(call3(__HYPERVISOR_vcpu_op, VCPUOP_stop_singleshot_timer, w->id, 0), 0);
        return;
    case 2:
        MAY(call3(__HYPERVISOR_vcpu_op, VCPUOP_is_up, other, 0), 0, 1);
        return;
    case 3:
        MAY(call3(__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, other, &info), 0);
        return;
    case 4:
        return nap(pick(w, 100000));
    case 5:
        MAY(call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0), 0);
        return;
    case 6: /* others wake it */
        if (w->id && !stop)
            MAY(call3(__HYPERVISOR_vcpu_op, VCPUOP_down, w->id, 0), 0);
        return;
    default:
        MAY(call3(__HYPERVISOR_vcpu_op, VCPUOP_up, other, 0), 0);
    }
}

static void several(struct worker *w)
{
    struct evtchn_send send = {.port = ports[pick(w, PORTS)]};
    struct multicall_entry list[] = {
        {.op = __HYPERVISOR_xen_version, .args = {XENVER_version}},
        {.op = __HYPERVISOR_event_channel_op, .args = {EVTCHNOP_send, (u64)&send}},
        {.op = __HYPERVISOR_update_va_mapping, .args = {(u64)w->window, 0, UVMF_INVLPG}},
        {.op = __HYPERVISOR_set_timer_op, .args = {system_time() + MS}}};

    MAY(call2(__HYPERVISOR_multicall, list, ARRAY_SIZE(list)), 0);
    MAY(list[0].result, 4 << 16 | 17);
    MAY(list[1].result, 0, -EINVAL);
    MAY(list[2].result, 0);
    MAY(list[3].result, 0);
}

/* ---- all of it ---- */

static void work(struct worker *w)
{
    static void (*const families[FAMILIES])(struct worker *) = {
        events, use_grants, pages, tables, control, time_and_vcpus, several};

    while (!stop) {
        u32 family = pick(w, FAMILIES);

        w->family = family;
        families[family](w);
        w->done[family]++;
    }
    w->finished = true;
}

static void worker_main(void)
{
    u64 sp;

    __asm__("mov %%rsp, %0" : "=r"(sp));
    struct worker *w = &workers[(sp - (u64)stacks) / sizeof(stacks[0])];
    for (;;) {
        work(w);
        while (w->finished)
            call3(__HYPERVISOR_vcpu_op, VCPUOP_down, w->id, 0);
    }
}

/* All vCPUs for so long; then nobody is in the middle of anything. */
static void run(u64 time)
{
    u64 end = system_time() + time, late = end + 100000 * MS;

    stop = false;
    for (u32 i = 0; i < VCPUS; i++)
        workers[i].finished = false;
    for (u32 i = 1; i < VCPUS; i++)
        MAY(call3(__HYPERVISOR_vcpu_op, VCPUOP_up, i, 0), 0);
    while (system_time() < end && !stop) {
        u32 family = pick(&workers[0], 2) ? TIME : EVENTS;

        family == TIME ? time_and_vcpus(&workers[0]) : events(&workers[0]);
        workers[0].done[family]++;
    }
    stop = true;
    for (u32 i = 1; i < VCPUS; i++)
        while (!workers[i].finished && system_time() < late) {
            call3(__HYPERVISOR_vcpu_op, VCPUOP_up, i, 0); /* it may just have gone down */
            nap(MS);
        }
    for (u32 i = 1; i < VCPUS; i++)
        if (!workers[i].finished)
            complain("vCPU does not come to its end, in family", (int)i, workers[i].family);
}

static void give_back(void)
{
    struct mmu_update u = {0};

    for (u32 i = 0; i < PORTS; i++)
        close_port(__atomic_exchange_n(&ports[i], 0, __ATOMIC_SEQ_CST));
    for (u32 i = 0; i < DOMAINS; i++)
        end_domain(__atomic_exchange_n(&domains[i], 0, __ATOMIC_SEQ_CST));
    MAY(table_op(MMUEXT_UNPIN_TABLE, frame_of(table2)), 0, -EINVAL);
    MAY(table_op(MMUEXT_UNPIN_TABLE, frame_of(table1)), 0, -EINVAL);
    for (u32 i = 0; i < 16; i++) {
        u.ptr = virt_to_machine(table2) + i * 8;
        MAY(call4(__HYPERVISOR_mmu_update, &u, 1, 0, DOMID_SELF), 0);
        u.ptr = virt_to_machine(table1) + i * 8;
        MAY(call4(__HYPERVISOR_mmu_update, &u, 1, 0, DOMID_SELF), 0);
    }
    for (u32 ref = 8; ref < 8 + REFS; ref++) {
        CHECK_EQUAL(grants[ref].flags & (GTF_reading | GTF_writing), 0);
        CHECK(reads_right(granted[ref - 8], ref));
    }
}

/* The frames that were table entries' and tables are nobody's but ours: given up, they are free. */
static void check_no_use_is_left(void)
{
    u64 before = settled_free_pages();
    xen_pfn_t frames[LEAVES + 2];
    struct xen_memory_reservation r = {.nr_extents = LEAVES + 2, .domid = DOMID_SELF};

    for (u32 i = 0; i < LEAVES + 2; i++) {
        u64 *page = i < LEAVES ? leaves[i] : i == LEAVES ? table1 : table2;

        frames[i] = frame_of(page);
        CHECK_EQUAL(map_page(page, 0), 0);
    }
    set_xen_guest_handle(r.extent_start, frames);
    CHECK_EQUAL(call2(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r), LEAVES + 2);
    CHECK_EQUAL(settled_free_pages(), before + LEAVES + 2);
}

static void setup_grants(void)
{
    static xen_pfn_t frames[1];
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};

    set_xen_guest_handle(s.frame_list, frames);
    CHECK_EQUAL(call3(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &s, 1), 0);
    grants = page_new();
    CHECK_EQUAL(map_page(grants, frames[0] << PAGE_SHIFT | FLAGS_RW), 0);
    for (u32 ref = 8; ref < 8 + REFS; ref++) {
        u64 *page = granted[ref - 8] = page_new();

        for (u32 i = 0; i < PAGE_SIZE / 8; i++)
            page[i] = pattern(ref, i);
        grants[ref].frame = (u32)frame_of(page);
        barrier();
        grants[ref].flags = GTF_permit_access;
    }
}

static void setup_vcpus(u64 seed)
{
    for (u32 i = 0; i < VCPUS; i++) {
        struct worker *w = &workers[i];

        w->id = i;
        w->state = (seed * VCPUS + i) * 0x2545f4914f6cdd1d | 1;
        w->window = page_new();
        w->spare = page_new();
        w->own = page_new();
        w->own_frame = frame_of(w->own);
        CHECK_EQUAL(map_page(w->window, 0), 0);
        shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
        kernel_context_here(&context, worker_main, (u64)stacks[i + 1] - 8);
        if (i)
            CHECK_EQUAL(call3(__HYPERVISOR_vcpu_op, VCPUOP_initialise, i, &context), 0);
    }
}

void guest_main(void)
{
    u64 seconds = word_value("seconds=", 3), sums[FAMILIES] = {0}, all = 0;

    events_off();
    setup_grants();
    setup_vcpus(word_value("seed=", 1));
    for (u32 i = 0; i < LEAVES; i++)
        leaves[i] = page_new();
    table1 = page_new();
    table2 = page_new();
    CHECK_EQUAL(remap(table1, FLAGS_RO), 0);
    CHECK_EQUAL(remap(table2, FLAGS_RO), 0);

    run(1000 * MS); /* the hypervisor's heap grows to what it needs */
    give_back();
    u64 free = settled_free_pages();
    u32 open = open_ports(2048);
    if (!checks_failed)
        run(seconds * 1000 * MS);
    give_back();
    u64 now = settled_free_pages();
    CHECK_EQUAL(open_ports(2048), open);
    u64 slack = has_word("stock") ? 256 : SLACK; /* its heap gives less back */
    CHECK(now + slack >= free && now <= free + slack);
    check_no_use_is_left();
    for (u32 f = 0; f < FAMILIES; f++)
        for (u32 i = 0; i < VCPUS; i++)
            sums[f] += workers[i].done[f];
    for (u32 f = 0; f < FAMILIES; f++) {
        CHECK(sums[f] > 0);
        all += sums[f];
    }
    say("%lu steps: events %lu, grants %lu, memory %lu, tables %lu, domains %lu, time %lu, lists "
        "%lu; "
        "free pages %lu, then %lu\n",
        all, sums[EVENTS], sums[GRANTS], sums[PAGES], sums[TABLES], sums[CONTROL], sums[TIME],
        sums[MULTICALL], free, now);
}
