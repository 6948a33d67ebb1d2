/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Switches between hardware tasks (Intel SDM vol. 3, chapter 7; AMD APM vol. 2, 12.3), which the
 * processor leaves to us when it has found that one is due and permitted: by far JMP, CALL or IRET,
 * or by a task gate on the way of an interrupt or exception. What fails before the new task's
 * descriptor is marked busy happens to the old task and can be done again; what fails then happens
 * to the new one.
 *
 * All is about the current vCPU, in 32- or 16-bit protected mode; no locks. Guest memory may
 * change under us: everything is read once. Caller: the machine's exits.
 */
#include "cpu/registers.h"
#include "emulate/decode.h"
#include "hvm/hvm.h"

/* Segments in the order of struct hvm_hw_cpu, and those of a TSS in its order. */
enum { CS, DS, ES, FS, GS, SS, TR, LDTR };
static const u8 in_tss[] = {ES, CS, SS, DS, FS, GS};

/* A TSS of 32 bits, or of 16: words of that size, from this offset on: IP, flags, eight registers,
 * six or four selectors, and the LDT's. */
#define TSS_BYTES(wide)    ((wide) ? 104u : 44u)
#define TSS_FIELD(wide, n) ((wide) ? 0x20 + (n)*4 : 0x0e + (n)*2)
enum { IP, FLAGS, REGISTERS, SELECTORS = REGISTERS + 8, TSS_CR3 = 0x1c, TSS_TRAP = 0x64 };

#define BUSY      2U
#define PRESENT   BIT(47)
#define ACCESSED  BIT(40)
#define FLAGS_ALL 0x3f7fd5U
#define DR7_LOCAL 0x155UL

struct task {
    struct hvm_vcpu *v;
    struct hvm_hw_cpu s;
    bool external; /* what is refused happens to an event */
};

/* Each step below that gives false has raised an exception. */
static bool refuse(struct task *t, u32 vector, u32 selector)
{
    hvm_raise(t->v, vector, (selector & 0xfffc) | t->external);
    return false;
}

static bool reach(struct task *t, u64 address, void *buffer, u32 length, u32 access)
{
    struct hvm_fault fault;

    if (!hvm_copy_linear(t->v, (u32)address, buffer, length, access, &fault))
        return true;
    t->s.cr2 = fault.address; /* set_state may follow */
    if (fault.address == ~0UL)
        hvm_crash(t->v, "task where no memory is");
    else
        hvm_raise_page_fault(t->v, fault.address, fault.error);
    return false;
}

/* What a selector names, and where that is; if it cannot be: `vector`. */
static bool descriptor(struct task *t, u32 selector, bool global, u32 vector, u64 *address, u64 *d)
{
    const struct hvm_hw_cpu *s = &t->s;
    bool local = selector & 4;

    *address = (local ? s->ldtr_base : s->gdtr_base) + (selector & 0xfff8);
    if ((local && (global || !s->ldtr_arbytes)) ||
        (selector | 7) > (local ? s->ldtr_limit : s->gdtr_limit))
        return refuse(t, vector, selector);
    return reach(t, *address, d, sizeof(*d), HVM_READ);
}

static void put_segment(struct hvm_hw_cpu *s, u32 n, u64 d)
{
    u32 limit = (d & 0xffff) | (d >> 32 & 0xf0000);

    (&s->cs_base)[n] = (d >> 16 & 0xffffff) | d >> 56 << 24;
    (&s->cs_limit)[n] = d >> 55 & 1 ? limit << 12 | 0xfff : limit;
    (&s->cs_arbytes)[n] = (d >> 40 & 0xff) | (d >> 44 & 0xf00);
}

/* May the register hold such a descriptor (SDM vol. 3, table 7-1)? */
static bool fits(u32 n, u64 d, u32 rpl, u32 privilege)
{
    u32 type = d >> 40 & 0x1f, dpl = d >> 45 & 3;

    if (n == LDTR)
        return type == 2;
    if (n == CS)
        return (type & 0x18) == 0x18 && (type & 4 ? dpl <= rpl : dpl == rpl);
    if (n == SS)
        return (type & 0x1a) == 0x12 && dpl == rpl && rpl == privilege;
    return (type & 0x10) && (type & 0xa) != 8 &&
           ((type & 0xc) == 0xc || (dpl >= privilege && dpl >= rpl));
}

static bool load_segment(struct task *t, u32 n, u32 privilege)
{
    u32 selector = (&t->s.cs_sel)[n];
    u64 address, d;

    if (!(selector & 0xfffc))
        return (n != CS && n != SS) || refuse(t, VECTOR_TS, selector);
    if (!descriptor(t, selector, n == LDTR, VECTOR_TS, &address, &d))
        return false;
    if (!fits(n, d, selector & 3, privilege) || (n == LDTR && !(d & PRESENT)))
        return refuse(t, VECTOR_TS, selector);
    if (!(d & PRESENT))
        return refuse(t, n == SS ? VECTOR_SS : VECTOR_NP, selector);
    put_segment(&t->s, n, d | (n == LDTR ? 0 : ACCESSED));
    return n == LDTR || (d & ACCESSED) ||
           reach(t, address + 5, &(u8){(u8)(&t->s.cs_arbytes)[n]}, 1, HVM_WRITE);
}

static u32 get_field(const u8 *tss, bool wide, u32 n)
{
    u32 value = 0;

    memcpy(&value, tss + TSS_FIELD(wide, n), wide ? 4 : 2);
    return value;
}

/* What the old task leaves in its TSS. */
static bool save_task(struct task *t, u64 rip, u64 rflags)
{
    bool wide = t->s.tr_arbytes & 8;
    u32 count = SELECTORS + (wide ? 6 : 4), words[16] = {(u32)rip, (u32)rflags};
    u8 tss[104];

    for (u32 n = 0; n < 8; n++)
        words[REGISTERS + n] = (u32)register_read(guest_regs(), n, 4, 0);
    for (u32 i = 0; i < ARRAY_SIZE(in_tss); i++)
        words[SELECTORS + i] = (&t->s.cs_sel)[in_tss[i]];
    for (u32 n = 0; n < count; n++)
        memcpy(tss + TSS_FIELD(wide, n), &words[n], wide ? 4 : 2);
    return reach(t, t->s.tr_base + TSS_FIELD(wide, 0), tss + TSS_FIELD(wide, 0),
                 TSS_FIELD(wide, count) - TSS_FIELD(wide, 0), HVM_WRITE);
}

/* The new task's registers, of which nothing can fail; t->s has its TR already. */
static void take_registers(struct task *t, const u8 *tss, bool nested)
{
    struct cpu_user_regs *r = guest_regs();
    bool wide = t->s.tr_arbytes & 8;

    r->rip = get_field(tss, wide, IP);
    r->rflags = (get_field(tss, wide, FLAGS) & FLAGS_ALL) | 2 | (nested ? RFLAGS_NT : 0);
    for (u32 n = 0; n < 8; n++)
        register_write(r, n, 4, 0, get_field(tss, wide, REGISTERS + n));
    if (wide && (t->s.cr0 & CR0_PG))
        memcpy(&t->s.cr3, tss + TSS_CR3, 4);
    t->s.cr0 |= CR0_TS;
    t->s.dr7 &= ~DR7_LOCAL;
    for (u32 i = 0; i < ARRAY_SIZE(in_tss); i++) {
        u32 n = in_tss[i], selector = wide || i < 4 ? (u16)get_field(tss, wide, SELECTORS + i) : 0;

        (&t->s.cs_sel)[n] = selector;
        (&t->s.cs_base)[n] = selector << 4;
        (&t->s.cs_limit)[n] = 0xffff;
        (&t->s.cs_arbytes)[n] = r->rflags & RFLAGS_VM ? 0xf3 : 0;
    }
    if (!(r->rflags & RFLAGS_VM))
        t->s.ss_arbytes = (t->s.cs_sel & 3) << 5; /* the privilege from here on */
    t->s.ldtr_sel = (u16)get_field(tss, wide, SELECTORS + (wide ? 6 : 4));
    t->s.ldtr_arbytes = 0;
}

/* The rest of it, in its own address space. */
static bool load_segments(struct task *t, const struct hvm_task_switch *how)
{
    static const u8 order[] = {LDTR, CS, SS, DS, ES, FS, GS};
    struct cpu_user_regs *r = guest_regs();
    u32 privilege = t->s.ss_arbytes >> 5 & 3, size = t->s.tr_arbytes & 8 ? 4 : 2, mask, top;

    for (u32 i = 0; i < (r->rflags & RFLAGS_VM ? 1 : ARRAY_SIZE(order)); i++)
        if (!load_segment(t, order[i], privilege))
            return false;
    if (!how->has_error)
        return true;
    mask = t->s.ss_arbytes & 0x400 ? ~0U : 0xffff;
    top = ((u32)r->rsp - size) & mask;
    r->rsp = ((u32)r->rsp & ~mask) | top;
    return reach(t, t->s.ss_base + top, &(u32){how->error}, size,
                 HVM_WRITE | (privilege == 3 ? HVM_USER : 0));
}

void hvm_exit_task_switch(struct hvm_vcpu *v, const struct hvm_task_switch *how)
{
    struct task t = {.v = v, .external = how->by == HVM_TASK_EVENT && !how->instruction};
    bool back = how->by == HVM_TASK_IRET, nested = !back && how->by != HVM_TASK_JMP, wide;
    u32 vector = back ? VECTOR_TS : VECTOR_GP;
    u64 rflags = guest_regs()->rflags & ~(back ? RFLAGS_NT : 0), address, d;
    struct instruction in = {0};
    struct hvm_hw_cpu *s = &t.s, new;
    u8 tss[104];

    if (how->instruction && !hvm_decode(v, &in))
        return; /* it is another one by now */
    hvm_machine->get_state(v, s);
    if (!descriptor(&t, how->selector, true, vector, &address, &d))
        return;
    new = *s;
    new.tr_sel = how->selector;
    put_segment(&new, TR, d);
    wide = new.tr_arbytes & 8;
    if ((new.tr_arbytes & 0x17) == (back ? 3 : 1))
        vector = !(d & PRESENT) ? VECTOR_NP
                 : new.tr_limit < TSS_BYTES(wide) - 1 ||
                         s->tr_limit < TSS_BYTES(s->tr_arbytes & 8) - 1
                     ? VECTOR_TS
                     : 0;
    if (vector) {
        refuse(&t, vector, how->selector);
        return;
    }
    if (!reach(&t, new.tr_base, tss, TSS_BYTES(wide), HVM_READ) ||
        !save_task(&t, guest_regs()->rip + in.length, rflags) ||
        (nested ? !reach(&t, new.tr_base, &(u16){(u16)s->tr_sel}, 2, HVM_WRITE)
                : !reach(&t, s->gdtr_base + (s->tr_sel & 0xfff8) + 5,
                         &(u8){s->tr_arbytes & (u8)~BUSY}, 1, HVM_WRITE)) ||
        !reach(&t, address + 5, &(u8){(u8)(new.tr_arbytes |= BUSY)}, 1, HVM_WRITE))
        return;
    *s = new;
    v->event.valid = false;
    take_registers(&t, tss, nested);
    hvm_machine->set_state(v, s); /* descriptors are read in the new address space */
    if (load_segments(&t, how) && wide && (tss[TSS_TRAP] & 1)) {
        s->dr6 |= DR6_BT;
        hvm_raise(v, VECTOR_DB, -1);
    }
    hvm_machine->set_state(v, s);
}
