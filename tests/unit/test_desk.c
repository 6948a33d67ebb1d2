/* SPDX-License-Identifier: GPL-2.0-only */
// sources: hypercall/table.c hypercall/control.c core/narrow.c
/*
 * The desk itself: every public number has an entry or a plain refusal,
 * continuations rewind the caller, multicalls stop and go on; bitmaps between
 * tools and us. Guest memory is the test's own.
 */
#include "core/guest.h"
#include "core/narrow.h"
#include "cpu/percpu.h"
#include "cpu/work.h"
#include "hypercall/control.h"
#include "memory/alloc.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include <xen/arch-x86/xen-mca.h>
#include <xen/memory.h>

struct cpu_local host_cpu_local;
static struct domain domain;
static int copy(u64 address, void *buffer, u64 length, bool write)
{
    memcpy(write ? (void *)address : buffer, write ? buffer : (void *)address, length);
    return 0;
}
static const struct guest_ops ops = {.copy = copy};
static struct vcpu vcpu = {.domain = &domain, .ops = &ops};
static u64 calls_made, fail_after = ~0UL;
static s64 answer;

void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why, (void)file, (void)line, (void)error;
}
u32 clock_tsc_khz(void)
{
    return 1u << 31; /* the slice never ends by itself */
}
void *heap_zalloc(size_t size)
{
    return calloc(1, size);
}
void heap_free(void *p)
{
    free(p);
}
static bool fault(void)
{
    return fail_after-- == 0;
}
int guest_copy_in(void *to, u64 from, size_t length)
{
    if (!from || fault())
        return -EFAULT;
    if (narrow_is_view(from))
        return narrow_copy(from, to, length, false);
    memcpy(to, (void *)from, length);
    return 0;
}
int guest_copy_out(u64 to, const void *from, size_t length)
{
    if (!to || fault())
        return -EFAULT;
    if (narrow_is_view(to))
        return narrow_copy(to, (void *)from, length, true);
    memcpy((void *)to, from, length);
    return 0;
}
/* The short way of PV guests: all go the long one. */
size_t copy_from_guest_va(void *to, guest_va_t from, size_t length)
{
    (void)to, (void)from;
    return length;
}
size_t copy_to_guest_va(guest_va_t to, const void *from, size_t length)
{
    (void)to, (void)from;
    return length;
}
int guest_clear(u64 to, size_t length)
{
    memset((void *)to, 0, length);
    return 0;
}

/* Every handler answers with its first argument, but for those the tests want otherwise. */
static s64 handle(const char *name, u64 a0, u64 a1)
{
    calls_made++;
    if (!strcmp(name, "sched_op"))
        return answer;
    if (!strcmp(name, "console_io") && a1) /* works off one unit at a time */
        return a1 > 1 ? hypercall_continue(a0, a1 - 1, 33, 44, 55) : 0;
    return a0;
}
#define hypercall_multicall unused_multicall
#define CALL(name, arguments, kinds)                              \
    s64 hypercall_##name(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4); \
    s64 hypercall_##name(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)  \
    {                                                             \
        (void)a2, (void)a3, (void)a4;                             \
        return handle(#name, a0, a1);                             \
    }
#include "core/calls.def"
#undef hypercall_multicall
void pv_iret(struct cpu_user_regs *regs)
{
    (void)regs;
}

/* All public ones: those with a handler, and those that are refused. */
#undef CALL
#define CALL(name, arguments, kinds) NAME(name),
#define NAME(name)                   [__HYPERVISOR_##name] = #name
static const char *const names[64] = {
#include "core/calls.def"
    NAME(xsm_op),  NAME(nmi_op),  NAME(xenoprof_op), NAME(kexec_op),
    NAME(tmem_op), NAME(argo_op), NAME(hypfs_op),
};

static int setup(void **state)
{
    (void)state;
    memset(&host_cpu_local, 0, sizeof(host_cpu_local));
    current = &vcpu;
    memset(&domain, 0, sizeof(domain));
    calls_made = 0;
    fail_after = ~0UL;
    answer = 0;
    return 0;
}

/* Numbers of the public header: each one is known by its name. */
static void table_is_complete(void **state)
{
    FILE *header = fopen("/usr/include/xen/xen.h", "r");
    char line[256], name[64];
    unsigned int number, seen = 0;
    (void)state;

    if (!header)
        skip();
    while (fgets(line, sizeof(line), header)) {
        if (sscanf(line, "#define __HYPERVISOR_%63s %u", name, &number) != 2 ||
            !strncmp(name, "arch_", 5))
            continue;
        assert_in_range(number, 0, 63);
        assert_non_null(names[number]);
        assert_string_equal(names[number], name);
        seen++;
    }
    fclose(header);
    assert_in_range(seen, 40, 60);
}

static void numbers(void **state)
{
    const u64 args[5] = {7, 0, 0, 0, 0};
    static const u32 refused[] = {11, 27, 28, 31, 37, 38, 39, 42, 43, 49, 63, 64, 1 << 20};
    (void)state;

    for (u32 i = 0; i < ARRAY_SIZE(refused); i++)
        assert_int_equal(hypercall_call(refused[i], args), -ENOSYS);
    assert_int_equal(hypercall_call(~0UL, args), -ENOSYS);
    assert_int_equal(calls_made, 0);
    assert_int_equal(hypercall_call(__HYPERVISOR_domctl, args), 7);
    domain.is_hvm = true; /* page tables are a PV guest's business */
    assert_int_equal(hypercall_call(__HYPERVISOR_mmu_update, args), -ENOSYS);
    assert_int_equal(hypercall_call(__HYPERVISOR_memory_op, args), 7);
    assert_int_equal(hypercall_call(__HYPERVISOR_hvm_op, args), 7);
}

/* A translated guest's call: no SYSCALL to go back over, the caller says it again. */
static void translated(void **state)
{
    struct cpu_user_regs regs = {.rax = __HYPERVISOR_console_io, .rip = 0x1002, .rdi = 1, .rsi = 3};
    (void)state;

    domain.is_hvm = true;
    assert_false(hypercall_hvm(&regs, true));
    assert_int_equal(regs.rip, 0x1002);
    assert_int_equal(regs.rax, __HYPERVISOR_console_io);
    assert_int_equal(regs.rsi, 2);
    assert_int_equal(regs.rdx, 33);
    assert_int_equal(regs.r10, 44);
    assert_int_equal(regs.r8, 55);
    assert_false(hypercall_hvm(&regs, true));
    assert_true(hypercall_hvm(&regs, true));
    assert_int_equal(regs.rax, 0);
    regs.rax = __HYPERVISOR_iret;
    assert_true(hypercall_hvm(&regs, true));
    assert_int_equal((s64)regs.rax, -ENOSYS);
}

/* The convention of 32-bit code: other registers, of which the high halves mean nothing. */
static void narrow(void **state)
{
    const u64 high = 0xdeadUL << 32;
    struct cpu_user_regs regs = {.rax = high | __HYPERVISOR_console_io,
                                 .rbx = high | 1,
                                 .rcx = high | 3,
                                 .rdx = high | 9,
                                 .rip = 0x1002};
    static const u32 refused[] = {__HYPERVISOR_platform_op, __HYPERVISOR_sysctl,
                                  __HYPERVISOR_domctl,      __HYPERVISOR_xsm_op,
                                  __HYPERVISOR_mmu_update,  4711};
    u32(*list)[8] =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    (void)state;

    domain.is_hvm = true;
    assert_false(hypercall_hvm(&regs, false));
    assert_int_equal(regs.rax, high | __HYPERVISOR_console_io);
    assert_int_equal(regs.rbx, 1);
    assert_int_equal(regs.rcx, 2);
    assert_int_equal(regs.rdx, 33);
    assert_int_equal(regs.rsi, 44);
    assert_int_equal(regs.rdi, 55);
    assert_false(hypercall_hvm(&regs, false));
    assert_true(hypercall_hvm(&regs, false));
    assert_int_equal(regs.rax, 0);
    calls_made = 0;
    for (u32 i = 0; i < ARRAY_SIZE(refused); i++) {
        regs.rax = refused[i];
        assert_true(hypercall_hvm(&regs, false));
        assert_int_equal(regs.rax, (u32)-ENOSYS);
    }
    regs = (struct cpu_user_regs){.rax = __HYPERVISOR_memory_op, .rbx = XENMEM_exchange};
    assert_true(hypercall_hvm(&regs, false));
    assert_int_equal(regs.rax, (u32)-ENOSYS);
    assert_int_equal(calls_made, 0);

    assert_ptr_not_equal(list, MAP_FAILED);
    memcpy(list,
           (u32[][8]){{__HYPERVISOR_xen_version, 0, 0xfffffff9},
                      {__HYPERVISOR_console_io, 0, 1, 2},
                      {__HYPERVISOR_domctl, 0, 5}},
           96);
    regs = (struct cpu_user_regs){
        .rax = __HYPERVISOR_multicall, .rbx = (u64)list, .rcx = high | 3, .rip = 0x1002};
    assert_false(hypercall_hvm(&regs, false)); /* stops inside the second entry */
    assert_int_equal(regs.rbx, (u64)list[1]);
    assert_int_equal(regs.rcx, 2);
    assert_int_equal(list[0][1], 0xfffffff9);
    assert_int_equal(list[1][3], 1);
    assert_int_equal(list[1][4], 33);
    assert_int_equal(list[2][1], 0);
    assert_true(hypercall_hvm(&regs, false));
    assert_int_equal(regs.rax, 0);
    assert_int_equal(list[1][1], 0);
    assert_int_equal(list[2][1], (u32)-ENOSYS);
    assert_int_equal(list[2][2], 5);
    assert_int_equal(list[3][0], 0);
    munmap(list, 4096);
}

static void continuation(void **state)
{
    struct cpu_user_regs regs = {.rax = __HYPERVISOR_console_io, .rip = 0x1002, .rdi = 1, .rsi = 3};
    (void)state;

    hypercall_pv(&regs);
    assert_int_equal(regs.rip, 0x1000);
    assert_int_equal(regs.rax, __HYPERVISOR_console_io);
    assert_int_equal(regs.rsi, 2);
    assert_int_equal(regs.rdx, 33);
    assert_int_equal(regs.r10, 44);
    assert_int_equal(regs.r8, 55);
    regs.rip += 2;
    hypercall_pv(&regs);
    regs.rip += 2;
    hypercall_pv(&regs);
    assert_int_equal(regs.rip, 0x1002);
    assert_int_equal(regs.rax, 0);
    regs.rax = 4711;
    hypercall_pv(&regs);
    assert_int_equal((s64)regs.rax, -ENOSYS);
}

static void multicall(void **state)
{
    struct multicall_entry list[4] = {
        {.op = __HYPERVISOR_domctl, .args = {5}},
        {.op = __HYPERVISOR_console_io, .args = {1, 2}},
        {.op = 4711},
        {.op = __HYPERVISOR_iret},
    };
    struct cpu_user_regs regs = {
        .rax = __HYPERVISOR_multicall, .rip = 0x1002, .rdi = (u64)list, .rsi = 4};
    (void)state;

    hypercall_pv(&regs); /* stops inside the second entry */
    assert_int_equal(regs.rip, 0x1000);
    assert_int_equal(regs.rdi, (u64)&list[1]);
    assert_int_equal(regs.rsi, 3);
    assert_int_equal(list[0].result, 5);
    assert_int_equal(list[1].args[1], 1);
    regs.rip += 2;
    hypercall_pv(&regs);
    assert_int_equal(regs.rip, 0x1002);
    assert_int_equal(regs.rax, 0);
    assert_int_equal(list[1].result, 0);
    assert_int_equal((s64)list[2].result, -ENOSYS);
    assert_int_equal((s64)list[3].result, -EINVAL);
}

static void multicall_yields(void **state)
{
    struct multicall_entry list[3] = {{.op = __HYPERVISOR_domctl, .args = {1}},
                                      {.op = __HYPERVISOR_domctl, .args = {2}},
                                      {.op = __HYPERVISOR_domctl, .args = {3}}};
    struct cpu_user_regs regs = {
        .rax = __HYPERVISOR_multicall, .rip = 0x1002, .rdi = (u64)list, .rsi = 3};
    (void)state;

    host_cpu_local.work = 1; /* always something to do: one entry a time */
    for (u32 i = 0; i < 3; i++, regs.rip += regs.rip & 2 ? 0 : 2) {
        hypercall_pv(&regs);
        assert_int_equal(list[i].result, i + 1);
        assert_int_equal(calls_made, i + 1);
    }
    assert_int_equal(regs.rax, 0);
}

static void multicall_refusals(void **state)
{
    struct multicall_entry inner = {.op = __HYPERVISOR_domctl, .args = {9}};
    struct multicall_entry outer = {.op = __HYPERVISOR_multicall, .args = {(u64)&inner, 1}};
    (void)state;

    assert_int_equal(hypercall_multicall((u64)&outer, 1, 0, 0, 0), 0);
    assert_int_equal((s64)outer.result, -EINVAL);
    assert_int_equal(calls_made, 0);
    assert_int_equal(hypercall_multicall(0, 1, 0, 0, 0), -EFAULT);
    fail_after = 1; /* the result cannot be written */
    assert_int_equal(hypercall_multicall((u64)&inner, 1, 0, 0, 0), -EFAULT);
    fail_after = ~0UL;
    assert_int_equal(hypercall_multicall((u64)&inner, 1, 0, 0, 0), 0);
    assert_int_equal(inner.result, 9);
}

static struct xenctl_bitmap tool_map(void *bytes, u32 bits)
{
    struct xenctl_bitmap map = {.nr_bits = bits};
    set_xen_guest_handle_raw(map.bitmap, bytes);
    return map;
}

static void bitmaps(void **state)
{
    u8 bytes[64];
    struct xenctl_bitmap map;
    cpumask_t mask, back;
    (void)state;

    srand(2);
    for (u32 bits = 0; bits <= sizeof(bytes) * 8; bits++) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = rand();
        map = tool_map(bytes, bits);
        assert_int_equal(cpumask_from_guest(&mask, &map), 0);
        for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
            assert_int_equal(cpumask_test(&mask, cpu),
                             cpu < bits && (bytes[cpu / 8] >> cpu % 8 & 1));
        memset(bytes, 0xff, sizeof(bytes));
        assert_int_equal(cpumask_to_guest(&map, &mask), 0);
        for (u32 bit = 0; bit < (bits + 7) / 8 * 8; bit++)
            assert_int_equal(bytes[bit / 8] >> bit % 8 & 1,
                             bit < bits && bit < MAX_CPUS && cpumask_test(&mask, bit));
        for (size_t i = (bits + 7) / 8; i < sizeof(bytes); i++)
            assert_int_equal(bytes[i], 0xff); /* nothing beyond the caller's room */
        assert_int_equal(cpumask_from_guest(&back, &map), 0);
        assert_memory_equal(&mask, &back, sizeof(mask));
    }
    map = tool_map(bytes, 1u << 20);
    assert_int_equal(cpumask_to_guest(&map, &mask), -EINVAL);
    assert_int_equal(cpumask_from_guest(&mask, &map), -EINVAL);
    map = tool_map(NULL, 8);
    assert_int_equal(cpumask_from_guest(&mask, &map), -EFAULT);
}

/* A system's policy of three leaves and one MSR; a domain has none. */
int policy_system(const struct domain *by)
{
    return by->is_control ? 0 : -EPERM;
}
int cpu_policy_system(u32 index, struct xen_cpuid_leaf *leaves, u32 *nr_leaves,
                      struct xen_msr_entry *msrs, u32 *nr_msrs)
{
    assert_int_equal(index, 1);
    assert_true(*nr_leaves >= 3 && *nr_msrs >= 1);
    memset(leaves, 0x5a, 3 * sizeof(*leaves));
    *msrs = (struct xen_msr_entry){0xce, 0, 0};
    *nr_leaves = 3;
    *nr_msrs = 1;
    return 0;
}
int cpu_policy_get(struct domain *d, struct xen_cpuid_leaf *leaves, u32 *nr_leaves,
                   struct xen_msr_entry *msrs, u32 *nr_msrs)
{
    (void)d, (void)leaves, (void)nr_leaves, (void)msrs, (void)nr_msrs;
    return -ESRCH;
}

/* What libxc does: ask for the counts, then for the arrays. */
static void policy_arrays(void **state)
{
    struct xen_cpuid_leaf leaves[3], got[4];
    struct xen_msr_entry got_msrs[1];
    u32 nr = 0, nr_msrs = 0;
    (void)state;

    memset(leaves, 0x5a, sizeof(leaves));
    assert_int_equal(policy_to_guest(NULL, 1, 0, &nr, 0, &nr_msrs), 0);
    assert_int_equal(nr, 3);
    assert_int_equal(nr_msrs, 1);
    nr = 4, nr_msrs = 0; /* leaves only */
    assert_int_equal(policy_to_guest(NULL, 1, (u64)got, &nr, 0, &nr_msrs), 0);
    assert_int_equal(nr, 3);
    assert_memory_equal(got, leaves, sizeof(leaves));
    nr = 2, nr_msrs = 1;
    assert_int_equal(policy_to_guest(NULL, 1, (u64)got, &nr, (u64)got_msrs, &nr_msrs), -ENOBUFS);
    assert_int_equal(nr, 3);
    assert_int_equal(policy_to_guest(&domain, 0, 0, &nr, 0, &nr_msrs), -ESRCH);
}

/* Whose a request must be, and of which version. */
static void control_requests(void **state)
{
    u32 sent[4] = {5, 21, 7, 7}, got[4];
    (void)state;

    domain.is_control = true;
    assert_int_equal(control_request(got, (u64)sent, sizeof(got), 21), 0);
    assert_memory_equal(got, sent, sizeof(got));
    assert_int_equal(control_request(got, (u64)sent, sizeof(got), 20), -EACCES);
    assert_int_equal(control_request(got, 0, sizeof(got), 21), -EFAULT);
    domain.is_control = false;
    assert_int_equal(control_request(got, (u64)sent, sizeof(got), 21), -EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(table_is_complete, setup),
        cmocka_unit_test_setup(numbers, setup),
        cmocka_unit_test_setup(continuation, setup),
        cmocka_unit_test_setup(translated, setup),
        cmocka_unit_test_setup(narrow, setup),
        cmocka_unit_test_setup(multicall, setup),
        cmocka_unit_test_setup(multicall_yields, setup),
        cmocka_unit_test_setup(multicall_refusals, setup),
        cmocka_unit_test_setup(bitmaps, setup),
        cmocka_unit_test_setup(policy_arrays, setup),
        cmocka_unit_test_setup(control_requests, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
