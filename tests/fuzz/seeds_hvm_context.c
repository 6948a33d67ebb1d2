/* SPDX-License-Identifier: GPL-2.0-only */
/* First inputs for fuzz_hvm_context: each record alone and all of them, well formed. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/xen.h"

#include <xen/hvm/save.h>

static struct {
    uint16_t code;
    uint32_t length;
} records[] = {
    {HVM_SAVE_CODE(CPU), HVM_SAVE_LENGTH(CPU)},
    {HVM_SAVE_CODE(LAPIC), HVM_SAVE_LENGTH(LAPIC)},
    {HVM_SAVE_CODE(LAPIC_REGS), HVM_SAVE_LENGTH(LAPIC_REGS)},
    {HVM_SAVE_CODE(MTRR), HVM_SAVE_LENGTH(MTRR)},
    {CPU_XSAVE_CODE, 16 + 0x340},
    {HVM_SAVE_CODE(TSC_ADJUST), HVM_SAVE_LENGTH(TSC_ADJUST)},
    {HVM_SAVE_CODE(PIC), HVM_SAVE_LENGTH(PIC)},
    {HVM_SAVE_CODE(IOAPIC), HVM_SAVE_LENGTH(IOAPIC)},
    {HVM_SAVE_CODE(PCI_IRQ), HVM_SAVE_LENGTH(PCI_IRQ)},
    {HVM_SAVE_CODE(ISA_IRQ), HVM_SAVE_LENGTH(ISA_IRQ)},
    {HVM_SAVE_CODE(PCI_LINK), HVM_SAVE_LENGTH(PCI_LINK)},
    {HVM_SAVE_CODE(PIT), HVM_SAVE_LENGTH(PIT)},
    {HVM_SAVE_CODE(RTC), HVM_SAVE_LENGTH(RTC)},
    {HVM_SAVE_CODE(HPET), HVM_SAVE_LENGTH(HPET)},
    {HVM_SAVE_CODE(PMTIMER), HVM_SAVE_LENGTH(PMTIMER)},
    {HVM_SAVE_CODE(END), 0},
};
#define RECORDS (sizeof(records) / sizeof(records[0]))

static unsigned char list[16384];
static size_t length;

static void put(unsigned int i, uint16_t instance)
{
    struct hvm_save_descriptor s = {records[i].code, instance, records[i].length};
    struct hvm_hw_lapic apic = {.apic_base_msr = 0xfee00900};
    uint64_t states = 7, ioapic = 0xfec00000;

    memcpy(list + length, &s, sizeof(s));
    length += sizeof(s);
    if (s.typecode == HVM_SAVE_CODE(LAPIC))
        memcpy(list + length, &apic, sizeof(apic));
    if (s.typecode == HVM_SAVE_CODE(IOAPIC))
        memcpy(list + length, &ioapic, sizeof(ioapic));
    if (s.typecode == CPU_XSAVE_CODE)
        memcpy(list + length + offsetof(struct hvm_hw_cpu_xsave, xcr0), &states, sizeof(states));
    length += s.length;
}

static void write_seed(const char *folder, unsigned int number)
{
    char name[1024];
    FILE *out;

    snprintf(name, sizeof(name), "%s/seed-%u", folder, number);
    out = fopen(name, "wb");
    if (!out || fwrite(list, 1, length, out) != length || fclose(out) != 0) {
        perror(name);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 1;
    for (unsigned int i = 0; i < RECORDS; i++) {
        length = 0;
        put(i, (uint16_t)(i < 6 ? i % 3 : 0)); /* a vCPU, or the board */
        put(RECORDS - 1, 0);
        write_seed(argv[1], i);
    }
    length = 0;
    for (unsigned int i = 0; i < RECORDS; i++)
        put(i, 0);
    write_seed(argv[1], RECORDS);
    return 0;
}
