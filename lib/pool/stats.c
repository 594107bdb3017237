/* stats.c - the pool's figures: those that it counts, and those that are looked up when somebody asks. */
#include "base/resident.h"
#include "base/sized.h"
#include "pool/account.h"
#include "pool/collect.h"
#include "pool/death.h"
#include "pool/pool.h"
#include "pool/stop.h"

static uint32_t count_alive(const pe_pool *pool)
{
    uint32_t alive = 0;
    if (!pe__pool_has_processes(pool))
        return 0;
    PE__BELL_EACH_GROUP(first, pool->numbers)
        alive += (uint32_t)__builtin_popcountll(
            atomic_load(&pe__bell_group_of(pool->shared.groups, first)->present));
    return alive < pool->numbers ? alive : pool->numbers;
}

static uint64_t count_queued(pe_pool *pool)
{
    uint64_t queued = 0;
    PE__POOL_EACH_LEVEL(level, pool) {
        pe__pool_look_at_claims(pool, level);
        queued += level->queued;
    }
    return queued;
}

int pe_pool_stats(const pe_pool *shown, pe_stats *stats)
{
    pe_pool *pool = (pe_pool *)shown; /* the mutex is the pool's own */
    if (stats == NULL)
        return PE_EINVAL;
    int result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    pe_stats full = pool->stats;
    full.size = sizeof full;
    full.workers = pool->workers;
    full.workers_alive = count_alive(pool);
    full.queued = count_queued(pool);
    full.running = pool->live_count > full.queued ? pool->live_count - full.queued : 0;
    full.restarts = atomic_load_explicit(&pool->shared.counts->restarts, memory_order_relaxed);
    full.retired = atomic_load_explicit(&pool->shared.counts->retired, memory_order_relaxed);
    full.recycled = atomic_load_explicit(&pool->shared.counts->recycled, memory_order_relaxed);
    full.shared_bytes_used = pe__shared_heap_used(&pool->heap);
    pe__pool_account_times(pool, &full);
    pe__pool_last_death(pool, &full.last_death);
    pe__pool_leave(pool);
    return PE__BASE_FILL_SIZED(pe_stats, stats, &full);
}

int pe_pool_worker_stats(const pe_pool *shown, uint32_t worker, pe_worker_stats *stats)
{
    pe_pool *pool = (pe_pool *)shown;
    pe_worker_stats full = PE_WORKER_STATS_INIT;
    if (stats == NULL)
        return PE_EINVAL;
    int result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    if (worker < pool->numbers)
        pe__pool_account(pool, worker, &full);
    else
        result = PE_EINVAL;
    pe__pool_leave(pool);
    if (result < 0)
        return result;
    if (full.pid != 0 && !pe__base_resident(full.pid, &full.resident_bytes))
        full.resident_bytes = 0;
    return PE__BASE_FILL_SIZED(pe_worker_stats, stats, &full);
}
