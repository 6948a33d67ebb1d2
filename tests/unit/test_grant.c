// sources: core/grant.c core/grant_map.c core/grant_copy.c core/physmap.c memory/p2m.c
// sources: memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* Grants: the rules one by one, then random play against the model. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "grant_world.h"

static int setup(void **state)
{
    (void)state;
    world_init();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end(0);
    return 0;
}

static s16 map(u32 who, u32 granter, u32 ref, u32 flags, u32 pte, u32 *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = pte + 1, .flags = flags, .ref = ref, .dom = (domid_t)granter};
    struct grant_mapper mapper = {0};
    s16 status;

    world_as(who);
    status = grant_map(&op, &mapper);
    grant_mapper_end(&mapper);
    *handle = op.handle;
    return status;
}

static s16 unmap(u32 who, u64 host, u64 bus, u32 handle)
{
    struct grant_mapper mapper = {0};
    struct grant_unmapped gone;
    s16 status;

    world_as(who);
    status = grant_unmap(host, bus, 0, handle, &gone, &mapper);
    grant_unmap_finish(&gone, 1);
    return status;
}

static void test_map(void **state)
{
    struct grant_entry_v1 *e = grant_v1(world.d[0]->grants, 3);
    struct frame *f = &frame_table[world.frame[0][0]];
    u32 h, h2;

    (void)state;
    world_write_entry(0, 3, GTF_permit_access, 1, world.frame[0][0], 0, 0);
    assert_int_equal(map(2, 0, 3, GNTMAP_host_map, 0, &h), GNTST_general_error);
    assert_int_equal(map(1, 0, 4, GNTMAP_host_map, 0, &h), GNTST_general_error);
    assert_int_equal(map(1, 0, 512, GNTMAP_host_map, 0, &h), GNTST_bad_gntref);
    assert_int_equal(map(1, 7, 3, GNTMAP_host_map, 0, &h), GNTST_bad_domain);
    assert_int_equal(map(1, 0, 3, 0, 0, &h), GNTST_bad_gntref);
    assert_int_equal(map(1, 0, 3, GNTMAP_host_map, 0, &h), GNTST_okay);
    assert_int_equal(e->flags, GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(f->count, FRAME_ALLOCATED | 3);
    assert_int_equal(f->type & TYPE_COUNT_MASK, 2);
    assert_int_equal(map(1, 0, 3, GNTMAP_device_map | GNTMAP_readonly, 0, &h2), GNTST_okay);
    assert_int_equal(unmap(1, 1, 0, h), GNTST_okay);
    assert_int_equal(unmap(1, 1, 0, h), GNTST_bad_handle);
    assert_int_equal(e->flags, GTF_permit_access | GTF_reading);
    assert_int_equal(unmap(1, 0, 12345, h2), GNTST_bad_dev_addr);
    assert_int_equal(unmap(1, 0, (u64)world.frame[0][0] << PAGE_SHIFT, h2), GNTST_okay);
    assert_int_equal(e->flags, GTF_permit_access);
    assert_int_equal(f->count, FRAME_ALLOCATED | 1);
}

static void test_readonly(void **state)
{
    struct frame *f = &frame_table[world.frame[0][1]];
    u32 h;

    (void)state;
    world_write_entry(0, 0, GTF_permit_access | GTF_readonly, 1, world.frame[0][1], 0, 0);
    assert_int_equal(map(1, 0, 0, GNTMAP_host_map, 0, &h), GNTST_general_error);
    assert_int_equal(map(1, 0, 0, GNTMAP_host_map | GNTMAP_readonly, 0, &h), GNTST_okay);
    assert_int_equal(f->type & TYPE_COUNT_MASK, 0);
    assert_int_equal(unmap(1, 1, 0, h), GNTST_okay);
    /* A page table may be read by others, not written. */
    f->type = TYPE_L1 | TYPE_VALIDATED | 1;
    world_write_entry(0, 0, GTF_permit_access, 1, world.frame[0][1], 0, 0);
    assert_int_equal(map(1, 0, 0, GNTMAP_host_map, 0, &h), GNTST_general_error);
    assert_int_equal(grant_v1(world.d[0]->grants, 0)->flags, GTF_permit_access);
    assert_int_equal(map(1, 0, 0, GNTMAP_host_map | GNTMAP_readonly, 0, &h), GNTST_okay);
    assert_int_equal(unmap(1, 1, 0, h), GNTST_okay);
    f->type = 0;
    /* Somebody else's frame, no frame. */
    world_write_entry(0, 0, GTF_permit_access, 1, world.frame[2][1], 0, 0);
    assert_int_equal(map(1, 0, 0, GNTMAP_host_map, 0, &h), GNTST_bad_page);
    world_write_entry(0, 0, GTF_permit_access, 1, 0xffffffff, 0, 0);
    assert_int_equal(map(1, 0, 0, GNTMAP_host_map, 0, &h), GNTST_bad_page);
    assert_int_equal(grant_v1(world.d[0]->grants, 0)->flags, GTF_permit_access);
}

/* The writable use is held until the flush is done. */
static void test_flush_before_drop(void **state)
{
    struct frame *f = &frame_table[world.frame[0][0]];
    struct grant_mapper mapper = {0};
    struct grant_unmapped gone;
    u64 flushes = fake_flushes;
    u32 h;

    (void)state;
    world_write_entry(0, 0, GTF_permit_access, 1, world.frame[0][0], 0, 0);
    assert_int_equal(map(1, 0, 0, GNTMAP_host_map, 2, &h), GNTST_okay);
    assert_int_equal(grant_unmap(3, 0, 0, h, &gone, &mapper), GNTST_okay);
    assert_int_equal(world.pte[1][2].frame, 0);
    assert_int_equal(f->type & TYPE_COUNT_MASK, 1);
    assert_int_equal(fake_flushes, flushes);
    grant_unmap_finish(&gone, 1);
    assert_int_equal(fake_flushes, flushes + 1);
    assert_int_equal(f->type & TYPE_COUNT_MASK, 0);
}

static void test_limits(void **state)
{
    u32 h, n = 0;
    mfn_t m;

    (void)state;
    world_write_entry(0, 0, GTF_permit_access, 1, world.frame[0][0], 0, 0);
    while (map(1, 0, 0, GNTMAP_device_map, 0, &h) == GNTST_okay)
        n++;
    assert_int_equal(n, HANDLES_PER_FRAME);
    assert_int_equal(grant_frame_count(world.d[1], GRANT_SHARED), 1);
    assert_int_equal(grant_frame(world.d[1], GRANT_SHARED, 2, &m), 0);
    assert_int_equal(grant_frame_count(world.d[1], GRANT_SHARED), 3);
    assert_ptr_equal(frame_owner_of(mfn_to_frame(m)), world.d[1]);
    assert_int_equal(grant_frame(world.d[1], GRANT_SHARED, 3, &m), -EINVAL);
    assert_int_equal(grant_frame(world.d[1], GRANT_STATUS, 0, &m), -EINVAL);
}

static void test_versions(void **state)
{
    u32 h;
    mfn_t m;

    (void)state;
    assert_int_equal(grant_set_version(world.d[0], 3), -EINVAL);
    world_write_entry(0, 1, GTF_permit_access, 1, world.frame[0][0], 0, 0);
    world_write_entry(0, 9, GTF_permit_access, 1, world.frame[0][1], 0, 0);
    assert_int_equal(map(1, 0, 1, GNTMAP_host_map, 0, &h), GNTST_okay);
    assert_int_equal(grant_set_version(world.d[0], 2), 0);
    assert_int_equal(grant_frame(world.d[0], GRANT_STATUS, 0, &m), 0);
    assert_int_equal(grant_v2(world.d[0]->grants, 1)->hdr.flags, GTF_permit_access);
    assert_int_equal(*grant_status_word(world.d[0]->grants, 1), GTF_reading | GTF_writing);
    assert_int_equal(grant_v2(world.d[0]->grants, 9)->hdr.flags, 0);
    assert_int_equal(grant_set_version(world.d[0], 1), 0);
    assert_int_equal(grant_v1(world.d[0]->grants, 1)->flags,
                     GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(unmap(1, 1, 0, h), GNTST_okay);
    world_write_entry(0, 9, GTF_permit_access, 1, world.frame[0][1], 0, 0);
    assert_int_equal(map(1, 0, 9, GNTMAP_host_map, 0, &h), GNTST_okay);
    assert_int_equal(grant_set_version(world.d[0], 2), -EBUSY);
    world.d[2]->grant_version_max = 1;
    assert_int_equal(grant_set_version(world.d[2], 2), -ENOSYS);
}

/* A copy of its own, not one of a run. */
static s16 copy_one(const struct gnttab_copy *op)
{
    struct grant_copier copier = {0};
    s16 status = grant_copy(&copier, op);

    grant_copy_end(&copier);
    return status;
}

/* What the guest sees of uses of one of domain 0's grants. */
static u16 uses_shown(u32 ref)
{
    return grant_v1(world.d[0]->grants, ref)->flags & (GTF_reading | GTF_writing);
}

static void test_run_of_copies(void **state)
{
    const struct gnttab_copy plain = {.source = {.u.gmfn = world.frame[1][0], .domid = DOMID_SELF},
                                      .dest = {.u.ref = 2, .domid = 0},
                                      .len = 8,
                                      .flags = GNTCOPY_dest_gref};
    const u64 *source = mfn_to_virt(mfn(world.frame[1][0]));
    u64 *first = mfn_to_virt(mfn(world.frame[0][0])), *second = mfn_to_virt(mfn(world.frame[0][1]));
    struct frame *f = mfn_to_frame(mfn(world.frame[0][0]));
    u64 count = f->count, type = f->type;
    struct grant_copier copier = {0};
    struct gnttab_copy op = plain;

    (void)state;
    memset(mfn_to_virt(mfn(world.frame[1][0])), 'r', PAGE_SIZE);
    first[0] = first[1] = second[0] = 0;
    world_write_entry(0, 2, GTF_permit_access, 1, world.frame[0][0], 0, 0);
    world_write_entry(0, 3, GTF_permit_access, 1, world.frame[0][1], 0, 0);
    world_write_entry(0, 4, GTF_permit_access | GTF_readonly, 1, world.frame[0][1], 0, 0);
    world_as(1);
    assert_int_equal(grant_copy(&copier, &op), GNTST_okay);
    op.dest.offset = 8;
    assert_int_equal(grant_copy(&copier, &op), GNTST_okay);
    assert_int_equal(first[0], source[0]);
    assert_int_equal(first[1], source[0]);
    /* Held once for both. */
    assert_int_equal(grant_active_at(world.d[0]->grants, 2)->writers, 1);
    assert_int_equal(uses_shown(2), GTF_reading | GTF_writing);
    /* Another grant: the first is done with. */
    op.dest.u.ref = 3;
    assert_int_equal(grant_copy(&copier, &op), GNTST_okay);
    assert_int_equal(second[1], source[0]);
    assert_int_equal(uses_shown(2), 0);
    assert_int_equal(uses_shown(3), GTF_reading | GTF_writing);
    /* What was refused is not remembered as if it had not been. */
    op.dest.u.ref = 4;
    assert_int_not_equal(grant_copy(&copier, &op), GNTST_okay);
    assert_int_not_equal(grant_copy(&copier, &op), GNTST_okay);
    assert_int_equal(uses_shown(3), 0);
    /* The same number is a frame's or a grant's, and another domain's. */
    op.dest.u.ref = 2;
    assert_int_equal(grant_copy(&copier, &op), GNTST_okay);
    op.dest.domid = 2;
    assert_int_not_equal(grant_copy(&copier, &op), GNTST_okay);
    op.dest.domid = 0;
    op.flags = 0;
    op.dest.u.gmfn = 2;
    assert_int_not_equal(grant_copy(&copier, &op), GNTST_okay);
    op = plain;
    assert_int_equal(grant_copy(&copier, &op), GNTST_okay);
    grant_copy_end(&copier);
    assert_int_equal(uses_shown(2), 0);
    assert_int_equal(uses_shown(3), 0);
    assert_int_equal(f->count, count);
    assert_int_equal(f->type & TYPE_COUNT_MASK, type & TYPE_COUNT_MASK);
}

static void test_copy(void **state)
{
    char *from = mfn_to_virt(mfn(world.frame[0][0])), *to = mfn_to_virt(mfn(world.frame[1][0]));
    struct gnttab_copy op = {.source = {.u.ref = 2, .domid = 0, .offset = 100},
                             .dest = {.u.gmfn = world.frame[1][0], .domid = DOMID_SELF},
                             .len = 50,
                             .flags = GNTCOPY_source_gref};
    u32 h;

    (void)state;
    memset(from, 'a', PAGE_SIZE);
    world_write_entry(0, 2, GTF_permit_access | GTF_readonly, 1, world.frame[0][0], 0, 0);
    world_as(1);
    assert_int_equal(copy_one(&op), GNTST_okay);
    assert_memory_equal(from, to, 50);
    assert_int_equal(to[50], 0);
    op.source.offset = 4090;
    assert_int_equal(copy_one(&op), GNTST_bad_copy_arg);
    op.source.offset = 0;
    op.dest.domid = 0;
    assert_int_equal(copy_one(&op), GNTST_permission_denied);
    op.dest.domid = DOMID_SELF;
    op.dest.u.gmfn = world.frame[0][0];
    assert_int_equal(copy_one(&op), GNTST_bad_page);

    /* Sub-page and transitive grants: copies only. */
    assert_int_equal(grant_set_version(world.d[0], 2), 0);
    world_write_entry(0, 2, GTF_permit_access | GTF_sub_page, 1, world.frame[0][0], 100, 50);
    assert_int_equal(map(1, 0, 2, GNTMAP_host_map, 0, &h), GNTST_general_error);
    op.dest.u.gmfn = world.frame[1][0];
    op.source.offset = 100;
    assert_int_equal(copy_one(&op), GNTST_okay);
    op.len = 51;
    assert_int_equal(copy_one(&op), GNTST_general_error);
    op.source.offset = 99;
    assert_int_equal(copy_one(&op), GNTST_general_error);
    world_write_entry(2, 4, GTF_permit_access, 0, world.frame[2][0], 0, 0);
    world_write_entry(0, 2, GTF_transitive, 1, 0, 2, 4);
    *(char *)mfn_to_virt(mfn(world.frame[2][0])) = 'z';
    op.source.offset = 0;
    assert_int_equal(copy_one(&op), GNTST_okay);
    assert_int_equal(to[0], 'z');
    world_write_entry(2, 4, GTF_permit_access, 1, world.frame[2][0], 0, 0);
    assert_int_equal(copy_one(&op), GNTST_general_error);
    world_check();
}

static void test_transfer(void **state)
{
    struct gnttab_transfer op = {.mfn = world.frame[1][0], .domid = 0, .ref = 5};
    struct grant_entry_v1 *e = grant_v1(world.d[0]->grants, 5);

    (void)state;
    frame_release(&frame_table[world.frame[0][5]]);
    world.frame[0][5] = 0;
    world_write_entry(0, 5, GTF_accept_transfer, 1, 1234, 0, 0);
    world_transfer(1, 0, 5, 0);
    assert_int_equal(e->flags,
                     GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
    assert_int_equal(e->frame, op.mfn);
    assert_int_equal(m2p_get(mfn(op.mfn)), 1234);
    assert_int_equal(world.frame[0][5], op.mfn);
    /* Not wanted: gone all the same. */
    op.mfn = world.frame[1][1];
    world_as(1);
    assert_int_equal(grant_transfer(&op), GNTST_general_error);
    assert_int_equal(frame_table[world.frame[1][1]].owner, 0);
    world.frame[1][1] = 0;
    op.mfn = world.frame[2][1];
    assert_int_equal(grant_transfer(&op), GNTST_bad_page);
}

/* A frame outlives its owner's death as long as another has it mapped. */
static void test_death(void **state)
{
    u32 h, kept = world.frame[0][0];

    (void)state;
    world_write_entry(0, 0, GTF_permit_access, 1, kept, 0, 0);
    assert_int_equal(map(1, 0, 0, GNTMAP_host_map, 0, &h), GNTST_okay);
    world_kill(0);
    assert_int_equal(world.d[0]->frames.frames.count, 1);
    assert_ptr_equal(frame_owner_of(&frame_table[kept]), world.d[0]);
    fake_raised = 0;
    assert_int_equal(unmap(1, 1, 0, h), GNTST_okay);
    assert_int_equal(world.d[0]->frames.frames.count, 0);
    assert_int_equal(fake_raised, 1u << WORK_REAP);
    assert_int_equal(map(1, 0, 0, GNTMAP_host_map, 0, &h), GNTST_bad_gntref);
}

static void test_random(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        u64 free = memory_free();

        world_init();
        for (int i = 0; i < 300; i++)
            world_step((u8)rand(), (u8)rand(), (u8)rand(), (u8)rand());
        world_end((u32)rand());
        assert_true(memory_free() + 16 >= free);
    }
}

#define RULE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(test_map),
        RULE(test_readonly),
        RULE(test_flush_before_drop),
        RULE(test_limits),
        RULE(test_versions),
        RULE(test_copy),
        RULE(test_run_of_copies),
        RULE(test_transfer),
        RULE(test_death),
        cmocka_unit_test(test_random),
    };

    srand(1);
    fake_memory_init();
    return cmocka_run_group_tests_name("grant", tests, NULL, NULL);
}
