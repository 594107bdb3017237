/*
 * wait.c - how a thread of the host waits: collect, spin a little, announce, look again, sleep on the
 * descriptors.
 *
 * The mutex is released for the spin and for the sleep. One waiter leads; the others wait for it to collect.
 * A leader that has what it wants hands over by waking them all. Signals end a sleep, never a wait;
 * pe_pool_interrupt does by a flag that is taken back once, by the wait that returns PE_EINTR.
 */
#include "pool/wait.h"

#include <poll.h>
#include <sched.h>

#include "base/clock.h"
#include "base/cpu_relax.h"
#include "pool/callback.h"
#include "pool/collect.h"
#include "pool/doubt.h"
#include "pool/map_tickets.h"
#include "pool/pool.h"
#include "pool/progress.h"
#include "pool/regions.h"
#include "pool/talk.h"
#include "shared/spin.h"

#define GLANCE_ROUNDS 4
#define YIELDS 8
/* Room for one job is not announced (pool/submit.c): look for it this often. */
#define ROOM_NS PE_MS(5)
/* A waiting host looks by itself this often, in case a scribbler has overwritten an announcement. */
#define SAFETY_NS PE_SECONDS(1)

bool pe__pool_take_interrupt(pe_pool *pool)
{
    return atomic_load_explicit(&pool->interrupted, memory_order_relaxed) != 0 &&
           atomic_exchange(&pool->interrupted, 0) != 0;
}

static bool has_come(const pe_pool *pool, uint32_t record, bool for_claim)
{
    uint64_t word = atomic_load_explicit(&pool->shared.records[record].word, memory_order_acquire);
    return for_claim ? pe__record_phase(word) != PE__RECORD_QUEUED : pe__record_is_final(word);
}

/* Levels from the lowest, whose newest record is likely the last to end. */
static const uint32_t from_lowest[PE__QUEUE_LEVELS] = { PE_PRIORITY_LOW, PE_PRIORITY_NORMAL, PE_PRIORITY_HIGH };

uint32_t pe__pool_newest_busy(pe_pool *pool, void *unused)
{
    (void)unused;
    for (int i = 0; i < PE__QUEUE_LEVELS; i++) {
        const struct pe__base_list *busy = &pool->levels[from_lowest[i]].busy;
        if (!pe__base_list_empty(busy))
            return pe__pool_record_of(pool, busy->previous);
    }
    return PE__BELL_ANY;
}

static uint32_t oldest_busy(const pe_pool *pool)
{
    for (int i = PE__QUEUE_LEVELS - 1; i >= 0; i--) {
        const struct pe__base_list *busy = &pool->levels[from_lowest[i]].busy;
        if (!pe__base_list_empty(busy))
            return pe__pool_record_of(pool, busy->next);
    }
    return PE__BELL_ANY;
}

static uint32_t target_of(pe_pool *pool, const struct pe__wait *wait)
{
    return wait->target != NULL ? wait->target(pool, wait->context) : PE__BELL_ANY;
}

/* A worker that spins on this CPU had better go elsewhere. */
static void say_where(const pe_pool *pool)
{
    int32_t cpu = sched_getcpu();
    if (atomic_load_explicit(&pool->shared.config->host_cpu, memory_order_relaxed) != cpu)
        atomic_store_explicit(&pool->shared.config->host_cpu, cpu, memory_order_relaxed);
}

static bool look_often(const pe_pool *pool, uint32_t record, bool for_claim)
{
    for (int look = 0; look < PE__SPIN_LOOKS; look++) {
        if (has_come(pool, record, for_claim))
            return true;
        pe__base_cpu_relax();
    }
    return false;
}

static bool yield_a_little(const pe_pool *pool, uint32_t record, bool for_claim)
{
    for (int i = 0; i < YIELDS; i++) {
        if (has_come(pool, record, for_claim))
            return true;
        sched_yield();
    }
    return false;
}

/* Without the mutex: until the record has come that far, for a short while. */
static bool spin_on(pe_pool *pool, uint32_t record, int64_t spin_ns, bool for_claim)
{
    if (pool->shared.config->cpus < 2)
        return yield_a_little(pool, record, for_claim);
    int64_t end_ns = pe__base_now_ns() + spin_ns;
    say_where(pool);
    for (int round = 0; !look_often(pool, record, for_claim); round++) {
        if (pe__base_now_ns() >= end_ns ||
            atomic_load_explicit(&pool->interrupted, memory_order_relaxed) != 0)
            return false;
        if (round >= PE__SPIN_ROUNDS_ALONE)
            sched_yield(); /* the worker may be waiting for this very CPU */
    }
    return true;
}

void pe__pool_glance(pe_pool *pool, uint32_t record)
{
    if (record == PE__BELL_ANY)
        return;
    pthread_mutex_unlock(&pool->mutex);
    for (int round = 0; round < GLANCE_ROUNDS && !look_often(pool, record, false); round++)
        ;
    pthread_mutex_lock(&pool->mutex);
    if (pool->entries[record].job != NULL)
        pe__pool_collect_record(pool, record);
}

/* A spin is for an end that is near, on a CPU that no worker needs. */
static bool may_spin(const pe_pool *pool)
{
    return pool->in_flight < pool->shared.config->cpus || pool->shared.config->cpus < 2;
}

void pe__pool_spin(pe_pool *pool, uint32_t record, int64_t *spin_ns, bool for_claim)
{
    if (!may_spin(pool)) {
        if (pool->in_flight <= 2 * pool->numbers)
            pe__pool_glance(pool, record);
        return;
    }
    if (record == PE__BELL_ANY)
        record = oldest_busy(pool);
    if (record == PE__BELL_ANY)
        return;
    pthread_mutex_unlock(&pool->mutex);
    bool came = spin_on(pool, record, *spin_ns, for_claim);
    pthread_mutex_lock(&pool->mutex);
    pe__spin_adapt(spin_ns, came);
    if (came && pool->entries[record].job != NULL)
        pe__pool_collect_record(pool, record);
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Without the mutex: sleeps until a ring, a word of the keeper, its end, or the time. False: the time was
 * up. */
static bool sleep_on_descriptors(pe_pool *pool, int64_t deadline_ns)
{
    struct pollfd watched[4] = { { .fd = pool->bell, .events = POLLIN },
                                 { .fd = pool->nudge, .events = POLLIN },
                                 { .fd = pool->control, .events = POLLIN },
                                 { .fd = pool->keeper_pidfd, .events = POLLIN } };
    struct timespec left;
    bool timed = pe__base_deadline_left(deadline_ns, &left);
    int ready = ppoll(watched, 4, timed ? &left : NULL, NULL);
    if (watched[0].revents != 0)
        pe__bell_drain(pool->bell);
    if (watched[1].revents != 0)
        pe__bell_drain(pool->nudge);
    return ready != 0;
}

/* Whoever waits for an end is served by a claim's ring too: it looks, and sleeps again. */
void pe__pool_announce(const pe_pool *pool, uint32_t record)
{
    uint32_t what_for = PE__BELL_FOR_END | (pool->claim_waiters > 0 ? PE__BELL_FOR_CLAIM : 0);
    atomic_store_explicit(pool->shared.host_waits, pe__bell_announcement(record, what_for), memory_order_seq_cst);
}

/* What was announced has come before the announcement could be seen: nobody rings for it any more. */
static bool is_past(const pe_pool *pool, uint32_t record, bool for_claim)
{
    return record != PE__BELL_ANY && (pool->entries[record].job == NULL || has_come(pool, record, for_claim));
}

static void lead_sleep(pe_pool *pool, const struct pe__wait *wait)
{
    uint32_t record = pool->waiters > 0 || pe__pool_is_armed(pool) ? PE__BELL_ANY : target_of(pool, wait);
    pe__pool_announce(pool, record);
    pe__pool_collect_all(pool, UINT32_MAX);
    pe__pool_hear_keeper(pool);
    if (wait->ready(pool, wait->context) || !pe__base_list_empty(&pool->ready_callbacks) ||
        is_past(pool, record, wait->for_claim))
        return;
    int64_t until = earliest(wait->deadline_ns, pe__pool_progress_due(pool));
    until = earliest(until, pe_after(wait->for_claim ? ROOM_NS : SAFETY_NS));
    pthread_mutex_unlock(&pool->mutex);
    bool rung = sleep_on_descriptors(pool, until);
    pthread_mutex_lock(&pool->mutex);
    if (!rung)
        pe__pool_check_order(pool);
    pe__pool_collect_all(pool, UINT32_MAX);
    pe__pool_hear_keeper(pool);
    pe__pool_doubt(pool);
}

/* A loop outside that was armed hears of what this thread was rung for, and of the next end: the ring took the
 * announcement back. Listeners have been told. */
void pe__pool_keep_armed(pe_pool *pool)
{
    if (!pe__pool_is_armed(pool))
        return;
    pe__pool_announce(pool, PE__BELL_ANY);
    pe__pool_collect_all(pool, UINT32_MAX);
    if ((pool->armed && pool->handled > 0) || pool->has_orphans) {
        pool->armed = false;
        pe__bell_ring_host(pool->notice);
    }
}

static void step_down(pe_pool *pool)
{
    pool->leader = false;
    if (pool->waiters > 0)
        pthread_cond_broadcast(&pool->changed);
    pe__pool_keep_armed(pool);
}

/* The leader may sleep for something else: announce for this thread too, and look again. */
static void follow(pe_pool *pool, const struct pe__wait *wait)
{
    int64_t deadline_ns = wait->deadline_ns;
    struct timespec until = { .tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000 };
    pe__pool_announce(pool, PE__BELL_ANY);
    pe__pool_collect_all(pool, UINT32_MAX);
    if (wait->ready(pool, wait->context))
        return;
    pool->waiters++;
    if (deadline_ns == PE_FOREVER)
        pthread_cond_wait(&pool->changed, &pool->mutex);
    else
        pthread_cond_timedwait(&pool->changed, &pool->mutex, &until);
    pool->waiters--;
}

/* Takes turns: a spin, then a sleep. */
static void lead(pe_pool *pool, const struct pe__wait *wait, bool spun)
{
    pool->leader = true;
    if (spun)
        lead_sleep(pool, wait);
    else
        pe__pool_spin(pool, target_of(pool, wait), &pool->spin_ns, wait->for_claim);
    step_down(pool);
}

/* PE_EINTR or PE_ETIMEDOUT when the wait is over without success. */
static int look_at_time(pe_pool *pool, const struct pe__wait *wait)
{
    if (!wait->uninterruptible && pe__pool_take_interrupt(pool))
        return PE_EINTR;
    if (wait->deadline_ns == PE_FOREVER || !pe__base_deadline_passed(wait->deadline_ns))
        return 0;
    pe__pool_collect_all(pool, UINT32_MAX);
    pe__pool_glance_at_keeper(pool);
    return PE_ETIMEDOUT;
}

static int wait_until_ready(pe_pool *pool, const struct pe__wait *wait)
{
    for (bool spun = false; !wait->ready(pool, wait->context); spun = !spun) {
        pe__map_adopt_orphans(pool);
        pe__job_run_callbacks(pool);
        pe__pool_report_progress(pool);
        if (wait->ready(pool, wait->context))
            return 0;
        int over = look_at_time(pool, wait);
        if (over < 0)
            return wait->ready(pool, wait->context) && over == PE_ETIMEDOUT ? 0 : over;
        if (pool->leader)
            follow(pool, wait);
        else
            lead(pool, wait, spun);
    }
    return 0;
}

int pe__pool_wait_for(pe_pool *pool, const struct pe__wait *wait)
{
    PE__BUILTIN_SCOPE(&pe__pool_wait_site);
    pool->claim_waiters += wait->for_claim;
    int result = wait_until_ready(pool, wait);
    pool->claim_waiters -= wait->for_claim;
    return result;
}

bool pe__pool_none_live(pe_pool *pool, void *unused)
{
    (void)unused;
    return pool->live_count == 0;
}

int pe_pool_wait(pe_pool *pool, int64_t deadline_ns)
{
    int result = pe__base_deadline_check(deadline_ns);
    if (result == 0)
        result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    struct pe__wait wait = { .ready = pe__pool_none_live, .target = pe__pool_newest_busy, .deadline_ns = deadline_ns };
    if (pe__pool_in_callback(pool))
        result = PE_EDEADLK;
    /* The last callbacks may hand over more. */
    while (result == 0 && (result = pe__pool_wait_for(pool, &wait)) == 0) {
        pe__job_run_callbacks(pool);
        if (pe__pool_none_live(pool, NULL))
            break;
    }
    pe__pool_leave(pool);
    return result;
}
