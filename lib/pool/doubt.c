/*
 * doubt.c - a waiting host asks itself once a second whether what it sees can be.
 *
 * A single record may run for days, so no record proves anything by itself. Some things never are in a sound
 * pool, at no instant: a worker that holds two records; one that holds a record and has announced sleep; a
 * record that waits while a worker that was rung has looked at the queue and gone to sleep again. Any of them is
 * the work of a scribbler, after which jobs may never end: it breaks the pool.
 *
 * What is seen at one time is read at several: a word that is the same before and after something else was
 * read has been so all the time between, since no use of a record has the word of another one.
 *
 * While something waits everybody is rung too, in case an announcement was overwritten, and who has left for want of
 * work is started again. Orders to single workers are given again, and the keeper is to look at deadlines.
 *
 * Whether a record was passed over by claims of later ones is asked more often: when a sleep ends without a ring.
 */
#include "pool/doubt.h"

#include "base/clock.h"
#include "pool/broadcast.h"
#include "pool/deadline.h"
#include "pool/pool.h"
#include "pool/size.h"
#include "pool/stop.h"

#define EACH_NS PE_SECONDS(1)
#define NONE UINT32_MAX

static uint64_t word_of(const pe_pool *pool, uint32_t record)
{
    return atomic_load_explicit(&pool->shared.records[record].word, memory_order_seq_cst);
}

static uint64_t sleepers_of(const pe_pool *pool, uint32_t group)
{
    return atomic_load_explicit(&pool->shared.groups[group].sleepers, memory_order_seq_cst);
}

static uint32_t group_count(const pe_pool *pool)
{
    return (pool->numbers + PE__BELL_GROUP_WORKERS - 1) / PE__BELL_GROUP_WORKERS;
}

/* Sleeps or holds another record, although it holds this one. `held`: the record seen with each worker so
 * far. */
static bool cannot_hold(const pe_pool *pool, uint32_t record, uint32_t *held)
{
    uint64_t word = word_of(pool, record);
    uint32_t owner = pe__record_owner(word);
    if (!pe__record_is_held(word) || owner >= pool->numbers)
        return false;
    uint32_t other = held[owner];
    uint64_t other_word = other != NONE ? word_of(pool, other) : 0;
    bool twice = pe__record_is_held(other_word) && pe__record_owner(other_word) == owner;
    bool asleep = (sleepers_of(pool, owner / PE__BELL_GROUP_WORKERS) & pe__bell_bit(owner)) != 0;
    held[owner] = record;
    return (twice || asleep) && word_of(pool, record) == word;
}

static bool any_cannot_hold(const pe_pool *pool)
{
    uint32_t held[PE_WORKERS_MAX];
    for (uint32_t worker = 0; worker < pool->numbers; worker++)
        held[worker] = NONE;
    for (uint32_t level = 0; level < PE__QUEUE_LEVELS; level++)
        PE__BASE_LIST_EACH(link, &pool->levels[level].busy)
            if (cannot_hold(pool, pe__pool_record_of(pool, link), held))
                return true;
    return false;
}

/* For whoever comes first: one that a single worker is to run may wait while that one is busy. */
static bool is_waiting(const pe_pool *pool, uint32_t record)
{
    const struct pe__entry *entry = &pool->entries[record];
    return entry->addressee == 0 && word_of(pool, record) == pe__pool_queued_word(entry);
}

/* Of some level. Whoever goes to sleep has looked at all of them. */
static uint32_t oldest_waiting(const pe_pool *pool)
{
    for (uint32_t level = 0; level < PE__QUEUE_LEVELS; level++)
        PE__BASE_LIST_EACH(link, &pool->levels[level].busy)
            if (is_waiting(pool, pe__pool_record_of(pool, link)))
                return pe__pool_record_of(pool, link);
    return NONE;
}

/* Rings all. True: somebody slept when all were rung for this record the last time, and sleeps again
 * without having taken it. */
static bool is_passed_over(pe_pool *pool, uint32_t record)
{
    struct pe__doubt *doubt = &pool->doubt;
    uint64_t sequence = pool->entries[record].sequence;
    bool same = doubt->record == record && doubt->sequence == sequence, again = false;
    for (uint32_t group = 0; group < group_count(pool); group++) {
        uint64_t asleep = sleepers_of(pool, group);
        again |= same && (asleep & doubt->asleep[group]) != 0;
        doubt->asleep[group] = asleep;
    }
    doubt->record = record;
    doubt->sequence = sequence;
    if (again && word_of(pool, record) == pe__record_word(sequence, 0, PE__RECORD_QUEUED))
        return true;
    pe__bell_ring_all(pool->shared.groups, pool->shared.slots, pool->numbers);
    pe__pool_start_all(pool);
    return false;
}

void pe__pool_doubt(pe_pool *pool)
{
    int64_t now_ns = pe__base_now_ns();
    if (now_ns < pool->doubt.due_ns || !pe__pool_has_processes(pool) || pool->in_flight == 0)
        return;
    pool->doubt.due_ns = now_ns + EACH_NS;
    uint32_t waiting = oldest_waiting(pool);
    pe__pool_repeat_orders(pool);
    pe__pool_repeat_deadlines(pool);
    if (any_cannot_hold(pool) || (waiting != NONE && is_passed_over(pool, waiting)))
        pe__pool_break(pool);
    else if (waiting == NONE)
        pool->doubt.sequence = 0; /* none has it */
}

/* While it waited. */
static bool was_ended_by_keeper(const pe_pool *pool, const struct pe__base_list *link)
{
    uint64_t word = word_of(pool, pe__pool_record_of(pool, link));
    return pe__record_owner(word) == PE__RECORD_NOBODY && pe__record_is_final(word);
}

/* What a single worker is to run is claimed out of the queue's order. */
static bool is_for_any(const pe_pool *pool, const struct pe__base_list *link)
{
    return pool->entries[pe__pool_record_of(pool, link)].addressee == 0;
}

/* A record that waits although a later one of its level was claimed is one that no worker will find: a scribbler made
 * it so. */
static bool is_out_of_order(const pe_pool *pool, const struct pe__level *level)
{
    const struct pe__base_list *first = NULL;
    PE__BASE_LIST_EACH(link, &level->busy) {
        bool waits = is_waiting(pool, pe__pool_record_of(pool, link));
        if (first == NULL) {
            first = waits ? link : NULL;
            continue;
        }
        /* The first one may have been claimed since it was looked at, but then before the later one. */
        bool overtakes = !waits && is_for_any(pool, link) && !was_ended_by_keeper(pool, link);
        if (overtakes && is_waiting(pool, pe__pool_record_of(pool, first)))
            return true;
    }
    return false;
}

void pe__pool_check_order(pe_pool *pool)
{
    PE__POOL_EACH_LEVEL(level, pool) {
        if (is_out_of_order(pool, level)) {
            pe__pool_break(pool);
            return;
        }
    }
}
