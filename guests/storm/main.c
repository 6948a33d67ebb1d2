/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pseudo-random hypercalls with nasty arguments for two seconds, then: does the
 * hypervisor still answer rightly? The word "seed=N" makes another sequence,
 * "count=N" ends it after so many calls, "trace" shows each before it is made.
 * Left out is what ends this domain or the machine by right (shutdown, a new
 * stack or page table, iret), and what waits for ever.
 */
#include "control.h"
#include "random.h"
#include <xen/physdev.h>
#include <xen/platform.h>

static bool trace;
static u8 own[1 << 17]; /* a bit for each frame of our image and boot data, but the tables */
static void *again[5];  /* where the main loop goes on after a fault in scratch memory */
static u64 rounds, calls, done[64], succeeded[64];

/* None of our own code and data: we would map it and write over it. */
static bool is_own(u64 frame)
{
    return frame < ARRAY_SIZE(own) * 8 && own[frame / 8] >> (frame % 8) & 1;
}

static u64 frame_at(const void *p)
{
    return frame_of(p);
}

/* True: not this one. */
static bool lethal(u64 number, const u64 *a)
{
    u32 command = (u32)a[0];

    if (number == __HYPERVISOR_console_io) /* noise */
        return true;
    if (number == __HYPERVISOR_physdev_op) /* a bad device number here ends the stock hypervisor */
        return has_word("stock") &&
               (command == PHYSDEVOP_prepare_msix || command == PHYSDEVOP_release_msix);
    return random_ends(number, a);
}

static s64 call(u64 number, const u64 *a)
{
    if (lethal(number, a))
        return -EINVAL;
    if (trace)
        say("call %lu: %lx %lx %lx %lx %lx\n", number, a[0], a[1], a[2], a[3], a[4]);
    s64 result = hypercall(number, a[0], a[1], a[2], a[3], a[4]);
    calls++;
    done[number & 63]++;
    succeeded[number & 63] += result >= 0;
    return result;
}

/* Control with the right version, of domains that are not, and of a small victim. */
static void control(u32 victim)
{
    static const u16 spared[] = {XEN_DOMCTL_pausedomain, XEN_DOMCTL_destroydomain,
                                 XEN_DOMCTL_createdomain, XEN_DOMCTL_soft_reset,
                                 XEN_DOMCTL_gdbsx_guestmemio};
    struct xen_domctl *op = (void *)(any_scratch());
    u64 a[5] = {(u64)op};

    fill(8);
    for (u32 i = 0; i < sizeof(*op) / 8; i++)
        ((volatile u64 *)op)[i] = any_argument();
    op->cmd = below(20) ? (u32)below(90) : 1000 + (u32)below(4);
    op->interface_version = below(20) ? XEN_DOMCTL_INTERFACE_VERSION : (u32)draw();
    op->domain = (domid_t)(below(4) ? victim : 100 + below(1000));
    for (u32 i = 0; i < ARRAY_SIZE(spared); i++)
        if (op->cmd == spared[i])
            return;
    if (op->cmd == XEN_DOMCTL_max_mem || op->cmd == XEN_DOMCTL_set_paging_mempool_size)
        op->u.max_mem.max_memkb &= 0xffff;
    call(__HYPERVISOR_domctl, a);
}

static void sysctls(void)
{
    static const u16 harmless[] = {XEN_SYSCTL_readconsole,
                                   XEN_SYSCTL_physinfo,
                                   XEN_SYSCTL_sched_id,
                                   XEN_SYSCTL_getdomaininfolist,
                                   XEN_SYSCTL_getcpuinfo,
                                   XEN_SYSCTL_availheap,
                                   XEN_SYSCTL_cputopoinfo,
                                   XEN_SYSCTL_numainfo,
                                   XEN_SYSCTL_get_cpu_levelling_caps,
                                   XEN_SYSCTL_get_cpu_featureset,
                                   XEN_SYSCTL_get_cpu_policy,
                                   XEN_SYSCTL_get_pmstat,
                                   XEN_SYSCTL_page_offline_op,
                                   99};
    struct xen_sysctl *op = (void *)any_scratch();
    u64 a[5] = {(u64)op};

    for (u32 i = 0; i < sizeof(*op) / 8; i++)
        ((volatile u64 *)op)[i] = any_argument();
    op->cmd = harmless[below(ARRAY_SIZE(harmless))];
    if (op->cmd == XEN_SYSCTL_page_offline_op)
        op->cmd = 98; /* it takes good pages out of use */
    op->interface_version = below(20) ? XEN_SYSCTL_INTERFACE_VERSION : (u32)draw();
    call(__HYPERVISOR_sysctl, a);
}

__attribute__((noreturn)) static void back_to_loop(void)
{
    __builtin_longjmp(again, 1);
}

/* Our own accesses to scratch memory may fault, by what the calls have done to it. */
static void any_trap(struct trap_frame *frame)
{
    u64 address = shared_info->vcpu_info[0].arch.cr2 & PAGE_MASK;

    if (frame->vector == 200) {
        shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
        return;
    }
    for (u32 i = 0; frame->vector == 14 && i < SCRATCH; i++)
        if (address == (u64)random_scratch[i]) {
            random_repair();
            frame->rip = (u64)back_to_loop;
            return;
        }
    say("trap %lu at %lx, error %lx, cr2 %lx\n", frame->vector, frame->rip, frame->error_code,
        address);
    checks_failed++;
    finish();
}

/* One call of some kind. */
static void step(u32 victim)
{
    switch (below(8)) {
    case 0:
    case 1:
    case 2:
    case 3:
        random_call();
        break;
    case 4:
    case 5:
        random_tables();
        break;
    case 6:
        control(victim);
        break;
    default:
        below(2) ? sysctls() : random_multicall(lethal);
    }
}

void guest_main(void)
{
    static u64 seed, count, start;
    static s64 victim;

    seed = word_value("seed=", 1);
    count = word_value("count=", ~0UL);
    start = system_time();

    trace = has_word("trace");
    trap_hook = any_trap;
    events_off();
    random_begin(seed);
    random_guest = (struct random_guest){.call = call,
                                         .frame_of = frame_at,
                                         .spares = is_own,
                                         .tables = start_info->pt_base,
                                         .table_count = start_info->nr_pt_frames};

    for (u32 i = 0; i < SCRATCH; i++)
        random_scratch[i] = random_page();
    victim = domain_create(1, 1024);
    CHECK(victim > 0);
    own[start_info->shared_info >> 15] |=
        (u8)(1 << (start_info->shared_info >> 12) % 8); /* our clock */
    for (u64 pfn = 0; pfn < 1024; pfn++) {
        u64 frame = pfn_to_mfn(pfn), page = VIRT_BASE + pfn * PAGE_SIZE;
        if (frame < ARRAY_SIZE(own) * 8 &&
            (page < start_info->pt_base ||
             page >= start_info->pt_base + start_info->nr_pt_frames * PAGE_SIZE))
            own[frame / 8] |= (u8)(1 << frame % 8);
    }
    random_repair();
    __builtin_setjmp(again);
    while (calls < count && system_time() - start < 2000000000) {
        step((u32)victim);
        if (!(++rounds & 7))
            random_repair();
        events_off();
    }
    random_repair();
    u64 good = 0;
    for (u32 i = 0; i < 64; i++)
        good += succeeded[i];
    say("seed %lu: %lu calls, %lu of them succeeded\n", seed, calls, good);
    CHECK(calls > 100 || count < 100);
    CHECK(good > 0);
    CHECK_EQUAL(call2(__HYPERVISOR_xen_version, XENVER_version, 0), 4 << 16 | 17);
    CHECK(free_pages() != ~0UL);
    /* A destroydomain it made up may have found the victim, by a struct left in scratch memory. */
    s64 end;
    while ((end = simple_domctl(XEN_DOMCTL_destroydomain, (u32)victim)) == -EAGAIN)
        ;
    CHECK(end == 0 || end == -ESRCH);
    u64 now = system_time();
    CHECK(now > start && now - start < 60000000000);
}
