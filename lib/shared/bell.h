/*
 * bell.h - sleeping and waking across processes.
 *
 * Workers sleep on a futex in their slot; the host sleeps on a descriptor (an eventfd), so that it can also
 * be watched by somebody's event loop. A bell is rung only when the sleeping side has announced that it
 * sleeps:
 *
 *     worker: set the own bit in `sleepers`;  look again at queue and stop flag;  sleep, unless the bell was rung
 *     host:   push a job;                     look at `sleepers`;                 clear a bit, ring that worker
 *
 *     host:   set `host_waits`;               look again at the records;          sleep on the descriptor
 *     worker: swap a record's word;           look at `host_waits`;               set it to 0, write the descriptor
 *
 * The host also says which record it waits for, so that it is not woken for each of many that end before
 * (PE__BELL_ANY: for whichever comes first), and whether it waits for its end or for its claim.
 *
 * Each side writes, then looks at what the other side wrote: with both in sequentially consistent order at
 * least one of them sees the other, so no wake-up is lost. (Anything weaker lets both look too early.) The
 * order of a worker's own sleep is kept by the futex: the bell's count is read before the announcement, and
 * the kernel compares it again.
 *
 * A ringer may die between clearing an announcement and ringing. After settling any death the keeper
 * therefore rings every bell, announced or not; all sleepers accept spurious rings. Bits of a dead worker are
 * cleared by the keeper when it reaps it. `present` has a bit for each worker that serves: present and not
 * asleep means it will look at the queue before it sleeps, so the host need not ring while there are no more
 * jobs in flight than such workers (pool/submit.c argues it).
 *
 * A worker that leaves for want of work (idle_ns) goes the same way, one step further:
 *
 *     worker: set the own bit in `vacant`, clear it in `present`;  look again;  leave, or take both back
 *     host:   push a job;   look at `present`, `sleepers`, `vacant`;   clear a bit in `vacant`, tell the keeper
 *
 * The keeper is told over its socket, and starts a process for that number once it has reaped the last one. What it
 * is told of a number whose worker has stayed after all it does when that one leaves: one start for nothing. A bit
 * stands in `vacant` also while the worker is on its way out, and when it dies on it the keeper clears the bit, for
 * a number whose process died gets another one in any case. `spinning` bounds the number of workers that
 * spin before they sleep; a wrong bit there costs time only.
 */
#ifndef PE__SHARED_BELL_H
#define PE__SHARED_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/slot.h"

#define PE__BELL_GROUP_WORKERS 64
#define PE__BELL_FOR_END 1u   /* the host waits for a record to end */
#define PE__BELL_FOR_CLAIM 2u /* the host waits for a record to be claimed: for room in the queue */
#define PE__BELL_ANY UINT32_MAX

/* What the host announces: {record:32, what for:32}; 0: nothing. */
static inline uint64_t pe__bell_announcement(uint32_t record, uint32_t what_for)
{
    return (uint64_t)record << 32 | what_for;
}

static inline bool pe__bell_is_meant(uint64_t announcement, uint32_t record, uint32_t what_for)
{
    uint32_t wanted = (uint32_t)(announcement >> 32);
    return (announcement & what_for) != 0 && (wanted == record || wanted == PE__BELL_ANY);
}

/* Announcements of 64 workers. */
struct pe__bell_group {
    _Atomic uint64_t present;
    _Atomic uint64_t sleepers;
    _Atomic uint64_t vacant; /* left for want of work, to be started on demand */
    uint64_t pad0[5];
    _Atomic uint64_t spinning;
    uint64_t pad1[7];
};

_Static_assert(sizeof(struct pe__bell_group) == 128, "what the host reads at every push has a line of its own");

static inline uint64_t pe__bell_bit(uint32_t worker)
{
    return UINT64_C(1) << (worker % PE__BELL_GROUP_WORKERS);
}

/* The group that a worker is in. */
static inline struct pe__bell_group *pe__bell_group_of(struct pe__bell_group *groups, uint32_t worker)
{
    return &groups[worker / PE__BELL_GROUP_WORKERS];
}

/* For the first worker of each group of so many workers. */
#define PE__BELL_EACH_GROUP(first, workers) \
    for (uint32_t first = 0; first < (workers); first += PE__BELL_GROUP_WORKERS)

/* Rings one worker's bell; wakes it if it sleeps on it. Never blocks. */
void pe__bell_ring_worker(struct pe__slot *slot);

/* Sleeps until the bell no longer counts `seen`, a signal handler ran, or (timeout_ns >= 0) the time is
 * over. */
void pe__bell_sleep(struct pe__slot *slot, uint32_t seen, int64_t timeout_ns);

/* Clears the announcement of one sleeper, if there is any, and rings it. */
bool pe__bell_wake_one(struct pe__bell_group *groups, struct pe__slot *slots, uint32_t workers);

/* Rings every worker, announced or not. */
void pe__bell_ring_all(struct pe__bell_group *groups, struct pe__slot *slots, uint32_t workers);

/* Makes the host's descriptor readable. Async-signal-safe, never blocks, keeps errno. */
void pe__bell_ring_host(int fd);

/* The same for the keeper's (limit.h). */
void pe__bell_ring_keeper(int fd);

/* Takes all rings out of such a descriptor. True: there was one. */
bool pe__bell_drain(int fd);

#endif
