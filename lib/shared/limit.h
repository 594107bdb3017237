/*
 * limit.h - time limits: how the keeper learns of them, and how what overruns is stopped without hitting what follows.
 *
 * Whoever starts something with a limit says when that will be over, the worker in its slot's `due`, the host (of jobs
 * and tickets that wait) in the record or the map, and rings the keeper only if it would wake too late for that:
 *
 *     worker: store `due`;                     look at `wakes`;      ring the keeper, if `due` comes before it
 *     keeper: store `wakes`, the next due time;  look at all slots again;  sleep until then, or until it is rung
 *
 * Each side writes, then looks at what the other side wrote; both are sequentially consistent, so at least one sees
 * the other, and no limit is missed. A keeper that is awake has a `wakes` that has passed, for which nobody rings; it
 * looks before it sleeps. What ends is not told: the keeper wakes for it, finds that it is gone, and sleeps until the
 * end of whatever runs by then. So a stream of short items with limits wakes it once in each limit's time.
 *
 * `due` is the identity of what runs as well. Times are even, so one bit is left:
 *
 *     0 -> D                      worker, when it begins something with a limit
 *     D -> 0                      worker, when that has returned
 *     D -> D | CONDEMNED          keeper, before it signals the worker for an item of a map
 *     anything -> 0               keeper, once the worker is reaped
 *
 * A job is stopped by its claim word (record.h): RUNNING to STOPPING is the swap that its completion loses against.
 * An item has no such word, and its ticket must go on, so there `due` itself is swapped: a worker that finds its item
 * condemned touches nothing more and waits to be killed, so no signal hits the next item. The ticket stays RUNNING
 * under the worker's number and the next life goes on with the lane, as after any death; the keeper has closed the
 * item. If D is there again for something else (begun later, with a shorter limit), that is over its limit as well.
 *
 * Asking comes first: the flag of pe_worker_cancelled. It must not reach what follows. A job is asked by its sequence,
 * an item by D in the lane's `asked`, and is meant by everything that is not below its own. The keeper asks only when
 * D has passed by a clock that it read before it read D from the slot; so whatever runs there later began after D, and
 * has a later one of its own.
 *
 * A worker that dies with `due` set is reaped, and then the keeper clears it. One that dies before it has rung for it
 * needs no ring any more. What a worker writes where it should not ends things of its own pool too early, which the
 * host notices where there was no limit (pool/collect.c), or too late.
 */
#ifndef PE__SHARED_LIMIT_H
#define PE__SHARED_LIMIT_H

#include <stdatomic.h>
#include <stdint.h>

/* A record's `limits`. */
#define PE__LIMIT_TIMEOUT 1u  /* of the time that a job runs */
#define PE__LIMIT_DEADLINE 2u /* it has to be over by then: a job, or the map of a ticket */

#define PE__LIMIT_CONDEMNED INT64_C(1)
#define PE__LIMIT_NEVER (INT64_MAX - 1)

/* One line, written by the keeper. */
struct pe__limit_watch {
    _Atomic int64_t wakes_ns;  /* when the keeper will look by itself; at first, and while it is awake: passed */
    _Atomic uint64_t expired;  /* records that it has ended while they were queued */
    uint64_t pad[6];
};

_Static_assert(sizeof(struct pe__limit_watch) == 64, "one line");

/* When something that begins now is over its limits, of which 0 is none; even, and never too early. */
static inline int64_t pe__limit_due(int64_t now_ns, int64_t timeout_ns, int64_t deadline_ns)
{
    int64_t due = PE__LIMIT_NEVER;
    if (timeout_ns > 0 && timeout_ns < PE__LIMIT_NEVER - now_ns)
        due = now_ns + timeout_ns;
    if (deadline_ns > 0 && deadline_ns < due)
        due = deadline_ns;
    return (due + 1) & ~PE__LIMIT_CONDEMNED;
}

/* Asks everything up to `self` to stop. */
static inline void pe__limit_ask(_Atomic uint64_t *asked, uint64_t self)
{
    uint64_t before = atomic_load_explicit(asked, memory_order_relaxed);
    while (before < self && !atomic_compare_exchange_weak_explicit(asked, &before, self, memory_order_seq_cst,
                                                                   memory_order_relaxed))
        ;
}

#endif
