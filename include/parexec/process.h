/**
 * @file process.h
 * Other programs as children, and waiting for the ends of processes.
 *
 *     static char *argv[] = { "gzip", "-9", "big.log", NULL };
 *     pe_process_options options = PE_PROCESS_OPTIONS_INIT;
 *
 *     options.argv = argv;
 *     PE_TRY(t, pe_process_spawn(pe_task_loop(t), &options, &f->gzip));
 *     PE_TRY(t, pe_process_wait(t, f->gzip, &f->code, &f->stopped_by));
 *     pe_process_free(f->gzip);
 *
 * Ends are noticed by pidfd: no SIGCHLD is caught, no other child of the program is touched, and it does not matter
 * whether the program ignores SIGCHLD or waits for every child there is. Only what the process returned is unknown
 * then, and the wait says so. Needs Linux 5.4; before it, and under a valgrind that knows no pidfd, these calls give
 * PE_ENOSYS.
 *
 * A child begins clean: all signals have their default actions and none is blocked, all descriptors but its first three
 * are closed. It may be started from a program with any number of threads.
 *
 * Threads, signals: as task.h says. Forks: a process belongs to the program that started it; in a child every call
 * gives PE_EFORKED.
 */
#ifndef PAREXEC_PROCESS_H
#define PAREXEC_PROCESS_H

#include <parexec/export.h>
#include <parexec/options.h>
#include <parexec/task.h>

/** A process that was started here. */
typedef struct pe_process pe_process;

/** For a descriptor: /dev/null. */
#define PE_PROCESS_NULL (-1)

/** @name Flags of pe_process_options
 * @{ */
/** It leads a process group of its own, and so can be killed with its children: kill(-pid, signal). */
#define PE_PROCESS_GROUP 1u
/** It leads a session of its own, without a terminal. */
#define PE_PROCESS_SESSION 2u
/** @} */

/** What to start, and how. */
typedef struct pe_process_options {
    size_t size;            /**< sizeof(pe_process_options) */
    const char *file;       /**< looked for in the PATH of this program if it has no slash; NULL: argv[0] */
    char *const *argv;      /**< its arguments, up to a NULL */
    char *const *env;       /**< its environment, up to a NULL; NULL: the program's */
    const char *cwd;        /**< its directory; NULL: the program's. A relative `file` is looked for there */
    int32_t stdin_fd;       /**< its descriptor 0: one of the program's, or PE_PROCESS_NULL; 0: the program's 0 */
    int32_t stdout_fd;      /**< its 1; 0: the program's 1 */
    int32_t stderr_fd;      /**< its 2; 0: the program's 2 */
    uint32_t flags;         /**< PE_PROCESS_* */
} pe_process_options;

/** All defaults, but argv is needed. */
#define PE_PROCESS_OPTIONS_INIT { sizeof(pe_process_options), NULL, NULL, NULL, NULL, 0, 0, 0, 0 }

PE_BEGIN_DECLS

/**
 * Starts a program. The call comes back once the program runs, or could not be run; what had been begun is gone then.
 *
 * @param loop          the loop.
 * @param options       argv is needed. Descriptors stay the program's, which closes its own copies when it likes.
 * @param ret_process   gets the process, to be given back by pe_process_free.
 * @return 0.
 * @errors PE_ENOENT, -EACCES and others of execvp and chdir: it cannot be run. What is no program of the system's is
 *         run by /bin/sh, or -ENOEXEC, as the C library's execvp has it. PE_EBADF: no such descriptor. PE_EINVAL: loop,
 *         options, argv, argv[0] or ret_process NULL, a wrong size, unknown flags or bits. PE_EAGAIN, PE_ENOMEM,
 *         PE_EMFILE, PE_ENFILE. PE_ENOSYS: the system has no pidfd. PE_ECLOSED: the loop has been closed, or is being
 *         closed and this is called outside its tasks. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_process_spawn(pe_loop *loop, const pe_process_options *options, pe_process **ret_process);

/**
 * Waits for the end of a process, at once if it has ended. Any number of tasks may. If the wait is stopped the process
 * goes on.
 *
 * @param t               the task that waits.
 * @param process         the process.
 * @param ret_exit_code   gets what it returned, 0 to 255; -1 when a signal stopped it. May be NULL.
 * @param ret_signal      gets the signal that stopped it, else 0. May be NULL.
 *
 * Both last until the wait has ended, and stay untouched on errors.
 *
 * @return in PE_AWAIT: 0.
 * @errors PE_ENODATA: it has ended, and the program has taken what it returned by a wait of its own, or ignores
 *         SIGCHLD. PE_ECLOSED: it was given back meanwhile. PE_EINVAL: process NULL or of another loop; t is not the
 *         task that runs. PE_ECANCELED, PE_ETIMEDOUT. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_process_wait(pe_task *t, pe_process *process, int *ret_exit_code, int *ret_signal);

/**
 * Sends a signal to a process, never to another one that has got its number.
 *
 * @param process   the process.
 * @param number    a signal; 0 only asks.
 * @return 0.
 * @errors PE_EALREADY: it has ended. PE_EINVAL: NULL, or no signal. PE_EPERM: it has become another user's. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_process_kill(pe_process *process, int number);

/**
 * The number of a process, which another one may have got once this one has ended.
 *
 * @param process   the process.
 * @return the pid.
 * @errors PE_EINVAL: NULL. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_process_pid(const pe_process *process);

/**
 * Gives a process back. One that runs goes on, and is reaped when it ends, as long as there is its loop. Tasks that
 * wait for it are told PE_ECLOSED.
 *
 * @param process   NULL is fine; one whose loop has been closed too.
 * @threads the loop's. @child yes, it does nothing there. @since 1.0
 */
PE_EXPORT void pe_process_free(pe_process *process);

/**
 * Waits for the end of a process that was not started here: a child that the program made by itself, which is reaped
 * with this, or any other, of which nothing but the end can be known.
 *
 * @param t                           the task that waits.
 * @param pid                         its number, above 0. What it means is settled when the wait begins.
 * @param ret_exit_code, ret_signal   as of pe_process_wait.
 * @return in PE_AWAIT: 0.
 * @errors PE_ENODATA: it has ended, and it is no child or somebody else has reaped it. PE_ESRCH: there is none.
 *         PE_EINVAL: pid not above 0, or a thread's; t is not the task that runs. PE_ENOMEM, PE_EMFILE, PE_ENFILE.
 *         PE_ENOSYS. PE_ECANCELED, PE_ETIMEDOUT. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_pid_wait(pe_task *t, int pid, int *ret_exit_code, int *ret_signal);

PE_END_DECLS

#endif
