/*
 * job.c - job handles: their ends, callbacks, results.
 *
 * A job ends once, under the mutex (pe__job_end). Its callbacks then move to the pool's queue and run later,
 * without the mutex, one at a time for the whole pool: never inside the call that registered them, never
 * inside one another.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/forked.h"
#include "pool/pool.h"

/* Handles kept for the next jobs: touching fresh memory costs more than all the rest of a small job. */
#define CACHE_MOST (1u << 20)

void pe__job_begin(pe_pool *pool, pe_job *job)
{
    if (job->map != NULL)
        pe__base_list_push_back(&pool->maps, &job->link);
    pool->live_count++;
    pool->refs++;
    pool->stats.submitted++;
    pool->stats.bytes_in += job->arg_bytes;
}

static void count_end(pe_pool *pool, const pe_job *job)
{
    uint32_t kind = job->status.kind;
    pool->stats.returned += kind == PE_RETURNED;
    pool->stats.crashed += kind == PE_CRASHED || kind == PE_EXITED;
    pool->stats.cancelled += kind == PE_CANCELLED;
    pool->stats.bytes_out += job->data_bytes;
}

/* Its callbacks are due. */
static void release_callbacks(pe_pool *pool, pe_job *job)
{
    struct pe__base_list *link;
    while ((link = pe__base_list_pop_front(&job->callbacks)) != NULL)
        pe__base_list_push_back(&pool->ready_callbacks, link);
    job->has_callbacks = false;
}

void pe__job_end(pe_pool *pool, pe_job *job)
{
    job->ended = true;
    if (job->map != NULL)
        pe__base_list_remove(&job->link);
    pool->live_count--;
    pool->handled++;
    count_end(pool, job);
    if (job->has_callbacks)
        release_callbacks(pool, job);
    if (job->detached)
        pe__job_release_result(pool, job);
    pe__job_unref(pool, job);
}

void pe__job_add_callback(pe_job *job, struct pe__callback *callback)
{
    if (!job->has_callbacks)
        pe__base_list_init(&job->callbacks);
    job->has_callbacks = true;
    job->refs++;
    pe__base_list_push_back(&job->callbacks, &callback->link);
}

void pe__job_unref(pe_pool *pool, pe_job *job)
{
    if (--job->refs > 0)
        return;
    pe__job_release_result(pool, job);
    if (job->map != NULL)
        pe__map_free(job);
    pool->refs--;
    if (pool->job_cache_count < CACHE_MOST) {
        pe__base_list_push_front(&pool->job_cache, &job->link);
        pool->job_cache_count++;
    } else {
        free(job);
    }
}

/* Of a job that was never accepted. */
void pe__job_forget_callbacks(pe_job *job)
{
    struct pe__base_list *link;
    while (job->has_callbacks && (link = pe__base_list_pop_front(&job->callbacks)) != NULL)
        free(PE__BASE_LIST_ENTRY(link, struct pe__callback, link));
}

/* Runs one; the mutex is released meanwhile. */
static void run_callback(pe_pool *pool, struct pe__callback *callback)
{
    pool->in_callback = true;
    pool->callback_thread = pthread_self();
    pthread_mutex_unlock(&pool->mutex);
    callback->fn(callback->job, callback->context);
    pthread_mutex_lock(&pool->mutex);
    pool->in_callback = false;
    pe__job_unref(pool, callback->job);
    free(callback);
}

/* Those that are due now; what they register or bring about is for the next round. */
void pe__job_run_callbacks(pe_pool *pool)
{
    struct pe__base_list *link, *last = pool->ready_callbacks.previous;
    bool more = !pe__base_list_empty(&pool->ready_callbacks);
    while (more && !pool->in_callback && (link = pe__base_list_pop_front(&pool->ready_callbacks)) != NULL) {
        more = link != last;
        run_callback(pool, PE__BASE_LIST_ENTRY(link, struct pe__callback, link));
    }
}

void pe__job_drop_callbacks(pe_pool *pool)
{
    struct pe__base_list *link;
    while ((link = pe__base_list_pop_front(&pool->ready_callbacks)) != NULL) {
        struct pe__callback *callback = PE__BASE_LIST_ENTRY(link, struct pe__callback, link);
        pe__job_unref(pool, callback->job);
        free(callback);
    }
}

static bool has_ended(pe_pool *pool, void *job)
{
    (void)pool;
    return ((pe_job *)job)->ended;
}

/* What a wait for this job is worth waking up for. */
static uint32_t record_of(pe_pool *pool, void *context)
{
    const pe_job *job = context;
    if (job->map != NULL)
        return pe__map_target(pool, context);
    return job->in_ring ? job->record : PE__BELL_ANY;
}

/* The mutex of a job's pool, which outlives the pool's own handle. */
static int enter(const pe_job *job)
{
    return job == NULL ? PE_EINVAL : pe__pool_enter(job->pool);
}

int pe_job_wait(pe_job *job, int64_t deadline_ns)
{
    int result = pe__base_deadline_check(deadline_ns);
    if (result == 0)
        result = enter(job);
    if (result < 0)
        return result;
    pe_pool *pool = job->pool;
    struct pe__wait wait = { .ready = has_ended,
                             .context = job,
                             .deadline_ns = deadline_ns,
                             .target = record_of };
    if (pe__pool_in_callback(pool) && !job->ended)
        result = PE_EDEADLK;
    else
        result = pe__pool_wait_for(pool, &wait);
    if (!pe__pool_in_callback(pool))
        pe__job_run_callbacks(pool);
    pe__pool_leave(pool);
    return result;
}

void pe__job_wait_surely(pe_job *job)
{
    struct pe__wait wait = { .ready = has_ended,
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
        if (any->jobs[any->ended]->ended)
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
    return job->map != NULL ? time : pe__base_ticks_to_ns((uint64_t)time);
}

static pe_status readable(const pe_job *job)
{
    const struct pe__ending *ending = &job->status;
    return (pe_status){ .kind = ending->kind,
                        .code = ending->code,
                        .pid = ending->pid,
                        .worker = ending->worker,
                        .attempts = ending->attempts,
                        .stop_signal = ending->stop_signal,
                        .queued_ns = readable_time(job, ending->queued),
                        .run_ns = readable_time(job, ending->run) };
}

int pe_job_status(const pe_job *job, pe_status *ret_status)
{
    if (ret_status == NULL)
        return PE_EINVAL;
    int result = enter(job);
    if (result < 0)
        return result;
    if (job->in_ring)
        pe__pool_collect_record(job->pool, job->record);
    *ret_status = readable(job);
    pe__pool_leave(job->pool);
    return 0;
}

int pe_job_result(const pe_job *job, const void **ret_data, size_t *ret_bytes)
{
    int result = enter(job);
    if (result < 0)
        return result;
    if (job->in_ring)
        pe__pool_collect_record(job->pool, job->record);
    if (!job->ended)
        result = PE_EAGAIN;
    else if (!job->has_result)
        result = PE_ENODATA;
    if (result == 0 && ret_data != NULL)
        *ret_data = job->data;
    if (result == 0 && ret_bytes != NULL)
        *ret_bytes = job->data_bytes;
    pe__pool_leave(job->pool);
    return result;
}

int pe_job_item_status(const pe_job *job, uint64_t item, pe_status *ret_status)
{
    if (job != NULL && job->map == NULL)
        return item == 0 ? pe_job_status(job, ret_status) : PE_EINVAL;
    if (ret_status == NULL)
        return PE_EINVAL;
    int result = enter(job);
    if (result < 0)
        return result;
    result = pe__map_item_status(job, item, ret_status);
    pe__pool_leave(job->pool);
    return result;
}

static int own_text(const pe_job *job, const char **ret_text, size_t *ret_bytes)
{
    if (!job->ended)
        return PE_EAGAIN;
    if (job->text == NULL)
        return PE_ENODATA;
    *ret_text = job->text;
    if (ret_bytes != NULL)
        *ret_bytes = job->text_bytes;
    return 0;
}

int pe_job_item_text(const pe_job *job, uint64_t item, uint32_t which, const char **ret_text, size_t *ret_bytes)
{
    if (ret_text == NULL || which < PE_TEXT_MESSAGE || which > PE_TEXT_BACKTRACE)
        return PE_EINVAL;
    if (job != NULL && job->map == NULL && item != 0)
        return PE_EINVAL;
    int result = enter(job);
    if (result < 0)
        return result;
    if (job->in_ring)
        pe__pool_collect_record(job->pool, job->record);
    if (which != PE_TEXT_MESSAGE)
        result = PE_ENODATA;
    else if (job->map != NULL)
        result = pe__map_item_text(job, item, ret_text, ret_bytes);
    else
        result = own_text(job, ret_text, ret_bytes);
    pe__pool_leave(job->pool);
    return result;
}

int pe_job_cancel(pe_job *job)
{
    int result = enter(job);
    if (result < 0)
        return result;
    pe_pool *pool = job->pool;
    if (job->in_ring)
        pe__pool_collect_record(pool, job->record);
    if (job->ended)
        result = PE_EALREADY;
    else if (job->map != NULL)
        pe__map_cancel(pool, job);
    else
        pe__pool_stop_record(pool, job->record, pool->options.grace_ns);
    pe__pool_leave(pool);
    return result;
}

int pe_job_on_done(pe_job *job, pe_done_fn *fn, void *context)
{
    if (fn == NULL)
        return PE_EINVAL;
    int result = enter(job);
    if (result < 0)
        return result;
    pe_pool *pool = job->pool;
    bool is_freed = pool->bell < 0;
    struct pe__callback *callback = is_freed ? NULL : malloc(sizeof *callback);
    if (callback == NULL) {
        pe__pool_leave(pool);
        return is_freed ? PE_ECLOSED : PE_ENOMEM; /* after pe_pool_free nobody would call it */
    }
    *callback = (struct pe__callback){ .job = job, .fn = fn, .context = context };
    pe__job_add_callback(job, callback);
    if (job->ended)
        release_callbacks(pool, job);
    if (job->ended && pool->notice >= 0) {
        pe__bell_ring_host(pool->bell);
        pe__bell_ring_host(pool->notice);
    }
    pe__pool_leave(pool);
    return 0;
}

void pe_job_free(pe_job *job)
{
    if (job == NULL)
        return;
    pe_pool *pool = job->pool;
    if (!pe__base_forked(pool->token))
        pthread_mutex_lock(&pool->mutex);
    job->detached = true;
    if (job->ended)
        pe__job_release_result(pool, job);
    pool->refs++;
    pe__job_unref(pool, job);
    pe__pool_unref(pool);
}
