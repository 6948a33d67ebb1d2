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
    REG(RAX, rax);
    REG(ERROR, error_code);
    REG(VECTOR, entry_vector);
    REG(RIP, rip);
    REG(CS, cs);
    REG(ES, es);
    DEFINE_CONSTANT(CPU_LOCAL_SIZE, sizeof(struct cpu_local));
    DEFINE_OFFSET(CPU_CURRENT, struct cpu_local, current);
    DEFINE_OFFSET(CPU_PERCPU_OFFSET, struct cpu_local, percpu_offset);
    DEFINE_OFFSET(CPU_WORK, struct cpu_local, work);
    DEFINE_OFFSET(CPU_SLICE_END, struct cpu_local, slice_end);
    DEFINE_OFFSET(DESC_SHIELD_CR3, struct desc_page, shield_cr3);
    DEFINE_OFFSET(DESC_GUEST_CR3, struct desc_page, guest_cr3);
    DEFINE_OFFSET(DESC_VERW, struct desc_page, verw);
    DEFINE_OFFSET(DESC_FRAME, struct desc_page, frame);
    DEFINE_OFFSET(CPU_GUEST_STACK, struct cpu_local, guest_stack);
}
