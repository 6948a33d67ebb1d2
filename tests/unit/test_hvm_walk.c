// sources: hvm/walk.c core/physmap.c memory/p2m.c
// sources: memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's page tables, made at random in each of the forms there are, walked
 * with random rights: where it leads, what the fault says and which accessed
 * and dirty bits are set, as a few lines here say it (Intel SDM vol. 3, 4.3 to
 * 4.8).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "host/translated_world.h"

#define PRESENT  1UL
#define WRITABLE 2UL
#define USER     4UL
#define ACCESSED 0x20UL
#define DIRTY    0x40UL
#define LARGE    0x80UL
#define NX       (1UL << 63)
#define WP       (1UL << 16)
#define PG       (1UL << 31)
#define PSE      (1UL << 4)
#define PAE      (1UL << 5)
#define SMEP     (1UL << 20)
#define SMAP     (1UL << 21)
#define LMA      (1UL << 10)
#define NXE      (1UL << 11)
#define AC       (1UL << 18)

static const struct hvm_machine machine = {.name = "test", .get_paging = get_paging};
const struct hvm_machine *hvm_machine = &machine;

/* ---- the guest's memory ---- */

static u64 random64(void)
{
    return (u64)rand() << 42 ^ (u64)rand() << 21 ^ (u64)rand();
}

static bool chance(u32 of)
{
    return (u32)rand() % of == 0;
}

/* ---- tables at random ---- */

enum form { TWO_LEVELS, THREE_LEVELS, FOUR_LEVELS };

static struct made {
    enum form form;
    u32 top, leaf; /* levels */
    u64 linear, physical;
    u64 where[4], entry[4]; /* by level */
    bool there, user, write, no_execute;
} made;

static u32 size_of_entry(void)
{
    return made.form == TWO_LEVELS ? 4 : 8;
}
static u32 shift_of(u32 level)
{
    return 12 + level * (made.form == TWO_LEVELS ? 10 : 9);
}
static bool is_pointer(u32 level)
{
    return made.form == THREE_LEVELS && level == 2;
}

static u64 entry_now(u32 level)
{
    u64 value = 0;

    memcpy(&value, at(made.where[level]), size_of_entry());
    return value;
}

static u64 random_flags(u32 level)
{
    u64 flags = (chance(16) ? 0 : PRESENT) | (random64() & 0xe00);

    if (is_pointer(level))
        return flags;
    flags |= (chance(3) ? 0 : WRITABLE) | (chance(3) ? 0 : USER) |
             (random64() & (ACCESSED | DIRTY | 0x18));
    if (made.form != TWO_LEVELS && chance(4))
        flags |= NX;
    return flags;
}

/* Where a mapping at this level may lead: aligned, of 36 bits of frame numbers. */
static u64 random_page(u32 level)
{
    u32 bits = made.form == TWO_LEVELS ? (level ? 40 : 32) : 48;

    return random64() & ((1UL << bits) - 1) & ~((1UL << shift_of(level)) - 1);
}

static void make(void)
{
    static const struct {
        u32 form, leaf;
    } forms[] = {{TWO_LEVELS, 0},  {TWO_LEVELS, 1},  {THREE_LEVELS, 0}, {THREE_LEVELS, 1},
                 {FOUR_LEVELS, 0}, {FOUR_LEVELS, 1}, {FOUR_LEVELS, 2}};
    u32 pick = (u32)rand() % ARRAY_SIZE(forms);
    u64 table = 10 + (u64)rand() % 4, page;

    memset(&made, 0, sizeof(made));
    made.form = forms[pick].form;
    made.top = made.form + 1;
    made.leaf = forms[pick].leaf;
    made.there = made.user = made.write = true;
    made.linear = random64() & ~7UL;
    if (made.form != FOUR_LEVELS)
        made.linear &= 0xffffffff;
    else
        made.linear = (u64)((s64)(made.linear << 16) >> 16);
    paging.cr0 = PG | 1 | (random64() & WP);
    paging.cr4 = random64() & (SMEP | SMAP);
    paging.cr4 |= made.form == TWO_LEVELS ? (made.leaf ? PSE : random64() & PSE) : PAE;
    paging.efer = (random64() & NXE) | (made.form == FOUR_LEVELS ? LMA : 0);
    guest_regs()->rflags = 2 | (random64() & AC);
    page = table << PAGE_SHIFT;
    if (made.form == THREE_LEVELS)
        page |= random64() & 0xfe0; /* the four pointers are anywhere in it */
    paging.cr3 = page | (random64() & 0x18);
    for (u32 level = made.top;; level--) {
        u64 slots = is_pointer(level) ? 4 : 4096 / size_of_entry();
        u64 *entry = &made.entry[level];

        made.where[level] = page + (made.linear >> shift_of(level)) % slots * size_of_entry();
        *entry = random_flags(level);
        made.there &= *entry & PRESENT;
        if (!is_pointer(level)) {
            made.user &= !!(*entry & USER);
            made.write &= !!(*entry & WRITABLE);
            made.no_execute |= *entry & NX && paging.efer & NXE;
        }
        if (level == made.leaf)
            break;
        table = 10 + (table - 10 + 4) % 16;
        page = table << PAGE_SHIFT;
        *entry |= page;
        /* Without PSE the bit means nothing. */
        if (made.form == TWO_LEVELS && !(paging.cr4 & PSE) && chance(2))
            *entry |= LARGE;
        memcpy(at(made.where[level]), entry, size_of_entry());
    }
    page = random_page(made.leaf);
    made.physical = page | (made.linear & ((1UL << shift_of(made.leaf)) - 1));
    made.entry[made.leaf] |= made.leaf ? LARGE : random64() & 0x80;
    if (made.leaf)
        made.entry[made.leaf] |= random64() & 0x1000; /* PAT */
    if (made.form == TWO_LEVELS && made.leaf)         /* PSE-36 */
        made.entry[made.leaf] |= (page & 0xffc00000) | (page >> 32 << 13);
    else
        made.entry[made.leaf] |= page;
    memcpy(at(made.where[made.leaf]), &made.entry[made.leaf], size_of_entry());
}

static bool may(u32 access)
{
    if ((access & HVM_FETCH) && made.no_execute)
        return false;
    if (access & HVM_USER)
        return made.user && (made.write || !(access & HVM_WRITE));
    if (made.user && (access & HVM_FETCH) && (paging.cr4 & SMEP))
        return false;
    if (made.user && !(access & HVM_FETCH) && (paging.cr4 & SMAP) && !(guest_regs()->rflags & AC))
        return false;
    return !(access & HVM_WRITE) || made.write || !(paging.cr0 & WP);
}

static u32 succeeded[3][3], failed; /* by form and level of the mapping */

static void one_walk(void)
{
    static const u32 accesses[] = {
        HVM_READ, HVM_WRITE, HVM_FETCH, HVM_USER, HVM_USER | HVM_WRITE, HVM_USER | HVM_FETCH};
    u32 access = accesses[rand() % ARRAY_SIZE(accesses)], error = access & (HVM_WRITE | HVM_USER);
    struct hvm_fault fault = {1, 2};
    u64 *data, value = random64(), buffer = value, old;
    bool new, good;
    int status;

    make();
    new = p2m_lookup(&guest->p2m, made.physical >> PAGE_SHIFT).kind == P2M_NONE;
    if (new)
        give(made.physical >> PAGE_SHIFT);
    else if (made.physical >> PAGE_SHIFT < 32)
        return; /* the tables themselves */
    data = at(made.physical);
    *data = old = random64();
    good = made.there && may(access);
    status = hvm_copy_linear(&vcpu, made.linear, &buffer, sizeof(buffer), access, &fault);
    assert_int_equal(status, good ? 0 : -EFAULT);
    if (good)
        succeeded[made.form][made.leaf]++;
    else
        failed++;
    if (made.there)
        error |= 1;
    if ((access & HVM_FETCH) &&
        ((paging.cr4 & SMEP) || ((paging.cr4 & PAE) && (paging.efer & NXE))))
        error |= 16;
    if (good) {
        assert_int_equal(access & HVM_WRITE ? *data : buffer, access & HVM_WRITE ? value : old);
        assert_int_equal(fault.address, 1);
    } else {
        assert_int_equal(*data, old);
        assert_int_equal(buffer, value);
        assert_int_equal(fault.address, made.linear);
        assert_int_equal(fault.error, error);
    }
    for (u32 level = made.leaf; level <= made.top; level++) {
        u64 now = entry_now(level), want = made.entry[level];

        if (!is_pointer(level) && (good || ((now & ACCESSED) && (want & PRESENT))))
            want |= ACCESSED;
        if (good && (access & HVM_WRITE) && level == made.leaf)
            want |= DIRTY;
        assert_int_equal(now, want);
    }
    if (new)
        assert_int_equal(physmap_remove(&guest->d, made.physical >> PAGE_SHIFT, 0), 0);
}

static void random_tables(void **state)
{
    (void)state;
    for (u32 round = 0; round < 100000; round++) {
        if (round % 256 == 255) { /* its map has grown by tables all over */
            teardown(state);
            setup(state);
        }
        one_walk();
    }
    assert_in_range(failed, 10000, 90000);
    for (u32 form = TWO_LEVELS; form <= FOUR_LEVELS; form++)
        for (u32 leaf = 0; leaf < 2 || (form == FOUR_LEVELS && leaf < 3); leaf++)
            assert_in_range(succeeded[form][leaf], 1000, 90000);
}

/* ---- one by one ---- */

/* Four levels; `count` pages from `linear` (in one table) lead to guest frames from `first`. */
static void map_long(u64 linear, u64 first, u32 count)
{
    u64 table = 10;

    paging =
        (struct hvm_paging){.cr0 = PG | WP | 1, .cr3 = 10 << 12, .cr4 = PAE, .efer = LMA | NXE};
    for (u64 i = 10; i < 14; i++)
        memset(at(i << PAGE_SHIFT), 0, PAGE_SIZE);
    for (u32 level = 3; level; level--, table++)
        ((u64 *)at(table << PAGE_SHIFT))[linear >> (12 + 9 * level) & 511] =
            (table + 1) << PAGE_SHIFT | PRESENT | WRITABLE | USER;
    for (u32 i = 0; i < count; i++)
        ((u64 *)at(table << PAGE_SHIFT))[(linear >> 12 & 511) + i] = (first + i) << PAGE_SHIFT |
                                                                     PRESENT | WRITABLE;
}

static void across_pages(void **state)
{
    u8 in[3 * PAGE_SIZE], out[3 * PAGE_SIZE];
    u64 base = 0xffffffff80400000UL;
    struct hvm_fault fault = {1, 2};

    (void)state;
    map_long(base, 3, 3);
    for (u32 i = 0; i < sizeof(in); i++)
        in[i] = (u8)rand();
    assert_int_equal(hvm_copy_linear(&vcpu, base + 100, in, 2 * PAGE_SIZE, HVM_WRITE, &fault), 0);
    assert_int_equal(hvm_copy_linear(&vcpu, base + 100, out, 2 * PAGE_SIZE, HVM_READ, NULL), 0);
    assert_memory_equal(in, out, 2 * PAGE_SIZE);
    assert_memory_equal(at((4 << PAGE_SHIFT) + 7), in + PAGE_SIZE - 100 + 7, 1000);
    /* Up to the edge, and over it. */
    assert_int_equal(hvm_copy_linear(&vcpu, base + 2 * PAGE_SIZE, in, PAGE_SIZE, HVM_WRITE, &fault),
                     0);
    assert_int_equal(fault.address, 1);
    assert_int_equal(
        hvm_copy_linear(&vcpu, base + 2 * PAGE_SIZE + 1, in, PAGE_SIZE, HVM_WRITE, &fault),
        -EFAULT);
    assert_int_equal(fault.address, base + 3 * PAGE_SIZE);
    assert_int_equal(fault.error, HVM_WRITE);
    assert_int_equal(hvm_copy_linear(&vcpu, base + 3 * PAGE_SIZE, in, 1, HVM_READ, NULL), -EFAULT);
    assert_int_equal(hvm_copy_linear(&vcpu, base, in, 0, HVM_READ, &fault), 0);
}

static void not_canonical(void **state)
{
    struct hvm_fault fault = {1, 2};
    u8 byte;

    (void)state;
    map_long(0x00007ffffffff000UL, 3, 1);
    assert_int_equal(hvm_copy_linear(&vcpu, 0x00007fffffffffffUL, &byte, 1, HVM_READ, &fault), 0);
    assert_int_equal(hvm_copy_linear(&vcpu, 0x0000800000000000UL, &byte, 1, HVM_READ, &fault),
                     -EFAULT);
    assert_int_equal(fault.error & 1, 0);
    u16 two;
    assert_int_equal(hvm_copy_linear(&vcpu, 0x00007fffffffffffUL, &two, 2, HVM_READ, &fault),
                     -EFAULT);
    assert_int_equal(fault.address, 0x0000800000000000UL);
    assert_int_equal(hvm_copy_linear(&vcpu, 0xffff7ffffffff000UL, &byte, 1, HVM_READ, &fault),
                     -EFAULT);
    assert_int_equal(hvm_copy_linear(&vcpu, 0x80007ffffffff000UL, &byte, 1, HVM_READ, &fault),
                     -EFAULT);
}

/* Tables and pages that are no memory: never more than a fault. */
static void no_memory(void **state)
{
    struct hvm_fault fault = {1, 2};
    u64 base = 0x400000, *tables[4];
    u8 byte;

    (void)state;
    map_long(base, 1000, 1); /* the page is not there */
    assert_int_equal(hvm_copy_linear(&vcpu, base, &byte, 1, HVM_READ, &fault), -EFAULT);
    assert_int_equal(fault.address, ~0UL);
    map_long(base, 3, 1);
    for (u32 level = 3; level; level--) {
        tables[level] = (u64 *)at((13 - level) << PAGE_SHIFT) + (base >> (12 + 9 * level) & 511);
        *tables[level] |= 1UL << 50; /* leads nowhere */
        assert_int_equal(hvm_copy_linear(&vcpu, base, &byte, 1, HVM_READ, &fault), -EFAULT);
        assert_int_equal(fault.address, base);
        assert_int_equal(fault.error, 0);
        *tables[level] &= ~(1UL << 50);
    }
    assert_int_equal(hvm_copy_linear(&vcpu, base, &byte, 1, HVM_READ, &fault), 0);
    paging.cr3 = 1UL << 45;
    assert_int_equal(hvm_copy_linear(&vcpu, base, &byte, 1, HVM_READ, &fault), -EFAULT);
    paging.cr3 = ~0UL;
    assert_int_equal(hvm_copy_linear(&vcpu, base, &byte, 1, HVM_READ, &fault), -EFAULT);
    assert_int_equal(hvm_copy_physical(&guest->d, 5 << PAGE_SHIFT, &byte, 1, false), 0);
    assert_int_equal(hvm_copy_physical(&guest->d, (32 << PAGE_SHIFT) - 1, &fault, 2, true),
                     -EFAULT);
    assert_int_equal(hvm_copy_physical(&guest->d, ~0UL, &fault, 8, true), -EFAULT);
}

/* Addresses of 32 bits: the rest counts for nothing, and they wrap. */
static void narrow(void **state)
{
    struct hvm_fault fault = {1, 2};
    u64 value = 0x1122334455667788UL, back = 0;
    u32 *top = at(10 << PAGE_SHIFT), *low = at(11 << PAGE_SHIFT), *high = at(12 << PAGE_SHIFT);

    (void)state;
    assert_int_equal(hvm_copy_linear(&vcpu, 0x5008, &value, 8, HVM_WRITE, &fault),
                     0); /* no paging */
    assert_int_equal(hvm_copy_linear(&vcpu, 0xabcd00005008UL, &back, 8, HVM_READ, &fault), 0);
    assert_int_equal(back, value);
    assert_memory_equal(at(0x5008), &value, 8);
    memset(top, 0, PAGE_SIZE);
    memset(low, 0, PAGE_SIZE);
    memset(high, 0, PAGE_SIZE);
    paging = (struct hvm_paging){.cr0 = PG | 1, .cr3 = 10 << 12};
    top[0] = 11 << 12 | 7;
    top[1023] = 12 << 12 | 7;
    low[0] = 6 << 12 | 7;
    high[1023] = 7 << 12 | 7;
    assert_int_equal(hvm_copy_linear(&vcpu, 0xfffffffc, &value, 8, HVM_WRITE, &fault), 0);
    assert_memory_equal(at(0x7ffc), &value, 4);
    assert_memory_equal(at(0x6000), (char *)&value + 4, 4);
    assert_int_equal(hvm_copy_linear(&vcpu, 0x1234fffffffcUL, &back, 8, HVM_READ, &fault), 0);
    assert_int_equal(back, value);
    low[0] = 0;
    assert_int_equal(hvm_copy_linear(&vcpu, 0xfffffffc, &value, 8, HVM_WRITE, &fault), -EFAULT);
    assert_int_equal(fault.address, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(across_pages), TEST(not_canonical), TEST(no_memory), TEST(narrow), TEST(random_tables),
    };

    srand(1);
    fake_memory_init();
    return cmocka_run_group_tests_name("hvm_walk", tests, NULL, NULL);
}
