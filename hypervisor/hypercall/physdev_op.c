/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * physdev_op: real devices. The hardware domain describes the machine as it
 * discovers it (PCI devices, interrupt lines); a domain that has interrupts
 * acknowledges them here; any PV domain sets its virtual I/O privilege.
 */
#include "core/pirq.h"
#include "hypercall/hypercall.h"
#include "platform/irq.h"
#include "platform/machine.h"
#include "pv/pv.h"

#define IO_PORTS 65536

/* Any of the operations' structures. */
union physdev_args {
    struct physdev_eoi eoi;
    struct physdev_pirq_eoi_gmfn eoi_frame;
    struct physdev_irq_status_query status;
    struct physdev_set_iopl iopl;
    struct physdev_set_iobitmap bitmap;
    struct physdev_apic apic;
    struct physdev_irq irq;
    struct physdev_map_pirq map;
    struct physdev_unmap_pirq unmap;
    struct physdev_manage_pci manage;
    struct physdev_manage_pci_ext manage_ext;
    struct physdev_restore_msi restore;
    struct physdev_setup_gsi gsi;
    struct physdev_get_free_pirq free_pirq;
    struct physdev_pci_mmcfg_reserved mmcfg;
    struct physdev_pci_device device;
    u8 add[offsetof(struct physdev_pci_device_add, optarr)]; /* the part without options */
};

static u32 sbdf_of(u32 segment, u32 bus, u32 devfn)
{
    return segment << 16 | bus << 8 | devfn;
}

static s64 map_or_unmap(u32 op, union physdev_args *args)
{
    domid_t id = op == PHYSDEVOP_map_pirq ? args->map.domid : args->unmap.domid;
    struct domain *d __put_domain = NULL;

    TRY(policy_target(id, POLICY_IRQ, &d));
    if (op == PHYSDEVOP_map_pirq)
        return pirq_map(d, &args->map);
    if (args->unmap.pirq < 0)
        return reject(-EINVAL, "negative pirq");
    return pirq_unmap(d, args->unmap.pirq);
}

static s64 io_privilege(u32 op, union physdev_args *args)
{
    struct pv_vcpu *v = to_pv(current);

    if (current->domain->is_hvm)
        return reject(-ENOSYS, "I/O privilege of an HVM guest");
    if (op == PHYSDEVOP_set_iopl) {
        if (args->iopl.iopl > 3)
            return reject(-EINVAL, "I/O privilege level above 3");
        v->iopl = args->iopl.iopl;
        return 0;
    }
    if (args->bitmap.nr_ports > IO_PORTS)
        return reject(-EINVAL, "more than 65536 ports");
    v->io_bitmap = handle_address(args->bitmap.bitmap);
    v->io_bitmap_limit = args->bitmap.nr_ports;
    return 0;
}

/* What a PV kernel does with the interrupts it has. */
static s64 interrupts(u32 op, union physdev_args *args)
{
    struct domain *d = current->domain;

    switch (op) {
    case PHYSDEVOP_eoi:
        return pirq_eoi(d, args->eoi.irq);
    case PHYSDEVOP_pirq_eoi_gmfn_v1:
    case PHYSDEVOP_pirq_eoi_gmfn_v2:
        return pirq_set_eoi_map(d, args->eoi_frame.gmfn, op == PHYSDEVOP_pirq_eoi_gmfn_v1);
    case PHYSDEVOP_irq_status_query:
        args->status.flags = 0;
        return pirq_status(d, args->status.irq, &args->status.flags);
    case PHYSDEVOP_get_free_pirq:
        return pirq_get_free(d, args->free_pirq.type, &args->free_pirq.pirq);
    default:
        return map_or_unmap(op, args);
    }
}

/* The machine's interrupt lines. */
static s64 lines(u32 op, union physdev_args *args)
{
    int vector;

    switch (op) {
    case PHYSDEVOP_apic_read:
        return ioapic_guest_read(paddr(args->apic.apic_physbase), args->apic.reg,
                                 &args->apic.value);
    case PHYSDEVOP_apic_write:
        return ioapic_guest_write(paddr(args->apic.apic_physbase), args->apic.reg,
                                  args->apic.value);
    case PHYSDEVOP_alloc_irq_vector:
        if (args->irq.irq >= gsi_count)
            return reject(-EINVAL, "no such interrupt line");
        vector = irq_gsi_vector(args->irq.irq);
        if (vector < 0)
            return reject(vector, "no vector for the interrupt line");
        args->irq.vector = vector;
        return 0;
    default: /* PHYSDEVOP_setup_gsi */
        if (args->gsi.gsi < 0)
            return reject(-EINVAL, "negative interrupt line");
        return irq_setup_gsi(args->gsi.gsi, args->gsi.triggering, args->gsi.polarity);
    }
}

static s64 devices(u32 op, union physdev_args *args)
{
    const struct physdev_pci_device *device = &args->device;
    struct physdev_pci_device_add add;

    switch (op) {
    case PHYSDEVOP_manage_pci_add:
        return pci_device_add(sbdf_of(0, args->manage.bus, args->manage.devfn), false);
    case PHYSDEVOP_manage_pci_remove:
        return pci_device_remove(sbdf_of(0, args->manage.bus, args->manage.devfn));
    case PHYSDEVOP_manage_pci_add_ext:
        return pci_device_add(sbdf_of(0, args->manage_ext.bus, args->manage_ext.devfn),
                              args->manage_ext.is_virtfn);
    case PHYSDEVOP_pci_device_add:
        __builtin_memcpy(&add, args->add, sizeof(args->add));
        return pci_device_add(sbdf_of(add.seg, add.bus, add.devfn), add.flags & XEN_PCI_DEV_VIRTFN);
    case PHYSDEVOP_pci_device_remove:
        return pci_device_remove(sbdf_of(device->seg, device->bus, device->devfn));
    case PHYSDEVOP_restore_msi:
        return msi_restore(sbdf_of(0, args->restore.bus, args->restore.devfn));
    case PHYSDEVOP_restore_msi_ext:
        return msi_restore(sbdf_of(device->seg, device->bus, device->devfn));
    case PHYSDEVOP_prepare_msix:
    case PHYSDEVOP_release_msix:
        return msi_prepare(sbdf_of(device->seg, device->bus, device->devfn),
                           op == PHYSDEVOP_prepare_msix);
    default: /* PHYSDEVOP_pci_mmcfg_reserved */
        if (!(args->mmcfg.flags & XEN_PCI_MMCFG_RESERVED))
            return 0; /* not reserved by firmware: we do not use it then */
        return pci_mmcfg_reserved(args->mmcfg.address, args->mmcfg.segment, args->mmcfg.start_bus,
                                  args->mmcfg.end_bus);
    }
}

/* Whose business an operation is. */
enum { ANYONE, HARDWARE };

#define FORM(fn, field, for_whom, result)                              \
    {                                                                  \
        fn, sizeof(((union physdev_args *)0)->field), for_whom, result \
    }
static const struct form {
    s64 (*handler)(u32 op, union physdev_args *args);
    u8 size, whose;
    bool result; /* the structure goes back */
} forms[] = {
    [PHYSDEVOP_irq_status_query] = FORM(interrupts, status, ANYONE, true),
    [PHYSDEVOP_set_iopl] = FORM(io_privilege, iopl, ANYONE, false),
    [PHYSDEVOP_set_iobitmap] = FORM(io_privilege, bitmap, ANYONE, false),
    [PHYSDEVOP_apic_read] = FORM(lines, apic, HARDWARE, true),
    [PHYSDEVOP_apic_write] = FORM(lines, apic, HARDWARE, false),
    [PHYSDEVOP_alloc_irq_vector] = FORM(lines, irq, HARDWARE, true),
    [PHYSDEVOP_eoi] = FORM(interrupts, eoi, ANYONE, false),
    [PHYSDEVOP_map_pirq] = FORM(interrupts, map, ANYONE, true),
    [PHYSDEVOP_unmap_pirq] = FORM(interrupts, unmap, ANYONE, false),
    [PHYSDEVOP_manage_pci_add] = FORM(devices, manage, HARDWARE, false),
    [PHYSDEVOP_manage_pci_remove] = FORM(devices, manage, HARDWARE, false),
    [PHYSDEVOP_pirq_eoi_gmfn_v1] = FORM(interrupts, eoi_frame, ANYONE, false),
    [PHYSDEVOP_restore_msi] = FORM(devices, restore, HARDWARE, false),
    [PHYSDEVOP_manage_pci_add_ext] = FORM(devices, manage_ext, HARDWARE, false),
    [PHYSDEVOP_setup_gsi] = FORM(lines, gsi, HARDWARE, false),
    [PHYSDEVOP_get_free_pirq] = FORM(interrupts, free_pirq, ANYONE, true),
    [PHYSDEVOP_pci_mmcfg_reserved] = FORM(devices, mmcfg, HARDWARE, false),
    [PHYSDEVOP_pci_device_add] = FORM(devices, add, HARDWARE, false),
    [PHYSDEVOP_pci_device_remove] = FORM(devices, device, HARDWARE, false),
    [PHYSDEVOP_restore_msi_ext] = FORM(devices, device, HARDWARE, false),
    [PHYSDEVOP_pirq_eoi_gmfn_v2] = FORM(interrupts, eoi_frame, ANYONE, false),
    [PHYSDEVOP_prepare_msix] = FORM(devices, device, HARDWARE, false),
    [PHYSDEVOP_release_msix] = FORM(devices, device, HARDWARE, false),
};

s64 hypercall_physdev_op(u64 op, u64 arg, u64, u64, u64)
{
    union physdev_args args;
    const struct form *form = (u32)op < ARRAY_SIZE(forms) ? &forms[(u32)op] : NULL;

    if (!form || !form->handler)
        return reject(-ENOSYS, "no such device operation");
    if (form->whose == HARDWARE)
        TRY(policy_hardware(current->domain));
    TRY(guest_copy_in(&args, arg, form->size));
    TRY(form->handler((u32)op, &args));
    return form->result ? guest_copy_out(arg, &args, form->size) : 0;
}

/* Before interface 0x00030202: number and structure in one record. */
s64 hypercall_physdev_op_compat(u64 arg, u64, u64 a2, u64 a3, u64 a4)
{
    u32 op;

    TRY(guest_copy_in(&op, arg, sizeof(op)));
    if (op > PHYSDEVOP_alloc_irq_vector)
        return reject(-ENOSYS, "operation younger than this form of the call");
    return hypercall_physdev_op(op, arg + offsetof(struct physdev_op, u), a2, a3, a4);
}
