/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest: each instruction that may leave for the hypervisor, and which exception, if any, it
 * ended with. What the processor itself does is not asked: emulators take some that a real one
 * refuses (reserved bits of CR0 and CR4, MSRs that want canonical addresses).
 */
#include "exits.h"

#include <xen/hvm/hvm_vcpu.h>
#include <xen/vcpu.h>

#define NOTHING 0xd0000000UL /* guest-physical, and here linear */
#define LAPIC   0xfee00000UL
#define NONE    99U
#define TF      0x100UL

static volatile u32 vector, error;
static volatile u64 rip_then, resume;
static volatile u32 nmis;

/* Every exception notes itself and goes on at `resume`, without single-stepping. */
__asm__(".text\n"
        ".macro stub number, own_error\n"
        "stub_\\number:\n"
        ".ifeq \\own_error\n push $0\n .endif\n"
        " push $\\number\n jmp stub_common\n"
        ".endm\n"
        "stub 0, 0\n stub 1, 0\n stub 3, 0\n stub 6, 0\n stub 8, 1\n stub 11, 1\n stub 12, 1\n"
        "stub 13, 1\n stub 14, 1\n stub 32, 0\n"
        "stub_common:\n"
        " push %rax\n"
        " mov 8(%rsp), %eax\n mov %eax, vector(%rip)\n"
        " mov 16(%rsp), %eax\n mov %eax, error(%rip)\n"
        " mov 24(%rsp), %rax\n mov %rax, rip_then(%rip)\n"
        " mov resume(%rip), %rax\n mov %rax, 24(%rsp)\n"
        " andq $~0x100, 40(%rsp)\n"
        " pop %rax\n add $16, %rsp\n iretq\n"
        "stub_nmi:\n incl nmis(%rip)\n iretq\n");
#define GATE(number, name)                    \
    ({                                        \
        extern char stub_##name[];            \
        translated_gate(number, stub_##name); \
    })

/* The vector that the instruction ended with, NONE if with none. */
#define VECTOR_OF(instruction, ...)                                                      \
    ({                                                                                   \
        vector = NONE;                                                                   \
        __asm__ volatile("lea 9f(%%rip), %%rax\n mov %%rax, resume(%%rip)\n" instruction \
                         "\n9:" __VA_ARGS__);                                            \
        vector;                                                                          \
    })
#define CLOBBERS                "rax", "rcx", "rdx", "rbx", "memory", "cc"
#define ENDS(instruction, with) CHECK_EQUAL(VECTOR_OF(instruction, ::: CLOBBERS), with)

static u32 read_msr_vector(u32 msr)
{
    return VECTOR_OF("rdmsr", ::"c"(msr) : "rax", "rdx", "memory");
}
/* Goes by rbx, as rax holds the address to go on at. */
static u32 write_msr_vector(u32 msr, u64 value)
{
    return VECTOR_OF("mov %%ebx, %%eax\n wrmsr", ::"c"(msr), "b"((u32)value),
                     "d"((u32)(value >> 32))
                     : "rax", "memory");
}

static void instructions(void)
{
    u32 a, b, c, d;

    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "0"(0x40000000), "2"(0));
    CHECK(b == 0x566e6558 && c == 0x65584d4d && d == 0x4d4d566e); /* XenVMMXenVMM */
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "0"(1), "2"(0));
    CHECK(c >> 31); /* a hypervisor */
    CHECK(!(c & 1U << 3));
    ENDS("ud2", 6);
    ENDS("xor %%eax, %%eax\n div %%al", 0);
    ENDS("int3", 3);
    ENDS("int $32", 32);
    ENDS("invd", NONE);
    ENDS("wbinvd", NONE);
    ENDS("mov $0, %%eax\n xor %%ecx, %%ecx\n rdpmc", 13);
    ENDS("xor %%ecx, %%ecx\n xor %%edx, %%edx\n monitor", 6);
    ENDS("xor %%ecx, %%ecx\n mwait", 6);
    ENDS("xor %%eax, %%eax\n vmrun", 6);
    ENDS("xor %%eax, %%eax\n vmload", 6);
    ENDS("xor %%eax, %%eax\n vmsave", 6);
    ENDS("stgi", 6);
    ENDS("clgi", 6);
    ENDS("skinit", 6);
    ENDS("invlpga %%rax, %%ecx", 6);
    ENDS("pause", NONE);
    ENDS("invlpg 0x1000", NONE);
    ENDS("rdtsc", NONE);
    ENDS("mov $0x10000000000, %%rbx\n mov (%%rbx), %%al", 14);
    CHECK_EQUAL(error, 0);
    u64 cr2;
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    CHECK_EQUAL(cr2, 0x10000000000);
    ENDS("mov $1, %%rbx\n shl $60, %%rbx\n mov (%%rbx), %%al", 13);
    ENDS("mov $0x28, %%ebx\n mov %%ebx, %%ds", 13);
    CHECK_EQUAL(error, 0x28);
    CHECK_EQUAL(vmcall(63, 0, 0, 0), -ENOSYS);
    CHECK_EQUAL(vmcall(__HYPERVISOR_xen_version, XENVER_version, 0, 0), 4 << 16 | 17);
}

static void control_registers(void)
{
    u64 value;

    ENDS("mov %%cr3, %%rbx\n mov %%rbx, %%cr3", NONE);
    ENDS("mov %%cr0, %%rbx\n or $8, %%rbx\n mov %%rbx, %%cr0\n clts", NONE);
    ENDS("mov $7, %%ebx\n mov %%rbx, %%cr8", NONE);
    CHECK_EQUAL(read32(LAPIC + 0x80), 0x70);
    write32(LAPIC + 0x80, 0x30);
    __asm__ volatile("mov %%cr8, %0" : "=r"(value));
    CHECK_EQUAL(value, 3);
    write32(LAPIC + 0x80, 0);
}

static void registers_of_the_model(void)
{
    static const u32 plain[] = {0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102,
                                0x174,      0x175,      0x176,      0x277,      0xc0000103};

    for (u32 i = 0; i < ARRAY_SIZE(plain); i++) {
        CHECK_EQUAL(read_msr_vector(plain[i]), NONE);
        u64 was = rdmsr(plain[i]);
        CHECK_EQUAL(write_msr_vector(plain[i], was), NONE);
    }
    wrmsr(0xc0000103, 0x1234);
    CHECK_EQUAL(rdmsr(0xc0000103), 0x1234);
    wrmsr(0xc0000102, 0xffff800012345678);
    CHECK_EQUAL(rdmsr(0xc0000102), 0xffff800012345678);
    CHECK_EQUAL(read_msr_vector(0xc0000080), NONE);
    CHECK_EQUAL(write_msr_vector(0xc0000080, rdmsr(0xc0000080) | 1UL << 40), 13);
    CHECK_EQUAL(write_msr_vector(0xc0000080, rdmsr(0xc0000080) & ~0x100UL), 13); /* LME, paged */
    CHECK_EQUAL(read_msr_vector(0x12345678), 13);
    CHECK_EQUAL(write_msr_vector(0x12345678, 0), 13);
    CHECK_EQUAL(rdmsr(0x1b) & 0xfffff900, 0xfee00900);
    CHECK_EQUAL(write_msr_vector(0x1b, 1UL << 60), 13);
    CHECK_EQUAL(write_msr_vector(0x277, 0x0707070707070702), 13); /* no such memory type */
    u64 before = rdmsr(0x10);
    CHECK(rdmsr(0x10) > before);
}

static u64 tsc(bool with_aux, u32 *aux)
{
    u32 low, high;

    if (with_aux)
        __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(*aux));
    else
        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (u64)high << 32 | low;
}

static void time_stamps(void)
{
    u32 a, b, c, d, aux = 0;
    u64 was, adjust = rdmsr(0x3b);

    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "0"(0x40000003), "2"(0));
    CHECK_EQUAL(b, report.hvm);
    CHECK(!report.hvm || ((a & 1) && c == TSC_KHZ));
    CHECK(tsc(false, NULL) < 1UL << 40); /* it has begun with this guest */
    wrmsr(0xc0000103, 0x4321);
    was = tsc(true, &aux);
    CHECK_EQUAL(aux, 0x4321);
    CHECK(rdmsr(0x10) > was);
    wrmsr(0x10, 1UL << 50);
    was = tsc(true, &aux);
    CHECK(was >= 1UL << 50 && was < (1UL << 50) + (1UL << 40));
    was = rdmsr(0x3b);
    CHECK(was - adjust > 1UL << 49);
    wrmsr(0x3b, was + (1UL << 51));
    was = tsc(false, NULL);
    CHECK(was >= 3UL << 50 && was < (3UL << 50) + (1UL << 40));
    wrmsr(0x3b, adjust);
    CHECK(tsc(false, NULL) < 1UL << 40);
}

/* Moves by the string instructions where no memory is, in both directions and over a page's end. */
static void strings(void)
{
    static u8 bytes[1024];
    static const u64 from[] = {NOTHING + 4096 - 40, NOTHING + 4096 + 40};
    u64 a, b, count;

    for (u32 down = 0; down < 2; down++) {
        a = from[down];
        b = (u64)bytes + (down ? 1000 : 24);
        count = 100;
        __asm__ volatile("push %3\n popf\n rep movsl\n cld"
                         : "+S"(a), "+D"(b), "+c"(count)
                         : "r"(2UL | (u64)down << 10)
                         : "memory", "cc");
        CHECK_EQUAL(count, 0);
        CHECK_EQUAL(a, down ? from[1] - 400 : from[0] + 400);
        CHECK_EQUAL(b, (u64)bytes + (down ? 600 : 424));
    }
    for (u32 i = 0; i < sizeof(bytes); i++)
        if (bytes[i] != ((i >= 24 && i < 424) || (i >= 604 && i < 1004) ? 0xff : 0))
            CHECK_EQUAL(i, ~0U);
    a = (u64)bytes;
    b = NOTHING + 4090;
    count = 200;
    __asm__ volatile("rep movsb" : "+S"(a), "+D"(b), "+c"(count)::"memory");
    CHECK(a == (u64)bytes + 200 && b == NOTHING + 4290 && !count);
    count = 50;
    __asm__ volatile("rep stosq" : "+D"(b), "+c"(count) : "a"(0) : "memory");
    CHECK(b == NOTHING + 4690 && !count);
    count = 50;
    a = NOTHING + 8190;
    __asm__ volatile("rep movsw" : "+S"(a), "+D"(b), "+c"(count)::"memory");
    CHECK(a == NOTHING + 8290 && b == NOTHING + 4790 && !count);
    /* Code in a page that takes no writes. */
    CHECK_EQUAL(((u32(*)(void))rom)(), 0x77);
    rom[1] = 0x78;
    CHECK_EQUAL(((u32(*)(void))rom)(), report.hvm ? 0x77 : 0x78);
    /* Of 16 bytes. */
    bytes[0] = 1;
    __asm__ volatile("movdqu (%0), %%xmm9\n movdqu %%xmm9, 4(%0)\n movdqu %%xmm9, (%1)"
                     :
                     : "r"(NOTHING + 1), "r"(bytes)
                     : "memory");
    CHECK(bytes[0] == 0xff && bytes[15] == 0xff);
    /* The first page is there, the next is not: as far as it goes. */
    ENDS("mov $0xfffffff0, %%esi\n mov $0xd0000000, %%edi\n mov $8, %%ecx\n rep movsl", 14);
}

/* What vCPUs say that were started: 1 in 64-bit mode, 2 in 32-bit mode without paging. */
static volatile u64 second_says, second_tsc;
static volatile u32 third_says;
__noreturn static void second_main(u64 says)
{
    second_tsc = tsc(false, NULL);
    second_says = says;
    for (;;)
        __asm__ volatile("cli\n hlt");
}
__asm__(".code32\n"
        "third_main:\n mov %ds:(%ecx), %eax\n mov %eax, %ds:(%ebx)\n"
        "1: cli\n hlt\n jmp 1b\n"
        ".code64\n");

static void more_processors(void)
{
    static u8 stack[4096] __aligned_to(16);
    static const u32 word = 0x32323232;
    extern char third_main[];
    struct vcpu_hvm_context c = {.mode = 2};
    u64 before = tsc(false, NULL);

#define INITIALISE(vcpu) vmcall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, vcpu, &c)
    CHECK_EQUAL(INITIALISE(3), -ENOENT);
    CHECK_EQUAL(INITIALISE(0), -EEXIST);
    CHECK_EQUAL(INITIALISE(1), -EINVAL);
    c.mode = VCPU_HVM_MODE_64B;
    CHECK_EQUAL(INITIALISE(1), -EINVAL);
    CHECK_EQUAL(vmcall(__HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0), -EINVAL);
    struct vcpu_hvm_x86_64 *r = &c.cpu_regs.x86_64;
    r->rip = (u64)second_main;
    r->rsp = (u64)stack + sizeof(stack) - 8;
    r->rdi = 0x123456789abc;
    r->rflags = 2;
    __asm__("mov %%cr0, %0" : "=r"(r->cr0));
    __asm__("mov %%cr3, %0" : "=r"(r->cr3));
    __asm__("mov %%cr4, %0" : "=r"(r->cr4));
    r->efer = 0x500;
    CHECK_EQUAL(INITIALISE(1), 0);
    CHECK_EQUAL(INITIALISE(1), -EEXIST);
    CHECK_EQUAL(vmcall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 1, 0), 0);
    CHECK_EQUAL(vmcall(__HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0), 0);
    while (tsc(false, NULL) - before < 1UL << 34 && !second_says)
        vmcall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    CHECK_EQUAL(second_says, 0x123456789abc);
    CHECK(second_tsc > before && second_tsc < tsc(false, NULL));

    c = (struct vcpu_hvm_context){.mode = VCPU_HVM_MODE_32B};
    CHECK_EQUAL(INITIALISE(2), -EINVAL);
    c.cpu_regs.x86_32 = (struct vcpu_hvm_x86_32){.eip = (u32)((u64)third_main - VIRT_BASE),
                                                 .ebx = (u32)((u64)&third_says - VIRT_BASE),
                                                 .ecx = (u32)((u64)&word - VIRT_BASE),
                                                 .eflags = 2,
                                                 .cr0 = 0x11,
                                                 .cs_limit = ~0U,
                                                 .ds_limit = ~0U,
                                                 .ss_limit = ~0U,
                                                 .es_limit = ~0U,
                                                 .tr_limit = 0x67,
                                                 .cs_ar = 0xc9b,
                                                 .ds_ar = 0xc93,
                                                 .ss_ar = 0xc93,
                                                 .es_ar = 0xc93,
                                                 .tr_ar = 0x8b};
    CHECK_EQUAL(INITIALISE(2), 0);
    CHECK_EQUAL(vmcall(__HYPERVISOR_vcpu_op, VCPUOP_up, 2, 0), 0);
    while (tsc(false, NULL) - before < 2UL << 34 && !third_says)
        vmcall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    CHECK_EQUAL(third_says, word);
}

static void extended_state(void)
{
    u32 c, a, d;

    __asm__ volatile("cpuid" : "=c"(c) : "a"(1), "c"(0) : "rbx", "rdx");
    if (!(c & 1U << 26))
        return;
    __asm__ volatile("mov %%cr4, %%rax\n or $0x40000, %%rax\n mov %%rax, %%cr4" ::: "rax");
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    CHECK_EQUAL(a & 1, 1);
    ENDS("xor %%ecx, %%ecx\n xor %%edx, %%edx\n mov $3, %%eax\n xsetbv", NONE);
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    CHECK_EQUAL(a, 3);
    ENDS("xor %%ecx, %%ecx\n xor %%edx, %%edx\n xor %%eax, %%eax\n xsetbv", 13);
    ENDS("mov $1, %%ecx\n xor %%edx, %%edx\n mov $3, %%eax\n xsetbv", 13);
    ENDS("xor %%ecx, %%ecx\n mov $0x40000000, %%edx\n mov $3, %%eax\n xsetbv", 13);
}

static u64 dr6(void)
{
    u64 value;

    __asm__ volatile("mov %%dr6, %0" : "=r"(value));
    __asm__ volatile("mov %0, %%dr6" ::"r"(0xffff0ff0UL));
    return value;
}

/* Single-stepped: the trap comes behind the instruction, whoever has done it. */
#define STEPS(instruction)                                                                         \
    ({                                                                                             \
        u64 behind_;                                                                               \
        CHECK_EQUAL(VECTOR_OF("lea 8f(%%rip), %%rax\n mov %%rax, %0\n xor %%eax, %%eax\n"          \
                              "xor %%ecx, %%ecx\n mov $0xe0, %%edx\n"                              \
                              "pushf\n orl $0x100, (%%rsp)\n popf\n" instruction "\n8: nop\n nop", \
                              : "=m"(behind_)::CLOBBERS),                                          \
                    1);                                                                            \
        CHECK_EQUAL(rip_then, behind_);                                                            \
        CHECK_EQUAL(dr6() & 0x400f, 0x4000);                                                       \
    })

static void debugging(void)
{
    static volatile u64 watched;
    u64 value;

    __asm__ volatile("mov %0, %%dr0" ::"r"(&watched));
    __asm__ volatile("mov %%dr0, %0" : "=r"(value));
    CHECK_EQUAL(value, (u64)&watched);
    __asm__ volatile("mov %0, %%dr7" ::"r"(0x400UL | 2 | 1UL << 16 | 3UL << 18)); /* writes of 4 */
    CHECK_EQUAL(VECTOR_OF("movl $1, %0\n nop", : "=m"(watched)::"rax", "memory"), 1);
    CHECK_EQUAL(dr6() & 0x400f, 1);
    __asm__ volatile("mov %0, %%dr7" ::"r"(0x400UL));
    STEPS("nop");
    STEPS("cpuid");
    STEPS("in %%dx, %%al");
    STEPS("mov 0xfee00020, %%eax");
    STEPS("wbinvd");
}

static void ports_and_memory(void)
{
    static u8 bytes[64];
    u32 value;

    CHECK_EQUAL(in(0xe0), 0xff);
    __asm__ volatile("in %%dx, %%ax" : "=a"(value) : "0"(0), "d"(0xe0));
    CHECK_EQUAL(value, 0xffff);
    __asm__ volatile("in %%dx, %%eax" : "=a"(value) : "d"(0xe0));
    CHECK_EQUAL(value, 0xffffffff);
    void *at = bytes;
    u64 count = 40;
    __asm__ volatile("cld\n rep insb" : "+D"(at), "+c"(count) : "d"(0xe0) : "memory");
    CHECK(at == bytes + 40 && !count && bytes[39] == 0xff && !bytes[40]);
    __asm__ volatile("rep outsb" : "+S"(at), "+c"(count) : "d"(0xe0));
    ENDS("mov $0x10000000000, %%rsi\n mov $4, %%ecx\n mov $0xe0, %%edx\n rep outsb", 14);
    CHECK_EQUAL(error, 0);

    CHECK_EQUAL(*(volatile u8 *)NOTHING, 0xff);
    CHECK_EQUAL(*(volatile u16 *)NOTHING, 0xffff);
    CHECK_EQUAL(read32(NOTHING), -1U);
    CHECK_EQUAL(*(volatile u64 *)NOTHING, ~0UL);
    write32(NOTHING, 1);
    CHECK_EQUAL(read32(NOTHING), -1U);
    ENDS("lock incl 0xffffffffd0000000", 14); /* not there in our tables */
    u64 cross = NOTHING + 4094;
    CHECK_EQUAL(*(volatile u32 *)cross, -1U);
    CHECK(read32(LAPIC + 0x30) & 0xff);
    CHECK_EQUAL(read32(LAPIC + 0x20) >> 24, 0);
    /* An NMI to itself. */
    write32(LAPIC + 0x310, 0);
    write32(LAPIC + 0x300, 0x400);
    __asm__ volatile("nop");
    CHECK_EQUAL(nmis, 1);
}

static void collect(const char *text, u32 length)
{
    for (u32 i = 0; i < length && report.length < sizeof(report.words) - 1; i++)
        report.words[report.length++] = text[i];
}

__noreturn void inside_main(u64 vcpu)
{
    struct sched_shutdown how = {.reason = report.deed ? SHUTDOWN_crash : SHUTDOWN_poweroff};

    (void)vcpu;
    say_hook = collect;
    checks_passed = checks_failed = 0;
    GATE(0, 0), GATE(1, 1), GATE(2, nmi), GATE(3, 3), GATE(6, 6), GATE(8, 8), GATE(11, 11);
    GATE(12, 12), GATE(13, 13), GATE(14, 14), GATE(32, 32);
    switch (report.deed) {
    case DEED_EVERYTHING:
        instructions();
        control_registers();
        registers_of_the_model();
        time_stamps();
        strings();
        more_processors();
        extended_state();
        debugging();
        ports_and_memory();
        report.passed = checks_passed;
        report.failed = checks_failed;
        report.told = true;
        break;
    case DEED_TRIPLE_FAULT:
        __asm__ volatile("pushq $0\n pushq $0\n lidt (%rsp)\n ud2");
        break;
    case DEED_HALT_FOR_EVER:
        __asm__ volatile("cli\n hlt");
        break;
    case DEED_RUN_NOTHING:
        ((void (*)(void))NOTHING)();
        break;
    case DEED_STACK_ON_NOTHING:
        __asm__ volatile("mov %0, %%rsp\n ud2" ::"r"(NOTHING + 0x100));
        break;
    default:
        break;
    }
    for (;;)
        vmcall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &how, 0);
}
