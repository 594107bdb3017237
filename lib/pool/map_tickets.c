/*
 * map_tickets.c - the tickets of maps: a record for each lane, by which a worker comes to own it.
 *
 * A ticket that could not be inherited, because no process was to be had, is an orphan: it is queued again for the same
 * lane, as are those that were held back at first, and those whose worker found nothing but what a thief was about to
 * take, outside of collections, where there is a place.
 */
#include "pool/map_tickets.h"

#include "base/clock.h"
#include "pool/collect.h"
#include "pool/job.h"
#include "pool/pool.h"
#include "pool/regions.h"
#include "pool/stop.h"
#include "pool/submit.h"

void pe__map_queue_ticket(pe_pool *pool, pe_job *job, uint32_t lane, bool may_ring)
{
    struct pe__level *level = &pool->levels[pe__job_map(job)->options.priority];
    uint32_t index = pe__pool_take_record(pool, level, job);
    pool->entries[index].lane = lane;
    pool->entries[index].limits = (uint8_t)pe__map_limits(pe__job_map(job));
    pe__job_map(job)->records[lane] = index;
    struct pe__record *record = &pool->shared.records[index];
    record->fn = NULL;
    record->map = (uint16_t)pe__job_map(job)->index;
    record->lane = (uint16_t)lane;
    record->start_ticks = 0;
    if (pe_region_on) {
        record->start_ticks = pe__base_ticks();
        pe__pool_begin_flow(pool, index);
    }
    pe__pool_push(pool, level, index, may_ring);
}

void pe__map_look(pe_pool *pool, const pe_job *job)
{
    const struct pe__map_job *map = pe__job_map(job);
    for (uint32_t lane = 0; lane < map->lanes && map->running; lane++)
        if (pe__map_has_record(map, lane))
            pe__pool_collect_record(pool, map->records[lane]);
    pe__map_adopt_orphans(pool);
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

void pe__map_end_ticket(pe_pool *pool, pe_job *job, uint32_t lane)
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

void pe__map_ticket_ended(pe_pool *pool, pe_job *job, uint32_t lane, bool goes_on)
{
    struct pe__map_job *map = pe__job_map(job);
    if (!goes_on || map->cancelled) {
        pe__map_end_ticket(pool, job, lane);
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
            pe__map_queue_ticket(pool, job, lane, true);
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
void pe__map_queue_rest(pe_pool *pool, pe_job *job)
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
