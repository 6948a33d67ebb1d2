/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that may fault on a guest's account: a fault at `from` in ring
 * 0 continues at `to` with the interrupted registers instead of crashing.
 * cpu/traps.c searches the table, which the linker script collects between
 * __ex_table_start and __ex_table_end. rax is left as it was; the fault's
 * vector and error code are in this CPU's trap record (cpu/traps.h).
 */
#pragma once

#ifdef __ASSEMBLER__
/* clang-format off */
#define EX_TABLE(from, to)          \
    .pushsection .ex_table, "a";    \
    .balign 8;                      \
    .quad from, to;                 \
    .popsection
/* clang-format on */
#else
#define EX_TABLE(from, to) \
    ".pushsection .ex_table, \"a\"; .balign 8; .quad " from ", " to "; .popsection\n"
struct ex_entry {
    unsigned long from, to;
};
#endif
