/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Executing one instruction that reads or writes memory on behalf of a guest,
 * through callbacks: a page-table write that the guest's read-only mapping
 * refused (pv/), a device access (hvm/). Runs on the host as well.
 */
#pragma once

#include "cpu/regs.h"
#include "emulate/decode.h"
#include "lib/types.h"

/* Addresses are linear. size: 1, 2, 4, 8 bytes. Each returns 0 or -errno, which ends the emulation.
 */
struct emulate_ops {
    /* Up to `count` bytes of code at rip; how many, 0 if none. */
    u32 (*fetch)(void *ctx, u64 rip, u8 *bytes, u32 count);
    u64 (*segment_base)(void *ctx, enum segment segment);
    int (*read)(void *ctx, u64 address, u64 *value, u32 size);
    int (*write)(void *ctx, u64 address, u64 value, u32 size);
    /* *expected is what is to be there; on a mismatch it becomes what is, and 1 is returned. */
    int (*exchange)(void *ctx, u64 address, u64 *expected, u64 value, u32 size);
};

/*
 * Executes the instruction at regs->rip and moves regs behind it. A read-modify-
 * write is done by `exchange`, repeated until it succeeds.
 * 0; -EOPNOTSUPP: an instruction not known here, nothing done; other errnos
 * as the callbacks gave them, registers unchanged.
 */
int emulate_memory_write(struct cpu_user_regs *regs, bool long_mode, const struct emulate_ops *ops,
                         void *ctx);
/* Likewise for one whose memory operand is only read. */
int emulate_memory_read(struct cpu_user_regs *regs, bool long_mode, const struct emulate_ops *ops,
                        void *ctx);
