/* SPDX-License-Identifier: GPL-2.0-only */
/* Exceptions, privileged instructions, INT n, debug registers, forced CPUID. */
#include "runtime.h"

static void forced_cpuid(u32 leaf, u32 out[4])
{
    __asm__ volatile("ud2; .ascii \"xen\"; cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "0"(leaf), "2"(0));
}

static u64 read_msr(u32 msr)
{
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (u64)high << 32 | low;
}

static void ignore(struct trap_frame *frame)
{
    (void)frame;
}

void guest_main(void)
{
    u32 id[4];

    CHECK_EQUAL(FAULT_OF("ud2", ::: "rax"), 6);
    CHECK_EQUAL(FAULT_OF("movb $0, 0x10", ::: "rax", "memory"), 14);
    CHECK_EQUAL(FAULT_OF("mov 0xffff830000000000, %%rax", ::: "rax", "memory"), 14);
    CHECK_EQUAL(FAULT_OF("mov $0xdead, %%ecx\n rdmsr", ::: "rax", "rcx", "rdx"), 13);
    CHECK_EQUAL(FAULT_OF("hlt", ::: "rax"), 13);
    CHECK_EQUAL(FAULT_OF("int $0x42", ::: "rax"), 13);
    CHECK_EQUAL(trap_last_error[13], 0x42 * 8 + 2);
    CHECK_EQUAL(FAULT_OF("lgdt 0", ::: "rax"), 13);

    trap_hook = ignore;
    u64 before = trap_count[3];
    __asm__ volatile("int3");
    CHECK_EQUAL(trap_count[3], before + 1);
    before = trap_count[128];
    __asm__ volatile("int $0x80");
    CHECK_EQUAL(trap_count[128], before + 1);
    trap_hook = NULL;

    forced_cpuid(0x40000000, id);
    CHECK(id[0] >= 0x40000004);
    CHECK_EQUAL(id[1], 0x566e6558); /* "XenV" */
    CHECK_EQUAL(id[2], 0x65584d4d); /* "MMXe" */
    CHECK_EQUAL(id[3], 0x4d4d566e); /* "nVMM" */
    forced_cpuid(0x40000001, id);
    CHECK_EQUAL(id[0], 4 << 16 | 17);
    forced_cpuid(1, id);
    CHECK(id[2] >> 31); /* a hypervisor is there */
    CHECK(!(id[2] & (1u << 5)));

    /* GS base by MSR and by hypercall are one and the same. */
    u64 marker[2] = {0x1122334455667788, 42};
    CHECK_EQUAL(call2(__HYPERVISOR_set_segment_base, SEGBASE_GS_KERNEL, marker), 0);
    u64 value;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
    CHECK_EQUAL(value, marker[0]);
    CHECK_EQUAL(read_msr(0xc0000101), (u64)marker);
    CHECK_EQUAL(call2(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER, 0x7f0000), 0);
    CHECK_EQUAL(read_msr(0xc0000102), 0x7f0000);
    CHECK_EQUAL(call2(__HYPERVISOR_set_segment_base, SEGBASE_FS, 0x8000000000000000), -EINVAL);
    CHECK_EQUAL(call2(__HYPERVISOR_set_segment_base, 9, 0), -EINVAL);

    CHECK_EQUAL(call2(__HYPERVISOR_set_debugreg, 0, 0x1000), 0);
    CHECK_EQUAL(call1(__HYPERVISOR_get_debugreg, 0), 0x1000);
    CHECK(call2(__HYPERVISOR_set_debugreg, 1, 0xffff830000000000) < 0);
    CHECK(call2(__HYPERVISOR_set_debugreg, 9, 0) < 0);
    u64 cr0;
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    CHECK_EQUAL(cr0 & 0x80010021, 0x80010021 & cr0);
    CHECK(cr0 & 1);

    /* An address that is no guest's. */
    CHECK_EQUAL(call1(__HYPERVISOR_set_trap_table, 0x8000000000000000), -EFAULT);
}
