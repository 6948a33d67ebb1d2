/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the layout of saved processor state. With XSAVE, all components that
 * the machine has are saved and restored whatever the guest turned on, with
 * XCR0 full for that moment: nothing of one vCPU's stays behind for another
 * that turns a component on later. Each state belongs to one vCPU that is not
 * running, or to the CPU it runs on. No locks. Callers: pv/context.c, core/.
 */
#include "cpu/fpu.h"
#include "cpu/features.h"

#define LEGACY_SIZE 512
#define FCW_RESET   0x37f
#define MXCSR_RESET 0x1f80
#define XCR0_X87    BIT(0)
#define XCR0_SSE    BIT(1)
#define XCR0_AVX    BIT(2)
#define XCR0_AVX512 (BIT(5) | BIT(6) | BIT(7))
/* What we know how to check: x87 to AVX-512 without MPX, and PKRU is left out
 * (PV guests cannot use protection keys: the hypervisor's CR4 has them off). */
#define XCR0_KNOWN (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512)

/* The area as XSAVE writes it in the standard format (Intel SDM vol. 1, 10.5.1 and 13.4);
 * FXSAVE ends before the header. */
struct fpu_area {
    u16 fcw, fsw, ftw, opcode;
    u64 last_instruction, last_operand;
    u32 mxcsr, mxcsr_mask;
    u8 x87[128], sse[256];
    u8 reserved[96];
    u64 present;   /* the header: components that are in the area */
    u64 header[7]; /* must be 0 */
};

struct fpu_state {
    void *block; /* as the heap gave it */
    u64 xcr0;    /* the guest's, 0 without XSAVE */
    u8 pad[48];
    struct fpu_area area; /* and more components behind it; 64-byte aligned */
};

static u64 supported __ro_after_init; /* XCR0 bits; 0: no XSAVE */
static u32 area_size __ro_after_init = LEGACY_SIZE;
static u32 mxcsr_mask __ro_after_init = 0xffbf;
/* Where component i lies in the standard format. */
static struct {
    u32 offset, size;
} components[8] __ro_after_init;

__init void fpu_init(void)
{
    struct fpu_area image __aligned_to(16) = {0};
    u32 r[4];

    clts();
    __asm__ volatile("fninit; fxsave64 %0" : "+m"(image));
    if (image.mxcsr_mask)
        mxcsr_mask = image.mxcsr_mask;
    if (!cpu_has(FEATURE_XSAVE))
        return;
    cpuid(0xd, 0, r);
    supported = (r[0] | (u64)r[3] << 32) & XCR0_KNOWN;
    if ((supported & XCR0_AVX512) != XCR0_AVX512)
        supported &= ~XCR0_AVX512;
    for (u32 i = 2; i < ARRAY_SIZE(components); i++) {
        if (!(supported & BIT(i)))
            continue;
        cpuid(0xd, i, r);
        components[i].size = r[0];
        components[i].offset = r[1];
    }
    area_size = fpu_xsave_size(supported);
    xsetbv(0, supported);
}

void fpu_init_secondary(void)
{
    clts();
    __asm__ volatile("fninit");
    if (supported)
        xsetbv(0, supported);
}

u32 fpu_xsave_size(u64 xcr0)
{
    u32 size = sizeof(struct fpu_area);

    for (u32 i = 2; i < ARRAY_SIZE(components); i++)
        if (xcr0 & BIT(i))
            size = MAX(size, components[i].offset + components[i].size);
    return size;
}

u64 fpu_xcr0_supported(void)
{
    return supported;
}

struct fpu_state *fpu_state_new(void)
{
    void *block = heap_zalloc(offsetof(struct fpu_state, area) + area_size + 64);

    if (!block)
        return NULL;
    struct fpu_state *state = (struct fpu_state *)ROUND_UP((u64)block, 64UL);
    state->block = block;
    state->xcr0 = supported ? XCR0_X87 : 0;
    state->area.fcw = FCW_RESET;
    state->area.mxcsr = MXCSR_RESET;
    return state;
}

void fpu_state_free(struct fpu_state *state)
{
    if (state)
        heap_free(state->block);
}

void fpu_save(struct fpu_state *state)
{
    clts();
    if (!supported) {
        __asm__ volatile("fxsave64 (%0)" ::"r"(&state->area) : "memory");
        return;
    }
    if (state->xcr0 != supported)
        xsetbv(0, supported);
    /* XSAVEOPT would trust that nobody moved the area; a copy may have. */
    __asm__ volatile("xsave64 (%0)" ::"r"(&state->area), "a"((u32)supported),
                     "d"((u32)(supported >> 32))
                     : "memory");
}

void fpu_restore(struct fpu_state *state)
{
    static const u32 zero;

    clts();
    /* AMD leaves the last instruction's and operand's addresses alone unless an
     * exception is pending (APM vol. 2, 11.4.4): overwrite the last guest's. */
    if (cpu_vendor == VENDOR_AMD && !(state->area.fsw & BIT(7)))
        __asm__ volatile("fnclex; ffree %%st(7); fildl %0" ::"m"(zero));
    if (!supported) {
        __asm__ volatile("fxrstor64 (%0)" ::"r"(&state->area) : "memory");
        return;
    }
    if (xgetbv(0) != supported)
        xsetbv(0, supported);
    __asm__ volatile("xrstor64 (%0)" ::"r"(&state->area), "a"((u32)supported),
                     "d"((u32)(supported >> 32))
                     : "memory");
    if (state->xcr0 != supported)
        xsetbv(0, state->xcr0);
}

void fpu_reset(void)
{
    static const u32 mxcsr = MXCSR_RESET;

    clts();
    __asm__ volatile("fninit; ldmxcsr %0" ::"m"(mxcsr));
}

void fpu_vector(u32 number, u64 value[2], bool set)
{
    struct fpu_area image __aligned_to(16);
    u8 *at = (u8 *)image.sse + (number & 15) * 16;

    __asm__ volatile("fxsave64 %0" : "=m"(image));
    if (set) {
        memcpy(at, value, 16);
        __asm__ volatile("fxrstor64 %0" ::"m"(image));
    } else {
        memcpy(value, at, 16);
    }
}

u64 fpu_xcr0(const struct fpu_state *state)
{
    return state->xcr0;
}

/* The rules are Intel SDM vol. 1, 13.3. */
static bool xcr0_valid(u64 value)
{
    if ((value & ~supported) || !(value & XCR0_X87))
        return false;
    if ((value & XCR0_AVX) && !(value & XCR0_SSE))
        return false;
    return !(value & XCR0_AVX512) || ((value & XCR0_AVX512) == XCR0_AVX512 && (value & XCR0_AVX));
}

/* state must be the running vCPU's. */
int fpu_set_xcr0(struct fpu_state *state, u64 value)
{
    if (!xcr0_valid(value))
        return -EINVAL;
    state->xcr0 = value;
    xsetbv(0, value);
    return 0;
}

void fpu_get_legacy(const struct fpu_state *state, void *image512)
{
    u64 present = supported ? state->area.present : ~0UL;
    struct fpu_area *image = image512;

    memcpy(image, &state->area, LEGACY_SIZE);
    /* A component in its initial state is not written by XSAVE. */
    if (!(present & XCR0_X87)) {
        memset(image, 0, offsetof(struct fpu_area, mxcsr));
        memset(image->x87, 0, sizeof(image->x87));
        image->fcw = FCW_RESET;
    }
    if (!(present & XCR0_SSE))
        memset(image->sse, 0, sizeof(image->sse));
    if (!(present & (XCR0_SSE | XCR0_AVX)))
        image->mxcsr = MXCSR_RESET;
}

void fpu_set_legacy(struct fpu_state *state, const void *image512)
{
    memset(&state->area, 0, area_size);
    memcpy(&state->area, image512, LEGACY_SIZE);
    /* A reserved bit set would make the restore fault. */
    state->area.mxcsr &= mxcsr_mask;
    if (supported)
        state->area.present = XCR0_X87 | XCR0_SSE;
}

u32 fpu_get_image(const struct fpu_state *state, void *image)
{
    if (!supported)
        return 0;
    if (image)
        memcpy(image, &state->area, area_size);
    return area_size;
}

int fpu_set_image(struct fpu_state *state, u64 xcr0, const void *image, u32 size)
{
    const struct fpu_area *a = image;

    if (!xcr0_valid(xcr0) || size < sizeof(*a) || size > area_size || (a->present & ~supported) ||
        size < fpu_xsave_size(a->present) || (a->mxcsr & ~mxcsr_mask))
        return -EINVAL;
    /* The rest of the header: compaction, zeros (SDM vol. 1, 13.4.2). */
    for (u32 i = 0; i < ARRAY_SIZE(a->header); i++)
        if (a->header[i])
            return -EINVAL;
    memset(&state->area, 0, area_size);
    memcpy(&state->area, image, size);
    state->xcr0 = xcr0;
    return 0;
}
