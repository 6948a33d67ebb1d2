// sources: hvm/start.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * First states that a guest gives its vCPUs: each field of a good one arrives, and each rule broken
 * by itself is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "hvm/hvm.h"

struct cpu_local host_cpu_local;
static struct vcpu_hvm_context c;
static struct hvm_vcpu v;

void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why, (void)file, (void)line;
    assert_int_equal(error, -EINVAL);
}
void hvm_reset_state(struct hvm_hw_cpu *s, u32 page)
{
    (void)page;
    memset(s, 0, sizeof(*s));
    s->dr7 = 0x400;
    s->tr_arbytes = 0x8b;
}

static int setup_32(void **state)
{
    (void)state;
    c = (struct vcpu_hvm_context){.mode = VCPU_HVM_MODE_32B,
                                  .cpu_regs.x86_32 = {.eax = 1,
                                                      .ecx = 2,
                                                      .edx = 3,
                                                      .ebx = 4,
                                                      .esp = 5,
                                                      .ebp = 6,
                                                      .esi = 7,
                                                      .edi = 8,
                                                      .eip = 0x1234,
                                                      .eflags = 0x202,
                                                      .cr0 = 0x11,
                                                      .cr3 = 0x5000,
                                                      .cr4 = 0x20,
                                                      .efer = 0x800,
                                                      .cs_base = 0x10,
                                                      .ds_base = 0x20,
                                                      .ss_base = 0x30,
                                                      .es_base = 0x40,
                                                      .tr_base = 0x50,
                                                      .cs_limit = ~0U,
                                                      .ds_limit = 0xffff,
                                                      .ss_limit = 0xfffff,
                                                      .es_limit = 7,
                                                      .tr_limit = 0x67,
                                                      .cs_ar = 0xc9a,
                                                      .ds_ar = 0xc92,
                                                      .ss_ar = 0xc93,
                                                      .tr_ar = 0x89}};
    memset(&v, 0, sizeof(v));
    return 0;
}

static int setup_64(void **state)
{
    (void)state;
    c = (struct vcpu_hvm_context){.mode = VCPU_HVM_MODE_64B,
                                  .cpu_regs.x86_64 = {.rax = 1UL << 40,
                                                      .rcx = 2,
                                                      .rdx = 3,
                                                      .rbx = 4,
                                                      .rsp = 5,
                                                      .rbp = 6,
                                                      .rsi = 7,
                                                      .rdi = 8,
                                                      .rip = ~0xfffUL,
                                                      .rflags = 2,
                                                      .cr0 = 0x80000011,
                                                      .cr3 = 1UL << 38,
                                                      .cr4 = 0x20,
                                                      .efer = 0xd00}};
    memset(&v, 0, sizeof(v));
    return 0;
}

static void in_32_bit_mode(void **state)
{
    struct hvm_hw_cpu s;

    (void)state;
    assert_int_equal(hvm_initialise(&v.v, &c), 0);
    assert_true(v.v.initialised);
    assert_int_equal(v.lapic.signals, LAPIC_START);
    assert_memory_equal(&v.start, &c, sizeof(c));
    assert_int_equal(hvm_start_state(&c, &s), 0);
    assert_true(s.rax == 1 && s.rcx == 2 && s.rdx == 3 && s.rbx == 4 && s.rsp == 5 && s.rbp == 6 &&
                s.rsi == 7 && s.rdi == 8 && s.rip == 0x1234 && s.rflags == 0x202);
    assert_true(s.cr0 == 0x11 && s.cr3 == 0x5000 && s.cr4 == 0x20 && s.msr_efer == 0x800);
    assert_true(s.cs_base == 0x10 && s.ds_base == 0x20 && s.ss_base == 0x30 && s.es_base == 0x40 &&
                s.tr_base == 0x50 && s.cs_limit == ~0U && s.ds_limit == 0xffff && s.es_limit == 7);
    assert_true(s.cs_arbytes == 0xc9b && s.ds_arbytes == 0xc93 && s.ss_arbytes == 0xc93 &&
                !s.es_arbytes && s.tr_arbytes == 0x8b && s.dr7 == 0x400);
    /* Compatibility mode. */
    c.cpu_regs.x86_32.cr0 |= 1U << 31;
    c.cpu_regs.x86_32.efer = 0x100;
    assert_int_equal(hvm_start_state(&c, &s), 0);
    assert_int_equal(s.msr_efer, 0x500);
}

#define REFUSED(field, value)                                \
    do {                                                     \
        __typeof__(field) was_ = field;                      \
        field = (__typeof__(field))(value);                  \
        assert_int_equal(hvm_initialise(&v.v, &c), -EINVAL); \
        field = was_;                                        \
        assert_false(v.v.initialised || v.lapic.signals);    \
    } while (0)

static void refused_32(void **state)
{
    struct vcpu_hvm_x86_32 *r = &c.cpu_regs.x86_32;
    struct hvm_hw_cpu s;

    (void)state;
    REFUSED(c.pad, 1);
    REFUSED(c.mode, 2);
    REFUSED(r->pad1, 1);
    for (u32 i = 0; i < 3; i++)
        REFUSED(r->pad2[i], 1);
    REFUSED(r->cs_ar, 0);      /* null */
    REFUSED(r->cs_ar, 0x1c9a); /* bits beyond */
    REFUSED(r->cs_ar, 0xc1a);  /* not present */
    REFUSED(r->cs_ar, 0xc92);  /* data */
    REFUSED(r->cs_ar, 0xc8a);  /* a system segment */
    REFUSED(r->ss_ar, 0);
    REFUSED(r->ss_ar, 0xc91); /* read-only */
    REFUSED(r->ss_ar, 0xc9b); /* code */
    REFUSED(r->ss_ar, 0xcf3); /* of another privilege */
    REFUSED(r->tr_ar, 0);
    REFUSED(r->tr_ar, 0x99);  /* code */
    REFUSED(r->tr_ar, 0x82);  /* an LDT */
    REFUSED(r->tr_ar, 0x8c);  /* a gate */
    REFUSED(r->ds_ar, 0xc98); /* code that cannot be read */
    REFUSED(r->ds_ar, 0xc12);
    REFUSED(r->es_ar, 0xc82);
    REFUSED(r->efer, 0x400);
    r->cs_limit = 0x1233;
    r->cs_ar = 0x49a;
    REFUSED(r->eax, 0);
    r->cs_ar = 0xc9a; /* in pages */
    assert_int_equal(hvm_start_state(&c, &s), 0);
    r->cs_ar = 0xcfa;
    r->ss_ar = 0xcf2;
    REFUSED(r->ds_ar, 0xc92);
    r->ds_ar = 0xcfa; /* code that can be read */
    assert_int_equal(hvm_start_state(&c, &s), 0);
    REFUSED(r->es_ar, 0xcb2);
}

static void in_64_bit_mode(void **state)
{
    struct vcpu_hvm_x86_64 *r = &c.cpu_regs.x86_64;
    struct hvm_hw_cpu s;

    (void)state;
    REFUSED(r->rip, 1UL << 47);
    REFUSED(r->efer, 0x100);
    REFUSED(r->efer, 0x400);
    REFUSED(r->cr0, 1UL << 32);
    REFUSED(r->cr4, 1UL << 32);
    assert_int_equal(hvm_initialise(&v.v, &c), 0);
    assert_int_equal(hvm_start_state(&c, &s), 0);
    assert_true(s.rax == 1UL << 40 && s.rcx == 2 && s.rdx == 3 && s.rbx == 4 && s.rsp == 5 &&
                s.rbp == 6 && s.rsi == 7 && s.rdi == 8 && s.rip == ~0xfffUL && s.rflags == 2);
    assert_true(s.cr0 == 0x80000011 && s.cr3 == 1UL << 38 && s.cr4 == 0x20 && s.msr_efer == 0xd00);
    assert_true(s.cs_arbytes == 0xa9b && s.ss_arbytes == 0xc93 && s.tr_arbytes == 0x8b &&
                s.cs_limit == ~0U && s.tr_limit == 0x67);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(in_32_bit_mode, setup_32),
        cmocka_unit_test_setup(refused_32, setup_32),
        cmocka_unit_test_setup(in_64_bit_mode, setup_64),
    };

    return cmocka_run_group_tests_name("hvm_start", tests, NULL, NULL);
}
