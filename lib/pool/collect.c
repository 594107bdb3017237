/*
 * collect.c - takes over what workers and the keeper have ended.
 *
 * A record's word is read once; it means something only if its sequence and owner fit the host's own book.
 * Lengths and block numbers are copied once, checked, and used only then. Anything that cannot be is the work
 * of a scribbler and breaks the pool: the host never acts on it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/forked.h"
#include "pool/pool.h"

/* Replies above this stay where they are, in their shared block, instead of being copied. */
#define COPY_MOST ((uint64_t)256 * 1024)
/* Pages of a given-back block beyond this size are returned to the system. */
#define KEEP_WARM_MOST ((uint64_t)64 << 20)

static void give_block(pe_pool *pool, uint32_t block)
{
    const struct pe__shared *shared = &pool->shared;
    const struct pe__block_class *block_class = pe__block_class_of(&shared->blocks, block);
    if (block_class->bytes > KEEP_WARM_MOST)
        pe__mapping_discard(shared->base + pe__block_offset(block_class, block), block_class->bytes);
    pool->block_held[block] = false;
    PE__FENCE_POISON(shared->base + pe__block_offset(block_class, block), block_class->bytes);
    pe__block_give(shared->block_words, block);
}

void pe__job_release_result(pe_pool *pool, pe_job *job)
{
    job->has_result = false;
    if (!job->holds_memory)
        return;
    /* In a forked child the block is still the parent's. */
    if (job->block != PE__RECORD_NO_BLOCK && pool->shared.base != NULL && !pe__base_forked(pool->token))
        give_block(pool, job->block);
    free(job->owned);
    free(job->text);
    job->block = PE__RECORD_NO_BLOCK;
    job->owned = NULL;
    job->text = NULL;
    job->holds_memory = false;
}

/* A private copy, or the block itself where it is large or there is no memory. */
static void keep_block_reply(pe_pool *pool, pe_job *job, const unsigned char *place, uint64_t bytes, uint32_t block)
{
    PE__FENCE_UNPOISON((unsigned char *)place, bytes);
    pool->block_held[block] = true;
    job->holds_memory = true;
    job->block = block;
    job->data = place;
    if (bytes > COPY_MOST)
        return;
    job->owned = malloc(bytes > 0 ? bytes : 1);
    if (job->owned == NULL)
        return;
    memcpy(job->owned, place, bytes);
    job->data = job->owned;
    job->block = PE__RECORD_NO_BLOCK;
    give_block(pool, block);
}

/* A reply in the record. One for whose copy there is no memory is a failure of the job, not of the pool. */
static bool keep_inline_reply(pe_job *job, const struct pe__record *record, uint16_t bytes)
{
    if (bytes > PE__RECORD_INLINE_BYTES)
        return false;
    const unsigned char *place = bytes <= PE__RECORD_NEAR_BYTES ? record->reply_near : record->reply;
    void *copy = job->small;
    if (bytes > sizeof job->small) {
        copy = job->owned = malloc(bytes);
        job->holds_memory = copy != NULL;
    }
    job->data = copy;
    job->has_result = copy != NULL;
    if (copy == NULL) {
        job->status.code = PE_ENOMEM;
        return true;
    }
    if (bytes == PE__RECORD_NEAR_BYTES)
        memcpy(copy, place, PE__RECORD_NEAR_BYTES);
    else
        memcpy(copy, place, bytes);
    job->data_bytes = bytes;
    return true;
}

/* A reply in a shared block. */
static bool keep_far_reply(pe_pool *pool, pe_job *job, const volatile struct pe__record *record)
{
    const struct pe__shared *shared = &pool->shared;
    uint64_t bytes = record->reply_bytes;
    uint32_t block = record->reply_block;
    const struct pe__block_class *block_class = pe__block_class_of(&shared->blocks, block);
    if (block_class == NULL || bytes > block_class->bytes || pool->block_held[block])
        return false;
    keep_block_reply(pool, job, shared->base + pe__block_offset(block_class, block), bytes, block);
    job->has_result = true;
    job->data_bytes = bytes;
    return true;
}

/* False: what the record says of its reply cannot be true. */
static bool keep_reply(pe_pool *pool, pe_job *job, const struct pe__record *record, uint16_t bytes)
{
    uint64_t limit = pool->options.max_reply_bytes;
    if (bytes == PE__RECORD_NO_REPLY)
        return true;
    if (bytes == PE__RECORD_FAR ? !keep_far_reply(pool, job, record) : !keep_inline_reply(job, record, bytes))
        return false;
    return limit == 0 || job->data_bytes <= limit;
}

static bool keep_text(pe_pool *pool, pe_job *job, uint16_t bytes)
{
    if (bytes == 0)
        return true;
    if (bytes >= PE_TEXT_BYTES_MAX)
        return false;
    job->text = malloc((size_t)bytes + 1);
    if (job->text == NULL)
        return true;
    job->holds_memory = true;
    memcpy(job->text, pe__mapping_text(&pool->shared, job->record), bytes);
    job->text[bytes] = '\0';
    job->text_bytes = bytes;
    return true;
}

static uint32_t kind_of(uint32_t phase)
{
    switch (phase) {
    case PE__RECORD_DONE: return PE_RETURNED;
    case PE__RECORD_CRASHED: return PE_CRASHED;
    case PE__RECORD_EXITED: return PE_EXITED;
    case PE__RECORD_TIMED_OUT: return PE_TIMED_OUT;
    default: return PE_CANCELLED;
    }
}

/* Times are what the worker says they were, as far as that is possible. */
static void set_times(pe_job *job, uint64_t start, uint64_t end)
{
    if (start < job->submit_ticks)
        start = job->submit_ticks;
    if (end < start)
        end = start;
    /* Ticks, until somebody asks: see pe_job_status. */
    job->status.queued = (int64_t)(start - job->submit_ticks);
    job->status.run = (int64_t)(end - start);
}

static bool take_over(pe_pool *pool, pe_job *job, uint64_t word)
{
    const volatile struct pe__record *shown = &pool->shared.records[job->record];
    uint32_t phase = pe__record_phase(word);
    job->status.kind = kind_of(phase);
    job->status.worker = (int32_t)pe__record_owner(word);
    job->status.code = shown->code;
    job->status.pid = shown->pid;
    job->status.attempts = atomic_load_explicit(&shown->attempts, memory_order_relaxed);
    set_times(job, shown->start_ticks, shown->end_ticks);
    if (phase != PE__RECORD_CRASHED && phase != PE__RECORD_EXITED)
        job->status.attempts++; /* the record counts deaths */
    if (phase != PE__RECORD_DONE) {
        job->status.stop_signal = shown->stop_signal;
        return true;
    }
    return keep_text(pool, job, shown->text_bytes) &&
           keep_reply(pool, job, &pool->shared.records[job->record], shown->reply_short);
}

static void free_record(pe_pool *pool, uint32_t record)
{
    struct pe__entry *entry = &pool->entries[record];
    atomic_store_explicit(&pool->shared.records[record].word,
                          pe__record_word(entry->sequence, 0, PE__RECORD_FREE), memory_order_relaxed);
    entry->job = NULL;
    pe__base_list_remove(&entry->link);
    pool->free_records[pool->free_count++] = record;
    pool->in_flight--;
}

static void leave_record(pe_pool *pool, pe_job *job)
{
    if (job->arg_block != NULL)
        pe__shared_heap_free(&pool->heap, job->arg_block);
    job->in_ring = false;
    free_record(pool, job->record);
}

static void end_plain(pe_pool *pool, pe_job *job, uint64_t word)
{
    bool ok = take_over(pool, job, word);
    leave_record(pool, job);
    if (!ok) {
        pe__job_release_result(pool, job);
        job->status.kind = PE_LOST;
    }
    pe__job_end(pool, job);
    if (!ok)
        pe__pool_break(pool);
}

/* Could the workers and the keeper have ended this use of the record with that word? */
static bool is_possible_end(const pe_pool *pool, const struct pe__entry *entry, uint64_t word)
{
    return pe__record_is_final(word) && pe__record_phase(word) <= PE__RECORD_CANCELLED &&
           pe__record_sequence(word) == entry->sequence && pe__record_owner(word) < pool->options.workers;
}

static bool is_possible_life(const pe_pool *pool, const struct pe__entry *entry, uint64_t word)
{
    uint32_t phase = pe__record_phase(word);
    return phase >= PE__RECORD_QUEUED && phase <= PE__RECORD_STOPPING &&
           (phase != PE__RECORD_STOPPING || entry->stop_asked) &&
           pe__record_sequence(word) == entry->sequence && pe__record_owner(word) < pool->options.workers;
}

static bool is_waiting(const pe_pool *pool, uint32_t record)
{
    uint64_t word = atomic_load_explicit(&pool->shared.records[record].word, memory_order_relaxed);
    return pe__record_phase(word) == PE__RECORD_QUEUED;
}

/* True: the record was busy and has ended. */
static bool collect(pe_pool *pool, uint32_t record)
{
    struct pe__entry *entry = &pool->entries[record];
    uint64_t word = atomic_load_explicit(&pool->shared.records[record].word, memory_order_acquire);
    if (entry->job == NULL || is_possible_life(pool, entry, word))
        return false;
    if (!is_possible_end(pool, entry, word)) {
        pe__pool_break(pool);
        return false;
    }
    pe_job *job = entry->job;
    uint32_t lane = entry->lane;
    if (entry->is_ticket) {
        free_record(pool, record);
        pe__map_ticket_ended(pool, job, lane, word);
    } else {
        end_plain(pool, job, word);
    }
    return true;
}

static uint32_t record_of(const pe_pool *pool, struct pe__base_list *link)
{
    return (uint32_t)(PE__BASE_LIST_ENTRY(link, struct pe__entry, link) - pool->entries);
}

void pe__pool_collect_record(pe_pool *pool, uint32_t record)
{
    collect(pool, record);
}

/* The line of the next record to be collected comes over from the worker's cache while this one is taken
 * over. */
static void expect(const pe_pool *pool, const struct pe__base_list *link)
{
    if (link->next != &pool->busy)
        __builtin_prefetch(&pool->shared.records[record_of(pool, link->next)]);
}

uint32_t pe__pool_collect_front(pe_pool *pool, uint32_t most)
{
    uint32_t count = 0;
    for (; count < most && !pe__base_list_empty(&pool->busy); count++) {
        expect(pool, pool->busy.next);
        if (!collect(pool, record_of(pool, pool->busy.next)))
            break;
    }
    return count;
}

/* Records are claimed in the order of their pushes: behind one that waits in the queue none has begun. */
uint32_t pe__pool_collect_all(pe_pool *pool, uint32_t most)
{
    uint32_t count = 0;
    PE__BASE_LIST_EACH_SAFE(link, after, &pool->busy) {
        uint32_t record = record_of(pool, link);
        if (count >= most || pool->settling || is_waiting(pool, record))
            break;
        expect(pool, link);
        count += collect(pool, record);
    }
    return count;
}

/* A record that waits although a later one was claimed is one that no worker will find: a scribbler made
 * it so. */
void pe__pool_check_order(pe_pool *pool)
{
    struct pe__base_list *first = NULL;
    PE__BASE_LIST_EACH(link, &pool->busy) {
        bool waits = is_waiting(pool, record_of(pool, link));
        if (waits && first == NULL)
            first = link;
        /* The first one may have been claimed since it was looked at, but then before the later one. */
        if (!waits && first != NULL && is_waiting(pool, record_of(pool, first))) {
            pe__pool_break(pool);
            return;
        }
    }
}

/* True: the ring entry's record waits for a worker with that very use. */
static bool is_queued(const pe_pool *pool, uint64_t entry)
{
    const struct pe__entry *book = &pool->entries[pe__ring_record(entry)];
    if (book->job == NULL || book->sequence != pe__ring_sequence(entry))
        return false;
    const struct pe__record *record = &pool->shared.records[pe__ring_record(entry)];
    uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
    return pe__record_phase(word) == PE__RECORD_QUEUED;
}

/* Claims go in ring order, so the first entry that is still queued ends the look. */
void pe__pool_look_at_claims(pe_pool *pool)
{
    uint64_t mask = pool->shared.geometry.ring_entries - 1;
    for (; pool->claimed < pool->tail && !is_queued(pool, pool->pushed[pool->claimed & mask]); pool->claimed++)
        if (!pool->pushed_ticket[pool->claimed & mask])
            pool->queued--;
}

void pe__pool_end_unclaimed(pe_pool *pool, uint32_t record, uint32_t kind)
{
    struct pe__entry *entry = &pool->entries[record];
    pe_job *job = entry->job;
    uint32_t lane = entry->lane;
    if (entry->is_ticket) {
        free_record(pool, record);
        pe__map_ticket_ended(pool, job, lane, pe__record_word(0, 0, PE__RECORD_CANCELLED));
        return;
    }
    job->status.kind = kind;
    job->status.worker = -1;
    leave_record(pool, job);
    pe__job_end(pool, job);
}

/* No process is left to end this one. */
static void settle_record(pe_pool *pool, uint32_t record, uint32_t kind)
{
    struct pe__entry *entry = &pool->entries[record];
    pe_job *job = entry->job;
    uint64_t word = atomic_load_explicit(&pool->shared.records[record].word, memory_order_acquire);
    if (entry->is_ticket) {
        free_record(pool, record);
    } else if (is_possible_end(pool, entry, word)) {
        end_plain(pool, job, word);
    } else {
        pe__pool_end_unclaimed(pool, record, kind);
    }
}

void pe__pool_settle_rest(pe_pool *pool, uint32_t kind)
{
    if (pool->settling)
        return;
    pool->settling = true;
    while (!pe__base_list_empty(&pool->busy))
        settle_record(pool, record_of(pool, pool->busy.next), kind);
    pool->claimed = pool->tail;
    pool->queued = 0;
    /* Only maps are left, and their tickets are gone. */
    while (!pe__base_list_empty(&pool->maps))
        pe__map_finish(pool, PE__BASE_LIST_ENTRY(pool->maps.next, pe_job, link), kind);
}
