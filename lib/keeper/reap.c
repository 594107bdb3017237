/*
 * reap.c - whose record a dead worker held, and how that ends.
 *
 * A worker's death is settled in this order: write the ending, then swap the record's word to its final
 * phase, then ring everybody. A record that is to be retried never goes back to the queue, whose head has
 * passed it: it stays RUNNING under the dead worker's number, and the number's next process runs it first. A
 * ticket always does so, minus the item that was running; only where no process can be had is it ended as
 * crashed, and the host queues a new one for its lane. What was stopped is not run again: a job ends, and of a ticket
 * that one item, unless all of the ticket was to stop.
 *
 * What is read from shared memory here decides about this pool only; indices are checked all the same, since
 * a keeper that fails breaks the pool.
 */
#include "keeper/keeper.h"

#include <errno.h>
#include <sys/wait.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "base/clock.h"
#include "keeper/texts.h"
#include "shared/limit.h"
#include "worker/serve.h"

#define DEATHS_AT_ONCE 5
#define BACK_OFF_NS (INT64_C(100) * 1000000)

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

/* Of the last life. That memory was what failed has no code but the signal. */
static void ending_of(const struct pe__kept *kept, uint32_t *ret_kind, int32_t *ret_code)
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
    ending_of(kept, &kind, &record->code);
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

static void settle_job(struct pe__keeper *keeper, uint32_t index, uint32_t record_index)
{
    struct pe__kept *kept = &keeper->kept[index];
    struct pe__record *record = &keeper->shared->records[record_index];
    struct pe__record_more *more = &keeper->shared->records_more[record_index];
    uint32_t deaths = atomic_load_explicit(&more->attempts, memory_order_relaxed) + 1;
    atomic_store_explicit(&more->attempts, deaths, memory_order_relaxed);
    if (may_begin_again(record, more, deaths))
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
    ending_of(kept, &kind, &detail->code);
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

static void settle_record(struct pe__keeper *keeper, uint32_t index, uint32_t record_index, bool died)
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

static uint64_t ended_in_all(const struct pe__keeper *keeper)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < keeper->numbers; i++)
        sum += atomic_load_explicit(&keeper->shared->slots[i].ended, memory_order_relaxed);
    return sum;
}

/* For statistics and log. */
static void note_death(const struct pe__keeper *keeper, uint32_t index)
{
    struct pe__keeper_counts *counts = keeper->shared->counts;
    const struct pe__kept *kept = &keeper->kept[index];
    int32_t failed = atomic_exchange_explicit(&keeper->shared->slots[index].init_code, 0, memory_order_relaxed);
    uint32_t kind;
    int32_t code;
    ending_of(kept, &kind, &code);
    if (failed != 0) {
        kind = PE_RETURNED;
        code = failed;
    }
    atomic_store_explicit(&counts->death_code, code, memory_order_relaxed);
    atomic_store_explicit(&counts->death_pid, (int32_t)kept->last_pid, memory_order_relaxed);
    atomic_store_explicit(&counts->death_worker, (int32_t)index, memory_order_relaxed);
    atomic_store_explicit(&counts->death_kind, kind, memory_order_release);
}

/* A death without a success since the one before is one more in a row: slow down, and give up in the end. */
static void count_death(struct pe__keeper *keeper, uint32_t index)
{
    uint64_t ended = ended_in_all(keeper);
    note_death(keeper, index);
    uint32_t most = keeper->shared->config->max_deaths;
    keeper->deaths = ended != keeper->ended_before || keeper->succeeded ? 1 : keeper->deaths + 1;
    keeper->succeeded = false;
    keeper->ended_before = ended;
    keeper->kept[index].fork_due_ns = keeper->deaths > DEATHS_AT_ONCE ? pe__base_now_ns() + BACK_OFF_NS : 0;
    if (most != UINT32_MAX && keeper->deaths >= most)
        pe__keeper_give_up(keeper, PE__MESSAGE_BROKEN, PE_EBROKEN);
}

static void clear_announcements(struct pe__keeper *keeper, uint32_t index)
{
    struct pe__bell_group *group = &keeper->shared->groups[index / PE__BELL_GROUP_WORKERS];
    uint64_t others = ~pe__bell_bit(index);
    atomic_fetch_and_explicit(&group->present, others, memory_order_seq_cst);
    atomic_fetch_and_explicit(&group->sleepers, others, memory_order_seq_cst);
    atomic_fetch_and_explicit(&group->spinning, others, memory_order_seq_cst);
}

static void count_replacement(struct pe__keeper *keeper, bool recycled)
{
    struct pe__keeper_counts *counts = keeper->shared->counts;
    if (!keeper->leaving)
        atomic_fetch_add_explicit(recycled ? &counts->recycled : &counts->restarts, 1, memory_order_relaxed);
}

/* Left by its own will: only between jobs, or between two items of a ticket that another life goes on with. */
static bool has_retired(const struct pe__keeper *keeper, uint32_t life, int status, uint32_t record)
{
    return (life == PE__SLOT_RETIRING || life == PE__SLOT_SPARED) && WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
           (record == PE__SLOT_NO_RECORD || pe__record_is_ticket(&keeper->shared->records[record]));
}

static bool may_retire(const struct pe__keeper *keeper)
{
    const struct pe__config *config = keeper->shared->config;
    return config->jobs_per_worker != 0 || config->rss_limit_bytes != 0;
}

/* For the statistics; before the record's ending is written, which may be read and used again at once. */
static void close_account(const struct pe__keeper *keeper, uint32_t index, uint32_t record)
{
    uint64_t start = record != PE__SLOT_NO_RECORD ? keeper->shared->records[record].start_ticks : 0;
    pe__slot_end(&keeper->shared->slots[index], start, pe__base_ticks());
}

/* By the note that a dead process has left, if it fits its end. */
static bool has_starved(const struct pe__keeper *keeper, uint32_t index, int status)
{
    struct pe__crash *crash = &keeper->shared->crashes[index];
    int32_t noted = atomic_load_explicit(&crash->signal, memory_order_relaxed);
    if (keeper->shared->config->memory_limit_bytes == 0 ||
        atomic_exchange_explicit(&crash->out_of_memory, 0, memory_order_relaxed) == 0)
        return false;
    return WIFSIGNALED(status) ? noted == WTERMSIG(status) : noted == 0 && WEXITSTATUS(status) != 0;
}

/* Of one that has retired: there were too many, or nothing to do. One that says so in a pool where that cannot be has
 * been scribbled over. */
static bool was_spared(const struct pe__keeper *keeper, uint32_t index, uint32_t life, uint32_t record)
{
    bool idled = keeper->shared->config->idle_ns != 0 && record == PE__SLOT_NO_RECORD;
    return life == PE__SLOT_SPARED && (index >= keeper->workers || keeper->kept[index].sent_home || idled);
}

/* Who left for want of work looked at the queue once more after it had taken its bit out of `present`; one that was too
 * many is not counted on by the host any more. So nobody has to be rung for what they leave. */
static void leave_vacant(struct pe__keeper *keeper, uint32_t index, uint32_t record)
{
    struct pe__kept *kept = &keeper->kept[index];
    kept->inherited = record;
    kept->vacant = index < keeper->workers && !kept->called && !kept->sent_home;
    kept->called = false;
    if (index >= keeper->workers)
        pe__keeper_settle_orphan(keeper, index);
    if (!keeper->leaving)
        atomic_fetch_add_explicit(&keeper->shared->counts->retired, 1, memory_order_relaxed);
}

/* One worker process has ended. */
static void settle(struct pe__keeper *keeper, uint32_t index, int status)
{
    struct pe__kept *kept = &keeper->kept[index];
    struct pe__slot *slot = &keeper->shared->slots[index];
    uint32_t life = atomic_exchange_explicit(&slot->life, PE__SLOT_EMPTY, memory_order_acq_rel);
    bool stopped = kept->stop_stage == PE__STOP_TERMINATED || kept->stop_stage == PE__STOP_KILLED;
    kept->last_pid = kept->pid;
    kept->last_status = status;
    kept->last_starved = has_starved(keeper, index, status);
    kept->pid = 0;
    kept->fork_due_ns = 0;
    keeper->alive--;
    keeper->served |= life >= PE__SLOT_SERVING;
    clear_announcements(keeper, index);
    uint32_t record = pe__keeper_held_record(keeper, index);
    close_account(keeper, index, record);
    if (keeper->killing)
        return; /* the host settles what is left once all are gone */
    if (life == PE__SLOT_STARTING && !keeper->served) {
        note_death(keeper, index);
        pe__keeper_give_up(keeper, PE__MESSAGE_FAILED, PE_EINIT);
        return;
    }
    bool retired = has_retired(keeper, life, status, record);
    atomic_store_explicit(&slot->due, 0, memory_order_release);
    kept->inherited = PE__SLOT_NO_RECORD;
    if (retired && was_spared(keeper, index, life, record)) {
        leave_vacant(keeper, index, record);
        return;
    }
    if (record != PE__SLOT_NO_RECORD)
        settle_record(keeper, index, record, !retired && life != PE__SLOT_STARTING);
    if (stopped)
        kept->stop_stage = PE__STOP_NONE; /* whatever it held */
    count_replacement(keeper, retired);
    if (!retired && !stopped)
        count_death(keeper, index);
    /* Left although nobody is to leave: a scribbler has set the word for it, and would keep us forking. */
    if (retired && !keeper->leaving && !may_retire(keeper))
        kept->fork_due_ns = pe__base_now_ns() + BACK_OFF_NS;
    pe__keeper_ring_all(keeper);
}

static uint32_t index_of(const struct pe__keeper *keeper, pid_t pid)
{
    for (uint32_t i = 0; i < keeper->numbers; i++)
        if (keeper->kept[i].pid == pid)
            return i;
    return keeper->numbers;
}

static bool any_has_served(const struct pe__keeper *keeper)
{
    for (uint32_t i = 0; i < keeper->numbers; i++)
        if (atomic_load_explicit(&keeper->shared->slots[i].life, memory_order_relaxed) >= PE__SLOT_SERVING)
            return true;
    return false;
}

/* The next child that has ended, not reaped yet; 0: none. */
static pid_t next_ended(void)
{
    siginfo_t info = { 0 };
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        if (errno != EINTR)
            return 0;
    return info.si_pid;
}

/* While its leader is not reaped, the group's number cannot be another's. */
static void end_group(const struct pe__keeper *keeper, pid_t pid)
{
    if ((keeper->shared->config->flags & PE_POOL_GROUPS) != 0)
        kill(-pid, SIGKILL);
}

void pe__keeper_reap(struct pe__keeper *keeper)
{
    pid_t pid;
    while ((pid = next_ended()) > 0) {
        int status = 0;
        uint32_t index = index_of(keeper, pid);
        end_group(keeper, pid);
        waitpid(pid, &status, 0);
        if (index == keeper->numbers)
            continue;
        keeper->served = keeper->served || any_has_served(keeper);
        settle(keeper, index, status);
    }
}
