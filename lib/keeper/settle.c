/*
 * settle.c - what a dead worker held, and how that ends.
 *
 * In this order: write the ending, then swap the record's word to its final phase. A record that is to be retried never
 * goes back to the queue, whose head has passed it: it stays RUNNING under the dead worker's number, and the number's
 * next process runs it first. A ticket always does so, minus the item that was running; only where no process can be
 * had is it ended as crashed, and the host queues a new one for its lane. What was stopped is not run again: a job
 * ends, and of a ticket that one item, unless all of the ticket was to stop.
 *
 * What is read from shared memory here decides about this pool only; indices are checked all the same, since
 * a keeper that fails breaks the pool.
 */
#include "keeper/settle.h"

#include <sys/wait.h>

#include <parexec/pool.h>

#include "base/clock.h"
#include "keeper/texts.h"

static bool holds(const struct pe__keeper *keeper, uint32_t record, uint32_t index)
{
    uint64_t word = atomic_load_explicit(&keeper->shared->records[record].word, memory_order_acquire);
    return pe__record_is_held(word) && pe__record_owner(word) == index;
}

/* Records of a level that may ever have been pushed. A word may have been claimed before the tail was moved over it,
 * but not before it was moved over the one in front. */
static uint32_t used_records(const struct pe__keeper *keeper, uint32_t level)
{
    uint32_t records = keeper->shared->geometry.records;
    uint64_t tail = atomic_load_explicit(&keeper->shared->tails[level].tail, memory_order_acquire);
    return tail < records ? (uint32_t)tail + 1 : records;
}

/* The hint is stored before every claim; where it does not fit, it may have been overwritten, so look at
 * all. */
uint32_t pe__keeper_held_record(const struct pe__keeper *keeper, uint32_t index)
{
    uint32_t records = keeper->shared->geometry.records;
    uint32_t hint = atomic_load_explicit(&keeper->shared->slots[index].hint, memory_order_relaxed);
    if (hint < pe__mapping_records(keeper->shared) && holds(keeper, hint, index))
        return hint;
    for (uint32_t level = 0; level < PE__QUEUE_LEVELS; level++) {
        uint32_t first = level * records, last = first + used_records(keeper, level);
        for (uint32_t record = first; record < last; record++)
            if (holds(keeper, record, index))
                return record;
    }
    return PE__SLOT_NO_RECORD;
}

void pe__keeper_ending_of(const struct pe__kept *kept, uint32_t *ret_kind, int32_t *ret_code)
{
    bool signaled = WIFSIGNALED(kept->last_status);
    *ret_kind = kept->last_starved ? PE_OUT_OF_MEMORY : signaled ? PE_CRASHED : PE_EXITED;
    *ret_code = signaled ? WTERMSIG(kept->last_status) : kept->last_starved ? 0 : WEXITSTATUS(kept->last_status);
}

/* Writes the ending of a record and swaps its word from what it is held in. */
static void end_record(struct pe__keeper *keeper, uint32_t index, uint32_t record_index,
                       enum pe__record_phase phase)
{
    struct pe__kept *kept = &keeper->kept[index];
    struct pe__record *record = &keeper->shared->records[record_index];
    struct pe__record_more *more = &keeper->shared->records_more[record_index];
    uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
    uint32_t kind;
    pe__keeper_ending_of(kept, &kind, &record->code);
    record->pid = (int32_t)kept->last_pid;
    record->reply_short = PE__RECORD_NO_REPLY;
    record->text_bytes = pe__keeper_keep_record_text(keeper, index, record_index) |
                         pe__keeper_keep_record_output(keeper, index, record_index);
    more->stop_signal = phase == PE__RECORD_CANCELLED || phase == PE__RECORD_TIMED_OUT ? kept->stop_signal : 0;
    record->end_ticks = pe__base_ticks();
    pe__record_swap(record, word, pe__record_word(pe__record_sequence(word), index, phase));
    kept->inherited = PE__SLOT_NO_RECORD;
    kept->stop_stage = PE__STOP_NONE;
}

static void free_blocks(const struct pe__keeper *keeper, uint32_t index, uint32_t record)
{
    const struct pe__shared *shared = keeper->shared;
    if (atomic_exchange_explicit(&shared->slots[index].has_block, 0, memory_order_relaxed) == 0)
        return;
    uint64_t word = atomic_load_explicit(&shared->records[record].word, memory_order_relaxed);
    pe__block_give_all(&shared->blocks, shared->block_words, pe__record_use(pe__record_sequence(word), record));
}

static enum pe__record_phase crash_phase(const struct pe__kept *kept)
{
    if (kept->last_starved)
        return PE__RECORD_OUT_OF_MEMORY;
    return WIFSIGNALED(kept->last_status) ? PE__RECORD_CRASHED : PE__RECORD_EXITED;
}

static bool may_begin_again(const struct pe__record *record, const struct pe__record_more *more, uint32_t deaths)
{
    bool late = (record->limits & PE__LIMIT_DEADLINE) != 0 &&
                pe__base_now_ns() >= atomic_load_explicit(&more->deadline_ns, memory_order_relaxed);
    return deaths <= more->retries && !late;
}

/* Asked to stop by its owner, and died of itself before it was signalled. */
static bool was_cancelled(const struct pe__kept *kept, const struct pe__record *record, uint32_t record_index)
{
    uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
    return kept->stop_stage == PE__STOP_ASKED && kept->stop_phase == PE__RECORD_CANCELLED && kept->stop_item == 0 &&
           kept->stop_record == record_index && kept->stop_sequence == pe__record_sequence(word);
}

static void settle_job(struct pe__keeper *keeper, uint32_t index, uint32_t record_index)
{
    struct pe__kept *kept = &keeper->kept[index];
    struct pe__record *record = &keeper->shared->records[record_index];
    struct pe__record_more *more = &keeper->shared->records_more[record_index];
    uint32_t deaths = atomic_load_explicit(&more->attempts, memory_order_relaxed) + 1;
    atomic_store_explicit(&more->attempts, deaths, memory_order_relaxed);
    if (may_begin_again(record, more, deaths) && !was_cancelled(kept, record, record_index))
        kept->inherited = record_index;
    else
        end_record(keeper, index, record_index, crash_phase(kept));
}

/*
 * An item died for the first time and the one before it in the same hand returned: since the death before,
 * then, for the hand's owner runs it in order. Hands are counted as ended only as a whole.
 */
static bool follows_success(const struct pe__map *map, const struct pe__lane *lane, uint64_t item)
{
    uint64_t hand = atomic_load_explicit(&lane->hand, memory_order_relaxed);
    if (item <= (hand >> 32) * map->unit || map->detail[item].deaths != 1)
        return false;
    uint8_t before = atomic_load_explicit(&map->state[item - 1], memory_order_relaxed);
    return before == PE__ITEM_RETURNED ||
           (before == PE__ITEM_DETAILED && map->detail[item - 1].kind == PE_RETURNED);
}

/* The item that had begun and has not ended when its worker died; false: there is none. */
static bool find_item(const struct pe__map *map, const struct pe__lane *lane, uint64_t *ret_item)
{
    uint64_t running = atomic_load_explicit(&lane->running, memory_order_acquire);
    if (running == 0 || running > map->count)
        return false;
    uint8_t state = atomic_load_explicit(&map->state[running - 1], memory_order_acquire);
    *ret_item = running - 1;
    return state == PE__ITEM_OPEN || state == PE__ITEM_RETRIED;
}

/* How long it has run that was due at that time; 0: that cannot be. */
static int64_t since(int64_t now_ns, int64_t due_ns, int64_t timeout_ns)
{
    int64_t begin_ns;
    bool possible = !__builtin_sub_overflow(due_ns, timeout_ns, &begin_ns) && begin_ns > 0 && begin_ns <= now_ns;
    return possible ? now_ns - begin_ns : 0;
}

/* `stopped`: the kind of an item that this process has stopped, 0: it has not. */
static void write_detail(const struct pe__keeper *keeper, uint32_t index, const struct pe__map *map, uint64_t item,
                         uint32_t stopped)
{
    const struct pe__kept *kept = &keeper->kept[index];
    struct pe__item_detail *detail = &map->detail[item];
    bool again = atomic_load_explicit(&map->state[item], memory_order_relaxed) == PE__ITEM_RETRIED;
    uint32_t kind;
    detail->deaths = again ? detail->deaths + 1 : 1;
    pe__keeper_ending_of(kept, &kind, &detail->code);
    detail->kind = (uint16_t)(stopped != 0 ? stopped : kind);
    detail->stop_signal = (uint16_t)(stopped != 0 ? kept->stop_signal : 0);
    detail->pid = (int32_t)kept->last_pid;
    detail->worker = (uint16_t)index;
    detail->text_bytes = 0;
    detail->run_ns = stopped == PE_TIMED_OUT ? since(pe__base_now_ns(), kept->stop_item, map->timeout_ns) : 0;
    detail->output_bytes = 0;
}

/* An item that was stopped by itself has run for too long, unless it was its map's time that was over. */
static uint32_t kind_of_stop(const struct pe__kept *kept, const struct pe__map *map, bool all)
{
    if (all || (map->deadline_ns != 0 && kept->stop_item >= map->deadline_ns))
        return PE_CANCELLED;
    return PE_TIMED_OUT;
}

/* Charges the item in hand with the death, unless it had not begun or has ended. `stopped`: this process has ended
 * it, or (`all`) its ticket. */
static void settle_item(struct pe__keeper *keeper, uint32_t index, const struct pe__record *record, bool stopped,
                        bool all)
{
    const struct pe__shared *shared = keeper->shared;
    uint64_t item;
    if (record->map >= PE__MAPS_MAX || record->lane >= shared->geometry.workers_most)
        return;
    const struct pe__map *map = &shared->maps[record->map];
    struct pe__lane *lane = &pe__mapping_lanes(shared, record->map)[record->lane];
    if (!find_item(map, lane, &item))
        return;
    uint32_t kind = stopped ? kind_of_stop(&keeper->kept[index], map, all) : 0;
    write_detail(keeper, index, map, item, kind);
    keeper->succeeded |= follows_success(map, lane, item);
    bool again = !stopped && map->detail[item].deaths <= map->retries;
    if (!again)
        pe__keeper_keep_item_text(keeper, index, map, &shared->lives[record->map], &map->detail[item]);
    /* The next life has not begun the item yet, and may die before it does. */
    atomic_store_explicit(&lane->running, 0, memory_order_relaxed);
    atomic_store_explicit(&map->state[item], again ? PE__ITEM_RETRIED : PE__ITEM_DETAILED, memory_order_release);
    if (!again && kind != PE_CANCELLED)
        pe__map_count_failure(map, &shared->lives[record->map], pe__mapping_lanes(shared, record->map));
}

/* A limit is of one attempt. Who has cancelled means all of them. */
static void forget_limit(struct pe__keeper *keeper, uint32_t index, uint32_t record_index)
{
    struct pe__kept *kept = &keeper->kept[index];
    if (kept->stop_stage == PE__STOP_NONE || (kept->stop_item == 0 && kept->stop_phase == PE__RECORD_CANCELLED))
        return;
    kept->stop_stage = PE__STOP_NONE;
    /* A host that cancels it meanwhile has told this process too, which then raises the flag itself. */
    if (kept->stop_item == 0 && kept->stop_record == record_index)
        atomic_store_explicit(&keeper->shared->records_more[record_index].asked, 0, memory_order_seq_cst);
}

void pe__keeper_settle_record(struct pe__keeper *keeper, uint32_t index, uint32_t record_index, bool died)
{
    struct pe__kept *kept = &keeper->kept[index];
    bool stopped = kept->stop_stage == PE__STOP_TERMINATED || kept->stop_stage == PE__STOP_KILLED;
    struct pe__record *record = &keeper->shared->records[record_index];
    uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
    free_blocks(keeper, index, record_index);
    if (pe__record_phase(word) == PE__RECORD_STOPPING) {
        if (pe__record_is_ticket(record))
            settle_item(keeper, index, record, true, true);
        bool late = kept->stop_phase == PE__RECORD_TIMED_OUT;
        end_record(keeper, index, record_index, late ? PE__RECORD_TIMED_OUT : PE__RECORD_CANCELLED);
    } else if (!died) {
        kept->inherited = record_index;
    } else if (pe__record_is_ticket(record)) {
        settle_item(keeper, index, record, stopped, false);
        kept->inherited = record_index;
    } else {
        settle_job(keeper, index, record_index);
    }
    forget_limit(keeper, index, record_index);
}

void pe__keeper_settle_orphan(struct pe__keeper *keeper, uint32_t index)
{
    struct pe__kept *kept = &keeper->kept[index];
    if (kept->inherited == PE__SLOT_NO_RECORD)
        return;
    uint64_t word =
        atomic_load_explicit(&keeper->shared->records[kept->inherited].word, memory_order_acquire);
    if (pe__record_phase(word) == PE__RECORD_STOPPING)
        end_record(keeper, index, kept->inherited, PE__RECORD_CANCELLED);
    else
        end_record(keeper, index, kept->inherited, crash_phase(kept));
    pe__keeper_ring_all(keeper);
}
