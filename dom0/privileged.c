/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs in a guest: asks the hypervisor for what only dom0 may do, through the kernel's privcmd
 * device. Every call must be refused with EPERM; the answers wanted are those of the stock
 * hypervisor. Prints a line for each wrong answer, then "privileged: N refused, N wrong".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/platform.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/sys/privcmd.h>

/* The hypervisor reads arguments by our addresses, which must therefore be present: one locked page. */
static union arguments {
    xen_domctl_t domctl;
    xen_sysctl_t sysctl;
    xen_platform_op_t platform;
    xen_memory_reservation_t reservation;
    domid_t domain;
    xen_add_to_physmap_t physmap;
    physdev_apic_t apic;
    evtchn_status_t evtchn;
    evtchn_reset_t reset;
    gnttab_setup_table_t grants;
    mmu_update_t update;
    char page[4096];
} *arguments;

static int privcmd, refused, wrong;

static void refuses(const char *what, int wanted, uint64_t number, uint64_t first, uint64_t second,
                    uint64_t third, uint64_t fourth)
{
    privcmd_hypercall_t call = {number, {first, second, third, fourth, 0}};
    int got = ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &call) < 0 ? errno : 0;

    if (got == wanted) {
        refused++;
    } else {
        wrong++;
        printf("privileged: %s gives %s, not %s\n", what, got ? strerror(got) : "success", strerror(wanted));
    }
    memset(arguments, 0, sizeof(*arguments));
}

static void domctl(const char *what, uint32_t command, domid_t domain)
{
    arguments->domctl.cmd = command;
    arguments->domctl.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    arguments->domctl.domain = domain;
    refuses(what, EPERM, __HYPERVISOR_domctl, (uintptr_t)arguments, 0, 0, 0);
}

static void sysctl(const char *what, uint32_t command)
{
    arguments->sysctl.cmd = command;
    arguments->sysctl.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    refuses(what, EPERM, __HYPERVISOR_sysctl, (uintptr_t)arguments, 0, 0, 0);
}

int main(void)
{
    uint64_t page;

    arguments = mmap(NULL, sizeof(*arguments), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
    privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    if (arguments == MAP_FAILED || privcmd < 0) {
        perror("privileged: /dev/xen/privcmd");
        return 1;
    }
    page = (uintptr_t)arguments;

    domctl("domctl getdomaininfo of dom0", XEN_DOMCTL_getdomaininfo, 0);
    domctl("domctl pausedomain of dom0", XEN_DOMCTL_pausedomain, 0);
    domctl("domctl destroydomain of dom0", XEN_DOMCTL_destroydomain, 0);
    domctl("domctl createdomain", XEN_DOMCTL_createdomain, 99);
    domctl("domctl max_mem of itself", XEN_DOMCTL_max_mem, DOMID_SELF);
    sysctl("sysctl physinfo", XEN_SYSCTL_physinfo);
    sysctl("sysctl readconsole", XEN_SYSCTL_readconsole);
    sysctl("sysctl getdomaininfolist", XEN_SYSCTL_getdomaininfolist);
    sysctl("sysctl debug_keys", XEN_SYSCTL_debug_keys);

    arguments->platform.cmd = XENPF_settime64;
    arguments->platform.interface_version = XENPF_INTERFACE_VERSION;
    refuses("platform_op settime64", EPERM, __HYPERVISOR_platform_op, page, 0, 0, 0);

    arguments->domain = 0;
    refuses("memory_op current_reservation of dom0", EPERM, __HYPERVISOR_memory_op,
            XENMEM_current_reservation, page, 0, 0);
    arguments->reservation.nr_extents = 1;
    refuses("memory_op decrease_reservation of dom0", EPERM, __HYPERVISOR_memory_op,
            XENMEM_decrease_reservation, page, 0, 0);
    refuses("memory_op machine_memory_map", EPERM, __HYPERVISOR_memory_op,
            XENMEM_machine_memory_map, page, 0, 0);

    refuses("physdev_op apic_write", EPERM, __HYPERVISOR_physdev_op, PHYSDEVOP_apic_write, page, 0, 0);
    refuses("console_io read", EPERM, __HYPERVISOR_console_io, CONSOLEIO_read, 16, page, 0);
    refuses("console_io write", EPERM, __HYPERVISOR_console_io, CONSOLEIO_write, 1, page, 0);

    arguments->evtchn.port = 1; /* dom 0 by its zero */
    refuses("event_channel_op status of dom0", EPERM, __HYPERVISOR_event_channel_op, EVTCHNOP_status,
            page, 0, 0);
    refuses("event_channel_op reset of dom0", EPERM, __HYPERVISOR_event_channel_op, EVTCHNOP_reset,
            page, 0, 0);
    refuses("mmu_update on behalf of dom0", EPERM, __HYPERVISOR_mmu_update, page, 1, 0, 1);

    printf("privileged: %d refused, %d wrong\n", refused, wrong);
    return wrong != 0;
}
