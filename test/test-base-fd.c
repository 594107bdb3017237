/* Descriptors in the base room: how they are made, kept away from the standard streams, waited for and closed. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>

#include "base/clock.h"
#include "base/fd.h"
#include "harness/harness.h"
#include "harness/process.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define SKIPPED 77

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static bool is_close_on_exec(int fd)
{
    return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static bool is_nonblocking(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

PE_TEST(fd_raise_keeps_a_high_descriptor_and_makes_it_close_on_exec)
{
    int fd = fcntl(0, F_DUPFD, 10);

    ck_assert_int_ge(fd, 10);
    ck_assert(!is_close_on_exec(fd));
    ck_assert_int_eq(pe__base_fd_raise(fd), fd);
    ck_assert(is_close_on_exec(fd));
    ck_assert_int_eq(pe__base_fd_close(fd), 0);
    ck_assert(!is_open(fd));
}
END_TEST

PE_TEST(fd_raise_reports_the_failed_open)
{
    ck_assert_int_eq(pe__base_fd_raise(open("/nonexistent/file", O_RDONLY)), -ENOENT);
    ck_assert_int_eq(pe__base_fd_raise(1 << 20), -EBADF);
}
END_TEST

static int with_closed_standard_streams(void)
{
    int pair[2], fd;

    close(0);
    close(1);
    close(2);
    fd = open("/dev/null", O_RDONLY);
    if (fd != 0)
        return 1;
    fd = pe__base_fd_raise(fd);
    if (fd < 3 || is_open(0) || !is_close_on_exec(fd))
        return 2;
    pe__base_fd_close(fd);
    fd = pe__base_eventfd();
    if (fd < 3 || !is_close_on_exec(fd))
        return 3;
    if (pe__base_socketpair(pair) != 0 || pair[0] < 3 || pair[1] < 3)
        return 4;
    if (!is_close_on_exec(pair[0]) || !is_close_on_exec(pair[1]))
        return 5;
    fd = pe__base_memfd("test", 1);
    if (fd < 3)
        return 6;
    fd = pe__base_pidfd_open(getpid());
    if (fd < 3 && fd != -ENOSYS)
        return 7;
    return is_open(0) || is_open(1) || is_open(2) ? 8 : 0;
}

PE_TEST(fd_never_lands_among_the_standard_streams)
{
    ck_assert_int_eq(process_in_child(with_closed_standard_streams), 0);
}
END_TEST

/* With no number from 3 up to be had, each call fails and leaves nothing open. */
static int with_a_full_table(void)
{
    struct rlimit limit = { 3, 3 };
    int pair[2] = { -7, -7 };

    pe__base_fd_close_all_but(NULL, 0);
    close(0);
    close(1);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)  /* valgrind keeps some room for itself */
        return SKIPPED;
    if (pe__base_eventfd() != -EINVAL && pe__base_eventfd() != -EMFILE)
        return 2;
    if (pe__base_socketpair(pair) >= 0 || pair[0] != -7 || pair[1] != -7)
        return 3;
    if (pe__base_memfd("test", 1) >= 0)
        return 4;
    return is_open(0) || is_open(1) ? 5 : 0;
}

/* Room for one above 2: the second end of the pair does not fit. */
static int with_room_for_one(void)
{
    struct rlimit limit = { 4, 4 };
    int pair[2] = { -7, -7 };

    pe__base_fd_close_all_but(NULL, 0);
    close(0);
    close(1);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return SKIPPED;
    if (pe__base_socketpair(pair) != -EMFILE || pair[0] != -7 || pair[1] != -7)
        return 2;
    return is_open(0) || is_open(1) || is_open(3) ? 3 : 0;
}

PE_TEST(fd_failure_leaves_nothing_open)
{
    int full = process_in_child(with_a_full_table), one = process_in_child(with_room_for_one);

    if (full == SKIPPED || one == SKIPPED)
        HARNESS_SKIP("the limit of descriptors cannot be that low here");
    ck_assert_int_eq(full, 0);
    ck_assert_int_eq(one, 0);
}
END_TEST

PE_TEST(fd_injected_failures_come_back_as_their_errno)
{
    int pair[2] = { -7, -7 };

    harness_fail_nth(HARNESS_EVENTFD, 1, ENFILE);
    ck_assert_int_eq(pe__base_eventfd(), -ENFILE);
    harness_fail_nth(HARNESS_SOCKETPAIR, 1, ENOMEM);
    ck_assert_int_eq(pe__base_socketpair(pair), -ENOMEM);
    ck_assert(pair[0] == -7 && pair[1] == -7);
    harness_fail_nth(HARNESS_MEMFD, 1, EMFILE);
    ck_assert_int_eq(pe__base_memfd("test", 1), -EMFILE);
}
END_TEST

PE_TEST(fd_close_ignores_minus_1_and_keeps_errno)
{
    errno = 1234;
    ck_assert_int_eq(pe__base_fd_close(-1), 0);
    ck_assert_int_eq(pe__base_fd_close(1 << 20), -EBADF);
    ck_assert_int_eq(errno, 1234);
}
END_TEST

PE_TEST(fd_eventfd_counts_and_does_not_block)
{
    int fd = pe__base_eventfd();
    uint64_t count = 3;

    ck_assert_int_ge(fd, 3);
    ck_assert(is_nonblocking(fd));
    ck_assert_int_eq(read(fd, &count, sizeof count), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(write(fd, &count, sizeof count), sizeof count);
    count = 0;
    ck_assert_int_eq(read(fd, &count, sizeof count), sizeof count);
    ck_assert_uint_eq(count, 3);
    pe__base_fd_close(fd);
}
END_TEST

PE_TEST(fd_socketpair_keeps_packets_apart)
{
    int pair[2];
    char text[8];

    ck_assert_int_eq(pe__base_socketpair(pair), 0);
    ck_assert(is_nonblocking(pair[0]) && is_nonblocking(pair[1]));
    ck_assert_int_eq(send(pair[0], "ab", 2, 0), 2);
    ck_assert_int_eq(send(pair[0], "c", 1, 0), 1);
    ck_assert_int_eq(recv(pair[1], text, sizeof text, 0), 2);
    ck_assert_int_eq(recv(pair[1], text, sizeof text, 0), 1);
    ck_assert_int_eq(recv(pair[1], text, sizeof text, 0), -1);
    ck_assert_int_eq(errno, EAGAIN);
    pe__base_fd_close(pair[0]);
    ck_assert_int_eq(recv(pair[1], text, sizeof text, 0), 0);
    pe__base_fd_close(pair[1]);
}
END_TEST

PE_TEST(fd_pidfd_opens_signals_and_tells_the_end)
{
    int status, fd;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        for (;;)
            pause();
    fd = pe__base_pidfd_open(pid);
    if (fd == -ENOSYS) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        HARNESS_SKIP("no pidfd_open on this kernel");
    }
    ck_assert_int_ge(fd, 3);
    ck_assert(is_close_on_exec(fd));
    ck_assert_int_eq(pe__base_pidfd_send(fd, 0), 0);
    ck_assert_int_eq(pe__base_fd_wait(fd, POLLIN, 0), 0);
    ck_assert_int_eq(pe__base_pidfd_send(fd, SIGKILL), 0);
    ck_assert_int_eq(pe__base_fd_wait(fd, POLLIN, PE_FOREVER), POLLIN);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(pe__base_pidfd_send(fd, 0), -ESRCH);
    pe__base_fd_close(fd);
    ck_assert_int_eq(pe__base_pidfd_open(pid), -ESRCH);
    ck_assert_int_eq(pe__base_pidfd_open(-1), -EINVAL);
    ck_assert_int_eq(pe__base_pidfd_send(-1, 0), -EBADF);
}
END_TEST

PE_TEST(fd_memfd_has_the_size_and_is_zeroed)
{
    struct stat stat;
    char byte = 1;
    int fd = pe__base_memfd("test", 12345);

    ck_assert_int_ge(fd, 3);
    ck_assert(is_close_on_exec(fd));
    ck_assert_int_eq(fstat(fd, &stat), 0);
    ck_assert_int_eq(stat.st_size, 12345);
    ck_assert_int_eq(pread(fd, &byte, 1, 12344), 1);
    ck_assert_int_eq(byte, 0);
    pe__base_fd_close(fd);
    if (sizeof(size_t) > 4) /* files may be larger than 4 GiB */
        ck_assert_int_eq(pe__base_memfd("test", SIZE_MAX), -EFBIG);
}
END_TEST

static int memfd_beyond_the_limit(void)
{
    struct rlimit limit = { 4096, 4096 };
    int lowest = dup(0);

    close(lowest);
    if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || pe__base_memfd("test", 8192) != -EFBIG)
        return 1;
    return is_open(lowest) ? 2 : 0;
}

/* Not by a signal. */
PE_TEST(fd_memfd_beyond_the_limit_is_told)
{
    ck_assert_int_eq(process_in_child(memfd_beyond_the_limit), 0);
}
END_TEST

static void do_nothing(int signal)
{
    (void)signal;
}

PE_TEST(fd_wait_is_not_ended_by_a_signal)
{
    struct sigaction action = { .sa_handler = do_nothing }, former;
    struct itimerval soon = { { 0, 2000 }, { 0, 2000 } }, off = { { 0, 0 }, { 0, 0 } };
    int64_t deadline;
    int fd = pe__base_eventfd();

    ck_assert_int_eq(sigaction(SIGALRM, &action, &former), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    deadline = pe_after(PE_MS(50));
    ck_assert_int_eq(pe__base_fd_wait(fd, POLLIN, deadline), 0);
    ck_assert_int_ge(pe_now(), deadline);
    setitimer(ITIMER_REAL, &off, NULL);
    signal(SIGALRM, SIG_IGN); /* takes back one that is still due */
    sigaction(SIGALRM, &former, NULL);
    ck_assert_int_eq(pe__base_fd_wait(fd, POLLOUT, PE_FOREVER), POLLOUT);
    pe__base_fd_close(fd);
    ck_assert_int_eq(pe__base_fd_wait(1 << 20, POLLIN, PE_FOREVER), POLLNVAL);
}
END_TEST

/* Opens 3..39, and 300 if that may be, keeps some of them, and looks at what is left. */
static int close_all_but_some(void)
{
    static const int keep[] = { -1, 0, 5, 5, 6, 17, 300 };
    bool far;

    for (int fd = 3; fd < 40; fd++)
        if (dup2(0, fd) != fd)
            return 1;
    far = dup2(0, 300) == 300;
    errno = 1234;
    pe__base_fd_close_all_but(keep, sizeof keep / sizeof keep[0]);
    if (errno != 1234)
        return 2;
    for (int fd = 3; fd < 40; fd++)
        if (is_open(fd) != (fd == 5 || fd == 6 || fd == 17))
            return 100 + fd;
    if (!is_open(0) || !is_open(1) || !is_open(2))
        return 3;
    if (far && !is_open(300))
        return 4;
    pe__base_fd_close_all_but(NULL, 0);
    for (int fd = 3; fd <= 300; fd++)
        if (is_open(fd))
            return 5;
    return 0;
}

static int close_by_directory(void)
{
    return process_deny(SYS_close_range, ENOSYS) ? close_all_but_some() : SKIPPED;
}

static int close_by_counting(void)
{
    return process_deny(SYS_close_range, EPERM) && process_deny(SYS_openat, ENOENT) ? close_all_but_some() : SKIPPED;
}

PE_TEST(fd_close_all_but_by_ranges)
{
    ck_assert_int_eq(process_in_child(close_all_but_some), 0);
}
END_TEST

PE_TEST(fd_close_all_but_without_close_range)
{
    int result = process_in_child(close_by_directory);

    if (result == SKIPPED)
        HARNESS_SKIP("no seccomp here");
    ck_assert_int_eq(result, 0);
}
END_TEST

PE_TEST(fd_close_all_but_without_close_range_and_proc)
{
    int result = process_in_child(close_by_counting);

    if (result == SKIPPED)
        HARNESS_SKIP("no seccomp here");
    ck_assert_int_eq(result, 0);
}
END_TEST

/* More than one buffer of the directory. */
static int close_a_thousand(void)
{
    struct rlimit limit = { 2000, 2000 };
    const int keep = 1500;

    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || !process_deny(SYS_close_range, ENOSYS))
        return SKIPPED;
    for (int fd = 3; fd <= 1500; fd++)
        if (dup2(0, fd) != fd)
            return 1;
    pe__base_fd_close_all_but(&keep, 1);
    for (int fd = 3; fd < 1500; fd++)
        if (is_open(fd))
            return 2;
    return is_open(1500) ? 0 : 3;
}

PE_TEST(fd_close_all_but_many)
{
    int result = process_in_child(close_a_thousand);

    if (result == SKIPPED)
        HARNESS_SKIP("no seccomp here, or a lower limit of descriptors");
    ck_assert_int_eq(result, 0);
}
END_TEST

HARNESS_MAIN("base-fd")
