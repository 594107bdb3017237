/*
 * report_file.c - writing a report to a path.
 *
 * A regular file gets a temporary neighbour that takes its name when it is complete, so that nobody reads half a report
 * and an older one survives a full disk. It keeps the mode of the one that it replaces; a new one has the mode that
 * fopen would give. A symbolic link stays one: its target is what is replaced. All else cannot be replaced and is
 * written in place. A path of a standard stream means the descriptor itself: opening /dev/stdout anew would begin at
 * the start of the file that the program's output goes to, and is refused for sockets.
 *
 * A report is no reason to die: signals that writing raises are held back meanwhile.
 */
#include "report/report_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <parexec/error.h>

#include "base/fd.h"

/* The descriptor that a path of the kind /dev/fd/9 names, or -1. */
static int descriptor_of(const char *path)
{
    static const char *const folders[] = { "/dev/fd/", "/proc/self/fd/" };

    if (strcmp(path, "/dev/stdout") == 0)
        return 1;
    if (strcmp(path, "/dev/stderr") == 0)
        return 2;
    for (int i = 0; i < 2; i++) {
        size_t bytes = strlen(folders[i]);
        const char *number = path + bytes;
        if (strncmp(path, folders[i], bytes) == 0 && *number && strlen(number) < 10 &&
            strspn(number, "0123456789") == strlen(number))
            return (int)strtol(number, NULL, 10);
    }
    return -1;
}

static int open_in_place(const char *path)
{
    int fd = descriptor_of(path);

    return pe__base_fd_raise(fd >= 0 ? dup(fd) : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0666));
}

/* A file beside that path, under a name that nobody has. */
static int open_neighbour(const char *path, char **ret_name)
{
    static _Atomic uint32_t used;
    const char *slash = strrchr(path, '/');
    int folder_bytes = slash ? (int)(slash + 1 - path) : 0, fd;
    char *name;

    do {
        uint32_t number = atomic_fetch_add_explicit(&used, 1, memory_order_relaxed);
        if (asprintf(&name, "%.*s.parexec-%d-%u", folder_bytes, path, (int)getpid(), (unsigned)number) < 0)
            return PE_ENOMEM;
        fd = pe__base_fd_raise(open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOCTTY | O_CLOEXEC, 0666));
        if (fd >= 0)
            *ret_name = name;
        else
            free(name);
    } while (fd == -EEXIST);
    return fd;
}

/* Sets path and temporary where there is a file to replace, or to make. */
static int open_either(struct pe__report_file *file, const char *path)
{
    struct stat old, link;
    bool is_there = stat(path, &old) == 0, is_link = lstat(path, &link) == 0 && S_ISLNK(link.st_mode);
    size_t bytes = strlen(path);
    int fd;

    if (bytes == 0 || path[bytes - 1] == '/' || descriptor_of(path) >= 0 || (is_there && !S_ISREG(old.st_mode)) ||
        (is_link && !is_there))
        return open_in_place(path);
    file->path = is_link ? realpath(path, NULL) : strdup(path);
    if (!file->path)
        return -errno;
    fd = open_neighbour(file->path, &file->temporary);
    if (fd >= 0 && is_there)
        fchmod(fd, old.st_mode & 0777);
    return fd;
}

static void forget(struct pe__report_file *file)
{
    if (file->temporary)
        unlink(file->temporary);
    free(file->temporary);
    free(file->path);
    pe__base_write_signals_release(&file->signals, true);
}

int pe__report_file_open(struct pe__report_file *ret, const char *path)
{
    int fd, error;

    *ret = (struct pe__report_file){ .stream = NULL };
    pe__base_write_signals_hold(&ret->signals);
    fd = open_either(ret, path);
    if (fd >= 0)
        ret->stream = fdopen(fd, "w");
    if (ret->stream)
        return 0;
    error = fd >= 0 ? PE_ENOMEM : fd;
    if (fd >= 0)
        close(fd);
    forget(ret);
    return error;
}

int pe__report_file_close(struct pe__report_file *file, int error)
{
    if (fclose(file->stream) != 0 && !error)
        error = -errno;
    if (!error && file->path) {
        if (rename(file->temporary, file->path) != 0)
            error = -errno;
        else {
            free(file->temporary);
            file->temporary = NULL;
        }
    }
    forget(file);
    return error;
}
