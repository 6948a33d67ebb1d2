/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * AMD's virtualisation with nested paging (APM vol. 2, chapter 15): turning it
 * on, vCPUs on and off a processor, entries and exits.
 *
 * What a guest does at full speed, without an exit: everything of its own
 * control registers, tables, segments, system-call MSRs and time stamps. What
 * VMRUN leaves alone (TR, FS, GS, system-call MSRs) is switched with VMSAVE and
 * VMLOAD when the vCPU comes and goes, so an exit costs no more than itself.
 *
 * Each vCPU has one address-space number at a time on one CPU; a new one is as
 * good as a flush. Nothing here is shared between vCPUs but the permission
 * maps, written at boot. No locks.
 */
#include "cpu/features.h"
#include "cpu/percpu.h"
#include "cpu/traps.h"
#include "cpu/work.h"
#include "emulate/decode.h"
#include "hvm/svm/init.h"
#include "hvm/svm/svm.h"
#include "platform/console.h"

#define IO_MAP_ORDER  2 /* 12 KiB are used */
#define MSR_MAP_ORDER 1

static unsigned long *io_map __ro_after_init, *msr_map __ro_after_init;
static u32 asids __ro_after_init;

static DEFINE_PER_CPU(u64, host_block); /* this CPU's own state, for VMLOAD */
static DEFINE_PER_CPU(u64, host_save);  /* where VMRUN keeps what it switches */
static DEFINE_PER_CPU(u64, asid_generation);
static DEFINE_PER_CPU(u32, asid_next);

/* ---- on and off a processor ---- */

static void svm_save(struct hvm_vcpu *v)
{
    struct svm_vcpu *s = to_svm(v);

    vmsave(v->machine_address);
    vmload(this_cpu(host_block));
    traps_load_idt(true);
    if (s->debug_loaded)
        svm_save_debug(s);
}

static void svm_restore(struct hvm_vcpu *v)
{
    struct svm_vcpu *s = to_svm(v);

    /* The guest's TSS says nothing of our stacks: from here on none is switched. */
    traps_load_idt(false);
    vmload(v->machine_address);
    if (s->vmcb->dr7 & 0xff)
        svm_load_debug(s);
}

/* ---- address-space numbers ---- */

static void give_asid(struct hvm_vcpu *v, struct svm_vcpu *s, u64 flush_generation)
{
    u32 *next = &this_cpu(asid_next);

    s->vmcb->tlb_control = 0;
    if (*next == 0 || *next >= asids) {
        *next = 1; /* 0 is the host's */
        this_cpu(asid_generation)++;
        s->vmcb->tlb_control = 1; /* everything of the round before */
    }
    s->vmcb->asid = (*next)++;
    s->asid_cpu = v->v.cpu;
    s->asid_generation = this_cpu(asid_generation);
    s->flush_generation = flush_generation;
}

/* ---- entry ---- */

static struct hvm_event event_of(u64 raw)
{
    return (struct hvm_event){(u8)raw, raw >> 8 & 7, raw & EVENT_VALID, raw & EVENT_HAS_ERROR,
                              (u32)(raw >> 32)};
}

u64 svm_enter(struct hvm_vcpu *v)
{
    struct svm_vcpu *s = to_svm(v);
    struct vmcb *b = s->vmcb;
    const struct cpu_user_regs *r = guest_regs();
    u64 flush_generation = READ_ONCE(to_hvm_domain(v->v.domain)->flush_generation);

    hvm_before_entry(v);
    b->rax = r->rax;
    b->rip = r->rip;
    b->rsp = r->rsp;
    b->rflags = r->rflags | 2;
    b->interrupt = (b->interrupt & ~V_TPR_MASK) | (v->lapic.registers[LAPIC_REGISTER(0x80)] >> 4);
    if (unlikely(s->asid_cpu != this_cpu_id() || s->asid_generation != this_cpu(asid_generation) ||
                 s->flush_generation != flush_generation))
        give_asid(v, s, flush_generation);
    else
        b->tlb_control = 0;
    return v->machine_address;
}

static void virtual_interrupt(struct vmcb *b, u64 bits, bool exits)
{
    b->interrupt = (b->interrupt & ~(V_IRQ | V_IGNORE_TPR | V_VECTOR)) | bits;
    b->intercepts = (b->intercepts & ~INTERCEPT(EXIT_VINTR)) | (exits ? INTERCEPT(EXIT_VINTR) : 0);
    /* QEMU (10.0) aborts where CR8 is written while a virtual interrupt is pending. */
    b->cr_intercepts = bits ? BIT(EXIT_CR8_WRITE) : 0;
}

/*
 * Events are injected; an interrupt is a virtual one instead, which the guest, being able to,
 * takes before it runs. QEMU (10.0) delivers one that was injected again, in the middle of its
 * handler, if anything stops the emulator's thread before the next exception or exit.
 */
static void svm_inject(struct hvm_vcpu *v, const struct hvm_event *e)
{
    struct vmcb *b = to_svm(v)->vmcb;

    if (e->type == HVM_INTERRUPT) {
        virtual_interrupt(b, V_IRQ | V_IGNORE_TPR | (u64)e->vector << V_VECTOR_SHIFT, false);
        return;
    }
    b->inject = e->vector | (u64)e->type << 8 | (e->has_error ? EVENT_HAS_ERROR : 0) | EVENT_VALID |
                (u64)e->error << 32;
    if (e->type == HVM_NMI)
        b->intercepts |= INTERCEPT(EXIT_IRET); /* where its handler ends */
}

static bool interrupt_given(const struct vmcb *b)
{
    return (b->interrupt & V_IRQ) && !(b->intercepts & INTERCEPT(EXIT_VINTR));
}

/* The guest has not come to take it, or not to the end of that. */
static void take_back(struct hvm_vcpu *v, struct vmcb *b)
{
    if (!interrupt_given(b))
        return;
    v->event = (struct hvm_event){.vector = (u8)(b->interrupt >> V_VECTOR_SHIFT), .valid = true};
    virtual_interrupt(b, 0, false);
}

void svm_not_entered(struct hvm_vcpu *v)
{
    struct vmcb *b = to_svm(v)->vmcb;

    if (b->inject & EVENT_VALID)
        v->event = event_of(b->inject);
    b->inject = 0;
    take_back(v, b);
    to_svm(v)->asid_cpu = ~0U; /* a flush that was asked for has not been made */
}

static void svm_instruction_done(struct hvm_vcpu *v, u32 length)
{
    guest_regs()->rip += length;
    to_svm(v)->vmcb->shadow = 0;
}

static void exit_cr8_write(struct hvm_vcpu *v)
{
    struct instruction in;
    u64 value;

    if (!hvm_decode(v, &in) || in.opcode != 0x22)
        return; /* it is another one by now */
    value = register_read(guest_regs(), in.rm, 8, 0x40);
    if (value > 15) {
        hvm_raise(v, VECTOR_GP, 0);
        return;
    }
    v->lapic.registers[LAPIC_REGISTER(0x80)] = (u32)value << 4;
    hvm_instruction_done(v, in.length);
}

static bool svm_interruptible(struct hvm_vcpu *v)
{
    struct vmcb *b = to_svm(v)->vmcb;
    bool can = (guest_regs()->rflags & RFLAGS_IF) && !(b->shadow & 1) && !(b->inject & EVENT_VALID);

    if (interrupt_given(b))
        return false;
    /* A virtual interrupt that is never taken: it exits when it could be. */
    virtual_interrupt(b, can ? 0 : V_IRQ | V_IGNORE_TPR, !can);
    return can;
}

static bool svm_nmi_possible(struct hvm_vcpu *v)
{
    return !(to_svm(v)->vmcb->shadow & 1);
}

/* ---- exit ---- */

static bool by_instruction(const struct hvm_event *e)
{
    return e->type == HVM_SOFTWARE ||
           (e->type == HVM_EXCEPTION && (e->vector == VECTOR_BP || e->vector == VECTOR_OF));
}

/* An exception or interrupt was being delivered: it is delivered anew. Software ones come
 * again by their instruction. */
static void keep_delivery(struct hvm_vcpu *v, u64 raw)
{
    struct hvm_event e = event_of(raw);

    if (e.valid && !by_instruction(&e))
        v->event = e;
}

static void exit_task_switch(struct hvm_vcpu *v, const struct vmcb *b)
{
    struct hvm_event e = event_of(b->exit_event);
    u64 info = b->exit_info2;

    if (info & TASK_RF)
        guest_regs()->rflags |= RFLAGS_RF;
    hvm_exit_task_switch(v, &(struct hvm_task_switch){.selector = (u16)b->exit_info1,
                                                      .by = info & TASK_BY_IRET  ? HVM_TASK_IRET
                                                            : info & TASK_BY_JMP ? HVM_TASK_JMP
                                                            : e.valid            ? HVM_TASK_EVENT
                                                                                 : HVM_TASK_CALL,
                                                      .instruction = !e.valid || by_instruction(&e),
                                                      .has_error = info & TASK_HAS_ERROR,
                                                      .error = (u32)info});
}

static void exit_port(struct hvm_vcpu *v, const struct vmcb *b)
{
    struct hvm_port_access a = {
        .port = (u16)(b->exit_info1 >> 16),
        .bytes = b->exit_info1 >> 4 & 7,
        .in = b->exit_info1 & IOIO_IN,
        .string = b->exit_info1 & IOIO_STRING,
        .rep = b->exit_info1 & IOIO_REP,
        .next_rip = b->exit_info2,
    };

    hvm_exit_port(v, &a);
}

static void exit_other(struct hvm_vcpu *v, struct vmcb *b)
{
    switch (b->exit_code) {
    case EXIT_CR8_WRITE:
        exit_cr8_write(v);
        break;
    case EXIT_DR0_READ ... EXIT_DR3_WRITE:
        svm_load_debug(to_svm(v)); /* and the instruction runs again */
        break;
    case EXIT_EXCEPTION + VECTOR_DB:
        hvm_raise(v, VECTOR_DB, -1);
        break;
    case EXIT_EXCEPTION + VECTOR_AC:
        hvm_raise(v, VECTOR_AC, 0);
        break;
    case EXIT_EXCEPTION + VECTOR_MC: /* the machine's, not delivered yet (APM 15.12.17) */
        __asm__ volatile("int $18" ::: "memory");
        break;
    case EXIT_IRET:
        b->intercepts &= ~INTERCEPT(EXIT_IRET);
        b->shadow = 1; /* not before the IRET has run */
        v->nmi_masked = false;
        break;
    case EXIT_RDTSC:
    case EXIT_RDTSCP:
        hvm_exit_tsc(v);
        break;
    case EXIT_XSETBV:
        hvm_exit_xsetbv(v);
        break;
    case EXIT_INVD:
    case EXIT_WBINVD: /* caches are coherent, and devices the host's */
        hvm_instruction_done(v, 2);
        break;
    case EXIT_RDPMC:
        hvm_raise(v, VECTOR_GP, 0);
        break;
    case EXIT_SHUTDOWN:
        hvm_exit_triple_fault(v);
        break;
    case EXIT_TASK_SWITCH:
        exit_task_switch(v, b);
        break;
    case EXIT_INVLPGA:
    case EXIT_VMRUN:
    case EXIT_VMLOAD ... EXIT_SKINIT:
    case EXIT_MONITOR ... EXIT_MWAIT_ARMED:
    case EXIT_RDPRU:
        hvm_raise(v, VECTOR_UD, -1);
        break;
    case EXIT_INVALID:
    case (u32)EXIT_INVALID: /* emulators */
        hvm_crash(v, "processor state that cannot be");
        break;
    default:
        printk(LOG_WARNING, "exit code %#lx\n", b->exit_code);
        hvm_crash(v, "exit without a meaning");
        break;
    }
}

void svm_exit(void)
{
    struct hvm_vcpu *v = hvm_current();
    struct vmcb *b = to_svm(v)->vmcb;
    struct cpu_user_regs *r = guest_regs();

    r->rax = b->rax;
    r->rip = b->rip;
    r->rsp = b->rsp;
    r->rflags = b->rflags;
    b->inject = 0;
    v->lapic.registers[LAPIC_REGISTER(0x80)] = (v->lapic.registers[LAPIC_REGISTER(0x80)] & 0xf) |
                                               (u32)(b->interrupt & V_TPR_MASK) << 4;
    if (b->exit_event & EVENT_VALID)
        keep_delivery(v, b->exit_event);
    take_back(v, b);
    switch (b->exit_code) {
    case EXIT_INTR:
        interrupts_window();
        break;
    case EXIT_NMI: /* taken when STGI let it */
    case EXIT_INIT:
        break;
    case EXIT_VINTR:
        virtual_interrupt(b, 0, false);
        break;
    case EXIT_CPUID:
        hvm_exit_cpuid(v);
        break;
    case EXIT_HLT:
        hvm_exit_halt(v);
        break;
    case EXIT_IOIO:
        exit_port(v, b);
        break;
    case EXIT_MSR:
        hvm_exit_msr(v, b->exit_info1 & 1);
        break;
    case EXIT_VMMCALL:
        hvm_exit_hypercall(v, 3);
        break;
    case EXIT_NPF:
        hvm_exit_page(v, b->exit_info2, b->exit_info1 & NPF_WRITE, b->exit_info1 & NPF_FETCH);
        break;
    default:
        exit_other(v, b);
        break;
    }
}

/* ---- life ---- */

#define ALWAYS                                                                                   \
    (INTERCEPT(EXIT_INTR) | INTERCEPT(EXIT_NMI) | INTERCEPT(EXIT_INIT) | INTERCEPT(EXIT_RDPMC) | \
     INTERCEPT(EXIT_CPUID) | INTERCEPT(EXIT_INVD) | INTERCEPT(EXIT_HLT) |                        \
     INTERCEPT(EXIT_INVLPGA) | INTERCEPT(EXIT_IOIO) | INTERCEPT(EXIT_MSR) |                      \
     INTERCEPT(EXIT_TASK_SWITCH) | INTERCEPT(EXIT_SHUTDOWN))
#define ALWAYS2                                                                     \
    (INTERCEPT(EXIT_VMRUN) | INTERCEPT(EXIT_VMMCALL) | INTERCEPT(EXIT_VMLOAD) |     \
     INTERCEPT(EXIT_VMSAVE) | INTERCEPT(EXIT_STGI) | INTERCEPT(EXIT_CLGI) |         \
     INTERCEPT(EXIT_SKINIT) | INTERCEPT(EXIT_WBINVD) | INTERCEPT(EXIT_MONITOR) |    \
     INTERCEPT(EXIT_MWAIT) | INTERCEPT(EXIT_MWAIT_ARMED) | INTERCEPT(EXIT_XSETBV) | \
     INTERCEPT(EXIT_RDPRU))

static int svm_vcpu_init(struct hvm_vcpu *v)
{
    struct svm_vcpu *s = heap_zalloc(sizeof(*s));
    struct vmcb *b = s ? page_alloc(ALLOC_ZERO) : NULL;

    if (!b) {
        heap_free(s);
        return -ENOMEM;
    }
    s->vmcb = b;
    s->asid_cpu = ~0U;
    v->machine = s;
    v->machine_address = mfn_to_paddr(virt_to_mfn(b)).raw;
    b->dr_intercepts = 0x000f000f;
    /* Guests can make #DB and #AC recur for ever within one delivery; #MC is not theirs. */
    b->exception_intercepts = BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC);
    b->intercepts = ALWAYS;
    b->intercepts2 = ALWAYS2;
    b->io_permissions = mfn_to_paddr(virt_to_mfn(io_map)).raw;
    b->msr_permissions = mfn_to_paddr(virt_to_mfn(msr_map)).raw;
    b->interrupt = V_INTR_MASKING;
    b->nested = 1;
    b->nested_cr3 = mfn_to_paddr(virt_to_mfn(v->v.domain->p2m->root)).raw;
    svm_state_init(v);
    return 0;
}

static void svm_vcpu_free(struct hvm_vcpu *v)
{
    page_free(to_svm(v)->vmcb);
    heap_free(v->machine);
}

static void svm_set_cr2(struct hvm_vcpu *v, u64 address)
{
    to_svm(v)->vmcb->cr2 = address;
}

static void svm_set_tsc(struct hvm_vcpu *v)
{
    struct vmcb *b = to_svm(v)->vmcb;
    bool exits = v->v.domain->tsc_khz;

    b->tsc_offset = v->tsc_offset;
    b->intercepts &= ~INTERCEPT(EXIT_RDTSC);
    b->intercepts |= exits ? INTERCEPT(EXIT_RDTSC) : 0;
    b->intercepts2 = ALWAYS2 | (exits ? INTERCEPT(EXIT_RDTSCP) : 0);
}

static const struct hvm_machine svm = {
    .name = "SVM",
    .format = &p2m_format_npt,
    .vcpu_init = svm_vcpu_init,
    .vcpu_free = svm_vcpu_free,
    .save = svm_save,
    .restore = svm_restore,
    .resume = svm_resume,
    .get_state = svm_get_state,
    .set_state = svm_set_state,
    .get_paging = svm_get_paging,
    .segment = svm_segment,
    .set_cr2 = svm_set_cr2,
    .get_msr = svm_get_msr,
    .set_msr = svm_set_msr,
    .set_tsc = svm_set_tsc,
    .inject = svm_inject,
    .interruptible = svm_interruptible,
    .nmi_possible = svm_nmi_possible,
    .instruction_done = svm_instruction_done,
};

/* Two bits for each MSR of three ranges (APM 15.11): what the guest may do by itself. */
static __init void permit_msr(u32 msr)
{
    u64 at = msr >= 0xc0000000U ? 0x800 * 8 + (msr & 0x1fff) * 2 : msr * 2;

    bit_clear(msr_map, at);
    bit_clear(msr_map, at + 1);
}

static void turn_on(void *arg)
{
    (void)arg;
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, this_cpu(host_save));
    vmsave(this_cpu(host_block));
}

static __init bool take_memory(void)
{
    io_map = pages_alloc(IO_MAP_ORDER, 0);
    msr_map = pages_alloc(MSR_MAP_ORDER, 0);
    if (!io_map || !msr_map)
        return false;
    for_each_online_cpu (cpu) {
        void *block = page_alloc(ALLOC_ZERO), *save = page_alloc(ALLOC_ZERO);

        if (!block || !save)
            return false;
        per_cpu(host_block, cpu) = mfn_to_paddr(virt_to_mfn(block)).raw;
        per_cpu(host_save, cpu) = mfn_to_paddr(virt_to_mfn(save)).raw;
    }
    return true;
}

__init const struct hvm_machine *svm_init(void)
{
    static const u32 permitted[] __initconst = {
        MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR,    MSR_LSTAR,
        MSR_CSTAR,       MSR_FMASK,        MSR_FS_BASE,      MSR_GS_BASE, MSR_KERNEL_GS_BASE,
    };
    u32 r[4];
    u64 vm_cr = 0;

    if (!cpu_has(FEATURE_SVM))
        return NULL;
    cpuid(SVM_LEAF, 0, r);
    if (!(r[3] & SVM_NESTED)) {
        printk(LOG_WARNING, "SVM: no nested paging: no PVH and HVM guests\n");
        return NULL;
    }
    if (rdmsr_safe(MSR_VM_CR, &vm_cr) && (vm_cr & VM_CR_SVM_OFF)) {
        printk(LOG_WARNING, "SVM: turned off by the firmware\n");
        return NULL;
    }
    asids = r[1];
    if (!take_memory()) {
        printk(LOG_WARNING, "SVM: no memory\n");
        return NULL;
    }
    memset(io_map, 0xff, PAGE_SIZE << IO_MAP_ORDER);
    memset(msr_map, 0xff, PAGE_SIZE << MSR_MAP_ORDER);
    for (u32 i = 0; i < ARRAY_SIZE(permitted); i++)
        permit_msr(permitted[i]);
    cpu_call(&cpus_online, turn_on, NULL);
    printk(LOG_INFO, "SVM: nested paging, %u address-space numbers\n", asids);
    return &svm;
}
