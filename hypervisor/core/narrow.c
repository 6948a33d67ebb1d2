/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What 32-bit code passes, in the layout of 64-bit code. A layout is a string,
 * a character for each field: its size, or
 *   l  a word or pointer: four bytes become eight
 *   U  a pointer to an array of words
 *   R  a pointer to a run-state area
 *   |  no field: an inner structure ends
 * Fields lie as the compiler puts them; in the 32-bit ABI nothing is aligned
 * to more than four bytes.
 *
 * A view is an address for an array of structures of one layout, and holds all
 * there is to know: bits 46..51 the layout, 40..45 and 0..39 the guest address
 * 32-bit size by 32-bit size: its remainder, and its quotient as an offset in
 * native structures. Handlers can do sums with it as with any address, keep it,
 * and continue with it. A 64-bit guest that makes one up reaches its own memory.
 *
 * No state, no locks. Callers: core/access.c, hypercall/table.c.
 */
#include "core/narrow.h"

#include "core/guest.h"

#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/version.h>

#define LAYOUT_SHIFT             46
#define REMAINDER_SHIFT          40
#define FIELD(view, shift, bits) ((view) >> (shift) & ((1UL << (bits)) - 1))
#define LARGEST                  64 /* of a structure, native */

enum { WORDS, RUN_STATE };

/* Which structure an operation takes; where none is named both layouts are the same. */
static const struct {
    u8 call, op;
    char layout[12];
} structures[] = {
    [WORDS] = {0xff, 0, "l"},
    [RUN_STATE] = {__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, "488888"},
    {__HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, "R"},
    {__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_time_memory_area, "l"},
    {__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, "84"},
    {__HYPERVISOR_multicall, 0, "llllllll"},
    {__HYPERVISOR_sched_op, SCHEDOP_poll, "l48"},
    {__HYPERVISOR_xen_version, XENVER_platform_parameters, "l"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, "242U"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_get_status_frames, "422l"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_transfer, "l242"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_copy, "l22|l22|222"},
    {__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, "24444448"},
    {__HYPERVISOR_physdev_op, PHYSDEVOP_pirq_eoi_gmfn_v1, "l"},
    {__HYPERVISOR_physdev_op, PHYSDEVOP_pirq_eoi_gmfn_v2, "l"},
    /* Of this call all that is offered: many others have further layouts within. */
    {__HYPERVISOR_memory_op, XENMEM_increase_reservation, "Ul442"},
    {__HYPERVISOR_memory_op, XENMEM_decrease_reservation, "Ul442"},
    {__HYPERVISOR_memory_op, XENMEM_populate_physmap, "Ul442"},
    {__HYPERVISOR_memory_op, XENMEM_maximum_ram_page, "2"},
    {__HYPERVISOR_memory_op, XENMEM_current_reservation, "2"},
    {__HYPERVISOR_memory_op, XENMEM_maximum_reservation, "2"},
    {__HYPERVISOR_memory_op, XENMEM_maximum_gpfn, "2"},
    {__HYPERVISOR_memory_op, XENMEM_memory_map, "4l"},
    {__HYPERVISOR_memory_op, XENMEM_add_to_physmap, "224ll"},
    {__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, "2222UUl"},
    {__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, "2l"},
};

struct sizes {
    u32 wide, narrow;
};
enum direction { MEASURE, WIDEN, NARROW };

static u64 view_of(u32 layout, u64 address);

/* Copies one structure from one form to the other; or neither, but the sizes are given anyhow. */
static struct sizes convert(const char *layout, enum direction to, u8 *wide, u8 *narrow)
{
    struct sizes at = {0, 0}, align = {1, 1};

    for (; *layout; layout++) {
        bool word = *layout > '8';
        u32 wide_size = word ? 8 : *layout - '0', narrow_size = word ? 4 : wide_size;
        u64 value = 0;

        align.wide = MAX(align.wide, wide_size);
        align.narrow = MAX(align.narrow, MIN(narrow_size, 4U));
        at.wide = ROUND_UP(at.wide, wide_size);
        at.narrow = ROUND_UP(at.narrow, MIN(narrow_size, 4U));
        if (*layout == '|')
            continue;
        if (to == WIDEN) {
            memcpy(&value, narrow + at.narrow, narrow_size);
            if (*layout == 'U' || *layout == 'R')
                value = view_of(*layout == 'U' ? WORDS : RUN_STATE, value);
            memcpy(wide + at.wide, &value, wide_size);
        } else if (to == NARROW) {
            memcpy(&value, wide + at.wide, wide_size);
            if (word)
                value = narrow_address(value);
            memcpy(narrow + at.narrow, &value, narrow_size);
        }
        at.wide += wide_size;
        at.narrow += narrow_size;
    }
    return (struct sizes){ROUND_UP(at.wide, align.wide), ROUND_UP(at.narrow, align.narrow)};
}

static u64 view_of(u32 layout, u64 address)
{
    struct sizes s = convert(structures[layout].layout, MEASURE, NULL, NULL);

    if (!address || !s.narrow) /* handlers know NULL */
        return 0;
    return BIT(62) | (u64)layout << LAYOUT_SHIFT | address % s.narrow << REMAINDER_SHIFT |
           address / s.narrow * s.wide;
}

static u64 address_in(u64 view, struct sizes s)
{
    return (u32)(FIELD(view, 0, REMAINDER_SHIFT) / s.wide * s.narrow +
                 FIELD(view, REMAINDER_SHIFT, 6));
}

/* One that is not there is the first one. */
static const char *layout_of(u64 view)
{
    return structures[index_clamp(FIELD(view, LAYOUT_SHIFT, 6), ARRAY_SIZE(structures))].layout;
}

u64 narrow_address(u64 value)
{
    return narrow_is_view(value) ? address_in(value, convert(layout_of(value), MEASURE, NULL, NULL))
                                 : value;
}

int narrow_copy(u64 view, void *buffer, u64 length, bool write)
{
    const char *layout = layout_of(view);
    struct sizes s = convert(layout, MEASURE, NULL, NULL);
    u8 wide[LARGEST] = {0}, narrow[LARGEST] = {0}, *next = buffer;

    for (u64 part; length; view += part, next += part, length -= part) {
        u64 within = FIELD(view, 0, REMAINDER_SHIFT) % s.wide, address = address_in(view, s);

        part = MIN(length, s.wide - within);
        /* What is not copied out stays as the guest has it. */
        if ((!write || part < s.wide) && current->ops->copy(address, narrow, s.narrow, false))
            return -EFAULT;
        convert(layout, WIDEN, wide, narrow);
        memcpy(write ? wide + within : next, write ? next : wide + within, part);
        if (!write)
            continue;
        convert(layout, NARROW, wide, narrow);
        if (current->ops->copy(address, narrow, s.narrow, true))
            return -EFAULT;
    }
    return 0;
}

int narrow_arguments(u64 number, u64 args[5])
{
    u64 op = number == __HYPERVISOR_memory_op   ? args[0] & 63 /* progress is above it */
             : number == __HYPERVISOR_multicall ? 0
                                                : args[0];
    u64 *structure = number == __HYPERVISOR_vcpu_op     ? &args[2]
                     : number == __HYPERVISOR_multicall ? &args[0]
                                                        : &args[1];

    if (number == __HYPERVISOR_set_timer_op)
        args[0] |= args[1] << 32;
    for (u32 i = 0; i < ARRAY_SIZE(structures); i++)
        if (structures[i].call == number && structures[i].op == op) {
            *structure = view_of(i, *structure);
            return 0;
        }
    return number == __HYPERVISOR_memory_op ? reject(-ENOSYS, "memory operation of 32-bit code")
                                            : 0;
}
