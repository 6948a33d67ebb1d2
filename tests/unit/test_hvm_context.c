// sources: hvm/context.c hvm/dev/devices.c hvm/dev/irq.c hvm/dev/pic.c hvm/dev/ioapic.c
// sources: hvm/dev/pit.c hvm/dev/rtc.c hvm/dev/hpet.c hvm/dev/pmtimer.c hvm/dev/lapic.c
// sources: core/timer.c lib/tree.c lib/bitmap.c platform/rtc.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State records: what is read can be set and is the same then; lists that are
 * damaged in every way are refused, and nothing is read beyond their end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/context_world.h"

static u8 list[WORLD_CONTEXT], other[WORLD_CONTEXT];

/* Every vCPU is up and has something of its own in every record. */
static int setup(void **state)
{
    (void)state;
    srand(1);
    world_xsave = true;
    world_init();
    for (u32 i = 0; i < WORLD_VCPUS; i++) {
        struct hvm_vcpu *v = &world_vcpus[i];
        u8 *bytes = (u8 *)&world_state[i];

        hvm_reset_state(&world_state[i], 0x9a);
        for (u32 n = 0; n < offsetof(struct cpu_user_regs, es); n++)
            ((u8 *)&v->v.regs)[n] = (u8)rand();
        for (u32 n = offsetof(struct hvm_hw_cpu, cr2); n < offsetof(struct hvm_hw_cpu, cs_sel); n++)
            bytes[n] = (u8)rand();
        for (u32 n = 0; n < WORLD_AREA; n++)
            world_fpu[i].area[n] = (u8)rand();
        world_fpu[i].xcr0 = 7;
        v->v.pause_flags = 0;
        v->v.initialised = true;
        v->tsc_aux = 100 + i;
        v->tsc_adjust = 1000 + i;
        v->mtrr.msr_pat_cr = 0x0007040600070406UL;
        v->mtrr.msr_mtrr_fixed[3] = 77 + i;
        v->event = (struct hvm_event){(u8)(13 + i), HVM_EXCEPTION, true, true, 8 * i};
        lapic_write(v, 0xf0, 0x1ff);
        lapic_write(v, 0x80, i);
        lapic_set(v, 0x41 + i, false);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static struct hvm_save_descriptor *record(u8 *from, u16 code, u32 instance)
{
    u8 *at = from;

    for (;;) {
        struct hvm_save_descriptor *s = (struct hvm_save_descriptor *)at;

        if (s->typecode == code && s->instance == instance)
            return s;
        if (s->typecode == HVM_SAVE_CODE(END))
            return NULL;
        at += sizeof(*s) + s->length;
    }
}
#define RECORD(from, name, instance) \
    ((HVM_SAVE_TYPE(name) *)(record(from, HVM_SAVE_CODE(name), instance) + 1))

static void round_trip(void **state)
{
    u32 length = world_get(list);
    struct hvm_save_header *header = RECORD(list, HEADER, 0);
    struct hvm_hw_cpu *cpu = RECORD(list, CPU, 1);

    (void)state;
    assert_int_equal(header->magic, HVM_FILE_MAGIC);
    assert_int_equal(header->version, HVM_FILE_VERSION);
    assert_int_equal(header->cpuid, 0x663);
    assert_int_equal(header->gtsc_khz, 2000000);
    assert_int_equal(cpu->rip, world_vcpus[1].v.regs.rip);
    assert_int_equal(cpu->r15, world_vcpus[1].v.regs.r15);
    assert_int_equal(cpu->cs_base, 0x9a000);
    assert_int_equal(cpu->pending_vector, 14);
    assert_int_equal(cpu->pending_type, HVM_EXCEPTION);
    assert_int_equal(cpu->error_code, 8);
    assert_int_equal(cpu->msr_tsc_aux, 101);
    assert_memory_equal(cpu->fpu_regs, world_fpu[1].area, 512);
    assert_int_equal(RECORD(list, LAPIC, 0)->apic_base_msr, 0xfee00900);
    assert_int_equal(RECORD(list, LAPIC_REGS, 2)->data[0x80], 2);
    assert_int_equal(RECORD(list, LAPIC_REGS, 2)->data[0x220], 8); /* IRR: 0x43 */
    assert_int_equal(RECORD(list, MTRR, 2)->msr_mtrr_fixed[3], 79);
    assert_int_equal(RECORD(list, TSC_ADJUST, 1)->tsc_adjust, 1001);
    assert_int_equal(record(list, CPU_XSAVE_CODE, 0)->length,
                     offsetof(struct hvm_hw_cpu_xsave, save_area) + WORLD_AREA);
    /* Into a domain just made. */
    world_end();
    world_init();
    assert_int_not_equal(world_get(other), length); /* none of its vCPUs is up */
    assert_int_equal(world_set(list, length), 0);
    assert_int_equal(world_get(other), length);
    assert_memory_equal(list, other, length);
    for (u32 i = 0; i < WORLD_VCPUS; i++) {
        assert_int_equal(world_vcpus[i].v.pause_flags, 0);
        assert_true(world_vcpus[i].v.initialised);
        assert_false(world_vcpus[i].lapic.waits);
        assert_int_equal(lapic_highest(&world_vcpus[i]), 0x41 + i);
    }
    world_check();
}

/* The counters of all vCPUs are of one moment, and go on from there together. */
static void one_moment(void **state)
{
    struct hvm_hw_cpu *a, *b;
    u64 apart = 1UL << 40, now;
    u32 length;

    (void)state;
    for (u32 khz = 0; khz <= 3000000; khz += 3000000) {
        world_domain.d.tsc_khz = khz;
        world_vcpus[0].tsc_offset = 0;
        world_vcpus[1].tsc_offset = apart;
        length = world_get(list);
        a = RECORD(list, CPU, 0);
        b = RECORD(list, CPU, 1);
        a->tsc = 1000;
        b->tsc = 1000 + apart;
        assert_int_equal(world_set(list, length), 0);
        assert_int_equal(world_vcpus[1].tsc_offset - world_vcpus[0].tsc_offset, apart);
        assert_int_equal(world_tsc_offset[1], world_vcpus[1].tsc_offset);
        now = hvm_tsc(&world_vcpus[0]);
        assert_true(now >= 1000 && now < apart);
        assert_int_equal(hvm_context_get(&world_domain.d, list), length);
        assert_int_equal(RECORD(list, CPU, 1)->tsc - RECORD(list, CPU, 0)->tsc, apart);
        assert_int_equal(RECORD(list, HEADER, 0)->gtsc_khz, khz ? khz : 2000000);
        assert_true(RECORD(list, CPU, 0)->tsc >= now);
    }
}

/* One that is down has no CPU record, and stays down. */
static void one_is_down(void **state)
{
    u32 length;

    (void)state;
    world_vcpus[1].v.pause_flags = PAUSE_DOWN;
    length = world_get(list);
    assert_null(record(list, HVM_SAVE_CODE(CPU), 1));
    assert_non_null(record(list, HVM_SAVE_CODE(CPU), 2));
    assert_non_null(record(list, HVM_SAVE_CODE(LAPIC), 1));
    world_end();
    world_init();
    assert_int_equal(world_set(list, length), 0);
    assert_int_equal(world_vcpus[1].v.pause_flags, PAUSE_DOWN);
    assert_true(world_vcpus[1].lapic.waits);
}

static void without_xsave(void **state)
{
    u32 length;

    (void)state;
    length = world_get(list);
    world_xsave = false;
    assert_true(world_get(other) < length);
    assert_null(record(other, CPU_XSAVE_CODE, 0));
    world_check();
    assert_int_equal(world_set(list, length), -EINVAL); /* from a better machine */
}

/* Any list that ends early lacks its end, or a record goes beyond it. */
static void cut_short(void **state)
{
    u32 length = world_get(list);

    (void)state;
    for (u32 n = 0; n < length; n++)
        assert_int_equal(world_set(list, n), -ENODATA);
    assert_int_equal(world_set(list, length), 0);
    /* What comes after the end is nobody's. */
    memset(list + length, 0xff, 100);
    assert_int_equal(world_set(list, length + 100), 0);
}

static int with(u16 code, u32 instance, const struct hvm_save_descriptor *instead)
{
    u32 length = world_get(list);

    *record(list, code, instance) = *instead;
    return world_set(list, length);
}
#define WITH(name, typecode, instance, length) \
    with(HVM_SAVE_CODE(name), 0, &(const struct hvm_save_descriptor){typecode, instance, length})

static void wrong_records(void **state)
{
    (void)state;
    assert_int_equal(WITH(CPU, 2, WORLD_VCPUS, HVM_SAVE_LENGTH(CPU)), -EINVAL);
    assert_int_equal(WITH(CPU, 2, WORLD_VCPUS + 1, HVM_SAVE_LENGTH(CPU)), -EINVAL);
    assert_int_equal(WITH(CPU, 2, 0xffff, HVM_SAVE_LENGTH(CPU)), -EINVAL);
    for (u16 code = 0; code < 64; code++) {
        /* CPU, header, LAPIC ... are no longer where the list says, or are unknown. */
        if (code != HVM_SAVE_CODE(CPU) && code != HVM_SAVE_CODE(END))
            assert_int_equal(WITH(CPU, code, 0, HVM_SAVE_LENGTH(CPU)), -EINVAL);
    }
    assert_int_equal(WITH(CPU, 0xffff, 0, HVM_SAVE_LENGTH(CPU)), -EINVAL);
#define LENGTHS(name)                                                                         \
    assert_int_equal(WITH(name, HVM_SAVE_CODE(name), 0, 0), -EINVAL);                         \
    assert_int_equal(WITH(name, HVM_SAVE_CODE(name), 0, HVM_SAVE_LENGTH(name) - 1), -EINVAL); \
    assert_int_equal(WITH(name, HVM_SAVE_CODE(name), 0, HVM_SAVE_LENGTH(name) + 8), -EINVAL); \
    assert_int_equal(WITH(name, HVM_SAVE_CODE(name), 0, ~0U), -ENODATA)
    LENGTHS(CPU);
    LENGTHS(LAPIC);
    LENGTHS(LAPIC_REGS);
    LENGTHS(MTRR);
    LENGTHS(TSC_ADJUST);
    LENGTHS(HEADER);
    for (u32 length = 0; length < 0x240 + 24; length++)
        assert_int_equal(
            with(CPU_XSAVE_CODE, 0, &(const struct hvm_save_descriptor){CPU_XSAVE_CODE, 0, length}),
            -EINVAL);
    assert_int_equal(
        with(CPU_XSAVE_CODE, 0,
             &(const struct hvm_save_descriptor){
                 CPU_XSAVE_CODE, 0, offsetof(struct hvm_hw_cpu_xsave, save_area) + WORLD_AREA + 8}),
        -EINVAL);
    world_check();
}

static void wrong_headers(void **state)
{
    struct hvm_save_descriptor header = {HVM_SAVE_CODE(HEADER), 0, 0};
    u32 length = world_get(list);
    u32 head = sizeof(header) + sizeof(struct hvm_save_header);

    (void)state;
    RECORD(list, HEADER, 0)->magic ^= 1;
    assert_int_equal(world_set(list, length), -EINVAL);
    assert_int_equal(world_set(list + head, length - head), -EINVAL); /* none */
    world_get(list);
    memmove(list + head, list, length);
    assert_int_equal(world_set(list, length + head), -EINVAL); /* two */
    /* One without contents, and nothing behind it. */
    for (header.length = 0; header.length < 8; header.length++) {
        memset(list, 0, 64);
        memcpy(list, &header, sizeof(header));
        assert_int_equal(world_set(list, sizeof(header) + header.length), -EINVAL);
    }
}

static void wrong_contents(void **state)
{
    u32 length = world_get(list);

    (void)state;
    RECORD(list, CPU, 1)->cr0 = 1UL << 32;
    assert_int_equal(world_set(list, length), -EINVAL);
    world_get(list);
    RECORD(list, LAPIC, 1)->apic_base_msr = 0xfef00900;
    assert_int_equal(world_set(list, length), -EINVAL);
    world_get(list);
    RECORD(list, LAPIC, 1)->apic_base_msr = 0xfee00400; /* x2APIC, but off */
    assert_int_equal(world_set(list, length), -EINVAL);
    world_get(list);
    RECORD(list, MTRR, 1)->msr_pat_cr = 0xff;
    assert_int_equal(world_set(list, length), -EINVAL);
    assert_int_equal(world_vcpus[1].mtrr.msr_pat_cr, 0x0007040600070406UL);
    world_get(list);
    ((struct hvm_hw_cpu_xsave *)(record(list, CPU_XSAVE_CODE, 1) + 1))->xcr0 = 8;
    assert_int_equal(world_set(list, length), -EINVAL);
    world_check();
}

static void access(hvm_device_access *device, u64 address, u32 bytes, u64 value)
{
    struct hvm_device d = {.board = true, .access = device};

    assert_true(hvm_devices_access(&world_vcpus[0], &d, address, bytes, true, &value));
}

/* The board's records, as tools and other hypervisors know them. */
static void board(void **state)
{
    u32 length;

    (void)state;
    access(pic_access, 0x21, 1, 0xfb);
    access(pic_access, 0xa1, 1, 0x7f);
    access(elcr_access, 0x4d1, 1, 0x0c);
    access(ioapic_access, IOAPIC_BASE, 4, 0x10 + 28 * 2);
    access(ioapic_access, IOAPIC_BASE + 0x10, 4, 0x8051);
    assert_int_equal(hvm_pci_link_set(&world_domain.d, 2, 11), 0);
    assert_int_equal(hvm_pci_intx_set(&world_domain.d, 3, 0, true), 0);
    assert_int_equal(hvm_isa_irq_set(&world_domain.d, 4, true), 0);
    access(pit_access, 0x43, 1, 0x34);
    access(pit_access, 0x40, 1, 0x9c);
    access(pit_access, 0x40, 1, 0x2e);
    access(rtc_access, 0x70, 1, 11);
    access(rtc_access, 0x71, 1, 0x42);
    access(hpet_access, HPET_BASE + 0x10, 4, 3);
    access(pm_access, PM_EVENTS_V0 + 2, 2, 0x321);
    world_domain.d.wall_offset = 7200 * NS_SECOND;
    length = world_get(list);
    assert_int_equal(RECORD(list, PIC, 0)->imr, 0xfb);
    assert_int_equal(RECORD(list, PIC, 0)->irr, 0x10);
    assert_int_equal(RECORD(list, PIC, 0)->is_master, 1);
    assert_int_equal(RECORD(list, PIC, 1)->imr, 0x7f);
    assert_int_equal(RECORD(list, PIC, 1)->elcr, 0x0c);
    assert_int_equal(RECORD(list, IOAPIC, 0)->base_address, 0xfec00000);
    assert_int_equal(RECORD(list, IOAPIC, 0)->redirtbl[28].fields.vector, 0x51);
    assert_int_equal(RECORD(list, PCI_IRQ, 0)->pad[0], 1 << 12);
    assert_int_equal(RECORD(list, ISA_IRQ, 0)->pad[0], 1 << 4);
    assert_int_equal(RECORD(list, PCI_LINK, 0)->route[2], 11);
    assert_int_equal(RECORD(list, PIT, 0)->channels[0].count, 11932);
    assert_int_equal(RECORD(list, PIT, 0)->channels[0].mode, 2);
    assert_int_equal(RECORD(list, RTC, 0)->cmos_data[11], 0x42);
    assert_int_equal(RECORD(list, RTC, 0)->cmos_index, 11);
    assert_int_equal(RECORD(list, RTC, 0)->rtc_offset, 7200);
    assert_int_equal(RECORD(list, HPET, 0)->config, 3);
    assert_int_equal(RECORD(list, PMTIMER, 0)->pm1a_en, 0x321);
    world_end();
    world_init();
    assert_int_equal(world_set(list, length), 0);
    assert_int_equal(world_get(other), length);
    assert_memory_equal(list, other, length);
    assert_int_equal(world_domain.d.wall_offset, 7200 * NS_SECOND);
    assert_true(timer_is_active(&world_domain.devices->pit.timer));
    /* What is up is up, and nothing has risen. */
    assert_int_equal(world_domain.devices->levels, 1UL << 28 | 1UL << 4);
    assert_int_equal(RECORD(other, PIC, 1)->irr, 0);
    RECORD(list, IOAPIC, 0)->base_address = 0xfec10000;
    assert_int_equal(world_set(list, length), -EINVAL);
    world_get(list);
    record(list, HVM_SAVE_CODE(PIC), 1)->instance = 2;
    assert_int_equal(world_set(list, length), -EINVAL);
    world_get(list);
    record(list, HVM_SAVE_CODE(PIT), 0)->length -= 8;
    assert_int_equal(world_set(list, length), -EINVAL);
    /* A domain without a board has none of them and takes none. */
    world_get(list);
    world_end();
    world_board = false;
    world_init();
    assert_int_equal(world_set(list, length), -EINVAL);
    assert_true(world_get(other) < length);
    assert_null(record(other, HVM_SAVE_CODE(PIC), 0));
    world_board = true;
}

/* Single bytes and words of a good list are changed: no matter what comes of it. */
static void damaged(void **state)
{
    (void)state;
    for (u32 round = 0; round < 4000; round++) {
        u32 length = world_get(list);

        for (u32 n = 0; n < 1 + (u32)rand() % 4; n++) {
            u32 at = (u32)rand() % length & ~(rand() % 2 ? 7U : 0U);

            list[at] = rand() % 2 ? (u8)rand() : (u8)(list[at] + 1);
        }
        (void)world_set(list, rand() % 4 ? length : (u32)rand() % length);
        world_check();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(round_trip), TEST(one_moment),    TEST(one_is_down),   TEST(without_xsave),
        TEST(cut_short),  TEST(wrong_records), TEST(wrong_headers), TEST(wrong_contents),
        TEST(board),      TEST(damaged),
    };

    return cmocka_run_group_tests_name("hvm_context", tests, NULL, NULL);
}
