/*
 * stop.c - stopping jobs that run: the flag, then SIGTERM, then SIGKILL.
 *
 * The flag comes before STOPPING, so a job that returns in time keeps its worker. Signals come only after the
 * record's word was swapped from RUNNING(w) to STOPPING(w): from then on the worker cannot complete the
 * record nor claim another one, so no signal ever hits an innocent job. The final phase is written by reap.c
 * once the worker is reaped.
 */
#include "keeper/keeper.h"

#include <parexec/pool.h>

#include "base/clock.h"

#define GIVE_UP_NS (INT64_C(2) * 1000000000)

static struct pe__record *record_at(const struct pe__keeper *keeper, uint32_t index)
{
    return index < pe__mapping_records(keeper->shared) ? &keeper->shared->records[index] : NULL;
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
    struct pe__kept *kept = &keeper->kept[owner];
    int64_t grace_ns = message->grace_ns > 0 ? message->grace_ns : 0;
    if (kept->stop_stage != PE__STOP_NONE && kept->stop_record == message->record &&
        kept->stop_sequence == message->sequence)
        return; /* asked before: the grace does not begin anew */
    kept->stop_stage = PE__STOP_ASKED;
    kept->stop_record = message->record;
    kept->stop_sequence = message->sequence;
    kept->stop_phase = message->phase;
    kept->stop_signal = 0;
    kept->stop_grace_ns = grace_ns;
    kept->stop_due_ns = pe__base_now_ns() + grace_ns;
}

/* A worker that was forked just now may not lead its group yet. */
void pe__keeper_signal(const struct pe__keeper *keeper, const struct pe__kept *kept, int number)
{
    bool group = (keeper->shared->config->flags & PE_POOL_GROUPS) != 0;
    if (!group || kill(-kept->pid, number) < 0)
        kill(kept->pid, number);
}

/* The job had its time to return by itself. */
static void begin_stopping(struct pe__keeper *keeper, uint32_t index, int64_t now_ns)
{
    struct pe__kept *kept = &keeper->kept[index];
    struct pe__record *record = &keeper->shared->records[kept->stop_record];
    uint64_t running = pe__record_word(kept->stop_sequence, index, PE__RECORD_RUNNING);
    uint64_t stopping = pe__record_word(kept->stop_sequence, index, PE__RECORD_STOPPING);
    if (!pe__record_swap(record, running, stopping)) {
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
    kept->stop_due_ns = now_ns + kept->stop_grace_ns;
    pe__keeper_signal(keeper, kept, kept->stop_signal);
    if (soft)
        pe__keeper_signal(keeper, kept, SIGCONT); /* a stopped process would not see SIGTERM */
}

static void force(const struct pe__keeper *keeper, struct pe__kept *kept)
{
    kept->stop_stage = PE__STOP_KILLED;
    kept->stop_signal = SIGKILL;
    if (kept->pid != 0)
        pe__keeper_signal(keeper, kept, SIGKILL);
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
            pe__keeper_signal(keeper, &keeper->kept[i], number);
}

void pe__keeper_kill_all(struct pe__keeper *keeper, int64_t grace_ns)
{
    int64_t now_ns = pe__base_now_ns();
    keeper->leaving = true;
    keeper->killing = true;
    keeper->kill_due_ns = now_ns;
    if (grace_ns > 0) {
        keeper->kill_due_ns = grace_ns < INT64_MAX - now_ns ? now_ns + grace_ns : INT64_MAX;
        pe__keeper_signal_all(keeper, SIGTERM);
        pe__keeper_signal_all(keeper, SIGCONT);
    }
}
