/*
 * submit.c - a job's way into the queue.
 *
 * When must a push ring? Let `awake` be the workers that serve and have not announced sleep. Each holds one record at most and
 * looks at the queue before it announces. While no more records are in flight (the new one included) than workers are
 * awake, at least one of them is free to find it, so no ring is needed; otherwise a sleeper, if there is one, is rung.
 * Claims go in ring order, hence a record is never left behind by an awake worker that took a later one. A worker that
 * dies leaves `present` first, and then the keeper rings everybody.
 *
 * The host's store of the tail and its load of the announcements are sequentially consistent: see bell.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "pool/pool.h"

/* With more records in flight than this, finished ones are collected on the way, so that few are touched in turn. */
#define COLLECT_FROM 64
#define COLLECT_EACH 2

pe_job *pe__pool_new_job(pe_pool *pool)
{
    struct pe__base_list *link = pe__base_list_pop_front(&pool->job_cache);
    pe_job *job = link != NULL ? PE__BASE_LIST_ENTRY(link, pe_job, link) : malloc(sizeof *job);
    if (job == NULL)
        return NULL;
    if (link != NULL)
        pool->job_cache_count--;
    memset(job, 0, offsetof(pe_job, small));
    job->pool = pool;
    job->block = PE__RECORD_NO_BLOCK;
    pe__base_list_init(&job->callbacks);
    return job;
}

int pe__pool_check_open(const pe_pool *pool)
{
    if (pool->state == PE__POOL_BROKEN)
        return PE_EBROKEN;
    return pool->state == PE__POOL_OPEN ? 0 : PE_ECLOSED;
}

/* A free record is not a free ring slot: the slot's last entry must have been claimed. */
static bool slot_is_free(const pe_pool *pool)
{
    const struct pe__shared *shared = &pool->shared;
    uint64_t entry = pool->pushed[pool->tail & (shared->geometry.ring_entries - 1)];
    uint32_t record = pe__ring_record(entry);
    uint64_t sequence = pe__ring_sequence(entry);
    const struct pe__entry *book = &pool->entries[record];
    if (sequence == 0 || book->job == NULL || book->sequence != sequence)
        return true;
    uint64_t word = atomic_load_explicit(&shared->records[record].word, memory_order_acquire);
    return word != pe__record_word(sequence, 0, PE__RECORD_QUEUED);
}

bool pe__pool_take_record(pe_pool *pool, pe_job *job, uint32_t *ret_record)
{
    if (pool->free_count == 0 || !slot_is_free(pool))
        return false;
    *ret_record = pool->free_records[--pool->free_count];
    struct pe__entry *entry = &pool->entries[*ret_record];
    entry->sequence = entry->sequence < PE__RECORD_SEQUENCE_MASK ? entry->sequence + 1 : 1; /* 0 is no sequence */
    entry->job = job;
    entry->is_ticket = job->map != NULL;
    pe__base_list_push_back(&pool->busy, &entry->link);
    pool->in_flight++;
    return true;
}

static bool needs_ring(pe_pool *pool)
{
    const struct pe__shared *shared = &pool->shared;
    uint32_t awake = 0;
    bool any_asleep = false;
    for (uint32_t first = 0; first < shared->geometry.workers; first += PE__BELL_GROUP_WORKERS) {
        struct pe__bell_group *group = &shared->groups[first / PE__BELL_GROUP_WORKERS];
        uint64_t asleep = atomic_load_explicit(&group->sleepers, memory_order_seq_cst);
        uint64_t present = atomic_load_explicit(&group->present, memory_order_seq_cst);
        any_asleep |= asleep != 0;
        awake += (uint32_t)__builtin_popcountll(present & ~asleep);
    }
    return any_asleep && pool->in_flight > awake;
}

void pe__pool_push(pe_pool *pool, uint32_t record)
{
    const struct pe__shared *shared = &pool->shared;
    uint64_t sequence = pool->entries[record].sequence;
    uint64_t at = pool->tail & (shared->geometry.ring_entries - 1);
    uint64_t entry = pe__ring_entry(sequence, record);
    atomic_store_explicit(&shared->records[record].word, pe__record_word(sequence, 0, PE__RECORD_QUEUED),
                          memory_order_release);
    if (pool->tail - pool->claimed == shared->geometry.ring_entries)
        pe__pool_look_at_claims(pool); /* passes the entry that gives up its slot */
    pool->pushed[at] = entry;
    pool->pushed_ticket[at] = pool->entries[record].is_ticket;
    atomic_store_explicit(&shared->ring[at], entry, memory_order_release);
    pool->tail++;
    atomic_store_explicit(shared->tail, pool->tail, memory_order_seq_cst);
    if (!needs_ring(pool))
        return;
    pe__pool_collect_front(pool, UINT32_MAX); /* what has ended is not in flight */
    if (needs_ring(pool))
        pe__bell_wake_one(shared->groups, shared->slots, shared->geometry.workers);
}

static bool has_room(pe_pool *pool, void *unused)
{
    (void)unused;
    if (pe__pool_check_open(pool) < 0)
        return true;
    if (pool->queued >= pool->options.queue_jobs)
        pe__pool_look_at_claims(pool);
    return pool->queued < pool->options.queue_jobs && pool->free_count > 0 && slot_is_free(pool);
}

static int make_room(pe_pool *pool, bool may_wait, int64_t deadline_ns)
{
    if (pool->in_flight > COLLECT_FROM)
        pe__pool_collect_front(pool, COLLECT_EACH);
    if (has_room(pool, NULL))
        return 0;
    pe__pool_collect_front(pool, UINT32_MAX);
    if (has_room(pool, NULL))
        return 0;
    pe__pool_collect_all(pool, UINT32_MAX);
    if (has_room(pool, NULL))
        return 0;
    if (!may_wait)
        return PE_EAGAIN;
    struct pe__wait wait = { .ready = has_room,
                             .deadline_ns = deadline_ns,
                             .record = PE__SLOT_NO_RECORD,
                             .announce = PE__BELL_WAITS_ENDING | PE__BELL_WAITS_CLAIM };
    int result = pe__pool_wait_for(pool, &wait);
    return result < 0 ? result : pe__pool_check_open(pool);
}

static int place_argument(pe_pool *pool, pe_job *job, const void *arg)
{
    if (job->arg_bytes <= PE__RECORD_ARG_INLINE)
        return 0;
    int result = pe__shared_heap_alloc(&pool->heap, job->arg_bytes, false, &job->arg_block);
    if (result == 0)
        memcpy(job->arg_block, arg, job->arg_bytes);
    return result;
}

static void fill_record(pe_pool *pool, pe_job *job, pe_job_fn *fn, const void *arg, uint32_t retries)
{
    struct pe__record *record = &pool->shared.records[job->record];
    record->fn = fn;
    record->arg_bytes = job->arg_bytes;
    record->arg_block = job->arg_block;
    record->retries = retries;
    record->kind = PE__RECORD_JOB;
    atomic_store_explicit(&record->cancel, 0, memory_order_relaxed);
    atomic_store_explicit(&record->attempts, 0, memory_order_relaxed);
    if (job->arg_block == NULL && job->arg_bytes > 0)
        memcpy(record->arg, arg, job->arg_bytes);
}

int pe__pool_submit_to_processes(pe_pool *pool, pe_job *job, pe_job_fn *fn, const void *arg, uint32_t retries,
                                 bool may_wait, int64_t deadline_ns)
{
    int result = make_room(pool, may_wait, deadline_ns);
    if (result < 0)
        return result;
    result = place_argument(pool, job, arg);
    if (result < 0)
        return result;
    pe__pool_take_record(pool, job, &job->record);
    fill_record(pool, job, fn, arg, retries);
    job->in_ring = true;
    job->submit_ticks = pe__base_ticks();
    pool->queued++;
    pe__job_begin(pool, job);
    pe__pool_push(pool, job->record);
    return 0;
}

static int check_job_options(const pe_job_options *given, pe_job_options *ret)
{
    int result = pe__base_check_sized(given, sizeof *ret, sizeof *ret, ret);
    if (result < 0)
        return result;
    if (ret->timeout_ns < 0 || ret->deadline_ns < 0 || ret->priority > 2)
        return PE_EINVAL;
    if (ret->timeout_ns != 0 || ret->deadline_ns != 0 || ret->priority != 0)
        return PE_ENOSYS;
    if (ret->submit_deadline_ns == 0)
        ret->submit_deadline_ns = PE_FOREVER;
    return pe__base_deadline_check(ret->submit_deadline_ns);
}

/* With the mutex held. */
static int accept_job(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                      const pe_job_options *options, bool may_wait, pe_job **ret_job)
{
    int result = pe__pool_check_open(pool);
    if (result < 0)
        return result;
    pe_job *job = pe__pool_new_job(pool);
    if (job == NULL)
        return PE_ENOMEM;
    job->arg_bytes = arg_bytes;
    job->detached = ret_job == NULL;
    job->refs = ret_job != NULL ? 2 : 1;
    result = pool->backend->submit(pool, job, fn, arg, options->retries, may_wait && !pe__pool_in_callback(pool),
                                   options->submit_deadline_ns);
    if (result < 0) {
        free(job);
        return result;
    }
    if (ret_job != NULL)
        *ret_job = job;
    return 0;
}

int pe__pool_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, const pe_job_options *options,
                    bool may_wait, pe_job **ret_job)
{
    pe_job_options checked = { .submit_deadline_ns = PE_FOREVER };
    if (pool == NULL || fn == NULL || (arg == NULL && arg_bytes > 0))
        return PE_EINVAL;
    int result = options != NULL ? check_job_options(options, &checked) : 0;
    if (result < 0)
        return result;
    result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    result = pe__loaded_has(&pool->loaded, (uintptr_t)fn)
                 ? accept_job(pool, fn, arg, arg_bytes, &checked, may_wait, ret_job)
                 : PE_ENOTLOADED;
    pe__pool_leave(pool);
    return result;
}

int pe_pool_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, const pe_job_options *options,
                   pe_job **ret_job)
{
    return pe__pool_submit(pool, fn, arg, arg_bytes, options, true, ret_job);
}

int pe_pool_try_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                       const pe_job_options *options, pe_job **ret_job)
{
    return pe__pool_submit(pool, fn, arg, arg_bytes, options, false, ret_job);
}
