/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain's whole state beside its memory, as tools save, restore and set it:
 * a list of records (xen/hvm/save.h), and the states that INIT and a start-up
 * IPI give. The table below has every kind of record there is.
 *
 * The domain stands still. Records are taken only if their length is right and
 * the vCPU exists; a state the processor could not run is refused or, at the
 * latest, ends the guest at its first entry. Callers: domctl, interrupt.c.
 */
#include "hvm/context.h"

#include "core/cpu_policy.h"
#include "hvm/dev/devices.h"

#define ATTRIBUTES_CODE 0x9bU /* present, read, execute, accessed */
#define ATTRIBUTES_DATA 0x93U
#define ATTRIBUTES_LDT  0x82U
#define ATTRIBUTES_TSS  0x8bU

void hvm_reset_state(struct hvm_hw_cpu *s, u32 page)
{
    memset(s, 0, sizeof(*s));
    s->rflags = 2;
    s->cr0 = 0x10;
    s->dr6 = 0xffff0ff0;
    s->dr7 = 0x400;
    s->cs_sel = page << 8;
    s->cs_base = page << 12;
    s->cs_limit = s->ds_limit = s->es_limit = s->fs_limit = s->gs_limit = s->ss_limit = 0xffff;
    s->tr_limit = s->ldtr_limit = s->gdtr_limit = s->idtr_limit = 0xffff;
    s->cs_arbytes = ATTRIBUTES_CODE;
    s->ds_arbytes = s->es_arbytes = s->fs_arbytes = s->gs_arbytes = s->ss_arbytes = ATTRIBUTES_DATA;
    s->tr_arbytes = ATTRIBUTES_TSS;
    s->ldtr_arbytes = ATTRIBUTES_LDT;
}

#define GENERAL(each)                                                                        \
    each(rax) each(rbx) each(rcx) each(rdx) each(rbp) each(rsi) each(rdi) each(rsp) each(r8) \
        each(r9) each(r10) each(r11) each(r12) each(r13) each(r14) each(r15) each(rip)       \
            each(rflags)

static struct cpu_user_regs *registers(struct hvm_vcpu *v)
{
    return &v->v == current ? guest_regs() : &v->v.regs;
}

int hvm_start_at(struct hvm_vcpu *v, const struct hvm_hw_cpu *s)
{
    struct cpu_user_regs *r = registers(v);
    int error = hvm_machine->set_state(v, s);

    if (error)
        return error;
#define SET(name) r->name = s->name;
    GENERAL(SET)
#undef SET
    return 0;
}

/* ---- the records ---- */

static u32 cpu_get(struct hvm_vcpu *v, void *record)
{
    struct hvm_hw_cpu *s = record;
    const struct cpu_user_regs *r = registers(v);

    memset(s, 0, sizeof(*s));
    hvm_machine->get_state(v, s);
#define GET(name) s->name = r->name;
    GENERAL(GET)
#undef GET
    fpu_get_legacy(v->v.fpu, s->fpu_regs);
    s->flags = XEN_X86_FPU_INITIALISED;
    s->msr_tsc_aux = v->tsc_aux;
    s->tsc = hvm_tsc_at(&v->v, to_hvm_domain(v->v.domain)->moment);
    if (v->event.valid) {
        s->pending_vector = v->event.vector;
        s->pending_type = v->event.type;
        s->pending_error_valid = v->event.has_error;
        s->pending_valid = 1;
        s->error_code = v->event.error;
    }
    return sizeof(*s);
}

static int cpu_set(struct hvm_vcpu *v, const void *record, u32 length)
{
    const struct hvm_hw_cpu *s = record;
    int error = hvm_start_at(v, s);
    (void)length;

    if (error)
        return error;
    if (s->flags & XEN_X86_FPU_INITIALISED)
        fpu_set_legacy(v->v.fpu, s->fpu_regs);
    v->tsc_aux = (u32)s->msr_tsc_aux;
    hvm_set_tsc_offset(v, v->tsc_offset + s->tsc -
                              hvm_tsc_at(&v->v, to_hvm_domain(v->v.domain)->moment));
    v->event = (struct hvm_event){.vector = s->pending_vector,
                                  .type = s->pending_type,
                                  .valid = s->pending_valid,
                                  .has_error = s->pending_error_valid,
                                  .error = s->error_code};
    v->lapic.waits = false;
    v->v.initialised = true;
    atomic_and(&v->v.pause_flags, ~(u32)PAUSE_DOWN); /* it runs when its domain does */
    return 0;
}

static u32 lapic_get(struct hvm_vcpu *v, void *record)
{
    struct hvm_hw_lapic *s = record;

    *s = (struct hvm_hw_lapic){.apic_base_msr = v->lapic.base,
                               .timer_divisor = v->lapic.timer_divisor,
                               .tdt_msr = v->lapic.tsc_deadline};
    return sizeof(*s);
}

static int lapic_set_record(struct hvm_vcpu *v, const void *record, u32 length)
{
    const struct hvm_hw_lapic *s = record;
    (void)length;

    if ((s->apic_base_msr & ~0xfffUL) != LAPIC_BASE ||
        (s->apic_base_msr & 0xc00) == 0x400) /* x2APIC, but off */
        return -EINVAL;
    v->lapic.base = s->apic_base_msr & (LAPIC_BASE | 0xd00);
    v->lapic.tsc_deadline = s->tdt_msr;
    return 0;
}

static u32 lapic_registers_get(struct hvm_vcpu *v, void *record)
{
    u8 *data = record;

    memset(data, 0, sizeof(struct hvm_hw_lapic_regs));
    for (u32 i = 0; i < ARRAY_SIZE(v->lapic.registers); i++)
        memcpy(data + i * 16, &v->lapic.registers[i], sizeof(u32));
    return sizeof(struct hvm_hw_lapic_regs);
}

static int lapic_registers_set(struct hvm_vcpu *v, const void *record, u32 length)
{
    const u8 *data = record;
    (void)length;

    for (u32 i = 0; i < ARRAY_SIZE(v->lapic.registers); i++)
        memcpy(&v->lapic.registers[i], data + i * 16, sizeof(u32));
    lapic_resume(v);
    return 0;
}

static u32 mtrr_get(struct hvm_vcpu *v, void *record)
{
    memcpy(record, &v->mtrr, sizeof(v->mtrr));
    return sizeof(v->mtrr);
}

static int mtrr_set(struct hvm_vcpu *v, const void *record, u32 length)
{
    u64 pat = ((const struct hvm_hw_mtrr *)record)->msr_pat_cr;
    bool refused = false;
    (void)length;

    if (pat)
        hvm_machine->set_msr(v, 0x277, pat, &refused);
    if (refused)
        return -EINVAL;
    memcpy(&v->mtrr, record, sizeof(v->mtrr));
    return 0;
}

static u32 xsave_get(struct hvm_vcpu *v, void *record)
{
    struct hvm_hw_cpu_xsave *s = record;
    u32 size = fpu_get_image(v->v.fpu, NULL);

    if (!size)
        return 0;
    s->xfeature_mask = fpu_xcr0_supported();
    s->xcr0 = fpu_xcr0(v->v.fpu);
    s->xcr0_accum = fpu_xcr0_supported();
    fpu_get_image(v->v.fpu, &s->save_area);
    return (u32)offsetof(struct hvm_hw_cpu_xsave, save_area) + size;
}

static int xsave_set(struct hvm_vcpu *v, const void *record, u32 length)
{
    const struct hvm_hw_cpu_xsave *s = record;
    u32 head = offsetof(struct hvm_hw_cpu_xsave, save_area);

    return length <= head ? -EINVAL
                          : fpu_set_image(v->v.fpu, s->xcr0, &s->save_area, length - head);
}

static u32 tsc_adjust_get(struct hvm_vcpu *v, void *record)
{
    *(struct hvm_tsc_adjust *)record = (struct hvm_tsc_adjust){v->tsc_adjust};
    return sizeof(struct hvm_tsc_adjust);
}

static int tsc_adjust_set(struct hvm_vcpu *v, const void *record, u32 length)
{
    v->tsc_adjust = ((const struct hvm_tsc_adjust *)record)->tsc_adjust;
    (void)length;
    return 0;
}

/* In the order in which they are saved and set: the CPU's own first. */
#define RECORD(name, get, set)                               \
    {                                                        \
        HVM_SAVE_CODE(name), HVM_SAVE_LENGTH(name), get, set \
    }
static const struct {
    u16 code;
    u32 length;                                   /* 0: varies */
    u32 (*get)(struct hvm_vcpu *v, void *record); /* its length; 0: none */
    int (*set)(struct hvm_vcpu *v, const void *record, u32 length);
} records[] = {
    RECORD(CPU, cpu_get, cpu_set),
    RECORD(LAPIC, lapic_get, lapic_set_record),
    RECORD(LAPIC_REGS, lapic_registers_get, lapic_registers_set),
    RECORD(MTRR, mtrr_get, mtrr_set),
    {CPU_XSAVE_CODE, 0, xsave_get, xsave_set},
    RECORD(TSC_ADJUST, tsc_adjust_get, tsc_adjust_set),
};

/* ---- the list ---- */

#define HEADER_BYTES (sizeof(struct hvm_save_descriptor) + sizeof(struct hvm_save_header))

static u32 record_room(u32 i)
{
    return records[i].length ? records[i].length
                             : (u32)offsetof(struct hvm_hw_cpu_xsave, save_area) +
                                   fpu_xsave_size(fpu_xcr0_supported());
}

u32 hvm_context_size(const struct domain *d)
{
    u32 each = 0;

    for (u32 i = 0; i < ARRAY_SIZE(records); i++)
        each += sizeof(struct hvm_save_descriptor) + record_room(i);
    return HEADER_BYTES + d->max_vcpus * each +
           hvm_devices_get(to_hvm_domain((struct domain *)d), NULL) +
           (u32)sizeof(struct hvm_save_descriptor);
}

static u8 *put(u8 *at, u16 code, u16 instance, u32 length)
{
    struct hvm_save_descriptor descriptor = {code, instance, length};

    memcpy(at, &descriptor, sizeof(descriptor));
    return at + sizeof(descriptor) + length;
}

u32 hvm_context_get(struct domain *d, void *buffer)
{
    struct hvm_save_header header = {.magic = HVM_FILE_MAGIC,
                                     .version = HVM_FILE_VERSION,
                                     .gtsc_khz = d->tsc_khz ? d->tsc_khz : clock_tsc_khz()};
    u8 *at = buffer;
    u32 leaf[4];

    to_hvm_domain(d)->moment = __builtin_ia32_rdtsc();
    cpu_policy_host_leaf(1, 0, leaf);
    header.cpuid = leaf[0];
    memcpy(at + sizeof(struct hvm_save_descriptor), &header, sizeof(header));
    at = put(at, HVM_SAVE_CODE(HEADER), 0, sizeof(header));
    for (u32 i = 0; i < ARRAY_SIZE(records); i++)
        for_each_vcpu (d, v) {
            u32 length;

            /* One that is down comes back by INIT and SIPI. */
            if (records[i].code == HVM_SAVE_CODE(CPU) && (v->pause_flags & PAUSE_DOWN))
                continue;
            length = records[i].get(to_hvm(v), at + sizeof(struct hvm_save_descriptor));
            if (length)
                at = put(at, records[i].code, (u16)v->id, length);
        }
    at += hvm_devices_get(to_hvm_domain(d), at);
    at = put(at, HVM_SAVE_CODE(END), 0, 0);
    return (u32)(at - (u8 *)buffer);
}

static int set_record(struct domain *d, const struct hvm_save_descriptor *s, const u8 *data)
{
    struct vcpu *v = domain_vcpu(d, s->instance);
    int error = hvm_devices_set(to_hvm_domain(d), s, data);

    if (error != -ENOENT)
        return error ? reject(error, "record of a device that cannot be") : 0;
    for (u32 i = 0; i < ARRAY_SIZE(records); i++) {
        if (records[i].code != s->typecode)
            continue;
        if (!v)
            return reject(-EINVAL, "record of a vCPU that is not there");
        /* All are made of words, so each begins at one. */
        if (records[i].length ? s->length != records[i].length : s->length % sizeof(u64))
            return reject(-EINVAL, "record of another length");
        return records[i].set(to_hvm(v), data, s->length)
                   ? reject(-EINVAL, "record that cannot be taken")
                   : 0;
    }
    return reject(-EINVAL, "record of a kind that is not known");
}

int hvm_context_set(struct domain *d, const void *buffer, u32 size)
{
    const u8 *at = buffer, *end = at + size;
    struct hvm_save_descriptor s;
    bool first = true;

    to_hvm_domain(d)->moment = __builtin_ia32_rdtsc();
    for (;; first = false) {
        int error = 0;

        if ((u64)(end - at) < sizeof(s))
            return reject(-ENODATA, "state without an end");
        memcpy(&s, at, sizeof(s));
        at += sizeof(s);
        if (s.typecode == HVM_SAVE_CODE(END))
            return 0;
        if (s.length > (u64)(end - at))
            return reject(-ENODATA, "record that goes beyond the state");
        if (s.typecode == HVM_SAVE_CODE(HEADER)) {
            struct hvm_save_header header = {0};

            if (s.length == sizeof(header))
                memcpy(&header, at, sizeof(header));
            if (!first || header.magic != HVM_FILE_MAGIC)
                return reject(-EINVAL, "state with a wrong header");
        } else {
            error = first ? reject(-EINVAL, "state without a header") : set_record(d, &s, at);
        }
        if (error)
            return error;
        at += s.length;
    }
}
