/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A byte ring of a power-of-two size with free-running 32-bit indices: a byte
 * at index i lives in data[i mod size]. New bytes push out the oldest. Used for
 * the log (`xl dmesg`) and for input. No locks: the owner guards it.
 */
#pragma once

#include "lib/types.h"

struct ring {
    char *data;
    u32 size;  /* power of two */
    u32 start; /* index of the oldest byte kept */
    u32 end;   /* index behind the newest; end - start <= size, modulo 2^32 */
};

static inline u32 ring_used(const struct ring *ring)
{
    return ring->end - ring->start;
}

/* Appends; what does not fit pushes out the oldest bytes. */
void ring_put(struct ring *ring, const char *bytes, size_t length);
/*
 * Copies up to `length` kept bytes from *index on, which is first moved to the
 * nearest index that is kept, and advances *index. Returns the bytes copied.
 */
size_t ring_peek(const struct ring *ring, char *bytes, size_t length, u32 *index);
/* Copies and removes the oldest. */
size_t ring_take(struct ring *ring, char *bytes, size_t length);
/* Moves contents and indices to memory of another size; the newest bytes win. */
void ring_move(struct ring *ring, char *data, u32 size);
