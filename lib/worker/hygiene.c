/*
 * hygiene.c - a clean process out of a copy of somebody else's.
 *
 * Everything here runs in a single-threaded child whose parent may have had many threads; until the worker's
 * first user function only async-signal-safe calls are made, apart from stdio's own buffers, whose locks libc
 * makes anew in a forked child.
 */
#include "worker/hygiene.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "worker/crash.h"

bool pe__worker_die_with(pid_t parent)
{
    /* The signal follows the parent's thread, not its process: the keeper has just one. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == parent;
}

void pe__worker_pin(int cpu)
{
    size_t cpus = (size_t)cpu + 1;
    cpu_set_t *set = CPU_ALLOC(cpus);
    if (set == NULL)
        return;
    CPU_ZERO_S(CPU_ALLOC_SIZE(cpus), set);
    CPU_SET_S((size_t)cpu, CPU_ALLOC_SIZE(cpus), set);
    sched_setaffinity(0, CPU_ALLOC_SIZE(cpus), set);
    CPU_FREE(set);
}

void pe__worker_reset_signals(const sigset_t *ignored)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action = { .sa_handler = SIG_DFL };
        if (sigismember(ignored, number) == 1)
            action.sa_handler = SIG_IGN;
        sigaction(number, &action, NULL); /* refused for SIGKILL, SIGSTOP and libc's own: as it should be */
    }
}

void pe__worker_drop_stdio(void)
{
    __fpurge(stdin);
    __fpurge(stdout);
    __fpurge(stderr);
}

void pe__worker_flush_stdio(void)
{
    if (pe__worker_pending(stdout) > 0)
        fflush(stdout);
    if (pe__worker_pending(stderr) > 0)
        fflush(stderr);
}

/* Handlers of quick_exit are not told the status. */
static void leave_quickly(void)
{
    _exit(EXIT_FAILURE);
}

#ifdef __GLIBC__
static void leave_at_once(int status, void *unused)
{
    (void)unused;
    if (status != 0)
        pe__worker_note_exit(errno);
    pe__worker_flush_stdio();
    _exit(status);
}

void pe__worker_guard_exit(void)
{
    /* Handlers run last in, first out: those of the function come before this one, those of the host
     * never. */
    on_exit(leave_at_once, NULL);
    at_quick_exit(leave_quickly);
}
#else
/* Handlers of plain atexit are not told the status: it passes for a failure. */
static void leave_at_once(void)
{
    pe__worker_note_exit(errno);
    pe__worker_flush_stdio();
    _exit(EXIT_FAILURE);
}

void pe__worker_guard_exit(void)
{
    atexit(leave_at_once);
    at_quick_exit(leave_quickly);
}
#endif
