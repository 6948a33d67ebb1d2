/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs in dom0: prints how long each domain ran during the next SECONDS, "ID NANOSECONDS" a line,
 * and how long that really was, "passed NANOSECONDS": where `xl list` counts in tenths of a second.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/sysctl.h>
#include <xen/sys/privcmd.h>

#define MAX 128

struct sample {
    unsigned count;
    uint64_t clock;
    xen_domctl_getdomaininfo_t domains[MAX];
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* All domains in one call, so that they are seen at the same moment. */
static void take(int privcmd, xen_sysctl_t *op, struct sample *s)
{
    privcmd_hypercall_t call = {__HYPERVISOR_sysctl, {(uintptr_t)op}};
    struct timespec now;

    memset(op, 0, sizeof(*op));
    op->cmd = XEN_SYSCTL_getdomaininfolist;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    op->u.getdomaininfolist.max_domains = MAX;
    set_xen_guest_handle(op->u.getdomaininfolist.buffer, s->domains);
    if (ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &call) < 0)
        fail("cpu-times");
    s->count = op->u.getdomaininfolist.num_domains;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    s->clock = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
    int privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    /* The hypervisor reads and writes it by our addresses, so it must be present. */
    struct {
        xen_sysctl_t op;
        struct sample before, after;
    } *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    if (privcmd < 0 || m == MAP_FAILED)
        fail("cpu-times");
    take(privcmd, &m->op, &m->before);
    nanosleep(&pause, NULL);
    take(privcmd, &m->op, &m->after);
    for (unsigned i = 0; i < m->after.count; i++)
        for (unsigned k = 0; k < m->before.count; k++)
            if (m->before.domains[k].domain == m->after.domains[i].domain)
                printf("%u %llu\n", m->after.domains[i].domain,
                       (unsigned long long)(m->after.domains[i].cpu_time -
                                            m->before.domains[k].cpu_time));
    printf("passed %llu\n", (unsigned long long)(m->after.clock - m->before.clock));
    return 0;
}
