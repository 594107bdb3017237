/* The base room: clock, deadlines, sized structs, descriptors, log, errors, version, list, fork detection. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/log.h>
#include <parexec/options.h>
#include <parexec/version.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/cpu_relax.h"
#include "base/fd.h"
#include "base/forked.h"
#include "base/list.h"
#include "base/log.h"
#include "harness/harness.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define SKIPPED 77

/* Runs a function in a child: its exit status, or 1000 + the signal. 0 is what a good one returns; any other
 * number says which step went wrong. */
static int in_child(int (*fn)(void))
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(fn());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* From here on the system call fails in this process with that errno. */
static bool deny(int number, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof code[0], code };

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

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

/* ---- clock ---- */

PE_TEST(clock_now_is_the_monotonic_clock_and_never_goes_back)
{
    struct timespec direct;
    int64_t before = pe_now(), direct_ns, after;

    clock_gettime(CLOCK_MONOTONIC, &direct);
    after = pe_now();
    direct_ns = PE_SECONDS(direct.tv_sec) + direct.tv_nsec;
    ck_assert_int_ge(direct_ns, before);
    ck_assert_int_ge(after, direct_ns);
    for (int i = 0; i < 100000; i++) {
        int64_t now = pe_now();

        ck_assert(now >= after);
        after = now;
    }
}
END_TEST

PE_TEST(clock_after_saturates_and_takes_negative_durations_as_now)
{
    int64_t before = pe_now(), deadline = pe_after(PE_SECONDS(1)), after = pe_now();

    ck_assert_int_ge(deadline, before + PE_SECONDS(1));
    ck_assert_int_le(deadline, after + PE_SECONDS(1));
    ck_assert_int_eq(pe_after(PE_FOREVER), PE_FOREVER);
    ck_assert_int_eq(pe_after(PE_FOREVER - 1), PE_FOREVER);
    deadline = pe_after(INT64_MIN);
    ck_assert(deadline >= after && deadline <= pe_now());
    deadline = pe_after(0);
    ck_assert(deadline >= after && deadline <= pe_now());
}
END_TEST

PE_TEST(deadline_check_knows_durations_passed_by_mistake)
{
    ck_assert_int_eq(pe__base_deadline_check(0), 0);
    ck_assert_int_eq(pe__base_deadline_check(PE_FOREVER), 0);
    ck_assert_int_eq(pe__base_deadline_check(pe_now()), 0);
    ck_assert_int_eq(pe__base_deadline_check(pe_after(PE_SECONDS(5))), 0);
    ck_assert_int_eq(pe__base_deadline_check(-1), PE_EINVAL);
    ck_assert_int_eq(pe__base_deadline_check(INT64_MIN), PE_EINVAL);
    ck_assert_int_eq(pe__base_deadline_check(1), PE_EINVAL);
    ck_assert_int_eq(pe__base_deadline_check(PE_MS(1)), PE_EINVAL);
}
END_TEST

PE_TEST(deadline_passed_and_left)
{
    struct timespec left = { 7, 7 };

    ck_assert(pe__base_deadline_passed(0));
    ck_assert(pe__base_deadline_passed(pe_now()));
    ck_assert(!pe__base_deadline_passed(PE_FOREVER));
    ck_assert(!pe__base_deadline_passed(pe_after(PE_SECONDS(1000))));

    ck_assert(!pe__base_deadline_left(PE_FOREVER, &left));
    ck_assert(left.tv_sec == 7 && left.tv_nsec == 7);
    ck_assert(pe__base_deadline_left(0, &left));
    ck_assert(left.tv_sec == 0 && left.tv_nsec == 0);
    left.tv_sec = 7;
    ck_assert(pe__base_deadline_left(pe_now() - 1, &left));
    ck_assert(left.tv_sec == 0 && left.tv_nsec == 0);
    ck_assert(pe__base_deadline_left(pe_after(PE_SECONDS(1000)), &left));
    ck_assert(left.tv_sec >= 900 && left.tv_sec <= 1000);
    ck_assert(left.tv_nsec >= 0 && left.tv_nsec < 1000000000);
}
END_TEST

/* Both clocks read around each other bound the truth; the bound has a thousandth of slack for the rate. */
static void compare_ticks(int64_t span_ns)
{
    int64_t outer_start = pe__base_now_ns();
    uint64_t start = pe__base_ticks();
    int64_t inner_start = pe__base_now_ns(), inner_end, outer_end, measured;
    uint64_t end;

    do {
        pe__base_cpu_relax();
        inner_end = pe__base_now_ns();
    } while (inner_end - inner_start < span_ns);
    end = pe__base_ticks();
    outer_end = pe__base_now_ns();
    measured = pe__base_ticks_to_ns(end - start);
    ck_assert_int_ge(measured, (inner_end - inner_start) - span_ns / 1000 - 100);
    ck_assert_int_le(measured, (outer_end - outer_start) + span_ns / 1000 + 100);
}

PE_TEST(ticks_agree_with_the_clock)
{
    compare_ticks(PE_US(100));
    compare_ticks(PE_MS(20));
    compare_ticks(PE_MS(20));
}
END_TEST

PE_TEST(ticks_absurd_differences_give_0)
{
    ck_assert_int_eq(pe__base_ticks_to_ns(0), 0);
    ck_assert_int_eq(pe__base_ticks_to_ns(UINT64_MAX), 0);
    ck_assert_int_eq(pe__base_ticks_to_ns((uint64_t)-1000), 0);
    ck_assert_int_eq(pe__base_ticks_to_ns(UINT64_C(1) << 63), 0);
}
END_TEST

PE_TEST(ticks_fall_back_to_the_clock_when_the_counter_is_not_usable)
{
    int usable = pe__base_clock_tsc;
    int64_t before, ticks, after;

    pe__base_clock_tsc = 0;
    before = pe_now();
    ticks = (int64_t)pe__base_ticks();
    after = pe_now();
    ck_assert(before <= ticks && ticks <= after);
    ck_assert_int_eq(pe__base_ticks_to_ns(12345), 12345);
    ck_assert_int_eq(pe__base_ticks_to_ns(UINT64_MAX), 0);
    pe__base_clock_tsc = usable;
    pe__base_clock_init();
    ck_assert_int_eq(pe__base_clock_tsc, usable);
}
END_TEST

/* ---- sized structs ---- */

struct small {
    size_t size;
    uint64_t a;
};

struct known {
    size_t size;
    uint64_t a, b;
};

struct large {
    size_t size;
    uint64_t a, b, c;
};

PE_TEST(sized_null_gives_defaults)
{
    struct known copy = { 1, 2, 3 };

    ck_assert_int_eq(pe__base_check_sized(NULL, sizeof copy, sizeof(struct small), &copy), 0);
    ck_assert_uint_eq(copy.size, sizeof copy);
    ck_assert_uint_eq(copy.a, 0);
    ck_assert_uint_eq(copy.b, 0);
}
END_TEST

PE_TEST(sized_shorter_and_equal_structs_are_taken)
{
    struct small shorter = { sizeof shorter, 5 };
    struct known equal = { sizeof equal, 6, 7 }, copy = { 1, 2, 3 };

    ck_assert_int_eq(pe__base_check_sized(&shorter, sizeof copy, sizeof(struct small), &copy), 0);
    ck_assert_uint_eq(copy.size, sizeof copy);
    ck_assert_uint_eq(copy.a, 5);
    ck_assert_uint_eq(copy.b, 0);
    ck_assert_int_eq(pe__base_check_sized(&equal, sizeof copy, sizeof(struct small), &copy), 0);
    ck_assert_uint_eq(copy.a, 6);
    ck_assert_uint_eq(copy.b, 7);
}
END_TEST

PE_TEST(sized_longer_structs_must_end_in_zeroes)
{
    struct large longer = { sizeof longer, 5, 6, 0 };
    struct known copy = { 1, 2, 3 };

    ck_assert_int_eq(pe__base_check_sized(&longer, sizeof copy, sizeof(struct small), &copy), 0);
    ck_assert_uint_eq(copy.size, sizeof copy);
    ck_assert_uint_eq(copy.b, 6);
    copy.b = 9;
    for (size_t i = 0; i < sizeof longer.c; i++) {
        longer.c = 0;
        ((unsigned char *)&longer.c)[i] = 1;
        ck_assert_int_eq(pe__base_check_sized(&longer, sizeof copy, sizeof(struct small), &copy), PE_EINVAL);
        ck_assert_uint_eq(copy.b, 9);
    }
}
END_TEST

PE_TEST(sized_wrong_sizes_are_refused)
{
    static const size_t wrong[] = { 0, 1, sizeof(struct small) - 1, PE__BASE_SIZED_MAX_BYTES + 1, SIZE_MAX };
    struct known given = { 0, 1, 1 }, copy = { 1, 2, 3 };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        given.size = wrong[i];
        ck_assert_int_eq(pe__base_check_sized(&given, sizeof copy, sizeof(struct small), &copy), PE_EINVAL);
        ck_assert_int_eq(pe__base_fill_sized(&given, &copy, sizeof copy, sizeof(struct small)), PE_EINVAL);
        ck_assert_uint_eq(given.size, wrong[i]);
        ck_assert(given.a == 1 && given.b == 1);
        ck_assert(copy.size == 1 && copy.a == 2 && copy.b == 3);
    }
    given.size = sizeof given.size - 1;
    ck_assert_int_eq(pe__base_check_sized(&given, sizeof copy, 0, &copy), PE_EINVAL);
}
END_TEST

PE_TEST(sized_largest_struct_is_taken)
{
    static union {
        struct known head;
        unsigned char bytes[PE__BASE_SIZED_MAX_BYTES];
    } huge = { { PE__BASE_SIZED_MAX_BYTES, 8, 9 } };
    struct known copy;

    ck_assert_int_eq(pe__base_check_sized(&huge, sizeof copy, sizeof(struct small), &copy), 0);
    ck_assert_uint_eq(copy.b, 9);
    huge.bytes[sizeof huge - 1] = 1;
    ck_assert_int_eq(pe__base_check_sized(&huge, sizeof copy, sizeof(struct small), &copy), PE_EINVAL);
}
END_TEST

PE_TEST(sized_results_stay_within_the_callers_size)
{
    struct known full = { sizeof full, 5, 6 };
    struct known shorter = { sizeof(struct small), 1, 1 }, equal = { sizeof equal, 1, 1 };
    struct {
        struct large given;
        uint64_t beyond;
    } longer = { { sizeof(struct large), 1, 1, 1 }, 1 };

    ck_assert_int_eq(pe__base_fill_sized(&shorter, &full, sizeof full, sizeof(struct small)), 0);
    ck_assert(shorter.size == sizeof(struct small) && shorter.a == 5 && shorter.b == 1);
    ck_assert_int_eq(pe__base_fill_sized(&equal, &full, sizeof full, sizeof(struct small)), 0);
    ck_assert(equal.size == sizeof equal && equal.a == 5 && equal.b == 6);
    ck_assert_int_eq(pe__base_fill_sized(&longer, &full, sizeof full, sizeof(struct small)), 0);
    ck_assert(longer.given.size == sizeof(struct large) && longer.given.a == 5 && longer.given.b == 6);
    ck_assert(longer.given.c == 0 && longer.beyond == 1);
    ck_assert_int_eq(pe__base_fill_sized(NULL, &full, sizeof full, sizeof(struct small)), PE_EINVAL);
}
END_TEST

/* ---- descriptors ---- */

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
    ck_assert_int_eq(in_child(with_closed_standard_streams), 0);
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
    int full = in_child(with_a_full_table), one = in_child(with_room_for_one);

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
    ck_assert_int_eq(in_child(memfd_beyond_the_limit), 0);
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
    return deny(SYS_close_range, ENOSYS) ? close_all_but_some() : SKIPPED;
}

static int close_by_counting(void)
{
    return deny(SYS_close_range, EPERM) && deny(SYS_openat, ENOENT) ? close_all_but_some() : SKIPPED;
}

PE_TEST(fd_close_all_but_by_ranges)
{
    ck_assert_int_eq(in_child(close_all_but_some), 0);
}
END_TEST

PE_TEST(fd_close_all_but_without_close_range)
{
    int result = in_child(close_by_directory);

    if (result == SKIPPED)
        HARNESS_SKIP("no seccomp here");
    ck_assert_int_eq(result, 0);
}
END_TEST

PE_TEST(fd_close_all_but_without_close_range_and_proc)
{
    int result = in_child(close_by_counting);

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

    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || !deny(SYS_close_range, ENOSYS))
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
    int result = in_child(close_a_thousand);

    if (result == SKIPPED)
        HARNESS_SKIP("no seccomp here, or a lower limit of descriptors");
    ck_assert_int_eq(result, 0);
}
END_TEST

/* ---- log ---- */

struct heard {
    int count, level;
    char text[1024];
};

static void hear(int level, const char *message, void *context)
{
    struct heard *heard = context;

    heard->count++;
    heard->level = level;
    snprintf(heard->text, sizeof heard->text, "%s", message);
    errno = 1;
}

PE_TEST(log_reaches_the_hook_and_keeps_errno)
{
    struct heard first = { 0, 0, "" }, second = { 0, 0, "" };

    pe__base_log(PE_LOG_ERROR, "nobody hears %d", 1);
    ck_assert_int_eq(pe_set_log(hear, &first), 0);
    errno = 1234;
    pe__base_log(PE_LOG_WARNING, "%s %d", "seven", 7);
    ck_assert_int_eq(errno, 1234);
    ck_assert_int_eq(first.count, 1);
    ck_assert_int_eq(first.level, PE_LOG_WARNING);
    ck_assert_str_eq(first.text, "seven 7");
    ck_assert_int_eq(pe_set_log(hear, &second), 0);
    pe__base_log(PE_LOG_INFO, "two");
    ck_assert_int_eq(pe_set_log(hear, &first), 0);
    pe__base_log(PE_LOG_INFO, "three");
    ck_assert_int_eq(pe_set_log(NULL, &second), 0);
    pe__base_log(PE_LOG_INFO, "four");
    ck_assert_int_eq(first.count, 2);
    ck_assert_int_eq(second.count, 1);
    ck_assert_str_eq(second.text, "two");
    ck_assert_int_eq(pe_set_log(hear, &first), 0);
    pe__base_log_off();
    pe__base_log(PE_LOG_INFO, "five");
    ck_assert_int_eq(first.count, 2);
}
END_TEST

PE_TEST(log_cuts_long_messages)
{
    struct heard heard = { 0, 0, "" };
    char text[2000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(pe_set_log(hear, &heard), 0);
    pe__base_log(PE_LOG_INFO, "%s", text);
    ck_assert_uint_eq(strlen(heard.text), 511);
    pe_set_log(NULL, NULL);
}
END_TEST

PE_TEST(log_without_memory_keeps_the_former_hook)
{
    struct heard first = { 0, 0, "" }, second = { 0, 0, "" };

    ck_assert_int_eq(pe_set_log(hear, &first), 0);
    harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
    ck_assert_int_eq(pe_set_log(hear, &second), PE_ENOMEM);
    pe__base_log(PE_LOG_INFO, "one");
    ck_assert_int_eq(first.count, 1);
    ck_assert_int_eq(pe_set_log(NULL, NULL), 0);
    ck_assert_int_eq(pe_set_log(hear, &first), 0);  /* known already: needs no memory */
    pe_set_log(NULL, NULL);
}
END_TEST

static int torn;

static void hear_a(int level, const char *message, void *context)
{
    (void)level;
    (void)message;
    if (*(const char *)context != 'a')
        __atomic_store_n(&torn, 1, __ATOMIC_RELAXED);
}

static void hear_b(int level, const char *message, void *context)
{
    (void)level;
    (void)message;
    if (*(const char *)context != 'b')
        __atomic_store_n(&torn, 1, __ATOMIC_RELAXED);
}

static void *change_hooks(void *argument)
{
    static char a = 'a', b = 'b';

    (void)argument;
    for (int i = 0; i < 20000; i++)
        pe_set_log(i % 2 ? hear_a : hear_b, i % 2 ? &a : &b);
    return NULL;
}

PE_TEST(log_function_and_context_change_together)
{
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, change_hooks, NULL), 0);
    for (int i = 0; i < 20000; i++)
        pe__base_log(PE_LOG_INFO, "x");
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pe_set_log(NULL, NULL);
    ck_assert_int_eq(torn, 0);
}
END_TEST

/* ---- errors and version ---- */

PE_TEST(error_list_has_names_and_texts)
{
#define LISTED(name, value, text) \
    ck_assert_int_eq(name, value); \
    ck_assert_str_eq(pe_err_name(value), #name); \
    ck_assert_str_eq(pe_strerror(value), text);
    PE_ERROR_LIST(LISTED)
#undef LISTED
}
END_TEST

PE_TEST(error_codes_outside_the_list_have_static_texts)
{
    const char *text;

    ck_assert_str_eq(pe_strerror(0), "success");
    ck_assert_str_eq(pe_err_name(0), "0");
    ck_assert_str_eq(pe_strerror(1), "unknown error");
    ck_assert_str_eq(pe_strerror(INT32_MAX), "unknown error");
    ck_assert_str_eq(pe_strerror(INT32_MIN), "unknown error");
    ck_assert_str_eq(pe_strerror(-5998), "unknown error");
    ck_assert_str_eq(pe_strerror(PE_ERROR_LAST_), "unknown error");
    ck_assert_str_eq(pe_err_name(1), "PE_EUNKNOWN");
    ck_assert_str_eq(pe_err_name(INT32_MIN), "PE_EUNKNOWN");
    ck_assert_str_eq(pe_err_name(-5998), "PE_EUNKNOWN");
    text = pe_strerror(-EXDEV);
    ck_assert_str_ne(text, "unknown error");
    ck_assert_ptr_eq(text, pe_strerror(-EXDEV));
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 32)
    ck_assert_str_eq(text, "Invalid cross-device link");
    ck_assert_str_eq(pe_err_name(-EXDEV), "EXDEV");
    ck_assert_str_eq(pe_strerror(-4000), "unknown error");
#endif
#endif
}
END_TEST

PE_TEST(version_is_the_one_compiled_against)
{
    char text[32];

    ck_assert_int_eq(pe_version(), PE_VERSION_NUMBER);
    ck_assert_str_eq(pe_version_string(), PE_VERSION_STRING);
    snprintf(text, sizeof text, "%d.%d.%d", PE_VERSION_MAJOR, PE_VERSION_MINOR, PE_VERSION_PATCH);
    ck_assert_int_eq(strncmp(pe_version_string(), text, strlen(text)), 0);
    ck_assert_msg(strchr("-", pe_version_string()[strlen(text)]), "not of %s", text);
}
END_TEST

/* ---- list ---- */

struct entry {
    int number;
    struct pe__base_list node;
};

static int pop(struct pe__base_list *head)
{
    struct pe__base_list *node = pe__base_list_pop_front(head);

    return node ? PE__BASE_LIST_ENTRY(node, struct entry, node)->number : 0;
}

PE_TEST(list_keeps_order)
{
    struct pe__base_list head = PE__BASE_LIST_INIT(head);
    struct entry entries[4];
    int sum = 0;

    ck_assert(pe__base_list_empty(&head));
    ck_assert_ptr_null(pe__base_list_pop_front(&head));
    for (int i = 0; i < 4; i++)
        entries[i].number = i + 1;
    pe__base_list_push_back(&head, &entries[1].node);
    pe__base_list_push_back(&head, &entries[2].node);
    pe__base_list_push_front(&head, &entries[0].node);
    pe__base_list_push_back(&head, &entries[3].node);
    ck_assert(!pe__base_list_empty(&head));
    PE__BASE_LIST_EACH(node, &head)
        sum = sum * 10 + PE__BASE_LIST_ENTRY(node, struct entry, node)->number;
    ck_assert_int_eq(sum, 1234);
    pe__base_list_remove(&entries[2].node);
    pe__base_list_remove(&entries[2].node);
    ck_assert_int_eq(pop(&head), 1);
    ck_assert_int_eq(pop(&head), 2);
    ck_assert_int_eq(pop(&head), 4);
    ck_assert_int_eq(pop(&head), 0);
    ck_assert(pe__base_list_empty(&head));
}
END_TEST

PE_TEST(list_entries_may_go_while_walking)
{
    struct pe__base_list head;
    struct entry entries[4];

    pe__base_list_init(&head);
    for (int i = 0; i < 4; i++) {
        entries[i].number = i + 1;
        pe__base_list_push_back(&head, &entries[i].node);
    }
    PE__BASE_LIST_EACH_SAFE(node, after, &head)
        if (PE__BASE_LIST_ENTRY(node, struct entry, node)->number % 2)
            pe__base_list_remove(node);
    ck_assert_int_eq(pop(&head), 2);
    ck_assert_int_eq(pop(&head), 4);
    ck_assert(pe__base_list_empty(&head));
}
END_TEST

/* ---- fork detection ---- */

static uint64_t parent_token, child_token;

static int grandchild_differs(void)
{
    uint64_t token = 0;

    if (!pe__base_forked(parent_token) || !pe__base_forked(child_token))
        return 11;
    if (pe__base_forked_token(&token) != 0 || token == 0 || token == parent_token || token == child_token)
        return 12;
    return pe__base_forked(token) || !pe__base_forked(child_token) ? 13 : 0;
}

static int child_differs(void)
{
    uint64_t again = 0;

    if (!pe__base_forked(parent_token))
        return 1;
    if (pe__base_forked_token(&child_token) != 0 || child_token == 0 || child_token == parent_token)
        return 2;
    if (pe__base_forked(child_token) || !pe__base_forked(parent_token))
        return 3;
    if (pe__base_forked_token(&again) != 0 || again != child_token)
        return 4;
    return in_child(grandchild_differs);
}

static int child_without_token_of_its_own(void)
{
    return pe__base_forked(parent_token) ? in_child(child_differs) : 21;
}

static int whole_family(void)
{
    uint64_t again = 0;

    if (pe__base_forked_token(&parent_token) != 0 || parent_token == 0)
        return 31;
    if (pe__base_forked(parent_token) || pe__base_forked_token(&again) != 0 || again != parent_token)
        return 32;
    for (int i = 0; i < 2; i++) {
        int result = in_child(i ? child_differs : child_without_token_of_its_own);

        if (result != 0)
            return result;
    }
    return pe__base_forked(parent_token) ? 33 : 0;
}

PE_TEST(forked_tells_every_generation_apart)
{
    ck_assert_int_eq(whole_family(), 0);
}
END_TEST

static int without_wiping(void)
{
    return deny(SYS_madvise, EINVAL) ? whole_family() : SKIPPED;
}

PE_TEST(forked_works_on_kernels_that_do_not_wipe)
{
    int result = in_child(without_wiping);

    if (result == SKIPPED)
        HARNESS_SKIP("no seccomp here");
    ck_assert_int_eq(result, 0);
}
END_TEST

static int without_memory(void)
{
    uint64_t token = 0;

    harness_fail_from(HARNESS_MMAP, 1, ENOMEM);
    harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
    if (!pe__base_forked(1))
        return 1;
    return pe__base_forked_token(&token) != 0 || pe__base_forked(token) ? 2 : 0;
}

PE_TEST(forked_needs_no_memory)
{
    if (!harness_forks())
        HARNESS_SKIP("needs a process that has no token yet");
    ck_assert_int_eq(in_child(without_memory), 0);
}
END_TEST

static pthread_barrier_t together;

static void *take_token(void *ret_token)
{
    pthread_barrier_wait(&together);
    ck_assert_int_eq(pe__base_forked_token(ret_token), 0);
    return NULL;
}

PE_TEST_LOOP(forked_threads_get_one_token, 0, 20)
{
    pthread_t threads[4];
    uint64_t tokens[4];

    pthread_barrier_init(&together, NULL, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_token, &tokens[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(tokens[i], tokens[0]);
        ck_assert(!pe__base_forked(tokens[i]));
    }
    ck_assert(_i >= 0);
}
END_TEST

HARNESS_MAIN("base")
