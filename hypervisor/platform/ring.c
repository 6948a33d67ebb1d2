/* SPDX-License-Identifier: GPL-2.0-only */
/* See ring.h. Pure arithmetic; callers hold the console lock. */
#include "platform/ring.h"

void ring_put(struct ring *ring, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        ring->data[ring->end++ & (ring->size - 1)] = bytes[i];
    if (ring_used(ring) > ring->size)
        ring->start = ring->end - ring->size;
}

size_t ring_peek(const struct ring *ring, char *bytes, size_t length, u32 *index)
{
    size_t done = 0;

    /* The signed distance tells "already pushed out" from "not written yet". */
    if ((s32)(*index - ring->start) < 0)
        *index = ring->start;
    else if (*index - ring->start > ring_used(ring))
        *index = ring->end;
    for (; done < length && *index != ring->end; done++)
        bytes[done] = ring->data[(*index)++ & (ring->size - 1)];
    return done;
}

size_t ring_take(struct ring *ring, char *bytes, size_t length)
{
    return ring_peek(ring, bytes, length, &ring->start);
}

void ring_move(struct ring *ring, char *data, u32 size)
{
    if (ring_used(ring) > size)
        ring->start = ring->end - size;
    for (u32 i = ring->start; i != ring->end; i++)
        data[i & (size - 1)] = ring->data[i & (ring->size - 1)];
    ring->data = data;
    ring->size = size;
}
