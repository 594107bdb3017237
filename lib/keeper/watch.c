/*
 * watch.c - what is over its limit: workers whose job or item has run for too long are asked to stop, and what waits
 * in the queue beyond its deadline is ended.
 *
 * shared/limit.h argues how no limit is missed and nothing else is hit. Times come out of memory that workers write:
 * what a worker says of its own limit is believed, since it can hurt nothing but this pool.
 *
 * Time in which this process was stopped (Ctrl-Z stops it with its workers) does not count. It learns of that by
 * SIGCONT, and knows no more than when it last looked at the clock, so a limit is put off by the time since then, but
 * never further than if it began anew. A deadline is a point in time and is not put off.
 *
 * In the queue a record that has a deadline is found by a walk over the positions that may wait, which is spared while
 * the host says that there is none. Its word is read first, its deadline then; the swap of that same word tells that
 * the record was neither claimed nor used anew between.
 */
#include "keeper/watch.h"

#include "base/clock.h"
#include "keeper/settle.h"
#include "keeper/stop.h"

/* When what a worker runs is over its limit; `due` as in its slot. */
static int64_t end_of_limit(const struct pe__kept *kept, int64_t due)
{
    if (due == 0 || (due & PE__LIMIT_CONDEMNED) != 0)
        return INT64_MAX;
    return due == kept->excused ? kept->excused_until_ns : due;
}

/* Has been asked or signalled already: its next step comes by itself. */
static bool is_being_stopped(const struct pe__keeper *keeper, uint32_t index)
{
    enum pe__stop_stage stage = keeper->kept[index].stop_stage;
    return stage > PE__STOP_ASKED || (stage == PE__STOP_ASKED && pe__keeper_still_runs(keeper, index));
}

static int64_t due_of(const struct pe__keeper *keeper, uint32_t index)
{
    return atomic_load_explicit(&keeper->shared->slots[index].due, memory_order_seq_cst);
}

static bool is_ticket(const struct pe__keeper *keeper, uint32_t record)
{
    return pe__record_is_ticket(&keeper->shared->records[record]);
}

/* A due time is that of the record that was held before and after it was read. If none is held, it is none's. */
static void look_at_worker(struct pe__keeper *keeper, uint32_t index, int64_t now_ns)
{
    struct pe__kept *kept = &keeper->kept[index];
    if (kept->pid == 0 || is_being_stopped(keeper, index))
        return;
    kept->stop_stage = PE__STOP_NONE;
    int64_t due = due_of(keeper, index);
    if (end_of_limit(kept, due) > now_ns)
        return;
    uint32_t record = pe__keeper_held_record(keeper, index);
    if (record == PE__SLOT_NO_RECORD) {
        atomic_compare_exchange_strong(&keeper->shared->slots[index].due, &due, 0);
        return;
    }
    uint64_t word = atomic_load_explicit(&keeper->shared->records[record].word, memory_order_acquire);
    struct pe__stop_order order = { .record = record,
                                    .sequence = pe__record_sequence(word),
                                    .phase = PE__RECORD_TIMED_OUT,
                                    .item = is_ticket(keeper, record) ? due : 0,
                                    .grace_ns = keeper->shared->config->grace_ns };
    if (due_of(keeper, index) == due)
        pe__keeper_ask(keeper, index, &order);
}

/* Of a record that waits; INT64_MAX: it has none. */
static int64_t deadline_of(const struct pe__keeper *keeper, uint32_t index)
{
    const struct pe__record *record = &keeper->shared->records[index];
    if ((record->limits & PE__LIMIT_DEADLINE) == 0)
        return INT64_MAX;
    if (!pe__record_is_ticket(record))
        return atomic_load_explicit(&keeper->shared->records_more[index].deadline_ns, memory_order_relaxed);
    return record->map < PE__MAPS_MAX ? keeper->shared->maps[record->map].deadline_ns : INT64_MAX;
}

/* True: it waited, its deadline had passed, and it has ended. */
static bool expire(const struct pe__keeper *keeper, uint32_t index, uint64_t queued)
{
    uint64_t expired = pe__record_word(pe__record_sequence(queued), PE__RECORD_NOBODY, PE__RECORD_TIMED_OUT);
    return pe__record_swap(&keeper->shared->records[index], queued, expired);
}

/* Of one level: ends what has waited beyond its deadline by `now_ns`; the earliest deadline of the rest. */
static int64_t look_at_level(const struct pe__keeper *keeper, uint32_t level, int64_t now_ns, uint64_t *ret_expired)
{
    const struct pe__shared *shared = keeper->shared;
    uint32_t records = shared->geometry.records;
    uint64_t tail = atomic_load_explicit(&shared->tails[level].tail, memory_order_seq_cst);
    uint64_t at = atomic_load_explicit(&shared->heads[level].head, memory_order_relaxed);
    int64_t next = INT64_MAX;
    if (at > tail || tail - at > records)
        at = tail > records ? tail - records : 0;
    for (; at < tail; at++) {
        uint32_t index = pe__queue_record(level, at, records);
        uint64_t queued = pe__record_word(pe__queue_sequence(at, records), 0, PE__RECORD_QUEUED);
        if (atomic_load_explicit(&shared->records[index].word, memory_order_acquire) != queued)
            continue;
        int64_t deadline_ns = deadline_of(keeper, index);
        if (deadline_ns > now_ns)
            next = deadline_ns < next ? deadline_ns : next;
        else
            *ret_expired += expire(keeper, index, queued);
    }
    return next;
}

static int64_t look_at_queue(const struct pe__keeper *keeper, int64_t now_ns, uint64_t *ret_expired)
{
    int64_t next = INT64_MAX;
    *ret_expired = 0;
    if (atomic_load_explicit(&keeper->shared->config->deadlines, memory_order_seq_cst) == 0)
        return next;
    for (uint32_t level = 0; level < PE__QUEUE_LEVELS; level++) {
        int64_t first = look_at_level(keeper, level, now_ns, ret_expired);
        next = first < next ? first : next;
    }
    return next;
}

void pe__keeper_watch(struct pe__keeper *keeper, int64_t now_ns)
{
    struct pe__limit_watch *watch = keeper->shared->watch;
    uint64_t expired;
    for (uint32_t i = 0; i < keeper->numbers; i++)
        look_at_worker(keeper, i, now_ns);
    look_at_queue(keeper, now_ns, &expired);
    if (expired == 0)
        return;
    atomic_fetch_add_explicit(&watch->expired, expired, memory_order_seq_cst);
    pe__bell_ring_host(keeper->start.host_bell);
}

int64_t pe__keeper_next_limit(const struct pe__keeper *keeper)
{
    uint64_t expired;
    int64_t next = look_at_queue(keeper, INT64_MIN, &expired);
    for (uint32_t i = 0; i < keeper->numbers; i++) {
        if (keeper->kept[i].pid == 0 || is_being_stopped(keeper, i))
            continue;
        int64_t end = end_of_limit(&keeper->kept[i], due_of(keeper, i));
        next = end < next ? end : next;
    }
    return next;
}

/* Of what a number runs; 0: none. */
static int64_t timeout_of(const struct pe__keeper *keeper, uint32_t index)
{
    uint32_t record = pe__keeper_held_record(keeper, index);
    if (record == PE__SLOT_NO_RECORD)
        return 0;
    if (!is_ticket(keeper, record))
        return atomic_load_explicit(&keeper->shared->records_more[record].timeout_ns, memory_order_relaxed);
    uint16_t map = keeper->shared->records[record].map;
    return map < PE__MAPS_MAX ? keeper->shared->maps[map].timeout_ns : 0;
}

static void excuse_worker(struct pe__keeper *keeper, uint32_t index, int64_t lost_ns, int64_t now_ns)
{
    struct pe__kept *kept = &keeper->kept[index];
    int64_t due = due_of(keeper, index), timeout_ns = timeout_of(keeper, index);
    int64_t end = end_of_limit(kept, due);
    if (end == INT64_MAX || timeout_ns == 0)
        return;
    int64_t put_off = pe__base_later(end, lost_ns), anew = pe__base_later(now_ns, timeout_ns);
    kept->excused = due;
    kept->excused_until_ns = put_off < anew ? put_off : anew;
}

void pe__keeper_excuse(struct pe__keeper *keeper, int64_t lost_ns, int64_t now_ns)
{
    for (uint32_t i = 0; i < keeper->numbers; i++) {
        struct pe__kept *kept = &keeper->kept[i];
        if (kept->stop_stage == PE__STOP_ASKED || kept->stop_stage == PE__STOP_TERMINATED)
            kept->stop_due_ns = pe__base_later(kept->stop_due_ns, lost_ns);
        else if (kept->pid != 0)
            excuse_worker(keeper, i, lost_ns, now_ns);
    }
}
