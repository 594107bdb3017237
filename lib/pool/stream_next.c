/*
 * stream_next.c - results of streams on their way out of the pool, one with each call.
 *
 * Items are handed over in order, and workers begin jobs of one priority in that order. So at most as many items
 * as there are workers are older than one that has ended and have not ended themselves, and a look for the next
 * result goes no further (find_over).
 */
#include "pool/stream_next.h"

#include <string.h>

#include <parexec/error.h>

#include "base/clock.h"
#include "base/sized.h"
#include "pool/callback.h"
#include "pool/collect.h"
#include "pool/job.h"
#include "pool/pool.h"
#include "pool/stream_items.h"
#include "pool/wait.h"

/* A thread that is woken takes a CPU from a worker: it sleeps until so many items are over, if that takes no longer. */
#define REST_ITEMS 64
#define REST_NS PE_MS(1)

static bool is_over(const pe_stream *stream, const struct pe__stream_item *item)
{
    return item->job != NULL ? pe__job_has_ended(item->job) : stream->stopped;
}

/* The item to hand out next, if it is over. */
static struct pe__stream_item *find_over(const pe_stream *stream)
{
    bool ordered = (stream->options.flags & PE_MAP_ORDERED) != 0;
    uint32_t older = 0;
    PE__BASE_LIST_EACH(link, &stream->flight) {
        struct pe__stream_item *item = PE__BASE_LIST_ENTRY(link, struct pe__stream_item, link);
        if (is_over(stream, item))
            return item;
        if (ordered || older++ == stream->pool->numbers)
            break;
    }
    return NULL;
}

static bool is_ready(pe_pool *pool, void *context)
{
    const pe_stream *stream = context;
    if (find_over(stream) != NULL)
        return true;
    pe__pool_collect_all(pool, UINT32_MAX);
    return find_over(stream) != NULL;
}

/* How many of those in flight are to be over when this thread wakes up: half of them, if that is soon. */
static uint64_t rest_of(const pe_stream *stream)
{
    uint32_t workers = stream->pool->workers;
    uint64_t half = stream->in_flight / 2 < REST_ITEMS ? stream->in_flight / 2 : REST_ITEMS;
    return half > workers && stream->run_ns <= (int64_t)(REST_NS * workers / half) ? half : 0;
}

static uint32_t worth_waking_for(pe_pool *pool, void *context)
{
    const pe_stream *stream = context;
    uint64_t rest = rest_of(stream);
    (void)pool;
    if (rest == 0 && (stream->options.flags & PE_MAP_ORDERED) == 0)
        return PE__BELL_ANY;
    const struct pe__base_list *link = stream->flight.next;
    while (rest-- > 1)
        link = link->next;
    const pe_job *job = PE__BASE_LIST_ENTRY(link, const struct pe__stream_item, link)->job;
    return job != NULL && job->in_ring ? job->record : PE__BELL_ANY;
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The item leaves the stream, for the caller's hands. */
static void take_out(pe_stream *stream, struct pe__stream_item *item)
{
    const pe_job *job = item->job;
    pe__base_list_remove(&item->link);
    stream->in_flight--;
    stream->handed = item;
    stream->run_ns = job != NULL ? pe__base_ticks_to_ns((uint64_t)job->run) : 0;
    if (job == NULL)
        stream->unsent = NULL;
    else if (job->kind == PE_RETURNED && job->code == 0)
        stream->pool->stats.bytes_out += stream->out_bytes;
}

/* 0: the next one is in `handed`. */
static int await(pe_stream *stream, int64_t deadline_ns)
{
    pe_pool *pool = stream->pool;
    struct pe__wait wait = {
        .ready = is_ready, .target = worth_waking_for, .context = stream, .deadline_ns = deadline_ns
    };
    pthread_mutex_lock(&pool->mutex);
    if (rest_of(stream) > 0)
        wait.deadline_ns = earliest(deadline_ns, pe_after(REST_NS));
    int result = pe__pool_wait_for(pool, &wait);
    if (result == 0)
        take_out(stream, find_over(stream));
    else if (wait.deadline_ns != deadline_ns)
        stream->run_ns = PE_FOREVER; /* so soon it was not */
    pe__job_run_callbacks(pool);
    pe__pool_leave(pool);
    return result;
}

static void report(pe_stream *stream, bool last)
{
    const pe_map_options *options = &stream->options;
    if (options->progress == NULL || (!last && !pe__base_deadline_passed(stream->progress_due_ns)))
        return;
    stream->progress_due_ns = pe_after(PE__STREAM_PROGRESS_NS);
    options->progress(stream->summary.returned + stream->summary.failed, stream->summary.failed, 0,
                      options->progress_context);
}

void pe__stream_fill_summary(pe_stream *stream)
{
    stream->summary.wall_ns = pe__base_now_ns() - stream->start_ns;
    if (stream->options.summary != NULL)
        PE__BASE_FILL_SIZED(pe_map_summary, stream->options.summary, &stream->summary);
}

static int tell_end(pe_stream *stream)
{
    if (!stream->told) {
        stream->told = true;
        pe__stream_fill_summary(stream);
        report(stream, true);
    }
    return stream->result;
}

/* 1: the next item is in `handed`; else what pe_stream_next returns. */
static int advance(pe_stream *stream, int64_t deadline_ns)
{
    for (;;) {
        bool may_go_on = pe__stream_fill(stream);
        int64_t until_ns = may_go_on ? 0 : earliest(deadline_ns, stream->progress_due_ns);
        if (stream->in_flight == 0)
            return stream->stopped ? tell_end(stream) : PE_EAGAIN;
        int result;
        if (stream->unsent != NULL && stream->in_flight == 1 && !stream->stopped)
            result = pe__stream_send(stream, true, until_ns);
        else if ((result = await(stream, until_ns)) == 0)
            return 1;
        if (result < 0 && (result != PE_ETIMEDOUT || pe__base_deadline_passed(deadline_ns)))
            return result;
        report(stream, false);
    }
}

pe_status pe__stream_status_of(const pe_stream *stream, const struct pe__stream_item *item)
{
    pe_status status = { .kind = stream->result == PE_EBROKEN ? PE_LOST : PE_CANCELLED, .worker = -1 };
    if (item->job != NULL)
        pe_job_status(item->job, &status);
    status.item = item->index;
    return status;
}

void pe__stream_count(pe_map_summary *summary, const pe_status *status)
{
    if (status->kind == PE_RETURNED && status->code == 0)
        summary->returned++;
    else if (status->kind == PE_CANCELLED)
        summary->cancelled++;
    else if (status->kind == PE_LOST)
        summary->lost++;
    else if (summary->failed++ == 0 || status->item < summary->first_failed) {
        summary->first_failed = status->item;
        summary->first = *status;
    }
}

static const void *result_of(const pe_stream *stream, const struct pe__stream_item *item)
{
    const unsigned char *out = pe__stream_place_of(stream, item) + stream->out_at;
    if (stream->copy == NULL)
        return out;
    memcpy(stream->copy, out, stream->out_bytes);
    return stream->copy;
}

static void hand_out(pe_stream *stream, uint64_t *ret_index, pe_status *ret_status, const void **ret_data,
                     size_t *ret_bytes)
{
    const struct pe__stream_item *item = stream->handed;
    pe_status status = pe__stream_status_of(stream, item);
    bool has_result = status.kind == PE_RETURNED && status.code == 0 && stream->out_bytes > 0;
    pe__stream_count(&stream->summary, &status);
    if (stream->options.on_error != 0 && stream->summary.failed >= stream->options.on_error && stream->result == 0)
        pe__stream_stop(stream, PE_EITEMS);
    if (ret_index != NULL)
        *ret_index = item->index;
    if (ret_status != NULL)
        *ret_status = status;
    if (ret_data != NULL)
        *ret_data = has_result ? result_of(stream, item) : NULL;
    if (ret_bytes != NULL)
        *ret_bytes = has_result ? stream->out_bytes : 0;
}

/* What comes before every look at a stream that is not the last. */
static int check_call(pe_stream *stream)
{
    int result = pe__pool_enter(stream->pool);
    if (result < 0)
        return result;
    result = pe__pool_in_callback(stream->pool) ? PE_EDEADLK : 0;
    pe__pool_leave(stream->pool);
    return result;
}

int pe_stream_next(pe_stream *stream, int64_t deadline_ns, uint64_t *ret_index, pe_status *ret_status,
                   const void **ret_data, size_t *ret_bytes)
{
    int result = stream == NULL ? PE_EINVAL : pe__base_deadline_check(deadline_ns);
    if (result == 0)
        result = check_call(stream);
    if (result < 0)
        return result;
    if (atomic_exchange_explicit(&stream->busy, true, memory_order_acquire))
        return PE_EDEADLK;
    pe__stream_give_handed(stream);
    report(stream, false);
    result = advance(stream, earliest(deadline_ns, stream->options.deadline_ns));
    if (result == 1)
        hand_out(stream, ret_index, ret_status, ret_data, ret_bytes);
    atomic_store_explicit(&stream->busy, false, memory_order_release);
    return result;
}

int pe_stream_text(const pe_stream *stream, uint32_t which, const char **ret_text, size_t *ret_bytes)
{
    if (stream == NULL || ret_text == NULL || which < PE_TEXT_MESSAGE || which > PE_TEXT_BACKTRACE)
        return PE_EINVAL;
    if (pe__base_forked(stream->pool->token))
        return PE_EFORKED;
    if (stream->handed == NULL || stream->handed->job == NULL)
        return PE_ENODATA;
    return pe_job_item_text(stream->handed->job, 0, which, ret_text, ret_bytes);
}
