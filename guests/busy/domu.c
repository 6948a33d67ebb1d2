/* SPDX-License-Identifier: GPL-2.0-only */
/* The domains that are measured: spinners and a sleeper. Also the sleep that dom0 uses. */
#include "busy.h"

struct mailbox __aligned_to(4096) mailbox;
evtchn_port_t timer_port;
static struct vcpu_guest_context context;
static u8 __aligned_to(16) stacks[XEN_LEGACY_MAX_VCPUS][512];
static volatile u64 taken;

/* Its first instruction when dom0 built it: a stack, then C. */
__asm__(
    ".text\n.globl domu_entry\ndomu_entry:\n"
    "cld; lea boot_stack_top(%rip), %rsp; mov %rsi, %rdi; xor %ebp, %ebp; call domu_start; ud2\n");

static void upcall(struct trap_frame *frame)
{
    struct vcpu_info *v = &shared_info->vcpu_info[0];

    if ((u8)frame->vector != 200)
        panic("trap");
    v->evtchn_upcall_pending = 0;
    __atomic_exchange_n(&v->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    taken |= __atomic_exchange_n(&shared_info->evtchn_pending[0], 0, __ATOMIC_SEQ_CST);
}

u64 events_taken(void)
{
    u64 bits = taken;

    taken = 0;
    return bits;
}

void sleeper_init(void)
{
    struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER};

    events_off();
    trap_hook = upcall;
    taken = 0;
    call3(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0);
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &bind), 0);
    timer_port = bind.port;
}

void sleep_until(u64 when)
{
    events_off();
    CHECK_EQUAL(call1(__HYPERVISOR_set_timer_op, when), 0);
    call2(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
    events_off();
}

static __noreturn void spin(void)
{
    for (;;)
        ;
}

/* Brings up all vCPUs that there are; they need a stack only to begin on. */
__noreturn void spin_as_guest(void)
{
    u64 cr3;

    events_off();
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    for (u32 id = 1; id < XEN_LEGACY_MAX_VCPUS; id++) {
        kernel_context(&context, spin, (u64)stacks[id] + sizeof(stacks[id]) - 8, cr3);
        s64 status = call3(__HYPERVISOR_vcpu_op, VCPUOP_initialise, id, &context);
        if (status) {
            mailbox.status = (s32)status;
            break;
        }
        call3(__HYPERVISOR_vcpu_op, VCPUOP_up, id, 0);
    }
    mailbox.up = 1;
    spin();
}

static void note(volatile u32 *count, u32 *samples, u64 ns)
{
    if (*count < MAX_SAMPLES) {
        samples[*count] = (u32)MIN(ns, (u64)UINT32_MAX);
        *count = *count + 1;
    }
}

static __noreturn void sleep_as_guest(void)
{
    struct sched_shutdown how = {.reason = SHUTDOWN_poweroff};
    u64 pause = 1, deadline = system_time() + MS;

    sleeper_init();
    mailbox.up = 1;
    do {
        sleep_until(deadline);
        u64 now = system_time(), bits = events_taken();
        if (bits >> mailbox.port & 1 && mailbox.sent) {
            note(&mailbox.events, mailbox.event_late, now - mailbox.sent);
            mailbox.sent = 0;
        }
        if (now >= deadline) {
            note(&mailbox.timers, mailbox.timer_late, now - deadline);
            pause = (pause * 1103515245 + 12345) & 0x7fffffff;
            deadline = system_time() + MS + pause % (9 * MS);
        }
    } while (system_time() < mailbox.end);
    for (;;)
        call2(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &how);
}

void domu_start(struct start_info *si);
void domu_start(struct start_info *si)
{
    /* The image is a copy of a running one: forget what it did. */
    trap_hook = NULL;
    checks_passed = checks_failed = 0;
    runtime_adopt(si);
    if (mailbox.role == ROLE_SLEEP)
        sleep_as_guest();
    spin_as_guest();
}
