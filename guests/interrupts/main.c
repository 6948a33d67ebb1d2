/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts of a PVH guest come once and only where it has them on: two vCPUs count what their
 * local APICs' timers send while they spin, with nothing in the handler that leaves the guest or
 * faults until its end.
 */
#include "translated.h"

#define LAPIC  0xfee00000UL
#define VECTOR 0x40

struct count {
    volatile u64 all, masked; /* masked: came while interrupts were off */
};
static struct count __aligned_to(4096) counts[256];

/* The spinning code has its record in rdi, so the frame is the record's user's: RFLAGS is third. */
extern char on_timer[];
__asm__(".text\n"
        "on_timer:\n"
        " incq (%rdi)\n"
        " testl $0x200, 16(%rsp)\n jnz 1f\n"
        " incq 8(%rdi)\n"
        "1: push %rax\n push %rcx\n"
        " mov $20000, %ecx\n"
        "2: dec %ecx\n jnz 2b\n"
        " mov $0xfee000b0, %eax\n movl $0, (%rax)\n"
        " pop %rcx\n pop %rax\n"
        " iretq\n");

static __noreturn void spin(u64 vcpu)
{
    translated_gate(VECTOR, on_timer);
    write32(LAPIC + 0xf0, 0x1ff);
    write32(LAPIC + 0x3e0, 0xb);              /* undivided */
    write32(LAPIC + 0x320, 1 << 17 | VECTOR); /* again and again */
    write32(LAPIC + 0x380, 10000);            /* 100 us */
    __asm__ volatile("sti\n1: jmp 1b" ::"D"(&counts[vcpu]) : "memory");
    __builtin_unreachable();
}

void guest_main(void)
{
    u64 start = system_time();
    struct xen_sysctl machine = {0};

    CHECK_EQUAL(sysctl(XEN_SYSCTL_physinfo, &machine), 0);
    if (!(machine.u.physinfo.capabilities & XEN_SYSCTL_PHYSCAP_hap)) {
        say("no nested paging here\n");
        return;
    }
    u32 domain = translated_create(false, 2);
    translated_tables();
    build_translated(domain);
    translated_start(domain, 2, spin);
    const struct count *c = build_page(domain, virt_to_pfn(counts));
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, domain), 0);
    while (system_time() - start < 3000000000UL)
        call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_pausedomain, domain), 0);
    for (u32 vcpu = 0; vcpu < 2; vcpu++) {
        CHECK(c[vcpu].all > 100);
        CHECK_EQUAL(c[vcpu].masked, 0);
    }
    build_done();
    domain_destroy(domain);
    CHECK(domain_gone(domain));
}
