/*
 * map.c - a map from its call to its end.
 *
 * The host lays out what workers need to see of it (map_layout.c) and queues one ticket for each lane (map_tickets.c).
 * From then on the workers share the items among themselves (shared/lane.h). The map has ended when all its tickets
 * have.
 */
#include "pool/map.h"

#include <stdlib.h>

#include "base/clock.h"
#include "pool/backend.h"
#include "pool/callback.h"
#include "pool/collect.h"
#include "pool/inherited.h"
#include "pool/job.h"
#include "pool/listen.h"
#include "pool/map_ask.h"
#include "pool/map_layout.h"
#include "pool/map_options.h"
#include "pool/map_tickets.h"
#include "pool/outcome.h"
#include "pool/pool.h"
#include "pool/progress.h"
#include "pool/regions.h"
#include "pool/stop.h"
#include "pool/submit.h"
#include "pool/texts.h"
#include "pool/wait.h"

/* A map of so few items is begun by one worker; the others get their tickets if it takes longer than a glance. */
#define FEW_ITEMS 64

static uint32_t free_map(const pe_pool *pool)
{
    return (uint32_t)__builtin_ctz(~pool->map_busy);
}

/* What has ended is collected after the last look at claims, so of the records that come next no more are busy than
 * workers run jobs: that many positions are left out. */
static bool has_map(pe_pool *pool, void *wanted)
{
    const struct pe__map_job *map = wanted;
    if (pe__pool_check_open(pool) < 0)
        return true;
    struct pe__level *level = &pool->levels[map->options.priority];
    uint32_t busy = (2 + pool->broadcasting) * pool->numbers;
    if (free_map(pool) == PE__MAPS_MAX || !pe__pool_has_positions(pool, level, busy))
        return false;
    pe__pool_collect_all(pool, UINT32_MAX);
    return true;
}

static int await_map(pe_pool *pool, struct pe__map_job *map, bool may_wait)
{
    pe__pool_collect_all(pool, UINT32_MAX);
    if (has_map(pool, map))
        return pe__pool_check_open(pool);
    if (!may_wait)
        return PE_EAGAIN;
    struct pe__wait wait = { .ready = has_map,
                             .context = map,
                             .deadline_ns = map->options.deadline_ns,
                             .for_claim = true };
    int result = pe__pool_wait_for(pool, &wait);
    return result < 0 ? result : pe__pool_check_open(pool);
}

static int start_on_processes(pe_pool *pool, pe_job *job, bool may_wait)
{
    struct pe__map_job *map = pe__job_map(job);
    int result = pe__pool_check_inherited(pool, map->in, map->in_bytes * map->count, &map->options);
    if (result == 0)
        result = await_map(pool, map, may_wait);
    if (result < 0)
        return result;
    result = pe__map_place(pool, map);
    if (result < 0)
        return result;
    map->index = free_map(pool);
    pool->map_busy |= UINT32_C(1) << map->index;
    map->running = true;
    map->ticketed = !map->keeps_handle && map->count <= FEW_ITEMS ? 1 : map->lanes;
    map->tickets = map->ticketed;
    pe__map_describe(pool, map);
    pe__job_begin(pool, job, map->in_bytes * map->count);
    for (uint32_t lane = 0; lane < map->lanes; lane++)
        map->records[lane] = PE__MAP_TICKET_ENDED;
    /* A look on the way, whether to ring, may break the pool, which ends the map. */
    for (uint32_t lane = 0; lane < map->ticketed && map->running; lane++)
        pe__map_queue_ticket(pool, job, lane, lane == 0 || map->keeps_handle);
    return 0;
}

static void stop_items(pe_pool *pool, const struct pe__map_job *map)
{
    pe__map_stop(&pool->shared.lives[map->index], pe__mapping_lanes(&pool->shared, map->index),
                 pe__map_limits(map) != 0 ? map->lanes : 0);
}

static uint32_t kind_of(int result)
{
    switch (result) {
    case PE_ECANCELED: return PE_CANCELLED;
    case PE_ETIMEDOUT: return PE_TIMED_OUT;
    case PE_EBROKEN: return PE_LOST;
    default: return PE_RETURNED;
    }
}

/* Nobody has cancelled it, and yet not all of it was run. */
static bool was_cut_by_deadline(const struct pe__map_job *map)
{
    return map->result == PE_ECANCELED && !map->cancelled && pe__map_deadline(map) != 0 &&
           pe__base_deadline_passed(pe__map_deadline(map));
}

void pe__map_finish(pe_pool *pool, pe_job *job, uint32_t rest)
{
    struct pe__map_job *map = pe__job_map(job);
    map->running = false;
    pe__map_read_outcome(pool, map, rest);
    if (was_cut_by_deadline(map))
        map->result = PE_ETIMEDOUT;
    if (map->block != NULL) {
        pe__shared_heap_free(&pool->heap, map->block);
        map->block = NULL;
        pool->map_busy &= ~(UINT32_C(1) << map->index);
    }
    job->worker = -1;
    job->attempts = 1;
    job->run = map->summary.wall_ns;
    job->kind = (uint8_t)kind_of(map->result);
    job->code = map->result == PE_EITEMS ? PE_EITEMS : 0;
    pe__listeners_tell(pool, &job->more->watches);
    pe__job_end(pool, job, map->out_bytes * map->summary.returned);
}

void pe__map_cancel(pe_pool *pool, pe_job *job)
{
    struct pe__map_job *map = pe__job_map(job);
    if (map->cancelled || !map->running)
        return;
    map->cancelled = true;
    stop_items(pool, map);
    job->refs++; /* it may end with its last queued ticket */
    for (uint32_t lane = 0; lane < map->lanes && map->running; lane++) {
        if (pe__map_has_record(map, lane))
            pe__pool_stop_record(pool, map->records[lane], pool->options.grace_ns);
        else if (map->records[lane] == PE__MAP_TICKET_ORPHANED)
            pe__map_end_ticket(pool, job, lane);
    }
    pe__job_unref(pool, job);
}

/* A map of which no ticket was claimed has not started. */
void pe__map_cancel_if_queued(pe_pool *pool, pe_job *job)
{
    const struct pe__map_job *map = pe__job_map(job);
    for (uint32_t lane = 0; lane < map->ticketed; lane++) {
        if (!pe__map_has_record(map, lane))
            return;
        const struct pe__record *record = &pool->shared.records[map->records[lane]];
        if (pe__record_phase(atomic_load(&record->word)) != PE__RECORD_QUEUED)
            return;
    }
    pe__map_cancel(pool, job);
}

void pe__map_free(pe_job *job)
{
    struct pe__map_job *map = pe__job_map(job);
    for (size_t i = 0; i < map->failure_count; i++)
        pe__texts_free(map->failures[i].texts);
    free(map->failures);
    free(map);
}

/* A map that was given up while it waited for a place: all of its items have an ending too. */
static void end_unstarted(const pe_pool *pool, struct pe__map_job *map, int result)
{
    pe_status status = { .kind = result == PE_EBROKEN ? PE_LOST : PE_CANCELLED, .worker = -1 };
    if (result != PE_EINTR && result != PE_ETIMEDOUT && result != PE_EBROKEN)
        return; /* refused: nothing is changed */
    map->keeps_handle = false;
    for (status.item = 0; status.item < map->count; status.item++)
        pe__map_count_item(map, &status, NULL, 0);
    pe__map_read_outcome(pool, map, status.kind);
}

/* `wanted` is what the caller asks for, the rest of it zero. */
static int begin_map(pe_pool *pool, const struct pe__map_job *wanted, pe_job **ret_job)
{
    /* There may be more or fewer workers when its turn has come. */
    uint32_t lanes = wanted->count < pool->workers ? (uint32_t)wanted->count : pool->workers;
    struct pe__map_job *map = malloc(sizeof *map + lanes * sizeof *map->records);
    pe_job *job = map != NULL ? pe__job_new(pool) : NULL;
    if (job == NULL || pe__job_more(job) == NULL) {
        if (job != NULL)
            pe__job_drop(job);
        free(map);
        return PE_ENOMEM;
    }
    *map = *wanted;
    map->lanes = lanes;
    map->summary = (pe_map_summary){ .size = sizeof map->summary, .first_failed = UINT64_MAX };
    map->start_ticks = pe__base_ticks();
    job->more->map = map;
    job->is_map = true;
    int result = map->give_up != 0 ? map->give_up : pe__map_plan_last_progress(job);
    if (result == 0 && map->count == 0) {
        pe__job_begin(pool, job, 0);
        pe__map_finish(pool, job, PE_CANCELLED);
    } else if (result == 0) {
        result = pool->backend->start_map(pool, job, !map->never_waits && !pe__pool_in_callback(pool));
    }
    if (result < 0) {
        end_unstarted(pool, map, result);
        pe__job_drop(job);
        return result;
    }
    *ret_job = job;
    return 0;
}

/* Checks and begins; with the mutex held on success. */
static int open_map(pe_pool *pool, struct pe__map_job *wanted, const pe_map_options *options, pe_job **ret_job)
{
    int result = pe__map_check(wanted, options);
    if (result == 0)
        result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    result = pe__pool_check_open(pool);
    if (result == PE_EBROKEN)
        wanted->give_up = result; /* whenever the pool has broken: all items are lost */
    else if (result == 0 && !pe__pool_has_loaded(pool, (uintptr_t)wanted->fn))
        result = PE_ENOTLOADED;
    else if (result == 0 && !wanted->keeps_handle && pe__pool_in_callback(pool))
        result = PE_EDEADLK;
    if (result == 0 || result == PE_EBROKEN)
        result = begin_map(pool, wanted, ret_job);
    if (result < 0)
        pe__pool_leave(pool);
    return result;
}

static int start_map(pe_pool *pool, struct pe__map_job *wanted, const pe_map_options *options, pe_job **ret_job)
{
    pe_job *job;
    PE__BUILTIN_SCOPE(&pe__pool_submit_site);
    int result = open_map(pool, wanted, options, &job);
    if (result != 0)
        return result;
    if (ret_job != NULL) {
        *ret_job = job;
    } else {
        job->detached = true;
        pe__job_unref(pool, job);
    }
    pe__pool_leave(pool);
    return 0;
}

int pe_pool_start_map(pe_pool *pool, pe_map_fn *fn, const void *in, size_t in_bytes, void *out, size_t out_bytes,
                      size_t count, const pe_map_options *options, pe_job **ret_job)
{
    struct pe__map_job wanted = { .fn = fn, .in = in, .in_bytes = in_bytes, .out = out, .out_bytes = out_bytes,
                                  .count = count, .keeps_handle = true };
    return start_map(pool, &wanted, options, ret_job);
}

int pe__map_try_start(pe_pool *pool, const struct pe__map_ask *ask, int give_up, pe_job **ret_job)
{
    struct pe__map_job wanted = { .fn = ask->fn, .in = ask->in, .in_bytes = ask->in_bytes, .out = ask->out,
                                  .out_bytes = ask->out_bytes, .count = ask->count, .keeps_handle = true,
                                  .never_waits = true, .give_up = give_up };
    return start_map(pool, &wanted, &ask->options, ret_job);
}

/* A map that is not over after a glance at a ticket or two is worth waking the sleepers for the rest of them. */
static void rouse(pe_pool *pool, pe_job *job)
{
    for (uint32_t lane = 0; lane < pe__job_map(job)->ticketed && lane < 2 && !pe__job_has_ended(job); lane++)
        pe__pool_glance(pool, pe__map_target(pool, job));
    pe__map_queue_rest(pool, job);
    for (uint32_t lane = 1; lane < pe__job_map(job)->lanes && !pe__job_has_ended(job); lane++)
        if (!pe__pool_ring_if_needed(pool))
            break;
}

/* Waits for the end; a wait that is cut short stops the map and waits for that, which is bounded. */
static int finish_or_stop(pe_pool *pool, pe_job *job, int64_t deadline_ns)
{
    struct pe__wait wait = { .ready = pe__job_is_ready,
                             .target = pe__map_target,
                             .context = job,
                             .deadline_ns = deadline_ns };
    rouse(pool, job);
    int cut = pe__pool_wait_for(pool, &wait);
    if (cut == 0)
        return pe__job_map(job)->cut < 0 ? pe__job_map(job)->cut : pe__job_map(job)->result;
    wait.deadline_ns = PE_FOREVER;
    wait.uninterruptible = true;
    pe__map_cancel(pool, job);
    pe__pool_wait_for(pool, &wait);
    return pe__job_map(job)->result == PE_EBROKEN ? PE_EBROKEN : cut;
}

int pe_pool_map(pe_pool *pool, pe_map_fn *fn, const void *in, size_t in_bytes, void *out, size_t out_bytes,
                size_t count, const pe_map_options *options)
{
    struct pe__map_job wanted = { .fn = fn, .in = in, .in_bytes = in_bytes, .out = out, .out_bytes = out_bytes,
                                  .count = count };
    pe_job *job;
    PE__BUILTIN_SCOPE(&pe__pool_map_site);
    int result = open_map(pool, &wanted, options, &job);
    if (result != 0)
        return result;
    result = finish_or_stop(pool, job, wanted.options.deadline_ns);
    pe__job_unref(pool, job);
    pe__job_run_callbacks(pool);
    pe__pool_leave(pool);
    return result;
}

const struct pe__backend pe__process_backend = { .submit = pe__pool_submit_to_processes,
                                                 .start_map = start_on_processes };
