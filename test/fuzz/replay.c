/* replay.c - hands a target each file of a directory, for builds without libFuzzer. TAP: one test. */
#include "fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    /* Exactly as large as what is in it, so that a read behind its end is found. */
    long bytes = file != NULL && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    uint8_t *input = bytes >= 0 ? malloc(bytes > 0 ? (size_t)bytes : 1) : NULL;
    int good = input != NULL && fseek(file, 0, SEEK_SET) == 0 && fread(input, 1, (size_t)bytes, file) == (size_t)bytes;

    if (good)
        LLVMFuzzerTestOneInput(input, (size_t)bytes);
    free(input);
    if (file != NULL)
        fclose(file);
    return good;
}

int main(int argc, char **argv)
{
    DIR *corpus = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    char path[PATH_MAX];
    int inputs = 0, good = corpus != NULL;

    while (good && (entry = readdir(corpus)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        good = replay_file(path);
        inputs++;
    }
    if (corpus != NULL)
        closedir(corpus);
    good = good && inputs > 0;
    printf("1..1\n%s 1 - %d inputs\n", good ? "ok" : "not ok", inputs);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
