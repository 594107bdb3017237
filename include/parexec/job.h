/**
 * @file job.h
 * What was handed to a pool, how it ended, and what it gave back.
 *
 * pe_pool_submit (pool.h) hands over a job: a function and a copy of some bytes. pe_pool_start_map hands over
 * a whole map, which is one job too. Both give a handle, a pe_job, to wait with, to ask for the ending and
 * the result, to cancel. That a job ended badly is no error of any call: the ending is a pe_status, whose
 * kind tells whether the function returned, crashed, ended the process, or was cancelled.
 *
 *     static int add(const void *arg, size_t arg_bytes, pe_reply *reply)
 *     {
 *         const int *numbers = arg;
 *         int sum = 0;
 *
 *         for (size_t i = 0; i < arg_bytes / sizeof *numbers; i++)
 *             sum += numbers[i];
 *         return pe_reply_write(reply, &sum, sizeof sum);
 *     }
 *
 *     int numbers[3] = { 1, 2, 3 };
 *     pe_job *job;
 *     pe_status status;
 *     const void *sum;
 *
 *     if (pe_pool_submit(pool, add, numbers, sizeof numbers, NULL, &job) == 0) {
 *         if (pe_job_wait(job, PE_FOREVER) == 0 && pe_job_result(job, &sum, NULL) == 0)
 *             printf("%d\n", *(const int *)sum);
 *         else if (pe_job_status(job, &status) == 0 && status.kind == PE_CRASHED)
 *             printf("killed by signal %d\n", (int)status.code);
 *         pe_job_free(job);
 *     }
 *
 * Threads: any thread may use a handle, several at once too; only pe_job_free must be the last use. Callbacks
 * of pe_job_on_done run in the threads that call the pool's functions, see pe_done_fn. Forks: a handle
 * belongs to the process that got it; in a child every call returns PE_EFORKED, and pe_job_free gives back
 * the child's memory and leaves the parent's job alone. Workers are such children. Signals: not for signal
 * handlers.
 *
 * Handles outlive their pool: after pe_pool_free every job has ended and can be asked until pe_job_free.
 */
#ifndef PAREXEC_JOB_H
#define PAREXEC_JOB_H

#include <parexec/export.h>
#include <parexec/options.h>

PE_BEGIN_DECLS

/** A job that was handed to a pool. From pe_pool_submit and the like to pe_job_free. */
typedef struct pe_job pe_job;

/** What a running job gives back, while it runs. */
typedef struct pe_reply pe_reply;

/** @name How a job or an item ended: pe_status.kind
 * More kinds may come: take an unknown one as failed.
 * @{ */
#define PE_PENDING 0       /**< it has not ended */
#define PE_RETURNED 1      /**< the function returned; code: what it returned, 0 being success */
#define PE_CRASHED 2       /**< a signal ended the worker; code: its number */
#define PE_EXITED 3        /**< the function ended the worker by exit or _exit; code: the exit status. Of quick_exit it
                                is 1 whatever it was, and so of exit where libc is not glibc */
#define PE_TIMED_OUT 4     /**< its time limit or its deadline was over, in the queue or while it ran */
#define PE_CANCELLED 5     /**< cancelled before it started, or stopped while it ran */
#define PE_LOST 6          /**< the pool broke before it ended */
#define PE_OUT_OF_MEMORY 7 /**< it died of memory_limit_bytes of its pool; code: the signal, 0 when it called exit */
/** @} */

/**
 * How a job or an item ended. 64 bytes, filled in by the library, never to grow. A member that has nothing
 * to say is 0, and worker is -1.
 *
 * An item of a map is described in less detail than a job: queued_ns is 0. run_ns is 0 unless it returned or was
 * PE_TIMED_OUT. If its map had no options.statuses, then run_ns may be 0 of any that returned, and of those that
 * returned 0 pid may be 0 and worker -1.
 */
typedef struct pe_status {
    uint32_t kind;        /**< PE_RETURNED and so on */
    int32_t code;         /**< return value, signal or exit status; of a stopped job: how its worker ended, 0 if the
                               pool was killed */
    int32_t pid;          /**< process that ran it last */
    int32_t worker;       /**< number of that worker; -1: none ran it, it is a map, or it is not known */
    uint32_t attempts;    /**< times it was begun: 0 for what never was, 1, more after retries; of a map always 1 */
    int32_t stop_signal;  /**< last signal that the library sent to stop it: SIGTERM, SIGKILL, 0 for none or for those
                               of pe_pool_kill */
    uint64_t item;        /**< index in the map; of a job 0 */
    int64_t queued_ns;    /**< nanoseconds that it waited for the start of its last attempt, from when it had its place
                               in the queue; 0 if it was not begun */
    int64_t run_ns;       /**< nanoseconds of its last attempt; of a map: from the call to its end */
    uint64_t reserved[2]; /**< 0 */
} pe_status;

/**
 * @name Priorities
 * Of jobs, maps, reduces and streams. A worker that is free takes, of all that waits, what has the highest priority,
 * and of that the oldest. Nothing that runs is interrupted, and a worker that has begun with a map stays with it until
 * no item of it is left to take. As long as enough of a higher priority comes in, nothing of a lower one starts,
 * however long it has waited.
 * @{
 */
#define PE_PRIORITY_NORMAL 0 /**< the default */
#define PE_PRIORITY_HIGH 1   /**< before those */
#define PE_PRIORITY_LOW 2    /**< after those */
/** @} */

/**
 * How a job is to run.
 *
 * Time limits. A job that runs for timeout_ns, or until deadline_ns, is stopped as by pe_job_cancel: it is asked by
 * pe_worker_cancelled; after the pool's grace_ns its worker gets SIGTERM, after another grace_ns SIGKILL, and is
 * replaced. Its kind is PE_TIMED_OUT then, stop_signal tells the last signal, and it is not run again, whatever
 * `retries` says. One that returns by itself before SIGTERM is PE_RETURNED with its own code, and one that crashes
 * before it is PE_CRASHED; that one is run again as `retries` says, with the whole timeout_ns, but not after
 * deadline_ns.
 *
 * All of this is done by a process of the pool, whatever the program does meanwhile. Limits are never early; how late
 * they are is up to the scheduler. Time in which the pool's processes were stopped (Ctrl-Z) does not count as run time
 * nor as grace: what runs when they go on has at least the rest of its limit, at most all of it anew. A deadline does
 * not wait for them. In a pool made with PE_POOL_INLINE there are no limits: both members are ignored.
 */
typedef struct pe_job_options {
    size_t size;                /**< sizeof(pe_job_options) */
    uint32_t retries;           /**< times to run the job again after its worker died of it; 0: never. A job that
                                     returns is never run again */
    uint32_t priority;          /**< PE_PRIORITY_*: which of the jobs that wait a free worker takes first */
    int64_t timeout_ns;         /**< how long it may run, in each attempt; the time in the queue does not count. 0: for
                                     ever */
    int64_t deadline_ns;        /**< when it is to be over, a point in time as of pe_after; 0: never. If it still waits
                                     then, it ends as PE_TIMED_OUT with 0 attempts and is not begun; if it runs, it is
                                     stopped as for timeout_ns */
    int64_t submit_deadline_ns; /**< when pe_pool_submit gives up waiting for room, a point in time as of pe_after; 0:
                                     never. pe_pool_try_submit ignores it */
} pe_job_options;

/** All defaults. */
#define PE_JOB_OPTIONS_INIT { sizeof(pe_job_options), 0, 0, 0, 0, 0 }

/** @name Which text of pe_job_item_text
 * @{ */
#define PE_TEXT_MESSAGE 1   /**< what the function left by pe_worker_fail */
#define PE_TEXT_OUTPUT 2    /**< what it wrote to descriptors 1 and 2, in pools with output_bytes */
#define PE_TEXT_BACKTRACE 3 /**< where it was when it crashed, in pools with PE_POOL_BACKTRACE */
/** @} */

/** Room for one message with its final NUL; longer ones are cut and end in "...". */
#define PE_TEXT_BYTES_MAX 1024

/**
 * A job's function. It runs in a worker process, on memory as the worker sees it: what the program held when
 * the workers were forked (pool.h), changed by jobs that ran there before.
 *
 * @param arg         copy of the bytes that were submitted, aligned for any type that fits into them; read only. With
 *                    arg_bytes 0 it is not NULL and not to be read. In a pool made with PE_POOL_INLINE it is the
 *                    pointer that was submitted.
 * @param arg_bytes   their number; may be 0.
 * @param reply       where results go: pe_reply_write, pe_reply_reserve. Valid during the call only.
 * @return 0, or the job's own error code, which is any other int. Both are PE_RETURNED; a reply is kept in either case.
 *
 * It may crash, exit or be killed: that ends this job and no other. An exception that leaves it is a crash.
 * What it leaves in the buffers of stdout and stderr is written out after it returns. It must not leave
 * threads behind. The pool's own handle is of no use in it (PE_EFORKED); it may make pools of its own, up to
 * four inside one another, this one counted.
 */
typedef int pe_job_fn(const void *arg, size_t arg_bytes, pe_reply *reply);

/**
 * Tells that a job has ended.
 *
 * @param job       its handle. Still valid if it was freed meanwhile, until the callback returns; a result that was
 *                  dropped so is gone.
 * @param context   what was given to pe_job_on_done.
 *
 * Callbacks run in threads that are inside the pool: in pe_pool_poll, pe_pool_wait, pe_pool_join,
 * pe_pool_kill, pe_pool_cancel_queued, pe_pool_free, pe_pool_resize, pe_pool_broadcast, pe_job_wait, pe_job_wait_any,
 * maps, reduces and streams, and in pe_pool_submit and pe_pool_start_map when they have to wait; never inside
 * pe_job_on_done. One at a time for each pool, without a lock of the library. A callback may submit and start maps
 * (which never waits there: PE_EAGAIN), cancel, register, ask and free jobs. Waiting for what has not ended, joining,
 * killing, polling, mapping, reducing, streaming, resizing and broadcasting there give PE_EDEADLK; the pool must not be
 * freed there. It must return: no longjmp, no exception.
 */
typedef void pe_done_fn(pe_job *job, void *context);

/**
 * Waits until a job has ended.
 *
 * @param job           the job.
 * @param deadline_ns   point in time, as of pe_after; 0 only looks, PE_FOREVER waits without end.
 * @return 0 when it has ended, well or badly.
 * @errors PE_ETIMEDOUT: it has not, by then. PE_EINTR: pe_pool_interrupt was called. PE_EDEADLK: called from a callback
 *         of the pool and it has not ended. PE_EINVAL: job NULL, or a deadline that is negative or a duration by
 *         mistake. PE_EFORKED.
 *
 * A signal handler that runs meanwhile does not end the wait.
 *
 * @threads any. @child no. @since 1.0
 */
PE_EXPORT int pe_job_wait(pe_job *job, int64_t deadline_ns);

/**
 * Waits until at least one of several jobs of the same pool has ended.
 *
 * @param jobs          count handles; the same one may be there twice.
 * @param count         1 and above. The time to look grows with it.
 * @param deadline_ns   as for pe_job_wait.
 * @param ret_index     gets the lowest index of one that has ended; may be NULL.
 * @return 0.
 * @errors those of pe_job_wait. PE_EINVAL also for jobs NULL, count 0, a NULL among them, and jobs of different pools.
 * @threads any. @child no. @since 1.0
 */
PE_EXPORT int pe_job_wait_any(pe_job *const *jobs, size_t count, int64_t deadline_ns, size_t *ret_index);

/**
 * How a job ended, or that it has not.
 *
 * @param job          the job.
 * @param ret_status   filled in; kind is PE_PENDING while the job waits or runs, and then nothing else means much. A
 *                     map that ran to its end is PE_RETURNED, with code 0 or, when items failed, PE_EITEMS.
 * @return 0.
 * @errors PE_EINVAL: job or ret_status NULL. PE_EFORKED.
 * @threads any. @child no. @since 1.0
 */
PE_EXPORT int pe_job_status(const pe_job *job, pe_status *ret_status);

/**
 * How one item of a map ended, or that it has not. For jobs of pe_pool_start_map.
 *
 * @param job          the job.
 * @param item         0 to count - 1. Of a job that is no map, item 0 is the job itself.
 * @param ret_status   filled in. Once the map has ended, items that returned 0 may have no more than kind, attempts and
 *                     item: options.statuses tells more of those.
 * @return 0.
 * @errors PE_EINVAL: job or ret_status NULL, no such item. PE_ENOMEM: there was no memory to keep the endings of the
 *         items that failed. PE_EFORKED.
 * @threads any. @child no. @since 1.0
 */
PE_EXPORT int pe_job_item_status(const pe_job *job, uint64_t item, pe_status *ret_status);

/**
 * A text that a job or an item has left.
 *
 * @param job         the job.
 * @param item        as for pe_job_item_status.
 * @param which       PE_TEXT_MESSAGE, PE_TEXT_OUTPUT or PE_TEXT_BACKTRACE.
 * @param ret_text    gets the text, ended by a NUL.
 * @param ret_bytes   gets its length without the NUL; may be NULL.
 * @return 0.
 * @errors PE_EAGAIN: the job or map has not ended. PE_ENODATA: no text. PE_EINVAL: job or ret_text NULL, no such item,
 *         an unknown which. PE_ENOMEM: as for pe_job_item_status, or none for a backtrace. PE_EFORKED.
 *
 * Texts of items are kept by maps of pe_pool_start_map alone. Only what returned has a message, only what did
 * not has a backtrace; after retries both are of the last attempt.
 *
 * Output is that of the last attempt, however it ended: the last bytes written, as they are, NULs among them. What
 * a function leaves in the buffers of stdout and stderr is written out when it returns or calls exit, and lost
 * when it crashes, as in any process: a function that may crash sets its stream unbuffered or flushes. A process
 * that outlives the job which started it writes into the output of later ones. What initialisers and worker_exit
 * write is dropped, as is that of items of pe_pool_map; of the items of one map at most 64 MiB are kept together.
 *
 * A backtrace has a line on the signal and one for each frame, innermost first and at most 100:
 *
 *     signal 11 (SIGSEGV), address 0x10
 *     #0  0x000055e0d07a31c4 parse+0x14 (/usr/lib/libforms.so.2+0x31c4)
 *     #1  0x000055e0d0a41b0e (/home/ann/program+0x1b0e)
 *
 * Names are those in the files themselves; of a stripped one, those of the functions that it exports. For lines of
 * source hand what is in brackets to addr2line or eu-addr2line. Of a call the address
 * is inside its instruction. What lies in no library that was loaded when the workers were forked is a number
 * alone. The text is made in the first call that asks for it. Where libc has no backtrace(), it has the
 * innermost frame alone.
 *
 * @ownership the text is the job's, until pe_job_free.
 * @threads any. @child no. @since 1.0
 */
PE_EXPORT int pe_job_item_text(const pe_job *job, uint64_t item, uint32_t which, const char **ret_text,
                               size_t *ret_bytes);

/**
 * What a job has replied. Maps have no reply: their results are in the caller's output.
 *
 * @param job         the job.
 * @param ret_data    gets the bytes, aligned for any type; may be NULL.
 * @param ret_bytes   gets their number, 0 for an empty reply; may be NULL.
 * @return 0. A job that returned an error code may have replied too.
 * @errors PE_EAGAIN: it has not ended. PE_ENODATA: it wrote no reply, or did not return. PE_EINVAL: job NULL.
 *         PE_EFORKED.
 * @ownership the bytes are the job's, until pe_job_free, also after pe_pool_free. Up to 256 KiB lie in the program's
 *         own memory. Larger replies stay in memory shared with the workers, which a worker that writes where it should
 *         not could still change: copy before you check them if that matters.
 * @threads any. @child no. @since 1.0
 */
PE_EXPORT int pe_job_result(const pe_job *job, const void **ret_data, size_t *ret_bytes);

/**
 * Asks for a job or a map to be stopped. What waits in the queue has ended when the call returns. What runs
 * is asked by pe_worker_cancelled; if it is still running after the pool's grace_ns, its worker gets SIGTERM,
 * and after another grace_ns SIGKILL, and is replaced. Of a map no further item is started. Asking again changes
 * nothing.
 *
 * @param job   the job.
 * @return 0 when the request was taken. The ending tells what came of it: PE_CANCELLED, or how a job ended by itself
 *         before it was signalled (PE_RETURNED, or PE_CRASHED and the like: it is not run again, whatever its retries
 *         are); PE_TIMED_OUT if it was being stopped for its limit already. No other job is hurt. Wait for it as for
 *         any other.
 * @errors PE_EALREADY: it has ended. PE_EINVAL: job NULL. PE_EFORKED.
 * @threads any, callbacks too. @child no. @since 1.0
 */
PE_EXPORT int pe_job_cancel(pe_job *job);

/**
 * Has a function called once the job has ended; at the next opportunity if it has ended already, never inside
 * this call. Each accepted registration is called exactly once, in the order of registration.
 *
 * @param job       the job.
 * @param fn        the function, see pe_done_fn.
 * @param context   handed to it; may be NULL.
 * @return 0.
 * @errors PE_EINVAL: job or fn NULL. PE_ENOMEM: nothing was registered. PE_ECLOSED: after pe_pool_free, and in
 *         the callbacks that it runs last: nobody would call it. PE_EFORKED.
 * @ownership the context stays the caller's. The registration keeps the job's memory, not its result, so the handle may
 *         be freed before.
 * @threads any, callbacks too. @child no. @since 1.0
 */
PE_EXPORT int pe_job_on_done(pe_job *job, pe_done_fn *fn, void *context);

/**
 * Gives a handle back, and its result and texts with it. A job that has not ended goes on and its result is
 * dropped; to stop it, call pe_job_cancel first.
 *
 * @param job   NULL is fine.
 * @ownership the handle is gone; nobody else may be using it.
 * @threads any, callbacks too. @child yes, for a child's copy of a handle; the parent's job stays as it is. @since 1.0
 */
PE_EXPORT void pe_job_free(pe_job *job);

/**
 * Appends bytes to the reply of the running job.
 *
 * @param reply   what the function was given.
 * @param data    bytes to copy; NULL only when there are none.
 * @param bytes   0 and above; 0 makes an empty reply, which is not the same as none.
 * @return 0.
 * @errors PE_ETOOBIG: more than max_reply_bytes of the pool. PE_ENOMEM: no memory for it. PE_EINVAL: reply NULL, or
 *         data NULL with bytes. PE_EFORKED: in a process that the function has forked. The first error of the first two
 *         kinds sticks: later writes return it too, the reply is dropped, and the job ends as PE_RETURNED with that
 *         error as its code, whatever the function returns. So it does with PE_ENOMEM where the program has no memory
 *         to take the reply over.
 * @ownership the bytes are copied.
 * @threads the one that runs the job. @child yes, that is what it is for. @since 1.0
 */
PE_EXPORT int pe_reply_write(pe_reply *reply, const void *data, size_t bytes);

/**
 * Appends room to the reply of the running job, to be filled in by it: a result that is made in place is
 * copied once less.
 *
 * @param reply   what the function was given.
 * @param bytes   0 and above.
 * @return the start of the room, whose bytes are arbitrary. The first one of a job is aligned for any type that fits
 *         into it, later ones follow without a gap. It is valid until the next write or reserve, which may move the
 *         whole reply, and no longer than the job runs.
 * @errors NULL: reply NULL, or no room, as for pe_reply_write.
 * @threads the one that runs the job. @child yes, that is what it is for. @since 1.0
 */
PE_EXPORT void *pe_reply_reserve(pe_reply *reply, size_t bytes);

PE_END_DECLS

#endif
