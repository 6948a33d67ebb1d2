/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace buffers: a ring of records on each CPU, which xentrace in the control
 * domain maps and empties. <xen/trace.h> has the records' numbers and layout,
 * core/trace.c who may write what.
 *
 * A site costs one test of a global word while nobody asked for its class.
 */
#pragma once

#include "cpu/cpumask.h"
#include "lib/xen.h"
#include <xen/trace.h>

/* Classes and subclasses wanted (bits 12..27 as in an event's number); 0: tracing is off. */
extern u32 trace_events;

/* One record with `words` (at most 7) words of data. Interrupts are off. */
void trace_write(u32 event, u32 words, const u32 *data);
__attribute__((cold)) void trace_words(u32 event, u32 words, ...);

/* A class is wanted; trace_write looks at the subclass too. Read as it is, so that the test is one
 * instruction: it does not matter which of two values it sees. */
static inline bool trace_wants(u32 event)
{
    return unlikely(trace_events & event & (TRC_ALL & ~0xf000U));
}

/* TRACE(event, word...): the words are only evaluated if the event is wanted. */
#define TRACE(event, ...)                                                                  \
    do {                                                                                   \
        if (trace_wants(event))                                                            \
            trace_words(event, sizeof((u32[]){__VA_ARGS__}) / sizeof(u32), ##__VA_ARGS__); \
    } while (0)
/* A 64-bit value as two words of a record. */
#define TRACE_LONG(value) (u32)(value), (u32)((u64)(value) >> 32)
/* How run-state and wake events name a vCPU, and how others do. */
#define TRACE_VCPU(v) (((u32)(v)->domain->id << 16) | (v)->id)
#define TRACE_IDS(v)  (v)->domain->id, (v)->id

/* XEN_SYSCTL_tbuf_op. Callers hold LOCK_CONTROL. */
/* Once, pages of each CPU: -EBUSY when there are such buffers, -EINVAL when there are others,
 * -ENOMEM. */
int trace_set_size(u32 pages);
int trace_enable(bool on); /* -EINVAL: there are no buffers */
void trace_set_cpus(const cpumask_t *cpus);
void trace_set_events(u32 events);
struct trace_info {
    u32 events;
    mfn_t info;     /* first frame of struct t_info, 0: no buffers */
    u32 info_bytes; /* its size */
};
struct trace_info trace_get_info(void);

void trace_init(void); /* tbuf_size=, tevt_mask=: after core_init's idle domain */
void trace_work(void); /* WORK_TRACE: tells the control domain that a buffer is half full */
