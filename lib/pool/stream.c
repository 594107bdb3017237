/*
 * stream.c - maps over input that comes bit by bit: every item is a job, and only so many are in flight.
 *
 * One block of the heap holds what workers read (the recipe, the context) and a place for each item in flight and
 * for the one in the caller's hands: a line with its index, its input, its result. The source writes inputs there
 * and workers write results there, so nothing is copied or allocated for an item but its job's handle, and memory is
 * what the bounds allow, whatever comes. The job's argument is the address of the place: with that a job's record
 * stays one cache line.
 *
 * The host reads nothing from a place but the result, which it gives on unseen; which item lies where is in its own
 * book. A place is used again when its job has ended, that is, when no worker writes to it any more: one that
 * crashed or was stopped has been reaped before.
 *
 * All of a stream belongs to the thread that uses it, its jobs to the pool, under the pool's mutex until they have
 * ended. The stream holds a reference to the pool's memory, so it may outlive the pool.
 */
#include "pool/stream.h"

#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>

#include "base/clock.h"
#include "pool/callback.h"
#include "pool/inherited.h"
#include "pool/job.h"
#include "pool/map_options.h"
#include "pool/pool.h"
#include "pool/stream_items.h"
#include "pool/stream_next.h"
#include "pool/submit.h"

#define LINE 64
#define SIZE_MOST (SIZE_MAX / 16)
/* In flight, unless said otherwise. Few of the large ones, which take long enough as they are. */
#define ITEMS_PER_WORKER 64
#define LARGE_ITEMS_PER_WORKER 4
#define LARGE_ITEM_BYTES 16384
/* Results up to this size are handed out as copies, as those of jobs are. */
#define COPY_MOST ((size_t)256 * 1024)

static size_t round_up(size_t bytes, size_t align)
{
    return (bytes + align - 1) / align * align;
}

/* Where a part of a place begins, and in *end where it ends. */
static size_t plan(size_t *end, size_t bytes)
{
    size_t at = round_up(*end, bytes < LINE ? _Alignof(max_align_t) : LINE);
    *end = at + bytes;
    return bytes > 0 ? at : 0;
}

static uint64_t window_of(const pe_stream *stream)
{
    const pe_map_options *options = &stream->options;
    uint64_t each = stream->stride < LARGE_ITEM_BYTES ? ITEMS_PER_WORKER : LARGE_ITEMS_PER_WORKER;
    uint64_t window = options->max_inflight != 0 ? options->max_inflight : stream->pool->workers * each;
    if (options->inflight_bytes == 0)
        return window;
    uint64_t fitting = options->inflight_bytes / stream->stride; /* with the one in the caller's hands */
    fitting = fitting > 2 ? fitting - 1 : 1;
    return window < fitting ? window : fitting;
}

/* Lays out the shared block and writes what is the same for all items. */
static int share(pe_stream *stream, pe_map_fn *fn)
{
    const pe_map_options *options = &stream->options;
    bool inherited = (options->flags & PE_MAP_INHERITED) != 0;
    size_t context_bytes = inherited ? 0 : options->context_bytes;
    size_t context_at = round_up(sizeof *stream->block, LINE), total;
    stream->places_at = round_up(context_at + context_bytes, LINE);
    if (__builtin_mul_overflow(stream->window + 1, stream->stride, &total) || total > SIZE_MOST)
        return PE_ENOMEM;
    void *block;
    int result = pe__shared_heap_alloc(&stream->pool->heap, stream->places_at + total, false, &block);
    if (result < 0)
        return result;
    unsigned char *context = (unsigned char *)block + context_at;
    if (context_bytes > 0)
        memcpy(context, options->context, context_bytes);
    stream->block = block;
    *stream->block = (struct pe__stream_recipe){ .fn = fn,
                                      .context = context_bytes > 0 ? context : options->context,
                                      .in_at = stream->in_at,
                                      .out_at = stream->out_at };
    return 0;
}

static int build(pe_stream *stream, pe_map_fn *fn)
{
    size_t end = sizeof(struct pe__stream_place);
    stream->in_at = plan(&end, stream->in_bytes);
    stream->out_at = plan(&end, stream->out_bytes);
    stream->stride = round_up(end, LINE);
    stream->window = window_of(stream);
    pe__base_list_init(&stream->free);
    pe__base_list_init(&stream->flight);
    if (stream->window >= SIZE_MOST)
        return PE_ENOMEM;
    int result = share(stream, fn); /* first: what does not fit there asks for no memory here */
    if (result < 0)
        return result;
    bool copies = stream->out_bytes > 0 && stream->out_bytes <= COPY_MOST;
    stream->items = calloc(stream->window + 1, sizeof *stream->items);
    stream->copy = copies ? malloc(stream->out_bytes) : NULL;
    if (stream->items != NULL && (stream->copy != NULL || !copies))
        return 0;
    pe__shared_heap_free(&stream->pool->heap, stream->block);
    return PE_ENOMEM;
}

/* With the mutex held. */
static int check_pool(pe_pool *pool, pe_map_fn *fn, const pe_map_options *options)
{
    if (pe__pool_in_callback(pool))
        return PE_EDEADLK;
    int result = pe__pool_check_open(pool);
    if (result == 0 && !pe__pool_has_loaded(pool, (uintptr_t)fn))
        result = PE_ENOTLOADED;
    return result == 0 ? pe__pool_check_inherited(pool, NULL, 0, options) : result;
}

/* Private memory alone. */
static void give_back(pe_stream *stream)
{
    free(stream->items);
    free(stream->copy);
    free(stream);
}

int pe_pool_stream(pe_pool *pool, pe_map_fn *fn, pe_source_fn *source, void *source_context, size_t in_bytes,
                   size_t out_bytes, const pe_map_options *given, pe_stream **ret_stream)
{
    pe_map_options options;
    if (pool == NULL || fn == NULL || source == NULL || ret_stream == NULL || in_bytes > SIZE_MOST ||
        out_bytes > SIZE_MOST)
        return PE_EINVAL;
    int result = pe__map_check_common(given, &options);
    if (result == 0 && options.statuses != NULL)
        result = PE_EINVAL;
    if (result == 0)
        result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    pe_stream *stream = calloc(1, sizeof *stream);
    result = stream == NULL ? PE_ENOMEM : check_pool(pool, fn, &options);
    if (result == 0) {
        stream->pool = pool;
        stream->source = source;
        stream->source_context = source_context;
        stream->in_bytes = in_bytes;
        stream->out_bytes = out_bytes;
        stream->options = options;
        stream->summary = (pe_map_summary){ .size = sizeof stream->summary, .first_failed = UINT64_MAX };
        stream->start_ns = pe__base_now_ns();
        stream->progress_due_ns = options.progress != NULL ? stream->start_ns + PE__STREAM_PROGRESS_NS : PE_FOREVER;
        result = build(stream, fn);
    }
    if (result == 0)
        pool->refs++;
    pe__pool_leave(pool);
    if (result == 0)
        *ret_stream = stream;
    else if (stream != NULL)
        give_back(stream);
    return result;
}

/* The newest first: what waits is taken away before a worker that stops comes to it. */
static void cancel_flight(pe_stream *stream)
{
    for (struct pe__base_list *link = stream->flight.previous; link != &stream->flight; link = link->previous) {
        pe_job *job = PE__BASE_LIST_ENTRY(link, struct pe__stream_item, link)->job;
        if (job != NULL)
            pe_job_cancel(job);
    }
}

static void end_flight(pe_stream *stream)
{
    struct pe__base_list *link;
    while ((link = pe__base_list_pop_front(&stream->flight)) != NULL) {
        struct pe__stream_item *item = PE__BASE_LIST_ENTRY(link, struct pe__stream_item, link);
        if (item->job != NULL)
            pe__job_wait_surely(item->job);
        pe_status status = pe__stream_status_of(stream, item);
        pe__stream_count(&stream->summary, &status);
        pe_job_free(item->job);
    }
}

void pe_stream_free(pe_stream *stream)
{
    if (stream == NULL)
        return;
    pe_pool *pool = stream->pool;
    bool forked = pe__base_forked(pool->token);
    pe__stream_give_handed(stream);
    cancel_flight(stream);
    end_flight(stream);
    if (!forked) {
        if (!stream->told)
            pe__stream_fill_summary(stream);
        pthread_mutex_lock(&pool->mutex);
        pe__shared_heap_free(&pool->heap, stream->block);
    }
    give_back(stream);
    pe__pool_unref(pool);
}
