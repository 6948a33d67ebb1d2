/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PVH and the HVM domain: vCPU 0 does one operation after the other, vCPU 1 answers its events.
 * Interrupts are off but where one is awaited.
 */
#include "bench.h"
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>

#define SHARED_PAGE   0x3f0UL /* some page of ours gives way to it */
#define SPARE_PAGE    0x3f1UL
#define UPCALL_VECTOR 0x30
#define SELF_VECTOR   0x31
#define OTHER_VECTOR  0x32
#define LAPIC         0xfee00000UL
#define IO_APIC       0xfec00000UL
#define HPET          0xfed00000UL

static volatile u32 upcalls, selves, answers;
static volatile u64 second_id; /* of vCPU 1's APIC, once it answers interrupts */
static volatile bool interrupts_now;
static volatile u32 to_second, to_first;

static void nothing_pending(u32 vcpu)
{
    struct vcpu_info *v = &shared_info->vcpu_info[vcpu];

    v->evtchn_upcall_pending = 0;
    v->evtchn_pending_sel = 0;
    shared_info->evtchn_pending[0] = 0;
}

struct interrupt_frame;
static __attribute__((interrupt)) void on_upcall(struct interrupt_frame *frame)
{
    (void)frame;
    nothing_pending(0);
    upcalls++;
}
static __attribute__((interrupt)) void on_self(struct interrupt_frame *frame)
{
    (void)frame;
    wrmsr(0x80b, 0);
    selves++;
}

/* Another vCPU's: vCPU 1 answers, and vCPU 0, whose number is 0, has its answer. */
static __attribute__((interrupt)) void on_other(struct interrupt_frame *frame)
{
    (void)frame;
    wrmsr(0x80b, 0);
    if (rdmsr(0x802))
        wrmsr(0x830, OTHER_VECTOR);
    else
        answers++;
}

static void use_x2apic(void)
{
    write32(LAPIC + 0xf0, 0x1ff);
    wrmsr(0x1b, rdmsr(0x1b) | 0xc00);
}

static void ask_other(void)
{
    u32 before = answers;

    wrmsr(0x830, second_id << 32 | OTHER_VECTOR);
    while (answers == before)
        __asm__ volatile("sti; hlt; cli" ::: "memory");
}

static void tell(u32 port)
{
    struct evtchn_send send = {.port = port};
    vmcall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send, 0);
}

static void await(u32 port)
{
    struct sched_poll poll = {.nr_ports = 1};

    set_xen_guest_handle(poll.ports, &port);
    while (!port_take(port))
        vmcall(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll, 0);
}

static u32 bind_ipi(u32 vcpu)
{
    struct evtchn_bind_ipi bind = {.vcpu = vcpu};
    vmcall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &bind, 0);
    return bind.port;
}

static void memory_op(u32 op, u64 count)
{
    xen_pfn_t page = SPARE_PAGE;
    struct xen_memory_reservation r = {.nr_extents = count, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, &page);
    vmcall(__HYPERVISOR_memory_op, op, &r, 0);
}

static void set_up(void)
{
    struct xen_add_to_physmap shared = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = SHARED_PAGE};
    struct xen_hvm_param callback = {
        .domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ, .value = 2UL << 56 | UPCALL_VECTOR};

    vmcall(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &shared, 0);
    shared_info = (void *)(VIRT_BASE + SHARED_PAGE * PAGE_SIZE);
    vmcall(__HYPERVISOR_hvm_op, HVMOP_set_param, &callback, 0);
    translated_gate(UPCALL_VECTOR, on_upcall);
    translated_gate(SELF_VECTOR, on_self);
    translated_gate(OTHER_VECTOR, on_other);
    to_first = bind_ipi(0);
    to_second = bind_ipi(1);
}

/* MEASURE under the kind's name. */
#define EACH(name, count, ...)                   \
    if (mailbox.hvm) {                           \
        MEASURE("hvm-" name, count, __VA_ARGS__) \
    } else {                                     \
        MEASURE("pvh-" name, count, __VA_ARGS__) \
    }

static void sleep_for(u64 ns)
{
    struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = system_time() + ns};
    u32 before = upcalls;

    vmcall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, &timer);
    do
        __asm__ volatile("sti; hlt; cli" ::: "memory");
    while (upcalls == before);
}

static void measure_exits(void)
{
    EACH("cpuid", 100, __asm__ volatile("cpuid" ::"a"(1), "c"(0) : "rbx", "rdx"));
    EACH("version", 100, vmcall(__HYPERVISOR_xen_version, XENVER_version, 0, 0));
    EACH("unknown", 100, vmcall(63, 0, 0, 0));
    EACH("rdmsr", 100, rdmsr(0x1b));
    EACH("wrmsr", 100, wrmsr(0xc0000103, 0)); /* TSC_AUX */
    EACH("cr4", 100, __asm__ volatile("mov %%cr4, %%rax; mov %%rax, %%cr4" ::: "rax", "memory"));
    EACH("lapic-read", 100, read32(LAPIC + 0x20));
    EACH("lapic-write", 100, write32(LAPIC + 0x80, 0));
    EACH("port-nobody", 100, in(0xe0));
    EACH("nothing", 100, read32(NOTHING));
    EACH("give-take", 50, memory_op(XENMEM_decrease_reservation, 1);
         memory_op(XENMEM_populate_physmap, 1); *(volatile u8 *)(SPARE_PAGE * PAGE_SIZE) = 1);
}

static void measure_interrupts(void)
{
    struct evtchn_bind_virq timer = {.virq = VIRQ_TIMER};

    EACH("send", 100, tell(to_first); port_take(to_first));
    nothing_pending(0);
    EACH("upcall", 100, __asm__ volatile("sti"); tell(to_first); __asm__ volatile("cli"));
    EACH("ping-pong", 50, tell(to_second); await(to_first));
    vmcall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &timer, 0);
    nothing_pending(0);
    sleep_for(SETTLE);
    EACH("timer", 20, sleep_for(100000));
    use_x2apic();
    EACH("x2apic-read", 100, rdmsr(0x802));
    EACH("x2apic-write", 100, wrmsr(0x808, 0));
    EACH("self-ipi", 100, __asm__ volatile("sti"); wrmsr(0x83f, SELF_VECTOR);
         __asm__ volatile("nop; cli"));
    interrupts_now = true;
    tell(to_second);
    while (!second_id)
        vmcall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    EACH("ipi", 50, ask_other());
}

static void measure_devices(void)
{
    MEASURE("hvm-pic", 100, in(0x21));
    MEASURE("hvm-pit", 100, in(0x40));
    MEASURE("hvm-rtc", 100, out(0x70, 0x0a); in(0x71));
    MEASURE("hvm-ioapic", 100, read32(IO_APIC + 0x10));
    MEASURE("hvm-hpet", 100, read32(HPET + 0xf0));
    MEASURE("hvm-dm-port", 50, in(DM_PORT));
    MEASURE("hvm-dm-memory", 50, read32(DM_PAGE));
}

__noreturn void translated_main(u64 vcpu)
{
    if (vcpu) {
        while (!to_second)
            vmcall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
        for (;;) {
            await(to_second);
            if (interrupts_now)
                break;
            tell(to_first);
        }
        nothing_pending(1);
        use_x2apic();
        second_id = rdmsr(0x802);
        for (;;)
            __asm__ volatile("sti; hlt; cli" ::: "memory");
    }
    set_up();
    measure_exits();
    measure_interrupts();
    if (mailbox.hvm)
        measure_devices();
    bool all = upcalls == (100 + 20) * BATCHES + 1 && selves == 100 * BATCHES &&
               answers == 50 * BATCHES;
    struct sched_shutdown how = {.reason = all ? SHUTDOWN_poweroff : SHUTDOWN_reboot};
    for (;;)
        vmcall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &how, 0);
}
