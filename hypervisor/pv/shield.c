/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page-table isolation of PV guests.
 *
 * On a processor that reads through a mapping what the mapping's rights forbid (Meltdown), a
 * guest that is shielded runs on a top table of the CPU's own: a copy of the guest's, but of
 * our slots it has only what guests see anyhow (M2P, descriptor windows) and what an entry
 * needs before it can change tables: our code and the IDT (slot 261), this CPU's IST stacks and
 * its descriptor page (slot 260). No secret is in any of them: the registers of the guest that
 * runs, addresses. Entries are made in the descriptor page, from where cpu/entry.S and
 * pv/entry.S carry the frame to struct cpu_local after loading the guest's own table.
 * Everything of ours but those few lines therefore knows nothing of it. CR4.PGE is off then
 * (cpu/features.c): a change of CR3 leaves no translation behind.
 *
 * The copy is made again when the guest's table is another or any top table has changed since.
 * A change is counted after it was made and the count is read before the copy is, so that
 * whoever has to flush a CPU after a change finds a new copy made on that CPU's way out. Top
 * tables only lose accessed bits by it.
 *
 * Locks: none. Everything belongs to one CPU but the count. Callers: pv/entry.S, boot/smp.c.
 */
#include "pv/shield.h"
#include "pv/entry.h"
#include "pv/calls.h"
#include "pv/traps.h"
#include "pv/types.h"

u64 shield_changes = 1;
u32 sysret_word __ro_after_init = ENTRY_SYSCALL;
DEFINE_PER_CPU(struct shield, shield);

extern char __text_start[], __text_end[], __ro_after_init_start[], __ro_after_init_end[];

int shield_create(u32 cpu, const struct cpu_resources *r)
{
    u64 *table = page_alloc(ALLOC_ZERO), ro = (u64)__ro_after_init_start;

    per_cpu(shield, cpu).table = table;
    if (!table || map_share(table, r->stack, IST_STACKS, MAP_RW) ||
        map_share(table, r->stack + DESC_PAGE, 1, MAP_RW) ||
        map_share(table, r->stub & PAGE_MASK, 1, MAP_RX) ||
        map_share(table, (u64)__text_start, image_pages(__text_start, __text_end), MAP_RX) ||
        map_share(table, ro, image_pages(__ro_after_init_start, __ro_after_init_end), MAP_RO))
        return -ENOMEM;
    sysret_word = 0;
    return 0;
}

/* Entry by entry, as whole words: others change them. */
static void copy_slots(u64 *to, const u64 *from, u32 first, u64 count)
{
    to += first;
    from += first;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count)::"memory");
}

struct cpu_user_regs *shield_leave(const struct cpu_user_regs *regs, u64 cr3)
{
    struct desc_page *page = this_cpu(desc);
    struct shield *s = &this_cpu(shield);
    bool shielded = pv_isolated[!current->domain->is_hardware];
    u64 changes = load_acquire(&shield_changes);

    if (shielded && (s->source != cr3 || s->seen != changes)) {
        const u64 *from = mfn_to_virt(pte_mfn(cr3));

        copy_slots(s->table, from, 0, PERDOMAIN_SLOT + 1);
        copy_slots(s->table, from, HV_LAST_SLOT + 1, TABLE_ENTRIES - HV_LAST_SLOT - 1);
    }
    s->source = shielded ? cr3 : 0;
    s->seen = changes;
    page->guest_cr3 = cr3;
    page->shield_cr3 = shielded ? mfn_to_paddr(virt_to_mfn(s->table)).raw : cr3;
    memcpy(&page->frame, regs, offsetof(struct cpu_user_regs, es));
    return &page->frame;
}

void shield_syscall(struct cpu_user_regs *regs)
{
    if (regs->entry_vector == ENTRY_SYSCALL32)
        pv_guest_syscall32(regs);
    else if (regs->entry_vector == ENTRY_SYSENTER)
        pv_guest_sysenter(regs);
    else if (to_pv(current)->kernel_mode)
        hypercall_pv(regs);
    else
        pv_guest_syscall(regs);
}
