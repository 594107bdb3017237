/*
 * Descriptors of the library's own: close-on-exec from birth and never below 3, so that a program that
 * runs with closed standard streams does not find our pipe in their place.
 *
 * Everything returns a descriptor or 0, or -errno; what errno holds afterwards says nothing, only the two
 * that close keep it. All are async-signal-safe and allocate nothing.
 */
#ifndef PE__BASE_FD_H
#define PE__BASE_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Takes fd over and returns it close-on-exec and at 3 or above, perhaps under another number; closed on
 * failure. fd -1 returns -errno, so that the call that made it can be written in place. */
int pe__base_fd_raise(int fd);

/* -1 is ignored. Never repeated: on Linux the descriptor is gone even after EINTR, which counts as
 * success. */
int pe__base_fd_close(int fd);

/* Counter 0, nonblocking. */
int pe__base_eventfd(void);

/* Two ends of a nonblocking AF_UNIX SOCK_SEQPACKET pair. ret_fds untouched on failure. */
int pe__base_socketpair(int ret_fds[2]);

/* -ENOSYS before Linux 5.3. */
int pe__base_pidfd_open(pid_t pid);

/* -ESRCH when the process has been reaped. sig 0 only asks. */
int pe__base_pidfd_send(int pidfd, int sig);

/* Anonymous shared memory of this size, zeroed. The name is for /proc only. -EFBIG beyond the limit on file sizes,
 * where the system would send a signal. */
int pe__base_memfd(const char *name, size_t bytes);

/* Waits with ppoll for `events` (or an error or hang-up); signals do not end it.
 * The poll bits that came (> 0), 0 when the deadline passed, -errno. */
int pe__base_fd_wait(int fd, short events, int64_t deadline_ns);

/* Closes every descriptor at 3 or above but the n in `keep`, which is sorted in ascending order; entries
 * below 3 and repeated ones do no harm. Also meant for the child of a threaded process. */
void pe__base_fd_close_all_but(const int *keep, size_t n);

#endif
