/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a vCPU is to be told at its next entry, and in which order: an
 * exception or an interrupted delivery, then an NMI, then an interrupt. Of
 * interrupts the event upcall comes first: it is asserted as long as
 * evtchn_upcall_pending is set, and its handler clears that. Then comes the
 * PIC, then the local APIC.
 *
 * Everything is decided on the way in, by the vCPU's own CPU with interrupts
 * off; who raises something elsewhere sets a bit and kicks. No locks.
 */
#include "core/event.h"
#include "cpu/work.h"
#include "hvm/dev/irq.h"
#include "hvm/hvm.h"

/* #DE, #TS, #NP, #SS, #GP; #PF apart (Intel SDM vol. 3, table 6-5). */
static bool contributory(u32 vector)
{
    return vector == 0 || (vector >= 10 && vector <= 13);
}

void hvm_raise(struct hvm_vcpu *v, u32 vector, s64 error)
{
    const struct hvm_event *first = &v->event;

    if (first->valid && first->type == HVM_EXCEPTION) {
        if (first->vector == VECTOR_DF) {
            hvm_exit_triple_fault(v);
            return;
        }
        if ((contributory(first->vector) && contributory(vector)) ||
            (first->vector == VECTOR_PF && (contributory(vector) || vector == VECTOR_PF))) {
            vector = VECTOR_DF;
            error = 0;
        }
    }
    v->event = (struct hvm_event){(u8)vector, HVM_EXCEPTION, true, error >= 0,
                                  error >= 0 ? (u32)error : 0};
}

void hvm_raise_page_fault(struct hvm_vcpu *v, u64 address, u32 error)
{
    hvm_machine->set_cr2(v, address);
    hvm_raise(v, VECTOR_PF, error);
}

/* The vector of an upcall that is due, 0: none. */
static u32 upcall_due(const struct hvm_vcpu *v)
{
    if (v->upcall_vector || !READ_ONCE(v->v.info->evtchn_upcall_pending))
        return 0;
    return to_hvm_domain(v->v.domain)->callback_vector;
}

bool hvm_wakes(struct vcpu *vcpu)
{
    struct hvm_vcpu *v = to_hvm(vcpu);

    return v->event.valid || upcall_due(v) || pic_pending(v) || lapic_highest(v) >= 0 ||
           (READ_ONCE(vcpu->nmi_pending) && !v->nmi_masked) || READ_ONCE(v->lapic.signals);
}

/* A vCPU with a vector of its own gets upcalls through its APIC, once for each time that
 * the pending flag comes on. */
void hvm_upcall(struct vcpu *vcpu)
{
    struct hvm_vcpu *v = to_hvm(vcpu);

    hvm_callback_update(v);
    if (v->upcall_vector)
        lapic_set(v, v->upcall_vector, false);
}

/* INIT and start-up IPIs (lapic.c), and a first state from another vCPU (start.c), by itself. */
static void start_up(struct hvm_vcpu *v)
{
    u32 signals = atomic_xchg(&v->lapic.signals, 0);
    struct hvm_hw_cpu state;

    if (signals & LAPIC_INIT) {
        lapic_reset(v);
        /* What is pending has no other way to be told: its flag will not come on again. */
        if (READ_ONCE(v->v.info->evtchn_upcall_pending))
            hvm_upcall(&v->v);
        v->event.valid = false;
        v->nmi_masked = false;
        v->lapic.waits = true;
    }
    if (signals & (LAPIC_SIPI | LAPIC_START)) {
        if (signals & LAPIC_SIPI)
            hvm_reset_state(&state, signals & 0xff);
        if ((!(signals & LAPIC_SIPI) && hvm_start_state(&v->start, &state)) ||
            hvm_start_at(v, &state))
            hvm_crash(v, "start-up state refused");
        hvm_set_tsc_offset(v, to_hvm(v->v.domain->vcpus[0])->tsc_offset);
        v->lapic.waits = false;
    } else if (signals & LAPIC_INIT) {
        atomic_or(&v->v.pause_flags, PAUSE_DOWN);
        /* The start-up IPI may have come in between and found us up. */
        if (READ_ONCE(v->lapic.signals) & LAPIC_SIPI)
            atomic_and(&v->v.pause_flags, ~(u32)PAUSE_DOWN);
        else
            cpu_raise_work(this_cpu_id(), WORK_SCHEDULE);
    }
}

static void deliver_interrupt(struct hvm_vcpu *v)
{
    u32 upcall = upcall_due(v);
    bool external = !upcall && pic_pending(v);
    s32 vector = upcall ? (s32)upcall : lapic_highest(v);

    if ((vector < 0 && !external) || !hvm_machine->interruptible(v))
        return;
    if (external)
        vector = pic_acknowledge(v);
    else if (!upcall)
        lapic_take(v, (u32)vector);
    if (vector < 0)
        return;
    hvm_machine->inject(v, &(struct hvm_event){(u8)vector, HVM_INTERRUPT, true, false, 0});
}

void hvm_before_entry(struct hvm_vcpu *v)
{
    if (unlikely(hvm_io_waits(v)))
        return;
    if (unlikely(READ_ONCE(v->lapic.signals)))
        start_up(v);
    hvm_callback_update(v);
    if (v->event.valid) {
        hvm_machine->inject(v, &v->event);
        v->event.valid = false;
    } else if (unlikely(READ_ONCE(v->v.nmi_pending)) && !v->nmi_masked &&
               hvm_machine->nmi_possible(v)) {
        v->v.nmi_pending = false;
        v->nmi_masked = true;
        hvm_machine->inject(v, &(struct hvm_event){VECTOR_NMI, HVM_NMI, true, false, 0});
    }
    /* Behind another delivery this asks for an exit as soon as it can follow. */
    deliver_interrupt(v);
}
