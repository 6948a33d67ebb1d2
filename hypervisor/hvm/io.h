/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's accesses to what is not memory: ports, and guest-physical addresses
 * without a frame. A device of our own answers at once; a device model takes
 * time: then the vCPU waits, and what made the access is done again from its
 * start. So that nothing is accessed twice, the accesses of one step (an
 * instruction, or one round of a repeated one) are kept until the step is
 * complete and answered from there when it is done again.
 */
#pragma once

#include "lib/types.h"

struct hvm_vcpu;

struct hvm_io_access {
    u64 address; /* guest-physical, or a port */
    u8 bytes;    /* 1, 2, 4, 8; a port's: up to 4 */
    bool port, write;
    bool memory; /* what is moved is in memory: hvm_io_many */
    s32 count;   /* of items; below 0: each lies below the one before */
};

#define HVM_IO_STEPS 4 /* accesses in one step: a string move has two, each may be split in two */

enum hvm_io_again { HVM_AGAIN_NOTHING, HVM_AGAIN_PORT, HVM_AGAIN_MEMORY };
struct hvm_io {
    struct hvm_io_access done[HVM_IO_STEPS];
    u64 value[HVM_IO_STEPS];
    u64 answer;
    struct hvm_io_access question;
    u8 count, used;
    u8 again; /* enum hvm_io_again: what hvm_before_entry does when the reply is here */
    bool answered;
};

/*
 * For the current vCPU. 0, a read's *value filled (zero-extended); or -EAGAIN: a device
 * model was asked: undo what this step did to registers, and make the same
 * accesses again when hvm_before_entry calls for it.
 */
int hvm_io(struct hvm_vcpu *v, const struct hvm_io_access *a, u64 *value);
/*
 * Many items at once, at most to the end of a page: the same value to each of them, or, to or from
 * a port that stays the same or a device's memory, what memory has from guest-physical address
 * `data` on. 1; 0: they are to go one by one; or -EAGAIN.
 */
int hvm_io_many(struct hvm_vcpu *v, const struct hvm_io_access *a, u64 data);
/* Before an entry: true: the vCPU waits for device models, and nothing is to be decided. */
bool hvm_io_waits(struct hvm_vcpu *v);
/* Supplied by the emulator: the step that stopped at a question (hvm_io.again), once more. */
void hvm_io_again(struct hvm_vcpu *v);
/* The step is complete: its accesses are forgotten. */
void hvm_io_complete(struct hvm_vcpu *v);

/*
 * A device of our own: one access to it, on behalf of the current vCPU. address is
 * absolute. Reads fill *value, writes take it; what the device does not decode reads as
 * all ones and is written without effect. False: this access is not the device's.
 */
typedef bool hvm_device_access(struct hvm_vcpu *v, u64 address, u32 bytes, bool write, u64 *value);
struct hvm_device {
    u64 first, last;
    bool port;
    bool board; /* only domains with a PC's devices have it, and their lock is held */
    hvm_device_access *access;
};
