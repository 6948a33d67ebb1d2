/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of HYPERVISOR_memory_op share. */
#pragma once

#include "hypercall/hypercall.h"

#include <xen/memory.h>

/* A continued operation carries its progress above the command's number. */
#define MEMORY_OP_SHIFT 6
#define MEMORY_OP_MASK  ((1UL << MEMORY_OP_SHIFT) - 1)

/* memory_reservation.c */
s64 memory_reservation(u32 op, u64 start, u64 arg);
s64 memory_exchange(u64 arg);
