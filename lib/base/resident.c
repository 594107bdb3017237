/* resident.c - /proc/PID/statm, without stdio: it is read in workers between jobs, too. */
#include "base/resident.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The place of each number in the file, in pages. */
enum column { SIZE, RESIDENT, SHARED, TEXT, LIBRARY, DATA, COLUMNS };

/* Room for "/proc/", a number and "/statm". */
struct path {
    char text[32];
};

static void name_file(struct path *path, pid_t pid)
{
    char digits[12];
    size_t first = sizeof digits, at = strlen("/proc/");
    memcpy(path->text, "/proc/self/statm", sizeof "/proc/self/statm");
    if (pid <= 0)
        return;
    for (; pid > 0; pid /= 10)
        digits[--first] = (char)('0' + pid % 10);
    memcpy(path->text + at, digits + first, sizeof digits - first);
    memcpy(path->text + at + sizeof digits - first, "/statm", sizeof "/statm");
}

static bool read_columns(const char *path, uint64_t ret[COLUMNS])
{
    char text[128];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t bytes = read(fd, text, sizeof text - 1);
    close(fd);
    const char *at = text, *end = text + (bytes > 0 ? bytes : 0);
    for (int column = 0; column < COLUMNS; column++) {
        ret[column] = 0;
        for (; at < end && *at >= '0' && *at <= '9'; at++)
            ret[column] = ret[column] * 10 + (uint64_t)(*at - '0');
        if (at++ >= end)
            return false;
    }
    return true;
}

bool pe__base_resident(pid_t pid, uint64_t *ret_bytes)
{
    struct path path;
    uint64_t pages[COLUMNS];
    name_file(&path, pid);
    if (!read_columns(path.text, pages) || pages[RESIDENT] < pages[SHARED])
        return false;
    *ret_bytes = (pages[RESIDENT] - pages[SHARED]) * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

bool pe__base_data(uint64_t *ret_bytes)
{
    uint64_t pages[COLUMNS];
    if (!read_columns("/proc/self/statm", pages))
        return false;
    *ret_bytes = pages[DATA] * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}
