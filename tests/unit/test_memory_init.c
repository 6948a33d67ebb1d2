// sources: memory/map.c memory/early.c memory/frame.c memory/alloc.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* From a memory map to page tables, frame table, machine-to-phys table and free memory, as at boot.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#define write_cr3 privileged_write_cr3
#include "cpu/instructions.h"
#undef write_cr3
#define FAKE_FRAMES 16384
#define mfn_to_virt fake_mfn_to_virt
#define m2p_set     fake_m2p_set
#define m2p_get     fake_m2p_get
#include "fake_memory.h"
#undef mfn_to_virt
#undef m2p_set
#undef m2p_get

#include "cpu/features.h"
#include "lib/log.h"

/* The image is empty here, and not where it is linked for. */
char image[PAGE_SIZE] __aligned_to(4096);
#define PART(name) __asm__(".globl " #name "\n.set " #name ", image\n")
PART(__text_start);
PART(__text_end);
PART(__rodata_start);
PART(__rodata_end);
#define __data_start world_data_start /* the host has one */
PART(world_data_start);
PART(__data_end);
PART(__ro_after_init_start);
PART(__ro_after_init_end);
PART(__init_start);
PART(__init_text_end);
PART(__init_end);

static u64 cr3;
static void write_cr3(u64 value)
{
    cr3 = value;
}
void *mfn_to_virt(mfn_t m)
{
    return m.raw < FAKE_FRAMES ? fake_mfn_to_virt(m) : image;
}
void *paddr_to_virt(paddr_t a)
{
    return mfn_to_virt(paddr_to_mfn(a));
}
void printk(enum log_level level, const char *format, ...)
{
    (void)level, (void)format;
}
/* Nothing of the image is nowhere. */
#define map_pages(va, first, n, flags) ((n) ? map_pages(va, first, n, flags) : 0)
#define protect_pages(va, n, flags)    ((n) ? protect_pages(va, n, flags) : 0)
#define unmap_pages(va, n)             ((n) ? unmap_pages(va, n) : (void)0)
#include "memory/init.c"
#include "memory/m2p.c"

u32 cpu_features[CPUID_WORDS];

static void add(u64 start, u64 size, u32 type)
{
    memory_regions[memory_region_count++] = (struct memory_region){start, size, type};
}

static void test_boot(void **state)
{
    const struct memory_reserved reserved[] = {{0x200000, 0x234567}, {0x1000000, 0x1000001}};
    u64 free;

    (void)state;
    fake_arena = aligned_alloc(LARGE, (u64)FAKE_FRAMES << PAGE_SHIFT);
    host_frame_table = calloc(1UL << 18, sizeof(struct frame));
    assert_true(fake_arena && host_frame_table);
    add(0, 0x9f123, 1);
    add(0x100000, 0x3d00000, 1);
    add(0x3000000, 0x100000, 2); /* said twice: it is none */
    add(~0UL - 0x1000, 0x5000, 2);
    add(RAM_LIMIT - 0x1000, 0x5000, 3);
    memory_init(reserved, ARRAY_SIZE(reserved));
    assert_int_equal(cr3, virt_to_mfn(hv_l4).raw << PAGE_SHIFT);
    assert_int_equal(memory_total(), 0x3c00);
    assert_int_equal(frame_table_end, 0x3e00);
    /* RAM is mapped where it should be, the hole is not. */
    for (u64 m = 0; m < 0x3e00; m++) {
        bool is_ram = m < 0x9f || (m >= 0x100 && (m < 0x3000 || m >= 0x3100));

        assert_int_equal(map_lookup(DIRECT_MAP_START + (m << PAGE_SHIFT)).raw, is_ram ? m : ~0UL);
        if (m >= 0x100)
            assert_int_equal(mfn_is_ram(mfn(m)), is_ram);
    }
    assert_true(memory_is_io(paddr(0), 0x100000)); /* what is below 1 MiB is nobody's */
    assert_false(memory_is_io(paddr(0xff000), 0x2000));
    assert_true(memory_is_io(paddr(0x3000000), 0x100000));
    assert_false(memory_is_io(paddr(0x3000000), 0x100001));
    assert_false(memory_is_io(paddr(~0UL - 5), 10));
    /* What is reserved was not given away. */
    free = memory_free();
    assert_in_range(free, 0x3c00 - 0x600, 0x3c00 - 0x36);
    for (struct frame *f; (f = frames_alloc(NULL, 0, 0, 0));) {
        u64 m = frame_to_mfn(f).raw;

        assert_true((m < 0x200 || m > 0x234) && m != 0x1000 && !(m >= 0x3000 && m < 0x3100));
        free--;
    }
    assert_int_equal(free, 0);
    assert_int_equal(m2p_entries(), 0x3e00);
    assert_false(mfn_is_none(m2p_extent(0)));
    assert_true(mfn_is_none(m2p_extent(1)));
    assert_int_equal(map_lookup(M2P_RO_START).raw, m2p_extent(0).raw);
    memory_init_done();
    assert_int_equal(memory_free_init(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_boot)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
