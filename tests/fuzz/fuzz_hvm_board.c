// sources: hvm/dev/devices.c hvm/dev/irq.c hvm/dev/pic.c hvm/dev/ioapic.c hvm/dev/pit.c
// sources: hvm/dev/rtc.c hvm/dev/hpet.c hvm/dev/pmtimer.c hvm/dev/lapic.c hvm/io.c
// sources: core/timer.c lib/tree.c lib/bitmap.c platform/rtc.c
// options: -max_len=4096
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any accesses to the devices of a board, any lines up and down, any records,
 * interrupts taken and ended, time going on in small and large steps: nothing
 * breaks, locks are taken in order (the world checks that), a controller never
 * makes up an interrupt, and timers do not eat the machine.
 */
#include "board_world.h"

static const struct {
    u64 base;
    u32 bytes;
    bool port;
} places[] = {
    {0x20, 2, true},
    {0xa0, 2, true},
    {0x40, 4, true},
    {0x61, 1, true},
    {0x70, 2, true},
    {0x4d0, 2, true},
    {0x1f40, 12, true},
    {0xb000, 12, true},
    {IOAPIC_BASE, 32, false},
    {HPET_BASE, 0x180, false},
    {LAPIC_BASE, 0x400, false},
};

static const uint8_t *at, *end;

static u64 take(u32 bytes)
{
    u64 value = 0;

    for (u32 i = 0; i < bytes && at < end; i++)
        value |= (u64)*at++ << 8 * i;
    return value;
}

static void any_access(u32 what)
{
    u32 n = what % ARRAY_SIZE(places), bytes = 1U << take(1) % (places[n].port ? 3 : 4);
    u64 address = places[n].base + take(2) % places[n].bytes;

    world_access(address, bytes, places[n].port, what & 0x40, take(what & 0x40 ? bytes : 0));
    /* What is read is no wider than the access. */
    ASSERT(what & 0x40 || bytes == 8 || !(world_value >> 8 * bytes));
}

/* A record as it is, with one byte changed. */
static void any_record(void)
{
    static u8 list[16384];
    u32 length = hvm_devices_get(&world_domain, list), nth = (u32)take(1) % 10, start = 0;
    struct hvm_save_descriptor s;

    ASSERT(length == hvm_devices_get(&world_domain, NULL) && length <= sizeof(list));
    for (;; start += sizeof(s) + s.length) {
        memcpy(&s, list + start, sizeof(s));
        if (!nth--)
            break;
    }
    for (u32 i = 0; i < 4; i++) {
        u32 byte = (u32)take(2) % s.length;

        list[start + sizeof(s) + byte] = (u8)take(1);
    }
    (void)hvm_devices_set(&world_domain, &s, list + start + sizeof(s));
}

static void check(void)
{
    const struct hvm_devices *x = world_domain.devices;

    ASSERT(!world_level);
    ASSERT(!(x->levels >> HVM_GSIS));
    ASSERT(!x->pic[0].int_output || (x->pic[0].irr & ~x->pic[0].imr));
    for (u32 n = 0; n < 3; n++)
        ASSERT(x->pit.hw.channels[n].count && x->pit.hw.channels[n].count <= 0x10000);
    ASSERT(!(x->hpet.lines & ~0xf00000UL));
}

static void step(void)
{
    u32 what = (u32)take(1), line = (u32)take(1);
    s32 vector;

    switch (what >> 3) {
    case 0:
        (void)hvm_isa_irq_set(&world_domain.d, line & 31, what & 1);
        break;
    case 1:
        (void)hvm_pci_intx_set(&world_domain.d, line >> 2, line & 3, what & 1);
        break;
    case 2:
        (void)hvm_pci_link_set(&world_domain.d, line & 7, line >> 3);
        break;
    case 3:
        (void)hvm_msi_deliver(&world_domain.d, 0xfee00000 | take(3), (u32)take(4));
        break;
    case 4:
        hvm_callback_set(&world_domain.d, take(8));
        break;
    case 5:
        world_info[0].evtchn_upcall_pending = what & 1;
        hvm_callback_update(&world_vcpus[0]);
        break;
    case 6:
        vector = line & 1 ? taken(what & 1) : served(what & 1);
        ASSERT(vector < 256);
        break;
    case 7:
        eoi(what & 1);
        break;
    case 8:
        any_record();
        break;
    case 9:
        pin(line % HVM_GSIS, (u32)take(2), what & 1);
        break;
    case 10:
        world_domain.params[HVM_PARAM_ACPI_IOPORTS_LOCATION] = line & 1;
        (void)hvm_press_button(&world_domain.d, what & 1);
        break;
    case 11 ... 15: {
        ns_t length = (ns_t)take(2) << (line & 31);

        /* One call for 50 us and timer at most: the smallest distance. */
        ASSERT(world_run(MIN(length, 100 * NS_MS)) <= 10 * 2100);
        world_now += length;
        break;
    }
    default:
        at--; /* the line is the access's */
        any_access(what & 0x7f);
    }
    check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    at = data;
    end = data + size;
    world_init();
    while (at < end)
        step();
    world_end();
    return 0;
}
