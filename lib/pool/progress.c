/*
 * progress.c - tells callers how far their maps are, from the calling thread's waits, without the mutex.
 *
 * The counts are the workers' own figures from shared memory: read once and kept within what is possible.
 */
#include "pool/progress.h"

#include <stdlib.h>

#include "base/clock.h"
#include "pool/callback.h"
#include "pool/job.h"
#include "pool/map.h"
#include "pool/pool.h"

#define INTERVAL_NS PE_MS(100)

static void count(const pe_pool *pool, const struct pe__map_job *map, uint64_t *ret_done, uint64_t *ret_failed)
{
    const struct pe__lane *lanes = pe__mapping_lanes(&pool->shared, map->index);
    uint64_t done = 0;
    for (uint32_t lane = 0; lane < map->lanes; lane++)
        done += atomic_load_explicit(&lanes[lane].done, memory_order_relaxed);
    uint64_t failed = atomic_load_explicit(&pool->shared.lives[map->index].failed, memory_order_relaxed);
    *ret_done = done < map->count ? done : map->count;
    *ret_failed = failed < *ret_done ? failed : *ret_done;
}

static bool reports(const pe_job *job)
{
    return pe__job_map(job)->running && pe__job_map(job)->options.progress != NULL;
}

int64_t pe__pool_progress_due(const pe_pool *pool)
{
    PE__BASE_LIST_EACH(link, &pool->maps)
        if (reports(pe__job_of_map(link)))
            return pe_after(INTERVAL_NS);
    return PE_FOREVER;
}

static pe_job *find_due(pe_pool *pool, int64_t now_ns)
{
    PE__BASE_LIST_EACH(link, &pool->maps) {
        pe_job *job = pe__job_of_map(link);
        if (reports(job) && pe__job_map(job)->progress_due_ns <= now_ns)
            return job;
    }
    return NULL;
}

static void report(pe_pool *pool, pe_job *job, int64_t now_ns)
{
    struct pe__map_job *map = pe__job_map(job);
    uint64_t done, failed;
    count(pool, map, &done, &failed);
    map->progress_due_ns = now_ns + INTERVAL_NS;
    job->refs++;
    pe__pool_enter_callback(pool);
    map->options.progress(done, failed, map->count, map->options.progress_context);
    pe__pool_leave_callback(pool);
    pe__job_unref(pool, job);
}

void pe__pool_report_progress(pe_pool *pool)
{
    pe_job *job;
    if (pool->in_callback || pe__pool_progress_due(pool) == PE_FOREVER)
        return;
    int64_t now_ns = pe__base_now_ns();
    while (!pool->in_callback && (job = find_due(pool, now_ns)) != NULL)
        report(pool, job, now_ns);
}

static void report_last(pe_job *job, void *unused)
{
    const struct pe__map_job *map = pe__job_map(job);
    const pe_map_summary *summary = &map->summary;
    (void)unused;
    map->options.progress(summary->returned + summary->failed, summary->failed, map->count,
                          map->options.progress_context);
}

int pe__map_plan_last_progress(pe_job *job)
{
    if (pe__job_map(job)->options.progress == NULL)
        return 0;
    struct pe__callback *last = malloc(sizeof *last);
    if (last == NULL)
        return PE_ENOMEM;
    *last = (struct pe__callback){ .job = job, .fn = report_last };
    pe__job_map(job)->progress_due_ns = pe_after(INTERVAL_NS);
    pe__job_add_callback(job, last);
    return 0;
}
