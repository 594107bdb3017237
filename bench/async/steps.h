#ifndef PE__BENCH_ASYNC_STEPS_H
#define PE__BENCH_ASYNC_STEPS_H

/* What the contenders of bench/async are made of. `run` does the row's n operations on a loop of its own kind, from the
 * first to the last, and returns a sum that proves that all were done:
 *
 *     SPAWN       starts n tasks, STEPS_BATCH at a time, each of which counts itself and ends: n
 *     AWAIT       starts a task that returns i + 1 and waits for its result, for each i below n: the results' sum
 *     YIELD       plan->workers tasks that make n steps between them, each a turn for all others: the steps
 *     LIVE        n tasks that wait for the same thing; calls memory_look once all wait, lets them go: those that ended
 *     ASLEEP      n tasks that sleep for plan->job_ns: those that woke
 *     ROUND_TRIP  sends work_job(i << 32) to a worker and waits for its result; calls trip_mark after each: the
 *                 results' sum
 *     MANY        the same with FLIGHTS under way all the time
 *
 * A run that fails returns 0, with the note filled where there is something to say. */

#include "table/row.h"

#define STEPS_BATCH 1000
#define FLIGHTS     1000

struct steps {
    int (*open)(const struct plan *plan, void **ret_state);
    uint64_t (*run)(void *state, const struct plan *plan, uint64_t n);
    void (*close)(void *state);
};

/* plan->ops of these drivers is a struct steps. */
extern const struct driver steps_driver;  /* SPAWN, AWAIT, YIELD: ns an operation */
extern const struct driver memory_driver; /* LIVE: bytes a task, in a process of its own */
extern const struct driver asleep_driver; /* ASLEEP: ms beyond the sleep, MiB at most, in a process of its own */
extern const struct driver trips_driver;  /* ROUND_TRIP: mean and median us; MANY: million a second */

/* The sum that proves n operations; steps_check fills the note when it is another. */
int steps_check(const struct plan *plan, uint64_t n, uint64_t proof);

void memory_look(void);
void trip_mark(void);

/* async/states.c: hand-written state machines, one switch for all. */
extern const struct steps states_spawn, states_await, states_yield, states_live, states_asleep;
/* async/chain.c: callbacks in a queue, each puts the next there. */
extern const struct steps chain_spawn, chain_await, chain_yield;
/* async/uv.c: plain libuv. */
extern const struct steps handles_spawn, handles_await, handles_yield, handles_live, handles_asleep;
/* async/ours.c; ours_call: a function awaited as a part of the task that calls it. */
extern const struct steps ours_spawn, ours_await, ours_call, ours_yield, ours_live, ours_asleep;
/* async/event.c: a thread that is woken and wakes through an eventfd. */
extern const struct steps event_trips;
/* async/work.c: uv_queue_work. */
extern const struct steps work_trips, work_flights;
/* async/work-ours.c: pe_await_job. */
extern const struct steps ours_trips, ours_flights;

#endif
