#ifndef PAREXEC_POOL_H
#define PAREXEC_POOL_H
#include <parexec/export.h>
#include <parexec/job.h>
#include <parexec/map.h>
#include <parexec/options.h>
#include <parexec/worker.h>
PE_BEGIN_DECLS

typedef struct pe_pool pe_pool;

#define PE_POOL_INLINE    (UINT32_C(1) << 0)  /* everything in the caller */
#define PE_POOL_FROM_SEED (UINT32_C(1) << 1)  /* keeper forked by the process that pe_init made */
#define PE_POOL_KEEP_FDS  (UINT32_C(1) << 2)  /* workers keep all descriptors */
#define PE_POOL_KEEP_SIGNALS (UINT32_C(1) << 3)  /* workers keep dispositions and mask of the creating thread */
#define PE_WORKERS_MAX 1024

typedef struct pe_pool_options {
    size_t size;
    uint32_t workers;            /* 0: pe_cpu_count() */
    uint32_t flags;
    pe_worker_fn *worker_init;
    pe_worker_fn *worker_exit;
    void *worker_context;
    uint64_t queue_jobs;         /* jobs that may wait unclaimed; 0: 4096 */
    uint64_t shared_bytes;       /* shared memory for pe_pool_alloc, arguments, map data; 0: chosen */
    uint64_t jobs_per_worker;    /* 0: no limit */
    uint64_t max_reply_bytes;    /* 0: no limit but memory */
    uint64_t memory_limit_bytes; /* 0 only, so far */
    uint64_t rss_limit_bytes;    /* 0 only, so far */
    uint32_t max_deaths;         /* consecutive deaths without a success before PE_EBROKEN; 0: 100; UINT32_MAX: no limit */
    uint32_t inner_threads;      /* 0 only, so far */
    int64_t idle_ns;             /* 0 only, so far */
    int64_t grace_ns;            /* between flag, SIGTERM and SIGKILL; 0: 100 ms; PE_NOW: none */
    const int32_t *keep_fds;
    size_t keep_fd_count;
} pe_pool_options;
#define PE_POOL_OPTIONS_INIT { sizeof(pe_pool_options), 0, 0, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0 }

typedef struct pe_stats {
    size_t size;
    uint32_t workers;        /* asked for */
    uint32_t workers_alive;
    uint64_t submitted;      /* jobs accepted, a map is one */
    uint64_t queued;         /* not yet claimed */
    uint64_t running;
    uint64_t returned;       /* jobs ended with kind PE_RETURNED */
    uint64_t crashed;        /* PE_CRASHED or PE_EXITED */
    uint64_t cancelled;
    uint64_t restarts;       /* workers replaced after a death */
    uint64_t recycled;       /* workers replaced after jobs_per_worker */
    uint64_t bytes_in;       /* argument and map input bytes handed over */
    uint64_t bytes_out;      /* reply and map output bytes received */
    uint64_t shared_bytes_used;
} pe_stats;
#define PE_STATS_INIT { sizeof(pe_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

PE_EXPORT int pe_pool_new(const pe_pool_options *options, pe_pool **ret_pool);
PE_EXPORT int pe_pool_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, const pe_job_options *options, pe_job **ret_job);
PE_EXPORT int pe_pool_try_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, const pe_job_options *options, pe_job **ret_job);
PE_EXPORT int pe_pool_map(pe_pool *pool, pe_map_fn *fn, const void *in, size_t in_bytes, void *out, size_t out_bytes, size_t count, const pe_map_options *options);
PE_EXPORT int pe_pool_start_map(pe_pool *pool, pe_map_fn *fn, const void *in, size_t in_bytes, void *out, size_t out_bytes, size_t count, const pe_map_options *options, pe_job **ret_job);
PE_EXPORT int pe_pool_reduce(pe_pool *pool, pe_range_fn *fn, pe_combine_fn *combine, uint64_t first, uint64_t last, void *acc, size_t acc_bytes, const pe_map_options *options);
PE_EXPORT int pe_pool_wait(pe_pool *pool, int64_t deadline_ns);
PE_EXPORT int pe_pool_close(pe_pool *pool);
PE_EXPORT int pe_pool_join(pe_pool *pool, int64_t deadline_ns);
PE_EXPORT int pe_pool_cancel_queued(pe_pool *pool);
PE_EXPORT int pe_pool_kill(pe_pool *pool, int64_t grace_ns);
PE_EXPORT void pe_pool_free(pe_pool *pool);
PE_EXPORT int pe_pool_alloc(pe_pool *pool, size_t bytes, void **ret_memory);
PE_EXPORT void pe_pool_dealloc(pe_pool *pool, void *memory);
PE_EXPORT int pe_pool_fd(const pe_pool *pool);
PE_EXPORT int pe_pool_poll(pe_pool *pool);
PE_EXPORT void pe_pool_interrupt(pe_pool *pool);
PE_EXPORT int pe_pool_stats(const pe_pool *pool, pe_stats *stats);

PE_END_DECLS
#endif
