/* SPDX-License-Identifier: GPL-2.0-only */
/* What goes between the control calls and the tools. No state but the lock. */
#include "hypercall/control.h"

#include "core/cpu_policy.h"

/* Tools size their maps by max_cpu_id; anything beyond this is a mistake. */
#define MAX_BITMAP_BITS (1U << 16)

spinlock_t control_lock = SPINLOCK(LOCK_CONTROL);

int control_request(void *op, u64 arg, size_t size, u32 version)
{
    const struct {
        u32 cmd, interface_version;
    } *head = op;

    TRY(policy_system(current->domain));
    TRY(guest_copy_in(op, arg, size));
    return head->interface_version == version ? 0 : reject(-EACCES, "interface version");
}

int cpumask_from_guest(cpumask_t *mask, const struct xenctl_bitmap *from)
{
    u32 bits = from->nr_bits, kept = MIN(bits, (u32)MAX_CPUS), bytes = (kept + 7) / 8;

    memset(mask, 0, sizeof(*mask));
    if (bits > MAX_BITMAP_BITS)
        return reject(-EINVAL, "bitmap too long");
    if (bytes)
        TRY(guest_copy_in(mask->bits, handle_address(from->bitmap), bytes));
    if (kept % 8) /* the last byte may carry bits that nr_bits excludes */
        ((u8 *)mask->bits)[bytes - 1] &= (1u << kept % 8) - 1;
    return 0;
}

int cpumask_to_guest(const struct xenctl_bitmap *to, const cpumask_t *mask)
{
    u32 bits = to->nr_bits, bytes = (bits + 7) / 8;
    u64 address = handle_address(to->bitmap);
    cpumask_t part = *mask;

    if (bits > MAX_BITMAP_BITS)
        return reject(-EINVAL, "bitmap too long");
    for (u32 cpu = bits; cpu < MAX_CPUS; cpu++)
        cpumask_clear(&part, cpu);
    if (bytes)
        TRY(guest_copy_out(address, part.bits, MIN(bytes, MAX_CPUS / 8 + 0u)));
    return bytes > MAX_CPUS / 8 ? guest_clear(address + MAX_CPUS / 8, bytes - MAX_CPUS / 8) : 0;
}

int policy_to_guest(struct domain *d, u32 index, u64 leaves, u32 *nr_leaves, u64 msrs, u32 *nr_msrs)
{
    u32 have_leaves = CPU_POLICY_MAX_LEAVES, have_msrs = CPU_POLICY_MAX_MSRS;
    u32 room_leaves = leaves ? *nr_leaves : have_leaves, room_msrs = msrs ? *nr_msrs : have_msrs;
    struct xen_cpuid_leaf *l __heap_freed = heap_zalloc(have_leaves * sizeof(*l));
    struct xen_msr_entry *m __heap_freed = heap_zalloc(have_msrs * sizeof(*m));

    if (!l || !m)
        return reject(-ENOMEM, "no memory for a CPU policy");
    TRY(d ? cpu_policy_get(d, l, &have_leaves, m, &have_msrs)
          : cpu_policy_system(index, l, &have_leaves, m, &have_msrs));
    *nr_leaves = have_leaves;
    *nr_msrs = have_msrs;
    if (room_leaves < have_leaves || room_msrs < have_msrs)
        return reject(-ENOBUFS, "policy array too small");
    if (leaves)
        TRY(guest_copy_out(leaves, l, have_leaves * sizeof(*l)));
    return msrs ? guest_copy_out(msrs, m, have_msrs * sizeof(*m)) : 0;
}
