/* SPDX-License-Identifier: GPL-2.0-only */
#include "random.h"
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>
#include <xen/physdev.h>

struct random_guest random_guest;
static u64 random_state;
u8 *random_scratch[SCRATCH];

void random_begin(u64 seed)
{
    random_state = seed * 0x2545f4914f6cdd1d | 1;
}

u64 draw_from(u64 *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x9e3779b97f4a7c15;
}

u64 draw(void)
{
    return draw_from(&random_state);
}

u64 below(u64 n)
{
    return (draw() >> 11) % n;
}

u8 *any_scratch(void)
{
    return random_scratch[below(SCRATCH)];
}

/* Frames: of our scratch pages, of our page tables, of nobody, of nothing. */
static u64 raw_frame(void)
{
    switch (below(6)) {
    case 0:
    case 1:
    case 2:
        return random_guest.frame_of(any_scratch());
    case 3:
        if (random_guest.table_count)
            return random_guest.frame_of(
                (void *)(random_guest.tables + below(random_guest.table_count) * PAGE_SIZE));
        /* fall through */
    case 4:
        return below(0x20000);
    default:
        return draw() >> below(64);
    }
}

u64 any_frame(void)
{
    u64 frame = raw_frame();

    return random_guest.spares && random_guest.spares(frame) ? random_guest.frame_of(any_scratch())
                                                             : frame;
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
        return (u64)any_scratch() + (below(2) ? below(PAGE_SIZE) : below(512) * 8);
    }
}

u64 any_number(void)
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

u64 any_argument(void)
{
    return below(2) ? any_number() : any_pointer();
}

void *fill(u32 bytes)
{
    u8 *page = any_scratch();
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

/* Not with just anything: a list of zeroes clears the trap table, and the rest is for a guest with
 * power over the machine. */
static bool wants_thought(u64 number)
{
    if (random_guest.reckless)
        return number == __HYPERVISOR_multicall;
    return number == __HYPERVISOR_multicall || number == __HYPERVISOR_domctl ||
           number == __HYPERVISOR_sysctl || number == __HYPERVISOR_platform_op ||
           number == __HYPERVISOR_mmuext_op || number == __HYPERVISOR_mmu_update ||
           number == __HYPERVISOR_update_va_mapping ||
           number == __HYPERVISOR_update_va_mapping_otherdomain;
}

static void any_call(void)
{
    u64 number = below(8) ? below(43) : below(70), a[5];
    for (u32 i = 0; i < 5; i++)
        a[i] = any_argument();
    if (!wants_thought(number))
        random_guest.call(number, a);
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
            list[0] = random_guest.frame_of(any_scratch());
        if (a[0] == XENMEM_add_to_physmap && below(2))
            *(struct xen_add_to_physmap *)arg =
                (struct xen_add_to_physmap){.domid = DOMID_SELF,
                                            .space = (u32)below(6),
                                            .idx = below(2) ? below(8) : any_frame(),
                                            .gpfn = any_frame()};
    } else if (number == __HYPERVISOR_event_channel_op) {
        /* Now and then a small port, so that some succeed. */
        for (u32 i = 0; i < 4; i++)
            if (below(2))
                ((volatile u32 *)arg)[i] = (u32)below(8);
        if (below(2)) /* where most of them have a domain */
            *(volatile domid_t *)arg = (domid_t)(below(2) ? random_guest.peer : DOMID_SELF);
    } else if (number == __HYPERVISOR_grant_table_op && below(2)) {
        struct gnttab_map_grant_ref *m = (void *)arg;
        m->dom = (domid_t)random_guest.peer;
        m->ref = (u32)below(64);
        m->flags &= 0x3f;
        m->host_addr = below(2) ? (u64)any_scratch() : any_argument();
        a[2] = 1;
    }
    random_guest.call(number, a);
}

void random_tables(void)
{
    u64 a[5] = {0};

    switch (below(4)) {
    case 0: {
        struct mmu_update *u = fill(sizeof(*u) * 4);
        for (u32 i = 0; i < 4; i++) {
            u[i].ptr = (below(8)
                            ? (random_guest.frame_of(any_scratch()) << PAGE_SHIFT) + below(512) * 8
                            : draw()) |
                       below(4);
            u[i].val = below(3) ? any_frame() << PAGE_SHIFT | below(0x200) : draw();
        }
        a[0] = (u64)u;
        a[1] = below(20) ? below(5) : 4 | 0x80000000;
        a[2] = below(2) ? 0 : any_pointer();
        a[3] = below(4) ? DOMID_SELF : any_number();
        random_guest.call(__HYPERVISOR_mmu_update, a);
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
                op[i].arg1.mfn = random_guest.frame_of(any_scratch());
        }
        a[0] = (u64)op;
        a[1] = below(3);
        a[2] = below(2) ? 0 : any_pointer();
        a[3] = below(4) ? DOMID_SELF : any_number();
        random_guest.call(__HYPERVISOR_mmuext_op, a);
        return;
    }
    default:
        a[0] = below(6) ? (u64)any_scratch() : 0xffff800000000000 + below(0x80000000000);
        a[1] = below(4) ? any_frame() << PAGE_SHIFT | below(0x200) : draw();
        a[2] = below(2) ? any_number() & 0xf : any_argument();
        a[3] = below(4) ? DOMID_SELF : any_number();
        random_guest.call(below(3) ? __HYPERVISOR_update_va_mapping
                                   : __HYPERVISOR_update_va_mapping_otherdomain,
                          a);
    }
}

void random_multicall(bool (*spared)(u64 number, const u64 *a))
{
    static struct multicall_entry entries[64]; /* where no call of the list writes others */
    u32 count = 1 + (u32)below(8);

    for (u32 i = 0; i < count; i++) {
        entries[i].op = below(43);
        for (u32 j = 0; j < 6; j++)
            entries[i].args[j] = any_argument();
        if (wants_thought(entries[i].op) ||
            spared(entries[i].op, (const u64 *)(void *)entries[i].args))
            entries[i].op = __HYPERVISOR_xen_version;
    }
    u64 a[5] = {(u64)entries, count};
    random_guest.call(__HYPERVISOR_multicall, a);
}

void random_call(void)
{
    below(4) ? structured() : any_call();
}

bool random_ends(u64 number, const u64 *a)
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
    }
    return false;
}

/* A page and a hole behind it, so that long lists end there and not in our own data. */
u8 *random_page(void)
{
    u8 *page = page_new();
    CHECK_EQUAL(map_page(page_new(), 0), 0);
    return page;
}

/* The scratch pages may have become tables or read-only: make them ours to write again. */
void random_repair(void)
{
    static u64 home[SCRATCH];
    static bool known;

    for (u32 i = 0; i < SCRATCH; i++) {
        if (!known)
            home[i] = frame_of(random_scratch[i]);
        for (u32 tries = 0; tries < 20 && map_page(random_scratch[i], home[i] << PAGE_SHIFT | 7);
             tries++)
            table_op(MMUEXT_UNPIN_TABLE, home[i]);
        if (!(pte_value(random_scratch[i]) &
              PTE_W)) { /* lost to something that still uses it: take another */
            random_scratch[i] = random_page();
            home[i] = frame_of(random_scratch[i]);
        }
    }
    known = true;
}
