/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's memory as it sees it: its page tables walked in software (AMD APM
 * vol. 2, chapter 5; Intel SDM vol. 3, chapter 4), with the rights and the
 * accessed and dirty bits that a processor would keep. Tables and data are the
 * guest's and may change under us: each entry is read once, each frame held
 * while it is touched, so all that a race can do is what the race of a
 * processor's own walk could.
 *
 * No locks. Callers: hypercall arguments (core/access.c), the emulator.
 */
#include "core/physmap.h"
#include "cpu/registers.h"
#include "hvm/hvm.h"

int hvm_copy_physical(struct domain *d, u64 address, void *buffer, u64 length, bool write)
{
    while (length) {
        u64 offset = address & ~PAGE_MASK, part = MIN(length, PAGE_SIZE - offset);
        struct frame *f = domain_frame_get(d, address >> PAGE_SHIFT);
        u8 *at;

        if (!f)
            return -EFAULT;
        /* A writable use is what the log of written frames sees (memory/p2m.h). */
        if (write && !frame_get_writable(f)) {
            frame_put(f);
            return -EFAULT;
        }
        at = (u8 *)mfn_to_virt(frame_to_mfn(f)) + offset;
        if (write)
            memcpy(at, buffer, part);
        else
            memcpy(buffer, at, part);
        if (write)
            frame_put_writable(f);
        frame_put(f);
        address += part;
        buffer = (u8 *)buffer + part;
        length -= part;
    }
    return 0;
}

/* Reads the entry at a guest-physical address and sets `set` in it, unless it is not present. */
static bool entry_at(struct domain *d, u64 address, u32 size, u64 set, u64 *entry)
{
    struct frame *f = domain_frame_get(d, address >> PAGE_SHIFT);
    bool mark, done;
    char *at;

    if (!f)
        return false;
    at = (char *)mfn_to_virt(frame_to_mfn(f)) + (address & ~PAGE_MASK);
    *entry = size == 8 ? atomic_load((u64 *)at) : atomic_load((u32 *)at);
    mark = (*entry & PTE_PRESENT) && (*entry & set) != set;
    done = !mark || frame_get_writable(f);
    if (mark && done) {
        atomic_or((u32 *)at, (u32)set); /* in the low half of either size */
        frame_put_writable(f);
    }
    frame_put(f);
    return done;
}

/* Do the rights collected on the way allow it? */
static bool allowed(const struct hvm_paging *p, u64 rights, bool no_execute, u32 access)
{
    bool user = access & HVM_USER;

    if ((access & HVM_FETCH) &&
        (no_execute || (!user && (p->cr4 & CR4_SMEP) && (rights & PTE_USER))))
        return false;
    if (user && !(rights & PTE_USER))
        return false;
    if (!user && !(access & HVM_FETCH) && (p->cr4 & CR4_SMAP) && (rights & PTE_USER) &&
        !(guest_regs()->rflags & RFLAGS_AC))
        return false;
    return !(access & HVM_WRITE) || (rights & PTE_WRITE) || (!user && !(p->cr0 & CR0_WP));
}

/* Address of the page that a mapping at `level` gives. */
static u64 leaf_address(u64 entry, u64 linear, u32 shift, bool wide)
{
    u64 within = (1UL << shift) - 1;

    if (!wide && shift == 22) /* PSE-36: bits 13-20 are address bits 32-39 */
        return (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32 | (linear & within);
    return (entry & PTE_ADDRESS & ~within) | (linear & within);
}

/* Guest-physical address of a linear one; false: *error is what a #PF would say. */
static bool translate(struct hvm_vcpu *v, const struct hvm_paging *p, u64 linear, u32 access,
                      u64 *address, u32 *error)
{
    bool lma = p->efer & EFER_LMA, wide = lma || (p->cr4 & CR4_PAE), no_execute = false;
    u32 bits = wide ? 9 : 10, size = wide ? 8 : 4;
    u64 table = p->cr3 & (lma ? PTE_ADDRESS : wide ? 0xffffffe0UL : 0xfffff000UL);
    u64 rights = PTE_WRITE | PTE_USER, entry;

    *address = linear;
    *error = (access & (HVM_WRITE | HVM_USER)) |
             ((access & HVM_FETCH) && ((wide && (p->efer & EFER_NXE)) || (p->cr4 & CR4_SMEP))
                  ? PF_FETCH
                  : 0);
    if (!(p->cr0 & CR0_PG))
        return true;
    for (u32 level = lma ? 3 : wide ? 2 : 1;; level--) {
        u32 shift = PAGE_SHIFT + level * bits;
        bool pointers = wide && !lma && level == 2; /* four of them, without rights */
        u64 slot = linear >> shift & (pointers ? 3 : (1UL << bits) - 1);
        bool large, leaf;

        if (!entry_at(v->v.domain, table + slot * size, size, pointers ? 0 : PTE_ACCESSED,
                      &entry) ||
            !(entry & PTE_PRESENT))
            return false;
        if (!pointers) {
            rights &= entry;
            no_execute |= (p->efer & EFER_NXE) && wide && (entry & PTE_NX);
        }
        large = (entry & PTE_PSE) && !pointers && (level == 1 || level == 2) &&
                (wide || (p->cr4 & CR4_PSE));
        leaf = !level || large;
        if (!leaf) {
            table = entry & (wide ? PTE_ADDRESS : 0xfffff000UL);
            continue;
        }
        *error |= PF_PRESENT;
        if (!allowed(p, rights, no_execute, access))
            return false;
        if ((access & HVM_WRITE) && !(entry & PTE_DIRTY) &&
            !entry_at(v->v.domain, table + slot * size, size, PTE_DIRTY, &entry))
            return false;
        *address = leaf_address(entry, linear, shift, wide);
        return true;
    }
}

int hvm_translate(struct hvm_vcpu *v, u64 address, u32 access, u64 *physical,
                  struct hvm_fault *fault)
{
    struct hvm_paging p;
    u32 error = 0;

    hvm_machine->get_paging(v, &p);
    if (!(p.efer & EFER_LMA))
        address = (u32)address;
    if ((!(p.efer & EFER_LMA) || address_canonical(address)) &&
        translate(v, &p, address, access, physical, &error))
        return 0;
    if (fault)
        *fault = (struct hvm_fault){address, error};
    return -EFAULT;
}

int hvm_copy_linear(struct hvm_vcpu *v, u64 address, void *buffer, u64 length, u32 access,
                    struct hvm_fault *fault)
{
    while (length) {
        u64 part = MIN(length, PAGE_SIZE - (address & ~PAGE_MASK)), physical;

        if (hvm_translate(v, address, access, &physical, fault))
            return -EFAULT;
        if (hvm_copy_physical(v->v.domain, physical, buffer, part, access & HVM_WRITE)) {
            if (fault)
                *fault = (struct hvm_fault){~0UL, 0};
            return -EFAULT;
        }
        address += part;
        buffer = (u8 *)buffer + part;
        length -= part;
    }
    return 0;
}
