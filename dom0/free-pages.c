/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs in dom0: prints how many pages the hypervisor has free, how many of them it has yet to
 * scrub, and how many each domain has: to the page, where `xl info` and `xl list` count in MiB.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/sysctl.h>
#include <xen/sys/privcmd.h>

/* The hypervisor reads and writes them by our addresses, so they must be present. */
static struct {
    xen_sysctl_t op;
    xen_domctl_getdomaininfo_t domain[16];
} * page;

static void sysctl(int privcmd, uint32_t command)
{
    privcmd_hypercall_t call = {__HYPERVISOR_sysctl, {(uintptr_t)&page->op}};

    page->op.cmd = command;
    page->op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    if (ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &call) < 0) {
        perror("free-pages");
        exit(1);
    }
}

int main(void)
{
    int privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    uint32_t next = 0;

    page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
    if (privcmd < 0 || page == MAP_FAILED) {
        perror("free-pages");
        return 1;
    }
    sysctl(privcmd, XEN_SYSCTL_physinfo);
    printf("free %llu, to scrub %llu\n", (unsigned long long)page->op.u.physinfo.free_pages,
           (unsigned long long)page->op.u.physinfo.scrub_pages);
    for (;;) {
        memset(page, 0, sizeof(*page));
        page->op.u.getdomaininfolist.first_domain = (domid_t)next;
        page->op.u.getdomaininfolist.max_domains = 16;
        set_xen_guest_handle(page->op.u.getdomaininfolist.buffer, page->domain);
        sysctl(privcmd, XEN_SYSCTL_getdomaininfolist);
        uint32_t count = page->op.u.getdomaininfolist.num_domains;
        for (uint32_t i = 0; i < count; i++) {
            printf("domain %u: %llu pages%s\n", page->domain[i].domain,
                   (unsigned long long)page->domain[i].tot_pages,
                   page->domain[i].flags & XEN_DOMINF_dying ? ", dying" : "");
            next = page->domain[i].domain + 1u;
        }
        if (count < 16)
            return 0;
    }
}
