/*
 * inline.c - PE_POOL_INLINE: jobs and maps run in the calling thread, inside the call that starts them.
 *
 * For debugging, and where there is nothing to be gained from processes: no isolation, no limits, worker
 * index 0. The mutex is released while a function of the user runs, so several threads may use one such pool.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "pool/backend.h"
#include "pool/job.h"
#include "pool/map.h"
#include "pool/outcome.h"
#include "pool/pool.h"
#include "pool/regions.h"
#include "pool/wait.h"
#include "worker/reply.h"
#include "worker/scope.h"

/* Of outputs, as in shared memory. */
#define COPY_ALIGN 64

static int grow_by_malloc(pe_reply *reply, size_t bytes)
{
    pe_job *job = (pe_job *)reply->owner;
    struct pe__job_more *more = pe__job_more(job);
    void *grown = more != NULL ? realloc(more->owned, bytes) : NULL;
    if (grown == NULL)
        return PE_ENOMEM;
    if (more->owned == NULL)
        memcpy(grown, reply->data, reply->bytes);
    more->owned = grown;
    reply->data = grown;
    reply->capacity = bytes;
    return 0;
}

static struct pe__worker_scope new_scope(void)
{
    const struct pe__worker_scope *outer = pe__worker_scope_current();
    struct pe__worker_scope scope;
    memset(&scope, 0, offsetof(struct pe__worker_scope, text));
    scope.depth = outer != NULL ? outer->depth : 0;
    return scope;
}

static void set_result(pe_job *job, const pe_reply *reply, int code)
{
    job->kind = PE_RETURNED;
    job->code = reply->error != 0 ? reply->error : code;
    job->pid = (int32_t)getpid();
    job->attempts = 1;
    job->has_result = reply->error == 0 && reply->written;
    if (reply->data == job->small) {
        job->small_bytes = (uint8_t)reply->bytes;
    } else {
        job->more->data = reply->data;
        job->more->data_bytes = reply->bytes;
    }
}

static int call(const struct pe__request *request, pe_reply *reply)
{
    PE__BUILTIN_SCOPE(&pe__pool_run_site);
    int code = request->fn(request->arg, request->arg_bytes, reply);
    if (pe_region_on)
        pe__pool_count_bytes(request->arg_bytes, reply->bytes);
    return code;
}

static int submit_inline(pe_pool *pool, pe_job *job, const struct pe__request *request)
{
    uint64_t limit = pool->options.max_reply_bytes;
    struct pe__worker_scope scope = new_scope();
    pe_reply reply = { .data = job->small,
                       .capacity = sizeof job->small,
                       .limit = limit != 0 ? limit : SIZE_MAX,
                       .grow = grow_by_malloc,
                       .owner = job };
    pe__job_begin(pool, job, request->arg_bytes);
    pthread_mutex_unlock(&pool->mutex);
    struct pe__worker_scope *outer = pe__worker_scope_swap(&scope);
    uint64_t start = pe__base_ticks();
    int code = call(request, &reply);
    job->run = (int64_t)(pe__base_ticks() - start);
    pe__worker_scope_swap(outer);
    pthread_mutex_lock(&pool->mutex);
    set_result(job, &reply, code);
    if (scope.text_bytes > 0)
        pe__job_keep_text(job, PE_TEXT_MESSAGE, scope.text, scope.text_bytes);
    pe__job_end(pool, job, job->has_result ? reply.bytes : 0);
    return 0;
}

/* Runs one item; false: the map is to stop. `place`: room for one output, which the caller's element gets only if
 * the item returns 0; NULL: in place. */
static bool run_item(struct pe__map_job *map, struct pe__worker_scope *scope, unsigned char *place, uint64_t item)
{
    unsigned char *out = map->out + item * map->out_bytes;
    scope->text_bytes = 0;
    uint64_t start = pe__base_ticks();
    int code = map->fn(map->in + item * map->in_bytes, place != NULL ? place : out, map->options.context);
    if (code == 0 && place != NULL)
        memcpy(out, place, map->out_bytes);
    pe_status status = { .kind = PE_RETURNED,
                         .code = code,
                         .pid = (int32_t)getpid(),
                         .attempts = 1,
                         .item = item,
                         .run_ns = pe__base_ticks_to_ns(pe__base_ticks() - start) };
    pe__map_count_item(map, &status, scope->text, scope->text_bytes);
    return code == 0 || map->options.on_error == 0 || map->summary.failed < map->options.on_error;
}

/* A map that is handed over as a job is no wait, and not to be interrupted. */
static int reason_to_stop(pe_pool *pool, const struct pe__map_job *map)
{
    if (!map->keeps_handle && pe__pool_take_interrupt(pool))
        return PE_EINTR;
    return pe__base_deadline_passed(map->options.deadline_ns) ? PE_ETIMEDOUT : 0;
}

static void run_items(pe_pool *pool, struct pe__map_job *map, struct pe__worker_scope *scope, unsigned char *place)
{
    PE__BUILTIN_SCOPE(&pe__pool_run_site);
    _Atomic uint64_t running = 0;
    uint64_t item = 0;
    bool going = true;
    scope->running = &running;
    for (; item < map->count && going && (map->cut = reason_to_stop(pool, map)) == 0; item++) {
        atomic_store_explicit(&running, item + 1, memory_order_relaxed);
        going = run_item(map, scope, place, item);
    }
    scope->running = NULL;
    if (pe_region_on)
        pe__pool_count_bytes(item * map->in_bytes, item * map->out_bytes);
    for (; item < map->count; item++) {
        pe_status rest = { .kind = PE_CANCELLED, .worker = -1, .item = item };
        pe__map_count_item(map, &rest, NULL, 0);
    }
}

static int start_map_inline(pe_pool *pool, pe_job *job, bool may_wait)
{
    struct pe__map_job *map = pe__job_map(job);
    struct pe__worker_scope scope = new_scope();
    unsigned char *place = NULL;
    (void)may_wait;
    if (map->out_bytes > 0 && !pe__shared_heap_owns(&pool->heap, map->out, map->out_bytes * map->count) &&
        (place = aligned_alloc(COPY_ALIGN, (map->out_bytes + COPY_ALIGN - 1) / COPY_ALIGN * COPY_ALIGN)) == NULL)
        return PE_ENOMEM;
    map->summary = (pe_map_summary){ .size = sizeof map->summary, .first_failed = UINT64_MAX };
    pe__job_begin(pool, job, map->in_bytes * map->count);
    pthread_mutex_unlock(&pool->mutex);
    struct pe__worker_scope *outer = pe__worker_scope_swap(&scope);
    run_items(pool, map, &scope, place);
    pe__worker_scope_swap(outer);
    free(place);
    pthread_mutex_lock(&pool->mutex);
    pe__map_finish(pool, job, PE_CANCELLED);
    return 0;
}

const struct pe__backend pe__inline_backend = { .submit = submit_inline, .start_map = start_map_inline };
