// sources: hvm/task.c hvm/walk.c emulate/decode.c core/physmap.c memory/p2m.c
// sources: memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Switches of hardware tasks: what becomes of registers, of both TSSs and of their descriptors, and
 * for each way in which a task cannot be switched to, whose exception that is. Paging is off.
 * Emulators switch tasks themselves, so that micro guest `tasks` does not come to this code there.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/translated_world.h"

#include "cpu/registers.h"
#include "emulate/decode.h"

#define GDT   0x1000UL
#define LDT   0x2000UL
#define OLD   0x3000UL /* a TSS */
#define NEW   0x4000UL
#define CODE  0x5000UL
#define STACK 0x6000UL

enum { NONE = ~0U };
enum {
    CODE_0 = 8,
    DATA_0 = 16,
    FROM = 24,
    TO = 32,
    TABLE = 40,
    CODE_3 = 48,
    DATA_3 = 56,
    LOCAL = 4
};

static struct {
    u32 vector, crashed;
    s64 error;
} raised;

void hvm_raise(struct hvm_vcpu *v, u32 vector, s64 error)
{
    (void)v;
    assert_int_equal(raised.vector, NONE);
    raised.vector = vector;
    raised.error = error;
}
void hvm_raise_page_fault(struct hvm_vcpu *v, u64 address, u32 error)
{
    (void)address;
    hvm_raise(v, VECTOR_PF, error);
}
void hvm_crash(struct hvm_vcpu *v, const char *why)
{
    (void)v, (void)why;
    raised.crashed++;
}
bool hvm_decode(struct hvm_vcpu *v, struct instruction *in)
{
    u8 bytes[INSTRUCTION_MAX];

    (void)v;
    memcpy(bytes, at(guest_regs()->rip), sizeof(bytes));
    return !instruction_decode(bytes, sizeof(bytes), 4, guest_regs(), in);
}

static const struct hvm_machine machine = {
    .name = "test", .get_paging = get_paging, .get_state = get_state, .set_state = set_state};
const struct hvm_machine *hvm_machine = &machine;

static u64 segment(u64 base, u64 limit, u64 type)
{
    return (limit & 0xffff) | (base & 0xffffff) << 16 | type << 40 | (limit >> 16) << 48;
}
static u64 *descriptor(u32 selector)
{
    return at((selector & 4 ? LDT : GDT) + (selector & ~7U));
}
static u32 *word(u64 address)
{
    return at(address);
}
static u16 *half(u64 address)
{
    return at(address);
}

/* A running task of 32 or 16 bits, and another one to switch to. */
static void begin(bool wide, bool new_wide, const char *code)
{
    static const u32 selectors[] = {DATA_0, CODE_0, DATA_0, DATA_0, LOCAL, 0};
    struct cpu_user_regs *r = guest_regs();

    for (u64 page = GDT; page <= STACK; page += PAGE_SIZE)
        memset(at(page), 0, PAGE_SIZE);
    raised.vector = NONE;
    raised.crashed = 0;
    memcpy(at(CODE), code, 8);
    *descriptor(CODE_0) = 0x00cf9a000000ffff;
    *descriptor(DATA_0) = *descriptor(LOCAL) = 0x00cf92000000ffff;
    *descriptor(CODE_3) = 0x00cffa000000ffff;
    *descriptor(DATA_3) = 0x00cff2000000ffff;
    *descriptor(FROM) = segment(OLD, wide ? 103 : 43, wide ? 0x8b : 0x83);
    *descriptor(TO) = segment(NEW, new_wide ? 103 : 43, new_wide ? 0x89 : 0x81);
    *descriptor(TABLE) = segment(LDT, 7, 0x82);
    hardware = (struct hvm_hw_cpu){.cr0 = CR0_PE,
                                   .dr7 = 0x755,
                                   .gdtr_base = GDT,
                                   .gdtr_limit = 63,
                                   .tr_sel = FROM,
                                   .tr_base = OLD,
                                   .tr_limit = wide ? 103 : 43,
                                   .tr_arbytes = wide ? 0x8b : 0x83,
                                   .es_sel = 0x10,
                                   .cs_sel = 0x11,
                                   .ss_sel = 0x12,
                                   .ds_sel = 0x13,
                                   .fs_sel = 0x14,
                                   .gs_sel = 0x15};
    memset(r, 0, sizeof(*r));
    r->rip = CODE;
    r->rflags = 0x203;
    for (u32 n = 0; n < 8; n++)
        register_write(r, n, 4, 0, 0x10001000 + n);
    for (u32 n = 0; n < 8 && new_wide; n++)
        *word(NEW + 0x28 + 4 * n) = n == 4 ? STACK + 0x800 : 0x20002000 + n;
    for (u32 n = 0; n < 8 && !new_wide; n++)
        *half(NEW + 0x12 + 2 * n) = n == 4 ? STACK + 0x800 : (u16)(0x2000 + n);
    for (u32 n = 0; n < 6 && new_wide; n++)
        *word(NEW + 0x48 + 4 * n) = selectors[n];
    for (u32 n = 0; n < 4 && !new_wide; n++)
        *half(NEW + 0x22 + 2 * n) = (u16)selectors[n];
    *half(NEW + (new_wide ? 0x20 : 0x0e)) = 0x777;
    *half(NEW + (new_wide ? 0x24 : 0x10)) = 0x46;
    *half(NEW + (new_wide ? 0x60 : 0x2a)) = TABLE;
}

static void go(u32 by, bool event, bool has_error)
{
    vcpu.event = (struct hvm_event){.vector = VECTOR_DF, .type = HVM_EXCEPTION, .valid = event};
    hvm_exit_task_switch(&vcpu, &(struct hvm_task_switch){.selector = TO,
                                                          .by = (u8)by,
                                                          .instruction = !event,
                                                          .has_error = has_error,
                                                          .error = 0x1234});
}

static const char *const codes[] = {
    [HVM_TASK_CALL] = "\x9a\0\0\0\0\x20\0\x90",
    [HVM_TASK_JMP] = "\xea\0\0\0\0\x20\0\x90",
    [HVM_TASK_IRET] = "\xcf\x90\x90\x90\x90\x90\x90\x90",
    [HVM_TASK_EVENT] = "\x0f\x0b\x90\x90\x90\x90\x90\x90",
};
static const u32 lengths[] = {7, 7, 1, 0};

static void test_there(void **state)
{
    (void)state;
    for (u32 i = 0; i < 16; i++) {
        u32 by = i & 3;
        bool wide = i & 4, new_wide = i & 8, nested = by == HVM_TASK_CALL || by == HVM_TASK_EVENT;
        struct cpu_user_regs *r = guest_regs();

        begin(wide, new_wide, codes[by]);
        if (by == HVM_TASK_IRET) {
            *descriptor(TO) |= 0x20000000000;
            r->rflags |= RFLAGS_NT;
        }
        go(by, by == HVM_TASK_EVENT, by == HVM_TASK_EVENT);
        assert_int_equal(raised.vector, NONE);
        assert_false(vcpu.event.valid);
        /* What the old one left. */
        assert_int_equal(wide ? *word(OLD + 0x20) : *half(OLD + 0x0e), CODE + lengths[by]);
        assert_int_equal(wide ? *word(OLD + 0x24) : *half(OLD + 0x10), 0x203);
        for (u32 n = 0; n < 8; n++)
            assert_int_equal(wide ? *word(OLD + 0x28 + 4 * n) : *half(OLD + 0x12 + 2 * n),
                             (wide ? 0x10001000 : 0x1000) + n);
        for (u32 n = 0; n < (wide ? 6 : 4); n++)
            assert_int_equal(wide ? *word(OLD + 0x48 + 4 * n) : *half(OLD + 0x22 + 2 * n),
                             0x10 + n);
        assert_int_equal(*half(OLD + (wide ? 0x60 : 0x2a)), 0);
        assert_int_equal(!!(*descriptor(FROM) >> 41 & 1), nested);
        /* What the new one has. */
        assert_int_equal(*descriptor(TO) >> 41 & 1, 1);
        assert_int_equal(*half(NEW), nested ? FROM : 0);
        assert_int_equal(r->rip, 0x777);
        assert_int_equal(r->rflags, nested ? 0x4046 : 0x46);
        for (u32 n = 0; n < 8; n++)
            if (n != 4)
                assert_int_equal(register_read(r, n, 8, 0), (new_wide ? 0x20002000 : 0x2000) + n);
        assert_int_equal(hardware.tr_sel, TO);
        assert_int_equal(hardware.tr_base, NEW);
        assert_int_equal(hardware.tr_arbytes, new_wide ? 0x8b : 0x83);
        assert_int_equal(hardware.cr0, CR0_PE | CR0_TS);
        assert_int_equal(hardware.dr7, 0x600);
        assert_int_equal(hardware.cs_arbytes, 0xc9b);
        assert_int_equal(hardware.ss_arbytes, 0xc93);
        assert_int_equal(hardware.ss_limit, ~0U);
        assert_int_equal(hardware.ldtr_base, LDT);
        assert_int_equal(hardware.fs_sel, new_wide ? LOCAL : 0);
        assert_int_equal(hardware.fs_arbytes, new_wide ? 0xc93 : 0);
        assert_int_equal(hardware.gs_arbytes, 0);
        assert_int_equal(*descriptor(CODE_0) >> 40 & 1, 1);
        assert_int_equal(r->rsp, STACK + 0x800 - (by != HVM_TASK_EVENT ? 0 : new_wide ? 4 : 2));
        if (by == HVM_TASK_EVENT)
            assert_int_equal(*half(r->rsp), 0x1234);
    }
}

static void test_what_fails_before(void **state)
{
    static const struct {
        u64 descriptor;
        u32 vector; /* by JMP */
        u32 by_iret;
    } cases[] = {
        {0x00008b0040000067, VECTOR_GP, NONE},      {0x0000890040000067, NONE, VECTOR_TS},
        {0x0000820040000067, VECTOR_GP, VECTOR_TS}, {0x0000920040000067, VECTOR_GP, VECTOR_TS},
        {0x0000850040000067, VECTOR_GP, VECTOR_TS}, {0x0000090040000067, VECTOR_NP, VECTOR_TS},
        {0x00000b0040000067, VECTOR_GP, VECTOR_NP}, {0x0000890040000066, VECTOR_TS, VECTOR_TS},
        {0x00008b004000002b, VECTOR_GP, VECTOR_TS}, {0x000081004000002a, VECTOR_TS, VECTOR_TS},
    };

    (void)state;
    for (u32 i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        u32 by = i & 1 ? HVM_TASK_IRET : HVM_TASK_JMP;
        u32 vector = i & 1 ? cases[i / 2].by_iret : cases[i / 2].vector;

        begin(true, true, codes[by]);
        *descriptor(TO) = cases[i / 2].descriptor;
        go(by, false, false);
        assert_int_equal(raised.vector, vector);
        if (vector == NONE)
            continue;
        assert_int_equal(raised.error, TO);
        assert_int_equal(guest_regs()->rip, CODE);
        assert_int_equal(hardware.tr_sel, FROM);
        assert_int_equal(*descriptor(TO), cases[i / 2].descriptor);
    }
    /* Of an event: it is not delivered, and the error says whose it is. */
    begin(true, true, codes[HVM_TASK_EVENT]);
    hardware.gdtr_limit = TO + 6;
    go(HVM_TASK_EVENT, true, true);
    assert_int_equal(raised.vector, VECTOR_GP);
    assert_int_equal(raised.error, TO | 1);
    assert_true(vcpu.event.valid);
    /* Where no memory is. */
    begin(true, true, codes[HVM_TASK_JMP]);
    *descriptor(TO) = segment(0x100000, 103, 0x89);
    go(HVM_TASK_JMP, false, false);
    assert_int_equal(raised.crashed, 1);
    assert_int_equal(*descriptor(TO) >> 41 & 1, 0);
}

static void test_what_fails_in_the_new_one(void **state)
{
    static const struct {
        u32 field, value, selector;
        u64 descriptor; /* instead of that at selector, if it is not 0 */
        u32 vector, error;
    } cases[] = {
        {0x4c, 0, 0, 0, VECTOR_TS, 0},                                 /* CS: none */
        {0x4c, DATA_0, 0, 0, VECTOR_TS, DATA_0},                       /* data */
        {0x4c, CODE_3, 0, 0, VECTOR_TS, CODE_3},                       /* other privilege */
        {0x4c, CODE_0, CODE_0, 0x00cf1a000000ffff, VECTOR_NP, CODE_0}, /* absent */
        {0x4c, CODE_0, CODE_0, 0x00cf9e000000ffff, NONE, 0},           /* conforming */
        {0x4c, 0x80, 0, 0, VECTOR_TS, 0x80},                           /* beyond the table */
        {0x50, 0, 0, 0, VECTOR_TS, 0},                                 /* SS */
        {0x50, CODE_0, 0, 0, VECTOR_TS, CODE_0},
        {0x50, DATA_3, 0, 0, VECTOR_TS, DATA_3},
        {0x50, LOCAL, LOCAL, 0x00cf12000000ffff, VECTOR_SS, LOCAL},
        {0x50, LOCAL, LOCAL, 0x00cf90000000ffff, VECTOR_TS, LOCAL}, /* not writable */
        {0x54, DATA_0 | 3, 0, 0, VECTOR_TS, DATA_0},                /* DS */
        {0x54, DATA_3, 0, 0, NONE, 0},
        {0x54, CODE_0, CODE_0, 0x00cf98000000ffff, VECTOR_TS, CODE_0}, /* not readable */
        {0x54, LOCAL, LOCAL, 0x00cf12000000ffff, VECTOR_NP, LOCAL},
        {0x54, LOCAL | 8, 0, 0, VECTOR_TS, LOCAL | 8},
        {0x60, TABLE | 4, 0, 0, VECTOR_TS, TABLE | 4}, /* LDT */
        {0x60, DATA_0, 0, 0, VECTOR_TS, DATA_0},
        {0x60, TABLE, TABLE, 0x0000020020000007, VECTOR_TS, TABLE},
        {0x64, 1, 0, 0, VECTOR_DB, 0}, /* the trap at its start */
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        begin(true, true, codes[HVM_TASK_CALL]);
        *word(NEW + cases[i].field) = cases[i].value;
        if (cases[i].descriptor)
            *descriptor(cases[i].selector) = cases[i].descriptor;
        go(HVM_TASK_CALL, false, false);
        assert_int_equal(raised.vector, cases[i].vector);
        if (cases[i].vector == VECTOR_DB)
            assert_int_equal(hardware.dr6, DR6_BT);
        else if (cases[i].vector != NONE)
            assert_int_equal(raised.error, cases[i].error);
        assert_int_equal(hardware.tr_sel, TO);
        assert_int_equal(guest_regs()->rip, 0x777);
        assert_int_equal(*half(NEW), FROM);
    }
}

static void test_other_modes(void **state)
{
    (void)state;
    /* User mode, whose stack takes the error code. */
    begin(true, true, codes[HVM_TASK_EVENT]);
    *word(NEW + 0x48) = *word(NEW + 0x54) = *word(NEW + 0x58) = 0;
    *word(NEW + 0x4c) = CODE_3 | 3;
    *word(NEW + 0x50) = DATA_3 | 3;
    go(HVM_TASK_EVENT, true, true);
    assert_int_equal(raised.vector, NONE);
    assert_int_equal(hardware.ss_arbytes >> 5 & 3, 3);
    assert_int_equal(*word(STACK + 0x7fc), 0x1234);
    /* Virtual-8086 mode. */
    begin(true, true, codes[HVM_TASK_JMP]);
    *word(NEW + 0x24) = 0x20002;
    *word(NEW + 0x4c) = 0x800;
    *word(NEW + 0x58) = 0x1234;
    go(HVM_TASK_JMP, false, false);
    assert_int_equal(raised.vector, NONE);
    assert_int_equal(guest_regs()->rflags, 0x20002);
    assert_int_equal(hardware.cs_base, 0x8000);
    assert_int_equal(hardware.fs_base, 0x12340);
    assert_int_equal(hardware.ss_arbytes, 0xf3);
    assert_int_equal(hardware.cs_limit, 0xffff);
    /* Its own page tables, from where they are on; flags that there are not. */
    begin(true, true, codes[HVM_TASK_JMP]);
    hardware.cr0 |= CR0_PG;
    *word(NEW + 0x1c) = 0x12345000;
    *word(NEW + 0x24) = ~0x20000U;
    go(HVM_TASK_JMP, false, false);
    assert_int_equal(hardware.cr3, 0x12345000);
    assert_int_equal(guest_regs()->rflags, 0x3d7fd7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_fails_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_fails_in_the_new_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_modes, setup, teardown),
    };

    fake_memory_init();
    return cmocka_run_group_tests_name("hvm_task", tests, NULL, NULL);
}
