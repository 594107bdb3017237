/*
 * stop.c - stopping what runs, for a limit or because it was cancelled: the flag, then SIGTERM, then SIGKILL.
 *
 * The flag comes before any signal, so what returns in time keeps its worker. Signals come only after the worker
 * was condemned: after that it can neither complete what is to be stopped nor begin anything else, so no signal ever
 * hits an innocent job or item. A job, or a map's ticket as a whole, is condemned by the swap of its word from
 * RUNNING(w) to STOPPING(w); one item of a map by a swap in the worker's slot (shared/limit.h). How it ended is
 * written by settle.c once the worker is reaped. What returned meanwhile needs no more: the book is cleared when its
 * time comes, or when the worker has something else that is to be stopped.
 */
#include "keeper/stop.h"

#include <parexec/pool.h>

#include "base/clock.h"
#include "keeper/settle.h"

#define GIVE_UP_NS (INT64_C(2) * 1000000000)

static struct pe__record *record_at(const struct pe__keeper *keeper, uint32_t index)
{
    return index < pe__mapping_records(keeper->shared) ? &keeper->shared->records[index] : NULL;
}

/* The flag of pe_worker_cancelled. That of a map as a whole is the host's to set. */
static void raise_flag(const struct pe__keeper *keeper, const struct pe__stop_order *order)
{
    const struct pe__shared *shared = keeper->shared;
    const struct pe__record *record = &shared->records[order->record];
    if (!pe__record_is_ticket(record))
        pe__limit_ask(&shared->records_more[order->record].asked, order->sequence);
    else if (order->item != 0 && record->map < PE__MAPS_MAX && record->lane < shared->geometry.workers_most)
        pe__limit_ask(&pe__mapping_lanes(shared, record->map)[record->lane].asked, (uint64_t)order->item);
}

void pe__keeper_ask(struct pe__keeper *keeper, uint32_t index, const struct pe__stop_order *order)
{
    struct pe__kept *kept = &keeper->kept[index];
    kept->stop_stage = PE__STOP_ASKED;
    kept->stop_record = order->record;
    kept->stop_sequence = order->sequence;
    kept->stop_phase = order->phase;
    kept->stop_item = order->item;
    kept->stop_signal = 0;
    kept->stop_grace_ns = order->grace_ns > 0 ? order->grace_ns : 0;
    kept->stop_due_ns = pe__base_later(pe__base_now_ns(), kept->stop_grace_ns);
    raise_flag(keeper, order);
}

/* A worker that is signalled runs nothing else any more. */
static bool is_stopped_already(const struct pe__kept *kept, const struct pe__message *message)
{
    if (kept->stop_stage == PE__STOP_NONE || kept->stop_stage == PE__STOP_ASKED)
        return kept->stop_stage == PE__STOP_ASKED && kept->stop_item == 0 && kept->stop_record == message->record &&
               kept->stop_sequence == message->sequence; /* the grace does not begin anew */
    return true;
}

void pe__keeper_stop_job(struct pe__keeper *keeper, const struct pe__message *message)
{
    struct pe__record *record = record_at(keeper, message->record);
    if (record == NULL)
        return;
    uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
    uint32_t owner = pe__record_owner(word);
    if (pe__record_sequence(word) != message->sequence || pe__record_phase(word) != PE__RECORD_RUNNING ||
        owner >= keeper->numbers)
        return; /* it has ended meanwhile */
    struct pe__stop_order order = { .record = message->record,
                                    .sequence = message->sequence,
                                    .phase = message->phase,
                                    .grace_ns = message->grace_ns };
    if (!is_stopped_already(&keeper->kept[owner], message))
        pe__keeper_ask(keeper, owner, &order);
}

/* A worker that was forked just now may not lead its group yet. */
static void signal_worker(const struct pe__keeper *keeper, const struct pe__kept *kept, int number)
{
    bool group = (keeper->shared->config->flags & PE_POOL_GROUPS) != 0;
    if (!group || kill(-kept->pid, number) < 0)
        kill(kept->pid, number);
}

static uint64_t running_word(const struct pe__kept *kept, uint32_t index)
{
    return pe__record_word(kept->stop_sequence, index, PE__RECORD_RUNNING);
}

bool pe__keeper_still_runs(const struct pe__keeper *keeper, uint32_t index)
{
    const struct pe__kept *kept = &keeper->kept[index];
    if (kept->stop_item != 0)
        return atomic_load_explicit(&keeper->shared->slots[index].due, memory_order_acquire) == kept->stop_item;
    const struct pe__record *record = &keeper->shared->records[kept->stop_record];
    return atomic_load_explicit(&record->word, memory_order_acquire) == running_word(kept, index);
}

/* From here on the worker can complete neither what is to be stopped nor begin anything else. */
static bool condemn(const struct pe__keeper *keeper, uint32_t index)
{
    const struct pe__kept *kept = &keeper->kept[index];
    struct pe__record *record = &keeper->shared->records[kept->stop_record];
    int64_t item = kept->stop_item;
    if (item == 0)
        return pe__record_swap(record, running_word(kept, index),
                               pe__record_word(kept->stop_sequence, index, PE__RECORD_STOPPING));
    return atomic_compare_exchange_strong_explicit(&keeper->shared->slots[index].due, &item,
                                                   item | PE__LIMIT_CONDEMNED, memory_order_seq_cst,
                                                   memory_order_relaxed);
}

/* What was asked had its time to return by itself. */
static void begin_stopping(struct pe__keeper *keeper, uint32_t index, int64_t now_ns)
{
    struct pe__kept *kept = &keeper->kept[index];
    if (!condemn(keeper, index)) {
        kept->stop_stage = PE__STOP_NONE; /* it has */
        return;
    }
    if (kept->pid == 0) {
        pe__keeper_settle_orphan(keeper, index); /* held by a dead number that waits for its next life */
        return;
    }
    bool soft = kept->stop_grace_ns > 0;
    kept->stop_stage = soft ? PE__STOP_TERMINATED : PE__STOP_KILLED;
    kept->stop_signal = soft ? SIGTERM : SIGKILL;
    kept->stop_due_ns = pe__base_later(now_ns, kept->stop_grace_ns);
    signal_worker(keeper, kept, kept->stop_signal);
    if (soft)
        signal_worker(keeper, kept, SIGCONT); /* a stopped process would not see SIGTERM */
}

static void force(const struct pe__keeper *keeper, struct pe__kept *kept)
{
    kept->stop_stage = PE__STOP_KILLED;
    kept->stop_signal = SIGKILL;
    if (kept->pid != 0)
        signal_worker(keeper, kept, SIGKILL);
}

static bool waits(const struct pe__kept *kept)
{
    return kept->stop_stage == PE__STOP_ASKED || kept->stop_stage == PE__STOP_TERMINATED;
}

void pe__keeper_stop_due(struct pe__keeper *keeper, int64_t now_ns)
{
    for (uint32_t i = 0; i < keeper->numbers; i++) {
        struct pe__kept *kept = &keeper->kept[i];
        if (!waits(kept) || kept->stop_due_ns > now_ns)
            continue;
        if (kept->stop_stage == PE__STOP_ASKED)
            begin_stopping(keeper, i, now_ns);
        else
            force(keeper, kept);
    }
    if (keeper->kill_due_ns != 0 && keeper->kill_due_ns <= now_ns) {
        keeper->kill_due_ns = 0;
        keeper->give_up_ns = now_ns + GIVE_UP_NS;
        pe__keeper_signal_all(keeper, SIGKILL);
    }
}

int64_t pe__keeper_next_stop(const struct pe__keeper *keeper)
{
    int64_t due = INT64_MAX;
    for (uint32_t i = 0; i < keeper->numbers; i++)
        if (waits(&keeper->kept[i]) && keeper->kept[i].stop_due_ns < due)
            due = keeper->kept[i].stop_due_ns;
    if (keeper->kill_due_ns != 0 && keeper->kill_due_ns < due)
        due = keeper->kill_due_ns;
    if (keeper->give_up_ns != 0 && keeper->give_up_ns < due)
        due = keeper->give_up_ns;
    return due;
}

void pe__keeper_signal_all(struct pe__keeper *keeper, int number)
{
    for (uint32_t i = 0; i < keeper->numbers; i++)
        if (keeper->kept[i].pid != 0)
            signal_worker(keeper, &keeper->kept[i], number);
}

void pe__keeper_kill_all(struct pe__keeper *keeper, int64_t grace_ns)
{
    int64_t now_ns = pe__base_now_ns();
    keeper->leaving = true;
    keeper->killing = true;
    keeper->kill_due_ns = now_ns;
    if (grace_ns > 0) {
        keeper->kill_due_ns = pe__base_later(now_ns, grace_ns);
        pe__keeper_signal_all(keeper, SIGTERM);
        pe__keeper_signal_all(keeper, SIGCONT);
    }
}
