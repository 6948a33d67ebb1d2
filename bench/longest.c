/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A QEMU plugin: for how many instructions at most a processor stayed in the hypervisor without
 * taking an interrupt, from when dom0's kernel runs. The hypervisor has interrupts off but behind
 * STI, so that is how many follow one another in its addresses (xen.h: HYPERVISOR_VIRT_START on)
 * since the last STI or the last instruction elsewhere.
 *
 * Arguments: out=FILE, which gets "INSTRUCTIONS ADDRESS" for each processor at the end: how many,
 * and where the last of them was; until=ADDRESS, in hexadecimal: nothing counts any more once that
 * is executed. A repeated string instruction counts once for each round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

#define OP_STI       0xfb
#define WORTH_A_LOOK 1000
#define MAX_CPUS     64

EXPORT int qemu_plugin_version = 4;

static plugin_u64 span;
static bool counts;
static uint64_t until;
static FILE *out;
static struct {
    uint64_t instructions, address;
} longest[MAX_CPUS];

static void on_long_span(unsigned cpu, void *address)
{
    uint64_t now = qemu_plugin_u64_get(span, cpu);

    if (!counts || cpu >= MAX_CPUS || now <= longest[cpu].instructions)
        return;
    longest[cpu].instructions = now;
    longest[cpu].address = (uint64_t)address;
}

static void on_translation(plugin_id id, void *translation)
{
    size_t count = qemu_plugin_tb_n_insns(translation);
    uint64_t address = qemu_plugin_tb_vaddr(translation);

    (void)id;
    if (!is_ours(address)) {
        counts |= address >= KERNEL_START;
        qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(translation, STORE_U64, span, 0);
        return;
    }
    if (until && address == until) { /* so early that nothing of it has been executed */
        counts = false;
        return;
    }
    qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(translation, ADD_U64, span, count);
    qemu_plugin_register_vcpu_tb_exec_cond_cb(translation, on_long_span, NO_REGISTERS, IF_GREATER,
                                              span, WORTH_A_LOOK, (void *)address);
    for (size_t i = 0; i < count; i++) {
        void *instruction = qemu_plugin_tb_get_insn(translation, i);
        uint8_t code = 0;

        qemu_plugin_insn_data(instruction, &code, 1);
        if (code == OP_STI)
            qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(instruction, STORE_U64, span, 0);
    }
}

static void on_end(plugin_id id, void *unused)
{
    (void)id, (void)unused;
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        if (longest[cpu].instructions)
            fprintf(out, "%lu %lx\n", longest[cpu].instructions, longest[cpu].address);
    fclose(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int count, char **words)
{
    (void)info;
    for (int i = 0; i < count; i++)
        if (strncmp(words[i], "out=", 4) == 0)
            out = fopen(words[i] + 4, "w");
        else if (strncmp(words[i], "until=", 6) == 0)
            until = strtoul(words[i] + 6, NULL, 16);
    if (!out)
        return 1;
    span = (plugin_u64){qemu_plugin_scoreboard_new(sizeof(uint64_t)), 0};
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
