/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operations that bench/compare counts, each some hundred times between marks. Without a
 * stopwatch it only shows that all of them work.
 */
#include "bench.h"
#include <xen/physdev.h>

#define USER_CODE  0x400000UL
#define USER_STACK 0x402000UL
#define UNMAPPED   0x500000UL
#define PAGES      128

/* What user mode does RBX times; then it is back. RDX: an address that is not mapped. */
__asm__(".pushsection .rodata\n"
        "user_text:\n"
        "user_syscalls: syscall; dec %ebx; jnz user_syscalls; int $0x80\n"
        "user_interrupts: int3; dec %ebx; jnz user_interrupts; int $0x80\n"
        "user_faults: mov (%rdx), %al; dec %ebx; jnz user_faults; int $0x80\n"
        "user_text_end:\n"
        ".popsection\n"
        ".text\n"
        "user_go: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rsp, user_saved_rsp(%rip)\n"
        "mov %rdi, %rsp; mov %rsi, %rbx; mov $23, %eax; syscall; ud2\n"
        "user_back: pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
        /* The least that a kernel does for a system call: back by SYSRET. */
        "on_syscall: pop %rcx; pop %r11; push $0x100; push %rcx; push %r11; push %rax\n"
        "mov $23, %eax; syscall; ud2\n");
extern char user_text[], user_text_end[], user_syscalls[], user_interrupts[], user_faults[],
    user_back[], on_syscall[], trap_200[], trap_202[];

struct frame { /* struct iret_context of xen-x86_64.h */
    u64 rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};
void user_go(struct frame *frame, u64 times, u64 address);
u64 user_saved_rsp;

static u8 __aligned_to(16) trap_stack[8192], second_stack[8192];
static struct vcpu_guest_context context;
static u8 *pages[PAGES];
static u64 user_l4, user_l1;
static volatile u32 upcalls;
static u32 to_first, to_second;

void notify(u32 port)
{
    struct evtchn_send send = {.port = port};
    call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
}

/* With upcalls masked. */
void wait_port(u32 port)
{
    struct sched_poll poll = {.nr_ports = 1};

    set_xen_guest_handle(poll.ports, &port);
    while (!port_take(port))
        call2(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
}

static void on_trap(struct trap_frame *frame)
{
    struct vcpu_info *v = &shared_info->vcpu_info[0];

    switch (frame->vector) {
    case 200:
        v->evtchn_upcall_pending = 0;
        v->evtchn_pending_sel = 0;
        shared_info->evtchn_pending[0] = 0;
        upcalls++;
        break;
    case 3:
        break;
    case 14:
        frame->rip += 2; /* MOV (%rdx), %al */
        break;
    case 128:
        frame->rip = (u64)user_back;
        frame->cs = FLAT_KERNEL_CS & ~3UL;
        frame->ss = FLAT_KERNEL_SS;
        frame->rsp = user_saved_rsp;
        frame->rflags = 2;
        break;
    default:
        panic("trap");
    }
}

static void user(const char *label, u64 times)
{
    struct frame f = {.rip = USER_CODE + (u64)(label - user_text),
                      .cs = FLAT_USER_CS64,
                      .rflags = 0x202,
                      .rsp = USER_STACK,
                      .ss = FLAT_USER_SS64};
    user_go(&f, times, UNMAPPED);
}

static void make_user_space(void)
{
    u64 *l4 = page_new(), *l3 = page_new(), *l2 = page_new(), *l1 = page_new();
    u64 table = PTE_P | PTE_W | PTE_U, *tables[] = {l4, l3, l2, l1};

    memcpy(pages[0], user_text, (size_t)(user_text_end - user_text));
    for (u32 i = 0; i < 3 * PAGES; i++) /* and none at UNMAPPED */
        l1[i < 2 ? i : i + PAGES] = frame_of(pages[i % PAGES]) << PAGE_SHIFT | table;
    l1[UNMAPPED >> PAGE_SHIFT & 511] = 0;
    l2[2] = frame_of(l1) << PAGE_SHIFT | table;
    l3[0] = frame_of(l2) << PAGE_SHIFT | table;
    l4[0] = frame_of(l3) << PAGE_SHIFT | table;
    for (u32 i = 0; i < ARRAY_SIZE(tables); i++)
        CHECK_EQUAL(remap(tables[i], PTE_P | PTE_U), 0);
    user_l4 = frame_of(l4);
    user_l1 = frame_of(l1);
    MEASURE("pv-pin", 10, table_op(MMUEXT_PIN_L4_TABLE, user_l4);
            table_op(MMUEXT_UNPIN_TABLE, user_l4));
    CHECK_EQUAL(table_op(MMUEXT_PIN_L4_TABLE, user_l4), 0);
    CHECK_EQUAL(table_op(MMUEXT_NEW_USER_BASEPTR, user_l4), 0);
    volatile u64 *entry = &l1[500];
    MEASURE("pv-pte-write", 100, *entry = i & 1 ? l1[300] : 0);
    CHECK_EQUAL(*entry & PTE_P, PTE_P);
}

static void measure_calls(void)
{
    static struct multicall_entry calls[16];

    MEASURE("pv-version", 100, call2(__HYPERVISOR_xen_version, XENVER_version, 0));
    MEASURE("pv-unknown", 100, call1(63, 0));
    for (u32 i = 0; i < 16; i++)
        calls[i] = (struct multicall_entry){.op = __HYPERVISOR_xen_version};
    MEASURE("pv-multicall", 100, call2(__HYPERVISOR_multicall, calls, 16));
    MEASURE("pv-yield", 100, call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0));
    MEASURE("pv-stack-switch", 100,
            call2(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, trap_stack + sizeof(trap_stack)));
    MEASURE("pv-fs-base", 100, call2(__HYPERVISOR_set_segment_base, SEGBASE_FS, 0));
}

static void kernel_iret(void)
{
    __asm__ volatile("mov %%rsp, %%rcx; push %0; push %%rcx; push $0x202; push %1\n"
                     "lea 1f(%%rip), %%rcx; push %%rcx; push $0; push $0; push $0; push $0\n"
                     "mov $23, %%eax; syscall\n1:" ::"i"(FLAT_KERNEL_SS),
                     "i"(FLAT_KERNEL_CS & ~3UL)
                     : "rax", "rcx", "r11", "memory");
}

static void measure_traps(void)
{
    struct physdev_set_iopl iopl = {.iopl = 1};
    u32 low, high;

    CHECK_EQUAL(call3(__HYPERVISOR_set_callbacks, trap_200, trap_202, on_syscall), 0);
    MEASURE("pv-iret", 100, kernel_iret());
    MEASURE("pv-fault", 100,
            __asm__ volatile("mov (%%rdx), %%al" ::"d"(UNMAPPED)
                             : "rax", "memory"));
    MEASURE("pv-user-syscall", 1, user(user_syscalls, 100));
    MEASURE("pv-user-int3", 1, user(user_interrupts, 100));
    MEASURE("pv-user-fault", 1, user(user_faults, 100));
    MEASURE("pv-cpuid", 100,
            __asm__ volatile("ud2; .ascii \"xen\"; cpuid"
                             : "=a"(low)
                             : "0"(1)
                             : "rbx", "rcx", "rdx"));
    MEASURE("pv-rdmsr", 100, __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(0xc0000080)));
    CHECK(low & 0x400); /* EFER.LMA */
    MEASURE("pv-wrmsr", 100, __asm__ volatile("wrmsr" ::"a"(0), "d"(0), "c"(0xc0000100)));
    CHECK_EQUAL(call2(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, &iopl), 0);
    MEASURE("pv-port", 100, __asm__ volatile("in $0x61, %%al" : "=a"(low)));
    MEASURE("pv-cr0", 100, __asm__ volatile("mov %%cr0, %%rax" ::: "rax"));
}

static void measure_tables(void)
{
    static struct mmu_update updates[PAGES];
    u64 *boot = (u64 *)start_info->pt_base, *copy = page_new(), table[2];
    struct mmuext_op ops[2] = {{.cmd = MMUEXT_NEW_BASEPTR}, {.cmd = MMUEXT_NEW_USER_BASEPTR}};
    struct multicall_entry calls[] = {
        {.op = __HYPERVISOR_stack_switch, .args = {FLAT_KERNEL_SS, (u64)trap_stack + 8192}},
        {.op = __HYPERVISOR_fpu_taskswitch, .args = {0}},
        {.op = __HYPERVISOR_mmuext_op, .args = {(u64)ops, 2, 0, DOMID_SELF}}};

    MEASURE("pv-map", 100, remap(pages[1], i & 1 ? 7 : 5));
    for (u32 i = 0; i < PAGES; i++)
        updates[i].ptr = pte_machine_address(pages[i]);
    MEASURE("pv-update-1", 100,
            entry_update(updates[1].ptr, frame_of(pages[1]) << 12 | (i & 1 ? 7 : 5)));
    for (u32 flags = 5; flags <= 7; flags += 2) {
        for (u32 i = 0; i < PAGES; i++)
            updates[i].val = frame_of(pages[i]) << PAGE_SHIFT | flags;
        MEASURE("pv-update-128", 4, call4(__HYPERVISOR_mmu_update, updates, PAGES, 0, DOMID_SELF);
                for (u32 at = 0; at < PAGES; at++) updates[at].val ^= 2);
    }
    memcpy(copy, boot, 256 * sizeof(u64));
    memcpy(copy + 272, boot + 272, 240 * sizeof(u64));
    CHECK_EQUAL(remap(copy, PTE_P | PTE_U), 0);
    table[0] = frame_of(copy);
    table[1] = frame_of(boot);
    CHECK_EQUAL(table_op(MMUEXT_PIN_L4_TABLE, table[0]), 0);
    MEASURE("pv-cr3", 100, table_op(MMUEXT_NEW_BASEPTR, table[i & 1]));
    ops[1].arg1.mfn = user_l4;
    MEASURE("pv-switch", 100, ops[0].arg1.mfn = table[i & 1];
            call2(__HYPERVISOR_multicall, calls, ARRAY_SIZE(calls)));
    CHECK(!calls[0].result && !calls[1].result && !calls[2].result);
    MEASURE("pv-flush", 100, table_op(MMUEXT_TLB_FLUSH_LOCAL, 0));
}

static void sleep_for(u64 ns)
{
    call1(__HYPERVISOR_set_timer_op, system_time() + ns);
    call2(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
    events_off();
}

static __noreturn void second_vcpu(void)
{
    for (;;) {
        wait_port(to_second);
        notify(to_first);
    }
}

void ping_pong(void)
{
    notify(to_second);
    wait_port(to_first);
}

static void second_bind(void)
{
    struct evtchn_bind_ipi first = {.vcpu = 0}, second = {.vcpu = 1};

    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &first), 0);
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &second), 0);
    to_first = first.port;
    to_second = second.port;
}

static void second_begin(void)
{
    kernel_context_here(&context, second_vcpu, (u64)second_stack + sizeof(second_stack) - 8);
    CHECK_EQUAL(call3(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, &context), 0);
    CHECK_EQUAL(call3(__HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0), 0);
}

static void measure_events(void)
{
    struct evtchn_bind_virq timer = {.virq = VIRQ_TIMER};

    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &timer), 0);
    second_bind();
    MEASURE("pv-send", 100, notify(to_first); port_take(to_first));
    events_on();
    upcalls = 0;
    MEASURE("pv-upcall", 100, notify(to_first));
    CHECK_EQUAL(upcalls, 100 * BATCHES);
    events_off();
    upcalls = 0;
    sleep_for(SETTLE);
    MEASURE("pv-timer", 20, sleep_for(100000));
    CHECK(upcalls >= 20 * BATCHES);

    second_begin();
    MEASURE("pv-ping-pong", 50, ping_pong());
}

void guest_main(void)
{
    for (u32 i = 0; i < PAGES; i++)
        pages[i] = page_new();
    events_off();
    trap_hook = on_trap;
    call3(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0);
    if (has_word("crowd")) {
        second_bind();
        second_begin();
        measure_crowd();
        return;
    }
    CHECK_EQUAL(call2(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, trap_stack + sizeof(trap_stack)),
                0);
    make_user_space();
    measure_calls();
    measure_traps();
    measure_tables();
    measure_events();
    measure_domains(user_l1, pages);
}
