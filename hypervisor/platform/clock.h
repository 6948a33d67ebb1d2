/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Time. System time is nanoseconds since boot, the same on all CPUs, from the
 * TSC calibrated at boot; wall-clock time is system time plus an offset from
 * the RTC that dom0 may set.
 */
#pragma once

#include "lib/types.h"

typedef s64 ns_t;
#define NS_SECOND 1000000000LL
#define NS_MS     1000000LL
#define NS_US     1000LL
#define NS_NEVER  INT64_MAX

/* ns = base_ns + (((tsc - base_tsc) << or >> shift) * mul >> 32): as vcpu_time_info. */
struct clock_scale {
    u64 base_tsc;
    u64 base_ns;
    u32 mul;
    s8 shift;
};

void clock_init(void); /* boot CPU, after apic_init: finds a reference, calibrates the TSC */
void clock_init_secondary(void);
void clock_check_sync(void); /* boot CPU, once all are online: warns if their TSCs differ */
u64 clock_tsc_warp(void);    /* by how many ticks they did */
ns_t clock_now(void);        /* 0 before clock_init */
/* This CPU's scale, for vcpu_time_info. */
const struct clock_scale *clock_scale(void);
u32 clock_tsc_khz(void);
u64 clock_ns_to_tsc(ns_t ns); /* absolute system time -> TSC value */
ns_t clock_tsc_to_ns(u64 tsc);
/* Wall clock: UTC of system time zero. */
void clock_wall_get(u64 *seconds, u32 *nanoseconds);
/* UTC is seconds and nanoseconds (below 10^9) at system time `at`. */
void clock_wall_set(u64 seconds, u32 nanoseconds, ns_t at);

/* Arms this CPU's timer interrupt for absolute system time (past: fires at once; NS_NEVER: off).
 * The interrupt raises WORK_TIMER; it may come early, then arm it again. */
void clock_arm(ns_t when);
