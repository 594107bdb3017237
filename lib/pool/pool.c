/*
 * pool.c - a pool's birth and end, and the way out of every call that took the mutex.
 *
 * What is made is undone in reverse order by one function that accepts a half-built pool, so the failure
 * paths of pe_pool_new and pe_pool_free are the same code.
 */
#include "pool/pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/forked.h"
#include "base/log.h"
#include "base/pages.h"
#include "keeper/seed.h"
#include "pool/backend.h"
#include "pool/callback.h"
#include "pool/death.h"
#include "pool/descriptors.h"
#include "pool/job.h"
#include "pool/listen.h"
#include "pool/loaded.h"
#include "pool/options.h"
#include "pool/regions.h"
#include "pool/slab.h"
#include "pool/start.h"
#include "pool/stop.h"
#include "shared/spin.h"
#include "worker/crash.h"
#include "worker/scope.h"

#define PAGE_BYTES ((uint64_t)4096)
#define GIB ((uint64_t)1 << 30)
/* What is reserved is measured by the machine's memory, up to this: 1 TiB, or 64 MiB where addresses have 32 bits. */
#define MEMORY_MOST ((uint64_t)1 << (sizeof(void *) > 4 ? 40 : 26))
/* Of that, pools from the seed share one range (keeper/seed.c) of such addresses. */
#define SEED_SHARE (sizeof(void *) > 4 ? 1 : 4)
/* The same for what all workers of a pool measure: any size, or 32 MiB. */
#define REGIONS_MOST (sizeof(void *) > 4 ? UINT64_MAX : (uint64_t)1 << 25)
#define INLINE_REPLY_BYTES ((uint64_t)1 << 20)
#define HEAP_MOST (sizeof(void *) > 4 ? (uint64_t)PE__HEAP_UNITS_MAX << PE__HEAP_UNIT_SHIFT : (uint64_t)1 << 31)
#define DEPTH_MAX 4
/* There is always room for so many workers, however few a pool begins with. */
#define ROOM_LEAST UINT64_C(64)
/* Records that each worker may have busy, while others wait: its own one and a map's ticket or two. */
#define RECORDS_PER_WORKER 3

static uint64_t physical_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : GIB;
    return bytes < MEMORY_MOST ? bytes : MEMORY_MOST;
}

static uint32_t power_of_two_from(uint64_t least)
{
    uint32_t power = 64;
    while (power < least)
        power *= 2;
    return power;
}

/* Address space only: what is reserved here costs nothing until it is touched. */
static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* What the records have beyond those that the options ask for is room for more workers, where addresses are plenty. */
static uint32_t room_for_workers(const pe_pool_options *options, uint32_t records)
{
    uint64_t most = (records - options->queue_jobs) / RECORDS_PER_WORKER;
    if (sizeof(void *) == 4 && most > ROOM_LEAST)
        most = options->workers > ROOM_LEAST ? options->workers : ROOM_LEAST;
    return most < PE_WORKERS_MAX ? (uint32_t)most : PE_WORKERS_MAX;
}

static uint64_t region_bytes(uint32_t workers_most)
{
    uint64_t most = REGIONS_MOST / workers_most / PAGE_BYTES * PAGE_BYTES, wanted = pe__pool_region_bytes();
    return wanted < most ? wanted : most;
}

static struct pe__geometry wished_geometry(const pe_pool *pool)
{
    const pe_pool_options *options = &pool->options;
    bool is_inline = (options->flags & PE_POOL_INLINE) != 0;
    uint64_t memory = physical_bytes() / (pool->from_seed ? SEED_SHARE : 1);
    /* Jobs that wait and that run, and the tickets of all maps, which leave out as many positions. */
    uint64_t working = (2 + PE__MAPS_MAX) * (uint64_t)options->workers;
    if (working < RECORDS_PER_WORKER * ROOM_LEAST)
        working = RECORDS_PER_WORKER * ROOM_LEAST;
    uint32_t records = power_of_two_from(options->queue_jobs + working);
    uint32_t workers_most = room_for_workers(options, records);
    struct pe__geometry geometry = { .workers_most = workers_most,
                                     .records = is_inline ? 1 : records,
                                     .keep_fd_count = (uint32_t)options->keep_fd_count,
                                     .output_bytes = is_inline ? 0 : whole_pages(options->output_bytes),
                                     .region_bytes = is_inline ? 0 : region_bytes(workers_most),
                                     .reply_bytes = is_inline ? INLINE_REPLY_BYTES : memory,
                                     .heap_bytes = options->shared_bytes != 0 ? options->shared_bytes : 2 * memory };
    if (geometry.heap_bytes < 4 * INLINE_REPLY_BYTES)
        geometry.heap_bytes = 4 * INLINE_REPLY_BYTES;
    if (geometry.heap_bytes > HEAP_MOST)
        geometry.heap_bytes = HEAP_MOST;
    return geometry;
}

static int map_memory(pe_pool *pool)
{
    struct pe__geometry geometry = wished_geometry(pool);
    if (!pool->from_seed)
        return pe__mapping_new(&pool->shared, &geometry);
    struct pe__shared plan;
    void *at;
    size_t bytes;
    pe__mapping_plan(&plan, &geometry);
    int result = pe__seed_reserve(plan.bytes, &at, &bytes);
    if (result < 0)
        return result;
    result = pe__mapping_new_at(&pool->shared, &geometry, at, bytes);
    if (result < 0)
        pe__seed_release(at);
    else
        pe__seed_shrink(at, pool->shared.bytes);
    return result;
}

static void unmap_memory(pe_pool *pool)
{
    void *at = pool->shared.base;
    if (at == NULL)
        return;
    pe__mapping_fini(&pool->shared);
    if (pool->from_seed)
        pe__seed_release(at);
}

static size_t entries_bytes(const pe_pool *pool)
{
    return pe__mapping_records(&pool->shared) * sizeof *pool->entries;
}

static size_t held_bytes(const pe_pool *pool)
{
    return pool->shared.blocks.block_count * sizeof *pool->block_held;
}

static size_t waiting_bytes(const pe_pool *pool)
{
    return pe__mapping_records(&pool->shared) * sizeof *pool->waiting_bytes;
}

static int make_book(pe_pool *pool)
{
    uint64_t warm_limit = physical_bytes() / 8;
    PE__POOL_EACH_LEVEL(level, pool) {
        level->number = (uint32_t)(level - pool->levels);
        level->first = pe__queue_record(level->number, 0, pool->shared.geometry.records);
        pe__base_list_init(&level->busy);
    }
    int result = pe__shared_heap_init(&pool->heap, pool->shared.heap, pool->shared.heap_bytes, warm_limit);
    if (result < 0)
        return result;
    pool->entries = pe__base_pages_new(entries_bytes(pool));
    pool->block_held = pe__base_pages_new(held_bytes(pool));
    if (pool->options.queue_bytes != 0 && (pool->waiting_bytes = pe__base_pages_new(waiting_bytes(pool))) == NULL)
        return PE_ENOMEM;
    return pool->entries != NULL && pool->block_held != NULL ? 0 : PE_ENOMEM;
}

static int make_locks(pe_pool *pool)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return 0;
}

/* Gives back all memory and descriptors; no process is left, or they are the parent's. */
static void destroy(pe_pool *pool)
{
    pe__pool_close_descriptors(pool);
    pe__pool_end_regions(pool);
    pe__slabs_fini(&pool->slabs);
    pe__base_pages_free(pool->waiting_bytes, waiting_bytes(pool));
    pe__base_pages_free(pool->block_held, held_bytes(pool));
    pe__base_pages_free(pool->entries, entries_bytes(pool));
    pe__shared_heap_fini(&pool->heap);
    unmap_memory(pool);
    pe__loaded_fini(&pool->loaded);
    free(pool);
}

static int build(pe_pool *pool)
{
    pool->from_seed = (pool->options.flags & PE_POOL_FROM_SEED) != 0;
    int result = pe__base_forked_token(&pool->token);
    if ((pool->options.flags & PE_POOL_BACKTRACE) != 0)
        pe__worker_prepare_crashes();
    if (result == 0)
        result = pool->from_seed ? pe__loaded_copy_at_init(&pool->loaded) : pe__loaded_note(&pool->loaded);
    if (result == 0)
        result = map_memory(pool);
    if (result == 0)
        result = make_book(pool);
    if (result == 0)
        result = pe__pool_open_descriptors(pool);
    if (result == 0 && pool->backend == &pe__process_backend)
        result = pe__pool_start_processes(pool);
    return result;
}

static void warn_of_threads(const pe_pool *pool)
{
    struct stat tasks;
    if ((pool->options.flags & (PE_POOL_FROM_SEED | PE_POOL_INLINE)) != 0 || stat("/proc/self/task", &tasks) != 0)
        return;
    if (tasks.st_nlink > 3) /* one directory for each thread, besides . and .. */
        pe__base_log(PE_LOG_WARNING,
                     "pe_pool_new: this process has %lu threads; workers are copies in which locks that other "
                     "threads hold stay locked. Call pe_init first and use PE_POOL_FROM_SEED.",
                     (unsigned long)tasks.st_nlink - 2);
}

int pe_pool_new(const pe_pool_options *options, pe_pool **ret_pool)
{
    pe_pool_options checked;
    if (ret_pool == NULL)
        return PE_EINVAL;
    int result = pe__pool_options_check(options, &checked);
    if (result < 0)
        return result;
    PE__BUILTIN_SCOPE(&pe__pool_start_site);
    const struct pe__worker_scope *scope = pe__worker_scope_current();
    if (scope != NULL && scope->depth >= DEPTH_MAX)
        return PE_EPERM;
    pe_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return PE_ENOMEM;
    pool->options = checked;
    pool->workers = pool->numbers = checked.workers;
    pool->backend = (checked.flags & PE_POOL_INLINE) != 0 ? &pe__inline_backend : &pe__process_backend;
    pool->refs = 1;
    pool->born = pe__base_ticks();
    pool->state = PE__POOL_OPEN;
    pool->spin_ns = PE__SPIN_NS_MOST;
    pool->control = pool->bell = pool->alive = pool->keeper_pidfd = pool->notice = pool->nudge = -1;
    pool->epoll = -1;
    pe__base_list_init(&pool->maps);
    pe__base_list_init(&pool->listeners);
    pe__base_list_init(&pool->ready_callbacks);
    pe__slabs_init(&pool->slabs);
    make_locks(pool);
    warn_of_threads(pool);
    result = build(pool);
    if (result < 0) {
        destroy(pool);
        return result;
    }
    *ret_pool = pool;
    return 0;
}

static __attribute__((noinline, cold)) void leave_broken(pe_pool *pool)
{
    int failure = pool->failure;
    char death[PE__DEATH_TEXT_BYTES];
    pe__pool_describe_death(pool, death);
    pool->tell_broken = false;
    pthread_mutex_unlock(&pool->mutex);
    pe__base_log(PE_LOG_ERROR, "pool broken: %s%s", pe_strerror(failure), death);
}

void pe__pool_leave(pe_pool *pool)
{
    if (pool->tell_broken)
        leave_broken(pool);
    else
        pthread_mutex_unlock(&pool->mutex);
}

/* With the mutex held, or in a forked child without; unlocks. */
void pe__pool_unref(pe_pool *pool)
{
    bool last = --pool->refs == 0;
    if (!pe__base_forked(pool->token))
        pthread_mutex_unlock(&pool->mutex);
    if (last)
        destroy(pool);
}

/* A worker lives in that memory, and its hygiene has closed those descriptors: their numbers may be its jobs'
 * own by now. */
static bool is_copy_in_worker(const pe_pool *pool)
{
    return pe__worker_scope_current() != NULL && pe__base_forked(pool->token);
}

void pe_pool_free(pe_pool *pool)
{
    if (pool == NULL || is_copy_in_worker(pool))
        return;
    if (!pe__base_forked(pool->token)) {
        pthread_mutex_lock(&pool->mutex);
        if (pool->state == PE__POOL_OPEN || pool->state == PE__POOL_CLOSED)
            pe__pool_kill(pool, pool->options.grace_ns);
        pool->freeing = true;
        pe__job_run_callbacks(pool);
        pe__job_drop_callbacks(pool);
        pe__listeners_wake(pool);
    }
    pe__pool_close_descriptors(pool);
    pe__pool_unref(pool);
}
