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
    {{0xa1, 1, 2, 3, 4, 5, 6, 7, 8}, 9, 0xa1, 0, 4, 0x807060504030201, 0, SEGMENT_DS},
    {{0x67, 0x48, 0xa3, 1, 2, 3, 4}, 7, 0xa3, 0, 8, 0x4030201, 0, SEGMENT_DS},
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
        assert_int_equal(instruction_decode(k->bytes, INSTRUCTION_MAX, 8, &regs, &in), 0);
        assert_int_equal(in.length, k->length);
        assert_int_equal(in.opcode, k->opcode);
        assert_int_equal(in.map, k->map);
        assert_int_equal(in.operand_bytes, k->operand);
        assert_int_equal(in.immediate, k->immediate);
        if (in.memory) {
            assert_int_equal(in.address, k->address);
            assert_int_equal(in.segment, k->segment);
        }
        /* Each shorter piece of it asks for more; nothing is read behind `count`. */
        for (u32 count = 0; count < k->length; count++) {
            u8 piece[INSTRUCTION_MAX];
            memset(piece, 0x06, sizeof(piece));
            memcpy(piece, k->bytes, count);
            assert_int_equal(instruction_decode(piece, count, 8, &regs, &in), -EFAULT);
        }
    }
}

static void test_too_long(void **state)
{
    (void)state;
    u8 bytes[INSTRUCTION_MAX];
    struct instruction in;

    memset(bytes, 0x66, sizeof(bytes));
    assert_int_equal(instruction_decode(bytes, sizeof(bytes), 8, &regs, &in), -EINVAL);
    memcpy(bytes + 13, (u8[]){0x89, 0x03}, 2); /* fits exactly */
    assert_int_equal(instruction_decode(bytes, sizeof(bytes), 8, &regs, &in), 0);
    assert_int_equal(in.length, 15);
    memcpy(bytes + 13, (u8[]){0x89, 0x43}, 2); /* a displacement too many */
    assert_int_equal(instruction_decode(bytes, sizeof(bytes), 8, &regs, &in), -EINVAL);
}

/* 32- and 16-bit code: no REX (INC, DEC instead), no RIP-relative form, all segments count, and
 * the prefixes choose the other size. */
static const struct known_narrow {
    u8 bytes[INSTRUCTION_MAX];
    u8 code_bytes, length, operand, address_bytes;
    u64 address;
    u8 segment;
} known_narrow[] = {
    {{0x89, 0x03}, 4, 2, 4, 4, 0x44, SEGMENT_DS},
    {{0x66, 0x89, 0x03}, 4, 3, 2, 4, 0x44, SEGMENT_DS},
    {{0x89, 0x05, 1, 0, 0, 0x80}, 4, 6, 4, 4, 0x80000001, SEGMENT_DS},
    {{0x2e, 0x89, 0x03}, 4, 3, 4, 4, 0x44, SEGMENT_CS},
    {{0x36, 0x89, 0x03}, 4, 3, 4, 4, 0x44, SEGMENT_SS},
    {{0x89, 0x04, 0x8b}, 4, 3, 4, 4, 0x44 + 4 * 0x2222, SEGMENT_DS},
    {{0x67, 0x89, 0x07}, 4, 3, 4, 2, 0x44, SEGMENT_DS},
    {{0xa1, 0x78, 0x56, 0x34, 0x12}, 4, 5, 4, 4, 0x12345678, SEGMENT_DS},
    {{0x66, 0x67, 0xa3, 0x34, 0x12}, 4, 5, 2, 2, 0x1234, SEGMENT_DS},
    {{0x89, 0x00}, 2, 2, 2, 2, 0x9044, SEGMENT_DS}, /* BX+SI */
    {{0x89, 0x01}, 2, 2, 2, 2, 0xa044, SEGMENT_DS}, /* BX+DI */
    {{0x89, 0x02}, 2, 2, 2, 2, 0x1000, SEGMENT_SS}, /* BP+SI, wraps */
    {{0x89, 0x03}, 2, 2, 2, 2, 0x2000, SEGMENT_SS}, /* BP+DI */
    {{0x89, 0x04}, 2, 2, 2, 2, 0x9000, SEGMENT_DS}, /* SI */
    {{0x89, 0x05}, 2, 2, 2, 2, 0xa000, SEGMENT_DS}, /* DI */
    {{0x89, 0x06, 0xfe, 0xff}, 2, 4, 2, 2, 0xfffe, SEGMENT_DS},
    {{0x89, 0x07}, 2, 2, 2, 2, 0x44, SEGMENT_DS},            /* BX */
    {{0x89, 0x46, 0xff}, 2, 3, 2, 2, 0x7fff, SEGMENT_SS},    /* BP-1 */
    {{0x89, 0x86, 0, 0x90}, 2, 4, 2, 2, 0x1000, SEGMENT_SS}, /* BP+9000h, wraps */
    {{0x26, 0x88, 0x46, 0x10}, 2, 4, 1, 2, 0x8010, SEGMENT_ES},
    {{0x66, 0xc7, 0x07, 1, 2, 3, 4}, 2, 7, 4, 2, 0x44, SEGMENT_DS},
    {{0xc7, 0x07, 1, 2}, 2, 4, 2, 2, 0x44, SEGMENT_DS},
    {{0x67, 0x66, 0x8b, 0x03}, 2, 4, 4, 4, 0x44, SEGMENT_DS},
    {{0x67, 0x8b, 0x44, 0x24, 0x10}, 2, 5, 2, 4, 0x7fff0010, SEGMENT_SS},
    {{0xa0, 0x34, 0x12}, 2, 3, 1, 2, 0x1234, SEGMENT_DS},
    {{0x67, 0xa2, 1, 0, 0x0b, 0}, 2, 6, 1, 4, 0xb0001, SEGMENT_DS},
    {{0x65, 0x0f, 0xb6, 0x07}, 2, 4, 2, 2, 0x44, SEGMENT_GS},
};

static void test_narrow(void **state)
{
    (void)state;
    struct instruction in;

    assert_int_equal(instruction_decode((u8[]){0x48, 0x89, 0x03, 0}, 4, 4, &regs, &in), -EINVAL);
    /* CALL to a far pointer, which 64-bit code has not. */
    u8 far[16] = {0x48, 0x9a, 1, 2, 3, 4, 5, 6};
    assert_int_equal(instruction_decode(far, sizeof(far), 8, &regs, &in), -EINVAL);
    assert_int_equal(instruction_decode(far + 1, sizeof(far) - 1, 4, &regs, &in), 0);
    assert_int_equal(in.address, 0x0000060504030201 & 0xffffffff);
    assert_int_equal(in.length, 7);
    for (u32 i = 0; i < ARRAY_SIZE(known_narrow); i++) {
        const struct known_narrow *k = &known_narrow[i];

        assert_int_equal(instruction_decode(k->bytes, INSTRUCTION_MAX, k->code_bytes, &regs, &in),
                         0);
        assert_int_equal(in.length, k->length);
        assert_int_equal(in.operand_bytes, k->operand);
        assert_int_equal(in.address_bytes, k->address_bytes);
        assert_true(in.memory);
        assert_int_equal(in.address, k->address);
        assert_int_equal(in.segment, k->segment);
        for (u32 count = 0; count < k->length; count++)
            assert_int_equal(instruction_decode(k->bytes, count, k->code_bytes, &regs, &in),
                             -EFAULT);
    }
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
        cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
