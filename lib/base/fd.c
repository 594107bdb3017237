/*
 * Descriptors.
 *
 * Three calls are newer than the oldest kernel and C library that we run on (pidfd_open, pidfd_send_signal,
 * close_range), so they are made by number; the numbers are the same on every architecture but alpha.
 *
 * Closing all but a few runs in the child of a program with threads: no malloc, no stdio, no opendir. It
 * goes by ranges where the kernel can, else by the directory that lists them, and when that cannot be
 * opened by counting.
 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define LOWEST 3
#define COUNT_MAX (1 << 20)

struct directory_entry {
    uint64_t inode;
    int64_t offset;
    unsigned short bytes;
    unsigned char type;
    char name[];
};

int pe__base_fd_close(int fd)
{
    int saved = errno;
    int result = 0;

    if (fd == -1)
        return 0;
    if (close(fd) < 0 && errno != EINTR)
        result = -errno;
    errno = saved;
    return result;
}

static int set_close_on_exec(int fd)
{
    int flags = fcntl(fd, F_GETFD);

    if (flags < 0)
        return -errno;
    if ((flags & FD_CLOEXEC) == 0 && fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
        return -errno;
    return fd;
}

static int raise_open(int fd)
{
    int raised;

    if (fd >= LOWEST) {
        raised = set_close_on_exec(fd);
        if (raised < 0)
            pe__base_fd_close(fd);
        return raised;
    }
    raised = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST);
    if (raised < 0)
        raised = -errno;
    pe__base_fd_close(fd);
    return raised;
}

int pe__base_fd_raise(int fd)
{
    return fd < 0 ? -errno : raise_open(fd);
}

int pe__base_eventfd(void)
{
    return pe__base_fd_raise(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

int pe__base_socketpair(int ret_fds[2])
{
    int fds[2];
    int first, second;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -errno;
    first = raise_open(fds[0]);
    if (first < 0) {
        pe__base_fd_close(fds[1]);
        return first;
    }
    second = raise_open(fds[1]);
    if (second < 0) {
        pe__base_fd_close(first);
        return second;
    }
    ret_fds[0] = first;
    ret_fds[1] = second;
    return 0;
}

int pe__base_pidfd_open(pid_t pid)
{
    return pe__base_fd_raise((int)syscall(SYS_pidfd_open, pid, 0u));
}

int pe__base_pidfd_send(int pidfd, int sig)
{
    return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0u) < 0 ? -errno : 0;
}

int pe__base_memfd(const char *name, size_t bytes)
{
    struct rlimit limit;
    int fd;

    if (bytes > (size_t)INT64_MAX || (getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes > limit.rlim_cur))
        return -EFBIG;
    fd = pe__base_fd_raise(memfd_create(name, MFD_CLOEXEC));
    if (fd < 0)
        return fd;
    if (ftruncate(fd, (off_t)bytes) < 0) {
        int error = -errno;

        pe__base_fd_close(fd);
        return error;
    }
    return fd;
}

int pe__base_fd_wait(int fd, short events, int64_t deadline_ns)
{
    for (;;) {
        struct pollfd look = { .fd = fd, .events = events };
        struct timespec left;
        bool limited = pe__base_deadline_left(deadline_ns, &left);
        int count = ppoll(&look, 1, limited ? &left : NULL, NULL);

        if (count > 0)
            return look.revents;
        if (count == 0)
            return 0;
        if (errno != EINTR)
            return -errno;
    }
}

static bool close_range_of(int first, int last)
{
    if (first > last)
        return true;
    return syscall(SYS_close_range, (unsigned)first, last == INT_MAX ? UINT_MAX : (unsigned)last, 0u) == 0;
}

/* False at the first range that the kernel refuses; it refuses the first or none. */
static bool close_by_ranges(const int *keep, size_t n)
{
    int next = LOWEST;

    for (size_t i = 0; i < n; i++) {
        if (keep[i] < next)
            continue;
        if (!close_range_of(next, keep[i] - 1))
            return false;
        if (keep[i] == INT_MAX)
            return true;
        next = keep[i] + 1;
    }
    return close_range_of(next, INT_MAX);
}

static bool is_kept(int fd, const int *keep, size_t n)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (keep[middle] == fd)
            return true;
        if (keep[middle] < fd)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* -1 for "." and "..". */
static int number_of(const char *name)
{
    int number = 0;

    if (*name < '0' || *name > '9')
        return -1;
    for (; *name >= '0' && *name <= '9'; name++)
        number = number * 10 + (*name - '0');
    return number;
}

/* The position in this directory is a descriptor's number, so closing while reading skips nothing. */
static bool close_by_directory(const int *keep, size_t n)
{
    _Alignas(struct directory_entry) char entries[4096];
    int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long bytes;

    if (directory < 0)
        return false;
    while ((bytes = syscall(SYS_getdents64, directory, entries, sizeof entries)) > 0) {
        for (long at = 0; at < bytes;) {
            const struct directory_entry *entry = (const void *)(entries + at);
            int fd = number_of(entry->name);

            at += entry->bytes;
            if (fd >= LOWEST && fd != directory && !is_kept(fd, keep, n))
                pe__base_fd_close(fd);
        }
    }
    pe__base_fd_close(directory);
    return bytes == 0;
}

/* The limit may be a billion in a container, and a descriptor may lie above a limit lowered since:
 * neither is worth a minute of system calls in this last resort. */
static void close_by_counting(const int *keep, size_t n)
{
    struct rlimit limit;
    int end = COUNT_MAX;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < (rlim_t)COUNT_MAX)
        end = (int)limit.rlim_max;
    for (int fd = LOWEST; fd < end; fd++)
        if (!is_kept(fd, keep, n))
            pe__base_fd_close(fd);
}

void pe__base_fd_close_all_but(const int *keep, size_t n)
{
    int saved = errno;

    if (!close_by_ranges(keep, n) && !close_by_directory(keep, n))
        close_by_counting(keep, n);
    errno = saved;
}
