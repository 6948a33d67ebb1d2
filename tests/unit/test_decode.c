// sources: emulate/decode.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* The decoder by known encodings: lengths, operands, addresses, 32-bit code, and bytes that end too
 * early. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "emulate/decode.h"

static const struct cpu_user_regs regs = {
    .rax = 0x1111111111111111,
    .rcx = 0x2222,
    .rdx = 0x3333,
    .rbx = 0x100000044,
    .rsp = 0x7fff0000,
    .rbp = 0x8000,
    .rsi = 0x9000,
    .rdi = 0xa000,
    .r8 = 0x8888,
    .r12 = 0xcccc,
    .r13 = 0xdddd,
    .rip = 0xffffffff81000000,
};

static const struct known {
    u8 bytes[INSTRUCTION_MAX];
    u8 length, opcode, map, operand;
    u64 address, immediate;
    u8 segment;
} known[] = {
    {{0x89, 0x03}, 2, 0x89, 0, 4, 0x100000044, 0, SEGMENT_DS},
    {{0x48, 0x89, 0x03}, 3, 0x89, 0, 8, 0x100000044, 0, SEGMENT_DS},
    {{0x66, 0x89, 0x03}, 3, 0x89, 0, 2, 0x100000044, 0, SEGMENT_DS},
    {{0x66, 0x48, 0x89, 0x03}, 4, 0x89, 0, 8, 0x100000044, 0, SEGMENT_DS},
    {{0x48, 0x66, 0x89, 0x03}, 4, 0x89, 0, 2, 0x100000044, 0, SEGMENT_DS}, /* a REX not last counts
                                                                              for nothing */
    {{0x67, 0x89, 0x03}, 3, 0x89, 0, 4, 0x44, 0, SEGMENT_DS},
    {{0x88, 0x45, 0x80}, 3, 0x88, 0, 1, 0x8000 - 128, 0, SEGMENT_SS},
    {{0x89, 0x04, 0x24}, 3, 0x89, 0, 4, 0x7fff0000, 0, SEGMENT_SS},
    {{0x41, 0x89, 0x04, 0x24}, 4, 0x89, 0, 4, 0xcccc, 0, SEGMENT_DS},
    {{0x41, 0x89, 0x45, 0x00}, 4, 0x89, 0, 4, 0xdddd, 0, SEGMENT_DS},
    {{0x89, 0x04, 0x8b}, 3, 0x89, 0, 4, 0x100000044 + 4 * 0x2222, 0, SEGMENT_DS},
    {{0x42, 0x89, 0x04, 0x23}, 4, 0x89, 0, 4, 0x100000044 + 0xcccc, 0, SEGMENT_DS},
    {{0x89, 0x04, 0x25, 0x78, 0x56, 0x34, 0x92}, 7, 0x89, 0, 4, 0xffffffff92345678, 0, SEGMENT_DS},
    {{0x89, 0x05, 0x10, 0, 0, 0}, 6, 0x89, 0, 4, 0xffffffff81000016, 0, SEGMENT_DS},
    {{0x81, 0x05, 0x10, 0, 0, 0, 1, 2, 3, 0x84},
     10,
     0x81,
     0,
     4,
     0xffffffff8100001a,
     0xffffffff84030201,
     SEGMENT_DS},
    {{0x66, 0x81, 0x03, 0xfe, 0xff}, 5, 0x81, 0, 2, 0x100000044, ~0UL - 1, SEGMENT_DS},
    {{0x83, 0x83, 0, 1, 0, 0, 0xff}, 7, 0x83, 0, 4, 0x100000144, ~0UL, SEGMENT_DS},
    {{0x65, 0x89, 0x03}, 3, 0x89, 0, 4, 0x100000044, 0, SEGMENT_GS},
    {{0x64, 0x89, 0x45, 0}, 4, 0x89, 0, 4, 0x8000, 0, SEGMENT_FS},
    {{0x26, 0x89, 0x45, 0}, 4, 0x89, 0, 4, 0x8000, 0, SEGMENT_SS}, /* ES, CS, SS, DS: no effect in
                                                                      64-bit code */
    {{0xf6, 0x03, 0x7f}, 3, 0xf6, 0, 1, 0x100000044, 0x7f, SEGMENT_DS}, /* TEST has an immediate, */
    {{0xf6, 0x13}, 2, 0xf6, 0, 1, 0x100000044, 0, SEGMENT_DS},          /* NOT has none */
    {{0xf7, 0x03, 1, 0, 0, 0}, 6, 0xf7, 0, 4, 0x100000044, 1, SEGMENT_DS},
    {{0x0f, 0xb1, 0x0b}, 3, 0xb1, 1, 4, 0x100000044, 0, SEGMENT_DS},
    {{0xf0, 0x48, 0x0f, 0xb1, 0x0b}, 5, 0xb1, 1, 8, 0x100000044, 0, SEGMENT_DS},
    {{0x0f, 0xba, 0x2b, 0x3f}, 4, 0xba, 1, 4, 0x100000044, 0x3f, SEGMENT_DS},
    {{0xa5}, 1, 0xa5, 0, 4, 0, 0, SEGMENT_DS},
    {{0xe4, 0x60}, 2, 0xe4, 0, 1, 0, 0x60, SEGMENT_DS},
    {{0xe7, 0x80}, 2, 0xe7, 0, 4, 0, (u64)-128, SEGMENT_DS},
    {{0x0f, 0x32}, 2, 0x32, 1, 4, 0, 0, SEGMENT_DS},
    {{0x0f, 0x01, 0xd1}, 3, 0x01, 1, 4, 0, 0, SEGMENT_DS},
};

static void test_known(void **state)
{
    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(known); i++) {
        const struct known *k = &known[i];
        struct instruction in;
        assert_int_equal(instruction_decode(k->bytes, INSTRUCTION_MAX, true, &regs, &in), 0);
        assert_int_equal(in.length, k->length);
        assert_int_equal(in.opcode, k->opcode);
        assert_int_equal(in.map, k->map);
        assert_int_equal(in.operand_bytes, k->operand);
        assert_int_equal(in.immediate, k->immediate);
        if (in.has_modrm && in.mod != 3) {
            assert_int_equal(in.address, k->address);
            assert_int_equal(in.segment, k->segment);
        }
        /* Each shorter piece of it asks for more; nothing is read behind `count`. */
        for (u32 count = 0; count < k->length; count++) {
            u8 piece[INSTRUCTION_MAX];
            memset(piece, 0x06, sizeof(piece));
            memcpy(piece, k->bytes, count);
            assert_int_equal(instruction_decode(piece, count, true, &regs, &in), -EFAULT);
        }
    }
}

static void test_too_long(void **state)
{
    (void)state;
    u8 bytes[INSTRUCTION_MAX];
    struct instruction in;

    memset(bytes, 0x66, sizeof(bytes));
    assert_int_equal(instruction_decode(bytes, sizeof(bytes), true, &regs, &in), -EINVAL);
    memcpy(bytes + 13, (u8[]){0x89, 0x03}, 2); /* fits exactly */
    assert_int_equal(instruction_decode(bytes, sizeof(bytes), true, &regs, &in), 0);
    assert_int_equal(in.length, 15);
    memcpy(bytes + 13, (u8[]){0x89, 0x43}, 2); /* a displacement too many */
    assert_int_equal(instruction_decode(bytes, sizeof(bytes), true, &regs, &in), -EINVAL);
}

/* 32-bit code: no REX (INC, DEC instead), short addresses refused, no RIP-relative form, segments
 * count. */
static void test_32_bit(void **state)
{
    (void)state;
    struct instruction in;

    assert_int_equal(instruction_decode((u8[]){0x89, 0x03, 0, 0}, 4, false, &regs, &in), 0);
    assert_int_equal(in.address, 0x44);
    assert_int_equal(in.address_bytes, 4);
    assert_int_equal(instruction_decode((u8[]){0x48, 0x89, 0x03, 0}, 4, false, &regs, &in),
                     -EINVAL);
    assert_int_equal(instruction_decode((u8[]){0x67, 0x89, 0x03, 0}, 4, false, &regs, &in),
                     -EINVAL);
    assert_int_equal(instruction_decode((u8[]){0x89, 0x05, 1, 0, 0, 0x80}, 6, false, &regs, &in),
                     0);
    assert_int_equal(in.address, 0x80000001);
    assert_int_equal(instruction_decode((u8[]){0x2e, 0x89, 0x03, 0}, 4, false, &regs, &in), 0);
    assert_int_equal(in.segment, SEGMENT_CS);
    assert_int_equal(instruction_decode((u8[]){0x36, 0x89, 0x03, 0}, 4, false, &regs, &in), 0);
    assert_int_equal(in.segment, SEGMENT_SS);
}

static void test_registers(void **state)
{
    (void)state;
    struct cpu_user_regs r = {.rax = 0x1122334455667788};

    assert_int_equal(register_read(&r, 0, 1, 0), 0x88);
    assert_int_equal(register_read(&r, 4, 1, 0), 0x77); /* AH */
    assert_int_equal(register_read(&r, 4, 1, 0x40), 0); /* SPL */
    assert_int_equal(register_read(&r, 0, 2, 0), 0x7788);
    assert_int_equal(register_read(&r, 0, 4, 0), 0x55667788);
    register_write(&r, 4, 1, 0, 0xab);
    assert_int_equal(r.rax, 0x112233445566ab88);
    register_write(&r, 0, 1, 0, 0xcd);
    assert_int_equal(r.rax, 0x112233445566abcd);
    register_write(&r, 0, 2, 0, 0xffff0001);
    assert_int_equal(r.rax, 0x1122334455660001);
    register_write(&r, 0, 4, 0, 7);
    assert_int_equal(r.rax, 7); /* a 32-bit result clears the rest */
    register_write(&r, 15, 8, 0, 9);
    assert_int_equal(r.r15, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_32_bit),
        cmocka_unit_test(test_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
