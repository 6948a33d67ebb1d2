/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dom0 and EFI: what firmware told us, and calls to its run-time services on
 * dom0's behalf. Names and data are copied once, in and out, so that firmware
 * sees nothing that dom0 can change under it; sizes are bounded by what the
 * largest variables need. No locks of its own (platform/efi.c has one).
 */
#include "hypercall/platform_efi.h"
#include "hypercall/hypercall.h"
#include "platform/efi.h"

#include <xen/platform.h>

#define NAME_MAX_CHARS  2048u /* Linux uses up to 512 */
#define DATA_MAX        (1UL << 20)
#define EFI_UNSUPPORTED (BIT(63) | 3) /* status values: UEFI 2.10, appendix D */

/* Firmware's EFI_TIME (UEFI 8.3.1) is the interface's, so the request's copy is handed to it. */
_Static_assert(sizeof(struct xenpf_efi_time) == 16, "EFI_TIME");

/* --- What firmware said -------------------------------------------------- */

static s64 memory_info(struct xenpf_firmware_info *info)
{
    __typeof__(&info->u.efi_info.mem) mem = &info->u.efi_info.mem;

    for (u32 i = 0; i < efi.region_count; i++) {
        const struct efi_region *r = &efi.regions[i];
        u64 size = r->pages << PAGE_SHIFT, offset = mem->addr - r->start;

        if (mem->addr < r->start || offset >= size)
            continue;
        mem->type = r->type;
        mem->attr = r->attributes;
        mem->size = MIN(mem->size, size - offset); /* as far as this is so */
        return 0;
    }
    return -ESRCH;
}

/* As much of it as there is room for, with its 0 if that fits. */
static s64 vendor_info(struct xenpf_firmware_info *info)
{
    __typeof__(&info->u.efi_info.vendor) vendor = &info->u.efi_info.vendor;
    u32 room = vendor->bufsz / sizeof(u16), n = 0;

    vendor->revision = efi.vendor_revision;
    while (n < room && (n == 0 || efi.vendor[n - 1]))
        n++;
    return guest_copy_out(handle_address(vendor->name), efi.vendor, n * sizeof(u16));
}

s64 platform_efi_info(struct xenpf_firmware_info *info)
{
    union xenpf_efi_info *out = &info->u.efi_info;

    if (!efi.present)
        return -ENOSYS; /* a question, no refusal */
    switch (info->index) {
    case XEN_FW_EFI_VERSION:
        out->version = efi.revision;
        return 0;
    case XEN_FW_EFI_RT_VERSION:
        if (!efi_runtime_usable())
            return -EOPNOTSUPP;
        out->version = efi.runtime_revision;
        return 0;
    case XEN_FW_EFI_CONFIG_TABLE:
        out->cfg.addr = efi.tables;
        out->cfg.nent = efi.table_count;
        return 0;
    case XEN_FW_EFI_VENDOR:
        return vendor_info(info);
    case XEN_FW_EFI_MEM_INFO:
        return memory_info(info);
    case XEN_FW_EFI_PCI_ROM: /* only boot services could tell; drivers then read the device's */
        return -ESRCH;
    case XEN_FW_EFI_APPLE_PROPERTIES:
        return -ENODATA;
    default:
        return reject(-EINVAL, "no such fact of EFI's");
    }
}

/* --- Run-time services --------------------------------------------------- */

static s64 call(enum efi_service service, xen_ulong_t *status, u64 a0, u64 a1, u64 a2, u64 a3,
                u64 a4)
{
    const u64 args[5] = {a0, a1, a2, a3, a4};
    u64 result;

    if (!efi_call(current->fpu, service, args, &result))
        return reject(-EOPNOTSUPP, "no EFI run-time services");
    *status = result;
    return 0;
}

static s64 get_time(struct xenpf_efi_runtime_call *op)
{
    struct {
        u32 resolution, accuracy;
        u8 sets_to_zero;
    } capabilities = {0};
    s64 error =
        call(EFI_GET_TIME, &op->status, (u64)&op->u.get_time.time, (u64)&capabilities, 0, 0, 0);

    op->u.get_time.resolution = capabilities.resolution;
    op->u.get_time.accuracy = capabilities.accuracy;
    op->misc = capabilities.sets_to_zero ? XEN_EFI_GET_TIME_SET_CLEARS_NS : 0;
    return error;
}

static s64 set_time(struct xenpf_efi_runtime_call *op)
{
    return call(EFI_SET_TIME, &op->status, (u64)&op->u.set_time, 0, 0, 0, 0);
}

static s64 get_wakeup_time(struct xenpf_efi_runtime_call *op)
{
    u8 enabled = 0, pending = 0;
    s64 error = call(EFI_GET_WAKEUP_TIME, &op->status, (u64)&enabled, (u64)&pending,
                     (u64)&op->u.get_wakeup_time, 0, 0);

    op->misc = (enabled ? XEN_EFI_GET_WAKEUP_TIME_ENABLED : 0) |
               (pending ? XEN_EFI_GET_WAKEUP_TIME_PENDING : 0);
    return error;
}

static s64 set_wakeup_time(struct xenpf_efi_runtime_call *op)
{
    bool enable_only = op->misc & XEN_EFI_SET_WAKEUP_TIME_ENABLE_ONLY;

    return call(EFI_SET_WAKEUP_TIME, &op->status, op->misc & XEN_EFI_SET_WAKEUP_TIME_ENABLE,
                enable_only ? 0 : (u64)&op->u.set_wakeup_time, 0, 0, 0);
}

static s64 next_monotonic_count(struct xenpf_efi_runtime_call *op)
{
    u32 count = 0;
    s64 error = call(EFI_GET_NEXT_HIGH_MONOTONIC_COUNT, &op->status, (u64)&count, 0, 0, 0, 0);

    op->misc = count;
    return error;
}

/* Copies a variable's name, to its 0. */
static s64 name_copy(u16 name[NAME_MAX_CHARS], u64 from)
{
    for (u32 n = 0; n < NAME_MAX_CHARS; n++) {
        TRY(guest_copy_in_at(&name[n], from, n, sizeof(u16)));
        if (!name[n])
            return 0;
    }
    return reject(-EINVAL, "variable's name too long");
}

static s64 variable(struct xenpf_efi_runtime_call *op)
{
    bool set = op->function == XEN_EFI_set_variable;
    /* get_variable and set_variable have one structure. */
    __typeof__(&op->u.get_variable) v = &op->u.get_variable;
    u64 guest_data = handle_address(v->data), size = v->size, asked = size;
    struct xenpf_efi_guid guid = v->vendor_guid;
    u16 *name __heap_freed = heap_alloc(NAME_MAX_CHARS * sizeof(u16));
    void *data __heap_freed = NULL;
    u32 attributes = op->misc;

    if (size > DATA_MAX)
        return reject(-E2BIG, "variable too large");
    if (!name || (size && !(data = heap_zalloc(size))))
        return -ENOMEM;
    TRY(name_copy(name, handle_address(v->name)));
    if (set && size)
        TRY(guest_copy_in(data, guest_data, size));
    if (set)
        return call(EFI_SET_VARIABLE, &op->status, (u64)name, (u64)&guid, attributes, size,
                    (u64)data);
    TRY(call(EFI_GET_VARIABLE, &op->status, (u64)name, (u64)&guid, (u64)&attributes, (u64)&size,
             (u64)data));
    v->size = size;
    op->misc = attributes;
    return op->status ? 0 : guest_copy_out(guest_data, data, MIN(size, asked));
}

static s64 next_variable_name(struct xenpf_efi_runtime_call *op)
{
    __typeof__(&op->u.get_next_variable_name) v = &op->u.get_next_variable_name;
    u64 guest_name = handle_address(v->name), size = v->size, asked = size;
    struct xenpf_efi_guid guid = v->vendor_guid;
    u16 *name __heap_freed = NULL;

    if (size < sizeof(u16) || size > NAME_MAX_CHARS * sizeof(u16))
        return reject(-EINVAL, "size of the variable's name");
    name = heap_zalloc(ROUND_UP(size, 2UL));
    if (!name)
        return -ENOMEM;
    TRY(guest_copy_in(name, guest_name, size));
    name[(size - 1) / sizeof(u16)] = 0; /* ends within what we have */
    TRY(call(EFI_GET_NEXT_VARIABLE_NAME, &op->status, (u64)&size, (u64)name, (u64)&guid, 0, 0));
    v->size = size;
    v->vendor_guid = guid;
    return op->status ? 0 : guest_copy_out(guest_name, name, MIN(size, asked));
}

static s64 query_variable_info(struct xenpf_efi_runtime_call *op)
{
    __typeof__(&op->u.query_variable_info) q = &op->u.query_variable_info;
    u64 store = 0, remaining = 0, largest = 0;

    if (op->misc & XEN_EFI_VARINFO_BOOT_SNAPSHOT)
        return reject(-ENODATA, "no snapshot of the variables' room");
    if (efi.runtime_revision < EFI_REVISION_2) {
        op->status = EFI_UNSUPPORTED;
        return 0;
    }
    s64 error = call(EFI_QUERY_VARIABLE_INFO, &op->status, q->attr, (u64)&store, (u64)&remaining,
                     (u64)&largest, 0);
    q->max_store_size = store;
    q->remain_store_size = remaining;
    q->max_size = largest;
    return error;
}

/* Those that are offered, and what may be in misc. Not capsules: they would be machine addresses in
 * dom0's hands. */
static const struct {
    s64 (*fn)(struct xenpf_efi_runtime_call *op);
    u32 flags;
} calls[] = {
    [XEN_EFI_get_time] = {get_time, 0},
    [XEN_EFI_set_time] = {set_time, 0},
    [XEN_EFI_get_wakeup_time] = {get_wakeup_time, 0},
    [XEN_EFI_set_wakeup_time] = {set_wakeup_time, XEN_EFI_SET_WAKEUP_TIME_ENABLE |
                                                      XEN_EFI_SET_WAKEUP_TIME_ENABLE_ONLY},
    [XEN_EFI_get_next_high_monotonic_count] = {next_monotonic_count, 0},
    [XEN_EFI_get_variable] = {variable, 0},
    [XEN_EFI_set_variable] = {variable, ~0u},
    [XEN_EFI_get_next_variable_name] = {next_variable_name, 0},
    [XEN_EFI_query_variable_info] = {query_variable_info, XEN_EFI_VARINFO_BOOT_SNAPSHOT},
};

s64 platform_efi_call(struct xenpf_efi_runtime_call *op)
{
    if (!efi_runtime_usable())
        return reject(-EOPNOTSUPP, "no EFI run-time services");
    if (op->function >= ARRAY_SIZE(calls) || !calls[op->function].fn)
        return reject(-ENOSYS, "no such EFI call");
    if (op->misc & ~calls[op->function].flags)
        return reject(-EINVAL, "flags of an EFI call");
    return calls[op->function].fn(op);
}
