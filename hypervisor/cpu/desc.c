/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns each CPU's descriptor page, TSS and SYSCALL stubs. Written when the CPU
 * is brought up; later only its LDT descriptor changes, by the CPU itself. No
 * locks. Callers: boot/, pv/context.c, cpu/guest_state.c.
 */
#include "cpu/desc.h"
#include "cpu/instructions.h"
#include "cpu/mitigations.h"
#include "cpu/percpu.h"
#include "cpu/traps.h"

DEFINE_PER_CPU(struct desc_page *, desc);
static DEFINE_PER_CPU(mfn_t, desc_frame);
static DEFINE_PER_CPU(u64, stub);

/* Flat segments, accessed bits set: the processor need never write them. */
#define DESC_CODE64_RING0   0x00af9b000000ffffUL
#define DESC_DATA_RING0     0x00cf93000000ffffUL
#define DESC_CODE32_RING3   0x00cffb000000ffffUL
#define DESC_DATA_RING3     0x00cff3000000ffffUL
#define DESC_CODE64_RING3   0x00affb000000ffffUL
#define SYSTEM_TSS          0x89UL
#define SYSTEM_LDT          0x82UL

#define GDT_INDEX(selector) (((selector)&0xff8) / 8)

static void set_system_descriptor(u64 *gdt, u32 selector, u64 type, u64 base, u32 limit)
{
    u64 *d = &gdt[GDT_INDEX(selector)];

    d[1] = base >> 32;
    d[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | type << 40 |
           (u64)((limit >> 16) & 0xf) << 48 | ((base >> 24) & 0xff) << 56;
}

/* The guest's rsp slot stays free for the entry; see cpu/entry.S for the contract. */
static void write_stub(u8 *at, u64 runs_at, u64 ss_slot, void (*target)(void))
{
    u64 top = ss_slot + 8;
    u8 code[] = {
        0x48, 0xa3, 0,    0, 0, 0, 0, 0, 0, 0, /* movabs %rax, ss_slot */
        0x48, 0x89, 0xe0,                      /* mov %rsp, %rax */
        0x48, 0xbc, 0,    0, 0, 0, 0, 0, 0, 0, /* movabs $top, %rsp */
        0xe9, 0,    0,    0, 0,                /* jmp target */
    };
    s64 distance = (s64)((u64)target - (runs_at + sizeof(code)));
    s32 distance32 = (s32)distance;

    ASSERT(distance == distance32);
    memcpy(code + 2, &ss_slot, 8);
    memcpy(code + 15, &top, 8);
    memcpy(code + 24, &distance32, 4);
    memcpy(at, code, sizeof(code));
}

void desc_prepare(u32 cpu, const struct cpu_resources *r)
{
    struct cpu_local *local =
        (struct cpu_local *)(r->stack + STACK_SIZE - sizeof(struct cpu_local));
    struct tss *t = &r->desc->tss;
    u64 *gdt = r->desc->gdt;
    /* No shield before there are stubs. */
    bool shielded = shield_on && r->stub;
    u64 ss_slot = shielded ? (u64)&r->desc->frame.ss : (u64)&local->guest.ss;

    memset(local, 0, sizeof(*local));
    local->cpu = cpu;
    local->percpu_offset = r->percpu_offset;
    percpu_offsets[cpu] = r->percpu_offset;

    t->rsp[0] = ss_slot + 8;
    /* Page tops, less what a frame has beyond what the processor pushes. */
    for (u32 ist = 0; ist < IST_STACKS; ist++)
        t->ist[ist] = r->stack + (ist + 1) * PAGE_SIZE - 32;
    t->io_bitmap = sizeof(*t); /* beyond the limit: none */

    gdt[GDT_INDEX(HV_CS64)] = DESC_CODE64_RING0;
    gdt[GDT_INDEX(HV_DS)] = DESC_DATA_RING0;
    gdt[GDT_INDEX(GUEST_CS32)] = DESC_CODE32_RING3;
    gdt[GDT_INDEX(GUEST_SS)] = DESC_DATA_RING3;
    gdt[GDT_INDEX(GUEST_CS64)] = DESC_CODE64_RING3;
    set_system_descriptor(gdt, HV_TSS, SYSTEM_TSS, (u64)t, sizeof(*t) - 1);
    set_system_descriptor(gdt, HV_LDT, SYSTEM_LDT, 0, 0);
    r->desc->verw = HV_DS;
    percpu_at(desc, r->percpu_offset) = r->desc;
    percpu_at(desc_frame, r->percpu_offset) = r->desc_frame;

    percpu_at(stub, r->percpu_offset) = r->stub;
    if (r->stub) {
        write_stub(r->stub_alias, r->stub, ss_slot,
                   shielded ? pv_syscall_shielded : pv_syscall_entry);
        write_stub((u8 *)r->stub_alias + STUB_BYTES / 2, r->stub + STUB_BYTES / 2, ss_slot,
                   pv_cstar_entry);
    }
}

static void activate_syscall(void)
{
    u64 stub_address = this_cpu(stub);

    if (!stub_address)
        return;
    /* SYSRET's base gives CS32 +0, SS +8, CS64 +16; SYSCALL's CS +0, SS +8. */
    wrmsr(MSR_STAR, (u64)GUEST_CS32 << 48 | (u64)HV_CS64 << 32);
    wrmsr(MSR_LSTAR, stub_address);
    wrmsr(MSR_CSTAR, stub_address + STUB_BYTES / 2);
    wrmsr(MSR_FMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF |
                         RFLAGS_VM | RFLAGS_AC);
    /* AMD has SYSENTER in legacy mode only, but it has the registers. */
    wrmsr(MSR_SYSENTER_CS, HV_CS64);
    wrmsr(MSR_SYSENTER_ESP, this_cpu(desc)->tss.rsp[0]);
    wrmsr(MSR_SYSENTER_EIP, (u64)pv_sysenter_entry);
}

void desc_activate(void)
{
    cpu_load_idle_gdt();
    __asm__ volatile("pushq %0\n"
                     "lea 1f(%%rip), %%rax\n"
                     "push %%rax\n"
                     "lretq\n"
                     "1: mov %1, %%ss\n"
                     "xor %%eax, %%eax\n"
                     "mov %%eax, %%ds\n"
                     "mov %%eax, %%es\n"
                     "mov %%eax, %%fs\n"
                     "mov %%eax, %%gs\n"
                     "lldt %%ax" ::"i"(HV_CS64),
                     "r"(HV_DS)
                     : "rax", "memory");
    /* A TSS that was loaded before is marked busy, and LTR wants one that is not. */
    set_system_descriptor(this_cpu(desc)->gdt, HV_TSS, SYSTEM_TSS, (u64)&this_cpu(desc)->tss,
                          sizeof(struct tss) - 1);
    ltr(HV_TSS);
    traps_load_idt(true);
    activate_syscall();
}

mfn_t cpu_gdt_frame(u32 cpu)
{
    return per_cpu(desc_frame, cpu);
}

void cpu_load_gdt(u64 base, u16 limit)
{
    lgdt(base, limit);
}

void cpu_load_idle_gdt(void)
{
    /* Nothing below our page is looked at, so it need not be mapped. */
    lgdt((u64)this_cpu(desc) - FIRST_RESERVED_GDT_BYTE, HV_GDT_LIMIT);
}

void cpu_set_ldt_descriptor(u64 base, u32 limit)
{
    set_system_descriptor(this_cpu(desc)->gdt, HV_LDT, SYSTEM_LDT, base, limit);
}
