/* SPDX-License-Identifier: GPL-2.0-only */
/* Plays the inputs in the folders named to a fuzzer that is linked without libFuzzer: for coverage.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void play(const char *folder, const char *name)
{
    static uint8_t input[1 << 20];
    char path[512];
    FILE *file;
    uint8_t *exact;
    size_t size;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (!file)
        return;
    size = fread(input, 1, sizeof(input), file);
    fclose(file);
    exact = malloc(size + !size);
    for (size_t i = 0; i < size; i++)
        exact[i] = input[i];
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        struct dirent *entry;

        while (folder && (entry = readdir(folder)))
            if (entry->d_name[0] != '.')
                play(argv[i], entry->d_name);
        if (folder)
            closedir(folder);
    }
    return 0;
}
