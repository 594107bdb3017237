/*
 * map.c - a map from its call to its last ticket.
 *
 * The host lays out one block of the heap for the map (context, item states, inputs and outputs that are neither
 * shared nor inherited, details, texts), deals the items out to lanes, and queues one ticket for each lane. From
 * then on the workers share the items among themselves (shared/lane.h). The map has ended when all its
 * tickets have; a ticket that could not be inherited, because no process was to be had, is queued again for
 * the same lane.
 */
#include "pool/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "pool/backend.h"
#include "pool/callback.h"
#include "pool/collect.h"
#include "pool/inherited.h"
#include "pool/job.h"
#include "pool/outcome.h"
#include "pool/pool.h"
#include "pool/progress.h"
#include "pool/stop.h"
#include "pool/submit.h"
#include "pool/texts.h"
#include "pool/wait.h"
#include "shared/output.h"

#define BLOCK_ALIGN 64
/* A map of so few items is begun by one worker; the others get their tickets if it takes longer than a glance. */
#define FEW_ITEMS 64
/* Of each part, so that the sum of a map's parts cannot overflow either. */
#define PART_MOST (SIZE_MAX / 16)

int pe__map_check_common(const pe_map_options *given, pe_map_options *ret)
{
    int result = pe__base_check_sized(given, sizeof *ret, sizeof *ret, ret);
    if (result < 0)
        return result;
    if ((ret->context == NULL && ret->context_bytes > 0) || ret->context_bytes > PART_MOST || ret->timeout_ns < 0 ||
        ret->priority >= PE__QUEUE_LEVELS)
        return PE_EINVAL;
    if ((ret->flags & ~(PE_MAP_ORDERED | PE_MAP_INHERITED)) != 0)
        return PE_EINVAL;
    if (ret->summary != NULL && ret->summary->size < sizeof(pe_map_summary))
        return PE_EINVAL;
    if (ret->context_bytes == 0)
        ret->context = NULL;
    if (ret->deadline_ns == 0)
        ret->deadline_ns = PE_FOREVER;
    return pe__base_deadline_check(ret->deadline_ns);
}

int pe__map_check_options(const pe_map_options *given, pe_map_options *ret)
{
    int result = pe__map_check_common(given, ret);
    if (result < 0)
        return result;
    bool of_stream = ret->max_inflight != 0 || ret->inflight_bytes != 0 || (ret->flags & PE_MAP_ORDERED) != 0;
    return of_stream ? PE_EINVAL : 0;
}

static bool overflows(size_t count, size_t bytes)
{
    size_t product;
    return __builtin_mul_overflow(count, bytes, &product) || product > PART_MOST;
}

int pe__map_check(struct pe__map_job *wanted, const pe_map_options *options)
{
    size_t count = wanted->count;
    if (wanted->fn == NULL || overflows(count, wanted->in_bytes) ||
        overflows(count, wanted->out_bytes) || overflows(count, sizeof(pe_status)))
        return PE_EINVAL;
    bool lacks_in = wanted->in == NULL && wanted->in_bytes > 0;
    bool lacks_out = wanted->out == NULL && wanted->out_bytes > 0;
    if (count > 0 && (lacks_in || lacks_out))
        return PE_EINVAL;
    return pe__map_check_options(options, &wanted->options);
}

/* Adds a part to the block's plan; returns its offset. */
static uint64_t plan(uint64_t *total, uint64_t bytes)
{
    uint64_t offset = (*total + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
    *total = offset + bytes;
    return offset;
}

static bool is_shared(const pe_pool *pool, const void *memory, size_t bytes)
{
    return bytes == 0 || pe__shared_heap_owns(&pool->heap, memory, bytes);
}

/* Of a map that nobody can ask afterwards none is kept. */
static uint64_t room_for_outputs(const pe_pool *pool, const struct pe__map_job *map)
{
    uint64_t each = map->keeps_handle ? pool->shared.geometry.output_bytes : 0;
    return each == 0 || map->count < PE__OUTPUT_MAP_BYTES / each ? map->count * each : PE__OUTPUT_MAP_BYTES;
}

/* What is touched always comes first, what is touched only on failure last. */
static int place(pe_pool *pool, struct pe__map_job *map)
{
    const pe_map_options *options = &map->options;
    bool inherited = (options->flags & PE_MAP_INHERITED) != 0;
    bool copy_in = !inherited && !is_shared(pool, map->in, map->in_bytes * map->count);
    bool copy_out = !is_shared(pool, map->out, map->out_bytes * map->count);
    uint64_t total = 0;
    map->text_bytes = map->count < PE__MAP_TEXT_BYTES / PE_TEXT_BYTES_MAX ? map->count * PE_TEXT_BYTES_MAX
                                                                         : PE__MAP_TEXT_BYTES;
    map->outputs_bytes = room_for_outputs(pool, map);
    uint64_t context_bytes = inherited ? 0 : options->context_bytes;
    uint64_t context = plan(&total, context_bytes), state = plan(&total, map->count);
    uint64_t in = plan(&total, copy_in ? map->in_bytes * map->count : 0);
    uint64_t out = plan(&total, copy_out ? map->out_bytes * map->count : 0);
    uint64_t detail = plan(&total, map->count * sizeof *map->detail), texts = plan(&total, map->text_bytes);
    uint64_t outputs = plan(&total, map->outputs_bytes);
    int result = pe__shared_heap_alloc(&pool->heap, total, false, &map->block);
    if (result < 0)
        return result;
    unsigned char *block = map->block;
    map->state = (_Atomic uint8_t *)(block + state);
    map->detail = (struct pe__item_detail *)(void *)(block + detail);
    map->texts = block + texts;
    map->outputs = block + outputs;
    map->shared_in = copy_in ? block + in : (unsigned char *)map->in;
    map->shared_out = copy_out ? block + out : map->out;
    memset((void *)map->state, PE__ITEM_OPEN, map->count);
    if (context_bytes > 0)
        memcpy(block + context, options->context, context_bytes);
    if (copy_in)
        memcpy(map->shared_in, map->in, map->in_bytes * map->count);
    if (context_bytes > 0)
        map->options.context = block + context;
    return 0;
}

/* Where the share of a lane begins when the units are dealt to so many; the lanes behind them get none. */
static uint64_t share(uint64_t units, uint32_t lane, uint32_t dealt)
{
    return lane < dealt ? units * lane / dealt : units;
}

/* Of a map that its caller does not wait for; 0: none. */
static int64_t deadline_of(const struct pe__map_job *map)
{
    return map->keeps_handle && map->options.deadline_ns != PE_FOREVER ? map->options.deadline_ns : 0;
}

static uint32_t limits_of(const struct pe__map_job *map)
{
    return (map->options.timeout_ns != 0 ? PE__LIMIT_TIMEOUT : 0) | (deadline_of(map) != 0 ? PE__LIMIT_DEADLINE : 0);
}

static void describe(pe_pool *pool, struct pe__map_job *map)
{
    struct pe__map *shown = &pool->shared.maps[map->index];
    uint64_t unit = (map->count + PE__LANE_UNITS_MAX - 1) / PE__LANE_UNITS_MAX;
    uint64_t units = (map->count + unit - 1) / unit;
    uint64_t chunk = map->options.chunk;
    struct pe__map wanted = { .fn = map->fn,
                              .context = map->options.context,
                              .in = map->shared_in,
                              .out = map->shared_out,
                              .in_bytes = map->in_bytes,
                              .out_bytes = map->out_bytes,
                              .count = map->count,
                              .unit = unit,
                              .chunk = chunk != 0 && chunk < unit ? 1 : chunk / unit,
                              .state = map->state,
                              .detail = map->detail,
                              .texts = map->texts,
                              .text_bytes = map->text_bytes,
                              .outputs = map->outputs,
                              .outputs_bytes = map->outputs_bytes,
                              .lanes = map->lanes,
                              .retries = map->options.retries,
                              .on_error = map->options.on_error,
                              .timed = map->options.statuses != NULL || map->outputs_bytes > 0,
                              .limits = limits_of(map),
                              .timeout_ns = map->options.timeout_ns,
                              .deadline_ns = deadline_of(map) };
    /* Of a map like the last one the workers have most of this in their caches: leave it there. */
    if (memcmp(shown, &wanted, sizeof wanted) != 0)
        *shown = wanted;
    pe__map_live_reset(&pool->shared.lives[map->index]);
    struct pe__lane *lanes = pe__mapping_lanes(&pool->shared, map->index);
    for (uint32_t lane = 0; lane < map->lanes; lane++)
        pe__lane_reset(&lanes[lane], share(units, lane, map->ticketed), share(units, lane + 1, map->ticketed));
}

static void queue_ticket(pe_pool *pool, pe_job *job, uint32_t lane, bool may_ring)
{
    struct pe__level *level = &pool->levels[pe__job_map(job)->options.priority];
    uint32_t index = pe__pool_take_record(pool, level, job);
    pool->entries[index].lane = lane;
    pool->entries[index].limits = (uint8_t)limits_of(pe__job_map(job));
    pe__job_map(job)->records[lane] = index;
    struct pe__record *record = &pool->shared.records[index];
    record->fn = NULL;
    record->map = (uint16_t)pe__job_map(job)->index;
    record->lane = (uint16_t)lane;
    pe__pool_push(pool, level, index, may_ring);
}

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
    if (free_map(pool) == PE__MAPS_MAX || !pe__pool_has_positions(pool, level, (2 + pool->broadcasting) * pool->numbers))
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
    result = place(pool, map);
    if (result < 0)
        return result;
    map->index = free_map(pool);
    pool->map_busy |= UINT32_C(1) << map->index;
    map->running = true;
    map->ticketed = !map->keeps_handle && map->count <= FEW_ITEMS ? 1 : map->lanes;
    map->tickets = map->ticketed;
    describe(pool, map);
    pe__job_begin(pool, job, map->in_bytes * map->count);
    for (uint32_t lane = 0; lane < map->lanes; lane++)
        map->records[lane] = PE__MAP_TICKET_ENDED;
    /* A look on the way, whether to ring, may break the pool, which ends the map. */
    for (uint32_t lane = 0; lane < map->ticketed && map->running; lane++)
        queue_ticket(pool, job, lane, lane == 0 || map->keeps_handle);
    return 0;
}

/* Its last ticket that has not ended. */
uint32_t pe__map_target(pe_pool *pool, void *context)
{
    const struct pe__map_job *map = pe__job_map(context);
    (void)pool;
    for (uint32_t lane = map->running ? map->lanes : 0; lane > 0; lane--)
        if (pe__map_has_record(map, lane - 1))
            return map->records[lane - 1];
    return PE__BELL_ANY;
}

static void stop_items(pe_pool *pool, const struct pe__map_job *map)
{
    pe__map_stop_all(&pool->shared.maps[map->index], &pool->shared.lives[map->index],
                      pe__mapping_lanes(&pool->shared, map->index));
}

static void end_ticket(pe_pool *pool, pe_job *job, uint32_t lane)
{
    struct pe__map_job *map = pe__job_map(job);
    map->records[lane] = PE__MAP_TICKET_ENDED;
    if (--map->tickets == 0)
        pe__map_finish(pool, job, PE_CANCELLED);
}

static void have_orphans(pe_pool *pool, const struct pe__map_job *map)
{
    pool->levels[map->options.priority].has_orphans = pool->has_orphans = true;
}

void pe__map_ticket_ended(pe_pool *pool, pe_job *job, uint32_t lane, uint64_t word)
{
    struct pe__map_job *map = pe__job_map(job);
    if (!pe__record_is_crash(pe__record_phase(word)) || map->cancelled) {
        end_ticket(pool, job, lane);
        return;
    }
    /* This may be the middle of a collection, which finds a place for nothing. */
    map->records[lane] = PE__MAP_TICKET_ORPHANED;
    have_orphans(pool, map);
}

static pe_job *find_orphan(pe_pool *pool, const struct pe__level *level, uint32_t *ret_lane)
{
    PE__BASE_LIST_EACH(link, &pool->maps) {
        const struct pe__map_job *map = pe__job_map(pe__job_of_map(link));
        for (*ret_lane = 0; map->options.priority == level->number && *ret_lane < map->lanes; ++*ret_lane)
            if (map->records[*ret_lane] == PE__MAP_TICKET_ORPHANED)
                return pe__job_of_map(link);
    }
    return NULL;
}

/* A level without a place must not keep those of another one waiting. */
static void adopt_orphans_of(pe_pool *pool, struct pe__level *level)
{
    uint32_t lane;
    while (level->has_orphans && pe__pool_has_processes(pool) && pe__pool_find_place(pool, level)) {
        pe_job *job = find_orphan(pool, level, &lane);
        if (job == NULL)
            level->has_orphans = false;
        else
            queue_ticket(pool, job, lane, true);
    }
}

void pe__map_adopt_orphans(pe_pool *pool)
{
    if (!pool->has_orphans)
        return;
    pool->has_orphans = false;
    PE__POOL_EACH_LEVEL(level, pool) {
        adopt_orphans_of(pool, level);
        pool->has_orphans |= level->has_orphans;
    }
}

/* The tickets that were held back, unless the map is to end. */
static void queue_rest(pe_pool *pool, pe_job *job)
{
    struct pe__map_job *map = pe__job_map(job);
    if (!map->running || map->cancelled || map->ticketed == map->lanes)
        return;
    map->tickets += map->lanes - map->ticketed;
    while (map->ticketed < map->lanes)
        map->records[map->ticketed++] = PE__MAP_TICKET_ORPHANED;
    have_orphans(pool, map);
    pe__map_adopt_orphans(pool);
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
    return map->result == PE_ECANCELED && !map->cancelled && deadline_of(map) != 0 &&
           pe__base_deadline_passed(deadline_of(map));
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
            end_ticket(pool, job, lane);
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
    int result = pe__map_plan_last_progress(job);
    if (result == 0 && map->count == 0) {
        pe__job_begin(pool, job, 0);
        pe__map_finish(pool, job, PE_CANCELLED);
    } else if (result == 0) {
        result = pool->backend->start_map(pool, job, !pe__pool_in_callback(pool));
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
    if (result == 0 && !pe__pool_has_loaded(pool, (uintptr_t)wanted->fn))
        result = PE_ENOTLOADED;
    if (result == 0 && !wanted->keeps_handle && pe__pool_in_callback(pool))
        result = PE_EDEADLK;
    if (result == 0)
        result = begin_map(pool, wanted, ret_job);
    if (result < 0)
        pe__pool_leave(pool);
    return result;
}

int pe_pool_start_map(pe_pool *pool, pe_map_fn *fn, const void *in, size_t in_bytes, void *out, size_t out_bytes,
                      size_t count, const pe_map_options *options, pe_job **ret_job)
{
    struct pe__map_job wanted = { .fn = fn, .in = in, .in_bytes = in_bytes, .out = out, .out_bytes = out_bytes,
                                  .count = count, .keeps_handle = true };
    pe_job *job;
    int result = open_map(pool, &wanted, options, &job);
    if (result < 0)
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

/* A map that is not over after a glance at a ticket or two is worth waking the sleepers for the rest of them. */
static void rouse(pe_pool *pool, pe_job *job)
{
    for (uint32_t lane = 0; lane < pe__job_map(job)->ticketed && lane < 2 && !pe__job_has_ended(job); lane++)
        pe__pool_glance(pool, pe__map_target(pool, job));
    queue_rest(pool, job);
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
    int result = open_map(pool, &wanted, options, &job);
    if (result < 0)
        return result;
    result = finish_or_stop(pool, job, wanted.options.deadline_ns);
    pe__job_unref(pool, job);
    pe__job_run_callbacks(pool);
    pe__pool_leave(pool);
    return result;
}

const struct pe__backend pe__process_backend = { .submit = pe__pool_submit_to_processes,
                                                 .start_map = start_on_processes };
