/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sysctl: what the machine is: processors, memory, topology, CPU policies.
 * Reads only; no locks.
 */
#include "core/cpu_policy.h"
#include "hvm/hvm.h"
#include "hypercall/control.h"
#include "platform/machine.h"

static u32 last_online_cpu(void)
{
    u32 last = 0;

    for_each_online_cpu (cpu)
        last = cpu;
    return last;
}

s64 sysctl_physinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_physinfo *info = &op->u.physinfo;
    u32 thread_bits, package_bits, packages = 0, threads = 0, first_core;
    cpumask_t counted = {{0}};

    cpu_policy_topology(&thread_bits, &package_bits);
    first_core = machine_apic_id[0] >> thread_bits;
    /* Count what is online: the id space has holes. */
    for_each_online_cpu (cpu) {
        u32 package = machine_apic_id[cpu] >> package_bits;
        bool seen = false;
        for_each_cpu_in (other, &counted)
            seen |= machine_apic_id[other] >> package_bits == package;
        packages += !seen;
        threads += machine_apic_id[cpu] >> thread_bits == first_core;
        cpumask_set(&counted, cpu);
    }
    memset(info, 0, sizeof(*info));
    info->threads_per_core = MAX(threads, 1u);
    info->cores_per_socket =
        MAX(cpus_online_count / (MAX(packages, 1u) * info->threads_per_core), 1u);
    info->nr_cpus = cpus_online_count;
    info->max_cpu_id = machine_cpu_count - 1;
    info->nr_nodes = 1;
    info->max_node_id = 0;
    info->cpu_khz = clock_tsc_khz();
    info->capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1 |
                         XEN_SYSCTL_PHYSCAP_gnttab_v2;
    if (hvm_machine)
        info->capabilities |= XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap;
    info->total_pages = memory_total();
    info->free_pages = memory_free();
    info->scrub_pages = memory_scrub_pending();
    info->outstanding_pages = memory_claimed();
    info->max_mfn = frame_table_end - 1;
    cpu_policy_featureset(XEN_SYSCTL_cpu_featureset_host, info->hw_cap, ARRAY_SIZE(info->hw_cap));
    return 0;
}

s64 sysctl_cputopoinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_cputopoinfo *info = &op->u.cputopoinfo;
    u64 list = handle_address(info->cputopo);
    u32 have = last_online_cpu() + 1, thread_bits, package_bits;

    if (!list) { /* how many are there? */
        info->num_cpus = have;
        return 0;
    }
    cpu_policy_topology(&thread_bits, &package_bits);
    info->num_cpus = MIN(info->num_cpus, have);
    for (u32 cpu = 0; cpu < info->num_cpus; cpu++) {
        struct xen_sysctl_cputopo topology = {XEN_INVALID_CORE_ID, XEN_INVALID_SOCKET_ID,
                                              XEN_INVALID_NODE_ID};
        if (cpumask_test(&cpus_online, cpu)) {
            u32 id = machine_apic_id[cpu];
            topology.core = (id & ((1u << package_bits) - 1)) >> thread_bits;
            topology.socket = id >> package_bits;
            topology.node = 0;
        }
        TRY(guest_copy_out_at(list, cpu, &topology, sizeof(topology)));
    }
    return 0;
}

/* All memory is one node. */
s64 sysctl_numainfo(struct xen_sysctl *op)
{
    struct xen_sysctl_numainfo *info = &op->u.numainfo;
    u64 list = handle_address(info->meminfo), distances = handle_address(info->distance);
    struct xen_sysctl_meminfo memory = {memory_total() << PAGE_SHIFT, memory_free() << PAGE_SHIFT};
    u32 distance = 10, room = info->num_nodes;

    info->num_nodes = 1;
    if (!list && !distances)
        return 0;
    if (room < 1)
        return reject(-ENOBUFS, "no room for a node");
    if (list)
        TRY(guest_copy_out(list, &memory, sizeof(memory)));
    return distances ? guest_copy_out(distances, &distance, sizeof(distance)) : 0;
}

/* Which node each PCI device is on: unknown, or no such device. */
s64 sysctl_pcitopoinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_pcitopoinfo *info = &op->u.pcitopoinfo;
    u64 devices = handle_address(info->devs), nodes = handle_address(info->nodes);

    if (!devices || !nodes)
        return reject(-EINVAL, "PCI topology without arrays");
    for (u32 i = 0; i < info->num_devs; i++) {
        struct physdev_pci_device device;
        if (i % 64 == 63 && hypercall_should_yield()) {
            info->num_devs = i; /* the tools call again for the rest */
            break;
        }
        TRY(guest_copy_in_at(&device, devices, i, sizeof(device)));
        u32 node = pci_device_known((u32)device.seg << 16 | device.bus << 8 | device.devfn)
                       ? XEN_INVALID_NODE_ID
                       : XEN_INVALID_DEV;
        TRY(guest_copy_out_at(nodes, i, &node, sizeof(node)));
    }
    return 0;
}

s64 sysctl_getcpuinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_getcpuinfo *info = &op->u.getcpuinfo;
    u32 count = MIN(info->max_cpus, last_online_cpu() + 1);

    for (u32 cpu = 0; cpu < count; cpu++) {
        struct xen_sysctl_cpuinfo one = {
            .idletime = cpumask_test(&cpus_online, cpu) ? sched_idle_time(cpu) : 0};
        TRY(guest_copy_out_at(handle_address(info->info), cpu, &one, sizeof(one)));
    }
    info->nr_cpus = count;
    return 0;
}

s64 sysctl_availheap(struct xen_sysctl *op)
{
    struct xen_sysctl_availheap *heap = &op->u.availheap;

    if (heap->node > 0)
        return reject(-EINVAL, "no such node");
    if (heap->min_bitwidth || heap->max_bitwidth)
        return reject(-EOPNOTSUPP, "free memory is not counted by address width");
    heap->avail_bytes = memory_free() << PAGE_SHIFT;
    return 0;
}

s64 sysctl_get_cpu_featureset(struct xen_sysctl *op)
{
    struct xen_sysctl_cpu_featureset *set = &op->u.cpu_featureset;
    u64 list = handle_address(set->features);
    u32 words[CPU_POLICY_WORDS], count, room = list ? set->nr_features : CPU_POLICY_WORDS;

    if (set->index > XEN_SYSCTL_cpu_featureset_hvm_max)
        return reject(-EINVAL, "no such feature set");
    count = cpu_policy_featureset(set->index, words, CPU_POLICY_WORDS);
    if (!count)
        return reject(-EOPNOTSUPP, "no HVM guests, so no feature set for them");
    count = MIN(count, room);
    set->nr_features = count;
    if (list)
        TRY(guest_copy_out(list, words, count * sizeof(words[0])));
    /* An older tool gets the words it knows, and is told. */
    return count < CPU_POLICY_WORDS ? -ENOBUFS : 0;
}

s64 sysctl_get_cpu_policy(struct xen_sysctl *op)
{
    struct xen_sysctl_cpu_policy *policy = &op->u.cpu_policy;

    if (policy->_rsvd)
        return reject(-EINVAL, "reserved field of a policy request");
    return policy_to_guest(NULL, policy->index, handle_address(policy->leaves), &policy->nr_leaves,
                           handle_address(policy->msrs), &policy->nr_msrs);
}
