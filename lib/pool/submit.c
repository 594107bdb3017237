/*
 * submit.c - a job's way into the queue.
 *
 * When must a push ring? Let `awake` be the workers that are wanted, serve and have not announced sleep. Each holds one
 * record at most and looks at all levels of the queue before it announces. While no more records are in flight (the new
 * one included) than workers are awake, at least one of them is free to find it, so no ring is needed; otherwise a
 * sleeper, if there is one, is rung. Claims go in the queue's order, hence a record is never left behind by an awake
 * worker that took a later one of its level; and one that took a record of another level holds that one, so another
 * worker is free as long as the count tells so. A worker that dies leaves `present` first, and then the keeper rings
 * everybody. One that leaves for want of work takes its bit out of `present` by itself and looks at all levels once
 * more; where no sleeper is left to be rung, the keeper is asked for a process in its place.
 *
 * Of the tickets of a map that its caller waits for, only the first is judged at once; the others when the
 * map has not ended after a glance (pool/map.c). A tiny map is over by then, done by the workers that were
 * awake.
 *
 * The host's store of the tail and its load of the announcements are sequentially consistent: see bell.h.
 */
#include "pool/submit.h"

#include <string.h>

#include "base/clock.h"
#include "base/cpu_relax.h"
#include "base/sized.h"
#include "pool/backend.h"
#include "pool/broadcast.h"
#include "pool/collect.h"
#include "pool/deadline.h"
#include "pool/job.h"
#include "pool/loaded.h"
#include "pool/map_tickets.h"
#include "pool/pool.h"
#include "pool/regions.h"
#include "pool/size.h"
#include "pool/talk.h"
#include "pool/wait.h"

/* Once in so many submissions finished jobs are collected on the way, as many again and more when some were left; not
 * those that were pushed last, whose lines the workers are using. */
#define COLLECT_EACH 64
#define COLLECT_MOST (4 * COLLECT_EACH)
#define LOOKS_BEFORE_RING 16
/* How long a host waits for a full queue to become half empty, before it takes less. */
#define PATIENCE_NS PE_MS(5)
#define RECORDS_AHEAD 4

/* Most programs submit one function again and again. */
bool pe__pool_has_loaded(pe_pool *pool, uintptr_t fn)
{
    bool for_ever;
    if (fn == pool->last_fn)
        return true;
    bool has = pe__loaded_has(&pool->loaded, fn, pool->keeper_pid, &for_ever);
    if (has && for_ever)
        pool->last_fn = fn;
    return has;
}

int pe__pool_check_open(const pe_pool *pool)
{
    if (pool->state == PE__POOL_BROKEN)
        return PE_EBROKEN;
    return pool->state == PE__POOL_OPEN ? 0 : PE_ECLOSED;
}

/* Positions from the oldest that waits to the tail, and `count` more, fit into the ring of records. */
bool pe__pool_has_positions(pe_pool *pool, struct pe__level *level, uint32_t count)
{
    uint32_t records = pool->shared.geometry.records;
    if (level->tail - level->claimed + count > records)
        pe__pool_look_at_claims(pool, level);
    return level->tail - level->claimed + count <= records;
}

static uint32_t record_at_tail(const pe_pool *pool, const struct pe__level *level)
{
    return pe__pool_record_at(pool, level, level->tail);
}

/* Leaves out positions whose records are still at work. */
bool pe__pool_find_place(pe_pool *pool, struct pe__level *level)
{
    while (pe__pool_has_positions(pool, level, 1)) {
        uint32_t record = record_at_tail(pool, level);
        if (pool->entries[record].job == NULL)
            return true;
        pe__pool_collect_record(pool, record);
        if (pool->entries[record].job != NULL)
            level->tail++;
    }
    return false;
}

uint32_t pe__pool_take_record(pe_pool *pool, struct pe__level *level, pe_job *job)
{
    uint32_t record;
    while (pool->entries[record = record_at_tail(pool, level)].job != NULL)
        level->tail++;
    struct pe__entry *entry = &pool->entries[record];
    entry->sequence = pe__queue_sequence(level->tail, pool->shared.geometry.records);
    entry->job = job;
    entry->is_ticket = job->is_map;
    entry->is_counted = !job->is_map;
    entry->stop_asked = false;
    entry->limits = 0;
    entry->addressee = 0;
    pe__base_list_push_back(&level->busy, &entry->link);
    level->queued += entry->is_counted;
    pool->in_flight++;
    return record;
}

/* Asleep, or gone for want of work. */
static bool any_to_be_had(const pe_pool *pool)
{
    PE__BELL_EACH_GROUP(first, pool->workers) {
        const struct pe__bell_group *group = pe__bell_group_of(pool->shared.groups, first);
        if ((atomic_load_explicit(&group->sleepers, memory_order_seq_cst) |
             atomic_load_explicit(&group->vacant, memory_order_seq_cst)) != 0)
            return true;
    }
    return false;
}

static uint32_t count_awake(const pe_pool *pool)
{
    uint32_t awake = 0;
    PE__BELL_EACH_GROUP(first, pool->workers) {
        const struct pe__bell_group *group = pe__bell_group_of(pool->shared.groups, first);
        uint64_t asleep = atomic_load_explicit(&group->sleepers, memory_order_seq_cst);
        uint64_t present = atomic_load_explicit(&group->present, memory_order_seq_cst);
        awake += (uint32_t)__builtin_popcountll(present & ~asleep & pe__pool_wanted_in(pool, first));
    }
    return awake;
}

/* More records are in flight than workers are awake. What has ended is collected first: it is not in
 * flight. */
static bool lacks_workers(pe_pool *pool)
{
    uint32_t awake = count_awake(pool);
    if (pool->in_flight > awake)
        pe__pool_collect_front(pool, UINT32_MAX);
    return pool->in_flight > awake;
}

static bool wake_or_start_one(pe_pool *pool)
{
    return pe__bell_wake_one(pool->shared.groups, pool->shared.slots, pool->workers) || pe__pool_start_one(pool);
}

/* The rule at the head of this file. True: one was rung. */
bool pe__pool_ring_if_needed(pe_pool *pool)
{
    if (!any_to_be_had(pool))
        return false;
    /* A ring costs both sides some microseconds: the workers that are awake get a fraction of one. */
    for (int look = 0; look < LOOKS_BEFORE_RING; look++) {
        if (!lacks_workers(pool))
            return false;
        pe__base_cpu_relax();
    }
    return lacks_workers(pool) && wake_or_start_one(pool);
}

static inline void push(pe_pool *pool, struct pe__level *level, uint32_t record, bool may_ring)
{
    const struct pe__shared *shared = &pool->shared;
    const struct pe__entry *entry = &pool->entries[record];
    uint64_t word = pe__pool_queued_word(entry);
    shared->records[record].limits = entry->limits;
    atomic_store_explicit(&shared->records[record].word, word, memory_order_release);
    level->tail++;
    atomic_store_explicit(&shared->tails[level->number].tail, level->tail, memory_order_seq_cst);
    /* A later one's line comes over from a worker's cache meanwhile; the next one's is being looked at by workers. */
    __builtin_prefetch(&shared->records[pe__pool_record_at(pool, level, level->tail + RECORDS_AHEAD)], 1);
    if (pe__pool_has_deadline(pool, record))
        pe__pool_mind_deadline(pool, record);
    if (may_ring)
        pe__pool_ring_if_needed(pool);
}

/* The record that was taken last of its level. */
void pe__pool_push(pe_pool *pool, struct pe__level *level, uint32_t record, bool may_ring)
{
    push(pool, level, record, may_ring);
}

/* The argument is within the budget of bytes that may wait. One that is larger than all of it is when none do. */
static bool fits(const pe_pool *pool, const struct pe__level *level, size_t bytes)
{
    uint64_t most = pool->options.queue_bytes;
    return pool->waiting_bytes == NULL || level->queued_bytes == 0 ||
           (level->queued_bytes <= most && bytes <= most - level->queued_bytes);
}

static void count_bytes(pe_pool *pool, struct pe__level *level, uint32_t record, size_t bytes)
{
    if (pool->waiting_bytes == NULL)
        return;
    pool->waiting_bytes[record] = bytes;
    level->queued_bytes += bytes;
}

/* The usual case, without looking at anything that is shared. */
static bool has_room_at_once(const pe_pool *pool, const struct pe__level *level, size_t bytes)
{
    return pool->state == PE__POOL_OPEN && level->queued < pool->options.queue_jobs && fits(pool, level, bytes) &&
           level->tail - level->claimed < pool->shared.geometry.records &&
           pool->entries[record_at_tail(pool, level)].job == NULL;
}

static bool has_room(pe_pool *pool, struct pe__level *level, size_t bytes)
{
    if (pe__pool_check_open(pool) < 0)
        return true;
    if (level->queued >= pool->options.queue_jobs || !fits(pool, level, bytes))
        pe__pool_look_at_claims(pool, level);
    return level->queued < pool->options.queue_jobs && fits(pool, level, bytes) &&
           (pe__pool_find_place(pool, level) || pe__pool_check_open(pool) < 0);
}

/* What a submission waits for. */
struct room {
    struct pe__level *level;
    size_t bytes;        /* of the argument */
    int64_t patience_ns; /* when room for one will do */
};

/* Waking up for every claim would cost more than it brings: wait for room for many, unless that takes
 * long. */
static bool has_room_for_many(pe_pool *pool, void *context)
{
    const struct room *wanted = context;
    const struct pe__level *level = wanted->level;
    if (!has_room(pool, wanted->level, wanted->bytes))
        return false;
    uint64_t most = pool->options.queue_jobs, room = most - level->queued;
    bool has_half = room >= most / 2 && level->queued_bytes <= pool->options.queue_bytes / 2;
    return pe__pool_check_open(pool) < 0 || has_half || pe__base_deadline_passed(wanted->patience_ns);
}

static uint32_t middle_of_queue(pe_pool *pool, void *context)
{
    struct pe__level *level = ((const struct room *)context)->level;
    pe__pool_look_at_claims(pool, level);
    uint64_t waiting = level->tail - level->claimed;
    if (waiting == 0)
        return PE__BELL_ANY;
    uint64_t middle = level->claimed + waiting / 2;
    return pe__pool_is_waiting_at(pool, level, middle) ? pe__pool_record_at(pool, level, middle) : PE__BELL_ANY;
}

static int wait_for_room(pe_pool *pool, struct pe__level *level, const struct pe__request *request)
{
    struct room wanted = {
        .level = level, .bytes = request->arg_bytes, .patience_ns = pe_after(PATIENCE_NS)
    };
    struct pe__wait wait = { .ready = has_room_for_many,
                             .target = middle_of_queue,
                             .context = &wanted,
                             .deadline_ns = request->deadline_ns,
                             .for_claim = true };
    if (!request->may_wait) {
        pe__pool_glance_at_keeper(pool);
        int refused = pe__pool_check_open(pool);
        return refused < 0 ? refused : PE_EAGAIN;
    }
    int result = pe__pool_wait_for(pool, &wait);
    return result < 0 ? result : pe__pool_check_open(pool);
}

static int make_room(pe_pool *pool, struct pe__level *level, const struct pe__request *request)
{
    if (pool->in_flight >= pool->collect_from) {
        pe__pool_collect_front(pool, COLLECT_MOST);
        pool->collect_from = pool->in_flight + COLLECT_EACH;
    }
    if (pool->has_orphans)
        pe__map_adopt_orphans(pool);
    if (has_room_at_once(pool, level, request->arg_bytes))
        return 0;
    return has_room(pool, level, request->arg_bytes) ? pe__pool_check_open(pool) : wait_for_room(pool, level, request);
}

static int place_argument(pe_pool *pool, pe_job *job, const struct pe__request *request)
{
    if (request->arg_bytes <= PE__RECORD_INLINE_BYTES)
        return 0;
    struct pe__job_more *more = pe__job_more(job);
    if (more == NULL)
        return PE_ENOMEM;
    PE__BUILTIN_SCOPE(&pe__pool_copy_site);
    int result = pe__shared_heap_alloc(&pool->heap, request->arg_bytes, false, &more->arg_block);
    if (result == 0)
        memcpy(more->arg_block, request->arg, request->arg_bytes);
    return result;
}

/* The rest of the record is left alone while all in it is 0 and is to stay so. */
static void fill_counts(struct pe__record_more *more, struct pe__entry *entry, const struct pe__request *request)
{
    if (!entry->more_used && request->retries == 0 && request->limits == 0)
        return;
    more->retries = request->retries;
    atomic_store_explicit(&more->attempts, 0, memory_order_relaxed);
    atomic_store_explicit(&more->timeout_ns, request->run_timeout_ns, memory_order_relaxed);
    atomic_store_explicit(&more->deadline_ns, request->run_deadline_ns, memory_order_relaxed);
    entry->more_used = request->retries != 0;
}

static void fill_argument(struct pe__record *record, struct pe__record_more *more, const pe_job *job,
                          const struct pe__request *request)
{
    size_t bytes = request->arg_bytes;
    record->arg_short = bytes <= PE__RECORD_INLINE_BYTES ? (uint16_t)bytes : PE__RECORD_FAR;
    if (bytes == PE__RECORD_NEAR_BYTES) {
        memcpy(record->arg, request->arg, PE__RECORD_NEAR_BYTES);
    } else if (bytes > PE__RECORD_INLINE_BYTES) {
        more->arg_bytes = bytes;
        more->arg_block = job->more->arg_block;
    } else if (bytes > 0) {
        memcpy(bytes < PE__RECORD_NEAR_BYTES ? record->arg : more->arg, request->arg, bytes);
    }
}

int pe__pool_submit_to_processes(pe_pool *pool, pe_job *job, const struct pe__request *request)
{
    struct pe__level *level = &pool->levels[request->level];
    int result = make_room(pool, level, request);
    if (result < 0)
        return result;
    result = place_argument(pool, job, request);
    if (result < 0)
        return result;
    uint32_t index = pe__pool_take_record(pool, level, job);
    struct pe__record *record = &pool->shared.records[index];
    struct pe__record_more *more = &pool->shared.records_more[index];
    count_bytes(pool, level, index, request->arg_bytes);
    job->record = index;
    job->in_ring = true;
    job->queued = pe__base_ticks();
    pe__job_begin(pool, job, request->arg_bytes);
    fill_counts(more, &pool->entries[index], request);
    pool->entries[index].limits = request->limits;
    /* A worker may be looking at the record's line all the time: what is written there is written in one go. */
    record->fn = request->fn;
    record->start_ticks = job->queued;
    fill_argument(record, more, job, request);
    if (request->addressee != 0)
        pe__pool_address(pool, index, request->addressee);
    if (pe_region_on)
        pe__pool_begin_flow(pool, index);
    push(pool, level, index, request->addressee == 0);
    if (request->addressee != 0)
        pe__pool_order(pool, index);
    return 0;
}

static int read_options(const pe_job_options *given, struct pe__request *request)
{
    pe_job_options options;
    int result = PE__BASE_CHECK_SIZED(pe_job_options, given, &options);
    if (result < 0)
        return result;
    if (options.timeout_ns < 0 || options.deadline_ns < 0 || options.priority >= PE__QUEUE_LEVELS)
        return PE_EINVAL;
    request->retries = options.retries;
    request->level = options.priority;
    request->run_timeout_ns = options.timeout_ns;
    request->run_deadline_ns = options.deadline_ns != PE_FOREVER ? options.deadline_ns : 0;
    request->limits = (request->run_timeout_ns != 0 ? PE__LIMIT_TIMEOUT : 0) |
                      (request->run_deadline_ns != 0 ? PE__LIMIT_DEADLINE : 0);
    result = pe__base_deadline_check(request->run_deadline_ns);
    if (result < 0)
        return result;
    if (options.submit_deadline_ns != 0)
        request->deadline_ns = options.submit_deadline_ns;
    return pe__base_deadline_check(request->deadline_ns);
}

static inline int accept_request(pe_pool *pool, const struct pe__request *request, pe_job **ret_job)
{
    PE__BUILTIN_SCOPE(&pe__pool_submit_site);
    int result = pe__pool_check_open(pool);
    if (result < 0)
        return result;
    if (!pe__pool_has_loaded(pool, (uintptr_t)request->fn))
        return PE_ENOTLOADED;
    pe_job *job = pe__job_new(pool);
    if (job == NULL)
        return PE_ENOMEM;
    job->detached = ret_job == NULL;
    job->refs = ret_job != NULL ? 2 : 1;
    result = pool->backend->submit(pool, job, request);
    if (result < 0) {
        pe__job_drop(job);
        return result;
    }
    if (ret_job != NULL)
        *ret_job = job;
    return 0;
}

int pe__pool_accept(pe_pool *pool, const struct pe__request *request, pe_job **ret_job)
{
    return accept_request(pool, request, ret_job);
}

int pe__pool_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, const pe_job_options *options,
                    bool may_wait, pe_job **ret_job)
{
    struct pe__request request = {
        .fn = fn, .arg = arg, .arg_bytes = arg_bytes, .may_wait = may_wait, .deadline_ns = PE_FOREVER
    };
    if (pool == NULL || fn == NULL || (arg == NULL && arg_bytes > 0))
        return PE_EINVAL;
    int result = options != NULL ? read_options(options, &request) : 0;
    if (result == 0)
        result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    if (pe__pool_in_callback(pool))
        request.may_wait = false;
    result = accept_request(pool, &request, ret_job);
    pe__pool_leave(pool);
    return result;
}

int pe_pool_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, const pe_job_options *options,
                   pe_job **ret_job)
{
    return pe__pool_submit(pool, fn, arg, arg_bytes, options, true, ret_job);
}

int pe_pool_try_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                       const pe_job_options *options, pe_job **ret_job)
{
    return pe__pool_submit(pool, fn, arg, arg_bytes, options, false, ret_job);
}
