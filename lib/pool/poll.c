/*
 * poll.c - a pool on somebody's loop: one descriptor to watch, one step when it is readable, and the interrupt, which
 * a signal handler may ask for.
 *
 * The step collects without sleeping. When there is nothing it arms the descriptor: it empties the bells, announces
 * that the host sleeps, and looks again, so that whatever ends from then on makes the descriptor readable.
 */
#include "pool/poll.h"

#include "base/forked.h"
#include "pool/callback.h"
#include "pool/collect.h"
#include "pool/doubt.h"
#include "pool/map_tickets.h"
#include "pool/pool.h"
#include "pool/progress.h"
#include "pool/talk.h"
#include "pool/wait.h"

void pe_pool_interrupt(pe_pool *pool)
{
    if (pool == NULL || pe__base_forked(pool->token))
        return;
    atomic_store(&pool->interrupted, 1);
    pe__bell_ring_host(pool->bell);
}

int pe_pool_fd(const pe_pool *pool)
{
    if (pool == NULL)
        return PE_EINVAL;
    return pe__base_forked(pool->token) ? PE_EFORKED : pool->epoll;
}

/* What ended while jobs were submitted counts too, and may be more than one call tells. */
static int take_handled(pe_pool *pool)
{
    uint32_t handled = pool->handled < PE__POLL_MOST ? pool->handled : PE__POLL_MOST;
    pool->handled -= handled;
    return (int)handled;
}

uint32_t pe__pool_collect_some(pe_pool *pool)
{
    pe__pool_hear_keeper(pool);
    uint32_t count = pe__pool_collect_all(pool, PE__POLL_MOST);
    pe__map_adopt_orphans(pool);
    pe__job_run_callbacks(pool);
    pe__pool_report_progress(pool);
    return count;
}

void pe__pool_arm(pe_pool *pool)
{
    if (pe__bell_drain(pool->bell) && pool->leader)
        pe__bell_ring_host(pool->nudge); /* it may have been woken by that ring and find it gone */
    pe__bell_drain(pool->notice);
    pe__pool_doubt(pool);
    pe__pool_announce(pool, PE__BELL_ANY);
}

static int step(pe_pool *pool)
{
    pe__pool_collect_some(pool);
    int handled = take_handled(pool);
    if (handled > 0)
        return handled;
    pool->armed = true;
    pe__pool_arm(pool);
    pe__pool_collect_some(pool);
    return take_handled(pool);
}

int pe_pool_poll(pe_pool *pool)
{
    int result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    if (pe__pool_in_callback(pool))
        result = PE_EDEADLK;
    else if (pe__pool_take_interrupt(pool))
        result = PE_EINTR;
    else
        result = step(pool);
    if (result == 0 && pool->state == PE__POOL_BROKEN)
        result = PE_EBROKEN;
    if (result != 0) {
        pool->armed = false;
        pe__pool_keep_armed(pool);
    }
    pe__pool_leave(pool);
    return result;
}
