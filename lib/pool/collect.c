/*
 * collect.c - takes over what workers and the keeper have ended.
 *
 * A record's word is read once; it means something only if its sequence and owner fit the host's own book.
 * Lengths and block numbers are copied once, checked, and used only then. Anything that cannot be is the work
 * of a scribbler and breaks the pool: the host never acts on it.
 */
#include "pool/collect.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/forked.h"
#include "pool/deadline.h"
#include "pool/job.h"
#include "pool/listen.h"
#include "pool/map.h"
#include "pool/map_tickets.h"
#include "pool/pool.h"
#include "pool/regions.h"
#include "pool/stop.h"
#include "pool/texts.h"

/* Replies above this stay where they are, in their shared block, instead of being copied. */
#define COPY_MOST ((uint64_t)256 * 1024)
/* Pages of a given-back block beyond this size are returned to the system. */
#define KEEP_WARM_MOST ((uint64_t)64 << 20)
/* Pages of output beyond this size are returned at once: there are as many places as records. */
#define OUTPUT_WARM_MOST ((uint32_t)16384)
#define RECORDS_AHEAD 6

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
    struct pe__job_more *more = job->more;
    job->has_result = false;
    if (more == NULL)
        return;
    /* In a forked child the block is still the parent's. */
    if (more->has_block && pool->shared.base != NULL && !pe__base_forked(pool->token))
        give_block(pool, more->block);
    free(more->owned);
    pe__texts_free(more->texts);
    more->has_block = false;
    more->owned = NULL;
    more->texts = NULL;
}

/* A private copy, or the block itself where it is large or there is no memory. */
static void keep_block_reply(pe_pool *pool, struct pe__job_more *more, const unsigned char *place, uint64_t bytes,
                             uint32_t block)
{
    PE__FENCE_UNPOISON((unsigned char *)place, bytes);
    pool->block_held[block] = true;
    more->has_block = true;
    more->block = block;
    more->data = place;
    more->data_bytes = bytes;
    if (bytes > COPY_MOST)
        return;
    PE__BUILTIN_SCOPE(&pe__pool_copy_site);
    more->owned = malloc(bytes > 0 ? bytes : 1);
    if (more->owned == NULL)
        return;
    memcpy(more->owned, place, bytes);
    more->data = more->owned;
    more->has_block = false;
    give_block(pool, block);
}

/* Into the handle itself. */
static void keep_small_reply(pe_job *job, const struct pe__record *record, uint16_t bytes)
{
    if (bytes == PE__JOB_SMALL_BYTES)
        memcpy(job->small, record->reply, PE__JOB_SMALL_BYTES);
    else
        memcpy(job->small, record->reply, bytes);
    job->small_bytes = (uint8_t)bytes;
    job->has_result = true;
}

/* Where there is no memory for a reply, that is a failure of the job, not of the pool. */
static void fail_for_memory(pe_job *job)
{
    job->code = PE_ENOMEM;
}

/* A reply in the rest of the record. */
static bool keep_inline_reply(pe_job *job, const unsigned char *place, uint16_t bytes)
{
    if (bytes > PE__RECORD_INLINE_BYTES)
        return false;
    struct pe__job_more *more = pe__job_more(job);
    void *copy = more != NULL ? malloc(bytes) : NULL;
    if (copy == NULL) {
        fail_for_memory(job);
        return true;
    }
    memcpy(copy, place, bytes);
    more->data = more->owned = copy;
    more->data_bytes = bytes;
    job->has_result = true;
    return true;
}

/* A reply in a shared block. */
static bool keep_far_reply(pe_pool *pool, pe_job *job, const volatile struct pe__record_more *shown)
{
    const struct pe__shared *shared = &pool->shared;
    uint64_t bytes = shown->reply_bytes, limit = pool->options.max_reply_bytes;
    uint32_t block = shown->reply_block;
    const struct pe__block_class *block_class = pe__block_class_of(&shared->blocks, block);
    if (block_class == NULL || bytes > block_class->bytes || pool->block_held[block] || (limit != 0 && bytes > limit))
        return false;
    struct pe__job_more *more = pe__job_more(job);
    if (more == NULL) {
        fail_for_memory(job);
        give_block(pool, block);
        return true;
    }
    keep_block_reply(pool, more, shared->base + pe__block_offset(block_class, block), bytes, block);
    job->has_result = true;
    return true;
}

/* False: what the record says of its reply cannot be true. */
static bool keep_reply(pe_pool *pool, pe_job *job, uint32_t index, uint16_t bytes)
{
    uint64_t limit = pool->options.max_reply_bytes;
    if (bytes == PE__RECORD_NO_REPLY)
        return true;
    if (bytes == PE__RECORD_FAR)
        return keep_far_reply(pool, job, &pool->shared.records_more[index]);
    if (limit != 0 && bytes > limit)
        return false;
    if (bytes > PE__JOB_SMALL_BYTES)
        return keep_inline_reply(job, pool->shared.records_more[index].reply, bytes);
    keep_small_reply(job, &pool->shared.records[index], bytes);
    return true;
}

static bool keep_output(pe_pool *pool, pe_job *job, uint32_t record)
{
    const struct pe__geometry *geometry = &pool->shared.geometry;
    struct pe__output *output = pe__mapping_output(&pool->shared, record);
    uint32_t bytes = geometry->output_bytes != 0 ? *(const volatile uint32_t *)&output->bytes : 0;
    if (bytes == 0 || bytes > geometry->output_bytes)
        return false;
    pe__job_keep_text(job, PE_TEXT_OUTPUT, output->data, bytes);
    if (bytes > OUTPUT_WARM_MOST)
        pe__mapping_discard(output, pe__mapping_output_stride(geometry));
    return true;
}

/* A message or the notes of a crash, and output. */
static bool keep_texts(pe_pool *pool, pe_job *job, uint32_t record, uint32_t which, uint16_t bytes)
{
    if ((bytes & PE__RECORD_HAS_OUTPUT) != 0 && !keep_output(pool, job, record))
        return false;
    bytes &= (uint16_t)~PE__RECORD_HAS_OUTPUT;
    if (bytes == 0)
        return true;
    if (bytes >= PE_TEXT_BYTES_MAX)
        return false;
    pe__job_keep_text(job, which, pe__mapping_text(&pool->shared, record), bytes);
    return true;
}

static uint32_t kind_of(uint32_t phase)
{
    switch (phase) {
    case PE__RECORD_DONE: return PE_RETURNED;
    case PE__RECORD_CRASHED: return PE_CRASHED;
    case PE__RECORD_EXITED: return PE_EXITED;
    case PE__RECORD_TIMED_OUT: return PE_TIMED_OUT;
    case PE__RECORD_OUT_OF_MEMORY: return PE_OUT_OF_MEMORY;
    default: return PE_CANCELLED;
    }
}

/* Times are what the worker says they were, as far as that is possible; a negative difference reads as 0. */
static void set_times(pe_job *job, uint64_t start, uint64_t end)
{
    uint64_t submitted = job->queued;
    if (start < submitted)
        start = submitted;
    /* Ticks, until somebody asks: see pe_job_status. */
    job->queued = start - submitted;
    job->run = (int64_t)(end - start);
}

static bool take_over(pe_pool *pool, pe_job *job, uint32_t index, uint64_t word)
{
    const volatile struct pe__record *shown = &pool->shared.records[index];
    const struct pe__record_more *more = &pool->shared.records_more[index];
    struct pe__entry *entry = &pool->entries[index];
    uint32_t phase = pe__record_phase(word);
    job->kind = (uint8_t)kind_of(phase);
    job->worker = (int16_t)pe__record_owner(word);
    job->code = shown->code;
    job->pid = shown->pid;
    set_times(job, shown->start_ticks, shown->end_ticks);
    pool->queue_ticks += job->queued;
    entry->more_used |= phase != PE__RECORD_DONE;
    job->attempts = entry->more_used ? atomic_load_explicit(&more->attempts, memory_order_relaxed) : 0;
    if (!pe__record_is_crash(phase))
        job->attempts++; /* the record counts deaths */
    if (phase != PE__RECORD_DONE) {
        job->stop_signal = (uint8_t)*(const volatile int32_t *)&more->stop_signal;
        return keep_texts(pool, job, index, PE_TEXT_BACKTRACE, shown->text_bytes);
    }
    bool has_text = shown->text_bytes != 0; /* few do */
    return (!has_text || keep_texts(pool, job, index, PE_TEXT_MESSAGE, shown->text_bytes)) &&
           keep_reply(pool, job, index, shown->reply_short);
}

static void free_record(pe_pool *pool, uint32_t record)
{
    struct pe__entry *entry = &pool->entries[record];
    if (pe__pool_has_deadline(pool, record))
        pe__pool_forget_deadline(pool);
    entry->job = NULL;
    pe__base_list_remove(&entry->link);
    pool->in_flight--;
    if (__builtin_expect(entry->watches != NULL, 0))
        pe__listeners_tell(pool, &entry->watches);
}

static void leave_record(pe_pool *pool, pe_job *job, uint32_t index)
{
    if (job->more != NULL && job->more->arg_block != NULL) {
        pe__shared_heap_free(&pool->heap, job->more->arg_block);
        job->more->arg_block = NULL;
    }
    job->in_ring = false;
    free_record(pool, index);
}

static size_t result_bytes(const pe_job *job)
{
    if (!job->has_result)
        return 0;
    return job->small_bytes != PE__JOB_NOT_SMALL ? job->small_bytes : job->more->data_bytes;
}

/* Its deadline passed before it was begun. */
static bool has_expired(uint64_t word)
{
    return pe__record_owner(word) == PE__RECORD_NOBODY;
}

static void end_plain(pe_pool *pool, pe_job *job, uint32_t index, uint64_t word)
{
    if (has_expired(word)) {
        pe__pool_end_unclaimed(pool, index, PE_TIMED_OUT);
        return;
    }
    bool ok = take_over(pool, job, index, word);
    leave_record(pool, job, index);
    if (!ok) {
        pe__job_release_result(pool, job);
        job->kind = PE_LOST;
    }
    pe__job_end(pool, job, result_bytes(job));
    if (!ok)
        pe__pool_break(pool);
}

/* While it waits, whom it is for; then whoever runs it. */
static bool is_possible_owner(const pe_pool *pool, const struct pe__entry *entry, uint64_t word)
{
    uint32_t owner = pe__record_owner(word);
    if (pe__record_phase(word) == PE__RECORD_QUEUED)
        return owner == entry->addressee;
    return owner < pool->numbers && (entry->addressee == 0 || owner + 1 == entry->addressee);
}

static bool may_time_out(const struct pe__entry *entry)
{
    return entry->limits != 0 && !entry->is_ticket;
}

/* Was there a limit that it can have overrun? */
static bool is_possible_timeout(const pe_pool *pool, const struct pe__entry *entry, uint64_t word)
{
    if (has_expired(word))
        return (entry->limits & PE__LIMIT_DEADLINE) != 0;
    return may_time_out(entry) && is_possible_owner(pool, entry, word);
}

/* Could the workers and the keeper have ended this use of the record with that word? */
static bool is_possible_end(const pe_pool *pool, const struct pe__entry *entry, uint64_t word)
{
    if (!pe__record_is_final(word) || pe__record_sequence(word) != entry->sequence)
        return false;
    if (pe__record_phase(word) == PE__RECORD_TIMED_OUT)
        return is_possible_timeout(pool, entry, word);
    return pe__record_phase(word) <= PE__RECORD_OUT_OF_MEMORY && is_possible_owner(pool, entry, word);
}

static bool is_possible_life(const pe_pool *pool, const struct pe__entry *entry, uint64_t word)
{
    uint32_t phase = pe__record_phase(word);
    return phase >= PE__RECORD_QUEUED && phase <= PE__RECORD_STOPPING &&
           (phase != PE__RECORD_STOPPING || entry->stop_asked || may_time_out(entry)) &&
           pe__record_sequence(word) == entry->sequence && is_possible_owner(pool, entry, word);
}

/* For whichever worker comes first. */
static bool is_waiting(const pe_pool *pool, uint32_t record)
{
    const struct pe__entry *entry = &pool->entries[record];
    uint64_t word = atomic_load_explicit(&pool->shared.records[record].word, memory_order_relaxed);
    return entry->addressee == 0 && word == pe__pool_queued_word(entry);
}

/* Its worker says so, or has died and has no successor. */
static bool ticket_goes_on(const volatile struct pe__record *shown, uint32_t phase)
{
    return pe__record_is_crash(phase) || (phase == PE__RECORD_DONE && shown->code == PE__RECORD_TICKET_AGAIN);
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
        bool goes_on = ticket_goes_on(&pool->shared.records[record], pe__record_phase(word));
        free_record(pool, record);
        pe__map_ticket_ended(pool, job, lane, goes_on);
    } else {
        end_plain(pool, job, record, word);
    }
    return true;
}

void pe__pool_collect_record(pe_pool *pool, uint32_t record)
{
    collect(pool, record);
}

/* Lines of the next records to be collected come over from the worker's cache while this one is taken over. */
static void expect(const pe_pool *pool, const struct pe__level *level, uint32_t record)
{
    __builtin_prefetch(&pool->shared.records[pe__pool_record_at(pool, level, record + RECORDS_AHEAD)]);
}

static uint32_t collect_front(pe_pool *pool, struct pe__level *level, uint32_t most)
{
    uint32_t count = 0;
    for (; count < most && !pe__base_list_empty(&level->busy); count++) {
        uint32_t record = pe__pool_record_of(pool, level->busy.next);
        if (count + RECORDS_AHEAD < pool->in_flight)
            expect(pool, level, record);
        if (!collect(pool, record))
            break;
    }
    return count;
}

uint32_t pe__pool_collect_front(pe_pool *pool, uint32_t most)
{
    uint32_t count = 0;
    PE__POOL_EACH_LEVEL(level, pool)
        if (!pe__base_list_empty(&level->busy))
            count += collect_front(pool, level, most - count);
    return count;
}

/* Records of a level are claimed in the order of their pushes: behind one that waits in the queue none has begun.
 * `beyond`: some may have ended there. */
static uint32_t collect_all(pe_pool *pool, struct pe__level *level, uint32_t most, bool beyond)
{
    uint32_t count = 0;
    PE__BASE_LIST_EACH_SAFE(link, after, &level->busy) {
        uint32_t record = pe__pool_record_of(pool, link);
        bool waits = is_waiting(pool, record);
        if (count >= most || pool->settling || (waits && !beyond))
            break;
        expect(pool, level, record);
        count += !waits && collect(pool, record);
    }
    return count;
}

/* The keeper ends what waits, but only where there are deadlines, and it says how often. Records of a broadcast end
 * behind others that wait. */
uint32_t pe__pool_collect_all(pe_pool *pool, uint32_t most)
{
    uint64_t expired = pool->expired;
    if (pool->deadlines > 0)
        expired = atomic_load_explicit(&pool->shared.watch->expired, memory_order_acquire);
    uint32_t count = 0;
    PE__POOL_EACH_LEVEL(level, pool)
        count += collect_all(pool, level, most - count, expired != pool->expired || pool->broadcasting);
    if (count < most)
        pool->expired = expired;
    return count;
}

bool pe__pool_is_waiting_at(const pe_pool *pool, const struct pe__level *level, uint64_t position)
{
    uint32_t records = pool->shared.geometry.records, record = pe__pool_record_at(pool, level, position);
    const struct pe__entry *entry = &pool->entries[record];
    if (entry->job == NULL || entry->addressee != 0 || entry->sequence != pe__queue_sequence(position, records))
        return false;
    return atomic_load_explicit(&pool->shared.records[record].word, memory_order_acquire) ==
           pe__pool_queued_word(entry);
}

/* It waits no longer, or not in the queue. */
void pe__pool_discount(pe_pool *pool, struct pe__level *level, uint32_t record)
{
    struct pe__entry *entry = &pool->entries[record];
    if (entry->is_counted && pool->waiting_bytes != NULL)
        level->queued_bytes -= pool->waiting_bytes[record];
    level->queued -= entry->is_counted;
    entry->is_counted = false;
}

/* Claims go in the queue's order, so the first position that still waits ends the look. */
void pe__pool_look_at_claims(pe_pool *pool, struct pe__level *level)
{
    for (; level->claimed < level->tail && !pe__pool_is_waiting_at(pool, level, level->claimed); level->claimed++)
        pe__pool_discount(pool, level, pe__pool_record_at(pool, level, level->claimed));
}

void pe__pool_end_unclaimed(pe_pool *pool, uint32_t record, uint32_t kind)
{
    struct pe__entry *entry = &pool->entries[record];
    pe_job *job = entry->job;
    uint32_t lane = entry->lane;
    if (entry->is_ticket) {
        free_record(pool, record);
        pe__map_ticket_ended(pool, job, lane, false);
        return;
    }
    pe__pool_discount(pool, pe__pool_level_of(pool, record), record);
    leave_record(pool, job, record);
    job->kind = (uint8_t)kind;
    job->worker = -1;
    job->pid = 0;
    job->queued = 0;
    pe__job_end(pool, job, 0);
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
        end_plain(pool, job, record, word);
    } else {
        if (pe__record_is_held(word) && pe__record_sequence(word) == entry->sequence)
            job->attempts = atomic_load(&pool->shared.records_more[record].attempts) + 1; /* deaths, and this one */
        pe__pool_end_unclaimed(pool, record, kind);
    }
}

void pe__pool_settle_rest(pe_pool *pool, uint32_t kind)
{
    if (pool->settling)
        return;
    pool->settling = true;
    PE__POOL_EACH_LEVEL(level, pool) {
        while (!pe__base_list_empty(&level->busy))
            settle_record(pool, pe__pool_record_of(pool, level->busy.next), kind);
        level->claimed = level->tail;
        level->queued = 0;
        level->queued_bytes = 0;
    }
    /* Only maps are left, and their tickets are gone. */
    while (!pe__base_list_empty(&pool->maps))
        pe__map_finish(pool, pe__job_of_map(pool->maps.next), kind);
}
