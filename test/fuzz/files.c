/* files.c - opening any path gives a memory file. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "expect.h"

#define SEPARATOR 0xff
#define ABSENT    0xfe

static bool active;
static struct input texts;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);

void files_begin(const uint8_t *bytes, size_t count)
{
    active = true;
    texts = (struct input){ bytes, bytes + count };
}

void files_end(void)
{
    active = false;
}

static int open_next(void)
{
    const uint8_t *text = texts.at;
    size_t left = (size_t)(texts.end - text);
    const uint8_t *separator = left > 0 ? memchr(text, SEPARATOR, left) : NULL;
    size_t bytes = separator != NULL ? (size_t)(separator - text) : left;

    texts.at = separator != NULL ? separator + 1 : texts.end;
    if (left == 0 || (bytes > 0 && *text == ABSENT)) {
        errno = ENOENT;
        return -1;
    }
    int fd = memfd_create("file", MFD_CLOEXEC);
    demand(fd >= 0 && pwrite(fd, text, bytes, 0) == (ssize_t)bytes);
    return fd;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list more;
    mode_t mode;

    if (active)
        return open_next();
    va_start(more, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return __real_open(path, flags, mode);
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list more;
    mode_t mode;

    va_start(more, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return __wrap_open(path, flags, mode);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    if (!active)
        return __real_fopen(path, mode);
    int fd = open_next();
    return fd >= 0 ? fdopen(fd, "r") : NULL;
}

FILE *__wrap_fopen64(const char *path, const char *mode)
{
    return __wrap_fopen(path, mode);
}
