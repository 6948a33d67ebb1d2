// sources: hvm/dev/devices.c hvm/dev/irq.c hvm/dev/pic.c hvm/dev/ioapic.c hvm/dev/pit.c
// sources: hvm/dev/rtc.c hvm/dev/hpet.c hvm/dev/pmtimer.c hvm/dev/lapic.c hvm/io.c
// sources: core/timer.c lib/tree.c lib/bitmap.c platform/rtc.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt lines, the two 8259A and the IO-APIC, register by register as
 * firmware and kernels use them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/board_world.h"

#include <xen/hvm/dm_op.h>

#define LEVEL  0x8000U
#define MASKED 0x10000U
#define D      (&world_domain.d)

static int setup(void **state)
{
    (void)state;
    srand(1);
    world_init();
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static void pulse(u32 irq)
{
    assert_int_equal(hvm_isa_irq_set(D, irq, true), 0);
    assert_int_equal(hvm_isa_irq_set(D, irq, false), 0);
}

/* As every PC does it: vectors at 0x20 and 0x28, nothing masked, LINT0 open. */
static void pic_setup(u32 icw4)
{
    outb(0x20, 0x11);
    outb(0x21, 0x20);
    outb(0x21, 4);
    outb(0x21, icw4);
    outb(0xa0, 0x11);
    outb(0xa1, 0x28);
    outb(0xa1, 2);
    outb(0xa1, icw4);
    outb(0x21, 0);
    outb(0xa1, 0);
    lapic_write(&world_vcpus[0], 0x350, 0x700);
}

static void pic_basics(void **state)
{
    (void)state;
    pic_setup(1);
    assert_int_equal(taken(0), -1);
    pulse(4);
    assert_true(world_kicks);
    assert_int_equal(taken(1), -1); /* vCPU 0's only */
    assert_int_equal(inb(0x20), 0x10);
    assert_int_equal(taken(0), 0x24);
    assert_int_equal(inb(0x20), 0);
    outb(0x20, 0x0b);
    assert_int_equal(inb(0x20), 0x10); /* in service */
    pulse(5);
    assert_int_equal(taken(0), -1); /* less important */
    pulse(3);
    assert_int_equal(taken(0), 0x23);
    outb(0x20, 0x20);
    assert_int_equal(inb(0x20), 0x10);
    outb(0x20, 0x64); /* specific */
    assert_int_equal(taken(0), 0x25);
    outb(0x20, 0x20);
    assert_int_equal(inb(0x20), 0);
    pulse(4);
    pulse(4);
    assert_int_equal(taken(0), 0x24);
    outb(0x20, 0x20);
    assert_int_equal(taken(0), -1); /* two edges are one request */
}

static void pic_mask(void **state)
{
    (void)state;
    pic_setup(1);
    outb(0x21, 0x10);
    assert_int_equal(inb(0x21), 0x10);
    pulse(4);
    assert_int_equal(taken(0), -1);
    outb(0x21, 0);
    assert_int_equal(taken(0), 0x24);
    outb(0x20, 0x20);
    pulse(4);
    lapic_write(&world_vcpus[0], 0x350, 0x10700);
    assert_int_equal(taken(0), -1);
    pin(0, 0x700, 0); /* hvmloader's way: pin 0 as external interrupt */
    assert_int_equal(taken(0), 0x24);
}

static void pic_second(void **state)
{
    (void)state;
    pic_setup(1);
    pulse(14);
    assert_int_equal(inb(0x20), 4);
    assert_int_equal(inb(0xa0), 0x40);
    assert_int_equal(taken(0), 0x2e);
    pulse(5);
    assert_int_equal(taken(0), -1); /* after the cascade */
    pulse(1);
    assert_int_equal(taken(0), 0x21);
    outb(0x20, 0x20);
    pulse(8);
    assert_int_equal(taken(0), -1); /* not specially nested */
    outb(0xa0, 0x20);
    outb(0x20, 0x62);
    assert_int_equal(taken(0), 0x28);
    outb(0xa0, 0x20);
    outb(0x20, 0x20);
    assert_int_equal(taken(0), 0x25);
    outb(0x20, 0x20);
    /* Specially fully nested: a more important one of the second may come in between. */
    pic_setup(0x11);
    pulse(14);
    assert_int_equal(taken(0), 0x2e);
    pulse(15);
    assert_int_equal(taken(0), -1);
    pulse(8);
    assert_int_equal(taken(0), 0x28);
}

/* A request of the second that is gone when it is answered. */
static void pic_spurious(void **state)
{
    (void)state;
    pic_setup(1);
    outb(0x4d1, 0xff);
    assert_int_equal(inb(0x4d1), 0xde);
    hvm_isa_irq_set(D, 10, true);
    assert_true(pic_pending(&world_vcpus[0]));
    hvm_isa_irq_set(D, 10, false);
    assert_int_equal(taken(0), -1);
    assert_int_equal(pic_acknowledge(&world_vcpus[0]), -1);
}

static void pic_levels(void **state)
{
    (void)state;
    pic_setup(1);
    outb(0x4d0, 0xff);
    assert_int_equal(inb(0x4d0), 0xf8);
    hvm_isa_irq_set(D, 5, true);
    assert_int_equal(taken(0), 0x25);
    assert_int_equal(taken(0), -1);
    outb(0x20, 0x20);
    assert_int_equal(taken(0), 0x25); /* still up */
    hvm_isa_irq_set(D, 5, false);
    outb(0x20, 0x20);
    assert_int_equal(taken(0), -1);
    /* Set up anew a level is still there and an edge is forgotten. */
    hvm_isa_irq_set(D, 5, true);
    pulse(1);
    pic_setup(1);
    assert_int_equal(taken(0), 0x25);
    outb(0x20, 0x20);
    hvm_isa_irq_set(D, 5, false);
    assert_int_equal(taken(0), -1);
}

static void pic_rotation(void **state)
{
    (void)state;
    pic_setup(1);
    pulse(3);
    pulse(5);
    assert_int_equal(taken(0), 0x23);
    outb(0x20, 0xa0); /* rotate on end: 3 comes last now */
    pulse(3);
    assert_int_equal(taken(0), 0x25);
    outb(0x20, 0x20);
    assert_int_equal(taken(0), 0x23);
    outb(0x20, 0x20);
    outb(0x20, 0xc7); /* 7 last again */
    pulse(0);
    pulse(7);
    assert_int_equal(taken(0), 0x20);
    outb(0x20, 0xe0); /* rotate on specific end: 0 last */
    pulse(0);
    assert_int_equal(taken(0), 0x27);
    outb(0x20, 0x67);
    assert_int_equal(taken(0), 0x20);
    outb(0x20, 0x60);
    /* Automatic ends, with rotation. */
    pic_setup(3);
    outb(0x20, 0x80);
    pulse(1);
    assert_int_equal(taken(0), 0x21);
    pulse(1);
    pulse(6);
    assert_int_equal(taken(0), 0x26);
    assert_int_equal(taken(0), 0x21);
    outb(0x20, 0x0b);
    assert_int_equal(inb(0x20), 0);
}

static void pic_poll(void **state)
{
    (void)state;
    pic_setup(1);
    outb(0x20, 0x0c);
    assert_int_equal(inb(0x20) & 0x80, 0);
    pulse(6);
    outb(0x20, 0x0c);
    assert_int_equal(inb(0x20), 0x86);
    assert_int_equal(taken(0), -1);
    outb(0x20, 0x0b);
    assert_int_equal(inb(0x20), 0x40);
    /* Special mask: what is masked does not hold back others. */
    pulse(7);
    assert_int_equal(taken(0), -1);
    outb(0x20, 0x68);
    outb(0x21, 0x40);
    assert_int_equal(taken(0), 0x27);
    outb(0x20, 0x48);
}

static void pic_single(void **state)
{
    (void)state;
    outb(0x20, 0x12); /* alone, no ICW4 */
    outb(0x21, 0x40);
    outb(0x21, 0xfe); /* the mask at once */
    lapic_write(&world_vcpus[0], 0x350, 0x700);
    pulse(0);
    assert_int_equal(taken(0), 0x40);
    /* No interrupt comes while words of a set-up are due. */
    pulse(0);
    outb(0x20, 0x20);
    outb(0x20, 0x11);
    pulse(0);
    assert_int_equal(taken(0), -1);
}

/* ---- IO-APIC ---- */

static void ioapic_registers(void **state)
{
    (void)state;
    assert_int_equal(pin_read(1), 0x2f0011);
    pin_write(0, 0xffffffff);
    assert_int_equal(pin_read(0), 0x0f000000);
    assert_int_equal(pin_read(2), 0x0f000000);
    for (u32 n = 0; n < 96; n++) {
        assert_int_equal(pin_read(0x10 + n), n & 1 ? 0 : MASKED);
        pin_write(0x10 + n, 0xffffffff);
        assert_int_equal(pin_read(0x10 + n), n & 1 ? 0xff000000 : 0x1afff);
    }
    assert_int_equal(pin_read(0x70), 0xffffffff);
    assert_int_equal(load(IOAPIC_BASE, 1), 0x70);
    assert_int_equal(load(IOAPIC_BASE + 0x20, 4), 0);
}

static void ioapic_edges(void **state)
{
    (void)state;
    pin(4, 0x34, 1);
    pulse(4);
    pulse(4);
    assert_int_equal(served(0), -1);
    assert_int_equal(served(1), 0x34);
    assert_int_equal(served(1), -1);
    pin(4, 0x34 | MASKED, 1);
    pulse(4);
    pin(4, 0x34, 1);
    assert_int_equal(served(1), -1); /* an edge that nobody heard */
    pin(2, 0x30, 0);
    pulse(0); /* ISA 0 is pin 2 */
    assert_int_equal(served(0), 0x30);
    hvm_isa_irq_set(D, 2, true); /* the cascade is nobody's line */
    assert_int_equal(served(0), -1);
}

static void ioapic_levels(void **state)
{
    (void)state;
    /* Device 3 INTA: GSI 16 + 12. */
    assert_int_equal(hvm_pci_intx_set(D, 3, 0, true), 0);
    assert_int_equal(served(0), -1);
    pin(28, 0x51 | LEVEL, 0); /* opened while it is up */
    assert_int_equal(pin_read(0x10 + 56), 0x51 | LEVEL | 0x4000);
    assert_int_equal(taken(0), 0x51);
    assert_int_equal(taken(0), -1);
    eoi(0);
    assert_int_equal(taken(0), 0x51); /* still up */
    hvm_pci_intx_set(D, 3, 0, false);
    eoi(0);
    assert_int_equal(taken(0), -1);
    assert_int_equal(pin_read(0x10 + 56), 0x51 | LEVEL);
    /* Two devices share it: 11 INTA is GSI 16 + ((44 + 1) & 31) = 29; 3 INTB too. */
    pin(29, 0x52 | LEVEL, 0);
    hvm_pci_intx_set(D, 3, 1, true);
    hvm_pci_intx_set(D, 11, 0, true);
    assert_int_equal(taken(0), 0x52);
    hvm_pci_intx_set(D, 3, 1, false);
    eoi(0);
    assert_int_equal(taken(0), 0x52);
    hvm_pci_intx_set(D, 11, 0, false);
    eoi(0);
    assert_int_equal(taken(0), -1);
    /* One that hangs is ended by an edge mode in between. */
    hvm_pci_intx_set(D, 3, 1, true);
    hvm_pci_intx_set(D, 3, 1, false);
    pin_write(0x10 + 58, 0x52 | MASKED);
    assert_int_equal(pin_read(0x10 + 58), 0x52 | MASKED);
}

static void ioapic_modes(void **state)
{
    (void)state;
    pin(4, 0x400, 1); /* NMI */
    pulse(4);
    assert_true(world_vcpus[1].v.nmi_pending);
    pin(4, 0x500, 1); /* INIT */
    pulse(4);
    assert_int_equal(world_vcpus[1].lapic.signals, LAPIC_INIT);
    pin(4, 0x634, 1); /* no start-up IPIs from here */
    pulse(4);
    assert_int_equal(world_vcpus[1].lapic.signals, LAPIC_INIT);
    lapic_write(&world_vcpus[0], 0xd0, 0x01000000);
    lapic_write(&world_vcpus[1], 0xd0, 0x02000000);
    pin_write(0x11 + 8, 0x03000000);
    pin_write(0x10 + 8, 0x934); /* lowest priority, logical */
    pulse(4);
    assert_true((served(0) == 0x34) != (served(1) == 0x34));
    pin_write(0x10 + 8, 0x834);
    pulse(4);
    assert_int_equal(served(0), 0x34);
    assert_int_equal(served(1), 0x34);
}

/* A level that nobody can take waits for somebody who can. */
static void ioapic_nobody(void **state)
{
    (void)state;
    lapic_write(&world_vcpus[0], 0xf0, 0xff);
    pin(28, 0x51 | LEVEL, 0);
    hvm_pci_intx_set(D, 3, 0, true);
    assert_int_equal(pin_read(0x10 + 56), 0x51 | LEVEL);
    lapic_write(&world_vcpus[0], 0xf0, 0x1ff);
    pin(28, 0x51 | LEVEL, 0);
    assert_int_equal(served(0), 0x51);
}

/* ---- lines ---- */

static void links(void **state)
{
    (void)state;
    pic_setup(1);
    outb(0x4d0, 0x20);
    outb(0x4d1, 0x0c);
    for (u32 link = 0; link < 4; link++)
        assert_int_equal(hvm_pci_link_set(D, link, link < 2 ? 10 : link == 2 ? 5 : 0), 0);
    hvm_pci_intx_set(D, 4, 0, true); /* link 0 */
    hvm_pci_intx_set(D, 5, 0, true); /* link 1, the same interrupt */
    assert_int_equal(taken(0), 0x2a);
    hvm_pci_intx_set(D, 4, 0, false);
    outb(0xa0, 0x20);
    outb(0x20, 0x20);
    assert_int_equal(taken(0), 0x2a);
    hvm_pci_link_set(D, 1, 11); /* moved while it is up */
    outb(0xa0, 0x20);
    outb(0x20, 0x20);
    assert_int_equal(taken(0), 0x2b);
    hvm_pci_link_set(D, 1, 0);
    outb(0xa0, 0x20);
    outb(0x20, 0x20);
    assert_int_equal(taken(0), -1);
    hvm_pci_intx_set(D, 5, 1, true); /* link 2 */
    assert_int_equal(taken(0), 0x25);
}

static void no_such_line(void **state)
{
    (void)state;
    assert_int_equal(hvm_isa_irq_set(D, 16, true), -EINVAL);
    assert_int_equal(hvm_pci_intx_set(D, 32, 0, true), -EINVAL);
    assert_int_equal(hvm_pci_intx_set(D, 0, 4, true), -EINVAL);
    assert_int_equal(hvm_pci_link_set(D, 4, 5), -EINVAL);
    assert_int_equal(hvm_pci_link_set(D, 0, 16), -EINVAL);
    assert_int_equal(hvm_msi_deliver(D, 0xfed00000, 0x41), -EINVAL);
    assert_int_equal(hvm_msi_deliver(D, 0xfee00000, 0x0f), -EINVAL);
    assert_int_equal(hvm_msi_deliver(D, 0xfee02000, 0x41), 0);
    assert_int_equal(served(1), 0x41);
    /* Without a board there are messages only. */
    struct hvm_devices *board = world_domain.devices;
    world_domain.devices = NULL;
    assert_int_equal(hvm_isa_irq_set(D, 4, true), -EINVAL);
    assert_int_equal(hvm_msi_deliver(D, 0xfee00000, 0x41), 0);
    assert_int_equal(served(0), 0x41);
    hvm_callback_set(D, 5);
    assert_int_equal(inb(0x21), 0xff);
    world_domain.devices = board;
}

static void upcalls(void **state)
{
    u64 intx = (u64)HVM_PARAM_CALLBACK_TYPE_PCI_INTX << 56 | 3 << 11;

    (void)state;
    pin(28, 0x60 | LEVEL, 0);
    hvm_callback_set(D, intx);
    assert_int_equal(served(0), -1);
    world_info[0].evtchn_upcall_pending = 1;
    assert_int_equal(taken(0), 0x60);
    world_info[0].evtchn_upcall_pending = 0;
    eoi(0);
    assert_int_equal(taken(0), -1);
    world_vcpus[0].upcall_vector = 0x40; /* it hears by that */
    world_info[0].evtchn_upcall_pending = 1;
    assert_int_equal(taken(0), -1);
    world_vcpus[0].upcall_vector = 0;
    hvm_callback_update(&world_vcpus[1]); /* not its business */
    assert_int_equal(lapic_highest(&world_vcpus[0]), -1);
    assert_int_equal(taken(0), 0x60);
    eoi(0);
    assert_int_equal(taken(0), 0x60); /* still pending */
    hvm_callback_set(D, 5);           /* GSI 5 */
    eoi(0);
    assert_int_equal(taken(0), -1);
    pin(5, 0x61 | LEVEL, 0);
    assert_int_equal(taken(0), 0x61);
    hvm_callback_set(D, 0);
    eoi(0);
    assert_int_equal(taken(0), -1);
    hvm_callback_set(D, 48); /* no such line */
    hvm_callback_set(D, (u64)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | 5);
    assert_int_equal(taken(0), -1);
}

/* ---- messages ---- */

static void lapic(u32 n, u32 offset, u32 value)
{
    lapic_write(&world_vcpus[n], offset, value);
}

static void messages(void **state)
{
    (void)state;
    assert_true(lapic_message(D, 0x41, 2));
    assert_int_equal(served(0), -1);
    assert_int_equal(served(1), 0x41);
    assert_false(lapic_message(D, 0x41, 0xfd)); /* nobody's number */
    assert_true(lapic_message(D, 0x41, 0xff));
    assert_int_equal(served(0), 0x41);
    assert_int_equal(served(1), 0x41);
    lapic(0, 0xd0, 0x01000000);
    lapic(1, 0xd0, 0x03000000);
    assert_true(lapic_message(D, 0x943, 2)); /* lowest priority, logical */
    assert_int_equal(served(0), -1);
    assert_int_equal(served(1), 0x43);
    assert_true(lapic_message(D, 0x944, 1));
    assert_int_equal(served(0), 0x44);
    assert_int_equal(served(1), -1); /* one is enough */
    assert_true(lapic_message(D, 0x400, 2));
    assert_true(world_vcpus[1].v.nmi_pending);
    lapic(0, 0xf0, 0xff);
    assert_false(lapic_message(D, 0x41, 0));
}

static void external(void **state)
{
    (void)state;
    assert_false(lapic_takes_external(&world_vcpus[0])); /* masked */
    lapic(0, 0x350, 0x700);
    assert_true(lapic_takes_external(&world_vcpus[0]));
    lapic(0, 0x350, 0x10700);
    assert_false(lapic_takes_external(&world_vcpus[0]));
    lapic(0, 0x350, 0x31);
    assert_false(lapic_takes_external(&world_vcpus[0]));
    assert_true(lapic_write_msr(&world_vcpus[0], 0x1b, 0xfee00000)); /* off: the processor's pin */
    assert_true(lapic_takes_external(&world_vcpus[0]));
}

/* The address stays here; a device model gets a device and a register. */
static void configuration_space(void **state)
{
    (void)state;
    world_access(0xcf8, 4, true, true, 0x81001944);
    assert_int_equal(in(0xcf8, 4), 0x81001944);
    world_access(0xcfe, 2, true, true, 0xbeef);
    assert_int_equal(world_asked.type, IOREQ_TYPE_PCI_CONFIG);
    assert_int_equal(world_asked.addr, (u64)XEN_DMOP_PCI_SBDF(0, 0, 3, 1) << 32 | 0x146);
    assert_int_equal(world_asked.data, 0xbeef);
    assert_int_equal(world_asked.count, 1);
    assert_int_equal(world_asked.dir, IOREQ_WRITE);
    world_access(0xcf9, 1, true, true, 6); /* another device's */
    assert_int_equal(world_asked.type, IOREQ_TYPE_PIO);
    assert_int_equal(world_asked.addr, 0xcf9);
    world_access(0xcf8, 4, true, true, 0x1944);
    assert_int_equal(in(0xcfc, 4), ~0U);
    assert_int_equal(world_asked.type, IOREQ_TYPE_PIO);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(configuration_space),
        TEST(pic_basics),
        TEST(pic_mask),
        TEST(pic_second),
        TEST(pic_spurious),
        TEST(pic_levels),
        TEST(pic_rotation),
        TEST(pic_poll),
        TEST(pic_single),
        TEST(ioapic_edges),
        TEST(ioapic_registers),
        TEST(ioapic_modes),
        TEST(ioapic_levels),
        TEST(ioapic_nobody),
        TEST(links),
        TEST(no_such_line),
        TEST(upcalls),
        TEST(messages),
        TEST(external),
    };

    return cmocka_run_group_tests_name("hvm_irq", tests, NULL, NULL);
}
