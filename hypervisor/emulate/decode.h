/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking an x86 instruction apart: prefixes, opcode, ModRM, displacement,
 * immediate (Intel SDM volume 2, chapter 2), for code of each size. Pure: bytes
 * and registers in, description out; runs on the host.
 */
#pragma once

#include "cpu/regs.h"

#define INSTRUCTION_MAX 15

enum segment { SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS, SEGMENT_GS };

struct instruction {
    u8 length; /* bytes */
    u8 map;    /* 0: one-byte opcodes, 1: after 0F */
    u8 opcode;
    u8 operand_bytes;              /* 1, 2, 4 or 8 */
    u8 address_bytes;              /* 2, 4 or 8 */
    u8 rex;                        /* 0x40..0x4f, 0 none */
    bool lock, rep, repne, narrow; /* narrow: prefix 66 */
    bool memory;                   /* one operand is in memory: */
    u8 mod, reg, rm;               /* with REX extension; rm is a register if mod == 3 */
    u8 segment;    /* of the memory operand, also of a string instruction's source */
    u64 address;   /* offset of the memory operand in its segment */
    u64 immediate; /* sign extended to operand size's need */
};

/*
 * bytes: up to INSTRUCTION_MAX, `count` of them readable. code_bytes: 2, 4, 8 for
 * 16-, 32-, 64-bit code. 0; -EINVAL: no instruction that this decoder knows;
 * -EFAULT: it goes on beyond count.
 */
int instruction_decode(const u8 *bytes, u32 count, u32 code_bytes, const struct cpu_user_regs *regs,
                       struct instruction *in);

/* Register operand by number; bytes 1 without REX names ah, ch, dh, bh by 4..7. */
u64 register_read(const struct cpu_user_regs *regs, u32 number, u32 bytes, u8 rex);
void register_write(struct cpu_user_regs *regs, u32 number, u32 bytes, u8 rex, u64 value);
