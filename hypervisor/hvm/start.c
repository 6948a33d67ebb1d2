/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vCPU's first state as another one of its domain gives it (VCPUOP_initialise,
 * xen/hvm/hvm_vcpu.h): in 32-bit mode with segments of the caller's, or in 64-bit mode with flat
 * ones. It is checked and kept here; the vCPU itself takes it on when it is brought up
 * (interrupt.c), so nobody writes the state of one that a start-up IPI may have set going
 * meanwhile. LOCK_DOMAIN is held by who keeps one. Caller: vcpu_op.
 */
#include "cpu/registers.h"
#include "hvm/hvm.h"

#define GENERAL(each) \
    each(ax) each(cx) each(dx) each(bx) each(sp) each(bp) each(si) each(di) each(ip) each(flags)
#define SEGMENTS(each) each(cs) each(ds) each(ss) each(es) each(tr)

/* Access rights, present and as such a segment must be (Intel SDM vol. 3, 3.4.5): these bits of
 * them are so. Without any it is a null one, which only data segments may be. */
static bool segment_good(u32 rights, bool data, u32 mask, u32 value)
{
    if (!rights)
        return data;
    /* Data may be code that can be read. */
    return !(rights >> 12) && (rights & 0x80) && (rights & mask) == value &&
           !(data && (rights & 0xa) == 8);
}

static int start_32(const struct vcpu_hvm_x86_32 *c, struct hvm_hw_cpu *s)
{
    u32 privilege = c->cs_ar >> 5 & 3;
    u64 limit = c->cs_ar & 0x800 ? (u64)c->cs_limit << 12 | 0xfff : c->cs_limit;

    if (c->pad1 || c->pad2[0] || c->pad2[1] || c->pad2[2])
        return reject(-EINVAL, "fields that must be zero");
    if (!segment_good(c->cs_ar, false, 0x18, 0x18) || !segment_good(c->ss_ar, false, 0x1a, 0x12) ||
        !segment_good(c->tr_ar, false, 0x15, 1) || !segment_good(c->ds_ar, true, 0x10, 0x10) ||
        !segment_good(c->es_ar, true, 0x10, 0x10))
        return reject(-EINVAL, "segment of a wrong kind");
    if ((c->ss_ar >> 5 & 3) != privilege || (c->ds_ar && (c->ds_ar >> 5 & 3) < privilege) ||
        (c->es_ar && (c->es_ar >> 5 & 3) < privilege))
        return reject(-EINVAL, "segment of another privilege");
    if (c->eip > limit || ((c->efer & EFER_LMA) && !(c->efer & EFER_LME)))
        return reject(-EINVAL, "state that cannot be");
#define SET(name) s->r##name = c->e##name;
    GENERAL(SET)
#undef SET
#define SET(name)                      \
    s->name##_base = c->name##_base;   \
    s->name##_limit = c->name##_limit; \
    s->name##_arbytes = c->name##_ar | (c->name##_ar != 0); /* accessed */
    SEGMENTS(SET)
#undef SET
    s->tr_arbytes |= 2; /* busy */
    s->cr0 = c->cr0;
    s->cr3 = c->cr3;
    s->cr4 = c->cr4;
    s->msr_efer = c->efer | (c->efer & EFER_LME && c->cr0 & CR0_PG ? EFER_LMA : 0);
    return 0;
}

static int start_64(const struct vcpu_hvm_x86_64 *c, struct hvm_hw_cpu *s)
{
    if (!address_canonical(c->rip) || !(c->efer & EFER_LME) || !(c->efer & EFER_LMA) ||
        (c->cr0 | c->cr4) >> 32)
        return reject(-EINVAL, "64-bit state that cannot be");
#define SET(name) s->r##name = c->r##name;
    GENERAL(SET)
#undef SET
    s->cr0 = c->cr0;
    s->cr3 = c->cr3;
    s->cr4 = c->cr4;
    s->cs_limit = s->ds_limit = s->ss_limit = s->es_limit = ~0U;
    s->cs_arbytes = 0xa9b;
    s->ds_arbytes = s->ss_arbytes = s->es_arbytes = 0xc93;
    s->tr_limit = 0x67;
    s->msr_efer = c->efer;
    return 0;
}

int hvm_start_state(const struct vcpu_hvm_context *c, struct hvm_hw_cpu *s)
{
    hvm_reset_state(s, 0);
    if (c->pad || c->mode > VCPU_HVM_MODE_64B)
        return reject(-EINVAL, "no such mode");
    return c->mode == VCPU_HVM_MODE_32B ? start_32(&c->cpu_regs.x86_32, s)
                                        : start_64(&c->cpu_regs.x86_64, s);
}

int hvm_initialise(struct vcpu *vcpu, const struct vcpu_hvm_context *c)
{
    struct hvm_vcpu *v = to_hvm(vcpu);
    struct hvm_hw_cpu s;

    TRY(hvm_start_state(c, &s));
    v->start = *c;
    atomic_or(&v->lapic.signals, LAPIC_START);
    vcpu->initialised = true;
    return 0;
}
