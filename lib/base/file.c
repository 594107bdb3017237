/* file.c - reads whole files, those of /proc and /sys above all. */
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_BYTES_MAX (16u << 20)

/* The text of a file of unknown length (those of /proc tell 0), to be freed; NULL when it cannot be had
 * whole. */
static char *read_text(const char *path)
{
    size_t room = 4096, used = 0;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    for (;;) {
        char *larger = room <= FILE_BYTES_MAX ? realloc(text, room) : NULL;
        ssize_t bytes = -1;

        if (!larger)
            break;
        text = larger;
        while (used < room - 1 && (bytes = read(fd, text + used, room - 1 - used)) > 0)
            used += (size_t)bytes;
        if (bytes == 0) {
            close(fd);
            text[used] = '\0';
            return text;
        }
        if (bytes < 0)
            break;
        room *= 2;
    }
    close(fd);
    free(text);
    return NULL;
}

char *pe__base_file_read(const char *root, const char *path)
{
    char *whole, *text;

    if (asprintf(&whole, "%s%s", root, path) < 0)
        return NULL;
    text = read_text(whole);
    free(whole);
    return text;
}
