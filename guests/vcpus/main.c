/* SPDX-License-Identifier: GPL-2.0-only */
/* A second vCPU: brought up with bad and good contexts, IPIs both ways, down, up again. */
#include "runtime.h"

#define MS 1000000UL

static struct vcpu_guest_context context;
static u8 __aligned_to(16) second_stack[16384];
static volatile u32 second_runs, second_upcalls, first_upcalls, second_order;
static evtchn_port_t to_second, to_first;
static struct vcpu_info __aligned_to(64) moved_info;
static struct vcpu_info *second_info;

static s64 vcpu_op(u32 op, u64 vcpu, void *arg)
{
    return call3(__HYPERVISOR_vcpu_op, op, vcpu, arg);
}

static s64 send(evtchn_port_t port)
{
    struct evtchn_send s = {.port = port};
    return call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &s);
}

/* Which vCPU runs here: by the stack. */
static void upcall(struct trap_frame *frame)
{
    bool second = frame->rsp >= (u64)second_stack &&
                  frame->rsp <= (u64)second_stack + sizeof(second_stack);
    struct vcpu_info *v = second ? second_info : &shared_info->vcpu_info[0];

    v->evtchn_upcall_pending = 0;
    v->evtchn_pending_sel = 0;
    __atomic_fetch_and(&shared_info->evtchn_pending[0], ~(1UL << (second ? to_second : to_first)),
                       __ATOMIC_SEQ_CST);
    if (second)
        second_upcalls++;
    else
        first_upcalls++;
}

/* What the second vCPU does: count itself, answer each upcall, go down when told. */
static void second_main(void)
{
    second_runs++;
    u32 seen = second_upcalls;
    send(to_first);
    while (!second_order) {
        /* Masked from the look to the block, which unmasks: no upcall comes in between. */
        second_info->evtchn_upcall_mask = 1;
        barrier();
        if (second_upcalls == seen) {
            call2(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
            continue;
        }
        seen = second_upcalls;
        send(to_first);
    }
    vcpu_op(VCPUOP_down, 1, NULL);
    /* A vCPU that is brought up again without initialise goes on here. */
    second_runs += 100;
    send(to_first);
    for (;;)
        call2(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
}

static void fill_context(void)
{
    /* Not VGCF_online: that would start it at once. */
    kernel_context_here(&context, second_main, (u64)second_stack + sizeof(second_stack) - 8);
}

static bool wait_for(volatile u32 *counter, u32 value)
{
    u64 start = system_time();
    while (*counter < value && system_time() - start < 5000 * MS)
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    return *counter >= value;
}

static bool wait_down(void)
{
    u64 start = system_time();
    while (vcpu_op(VCPUOP_is_up, 1, NULL) && system_time() - start < 5000 * MS)
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    return !vcpu_op(VCPUOP_is_up, 1, NULL);
}

static void test_refused(void)
{
    CHECK_EQUAL(vcpu_op(VCPUOP_is_up, 0, NULL), 1);
    CHECK_EQUAL(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    CHECK_EQUAL(vcpu_op(VCPUOP_is_up, 2, NULL), -ENOENT);
    CHECK_EQUAL(vcpu_op(VCPUOP_is_up, ~0UL, NULL), -ENOENT);
    CHECK_EQUAL(vcpu_op(999, 0, NULL), -ENOSYS);
    CHECK_EQUAL(vcpu_op(VCPUOP_up, 1, NULL), -EINVAL); /* not initialised */
    CHECK_EQUAL(vcpu_op(VCPUOP_initialise, 1, (void *)0x10), -EFAULT);

    /* Page tables: none, a frame that is none, one beyond memory. */
    fill_context();
    context.ctrlreg[3] = 0x000ffffffffff000;
    CHECK(vcpu_op(VCPUOP_initialise, 1, &context) < 0);
    u8 *page = page_new();
    context.ctrlreg[3] = virt_to_machine(page);
    CHECK(vcpu_op(VCPUOP_initialise, 1, &context) < 0);
    /* A handler in the hypervisor's part of the address space, and not canonical ones. */
    fill_context();
    context.event_callback_eip = 0x8000000000000000;
    CHECK(vcpu_op(VCPUOP_initialise, 1, &context) < 0);
    fill_context();
    context.ldt_base = 0xffff830000000000;
    context.ldt_ents = 4;
    CHECK(vcpu_op(VCPUOP_initialise, 1, &context) < 0);
    /* More descriptors than a table has. */
    fill_context();
    context.gdt_ents = 9000;
    CHECK(vcpu_op(VCPUOP_initialise, 1, &context) < 0);
    fill_context();
    context.gdt_ents = 8;
    context.gdt_frames[0] = 0x000fffffffffffff;
    CHECK(vcpu_op(VCPUOP_initialise, 1, &context) < 0);
    CHECK_EQUAL(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
}

static void test_info(void)
{
    struct vcpu_register_vcpu_info where = {.mfn = frame_of(&moved_info),
                                            .offset = (u64)&moved_info & (PAGE_SIZE - 1)};
    struct vcpu_register_vcpu_info bad = where;

    bad.offset = PAGE_SIZE - 8;
    CHECK_EQUAL(vcpu_op(VCPUOP_register_vcpu_info, 1, &bad), -ENXIO);
    bad = where;
    bad.offset |= 1;
    CHECK_EQUAL(vcpu_op(VCPUOP_register_vcpu_info, 1, &bad), -ENXIO);
    bad = where;
    bad.mfn = 0x000fffffffffff;
    CHECK_EQUAL(vcpu_op(VCPUOP_register_vcpu_info, 1, &bad), -EINVAL);
    CHECK_EQUAL(vcpu_op(VCPUOP_register_vcpu_info, 9, &where), -ENOENT);
    CHECK_EQUAL(vcpu_op(VCPUOP_register_vcpu_info, 1, (void *)0x10), -EFAULT);
    CHECK_EQUAL(vcpu_op(VCPUOP_register_vcpu_info, 1, &where), 0);
    /* Once is for ever. */
    CHECK_EQUAL(vcpu_op(VCPUOP_register_vcpu_info, 1, &where), -EINVAL);
    second_info = &moved_info;
}

static void test_running(void)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 1};

    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &ipi), 0);
    to_second = ipi.port;
    ipi.vcpu = 0;
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &ipi), 0);
    to_first = ipi.port;
    trap_hook = upcall;
    events_on();

    fill_context();
    CHECK_EQUAL(vcpu_op(VCPUOP_initialise, 1, &context), 0);
    CHECK_EQUAL(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    CHECK_EQUAL(vcpu_op(VCPUOP_initialise, 1, &context), -EEXIST);
    second_info->evtchn_upcall_mask = 1;
    CHECK_EQUAL(vcpu_op(VCPUOP_up, 1, NULL), 0);
    CHECK_EQUAL(vcpu_op(VCPUOP_up, 1, NULL), 0);
    CHECK_EQUAL(vcpu_op(VCPUOP_is_up, 1, NULL), 1);
    CHECK(wait_for(&first_upcalls, 1));
    CHECK_EQUAL(second_runs, 1);

    for (u32 i = 1; i <= 50; i++) {
        send(to_second);
        if (!wait_for(&first_upcalls, i + 1))
            break;
    }
    CHECK(second_upcalls >= 50);
    CHECK(first_upcalls >= 51);
    struct vcpu_runstate_info info;
    CHECK_EQUAL(vcpu_op(VCPUOP_get_runstate_info, 1, &info), 0);
    CHECK(info.time[RUNSTATE_running] > 0);
    CHECK(moved_info.time.tsc_to_system_mul != 0);

    /* The other's tables and caches: operations over all vCPUs answer while it sleeps or runs. */
    CHECK_EQUAL(table_op(MMUEXT_TLB_FLUSH_ALL, 0), 0);
}

static void test_down(void)
{
    second_order = 1;
    send(to_second);
    CHECK(wait_down());
    CHECK_EQUAL(second_runs, 1);
    /* An event to a vCPU that is down stays pending, harms nobody. */
    CHECK_EQUAL(send(to_second), 0);
    CHECK_EQUAL(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    u32 before = first_upcalls;
    CHECK_EQUAL(vcpu_op(VCPUOP_up, 1, NULL), 0);
    CHECK(wait_for(&first_upcalls, before + 1));
    CHECK_EQUAL(second_runs, 101);
    /* From outside. */
    CHECK_EQUAL(vcpu_op(VCPUOP_down, 1, NULL), 0);
    CHECK(wait_down());
    CHECK_EQUAL(vcpu_op(VCPUOP_down, 1, NULL), 0);
}

void guest_main(void)
{
    second_info = &shared_info->vcpu_info[1];
    test_refused();
    test_info();
    test_running();
    test_down();
}
