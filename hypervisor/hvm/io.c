/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who answers an access to what is not memory: a device of our own, else a
 * device model outside, else nobody. The current vCPU's record of the step under way (struct
 * hvm_io) is its own; devices have their own locks.
 */
#include "hvm/io.h"

#include "core/ioreq.h"
#include "cpu/work.h"
#include "hvm/dev/devices.h"

#define DEBUG_PORT 0xe9

/* PCI configuration space by ports (PCI 2.2, 3.2.2.3.2): the address stays here. */
#define CONFIG_ADDRESS    0xcf8
#define CONFIG_DATA       0xcfc
#define CONFIG_ENABLE     BIT(31)

#define WIDTH_MASK(bytes) (~0UL >> (64 - 8 * (bytes)))

/* The port that emulators have for early messages: a line each to our log. */
static bool debug_access(struct hvm_vcpu *v, u64 address, u32 bytes, bool write, u64 *value)
{
    char c = (char)*value;

    (void)address;
    if (!write || bytes != 1) {
        *value = bytes == 1 ? DEBUG_PORT : *value;
        return true;
    }
    if (c >= ' ' && c < 0x7f)
        v->debug_line[v->debug_length++] = c;
    if (c != '\n' && v->debug_length < sizeof(v->debug_line) - 1)
        return true;
    v->debug_line[v->debug_length] = '\0';
    v->debug_length = 0;
    printk_guest(LOG_DEBUG, "(d%u) %s\n", v->v.domain->id, v->debug_line);
    return true;
}

static bool lapic_access(struct hvm_vcpu *v, u64 address, u32 bytes, bool write, u64 *value)
{
    u32 shift = (address & 3) * 8;

    if (bytes > 4)
        return true;
    if (!write)
        *value = (lapic_read(v, address & 0xff0) >> shift) & (~0U >> (32 - 8 * bytes));
    else if (bytes == 4 && !(address & 15))
        lapic_write(v, address & 0xff0, (u32)*value);
    return true;
}

static bool config_access(struct hvm_vcpu *v, u64 address, u32 bytes, bool write, u64 *value)
{
    u32 *held = &to_hvm_domain(v->v.domain)->config_address;

    (void)address;
    if (bytes != 4)
        return false;
    if (write)
        *held = (u32)*value;
    *value = *held;
    return true;
}

/* What is used most comes first. */
static const struct hvm_device devices[] = {
    {LAPIC_BASE, LAPIC_BASE + PAGE_SIZE - 1, false, false, lapic_access},
    {CONFIG_ADDRESS, CONFIG_ADDRESS, true, true, config_access},
    {0x20, 0x21, true, true, pic_access},
    {0xa0, 0xa1, true, true, pic_access},
    {0x40, 0x43, true, true, pit_access},
    {0x61, 0x61, true, true, speaker_access},
    {0x70, 0x71, true, true, rtc_access},
    {0x4d0, 0x4d1, true, true, elcr_access},
    {PM_EVENTS_V0, PM_EVENTS_V0 + PM_TIMER + 3, true, true, pm_access},
    {PM_EVENTS_V1, PM_EVENTS_V1 + PM_TIMER + 3, true, true, pm_access},
    {IOAPIC_BASE, IOAPIC_BASE + 0xff, false, true, ioapic_access},
    {HPET_BASE, HPET_BASE + HPET_BYTES - 1, false, true, hpet_access},
    {DEBUG_PORT, DEBUG_PORT, true, false, debug_access},
};

static const struct hvm_device *find(const struct hvm_io_access *a)
{
    for (u32 i = 0; i < ARRAY_SIZE(devices); i++)
        if (devices[i].port == a->port && a->address >= devices[i].first &&
            a->address <= devices[i].last)
            return &devices[i];
    return NULL;
}

/* From the device model: 1; from nobody: 0; -EAGAIN. */
static int outside(struct hvm_vcpu *v, const struct hvm_io_access *a, u64 *value)
{
    u64 config = to_hvm_domain(v->v.domain)->config_address, address = a->address;
    u32 type = a->port ? IOREQ_TYPE_PIO : IOREQ_TYPE_COPY;
    struct hvm_io *io = &v->io;

    if (io->answered) {
        io->answered = false;
        if (!a->write)
            *value = io->answer & WIDTH_MASK(a->bytes);
        return 1;
    }
    if (a->port && (address & ~3UL) == CONFIG_DATA && (config & CONFIG_ENABLE)) {
        type = IOREQ_TYPE_PCI_CONFIG;
        /* Bits 24-27 are the upper ones of AMD's extended register numbers. */
        address = (config & 0xffff00) << 24 | (config >> 16 & 0xf00) | (config & 0xfc) |
                  (address & 3);
    }
    if (ioreq_send(&(struct ioreq){.addr = address,
                                   .data = *value,
                                   .count = (u32)(a->count < 0 ? -a->count : a->count),
                                   .size = a->bytes,
                                   .data_is_ptr = a->memory,
                                   .dir = a->write ? IOREQ_WRITE : IOREQ_READ,
                                   .df = a->count < 0,
                                   .type = (u8)type}) != IOREQ_ASKED)
        return 0;
    io->used = 0;
    io->question = *a;
    return -EAGAIN;
}

static bool same(const struct hvm_io_access *a, const struct hvm_io_access *b)
{
    return !memcmp(a, b, sizeof(*a));
}

int hvm_io(struct hvm_vcpu *v, const struct hvm_io_access *a, u64 *value)
{
    const struct hvm_device *device;
    struct hvm_io *io = &v->io;

    if (io->used < io->count && same(&io->done[io->used], a)) {
        if (!a->write)
            *value = io->value[io->used];
        io->used++;
        return 0;
    }
    /* Another CPU has changed the instruction or the tables under it: begin anew. */
    if (unlikely(io->used < io->count || (io->answered && !same(&io->question, a))))
        hvm_io_complete(v);
    *value = a->write ? *value & WIDTH_MASK(a->bytes) : WIDTH_MASK(a->bytes);
    device = find(a);
    if (!(device && hvm_devices_access(v, device, a->address, a->bytes, a->write, value)) &&
        outside(v, a, value) < 0)
        return -EAGAIN;
    if (io->count < HVM_IO_STEPS) {
        io->done[io->count] = *a;
        io->value[io->count++] = *value;
        io->used = io->count;
    }
    return 0;
}

int hvm_io_many(struct hvm_vcpu *v, const struct hvm_io_access *a, u64 data)
{
    if (find(a))
        return 0;
    if (unlikely(v->io.answered && !same(&v->io.question, a)))
        hvm_io_complete(v);
    return outside(v, a, &data);
}

void hvm_io_complete(struct hvm_vcpu *v)
{
    v->io = (struct hvm_io){.count = 0};
}

bool hvm_io_waits(struct hvm_vcpu *v)
{
    struct hvm_io *io = &v->io;

    if (unlikely(v->v.asks)) {
        if (ioreq_waits(&io->answer)) {
            /* Say it, then look: the notification clears it. */
            atomic_or(&v->v.pause_flags, PAUSE_IO);
            if (ioreq_waits(&io->answer)) {
                cpu_raise_work(this_cpu_id(), WORK_SCHEDULE);
                return true;
            }
            atomic_and(&v->v.pause_flags, ~(u32)PAUSE_IO);
        }
        v->v.asks = false;
        io->answered = io->again != HVM_AGAIN_NOTHING;
        if (io->answered)
            hvm_io_again(v);
        if (!v->v.asks)
            hvm_io_complete(v);
        if (!vcpu_runnable(&v->v))
            cpu_raise_work(this_cpu_id(), WORK_SCHEDULE);
    }
    if (!v->v.asks)
        ioreq_tell_memory_gone();
    return v->v.asks;
}
