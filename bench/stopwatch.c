/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A QEMU plugin: a clock that no load on our machine can disturb. It counts the instructions that
 * the emulated processor executes and notes the count at the end of each line that software writes
 * to the first serial port: "COUNT LINE". For machines with one processor.
 *
 * Counted by translation block: a block left early by a fault counts whole, which is the same in
 * every run of the same software. The plugin header is in no package, so what we use of the
 * interface (version 4, QEMU 9.1 and later) is declared here.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define SERIAL_DATA 0x3f8
#define OP_OUT_AL_DX 0xee

typedef uint64_t plugin_id;
typedef struct {
    void *score;
    size_t offset;
} plugin_u64;
typedef struct {
    uint8_t *data;
    unsigned len;
} bytes; /* GByteArray */
typedef struct {
    char *data;
    unsigned len;
} array; /* GArray */
typedef struct {
    void *handle;
    const char *name, *feature;
} register_descriptor;

enum { ADD_U64 = 0, READS_REGISTERS = 1 };

extern void qemu_plugin_register_vcpu_init_cb(plugin_id, void (*)(plugin_id, unsigned));
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, void *));
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const void *);
extern void *qemu_plugin_tb_get_insn(const void *, size_t);
extern size_t qemu_plugin_insn_data(const void *, void *, size_t);
extern void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(void *, int, plugin_u64, uint64_t);
extern void qemu_plugin_register_vcpu_insn_exec_cb(void *, void (*)(unsigned, void *), int, void *);
extern void *qemu_plugin_scoreboard_new(size_t);
extern uint64_t qemu_plugin_u64_sum(plugin_u64);
extern array *qemu_plugin_get_registers(void);
extern int qemu_plugin_read_register(void *, bytes *);
extern bytes *g_byte_array_new(void);
extern bytes *g_byte_array_set_size(bytes *, unsigned);

EXPORT int qemu_plugin_version = 4;

static plugin_u64 executed;
static void *rax, *rdx;
static bytes *value;
static FILE *out;
static char line[1024];
static size_t length;

static uint64_t read_register(void *handle)
{
    uint64_t number = 0;

    g_byte_array_set_size(value, 0);
    if (qemu_plugin_read_register(handle, value) >= (int)sizeof(number))
        memcpy(&number, value->data, sizeof(number));
    return number;
}

static void on_out(unsigned cpu, void *unused)
{
    char byte;

    (void)cpu, (void)unused;
    if ((read_register(rdx) & 0xffff) != SERIAL_DATA)
        return;
    byte = (char)read_register(rax);
    if (byte == '\n') {
        fprintf(out, "%lu %.*s\n", qemu_plugin_u64_sum(executed), (int)length, line);
        length = 0;
    } else if (byte >= ' ' && length < sizeof(line)) {
        line[length++] = byte;
    }
}

static void on_translation(plugin_id id, void *block)
{
    size_t count = qemu_plugin_tb_n_insns(block);

    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(block, ADD_U64, executed, count);
    for (size_t i = 0; i < count; i++) {
        void *instruction = qemu_plugin_tb_get_insn(block, i);
        uint8_t opcode = 0;

        qemu_plugin_insn_data(instruction, &opcode, 1);
        if (opcode == OP_OUT_AL_DX)
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_out, READS_REGISTERS, NULL);
    }
}

static void on_cpu(plugin_id id, unsigned cpu)
{
    array *registers = qemu_plugin_get_registers();
    register_descriptor *descriptor = (register_descriptor *)registers->data;

    (void)id, (void)cpu;
    value = g_byte_array_new();
    for (unsigned i = 0; i < registers->len; i++) {
        if (strcmp(descriptor[i].name, "rax") == 0)
            rax = descriptor[i].handle;
        else if (strcmp(descriptor[i].name, "rdx") == 0)
            rdx = descriptor[i].handle;
    }
}

static void on_exit(plugin_id id, void *unused)
{
    (void)id, (void)unused;
    fclose(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int count, char **words)
{
    (void)info;
    if (count != 1 || strncmp(words[0], "out=", 4) != 0 || !(out = fopen(words[0] + 4, "w")))
        return 1;
    setvbuf(out, NULL, _IOLBF, 0);
    executed = (plugin_u64){qemu_plugin_scoreboard_new(sizeof(uint64_t)), 0};
    qemu_plugin_register_vcpu_init_cb(id, on_cpu);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit, NULL);
    return 0;
}
