/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A translated domain of three vCPUs with a board of devices on a processor
 * that is a struct hvm_hw_cpu, for tests of its state records. FPU states are
 * plain memory with the checks that the real ones have. Include in one file;
 * link what test_hvm_context.c names.
 */
#pragma once

#include <stdlib.h>

#include "core/cpu_policy.h"
#include "core/domain.h"
#include "cpu/work.h"
#include "hvm/context.h"
#include "hvm/dev/devices.h"
#include "hvm/hvm.h"
#include "lib/string.h"
#include "platform/internal.h"

#define WORLD_VCPUS   3U
#define WORLD_STATES  7UL /* x87, SSE, AVX */
#define WORLD_AREA    0x340U
#define WORLD_CONTEXT 16384U

struct cpu_local host_cpu_local;
cpumask_t cpus_online = {{1}};
u32 cpus_online_count = 1;
struct acpi_facts acpi; /* for rtc.c, whose calendar is used only */
static struct hvm_domain world_domain;
static struct hvm_vcpu world_vcpus[WORLD_VCPUS];
static struct vcpu *world_slots[WORLD_VCPUS + 1]; /* the last one is not created */
static struct hvm_hw_cpu world_state[WORLD_VCPUS];
static struct vcpu_info world_info;
static struct vcpu world_nobody;
static bool world_xsave = true, world_board = true;

struct fpu_state {
    u64 xcr0;
    u8 area[WORLD_AREA];
};
static struct fpu_state world_fpu[WORLD_VCPUS];

/* ---- what lies below ---- */

ns_t clock_now(void)
{
    return 1000;
}
void clock_arm(ns_t when)
{
    (void)when;
}
u32 clock_tsc_khz(void)
{
    return 2000000;
}
const struct clock_scale *clock_scale(void)
{
    static const struct clock_scale two_ghz = {.mul = 1U << 31};

    return &two_ghz;
}
void cpu_raise_work(u32 cpu, u32 bit)
{
    (void)cpu, (void)bit;
}
void cpu_wait(void)
{
    abort();
}
void spin_lock(spinlock_t *lock)
{
    ASSERT(!lock->owner);
    lock->owner = 1;
}
void spin_unlock(spinlock_t *lock)
{
    lock->owner = 0;
}
void vcpu_kick(struct vcpu *v)
{
    (void)v;
}
int vcpu_up(struct vcpu *v)
{
    (void)v;
    return 0;
}
void clock_wall_get(u64 *seconds, u32 *ns)
{
    *seconds = 1700000000;
    *ns = 0;
}
void domain_update_wallclock(struct domain *d)
{
    ASSERT(d == &world_domain.d);
}
void *heap_zalloc(size_t size)
{
    return calloc(1, size);
}
void heap_free(void *p)
{
    free(p);
}
struct vcpu *domain_vcpu(struct domain *d, u32 id)
{
    return id < d->max_vcpus ? d->vcpus[id] : NULL;
}
void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why, (void)file, (void)line;
    ASSERT(error < 0);
}
void cpu_policy_host_leaf(u32 leaf, u32 subleaf, u32 out[4])
{
    (void)subleaf;
    memset(out, 0, 4 * sizeof(u32));
    out[0] = leaf == 1 ? 0x663 : 0;
}

u64 fpu_xcr0(const struct fpu_state *state)
{
    return state->xcr0;
}
u64 fpu_xcr0_supported(void)
{
    return world_xsave ? WORLD_STATES : 0;
}
u32 fpu_xsave_size(u64 xcr0)
{
    return xcr0 & 4 ? WORLD_AREA : 0x240;
}
void fpu_get_legacy(const struct fpu_state *state, void *image512)
{
    memcpy(image512, state->area, 512);
}
void fpu_set_legacy(struct fpu_state *state, const void *image512)
{
    memcpy(state->area, image512, 512);
}
u32 fpu_get_image(const struct fpu_state *state, void *image)
{
    if (world_xsave && image)
        memcpy(image, state->area, sizeof(state->area));
    return world_xsave ? sizeof(state->area) : 0;
}
int fpu_set_image(struct fpu_state *state, u64 xcr0, const void *image, u32 size)
{
    if (!world_xsave || !(xcr0 & 1) || (xcr0 & ~WORLD_STATES) || size < 0x240 || size > WORLD_AREA)
        return -EINVAL;
    memset(state->area, 0, sizeof(state->area));
    memcpy(state->area, image, size);
    state->xcr0 = xcr0;
    return 0;
}

/* ---- the processor ---- */

static void world_get_state(struct hvm_vcpu *v, struct hvm_hw_cpu *s)
{
    *s = world_state[v->v.id];
}
static int world_set_state(struct hvm_vcpu *v, const struct hvm_hw_cpu *s)
{
    if (s->cr0 >> 32)
        return -EINVAL;
    world_state[v->v.id] = *s;
    return 0;
}
static u64 world_tsc_offset[WORLD_VCPUS];
static void world_set_tsc(struct hvm_vcpu *v)
{
    world_tsc_offset[v->v.id] = v->tsc_offset;
}
static bool world_set_msr(struct hvm_vcpu *v, u32 msr, u64 value, bool *refused)
{
    ASSERT(msr == 0x277);
    *refused = value & 0xf8f8f8f8f8f8f8f8UL;
    if (!*refused)
        v->mtrr.msr_pat_cr = value;
    return true;
}
static const struct hvm_machine world_machine = {
    .name = "test",
    .get_state = world_get_state,
    .set_state = world_set_state,
    .set_tsc = world_set_tsc,
    .set_msr = world_set_msr,
};
const struct hvm_machine *hvm_machine = &world_machine;

/* ---- the domain ---- */

static void world_init(void)
{
    memset(&world_domain, 0, sizeof(world_domain));
    memset(world_vcpus, 0, sizeof(world_vcpus));
    memset(world_state, 0, sizeof(world_state));
    memset(world_fpu, 0, sizeof(world_fpu));
    timer_init_cpu(0);
    current = &world_nobody;
    world_domain.d.vcpus = world_slots;
    world_domain.d.max_vcpus = WORLD_VCPUS + 1;
    world_domain.d.is_hvm = true;
    for (u32 i = 0; i < WORLD_VCPUS; i++) {
        struct hvm_vcpu *v = &world_vcpus[i];

        v->v.domain = &world_domain.d;
        v->v.info = &world_info;
        v->v.id = i;
        v->v.fpu = &world_fpu[i];
        v->v.pause_flags = PAUSE_DOWN;
        world_fpu[i].xcr0 = 1;
        world_slots[i] = &v->v;
        lapic_init(v);
    }
    world_domain.params[HVM_PARAM_HPET_ENABLED] = 1;
    ASSERT(!world_board || !hvm_devices_init(&world_domain));
}

static void world_end(void)
{
    hvm_devices_free(&world_domain);
    for (u32 i = 0; i < WORLD_VCPUS; i++)
        lapic_free(&world_vcpus[i]);
}

/* The list as it is now, but the time, which goes on. Returns its length. */
static u32 world_get(u8 *list)
{
    u32 length, most = hvm_context_size(&world_domain.d);
    struct hvm_save_descriptor s;
    u8 *buffer = calloc(1, most); /* exactly as much as is promised */

    ASSERT(buffer && most <= WORLD_CONTEXT);
    length = hvm_context_get(&world_domain.d, buffer);
    ASSERT(length <= most);
    for (u32 at = 0; at < length; at += sizeof(s) + s.length) {
        memcpy(&s, buffer + at, sizeof(s));
        if (s.typecode == HVM_SAVE_CODE(CPU))
            memset(buffer + at + sizeof(s) + offsetof(struct hvm_hw_cpu, tsc), 0, sizeof(u64));
    }
    memcpy(list, buffer, length);
    free(buffer);
    return length;
}

/* The list is in memory of its own length only. */
static int world_set(const u8 *list, u32 length)
{
    u8 *buffer = malloc(length ? length : 1);
    int error;

    ASSERT(buffer);
    memcpy(buffer, list, length);
    error = hvm_context_set(&world_domain.d, buffer, length);
    free(buffer);
    return error;
}

/* Whatever was set: what is there now can be set again and is the same then. */
static void world_check(void)
{
    static u8 first[WORLD_CONTEXT], second[WORLD_CONTEXT];
    u32 length = world_get(first);

    ASSERT(!world_set(first, length));
    ASSERT(world_get(second) == length && !memcmp(first, second, length));
}
