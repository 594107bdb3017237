/*
 * size.c - how many workers a pool has at a time.
 *
 * Workers that have left for want of work (idle_ns) have announced it by their bits in `vacant` (shared/bell.h).
 * Whoever takes such a bit away has to tell the keeper, as who takes a sleeper's bit has to ring it; where the socket
 * has no room the bit is put back, and whoever comes next sees to it.
 *
 * A pool is resized in this order: the host's own book, the keeper, the configuration, a ring for everybody; one that
 * grows has the configuration before the keeper. So the keeper knows of each worker that leaves as one too many that it
 * is that, and no worker finds itself too many at its birth. From the first of these steps on the host counts on none
 * of the surplus workers any more (pool/submit.c): what lies in the queue by then is judged once more, as if it had
 * just been pushed.
 */
#include "pool/size.h"

#include "base/clock.h"
#include "keeper/message.h"
#include "pool/broadcast.h"
#include "pool/callback.h"
#include "pool/options.h"
#include "pool/pool.h"
#include "pool/regions.h"
#include "pool/stop.h"
#include "pool/submit.h"
#include "pool/talk.h"
#include "pool/wait.h"

/* The lowest of the wanted ones in the group; its bit is taken. */
static bool take_vacant(struct pe__bell_group *group, uint64_t wanted, uint32_t *ret_place)
{
    uint64_t vacant = atomic_load_explicit(&group->vacant, memory_order_seq_cst) & wanted;
    while (vacant != 0) {
        uint64_t bit = vacant & -vacant;
        *ret_place = (uint32_t)__builtin_ctzll(vacant);
        if ((atomic_fetch_and_explicit(&group->vacant, ~bit, memory_order_seq_cst) & bit) != 0)
            return true;
        vacant &= ~bit;
    }
    return false;
}

static bool start_in_group(pe_pool *pool, uint32_t first)
{
    struct pe__bell_group *group = pe__bell_group_of(pool->shared.groups, first);
    uint32_t place;
    if (!take_vacant(group, pe__pool_wanted_in(pool, first), &place))
        return false;
    struct pe__message message = { .type = PE__MESSAGE_START, .value = (int32_t)(first + place) };
    if (pe__pool_try_tell_keeper(pool, &message))
        return true;
    atomic_fetch_or_explicit(&group->vacant, pe__bell_bit(place), memory_order_seq_cst);
    return false;
}

bool pe__pool_start_one(pe_pool *pool)
{
    if (pool->options.idle_ns == 0)
        return false;
    PE__BELL_EACH_GROUP(first, pool->workers)
        if (start_in_group(pool, first))
            return true;
    return false;
}

void pe__pool_start_all(pe_pool *pool)
{
    struct pe__message message = { .type = PE__MESSAGE_START, .value = PE__MESSAGE_ALL };
    if (pool->options.idle_ns != 0)
        pe__pool_try_tell_keeper(pool, &message);
}

static void judge_queue_again(pe_pool *pool)
{
    for (uint32_t left = pool->in_flight; left > 0 && pe__pool_ring_if_needed(pool); left--)
        ;
}

static void change_size(pe_pool *pool, uint32_t workers)
{
    const struct pe__shared *shared = &pool->shared;
    bool grows = workers > pool->workers;
    struct pe__message message = { .type = PE__MESSAGE_RESIZE, .record = workers };
    message.value = pool->size_order = pool->size_order < INT32_MAX ? pool->size_order + 1 : 1;
    pool->workers = workers;
    if (pool->numbers < workers)
        pool->numbers = workers;
    pe__pool_widen_regions(pool);
    if (grows)
        atomic_store_explicit(&shared->config->workers, workers, memory_order_seq_cst);
    pe__pool_tell_keeper(pool, &message);
    if (!grows)
        atomic_store_explicit(&shared->config->workers, workers, memory_order_seq_cst);
    pe__bell_ring_all(shared->groups, shared->slots, pool->numbers);
    pe__pool_take_orders_back(pool, workers);
    judge_queue_again(pool);
}

/* The surplus is gone, and who is wanted serves or has left for want of work. */
static bool has_size(pe_pool *pool, void *unused)
{
    (void)unused;
    if (!pe__pool_has_processes(pool))
        return true;
    if (pool->size_heard != pool->size_order)
        return false;
    PE__BELL_EACH_GROUP(first, pool->workers) {
        const struct pe__bell_group *group = pe__bell_group_of(pool->shared.groups, first);
        if ((pe__pool_wanted_in(pool, first) & ~(atomic_load(&group->present) | atomic_load(&group->vacant))) != 0)
            return false;
    }
    return true;
}

static int resize(pe_pool *pool, uint32_t workers, int64_t deadline_ns)
{
    struct pe__wait wait = { .ready = has_size, .deadline_ns = deadline_ns };
    if (workers > pool->shared.geometry.workers_most)
        return PE_ENOMEM;
    if (pool->control < 0) {
        pool->workers = workers;
        return 0;
    }
    change_size(pool, workers);
    int result = pe__pool_wait_for(pool, &wait);
    if (result == 0 && !pe__pool_has_processes(pool))
        result = pe__pool_check_open(pool);
    return result;
}

int pe_pool_resize(pe_pool *pool, uint32_t workers, int64_t deadline_ns)
{
    int result = workers > PE_WORKERS_MAX ? PE_EINVAL : pe__base_deadline_check(deadline_ns);
    if (result == 0)
        result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    result = pe__pool_in_callback(pool) ? PE_EDEADLK : pe__pool_check_open(pool);
    if (result == 0)
        result = resize(pool, workers != 0 ? workers : pe__pool_default_workers(), deadline_ns);
    if (result != PE_EDEADLK)
        pe__job_run_callbacks(pool);
    pe__pool_leave(pool);
    return result;
}
