/*
 * pool.h - the host's side of a pool: its private book.
 *
 * Everything the host relies on is here, in its own memory: which records are busy with which use and job, which
 * positions of the queue may still wait, which blocks are held. Shared memory is only asked, and every answer is
 * checked against this book.
 *
 * Locking: one mutex guards all fields of the pool and of its jobs, but for those marked otherwise. Nobody
 * sleeps, and no function of the user runs, while it is held. Of several waiting threads one is the leader:
 * it alone reads the descriptors, and wakes the others through `changed` when it has collected. Reference
 * counts keep the pool's memory until the last job handle is gone.
 */
#ifndef PE__POOL_POOL_H
#define PE__POOL_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "base/forked.h"
#include "base/list.h"
#include "pool/doubt.h"
#include "pool/job.h"
#include "pool/loaded.h"
#include "pool/slab.h"
#include "region/source.h"
#include "shared/heap.h"
#include "shared/mapping.h"

enum pe__pool_state {
    PE__POOL_OPEN = 1,
    PE__POOL_CLOSED = 2, /* takes no new jobs */
    PE__POOL_ENDED = 3,  /* joined or killed: no process is left */
    PE__POOL_BROKEN = 4, /* the keeper is gone: no process is left */
};

/* What the host believes of a record. */
struct pe__entry {
    struct pe__base_list link; /* of its level's busy records, oldest first, while `job` is not NULL */
    pe_job *job;               /* NULL: free */
    struct pe__base_list *watches; /* of a plain job, the first of a ring (pool/listen.h); NULL: none */
    uint64_t sequence;         /* of its present or last use */
    uint16_t lane;             /* of a ticket */
    uint16_t addressee;        /* number + 1 of the only worker that may claim it, 0: any may */
    bool is_ticket;
    bool is_counted; /* in its level's `queued`: a plain job that has been seen neither claimed nor cancelled */
    bool stop_asked; /* the keeper was told to stop this use */
    bool more_used;  /* retries and attempts in the record may be other than 0 */
    uint8_t limits;  /* PE__LIMIT_*, of its present use */
};

/* What it knows of one level of the queue (shared/queue.h). */
struct pe__level {
    uint32_t number;           /* PE_PRIORITY_*; constant */
    uint32_t first;            /* of its records; constant */
    struct pe__base_list busy; /* records in flight, in the order of their pushes */
    uint64_t tail;             /* positions pushed or left out */
    uint64_t claimed;          /* no position below it waits, as far as has been looked */
    uint32_t queued;           /* plain jobs in positions [claimed, tail), but for those that were cancelled */
    uint64_t queued_bytes;     /* of their arguments, if the pool has a budget for them */
    bool has_orphans;          /* maybe: tickets that are to be queued again */
};

struct pe__backend;

struct pe_pool {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a leader has collected, or stepped down */
    uint64_t token;         /* tells a forked child, see base/forked.h; constant */
    uint32_t refs;          /* the pool's handle and every job */
    enum pe__pool_state state;
    const struct pe__backend *backend; /* constant */
    pe_pool_options options;           /* checked, defaults filled in; constant */
    _Atomic uint32_t workers;          /* wanted; their numbers are 0 to workers - 1; changed under the mutex */
    uint32_t numbers;                  /* worker numbers that have ever been in use */
    struct pe__loaded loaded;
    struct pe__shared shared;          /* constant until the end */
    struct pe__shared_heap heap;
    struct pe__region_source regions; /* its workers' tables; see its head */
    bool from_seed;

    int control;      /* the host's end of the socket to the keeper, -1 without one */
    int bell;         /* eventfd */
    int alive;        /* read end: end of file when keeper and workers are gone */
    int keeper_pidfd; /* -1 where the kernel has none */
    pid_t keeper_pid; /* 0 without one */
    int notice;       /* eventfd: something for a loop outside, which a waiting thread has collected */
    int nudge;        /* eventfd: for the leader, whose ring a loop outside has taken */
    int epoll;        /* what pe_pool_fd gives: bell, control, keeper and notice */
    bool tell_broken; /* to the log hook, once the mutex is released */
    int failure;      /* what the keeper said before it gave up, 0: nothing */

    struct pe__entry *entries; /* one for each record */
    uint64_t *waiting_bytes; /* of each record, as it counts in its level's queued_bytes; NULL: no budget */
    struct pe__level levels[PE__QUEUE_LEVELS];
    uint32_t in_flight;  /* records, of all levels */
    uint32_t collect_from; /* in flight, when a submission collects */
    int32_t size_order;  /* the last one that the keeper was given */
    int32_t size_heard;  /* the last one that it has carried out */
    bool all_gone;       /* the keeper said that it has reaped every worker */
    bool leaving;        /* the keeper was told to end: its end breaks nothing, if it comes in order */
    bool killing;        /* it was told to end at once: nor in any other way */
    bool settling;       /* the end has come: see pe__pool_settle_rest */
    int64_t glance_due_ns; /* see pe__pool_glance_at_keeper */
    struct pe__doubt doubt;
    bool *block_held;    /* blocks that a result lies in */
    uint32_t map_busy;   /* bit for each map descriptor */
    uint32_t deadlines;  /* records in flight that have one */
    uint64_t expired;    /* what the keeper had ended in the queue when all was collected last */

    struct pe__base_list maps; /* maps that have not ended */
    bool has_orphans;          /* some level has */
    uint64_t live_count;       /* jobs of any kind that have not ended */
    struct pe__base_list ready_callbacks;
    bool in_callback;
    bool freeing; /* the last callbacks run: no further one is taken */
    pthread_t callback_thread;
    bool broadcasting;         /* some thread is in pe_pool_broadcast */
    bool leader;
    int64_t spin_ns; /* how long the next leader may spin */
    uint32_t waiters;       /* besides the leader */
    uint32_t claim_waiters; /* of all who wait, those for whom a claim will do */
    bool armed; /* somebody sleeps on `epoll`, outside the library */
    uint32_t dozing; /* of `listeners` */
    struct pe__base_list listeners; /* struct pe__listener */
    uint32_t handled; /* jobs that ended since the last pe_pool_poll counted */
    struct pe__slabs slabs; /* job handles */
    uintptr_t last_fn; /* found among `loaded` last time, and there for ever */
    _Atomic uint32_t callbacks_due; /* in ready_callbacks; changed under the mutex only */
    _Atomic int interrupted; /* not guarded: set in signal handlers */
    pe_stats stats; /* the counting part */
    uint64_t queue_ticks; /* that jobs which have ended waited, as workers say */
    uint64_t born;        /* ticks; constant */
};

/* Public calls that need the mutex begin with this: 0 with the mutex held, or an error without it. */
static inline int pe__pool_enter(pe_pool *pool)
{
    if (pool == NULL)
        return PE_EINVAL;
    if (pe__base_forked(pool->token))
        return PE_EFORKED;
    pthread_mutex_lock(&pool->mutex);
    return 0;
}

/* And ends with this. */
void pe__pool_leave(pe_pool *pool);

static inline bool pe__pool_in_callback(const pe_pool *pool)
{
    return pool->in_callback && pthread_equal(pool->callback_thread, pthread_self());
}

void pe__pool_unref(pe_pool *pool);

/* The record whose place in the list of busy ones `link` is. */
static inline uint32_t pe__pool_record_of(const pe_pool *pool, const struct pe__base_list *link)
{
    return (uint32_t)(PE__BASE_LIST_ENTRY(link, struct pe__entry, link) - pool->entries);
}

static inline uint32_t pe__pool_record_at(const pe_pool *pool, const struct pe__level *level, uint64_t position)
{
    return level->first + pe__queue_record(0, position, pool->shared.geometry.records);
}

/* Its record's word while it waits. */
static inline uint64_t pe__pool_queued_word(const struct pe__entry *entry)
{
    return pe__record_word(entry->sequence, entry->addressee, PE__RECORD_QUEUED);
}

/* The level whose record it is. */
static inline struct pe__level *pe__pool_level_of(pe_pool *pool, uint32_t record)
{
    return &pool->levels[pe__queue_level(record, pool->shared.geometry.records)];
}

/* Somebody outside sleeps until the next end. */
static inline bool pe__pool_is_armed(const pe_pool *pool)
{
    return pool->armed || pool->dozing > 0;
}

#define PE__POOL_EACH_LEVEL(level, pool) \
    for (struct pe__level *level = (pool)->levels; level < (pool)->levels + PE__QUEUE_LEVELS; level++)

#endif
