/*
 * callback.c - what is to be called when a job has ended.
 *
 * A callback waits in its job's list. When the job ends, under the mutex, it moves to the pool's queue, and runs
 * later, without the mutex, one at a time for the whole pool: never inside the call that registered it, never
 * inside another one. The callbacks of a job hold one reference to it together.
 */
#include "pool/callback.h"

#include <stdlib.h>

#include "pool/job.h"
#include "pool/pool.h"

void pe__pool_enter_callback(pe_pool *pool)
{
    pool->in_callback = true;
    pool->callback_thread = pthread_self();
    pthread_mutex_unlock(&pool->mutex);
}

void pe__pool_leave_callback(pe_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->in_callback = false;
}

void pe__job_add_callback(pe_job *job, struct pe__callback *callback)
{
    if (job->more->callback_count++ == 0)
        job->refs++;
    pe__base_list_push_back(&job->more->callbacks, &callback->link);
}

void pe__job_release_callbacks(pe_pool *pool, struct pe__job_more *more)
{
    struct pe__base_list *link;
    uint32_t due = atomic_load_explicit(&pool->callbacks_due, memory_order_relaxed);
    for (; (link = pe__base_list_pop_front(&more->callbacks)) != NULL; due++)
        pe__base_list_push_back(&pool->ready_callbacks, link);
    atomic_store_explicit(&pool->callbacks_due, due, memory_order_relaxed);
}

void pe__job_forget_callbacks(struct pe__job_more *more)
{
    struct pe__base_list *link;
    while ((link = pe__base_list_pop_front(&more->callbacks)) != NULL)
        free(PE__BASE_LIST_ENTRY(link, struct pe__callback, link));
}

static struct pe__callback *next_due(pe_pool *pool)
{
    struct pe__base_list *link = pe__base_list_pop_front(&pool->ready_callbacks);
    if (link == NULL)
        return NULL;
    atomic_store_explicit(&pool->callbacks_due,
                          atomic_load_explicit(&pool->callbacks_due, memory_order_relaxed) - 1, memory_order_relaxed);
    return PE__BASE_LIST_ENTRY(link, struct pe__callback, link);
}

/* It was called, or never will be. */
static void end_callback(pe_pool *pool, struct pe__callback *callback)
{
    pe_job *job = callback->job;
    free(callback);
    if (--job->more->callback_count == 0)
        pe__job_unref(pool, job);
}

/* Runs one; the mutex is released meanwhile. */
static void run_callback(pe_pool *pool, struct pe__callback *callback)
{
    pe__pool_enter_callback(pool);
    callback->fn(callback->job, callback->context);
    pe__pool_leave_callback(pool);
    end_callback(pool, callback);
}

/* Those that are due now; what they register or bring about is for the next round. */
void pe__job_run_callbacks(pe_pool *pool)
{
    struct pe__base_list *last = pool->ready_callbacks.previous;
    struct pe__callback *callback;
    bool more = !pe__base_list_empty(&pool->ready_callbacks);
    while (more && !pool->in_callback && (callback = next_due(pool)) != NULL) {
        more = &callback->link != last;
        run_callback(pool, callback);
    }
}

void pe__job_drop_callbacks(pe_pool *pool)
{
    struct pe__callback *callback;
    while ((callback = next_due(pool)) != NULL)
        end_callback(pool, callback);
}

int pe_job_on_done(pe_job *job, pe_done_fn *fn, void *context)
{
    if (job == NULL || fn == NULL)
        return PE_EINVAL;
    int result = pe__pool_enter(job->pool);
    if (result < 0)
        return result;
    pe_pool *pool = job->pool;
    struct pe__callback *callback = pool->freeing ? NULL : malloc(sizeof *callback);
    if (callback == NULL || pe__job_more(job) == NULL) {
        free(callback);
        result = pool->freeing ? PE_ECLOSED : PE_ENOMEM; /* nobody would call it */
        pe__pool_leave(pool);
        return result;
    }
    *callback = (struct pe__callback){ .job = job, .fn = fn, .context = context };
    pe__job_add_callback(job, callback);
    bool is_late = pe__job_has_ended(job);
    if (is_late)
        pe__job_release_callbacks(pool, job->more);
    if (is_late && pool->notice >= 0) {
        pe__bell_ring_host(pool->bell);
        pe__bell_ring_host(pool->notice);
    }
    pe__pool_leave(pool);
    return 0;
}
