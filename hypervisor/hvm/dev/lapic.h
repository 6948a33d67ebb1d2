/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vCPU's local APIC, xAPIC and x2APIC (Intel SDM vol. 3, chapter 11; AMD APM
 * vol. 2, chapter 16). Registers are kept in the interface's own record, so
 * saving is copying. Bits of IRR are set by any CPU, the rest by its own vCPU.
 */
#pragma once

#include "core/timer.h"
#include "lib/xen.h"

#include <xen/hvm/save.h>

struct hvm_vcpu;
struct domain;

#define LAPIC_BASE             0xfee00000UL
#define LAPIC_LOGICAL          0x800U /* in a command */
#define LAPIC_REGISTER(offset) ((offset) / 16)

/* lapic.signals */
#define LAPIC_SIPI  0x100U /* with the page number below */
#define LAPIC_INIT  0x200U
#define LAPIC_START 0x400U /* as hvm_vcpu.start says */

struct lapic {
    u64 base;                 /* the MSR */
    u32 registers[1024 / 16]; /* by offset / 16 */
    u32 timer_divisor;
    u64 tsc_deadline;
    ns_t timer_start, timer_period;
    struct timer timer;
    u32 signals; /* LAPIC_INIT, LAPIC_SIPI | page: for the vCPU itself to act on; atomic */
    bool waits;  /* for a start-up IPI */
};

void lapic_init(struct hvm_vcpu *v);
void lapic_reset(struct hvm_vcpu *v); /* INIT */
/* After registers were set from a record: the timer runs on. */
void lapic_resume(struct hvm_vcpu *v);
void lapic_free(struct hvm_vcpu *v);
/* MMIO at an offset in the page: aligned words of 32 bits; others do nothing. */
u32 lapic_read(struct hvm_vcpu *v, u32 offset);
void lapic_write(struct hvm_vcpu *v, u32 offset, u32 value);
/* MSRs 0x1b, 0x6e0, 0x800..0x83f; false: #GP. */
bool lapic_read_msr(struct hvm_vcpu *v, u32 msr, u64 *value);
bool lapic_write_msr(struct hvm_vcpu *v, u32 msr, u64 value);
/* An interrupt arrives, from any CPU; it waits if the APIC is not enabled yet. */
void lapic_set(struct hvm_vcpu *v, u32 vector, bool level);
/* A message from a device to whom it addresses, in the form of a command to send (mode, logical,
 * level, vector); any CPU. False: nobody took it. */
bool lapic_message(struct domain *d, u32 command, u32 destination);
/* The vector to deliver now, -1: none; lapic_take moves it into service. */
s32 lapic_highest(const struct hvm_vcpu *v);
void lapic_take(struct hvm_vcpu *v, u32 vector);
bool lapic_takes_external(const struct hvm_vcpu *v); /* interrupts of the PIC, by LINT0 */
u32 lapic_priority(const struct hvm_vcpu *v);
void lapic_follow(struct hvm_vcpu *v); /* the vCPU changed CPUs: so does its timer */
