/*
 * start.c - starting a program in a child process.
 *
 * The child is made by clone as vfork makes it: it shares our memory, on a stack of its own, and this thread waits till
 * it runs the program or has left. So nothing of a large program is copied, locks that other threads hold do not
 * matter, and why it failed is left in memory. The pidfd comes with the child, before anybody could reap it. (Tools
 * that make a fork of every clone do not share the memory: there a program that cannot be run is one that returns 127.)
 *
 * In the child only async-signal-safe calls are made. All signals are blocked until their handlers, which would run in
 * our memory, are gone. Cancelling of the thread is off, since the child has our thread's state.
 *
 * The descriptor that the pidfd gets is taken before the child is made, so that nothing can fail afterwards.
 */
#include "async/start.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sanitizer.h"

/* Frames of an earlier child, which never returned from them, would count as forbidden. */
#if PE__BASE_ASAN
#include <sanitizer/asan_interface.h>
#define ALLOW_STACK(memory, bytes) ASAN_UNPOISON_MEMORY_REGION(memory, bytes)
#else
#define ALLOW_STACK(memory, bytes) ((void)0)
#endif

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

/* waitid: a child by its pidfd. */
#define BY_PIDFD ((idtype_t)3)

/* For the calls of the child; looking through PATH takes some, and the arguments are copied for a script. */
#define STACK_BYTES ((size_t)64 << 10)

#define FIRST_OWN 3 /* descriptors below it are the program's that is started */

struct start {
    const pe_process_options *options;
    volatile int result; /* the child's: an error, or 0 when it was about to run the program */
};

/* ---- in the child ---- */

static void reset_signals(void)
{
    struct sigaction action = { .sa_handler = SIG_DFL };

    for (int number = 1; number < NSIG; number++)
        sigaction(number, &action, NULL); /* refused for SIGKILL, SIGSTOP and libc's own: as it should be */
}

/* A copy out of the way of the first three; -1: the program's own, or an error. */
static int copy_source(int fd)
{
    return fd == PE_PROCESS_NULL ? pe__base_fd_raise(open("/dev/null", O_RDWR | O_CLOEXEC))
                                 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_OWN);
}

/* They may name each other, so all are copied before any is put in its place. */
static int place_descriptors(const pe_process_options *options)
{
    const int wanted[FIRST_OWN] = { options->stdin_fd, options->stdout_fd, options->stderr_fd };
    int copies[FIRST_OWN];

    for (int i = 0; i < FIRST_OWN; i++) {
        copies[i] = wanted[i] == 0 ? -1 : copy_source(wanted[i]);
        if (copies[i] < 0 && wanted[i] != 0)
            return -errno;
    }
    for (int i = 0; i < FIRST_OWN; i++) {
        if (copies[i] < 0)
            fcntl(i, F_SETFD, 0); /* the program's, if there is one */
        else if (dup2(copies[i], i) < 0)
            return -errno;
    }
    return 0;
}

/* All that comes before the program. */
static int prepare(const pe_process_options *options)
{
    reset_signals();
    if ((options->flags & PE_PROCESS_SESSION) && setsid() < 0)
        return -errno;
    if ((options->flags & PE_PROCESS_GROUP) && !(options->flags & PE_PROCESS_SESSION) && setpgid(0, 0) < 0)
        return -errno;
    if (options->cwd != NULL && chdir(options->cwd) < 0)
        return -errno;
    int result = place_descriptors(options);
    if (result < 0)
        return result;
    pe__base_fd_close_all_but(NULL, 0);
    return 0;
}

static int run(void *argument)
{
    struct start *start = argument;
    const pe_process_options *options = start->options;
    sigset_t none;

    start->result = prepare(options);
    if (start->result == 0) {
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execvpe(options->file != NULL ? options->file : options->argv[0], options->argv,
                options->env != NULL ? options->env : environ);
        start->result = -errno;
    }
    _exit(127);
}

/* ---- in the parent ---- */

static void reap_failed(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int start_on(unsigned char *stack, size_t bytes, const pe_process_options *options, pid_t *ret_pid, int pidfd)
{
    struct start start = { .options = options };
    int given = -1;
    pid_t pid = clone(run, stack + bytes, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &start, &given);

    if (pid < 0)
        return -errno;
    if (start.result < 0) {
        reap_failed(pid);
        pe__base_fd_close(given);
        return start.result;
    }
    (void)dup3(given, pidfd, O_CLOEXEC); /* between two open ones: nothing can be in its way */
    pe__base_fd_close(given);
    *ret_pid = pid;
    return 0;
}

static size_t stack_bytes(char *const *argv)
{
    size_t count = 0;

    while (argv[count] != NULL)
        count++;
    return STACK_BYTES + (count / 2 + 2) * 2 * sizeof *argv; /* aligned */
}

static int start_child(const pe_process_options *options, pid_t *ret_pid, int pidfd)
{
    size_t bytes = stack_bytes(options->argv);
    unsigned char *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    sigset_t all, before;
    int cancelling;

    if (stack == MAP_FAILED)
        return -errno;
    ALLOW_STACK(stack, bytes);
    sigfillset(&all);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = start_on(stack, bytes, options, ret_pid, pidfd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_setcancelstate(cancelling, NULL);
    munmap(stack, bytes);
    return result;
}

/* Its own pidfd shows that there are such, and is the descriptor that the child's is put in the place of. */
int pe__start_program(const pe_process_options *options, pid_t *ret_pid, int *ret_pidfd)
{
    int saved = errno;
    int pidfd = pe__base_pidfd_open(getpid());
    int result = pidfd < 0 ? pidfd : start_child(options, ret_pid, pidfd);

    if (result == 0)
        *ret_pidfd = pidfd;
    else if (pidfd >= 0)
        pe__base_fd_close(pidfd);
    errno = saved;
    return result;
}

int pe__start_reap(int pidfd, int *ret_exit_code, int *ret_signal)
{
    siginfo_t info = { .si_pid = 0 };
    int result;

    do
        result = waitid(BY_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
    while (result < 0 && errno == EINTR);
    if (result < 0 || info.si_pid == 0)
        return PE_ENODATA;
    *ret_exit_code = info.si_code == CLD_EXITED ? info.si_status : -1;
    *ret_signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    return 0;
}
