/*
 * reap.c - the ends of workers: whose process it was, whether it was to end, and how soon another one follows.
 *
 * In this order: the announcements of the dead are taken back, what the number held is settled (settle.c), then
 * everybody is rung. Deaths that follow one another without any success are counted (deaths.c).
 */
#include "keeper/reap.h"

#include <errno.h>
#include <sys/wait.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "base/clock.h"
#include "keeper/deaths.h"
#include "keeper/output.h"
#include "keeper/settle.h"

static void clear_announcements(struct pe__keeper *keeper, uint32_t index)
{
    struct pe__bell_group *group = pe__bell_group_of(keeper->shared->groups, index);
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
    return config->jobs_per_worker != 0 || config->rss_limit_bytes != 0 || pe__keeper_output_may_fill(keeper);
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

/* What became of the process, whatever becomes of what it held. */
static uint32_t kind_of_death(const struct pe__kept *kept, bool stopped)
{
    uint32_t kind;
    int32_t code;
    pe__keeper_ending_of(kept, &kind, &code);
    if (stopped)
        kind = kept->stop_phase == PE__RECORD_TIMED_OUT ? PE_TIMED_OUT : PE_CANCELLED;
    return kind;
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
        pe__keeper_note_death(keeper, index);
        pe__keeper_give_up(keeper, PE__MESSAGE_FAILED, PE_EINIT);
        return;
    }
    bool retired = has_retired(keeper, life, status, record);
    kept->last_death = retired ? 0 : kind_of_death(kept, stopped);
    atomic_store_explicit(&slot->due, 0, memory_order_release);
    kept->inherited = PE__SLOT_NO_RECORD;
    if (retired && was_spared(keeper, index, life, record)) {
        leave_vacant(keeper, index, record);
        return;
    }
    if (record != PE__SLOT_NO_RECORD)
        pe__keeper_settle_record(keeper, index, record, !retired && life != PE__SLOT_STARTING);
    if (stopped)
        kept->stop_stage = PE__STOP_NONE; /* whatever it held */
    count_replacement(keeper, retired);
    if (!retired && !stopped)
        pe__keeper_count_death(keeper, index);
    /* Left although nobody is to leave: a scribbler has set the word for it, and would keep us forking. */
    if (retired && !keeper->leaving && !may_retire(keeper))
        kept->fork_due_ns = pe__base_now_ns() + PE__KEEPER_BACK_OFF_NS;
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
        (void)waitpid(pid, &status, 0); /* it has ended, and nobody else takes it */
        if (index == keeper->numbers)
            continue;
        keeper->served = keeper->served || any_has_served(keeper);
        settle(keeper, index, status);
    }
}
