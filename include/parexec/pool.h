/**
 * @file pool.h
 * A process pool: workers, and the queue before them.
 *
 * A pool runs functions of the program in worker processes. Jobs go in one by one (pe_pool_submit) or as maps
 * and reduces over many items (pe_pool_map, pe_pool_start_map, pe_pool_reduce); map.h and job.h describe the
 * functions and what comes back. What crashes, exits or gets killed is one job or one item: the worker is
 * replaced and the others do not notice.
 *
 *     pe_pool *pool;
 *     pe_job *job;
 *     int error = pe_pool_new(NULL, &pool);
 *
 *     if (error < 0)
 *         return error;
 *     error = pe_pool_submit(pool, compile, "a.c", 4, NULL, &job);
 *     if (error == 0) {
 *         pe_job_wait(job, PE_FOREVER);
 *         ...
 *         pe_job_free(job);
 *     }
 *     pe_pool_join(pool, PE_FOREVER);
 *     pe_pool_free(pool);
 *
 * What workers see. Workers are forked from the program: they see its functions and its memory as they were
 * at pe_pool_new (with PE_POOL_FROM_SEED: at pe_init), each in a copy of its own. Later changes do not reach
 * them, theirs do not reach the program or each other, and a pointer into memory that is younger than the
 * fork is worthless there. What a job needs goes with it as bytes, results come back as bytes; large data is
 * best kept in memory of pe_pool_alloc, which all share at the same address, or made before the pool and read
 * where it is (PE_MAP_INHERITED in map.h). Functions run on a copy of the stack that pe_pool_new was called on, or
 * on a new one of 8 MiB where less than 1 MiB of that was left.
 *
 * Processes. A pool has one further process, the keeper, which forks the workers, sees them die and replaces them; the
 * library makes no threads. None of these processes is a child of the program: no wait of it finds them, no SIGCHLD
 * comes for them, and its own SIGCHLD handling does not disturb them. (In a program that adopts orphans, as the first
 * process of a container and one with PR_SET_CHILD_SUBREAPER does, keeper and seed are such orphans: the library reaps
 * the keeper, a wait for any child may be quicker, and that does no harm.) All end within a second when the program
 * ends, in whatever way. If the keeper is killed, the pool is broken: PE_EBROKEN.
 *
 * Workers start with default signal handling and an open mask, but ignore SIGINT and SIGQUIT (Ctrl-C is for
 * the program to deal with); with descriptors 0 to 2 and keep_fds, all others closed; with empty stdio
 * buffers. No atexit handler or destructor of the program runs in them.
 *
 * Core dumps: a worker that crashes leaves one where the program would (ulimit -c). Shared memory is left out, of the
 * program's own core too, but for what tells which jobs were in hand, and arguments up to 64 bytes. A worker that
 * wants pages of pe_pool_alloc in it calls madvise(pages, bytes, MADV_DODUMP), say in worker_init.
 *
 * Threads: any thread may use a pool, several at once; only pe_pool_free must be the last use. A program that
 * has threads when it makes a pool should read init.h. Waiting: of several waiting threads one looks after
 * the pool for all. Callbacks run inside these calls, see pe_done_fn in job.h.
 *
 * Forks: a pool belongs to the process that made it. In a child of the program, and in a worker, each call
 * returns PE_EFORKED; pe_pool_free gives back the child's memory and descriptors, and the parent's pool
 * stays as it is. A child may make pools of its own.
 *
 * Signals: only pe_pool_interrupt may be called in a signal handler. Signals do not end waits.
 */
#ifndef PAREXEC_POOL_H
#define PAREXEC_POOL_H

#include <parexec/export.h>
#include <parexec/job.h>
#include <parexec/map.h>
#include <parexec/options.h>
#include <parexec/worker.h>

PE_BEGIN_DECLS

/** Workers and the queue before them. From pe_pool_new to pe_pool_free. */
typedef struct pe_pool pe_pool;

/**
 * @name Flags of pe_pool_options
 * @{
 */

/**
 * No processes: jobs and maps run in the calling thread, inside the call that hands them over. For debugging. Nothing
 * is isolated, a crash is the program's, nothing can be cancelled, and there are no time limits: only a whole map ends
 * early, between two items, by its deadline or, pe_pool_map, an interrupt. Retries, limits and pins mean nothing,
 * initialisers are not run, output is not caught, the worker index is 0. A function that runs so must not wait for,
 * join or free the pool.
 */
#define PE_POOL_INLINE (UINT32_C(1) << 0)

/** Workers come from the process that pe_init made (init.h). Not with PE_POOL_KEEP_FDS. */
#define PE_POOL_FROM_SEED (UINT32_C(1) << 1)

/**
 * Workers keep all descriptors of the program. Ends of pipes and sockets then stay open in them too, so their other
 * ends see no end of file.
 */
#define PE_POOL_KEEP_FDS (UINT32_C(1) << 2)

/**
 * Workers keep the signal dispositions of the program and the mask of the thread that makes the pool. Not with
 * PE_POOL_FROM_SEED.
 */
#define PE_POOL_KEEP_SIGNALS (UINT32_C(1) << 3)

/**
 * Each worker leads a process group of its own: what stops the worker also stops the processes that its jobs have
 * started and left in the group, and its end ends them.
 */
#define PE_POOL_GROUPS (UINT32_C(1) << 4)

/**
 * Where a job or item was when it crashed is kept as PE_TEXT_BACKTRACE (job.h). Workers then have a handler, on a stack
 * of its own, for SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP and SIGSYS, which looks at the stack and lets the
 * signal end the worker as ever: endings and core dumps are the same. A signal that is ignored, or for which a function
 * sets a handler of its own, leaves no trace.
 */
#define PE_POOL_BACKTRACE (UINT32_C(1) << 5)
/** @} */

/** The most that is kept of the output of one job or item. */
#define PE_OUTPUT_BYTES_MAX (UINT64_C(1) << 20)

/** The most workers that a pool has. */
#define PE_WORKERS_MAX 1024

/**
 * @name How workers are pinned: pe_pool_options.affinity
 * A worker that is pinned runs on one CPU, out of those that the thread which makes the pool may use; a replacement
 * runs on the same one. With more workers than CPUs they share. What a job starts, threads and processes, is on its
 * worker's CPU too, unless it sees to that itself.
 * @{
 */

/** Not: the system moves them as it likes. */
#define PE_PIN_NONE 0

/**
 * Far from each other, for jobs that need much memory: each worker has a package, a cache and a core to itself as far
 * as there are enough, second threads of a core are used last.
 */
#define PE_PIN_SPREAD 1

/** Close to each other, for jobs that share data: threads of one core first, then the next core of the same cache. */
#define PE_PIN_COMPACT 2
/** @} */

/** For pe_pool_options.inner_threads: the usable CPUs divided by the workers, at least 1; 1 for pinned workers. */
#define PE_INNER_THREADS_SHARE UINT32_MAX

/**
 * How a pool is to be made.
 *
 * memory_limit_bytes: a limit that the kernel enforces on each worker (RLIMIT_DATA), above what it has at its start. It
 * counts private writable memory, touched or not; not the pool's shared memory, nor the stack of the first thread.
 * Beyond it malloc returns NULL and new throws. A job or item that crashes then, or calls exit with a failure, ends as
 * PE_OUT_OF_MEMORY, as far as it can be told: errno is ENOMEM when it dies, or less is left than a sixteenth of the
 * limit and less than 1 MiB. One that handles a crash itself, or leaves by _exit, ends as PE_CRASHED or PE_EXITED; so
 * does, with signal 9, one that the kernel kills because the machine is out of memory. worker_init is under the limit
 * too; processes that a job starts inherit it, each for itself. Where /proc cannot be read, there is no limit.
 *
 * rss_limit_bytes: for functions that leak. What counts is resident private memory beyond what the worker had when its
 * initialiser returned; not what it shares with the program since the fork, nor the pool's shared memory. A worker
 * looks after a job or an item, once a millisecond at most, so it may have exceeded the limit by what it takes in a
 * millisecond or in one job. Where /proc cannot be read, there is no limit.
 *
 * inner_threads: as many workers as CPUs, each with a library that starts as many threads as CPUs, get into each
 * other's way. Before its initialiser a worker sets OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, GOTO_NUM_THREADS,
 * MKL_NUM_THREADS, BLIS_NUM_THREADS, VECLIB_MAXIMUM_THREADS, NUMEXPR_NUM_THREADS, NUMEXPR_MAX_THREADS,
 * NUMBA_NUM_THREADS, POLARS_MAX_THREADS, JULIA_NUM_THREADS, RAYON_NUM_THREADS and GOMAXPROCS, which reaches what the
 * worker loads or starts from then on, programs included. If the program is linked with OpenMP, its omp_set_num_threads
 * is called as well; with 1, functions that use OpenMP then also run in the workers of a program that has used GNU's
 * OpenMP before it made the pool, where they hang else. Out of reach are other libraries that have read their variable
 * when the program was loaded: call their own function in worker_init, or set the variable before the program starts.
 *
 * output_bytes: under a limit on file sizes (RLIMIT_FSIZE, ulimit -f) each job and item may write half of it at least;
 * one that writes more than the limit is killed, as if it wrote to a file: PE_CRASHED with SIGXFSZ. Workers are
 * replaced for that where it is needed. The keeper has a descriptor for each worker; where no more can be had
 * (RLIMIT_NOFILE), there are fewer workers, as if there were no more processes.
 */
typedef struct pe_pool_options {
    size_t size;                 /**< sizeof(pe_pool_options) */
    uint32_t workers;            /**< 1 to PE_WORKERS_MAX; 0: pe_cpu_count() of them, at most as many */
    uint32_t flags;              /**< PE_POOL_*; 0: none */
    pe_worker_fn *worker_init;   /**< run by each worker before its first job; NULL: nothing is */
    pe_worker_fn *worker_exit;   /**< run by a worker that leaves by itself; NULL: nothing is */
    void *worker_context;        /**< handed to both, an address that means the same in the workers' memory */
    uint64_t queue_jobs;         /**< jobs of each priority that may wait for a worker, at most 2^20; with more,
                                      pe_pool_submit waits. Maps and what runs do not count. 0: 4096 */
    uint64_t shared_bytes;       /**< range of addresses for pe_pool_alloc, arguments and arrays of maps. It costs
                                      memory only as far as it is used; less is taken where it is refused, and never
                                      less than 4 MiB is asked for. 0: twice the machine's memory, at most 2 TiB (where
                                      addresses have 32 bits 128 MiB) */
    uint64_t jobs_per_worker;    /**< replace a worker once it has run so many jobs and items; 0: never */
    uint64_t max_reply_bytes;    /**< most bytes of one reply; 0: what memory holds */
    uint64_t memory_limit_bytes; /**< bytes by which a worker's private memory may grow; what goes beyond fails, see
                                      above; 0: no limit */
    uint64_t rss_limit_bytes;    /**< replace a worker, between jobs or items, once its private memory has grown by more
                                      since its initialiser, see above; 0: never */
    uint32_t max_deaths;         /**< worker deaths in a row, with no job or item ended in between, that break the pool.
                                      The first five are replaced at once, then one in 100 ms is. 0: 100; UINT32_MAX: it
                                      never breaks for that */
    uint32_t inner_threads;      /**< threads that libraries may start in each worker, see above: 1 to 65536, or
                                      PE_INNER_THREADS_SHARE; 0: as the program's environment says */
    int64_t idle_ns;             /**< a worker that has found nothing to do for so long leaves, and is started again
                                      when there is; 0: it stays. An inline pool has none that could */
    int64_t grace_ns;            /**< time that a job which is to stop has before SIGTERM, and again before SIGKILL; 0:
                                      100 ms; PE_NOW: SIGKILL at once */
    const int32_t *keep_fds;     /**< descriptors that workers keep, besides 0 to 2, under the same numbers; read in the
                                      call. NULL: none */
    size_t keep_fd_count;        /**< their number, at most 65536; with PE_POOL_FROM_SEED 200 */
    uint64_t queue_bytes;        /**< bytes of the arguments of jobs of each priority that may wait for a worker; with
                                      more, pe_pool_submit waits. An argument above that may wait alone. 0: what
                                      shared_bytes allows */
    uint64_t output_bytes;       /**< keep the last so many bytes that a job or item writes to descriptors 1 and 2, by
                                      whatever means and in whatever process of its own, as PE_TEXT_OUTPUT (job.h);
                                      nothing reaches the program's own. Rounded up to 4096, at most
                                      PE_OUTPUT_BYTES_MAX, see above. 0: output goes where the program's goes */
    uint32_t affinity;           /**< PE_PIN_*; 0: none */
    uint32_t reserved;           /**< 0 */
} pe_pool_options;

/** All defaults. */
#define PE_POOL_OPTIONS_INIT \
    { sizeof(pe_pool_options), 0, 0, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0 }

/** What a pool has done since it was made, and what it is doing. Items of streams are jobs, and so are the groups of
 * blocks of a reduce and the parts of a broadcast. */
typedef struct pe_stats {
    size_t size;                /**< sizeof(pe_stats), set by the caller */
    uint32_t workers;           /**< asked for, by the options or pe_pool_resize */
    uint32_t workers_alive;     /**< past their initialiser and not dead or gone */
    uint64_t submitted;         /**< jobs accepted, a map is one */
    uint64_t queued;            /**< jobs that wait for a worker, maps and broadcasts apart */
    uint64_t running;           /**< jobs neither queued nor ended, and all maps that have not ended */
    uint64_t returned;          /**< jobs ended as PE_RETURNED, with whatever code */
    uint64_t crashed;           /**< jobs ended as PE_CRASHED or PE_EXITED */
    uint64_t cancelled;         /**< jobs ended as PE_CANCELLED */
    uint64_t restarts;          /**< workers replaced after a death, also one that stopping a job took */
    uint64_t recycled;          /**< workers replaced for jobs_per_worker or rss_limit_bytes, or because output_bytes
                                     met RLIMIT_FSIZE */
    uint64_t bytes_in;          /**< bytes of arguments and map inputs handed over */
    uint64_t bytes_out;         /**< bytes of replies and map outputs received */
    uint64_t shared_bytes_used; /**< bytes of shared memory in use, as rounded up: pe_pool_alloc, arguments, running
                                     maps */
    uint64_t timed_out;         /**< jobs ended as PE_TIMED_OUT */
    uint64_t out_of_memory;     /**< jobs ended as PE_OUT_OF_MEMORY */
    uint64_t lost;              /**< jobs ended as PE_LOST */
    int64_t queue_ns;           /**< nanoseconds that the jobs which have ended waited for a worker, in all; maps
                                     apart */
    int64_t run_ns;             /**< nanoseconds that workers have spent in jobs and maps, what runs now included */
    int64_t idle_ns;            /**< nanoseconds that workers had nothing to do */
    uint64_t retired;           /**< workers that left after pe_pool_options.idle_ns, or were too many for
                                     pe_pool_resize */
    pe_status last_death;       /**< how the last worker died that was not to end: kind, code, pid and worker; as
                                     PE_RETURNED, with its code, if its initialiser failed. PE_PENDING: none did */
} pe_stats;

/** To be filled in. */
#define PE_STATS_INIT \
    { sizeof(pe_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
      { 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0, 0 } } }

/** @name Values of pe_worker_stats.state
 * @{ */
#define PE_WORKER_ABSENT 0   /**< there is no process */
#define PE_WORKER_STARTING 1 /**< its initialiser is not over */
#define PE_WORKER_IDLE 2     /**< it waits */
#define PE_WORKER_RUNNING 3  /**< it runs a job, or items of a map */
#define PE_WORKER_LEAVING 4  /**< it is about to end by itself */
/** @} */

/** What a worker is doing, and what it and those before it of the same number have done. */
typedef struct pe_worker_stats {
    size_t size;             /**< sizeof(pe_worker_stats), set by the caller */
    uint32_t state;          /**< PE_WORKER_* */
    int32_t pid;             /**< of its process, 0: there is none */
    uint64_t lives;          /**< processes that the number has had, this one included */
    uint64_t ended;          /**< jobs and items that they have ended, and parts of maps that they have come to the end
                                  of */
    int64_t run_ns;          /**< nanoseconds that they spent in jobs and maps, what runs now included */
    int64_t idle_ns;         /**< nanoseconds that they had nothing to do */
    int64_t state_ns;        /**< nanoseconds for which it has been idle, or run the present job or part of a map; 0 in
                                  other states */
    uint64_t item;           /**< item of a map that it runs; UINT64_MAX: none */
    uint64_t resident_bytes; /**< memory that is resident in its process, shared memory apart; what it has from the
                                  program by the fork counts. 0: it cannot be told */
} pe_worker_stats;

/** To be filled in. */
#define PE_WORKER_STATS_INIT { sizeof(pe_worker_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Makes a pool. Returns as soon as one worker has finished its initialiser and can run jobs; the others
 * follow by themselves.
 *
 * @param options    NULL: all defaults, a worker for each usable CPU.
 * @param ret_pool   gets the pool.
 * @return 0.
 * @errors PE_EINIT: a worker's initialiser failed or crashed before any had come through its own. PE_EINVAL: ret_pool
 *         NULL, a wrong size, unknown flags, a number out of range, PE_POOL_FROM_SEED before pe_init. PE_EAGAIN: no
 *         process can be had now. PE_ENOMEM. PE_EMFILE, PE_ENFILE: no descriptors; a pool takes seven, from the seed
 *         eight. PE_EBADF: with PE_POOL_FROM_SEED, one of keep_fds is not open. PE_EPERM: in a worker, four pools
 *         inside one another already. PE_EBROKEN: the keeper ended at once, or the seed was killed.
 * @ownership the pool is the caller's, to be freed by pe_pool_free. The options are copied; functions and
 *         worker_context must stay valid in the workers, not in the program.
 * @threads any. @child yes, also in a worker, up to four pools inside one another, the outermost counted. @since 1.0
 */
PE_EXPORT int pe_pool_new(const pe_pool_options *options, pe_pool **ret_pool);

/**
 * Hands over a job: fn will be called in a worker with a copy of the argument. Jobs of one priority start in the
 * order of submission. While queue_jobs jobs of its priority wait already, or queue_bytes bytes of their arguments,
 * the call waits for room, and looks after the pool meanwhile.
 *
 * @param pool        the pool.
 * @param fn          the job's function. It must have been loaded when the workers were forked.
 * @param arg         arg_bytes bytes, copied; NULL only when there are none.
 * @param arg_bytes   0 and above. Up to 8 bytes travel cheapest, up to 64 nearly so; the same holds for replies.
 * @param options     NULL: all defaults.
 * @param ret_job     gets a handle; NULL: none is wanted, and what the job replies is dropped.
 * @return 0.
 * @errors PE_ETIMEDOUT: no room by options.submit_deadline_ns. PE_EINTR: pe_pool_interrupt was called while it waited.
 *         PE_EAGAIN: no room, in a callback, where it does not wait. PE_ECLOSED: closed, joined or killed. PE_EBROKEN.
 *         PE_ENOTLOADED: the workers have no such function, since its library was loaded, or its code generated, after
 *         the fork. PE_ENOMEM. PE_EINVAL: pool or fn NULL, arg NULL with arg_bytes, wrong options. PE_EFORKED. After
 *         any of them nothing was handed over.
 * @ownership the handle is the caller's, to be freed by pe_job_free, before or after the pool. The argument stays the
 *         caller's and is not needed any more.
 * @threads any, callbacks too. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                             const pe_job_options *options, pe_job **ret_job);

/**
 * Hands over a job as pe_pool_submit does, but never waits.
 *
 * @param pool, fn, arg, arg_bytes, ret_job   as for pe_pool_submit.
 * @param options                             as for pe_pool_submit; submit_deadline_ns is ignored.
 * @return 0.
 * @errors PE_EAGAIN: the queue is full. The others as for pe_pool_submit, but not PE_ETIMEDOUT and PE_EINTR.
 * @ownership as for pe_pool_submit.
 * @threads any, callbacks too. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_try_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                                 const pe_job_options *options, pe_job **ret_job);

/**
 * Runs a function over an array, on all workers, and waits for the end: fn(in + i * in_bytes, out + i *
 * out_bytes, context) for each i below count. Arrays in memory of pe_pool_alloc are used in place; others are
 * copied to shared memory and back, but for an input that workers have had from the start, see
 * PE_MAP_INHERITED in map.h.
 *
 * @param pool        the pool.
 * @param fn          the items' function, see pe_map_fn. It must have been loaded when the workers were forked.
 * @param in          count elements of in_bytes each; NULL only when count or in_bytes is 0.
 * @param in_bytes    size of an input element, 0 and above.
 * @param out         count elements of out_bytes each; NULL only when count or out_bytes is 0. It must not overlap the
 *                    input. Elements whose item did not return 0 keep what they held, if the array is copied; one in
 *                    memory of pe_pool_alloc may have been written in part.
 * @param out_bytes   size of an output element, 0 and above.
 * @param count       0 and above; 0 is a map that has ended well. No product with a size may come near SIZE_MAX.
 * @param options     NULL: all defaults.
 * @return 0 when every item returned 0.
 * @errors PE_EITEMS: it ran to its end, or on_error stopped it, and not every item returned 0. Cut short were
 *         PE_ETIMEDOUT: options.deadline_ns passed; PE_EINTR: pe_pool_interrupt was called; PE_ECANCELED: the pool was
 *         killed or its queue cancelled by another thread; PE_EBROKEN: it broke, or had broken before, and items that
 *         had not ended are PE_LOST. Refused were those with PE_ECLOSED,
 *         PE_ENOTLOADED, PE_EFAULT (see PE_MAP_INHERITED), PE_ENOMEM, PE_EDEADLK (called in a callback), PE_EINVAL and
 *         PE_EFORKED: statuses and summary are as they were before.
 *
 * A map waits while 16 others have taken all places; one that is given up then is cut short like any other.
 * However a map that was not refused ends, on return nothing of it runs any more, every status is final, and the
 * output holds the results of exactly the items that returned 0. For a map that is cut short this takes as
 * long as the items in hand, but no longer than twice the pool's grace_ns and a little.
 *
 * @ownership everything stays the caller's.
 * @threads any. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_map(pe_pool *pool, pe_map_fn *fn, const void *in, size_t in_bytes, void *out,
                          size_t out_bytes, size_t count, const pe_map_options *options);

/**
 * Starts a map as pe_pool_map does, and returns: the map is a job to wait for, cancel and ask.
 *
 * @param pool, fn, in, in_bytes, out, out_bytes, count, options   as for pe_pool_map.
 * @param ret_job   gets a handle; NULL: none is wanted. The map runs and its results arrive all the same.
 * @return 0. Up to 16 maps may run at once; for a 17th the call waits until one of them has ended.
 * @errors PE_EAGAIN: 16 maps run, in a callback, where it does not wait. Statuses and summary are final with
 *         PE_ETIMEDOUT, PE_EINTR: while it waited, deadline_ns passed or pe_pool_interrupt was called; and PE_EBROKEN.
 *         They are as they were with PE_ECLOSED, PE_ENOTLOADED, PE_EFAULT, PE_ENOMEM, PE_EINVAL and PE_EFORKED, as for
 *         pe_pool_map. There is no handle after any of them.
 *
 * Results, statuses and summary are written when the map is found to have ended, in a call on the pool or
 * the job. With deadline_ns the pool's own processes end it, also while the program makes no call: it is
 * PE_TIMED_OUT then, and items that were not begun or were stopped are PE_CANCELLED.
 *
 * @ownership the handle is the caller's, to be freed by pe_job_free. Input, output, statuses and summary must stay
 *         where they are until the job has ended; the context was copied.
 * @threads any, callbacks too. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_start_map(pe_pool *pool, pe_map_fn *fn, const void *in, size_t in_bytes, void *out,
                                size_t out_bytes, size_t count, const pe_map_options *options,
                                pe_job **ret_job);

/**
 * A map without a pool: forks workers for this one call. So the function sees all of the program's memory as it
 * is now, input and context are read where they are and never copied, and pointers in them lead where they lead
 * in the program. Results come back as from pe_pool_map, and an item's crash costs that item.
 *
 * It takes the time of a fork (about a millisecond, and more for each GiB that the program uses: 1 ms in huge
 * pages, 40 ms in pages of 4 KiB, for each process) and is for maps that last longer than that. For many small
 * ones, and for large results, a pool is better, whose workers and shared memory are there already.
 *
 * @param pool_options                          of the workers, as for pe_pool_new; NULL: all defaults. No more are
 *                                              forked than there are items. Not PE_POOL_FROM_SEED; queue_jobs means
 *                                              nothing. worker_exit runs, until options.deadline_ns at the latest;
 *                                              without one the workers are just ended.
 * @param fn                                    as for pe_pool_map; any function of the program.
 * @param in, in_bytes, out, out_bytes, count   as for pe_pool_map.
 * @param options                               as for pe_pool_map; PE_MAP_INHERITED is implied.
 * @return 0 when every item returned 0. No process of the call is left then, nor after an error.
 * @errors PE_EITEMS, PE_ETIMEDOUT: as for pe_pool_map. No map was begun with PE_EINIT, PE_EINVAL, PE_EAGAIN, PE_ENOMEM,
 *         PE_EMFILE, PE_ENFILE, PE_EPERM: as for pe_pool_new; and PE_EFAULT: input or context is not mapped, or is of
 *         the kind that a fork leaves out; statuses and summary are as they were. PE_EBROKEN is either: there was no
 *         keeper, or it ended.
 * @ownership everything stays the caller's. What the function changes in its memory stays in its worker.
 * @threads any, callbacks too. Where other threads run, workers are copies in which the locks that those hold stay
 *         locked (init.h): the function must not need them, or the program uses a pool from a seed. pe_pool_interrupt
 *         cannot end the call, deadline_ns does.
 * @child yes, as pe_pool_new.
 * @since 1.0
 */
PE_EXPORT int pe_map_once(const pe_pool_options *pool_options, pe_map_fn *fn, const void *in, size_t in_bytes,
                          void *out, size_t out_bytes, size_t count, const pe_map_options *options);

/**
 * Combines what a function makes of the parts of a range of integers, and waits for the end. The range is cut
 * into blocks, at most PE_REDUCE_BLOCKS_MAX, whose borders follow from first and last alone. Each block
 * starts from a copy of acc, and the parts are combined one after the other in the order of the range: the
 * result does not depend on the number of workers, on chunk or on retries.
 *
 * @param pool          the pool.
 * @param fn            the blocks' function, in workers, see pe_range_fn.
 * @param combine       adds a part to what has been combined so far, in this thread, see pe_combine_fn.
 * @param first, last   the numbers from first to last - 1; first == last leaves acc as it is.
 * @param acc           on entry the neutral element; on success the result. It starts the sum too, so combine of it and
 *                      a part must be that part.
 * @param acc_bytes     its size, above 0.
 * @param options       NULL: all defaults. statuses must be NULL; on_error means nothing.
 * @return 0.
 * @errors PE_EITEMS: a block or combine returned an error, a block ran longer than timeout_ns, its worker died more
 *         often than retries allows, or the parts of a group were larger than the pool's max_reply_bytes (first.code is
 *         PE_ETOOBIG then); the summary tells. PE_ETIMEDOUT, PE_EINTR, PE_ECANCELED, PE_EBROKEN: cut short, as for
 *         pe_pool_map. PE_EDEADLK: called in a callback. PE_EINVAL: also first above last, acc NULL, acc_bytes 0 or
 *         huge, statuses. PE_ECLOSED, PE_ENOTLOADED, PE_EFAULT, PE_ENOMEM, PE_EFORKED. After any of them acc is
 *         unchanged and nothing of the reduce runs any more.
 * @ownership everything stays the caller's.
 * @threads any. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_reduce(pe_pool *pool, pe_range_fn *fn, pe_combine_fn *combine, uint64_t first,
                             uint64_t last, void *acc, size_t acc_bytes, const pe_map_options *options);

/**
 * Waits until no job is left: all that were handed over have ended, those too which other threads or
 * callbacks hand over meanwhile. Their callbacks have been called, unless another thread is doing so.
 *
 * @param pool          the pool.
 * @param deadline_ns   point in time, as of pe_after; 0 only looks, PE_FOREVER waits without end.
 * @return 0, also when the pool has ended or is broken, since nothing is left then.
 * @errors PE_ETIMEDOUT. PE_EINTR: pe_pool_interrupt was called. PE_EDEADLK: called in a callback. PE_EINVAL: pool NULL,
 *         or a deadline that is negative or a duration by mistake. PE_EFORKED.
 * @threads any. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_wait(pe_pool *pool, int64_t deadline_ns);

/**
 * Takes no new jobs from now on: submitting, mapping, broadcasting and resizing give PE_ECLOSED. What was handed over
 * runs; a stream makes no further items.
 *
 * @param pool   the pool.
 * @return 0, also when it was closed before.
 * @errors PE_EINVAL: pool NULL. PE_EFORKED.
 * @threads any, callbacks too. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_close(pe_pool *pool);

/**
 * Closes the pool, waits until all jobs have ended, and lets the workers leave by themselves: worker_exit
 * runs. Afterwards no process is left. Results stay until pe_job_free, shared memory until pe_pool_free.
 *
 * @param pool          the pool.
 * @param deadline_ns   as for pe_pool_wait.
 * @return 0, also when the pool was joined or killed before.
 * @errors PE_ETIMEDOUT, PE_EINTR: it is closed and goes on ending; join again, or kill it. PE_EBROKEN: it broke.
 *         PE_EDEADLK: called in a callback. PE_EINVAL, PE_EFORKED: as for pe_pool_wait.
 * @threads any. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_join(pe_pool *pool, int64_t deadline_ns);

/**
 * Cancels everything that waits in the queue: jobs that no worker has begun, and maps of which no worker has
 * begun any part. They have ended as PE_CANCELLED when the call returns. What runs goes on.
 *
 * @param pool   the pool.
 * @return 0, also when there was nothing.
 * @errors PE_EINVAL: pool NULL. PE_EFORKED.
 * @threads any, callbacks too. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_cancel_queued(pe_pool *pool);

/**
 * Ends the pool now. Workers get SIGTERM, whatever is still there after the grace SIGKILL; what had not ended
 * is PE_CANCELLED. Takes at most the grace and some seconds, whatever state the workers are in.
 *
 * @param pool       the pool.
 * @param grace_ns   nanoseconds; 0: the pool's grace_ns; PE_NOW: SIGKILL at once.
 * @return 0: no process is left, results stay. Also when the pool had ended or broken before.
 * @errors PE_EDEADLK: called in a callback. PE_EINVAL: pool NULL, grace_ns below PE_NOW. PE_EFORKED.
 * @threads any; threads that wait in the pool meanwhile come back. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_kill(pe_pool *pool, int64_t grace_ns);

/**
 * Gives a pool back. One that was not joined is killed first, with its grace_ns: to have everything done,
 * call pe_pool_join before. Callbacks of jobs that have ended run now, and can register no further ones.
 *
 * @param pool   NULL is fine.
 * @ownership the pool is gone, its descriptor and the memory of pe_pool_alloc with it; no other thread may be using
 *         them, and no callback of the pool may call this. Handles of jobs stay, with their results.
 * @threads any.
 * @child yes, for a child's copy of a pool: memory and descriptors of the child are given back, and the parent's pool
 *         stays as it is. In a worker it does nothing to a copy.
 * @since 1.0
 */
PE_EXPORT void pe_pool_free(pe_pool *pool);

/**
 * Memory that the program and all workers see at the same address, and that each of them may write. For the
 * arrays of maps, which are used in place there, and for whatever jobs should share.
 *
 * @param pool         the pool.
 * @param bytes        0 and above; 0 gives a place of its own too.
 * @param ret_memory   gets the memory: zeroed, aligned to 64 bytes.
 * @return 0.
 * @errors PE_ENOMEM: the pool's shared_bytes are used up or in pieces too small. PE_EBROKEN. PE_EINVAL: pool or
 *         ret_memory NULL. PE_EFORKED.
 * @ownership the caller's, to be given back by pe_pool_dealloc; pe_pool_free gives all of it back. It must stay while a
 *         job or a map uses it. The library puts no order on accesses to it: what a job wrote may be read once the job
 *         has ended.
 * @threads any, callbacks too. @child no, a worker uses what the program has made. @since 1.0
 */
PE_EXPORT int pe_pool_alloc(pe_pool *pool, size_t bytes, void **ret_memory);

/**
 * Gives memory of pe_pool_alloc back.
 *
 * @param pool     the pool.
 * @param memory   NULL is fine. What is not the start of such memory is ignored.
 * @threads any, callbacks too. @child no; it does nothing there. @since 1.0
 */
PE_EXPORT void pe_pool_dealloc(pe_pool *pool, void *memory);

/**
 * A descriptor to watch for reading in an event loop (poll, epoll level or edge triggered, GLib, libuv): when
 * it becomes readable, call pe_pool_poll. It is only to be watched, never read, written or closed. Before the
 * first watch and after every event call pe_pool_poll until it returns 0, or events may be missed.
 *
 * A job that writes over the library's memory can wipe out that somebody watches. A wait finds that out by
 * itself within seconds; a loop that is to survive it calls pe_pool_poll once a second besides.
 *
 * @param pool   the pool.
 * @return the descriptor, 3 or above; the same in every call.
 * @errors PE_EINVAL: pool NULL. PE_EFORKED.
 * @ownership the pool's; it is closed by pe_pool_free, so take it out of the loop before.
 * @threads any, callbacks too. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_fd(const pe_pool *pool);

/**
 * Takes over what has ended, calls callbacks, and does not wait. One step of an event loop.
 *
 * @param pool   the pool.
 * @return above 0: so many jobs (at most 256) have ended, call again. 0: nothing is left and the descriptor is armed:
 *         whatever ends from now on makes it readable. Takes over at most 256 endings in one call, so that a loop can
 *         look after others in between.
 * @errors PE_EINTR: pe_pool_interrupt was called. PE_EBROKEN: the pool is broken and nothing is left to take over: stop
 *         watching. PE_EDEADLK: called in a callback. PE_EINVAL: pool NULL. PE_EFORKED.
 * @threads any; other threads may wait in the pool meanwhile. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_poll(pe_pool *pool);

/**
 * Has one wait end with PE_EINTR: one that is going on, or else the next. Waits are pe_pool_wait, pe_pool_join,
 * pe_job_wait, pe_job_wait_any, pe_pool_map, pe_pool_reduce, pe_stream_next, pe_pool_resize, pe_pool_broadcast,
 * pe_pool_poll, and pe_pool_submit and pe_pool_start_map when they have to wait. A wait whose end has come returns that
 * instead (not so pe_pool_poll), and the interrupt stays for the next.
 *
 * @param pool   NULL is fine.
 * @threads any, callbacks too, and signal handlers; it keeps errno. The pool must not be freed meanwhile.
 * @child no; it does nothing there.
 * @since 1.0
 */
PE_EXPORT void pe_pool_interrupt(pe_pool *pool);

/**
 * Runs a function once in every worker, and waits for that: to have each of them load or forget something. Each runs it
 * when it has ended the job that it has in hand (its part of a map is one), and before what waits in the queue. Workers
 * that have left after idle_ns are started for it. Those that the pool gets later, by pe_pool_resize or in place of
 * dead ones, do not run it.
 *
 * @param pool          the pool.
 * @param fn            as for pe_pool_submit; replies are dropped.
 * @param arg           arg_bytes bytes, copied; NULL only when there are none.
 * @param arg_bytes     0 and above.
 * @param statuses      gets the endings, that of worker i as statuses[i]; NULL: none are wanted.
 * @param count         room in statuses. What is beyond the number of workers is left alone; with less room than
 *                      workers, all run it, and the first ones are told of.
 * @param deadline_ns   point in time, as of pe_after; PE_FOREVER waits without end, also for workers that cannot be
 *                      had.
 * @return 0 when every worker's function returned 0. A pool made with PE_POOL_INLINE runs it once, as worker 0.
 * @errors PE_EITEMS: not every one did: PE_CRASHED and PE_EXITED: its worker has been replaced, and the replacement has
 *         not run it; PE_CANCELLED: the queue was cancelled, or the pool has shrunk. Cut short were PE_ETIMEDOUT,
 *         PE_EINTR: what had not begun is PE_CANCELLED, what had begun was stopped as by pe_job_cancel; PE_ECANCELED:
 *         the pool was killed; PE_EBROKEN: it broke, or had broken before: PE_LOST. On return nothing of it runs any
 *         more, and statuses are final. Refused were those with PE_ENOTLOADED, PE_EDEADLK (called in a callback),
 *         PE_EINVAL and PE_EFORKED: statuses are as they were before. PE_ECLOSED and PE_ENOMEM are either: refused at
 *         once statuses are as they were, later they are final.
 *
 * One broadcast runs at a time; others wait for it. In the statistics it counts as a job for each worker.
 *
 * @threads any. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_broadcast(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                                pe_status *statuses, size_t count, int64_t deadline_ns);

/**
 * Changes the number of workers. The numbers of the workers stay as they are: a pool that grows gets the next ones, one
 * that shrinks loses the highest. New workers are copies of the same memory as those from pe_pool_new. Workers that are
 * too many finish the job or the item that they have in hand and leave; what is left of their part of a map is done
 * by the others. No job and no item is lost.
 *
 * @param pool          the pool.
 * @param workers       1 to PE_WORKERS_MAX; 0: pe_cpu_count() of them. How far a pool can grow was decided when it was
 *                      made: to PE_WORKERS_MAX with queue_jobs 0, else at least to 64, and to six times the workers
 *                      that it was made with. Where addresses have 32 bits: to 64, or not at all if it has more.
 * @param deadline_ns   point in time, as of pe_after; 0 only starts it, PE_FOREVER waits without end.
 * @return 0: all workers that are wanted have been ready (with idle_ns some may have left again), and those that were
 *         too many are gone. After a later call of another thread: as that one wants it. A pool made with
 *         PE_POOL_INLINE goes on having one, whatever the statistics say.
 * @errors PE_ETIMEDOUT, PE_EINTR (pe_pool_interrupt was called): not yet; it goes on by itself, also where it takes
 *         several attempts to start a process. PE_ENOMEM: the pool has no room for so many; nothing has changed.
 *         PE_ECLOSED: closed, joined or killed, before or meanwhile. PE_EBROKEN. PE_EDEADLK: called in a callback.
 *         PE_EINVAL: pool NULL, workers above PE_WORKERS_MAX, a deadline that is negative or a duration by mistake.
 *         PE_EFORKED.
 * @threads any. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_resize(pe_pool *pool, uint32_t workers, int64_t deadline_ns);

/**
 * The pool's figures. They are of one moment as far as the program's own counts go; workers and keeper go on
 * meanwhile.
 *
 * @param pool    the pool.
 * @param stats   its size set before (PE_STATS_INIT); filled in.
 * @return 0.
 * @errors PE_EINVAL: pool or stats NULL, a wrong size. PE_EFORKED.
 * @threads any, callbacks too. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_stats(const pe_pool *pool, pe_stats *stats);

/**
 * What one worker is doing. Asking costs the worker nothing. Times and states are what the workers' memory says: a
 * worker that writes where it should not can make them wrong, but not larger than the pool's age.
 *
 * @param pool     the pool.
 * @param worker   0 to the number of workers - 1, see pe_worker_index; of a pool that was larger once, also those
 *                 numbers that no process has any more.
 * @param stats    its size set before (PE_WORKER_STATS_INIT); filled in. In a pool made with PE_POOL_INLINE there are
 *                 no workers to tell of: all is 0, and item UINT64_MAX.
 * @return 0.
 * @errors PE_EINVAL: pool or stats NULL, a wrong size, no such worker. PE_EFORKED.
 * @threads any, callbacks too. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_worker_stats(const pe_pool *pool, uint32_t worker, pe_worker_stats *stats);

PE_END_DECLS

#endif
