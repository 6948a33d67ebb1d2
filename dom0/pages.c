/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs in dom0: the machine's memory to the page, since xl shows it in MiB only.
 * usage: pages             prints "total=N free=N claimed=N"
 *        pages FILE        asks again and again until FILE is there, then prints "peak=N", the most
 *                          that was claimed at once
 */
#include <stdio.h>
#include <unistd.h>
#include <xenctrl.h>

int main(int argc, char **argv)
{
    xc_interface *xen = xc_interface_open(NULL, NULL, 0);
    uint64_t peak = 0;
    xc_physinfo_t info;

    do {
        info = (xc_physinfo_t){0};
        if (!xen || xc_physinfo(xen, &info)) {
            perror("pages");
            return 1;
        }
        if (info.outstanding_pages > peak)
            peak = info.outstanding_pages;
    } while (argc > 1 && access(argv[1], F_OK) && !usleep(500));
    if (argc > 1)
        printf("peak=%lu\n", peak);
    else
        printf("total=%lu free=%lu claimed=%lu\n", info.total_pages, info.free_pages,
               info.outstanding_pages);
    return 0;
}
