/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptor tables of PV guests.
 *
 * Each vCPU has a window of 32 pages in its domain's slot 257: 14 pages of
 * its own GDT, two of ours with the processor's descriptors, 16 of its LDT. The
 * guest's pages there are of type segdesc, so that the guest cannot write them
 * and each descriptor has been checked. They are mapped read-only: descriptors
 * get their accessed bit when they are checked, so the processor has nothing
 * to write. GDT pages are shown when they are set, LDT pages when a fault tells
 * that they are wanted.
 *
 * Locks: none. A vCPU's window is changed by itself or while it stands still.
 */

#include "core/access.h"
#include "pv/calls.h"
#include "pv/mm.h"
#include "pv/types.h"

#define GDT_PAGES    FIRST_RESERVED_GDT_PAGE
#define LDT_FIRST    16
#define LDT_PAGES    16
#define WINDOW_FLAGS (PTE_PRESENT | PTE_ACCESSED | PTE_NX)
#define PER_PAGE     (PAGE_SIZE / sizeof(u64))

/* Descriptor fields (Intel SDM vol. 3, 3.4.5). */
#define DESC_TYPE      (0xfUL << 40)
#define DESC_ACCESSED  (1UL << 40)
#define DESC_CODE_DATA (1UL << 44)
#define DESC_DPL       (3UL << 45)
#define DESC_PRESENT   (1UL << 47)

/* A page of zeros to show where the guest has no GDT page: null descriptors. */
static u64 *no_descriptors;

int descriptor_check(u64 *descriptor)
{
    /* What is not present faults when used. Type 0 is the upper half of a
     * 16-byte descriptor and faults as well. */
    if (!(*descriptor & DESC_PRESENT) || !(*descriptor & (DESC_TYPE | DESC_CODE_DATA)))
        return 0;
    /* Gates could lead to our code; TSSs and LDTs are ours alone. */
    if (!(*descriptor & DESC_CODE_DATA))
        return reject(-EINVAL, "gate or system segment in a descriptor table");
    /* Code and data of any base and limit are harmless in ring 3, where the
     * guest's kernel runs too. */
    *descriptor |= DESC_DPL | DESC_ACCESSED;
    return 0;
}

static u64 empty_entry(void)
{
    u64 *page = READ_ONCE(no_descriptors);

    if (!page) {
        page = page_alloc(ALLOC_ZERO);
        if (!page)
            return 0; /* a load from there faults in another way: no harm */
        u64 *seen = atomic_cmpxchg(&no_descriptors, NULL, page);
        if (seen) {
            page_free(page);
            page = seen;
        }
    }
    return pte_make(virt_to_mfn(page), WINDOW_FLAGS);
}

static void put_page(mfn_t m)
{
    struct frame *f = mfn_to_frame(m);

    (void)type_put(f); /* not interruptible: it holds nothing */
    frame_put(f);
}

static int get_page(struct domain *d, u64 number)
{
    struct frame *f = frame_get_from_guest(number, &d->frames);

    if (!f)
        return reject(-EINVAL, "descriptor table in no frame of the domain");
    int error = type_get(f, TYPE_SEGDESC);
    if (error)
        frame_put(f);
    return error;
}

/* After a change of the window: if v is elsewhere, it loads its tables before it runs. */
static void flush_window(const struct pv_vcpu *v)
{
    if (&v->v == current)
        cpu_flush_local(FLUSH_TLB, 0);
}

/* Puts `count` frames into the GDT's part of the window, in place of what is there. */
static void replace_gdt(struct pv_vcpu *v, const u64 *frames, u32 entries)
{
    u64 *window = pv_window(v), empty = empty_entry();
    u32 old_count = (v->gdt_entries + PER_PAGE - 1) / PER_PAGE;
    u32 count = (entries + PER_PAGE - 1) / PER_PAGE;
    mfn_t old[GDT_PAGES];

    for (u32 i = 0; i < GDT_PAGES; i++) {
        old[i] = v->gdt_frames[i];
        v->gdt_frames[i] = i < count ? mfn(frames[i]) : MFN_NONE;
        WRITE_ONCE(window[i], i < count ? pte_make(mfn(frames[i]), WINDOW_FLAGS) : empty);
    }
    v->gdt_entries = entries;
    flush_window(v);
    for (u32 i = 0; i < old_count; i++)
        put_page(old[i]);
}

int pv_set_gdt(struct pv_vcpu *v, const u64 *frames, u32 entries)
{
    u32 count = (entries + PER_PAGE - 1) / PER_PAGE;

    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return reject(-EINVAL, "GDT too long");
    for (u32 i = 0; i < count; i++) {
        int error = get_page(v->v.domain, frames[i]);

        if (error) {
            while (i--)
                put_page(mfn(frames[i]));
            return error;
        }
    }
    replace_gdt(v, frames, entries);
    return 0;
}

void pv_drop_gdt(struct pv_vcpu *v)
{
    replace_gdt(v, NULL, 0);
}

static bool map_ldt_page(struct pv_vcpu *v, u32 page)
{
    u64 *where = &pv_window(v)[LDT_FIRST + page], entry, rights;

    if (*where)
        return true; /* shown meanwhile */
    if (!pv_walk_rights(v, true, v->ldt_base + page * PAGE_SIZE, &entry, &rights) ||
        !(entry & PTE_PRESENT) || get_page(v->v.domain, pte_mfn(entry).raw))
        return false;
    WRITE_ONCE(*where, pte_make(pte_mfn(entry), WINDOW_FLAGS));
    v->ldt_mapped++;
    return true;
}

bool pv_ldt_show(struct pv_vcpu *v, u64 offset)
{
    return offset < (u64)v->ldt_entries * sizeof(u64) &&
           map_ldt_page(v, (u32)(offset >> PAGE_SHIFT));
}

bool pv_ldt_fault(struct pv_vcpu *v, u64 offset)
{
    if (offset >= (u64)v->ldt_entries * sizeof(u64))
        return false;
    if (!pv_ldt_show(v, offset))
        pv_inject_page_fault(v->ldt_base + offset, 0); /* as if it read its LDT there */
    return true;
}

void pv_drop_ldt(struct pv_vcpu *v)
{
    u64 *window = pv_window(v) + LDT_FIRST, old[LDT_PAGES];

    if (!v->ldt_mapped)
        return;
    for (u32 i = 0; i < LDT_PAGES; i++) {
        old[i] = window[i];
        WRITE_ONCE(window[i], 0);
    }
    v->ldt_mapped = 0;
    flush_window(v);
    for (u32 i = 0; i < LDT_PAGES; i++)
        if (old[i])
            put_page(pte_mfn(old[i]));
}

int pv_set_ldt(struct pv_vcpu *v, u64 base, u32 entries)
{
    if (v->ldt_base == base && v->ldt_entries == entries)
        return 0;
    pv_drop_ldt(v);
    v->ldt_base = base;
    v->ldt_entries = entries;
    pv_load_ldt(v);
    return 0;
}

s64 hypercall_set_gdt(u64 list, u64 entries, u64 a2 __unused, u64 a3 __unused, u64 a4 __unused)
{
    u64 frames[GDT_PAGES];

    entries = (u32)entries;
    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return reject(-EINVAL, "GDT too long");
    TRY(guest_copy_in(frames, list, (entries + PER_PAGE - 1) / PER_PAGE * sizeof(frames[0])));
    return pv_set_gdt(to_pv(current), frames, (u32)entries);
}

s64 hypercall_update_descriptor(u64 address, u64 descriptor, u64, u64, u64)
{
    struct domain *d = current->domain;
    struct frame *f __put_frame = frame_get_from_guest(address >> PAGE_SHIFT, &d->frames);

    if (!f || (address & (sizeof(u64) - 1)))
        return reject(-EINVAL, "descriptor in no frame of the domain");
    TRY(descriptor_check(&descriptor));
    /* In a table in use, or in one to be. */
    bool in_use = (READ_ONCE(f->type) & (TYPE_MASK | TYPE_VALIDATED)) ==
                  (TYPE_SEGDESC | TYPE_VALIDATED);
    if (in_use)
        TRY(type_get(f, TYPE_SEGDESC));
    else if (!frame_get_writable(f))
        return reject(-EINVAL, "descriptor in a frame in other use");
    atomic_store((u64 *)mfn_to_virt(frame_to_mfn(f)) + (address & ~PAGE_MASK) / sizeof(u64),
                 descriptor);
    if (in_use)
        (void)type_put(f);
    else
        frame_put_writable(f);
    return 0;
}
