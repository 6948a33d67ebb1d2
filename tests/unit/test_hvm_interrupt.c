// sources: hvm/interrupt.c hvm/dev/lapic.c core/timer.c lib/tree.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a vCPU is told at its entries: how exceptions add up, what goes before
 * what, that nothing is lost or told twice however entries, masks and arrivals
 * follow each other, and how a vCPU is started.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/work.h"
#include "hvm/hvm.h"

struct cpu_local host_cpu_local;
cpumask_t cpus_online = {{1}};
u32 cpus_online_count = 1;
static struct hvm_domain domain;
static struct hvm_vcpu v;
static struct vcpu *slots[] = {&v.v};
static struct vcpu_info info;

/* ---- the processor, and what lies around ---- */

static struct hvm_event injected[4]; /* at this entry */
static u32 injections, triple_faults, crashes;
static bool interruptible, nmi_possible, window, refuse_state, reschedules;
static u64 cr2;
static struct hvm_hw_cpu started;

static void inject(struct hvm_vcpu *to, const struct hvm_event *e)
{
    assert_ptr_equal(to, &v);
    assert_true(e->valid && injections < 4);
    injected[injections++] = *e;
}
/* As the machine: not behind another delivery, and if not now it asks for an exit. */
static bool may_interrupt(struct hvm_vcpu *to)
{
    bool can = interruptible && !injections;

    (void)to;
    window = !can;
    return can;
}
static bool may_nmi(struct hvm_vcpu *to)
{
    (void)to;
    return nmi_possible;
}
static u32 tsc_set;
static void set_tsc(struct hvm_vcpu *of)
{
    (void)of;
    tsc_set++;
}
static void set_cr2(struct hvm_vcpu *to, u64 address)
{
    (void)to;
    cr2 = address;
}
static const struct hvm_machine machine = {
    .name = "test",
    .inject = inject,
    .interruptible = may_interrupt,
    .nmi_possible = may_nmi,
    .set_cr2 = set_cr2,
    .set_tsc = set_tsc,
};
const struct hvm_machine *hvm_machine = &machine;

void hvm_exit_triple_fault(struct hvm_vcpu *of)
{
    of->event.valid = false;
    triple_faults++;
}
void hvm_crash(struct hvm_vcpu *of, const char *why)
{
    (void)of, (void)why;
    crashes++;
}
void hvm_reset_state(struct hvm_hw_cpu *state, u32 page)
{
    memset(state, 0, sizeof(*state));
    state->cs_base = page << 12;
}
int hvm_start_state(const struct vcpu_hvm_context *c, struct hvm_hw_cpu *state)
{
    state->cs_base = 0x64;
    return c->mode > VCPU_HVM_MODE_64B ? -EINVAL : 0;
}
int hvm_start_at(struct hvm_vcpu *to, const struct hvm_hw_cpu *state)
{
    (void)to;
    started = *state;
    return refuse_state ? -EINVAL : 0;
}
ns_t clock_now(void)
{
    return 1000;
}
void clock_arm(ns_t when)
{
    (void)when;
}
const struct clock_scale *clock_scale(void)
{
    static const struct clock_scale two_ghz = {.mul = 1U << 31};

    return &two_ghz;
}
void cpu_raise_work(u32 cpu, u32 bit)
{
    (void)cpu;
    reschedules |= bit == WORK_SCHEDULE;
}
void cpu_wait(void)
{
    abort();
}
void spin_lock(spinlock_t *lock)
{
    assert_int_equal(lock->owner, 0);
    lock->owner = 1;
}
void spin_unlock(spinlock_t *lock)
{
    lock->owner = 0;
}
void vcpu_kick(struct vcpu *vcpu)
{
    (void)vcpu;
}
void ioapic_eoi(struct domain *d, u32 vector)
{
    (void)d, (void)vector;
}
/* A PIC with at most one interrupt to give, which may be gone when it is asked for it. */
static s32 pic_vector = -1;
static bool pic_gone;

bool hvm_io_waits(struct hvm_vcpu *of)
{
    (void)of;
    return false;
}
bool pic_pending(const struct hvm_vcpu *of)
{
    assert_ptr_equal(of, &v);
    return pic_vector >= 0;
}
s32 pic_acknowledge(struct hvm_vcpu *of)
{
    s32 vector = pic_gone ? -1 : pic_vector;

    assert_ptr_equal(of, &v);
    pic_vector = -1;
    return vector;
}
void hvm_callback_update(struct hvm_vcpu *of)
{
    assert_ptr_equal(of, &v);
}
int vcpu_up(struct vcpu *vcpu)
{
    vcpu->pause_flags &= ~(u32)PAUSE_DOWN;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    timer_init_cpu(0);
    memset(&domain, 0, sizeof(domain));
    memset(&v, 0, sizeof(v));
    memset(&info, 0, sizeof(info));
    domain.d.vcpus = slots;
    domain.d.max_vcpus = 1;
    v.v.domain = &domain.d;
    v.v.info = &info;
    lapic_init(&v);
    lapic_write(&v, 0xf0, 0x1ff);
    injections = triple_faults = crashes = 0;
    interruptible = nmi_possible = true;
    window = refuse_state = reschedules = false;
    return 0;
}

/* What comes at the next entry; 0x100 + vector for exceptions, 0x200 an NMI, -1 nothing. */
static s32 enter(void)
{
    const struct hvm_event *e = &injected[0];

    injections = 0;
    window = false;
    hvm_before_entry(&v);
    assert_true(injections <= 1);
    return !injections                ? -1
           : e->type == HVM_EXCEPTION ? 0x100 + e->vector
           : e->type == HVM_NMI       ? 0x200
                                      : e->vector;
}

/* ---- exceptions ---- */

/* Intel SDM vol. 3, table 6-5; AMD APM vol. 2, table 8-3. */
static void exceptions_add_up(void **state)
{
    static const u8 contributory[] = {0, 10, 11, 12, 13};

    (void)state;
    for (u32 first = 0; first < 32; first++)
        for (u32 second = 0; second < 32; second++) {
            bool a = memchr(contributory, (int)first, 5), b = memchr(contributory, (int)second, 5);
            bool is_double = first != 8 && ((a && b) || (first == 14 && (b || second == 14)));

            setup(NULL);
            hvm_raise(&v, first, first == 8 ? 0 : -1);
            hvm_raise(&v, second, 5);
            if (first == 8) {
                assert_int_equal(triple_faults, 1);
                assert_int_equal(enter(), -1);
                continue;
            }
            assert_int_equal(enter(), 0x100 + (is_double ? 8 : second));
            assert_true(injected[0].has_error);
            assert_int_equal(injected[0].error, is_double ? 0 : 5);
            assert_int_equal(enter(), -1);
        }
}

static void an_error_code_or_none(void **state)
{
    (void)state;
    hvm_raise(&v, 6, -1);
    assert_int_equal(enter(), 0x106);
    assert_false(injected[0].has_error);
    hvm_raise_page_fault(&v, 0x1234567890, 7);
    assert_int_equal(enter(), 0x10e);
    assert_true(injected[0].has_error);
    assert_int_equal(injected[0].error, 7);
    assert_int_equal(cr2, 0x1234567890);
    /* An exception in the delivery of an interrupt replaces it. */
    v.event = (struct hvm_event){0x80, HVM_INTERRUPT, true, false, 0};
    hvm_raise(&v, 13, 0);
    assert_int_equal(enter(), 0x10d);
}

/* ---- order ---- */

static void one_after_the_other(void **state)
{
    (void)state;
    domain.callback_vector = 0xf3;
    lapic_set(&v, 0x41, false);
    lapic_set(&v, 0x91, false);
    info.evtchn_upcall_pending = 1;
    v.v.nmi_pending = true;
    hvm_raise(&v, 13, 0);
    assert_int_equal(enter(), 0x10d);
    assert_true(window);
    assert_int_equal(enter(), 0x200);
    assert_true(window);
    assert_true(v.nmi_masked);
    v.v.nmi_pending = true; /* held back until the handler's IRET */
    assert_int_equal(enter(), 0xf3);
    assert_int_equal(enter(), 0xf3); /* asserted until its handler clears it */
    info.evtchn_upcall_pending = 0;
    assert_int_equal(enter(), 0x91);
    assert_int_equal(enter(), -1); /* 0x41 waits for the end of 0x91 */
    assert_false(window);
    v.nmi_masked = false;
    nmi_possible = false;
    assert_int_equal(enter(), -1);
    nmi_possible = true;
    assert_int_equal(enter(), 0x200);
    lapic_write(&v, 0xb0, 0);
    interruptible = false;
    assert_int_equal(enter(), -1);
    assert_true(window);
    interruptible = true;
    assert_int_equal(enter(), 0x41);
    assert_false(window);
}

static void its_own_upcall_vector(void **state)
{
    (void)state;
    domain.callback_vector = 0xf3;
    v.upcall_vector = 0x51;
    info.evtchn_upcall_pending = 1;
    hvm_upcall(&v.v);
    assert_int_equal(enter(), 0x51);
    assert_int_equal(enter(), -1); /* once, and by the APIC's rules */
    hvm_upcall(&v.v);
    assert_int_equal(enter(), -1);
    lapic_write(&v, 0xb0, 0);
    assert_int_equal(enter(), 0x51);
    /* Without one it is the flag alone. */
    v.upcall_vector = 0;
    lapic_write(&v, 0xb0, 0);
    hvm_upcall(&v.v);
    assert_int_equal(enter(), 0xf3);
}

/* The PIC's comes behind the upcall and before the APIC's. */
static void and_the_pic(void **state)
{
    (void)state;
    domain.callback_vector = 0xf3;
    info.evtchn_upcall_pending = 1;
    lapic_set(&v, 0x91, false);
    pic_vector = 8;
    assert_true(hvm_wakes(&v.v));
    assert_int_equal(enter(), 0xf3);
    info.evtchn_upcall_pending = 0;
    assert_int_equal(enter(), 8);
    assert_int_equal(enter(), 0x91);
    pic_vector = 9;
    interruptible = false;
    assert_int_equal(enter(), -1);
    assert_true(window);
    interruptible = pic_gone = true;
    assert_int_equal(enter(), -1);
    pic_gone = false;
    assert_false(hvm_wakes(&v.v));
}

static void what_ends_a_halt(void **state)
{
    (void)state;
    domain.callback_vector = 0xf3;
    assert_false(hvm_wakes(&v.v));
    info.evtchn_upcall_pending = 1;
    assert_true(hvm_wakes(&v.v));
    info.evtchn_upcall_pending = 0;
    lapic_set(&v, 0x30, false);
    assert_true(hvm_wakes(&v.v));
    lapic_write(&v, 0x80, 0x30); /* TPR */
    assert_false(hvm_wakes(&v.v));
    v.v.nmi_pending = true;
    assert_true(hvm_wakes(&v.v));
    v.nmi_masked = true;
    assert_false(hvm_wakes(&v.v));
    v.lapic.signals = LAPIC_INIT;
    assert_true(hvm_wakes(&v.v));
    v.lapic.signals = 0;
    hvm_raise(&v, 3, -1);
    assert_true(hvm_wakes(&v.v));
}

/* ---- starting ---- */

static void start_up(void **state)
{
    (void)state;
    v.nmi_masked = true;
    hvm_raise(&v, 13, 0);
    v.lapic.signals = LAPIC_INIT;
    assert_int_equal(enter(), -1); /* nothing of before is left */
    assert_true(v.lapic.waits && !v.nmi_masked && reschedules);
    assert_true(v.v.pause_flags & PAUSE_DOWN);
    vcpu_up(&v.v);
    v.lapic.signals = LAPIC_SIPI | 0x9a;
    assert_int_equal(enter(), -1);
    assert_int_equal(started.cs_base, 0x9a000);
    assert_int_equal(tsc_set, 1);
    assert_false(v.lapic.waits);
    /* As another vCPU has said; a start-up IPI that came behind it counts. */
    v.lapic.waits = true;
    v.lapic.signals = LAPIC_START;
    assert_int_equal(enter(), -1);
    assert_int_equal(started.cs_base, 0x64);
    assert_int_equal(tsc_set, 2);
    assert_false(v.lapic.waits);
    v.lapic.signals = LAPIC_START | LAPIC_SIPI | 0x9a;
    assert_int_equal(enter(), -1);
    assert_int_equal(started.cs_base, 0x9a000);
    /* Both at once: it goes on at the new place and is not down. */
    v.lapic.signals = LAPIC_INIT | LAPIC_SIPI | 0x12;
    assert_int_equal(enter(), -1);
    assert_int_equal(started.cs_base, 0x12000);
    assert_false(v.v.pause_flags & PAUSE_DOWN);
    /* An upcall that was pending at INIT comes, though its flag does not come on again. */
    v.upcall_vector = 0x51;
    info.evtchn_upcall_pending = 1;
    v.lapic.signals = LAPIC_INIT | LAPIC_SIPI;
    assert_int_equal(enter(), -1);
    lapic_write(&v, 0xf0, 0x1ff);
    assert_int_equal(enter(), 0x51);
    refuse_state = true;
    v.lapic.signals = LAPIC_SIPI;
    enter();
    assert_int_equal(crashes, 1);
}

/* ---- at random ---- */

/* Every exception raised is told or has become part of the next one, every NMI that came
 * unmasked is told once, interrupts in the order of their class, each once for each time
 * that it was not yet waiting. */
static void random_play(void **state)
{
    bool waiting[256] = {false};
    s32 exception = -1;

    (void)state;
    for (u32 round = 0; round < 200000; round++) {
        u32 vector = 0x20 + (u32)rand() % 0xe0, highest = 0;
        s32 told;

        switch (rand() % 8) {
        case 0:
        case 1:
            lapic_set(&v, vector, false);
            waiting[vector] = true;
            break;
        case 2:
            v.v.nmi_pending = true;
            break;
        case 3:
            if (exception < 0) {
                hvm_raise(&v, 6, -1);
                exception = 6;
            }
            break;
        case 4:
            v.nmi_masked = false;
            break;
        case 5:
            lapic_write(&v, 0xb0, 0);
            break;
        default:
            interruptible = rand() % 2;
            nmi_possible = rand() % 4;
        }
        for (u32 i = 0; i < 256; i++)
            if (waiting[i])
                highest = i;
        told = enter();
        if (told >= 0x200) {
            assert_true(exception < 0 && nmi_possible && v.nmi_masked);
        } else if (told >= 0x100) {
            assert_int_equal(told, 0x100 + exception);
            exception = -1;
        } else if (told >= 0) {
            assert_true(exception < 0 && interruptible && waiting[told]);
            assert_int_equal(told, highest);
            assert_true(!v.v.nmi_pending || v.nmi_masked || !nmi_possible);
            waiting[told] = false;
        } else {
            assert_int_equal(exception, -1);
            /* What could not be told either waits its turn or has asked for an exit. */
            assert_true(lapic_highest(&v) < 0 || window);
        }
        assert_false(v.event.valid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(exceptions_add_up, setup),
        cmocka_unit_test_setup(an_error_code_or_none, setup),
        cmocka_unit_test_setup(one_after_the_other, setup),
        cmocka_unit_test_setup(its_own_upcall_vector, setup),
        cmocka_unit_test_setup(and_the_pic, setup),
        cmocka_unit_test_setup(what_ends_a_halt, setup),
        cmocka_unit_test_setup(start_up, setup),
        cmocka_unit_test_setup(random_play, setup),
    };

    srand(1);
    return cmocka_run_group_tests_name("hvm_interrupt", tests, NULL, NULL);
}
