/* serve.h - a worker's life: initialise, then claim, run and complete records until told to leave. */
#ifndef PE__WORKER_SERVE_H
#define PE__WORKER_SERVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

#include "shared/mapping.h"
#include "worker/memory.h"
#include "worker/output.h"
#include "worker/reply.h"
#include "worker/scope.h"

/* Exit code of a worker whose initialiser failed. Nobody decides by it: the slot's life tells the keeper. */
#define PE__WORKER_EXIT_INIT 70

/* Longest spin before a sleep: about what waking a sleeper costs. */
#define PE__WORKER_SPIN_NS 30000

/* What it knows of a level of the queue. */
struct pe__worker_queue {
    uint64_t cursor; /* every position below it has been looked at, by whomever */
    uint64_t tail;   /* when it was last looked at */
};

struct pe__worker {
    struct pe__shared *shared;
    uint32_t index;
    struct pe__slot *slot;
    struct pe__bell_group *group;
    uint64_t bit;
    int host_bell;
    int keeper_bell;
    int32_t pid;
    struct pe__worker_queue queues[PE__QUEUE_LEVELS];
    uint64_t ticks;       /* end of the last thing done; 0: not known any more */
    uint64_t served;      /* jobs and items in this life */
    int64_t spin_ns;      /* how long the next wait may spin */
    int64_t idle_since_ns; /* when this worker first slept after the last record; 0: not since */
    uint32_t batch;       /* records run since this worker last found nothing to do */
    uint32_t lone;        /* times in turn that it found no more than one or two before the queue was empty */
    bool paces;           /* leaves the queue alone for a while before it looks again */
    struct pe__worker_memory memory;
    struct pe__worker_output output;
    /* of the record in hand */
    uint32_t record_index;
    uint64_t word;
    int64_t due;          /* of what runs, if that has a limit: what is in the slot */
    uint32_t reply_block;
    pe_reply reply;
    struct pe__worker_scope scope;
};

/* What a worker gets along from the keeper. */
struct pe__worker_start {
    int host_bell;
    int output_fd; /* -1: its output is not caught */
    int keeper_bell;
    uint32_t inherited;
};

/*
 * Runs in a fresh child of the keeper and never returns. `inherited` is the record that the slot's last life
 * left RUNNING (or PE__SLOT_NO_RECORD): it is run first.
 */
noreturn void pe__worker_serve(struct pe__shared *shared, uint32_t index, const struct pe__worker_start *start);

/* Waits in idle.c until there may be something to claim, the pool's end included. False: there was nothing for so
 * long that this worker is not needed, and has said so. */
bool pe__worker_idle(struct pe__worker *worker);

/* limit.c: what runs from here on is over its limit at the worker's `due`; it has returned. */
void pe__worker_begin_limit(struct pe__worker *worker);
void pe__worker_end_limit(struct pe__worker *worker);

/* limit.c: of the job in hand. False: its deadline has passed, and it is not to be begun. */
bool pe__worker_begin_job(struct pe__worker *worker);

/* Whatever this worker did would be ignored or wrong: it waits for the SIGKILL that is on its way. */
noreturn void pe__worker_await_death(void);

/* Serves a map's lane until no item is left, in items.c. False: this life has served enough, the ticket
 * stays held. */
bool pe__worker_serve_items(struct pe__worker *worker, const struct pe__record *record);

/* The word of the record at a position, of whatever level, while the position waits. */
static inline uint64_t pe__worker_queued_word(const struct pe__worker *worker, uint64_t position)
{
    return pe__record_word(pe__queue_sequence(position, worker->shared->geometry.records), 0, PE__RECORD_QUEUED);
}

static inline struct pe__record *pe__worker_record_at(const struct pe__worker *worker, uint32_t level,
                                                      uint64_t position)
{
    return &worker->shared->records[pe__queue_record(level, position, worker->shared->geometry.records)];
}

/* A look may be the last one before a sleep (bell.h), hence the order. */
static inline uint64_t pe__worker_tail(const struct pe__worker *worker, uint32_t level)
{
    return atomic_load_explicit(&worker->shared->tails[level].tail, memory_order_seq_cst);
}

/* Something has been pushed to that level that this worker has not looked at. */
static inline bool pe__worker_has_pushed(const struct pe__worker *worker, uint32_t level)
{
    return pe__worker_tail(worker, level) > worker->queues[level].cursor;
}

/* The pool is to have fewer workers. */
static inline bool pe__worker_is_surplus(const struct pe__worker *worker)
{
    return worker->index >= atomic_load_explicit(&worker->shared->config->workers, memory_order_acquire);
}

/* It has taken or written as much as one life may. */
static inline bool pe__worker_is_spent(const struct pe__worker *worker)
{
    return worker->memory.overgrown || worker->output.full;
}

/* Jobs and items this life may still run. */
uint64_t pe__worker_life_left(const struct pe__worker *worker);

#endif
