/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where everything goes in domain 0's pseudo-physical memory and how it is
 * mapped at the start: the "start-of-day memory layout" of xen/xen.h. Boot only.
 *
 * pfn 0 is at virt_start. Mapped, in this order: the kernel where it wants to
 * be, the initrd and the frame list unless the kernel takes them unmapped,
 * start info, page tables, stack, at least 512 KiB of room, up to a 4 MiB
 * boundary. Behind it, unmapped or elsewhere: the frame list with its tables,
 * the initrd.
 */
#include "boot/dom0.h"

#define SPARE              (512UL << 10)
#define REGION_STEP        (4UL << 20)
#define LEVEL_SHIFT(level) (PAGE_SHIFT + 9 * ((level)-1))

/* Tables of one level needed to map [start, end). */
static u64 __init tables_of_level(u64 start, u64 end, u32 level)
{
    u32 shift = LEVEL_SHIFT(level + 1);
    return ((end - 1) >> shift) - (start >> shift) + 1;
}

static u64 __init tables_for(u64 start, u64 end)
{
    return tables_of_level(start, end, 1) + tables_of_level(start, end, 2) +
           tables_of_level(start, end, 3);
}

const char *__init dom0_layout(const struct kernel_image *image, u64 initrd_size, u64 pages,
                               struct dom0_layout *l)
{
    u64 kernel_end = ROUND_UP(image->virt_end - image->virt_base, PAGE_SIZE) >> PAGE_SHIFT;
    u64 pfn = kernel_end;

    memset(l, 0, sizeof(*l));
    l->virt_start = image->virt_base;
    l->initrd_pages = ROUND_UP(initrd_size, PAGE_SIZE) >> PAGE_SHIFT;
    l->p2m_pages = ROUND_UP(pages * 8, PAGE_SIZE) >> PAGE_SHIFT;

    if (l->virt_start & (REGION_STEP - 1))
        return "its virtual base is not 4 MiB aligned";
    if (!image->mod_start_pfn) {
        l->initrd_pfn = pfn;
        pfn += l->initrd_pages;
    }
    if (!image->has_init_p2m) {
        l->p2m_pfn = pfn;
        l->p2m_virt = l->virt_start + (pfn << PAGE_SHIFT);
        pfn += l->p2m_pages;
    }
    l->start_info_pfn = pfn++;
    l->tables_pfn = pfn;
    /* The tables map themselves, so their number and the region's end grow together. */
    for (l->tables = 1;; l->tables++) {
        u64 used = ((l->tables_pfn + l->tables + 1) << PAGE_SHIFT) + SPARE;
        l->virt_end = l->virt_start + ROUND_UP(used, REGION_STEP);
        if (tables_for(l->virt_start, l->virt_end) + 1 <= l->tables)
            break;
    }
    l->stack_pfn = l->tables_pfn + l->tables;
    pfn = (l->virt_end - l->virt_start) >> PAGE_SHIFT;

    if (image->has_init_p2m) {
        u64 end = image->init_p2m + (l->p2m_pages << PAGE_SHIFT);
        if (image->init_p2m & ((1UL << LEVEL_SHIFT(4)) - 1))
            return "its frame list address is not at the start of a top-level slot";
        l->p2m_virt = image->init_p2m;
        l->p2m_pfn = pfn;
        l->p2m_tables = tables_for(image->init_p2m, end);
        pfn += l->p2m_pages + l->p2m_tables;
    }
    if (image->mod_start_pfn) {
        l->initrd_pfn = pfn;
        pfn += l->initrd_pages;
    }
    l->end_pfn = pfn;
    if (l->virt_end > HV_START && l->virt_start < HV_END)
        return "it wants the hypervisor's addresses";
    if (pfn > pages)
        return "it does not fit in dom0's memory (dom0_mem=)";
    return NULL;
}

struct table_source {
    const struct dom0_memory *m;
    u64 next; /* pfn of the next unused table frame */
    u64 end;
};

#define TABLE_FLAGS (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY)

static u64 *__init next_table(struct table_source *s, u64 entry)
{
    if (entry & PTE_PRESENT)
        return mfn_to_virt(pte_mfn(entry));
    ASSERT(s->next < s->end);
    u64 *t = dom0_frame(s->m, s->next++);
    memset(t, 0, PAGE_SIZE);
    return t;
}

/* Maps [virt, virt + pages) to pfns from `pfn`; those in [ro_start, ro_end) read-only. */
static void __init map_run(struct table_source *s, u64 *l4, u64 virt, u64 pfn, u64 pages,
                           u64 ro_start, u64 ro_end)
{
    for (; pages; pages--, pfn++, virt += PAGE_SIZE) {
        u64 *table = l4;
        for (u32 level = 4; level > 1; level--) {
            u64 *entry = &table[(virt >> LEVEL_SHIFT(level)) & 511];
            u64 *below = next_table(s, *entry);
            *entry = pte_make(virt_to_mfn(below), TABLE_FLAGS);
            table = below;
        }
        u64 flags = TABLE_FLAGS;
        if (pfn >= ro_start && pfn < ro_end)
            flags &= ~PTE_WRITE;
        table[(virt >> PAGE_SHIFT) & 511] = pte_make(dom0_mfn(s->m, pfn), flags);
    }
}

mfn_t __init dom0_tables(const struct dom0_memory *m, const struct kernel_image *image,
                         const struct dom0_layout *l)
{
    struct table_source boot = {m, l->tables_pfn, l->tables_pfn + l->tables};
    u64 *l4 = next_table(&boot, 0);

    map_run(&boot, l4, l->virt_start, 0, (l->virt_end - l->virt_start) >> PAGE_SHIFT, l->tables_pfn,
            l->tables_pfn + l->tables);
    if (image->has_init_p2m) {
        u64 first = l->p2m_pfn + l->p2m_pages;
        struct table_source list = {m, first, first + l->p2m_tables};
        map_run(&list, l4, l->p2m_virt, l->p2m_pfn, l->p2m_pages, 0, 0);
    }
    return virt_to_mfn(l4);
}
