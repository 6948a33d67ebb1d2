// sources: hypercall/dm_op.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a device model says of the guest's memory: frames that it has modified,
 * and the bitmap of a screen. The rest of dm_op is led on to what has tests of
 * its own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/continuation.h"
#include "core/ioreq.h"
#include "core/physmap.h"
#include "core/policy.h"
#include "hvm/dev/irq.h"
#include "hypercall/hypercall.h"
#include "memory/alloc.h"
#include "memory/p2m.h"

#include <xen/hvm/dm_op.h>

struct cpu_local host_cpu_local;
static struct p2m map;
static struct domain caller, guest = {.is_hvm = true, .p2m = &map};
static struct vcpu vcpu = {.domain = &caller};

#define FRAMES 4096U
static u32 written[FRAMES], flushes;
static u32 yields; /* how many questions until time is up; 0: never */
static struct {
    u64 gfn, count;
} screen;

void p2m_written(struct p2m *p, u64 gfn)
{
    (void)p;
    assert_in_range(gfn, 0, FRAMES - 1);
    written[gfn]++;
}
void p2m_log_screen(struct p2m *p, u64 gfn, u64 count, unsigned long *dirty)
{
    (void)p;
    screen.gfn = gfn;
    screen.count = count;
    for (u64 i = 0; i < count; i += 3)
        bit_set(dirty, i);
}
void domain_flush(struct domain *d)
{
    (void)d;
    flushes++;
}
bool hypercall_should_yield(void)
{
    return yields && !--yields;
}
s64 hypercall_continue(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    (void)a0, (void)a1, (void)a2, (void)a3, (void)a4;
    return -ERESTART_HYPERCALL;
}
int guest_copy_in(void *to, u64 from, size_t length)
{
    if (from < PAGE_SIZE)
        return -EFAULT;
    memcpy(to, (void *)from, length);
    return 0;
}
int guest_copy_out(u64 to, const void *from, size_t length)
{
    if (to < PAGE_SIZE && length)
        return -EFAULT;
    if (length)
        memcpy((void *)to, from, length);
    return 0;
}
int policy_target(domid_t id, enum policy_op op, struct domain **target)
{
    (void)id, (void)op;
    *target = &guest;
    return 0;
}
void domain_put(struct domain *d)
{
    (void)d;
}
void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why, (void)file, (void)line, (void)error;
}
void *heap_zalloc(size_t size)
{
    return calloc(1, size);
}
void heap_free(void *p)
{
    free(p);
}

/* Not for here. */
#define NOT_CALLED(name, ...)            \
    int name(struct domain *__VA_ARGS__) \
    {                                    \
        abort();                         \
    }
#pragma GCC diagnostic ignored "-Wunused-parameter"
NOT_CALLED(ioreq_create, d, u32 buffering, u16 *id)
NOT_CALLED(ioreq_destroy, d, u16 id)
NOT_CALLED(ioreq_enable, d, u16 id, bool enable)
NOT_CALLED(ioreq_claim, d, u16 id, u32 type, u64 first, u64 last, bool claim)
NOT_CALLED(ioreq_buffer_port, d, u16 id, u32 *port)
NOT_CALLED(hvm_isa_irq_set, d, u32 irq, bool level)
NOT_CALLED(hvm_pci_intx_set, d, u32 device, u32 intx, bool level)
NOT_CALLED(hvm_pci_link_set, d, u32 link, u32 isa_irq)
NOT_CALLED(hvm_msi_deliver, d, u64 address, u32 data)
NOT_CALLED(physmap_protect, d, u64 gfn, bool readonly)
NOT_CALLED(physmap_move, d, u64 from, u64 to)
void domain_shutdown(struct domain *d, u32 reason)
{
    abort();
}

static struct xen_dm_op op;
static struct xen_dm_op_buf buffers[2];

static s64 call(u32 count, void *second, u64 bytes)
{
    current = &vcpu;
    set_xen_guest_handle(buffers[0].h, (void *)&op);
    buffers[0].size = sizeof(op);
    set_xen_guest_handle(buffers[1].h, second);
    buffers[1].size = bytes;
    return hypercall_dm_op(1, count, (u64)buffers, 0, 0);
}

/* Every frame once, however often time is up in between. */
static void modified_memory(void **state)
{
    struct xen_dm_op_modified_memory_extent e[] = {
        {.nr = 1, .first_pfn = 7}, {.nr = 0, .first_pfn = 9}, {.nr = 1000, .first_pfn = 1000}};
    u32 restarts = 0;
    s64 result;

    (void)state;
    memset(written, 0, sizeof(written));
    op = (struct xen_dm_op){.op = XEN_DMOP_modified_memory, .u.modified_memory.nr_extents = 3};
    do {
        yields = 100;
        result = call(2, e, sizeof(e));
        restarts++;
    } while (result == -ERESTART_HYPERCALL);
    yields = 0;
    assert_int_equal(result, 0);
    assert_in_range(restarts, 10, 12);
    for (u32 i = 0; i < FRAMES; i++)
        assert_int_equal(written[i], i == 7 || (i >= 1000 && i < 2000));
}

static void modified_memory_refused(void **state)
{
    struct xen_dm_op_modified_memory_extent e[2] = {{.nr = 1, .first_pfn = 7},
                                                    {.nr = 1, .first_pfn = 8}};

    (void)state;
#define SAY(extents)                                         \
    op = (struct xen_dm_op){.op = XEN_DMOP_modified_memory}; \
    op.u.modified_memory.nr_extents = (extents)
    SAY(3);
    assert_int_equal(call(2, e, sizeof(e)), -EFAULT);
    SAY(2);
    assert_int_equal(call(1, e, sizeof(e)), -EFAULT);
    SAY(2);
    assert_int_equal(call(2, NULL, sizeof(e)), -EFAULT);
    /* Which one it is stands in the operation: one above its place. */
    e[0].pad = 1;
    SAY(2);
    assert_int_equal(call(2, e, sizeof(e)), -EINVAL);
    assert_int_equal(op.u.modified_memory.nr_extents, 1);
    e[1].first_pfn = (1UL << P2M_GFN_BITS) - 1;
    e[1].nr = 2;
    SAY(2);
    assert_int_equal(call(2, e, sizeof(e)), -EINVAL);
    assert_int_equal(op.u.modified_memory.nr_extents, 2);
    e[1].first_pfn = ~0UL;
    SAY(2);
    assert_int_equal(call(2, e, sizeof(e)), -EINVAL);
    SAY(0);
    assert_int_equal(call(1, NULL, 0), 0);
}

static void track_dirty_vram(void **state)
{
    unsigned char bits[16];

    (void)state;
    memset(bits, 0xee, sizeof(bits));
    flushes = 0;
    op = (struct xen_dm_op){.op = XEN_DMOP_track_dirty_vram,
                            .u.track_dirty_vram = {.nr = 100, .first_pfn = 0xf0000}};
    assert_int_equal(call(2, bits, sizeof(bits)), 0);
    assert_int_equal(screen.gfn, 0xf0000);
    assert_int_equal(screen.count, 100);
    assert_int_equal(flushes, 1);
    for (u32 i = 0; i < 100; i++)
        assert_int_equal(bits[i / 8] >> i % 8 & 1, i % 3 == 0);
    assert_int_equal(bits[13], 0xee);
    assert_int_equal(call(2, bits, 13), 0);
    assert_int_equal(call(2, bits, 12), -EINVAL);
    assert_int_equal(call(1, bits, 13), -EINVAL);
    assert_int_equal(call(2, NULL, 13), -EFAULT);
    op.u.track_dirty_vram.first_pfn = ~0UL;
    assert_int_equal(call(2, bits, 16), -EINVAL);
    op.u.track_dirty_vram.first_pfn = (1UL << P2M_GFN_BITS) - 99;
    assert_int_equal(call(2, bits, 16), -EINVAL);
    op.u.track_dirty_vram.first_pfn = 0;
    op.u.track_dirty_vram.nr = ~0U;
    assert_int_equal(call(2, bits, ~0U), -EINVAL);
    op.u.track_dirty_vram.nr = 0; /* no more */
    assert_int_equal(call(1, NULL, 0), 0);
    assert_int_equal(screen.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modified_memory),
        cmocka_unit_test(modified_memory_refused),
        cmocka_unit_test(track_dirty_vram),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
