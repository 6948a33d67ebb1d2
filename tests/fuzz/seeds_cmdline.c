/* SPDX-License-Identifier: GPL-2.0-only */
/* First inputs for fuzz_cmdline: each kind of option once. */
#include <stdio.h>

int main(int argc, char **argv)
{
    char name[1024];
    FILE *out;

    if (argc != 2)
        return 1;
    snprintf(name, sizeof(name), "%s/seed", argv[1]);
    out = fopen(name, "wb");
    if (!out)
        return 1;
    fputs("tenon s=\"a b\" b no-b b=off u=0x1f z=512M z=4 l=1,,2 nonsense -- root=/dev/ram", out);
    return fclose(out) != 0;
}
