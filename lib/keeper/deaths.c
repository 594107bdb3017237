/*
 * deaths.c - deaths of workers in a row, that is, without a job or item that has ended in between.
 *
 * After the first few of a row the pool gets one process in a tenth of a second, not each of its workers one: what
 * crashes whoever takes it costs the machine as little in a large pool as in a small one. A success ends the row at
 * once, and all that lack a process get one.
 */
#include "keeper/deaths.h"

#include <parexec/error.h>
#include <parexec/pool.h>

#include "keeper/settle.h"

#define DEATHS_AT_ONCE 5

static uint64_t ended_in_all(const struct pe__keeper *keeper)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < keeper->numbers; i++)
        sum += atomic_load_explicit(&keeper->shared->slots[i].ended, memory_order_relaxed);
    return sum;
}

static bool has_succeeded(const struct pe__keeper *keeper, uint64_t ended)
{
    return keeper->succeeded || ended != keeper->ended_before;
}

void pe__keeper_note_death(const struct pe__keeper *keeper, uint32_t index)
{
    struct pe__keeper_counts *counts = keeper->shared->counts;
    const struct pe__kept *kept = &keeper->kept[index];
    int32_t failed = atomic_exchange_explicit(&keeper->shared->slots[index].init_code, 0, memory_order_relaxed);
    uint32_t kind;
    int32_t code;
    pe__keeper_ending_of(kept, &kind, &code);
    if (failed != 0) {
        kind = PE_RETURNED;
        code = failed;
    }
    atomic_store_explicit(&counts->death_code, code, memory_order_relaxed);
    atomic_store_explicit(&counts->death_pid, (int32_t)kept->last_pid, memory_order_relaxed);
    atomic_store_explicit(&counts->death_worker, (int32_t)index, memory_order_relaxed);
    atomic_store_explicit(&counts->death_kind, kind, memory_order_release);
}

void pe__keeper_count_death(struct pe__keeper *keeper, uint32_t index)
{
    uint32_t most = keeper->shared->config->max_deaths;
    uint64_t ended = ended_in_all(keeper);
    pe__keeper_note_death(keeper, index);
    keeper->deaths = has_succeeded(keeper, ended) ? 1 : keeper->deaths + 1;
    keeper->succeeded = false;
    keeper->ended_before = ended;
    if (most != UINT32_MAX && keeper->deaths >= most)
        pe__keeper_give_up(keeper, PE__MESSAGE_BROKEN, PE_EBROKEN);
}

int64_t pe__keeper_may_fork_ns(const struct pe__keeper *keeper)
{
    if (keeper->deaths <= DEATHS_AT_ONCE || has_succeeded(keeper, ended_in_all(keeper)))
        return INT64_MIN;
    return keeper->forked_ns + PE__KEEPER_BACK_OFF_NS;
}
