/*
 * serve.c - claim, run, complete.
 *
 * The claim and the completion are the two swaps of record.h. Between them the worker owns the record; a
 * completion that fails means that the keeper has begun to stop this worker: it touches nothing more and
 * waits to be killed. The slot's hint is stored before the claim, so whatever instant this process dies at,
 * the keeper finds what it held.
 *
 * A claim looks at the levels of the queue from the highest to the lowest, and takes the first position that waits.
 */
#include "worker/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "base/clock.h"
#include "base/step.h"
#include "shared/spin.h"
#include "worker/copy.h"
#include "worker/crash.h"
#include "worker/hygiene.h"
#include "worker/idle.h"
#include "worker/items.h"
#include "worker/limit.h"
#include "worker/place.h"
#include "worker/regions.h"
#include "worker/threads.h"

static noreturn void leave(struct pe__worker *worker, enum pe__slot_life life)
{
    const struct pe__config *config = worker->shared->config;
    atomic_store_explicit(&worker->slot->life, life, memory_order_release);
    PE__STEP(RETIRING);
    worker->scope.asked = NULL; /* what was asked of the last job is not meant for worker_exit */
    if (config->worker_exit != NULL)
        pe__worker_copy_end(worker, config->worker_exit(config->worker_context));
    pe__worker_flush_stdio();
    pe__worker_regions_end(worker);
    PE__STEP(LEFT);
    _exit(0);
}

/* Whoever goes on under this number, or nobody. */
static noreturn void make_room(struct pe__worker *worker)
{
    leave(worker, pe__worker_is_surplus(worker) ? PE__SLOT_SPARED : PE__SLOT_RETIRING);
}

noreturn void pe__worker_await_death(void)
{
    for (;;)
        pause();
}

/* Stopped by the keeper; if not, its word is not what a word can be, and nobody would ever end this
 * process. */
static noreturn void await_stop(const struct pe__worker *worker, struct pe__record *record)
{
    uint64_t stopping =
        pe__record_word(pe__record_sequence(worker->word), worker->index, PE__RECORD_STOPPING);
    if (atomic_load_explicit(&record->word, memory_order_acquire) != stopping)
        _exit(EXIT_FAILURE);
    pe__worker_await_death();
}

uint64_t pe__worker_life_left(const struct pe__worker *worker)
{
    uint64_t limit = worker->shared->config->jobs_per_worker;
    if (limit == 0)
        return UINT64_MAX;
    return limit > worker->served ? limit - worker->served : 0;
}

static uint64_t holder_of(const struct pe__worker *worker)
{
    return pe__record_use(pe__record_sequence(worker->word), worker->record_index);
}

/* Takes a larger shared block; a smaller one is given back. */
static int move_to_block(struct pe__worker *worker, size_t bytes)
{
    const struct pe__shared *shared = worker->shared;
    uint32_t block;
    atomic_store_explicit(&worker->slot->has_block, 1, memory_order_relaxed);
    PE__STEP(BLOCK_SAID);
    if (!pe__block_take(&shared->blocks, shared->block_words, bytes, holder_of(worker), &block))
        return PE_ENOMEM;
    PE__STEP(BLOCK_TAKEN);
    const struct pe__block_class *block_class = pe__block_class_of(&shared->blocks, block);
    unsigned char *place = shared->base + pe__block_offset(block_class, block);
    memcpy(place, worker->reply.data, worker->reply.bytes);
    PE__STEP(BLOCK_MOVED);
    if (worker->reply_block != PE__RECORD_NO_BLOCK)
        pe__block_give(shared->block_words, worker->reply_block);
    PE__STEP(BLOCK_GIVEN);
    worker->reply_block = block;
    worker->reply.data = place;
    worker->reply.capacity = block_class->bytes;
    return 0;
}

/* From beside the word to the rest of the record, then to shared blocks. */
static int grow(struct pe_reply *reply, size_t bytes)
{
    struct pe__worker *worker = reply->owner;
    struct pe__record_more *more = &worker->shared->records_more[worker->record_index];
    if (bytes > PE__RECORD_INLINE_BYTES)
        return move_to_block(worker, bytes);
    memcpy(more->reply, reply->data, reply->bytes);
    reply->data = more->reply;
    reply->capacity = PE__RECORD_INLINE_BYTES;
    return 0;
}

static void open_reply(struct pe__worker *worker, struct pe__record *record)
{
    worker->reply_block = PE__RECORD_NO_BLOCK;
    worker->reply.data = record->reply;
    worker->reply.bytes = 0;
    worker->reply.capacity = PE__RECORD_NEAR_BYTES;
    worker->reply.error = 0;
    worker->reply.written = false;
}

/* Where the host is to look for the reply. */
static uint16_t describe_reply(struct pe__worker *worker, const struct pe__record *record)
{
    const pe_reply *reply = &worker->reply;
    struct pe__record_more *more = &worker->shared->records_more[worker->record_index];
    if (!reply->written || reply->error != 0) {
        if (worker->reply_block != PE__RECORD_NO_BLOCK)
            pe__block_give(worker->shared->block_words, worker->reply_block);
        return PE__RECORD_NO_REPLY;
    }
    if (worker->reply_block == PE__RECORD_NO_BLOCK && reply->data == record->reply)
        return (uint16_t)reply->bytes;
    if (worker->reply_block == PE__RECORD_NO_BLOCK && reply->bytes > PE__RECORD_NEAR_BYTES)
        return (uint16_t)reply->bytes;
    more->reply_bytes = reply->bytes;
    more->reply_block = worker->reply_block;
    return PE__RECORD_FAR;
}

/* PE__RECORD_HAS_OUTPUT, or 0. A ticket's is that of its items, who have had it or are not to have it. */
static uint16_t take_output(struct pe__worker *worker, const struct pe__record *record)
{
    const struct pe__shared *shared = worker->shared;
    uint32_t bytes = pe__worker_output_look(&worker->output, record->start_ticks, shared->geometry.output_bytes);
    if (bytes == 0 || pe__record_is_ticket(record))
        return 0;
    struct pe__output *output = pe__mapping_output(shared, worker->record_index);
    pe__worker_output_take(&worker->output, output->data, bytes);
    output->bytes = bytes;
    return PE__RECORD_HAS_OUTPUT;
}

static void write_result(struct pe__worker *worker, struct pe__record *record, int code)
{
    const struct pe__worker_scope *scope = &worker->scope;
    record->code = worker->reply.error != 0 ? worker->reply.error : code;
    record->reply_short = describe_reply(worker, record);
    record->pid = worker->pid;
    record->text_bytes = (uint16_t)scope->text_bytes;
    if (worker->output.fd >= 0)
        record->text_bytes |= take_output(worker, record);
    PE__STEP(RESULT);
    if (scope->text_bytes > 0)
        memcpy(pe__mapping_text(worker->shared, worker->record_index), scope->text, scope->text_bytes);
    PE__STEP(TEXT);
}

static const void *argument_of(const struct pe__worker *worker, const struct pe__record *record, size_t *ret_bytes)
{
    const struct pe__record_more *more = &worker->shared->records_more[worker->record_index];
    *ret_bytes = record->arg_short != PE__RECORD_FAR ? record->arg_short : more->arg_bytes;
    if (record->arg_short <= PE__RECORD_NEAR_BYTES)
        return record->arg;
    return record->arg_short != PE__RECORD_FAR ? more->arg : more->arg_block;
}

static void run_job(struct pe__worker *worker, struct pe__record *record)
{
    size_t bytes;
    const void *arg = argument_of(worker, record, &bytes);
    worker->scope.asked = &worker->shared->records_more[worker->record_index].asked;
    worker->scope.self = pe__record_sequence(worker->word);
    worker->scope.running = NULL;
    worker->scope.text_bytes = 0;
    open_reply(worker, record);
    PE__STEP(OPENED);
    int code = record->fn(arg, bytes, &worker->reply);
    pe__worker_copy_end(worker, code);
    pe__worker_flush_stdio();
    PE__STEP(RAN);
    if (record->limits != 0)
        pe__worker_end_limit(worker);
    write_result(worker, record, code);
    worker->served++;
}

static void run_ticket(struct pe__worker *worker, struct pe__record *record)
{
    enum pe__items_end end = pe__worker_serve_items(worker, record);
    if (end == PE__ITEMS_NEXT_LIFE)
        make_room(worker);
    open_reply(worker, record);
    worker->scope.text_bytes = 0;
    write_result(worker, record, end == PE__ITEMS_LATER ? PE__RECORD_TICKET_AGAIN : 0);
}

/* After a swap: has the host announced that it sleeps until this one? */
static void tell_host(const struct pe__worker *worker, uint32_t record, uint32_t what)
{
    _Atomic uint64_t *waits = worker->shared->host_waits;
    uint64_t announced = atomic_load_explicit(waits, memory_order_seq_cst);
    if (announced != 0 && pe__bell_is_meant(announced, record, what) &&
        atomic_exchange_explicit(waits, 0, memory_order_seq_cst) != 0) {
        PE__STEP(HOST_TAKEN);
        pe__bell_ring_host(worker->host_bell);
    }
}

static void complete(struct pe__worker *worker, struct pe__record *record)
{
    struct pe__slot *slot = worker->slot;
    uint64_t sequence = pe__record_sequence(worker->word);
    uint64_t ended = atomic_load_explicit(&slot->ended, memory_order_relaxed) + 1;
    atomic_store_explicit(&slot->ended, ended, memory_order_relaxed);
    PE__STEP(COUNTED);
    if (!pe__record_swap(record, worker->word, pe__record_word(sequence, worker->index, PE__RECORD_DONE)))
        await_stop(worker, record);
    PE__STEP(DONE);
    tell_host(worker, worker->record_index, PE__BELL_FOR_END);
    PE__STEP(HOST_LOOKED);
    if (atomic_load_explicit(&slot->has_block, memory_order_relaxed) != 0)
        atomic_store_explicit(&slot->has_block, 0, memory_order_relaxed);
    PE__STEP(COMPLETE);
}

/* Its deadline has passed, and it was not begun. */
static void expire(struct pe__worker *worker, struct pe__record *record)
{
    uint64_t sequence = pe__record_sequence(worker->word);
    if (!pe__record_swap(record, worker->word, pe__record_word(sequence, PE__RECORD_NOBODY, PE__RECORD_TIMED_OUT)))
        await_stop(worker, record);
    PE__STEP(EXPIRED);
    tell_host(worker, worker->record_index, PE__BELL_FOR_END);
}

/* The record in hand. */
static void run(struct pe__worker *worker, bool claimed)
{
    struct pe__record *record = &worker->shared->records[worker->record_index];
    uint64_t start = worker->ticks != 0 ? worker->ticks : pe__base_ticks();
    bool measured = pe__worker_regions_due(worker);
    if (measured)
        pe__worker_regions_begin_record(worker, claimed, start);
    record->start_ticks = start;
    pe__worker_place_watch(worker, start);
    PE__STEP(STARTED);
    if (worker->memory.capped)
        errno = 0; /* tells later whether memory failed in this job */
    if (pe__record_is_ticket(record)) {
        run_ticket(worker, record);
    } else if (record->limits == 0 || pe__worker_begin_job(worker)) {
        run_job(worker, record);
    } else {
        pe__worker_regions_end_record(worker);
        expire(worker, record);
        return;
    }
    if (measured)
        pe__worker_regions_end_record(worker);
    worker->batch++;
    worker->ticks = pe__base_ticks();
    record->end_ticks = worker->ticks;
    pe__slot_ran(worker->slot, start, worker->ticks);
    PE__STEP(TIMED);
    complete(worker, record);
    if (worker->output.fd >= 0)
        pe__worker_output_pass(&worker->output, worker->slot);
    if (worker->memory.resident_most != 0)
        pe__worker_memory_look(&worker->memory, worker->ticks);
    if (pe__worker_is_spent(worker) || pe__worker_life_left(worker) == 0 || pe__worker_is_surplus(worker))
        make_room(worker);
}

/* Whoever has slept, worked for long or just begun need not look at what all have pushed the hint over. */
static uint64_t behind_head(const struct pe__worker *worker, uint32_t level, uint64_t at)
{
    uint64_t head = atomic_load_explicit(&worker->shared->heads[level].head, memory_order_relaxed);
    return head > at && head <= worker->queues[level].tail ? head : at;
}

/* The tail's line is the host's to write: it is looked at again only when all that was seen there is done. False:
 * nothing was pushed at *at or behind it. */
static bool look_at_tail(struct pe__worker *worker, uint32_t level, uint64_t *at)
{
    uint32_t records = worker->shared->geometry.records;
    uint64_t tail = pe__worker_tail(worker, level);
    worker->queues[level].tail = tail;
    if (tail <= *at)
        return false;
    if (tail - *at > records)
        *at = tail - records;
    *at = behind_head(worker, level, *at);
    return true;
}

static void look_done(struct pe__worker *worker, uint32_t level, uint64_t at)
{
    _Atomic uint64_t *head = &worker->shared->heads[level].head;
    worker->queues[level].cursor = at;
    uint64_t pushed = atomic_load_explicit(head, memory_order_relaxed);
    if (pushed < at)
        atomic_compare_exchange_weak_explicit(head, &pushed, at, memory_order_relaxed, memory_order_relaxed);
}

/* Claims the position if it waits; false: somebody else was quicker. */
static bool claim_at(struct pe__worker *worker, uint32_t level, uint64_t at, uint64_t queued)
{
    struct pe__record *record = pe__worker_record_at(worker, level, at);
    uint32_t index = pe__queue_record(level, at, worker->shared->geometry.records);
    uint64_t running = pe__record_word(pe__record_sequence(queued), worker->index, PE__RECORD_RUNNING);
    PE__STEP(LOOKED);
    atomic_store_explicit(&worker->slot->hint, index, memory_order_release);
    PE__STEP(HINTED);
    if (!pe__record_swap(record, queued, running))
        return false;
    PE__STEP(CLAIMED);
    worker->record_index = index;
    worker->word = running;
    return true;
}

/* The oldest one of a level. */
static inline bool claim_of(struct pe__worker *worker, uint32_t level)
{
    uint64_t at = behind_head(worker, level, worker->queues[level].cursor);
    for (;;) {
        uint64_t queued = pe__worker_queued_word(worker, at);
        uint64_t word = atomic_load_explicit(&pe__worker_record_at(worker, level, at)->word, memory_order_relaxed);
        if (word == queued && claim_at(worker, level, at, queued)) {
            look_done(worker, level, at + 1);
            PE__STEP(HEAD_PUSHED);
            return true;
        }
        if (word == queued || at < worker->queues[level].tail)
            at++;
        else if (!look_at_tail(worker, level, &at))
            break;
    }
    look_done(worker, level, at);
    return false;
}

/* One of a level that most pools do not use. */
static __attribute__((noinline, cold)) bool claim_rare(struct pe__worker *worker, uint32_t level)
{
    return claim_of(worker, level);
}

/* True: a record has become this worker's. */
static bool claim(struct pe__worker *worker)
{
    if (pe__worker_has_pushed(worker, PE_PRIORITY_HIGH) && claim_rare(worker, PE_PRIORITY_HIGH))
        return true;
    if (claim_of(worker, PE_PRIORITY_NORMAL))
        return true;
    return pe__worker_has_pushed(worker, PE_PRIORITY_LOW) && claim_rare(worker, PE_PRIORITY_LOW);
}

/* The record of the order, if it still waits for this worker. */
static bool claim_ordered(struct pe__worker *worker, uint32_t order)
{
    uint32_t index = (order & 0xffffff) - 1;
    if (index >= pe__mapping_records(worker->shared))
        return false;
    struct pe__record *record = &worker->shared->records[index];
    uint64_t queued = atomic_load_explicit(&record->word, memory_order_acquire);
    uint64_t sequence = pe__record_sequence(queued);
    if (pe__slot_order(sequence, index) != order ||
        queued != pe__record_word(sequence, worker->index + 1, PE__RECORD_QUEUED))
        return false;
    atomic_store_explicit(&worker->slot->hint, index, memory_order_release);
    PE__STEP(ORDER_SEEN);
    worker->word = pe__record_word(sequence, worker->index, PE__RECORD_RUNNING);
    if (!pe__record_swap(record, queued, worker->word))
        return false;
    PE__STEP(ORDER_CLAIMED);
    worker->record_index = index;
    return true;
}

/* What is for this worker alone goes before what is for all. */
static __attribute__((noinline, cold)) void obey(struct pe__worker *worker)
{
    uint32_t order = atomic_load_explicit(&worker->slot->order, memory_order_acquire);
    bool claimed = claim_ordered(worker, order);
    atomic_compare_exchange_strong_explicit(&worker->slot->order, &order, 0, memory_order_acq_rel,
                                            memory_order_relaxed);
    PE__STEP(ORDER_CLEARED);
    if (claimed)
        run(worker, true);
}

static noreturn void serve(struct pe__worker *worker)
{
    for (;;) {
        if (atomic_load_explicit(&worker->slot->order, memory_order_relaxed) != 0) {
            obey(worker);
        } else if (claim(worker)) {
            tell_host(worker, worker->record_index, PE__BELL_FOR_CLAIM);
            PE__STEP(CLAIM_TOLD);
            run(worker, true);
        } else if (atomic_load_explicit(&worker->shared->config->stop, memory_order_acquire) != 0) {
            leave(worker, PE__SLOT_RETIRING);
        } else if (pe__worker_is_surplus(worker) || !pe__worker_idle(worker)) {
            leave(worker, PE__SLOT_SPARED);
        }
    }
}

/* Whoever needs to know more of a death than its status. */
static void catch_crashes(const struct pe__worker *worker)
{
    const struct pe__config *config = worker->shared->config;
    bool with_frames = (config->flags & PE_POOL_BACKTRACE) != 0;
    if (with_frames || config->memory_limit_bytes != 0)
        pe__worker_catch_crashes(&worker->shared->crashes[worker->index], with_frames);
}

/* What the options say of every worker. */
static void obey_options(struct pe__worker *worker)
{
    const struct pe__config *config = worker->shared->config;
    if (config->affinity != PE_PIN_NONE)
        pe__worker_pin(worker->shared->pins[worker->index]);
    if (config->inner_threads != 0)
        pe__worker_limit_threads(config->inner_threads);
    pe__worker_memory_cap(&worker->memory, config->memory_limit_bytes);
}

static void initialise(struct pe__worker *worker)
{
    const struct pe__config *config = worker->shared->config;
    if (config->worker_init != NULL) {
        pe__worker_regions_begin_init(worker);
        int result = config->worker_init(config->worker_context);
        pe__worker_copy_end(worker, result);
        pe__worker_flush_stdio();
        pe__worker_regions_end_init(worker);
        if (result != 0) {
            atomic_store_explicit(&worker->slot->init_code, result, memory_order_release);
            _exit(PE__WORKER_EXIT_INIT);
        }
    }
    if (worker->output.fd >= 0)
        pe__worker_output_drop(&worker->output, worker->slot);
    pe__worker_memory_begin(&worker->memory, config->rss_limit_bytes);
    PE__STEP(INITIALISED);
    pe__slot_begin(worker->slot, pe__base_ticks());
    atomic_store_explicit(&worker->slot->life, PE__SLOT_SERVING, memory_order_release);
    PE__STEP(SERVING);
    atomic_fetch_or_explicit(&worker->group->present, worker->bit, memory_order_seq_cst);
    PE__STEP(PRESENT);
    tell_host(worker, PE__BELL_ANY, PE__BELL_FOR_END); /* it may be in pe_pool_new */
}

static void take_over(struct pe__worker *worker, uint32_t inherited)
{
    if (inherited == PE__SLOT_NO_RECORD)
        return;
    uint64_t word = atomic_load_explicit(&worker->shared->records[inherited].word, memory_order_acquire);
    if (!pe__record_is_held(word) || pe__record_owner(word) != worker->index)
        return;
    /* Stopped before it began again: the signals that are on their way must not hit the next job. */
    if (pe__record_phase(word) == PE__RECORD_STOPPING)
        pe__worker_await_death();
    PE__STEP(INHERITED);
    worker->record_index = inherited;
    worker->word = word;
    run(worker, false);
}

noreturn void pe__worker_serve(struct pe__shared *shared, uint32_t index, const struct pe__worker_start *start)
{
    static struct pe__worker self;
    struct pe__worker *worker = &self;
    uint64_t limit = shared->config->max_reply_bytes;
    /* All of it anew: in a pool that a job made, this is a copy of the job's worker in the middle of its
     * life. */
    *worker = (struct pe__worker){ .shared = shared,
                                   .index = index,
                                   .slot = &shared->slots[index],
                                   .group = pe__bell_group_of(shared->groups, index),
                                   .bit = pe__bell_bit(index),
                                   .host_bell = start->host_bell,
                                   .keeper_bell = start->keeper_bell,
                                   .pid = getpid(),
                                   .spin_ns = PE__SPIN_NS_MOST,
                                   .reply = { .limit = limit != 0 ? limit : SIZE_MAX, .grow = grow, .owner = &self },
                                   .scope = { .index = (int32_t)index, .depth = shared->config->depth + 1 } };
    pe__worker_copy_watch(worker);
    pe__worker_scope_set_process(&worker->scope);
    pe__worker_drop_stdio();
    pe__worker_guard_exit();
    pe__worker_output_open(&worker->output, start->output_fd, start->keeper_bell);
    atomic_store_explicit(&worker->slot->pid, worker->pid, memory_order_relaxed);
    PE__STEP(BORN);
    catch_crashes(worker);
    pe__worker_regions_begin(worker, start->death);
    obey_options(worker);
    initialise(worker);
    take_over(worker, start->inherited);
    serve(worker);
}
