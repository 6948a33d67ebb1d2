/* SPDX-License-Identifier: GPL-2.0-only */
/* Offsets for cpu/entry.S and whoever else enters or leaves a guest. Never linked. */
#include "cpu/offsets.h"
#include "cpu/desc.h"

/* The word means a field here, not the running vCPU. */
#undef current

void offsets_cpu(void);
void offsets_cpu(void)
{
#define REG(name, member) DEFINE_OFFSET(REGS_##name, struct cpu_user_regs, member)
    REG(R15, r15);
    REG(R14, r14);
    REG(R13, r13);
    REG(R12, r12);
    REG(RBP, rbp);
    REG(RBX, rbx);
    REG(R11, r11);
    REG(R10, r10);
    REG(R9, r9);
    REG(R8, r8);
    REG(RAX, rax);
    REG(RCX, rcx);
    REG(RDX, rdx);
    REG(RSI, rsi);
    REG(RDI, rdi);
    REG(ERROR, error_code);
    REG(VECTOR, entry_vector);
    REG(RIP, rip);
    REG(CS, cs);
    REG(UPCALL_MASK, saved_upcall_mask);
    REG(RFLAGS, rflags);
    REG(RSP, rsp);
    REG(SS, ss);
    REG(ES, es);
    DEFINE_CONSTANT(REGS_SIZE, sizeof(struct cpu_user_regs));
    DEFINE_CONSTANT(CPU_LOCAL_SIZE, sizeof(struct cpu_local));
    DEFINE_OFFSET(CPU_CURRENT, struct cpu_local, current);
    DEFINE_OFFSET(CPU_PERCPU_OFFSET, struct cpu_local, percpu_offset);
    DEFINE_OFFSET(CPU_NUMBER, struct cpu_local, cpu);
    DEFINE_OFFSET(CPU_WORK, struct cpu_local, work);
    DEFINE_OFFSET(CPU_SLICE_END, struct cpu_local, slice_end);
    DEFINE_OFFSET(DESC_SHIELD_CR3, struct desc_page, shield_cr3);
    DEFINE_OFFSET(DESC_GUEST_CR3, struct desc_page, guest_cr3);
    DEFINE_OFFSET(DESC_VERW, struct desc_page, verw);
    DEFINE_OFFSET(DESC_FRAME, struct desc_page, frame);
    DEFINE_OFFSET(CPU_GUEST_STACK, struct cpu_local, guest_stack);
}
