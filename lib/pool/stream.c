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
 * Items are handed over in order, and workers begin jobs of one priority in that order. So at most as many items
 * as there are workers are older than one that has ended and have not ended themselves, and a look for the next
 * result goes no further (find_over).
 *
 * All of a stream belongs to the thread that uses it, its jobs to the pool, under the pool's mutex until they have
 * ended. The stream holds a reference to the pool's memory, so it may outlive the pool.
 */
#include <stdlib.h>
#include <string.h>

#include <parexec/stream.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "pool/backend.h"
#include "pool/callback.h"
#include "pool/collect.h"
#include "pool/inherited.h"
#include "pool/job.h"
#include "pool/map.h"
#include "pool/pool.h"
#include "pool/submit.h"
#include "pool/wait.h"
#include "worker/scope.h"

#define LINE 64
#define SIZE_MOST (SIZE_MAX / 16)
/* In flight, unless said otherwise. Few of the large ones, which take long enough as they are. */
#define ITEMS_PER_WORKER 64
#define LARGE_ITEMS_PER_WORKER 4
#define LARGE_ITEM_BYTES 16384
/* Results up to this size are handed out as copies, as those of jobs are. */
#define COPY_MOST ((size_t)256 * 1024)
/* The source is asked no longer than this before another look at what has come. */
#define SLICE_NS PE_US(50)
#define PROGRESS_NS PE_MS(100)
/* A thread that is woken takes a CPU from a worker: it sleeps until so many items are over, if that takes no longer. */
#define REST_ITEMS 64
#define REST_NS PE_MS(1)

/* What workers know of the whole stream; in shared memory, as places are. */
struct recipe {
    pe_map_fn *fn;
    const void *context;
    size_t in_at, out_at; /* in a place; 0: there is none */
};

/* The start of an item's place. */
struct place {
    const struct recipe *recipe;
    uint64_t index;
};

/* The host's book on a place. */
struct item {
    struct pe__base_list link; /* of the free ones or of those in flight; in none while in the caller's hands */
    pe_job *job;               /* NULL: none yet */
    uint64_t index;
};

struct pe_stream {
    pe_pool *pool;
    pe_source_fn *source;
    void *source_context;
    size_t out_bytes, in_bytes;
    pe_map_options options;
    _Atomic bool busy; /* a call is going on */

    struct recipe *block;
    size_t places_at, stride, in_at, out_at;
    struct item *items;         /* as many as places */
    uint64_t fresh;             /* items from this number on were never used */
    struct pe__base_list free;  /* the others that are not in use, last used first */
    struct pe__base_list flight; /* in the order of the input */
    uint64_t in_flight, window; /* length of `flight`, and the most */
    struct item *unsent;        /* the last one in flight, while the queue has no room for it */
    struct item *handed;        /* in the caller's hands; NULL: none */
    void *copy;                 /* of its result, where that is small */

    uint64_t pulled;            /* items that the source has made */
    bool stopped;               /* it is not asked any more */
    bool told;                  /* the end */
    int result;                 /* what is told at the end */
    int64_t run_ns;             /* of the last item, as a guess at the next ones */
    pe_map_summary summary;
    int64_t start_ns, progress_due_ns;
};

/* ---- in a worker ---- */

static int run_item(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    unsigned char *place;
    (void)arg_bytes, (void)reply;
    memcpy(&place, arg, sizeof place);
    const struct place *head = (const struct place *)place;
    const struct recipe *recipe = head->recipe;
    struct pe__worker_scope *scope = pe__worker_scope_current();
    _Atomic uint64_t running = head->index + 1;
    scope->running = &running;
    int code = recipe->fn(recipe->in_at != 0 ? place + recipe->in_at : NULL,
                          recipe->out_at != 0 ? place + recipe->out_at : NULL, recipe->context);
    scope->running = NULL;
    return code;
}

/* ---- places ---- */

static unsigned char *place_of(const pe_stream *stream, const struct item *item)
{
    return (unsigned char *)stream->block + stream->places_at + (size_t)(item - stream->items) * stream->stride;
}

/* One is free while fewer than `window` are in flight. */
static struct item *take_item(pe_stream *stream)
{
    struct pe__base_list *link = pe__base_list_pop_front(&stream->free);
    if (link != NULL)
        return PE__BASE_LIST_ENTRY(link, struct item, link);
    return &stream->items[stream->fresh++];
}

static void give_item(pe_stream *stream, struct item *item)
{
    item->job = NULL;
    pe__base_list_push_front(&stream->free, &item->link);
}

static void give_handed(pe_stream *stream)
{
    struct item *item = stream->handed;
    if (item == NULL)
        return;
    pe_job_free(item->job);
    give_item(stream, item);
    stream->handed = NULL;
}

/* ---- into the pool ---- */

/* Nothing more is pulled; what is in flight goes on. */
static void stop(pe_stream *stream, int result)
{
    stream->stopped = true;
    stream->result = result;
}

/* False: there is none now, or never again. */
static bool pull(pe_stream *stream)
{
    struct item *item = take_item(stream);
    unsigned char *place = place_of(stream, item);
    *(struct place *)place = (struct place){ .recipe = stream->block, .index = stream->pulled };
    int result = stream->source(stream->in_at != 0 ? place + stream->in_at : NULL, stream->source_context);
    if (result <= 0) {
        give_item(stream, item);
        if (result != PE_EAGAIN)
            stop(stream, result);
        return false;
    }
    item->index = stream->pulled++;
    pe__base_list_push_back(&stream->flight, &item->link);
    stream->in_flight++;
    stream->unsent = item;
    return true;
}

/* 0, also when the pool takes nothing any more; else it is still unsent. */
static int send(pe_stream *stream, bool may_wait, int64_t deadline_ns)
{
    pe_pool *pool = stream->pool;
    void *place = place_of(stream, stream->unsent);
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
    stop(stream, result);
    return 0;
}

/* Pulls and sends while there is room, for a slice of time. True: it could go on at once. */
static bool fill(pe_stream *stream)
{
    uint64_t start = pe__base_ticks();
    if (stream->unsent != NULL && (stream->stopped || send(stream, false, 0) < 0))
        return false;
    while (!stream->stopped && stream->in_flight < stream->window) {
        if (!pull(stream) || send(stream, false, 0) < 0)
            return false;
        if (pe__base_ticks_to_ns(pe__base_ticks() - start) >= SLICE_NS)
            return true;
    }
    return false;
}

/* ---- out of it ---- */

static bool is_over(const pe_stream *stream, const struct item *item)
{
    return item->job != NULL ? pe__job_has_ended(item->job) : stream->stopped;
}

/* The item to hand out next, if it is over. */
static struct item *find_over(const pe_stream *stream)
{
    bool ordered = (stream->options.flags & PE_MAP_ORDERED) != 0;
    uint32_t older = 0;
    PE__BASE_LIST_EACH(link, &stream->flight) {
        struct item *item = PE__BASE_LIST_ENTRY(link, struct item, link);
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
    const pe_job *job = PE__BASE_LIST_ENTRY(link, const struct item, link)->job;
    return job != NULL && job->in_ring ? job->record : PE__BELL_ANY;
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The item leaves the stream, for the caller's hands. */
static void take_out(pe_stream *stream, struct item *item)
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
    stream->progress_due_ns = pe_after(PROGRESS_NS);
    options->progress(stream->summary.returned + stream->summary.failed, stream->summary.failed, 0,
                      options->progress_context);
}

static void fill_summary(pe_stream *stream)
{
    stream->summary.wall_ns = pe__base_now_ns() - stream->start_ns;
    if (stream->options.summary != NULL)
        pe__base_fill_sized(stream->options.summary, &stream->summary, sizeof stream->summary,
                            sizeof stream->summary);
}

static int tell_end(pe_stream *stream)
{
    if (!stream->told) {
        stream->told = true;
        fill_summary(stream);
        report(stream, true);
    }
    return stream->result;
}

/* 1: the next item is in `handed`; else what pe_stream_next returns. */
static int advance(pe_stream *stream, int64_t deadline_ns)
{
    for (;;) {
        bool may_go_on = fill(stream);
        int64_t until_ns = may_go_on ? 0 : earliest(deadline_ns, stream->progress_due_ns);
        if (stream->in_flight == 0)
            return stream->stopped ? tell_end(stream) : PE_EAGAIN;
        int result;
        if (stream->unsent != NULL && stream->in_flight == 1 && !stream->stopped)
            result = send(stream, true, until_ns);
        else if ((result = await(stream, until_ns)) == 0)
            return 1;
        if (result < 0 && (result != PE_ETIMEDOUT || pe__base_deadline_passed(deadline_ns)))
            return result;
        report(stream, false);
    }
}

static pe_status status_of(const pe_stream *stream, const struct item *item)
{
    pe_status status = { .kind = stream->result == PE_EBROKEN ? PE_LOST : PE_CANCELLED, .worker = -1 };
    if (item->job != NULL)
        pe_job_status(item->job, &status);
    status.item = item->index;
    return status;
}

static void count(pe_map_summary *summary, const pe_status *status)
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

static const void *result_of(const pe_stream *stream, const struct item *item)
{
    const unsigned char *out = place_of(stream, item) + stream->out_at;
    if (stream->copy == NULL)
        return out;
    memcpy(stream->copy, out, stream->out_bytes);
    return stream->copy;
}

static void hand_out(pe_stream *stream, uint64_t *ret_index, pe_status *ret_status, const void **ret_data,
                     size_t *ret_bytes)
{
    const struct item *item = stream->handed;
    pe_status status = status_of(stream, item);
    bool has_result = status.kind == PE_RETURNED && status.code == 0 && stream->out_bytes > 0;
    count(&stream->summary, &status);
    if (stream->options.on_error != 0 && stream->summary.failed >= stream->options.on_error && stream->result == 0)
        stop(stream, PE_EITEMS);
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
    give_handed(stream);
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

/* ---- begin and end ---- */

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
    *stream->block = (struct recipe){ .fn = fn,
                                      .context = context_bytes > 0 ? context : options->context,
                                      .in_at = stream->in_at,
                                      .out_at = stream->out_at };
    return 0;
}

static int build(pe_stream *stream, pe_map_fn *fn)
{
    size_t end = sizeof(struct place);
    stream->in_at = plan(&end, stream->in_bytes);
    stream->out_at = plan(&end, stream->out_bytes);
    stream->stride = round_up(end, LINE);
    stream->window = window_of(stream);
    pe__base_list_init(&stream->free);
    pe__base_list_init(&stream->flight);
    if (stream->window >= SIZE_MOST || (stream->items = calloc(stream->window + 1, sizeof *stream->items)) == NULL)
        return PE_ENOMEM;
    if (stream->out_bytes > 0 && stream->out_bytes <= COPY_MOST && (stream->copy = malloc(stream->out_bytes)) == NULL)
        return PE_ENOMEM;
    return share(stream, fn);
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
        stream->progress_due_ns = options.progress != NULL ? stream->start_ns + PROGRESS_NS : PE_FOREVER;
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
        pe_job *job = PE__BASE_LIST_ENTRY(link, struct item, link)->job;
        if (job != NULL)
            pe_job_cancel(job);
    }
}

static void end_flight(pe_stream *stream)
{
    struct pe__base_list *link;
    while ((link = pe__base_list_pop_front(&stream->flight)) != NULL) {
        struct item *item = PE__BASE_LIST_ENTRY(link, struct item, link);
        if (item->job != NULL)
            pe__job_wait_surely(item->job);
        pe_status status = status_of(stream, item);
        count(&stream->summary, &status);
        pe_job_free(item->job);
    }
}

void pe_stream_free(pe_stream *stream)
{
    if (stream == NULL)
        return;
    pe_pool *pool = stream->pool;
    bool forked = pe__base_forked(pool->token);
    give_handed(stream);
    cancel_flight(stream);
    end_flight(stream);
    if (!forked) {
        if (!stream->told)
            fill_summary(stream);
        pthread_mutex_lock(&pool->mutex);
        pe__shared_heap_free(&pool->heap, stream->block);
    }
    give_back(stream);
    pe__pool_unref(pool);
}
