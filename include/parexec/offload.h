/**
 * @file offload.h
 * Functions that block, called off the loop.
 *
 * A task that called a slow function itself would hold up all others of its loop. pe_offload calls it elsewhere, and
 * the task waits: on a thread, or, with PE_ISOLATED, in a process of a pool, which a time limit really stops.
 *
 *     static int look_up(void *arg)
 *     {
 *         struct query *query = arg;
 *
 *         return database_look_up(query->key, query->answer);
 *     }
 *     ...
 *     PE_AWAIT(t, pe_offload(t, look_up, &f->query, NULL));
 *
 * Threads are the loop's own, made when they are needed and ended when they have had nothing to do for a while, or with
 * the loop; those that libuv looks up files and names with are left alone. Calls begin in their order. All signals are
 * blocked in these threads. Nothing stops a thread: a call that is to be stopped is asked (pe_offload_cancelled), and
 * the wait for it ends when it has returned, since it uses the task's memory. So does the closing of the loop.
 *
 * In a process the function sees memory as in any worker (pool.h), and its argument is a copy, which comes back. It can
 * be stopped, and if it crashes or exits that is an error of the wait and nothing else.
 *
 *     pe_offload_options options = PE_OFFLOAD_OPTIONS_INIT;
 *
 *     options.flags = PE_ISOLATED;
 *     options.arg_bytes = sizeof f->page;
 *     options.timeout_ns = PE_MS(100);
 *     PE_AWAIT(t, pe_offload(t, render, &f->page, &options));
 *
 * The waiting calls of pools (pe_pool_reduce, pe_pool_join and the like) are functions that block, too.
 *
 * Threads: the loop's, but for pe_offload_cancelled. Forks: in a child all give PE_EFORKED. Signals: none of it is for
 * handlers.
 */
#ifndef PAREXEC_OFFLOAD_H
#define PAREXEC_OFFLOAD_H

#include <parexec/export.h>
#include <parexec/job.h>
#include <parexec/pool.h>
#include <parexec/task.h>

PE_BEGIN_DECLS

/**
 * What is called off the loop.
 *
 * @param arg   what was given to pe_offload; with PE_ISOLATED a copy, aligned for any type, or NULL when there are no
 *              bytes.
 * @return 0 and above, or an error; never PE_WAIT, which counts as PE_EINVAL.
 *
 * On a thread it may use the rest of the library as any other thread, and must return: no exception, no longjmp.
 */
typedef int pe_offload_fn(void *arg);

/** Flag of pe_offload_options: in a process of a pool. */
#define PE_ISOLATED (UINT32_C(1) << 0)

/** Where and how a function is to be called; pool and what follows it are for PE_ISOLATED, else 0. */
typedef struct pe_offload_options {
    size_t size;        /**< sizeof(pe_offload_options) */
    uint32_t flags;     /**< PE_ISOLATED; 0: none */
    uint32_t reserved;  /**< 0 */
    pe_pool *pool;      /**< NULL: one of the loop's own. That is made in the first such call, which holds up the loop
                             for some milliseconds, and given back when the loop is closed. It has a worker for each
                             CPU, and a grace of PE_NOW: what is to be stopped is killed at once */
    size_t arg_bytes;   /**< bytes at arg, copied there and back; 0: none */
    int64_t timeout_ns; /**< how long the function may run, in nanoseconds; 0: for ever */
    pe_status *status;  /**< gets how it ended, when the wait ends; must live as long. NULL: nobody wants it */
} pe_offload_options;

/** All defaults. */
#define PE_OFFLOAD_OPTIONS_INIT { sizeof(pe_offload_options), 0, 0, NULL, 0, 0, NULL }

/**
 * Calls a function off the loop, and waits until it has returned. If the wait is to be stopped, a call that has not
 * begun never does; one that runs is asked to return, in a process it is stopped as by pe_job_cancel, and the wait ends
 * when that is done.
 *
 * @param t         the task that waits.
 * @param fn        the function. With PE_ISOLATED it must have been loaded when the pool's workers were forked.
 * @param arg       handed to it; may be NULL. It must stay until the wait has ended.
 * @param options   copied; NULL: all defaults, which is on a thread.
 * @return in PE_AWAIT: what the function returned. With PE_ISOLATED the bytes at arg are then those of the copy;
 *         otherwise they are as they were.
 * @errors PE_ECANCELED, PE_ETIMEDOUT: it has not begun or, in a process, was stopped; on a thread only when the
 *         function has answered the request by returning PE_ECANCELED. PE_EINVAL: fn NULL, wrong options, arg NULL with
 *         arg_bytes; t is not the task that runs. PE_ENOMEM. PE_EAGAIN: there is no thread to be had. PE_EFORKED. With
 *         PE_ISOLATED also: PE_ETIMEDOUT: timeout_ns is over. PE_ECRASHED: it has crashed, exited or run out of memory.
 *         PE_EBROKEN, PE_ECLOSED: so is the pool. PE_ENOTLOADED. PE_EMFILE and others of libuv: there is no watching
 *         the pool. Those of pe_pool_new, for the loop's own one.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_offload(pe_task *t, pe_offload_fn *fn, void *arg, const pe_offload_options *options);

/**
 * Whether the function that this thread or worker runs for pe_offload is asked to stop. In a worker it is
 * pe_worker_cancelled.
 *
 * @return 1 or 0; elsewhere 0.
 * @errors none.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT int pe_offload_cancelled(void);

/**
 * How many threads a loop may have for pe_offload at once. Those that are too many end when they have nothing to do.
 *
 * @param loop      the loop.
 * @param threads   1 to 1024; 0: the default, pe_cpu_count() but at least 4.
 * @return 0.
 * @errors PE_EINVAL: loop NULL, or too many. PE_ENOMEM. PE_ECLOSED. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_loop_set_threads(pe_loop *loop, uint32_t threads);

PE_END_DECLS

#endif
