/* SPDX-License-Identifier: GPL-2.0-only */
// sources: core/narrow.c core/access.c
/*
 * What 32-bit code passes, as handlers see it. The 32-bit forms are written
 * down here field by field; guest memory is a window of the test's.
 */
#include "core/access.h"
#include "core/guest.h"
#include "core/narrow.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define BASE 0xc0100003u /* nothing need be aligned */
#define SIZE 4096u

static u8 memory[SIZE];
static u64 furthest;
static bool anywhere;

static int copy(u64 address, void *buffer, u64 length, bool write)
{
    furthest = MAX(furthest, address);
    if (anywhere)
        return 0;
    if (address < BASE || address + length > BASE + SIZE)
        return -EFAULT;
    memcpy(write ? &memory[address - BASE] : buffer, write ? buffer : &memory[address - BASE],
           length);
    return 0;
}

struct cpu_local host_cpu_local;
static const struct guest_ops ops = {.copy = copy};
static struct vcpu vcpu = {.ops = &ops};

void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why, (void)file, (void)line, (void)error;
}
/* PV guests have no part in this. */
u64 copy_from_guest_va(void *to, guest_va_t from, u64 length)
{
    (void)to, (void)from;
    return length;
}
u64 copy_to_guest_va(guest_va_t to, const void *from, u64 length)
{
    (void)to, (void)from;
    return length;
}
u64 clear_guest_va(guest_va_t to, u64 length)
{
    (void)to;
    return length;
}

static int setup(void **state)
{
    (void)state;
    current = &vcpu;
    anywhere = false;
    furthest = 0;
    for (u32 i = 0; i < SIZE; i++)
        memory[i] = (u8)rand();
    return 0;
}

/* The view that an operation's structure at guest address BASE + at gets. */
static u64 view(u64 number, u64 op, u32 at)
{
    u64 args[5] = {op};
    u32 which = number == __HYPERVISOR_vcpu_op ? 2 : number == __HYPERVISOR_multicall ? 0 : 1;

    args[which] = BASE + at;
    assert_int_equal(narrow_arguments(number, args), 0);
    assert_int_equal(narrow_address(args[which]), BASE + at);
    return args[which];
}

/* Copies in, and compares a field at a time; copies the same out elsewhere: the same image. */
#define IN(number, op, native, image)                                   \
    u64 v_ = view(number, op, 100), image_size = sizeof(image);         \
    memcpy(&memory[100], &(image), image_size);                         \
    assert_int_equal(guest_copy_in(&(native), v_, sizeof(native)), 0);  \
    assert_int_equal(furthest, BASE + 100);                             \
    memset(&memory[100], 0, image_size);                                \
    memory[100 + image_size] = memory[99] = 0xa5;                       \
    assert_int_equal(guest_copy_out(v_, &(native), sizeof(native)), 0); \
    assert_memory_equal(&memory[100], &(image), image_size);            \
    assert_int_equal(memory[100 + image_size], 0xa5);                   \
    assert_int_equal(memory[99], 0xa5);                                 \
    assert_int_equal(narrow_address(v_ + 7 * sizeof(native)), BASE + 100 + 7 * image_size)

static void reservation(void **state)
{
    struct {
        u32 extents, count, order, flags;
        u16 domid, pad;
    } image = {BASE + 500, 0xfffffff7, 9, 0x80000001, 0x7ff0, 0};
    static const u32 opers[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                XENMEM_populate_physmap};
    (void)state;

    for (u32 i = 0; i < ARRAY_SIZE(opers); i++) {
        struct xen_memory_reservation r;
        u32 numbers[3] = {0xffffffff, 0x1234, 7};
        u64 number = 1;

        IN(__HYPERVISOR_memory_op, opers[i] | 77 << 6, r, image);
        assert_int_equal(r.nr_extents, 0xfffffff7);
        assert_int_equal(r.extent_order, 9);
        assert_int_equal(r.mem_flags, 0x80000001);
        assert_int_equal(r.domid, 0x7ff0);
        assert_int_equal(narrow_address(handle_address(r.extent_start)), BASE + 500);
        memcpy(&memory[500], numbers, sizeof(numbers));
        for (u32 k = 0; k < 3; k++) {
            assert_int_equal(
                guest_copy_in_at(&number, handle_address(r.extent_start), k, sizeof(number)), 0);
            assert_int_equal(number, numbers[k]);
        }
        number = 0x1122334455667788;
        assert_int_equal(
            guest_copy_out_at(handle_address(r.extent_start), 1, &number, sizeof(number)), 0);
        numbers[1] = 0x55667788;
        assert_memory_equal(&memory[500], numbers, sizeof(numbers));
        furthest = 0;
    }
    image.extents = 0; /* NULL stays */
    struct xen_memory_reservation r;
    IN(__HYPERVISOR_memory_op, XENMEM_populate_physmap, r, image);
    assert_int_equal(handle_address(r.extent_start), 0);
}

static void physmap(void **state)
{
    struct {
        u16 domid, size;
        u32 space, index, gfn;
    } image = {0x7ff0, 3, 1, 0x80000002, 0xfeff0};
    struct {
        u16 domid, space, size, extra;
        u32 indices, gfns, errors;
    } batch = {1, 2, 3, 4, BASE + 600, BASE + 700, BASE + 800};
    struct {
        u16 domid, pad;
        u32 gfn;
    } remove = {5, 0, 0xf0000001};
    (void)state;

    {
        struct xen_add_to_physmap op;
        IN(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, op, image);
        assert_int_equal(op.domid, 0x7ff0);
        assert_int_equal(op.size, 3);
        assert_int_equal(op.space, 1);
        assert_int_equal(op.idx, 0x80000002);
        assert_int_equal(op.gpfn, 0xfeff0);
    }
    {
        struct xen_add_to_physmap_batch op;
        furthest = 0;
        IN(__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, op, batch);
        assert_int_equal(op.domid, 1);
        assert_int_equal(op.space, 2);
        assert_int_equal(op.size, 3);
        assert_int_equal(op.u.foreign_domid, 4);
        assert_int_equal(narrow_address(handle_address(op.idxs) + 16), BASE + 608);
        assert_int_equal(narrow_address(handle_address(op.gpfns) + 24), BASE + 712);
        assert_int_equal(handle_address(op.errs), BASE + 800);
    }
    {
        struct xen_remove_from_physmap op;
        furthest = 0;
        IN(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, op, remove);
        assert_int_equal(op.domid, 5);
        assert_int_equal(op.gpfn, 0xf0000001);
    }
    {
        u32 map_image[] = {20, BASE + 900};
        struct xen_memory_map op;
        furthest = 0;
        IN(__HYPERVISOR_memory_op, XENMEM_memory_map, op, map_image);
        assert_int_equal(op.nr_entries, 20);
        assert_int_equal(handle_address(op.buffer), BASE + 900);
    }
}

static void grants(void **state)
{
    struct {
        u16 domid, pad;
        u32 count;
        s16 status;
        u16 pad2;
        u32 list;
    } setup_image = {9, 0, 4, -3, 0, BASE + 1000};
    struct {
        u32 count;
        u16 domid;
        s16 status;
        u32 list;
    } status_image = {7, 8, -1, BASE + 1100};
    struct {
        u32 frame;
        u16 domid, pad;
        u32 ref;
        s16 status;
        u16 pad2;
    } transfer_image = {0xffff1234, 3, 0, 17, -4, 0};
    (void)state;

    {
        struct gnttab_setup_table op;
        IN(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, op, setup_image);
        assert_int_equal(op.dom, 9);
        assert_int_equal(op.nr_frames, 4);
        assert_int_equal(op.status, -3);
        assert_int_equal(narrow_address(handle_address(op.frame_list) + 8), BASE + 1004);
    }
    {
        struct gnttab_get_status_frames op;
        furthest = 0;
        IN(__HYPERVISOR_grant_table_op, GNTTABOP_get_status_frames, op, status_image);
        assert_int_equal(op.nr_frames, 7);
        assert_int_equal(op.dom, 8);
        assert_int_equal(op.status, -1);
        assert_int_equal(handle_address(op.frame_list), BASE + 1100); /* u64s, in both */
    }
    {
        struct gnttab_transfer op;
        furthest = 0;
        IN(__HYPERVISOR_grant_table_op, GNTTABOP_transfer, op, transfer_image);
        assert_int_equal(op.mfn, 0xffff1234);
        assert_int_equal(op.domid, 3);
        assert_int_equal(op.ref, 17);
        assert_int_equal(op.status, -4);
    }
}

struct copy32 {
    struct {
        u32 where;
        u16 domid, offset;
    } source, dest;
    u16 length, flags;
    s16 status;
    u16 pad;
};

/* An array; one status at a time goes back, and what is elsewhere stays. */
static void grant_copies(void **state)
{
    struct copy32 image[3], *at = (struct copy32 *)&memory[200];
    struct gnttab_copy op;
    u64 array = view(__HYPERVISOR_grant_table_op, GNTTABOP_copy, 200);
    (void)state;

    for (u32 i = 0; i < 3; i++)
        image[i] = (struct copy32){
            {i + 1, 0x7ff0, 0xf00}, {0xfffff000 + i, 2, 0xfff}, 99, GNTCOPY_source_gref, 1, 0};
    memcpy(at, image, sizeof(image));
    for (u32 i = 0; i < 3; i++) {
        assert_int_equal(guest_copy_in_at(&op, array, i, sizeof(op)), 0);
        assert_int_equal(op.source.u.ref, i + 1);
        assert_int_equal(op.source.domid, 0x7ff0);
        assert_int_equal(op.source.offset, 0xf00);
        assert_int_equal(op.dest.u.gmfn, 0xfffff000 + i);
        assert_int_equal(op.dest.domid, 2);
        assert_int_equal(op.dest.offset, 0xfff);
        assert_int_equal(op.len, 99);
        assert_int_equal(op.flags, GNTCOPY_source_gref);
        op.status = image[i].status = -(s16)i;
        if (i == 1) /* only the status */
            assert_int_equal(
                guest_copy_out(array + sizeof(op) + offsetof(struct gnttab_copy, status),
                               &op.status, sizeof(op.status)),
                0);
        else
            assert_int_equal(guest_copy_out_at(array, i, &op, sizeof(op)), 0);
    }
    assert_memory_equal(at, image, sizeof(image));
    /* All at once, from the middle of one to the middle of another. */
    struct gnttab_copy all[3], part[3];
    assert_int_equal(guest_copy_in(all, array, sizeof(all)), 0);
    assert_int_equal(guest_copy_in((u8 *)part + 20, array + 20, sizeof(all) - 30), 0);
    assert_memory_equal((u8 *)part + 20, (u8 *)all + 20, sizeof(all) - 30);
    /* Beyond the guest's memory. */
    assert_int_equal(guest_copy_in_at(&op, array, SIZE / sizeof(struct copy32), sizeof(op)),
                     -EFAULT);
    assert_int_equal(guest_copy_out_at(array, SIZE / sizeof(struct copy32), &op, sizeof(op)),
                     -EFAULT);
}

static void others(void **state)
{
    struct {
        u32 ports, count;
        u64 timeout;
    } __packed poll_image = {BASE + 50, 3, 0x123456789abcdef0};
    u32 map_image[] = {0x7ff0, 1, 2, 3, 4, 5, 6, 0x89abcdef, 0x01234567};
    u32 calls[] = {29, 0xffffffda, 0xffffffff, 2, 3, 4, 5, 6};
    u32 start = 0xf5800000, singleshot_image[] = {0x89abcdef, 0x01234567, 1};
    (void)state;

    {
        struct sched_poll op;
        IN(__HYPERVISOR_sched_op, SCHEDOP_poll, op, poll_image);
        assert_int_equal(handle_address(op.ports), BASE + 50);
        assert_int_equal(op.nr_ports, 3);
        assert_int_equal(op.timeout, 0x123456789abcdef0);
    }
    {
        struct physdev_map_pirq op;
        furthest = 0;
        IN(__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, op, map_image);
        assert_int_equal(op.domid, 0x7ff0);
        assert_int_equal(op.entry_nr, 6);
        assert_int_equal(op.table_base, 0x0123456789abcdef);
    }
    {
        struct multicall_entry op;
        furthest = 0;
        IN(__HYPERVISOR_multicall, 4711, op, calls);
        assert_int_equal(op.op, 29);
        assert_int_equal(op.result, 0xffffffda);
        assert_int_equal(op.args[0], 0xffffffff);
        assert_int_equal(op.args[5], 6);
        /* Where a nested call goes on is the guest's address again. */
        op.args[1] = view(__HYPERVISOR_grant_table_op, GNTTABOP_copy, 64) + 2 * 40;
        assert_int_equal(guest_copy_out(v_, &op, sizeof(op)), 0);
        assert_int_equal(((u32 *)&memory[100])[3], BASE + 64 + 2 * 24);
    }
    {
        xen_platform_parameters_t op;
        furthest = 0;
        IN(__HYPERVISOR_xen_version, XENVER_platform_parameters, op, start);
        assert_int_equal(op.virt_start, 0xf5800000);
    }
    {
        struct vcpu_set_singleshot_timer op;
        furthest = 0;
        IN(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, op, singleshot_image);
        assert_int_equal(op.timeout_abs_ns, 0x0123456789abcdef);
        assert_int_equal(op.flags, 1);
    }
}

/* Kept, and written to at any later time. */
static void run_states(void **state)
{
    struct {
        u32 state;
        u64 entered, time[4];
    } __packed image = {1, 0x1111, {2, 3, 4, 5}};
    u32 address = BASE + 300;
    struct vcpu_runstate_info r;
    u64 area, entered = 0x8000000000001111;
    (void)state;

    memcpy(&memory[10], &address, sizeof(address));
    assert_int_equal(
        guest_copy_in(&area, view(__HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 10),
                      sizeof(area)),
        0);
    assert_int_equal(narrow_address(area), address);
    memcpy(&memory[300], &image, sizeof(image));
    assert_int_equal(guest_copy_out(area + offsetof(struct vcpu_runstate_info, state_entry_time),
                                    &entered, sizeof(entered)),
                     0);
    image.entered = entered;
    assert_memory_equal(&memory[300], &image, sizeof(image));
    assert_int_equal(guest_copy_in(&r, area, sizeof(r)), 0);
    assert_int_equal(r.state, 1);
    assert_int_equal(r.state_entry_time, entered);
    assert_int_equal(r.time[3], 5);
    assert_int_equal(
        guest_copy_in(&area, view(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_time_memory_area, 10),
                      sizeof(area)),
        0);
    assert_int_equal(area, address); /* the same in both layouts */
    furthest = 0;
    IN(__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, r, image);
}

/* Structures that are the same in both layouts go straight. */
static void unchanged(void **state)
{
    static const struct {
        u8 number, op;
    } same[] = {
        {__HYPERVISOR_event_channel_op, EVTCHNOP_send},
        {__HYPERVISOR_event_channel_op, EVTCHNOP_init_control},
        {__HYPERVISOR_hvm_op, 0},
        {__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref},
        {__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref},
        {__HYPERVISOR_grant_table_op, GNTTABOP_query_size},
        {__HYPERVISOR_sched_op, SCHEDOP_shutdown},
        {__HYPERVISOR_xen_version, XENVER_get_features},
        {__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info},
    };
    u64 timer[5] = {0x89abcdef, 0x01234567};
    (void)state;

    for (u32 i = 0; i < ARRAY_SIZE(same); i++) {
        u64 args[5] = {same[i].op, BASE, BASE, 3, 4}, before[5];
        memcpy(before, args, sizeof(args));
        assert_int_equal(narrow_arguments(same[i].number, args), 0);
        assert_memory_equal(args, before, sizeof(args));
    }
    assert_int_equal(narrow_arguments(__HYPERVISOR_set_timer_op, timer), 0);
    assert_int_equal(timer[0], 0x0123456789abcdef);
}

static void refused(void **state)
{
    static const u32 not_offered[] = {
        XENMEM_exchange,           XENMEM_machphys_mfn_list, XENMEM_machphys_mapping,
        XENMEM_machine_memory_map, XENMEM_set_memory_map,    XENMEM_acquire_resource,
        XENMEM_get_vnumainfo,      XENMEM_set_pod_target,    62};
    (void)state;

    for (u32 i = 0; i < ARRAY_SIZE(not_offered); i++) {
        u64 args[5] = {not_offered[i], BASE};
        assert_int_equal(narrow_arguments(__HYPERVISOR_memory_op, args), -ENOSYS);
    }
}

/* A 64-bit guest can make views up: nothing beyond the low 4 GiB is touched, nothing of ours. */
static void made_up(void **state)
{
    u8 buffer[512];
    (void)state;

    anywhere = true;
    for (u32 i = 0; i < 200000; i++) {
        u64 any = (u64)rand() << 40 ^ (u64)rand() << 20 ^ (u64)rand();
        u64 at = (any & ~(3UL << 62)) | 1UL << 62;
        u32 length = rand() % sizeof(buffer);
        u8 *exact = malloc(length + !length); /* the sanitizer watches its ends */

        assert_int_equal(
            i & 1 ? guest_copy_in(exact, at, length) : guest_copy_out(at, exact, length), 0);
        assert_true(narrow_address(at) >> 32 == 0);
        free(exact);
    }
    assert_true(furthest >> 32 == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reservation, setup), cmocka_unit_test_setup(physmap, setup),
        cmocka_unit_test_setup(grants, setup),      cmocka_unit_test_setup(grant_copies, setup),
        cmocka_unit_test_setup(others, setup),      cmocka_unit_test_setup(run_states, setup),
        cmocka_unit_test_setup(unchanged, setup),   cmocka_unit_test_setup(refused, setup),
        cmocka_unit_test_setup(made_up, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
