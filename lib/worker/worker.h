/* worker.h - what a worker knows of itself: one for each process, private to it. */
#ifndef PE__WORKER_WORKER_H
#define PE__WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/mapping.h"
#include "worker/memory.h"
#include "worker/output.h"
#include "worker/reply.h"
#include "worker/scope.h"

/* What it knows of a level of the queue. */
struct pe__worker_queue {
    uint64_t cursor; /* every position below it has been looked at, by whomever */
    uint64_t tail;   /* when it was last looked at */
};

/* What it knows of measuring regions. */
struct pe__worker_regions {
    uint32_t followed; /* what the host's word was when it was last looked at */
    bool runs;         /* what runs is being measured */
    uint64_t served;   /* the worker's, when that began */
    uint32_t death;    /* of the process that had the number before: still to be marked */
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
    uint64_t token;       /* of this process (base/forked.h); a copy of it is known by that (copy.h) */
    struct pe__worker_queue queues[PE__QUEUE_LEVELS];
    uint64_t ticks;       /* end of the last thing done; 0: not known any more */
    uint64_t served;      /* jobs and items in this life */
    int64_t spin_ns;      /* how long the next wait may spin */
    uint64_t place_due;   /* ticks: when it looks where the others are (place.c); 0: as soon as it works */
    int64_t idle_since_ns; /* when this worker first slept after the last record; 0: not since */
    uint32_t batch;       /* records run since this worker last found nothing to do */
    uint32_t lone;        /* times in turn that it found no more than one or two before the queue was empty */
    bool paces;           /* leaves the queue alone for a while before it looks again */
    struct pe__worker_memory memory;
    struct pe__worker_output output;
    struct pe__worker_regions regions;
    /* of the record in hand */
    uint32_t record_index;
    uint64_t word;
    int64_t due;          /* of what runs, if that has a limit: what is in the slot */
    uint32_t reply_block;
    pe_reply reply;
    struct pe__worker_scope scope;
};

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

#endif
