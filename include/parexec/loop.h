/**
 * @file loop.h
 * Loops, which tasks run on.
 *
 * A loop is a libuv loop and the tasks on it. pe_run makes one for a program that is tasks through and through.
 * pe_loop_new makes one of its own, which the program runs by pe_loop_run or from a loop of another kind through
 * pe_loop_fd, pe_loop_next_ns and pe_loop_poll; or it joins the uv_loop_t that a program already runs, and then adds
 * and closes handles of its own and touches nothing else of it.
 *
 *     pe_loop *loop;
 *
 *     if (pe_loop_new(uv_default_loop(), &loop) == 0) {
 *         pe_spawn(loop, serve, NULL, sizeof(struct serve), NULL);
 *         uv_run(uv_default_loop(), UV_RUN_DEFAULT);
 *         pe_loop_free(loop);
 *     }
 *
 * Tasks that are ready run in turns, in the order in which they became ready. After 50 us of that the loop looks at its
 * timers and descriptors again. As long as there are tasks the libuv loop is kept alive.
 *
 * A loop knows no other loop, and there is no default one; each thread may have its own, or several that run in turns.
 *
 * Threads: a loop and all that belongs to it are used by one thread at a time; pe_loop_post alone may be called by any.
 * What the program still has of it after pe_loop_free, handles of tasks, semaphores and the like, may be given back by
 * any thread, one at a time; where the loop is attached, once the libuv loop has closed its handles.
 * Forks: a loop belongs to the process that made it. In a child every call gives PE_EFORKED and touches nothing, since
 * the kernel's poll set is still the parent's too; the child may make loops of its own. A child that is forked inside a
 * task or a callback has to end there, by _exit or exec: were it to return into the loop, it would take the parent's
 * events. Signals: none of it is for handlers.
 */
#ifndef PAREXEC_LOOP_H
#define PAREXEC_LOOP_H

#include <parexec/export.h>
#include <parexec/task.h>

struct uv_loop_s;

PE_BEGIN_DECLS

/**
 *  What other threads post: runs on the loop's thread, outside any task.
 *
 * @param context   handed to it; may be NULL.
 */
typedef void pe_post_fn(void *context);

/**
 * Told of a task that has failed and that nobody awaited or asked.
 *
 * @param loop        the loop.
 * @param task_name   as of pe_task_name; valid during the call.
 * @param error       what the task returned, below 0. Never PE_ECANCELED.
 * @param context     handed to it; may be NULL.
 *
 * It runs on the loop's thread, outside any task, and must not give the loop back.
 */
typedef void pe_failure_fn(pe_loop *loop, const char *task_name, int error, void *context);

/**
 * Runs a task to its end on a loop of its own. Tasks that are left then are cancelled and seen to their ends, as by
 * pe_loop_free.
 *
 * @param main        the task's function; its loop is pe_task_loop(t).
 * @param frame       handed to it as it is; may be NULL.
 * @param ret_value   gets what it returned, whatever that is; may be NULL.
 * @return 0; with ret_value NULL what the task returned if that is below 0.
 * @errors PE_EINVAL: main NULL. PE_EINLOOP: called inside a task or a loop that runs on this thread. PE_ENOMEM,
 *         PE_EMFILE and others of libuv: there is no loop. PE_ENOSYS: built without libuv.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT int pe_run(pe_task_fn *main, void *frame, int *ret_value);

/**
 * Makes a loop.
 *
 * @param attach_or_null   a libuv loop that the program runs, which must outlive this one; NULL: it gets its own.
 * @param ret_loop         gets the loop.
 * @return 0.
 * @errors PE_EINVAL: ret_loop NULL. PE_ENOMEM, PE_EMFILE and others of libuv. PE_ENOSYS: built without libuv.
 * @threads any; of an attached loop the one that runs it. @child yes; of an attached loop no. @since 1.0
 */
PE_EXPORT int pe_loop_new(struct uv_loop_s *attach_or_null, pe_loop **ret_loop);

/**
 * Runs a loop until no task is left or pe_loop_stop is called. For an attached one the libuv loop is run meanwhile; it
 * must not be running already, which cannot be told here, and uv_stop does not end this.
 *
 * @param loop   the loop.
 * @return 0.
 * @errors PE_EINVAL: NULL. PE_EINLOOP: called inside a task, or a loop that runs on this thread. PE_ECLOSED: it has
 *         been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_loop_run(pe_loop *loop);

/**
 * Makes pe_loop_run return after the pass that goes on; the tasks stay. Without one that runs, the next one returns at
 * once. pe_run goes on till its task has ended.
 *
 * @param loop   the loop.
 * @return 0.
 * @errors PE_EINVAL: NULL. PE_ECLOSED. PE_EFORKED.
 * @threads the loop's; others post. @child no. @since 1.0
 */
PE_EXPORT int pe_loop_stop(pe_loop *loop);

/**
 * Closes a loop: cancels all tasks, runs the loop until they have ended, and closes all handles. Tasks have their
 * clean-up, with waits, for the loop's grace time (pe_loop_set_grace); then each wait ends at once, and a task that
 * does not stop waiting then is dropped. Only what cannot be stopped is waited for: operations of pe_wait_external, and
 * calls that a thread is at (file.h, resolve.h, offload.h).
 * What the program has opened by itself on the loop's own libuv loop is closed too, without its callback. For an
 * attached loop the libuv loop is run meanwhile, so this must not be called in a callback of it: there, pe_loop_free
 * leaves the rest to the loop that runs.
 *
 * @param loop            the loop.
 * @param ret_cancelled   gets how many tasks there were; may be NULL.
 * @return 0; again 0 with none cancelled for one that has been closed.
 * @errors PE_EINVAL: NULL. PE_EINLOOP: called inside a task, or a loop that runs on this thread. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_loop_close(pe_loop *loop, uint64_t *ret_cancelled);

/**
 * Gives a loop back; closes it first if that has not been done. An attached loop is not run for that, so it may be
 * freed anywhere, inside its tasks too: its tasks are cancelled here, and when they have ended its handles are closed,
 * which the libuv loop has to run for, as after uv_close. Where it is not run any more its handles stay and
 * uv_loop_close says UV_EBUSY: there, call pe_loop_close before. Handles of tasks stay valid and tell what the tasks
 * returned.
 *
 * @param loop   NULL is fine. Inside a task or a loop that runs on this thread, one that is neither attached nor closed
 *               is left as it is.
 * @threads the loop's. @child yes, it does nothing there. @since 1.0
 */
PE_EXPORT void pe_loop_free(pe_loop *loop);

/**
 * Has failures reported: of a task that returned an error, when its last handle is given back or the loop is closed
 * without anybody having awaited it or asked for its result; once for each. Cancelled tasks are not reported. Without a
 * function they go to the log hook (log.h).
 *
 * @param loop      the loop.
 * @param fn        NULL: the log hook again.
 * @param context   handed to it; may be NULL.
 * @return 0.
 * @errors PE_EINVAL: loop NULL. PE_ECLOSED. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_loop_on_failure(pe_loop *loop, pe_failure_fn *fn, void *context);

/**
 * How long tasks may clean up while the loop is closed. Once that has begun this changes nothing.
 *
 * @param loop       the loop.
 * @param grace_ns   nanoseconds; 0: the default, 5 s; PE_NOW: none. PE_FOREVER is allowed.
 * @return 0.
 * @errors PE_EINVAL: NULL, or another negative time. PE_ECLOSED. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_loop_set_grace(pe_loop *loop, int64_t grace_ns);

/**
 * Has a function called on the loop's thread. Calls from one thread come in their order; none is lost or merged. What
 * was accepted is called, at the latest while the loop is closed.
 *
 * @param loop      the loop.
 * @param fn        called outside any task, with no lock held; it may start and cancel tasks and end their waits.
 * @param context   handed to it; may be NULL.
 * @return 0.
 * @errors PE_EINVAL: loop or fn NULL. PE_ENOMEM. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads any; the caller sees to it that the loop is not freed meanwhile. @child no. @since 1.0
 */
PE_EXPORT int pe_loop_post(pe_loop *loop, pe_post_fn *fn, void *context);

/**
 * The descriptor for loops of another kind (epoll, GLib and the like) that are to drive this one: wait until it is
 * readable or the time is over, then call pe_loop_poll until it returns 0.
 *
 *     while (pe_loop_poll(loop) > 0)
 *         ;
 *     poll(&(struct pollfd){ pe_loop_fd(loop), POLLIN, 0 }, 1, milliseconds_of(pe_loop_next_ns(loop)));
 *
 * @param loop   the loop.
 * @return the descriptor, which stays the same.
 * @errors PE_EINVAL: NULL. PE_ECLOSED. PE_EFORKED.
 * @ownership the loop's.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_loop_fd(const pe_loop *loop);

/**
 * The time after which the loop has something to do by itself, for loops that drive this one (pe_loop_fd). Ask before
 * each wait, since what the program does with the loop in between may have changed it.
 *
 * @param loop   the loop.
 * @return nanoseconds from now, 0 for now, PE_FOREVER for never.
 * @errors PE_EINVAL: NULL. PE_ECLOSED. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int64_t pe_loop_next_ns(const pe_loop *loop);

/**
 * Does what can be done without waiting, for loops that drive this one (pe_loop_fd).
 *
 * @param loop   one of its own libuv loop.
 * @return 1 when there is more at once, else 0.
 * @errors PE_EINVAL: NULL, or attached to a libuv loop, which is run by its owner. PE_EINLOOP: called inside a task or
 *         a loop that runs on this thread. PE_ECLOSED. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_loop_poll(pe_loop *loop);

/**
 * The libuv loop, for calls of libuv's own.
 *
 * @param loop   the loop.
 * @return the uv_loop_t; NULL for NULL, in a forked child, and after pe_loop_close.
 * @ownership the loop's, or its owner's.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT struct uv_loop_s *pe_loop_uv(const pe_loop *loop);

PE_END_DECLS

#endif
