/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Builds, in this order: the set of RAM; the final page tables (direct map,
 * image with W^X) from RAM below 4 GiB, which the early tables reach; loads
 * them; the frame table and the machine-to-phys table from the highest RAM;
 * and gives the rest to the page allocator.
 *
 * RAM below 1 MiB is in the direct map (the other CPUs start there) but not in
 * the frame table: to guests it is what the BIOS area around it is, I/O.
 * Boot CPU only, no locks.
 */
#include "memory/init.h"

#include "cpu/instructions.h"
#include "cpu/work.h"
#include "memory/alloc.h"
#include "memory/internal.h"

#define LOW_END   0x100000UL
#define EARLY_END 0x100000000UL /* what the early tables' direct map reaches */
#define RAM_LIMIT (DIRECT_MAP_END - DIRECT_MAP_START)
#define LARGE     0x200000UL

/* From the linker script; each pair is page aligned. Init data follows init text. */
extern char __text_start[], __text_end[], __rodata_start[], __rodata_end[];
extern char __data_start[], __data_end[];
extern char __ro_after_init_start[], __ro_after_init_end[];
extern char __init_start[], __init_text_end[], __init_end[];

static struct memory_ranges ram;                 /* at and above LOW_END; kept for memory_is_io */
static struct memory_ranges low_ram __initdata;  /* below */
static struct memory_ranges free_ram __initdata; /* of ram, what nobody has yet */
static u64 frames_total __ro_after_init;         /* those we use ourselves included */

bool memory_is_io(paddr_t start, u64 size)
{
    u64 end;

    if (__builtin_add_overflow(start.raw, size, &end))
        return false;
    return !ranges_overlap(&ram, start.raw, end);
}

u64 memory_total(void)
{
    return frames_total;
}

/* RAM is what some region calls RAM and no region calls anything else. */
static __init void find_ram(const struct memory_reserved *reserved, u32 n)
{
    static struct memory_ranges all __initdata;

    for (u32 pass = 0; pass < 2; pass++)
        for (u32 i = 0; i < memory_region_count; i++) {
            const struct memory_region *r = &memory_regions[i];
            u64 end;

            if (__builtin_add_overflow(r->start, r->size, &end))
                end = ~0UL;
            if (pass == 0 && r->type == 1)
                ranges_add(&all, r->start, end);
            if (pass == 1 && r->type != 1)
                ranges_remove(&all, r->start, end);
        }
    ranges_remove(&all, RAM_LIMIT, ~0UL);
    ranges_align(&all, PAGE_SIZE);
    ram = all;
    low_ram = all;
    ranges_remove(&ram, 0, LOW_END);
    ranges_remove(&low_ram, LOW_END, ~0UL);
    free_ram = ram;
    for (u32 i = 0; i < n; i++)
        ranges_remove(&free_ram, ROUND_DOWN(reserved[i].start, PAGE_SIZE),
                      ROUND_UP(reserved[i].end, PAGE_SIZE));
    if (all.overflow || ram.overflow || free_ram.overflow)
        printk(LOG_WARNING, "The memory map has too many pieces: some memory stays unused\n");
    if (!ram.count)
        panic("firmware tells of no memory");
}

__init void memory_must(bool ok)
{
    if (!ok)
        panic("no memory for the tables that describe it");
}

static __init void map_direct(const struct memory_ranges *set)
{
    for (u32 i = 0; i < set->count; i++)
        memory_must(!map_pages(DIRECT_MAP_START + set->r[i].start,
                               mfn(set->r[i].start >> PAGE_SHIFT),
                               (set->r[i].end - set->r[i].start) >> PAGE_SHIFT, MAP_RW));
}

static mfn_t image_mfn(const char *p)
{
    return mfn(((u64)p - IMAGE_START + IMAGE_LOAD_ADDRESS) >> PAGE_SHIFT);
}

/* What the image shows at its own address must not be writable at its other one. */
static int image_protect_alias(const char *start, const char *end, u64 flags)
{
    return protect_pages((u64)mfn_to_virt(image_mfn(start)), image_pages(start, end), flags);
}

static __init void map_image_part(const char *start, const char *end, u64 flags)
{
    memory_must(!map_pages((u64)start, image_mfn(start), image_pages(start, end), flags));
    if (!(flags & PTE_WRITE))
        memory_must(!image_protect_alias(start, end, MAP_RO));
}

static __init void build_tables(void)
{
    hv_l4 = table_page_alloc();
    memory_must(hv_l4);
    for (u32 slot = HV_FIRST_SLOT; slot <= HV_LAST_SLOT; slot++) {
        if (slot == PERDOMAIN_SLOT)
            continue;
        void *l3 = table_page_alloc();
        memory_must(l3);
        hv_l4[slot] = pte_make(virt_to_mfn(l3), PTE_PRESENT | PTE_WRITE | PTE_ACCESSED |
                                                    (slot == HV_FIRST_SLOT ? PTE_USER : 0));
    }
    map_direct(&low_ram);
    map_direct(&ram);
    map_image_part(__text_start, __text_end, MAP_RX);
    map_image_part(__rodata_start, __rodata_end, MAP_RO);
    map_image_part(__ro_after_init_start, __ro_after_init_end, MAP_RW);
    map_image_part(__data_start, __data_end, MAP_RW);
    ASSERT(((u64)__init_text_end & ~PAGE_MASK) == 0);
    map_image_part(__init_start, __init_text_end, MAP_RX);
    map_image_part(__init_text_end, __init_end, MAP_RW);
}

static __init void frames_set_absent(struct frame *f, u64 bytes)
{
    memset(f, 0, bytes);
    for (u64 i = 0; i < bytes / sizeof(*f); i++)
        f[i].count = FRAME_ABSENT;
}

/* Memory for each 2 MiB of frame table that tells of any RAM; in the others every page is one that
 * tells of none. So all of the table can be read. */
static __init void build_frame_table(void)
{
    const u64 frames = LARGE / sizeof(struct frame), span = frames << PAGE_SHIFT;
    struct frame *absent = table_page_alloc();

    memory_must(absent);
    frames_set_absent(absent, PAGE_SIZE);
    frame_table_end = ram.r[ram.count - 1].end >> PAGE_SHIFT;
    for (u64 chunk = 0; chunk * frames < frame_table_end; chunk++) {
        u64 base, va = FRAME_TABLE_START + chunk * LARGE;

        if (ranges_overlap(&ram, chunk * span, (chunk + 1) * span)) {
            base = ranges_take(&free_ram, LARGE, LARGE, ~0UL);
            memory_must(base != ~0UL &&
                        !map_pages(va, mfn(base >> PAGE_SHIFT), LARGE / PAGE_SIZE, MAP_RW));
            frames_set_absent(&frame_table[chunk * frames], LARGE);
        } else {
            for (u64 at = 0; at < LARGE; at += PAGE_SIZE)
                memory_must(!map_pages(va + at, virt_to_mfn(absent), 1, MAP_RO));
        }
    }
    for (u32 i = 0; i < ram.count; i++)
        for (u64 m = ram.r[i].start >> PAGE_SHIFT; m < ram.r[i].end >> PAGE_SHIFT; m++)
            frame_table[m].count = 0;
}

void __init memory_init(const struct memory_reserved *reserved, u32 n)
{
    u64 bytes = 0;

    _Static_assert(!(LARGE % sizeof(struct frame)), "frames in whole pages of the table");

    find_ram(reserved, n);
    early_pages_from(&free_ram, EARLY_END);
    build_tables();
    write_cr3(mfn_to_paddr(virt_to_mfn(hv_l4)).raw);
    cpu_flush_local(FLUSH_TLB_GLOBAL, 0);
    early_pages_from(&free_ram, ~0UL);
    build_frame_table();
    m2p_init(&ram, &free_ram);
    early_pages_from(NULL, 0);
    for (u32 i = 0; i < free_ram.count; i++)
        page_allocator_add(paddr(free_ram.r[i].start), paddr(free_ram.r[i].end));
    for (u32 i = 0; i < ram.count; i++)
        bytes += ram.r[i].end - ram.r[i].start;
    frames_total = bytes >> PAGE_SHIFT;
    printk(LOG_INFO, "System RAM: %lu MiB (%lu KiB), %lu MiB free\n", bytes >> 20, bytes >> 10,
           memory_free() >> (20 - PAGE_SHIFT));
}

void memory_init_done(void)
{
    char *start = __ro_after_init_start, *end = __ro_after_init_end;

    if (protect_pages((u64)start, image_pages(start, end), MAP_RO) ||
        image_protect_alias(start, end, MAP_RO))
        panic("no memory to make data read-only");
}

u64 memory_free_init(void)
{
    mfn_t first = image_mfn(__init_start);
    u64 pages = image_pages(__init_start, __init_end);

    unmap_pages((u64)__init_start, pages);
    if (image_protect_alias(__init_start, __init_end, MAP_RW))
        panic("no memory to free the init sections");
    page_allocator_add(mfn_to_paddr(first), mfn_to_paddr(mfn_add(first, pages)));
    return pages << PAGE_SHIFT;
}
