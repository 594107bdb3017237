/*
 * deadline.c - deadlines of what waits in the queue, which the keeper enforces (keeper/watch.c).
 *
 * The host says how many records in flight have one, and rings the keeper when it would wake too late for a new one.
 * Its store of that number and its look at the keeper's plan are sequentially consistent, as are the keeper's store of
 * the plan and its look at the number: see shared/limit.h.
 */
#include "pool/deadline.h"

#include "keeper/message.h"
#include "pool/job.h"
#include "pool/map.h"
#include "pool/talk.h"

static void count(pe_pool *pool, uint32_t deadlines)
{
    pool->deadlines = deadlines;
    atomic_store_explicit(&pool->shared.config->deadlines, deadlines, memory_order_seq_cst);
}

static int64_t deadline_of(const pe_pool *pool, uint32_t index)
{
    const struct pe__entry *entry = &pool->entries[index];
    if (entry->is_ticket)
        return pe__job_map(entry->job)->options.deadline_ns;
    return atomic_load_explicit(&pool->shared.records_more[index].deadline_ns, memory_order_relaxed);
}

void pe__pool_mind_deadline(pe_pool *pool, uint32_t record)
{
    const struct pe__message look = { .type = PE__MESSAGE_LOOK };
    count(pool, pool->deadlines + 1);
    if (deadline_of(pool, record) < atomic_load_explicit(&pool->shared.watch->wakes_ns, memory_order_seq_cst))
        pe__pool_try_tell_keeper(pool, &look); /* no room: then there is enough for it to wake up for */
}

void pe__pool_repeat_deadlines(pe_pool *pool)
{
    const struct pe__message look = { .type = PE__MESSAGE_LOOK };
    if (pool->deadlines > 0)
        pe__pool_try_tell_keeper(pool, &look);
}

void pe__pool_forget_deadline(pe_pool *pool)
{
    count(pool, pool->deadlines - 1);
}
