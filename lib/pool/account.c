/*
 * account.c - statistics of workers, from their slots (shared/slot.h).
 *
 * Workers may write to what is read here at any time; times are made possible (shared/account.c). What a worker holds
 * is looked up in the host's own book, by the slot's hint and only if the record's word names this worker; nothing is
 * decided by it.
 */
#include "pool/account.h"

#include "base/clock.h"
#include "pool/job.h"
#include "pool/map.h"
#include "pool/pool.h"
#include "pool/stop.h"
#include "shared/account.h"

/* The record that the worker has in hand; NULL: none. */
static const struct pe__record *record_of(const pe_pool *pool, uint32_t worker, uint32_t *ret_index)
{
    uint32_t hint = atomic_load_explicit(&pool->shared.slots[worker].hint, memory_order_relaxed);
    if (hint >= pe__mapping_records(&pool->shared))
        return NULL;
    const struct pe__record *record = &pool->shared.records[hint];
    uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
    *ret_index = hint;
    return pe__record_is_held(word) && pe__record_owner(word) == worker ? record : NULL;
}

/* UINT64_MAX: none, or it is no ticket. */
static uint64_t item_of(const pe_pool *pool, uint32_t record)
{
    const struct pe__entry *entry = &pool->entries[record];
    if (entry->job == NULL || !entry->is_ticket)
        return UINT64_MAX;
    const struct pe__map_job *map = pe__job_map(entry->job);
    const struct pe__lane *lane = &pe__mapping_lanes(&pool->shared, map->index)[entry->lane];
    uint64_t running = atomic_load_explicit(&lane->running, memory_order_relaxed);
    return running > 0 && running <= map->count ? running - 1 : UINT64_MAX;
}

static void read_account(const pe_pool *pool, uint32_t worker, uint64_t now, struct pe__account *ret,
                         uint64_t *ret_item)
{
    uint32_t index = 0;
    const struct pe__record *record = record_of(pool, worker, &index);
    uint64_t start = record != NULL ? *(const volatile uint64_t *)&record->start_ticks : 0;
    pe__account_read(&pool->shared.slots[worker], record != NULL, start, now - pool->born, now, ret);
    *ret_item = ret->runs ? item_of(pool, index) : UINT64_MAX;
}

static uint32_t state_of(const pe_pool *pool, const struct pe__slot *slot, bool runs)
{
    uint32_t life = atomic_load_explicit(&slot->life, memory_order_relaxed);
    if (!pe__pool_has_processes(pool))
        return PE_WORKER_ABSENT;
    switch (life) {
    case PE__SLOT_STARTING: return PE_WORKER_STARTING;
    case PE__SLOT_SERVING: return runs ? PE_WORKER_RUNNING : PE_WORKER_IDLE;
    case PE__SLOT_RETIRING:
    case PE__SLOT_SPARED: return PE_WORKER_LEAVING;
    default: return PE_WORKER_ABSENT;
    }
}

void pe__pool_account(pe_pool *pool, uint32_t worker, pe_worker_stats *ret)
{
    const struct pe__slot *slot = &pool->shared.slots[worker];
    struct pe__account account;
    uint64_t item;
    read_account(pool, worker, pe__base_ticks(), &account, &item);
    uint32_t state = state_of(pool, slot, account.runs);
    int32_t pid = atomic_load_explicit(&slot->pid, memory_order_relaxed);
    bool acts = state == PE_WORKER_RUNNING || state == PE_WORKER_IDLE;
    *ret = (pe_worker_stats){
        .size = sizeof *ret,
        .state = state,
        .pid = state != PE_WORKER_ABSENT && pid > 0 ? pid : 0,
        .lives = atomic_load_explicit(&slot->lives, memory_order_relaxed),
        .ended = atomic_load_explicit(&slot->ended, memory_order_relaxed),
        .run_ns = pe__base_ticks_to_ns(account.run),
        .idle_ns = pe__base_ticks_to_ns(account.idle),
        .state_ns = acts ? pe__base_ticks_to_ns(account.state) : 0,
        .item = state == PE_WORKER_RUNNING ? item : UINT64_MAX,
    };
}

/* No job can have waited for longer than the pool has been there. */
static uint64_t possible_wait(const pe_pool *pool, uint64_t now)
{
    uint64_t most;
    bool fits = !__builtin_mul_overflow(now - pool->born, pool->stats.submitted, &most);
    return fits && most < pool->queue_ticks ? most : pool->queue_ticks;
}

void pe__pool_account_times(pe_pool *pool, pe_stats *stats)
{
    uint64_t now = pe__base_ticks(), run = 0, idle = 0;
    for (uint32_t worker = 0; worker < pool->numbers; worker++) {
        struct pe__account account;
        uint64_t item;
        read_account(pool, worker, now, &account, &item);
        run += account.run;
        idle += account.idle;
    }
    stats->queue_ns = pe__base_ticks_to_ns(possible_wait(pool, now));
    stats->run_ns = pe__base_ticks_to_ns(run);
    stats->idle_ns = pe__base_ticks_to_ns(idle);
}
