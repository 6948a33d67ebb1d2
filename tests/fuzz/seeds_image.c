// libs: -llzma -lz -lzstd -llz4
/* SPDX-License-Identifier: GPL-2.0-only */
/* First inputs for fuzz_image: a good kernel in every packing, bare and as a bzImage. */
#include <stdio.h>

#include "synthetic_kernel.h"
#include "synthetic_payload.h"

/* All of them stay below the longest input of the fuzzer. */
static uint8_t elf[SYNTHETIC_MAX], packed[2 * SYNTHETIC_MAX], file[3 * SYNTHETIC_MAX];

static void write_seed(const char *folder, const char *kind, int format, const void *bytes,
                       size_t size)
{
    char name[1024];
    FILE *out;

    snprintf(name, sizeof(name), "%s/seed-%s-%d", folder, kind, format);
    out = fopen(name, "wb");
    if (!out || fwrite(bytes, 1, size, out) != size || fclose(out) != 0) {
        perror(name);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    size_t elf_size = synthetic_elf(elf, add_linux_notes);

    if (argc != 2)
        return 1;
    /* The data segment becomes all zeros: shorter inputs make faster runs. */
    elf_size -= SYNTHETIC_DATA;
    ((struct elf_program_header *)(elf + sizeof(struct elf_header)))[1].file_size = 0;
    for (int format = COMPRESSION_NONE; format <= COMPRESSION_LZ4; format++) {
        size_t size = synthetic_payload(format, elf, elf_size, packed, sizeof(packed));

        write_seed(argv[1], "payload", format, packed, size);
        size = synthetic_bzimage(file, packed, (uint32_t)size);
        write_seed(argv[1], "bzimage", format, file, size);
    }
    return 0;
}
