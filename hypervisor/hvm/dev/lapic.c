/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The APIC's registers, priorities, timer and interprocessor interrupts.
 *
 * IRR and TMR are changed atomically by whoever raises an interrupt; all else
 * by the vCPU itself, or by tools while it stands still. INIT and start-up
 * IPIs are left in `signals` for the vCPU to act on, so that nobody waits for
 * another vCPU. No locks. Callers: hvm/exit.c, msr.c, interrupt.c, context.c.
 */
#include "cpu/registers.h"
#include "hvm/dev/irq.h"
#include "hvm/hvm.h"

/* Registers' offsets; SELF_IPI is x2APIC's only. */
enum { ID = 0x20, VERSION = 0x30, TPR = 0x80, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0 };
enum { SVR = 0xf0, ISR = 0x100, TMR = 0x180, IRR = 0x200, ESR = 0x280, ICR = 0x300 };
enum { ICR_HIGH = 0x310, LVT_TIMER = 0x320, LVT_THERMAL = 0x330, LVT_PERFORMANCE = 0x340 };
enum { LVT_LINT0 = 0x350, LVT_LINT1 = 0x360, LVT_ERROR = 0x370, TIMER_INITIAL = 0x380 };
enum { TIMER_CURRENT = 0x390, TIMER_DIVIDE = 0x3e0, SELF_IPI = 0x3f0 };

#define BASE_BSP      0x100UL
#define BASE_X2APIC   0x400UL
#define BASE_ENABLED  0x800UL
#define VERSION_VALUE 0x00050014U /* integrated, six LVT entries */
#define SVR_ENABLED   0x100U
#define LVT_MASKED    0x10000U
#define LVT_MODE      0x60000U
#define LVT_PERIODIC  0x20000U
#define LVT_DEADLINE  0x40000U
#define ICR_LOGICAL   0x800U
#define ICR_BUSY      0x1000U
#define ICR_ASSERT    0x4000U
#define ICR_LEVEL     0x8000U
#define TICK_NS       10 /* an undivided tick of the timer: 100 MHz */

static u32 *reg(struct lapic *l, u32 offset)
{
    return &l->registers[LAPIC_REGISTER(offset)];
}

static bool x2apic(const struct lapic *l)
{
    return (l->base & (BASE_ENABLED | BASE_X2APIC)) == (BASE_ENABLED | BASE_X2APIC);
}

static bool enabled(struct lapic *l)
{
    return (l->base & BASE_ENABLED) && (*reg(l, SVR) & SVR_ENABLED);
}

static u32 apic_id(const struct hvm_vcpu *v)
{
    return v->v.id * 2; /* as CPUID says */
}

/* ---- pending and in service ---- */

static void vector_set(struct lapic *l, u32 which, u32 vector)
{
    atomic_or(reg(l, which + vector / 32 * 16), 1U << (vector % 32));
}

static void vector_clear(struct lapic *l, u32 which, u32 vector)
{
    atomic_and(reg(l, which + vector / 32 * 16), ~(1U << (vector % 32)));
}

static s32 highest(const struct lapic *l, u32 which)
{
    for (s32 word = 7; word >= 0; word--) {
        u32 bits = READ_ONCE(l->registers[LAPIC_REGISTER(which + (u32)word * 16)]);
        if (bits)
            return word * 32 + 31 - __builtin_clz(bits);
    }
    return -1;
}

u32 lapic_priority(const struct hvm_vcpu *v)
{
    u32 task = v->lapic.registers[LAPIC_REGISTER(TPR)];
    s32 service = highest(&v->lapic, ISR);

    return service < 0 || (task & 0xf0) >= ((u32)service & 0xf0) ? task : (u32)service & 0xf0;
}

s32 lapic_highest(const struct hvm_vcpu *v)
{
    s32 vector = highest(&v->lapic, IRR);

    if (vector < 0 || !(v->lapic.registers[LAPIC_REGISTER(SVR)] & SVR_ENABLED))
        return -1;
    return ((u32)vector & 0xf0) > (lapic_priority(v) & 0xf0) ? vector : -1;
}

void lapic_take(struct hvm_vcpu *v, u32 vector)
{
    vector_clear(&v->lapic, IRR, vector);
    vector_set(&v->lapic, ISR, vector);
}

void lapic_set(struct hvm_vcpu *v, u32 vector, bool level)
{
    struct lapic *l = &v->lapic;

    if (vector < 16)
        return;
    if (level)
        vector_set(l, TMR, vector);
    else
        vector_clear(l, TMR, vector);
    vector_set(l, IRR, vector);
    vcpu_kick(&v->v);
}

static void end_of_interrupt(struct hvm_vcpu *v)
{
    s32 vector = highest(&v->lapic, ISR);

    if (vector < 0)
        return;
    vector_clear(&v->lapic, ISR, (u32)vector);
    if (*reg(&v->lapic, TMR + (u32)vector / 32 * 16) >> vector % 32 & 1)
        ioapic_eoi(v->v.domain, (u32)vector);
}

/* With the APIC off, LINT0 is the processor's own interrupt pin. */
bool lapic_takes_external(const struct hvm_vcpu *v)
{
    return !(v->lapic.base & BASE_ENABLED) ||
           (v->lapic.registers[LAPIC_REGISTER(LVT_LINT0)] & (LVT_MASKED | 0x700)) == 0x700;
}

/* ---- messages ---- */

/* May be called for any vCPU of the domain, whatever it is doing. */
static bool addressed(struct hvm_vcpu *v, bool logical, u32 destination, bool wide)
{
    struct lapic *l = &v->lapic;
    u32 ldr = *reg(l, LDR);

    if (destination == (wide ? ~0U : 0xffU))
        return true;
    if (!logical)
        return apic_id(v) == destination;
    if (x2apic(l))
        return ldr >> 16 == destination >> 16 && (ldr & destination & 0xffff);
    ldr >>= 24;
    if (*reg(l, DFR) >> 28 == 0xf) /* flat */
        return ldr & destination & 0xff;
    return ldr >> 4 == (destination >> 4 & 0xf) && (ldr & destination & 0xf);
}

/* False: an interrupt that it does not take. */
static bool signal(struct hvm_vcpu *to, u32 command)
{
    u32 vector = command & 0xff;

    switch (command >> 8 & 7) {
    case 0:
    case 1:
        if (!enabled(&to->lapic))
            return false;
        lapic_set(to, vector, command & ICR_LEVEL);
        break;
    case 4:
        WRITE_ONCE(to->v.nmi_pending, true);
        vcpu_kick(&to->v);
        break;
    case 5:
        atomic_or(&to->lapic.signals, LAPIC_INIT);
        vcpu_kick(&to->v);
        break;
    case 6:
        if (!READ_ONCE(to->lapic.waits) && !(READ_ONCE(to->lapic.signals) & LAPIC_INIT))
            break;
        atomic_or(&to->lapic.signals, LAPIC_SIPI | vector);
        to->v.initialised = true;
        vcpu_up(&to->v);
        break;
    }
    return true;
}

/* For lowest priority one is enough. */
bool lapic_message(struct domain *d, u32 command, u32 destination)
{
    bool taken = false;

    for_each_vcpu (d, v)
        if (addressed(to_hvm(v), command & ICR_LOGICAL, destination, false) &&
            !(taken && (command & 0x700) == 0x100))
            taken |= signal(to_hvm(v), command);
    return taken;
}

static void send(struct hvm_vcpu *from, u32 command, u32 destination)
{
    u32 mode = command >> 8 & 7, shorthand = command >> 18 & 3;

    if (mode == 5 && (command & ICR_LEVEL) && !(command & ICR_ASSERT))
        return; /* INIT level de-assert: nothing on today's processors */
    for_each_vcpu (from->v.domain, v) {
        bool self = v == &from->v;

        if (shorthand == 1 ? !self
            : shorthand
                ? shorthand == 3 && self
                : !addressed(to_hvm(v), command & ICR_LOGICAL, destination, x2apic(&from->lapic)))
            continue;
        if (signal(to_hvm(v), command & ~ICR_LEVEL) && mode == 1)
            return; /* lowest priority: one is enough */
    }
}

/* ---- timer ---- */

static u32 divisor(struct lapic *l)
{
    u32 code = *reg(l, TIMER_DIVIDE);

    code = (code & 3) | (code >> 1 & 4);
    return code == 7 ? 1 : 2U << code;
}

static u32 timer_mode(struct lapic *l)
{
    return *reg(l, LVT_TIMER) & LVT_MODE;
}

static u32 timer_current(struct lapic *l)
{
    u64 passed = (u64)(clock_now() - l->timer_start) / (TICK_NS * divisor(l));
    u64 initial = *reg(l, TIMER_INITIAL);

    if (!l->timer_period || timer_mode(l) == LVT_DEADLINE)
        return 0;
    if (timer_mode(l) == LVT_PERIODIC)
        return (u32)(initial - passed % initial);
    return passed < initial ? (u32)(initial - passed) : 0;
}

static void timer_start(struct lapic *l)
{
    timer_stop(&l->timer);
    l->timer_period = 0;
    if (timer_mode(l) == LVT_DEADLINE || !*reg(l, TIMER_INITIAL))
        return;
    l->timer_period = (ns_t)*reg(l, TIMER_INITIAL) * TICK_NS * divisor(l);
    l->timer_start = clock_now();
    timer_set(&l->timer, l->timer_start + l->timer_period);
}

static void deadline_set(struct hvm_vcpu *v, u64 deadline)
{
    u64 now = hvm_tsc(v), ticks = deadline > now ? deadline - now : 0;
    struct clock_scale scale = domain_tsc_scale(v->v.domain);

    v->lapic.tsc_deadline = deadline;
    timer_stop(&v->lapic.timer);
    if (deadline) /* beyond some decades: never */
        timer_set(&v->lapic.timer,
                  ticks >> 62 ? NS_NEVER : clock_now() + (ns_t)scale_delta(&scale, ticks));
}

static void timer_over(void *arg)
{
    struct hvm_vcpu *v = arg;
    struct lapic *l = &v->lapic;

    l->tsc_deadline = 0;
    if (!(*reg(l, LVT_TIMER) & LVT_MASKED))
        lapic_set(v, *reg(l, LVT_TIMER) & 0xff, false);
    if (timer_mode(l) != LVT_PERIODIC || !l->timer_period)
        return;
    /* Periods that were missed are lost, and none is shorter than what a handler needs. */
    l->timer_start = MAX(l->timer_start + l->timer_period, clock_now() - l->timer_period);
    timer_set(&l->timer, l->timer_start + MAX(l->timer_period, 50 * NS_US));
}

void lapic_follow(struct hvm_vcpu *v)
{
    timer_migrate(&v->lapic.timer, v->v.cpu);
}

/* ---- registers ---- */

u32 lapic_read(struct hvm_vcpu *v, u32 offset)
{
    switch (offset) {
    case PPR:
        return lapic_priority(v);
    case TIMER_CURRENT:
        return timer_current(&v->lapic);
    default:
        return offset < sizeof(v->lapic.registers) * 4 ? *reg(&v->lapic, offset) : 0;
    }
}

/* A local vector table entry: the bits that can be set. */
static u32 lvt_mask(u32 offset)
{
    switch (offset) {
    case LVT_TIMER:
        return 0x710ff;
    case LVT_LINT0:
    case LVT_LINT1:
        return 0x1b7ff;
    case LVT_ERROR:
        return 0x110ff;
    default:
        return 0x117ff;
    }
}

static void set_svr(struct lapic *l, u32 value)
{
    *reg(l, SVR) = value & 0x1ff;
    if (value & SVR_ENABLED)
        return;
    for (u32 offset = LVT_TIMER; offset <= LVT_ERROR; offset += 0x10)
        *reg(l, offset) |= LVT_MASKED;
}

void lapic_write(struct hvm_vcpu *v, u32 offset, u32 value)
{
    struct lapic *l = &v->lapic;
    u32 old_mode;

    switch (offset) {
    case TPR:
        *reg(l, TPR) = value & 0xff;
        break;
    case EOI:
        end_of_interrupt(v);
        break;
    case LDR:
        *reg(l, LDR) = value & 0xff000000;
        break;
    case DFR:
        *reg(l, DFR) = value | 0x0fffffff;
        break;
    case SVR:
        set_svr(l, value);
        break;
    case ESR:
        *reg(l, ESR) = 0; /* no errors are noted */
        break;
    case ICR:
        *reg(l, ICR) = value & ~ICR_BUSY;
        send(v, value, *reg(l, ICR_HIGH) >> 24);
        break;
    case ICR_HIGH:
        *reg(l, ICR_HIGH) = value & 0xff000000;
        break;
    case LVT_TIMER:
    case LVT_THERMAL:
    case LVT_PERFORMANCE:
    case LVT_LINT0:
    case LVT_LINT1:
    case LVT_ERROR:
        old_mode = timer_mode(l);
        if (!(*reg(l, SVR) & SVR_ENABLED))
            value |= LVT_MASKED;
        *reg(l, offset) = value & lvt_mask(offset);
        if (old_mode != timer_mode(l)) { /* a change of mode disarms (SDM 11.5.4.1) */
            timer_stop(&l->timer);
            l->timer_period = 0;
            l->tsc_deadline = 0;
        }
        break;
    case TIMER_INITIAL:
        if (timer_mode(l) != LVT_DEADLINE) {
            *reg(l, TIMER_INITIAL) = value;
            timer_start(l);
        }
        break;
    case TIMER_DIVIDE:
        *reg(l, TIMER_DIVIDE) = value & 0xb;
        break;
    }
}

/* ---- by MSR ---- */

static bool base_write(struct hvm_vcpu *v, u64 value)
{
    struct lapic *l = &v->lapic;
    u64 modes = value & (BASE_ENABLED | BASE_X2APIC);

    /* SDM 11.12.5: which modes follow which. The page does not move. */
    if ((value & ~0xfffUL) != LAPIC_BASE || (value & 0x2ff) || modes == BASE_X2APIC ||
        (x2apic(l) && modes == BASE_ENABLED) ||
        (!(l->base & BASE_ENABLED) && modes == (BASE_ENABLED | BASE_X2APIC)))
        return false;
    if (modes == l->base - LAPIC_BASE - (l->base & BASE_BSP))
        return true;
    l->base = LAPIC_BASE | (l->base & BASE_BSP) | modes;
    if (!modes)
        lapic_reset(v);
    if (x2apic(l)) {
        *reg(l, ID) = apic_id(v);
        *reg(l, LDR) = apic_id(v) >> 4 << 16 | 1U << (apic_id(v) & 15);
    }
    return true;
}

/* Does x2APIC mode have this register? */
static bool exists(u32 offset)
{
    switch (offset) {
    case ID:
    case VERSION:
    case TPR:
    case PPR:
    case LDR:
    case SVR:
    case ISR ... ESR:
    case ICR:
    case LVT_TIMER ... TIMER_CURRENT:
    case TIMER_DIVIDE:
        return true;
    default:
        return false;
    }
}

bool lapic_read_msr(struct hvm_vcpu *v, u32 msr, u64 *value)
{
    struct lapic *l = &v->lapic;
    u32 offset = (msr - MSR_X2APIC) * 16;

    if (msr == MSR_APIC_BASE)
        *value = l->base;
    else if (msr == MSR_TSC_DEADLINE)
        *value = l->tsc_deadline;
    else if (!x2apic(l) || !exists(offset))
        return false;
    else
        *value = lapic_read(v, offset) | (offset == ICR ? (u64)*reg(l, ICR_HIGH) << 32 : 0);
    return true;
}

bool lapic_write_msr(struct hvm_vcpu *v, u32 msr, u64 value)
{
    struct lapic *l = &v->lapic;
    u32 offset = (msr - MSR_X2APIC) * 16;

    if (msr == MSR_APIC_BASE)
        return base_write(v, value);
    if (msr == MSR_TSC_DEADLINE) {
        if (timer_mode(l) == LVT_DEADLINE)
            deadline_set(v, value);
        return true;
    }
    if (!x2apic(l) || (value >> 32 && offset != ICR))
        return false;
    switch (offset) {
    case ICR:
        *reg(l, ICR) = (u32)value & ~ICR_BUSY;
        *reg(l, ICR_HIGH) = (u32)(value >> 32);
        send(v, (u32)value, (u32)(value >> 32));
        return true;
    case SELF_IPI:
        if (value > 0xff)
            return false;
        lapic_set(v, (u32)value, false);
        return true;
    case EOI:
    case ESR:
        if (value)
            return false;
        break;
    case TPR: /* reserved bits (SDM 11.12.1.2) */
    case SVR:
        if (value >> (offset == TPR ? 8 : 9))
            return false;
        break;
    case LVT_TIMER ... TIMER_INITIAL:
    case TIMER_DIVIDE:
        break;
    default:
        return false;
    }
    lapic_write(v, offset, (u32)value);
    return true;
}

/* ---- life ---- */

/* SDM 11.4.7.3: after INIT all but the id and the base are as after power-up. */
void lapic_reset(struct hvm_vcpu *v)
{
    struct lapic *l = &v->lapic;

    timer_stop(&l->timer);
    memset(l->registers, 0, sizeof(l->registers));
    l->tsc_deadline = 0;
    l->timer_period = 0;
    *reg(l, ID) = x2apic(l) ? apic_id(v) : apic_id(v) << 24;
    *reg(l, VERSION) = VERSION_VALUE;
    *reg(l, DFR) = ~0U;
    *reg(l, SVR) = 0xff;
    for (u32 offset = LVT_TIMER; offset <= LVT_ERROR; offset += 0x10)
        *reg(l, offset) = LVT_MASKED;
    if (x2apic(l))
        *reg(l, LDR) = apic_id(v) >> 4 << 16 | 1U << (apic_id(v) & 15);
}

void lapic_resume(struct hvm_vcpu *v)
{
    timer_start(&v->lapic);
    if (v->lapic.tsc_deadline && timer_mode(&v->lapic) == LVT_DEADLINE)
        deadline_set(v, v->lapic.tsc_deadline);
}

void lapic_init(struct hvm_vcpu *v)
{
    timer_init(&v->lapic.timer, timer_over, v, v->v.cpu);
    v->lapic.base = LAPIC_BASE | BASE_ENABLED | (v->v.id ? 0 : BASE_BSP);
    v->lapic.waits = v->v.id != 0;
    lapic_reset(v);
}

void lapic_free(struct hvm_vcpu *v)
{
    timer_kill(&v->lapic.timer);
}
