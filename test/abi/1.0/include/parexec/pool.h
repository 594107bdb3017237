#ifndef PAREXEC_POOL_H
#define PAREXEC_POOL_H
#include <parexec/export.h>
#include <parexec/job.h>
#include <parexec/map.h>
#include <parexec/options.h>
#include <parexec/worker.h>
PE_BEGIN_DECLS
typedef struct pe_pool pe_pool;
#define PE_POOL_INLINE (UINT32_C(1) << 0)
#define PE_POOL_FROM_SEED (UINT32_C(1) << 1)
#define PE_POOL_KEEP_FDS (UINT32_C(1) << 2)
#define PE_POOL_KEEP_SIGNALS (UINT32_C(1) << 3)
#define PE_POOL_GROUPS (UINT32_C(1) << 4)
#define PE_POOL_BACKTRACE (UINT32_C(1) << 5)
#define PE_OUTPUT_BYTES_MAX (UINT64_C(1) << 20)
#define PE_WORKERS_MAX 1024
#define PE_PIN_NONE 0
#define PE_PIN_SPREAD 1
#define PE_PIN_COMPACT 2
#define PE_INNER_THREADS_SHARE UINT32_MAX
typedef struct pe_pool_options {
    size_t size;
    uint32_t workers;
    uint32_t flags;
    pe_worker_fn *worker_init;
    pe_worker_fn *worker_exit;
    void *worker_context;
    uint64_t queue_jobs;
    uint64_t shared_bytes;
    uint64_t jobs_per_worker;
    uint64_t max_reply_bytes;
    uint64_t memory_limit_bytes;
    uint64_t rss_limit_bytes;
    uint32_t max_deaths;
    uint32_t inner_threads;
    int64_t idle_ns;
    int64_t grace_ns;
    const int32_t *keep_fds;
    size_t keep_fd_count;
    uint64_t queue_bytes;
    uint64_t output_bytes;
    uint32_t affinity;
    uint32_t reserved;
} pe_pool_options;
#define PE_POOL_OPTIONS_INIT \
    { sizeof(pe_pool_options), 0, 0, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0 }
typedef struct pe_stats {
    size_t size;
    uint32_t workers;
    uint32_t workers_alive;
    uint64_t submitted;
    uint64_t queued;
    uint64_t running;
    uint64_t returned;
    uint64_t crashed;
    uint64_t cancelled;
    uint64_t restarts;
    uint64_t recycled;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t shared_bytes_used;
    uint64_t timed_out;
    uint64_t out_of_memory;
    uint64_t lost;
    int64_t queue_ns;
    int64_t run_ns;
    int64_t idle_ns;
    uint64_t retired;
    pe_status last_death;
} pe_stats;
#define PE_STATS_INIT \
    { sizeof(pe_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
      { 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0, 0 } } }
#define PE_WORKER_ABSENT 0
#define PE_WORKER_STARTING 1
#define PE_WORKER_IDLE 2
#define PE_WORKER_RUNNING 3
#define PE_WORKER_LEAVING 4
typedef struct pe_worker_stats {
    size_t size;
    uint32_t state;
    int32_t pid;
    uint64_t lives;
    uint64_t ended;
    int64_t run_ns;
    int64_t idle_ns;
    int64_t state_ns;
    uint64_t item;
    uint64_t resident_bytes;
} pe_worker_stats;
#define PE_WORKER_STATS_INIT { sizeof(pe_worker_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0 }
PE_EXPORT int pe_pool_new(const pe_pool_options *options, pe_pool **ret_pool);
PE_EXPORT int pe_pool_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                             const pe_job_options *options, pe_job **ret_job);
PE_EXPORT int pe_pool_try_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                                 const pe_job_options *options, pe_job **ret_job);
PE_EXPORT int pe_pool_map(pe_pool *pool, pe_map_fn *fn, const void *in, size_t in_bytes, void *out,
                          size_t out_bytes, size_t count, const pe_map_options *options);
PE_EXPORT int pe_pool_start_map(pe_pool *pool, pe_map_fn *fn, const void *in, size_t in_bytes, void *out,
                                size_t out_bytes, size_t count, const pe_map_options *options,
                                pe_job **ret_job);
PE_EXPORT int pe_map_once(const pe_pool_options *pool_options, pe_map_fn *fn, const void *in, size_t in_bytes,
                          void *out, size_t out_bytes, size_t count, const pe_map_options *options);
PE_EXPORT int pe_pool_reduce(pe_pool *pool, pe_range_fn *fn, pe_combine_fn *combine, uint64_t first,
                             uint64_t last, void *acc, size_t acc_bytes, const pe_map_options *options);
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
PE_EXPORT int pe_pool_broadcast(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                                pe_status *statuses, size_t count, int64_t deadline_ns);
PE_EXPORT int pe_pool_resize(pe_pool *pool, uint32_t workers, int64_t deadline_ns);
PE_EXPORT int pe_pool_stats(const pe_pool *pool, pe_stats *stats);
PE_EXPORT int pe_pool_worker_stats(const pe_pool *pool, uint32_t worker, pe_worker_stats *stats);
PE_END_DECLS
#endif
