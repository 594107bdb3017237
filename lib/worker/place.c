/*
 * place.c - keeps workers that have work on CPUs of their own.
 *
 * A process that is woken comes to the CPU where it was, or where its waker is. Two workers that are rung one after the
 * other may so be put on one CPU, while that of the host falls idle when the host sleeps. The kernel finds out at a
 * tick, some milliseconds later; by then a short map is over. So a worker leaves a note in its slot, on which CPU it
 * is, when it takes work, now and then while it works, and before it sleeps. One that has worked for PE__PLACE_TICKS
 * looks at the notes: if another worker that should be running has been on the same CPU lately, or has slept there and
 * was rung, then one of them does not run, and the one that does goes to a CPU where nobody is. Only one of them runs,
 * so only one goes. It goes seldom, since others than workers may be there.
 *
 * A note is a hint: written by the worker that lives in the slot alone, read by workers alone, relaxed on both sides,
 * since nothing is reached through it. A wrong one costs a move. One that dies leaves its note behind; its bit in
 * `present` is cleared, so nobody counts it, until the next life overwrites the note when it begins to work.
 * With more workers than CPUs, or pinned ones, there is nothing to be had.
 */
#include "worker/place.h"

#include <sched.h>

#define RESTED (UINT64_C(1) << 15) /* the note was left before a sleep */
#define CPU_BITS (RESTED - 1)      /* the number of the CPU and 1; 0: not known */
#define FRESH_TICKS (UINT64_C(1) << 22)       /* a millisecond or two: later it may have been moved */
#define AFTER_MOVE_TICKS (UINT64_C(1) << 23)
#define WORKERS_EACH 8 /* to look at so many takes as long again until the next look */

static int leave_note(struct pe__worker *worker, uint64_t now, uint64_t flag)
{
    int cpu = sched_getcpu();
    uint64_t place = cpu >= 0 && (uint64_t)cpu < CPU_BITS ? (uint64_t)cpu + 1 : 0;
    atomic_store_explicit(&worker->slot->place, (now & ~(RESTED | CPU_BITS)) | flag | place, memory_order_relaxed);
    return cpu;
}

void pe__worker_place_rest(struct pe__worker *worker)
{
    if (worker->shared->config->cpus > 1)
        leave_note(worker, 0, RESTED);
    worker->place_due = 0;
}

/* Where that worker is, if it should be running; below 0: nowhere. */
static int place_of(const struct pe__worker *worker, uint32_t other, uint64_t now)
{
    const struct pe__shared *shared = worker->shared;
    const struct pe__bell_group *group = pe__bell_group_of(shared->groups, other);
    uint64_t idle = atomic_load_explicit(&group->sleepers, memory_order_relaxed) |
                    atomic_load_explicit(&group->spinning, memory_order_relaxed) |
                    ~atomic_load_explicit(&group->present, memory_order_relaxed);
    uint64_t note = atomic_load_explicit(&shared->slots[other].place, memory_order_relaxed);
    if ((idle & pe__bell_bit(other)) != 0 || ((note & RESTED) == 0 && now - note > FRESH_TICKS))
        return -1;
    return (int)(note & CPU_BITS) - 1;
}

/* The CPUs without any of the others. True: one of those is on this worker's. */
static bool take_out_others(const struct pe__worker *worker, int cpu, uint32_t workers, uint64_t now, cpu_set_t *free)
{
    bool is_shared = false;
    CPU_CLR((size_t)cpu, free);
    for (uint32_t other = 0; other < workers; other++) {
        int place = other == worker->index ? -1 : place_of(worker, other, now);
        if (place >= 0 && place < CPU_SETSIZE)
            CPU_CLR((size_t)place, free);
        is_shared |= place == cpu;
    }
    return is_shared;
}

/* The affinity is as before afterwards. False: there is no place to go to, or no need. */
static bool move_apart(const struct pe__worker *worker, int cpu, uint32_t workers, uint64_t now)
{
    cpu_set_t allowed, free;
    if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        return false;
    free = allowed;
    if (!take_out_others(worker, cpu, workers, now, &free) || CPU_COUNT(&free) == 0)
        return false;
    bool moved = sched_setaffinity(0, sizeof free, &free) == 0;
    sched_setaffinity(0, sizeof allowed, &allowed);
    return moved;
}

void pe__worker_place_look(struct pe__worker *worker, uint64_t now)
{
    const struct pe__config *config = worker->shared->config;
    uint32_t workers = atomic_load_explicit(&config->workers, memory_order_relaxed);
    if (config->cpus < 2 || workers < 2 || workers > config->cpus || config->affinity != 0) {
        worker->place_due = UINT64_MAX;
        return;
    }
    int cpu = leave_note(worker, now, 0);
    bool has_begun = worker->place_due == 0;
    worker->place_due = now + PE__PLACE_TICKS * (1 + workers / WORKERS_EACH);
    if (has_begun || !move_apart(worker, cpu, workers, now))
        return;
    leave_note(worker, now, 0);
    worker->place_due = now + AFTER_MOVE_TICKS;
}
