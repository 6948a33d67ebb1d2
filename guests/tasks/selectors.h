/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's segments, its tasks' TSSs, a gate, and what cannot be switched to. */
#pragma once

#define CODE     0x08
#define DATA     0x10
#define MAIN     0x18
#define TASK_A   0x20
#define DOUBLE   0x28 /* for #DF */
#define GATE     0x30 /* to A */
#define SHORT    0x38
#define ABSENT   0x40
#define UNMAPPED 0x48
#define BAD      0x50 /* has no stack segment */
#define OF_BAD   0x58 /* for what comes of it */
#define SMALL    0x60 /* of 16 bits */
#define OLD      0x68 /* a virtual-8086 one */
#define TABLE    0x70 /* an LDT: its only segment is DATA */
#define CODE_16  0x78 /* where IP has 16 bits */
#define SEGMENTS 16
