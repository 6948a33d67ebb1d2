/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs in dom0: what xl tells in MiB and tenths of a second, to the page and the nanosecond.
 * usage: figures pages          "total N", "free N", "scrub N", "claimed N", then each "domain ID N", or
 *                               "dying ID N"
 *        figures peak FILE      asks again and again until FILE is there, then "peak N": the most pages
 *                               that were claimed at once
 *        figures times SECONDS  how long each domain ran meanwhile, "ID NANOSECONDS", and how long that
 *                               really was, "passed NANOSECONDS"
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenctrl.h>

#define MAX 256

static xc_interface *xen;

static void fail(void)
{
    perror("figures");
    exit(1);
}

static xc_physinfo_t machine(void)
{
    xc_physinfo_t info = {0};

    if (xc_physinfo(xen, &info))
        fail();
    return info;
}

/* All in one call, so that they are seen at the same moment. */
static int domains(xc_domaininfo_t *list)
{
    int count = xc_domain_getinfolist(xen, 0, MAX, list);

    if (count < 0)
        fail();
    return count;
}

static void pages(void)
{
    static xc_domaininfo_t list[MAX];
    xc_physinfo_t info = machine();

    printf("total %" PRIu64 "\nfree %" PRIu64 "\nscrub %" PRIu64 "\nclaimed %" PRIu64 "\n",
           info.total_pages, info.free_pages, info.scrub_pages, info.outstanding_pages);
    for (int i = 0, count = domains(list); i < count; i++)
        printf("%s %u %" PRIu64 "\n", list[i].flags & XEN_DOMINF_dying ? "dying" : "domain",
               list[i].domain, (uint64_t)list[i].tot_pages);
}

static void peak(const char *file)
{
    uint64_t most = 0;

    do {
        xc_physinfo_t info = machine();

        if (info.outstanding_pages > most)
            most = info.outstanding_pages;
    } while (access(file, F_OK));
    printf("peak %" PRIu64 "\n", most);
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void times(double seconds)
{
    static xc_domaininfo_t before[MAX], after[MAX];
    struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    int first = domains(before);
    uint64_t start = now();

    nanosleep(&pause, NULL);
    int last = domains(after);
    uint64_t end = now();
    for (int i = 0; i < last; i++)
        for (int k = 0; k < first; k++)
            if (before[k].domain == after[i].domain)
                printf("%u %" PRIu64 "\n", after[i].domain,
                       (uint64_t)(after[i].cpu_time - before[k].cpu_time));
    printf("passed %" PRIu64 "\n", end - start);
}

int main(int argc, char **argv)
{
    xen = xc_interface_open(NULL, NULL, 0);
    if (!xen)
        fail();
    if (argc == 2 && !strcmp(argv[1], "pages"))
        pages();
    else if (argc == 3 && !strcmp(argv[1], "peak"))
        peak(argv[2]);
    else if (argc == 3 && !strcmp(argv[1], "times"))
        times(atof(argv[2]));
    else {
        fprintf(stderr, "usage: figures pages | peak FILE | times SECONDS\n");
        return 2;
    }
    return 0;
}
