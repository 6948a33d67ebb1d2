/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine's end: restart, power off, sleep as dom0 asks; and the list of I/O
 * ports that no guest gets. No locks: whoever comes here first ends it all.
 *
 * reboot=acpi|kbd|pci|efi|triple|no: which way to try first, all others follow.
 */
#include "cpu/instructions.h"
#include "cpu/traps.h"
#include "lib/option.h"
#include "memory/map.h"
#include "platform/efi.h"
#include "platform/internal.h"

#define PM1_SLP_TYP_SHIFT 10
#define PM1_SLP_TYP_MASK  (7u << PM1_SLP_TYP_SHIFT)
#define PM1_SLP_ENABLE    (1u << 13)

#define KEYBOARD_COMMAND  0x64
#define KEYBOARD_RESET    0xfe
#define RESET_CONTROL     0xcf9 /* bit 1 full reset, bit 2 do it on the 0 to 1 edge */

static bool reboot_never __ro_after_init;
static u32 reboot_first __ro_after_init;

/* Roughly that long, without relying on any clock: a port read takes about 1 us. */
static void delay_us(u32 us)
{
    while (us--)
        in8(0x80);
}

static void reset_acpi(void)
{
    u64 a = acpi.reset_address;
    volatile u8 *p;

    if (!acpi.has_reset)
        return;
    switch (acpi.reset_space) {
    case 0:
        p = map_io(paddr(a), 1, true);
        if (p)
            *p = acpi.reset_value;
        break;
    case 1:
        out8((u16)a, acpi.reset_value);
        break;
    default: /* bus 0, device in bits 47..32, function 31..16, offset 15..0 */
        pci_write((u32)((a >> 32 & 0x1f) << 3 | (a >> 16 & 7)), (u32)(a & 0xfff), 1,
                  acpi.reset_value);
        break;
    }
}

static void reset_keyboard(void)
{
    for (u32 i = 0; i < 10; i++) {
        for (u32 wait = 0; wait < 1000 && (in8(KEYBOARD_COMMAND) & 2); wait++)
            delay_us(1);
        out8(KEYBOARD_COMMAND, KEYBOARD_RESET);
        delay_us(1000);
    }
}

static void reset_pci(void)
{
    u8 keep = in8(RESET_CONTROL) & (u8)~6;

    out8(RESET_CONTROL, keep | 2);
    delay_us(50);
    out8(RESET_CONTROL, keep | 6);
}

/* An exception without a table to handle it, and none for that either. */
static void reset_triple_fault(void)
{
    lidt(NULL, 0);
    __asm__ volatile("int3");
}

static const struct {
    const char *name;
    void (*reset)(void);
} ways[] = {{"acpi", reset_acpi},
            {"kbd", reset_keyboard},
            {"pci", reset_pci},
            {"efi", efi_reset},
            {"triple", reset_triple_fault}};

/* Names may be cut down to a letter; "warm" and "cold" make no difference to us. */
static __init int parse_reboot(const char *value, void *)
{
    char item[16];
    int more;

    while ((more = cmdline_item(&value, item, sizeof(item))) == 1) {
        size_t length = strlen(item);
        u32 i;

        if (item[0] == 'n' || item[0] == 'w' || item[0] == 'c') {
            reboot_never |= item[0] == 'n';
            continue;
        }
        for (i = 0; i < ARRAY_SIZE(ways); i++)
            if (length && strncmp(item, ways[i].name, length) == 0)
                break;
        if (i == ARRAY_SIZE(ways))
            return -EINVAL;
        reboot_first = i;
    }
    return more;
}
CMDLINE_CUSTOM("reboot", parse_reboot, NULL);

void machine_restart(void)
{
    interrupts_off();
    if (reboot_never) {
        printk(LOG_ERROR, "Machine halted: reboot=no\n");
        machine_halt();
    }
    console_flush();
    ways[reboot_first].reset();
    delay_us(100000);
    for (u32 i = 0; i < ARRAY_SIZE(ways); i++) {
        ways[i].reset();
        delay_us(100000);
    }
    halt_forever();
}

/* Puts the sleep type in place first, then says go, as hardware wants it (ACPI 16.1.6). */
static void enter_sleep(u32 a, u32 b)
{
    console_flush();
    a &= ~PM1_SLP_ENABLE;
    b &= ~PM1_SLP_ENABLE;
    wbinvd();
    out16(acpi.pm1a_control, (u16)a);
    if (acpi.pm1b_control)
        out16(acpi.pm1b_control, (u16)b);
    out16(acpi.pm1a_control, (u16)(a | PM1_SLP_ENABLE));
    if (acpi.pm1b_control)
        out16(acpi.pm1b_control, (u16)(b | PM1_SLP_ENABLE));
    delay_us(1000000);
}

void machine_power_off(void)
{
    u32 a, b = 0;

    interrupts_off();
    if (acpi.pm1a_control && acpi.has_s5) {
        a = (in16(acpi.pm1a_control) & ~PM1_SLP_TYP_MASK) | (u32)acpi.s5a << PM1_SLP_TYP_SHIFT;
        if (acpi.pm1b_control)
            b = (in16(acpi.pm1b_control) & ~PM1_SLP_TYP_MASK) | (u32)acpi.s5b << PM1_SLP_TYP_SHIFT;
        enter_sleep(a, b);
    }
    printk(LOG_ERROR, "System halted: no way to turn the power off\n");
    machine_halt();
}

void machine_halt(void)
{
    console_flush();
    /* The others have their own way of stopping: an NMI ends them (cpu/traps.c). */
    crash_stops_cpus = true;
    apic_send_nmi_others();
    halt_forever();
}

int machine_acpi_sleep(u32 state, u32 pm1a_value, u32 pm1b_value)
{
    enum { S5 = 5 };

    if (state != S5)
        return -ENOSYS;
    if (!acpi.pm1a_control)
        return -ENODEV;
    printk(LOG_INFO, "Entering ACPI S5: power off\n");
    enter_sleep(pm1a_value, pm1b_value);
    machine_power_off(); /* the values were wrong: use our own */
}

bool machine_port_is_ours(u16 port)
{
    static const struct {
        u16 first, last;
    } ours[] = {
        {0x20, 0x21},   {0xa0, 0xa1}, {0x4d0, 0x4d1}, /* PICs and their trigger modes */
        {0x40, 0x43},   {0x61, 0x61},                 /* PIT and its gate */
        {0xcf8, 0xcff},                               /* PCI configuration, reset control */
    };

    for (u32 i = 0; i < ARRAY_SIZE(ours); i++)
        if (port >= ours[i].first && port <= ours[i].last)
            return true;
    /* Reads of the PM timer would do no harm, but the port's owner is the clock. */
    if (acpi.pm_timer_port && port >= acpi.pm_timer_port && port < acpi.pm_timer_port + 4)
        return true;
    return serial_owns_port(port);
}

static void key_reboot(unsigned char key)
{
    printk(LOG_ERROR, "'%c' pressed -> rebooting machine\n", key);
    machine_restart();
}

__init void power_init(void)
{
    console_key_register('R', key_reboot, "reboot machine");
}
