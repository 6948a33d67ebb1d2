/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How C tells assembly where things lie: each folder's offsets.c is compiled
 * to text, and the Makefile turns its marker lines into asm-offsets.h.
 */
#pragma once

#include "lib/types.h"

#define DEFINE_CONSTANT(name, value) \
    __asm__ volatile("\n.ascii \"->" #name " %c0\"" ::"i"((u64)(value)))
#define DEFINE_OFFSET(name, type, member) DEFINE_CONSTANT(name, offsetof(type, member))
