/**
 * @file signal.h
 * Waiting for signals.
 *
 *     PE_AWAIT(t, pe_signal_wait(t, SIGTERM));
 *     if (t->result == 0)
 *         ...
 *
 * waits for one that comes meanwhile. Between two such waits the program is as it was before, so a signal that comes
 * then does what it always did. Who must not miss any has an object that listens as long as it is there:
 *
 *     pe_signal_new(pe_task_loop(t), SIGHUP, &f->hangups);
 *     for (;;) {
 *         PE_TRY(t, pe_signal_next(t, f->hangups));
 *         read_settings();
 *     }
 *
 * Signals are told as the system delivers them: of several that are the same and come at once it may deliver one. Any
 * number of tasks, objects, loops and threads may wait for the same signal; all are told. While any of them does, a
 * handler of libuv's stands in the place of what the program had set; that is back, as it was, once the last one has
 * ended. Who uses libuv for the same signal is not disturbed, and what the program sets meanwhile stays. With several
 * threads there is an instant at that end in which the signal has its default action; a thread that waits has it
 * blocked then.
 *
 * Threads: as task.h says; signals must not be blocked in all threads. Forks: a child has from the beginning what the
 * program had set, and its signals are not told to the parent. Signals: none of it is for handlers.
 */
#ifndef PAREXEC_SIGNAL_H
#define PAREXEC_SIGNAL_H

#include <parexec/export.h>
#include <parexec/task.h>

/** Listens for a signal, on a loop. */
typedef struct pe_signal pe_signal;

PE_BEGIN_DECLS

/**
 * Waits for a signal to come.
 *
 * @param t        the task that waits.
 * @param number   SIGINT, SIGTERM or the like. Not those that cannot be caught, SIGKILL and SIGSTOP, and not those that
 *                 tell of a fault in the running code: SIGSEGV, SIGBUS, SIGFPE, SIGILL.
 * @return in PE_AWAIT: 0.
 * @errors PE_EINVAL: no signal, or one of those; t is not the task that runs. PE_ENOMEM. PE_ECANCELED, PE_ETIMEDOUT.
 *         PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_signal_wait(pe_task *t, int number);

/**
 * Listens for a signal from now on.
 *
 * @param loop         the loop.
 * @param number       as of pe_signal_wait.
 * @param ret_signal   gets the object, to be given back by pe_signal_free.
 * @return 0.
 * @errors PE_EINVAL: loop or ret_signal NULL, no signal, or one that cannot be had. PE_ENOMEM. PE_ECLOSED: the loop
 *         has been closed, or is being closed and this is called outside its tasks. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_signal_new(pe_loop *loop, int number, pe_signal **ret_signal);

/**
 * Waits until the signal has come, if it has not since this was last told. Of several tasks that wait for one object,
 * the one that has waited longest is told.
 *
 * @param t        the task that waits.
 * @param signal   what pe_signal_new has made.
 * @return in PE_AWAIT: how many were delivered since then, 1 and above.
 * @errors PE_ECLOSED: the object was freed meanwhile. PE_EINVAL: signal NULL or of another loop; t is not the task that
 *         runs. PE_ECANCELED, PE_ETIMEDOUT. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_signal_next(pe_task *t, pe_signal *signal);

/**
 * Listens no more. Tasks that wait for it are told PE_ECLOSED.
 *
 * @param signal   NULL is fine; one whose loop has been closed too.
 * @threads the loop's. @child yes, it does nothing there. @since 1.0
 */
PE_EXPORT void pe_signal_free(pe_signal *signal);

PE_END_DECLS

#endif
