/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest gone mad: bytes (random, or a fuzzer's) choose operations on page
 * tables, each followed by all checks of pv_types_model.h, and unless
 * operations are abandoned half-way, results are those of the model. At the
 * end the domain dies and everything must have come back.
 */
#pragma once

#include "pv_types_model.h"

/* Operations. */
static u64 any_frame(void)
{
    return FAKE_FRAMES - 1 - next(FAKE_FRAMES - FAKE_OWNER_FRAMES + 3) % (A_FRAMES + 8);
}
static u32 any_slot(void)
{
    static const u32 slots[] = {0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 255, 256, 271, 272, 511};
    return slots[next(ARRAY_SIZE(slots))];
}
static u64 any_entry(void)
{
    static const u64 flags[] = {1,
                                3,
                                5,
                                7,
                                0x63,
                                0x67,
                                0x65,
                                0x27,
                                0x3 | PTE_NX,
                                0x7,
                                0x67,
                                0x107,
                                0x7 | 0x8,
                                0x3 | 0x80,
                                0,
                                0x6,
                                0x7 | 1UL << 52,
                                0x7 | 1UL << 11};
    u64 number = next(24) ? any_frame() : next(2) ? IO_FIRST + next(3) : 1UL << 38;

    return number << 12 | flags[next(ARRAY_SIZE(flags))];
}

typedef s64 (*call_fn)(u64, u64, u64, u64, u64);
/* As a guest does: again until done, unless it loses interest. */
static s64 call(call_fn fn, u64 a0, u64 a1, u64 a2, u64 a3)
{
    s64 rc = fn(a0, a1, a2, a3, 0);

    while (rc == -ERESTART_HYPERCALL) {
        u64 args[5];

        check_machine();
        check_memory_of_processor();
        if (script_abandons && next(4) == 0)
            return rc;
        memcpy(args, continued, sizeof(args));
        rc = fn(args[0], args[1], args[2], args[3], args[4]);
    }
    return rc;
}

/* Results agree, where no operation was ever abandoned. */
static void agree(s64 rc, bool ok)
{
    while (!script_abandons && !pv_finish_tables())
        check_machine();
    if (!script_abandons)
        assert((rc == 0) == ok);
}

static u32 pick_domain(int *owner)
{
    u32 n = next(8);

    *owner = n == 0 ? 2 : n == 1 ? 0 : 1;
    return n == 0 ? 2 : n == 1 ? DOMID_IO : DOMID_SELF;
}

static void op_update(void)
{
    struct mmu_update u[3];
    u32 count = 1 + next(4) / 2, done = 77, good = 0;
    int owner;
    u32 domain = pick_domain(&owner);
    bool ok = true;
    s64 rc;

    for (u32 i = 0; i < count; i++) {
        u[i].ptr = any_frame() << 12 | any_slot() * 8;
        u[i].val = any_entry();
        if (next(4) == 0)
            u[i].ptr |= MMU_PT_UPDATE_PRESERVE_AD;
    }
    rc = call(hypercall_mmu_update, (u64)u, count, (u64)&done, domain);
    for (u32 i = 0; i < count && ok && !script_abandons; i++) {
        ok = model_update(u[i].ptr >> 12, (u[i].ptr & 0xfff) / 8, u[i].val, owner, u[i].ptr & 3);
        good += ok;
    }
    agree(rc, ok);
    assert(script_abandons || done == good);
}

static s64 ext(u32 cmd, u64 number)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = number};
    return call(hypercall_mmuext_op, (u64)&op, 1, 0, DOMID_SELF);
}

static void op_pin(void)
{
    u32 level = 1 + next(4);
    u64 number = any_frame();
    s64 rc = ext(MMUEXT_PIN_L1_TABLE + level - 1, number);
    bool ok = false;

    if (!script_abandons && model_begin(number, level)) {
        ok = !model[number].pinned;
        if (!ok)
            model_end(number);
        model[number].pinned = true;
    }
    agree(rc, ok);
}

static void op_unpin(void)
{
    u64 number = any_frame();
    s64 rc = ext(MMUEXT_UNPIN_TABLE, number);
    bool ok = !script_abandons && model[number].owner == 1 && model[number].pinned;

    if (ok) {
        model[number].pinned = false;
        model_end(number);
    }
    agree(rc, ok);
}

static void op_base(bool user)
{
    u64 number = user && next(4) == 0 ? 0 : any_frame(), *base = user ? &model_user : &model_kernel;
    s64 rc = ext(user ? MMUEXT_NEW_USER_BASEPTR : MMUEXT_NEW_BASEPTR, number);
    u64 old = *base;
    bool ok = true;

    if (!script_abandons && number != old) {
        ok = !number || model_begin(number, 4);
        if (ok) {
            *base = number;
            if (old)
                model_end(old);
        }
    }
    agree(rc, ok);
}

static void op_page(void)
{
    u64 number = any_frame();
    s64 rc = ext(MMUEXT_CLEAR_PAGE, number);
    bool ok = !script_abandons && model[number].owner == 1 && model_writable(number);

    if (ok) {
        model[number].count--;
        memset(model[number].content, 0, PAGE_SIZE);
    }
    agree(rc, ok);
}

/* The guest writes memory it has mapped: an entry of a table to be. */
static void op_store(void)
{
    u64 number = any_frame(), e = any_entry();
    u32 slot = any_slot();
    struct frame *f = &host_frame_table[number];

    if (!frame_get(f, &dom_a->d.frames))
        return;
    if (frame_get_writable(f)) {
        content_of(number)[slot] = model[number].content[slot] = e;
        frame_put_writable(f);
        if (!script_abandons)
            model[number].type = 7;
    }
    frame_put(f);
}

static void op_gdt(void)
{
    u64 frames[1] = {any_frame()};
    u32 entries = next(3) * 200;
    s64 rc = hypercall_set_gdt((u64)frames, entries, 0, 0, 0);
    u64 old = model_gdt;
    bool ok = true;

    if (!script_abandons) {
        ok = !entries || model_begin(frames[0], 5);
        if (ok) {
            model_gdt = entries ? frames[0] : 0;
            if (old)
                model_end(old);
        }
    }
    agree(rc, ok);
}

static void op_grant(void)
{
    u64 number = b_frames[next(B_FRAMES)], where = any_frame() << 12 | any_slot() * 8;
    u32 flags = GNTMAP_host_map | GNTMAP_contains_pte | (next(2) ? GNTMAP_readonly : 0);
    struct model_frame *m = &model[where >> 12];
    bool unmap = next(2), ok = m->owner == 1 && m->count && m->type == 1;
    u64 *e = &m->content[(where & 0xfff) / 8];
    struct grant_place place = {0};
    s16 status = unmap ? guest_unmap_grant(&dom_a->d, where, mfn(number), flags, 0, &place)
                       : guest_map_grant(&dom_a->d, where, mfn(number), flags, &place);

    if (script_abandons)
        return;
    if (unmap) {
        ok = ok && (*e & 1) && (*e & PTE_ADDRESS) >> 12 == number &&
             !(*e & 2) == !!(flags & GNTMAP_readonly);
        if (ok) {
            model_put_l1(*e);
            *e = 0;
        }
    } else if (ok) {
        u64 entry = number << 12 | 0x65 | (flags & GNTMAP_readonly ? 0 : 2), old = *e;
        assert(model_get_l1(&entry, 2));
        *e = entry;
        model_put_l1(old);
    }
    agree(status, ok);
}

static u64 model_walk(u64 va, u64 *where)
{
    u64 number = model_kernel;

    if (!number)
        return 0;
    for (u32 shift = 39;; shift -= 9) {
        u64 slot = va >> shift & 511, e = model[number].content[slot];

        *where = slot;
        if (shift == 12)
            return number;
        if (!(e & 1))
            return 0;
        number = (e & PTE_ADDRESS) >> 12;
    }
}

static u64 any_address(void)
{
    u64 va = (u64)any_slot() << 12;

    if (next(4) == 0)
        va |= (u64)any_slot() << 39 | (u64)any_slot() << 30 | (u64)any_slot() << 21;
    return (u64)((s64)(va << 16) >> 16);
}

static void op_update_va(void)
{
    u64 va = any_address(), e = any_entry(), number, slot;
    s64 rc = hypercall_update_va_mapping(va, e, next(3), 0, 0);

    if (script_abandons)
        return;
    number = va >= HV_START && va < HV_END ? 0 : model_walk(va, &slot);
    agree(rc, number && model_update(number, (u32)slot, e, 1, false));
}

/* A write to a table through its read-only mapping. */
static void op_fault(void)
{
    u64 va = any_address(), where, entry, rights, mask;
    struct cpu_user_regs regs = {.cs = 3};
    struct model_frame *m;
    bool done, ok;

    fault_size = 1u << next(4);
    fault_address = va + any_slot() * 8 + (fault_size < 8 ? next(8 / fault_size) * fault_size : 0);
    fault_value = any_entry();
    if (!mfn_is_none(vcpu_a.kernel_table) && pv_walk_rights(&vcpu_a, true, va, &entry, &rights) &&
        (entry & 2))
        return;
    done = pv_mm_page_fault(&regs, fault_address, 3);
    if (script_abandons)
        return;
    u64 number = va >= HV_START && va < HV_END ? 0 : model_walk(va, &where);
    u64 e = number ? model[number].content[where] : 0, slot = (fault_address & 0xfff) / 8;
    u64 target = (e & PTE_ADDRESS) >> 12;
    ok = (e & 1) && target < FAKE_FRAMES && model[target].owner == 1 && model[target].count &&
         model[target].type == 1;
    if (ok) {
        m = &model[target];
        mask = (fault_size == 8 ? ~0UL : (1UL << fault_size * 8) - 1) << fault_address % 8 * 8;
        ok = model_update(
            target, (u32)slot,
            (m->content[slot] & ~mask) | ((fault_value << fault_address % 8 * 8) & mask), 1, false);
    }
    assert(done == ok);
    agree(done ? 0 : -1, ok);
}

/* The balloon: a frame goes back, or one comes. */
static void op_balloon(void)
{
    u64 number = any_frame();
    struct frame *f = number < FAKE_FRAMES ? &host_frame_table[number] : NULL;

    if (next(3) == 0) {
        f = frames_alloc(&dom_a->d.frames, 0, 0, 0);
        if (!f)
            return;
        number = frame_to_mfn(f).raw;
        memset(&model[number], 0, sizeof(model[number]));
        model[number].owner = 1;
        model[number].allocated = true;
        model[number].refs = 1;
    } else if (f && frame_get(f, &dom_a->d.frames)) {
        if (frame_release(f) && !script_abandons) {
            model[number].allocated = false;
            model_unref(number);
        }
        frame_put(f);
    }
}

static void one_op(void)
{
    switch (next(17)) {
    case 0 ... 2:
        op_update();
        break;
    case 3 ... 5:
        op_store();
        break;
    case 6:
    case 7:
        op_pin();
        break;
    case 8:
        op_unpin();
        break;
    case 9:
        op_base(false);
        break;
    case 10:
        op_base(true);
        break;
    case 11:
        op_gdt();
        break;
    case 12:
        op_grant();
        break;
    case 13:
        op_update_va();
        break;
    case 14:
        op_fault();
        break;
    case 15:
        op_balloon();
        break;
    default:
        op_page();
    }
}

/* A proper tree to begin with, so that not everything fails: frames first..first+4, the
 * level-1 table maps itself and its parents read-only, the last frame writable. */
static void grow_tree(const u64 *frames)
{
    for (u32 i = 0; i < 3; i++)
        content_of(frames[i])[0] = model[frames[i]].content[0] = frames[i + 1] << 12 | 0x67;
    for (u32 i = 0; i < 5; i++)
        content_of(frames[3])[i] = model[frames[3]].content[i] = frames[i] << 12 |
                                                                 (i == 4 ? 0x67 : 0x65);
}

static struct pv_domain *make_domain(u32 page, domid_t id)
{
    struct pv_domain *d = mfn_to_virt(mfn(page));

    assert(sizeof(*d) <= 6 * PAGE_SIZE);
    memset(d, 0, sizeof(*d));
    frame_owner_init(&d->d.frames);
    d->d.id = id;
    d->d.dirty_cpus = cpumask_of(0);
    d->d.vm_assist = BIT(VMASST_TYPE_writable_pagetables);
    rangeset_init(&d->d.io_memory, malloc, free);
    return d;
}

static void begin_world(bool hardware)
{
    u64 frames[A_FRAMES];

    if (!fake_arena) /* frames outlive a world: one holds the null descriptors */
        fake_memory_init();
    memset(model, 0, sizeof(model));
    memset(&vcpu_a, 0, sizeof(vcpu_a));
    memset(window_a, 0, sizeof(window_a));
    memset(remembers_writable, 0, sizeof(remembers_writable));
    memset(remembers_table, 0, sizeof(remembers_table));
    model_kernel = model_user = model_gdt = 0;
    model_table_bits = 1 | 2 | 4 | 0x20 | 0x40 | 0xe00 | PTE_NX | PTE_ADDRESS;
    dom_a = make_domain(1, 1);
    dom_b = make_domain(8, 2);
    if (hardware)
        rangeset_add(&dom_a->d.io_memory, IO_FIRST, IO_LAST);
    dom_a->d.max_vcpus = 1;
    dom_a->d.vcpus = vcpu_list;
    dom_a->window_l1 = windows_a;
    vcpu_a.v.domain = &dom_a->d;
    vcpu_a.v.ops = &guest_pv;
    vcpu_a.kernel_mode = true;
    vcpu_a.kernel_table = vcpu_a.user_table = MFN_NONE;
    current = &vcpu_a.v;
    for (u32 i = 0; i < A_FRAMES + B_FRAMES; i++) {
        struct pv_domain *d = i < A_FRAMES ? dom_a : dom_b;
        struct frame *f = frames_alloc(&d->d.frames, 0, 0, 0);
        u64 number;

        assert(f);
        number = frame_to_mfn(f).raw;
        model[number].owner = d == dom_a ? 1 : 2;
        model[number].allocated = true;
        model[number].refs = 1;
        if (d == dom_a)
            frames[i] = number;
        else
            b_frames[i - A_FRAMES] = number;
    }
    first_top = frames[0];
    grow_tree(&frames[0]);
    grow_tree(&frames[5]);
    grow_tree(&frames[10]);
}

static void begin_loaded(void)
{
    bool yields = script_yields;

    script_yields = false;
    assert(ext(MMUEXT_NEW_BASEPTR, first_top) == 0);
    assert(model_begin(first_top, 4));
    model_kernel = first_top;
    script_yields = yields;
}

static void end_world(void)
{
    struct frame *f;

    while (pv_relinquish_tables(&dom_a->d) == -ERESTART_HYPERCALL)
        check_machine();
    for (u64 n = 0; n < FAKE_FRAMES; n++) {
        f = &host_frame_table[n];
        if (!f->owner)
            continue;
        assert((f->count & FRAME_COUNT_MASK) == !!(f->count & FRAME_ALLOCATED));
        assert(!(f->type & (TYPE_COUNT_MASK | TYPE_PINNED | TYPE_PARTIAL | TYPE_LOCKED)));
    }
    while ((f = frame_list_first(&dom_a->d.frames.frames)))
        assert(frame_release(f));
    while ((f = frame_list_first(&dom_b->d.frames.frames)))
        assert(frame_release(f));
    rangeset_destroy(&dom_a->d.io_memory);
}

/* First byte: abandon, interrupt, hardware, begin with a top table loaded. */
static __unused void play(const u8 *bytes, size_t length)
{
    u32 mode;

    script = bytes;
    script_left = length;
    mode = next(16);
    script_abandons = mode & 1;
    script_yields = mode & 2;
    begin_world(mode & 4);
    if (mode & 8)
        begin_loaded();
    while (script_left) {
        one_op();
        check_machine();
        check_memory_of_processor();
        if (!script_abandons)
            check_model();
    }
    end_world();
}
