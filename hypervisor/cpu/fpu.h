/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Extended processor state (x87, SSE, AVX...) of vCPUs: saved and restored
 * eagerly at context switch, with XSAVE(OPT/S) where there, else FXSAVE.
 */
#pragma once

#include "lib/types.h"

struct fpu_state; /* heap object, 64-byte aligned */

void fpu_init(void); /* boot CPU, after features_init() */
void fpu_init_secondary(void);
struct fpu_state *fpu_state_new(void); /* initial state; NULL: no memory */
void fpu_state_free(struct fpu_state *state);
void fpu_save(struct fpu_state *state);    /* this CPU's registers -> memory */
void fpu_restore(struct fpu_state *state); /* memory -> this CPU's registers */
void fpu_reset(void);                      /* registers as after power-on, for foreign code */
/* SSE register `number` of this CPU, from or to `value`; what lies above it stays. */
void fpu_vector(u32 number, u64 value[2], bool set);
/* The guest's XCR0 as it set it; 0 when the CPU has no XSAVE. */
u64 fpu_xcr0(const struct fpu_state *state);
/* XSETBV from a guest: -EINVAL for a combination the CPU or policy refuses. */
int fpu_set_xcr0(struct fpu_state *state, u64 value);
/* 512-byte FXSAVE image in vcpu_guest_context.fpu_ctxt; set validates MXCSR. */
void fpu_get_legacy(const struct fpu_state *state, void *image512);
void fpu_set_legacy(struct fpu_state *state, const void *image512);
/* Whole XSAVE image in standard format for save/restore: size in bytes for xcr0 mask. */
u32 fpu_xsave_size(u64 xcr0);
u64 fpu_xcr0_supported(void);

/*
 * The whole state in XSAVE's standard format, of a vCPU that stands still.
 * get returns its size (image NULL: only that; 0 without XSAVE). set also
 * sets XCR0, and refuses (-EINVAL) what the machine could not load.
 */
u32 fpu_get_image(const struct fpu_state *state, void *image);
int fpu_set_image(struct fpu_state *state, u64 xcr0, const void *image, u32 size);

/* Supplied by memory/. */
void *heap_zalloc(size_t size);
void heap_free(void *p);
