/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that is out to break things: random hypercalls, page tables, grants, instructions. What
 * faults is given up and the next thing tried; most of what would end the guest at once is left
 * out, but not always.
 */
#include "fuzz.h"
#include "random.h"
#include <xen/grant_table.h>
#include <xen/memory.h>

#define DEVICES 0xc0000000UL /* guest-physical, and there in a translated guest's tables */

struct desk __aligned_to(4096) desk;

__asm__(".text\n.globl fuzz_pv\nfuzz_pv:\n"
        "cld; lea boot_stack_top(%rip), %rsp; mov %rsi, %rdi; xor %ebp, %ebp; call pv_main; ud2\n"
        /* Every exception of a translated guest comes here: r12 to r15 are of no use any more. */
        "on_exception: mov %rsp, %rdi; and $-16, %rsp; call exception; ud2\n");

static void *again[2][5];   /* where each vCPU goes on */
static u64 stacks[2];       /* about where its stack is */
static volatile bool ready; /* for the second vCPU */
static u8 __aligned_to(4096) code[2][4096];
static u8 __aligned_to(16) sibling_stack[16384];
static grant_entry_v1_t *grants;

/* ---- faults ---- */

static u32 vcpu_of(u64 stack)
{
    return stacks[1] && stack - stacks[1] + 16384 < 32768;
}

__noreturn static void go_on(u32 vcpu)
{
    if (vcpu)
        __builtin_longjmp(again[1], 1);
    __builtin_longjmp(again[0], 1);
}
__noreturn static void first_goes_on(void)
{
    go_on(0);
}
__noreturn static void second_goes_on(void)
{
    go_on(1);
}

static void pv_trap(struct trap_frame *frame)
{
    u32 vcpu = vcpu_of(frame->rsp);

    if (frame->vector == 200) {
        shared_info->vcpu_info[vcpu].evtchn_upcall_pending = 0;
        return;
    }
    frame->rip = (u64)(vcpu ? second_goes_on : first_goes_on);
    frame->cs = FLAT_KERNEL_CS & ~3UL; /* the ring says: back to the kernel */
    frame->ss = FLAT_KERNEL_SS;
    frame->rflags = 0x202;
}

__noreturn void exception(u64 stack);
__noreturn void exception(u64 stack)
{
    go_on(vcpu_of(stack));
}

/* ---- calls ---- */

static s64 vmcall5(u64 number, const u64 *a)
{
    register u64 r10 __asm__("r10") = a[3];
    register u64 r8 __asm__("r8") = a[4];
    u64 a0 = a[0], a1 = a[1], a2 = a[2];
    s64 result;

    __asm__ volatile("vmmcall"
                     : "=a"(result), "+D"(a0), "+S"(a1), "+d"(a2), "+r"(r10), "+r"(r8)
                     : "0"(number)
                     : "memory");
    return result;
}

/* Now and then it may be the last. */
static bool spared(u64 number, const u64 *a)
{
    return random_ends(number, a) && below(1000);
}

static s64 call(u64 number, const u64 *a)
{
    if (spared(number, a))
        return 0;
    s64 result = desk.translated ? vmcall5(number, a)
                                 : hypercall(number, a[0], a[1], a[2], a[3], a[4]);
    /* Each call of a list counts; its length is 32 bits wide. */
    desk.calls += number == __HYPERVISOR_multicall && !result ? (u32)a[1] : 1;
    desk.good += result >= 0;
    desk.proof = ~(desk.calls ^ desk.good);
    return result;
}

static u64 frame_at(const void *p)
{
    return desk.translated ? virt_to_pfn(p) : frame_of(p);
}

/* Something of ours for the peer: our own pages mostly. */
static void grant(void)
{
    grant_entry_v1_t *entry = &grants[below(64)];

    entry->domid = (domid_t)(below(8) ? desk.peer : any_number());
    entry->frame = (u32)(below(8) ? frame_at(any_scratch()) : any_frame());
    entry->flags = (u16)(below(4) ? GTF_permit_access | (below(4) ? 0 : GTF_readonly) : draw());
}

static void grants_begin(void)
{
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
    struct xen_add_to_physmap add = {.domid = DOMID_SELF, .space = XENMAPSPACE_grant_table};
    xen_pfn_t frame = 0;

    grants = page_new();
    if (desk.translated) {
        add.gpfn = virt_to_pfn(grants);
        vmcall(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, 0);
        return;
    }
    set_xen_guest_handle(setup.frame_list, &frame);
    call3(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, 1);
    map_page(grants, frame << PAGE_SHIFT | 7);
}

/* ---- instructions ---- */

/* Those that a hypervisor has to do with, without operands in memory. */
static const u8 plain[][4] = {
    {2, 0x0f, 0xa2},       /* cpuid */
    {2, 0x0f, 0x32},       /* rdmsr */
    {2, 0x0f, 0x30},       /* wrmsr */
    {2, 0x0f, 0x31},       /* rdtsc */
    {3, 0x0f, 0x01, 0xf9}, /* rdtscp */
    {2, 0x0f, 0x33},       /* rdpmc */
    {3, 0x0f, 0x01, 0xd1}, /* xsetbv */
    {3, 0x0f, 0x01, 0xd0}, /* xgetbv */
    {3, 0x0f, 0x01, 0xc8}, /* monitor */
    {3, 0x0f, 0x01, 0xd8}, /* vmrun */
    {3, 0x0f, 0x01, 0xc1}, /* vmcall */
    {3, 0x0f, 0x01, 0xdd}, /* clgi */
    {3, 0x0f, 0x01, 0xdf}, /* invlpga */
    {3, 0x0f, 0x01, 0xf8}, /* swapgs */
    {2, 0x0f, 0x06},       /* clts */
    {2, 0x0f, 0x09},       /* wbinvd */
    {2, 0x0f, 0x08},       /* invd */
    {3, 0x0f, 0x20, 0xc0}, /* mov from cr0, */
    {3, 0x0f, 0x20, 0xd0}, /* cr2, */
    {3, 0x0f, 0x20, 0xe0}, /* cr4 */
    {3, 0x0f, 0x22, 0xd0}, /* mov to cr2 */
    {3, 0x0f, 0x21, 0xf8}, /* mov from dr7 */
    {3, 0x0f, 0x21, 0xc0}, /* mov from dr0 */
    {3, 0x0f, 0x23, 0xc0}, /* mov to dr0 */
    {3, 0x0f, 0x00, 0xd8}, /* ltr */
    {3, 0x0f, 0x00, 0xd0}, /* lldt */
    {1, 0xec},             /* in */
    {1, 0xed},
    {2, 0x66, 0xed},
    {1, 0xee}, /* out */
    {1, 0xef},
    {2, 0x66, 0xef},
    {1, 0x6c}, /* ins */
    {2, 0xf3, 0x6d},
    {1, 0x6e}, /* outs */
    {2, 0xf3, 0x6f},
    {1, 0xa4}, /* movs */
    {2, 0xf3, 0xa5},
    {2, 0xf3, 0xaa}, /* stos */
    {1, 0xfa},       /* cli */
    {1, 0xfb},       /* sti */
    {2, 0xcd, 0x80}, /* int */
    {2, 0xcd, 0x20},
    {1, 0xcc},
    {1, 0xf1},
};
/* Those that mostly end the guest, or its vCPU. */
static const u8 grave[][4] = {
    {3, 0x0f, 0x01, 0xd9}, /* vmmcall */
    {2, 0x0f, 0x05},       /* syscall */
    {2, 0x0f, 0x34},       /* sysenter */
    {2, 0x0f, 0x07},       /* sysret */
    {3, 0x0f, 0x22, 0xc0}, /* mov to cr0, */
    {3, 0x0f, 0x22, 0xd8}, /* cr3, */
    {3, 0x0f, 0x22, 0xe0}, /* cr4, */
    {3, 0x0f, 0x23, 0xf8}, /* dr7 */
    {3, 0x0f, 0x01, 0xf0}, /* lmsw */
    {3, 0x0f, 0x01, 0x13}, /* lgdt */
    {3, 0x0f, 0x01, 0x1b}, /* lidt */
    {1, 0xf4},             /* hlt */
    {1, 0xcf},             /* iret */
    {1, 0xcb},             /* lret */
    {1, 0x9d},             /* popf */
};

static u64 msr_or_port(void)
{
    static const u32 likely[] = {
        0x10,       0x1b,       0x3b,       0x174,      0x1a0,      0x277,      0x2ff,
        0x6e0,      0x800,      0x830,      0xc0000080, 0xc0000081, 0xc0000082, 0xc0000100,
        0xc0000101, 0xc0000102, 0xc0000103, 0xc0010015, 0x40000000, 0x40000002, 0xcf8,
        0xcfc,      0x20,       0x40,       0x43,       0x60,       0x64,       0x70,
        0x71,       0xb000,     0xb008,     0x402,      0x510,      0x3c4,      0x4d0};

    return below(4) ? likely[below(ARRAY_SIZE(likely))] + (below(4) ? 0 : below(48)) : any_number();
}

/* Where an instruction's memory operand is: at a device if there can be one. */
static u64 target(void)
{
    static const u64 devices[] = {0xfee00000, 0xfec00000, 0xfed00000, 0xa0000,
                                  0xb8000,    DEVICES,    0xf0000000, 0xe0000};

    if (desk.translated && below(4))
        return devices[below(ARRAY_SIZE(devices))] + below(2 * PAGE_SIZE);
    return below(8) ? (u64)any_scratch() + below(PAGE_SIZE) : any_argument();
}

/* Those with a memory operand, and now and then another. */
static u8 opcode_on_memory(void)
{
    static const u8 likely[] = {0x88, 0x89, 0x8a, 0x8b, 0xc6, 0xc7, 0x00, 0x01, 0x08, 0x09, 0x20,
                                0x21, 0x28, 0x30, 0x38, 0x39, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86,
                                0x87, 0xa4, 0xa5, 0xaa, 0xab, 0xb0, 0xb1, 0xb6, 0xb7, 0xba, 0xbe,
                                0xbf, 0xc0, 0xc1, 0xd0, 0xd1, 0xf6, 0xf7, 0xfe, 0x63, 0xa3, 0xb3};

    return below(32) ? likely[below(ARRAY_SIZE(likely))] : (u8)draw();
}

/* Bytes at `to`, at most 15: one instruction, if any. */
static void compose(u8 *to)
{
    static const u8 prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x48, 0x4c, 0x64, 0x2e, 0x40};
    const u8 *known = below(3000) ? plain[below(ARRAY_SIZE(plain))]
                                  : grave[below(ARRAY_SIZE(grave))];
    u64 kind = below(4000);

    if (!kind) { /* anything */
        for (u32 i = 0; i < 12; i++)
            *to++ = (u8)draw();
    } else if (kind < 1600 && desk.translated) { /* any opcode, on memory */
        for (u32 i = (u32)below(3); i; i--)
            *to++ = prefixes[below(ARRAY_SIZE(prefixes))];
        if (!below(3))
            *to++ = 0x0f;
        *to++ = opcode_on_memory();
        u8 reg = (u8)below(8);
        *to++ = (u8)((reg == 4 ? 0 : reg) << 3 | 3); /* [rbx], and any register but the stack's */
        if (!below(3))
            *to = (u8)draw();
    } else {
        memcpy(to, known + 1, known[0]);
    }
}

static void instruction(u32 vcpu)
{
    u8 *to = code[vcpu];
    u64 b = target(), c = below(3) ? msr_or_port() : below(100),
        d = below(3) ? msr_or_port() : draw();
    u64 a = any_number(), si = target(), di = target();

    memset(to, 0xc3, 32); /* ret */
    compose(to);
    if ((to[0] == 0xf2 || to[0] == 0xf3) && below(50))
        c = below(50); /* else it would be at it until it is destroyed */
    register u64 at __asm__("r11") = (u64)to;
    __asm__ volatile("call *%6\n cld"
                     : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(si), "+D"(di), "+r"(at)
                     :
                     : "memory", "cc", "r8", "r9", "r10", "r12", "r13", "r14", "r15");
}

/* ---- the vCPUs ---- */

static void step(void)
{
    switch (below(16)) {
    case 0:
    case 1:
    case 2:
        instruction(0);
        break;
    case 3:
        grant();
        break;
    case 4:
    case 5:
    case 6:
        random_tables();
        break;
    case 7:
    case 8:
    case 9:
        random_multicall(spared);
        break;
    default:
        random_call();
    }
}

__noreturn static void first(void)
{
    static u32 steps;

    for (u32 i = 0; i < SCRATCH; i++)
        random_scratch[i] = desk.translated ? (page_new(), page_new()) : random_page();
    grants_begin();
    __builtin_setjmp(again[0]); /* here again with each trap */
    for (;;) {
        if (!desk.translated && !(steps++ & 31)) {
            random_repair();
            events_off();
        }
        step();
    }
}

/* Changes what the first one's calls are about to read, and its instructions; makes some calls. */
__noreturn static void second(void)
{
    static u64 state = 88172645463325252;

    __builtin_setjmp(again[1]);
    for (;;) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u8 *page = random_scratch[state % SCRATCH];
        if (page)
            ((volatile u64 *)page)[state >> 8 & 0x1f] = state >> (state & 63);
        if (!(state & 0xfff00000))
            code[0][state >> 24 & 15] = (u8)(state >> 32);
        if (!(state & 0xff00000) && page)
            state & 1UL << 40 ? random_call() : instruction(1);
    }
}

/* The runtime's table has entries for what tests expect alone. */
static void pv_traps(void)
{
    extern char trap_6[], trap_13[];
    static struct trap_info table[32];
    u32 count = 0;

    traps_install();
    for (u8 vector = 4; vector < 20; vector++)
        if (vector != 6 && vector != 13 && vector != 14)
            table[count++] = (struct trap_info){
                vector, 0, FLAT_KERNEL_CS,
                (u64)((vector >= 8 && vector <= 12 && vector != 9) || vector == 17 ? trap_13
                                                                                   : trap_6)};
    table[count] = (struct trap_info){0};
    call1(__HYPERVISOR_set_trap_table, table);
}

__noreturn static void pv_sibling(void)
{
    pv_traps();
    shared_info->vcpu_info[1].evtchn_upcall_mask = 1;
    second();
}

static void hush(const char *text, u32 length)
{
    (void)text;
    (void)length;
}

__noreturn void pv_main(struct start_info *si);
__noreturn void pv_main(struct start_info *si)
{
    static struct vcpu_guest_context context;

    say_hook = hush;
    runtime_adopt(si);
    trap_hook = pv_trap;
    pv_traps();
    events_off();
    random_begin(desk.seed);
    random_guest = (struct random_guest){.call = call,
                                         .frame_of = frame_at,
                                         .tables = si->pt_base,
                                         .table_count = si->nr_pt_frames,
                                         .reckless = true,
                                         .peer = desk.peer};
    stacks[1] = (u64)sibling_stack + sizeof(sibling_stack) - 8;
    kernel_context_here(&context, pv_sibling, stacks[1]);
    call3(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, &context);
    call3(__HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0);
    first();
}

__noreturn void fuzz_translated(u64 vcpu)
{
    extern char on_exception[];

    if (vcpu) {
        while (!ready)
            __asm__ volatile("pause");
        stacks[1] = (u64)__builtin_frame_address(0);
        second();
    }
    say_hook = hush;
    for (u32 i = 0; i < 32; i++)
        translated_gate(i, on_exception);
    random_begin(desk.seed);
    random_guest = (struct random_guest){
        .call = call, .frame_of = frame_at, .reckless = true, .peer = desk.peer};
    ready = true;
    first();
}
