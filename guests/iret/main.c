/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User mode: a user page table of our own, HYPERVISOR_iret into it, and all
 * ways back: SYSCALL, INT, faults with their error codes, event upcalls, and the
 * failsafe callback when the processor refuses the frame.
 */
#include "runtime.h"

#define USER_CODE  0x400000UL
#define USER_STACK 0x401000UL
#define IF         0x200UL

/* What user mode runs; each label is one way to leave. */
__asm__(
    ".pushsection .rodata\n"
    ".globl user_text, user_text_end, user_syscall, user_int80, user_int42, user_hlt, user_read\n"
    ".globl user_write, user_kernel, user_ud2, user_gs, user_loop, user_in, user_cli, user_int3\n"
    ".globl user_divide, user_registers\n"
    "user_text:\n"
    "user_syscall: mov $0x1234, %eax; mov $0x55, %r10d; syscall; hlt\n"
    "user_int80: mov $0x4321, %eax; int $0x80\n hlt\n"
    "user_int42: int $0x42\n hlt\n"
    "user_hlt: hlt\n"
    "user_read: mov 0x500123, %rax\n hlt\n"
    "user_write: movb $1, 0x400000\n hlt\n"
    "user_kernel: mov 0xffffffff80100000, %rax\n hlt\n"
    "user_ud2: ud2\n"
    "user_gs: mov %gs:0, %rax; int $0x80\n hlt\n"
    "user_loop: jmp user_loop\n"
    "user_in: in $0x80, %al\n hlt\n"
    "user_cli: cli\n hlt\n"
    "user_int3: int3\n hlt\n"
    "user_divide: xor %ecx, %ecx; div %ecx\n hlt\n"
    "user_registers: push %rbx; pop %rax; int $0x80\n hlt\n"
    "user_text_end:\n"
    ".popsection\n"
    /* void user_go(struct frame *): leaves for user mode; the trap hook comes back behind it. */
    ".text\n"
    "user_go: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "mov %rsp, user_saved_rsp(%rip)\n"
    "mov %rdi, %rsp; mov $0x123456789, %rbx; mov $23, %eax; syscall; ud2\n"
    ".globl user_back\n"
    "user_back: pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

extern char user_text[], user_text_end[], user_syscall[], user_int80[], user_int42[], user_hlt[],
    user_read[], user_write[], user_kernel[], user_ud2[], user_gs[], user_loop[], user_in[],
    user_cli[], user_int3[], user_divide[], user_registers[], user_back[];

/* What HYPERVISOR_iret takes from the stack (arch-x86/xen-x86_64.h, struct iret_context). */
struct frame {
    u64 rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};
void user_go(struct frame *frame);
u64 user_saved_rsp;

static struct trap_frame last;
static u8 __aligned_to(16) trap_stack[8192];
static u8 mask_in_handler;

static u64 user_address(const char *label)
{
    return USER_CODE + (u64)(label - user_text);
}

/* Keeps the frame and goes back to whoever called user_go. */
static void from_user(struct trap_frame *frame)
{
    struct vcpu_info *v = &shared_info->vcpu_info[0];

    mask_in_handler = v->evtchn_upcall_mask;
    if (frame->vector == 200) {
        v->evtchn_upcall_pending = 0;
        v->evtchn_pending_sel = 0;
        memset((void *)shared_info->evtchn_pending, 0, sizeof(shared_info->evtchn_pending));
    }
    if ((frame->cs & 3) != 3 && frame->vector != 202) {
        if (!fault_resume) {
            say("trap %lu in the kernel at %lx\n", frame->vector, frame->rip);
            finish();
        }
        frame->rip = fault_resume;
        return;
    }
    last = *frame;
    frame->rip = (u64)user_back;
    frame->cs = FLAT_KERNEL_CS & ~3ul;
    frame->ss = FLAT_KERNEL_SS;
    frame->rsp = user_saved_rsp;
    frame->rflags = 0x2; /* upcalls masked */
}

static struct frame user_frame(const char *label)
{
    return (struct frame){.rip = user_address(label),
                          .cs = FLAT_USER_CS64,
                          .rflags = IF | 2,
                          .rsp = USER_STACK + PAGE_SIZE,
                          .ss = FLAT_USER_SS64,
                          .rax = 0x11,
                          .rcx = 0x22,
                          .r11 = 0x33};
}

/* Runs a label in user mode; the vector that ended it. */
static u64 run(const char *label)
{
    struct frame f = user_frame(label);
    last.vector = 999;
    user_go(&f);
    return last.vector;
}

static u64 *marker;

static void make_user_space(void)
{
    u64 *l4 = page_new(), *l3 = page_new(), *l2 = page_new(), *l1 = page_new();
    u8 *code = page_new();
    u64 table = PTE_P | PTE_W | PTE_U;

    memcpy(code, user_text, (size_t)(user_text_end - user_text));
    marker = page_new();
    *marker = 0xfeed;
    l1[0] = frame_of(code) << PAGE_SHIFT | PTE_P | PTE_U;
    l1[1] = frame_of(marker) << PAGE_SHIFT | PTE_P | PTE_W | PTE_U;
    l2[2] = frame_of(l1) << PAGE_SHIFT | table;
    l3[0] = frame_of(l2) << PAGE_SHIFT | table;
    l4[0] = frame_of(l3) << PAGE_SHIFT | table;
    u64 *tables[] = {l4, l3, l2, l1};
    for (u32 i = 0; i < 4; i++)
        CHECK_EQUAL(remap(tables[i], PTE_P | PTE_U), 0);
    CHECK(table_op(MMUEXT_NEW_USER_BASEPTR, frame_of(code)) != 0);
    CHECK_EQUAL(table_op(MMUEXT_PIN_L4_TABLE, frame_of(l4)), 0);
    CHECK_EQUAL(table_op(MMUEXT_NEW_USER_BASEPTR, frame_of(l4)), 0);
    CHECK_EQUAL(call2(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, trap_stack + sizeof(trap_stack)),
                0);
}

static void test_ways_back(void)
{
    CHECK_EQUAL(run(user_syscall), 201);
    CHECK_EQUAL(last.rax, 0x1234);
    CHECK_EQUAL(last.r10, 0x55);
    CHECK_EQUAL(last.rip, user_address(user_syscall) + 13);
    CHECK_EQUAL(last.rsp, USER_STACK + PAGE_SIZE);
    CHECK_EQUAL(last.cs & 3, 3);
    CHECK(last.rflags & IF); /* upcalls were on in user mode */
    CHECK_EQUAL(run(user_int80), 128);
    CHECK_EQUAL(last.rax, 0x4321);
    CHECK_EQUAL(last.rcx, 0x22);
    CHECK_EQUAL(last.r11, 0x33);
    CHECK_EQUAL(last.rip, user_address(user_int80) + 7);
    CHECK_EQUAL(last.cs, FLAT_USER_CS64);
    CHECK_EQUAL(last.ss, FLAT_USER_SS64);
    CHECK_EQUAL(run(user_registers), 128);
    CHECK_EQUAL(last.rax, 0x123456789);

    CHECK_EQUAL(run(user_int42), 13);
    CHECK_EQUAL(last.error_code, 0x42 * 8 + 2);
    CHECK_EQUAL(last.rip, user_address(user_int42));
    CHECK_EQUAL(run(user_hlt), 13);
    CHECK_EQUAL(last.error_code, 0);
    CHECK_EQUAL(last.rip, user_address(user_hlt));
    CHECK_EQUAL(run(user_cli), 13);
    CHECK_EQUAL(run(user_in), 13);
    CHECK_EQUAL(run(user_ud2), 6);
    CHECK_EQUAL(run(user_divide), 0);
    CHECK_EQUAL(run(user_int3), 3);
    CHECK_EQUAL(last.rip, user_address(user_int3) + 1);

    /* Page faults: user, and what it did. */
    CHECK_EQUAL(run(user_read), 14);
    CHECK_EQUAL(last.error_code, 4);
    CHECK_EQUAL(shared_info->vcpu_info[0].arch.cr2, 0x500123);
    CHECK_EQUAL(run(user_write), 14);
    CHECK_EQUAL(last.error_code, 7);
    CHECK_EQUAL(shared_info->vcpu_info[0].arch.cr2, 0x400000);
    CHECK_EQUAL(run(user_kernel), 14);
    CHECK_EQUAL(last.error_code, 4);
    CHECK_EQUAL(shared_info->vcpu_info[0].arch.cr2, 0xffffffff80100000);
}

/* The user's GS base is its own; the kernel's comes back with it. */
static void test_segments(void)
{
    static u64 kernel_value = 77;

    CHECK_EQUAL(call2(__HYPERVISOR_set_segment_base, SEGBASE_GS_KERNEL, &kernel_value), 0);
    CHECK_EQUAL(call2(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER, USER_STACK), 0);
    CHECK_EQUAL(run(user_gs), 128);
    CHECK_EQUAL(last.rax, 0xfeed);
    u64 value;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
    CHECK_EQUAL(value, 77);
    CHECK_EQUAL(run(user_gs), 128);
    CHECK_EQUAL(last.rax, 0xfeed);
}

static void test_upcall(void)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 0};
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &ipi), 0);
    struct evtchn_send send = {.port = ipi.port};

    events_off();
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send), 0);
    CHECK_EQUAL(run(user_loop), 200);
    CHECK_EQUAL(last.rip, user_address(user_loop));
    CHECK_EQUAL(last.cs & 3, 3);
    CHECK(last.rflags & IF);
    CHECK_EQUAL(mask_in_handler, 1);
    CHECK_EQUAL(shared_info->vcpu_info[0].evtchn_upcall_mask, 1); /* by the iret back to us */

    /* From user code that never stops: a timer. */
    struct evtchn_bind_virq virq = {.virq = VIRQ_TIMER, .vcpu = 0};
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &virq), 0);
    CHECK_EQUAL(call1(__HYPERVISOR_set_timer_op, system_time() + 5000000), 0);
    CHECK_EQUAL(run(user_loop), 200);
    CHECK_EQUAL(last.rip, user_address(user_loop));

    /* Masked in the frame: no upcall in user mode. */
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send), 0);
    struct frame f = user_frame(user_int80);
    f.rflags = 2;
    user_go(&f);
    CHECK_EQUAL(last.vector, 128);
    CHECK(!(last.rflags & IF));
    shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
    shared_info->vcpu_info[0].evtchn_pending_sel = 0;
}

/*
 * What the processor refuses at the iret. The public interface says that the
 * failsafe callback tells of it; the stock hypervisor delivers a #GP with the
 * selector, as if user mode had raised it. Guests take either.
 */
static bool refused(u16 selector)
{
    return last.vector == 202 || (last.vector == 13 && last.error_code == (selector & ~3u));
}

static void test_failsafe(void)
{
    static const u16 bad_cs[] = {0x0003, 0x0103, 0x1003, 0x0107, 0xfffb, FLAT_USER_SS64};
    static const u16 bad_ss[] = {0x0103, 0x1003, 0x0107, FLAT_USER_CS64};

    for (u32 i = 0; i < ARRAY_SIZE(bad_cs); i++) {
        struct frame f = user_frame(user_hlt);
        f.cs = bad_cs[i];
        last.vector = 999;
        user_go(&f);
        CHECK(refused(bad_cs[i]));
    }
    for (u32 i = 0; i < ARRAY_SIZE(bad_ss); i++) {
        struct frame f = user_frame(user_hlt);
        f.ss = bad_ss[i];
        last.vector = 999;
        user_go(&f);
        CHECK(refused(bad_ss[i]));
    }
    /* Flags that are not the guest's to set: no nested task, IOPL 3 or virtual-8086 mode. */
    struct frame f = user_frame(user_int80);
    f.rflags = IF | 0x3000 | 0x20000 | 2;
    user_go(&f);
    CHECK_EQUAL(last.vector, 128);
    CHECK_EQUAL(last.rflags & 0x20000, 0);
    f = user_frame(user_in);
    f.rflags = IF | 0x3000 | 2;
    user_go(&f);
    CHECK_EQUAL(last.vector, 13);
    /* Not canonical: refused by the iret, or at the first fetch (emulators differ). */
    f = user_frame(user_hlt);
    f.rip = 0x8000000000000000;
    user_go(&f);
    CHECK(last.vector == 202 || last.vector == 13 || last.vector == 14);
    /* Into the hypervisor's part. */
    f.rip = 0xffff830000000000;
    user_go(&f);
    CHECK_EQUAL(last.vector, 14);
    CHECK_EQUAL(last.cs & 3, 3);
    CHECK_EQUAL(run(user_int80), 128);
}

void guest_main(void)
{
    CHECK_EQUAL(call3(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0), 0);
    trap_hook = from_user;
    make_user_space();
    test_ways_back();
    test_segments();
    test_upcall();
    test_failsafe();
}
