/* look.c - copies slots, what they hold, and the ends of the queues. */
#include "top/look.h"

#include <stddef.h>

#include "base/clock.h"

static uint64_t distance(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0;
}

static bool look_at_queues(const struct pe__top_pool *pool, struct pe__top_look *ret)
{
    struct pe__queue_tail tails[PE__QUEUE_LEVELS];
    struct pe__queue_head heads[PE__QUEUE_LEVELS];
    if (!pe__top_read(pool, pool->plan.heads, heads, sizeof heads) ||
        !pe__top_read(pool, pool->plan.tails, tails, sizeof tails))
        return false;
    for (int level = 0; level < PE__QUEUE_LEVELS; level++)
        ret->waiting[level] = distance(heads[level].head, tails[level].tail);
    return true;
}

/* The record that a worker has in hand. */
static bool read_held(const struct pe__top_pool *pool, const struct pe__slot *slot, uint32_t worker,
                      struct pe__record *ret)
{
    uint32_t hint = atomic_load_explicit(&slot->hint, memory_order_relaxed);
    if (hint >= pe__mapping_records(&pool->plan) ||
        !pe__top_read(pool, &pool->plan.records[hint], ret, sizeof *ret))
        return false;
    uint64_t word = atomic_load_explicit(&ret->word, memory_order_relaxed);
    return pe__record_is_held(word) && pe__record_owner(word) == worker;
}

static uint64_t item_of(const struct pe__top_pool *pool, const struct pe__record *record)
{
    struct pe__lane lane;
    if (!pe__record_is_ticket(record) || record->map >= PE__MAPS_MAX ||
        record->lane >= pool->plan.geometry.workers_most ||
        !pe__top_read(pool, &pe__mapping_lanes(&pool->plan, record->map)[record->lane], &lane, sizeof lane))
        return UINT64_MAX;
    return atomic_load_explicit(&lane.running, memory_order_relaxed) - 1; /* 0: none */
}

static void look_at_worker(const struct pe__top_pool *pool, const struct pe__slot *slot, uint32_t index,
                           uint64_t now, struct pe__top_worker *ret)
{
    struct pe__record record = { .fn = NULL };
    bool holds = read_held(pool, slot, index, &record);
    *ret = (struct pe__top_worker){ .ticks = now,
                                    .life = atomic_load_explicit(&slot->life, memory_order_relaxed),
                                    .pid = atomic_load_explicit(&slot->pid, memory_order_relaxed),
                                    .lives = atomic_load_explicit(&slot->lives, memory_order_relaxed),
                                    .ended = atomic_load_explicit(&slot->ended, memory_order_relaxed),
                                    .item = UINT64_MAX };
    pe__account_read(slot, holds, record.start_ticks, distance(pool->born, now), now, &ret->account);
    if (ret->account.runs)
        ret->item = item_of(pool, &record);
}

bool pe__top_look(const struct pe__top_pool *pool, struct pe__top_look *ret)
{
    ret->count = pool->plan.geometry.workers_most;
    for (uint32_t i = 0; i < ret->count; i++) {
        struct pe__slot slot;
        if (!pe__top_read(pool, &pool->plan.slots[i], &slot, sizeof slot))
            return false;
        look_at_worker(pool, &slot, i, pe__base_ticks(), &ret->workers[i]);
    }
    ret->ticks = pe__base_ticks();
    return look_at_queues(pool, ret);
}
