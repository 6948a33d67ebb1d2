/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's plugin interface (version 4, QEMU 9.1 and later), what we use of it: its header is in no
 * package. And whose code is where.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

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

enum { ADD_U64 = 0, STORE_U64 = 1 };
enum { NO_REGISTERS = 0, READS_REGISTERS = 1 };
enum { IF_GREATER = 6 };

extern void qemu_plugin_register_vcpu_init_cb(plugin_id, void (*)(plugin_id, unsigned));
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, void *));
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const void *);
extern uint64_t qemu_plugin_tb_vaddr(const void *);
extern void *qemu_plugin_tb_get_insn(const void *, size_t);
extern size_t qemu_plugin_insn_data(const void *, void *, size_t);
extern void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(void *, int, plugin_u64, uint64_t);
extern void qemu_plugin_register_vcpu_tb_exec_cond_cb(void *, void (*)(unsigned, void *), int, int,
                                                      plugin_u64, uint64_t, void *);
extern void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(void *, int, plugin_u64, uint64_t);
extern void qemu_plugin_register_vcpu_insn_exec_cb(void *, void (*)(unsigned, void *), int, void *);
extern void *qemu_plugin_scoreboard_new(size_t);
extern void *qemu_plugin_scoreboard_find(void *, unsigned);
extern uint64_t qemu_plugin_u64_get(plugin_u64, unsigned);
extern uint64_t qemu_plugin_u64_sum(plugin_u64);
extern array *qemu_plugin_get_registers(void);
extern int qemu_plugin_read_register(void *, bytes *);
extern bool qemu_plugin_read_memory_vaddr(uint64_t, bytes *, size_t);
extern bytes *g_byte_array_new(void);
extern bytes *g_byte_array_set_size(bytes *, unsigned);

#define KERNEL_START 0xffffffff80000000u /* where Linux lies */

/* The hypervisor's code: what the interface leaves to hypervisors (xen.h, HYPERVISOR_VIRT_START).
 */
static inline bool is_ours(uint64_t address)
{
    return address >= 0xffff800000000000u && address < 0xffff880000000000u;
}
