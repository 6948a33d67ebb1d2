// sources: memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c lib/string.c boot/cmdline.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* The address space in which EFI's run-time services are called, for memory maps that make sense
 * and for others. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define FAKE_FRAMES 2048
#include "fake_memory.h"

#include "platform/efi.c"

#define CODE    0x7f000000UL
#define DATA    0x7f100000UL
#define DEVICE  0xe0000000UL
#define RUNTIME EFI_MEMORY_RUNTIME
#define WB      EFI_MEMORY_WB

/* Nothing is called here. */
static u32 warnings;
void printk(enum log_level level, const char *format, ...)
{
    (void)format;
    warnings += level <= LOG_WARNING;
}
int map_pages(u64 va, mfn_t first, u64 n, u64 flags)
{
    (void)first;
    assert_int_equal(va, FIRMWARE_STACK);
    assert_int_equal(n, STACK_SIZE / PAGE_SIZE);
    assert_int_equal(flags, MAP_RW);
    return 0;
}
bool foreign_call(u64 function, const u64 args[5], u64 *result)
{
    (void)function, (void)args, (void)result;
    abort();
}
void fpu_save(struct fpu_state *state)
{
    (void)state;
}
void fpu_restore(struct fpu_state *state)
{
    (void)state;
}
void fpu_reset(void)
{
}
const struct trap_record *trap_last_mended(void)
{
    return NULL;
}

/* What the processor would find: the entry that maps va, without its address; 0: none. */
static u64 rights(u64 va)
{
    const u64 *table = tables;

    for (int level = 3; level >= 0; level--) {
        u64 entry = table[va >> (12 + 9 * level) & 511], below = (1UL << (12 + 9 * level)) - 1;

        if (!(entry & PTE_PRESENT))
            return 0;
        if (level == 0 || (level < 3 && (entry & PTE_PSE))) {
            assert_int_equal(entry & PTE_ADDRESS & ~below, va & ~below & PTE_ADDRESS);
            return entry & ~PTE_ADDRESS & ~(level ? PTE_PSE : 0);
        }
        table = mfn_to_virt(pte_mfn(entry));
    }
    return 0;
}

#define RWX (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY)
#define RW  (RWX | PTE_NX)

static struct efi_facts facts;
static const u16 vendor_name[] = {'x', 0};

static bool start(const struct efi_region *regions, u32 count)
{
    facts = (struct efi_facts){.present = true,
                               .vendor = vendor_name,
                               .runtime_revision = 0x20046,
                               .regions = regions,
                               .region_count = count};
    for (u32 i = 0; i < EFI_SERVICES; i++)
        facts.services[i] = CODE + 0x1000 + i * 16;
    tables = NULL;
    usable = false;
    warnings = 0;
    return true;
}

#define REGION(from, number, how, kind)                                       \
    {                                                                         \
        .start = (from), .pages = (number), .attributes = (how), .type = kind \
    }

static const struct efi_region good[] = {
    REGION(0, 0xa0, WB, 7),
    REGION(0x100000, 0x1000, WB, 4),
    REGION(CODE, 0x10, WB | RUNTIME, EFI_RUNTIME_CODE),
    REGION(DATA, 0x10, WB | RUNTIME, EFI_RUNTIME_DATA),
    REGION(DATA + 0x10000, 4, EFI_MEMORY_WT | RUNTIME, EFI_RUNTIME_DATA),
    REGION(DATA + 0x20000, 4, RUNTIME, EFI_RUNTIME_DATA), /* cached in no way we know */
    REGION(DEVICE, 0x10001, EFI_MEMORY_UC | RUNTIME, EFI_MEMORY_MAPPED_IO),
};

static void test_good(void **state)
{
    static const struct efi_region sections[] = {
        REGION(CODE, 4, EFI_MEMORY_RO, 5),
        REGION(CODE + 0x4000, 0xc, EFI_MEMORY_XP, 5),
        REGION(DATA, 1, EFI_MEMORY_RO | EFI_MEMORY_XP, 6),
        REGION(0x100000, 0x10, EFI_MEMORY_XP, 5), /* not mapped, and stays so */
        REGION(0x7fffffffffff000, ~0UL, EFI_MEMORY_RO, 5),
    };

    (void)state;
    start(good, ARRAY_SIZE(good));
    efi_init(&facts);
    assert_true(efi_runtime_usable());
    assert_int_equal(warnings, 0);
    for (u32 n = 0; n < 0x10; n++) {
        assert_int_equal(rights(CODE + n * PAGE_SIZE), RWX);
        assert_int_equal(rights(DATA + n * PAGE_SIZE), RW);
    }
    assert_int_equal(rights(DATA + 0x10000), RW | PTE_PWT);
    assert_int_equal(rights(DATA + 0x14000), 0);
    assert_int_equal(rights(DATA + 0x20000), 0);
    assert_int_equal(rights(DEVICE), RW | PTE_PCD | PTE_PWT);
    assert_int_equal(rights(DEVICE + 0x10000000), RW | PTE_PCD | PTE_PWT);
    assert_int_equal(rights(DEVICE + 0x10001000), 0);
    assert_int_equal(rights(CODE - 1), 0);
    assert_int_equal(rights(CODE + 0x10000), 0);
    assert_int_equal(rights(0x1000), 0);
    assert_int_equal(rights(0x100000), 0);
    assert_ptr_not_equal(efi.regions, good); /* a copy: boot's is freed */
    assert_memory_equal(efi.regions, good, sizeof(good));

    start(good, ARRAY_SIZE(good));
    facts.sections = sections;
    facts.section_count = ARRAY_SIZE(sections);
    uncached_if_unknown = true; /* efi=attr=uc */
    efi_init(&facts);
    uncached_if_unknown = false;
    assert_true(efi_runtime_usable());
    assert_int_equal(rights(CODE + 0x3000), RWX & ~PTE_WRITE);
    assert_int_equal(rights(CODE + 0x4000), RW);
    assert_int_equal(rights(CODE + 0xf000), RW);
    assert_int_equal(rights(DATA), RW & ~PTE_WRITE);
    assert_int_equal(rights(DATA + 0x1000), RW);
    assert_int_equal(rights(0x100000), 0);
    assert_int_equal(rights(DATA + 0x20000), RW | PTE_PCD | PTE_PWT);
}

/* Each of these is one word of a good map changed: the services are then left alone, and that is
 * said. */
static void test_refused(void **state)
{
    static const struct efi_region extra[] = {
        REGION(CODE + 1, 1, WB | RUNTIME, 6),                /* not on a page's boundary */
        REGION(1UL << 47, 1, WB | RUNTIME, 6),               /* where identity is impossible */
        REGION((1UL << 47) - 4096, 2, WB | RUNTIME, 6),      /* running into there */
        REGION(0x100000000, PAGES_MAX + 1, WB | RUNTIME, 6), /* larger than can be */
        REGION(0x100000000, 1UL << 52, WB | RUNTIME, 6),     /* its size wraps */
        REGION(~0xfffUL, 1, WB | RUNTIME, 6),                /* the very end */
        REGION(DEVICE - 0x1fe000, 512, WB | RUNTIME, 6),     /* runs into large pages */
        REGION(0x100000000, PAGES_MAX, WB | RUNTIME, 6),     /* more tables than there is memory */
    };
    struct efi_region map[ARRAY_SIZE(good) + 1];

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(extra); i++) {
        memcpy(map, good, sizeof(good));
        map[ARRAY_SIZE(good)] = extra[i];
        start(map, ARRAY_SIZE(map));
        efi_init(&facts);
        if (efi_runtime_usable())
            fail_msg("extra region %u", i);
        assert_int_equal(warnings, 1);
    }
}

static void test_services(void **state)
{
    (void)state;
    start(good, ARRAY_SIZE(good));
    facts.services[EFI_GET_VARIABLE] = DATA; /* not code */
    efi_init(&facts);
    assert_false(efi_runtime_usable());
    start(good, ARRAY_SIZE(good));
    facts.services[EFI_QUERY_VARIABLE_INFO] = 0;
    efi_init(&facts);
    assert_false(efi_runtime_usable());
    facts.runtime_revision = 0x1000a; /* which has no such service */
    facts.services[EFI_UPDATE_CAPSULE] = 1;
    efi_init(&facts);
    assert_true(efi_runtime_usable());
    start(good, ARRAY_SIZE(good));
    facts.runtime_revision = 0;
    efi_init(&facts);
    assert_false(efi_runtime_usable());
    start(good, ARRAY_SIZE(good));
    assert_int_equal(parse_efi("attr=no,no-rs", NULL), 0);
    efi_init(&facts);
    assert_false(efi_runtime_usable());
    assert_int_equal(warnings, 0); /* as asked for */
    assert_int_equal(parse_efi("rs=on", NULL), 0);
    assert_true(runtime_wanted);
    assert_int_equal(parse_efi("rs=perhaps", NULL), -EINVAL);
    assert_int_equal(parse_efi("everything", NULL), -EINVAL);
    efi = (struct efi_facts){0};
    facts = (struct efi_facts){0};
    efi_init(&facts); /* a BIOS */
    assert_false(efi.present);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_refused),
    };

    fake_memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
