/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xen_version: who we say we are. The interface is Xen 4.17's, so that is the
 * number; the rest is ours. Guests that are not the control domain do not
 * learn how the machine was started. No locks, no state but the command line.
 */
#include "hvm/hvm.h"
#include "hypercall/hypercall.h"

#include <xen/version.h>

#define VERSION_MAJOR 4
#define VERSION_MINOR 17
#define DENIED        "<denied>"

char hypervisor_command_line[1024] __ro_after_init;

static const xen_extraversion_t extraversion = "-tenon";
/* One word for each guest type that works: libxl reads this to know what it may build. */
static const char pv_only[] = "xen-3.0-x86_64 ";
static const char all_kinds[] = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ";

/* Writes `size` bytes, of which text fills the beginning. */
static s64 text_out(u64 to, const char *text, size_t size)
{
    size_t length = MIN(strlen(text), size - 1);

    TRY(guest_copy_out(to, text, length));
    return guest_clear(to + length, size - length);
}

static s64 compile_info(u64 arg, bool allowed)
{
    struct xen_compile_info info = {{0}, {0}, {0}, {0}};

    strlcpy(info.compiler, allowed ? "cc " __VERSION__ : DENIED, sizeof(info.compiler));
    strlcpy(info.compile_by, allowed ? "tenon" : DENIED, sizeof(info.compile_by));
    strlcpy(info.compile_domain, allowed ? "localhost" : DENIED, sizeof(info.compile_domain));
    /* No date: the same sources give the same image. */
    strlcpy(info.compile_date, allowed ? "reproducible" : DENIED, sizeof(info.compile_date));
    return guest_copy_out(arg, &info, sizeof(info));
}

static u32 features_of(const struct domain *d)
{
    u32 features = BIT(XENFEAT_memory_op_vnode_supported);

    if (d->is_hvm)
        features |= BIT(XENFEAT_writable_page_tables) | BIT(XENFEAT_auto_translated_physmap) |
                    BIT(XENFEAT_supervisor_mode_kernel) | BIT(XENFEAT_hvm_callback_vector) |
                    BIT(XENFEAT_hvm_safe_pvclock) | BIT(XENFEAT_not_direct_mapped);
    else
        features |= BIT(XENFEAT_mmu_pt_update_preserve_ad) | BIT(XENFEAT_highmem_assist) |
                    BIT(XENFEAT_gnttab_map_avail_bits) | BIT(XENFEAT_direct_mapped);
    if (READ_ONCE(d->vm_assist) & BIT(VMASST_TYPE_pae_extended_cr3))
        features |= BIT(XENFEAT_pae_pgdir_above_4gb);
    if (d->is_hardware)
        features |= BIT(XENFEAT_dom0);
    return features;
}

static s64 get_features(u64 arg)
{
    struct xen_feature_info info;

    TRY(guest_copy_in(&info, arg, sizeof(info)));
    info.submap = info.submap_idx == 0 ? features_of(current->domain) : 0;
    if (info.submap_idx >= XENFEAT_NR_SUBMAPS)
        return reject(-EINVAL, "no such feature word");
    return guest_copy_out(arg, &info, sizeof(info));
}

static __attribute__((noinline)) s64 tell(u32 op, u64 arg)
{
    const struct domain *d = current->domain;
    xen_platform_parameters_t parameters = {.virt_start = HYPERVISOR_VIRT_START};
    bool allowed = d->is_control;

    switch (op) {
    case XENVER_extraversion:
        return text_out(arg, extraversion, sizeof(extraversion));
    case XENVER_compile_info:
        return compile_info(arg, allowed);
    case XENVER_capabilities:
        return text_out(arg, hvm_machine ? all_kinds : pv_only, sizeof(xen_capabilities_info_t));
    case XENVER_changeset:
        return text_out(arg, allowed ? "tenon" : DENIED, sizeof(xen_changeset_info_t));
    case XENVER_platform_parameters:
        return guest_copy_out(arg, &parameters, sizeof(parameters));
    case XENVER_get_features:
        return get_features(arg);
    case XENVER_pagesize:
        return PAGE_SIZE;
    case XENVER_guest_handle:
        return guest_copy_out(arg, d->handle, sizeof(d->handle));
    case XENVER_commandline:
        return text_out(arg, allowed ? hypervisor_command_line : DENIED, sizeof(xen_commandline_t));
    case XENVER_build_id:
        return reject(allowed ? -ENODATA : -EPERM, "no build id");
    default:
        return reject(-ENOSYS, "no such version operation");
    }
}

s64 hypercall_xen_version(u64 op, u64 arg, u64, u64, u64)
{
    /* The first is also a kernel's cheapest way to have pending events delivered. */
    return (u32)op == XENVER_version ? VERSION_MAJOR << 16 | VERSION_MINOR : tell((u32)op, arg);
}
