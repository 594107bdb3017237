/*
 * job.c - job handles: their ends, waits for them, results.
 *
 * A job ends once, under the mutex (pe__job_end), which makes its callbacks due. Its memory is given back with the
 * last reference: the user's handle, the pool's until the end, one for all callbacks.
 */
#include "pool/job.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/forked.h"
#include "pool/callback.h"
#include "pool/collect.h"
#include "pool/map.h"
#include "pool/map_tickets.h"
#include "pool/outcome.h"
#include "pool/pool.h"
#include "pool/slab.h"
#include "pool/stop.h"
#include "pool/talk.h"
#include "pool/texts.h"
#include "pool/wait.h"

pe_job *pe__job_new(pe_pool *pool)
{
    pe_job *job = pe__slabs_take(&pool->slabs);
    if (job == NULL)
        return NULL;
    job->pool = pool;
    job->more = NULL;
    atomic_store_explicit(&job->ended, false, memory_order_relaxed);
    job->detached = job->in_ring = job->is_map = job->has_result = false;
    job->small_bytes = PE__JOB_NOT_SMALL;
    job->refs = 2;
    job->kind = PE_PENDING;
    job->stop_signal = 0;
    job->worker = 0;
    job->code = job->pid = 0;
    job->attempts = 0;
    job->queued = 0;
    job->run = 0;
    return job;
}

struct pe__job_more *pe__job_more(pe_job *job)
{
    if (job->more != NULL)
        return job->more;
    struct pe__job_more *more = calloc(1, sizeof *more);
    if (more == NULL)
        return NULL;
    more->job = job;
    pe__base_list_init(&more->callbacks);
    job->more = more;
    return more;
}

void pe__job_keep_text(pe_job *job, uint32_t which, const void *text, size_t bytes)
{
    struct pe__job_more *more = pe__job_more(job);
    if (more != NULL)
        pe__texts_add(&more->texts, which, text, bytes);
}

/* No reference to it is left, and nothing in it is in use. */
static void give_back(pe_job *job)
{
    free(job->more);
    pe__slabs_give(&job->pool->slabs, job);
}

void pe__job_drop(pe_job *job)
{
    if (job->more != NULL)
        pe__job_forget_callbacks(job->more);
    if (job->is_map)
        pe__map_free(job);
    give_back(job);
}

void pe__job_begin(pe_pool *pool, pe_job *job, uint64_t arg_bytes)
{
    if (job->is_map)
        pe__base_list_push_back(&pool->maps, &job->more->maps);
    pool->live_count++;
    pool->refs++;
    pool->stats.submitted++;
    pool->stats.bytes_in += arg_bytes;
}

static uint64_t *count_of(pe_stats *stats, uint32_t kind)
{
    switch (kind) {
    case PE_RETURNED: return &stats->returned;
    case PE_CANCELLED: return &stats->cancelled;
    case PE_TIMED_OUT: return &stats->timed_out;
    case PE_OUT_OF_MEMORY: return &stats->out_of_memory;
    case PE_LOST: return &stats->lost;
    default: return &stats->crashed;
    }
}

static void count_end(pe_pool *pool, const pe_job *job, uint64_t result_bytes)
{
    pool->live_count--;
    pool->handled++;
    pool->stats.bytes_out += result_bytes;
    ++*count_of(&pool->stats, job->kind);
}

/* `ended` comes last: from then on the handle's owner may read it without the mutex. */
void pe__job_end(pe_pool *pool, pe_job *job, uint64_t result_bytes)
{
    if (job->is_map)
        pe__base_list_remove(&job->more->maps);
    count_end(pool, job, result_bytes);
    if (job->more != NULL)
        pe__job_release_callbacks(pool, job->more);
    if (job->detached)
        pe__job_release_result(pool, job);
    atomic_store_explicit(&job->ended, true, memory_order_release);
    pe__job_unref(pool, job);
}

void pe__job_unref(pe_pool *pool, pe_job *job)
{
    if (--job->refs > 0)
        return;
    pe__job_release_result(pool, job);
    if (job->is_map)
        pe__map_free(job);
    pool->refs--;
    give_back(job);
}

bool pe__job_is_ready(pe_pool *pool, void *job)
{
    (void)pool;
    return pe__job_has_ended(job);
}

/* What a wait for this job is worth waking up for. */
static uint32_t record_of(pe_pool *pool, void *context)
{
    const pe_job *job = context;
    if (job->is_map)
        return pe__map_target(pool, context);
    return job->in_ring ? job->record : PE__BELL_ANY;
}

/* The mutex of a job's pool, which outlives the pool's own handle. */
static int enter(const pe_job *job)
{
    return job == NULL ? PE_EINVAL : pe__pool_enter(job->pool);
}

/* What can be told without the mutex: it has ended, and this is not a forked child, for which enter() has words. */
static bool is_over(const pe_job *job)
{
    return job != NULL && pe__job_has_ended(job) && !pe__base_forked(job->pool->token);
}

static int wait_for_end(pe_job *job, int64_t deadline_ns)
{
    int result = enter(job);
    if (result < 0)
        return result;
    pe_pool *pool = job->pool;
    struct pe__wait wait = { .ready = pe__job_is_ready,
                             .context = job,
                             .deadline_ns = deadline_ns,
                             .target = record_of };
    if (pe__pool_in_callback(pool) && !pe__job_has_ended(job))
        result = PE_EDEADLK;
    else
        result = pe__pool_wait_for(pool, &wait);
    if (!pe__pool_in_callback(pool))
        pe__job_run_callbacks(pool);
    pe__pool_leave(pool);
    return result;
}

int pe_job_wait(pe_job *job, int64_t deadline_ns)
{
    int result = pe__base_deadline_check(deadline_ns);
    if (result < 0)
        return result;
    if (is_over(job) && atomic_load_explicit(&job->pool->callbacks_due, memory_order_relaxed) == 0)
        return 0;
    return wait_for_end(job, deadline_ns);
}

void pe__job_wait_surely(pe_job *job)
{
    struct pe__wait wait = { .ready = pe__job_is_ready,
                             .context = job,
                             .target = record_of,
                             .deadline_ns = PE_FOREVER,
                             .uninterruptible = true };
    if (enter(job) < 0)
        return;
    pe__pool_wait_for(job->pool, &wait);
    pe__pool_leave(job->pool);
}

struct any {
    pe_job *const *jobs;
    size_t count;
    size_t ended; /* index of the first that has */
};

static bool any_has_ended(pe_pool *pool, void *context)
{
    struct any *any = context;
    (void)pool;
    for (any->ended = 0; any->ended < any->count; any->ended++)
        if (pe__job_has_ended(any->jobs[any->ended]))
            return true;
    return false;
}

int pe_job_wait_any(pe_job *const *jobs, size_t count, int64_t deadline_ns, size_t *ret_index)
{
    int result = pe__base_deadline_check(deadline_ns);
    if (result < 0)
        return result;
    if (jobs == NULL || count == 0)
        return PE_EINVAL;
    for (size_t i = 0; i < count; i++)
        if (jobs[i] == NULL || jobs[i]->pool != jobs[0]->pool)
            return PE_EINVAL;
    result = enter(jobs[0]);
    if (result < 0)
        return result;
    pe_pool *pool = jobs[0]->pool;
    struct any any = { .jobs = jobs, .count = count };
    struct pe__wait wait = { .ready = any_has_ended, .context = &any, .deadline_ns = deadline_ns };
    if (pe__pool_in_callback(pool) && !any_has_ended(pool, &any))
        result = PE_EDEADLK;
    else
        result = pe__pool_wait_for(pool, &wait);
    if (result == 0 && ret_index != NULL)
        *ret_index = any.ended;
    if (!pe__pool_in_callback(pool))
        pe__job_run_callbacks(pool);
    pe__pool_leave(pool);
    return result;
}

/* Times of plain jobs are kept in ticks until somebody asks; a map's are in nanoseconds already. */
static int64_t readable_time(const pe_job *job, int64_t time)
{
    return job->is_map ? time : pe__base_ticks_to_ns((uint64_t)time);
}

static pe_status readable(const pe_job *job)
{
    if (!pe__job_has_ended(job))
        return (pe_status){ .kind = PE_PENDING, .worker = -1 };
    return (pe_status){ .kind = job->kind,
                        .code = job->code,
                        .pid = job->pid,
                        .worker = job->worker,
                        .attempts = job->attempts,
                        .stop_signal = job->stop_signal,
                        .queued_ns = readable_time(job, (int64_t)job->queued),
                        .run_ns = readable_time(job, job->run) };
}

/* Takes the job over if it has ended; with the mutex held. */
static int look(const pe_job *job)
{
    int result = enter(job);
    if (result < 0 || pe__job_has_ended(job))
        return result;
    if (job->is_map)
        pe__map_look(job->pool, job);
    else if (job->in_ring)
        pe__pool_collect_record(job->pool, job->record);
    if (!pe__job_has_ended(job))
        pe__pool_glance_at_keeper(job->pool);
    return 0;
}

int pe_job_status(const pe_job *job, pe_status *ret_status)
{
    if (ret_status == NULL)
        return PE_EINVAL;
    bool over = is_over(job);
    int result = over ? 0 : look(job);
    if (result < 0)
        return result;
    *ret_status = readable(job);
    if (!over)
        pe__pool_leave(job->pool);
    return 0;
}

static int result_of(const pe_job *job, const void **ret_data, size_t *ret_bytes)
{
    if (!pe__job_has_ended(job))
        return PE_EAGAIN;
    if (!job->has_result)
        return PE_ENODATA;
    bool is_small = job->small_bytes != PE__JOB_NOT_SMALL;
    if (ret_data != NULL)
        *ret_data = is_small ? job->small : job->more->data;
    if (ret_bytes != NULL)
        *ret_bytes = is_small ? job->small_bytes : job->more->data_bytes;
    return 0;
}

int pe_job_result(const pe_job *job, const void **ret_data, size_t *ret_bytes)
{
    if (is_over(job))
        return result_of(job, ret_data, ret_bytes);
    int result = look(job);
    if (result < 0)
        return result;
    result = result_of(job, ret_data, ret_bytes);
    pe__pool_leave(job->pool);
    return result;
}

int pe_job_item_status(const pe_job *job, uint64_t item, pe_status *ret_status)
{
    if (job != NULL && !job->is_map)
        return item == 0 ? pe_job_status(job, ret_status) : PE_EINVAL;
    if (ret_status == NULL)
        return PE_EINVAL;
    int result = look(job);
    if (result < 0)
        return result;
    result = pe__map_item_status(job, item, ret_status);
    pe__pool_leave(job->pool);
    return result;
}

/* Without the mutex while the loader is asked for names: it has locks of its own. */
static int make_backtrace(const pe_job *job, struct pe__texts *texts)
{
    struct pe__loaded loaded;
    int result = enter(job);
    if (result < 0)
        return result;
    result = pe__loaded_copy_here(&loaded, &job->pool->loaded);
    pe__pool_leave(job->pool);
    if (result < 0)
        return result;
    result = pe__texts_make_backtrace(texts, &loaded);
    pe__loaded_fini(&loaded);
    return result;
}

/* Of an ended job nothing changes any more, so the mutex is not needed. */
static int text_of(const pe_job *job, uint64_t item, uint32_t which, const char **ret_text, size_t *ret_bytes)
{
    struct pe__texts *texts = NULL;
    if (!pe__job_has_ended(job))
        return PE_EAGAIN;
    if (job->is_map) {
        int result = pe__map_item_texts(job, item, &texts);
        if (result < 0)
            return result;
    } else if (job->more != NULL) {
        texts = job->more->texts;
    }
    int result = pe__texts_get(texts, which, ret_text, ret_bytes);
    if (result == PE_EAGAIN)
        result = make_backtrace(job, texts);
    return result < 0 ? result : pe__texts_get(texts, which, ret_text, ret_bytes);
}

static int check_text(const pe_job *job, uint64_t item, uint32_t which)
{
    if (job == NULL || which < PE_TEXT_MESSAGE || which > PE_TEXT_BACKTRACE)
        return PE_EINVAL;
    return item < (job->is_map ? pe__job_map(job)->count : 1) ? 0 : PE_EINVAL;
}

int pe_job_item_text(const pe_job *job, uint64_t item, uint32_t which, const char **ret_text, size_t *ret_bytes)
{
    int result = ret_text != NULL ? check_text(job, item, which) : PE_EINVAL;
    if (result < 0)
        return result;
    if (!is_over(job)) {
        result = look(job);
        if (result < 0)
            return result;
        pe__pool_leave(job->pool);
    }
    return text_of(job, item, which, ret_text, ret_bytes);
}

int pe_job_cancel(pe_job *job)
{
    int result = look(job);
    if (result < 0)
        return result;
    pe_pool *pool = job->pool;
    if (pe__job_has_ended(job))
        result = PE_EALREADY;
    else if (job->is_map)
        pe__map_cancel(pool, job);
    else
        pe__pool_stop_record(pool, job->record, pool->options.grace_ns);
    pe__pool_leave(pool);
    return result;
}

/* With the mutex held, or in a forked child without; unlocks. */
static void free_job(pe_pool *pool, pe_job *job)
{
    job->detached = true;
    if (pe__job_has_ended(job))
        pe__job_release_result(pool, job);
    pool->refs++;
    pe__job_unref(pool, job);
    pe__pool_unref(pool);
}

/* The usual case: nothing but the handle's line is left of the job, and the pool outlives it. */
static bool free_small(pe_pool *pool, pe_job *job)
{
    if (!pe__job_has_ended(job) || job->more != NULL || pool->refs < 2)
        return false;
    pool->refs--;
    pe__slabs_give(&pool->slabs, job);
    return true;
}

void pe_job_free(pe_job *job)
{
    if (job == NULL)
        return;
    pe_pool *pool = job->pool;
    if (pe__base_forked(pool->token)) {
        free_job(pool, job);
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    if (free_small(pool, job))
        pthread_mutex_unlock(&pool->mutex);
    else
        free_job(pool, job);
}
