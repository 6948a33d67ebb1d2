// sources: pv/shield.c memory/frame.c memory/alloc.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* What the table of a shielded exit is made of, when it is made again, and where its entries go. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_memory.h"
#include "pv/calls.h"
#include "pv/entry.h"
#include "pv/shield.h"
#include "pv/traps.h"
#include "pv/types.h"

bool shield_on = true, pv_isolated[2];
DEFINE_PER_CPU(struct desc_page *, desc);
char __text_start[1], __text_end[1], __ro_after_init_start[1], __ro_after_init_end[1];

static struct pv_vcpu vcpu;
static struct pv_domain domain;
static struct desc_page page;
static const char *went_to;
static u32 shared, shares_left;

int map_share(u64 *l4, u64 va, u64 n, u64 flags)
{
    assert_ptr_equal(l4, percpu_shield[0].table);
    /* Only the CPU's exception stacks and descriptors can be written there. */
    assert_true(!(flags & PTE_WRITE) || va == STACK_AREA_START ||
                va == STACK_AREA_START + DESC_PAGE);
    (void)n;
    shared++;
    return shares_left-- ? 0 : -ENOMEM;
}
void pv_guest_syscall(struct cpu_user_regs *regs)
{
    (void)regs, went_to = "syscall";
}
void pv_guest_syscall32(struct cpu_user_regs *regs)
{
    (void)regs, went_to = "syscall32";
}
void pv_guest_sysenter(struct cpu_user_regs *regs)
{
    (void)regs, went_to = "sysenter";
}
void hypercall_pv(struct cpu_user_regs *regs)
{
    (void)regs, went_to = "hypercall";
}

static void test_create(void **state)
{
    const struct cpu_resources r = {.stack = STACK_AREA_START, .stub = STUB_AREA_START + 0x40};

    (void)state;
    for (u32 i = 0; i < 5; i++) {
        shares_left = i;
        assert_int_equal(shield_create(0, &r), -ENOMEM);
        assert_int_equal(sysret_word, ENTRY_SYSCALL);
    }
    shared = 0;
    shares_left = 5;
    assert_int_equal(shield_create(0, &r), 0);
    assert_int_equal(shared, 5);
    assert_int_equal(sysret_word, 0); /* none goes back by SYSRET */
}

static u64 *new_top(u64 mark)
{
    u64 *top = page_alloc(ALLOC_ZERO);

    for (u64 i = 0; i < TABLE_ENTRIES; i++)
        top[i] = mark | i << 12;
    return top;
}

static void leave(const u64 *top, bool isolated)
{
    const struct cpu_user_regs regs = {.r15 = 15, .rax = 1, .rip = 2, .rsp = 3, .ss = 4};
    u64 cr3 = mfn_to_paddr(virt_to_mfn(top)).raw,
        own = mfn_to_paddr(virt_to_mfn(percpu_shield[0].table)).raw;

    assert_ptr_equal(shield_leave(&regs, cr3), &page.frame);
    assert_memory_equal(&page.frame, &regs, offsetof(struct cpu_user_regs, es));
    assert_int_equal(page.guest_cr3, cr3);
    assert_int_equal(page.shield_cr3, isolated ? own : cr3);
    assert_false(shield_stale());
}

/* The copy shows `top`'s slots, but of ours the guest's own views only. */
static void shows(const u64 *top)
{
    for (u32 i = 0; i < TABLE_ENTRIES; i++)
        assert_int_equal(percpu_shield[0].table[i],
                         i > PERDOMAIN_SLOT && i <= HV_LAST_SLOT ? 0 : top[i]);
}

static void test_leave(void **state)
{
    u64 *first = new_top(1), *second = new_top(3);

    (void)state;
    pv_isolated[1] = true;
    leave(first, true);
    shows(first);
    u64 old = first[7];
    first[7] = 0x9000;
    leave(first, true); /* nobody has said that it changed */
    assert_int_equal(percpu_shield[0].table[7], old);
    shield_table_changed();
    assert_true(shield_stale());
    leave(first, true);
    shows(first);
    leave(second, true);
    shows(second);
    /* One that is not isolated in between: the copy is nobody's then. */
    domain.d.is_hardware = true;
    leave(second, false);
    domain.d.is_hardware = false;
    second[9] = 0x5000;
    leave(second, true);
    shows(second);
    shield_on = false;
    shield_table_changed();
    assert_false(shield_stale());
    shield_on = true;
    assert_false(shield_stale());
}

static void test_entries(void **state)
{
    static const struct {
        u32 vector;
        bool kernel;
        const char *to;
    } cases[] = {{0, true, "hypercall"},
                 {0, false, "syscall"},
                 {ENTRY_SYSCALL32, true, "syscall32"},
                 {ENTRY_SYSENTER, false, "sysenter"}};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cpu_user_regs regs = {.entry_vector = cases[i].vector};

        vcpu.kernel_mode = cases[i].kernel;
        shield_syscall(&regs);
        assert_string_equal(went_to, cases[i].to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_create), cmocka_unit_test(test_leave),
                                       cmocka_unit_test(test_entries)};

    fake_memory_init();
    percpu_desc[0] = &page;
    vcpu.v.domain = &domain.d;
    current = &vcpu.v;
    return cmocka_run_group_tests_name("shield", tests, NULL, NULL);
}
