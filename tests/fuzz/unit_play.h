/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For a fuzzer that plays what a unit test plays, with its own bytes in place of rand():
 * include this, then the test's file. What the test asserts ends the fuzzer.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

static const uint8_t *fuzz_at, *fuzz_end;

static inline uint32_t fuzz_byte(void)
{
    return fuzz_at < fuzz_end ? *fuzz_at++ : 0;
}

/* One byte decides, more do where it matters: what is taken modulo a small number is spread. */
static inline int fuzz_rand(void)
{
    uint32_t low = fuzz_byte();

    return (int)(low < 128 ? low : (low & 127) | fuzz_byte() << 7 | fuzz_byte() << 15);
}

#define rand fuzz_rand
#define main unit_main
