// sources: hvm/msr.c memory/frame.c memory/alloc.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A translated guest's model-specific registers: whose each is, that what can
 * be kept is read back, how the time stamp and its adjustment go together, and
 * the page of hypercall stubs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "host/fake_memory.h"

#include "core/cpu_policy.h"
#include "core/physmap.h"
#include "hvm/hvm.h"
#include "lib/string.h"

static struct domain domain;
static struct hvm_vcpu v;
static enum { NOBODY, APIC, MACHINE, POLICY } asked;
static bool policy_allows, apic_allows;
static u64 machine_offset;
static u32 time_updates, pages_held;

void hvm_set_width(void)
{
}
bool lapic_read_msr(struct hvm_vcpu *of, u32 msr, u64 *value)
{
    (void)of;
    asked = APIC;
    *value = msr;
    return apic_allows;
}
bool lapic_write_msr(struct hvm_vcpu *of, u32 msr, u64 value)
{
    (void)of, (void)msr, (void)value;
    asked = APIC;
    return apic_allows;
}
bool cpu_policy_rdmsr(struct vcpu *of, u32 msr, u64 *value)
{
    (void)of;
    asked = POLICY;
    *value = msr;
    return policy_allows;
}
bool cpu_policy_wrmsr(struct vcpu *of, u32 msr, u64 value)
{
    (void)of, (void)msr, (void)value;
    asked = POLICY;
    return policy_allows;
}
static const struct clock_scale clock = {1000000, 777777, 1U << 31, 0}; /* 2 GHz */
const struct clock_scale *clock_scale(void)
{
    return &clock;
}
void vcpu_update_time(struct vcpu *of)
{
    assert_ptr_equal(of, &v.v);
    time_updates++;
}
int domain_page_take(struct domain *d, u64 number, struct frame **f)
{
    assert_ptr_equal(d, &domain);
    if (number != 77)
        return -EINVAL;
    pages_held++;
    *f = &frame_table[number];
    return 0;
}
void domain_page_drop(struct frame *f)
{
    assert_ptr_equal(f, &frame_table[77]);
    pages_held--;
}

/* The machine holds 0x277 and 0xc0000080; it takes even values. */
static bool get_msr(struct hvm_vcpu *of, u32 msr, u64 *value)
{
    (void)of;
    if (msr != 0x277 && msr != 0xc0000080)
        return false;
    asked = MACHINE;
    *value = 4711;
    return true;
}
static bool set_msr(struct hvm_vcpu *of, u32 msr, u64 value, bool *refused)
{
    (void)of;
    if (msr != 0x277 && msr != 0xc0000080)
        return false;
    asked = MACHINE;
    *refused = value & 1;
    return true;
}
static void set_tsc(struct hvm_vcpu *of)
{
    machine_offset = of->tsc_offset;
}
static const struct hvm_machine machine = {
    .name = "test", .get_msr = get_msr, .set_msr = set_msr, .set_tsc = set_tsc};
const struct hvm_machine *hvm_machine = &machine;

static int setup(void **state)
{
    (void)state;
    memset(&v, 0, sizeof(v));
    v.v.domain = &domain;
    hvm_mtrr_reset(&v.mtrr);
    apic_allows = policy_allows = true;
    time_updates = 0;
    return 0;
}

static u64 get(u32 msr)
{
    u64 value = ~0UL;

    asked = NOBODY;
    assert_true(hvm_read_msr(&v, msr, &value));
    return value;
}
static bool put(u32 msr, u64 value)
{
    asked = NOBODY;
    return hvm_write_msr(&v, msr, value);
}

static void whose_it_is(void **state)
{
    u64 value;

    (void)state;
    for (u32 i = 0; i < 0x2000 * 2; i++) {
        u32 msr = i < 0x2000 ? i : 0xc0000000U + i - 0x2000;
        bool apic = msr == 0x1b || msr == 0x6e0 || (msr >= 0x800 && msr <= 0x8ff);
        bool ours = msr == 0x10 || msr == 0x3b || msr == 0xfe || (msr >= 0x200 && msr <= 0x20f) ||
                    msr == 0x250 || msr == 0x258 || msr == 0x259 ||
                    (msr >= 0x268 && msr <= 0x26f) || msr == 0x2ff;
        u32 who = apic                                ? APIC
                  : ours                              ? NOBODY
                  : msr == 0x277 || msr == 0xc0000080 ? MACHINE
                                                      : POLICY;

        get(msr);
        assert_int_equal(asked, who);
        assert_int_equal(put(msr, 0), msr != 0xfe);
        assert_int_equal(asked, who);
        /* Whoever refuses is believed. */
        apic_allows = policy_allows = false;
        assert_int_equal(hvm_read_msr(&v, msr, &value), who == NOBODY || who == MACHINE);
        assert_int_equal(put(msr, 1), who == NOBODY && msr != 0xfe);
        apic_allows = policy_allows = true;
    }
}

static void memory_types_are_kept(void **state)
{
    static const u32 fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

    (void)state;
    assert_int_equal(get(0xfe) & 0xff, HVM_MTRRS);
    assert_false(put(0xfe, 0));
    for (u32 msr = 0x200; msr < 0x210; msr++)
        assert_true(put(msr, msr * 3UL));
    for (u32 i = 0; i < ARRAY_SIZE(fixed); i++)
        assert_true(put(fixed[i], fixed[i] * 5UL));
    assert_true(put(0x2ff, 0xc06));
    for (u32 msr = 0x200; msr < 0x210; msr++)
        assert_int_equal(get(msr), msr * 3UL);
    for (u32 i = 0; i < ARRAY_SIZE(fixed); i++) {
        assert_int_equal(get(fixed[i]), fixed[i] * 5UL);
        assert_int_equal(v.mtrr.msr_mtrr_fixed[i], fixed[i] * 5UL);
    }
    assert_int_equal(get(0x2ff), 0xc06);
}

/* SDM vol. 3, 18.17.3: a write to either moves the other by as much. */
static void time_stamps(void **state)
{
    u64 before = get(0x10), after;

    (void)state;
    assert_int_equal(get(0x3b), 0);
    assert_true(put(0x3b, 1000));
    assert_int_equal(v.tsc_offset, 1000);
    assert_true(put(0x3b, (u64)-5000L));
    assert_int_equal(v.tsc_offset, (u64)-5000L);
    assert_true(put(0x3b, 0));
    assert_int_equal(v.tsc_offset, 0);
    assert_true(put(0x10, 1UL << 60));
    after = get(0x10);
    assert_true(after >= 1UL << 60 && after - (1UL << 60) < 1UL << 36);
    assert_int_equal(get(0x3b), v.tsc_offset);
    assert_true(get(0x3b) <= (1UL << 60) - before);
    assert_int_equal(machine_offset, v.tsc_offset);
    assert_int_equal(time_updates, 4);
}

/* A rate of its own: made from system time, in proportion. */
static void own_rate(void **state)
{
    static const u32 rates[] = {1, 999999, 2000000, 2900000, ~0U};
    const u64 moments[] = {clock.base_tsc, clock.base_tsc + 1000, clock.base_tsc + (1UL << 58)};

    (void)state;
    v.tsc_offset = 12345;
    for (u32 i = 0; i < ARRAY_SIZE(moments); i++)
        assert_int_equal(hvm_tsc_at(&v.v, moments[i]), moments[i] + 12345);
    for (u32 r = 0; r < ARRAY_SIZE(rates); r++)
        for (u32 i = 0; i < ARRAY_SIZE(moments); i++) {
            u64 ns = clock.base_ns + (moments[i] - clock.base_tsc) / 2;
            long double real = (long double)ns * rates[r] / 1000000;
            u64 value;

            domain.tsc_khz = rates[r];
            value = hvm_tsc_at(&v.v, moments[i]) - 12345;
            if (real < 1.8e19L)
                assert_true(value <= real && real - value < 1);
        }
    assert_true(put(0x10, 5)); /* its own counter, whatever rate it has */
    assert_true(get(0x10) >= 5 && get(0x10) < 1UL << 44);
    domain.tsc_khz = 0;
}

static void hypercall_stubs(void **state)
{
    const u8 *page = mfn_to_virt(mfn(77));

    (void)state;
    assert_int_equal(get(0x40000000), 0);
    assert_false(put(0x40000000, 77 << PAGE_SHIFT | 1));
    assert_false(put(0x40000000, 78 << PAGE_SHIFT));
    assert_false(put(0x40000000, ~PAGE_MASK + 1));
    assert_true(put(0x40000000, 77 << PAGE_SHIFT));
    assert_int_equal(pages_held, 0);
    for (u32 n = 0; n < 128; n++) {
        const u8 stub[] = {0xb8, (u8)n, 0, 0, 0, 0x0f, 0x01, 0xd9, 0xc3};

        if (n < 64)
            assert_memory_equal(page + n * 32, stub, sizeof(stub));
        for (u32 i = n < 64 ? sizeof(stub) : 0; i < 32; i++)
            assert_int_equal(page[n * 32 + i], 0xcc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(whose_it_is, setup),
        cmocka_unit_test_setup(memory_types_are_kept, setup),
        cmocka_unit_test_setup(time_stamps, setup),
        cmocka_unit_test_setup(own_rate, setup),
        cmocka_unit_test_setup(hypercall_stubs, setup),
    };

    fake_memory_init();
    return cmocka_run_group_tests_name("hvm_msr", tests, NULL, NULL);
}
