/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Executing one instruction that reads or writes memory on behalf of a guest,
 * through callbacks: a page-table write that the guest's read-only mapping
 * refused (pv/), a device access (hvm/). Runs on the host as well.
 */
#pragma once

#include "emulate/decode.h"

/*
 * Sizes are 1, 2, 4, 8 bytes; addresses are linear. Each of the ints is 0 or a
 * negative errno, which ends the emulation with registers unchanged: when it
 * is done again, it makes the same accesses in the same order.
 */
struct emulate_ops {
    /* Up to `count` bytes of code at rip; how many, 0 if none. */
    u32 (*fetch)(void *ctx, u64 rip, u8 *bytes, u32 count);
    /* Where an operand in a segment is, if the segment has room for it and permits it. */
    int (*linear)(void *ctx, enum segment segment, u64 offset, u32 size, bool write, u64 *address);
    int (*read)(void *ctx, u64 address, u64 *value, u32 size); /* value: zero-extended */
    int (*write)(void *ctx, u64 address, u64 value, u32 size);
    /* *expected is what is to be there; on a mismatch it becomes what is, and 1 is returned. */
    int (*exchange)(void *ctx, u64 address, u64 *expected, u64 value, u32 size);
    /* A register of 16 bytes, from or to `value`. NULL: moves of those are not for the emulator. */
    void (*vector)(void *ctx, u32 number, u64 value[2], bool set);
    /* INS and OUTS, at the port in DX. NULL: these are not for the emulator. */
    int (*port)(void *ctx, u64 *value, u32 size, bool out);
    /* Up to count rounds of INS, OUTS, MOVS or STOS at once, from where the first one's source and
     * target are, within a page of each: how many, 0: one by one. May be NULL. */
    int (*many)(void *ctx, u64 source, u64 target, u32 size, u64 count);
    /* A round of a string instruction is complete and will not be done again. May be NULL. */
    void (*round)(void *ctx);
};

struct emulation {
    struct cpu_user_regs *regs;
    const struct emulate_ops *ops;
    void *ctx;
    u8 code_bytes;  /* 2, 4, 8: of 16-, 32-, 64-bit code */
    u8 stack_bytes; /* likewise, of the stack pointer */
    u32 rounds;     /* of a repeated string instruction at most, then it is to run again */
    /* Filled by the emulator, for the callbacks to look at. */
    struct instruction in;
};

/*
 * Executes the instruction at regs->rip and moves regs behind it, or leaves it
 * there after some rounds of a repeated one. A read-modify-write is done by
 * `exchange`, repeated until it succeeds.
 * 0; -EOPNOTSUPP: an instruction not known here, nothing done; -EFAULT: not
 * enough code; other errnos as the callbacks gave them. What fails in a later round
 * of a repeated instruction, but for -EAGAIN, is left for when it runs again.
 */
int emulate_instruction(struct emulation *e);
