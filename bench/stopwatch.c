/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A QEMU plugin: a clock that no load on our machine can disturb. It counts the instructions that
 * the emulated processor executes and notes the count at the end of each line that software writes
 * to the first serial port, and at each marker (a certain no-op, executed anywhere; it has a text's
 * address in rdi and its length in rsi): "COUNT COUNT-IN-THE-HYPERVISOR LINE". Another no-op has up
 * to 16 letters in rdi and rsi and a number in rdx, from where memory is not found so easily: it
 * is noted as "bench: LETTERS begin" if that is 0, else as "bench: LETTERS end of NUMBER". For
 * machines with one processor.
 *
 * "bench: boot begin" is noted when the hypervisor's first instruction is executed, whose address
 * is an argument, and "bench: boot end" at the first of dom0's kernel.
 *
 * Arguments: out=FILE for the notes. entry=ADDRESS. profile=FILE: between lines "bench: NAME begin"
 * and "bench: NAME end" also where the processor was, in FILE.NAME, "INSTRUCTIONS EXECUTIONS
 * ADDRESS" for each block; and, as "userspace", while dom0's kernel boots.
 *
 * Counted by translation block: a block left early by a fault counts whole, which is the same in
 * every run of the same software.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

#define SERIAL_DATA  0x3f8
#define OP_OUT_AL_DX 0xee
#define MARKER       "\x0f\x1f\x80MARK" /* nopl 0x4b52414d(%rax) */
#define NAMED        "\x0f\x1f\x80NAME" /* nopl 0x454d414e(%rax) */
#define MARKER_BYTES 7
#define MAX_BLOCKS   (1u << 20) /* a power of two, more than half of it unused */

EXPORT int qemu_plugin_version = 4;

static uint64_t entry; /* of the hypervisor; 0 once it was seen */
static bool kernel_seen;
static plugin_u64 executed, executed_inside;
static void *rax, *rdx, *rdi, *rsi;
static bytes *value, *text;
static FILE *out;
static char line[1024];
static size_t length;

/* The profile: each block that was translated, and how often it had run when the window opened. */
static const char *profile;
static struct block {
    uint64_t address, instructions, before;
} * blocks;
static void *runs; /* scoreboard of as many counters */

static uint64_t read_register(void *handle)
{
    uint64_t number = 0;

    g_byte_array_set_size(value, 0);
    if (qemu_plugin_read_register(handle, value) >= (int)sizeof(number))
        memcpy(&number, value->data, sizeof(number));
    return number;
}

static struct block *block_of(uint64_t address, uint64_t instructions)
{
    uint64_t at = (address * 0x9e3779b97f4a7c15u >> 32) + instructions;

    for (unsigned tries = 0; tries < MAX_BLOCKS; tries++, at++) {
        struct block *b = &blocks[at % MAX_BLOCKS];
        if (!b->instructions)
            *b = (struct block){address, instructions, 0};
        if (b->address == address && b->instructions == instructions)
            return b;
    }
    abort();
}

/* A window opens, or (with a name) closes. */
static void write_profile(const char *name)
{
    const uint64_t *now = qemu_plugin_scoreboard_find(runs, 0);
    char path[1000];
    FILE *file = NULL;

    if (name) {
        snprintf(path, sizeof(path), "%s.%s", profile, name);
        file = fopen(path, "w");
    }
    for (unsigned i = 0; i < MAX_BLOCKS; i++) {
        struct block *b = &blocks[i];
        if (file && now[i] > b->before)
            fprintf(file, "%lu %lu %lx\n", (now[i] - b->before) * b->instructions,
                    now[i] - b->before, b->address);
        b->before = now[i];
    }
    if (file)
        fclose(file);
}

static void note(const char *what, size_t size)
{
    char name[100], which[20];

    fprintf(out, "%lu %lu %.*s\n", qemu_plugin_u64_sum(executed),
            qemu_plugin_u64_sum(executed_inside), (int)size, what);
    if (!profile || size >= sizeof(line))
        return;
    char copy[sizeof(line)] = "";
    memcpy(copy, what, size);
    if (strstr(copy, "Linux version "))
        write_profile(NULL);
    else if (strstr(copy, "dom0: userspace up "))
        write_profile("userspace");
    else if (strstr(copy, "bench: ") &&
             sscanf(strstr(copy, "bench: "), "bench: %99[^ ] %19[a-z]", name, which) == 2 &&
             (strcmp(which, "begin") == 0 || strcmp(which, "end") == 0))
        write_profile(strcmp(which, "end") == 0 ? name : NULL);
}

static void on_out(unsigned cpu, void *unused)
{
    char byte;

    (void)cpu, (void)unused;
    if ((read_register(rdx) & 0xffff) != SERIAL_DATA)
        return;
    byte = (char)read_register(rax);
    if (byte == '\n') {
        note(line, length);
        length = 0;
    } else if (byte >= ' ' && length < sizeof(line)) {
        line[length++] = byte;
    }
}

static void on_marker(unsigned cpu, void *unused)
{
    uint64_t size = read_register(rsi);

    (void)cpu, (void)unused;
    if (size < sizeof(line) && qemu_plugin_read_memory_vaddr(read_register(rdi), text, size))
        note((char *)text->data, size);
}

static void on_named(unsigned cpu, void *unused)
{
    uint64_t letters[] = {read_register(rdi), read_register(rsi)}, times = read_register(rdx);
    char what[80];

    (void)cpu, (void)unused;
    if (times)
        snprintf(what, sizeof(what), "bench: %.16s end of %lu", (char *)letters, times);
    else
        snprintf(what, sizeof(what), "bench: %.16s begin", (char *)letters);
    note(what, strlen(what));
}

/* What is translated for the first time is about to be executed. */
static void note_boot(uint64_t address)
{
    static const char begin[] = "bench: boot begin", end[] = "bench: boot end";

    if (address == entry) {
        entry = 0;
        note(begin, sizeof(begin) - 1);
    } else if (!entry && !kernel_seen && address >= KERNEL_START) {
        kernel_seen = true;
        note(end, sizeof(end) - 1);
    }
}

static void on_translation(plugin_id id, void *translation)
{
    size_t count = qemu_plugin_tb_n_insns(translation);
    uint64_t address = qemu_plugin_tb_vaddr(translation);

    (void)id;
    note_boot(address);
    qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(translation, ADD_U64, executed, count);
    if (is_ours(address))
        qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(translation, ADD_U64, executed_inside,
                                                          count);
    if (profile) {
        struct block *b = block_of(address, count);
        plugin_u64 counter = {runs, (size_t)(b - blocks) * sizeof(uint64_t)};
        qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(translation, ADD_U64, counter, 1);
    }
    for (size_t i = 0; i < count; i++) {
        void *instruction = qemu_plugin_tb_get_insn(translation, i);
        uint8_t code[MARKER_BYTES] = {0};

        qemu_plugin_insn_data(instruction, code, sizeof(code));
        if (code[0] == OP_OUT_AL_DX)
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_out, READS_REGISTERS, NULL);
        else if (memcmp(code, MARKER, sizeof(code)) == 0)
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_marker, READS_REGISTERS, NULL);
        else if (memcmp(code, NAMED, sizeof(code)) == 0)
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_named, READS_REGISTERS, NULL);
    }
}

static void on_cpu(plugin_id id, unsigned cpu)
{
    array *registers = qemu_plugin_get_registers();
    register_descriptor *descriptor = (register_descriptor *)registers->data;

    (void)id, (void)cpu;
    value = g_byte_array_new();
    text = g_byte_array_new();
    for (unsigned i = 0; i < registers->len; i++) {
        if (strcmp(descriptor[i].name, "rax") == 0)
            rax = descriptor[i].handle;
        else if (strcmp(descriptor[i].name, "rdx") == 0)
            rdx = descriptor[i].handle;
        else if (strcmp(descriptor[i].name, "rdi") == 0)
            rdi = descriptor[i].handle;
        else if (strcmp(descriptor[i].name, "rsi") == 0)
            rsi = descriptor[i].handle;
    }
}

static void on_end(plugin_id id, void *unused)
{
    (void)id, (void)unused;
    fclose(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int count, char **words)
{
    (void)info;
    for (int i = 0; i < count; i++) {
        if (strncmp(words[i], "out=", 4) == 0)
            out = fopen(words[i] + 4, "w");
        else if (strncmp(words[i], "entry=", 6) == 0)
            entry = strtoul(words[i] + 6, NULL, 0);
        else if (strncmp(words[i], "profile=", 8) == 0)
            profile = strdup(words[i] + 8);
    }
    if (!out)
        return 1;
    setvbuf(out, NULL, _IOLBF, 0);
    executed = (plugin_u64){qemu_plugin_scoreboard_new(2 * sizeof(uint64_t)), 0};
    executed_inside = (plugin_u64){executed.score, sizeof(uint64_t)};
    if (profile) {
        blocks = calloc(MAX_BLOCKS, sizeof(*blocks));
        runs = qemu_plugin_scoreboard_new(MAX_BLOCKS * sizeof(uint64_t));
    }
    qemu_plugin_register_vcpu_init_cb(id, on_cpu);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
