/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A translated guest with 32 pages of memory and one vCPU, for tests of what reads and writes
 * there. Include in one file of a test, after <cmocka.h>, and link "hvm/walk.c core/physmap.c
 * memory/p2m.c" with what host/fake_memory.h wants.
 */
#pragma once

#include "fake_memory.h"

#include "core/physmap.h"
#include "hvm/hvm.h"

static struct hvm_domain *guest;
static struct hvm_vcpu vcpu;
static struct hvm_paging paging;

void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why, (void)file, (void)line, (void)error;
}

static void get_paging(struct hvm_vcpu *v, struct hvm_paging *p)
{
    assert_ptr_equal(v, &vcpu);
    *p = paging;
}
static __unused struct hvm_hw_cpu hardware; /* the vCPU's state */
static __unused void get_state(struct hvm_vcpu *v, struct hvm_hw_cpu *s)
{
    (void)v;
    *s = hardware;
}
static __unused int set_state(struct hvm_vcpu *v, const struct hvm_hw_cpu *s)
{
    (void)v;
    hardware = *s;
    return 0;
}
static void flush(struct domain *d)
{
    (void)d;
}
static const struct guest_ops guest_operations = {.name = "translated", .flush = flush};

static void give(u64 gfn)
{
    struct frame *f = frames_alloc(&guest->d.frames, 0, 0, 0);

    assert_non_null(f);
    assert_int_equal(physmap_add(&guest->d, gfn, f, 0), 0);
}

/* Our own way to a word of it; it must be there. */
static void *at(u64 address)
{
    struct p2m_entry e = p2m_lookup(&guest->p2m, address >> PAGE_SHIFT);

    assert_int_equal(e.kind, P2M_RAM);
    return (char *)mfn_to_virt(e.frame) + (address & ~PAGE_MASK);
}

static int setup(void **state)
{
    (void)state;
    guest = (struct hvm_domain *)fake_owner(0);
    _Static_assert(sizeof(*guest) <= 8 * PAGE_SIZE, "room for a domain");
    memset(guest, 0, sizeof(*guest));
    frame_owner_init(&guest->d.frames);
    guest->d.ops = &guest_operations;
    assert_int_equal(p2m_init(&guest->p2m, &p2m_format_npt), 0);
    guest->p2m.tables_max = ~0U;
    guest->d.p2m = &guest->p2m;
    guest->d.dirty_cpus.bits[0] = 1;
    memset(&vcpu, 0, sizeof(vcpu));
    vcpu.v.domain = &guest->d;
    memset(&paging, 0, sizeof(paging));
    guest_regs()->rflags = 2;
    for (u64 gfn = 0; gfn < 32; gfn++)
        give(gfn);
    return 0;
}

/* Every reference taken was given back. */
static int teardown(void **state)
{
    struct frame *f;

    (void)state;
    while ((f = frame_list_first(&guest->d.frames.frames))) {
        assert_int_equal(f->count, FRAME_ALLOCATED | 1);
        assert_true(frame_release(f));
    }
    p2m_free(&guest->p2m);
    return 0;
}
