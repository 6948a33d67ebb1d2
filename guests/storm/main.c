/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pseudo-random hypercalls with nasty arguments for two seconds, then: does the
 * hypervisor still answer rightly? The word "seed=N" makes another sequence,
 * "count=N" ends it after so many calls, "trace" shows each before it is made.
 * Left out is what ends this domain or the machine by right (shutdown, a new
 * stack or page table, iret), and what waits for ever.
 */
#include "control.h"
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/physdev.h>
#include <xen/platform.h>

#define SCRATCH 8

static u64 state;
static u8 *scratch[SCRATCH];
static bool trace;
static u8 own[1 << 17]; /* a bit for each frame of our image and boot data, but the tables */
static void *again[5];  /* where the main loop goes on after a fault in scratch memory */
static u64 rounds, calls, done[64], succeeded[64];

static u64 draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x9e3779b97f4a7c15;
}

static u64 below(u64 n)
{
    return (draw() >> 11) % n;
}

static u64 word(const char *name, u64 otherwise)
{
    const char *at = strstr((const char *)start_info->cmd_line, name);
    return at ? parse_u64(at + strlen(name), NULL) : otherwise;
}

/* Frames: of our scratch pages, of our page tables, of nobody, of nothing. */
static u64 raw_frame(void)
{
    switch (below(6)) {
    case 0:
    case 1:
    case 2:
        return frame_of(scratch[below(SCRATCH)]);
    case 3:
        return frame_of(
            (void *)(start_info->pt_base + below(start_info->nr_pt_frames) * PAGE_SIZE));
    case 4:
        return below(0x20000);
    default:
        return draw() >> below(64);
    }
}

/* But none of our own code and data: we would map it and write over it. */
static u64 any_frame(void)
{
    u64 frame = raw_frame();

    if (frame < ARRAY_SIZE(own) * 8 && own[frame / 8] >> (frame % 8) & 1)
        return frame_of(scratch[below(SCRATCH)]);
    return frame;
}

static u64 any_pointer(void)
{
    switch (below(10)) {
    case 0:
        return 0;
    case 1:
        return 0xffff800000000000 + below(0x80000000000);
    case 2:
        return 0x8000000000000000 | draw();
    case 3:
        return ~0UL - below(64);
    case 4:
        return below(1 << 20);
    default: /* mostly good memory, often at the end of a page, not always aligned */
        return (u64)scratch[below(SCRATCH)] + (below(2) ? below(PAGE_SIZE) : below(512) * 8);
    }
}

static u64 any_number(void)
{
    static const u64 edges[] = {0,           1,         2,          3,          DOMID_SELF,
                                DOMID_IO,    DOMID_XEN, 0x7fffffff, 0xffffffff, 0x80000000,
                                0x100000000, ~0UL,      ~0UL >> 12, ~0UL >> 1};
    switch (below(4)) {
    case 0:
        return below(40);
    case 1:
        return edges[below(ARRAY_SIZE(edges))];
    case 2:
        return any_frame() << (below(2) ? PAGE_SHIFT : 0);
    default:
        return draw() >> below(64);
    }
}

static u64 any_argument(void)
{
    return below(2) ? any_number() : any_pointer();
}

/* A structure of words that mostly mean something. */
static void *fill(u32 bytes)
{
    u8 *page = scratch[below(SCRATCH)];
    u8 *at = page + (below(4) ? 0 : (PAGE_SIZE - bytes) & ~7u);
    for (u32 i = 0; i + 4 <= bytes; i += 4)
        if (!(i & 7) && i + 8 <= bytes && below(2)) {
            *(volatile u64 *)(at + i) = any_argument();
            i += 4;
        } else {
            *(volatile u32 *)(at + i) = (u32)any_number();
        }
    return at;
}

/* A page and a hole behind it, so that long lists end there and not in our own data. */
static u8 *scratch_new(void)
{
    u8 *page = page_new();
    CHECK_EQUAL(map_page(page_new(), 0), 0);
    return page;
}

/* The scratch pages may have become tables or read-only: make them ours to write again. */
static void repair(void)
{
    static u64 home[SCRATCH];
    static bool known;

    for (u32 i = 0; i < SCRATCH; i++) {
        if (!known)
            home[i] = frame_of(scratch[i]);
        for (u32 tries = 0; tries < 20 && map_page(scratch[i], home[i] << PAGE_SHIFT | 7); tries++)
            table_op(MMUEXT_UNPIN_TABLE, home[i]);
        if (!(pte_value(scratch[i]) &
              PTE_W)) { /* lost to something that still uses it: take another */
            scratch[i] = scratch_new();
            home[i] = frame_of(scratch[i]);
        }
    }
    known = true;
}

/* True: not this one. */
static bool lethal(u64 number, const u64 *a)
{
    u32 command = (u32)a[0];

    switch (number) {
    case __HYPERVISOR_iret:
    case __HYPERVISOR_stack_switch:
    case __HYPERVISOR_set_callbacks:
    case __HYPERVISOR_callback_op:
    case __HYPERVISOR_set_trap_table:
    case __HYPERVISOR_set_gdt:
    case __HYPERVISOR_fpu_taskswitch: /* harmless, but our code has no handler for it */
    case __HYPERVISOR_set_debugreg:   /* breakpoints on our own code */
    case __HYPERVISOR_kexec_op:
    case __HYPERVISOR_sched_op_compat:
        return true;
    case __HYPERVISOR_sched_op:
        return command == SCHEDOP_shutdown || command == SCHEDOP_block || command == SCHEDOP_poll ||
               command == SCHEDOP_watchdog || command == SCHEDOP_remote_shutdown ||
               command == SCHEDOP_shutdown_code;
    case __HYPERVISOR_vcpu_op:
        return command == VCPUOP_down || command == VCPUOP_initialise || command == VCPUOP_up ||
               command == VCPUOP_register_vcpu_info;
    case __HYPERVISOR_console_io:
        return true;              /* noise */
    case __HYPERVISOR_physdev_op: /* a bad device number here ends the stock hypervisor itself */
        return has_word("stock") &&
               (command == PHYSDEVOP_prepare_msix || command == PHYSDEVOP_release_msix);
    }
    return false;
}

static s64 call(u64 number, u64 *a)
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

static void any_call(void)
{
    u64 number = below(8) ? below(43) : below(70), a[5];
    for (u32 i = 0; i < 5; i++)
        a[i] = any_argument();
    if (number == __HYPERVISOR_multicall || number == __HYPERVISOR_domctl ||
        number == __HYPERVISOR_sysctl || number == __HYPERVISOR_platform_op ||
        number == __HYPERVISOR_mmuext_op || number == __HYPERVISOR_mmu_update ||
        number == __HYPERVISOR_update_va_mapping ||
        number == __HYPERVISOR_update_va_mapping_otherdomain)
        return; /* those with thought, below */
    call(number, a);
}

/* A known family with a filled structure. */
static void structured(void)
{
    static const u8 families[] = {__HYPERVISOR_memory_op,      __HYPERVISOR_event_channel_op,
                                  __HYPERVISOR_grant_table_op, __HYPERVISOR_physdev_op,
                                  __HYPERVISOR_vcpu_op,        __HYPERVISOR_xen_version,
                                  __HYPERVISOR_hvm_op,         __HYPERVISOR_sched_op,
                                  __HYPERVISOR_xenpmu_op,      __HYPERVISOR_vm_assist};
    u64 number = families[below(ARRAY_SIZE(families))];
    u64 a[5] = {below(36), 0, below(4) ? 1 + below(3) : any_number(), any_argument(),
                any_argument()};
    u8 *arg = fill(64 + (u32)below(100));

    a[1] = below(10) ? (u64)arg : any_pointer();
    if (number == __HYPERVISOR_vcpu_op) {
        a[1] = below(3);
        a[2] = below(10) ? (u64)arg : any_pointer();
    } else if (number == __HYPERVISOR_memory_op) {
        /* Lists of frames: short, of scratch or nothing, for us mostly. */
        struct xen_memory_reservation *r = (void *)arg;
        static u64 list[16];
        for (u32 i = 0; i < 16; i++)
            list[i] = below(2) ? draw() >> below(64) : below(0x40000) + 0x10000;
        a[0] = below(30) | (below(8) ? 0 : below(16) << 6);
        if (below(2) && ((u64)arg & (PAGE_SIZE - 1)) < PAGE_SIZE - sizeof(*r)) {
            set_xen_guest_handle(r->extent_start, list);
            r->nr_extents = below(16);
            r->extent_order = (u32)below(3);
            r->domid = DOMID_SELF;
            r->mem_flags = 0;
        }
        if (a[0] == XENMEM_decrease_reservation && !below(4))
            list[0] = frame_of(scratch[below(SCRATCH)]);
    } else if (number == __HYPERVISOR_event_channel_op) {
        /* Now and then a small port, so that some succeed. */
        for (u32 i = 0; i < 4; i++)
            if (below(2))
                ((volatile u32 *)arg)[i] = (u32)below(8);
    } else if (number == __HYPERVISOR_grant_table_op && below(2)) {
        struct gnttab_map_grant_ref *m = (void *)arg;
        m->dom = 0;
        m->ref = (u32)below(64);
        m->flags &= 0x3f;
        m->host_addr = below(2) ? (u64)scratch[below(SCRATCH)] : any_argument();
        a[2] = 1;
    }
    call(number, a);
}

static void page_tables(void)
{
    u64 a[5] = {0};

    switch (below(4)) {
    case 0: {
        struct mmu_update *u = fill(sizeof(*u) * 4);
        for (u32 i = 0; i < 4; i++) {
            u[i].ptr =
                (below(8) ? virt_to_machine(scratch[below(SCRATCH)]) + below(512) * 8 : draw()) |
                below(4);
            u[i].val = below(3) ? any_frame() << PAGE_SHIFT | below(0x200) : draw();
        }
        a[0] = (u64)u;
        a[1] = below(20) ? below(5) : 4 | 0x80000000;
        a[2] = below(2) ? 0 : any_pointer();
        a[3] = below(4) ? DOMID_SELF : any_number();
        call(__HYPERVISOR_mmu_update, a);
        return;
    }
    case 1: {
        struct mmuext_op *op = fill(sizeof(*op) * 2);
        for (u32 i = 0; i < 2; i++) {
            op[i].cmd = (u32)below(24);
            op[i].arg1.mfn = any_frame();
            if (below(2))
                op[i].arg2.src_mfn = any_frame();
            if (op[i].cmd == MMUEXT_NEW_BASEPTR || op[i].cmd == MMUEXT_NEW_USER_BASEPTR ||
                op[i].cmd == MMUEXT_SET_LDT)
                op[i].cmd = MMUEXT_PIN_L4_TABLE;
            /* Not over the pages we live on. */
            if (op[i].cmd == MMUEXT_CLEAR_PAGE || op[i].cmd == MMUEXT_COPY_PAGE ||
                op[i].cmd == MMUEXT_UNPIN_TABLE)
                op[i].arg1.mfn = frame_of(scratch[below(SCRATCH)]);
        }
        a[0] = (u64)op;
        a[1] = below(3);
        a[2] = below(2) ? 0 : any_pointer();
        a[3] = below(4) ? DOMID_SELF : any_number();
        call(__HYPERVISOR_mmuext_op, a);
        return;
    }
    default:
        a[0] = below(6) ? (u64)scratch[below(SCRATCH)] : 0xffff800000000000 + below(0x80000000000);
        a[1] = below(4) ? any_frame() << PAGE_SHIFT | below(0x200) : draw();
        a[2] = below(2) ? any_number() & 0xf : any_argument();
        a[3] = below(4) ? DOMID_SELF : any_number();
        call(below(3) ? __HYPERVISOR_update_va_mapping : __HYPERVISOR_update_va_mapping_otherdomain,
             a);
    }
}

/* Control with the right version, of domains that are not, and of a small victim. */
static void control(u32 victim)
{
    static const u16 spared[] = {XEN_DOMCTL_pausedomain, XEN_DOMCTL_destroydomain,
                                 XEN_DOMCTL_createdomain, XEN_DOMCTL_soft_reset,
                                 XEN_DOMCTL_gdbsx_guestmemio};
    struct xen_domctl *op = (void *)(scratch[below(SCRATCH)]);
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
    struct xen_sysctl *op = (void *)scratch[below(SCRATCH)];
    u64 a[5] = {(u64)op};

    for (u32 i = 0; i < sizeof(*op) / 8; i++)
        ((volatile u64 *)op)[i] = any_argument();
    op->cmd = harmless[below(ARRAY_SIZE(harmless))];
    if (op->cmd == XEN_SYSCTL_page_offline_op)
        op->cmd = 98; /* it takes good pages out of use */
    op->interface_version = below(20) ? XEN_SYSCTL_INTERFACE_VERSION : (u32)draw();
    call(__HYPERVISOR_sysctl, a);
}

static void multicall(void)
{
    static struct multicall_entry entries[64]; /* where no call of the list writes others */
    u32 count = 1 + (u32)below(8);

    for (u32 i = 0; i < count; i++) {
        entries[i].op = below(43);
        for (u32 j = 0; j < 6; j++)
            entries[i].args[j] = any_argument();
        bool thought = entries[i].op == __HYPERVISOR_mmu_update ||
                       entries[i].op == __HYPERVISOR_mmuext_op ||
                       entries[i].op == __HYPERVISOR_domctl ||
                       entries[i].op == __HYPERVISOR_sysctl ||
                       entries[i].op == __HYPERVISOR_platform_op ||
                       entries[i].op == __HYPERVISOR_update_va_mapping ||
                       entries[i].op == __HYPERVISOR_update_va_mapping_otherdomain;
        if (thought || lethal(entries[i].op, (u64 *)(void *)entries[i].args))
            entries[i].op = __HYPERVISOR_xen_version;
    }
    u64 a[5] = {(u64)entries, count};
    call(__HYPERVISOR_multicall, a);
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
        if (address == (u64)scratch[i]) {
            repair();
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
        any_call();
        break;
    case 1:
    case 2:
    case 3:
        structured();
        break;
    case 4:
    case 5:
        page_tables();
        break;
    case 6:
        control(victim);
        break;
    default:
        below(2) ? sysctls() : multicall();
    }
}

void guest_main(void)
{
    static u64 seed, count, start;
    static s64 victim;

    seed = word("seed=", 1);
    count = word("count=", ~0UL);
    start = system_time();

    trace = has_word("trace");
    trap_hook = any_trap;
    events_off();
    state = seed * 0x2545f4914f6cdd1d | 1;

    for (u32 i = 0; i < SCRATCH; i++)
        scratch[i] = scratch_new();
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
    repair();
    __builtin_setjmp(again);
    while (calls < count && system_time() - start < 2000000000) {
        step((u32)victim);
        if (!(++rounds & 7))
            repair();
        events_off();
    }
    repair();
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
