/* SPDX-License-Identifier: GPL-2.0-only */
/* First inputs for fuzz_boot: what an EFI machine's loader says, with tables that hang together. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PLACE 0xfff00000u /* as in fuzz_boot.c */

static uint8_t bytes[2048];
static uint32_t end = 8;

static void put(uint32_t offset, uint64_t value, uint32_t size)
{
    memcpy(bytes + offset, &value, size);
}

static void tag(uint32_t type, const void *body, uint32_t size)
{
    put(end, type, 4);
    put(end + 4, size + 8, 4);
    memcpy(bytes + end + 8, body, size);
    end += (size + 15) & ~7u;
}

int main(int argc, char **argv)
{
    enum { SYSTEM = 1024, RUNTIME = 1200, TABLES = 1400, VENDOR = 1600, RIGHTS = 1700 };
    const uint64_t map[] = {
        48 | 1UL << 32, 7, 0, 0, 0xa0, 8, 0, 4, 0xffe00000, 0, 0x200, 8, 0, 5, 0x500000, 0, 4,
        8 | 1UL << 63,  0};
    const uint64_t old_map[] = {24, 0, 0xa0000, 1, 0x100000, 0x1000000, 1};
    const uint64_t system = PLACE + SYSTEM, screen[] = {0xc0000000, 1024UL << 32 | 4096,
                                                        0x120UL << 32 | 768, 0x0800080808100800};
    const uint32_t module[] = {0x300000, 0x400000, 0x6f6f72, 0};
    char name[1024];

    if (argc != 2)
        return 1;
    tag(2, "GRUB 2.06", 10);
    tag(1, "console=com1 -- quiet", 22);
    tag(3, module, sizeof(module));
    tag(6, old_map, sizeof(old_map));
    tag(8, screen, sizeof(screen));
    tag(12, &system, sizeof(system));
    tag(17, map, sizeof(map));
    tag(0, "", 0);
    put(0, end, 4);
    put(SYSTEM, 0x5453595320494249UL, 8);
    put(SYSTEM + 8, 0x20046, 4);
    put(SYSTEM + 24, PLACE + VENDOR, 8);
    put(SYSTEM + 88, PLACE + RUNTIME, 8);
    put(SYSTEM + 104, 2, 8);
    put(SYSTEM + 112, PLACE + TABLES, 8);
    put(RUNTIME, 0x56524553544e5552UL, 8);
    put(RUNTIME + 8, 0x20046, 4);
    memcpy(bytes + TABLES, "\x71\xe8\x68\x88\xf1\xe4\xd3\x11\xbc\x22\x00\x80\xc7\x3c\x88\x81", 16);
    put(TABLES + 16, 0x9f000, 8);
    memcpy(bytes + TABLES + 24, "\x1d\x91\xfa\xdc\xeb\x26\x9f\x46\xa2\x20\x38\xb7\xdc\x46\x12\x20",
           16);
    put(TABLES + 40, PLACE + RIGHTS, 8);
    memcpy(bytes + VENDOR, "E\0D\0K\0\0", 8);
    put(RIGHTS, 1 | 2UL << 32, 8);
    put(RIGHTS + 8, 40, 8);

    for (int kind = 0; kind < 3; kind += 2) {
        snprintf(name, sizeof(name), "%s/efi%d", argv[1], kind);
        FILE *out = fopen(name, "wb");

        if (!out || fputc(kind, out) == EOF || fwrite(bytes, sizeof(bytes), 1, out) != 1 ||
            fclose(out))
            return 1;
    }
    return 0;
}
