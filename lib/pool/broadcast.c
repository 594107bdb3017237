/*
 * broadcast.c - a function run once by every worker.
 *
 * Each worker gets a job of its own: a record that takes a position of the queue as any other, but that nobody except
 * its addressee can claim (shared/record.h), and an order in the addressee's slot, which says where to look. From the
 * claim on it is a job like all others: deaths, cancelling and the end of the pool are argued there.
 *
 * There is one order in a slot, so one broadcast at a time; others wait for their turn.
 */
#include "pool/broadcast.h"

#include <stdlib.h>

#include "base/clock.h"
#include "pool/backend.h"
#include "pool/callback.h"
#include "pool/collect.h"
#include "pool/job.h"
#include "pool/pool.h"
#include "pool/size.h"
#include "pool/stop.h"
#include "pool/submit.h"
#include "pool/wait.h"

struct broadcast {
    pe_job **jobs; /* NULL: not handed over */
    uint32_t count;
};

void pe__pool_address(pe_pool *pool, uint32_t record, uint32_t addressee)
{
    pe__pool_discount(pool, pe__pool_level_of(pool, record), record);
    pool->entries[record].addressee = (uint16_t)addressee;
}

/* The order is stored before the look at who sleeps or has left, as a push is (shared/bell.h). */
void pe__pool_order(pe_pool *pool, uint32_t record)
{
    const struct pe__entry *entry = &pool->entries[record];
    uint32_t number = entry->addressee - 1u;
    struct pe__slot *slot = &pool->shared.slots[number];
    struct pe__bell_group *group = pe__bell_group_of(pool->shared.groups, number);
    atomic_store_explicit(&slot->order, pe__slot_order(entry->sequence, record), memory_order_seq_cst);
    atomic_fetch_and_explicit(&group->sleepers, ~pe__bell_bit(number), memory_order_seq_cst);
    pe__bell_ring_worker(slot);
}

static bool awaits_its_worker(const pe_pool *pool, uint32_t record)
{
    const struct pe__entry *entry = &pool->entries[record];
    return entry->addressee != 0 && atomic_load(&pool->shared.records[record].word) == pe__pool_queued_word(entry);
}

void pe__pool_repeat_orders(pe_pool *pool)
{
    if (!pool->broadcasting)
        return;
    PE__BASE_LIST_EACH(link, &pool->levels[PE_PRIORITY_NORMAL].busy)
        if (awaits_its_worker(pool, pe__pool_record_of(pool, link)))
            pe__pool_order(pool, pe__pool_record_of(pool, link));
    pe__pool_start_all(pool);
}

void pe__pool_take_orders_back(pe_pool *pool, uint32_t workers)
{
    PE__BASE_LIST_EACH_SAFE(link, after, &pool->levels[PE_PRIORITY_NORMAL].busy)
        if (pool->entries[pe__pool_record_of(pool, link)].addressee > workers)
            pe__pool_cancel_if_queued(pool, pe__pool_record_of(pool, link));
}

static bool is_free(pe_pool *pool, void *unused)
{
    (void)unused;
    return !pool->broadcasting || pe__pool_check_open(pool) < 0;
}

static bool have_ended(pe_pool *pool, void *context)
{
    const struct broadcast *broadcast = context;
    (void)pool;
    for (uint32_t i = 0; i < broadcast->count; i++)
        if (broadcast->jobs[i] != NULL && !pe__job_has_ended(broadcast->jobs[i]))
            return false;
    return true;
}

/* Of a pool that has shrunk meanwhile the last ones are left out. */
static int hand_over(pe_pool *pool, const struct broadcast *broadcast, struct pe__request *request)
{
    for (uint32_t i = 0; i < broadcast->count && i < pool->workers; i++) {
        request->addressee = i + 1;
        int result = pe__pool_accept(pool, request, &broadcast->jobs[i]);
        if (result < 0)
            return result;
    }
    while (pe__pool_start_one(pool))
        ;
    return 0;
}

/* What has begun has the pool's grace. */
static void stop(pe_pool *pool, struct broadcast *broadcast)
{
    struct pe__wait wait = {
        .ready = have_ended, .context = broadcast, .deadline_ns = PE_FOREVER, .uninterruptible = true
    };
    for (uint32_t i = 0; i < broadcast->count; i++) {
        pe_job *job = broadcast->jobs[i];
        if (job != NULL && !pe__job_has_ended(job) && job->in_ring)
            pe__pool_stop_record(pool, job->record, pool->options.grace_ns);
    }
    pe__pool_wait_for(pool, &wait);
}

static int run(pe_pool *pool, struct broadcast *broadcast, struct pe__request *request)
{
    struct pe__wait wait = { .ready = is_free, .deadline_ns = request->deadline_ns };
    int result = pe__pool_wait_for(pool, &wait);
    if (result == 0)
        result = pe__pool_check_open(pool);
    if (result < 0)
        return result;
    pool->broadcasting = true;
    result = hand_over(pool, broadcast, request);
    wait.ready = have_ended;
    wait.context = broadcast;
    if (result == 0)
        result = pe__pool_wait_for(pool, &wait);
    if (result < 0)
        stop(pool, broadcast);
    else if (pool->state == PE__POOL_ENDED)
        result = PE_ECANCELED;
    if (pool->state == PE__POOL_BROKEN)
        result = PE_EBROKEN;
    pool->broadcasting = false;
    pthread_cond_broadcast(&pool->changed);
    if (pool->leader)
        pe__bell_ring_host(pool->bell); /* it may wait for its turn */
    return result;
}

/* Without the mutex: nobody else knows these jobs. `rest`: the kind of those that were not handed over. True: all have
 * returned 0. */
static bool read_endings(const struct broadcast *broadcast, uint32_t rest, pe_status *statuses, size_t count)
{
    bool all_well = true;
    for (uint32_t i = 0; i < broadcast->count; i++) {
        pe_status status = { .kind = rest, .worker = -1 };
        if (broadcast->jobs[i] != NULL)
            pe_job_status(broadcast->jobs[i], &status);
        all_well = all_well && status.kind == PE_RETURNED && status.code == 0;
        if (statuses != NULL && i < count)
            statuses[i] = status;
        pe_job_free(broadcast->jobs[i]);
    }
    return all_well;
}

/* With the mutex; refused, or a broadcast with room for all jobs. */
static int prepare(pe_pool *pool, pe_job_fn *fn, struct broadcast *ret)
{
    int result = pe__pool_in_callback(pool) ? PE_EDEADLK : pe__pool_check_open(pool);
    if (result < 0 && result != PE_EBROKEN) /* that is found by its run, whenever the pool has broken */
        return result;
    if (result == 0 && !pe__pool_has_loaded(pool, (uintptr_t)fn))
        return PE_ENOTLOADED;
    ret->count = pool->control < 0 ? 1 : pool->workers;
    ret->jobs = calloc(ret->count, sizeof(pe_job *));
    return ret->jobs != NULL ? 0 : PE_ENOMEM;
}

int pe_pool_broadcast(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, pe_status *statuses,
                      size_t count, int64_t deadline_ns)
{
    struct broadcast broadcast = { NULL, 0 };
    struct pe__request request = { .fn = fn, .arg = arg, .arg_bytes = arg_bytes, .level = PE_PRIORITY_NORMAL,
                                   .may_wait = true, .deadline_ns = deadline_ns };
    int result = fn == NULL || (arg == NULL && arg_bytes > 0) ? PE_EINVAL : pe__base_deadline_check(deadline_ns);
    if (result == 0)
        result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    result = prepare(pool, fn, &broadcast);
    if (result < 0) {
        pe__pool_leave(pool);
        return result;
    }
    result = run(pool, &broadcast, &request);
    pe__job_run_callbacks(pool);
    pe__pool_leave(pool);
    bool all_well = read_endings(&broadcast, result == PE_EBROKEN ? PE_LOST : PE_CANCELLED, statuses, count);
    if (result == 0 && !all_well)
        result = PE_EITEMS;
    if (result == PE_ECANCELED && all_well)
        result = 0; /* the pool has ended behind it */
    free(broadcast.jobs);
    return result;
}
