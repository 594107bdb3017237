/*
 * stream_items.c - items of streams on their way into the pool: out of the source, into a place, as a job to a worker.
 */
#include "pool/stream_items.h"

#include <string.h>

#include <parexec/error.h>

#include "base/clock.h"
#include "pool/backend.h"
#include "pool/pool.h"
#include "pool/submit.h"
#include "worker/scope.h"

/* The source is asked no longer than this before another look at what has come. */
#define SLICE_NS PE_US(50)

/* ---- in a worker ---- */

static int run_item(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    unsigned char *place;
    (void)arg_bytes, (void)reply;
    memcpy(&place, arg, sizeof place);
    const struct pe__stream_place *head = (const struct pe__stream_place *)place;
    const struct pe__stream_recipe *recipe = head->recipe;
    struct pe__worker_scope *scope = pe__worker_scope_current();
    _Atomic uint64_t running = head->index + 1;
    scope->running = &running;
    int code = recipe->fn(recipe->in_at != 0 ? place + recipe->in_at : NULL,
                          recipe->out_at != 0 ? place + recipe->out_at : NULL, recipe->context);
    scope->running = NULL;
    return code;
}

/* ---- places ---- */

unsigned char *pe__stream_place_of(const pe_stream *stream, const struct pe__stream_item *item)
{
    return (unsigned char *)stream->block + stream->places_at + (size_t)(item - stream->items) * stream->stride;
}

/* One is free while fewer than `window` are in flight. */
static struct pe__stream_item *take_item(pe_stream *stream)
{
    struct pe__base_list *link = pe__base_list_pop_front(&stream->free);
    if (link != NULL)
        return PE__BASE_LIST_ENTRY(link, struct pe__stream_item, link);
    return &stream->items[stream->fresh++];
}

static void give_item(pe_stream *stream, struct pe__stream_item *item)
{
    item->job = NULL;
    pe__base_list_push_front(&stream->free, &item->link);
}

void pe__stream_give_handed(pe_stream *stream)
{
    struct pe__stream_item *item = stream->handed;
    if (item == NULL)
        return;
    pe_job_free(item->job);
    give_item(stream, item);
    stream->handed = NULL;
}

/* ---- into the pool ---- */

void pe__stream_stop(pe_stream *stream, int result)
{
    stream->stopped = true;
    stream->result = result;
}

/* False: there is none now, or never again. */
static bool pull(pe_stream *stream)
{
    struct pe__stream_item *item = take_item(stream);
    unsigned char *place = pe__stream_place_of(stream, item);
    *(struct pe__stream_place *)place = (struct pe__stream_place){ .recipe = stream->block, .index = stream->pulled };
    int result = stream->source(stream->in_at != 0 ? place + stream->in_at : NULL, stream->source_context);
    if (result <= 0) {
        give_item(stream, item);
        if (result != PE_EAGAIN)
            pe__stream_stop(stream, result);
        return false;
    }
    item->index = stream->pulled++;
    pe__base_list_push_back(&stream->flight, &item->link);
    stream->in_flight++;
    stream->unsent = item;
    return true;
}

int pe__stream_send(pe_stream *stream, bool may_wait, int64_t deadline_ns)
{
    pe_pool *pool = stream->pool;
    void *place = pe__stream_place_of(stream, stream->unsent);
    struct pe__request request = { .fn = run_item,
                                   .arg = &place,
                                   .arg_bytes = sizeof place,
                                   .retries = stream->options.retries,
                                   .level = stream->options.priority,
                                   .limits = stream->options.timeout_ns != 0 ? PE__LIMIT_TIMEOUT : 0,
                                   .run_timeout_ns = stream->options.timeout_ns,
                                   .may_wait = may_wait,
                                   .deadline_ns = deadline_ns };
    pthread_mutex_lock(&pool->mutex);
    int result = pe__pool_accept(pool, &request, &stream->unsent->job);
    if (result == 0)
        pool->stats.bytes_in += stream->in_bytes - sizeof place; /* the input is what was handed over */
    pe__pool_leave(pool);
    if (result == 0)
        stream->unsent = NULL;
    if (result != PE_ECLOSED && result != PE_EBROKEN)
        return result;
    pe__stream_stop(stream, result);
    return 0;
}

bool pe__stream_fill(pe_stream *stream)
{
    uint64_t start = pe__base_ticks();
    if (stream->unsent != NULL && (stream->stopped || pe__stream_send(stream, false, 0) < 0))
        return false;
    while (!stream->stopped && stream->in_flight < stream->window) {
        if (!pull(stream) || pe__stream_send(stream, false, 0) < 0)
            return false;
        if (pe__base_ticks_to_ns(pe__base_ticks() - start) >= SLICE_NS)
            return true;
    }
    return false;
}
