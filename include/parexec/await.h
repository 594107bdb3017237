/**
 * @file await.h
 * Tasks that wait for what runs in a pool.
 *
 * A task hands a job to a pool and waits for it without holding up its loop: other tasks run meanwhile, and thousands
 * of jobs may be in flight. What becomes of a job, a crash too, arrives as its status.
 *
 *     static int parse_in_worker(pe_task *t, void *frame)
 *     {
 *         struct request *r = frame;
 *
 *         PE_BEGIN(t);
 *         if (pe_pool_try_submit(r->pool, parse, r->line, r->bytes, NULL, &r->job) < 0)
 *             PE_RETURN(t, PE_EAGAIN);
 *         PE_AWAIT(t, pe_await_job(t, r->job, &r->status));
 *         if (t->result == 0 && r->status.kind == PE_RETURNED)
 *             answer(r, r->job);
 *         pe_job_free(r->job);
 *         PE_RETURN(t, t->result);
 *         PE_END(t);
 *     }
 *
 * A pool is watched by its descriptor (pe_pool_fd), on each loop that waits for something of it, from the first wait to
 * the end of the loop or of the pool; that takes one descriptor more for each loop. Callbacks of pe_job_on_done run in
 * the loop's thread, outside any task, when that is what takes the jobs over. A pool may be used by any thread as ever,
 * and may be closed, killed, broken or freed while tasks wait: their waits end then.
 *
 * Before a loop sleeps with jobs in flight it looks for ends again and again, for 30 us at most, and the shorter the
 * more often that was in vain; not where the program has a single CPU, and not while as many jobs are in flight as it
 * has. What else becomes ready meanwhile waits as long. Taking over what has ended holds the loop up for some
 * microseconds for each hundred jobs, copying large results apart; that a pool is broken, for up to two seconds, until
 * its processes have gone.
 *
 * Threads: the loop's. Forks: in a child all give PE_EFORKED. Signals: none of it is for handlers.
 */
#ifndef PAREXEC_AWAIT_H
#define PAREXEC_AWAIT_H

#include <parexec/export.h>
#include <parexec/job.h>
#include <parexec/pool.h>
#include <parexec/task.h>

PE_BEGIN_DECLS

/**
 * Waits until a job, or a map of pe_pool_start_map, has ended, well or badly. If this wait is to be stopped, the job is
 * cancelled as by pe_job_cancel, and the wait ends when the job has, which takes twice the pool's grace_ns at most;
 * pe_shield_job leaves it alone.
 *
 * @param t            the task that waits.
 * @param job          of any pool; any number of tasks, of any loops, may wait for it. Its handle must stay until the
 *                     wait has ended, and is the caller's as before.
 * @param ret_status   gets how it ended; in the frame, since it is filled in when the wait ends. May be NULL.
 * @return in PE_AWAIT: 0 when it has ended, however; PE_LOST and the like are statuses.
 * @errors PE_ECANCELED, PE_ETIMEDOUT: the wait was to be stopped and the job was cancelled for it; ret_status is filled
 *         in. A job that ended by itself before that is 0, and the request is left to the next wait. PE_EINVAL: job
 *         NULL; t is not the task that runs. Not waited for, the job goes on: PE_ENOMEM, PE_EMFILE and others of libuv:
 *         there is no watching the pool. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_await_job(pe_task *t, pe_job *job, pe_status *ret_status);

/**
 * Waits for a job like pe_await_job, but leaves it running if this wait is to be stopped: that ends at once.
 *
 * @param t            the task that waits.
 * @param job          the job.
 * @param ret_status   as of pe_await_job.
 * @return as pe_await_job; ret_status is filled in only where the job has ended.
 * @errors as pe_await_job.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_shield_job(pe_task *t, pe_job *job, pe_status *ret_status);

/**
 * Hands over a job as pe_pool_submit does; where that would hold up the thread, because the queue is full, the task
 * waits for room. Those that wait for room on one loop, with the same priority, get it in their order.
 *
 * @param t                          the task that waits.
 * @param pool, fn, arg, arg_bytes   as for pe_pool_submit. The argument is copied at once.
 * @param options                    as for pe_pool_submit, and copied; NULL: all defaults.
 * @param ret_job                    gets a handle, when the wait ends with 0; it must live as long.
 * @return in PE_AWAIT: 0, mostly without a wait.
 * @errors those of pe_pool_submit, PE_ETIMEDOUT being submit_deadline_ns, but not PE_EINTR and PE_EAGAIN; PE_EINVAL
 *         also for ret_job NULL, and where t is not the task that runs. PE_ENOMEM, PE_EMFILE and others of libuv: there
 *         is no room, and no watching the pool. PE_ECANCELED, PE_ETIMEDOUT: the wait was to be stopped. After any of
 *         them nothing was handed over.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_await_submit(pe_task *t, pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                              const pe_job_options *options, pe_job **ret_job);

/**
 * Runs a function over an array as pe_pool_map does, while other tasks go on. If the wait is to be stopped, the map is
 * cancelled, and the wait ends when no worker touches input and output any more.
 *
 * @param t                                               the task that waits.
 * @param pool, fn, in, in_bytes, out, out_bytes, count   as for pe_pool_map. Input and output must stay where they are
 *                                                        until the wait has ended.
 * @param options                                         as for pe_pool_map, and copied, the context too; statuses and
 *                                                        summary must live as long as the input. NULL: all defaults.
 * @return in PE_AWAIT: 0 when every item returned 0.
 * @errors as for pe_pool_map, but not PE_EINTR and PE_EDEADLK; PE_ECANCELED, PE_ETIMEDOUT: also when the wait was to be
 *         stopped and the map was cut short for it. One that was to be stopped before it began is refused like any
 *         other that was not begun; one that waited for its place by then, while 16 others ran, is cut short. Refused
 *         also with PE_ENOMEM, PE_EMFILE and others of libuv: there is no watching the pool. PE_EINVAL also where t is
 *         not the task that runs.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_await_map(pe_task *t, pe_pool *pool, pe_map_fn *fn, const void *in, size_t in_bytes, void *out,
                           size_t out_bytes, size_t count, const pe_map_options *options);

PE_END_DECLS

#endif
