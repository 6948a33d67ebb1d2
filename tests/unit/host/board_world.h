/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A translated domain of two vCPUs with a board of devices, under a clock of
 * the test's. Accesses go to the devices as a guest's do. Include in one file;
 * link all of hvm/dev/, hvm/io.c and what test_hvm_irq.c names besides.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "core/ioreq.h"
#include "cpu/work.h"
#include "hvm/dev/devices.h"
#include "hvm/dev/irq.h"
#include "hvm/hvm.h"
#include "lib/log.h"
#include "platform/internal.h"

#define WORLD_VCPUS 2U

struct cpu_local host_cpu_local;
struct acpi_facts acpi; /* for rtc.c, whose calendar is used only */
cpumask_t cpus_online = {{1}};
u32 cpus_online_count = 1;
static ns_t world_now, world_armed;
static bool world_due;
static u32 world_kicks, world_wall_updates;
static u64 world_wall = 1700000000; /* UTC at system time zero */
static struct hvm_domain world_domain;
static struct hvm_vcpu world_vcpus[WORLD_VCPUS];
static struct vcpu *world_slots[WORLD_VCPUS];
static struct vcpu_info world_info[WORLD_VCPUS];
static struct vcpu world_nobody;
static u64 world_value; /* of the last read */

ns_t clock_now(void)
{
    return world_now;
}
void clock_arm(ns_t when)
{
    world_armed = when;
}
void clock_wall_get(u64 *seconds, u32 *ns)
{
    *seconds = world_wall;
    *ns = 0;
}
const struct clock_scale *clock_scale(void)
{
    static const struct clock_scale two_ghz = {.mul = 1U << 31};

    return &two_ghz;
}
void cpu_raise_work(u32 cpu, u32 bit)
{
    ASSERT(!cpu && bit == WORK_TIMER);
    world_due = true;
}
void cpu_wait(void)
{
    abort();
}
/* As on the real machine: none twice, and levels only rise. */
static u32 world_level;
void spin_lock(spinlock_t *lock)
{
    ASSERT(!lock->owner && lock->level > world_level);
    lock->owner = (u16)(1 + world_level);
    world_level = lock->level;
}
void spin_unlock(spinlock_t *lock)
{
    ASSERT(lock->owner);
    world_level = lock->owner - 1U;
    lock->owner = 0;
}
void vcpu_kick(struct vcpu *v)
{
    world_kicks += v->domain == &world_domain.d;
}
int vcpu_up(struct vcpu *v)
{
    (void)v;
    return 0;
}
void domain_update_wallclock(struct domain *d)
{
    ASSERT(d == &world_domain.d && world_level < LOCK_DOMAIN);
    world_wall_updates++;
}
void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why, (void)file, (void)line;
    ASSERT(error < 0);
}
void printk_guest(enum log_level level, const char *format, ...)
{
    (void)level, (void)format;
}
void *heap_zalloc(size_t size)
{
    return calloc(1, size);
}
void heap_free(void *p)
{
    free(p);
}

static void world_init(void)
{
    memset(&world_domain, 0, sizeof(world_domain));
    memset(world_vcpus, 0, sizeof(world_vcpus));
    memset(world_info, 0, sizeof(world_info));
    world_now = 1000 * NS_SECOND;
    world_armed = NS_NEVER;
    world_due = false;
    world_level = world_kicks = world_wall_updates = 0;
    timer_init_cpu(0);
    current = &world_nobody;
    world_domain.d.vcpus = world_slots;
    world_domain.d.max_vcpus = WORLD_VCPUS;
    world_domain.d.is_hvm = true;
    world_domain.params[HVM_PARAM_HPET_ENABLED] = 1;
    for (u32 i = 0; i < WORLD_VCPUS; i++) {
        struct hvm_vcpu *v = &world_vcpus[i];

        v->v.domain = &world_domain.d;
        v->v.id = i;
        v->v.info = &world_info[i];
        world_slots[i] = &v->v;
        lapic_init(v);
        lapic_write(v, 0xf0, 0x1ff);
    }
    ASSERT(!hvm_devices_init(&world_domain));
}

static void world_end(void)
{
    hvm_devices_free(&world_domain);
    for (u32 i = 0; i < WORLD_VCPUS; i++)
        lapic_free(&world_vcpus[i]);
    ASSERT(!world_level);
}

/* Time goes on, timers' functions are called at their times. How often. */
static __unused u32 world_run(ns_t length)
{
    ns_t end = world_now + length;
    u32 calls = 0;

    while (world_due || world_armed <= end) {
        if (!world_due)
            world_now = MAX(world_armed, world_now);
        world_due = false;
        world_armed = NS_NEVER;
        timer_work();
        calls++;
    }
    world_now = end;
    return calls;
}

/* There is no device model; what it would have been asked. */
static struct ioreq world_asked;
enum ioreq_sent ioreq_send(const struct ioreq *question)
{
    world_asked = *question;
    return IOREQ_NOBODY;
}
bool ioreq_waits(u64 *value)
{
    (void)value;
    return false;
}
bool ioreq_tell_memory_gone(void)
{
    return false;
}
void hvm_io_again(struct hvm_vcpu *v)
{
    (void)v;
}

static void world_access(u64 address, u32 bytes, bool port, bool write, u64 value)
{
    struct hvm_io_access a = {address, (u8)bytes, port, write, false, 1};

    world_value = value;
    ASSERT(!hvm_io(&world_vcpus[0], &a, &world_value));
    hvm_io_complete(&world_vcpus[0]);
}
static __unused u32 in(u16 port, u32 bytes)
{
    world_access(port, bytes, true, false, 0);
    return (u32)world_value;
}
static __unused u8 inb(u16 port)
{
    return (u8)in(port, 1);
}
static __unused void outb(u16 port, u32 value)
{
    world_access(port, 1, true, true, value);
}
static __unused u64 load(u64 address, u32 bytes)
{
    world_access(address, bytes, false, false, 0);
    return world_value;
}
static __unused void store(u64 address, u64 value, u32 bytes)
{
    world_access(address, bytes, false, true, value);
}

static __unused u32 pin_read(u32 reg)
{
    store(IOAPIC_BASE, reg, 4);
    return (u32)load(IOAPIC_BASE + 0x10, 4);
}
static __unused void pin_write(u32 reg, u32 value)
{
    store(IOAPIC_BASE, reg, 4);
    store(IOAPIC_BASE + 0x10, value, 4);
}
/* A pin of the IO-APIC: low word of its entry, to vCPU n. */
static __unused void pin(u32 gsi, u32 low, u32 n)
{
    pin_write(0x11 + gsi * 2, n * 2 << 24);
    pin_write(0x10 + gsi * 2, low);
}

/* What vCPU n is interrupted by now, -1: nothing. It goes into service. */
static __unused s32 taken(u32 n)
{
    struct hvm_vcpu *v = &world_vcpus[n];
    s32 vector;

    hvm_callback_update(v);
    if (pic_pending(v))
        return pic_acknowledge(v);
    vector = lapic_highest(v);
    if (vector >= 0)
        lapic_take(v, (u32)vector);
    return vector;
}
static __unused void eoi(u32 n)
{
    lapic_write(&world_vcpus[n], 0xb0, 0);
}
/* The same, and its end. */
static __unused s32 served(u32 n)
{
    s32 vector = taken(n);

    if (vector >= 0)
        eoi(n);
    return vector;
}
