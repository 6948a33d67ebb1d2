/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * 16550 UARTs at I/O ports: com1= and com2=. What is written goes through a ring
 * of bytes: what the FIFO takes is sent at once, the rest by interrupts, so that
 * nobody waits for a slow line until the ring is full (serial_tx_buffer= bytes).
 * At boot, without an interrupt, with sync_console and in a crash everything is
 * sent before serial_write() returns. Input comes by interrupt or polling.
 *
 * com1=BAUD[/CLOCK][,DPS[,IO-BASE[,IRQ]]] or name=value items (baud=, data-bits=,
 * parity=, stop-bits=, io-base=, irq=, clock-hz=); BAUD may be "auto": what the
 * firmware set up stays. D data bits, P parity n o e m s, S stop bits.
 *
 * The ports' registers and state are guarded by the console lock; the
 * configuration is constant after boot.
 */
#include "cpu/instructions.h"
#include "cpu/work.h"
#include "lib/option.h"
#include "platform/internal.h"
#include "platform/serial.h"

/* Registers, National Semiconductor PC16550D data sheet. */
enum { DATA = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5, SCRATCH = 7 };
#define LCR_DLAB     0x80
#define IER_READY    0x01 /* interrupt while a received byte waits */
#define IER_THR_FREE 0x02 /* and when the transmit FIFO is empty */
#define LSR_READY    0x01 /* a byte received */
#define LSR_THR_FREE 0x20 /* transmit FIFO empty */
#define FIFO_SIZE    16
#define PORT_COUNT   8
/* Turns to wait for the FIFO: a port read takes 1 us, 16 bytes at 300 baud half a second. */
#define PATIENCE 1000000

struct uart {
    struct serial_config config;
    bool open, stopped;
    bool interrupts; /* and a ring that is worth the name */
    u8 room;         /* bytes that surely fit into the FIFO */
    u8 ier;
    struct ring tx;        /* not sent yet */
    char first[FIFO_SIZE]; /* the ring's memory until there is a heap */
};

static struct uart uarts[SERIAL_PORTS] = {
    {.config = {.io_base = 0x3f8, .irq = 4, .clock = 1843200, .bits = 8, .stop = 1, .parity = 'n'}},
    {.config = {.io_base = 0x2f8, .irq = 3, .clock = 1843200, .bits = 8, .stop = 1, .parity = 'n'}},
};

static bool synchronous;
static u64 tx_size_option __initdata = 16384;
CMDLINE_BOOL("sync_console", synchronous);
CMDLINE_SIZE("serial_tx_buffer", tx_size_option);

/* A number that is the whole item. */
static __init bool item_number(const char *item, u64 max, u64 *value)
{
    const char *end;

    *value = parse_u64(item, &end);
    return end != item && *end == '\0' && *value <= max;
}

static __init bool parse_baud(const char *item, struct serial_config *c)
{
    const char *end;

    if (strcmp(item, "auto") == 0) {
        c->baud = 0;
        return true;
    }
    u64 baud = parse_u64(item, &end);
    if (end == item || baud == 0 || baud > 4000000)
        return false;
    c->baud = (u32)baud;
    if (*end == '/') { /* the rate at divisor 1: a sixteenth of the clock */
        if (!item_number(end + 1, 100000000, &baud) || baud == 0)
            return false;
        c->clock = (u32)baud * 16;
    } else if (*end) {
        return false;
    }
    return true;
}

static __init bool set_bits(char digit, struct serial_config *c)
{
    c->bits = (u8)(digit - '0');
    return digit >= '5' && digit <= '8';
}

static __init bool set_parity(char letter, struct serial_config *c)
{
    c->parity = letter;
    return letter && strchr("noems", letter);
}

static __init bool set_stop(char digit, struct serial_config *c)
{
    c->stop = (u8)(digit - '0');
    return digit == '1' || digit == '2';
}

/* The first four stand at these places; all but FRAME have names, too. */
enum field { BAUD, FRAME, IO_BASE, IRQ, DATA_BITS, PARITY, STOP_BITS, CLOCK, FIELDS };

static __init bool parse_field(enum field field, const char *item, struct serial_config *c)
{
    size_t length = strlen(item);
    u64 value;

    switch (field) {
    case BAUD:
        return parse_baud(item, c);
    case FRAME:
        return length == 3 && set_bits(item[0], c) && set_parity(item[1], c) &&
               set_stop(item[2], c);
    case IO_BASE:
        if (!item_number(item, 0xfff8, &value) || value == 0)
            return false;
        c->io_base = (u16)value;
        return true;
    case IRQ:
        if (!item_number(item, 255, &value))
            return false;
        c->irq = (u8)value;
        return true;
    case DATA_BITS:
        return length == 1 && set_bits(*item, c);
    case PARITY:
        return set_parity(*item, c);
    case STOP_BITS:
        return length == 1 && set_stop(*item, c);
    case CLOCK:
        if (!item_number(item, 1000000000, &value) || value == 0)
            return false;
        c->clock = (u32)value;
        return true;
    default:
        return false;
    }
}

/* name=value, where the name says which field. */
static __init bool parse_named(const char *item, struct serial_config *c)
{
    static const char *const names[FIELDS] = {
        "baud=", NULL, "io-base=", "irq=", "data-bits=", "parity=", "stop-bits=", "clock-hz="};

    for (u32 i = 0; i < FIELDS; i++)
        if (names[i] && strncmp(item, names[i], strlen(names[i])) == 0)
            return parse_field(i, item + strlen(names[i]), c);
    return false;
}

__init int serial_parse(const char *value, void *where)
{
    struct serial_config *config = where, c = *config;
    char item[32];
    int more;

    for (u32 field = 0; (more = cmdline_item(&value, item, sizeof(item))) == 1; field++) {
        if (strchr(item, '=')) {
            if (!parse_named(item, &c))
                return -EINVAL;
        } else if (*item && !parse_field(field, item, &c)) {
            return -EINVAL;
        }
    }
    if (more < 0)
        return -EINVAL;
    *config = c;
    return 0;
}

CMDLINE_CUSTOM("com1", serial_parse, &uarts[0].config);
CMDLINE_CUSTOM("com2", serial_parse, &uarts[1].config);

u8 serial_line_control(const struct serial_config *c)
{
    u8 parity = c->parity == 'o' ? 0x08 : c->parity == 'e' ? 0x18 : c->parity == 'm' ? 0x28 : 0x38;

    return (u8)((c->bits - 5) | (c->stop == 2 ? 0x04 : 0) | (c->parity == 'n' ? 0 : parity));
}

__init bool serial_open(u32 port)
{
    struct uart *u = &uarts[port];
    const struct serial_config *c = &u->config;
    u16 base = c->io_base;

    /* The scratch register keeps what is written; an empty bus reads all ones. */
    out8(base + SCRATCH, 0x5a);
    if (in8(base + SCRATCH) != 0x5a || in8(base + LSR) == 0xff)
        return false;
    out8(base + IER, 0);
    if (c->baud) {
        u32 divisor = MAX(c->clock / (c->baud * 16), 1u);
        out8(base + LCR, LCR_DLAB);
        out8(base + 0, (u8)divisor);
        out8(base + 1, (u8)(divisor >> 8));
        out8(base + LCR, serial_line_control(c));
    } else {
        out8(base + LCR, in8(base + LCR) & (u8)~LCR_DLAB);
    }
    out8(base + FCR, 0x07); /* FIFOs on and empty, interrupt at the first byte */
    out8(base + MCR, 0x03); /* DTR, RTS */
    u->room = 0;
    u->tx = (struct ring){u->first, sizeof(u->first), 0, 0};
    u->open = true;
    return true;
}

/*
 * Sends what the FIFO takes, and waits for it while more than `keep` bytes are
 * left. Hardware that stopped must not stop us: what does not fit is lost then.
 */
static void send(struct uart *u, u32 keep)
{
    u16 base = u->config.io_base;
    char byte;

    for (u32 turns = 0; ring_used(&u->tx);) {
        if (u->room == 0 && in8(base + LSR) & LSR_THR_FREE) {
            u->room = FIFO_SIZE;
            u->stopped = false;
        }
        if (u->room) {
            u->room--;
            ring_take(&u->tx, &byte, 1);
            out8(base + DATA, (u8)byte);
        } else if (ring_used(&u->tx) <= keep) {
            break;
        } else if (u->stopped || ++turns == PATIENCE) {
            u->stopped = true;
            u->tx.start = u->tx.end - keep;
        }
    }
}

void serial_write(u32 port, const char *text, size_t length)
{
    struct uart *u = &uarts[port];
    bool wait = !u->interrupts || synchronous;

    for (size_t i = 0; i < length && u->open; i++) {
        if (u->tx.size - ring_used(&u->tx) < 2)
            send(u, u->tx.size - 2);
        ring_put(&u->tx, "\r", text[i] == '\n');
        ring_put(&u->tx, &text[i], 1);
    }
    send(u, wait ? 0 : u->tx.size);
    if (ring_used(&u->tx) && !(u->ier & IER_THR_FREE))
        out8(u->config.io_base + IER, u->ier |= IER_THR_FREE);
}

void serial_work(bool input_stalled)
{
    for (u32 i = 0; i < SERIAL_PORTS; i++) {
        struct uart *u = &uarts[i];

        send(u, u->tx.size);
        if (!u->interrupts)
            continue;
        u->ier = (u8)((input_stalled ? 0 : IER_READY) | (ring_used(&u->tx) ? IER_THR_FREE : 0));
        /* The line is edge-triggered: what became pending meanwhile must raise it anew. */
        out8(u->config.io_base + IER, 0);
        out8(u->config.io_base + IER, u->ier);
    }
}

void serial_flush(bool synchronous_from_now)
{
    synchronous |= synchronous_from_now;
    for (u32 i = 0; i < SERIAL_PORTS; i++)
        send(&uarts[i], 0);
}

size_t serial_read(char *bytes, size_t length)
{
    size_t done = 0;

    for (u32 i = 0; i < SERIAL_PORTS; i++)
        while (uarts[i].open && done < length && (in8(uarts[i].config.io_base + LSR) & LSR_READY))
            bytes[done++] = (char)in8(uarts[i].config.io_base + DATA);
    return done;
}

static void serial_interrupt(u32, void *)
{
    cpu_raise_work(this_cpu_id(), WORK_CONSOLE);
}

__init void serial_enable_interrupts(void)
{
    for (u32 i = 0; i < SERIAL_PORTS; i++) {
        struct uart *u = &uarts[i];

        if (!u->open || !u->config.irq)
            continue;
        if (irq_request(u->config.irq, serial_interrupt, u)) {
            printk(LOG_WARNING, "com%u: no interrupt %u, polling for input\n", i + 1,
                   u->config.irq);
            continue;
        }
        console_ring_alloc(&u->tx, tx_size_option);
        u->interrupts = true;
        out8(u->config.io_base + MCR, 0x0b); /* OUT2 gates the interrupt line */
    }
    cpu_raise_work(this_cpu_id(), WORK_CONSOLE); /* enables them in the port */
}

bool serial_polled(void)
{
    for (u32 i = 0; i < SERIAL_PORTS; i++)
        if (uarts[i].open && !uarts[i].interrupts)
            return true;
    return false;
}

bool serial_owns_port(u16 io_port)
{
    for (u32 i = 0; i < SERIAL_PORTS; i++)
        if (uarts[i].open && io_port >= uarts[i].config.io_base &&
            io_port < uarts[i].config.io_base + PORT_COUNT)
            return true;
    return false;
}
