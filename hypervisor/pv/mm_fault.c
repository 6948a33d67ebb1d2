/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page faults that are ours to mend before the guest's kernel hears of them:
 * a translation the processor remembers though the tables have changed, a page
 * of the LDT window not shown yet, and the guest kernel's write to one of its
 * own level-1 tables, which it has mapped read-only: the instruction is
 * executed here, its write as a checked update of the entry. Its writes to MSI-X
 * tables, which we write, are left out.
 *
 * Locks: none here. Caller: pv/traps.c, for faults in guest context.
 */
#include "core/trace.h"
#include "cpu/perfc.h"
#include "cpu/registers.h"
#include "cpu/uaccess.h"
#include "emulate/emulate.h"
#include "platform/irq.h"
#include "pv/mm.h"
#include "pv/types.h"

/* One write to a level-1 table, as the callbacks see it. */
struct table_write {
    struct domain *d;
    struct frame *table; /* NULL: an MSI-X table, whose entries are ours (pv/types_entry.c) */
    u64 page;            /* address at which the guest has the table mapped */
    u64 value;           /* what was written to the entry last */
};

/* Up to the end of the page if what lies behind it cannot be read. */
u32 pv_fetch_code(void *, u64 rip, u8 *bytes, u32 count)
{
    u32 in_page = (u32)MIN((u64)count, PAGE_SIZE - (rip & ~PAGE_MASK));

    if (!copy_from_guest_va(bytes, guest_va(rip), count))
        return count;
    return copy_from_guest_va(bytes, guest_va(rip), in_page) ? 0 : in_page;
}

static int linear(void *, enum segment segment, u64 offset, u32, bool, u64 *address)
{
    *address = offset + (segment == SEGMENT_FS   ? cpu_fs_base()
                         : segment == SEGMENT_GS ? cpu_gs_base()
                                                 : 0);
    return 0;
}

static int read_guest(void *, u64 address, u64 *value, u32 size)
{
    *value = 0;
    return copy_from_guest_va(value, guest_va(address), size) ? -EFAULT : 0;
}

/* The bits that `size` bytes at address have in the entry around them; 0: not within one. */
static u64 part_of_entry(const struct table_write *w, u64 address, u32 size)
{
    u32 offset = address % sizeof(u64);
    u64 bytes = size == sizeof(u64) ? ~0UL : (1UL << (size * 8)) - 1;

    if ((address & PAGE_MASK) != w->page || offset + size > sizeof(u64))
        return 0;
    return bytes << (offset * 8);
}

/* *expected as the essay of emulate_ops.exchange says; `force`: whatever is there. */
static int exchange_part(struct table_write *w, u64 address, u64 *expected, u64 value, u32 size,
                         bool force)
{
    u64 part = part_of_entry(w, address, size);
    u32 slot = (address & ~PAGE_MASK) / sizeof(u64), shift = address % sizeof(u64) * 8;
    int error;

    if (!w->table) /* nothing is written */
        return (address & PAGE_MASK) == w->page ? 0 : -EOPNOTSUPP;
    if (!part)
        return -EOPNOTSUPP;
    const u64 *where = (u64 *)mfn_to_virt(frame_to_mfn(w->table)) + slot;
    do {
        u64 old = READ_ONCE(*where);

        if (!force && ((old & part) >> shift) != (*expected & (part >> shift))) {
            *expected = (old & part) >> shift;
            return 1;
        }
        w->value = (old & ~part) | ((value << shift) & part);
        /* The processor may set accessed and dirty bits at any moment: -EAGAIN then. */
        error = pv_exchange_l1(w->d, w->table, slot, w->value, old);
    } while (error == -EAGAIN);
    return error;
}

static int write_table(void *ctx, u64 address, u64 value, u32 size)
{
    return exchange_part(ctx, address, NULL, value, size, true);
}

static int exchange_table(void *ctx, u64 address, u64 *expected, u64 value, u32 size)
{
    return exchange_part(ctx, address, expected, value, size, false);
}

static const struct emulate_ops table_write_ops = {
    .fetch = pv_fetch_code,
    .linear = linear,
    .read = read_guest,
    .write = write_table,
    .exchange = exchange_table,
};

#define STRING_ROUNDS 128

/* A write by the guest's kernel through `entry`, which does not permit writing. */
static bool emulate_write(struct cpu_user_regs *regs, u64 address, u64 entry)
{
    struct domain *d = current->domain;
    struct frame *f = frame_from_guest(pte_mfn(entry).raw);
    struct table_write w = {.d = d, .table = f, .page = address & PAGE_MASK};
    struct emulation e = {.regs = regs,
                          .ops = &table_write_ops,
                          .ctx = &w,
                          .code_bytes = 8,
                          .stack_bytes = 8,
                          .rounds = STRING_ROUNDS};
    u64 rip = regs->rip;

    /* Only a hint so far: each update locks the table and looks again. */
    if (f ? type_level(READ_ONCE(f->type)) != 1 || frame_domain(f) != d
          : !d->is_hardware || !msi_owns_page(pte_mfn(entry)))
        return false;
    if (emulate_instruction(&e))
        return false;
    if (!f)
        return true;
    perfc_inc(table_writes);
    TRACE(TRC_PV_PTWR_EMULATION | TRC_64_FLAG, TRACE_LONG(w.value), TRACE_LONG(address),
          TRACE_LONG(rip));
    return true;
}

bool pv_mm_page_fault(struct cpu_user_regs *regs, u64 address, u32 error_code)
{
    struct pv_vcpu *v = to_pv(current);
    u64 ldt = LDT_WINDOW(v->v.id), entry, rights;
    bool write = error_code & PF_WRITE;

    if (address - ldt < 16 * PAGE_SIZE) {
        TRACE(TRC_PV_GDT_LDT_MAPPING_FAULT | TRC_64_FLAG, TRACE_LONG(regs->rip),
              TRACE_LONG(address - ldt));
        return pv_ldt_fault(v, address - ldt);
    }
    if ((error_code & ~(PF_WRITE | PF_USER | PF_FETCH)) != PF_PRESENT)
        return false;
    if (!pv_walk_rights(v, v->kernel_mode, address, &entry, &rights) || !(rights & PTE_PRESENT))
        return false;
    if (!(write && !(rights & PTE_WRITE)) && !((error_code & PF_FETCH) && (rights & PTE_NX))) {
        /* The tables permit it: what the processor remembered is gone with the fault;
         * flush all the same, as not every processor promises that. */
        perfc_inc(faults_mended);
        TRACE(TRC_PV_PAGING_FIXUP | TRC_64_FLAG, TRACE_LONG(regs->rip), TRACE_LONG(address));
        cpu_flush_local(FLUSH_ONE, address);
        return true;
    }
    /* The stock hypervisor does this whether or not the guest asked by VMASST. */
    return write && v->kernel_mode && emulate_write(regs, address, entry);
}
