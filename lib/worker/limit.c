/*
 * limit.c - the worker's part of time limits: says when what it runs is over its limit, and waits to be killed where
 * the keeper has condemned that before it returned. shared/limit.h has the argument.
 */
#include "worker/limit.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/step.h"
#include "worker/serve.h"

void pe__worker_begin_limit(struct pe__worker *worker)
{
    atomic_store_explicit(&worker->slot->due, worker->due, memory_order_seq_cst);
    PE__STEP(LIMITED);
    if (worker->due < atomic_load_explicit(&worker->shared->watch->wakes_ns, memory_order_seq_cst))
        pe__bell_ring_keeper(worker->keeper_bell);
    PE__STEP(LIMIT_RUNG);
}

void pe__worker_end_limit(struct pe__worker *worker)
{
    int64_t due = worker->due;
    if (!atomic_compare_exchange_strong_explicit(&worker->slot->due, &due, 0, memory_order_acq_rel,
                                                 memory_order_relaxed)) {
        /* Anything else is a scribbler's, and nobody would ever end this process. */
        if (due != (worker->due | PE__LIMIT_CONDEMNED))
            _exit(EXIT_FAILURE);
        pe__worker_await_death();
    }
    PE__STEP(UNLIMITED);
}

bool pe__worker_begin_job(struct pe__worker *worker)
{
    const struct pe__record_more *more = &worker->shared->records_more[worker->record_index];
    int64_t timeout_ns = atomic_load_explicit(&more->timeout_ns, memory_order_relaxed);
    int64_t deadline_ns = atomic_load_explicit(&more->deadline_ns, memory_order_relaxed);
    int64_t now_ns = pe__base_now_ns();
    bool begun_before = atomic_load_explicit(&more->attempts, memory_order_relaxed) > 0;
    if (deadline_ns != 0 && now_ns >= deadline_ns && !begun_before)
        return false;
    worker->due = pe__limit_due(now_ns, timeout_ns, deadline_ns);
    pe__worker_begin_limit(worker);
    return true;
}
