/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs in dom0: prints how many pages the hypervisor has free, how many of them it has yet to
 * scrub and how many are claimed: to the page, where `xl info` counts in MiB.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/sysctl.h>
#include <xen/sys/privcmd.h>

int main(void)
{
    int privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    /* The hypervisor reads and writes it by our address, so it must be present. */
    xen_sysctl_t *op = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);

    if (privcmd < 0 || op == MAP_FAILED) {
        perror("free-pages");
        return 1;
    }
    op->cmd = XEN_SYSCTL_physinfo;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    privcmd_hypercall_t call = {__HYPERVISOR_sysctl, {(uintptr_t)op}};
    if (ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &call) < 0) {
        perror("free-pages");
        return 1;
    }
    printf("%llu free, %llu to scrub, %llu claimed\n",
           (unsigned long long)op->u.physinfo.free_pages,
           (unsigned long long)op->u.physinfo.scrub_pages,
           (unsigned long long)op->u.physinfo.outstanding_pages);
    return 0;
}
