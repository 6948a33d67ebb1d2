/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * platform_op: the hardware domain's dealings with the machine as a whole:
 * wall-clock time, firmware's data (EFI's: platform_efi.c), processors, sleep. Frequency scaling,
 * C-states and microcode are not taken from it. No locks of its own.
 */
#include "cpu/features.h"
#include "hypercall/control.h"
#include "hypercall/platform_efi.h"
#include "platform/machine.h"

#include <xen/platform.h>

static s64 set_time(u64 seconds, u32 nanoseconds, u64 at)
{
    if (nanoseconds >= NS_SECOND)
        return reject(-EINVAL, "more than a second of nanoseconds");
    clock_wall_set(seconds, nanoseconds, at);
    domains_update_wallclock();
    return 0;
}

/* Tables that the BIOS left are not kept: their lists end at once. */
static s64 firmware_info(struct xenpf_firmware_info *info)
{
    switch (info->type) {
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
    case XEN_FW_VBEDDC_INFO:
        return -ESRCH; /* how every such list ends, no refusal */
    case XEN_FW_EFI_INFO:
        return platform_efi_info(info);
    case XEN_FW_KBD_SHIFT_FLAGS:
        if (info->index != 0)
            return -ESRCH;
        info->u.kbd_shift_flags = 0;
        return 0;
    default:
        return reject(-EINVAL, "no such firmware table");
    }
}

static s64 get_cpuinfo(struct xenpf_pcpuinfo *info)
{
    u32 cpu = info->xen_cpuid;

    info->max_present = machine_cpu_count - 1;
    info->flags = XEN_PCPU_FLAGS_INVALID;
    info->apic_id = info->acpi_id = 0;
    if (cpu >= machine_cpu_count)
        return 0;
    info->flags = cpumask_test(&cpus_online, cpu) ? XEN_PCPU_FLAGS_ONLINE : 0;
    info->apic_id = machine_apic_id[cpu];
    info->acpi_id = machine_acpi_id[cpu];
    return 0;
}

/* All processors are alike (others are not brought up), so one answer serves. */
static s64 get_cpu_version(struct xenpf_pcpu_version *version)
{
    version->max_present = machine_cpu_count - 1;
    if (version->xen_cpuid >= machine_cpu_count ||
        !cpumask_test(&cpus_online, version->xen_cpuid)) {
        memset(version->vendor_id, 0, sizeof(version->vendor_id));
        version->family = version->model = version->stepping = 0;
        return 0;
    }
    memcpy(version->vendor_id, cpu_vendor_name, sizeof(version->vendor_id));
    version->family = cpu_family;
    version->model = cpu_model;
    version->stepping = cpu_stepping;
    return 0;
}

/* For each processor asked for and present: how long it was idle. */
static s64 get_idle_time(struct xenpf_getidletime *op)
{
    u64 map = handle_address(op->cpumap_bitmap), times = handle_address(op->idletime);
    u32 limit = MIN(op->cpumap_nr_cpus, (u32)MAX_CPUS);

    for (u32 base = 0; base < limit; base += 8) {
        u8 wanted;
        TRY(guest_copy_in(&wanted, map + base / 8, 1));
        for (u32 cpu = base; cpu < base + 8; cpu++) {
            u64 idle = 0;
            if (cpu >= limit || !(wanted >> (cpu - base) & 1))
                continue;
            if (!cpumask_test(&cpus_online, cpu)) {
                wanted &= ~(1u << (cpu - base));
                continue;
            }
            idle = sched_idle_time(cpu);
            TRY(guest_copy_out_at(times, cpu, &idle, sizeof(idle)));
        }
        TRY(guest_copy_out(map + base / 8, &wanted, 1));
    }
    op->now = clock_now();
    return 0;
}

static s64 acpi_sleep(const struct xenpf_enter_acpi_sleep *op)
{
    if (op->flags)
        return reject(-EOPNOTSUPP, "reduced-hardware ACPI sleep");
    return machine_acpi_sleep(op->sleep_state, op->val_a, op->val_b);
}

static s64 perform(struct xen_platform_op *op)
{
    switch (op->cmd) {
    case XENPF_settime32:
        return set_time(op->u.settime32.secs, op->u.settime32.nsecs, op->u.settime32.system_time);
    case XENPF_settime64:
        if (op->u.settime64.mbz)
            return reject(-EINVAL, "reserved field of settime64");
        return set_time(op->u.settime64.secs, op->u.settime64.nsecs, op->u.settime64.system_time);
    case XENPF_firmware_info:
        return firmware_info(&op->u.firmware_info);
    case XENPF_efi_runtime_call:
        return platform_efi_call(&op->u.efi_runtime_call);
    case XENPF_enter_acpi_sleep:
        return acpi_sleep(&op->u.enter_acpi_sleep);
    case XENPF_getidletime:
        return get_idle_time(&op->u.getidletime);
    case XENPF_get_cpuinfo:
        return get_cpuinfo(&op->u.pcpu_info);
    case XENPF_get_cpu_version:
        return get_cpu_version(&op->u.pcpu_version);
    case XENPF_add_memtype ... XENPF_read_memtype:
        return reject(-EINVAL, "memory type registers are not shown");
    case XENPF_set_processor_pminfo:
        return reject(-ENODEV, "no processor power management");
    case XENPF_microcode_update:
    case XENPF_platform_quirk:
    case XENPF_cpu_online:
    case XENPF_cpu_offline:
    case XENPF_cpu_hotadd:
    case XENPF_mem_hotadd:
    case XENPF_core_parking:
    case XENPF_resource_op:
    case XENPF_change_freq:
        return reject(-EOPNOTSUPP, "platform operation not offered");
    default: /* symbols */
        return reject(-ENOSYS, "no such platform operation");
    }
}

s64 hypercall_platform_op(u64 arg, u64, u64, u64, u64)
{
    struct xen_platform_op op;

    TRY(control_request(&op, arg, sizeof(op), XENPF_INTERFACE_VERSION));
    TRY(perform(&op));
    return guest_copy_out(arg, &op, sizeof(op));
}
