/*
 * idle.c - how a worker waits: a short spin while a CPU is to spare, then a sleep that costs nothing.
 *
 * Waking a sleeper across cores takes two orders of magnitude longer than a spin that succeeds, so a worker
 * spins for a bounded time first. No more workers do so at once than there are CPUs beyond the host's own;
 * the others give the CPU away a few times and sleep. With a single CPU for all, one worker gives it away and
 * the others sleep at once. A spinner that finds itself on the CPU where the host waits moves: the scheduler
 * may leave two processes that yield to each other on one CPU for seconds. A spin that ends in sleep halves
 * the next one, a successful one restores it.
 *
 * A spinner looks at the line that the host is about to write, so each look costs the host a cache miss. That is the
 * quickest way to a single job, and the slowest to many: a worker that is quicker than the host would take every
 * line away as soon as it is written. So now and then a worker stays away for PACE_TICKS and counts what it finds
 * then; as long as that is a batch, it goes on like this, and host and worker each work on lines of their own.
 *
 * A worker that has slept for idle_ns without a record, however often it was rung in vain, leaves: announce, look
 * again, leave, the order that bell.h argues.
 */
#include "worker/idle.h"

#include <sched.h>

#include "base/clock.h"
#include "base/cpu_relax.h"
#include "base/step.h"
#include "shared/spin.h"
#include "worker/place.h"

#define LOOKS_PER_TAIL 8
#define YIELDS 4
#define PACE_TICKS 1000 /* 0.3 to 0.5 us */
#define BATCH_LEAST 3
#define LONE_EACH 256   /* single jobs before the worker stays away once to see whether there is a batch */

/* The very line that a job comes in; of the level above the normal one, which is mostly left alone, the tail. */
static bool has_job(const struct pe__worker *worker)
{
    uint64_t at = worker->queues[PE_PRIORITY_NORMAL].cursor;
    const struct pe__record *record = pe__worker_record_at(worker, PE_PRIORITY_NORMAL, at);
    return atomic_load_explicit(&record->word, memory_order_relaxed) == pe__worker_queued_word(worker, at) ||
           pe__worker_has_pushed(worker, PE_PRIORITY_HIGH);
}

static bool any_pushed(const struct pe__worker *worker)
{
    for (uint32_t level = 0; level < PE__QUEUE_LEVELS; level++)
        if (pe__worker_has_pushed(worker, level))
            return true;
    return false;
}

static bool has_news(const struct pe__worker *worker)
{
    return any_pushed(worker) || atomic_load_explicit(&worker->shared->config->stop, memory_order_seq_cst) != 0 ||
           pe__worker_is_surplus(worker) ||
           atomic_load_explicit(&worker->slot->order, memory_order_seq_cst) != 0;
}

/* How many workers may stay awake without work. */
static uint32_t awake_most(const struct pe__worker *worker)
{
    uint32_t cpus = worker->shared->config->cpus;
    return cpus > 1 ? cpus - 1 : 1;
}

/* The bit of a worker that dies meanwhile is cleared by the keeper; a wrong count costs time only. */
static bool stay_awake(struct pe__worker *worker)
{
    uint64_t others = atomic_fetch_or_explicit(&worker->group->spinning, worker->bit, memory_order_relaxed);
    if ((uint32_t)__builtin_popcountll(others) < awake_most(worker))
        return true;
    atomic_fetch_and_explicit(&worker->group->spinning, ~worker->bit, memory_order_relaxed);
    return false;
}

static bool look_often(const struct pe__worker *worker)
{
    for (int look = 0; look < PE__SPIN_LOOKS; look++) {
        if (has_job(worker) || (look % LOOKS_PER_TAIL == 0 && has_news(worker)))
            return true;
        pe__base_cpu_relax();
    }
    return false;
}

/* Leaves this CPU; the affinity mask is as before afterwards. False: no other one is allowed. */
static bool move_away(int cpu)
{
    cpu_set_t allowed, others;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        return false;
    others = allowed;
    CPU_CLR(cpu, &others);
    if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) < 0)
        return false;
    sched_setaffinity(0, sizeof allowed, &allowed);
    return true;
}

static void make_way(struct pe__worker *worker)
{
    int cpu = sched_getcpu();
    bool in_the_way = cpu >= 0 && cpu == atomic_load_explicit(&worker->shared->config->host_cpu, memory_order_relaxed);
    if (!in_the_way || !move_away(cpu))
        sched_yield();
}

/* After a few rounds in vain the CPU is offered each time: whoever is to bring the news may be waiting for
 * this very one. */
static bool spin(struct pe__worker *worker)
{
    int64_t end_ns = pe__base_now_ns() + worker->spin_ns;
    for (int round = 0; !look_often(worker); round++) {
        if (pe__base_now_ns() >= end_ns)
            return false;
        if (round >= PE__SPIN_ROUNDS_ALONE)
            make_way(worker);
    }
    return true;
}

/* Whoever is to bring the news may need this CPU; with one CPU for all it surely does. */
static bool yield_a_little(const struct pe__worker *worker)
{
    for (int i = 0; i < YIELDS; i++) {
        sched_yield();
        if (has_news(worker))
            return true;
    }
    return false;
}

static bool wait_awake(struct pe__worker *worker)
{
    bool has_cpus = worker->shared->config->cpus > 1;
    if (!stay_awake(worker))
        return has_cpus && yield_a_little(worker);
    PE__STEP(SPINNING);
    bool found = has_cpus ? spin(worker) : yield_a_little(worker);
    PE__STEP(SPUN);
    atomic_fetch_and_explicit(&worker->group->spinning, ~worker->bit, memory_order_relaxed);
    pe__spin_adapt(&worker->spin_ns, found);
    return found;
}

/* How long this worker may sleep before it is one too many; below 0: for ever. */
static int64_t patience_of(struct pe__worker *worker)
{
    int64_t idle_ns = worker->shared->config->idle_ns;
    if (idle_ns == 0)
        return -1;
    int64_t now_ns = pe__base_now_ns();
    if (worker->idle_since_ns == 0)
        worker->idle_since_ns = now_ns;
    int64_t slept_ns = now_ns - worker->idle_since_ns;
    return slept_ns < idle_ns ? idle_ns - slept_ns : 0;
}

/* Announce, look again, leave. False: there is something to do after all. */
static bool may_leave(struct pe__worker *worker)
{
    struct pe__bell_group *group = worker->group;
    atomic_fetch_or_explicit(&group->vacant, worker->bit, memory_order_seq_cst);
    PE__STEP(VACANT);
    atomic_fetch_and_explicit(&group->present, ~worker->bit, memory_order_seq_cst);
    PE__STEP(ABSENT);
    if (!has_news(worker))
        return true;
    atomic_fetch_or_explicit(&group->present, worker->bit, memory_order_seq_cst);
    atomic_fetch_and_explicit(&group->vacant, ~worker->bit, memory_order_seq_cst);
    return false;
}

/* Announce, look again, sleep: the order that bell.h argues. */
static void sleep_until_rung(struct pe__worker *worker, int64_t patience_ns)
{
    uint32_t seen = atomic_load_explicit(&worker->slot->bell, memory_order_acquire);
    PE__STEP(BELL_SEEN);
    atomic_fetch_or_explicit(&worker->group->sleepers, worker->bit, memory_order_seq_cst);
    PE__STEP(ANNOUNCED);
    if (!has_news(worker)) {
        PE__STEP(ASLEEP);
        pe__bell_sleep(worker->slot, seen, patience_ns);
    }
    PE__STEP(WOKEN);
    atomic_fetch_and_explicit(&worker->group->sleepers, ~worker->bit, memory_order_seq_cst);
    PE__STEP(AWAKE);
}

/* Whether the jobs come in a stream that is best taken in batches; the last one was of so many. */
static bool is_time_to_pace(struct pe__worker *worker, uint32_t batch)
{
    if (batch >= BATCH_LEAST) {
        worker->lone = 0;
        worker->paces = true;
    } else if (batch > 0) {
        worker->paces = ++worker->lone % LONE_EACH == 0;
    }
    return worker->paces && batch > 0;
}

static void stay_away(void)
{
    uint64_t start = pe__base_ticks();
    while (pe__base_ticks() - start < PACE_TICKS)
        pe__base_cpu_relax();
}

bool pe__worker_idle(struct pe__worker *worker)
{
    uint32_t batch = worker->batch;
    worker->batch = 0;
    worker->ticks = 0;
    if (batch > 0)
        worker->idle_since_ns = 0;
    if (worker->shared->config->cpus > 1 && is_time_to_pace(worker, batch))
        stay_away();
    if (has_news(worker) || wait_awake(worker))
        return true;
    int64_t patience_ns = patience_of(worker);
    if (patience_ns == 0)
        return !may_leave(worker);
    pe__worker_place_rest(worker);
    sleep_until_rung(worker, patience_ns);
    if (worker->output.fd >= 0)
        pe__worker_output_awake(&worker->output, worker->shared->counts);
    return true;
}
