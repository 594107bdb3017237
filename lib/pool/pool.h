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

#include "base/list.h"
#include "base/forked.h"
#include "keeper/keeper.h"
#include "pool/job.h"
#include "pool/loaded.h"
#include "pool/slab.h"
#include "shared/heap.h"
#include "shared/mapping.h"

/* Longest spin of a waiting thread before it sleeps. */
#define PE__POOL_SPIN_NS 30000

enum pe__pool_state {
    PE__POOL_OPEN = 1,
    PE__POOL_CLOSED = 2, /* takes no new jobs */
    PE__POOL_ENDED = 3,  /* joined or killed: no process is left */
    PE__POOL_BROKEN = 4, /* the keeper is gone: no process is left */
};

/* What the host believes of a record. */
struct pe__entry {
    struct pe__base_list link; /* of the pool's busy records, oldest first, while `job` is not NULL */
    pe_job *job;               /* NULL: free */
    uint64_t sequence;         /* of its present or last use */
    uint32_t lane;             /* of a ticket */
    bool is_ticket;
    bool is_counted; /* in `queued`: a plain job that has been seen neither claimed nor cancelled */
    bool stop_asked; /* the keeper was told to stop this use */
    bool more_used;  /* retries, cancel and attempts in the record may be other than 0 */
};

/* What the last look of pool/doubt.c saw. */
struct pe__doubt {
    int64_t due_ns;
    uint32_t record; /* the oldest that waited */
    uint64_t sequence;
    uint64_t asleep[PE_WORKERS_MAX / PE__BELL_GROUP_WORKERS];
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
    struct pe__loaded loaded;          /* constant */
    struct pe__shared shared;          /* constant until the end */
    struct pe__shared_heap heap;
    bool from_seed;

    int control;      /* the host's end of the socket to the keeper, -1 without one */
    int bell;         /* eventfd */
    int alive;        /* read end: end of file when keeper and workers are gone */
    int keeper_pidfd; /* -1 where the kernel has none */
    int notice;       /* eventfd: something for a loop outside, which a waiting thread has collected */
    int nudge;        /* eventfd: for the leader, whose ring a loop outside has taken */
    int epoll;        /* what pe_pool_fd gives: bell, control, keeper and notice */
    bool tell_broken; /* to the log hook, once the mutex is released */
    int failure;      /* what the keeper said before it gave up, 0: nothing */

    struct pe__entry *entries; /* one for each record */
    struct pe__base_list busy; /* records in flight, in the order of their pushes */
    uint64_t tail;       /* positions pushed or left out */
    uint64_t claimed;    /* no position below it waits, as far as has been looked */
    uint32_t queued;     /* plain jobs in positions [claimed, tail), but for those that were cancelled */
    uint32_t in_flight;  /* length of `busy` */
    uint32_t collect_from; /* in flight, when a submission collects */
    bool all_gone;       /* the keeper said that it has reaped every worker */
    bool leaving;        /* the keeper was told to end: its end breaks nothing, if it comes in order */
    bool killing;        /* it was told to end at once: nor in any other way */
    bool settling;       /* the end has come: see pe__pool_settle_rest */
    struct pe__doubt doubt;
    bool *block_held;    /* blocks that a result lies in */
    uint32_t map_busy;   /* bit for each map descriptor */

    struct pe__base_list maps; /* maps that have not ended */
    bool has_orphans;          /* maybe: tickets that are to be queued again */
    uint64_t live_count;       /* jobs of any kind that have not ended */
    struct pe__base_list ready_callbacks;
    bool in_callback;
    pthread_t callback_thread;
    bool leader;
    int64_t spin_ns; /* how long the next leader may spin */
    uint32_t waiters;       /* besides the leader */
    uint32_t claim_waiters; /* of all who wait, those for whom a claim will do */
    bool armed; /* somebody sleeps on `epoll`, outside the library */
    uint32_t handled; /* jobs that ended since the last pe_pool_poll counted */
    struct pe__slabs slabs; /* job handles */
    uintptr_t last_fn; /* found among `loaded` last time */
    _Atomic uint32_t callbacks_due; /* in ready_callbacks; changed under the mutex only */
    _Atomic int interrupted; /* not guarded: set in signal handlers */
    pe_stats stats; /* the counting part */
};

/* What a submission asks for. */
struct pe__request {
    pe_job_fn *fn;
    const void *arg;
    size_t arg_bytes;
    uint32_t retries;
    bool may_wait; /* else PE_EAGAIN */
    int64_t deadline_ns;
};

/* Where jobs go: processes, or the caller itself. */
struct pe__backend {
    /* Accepts `job` (whose first line is set); called and returns with the mutex held. */
    int (*submit)(pe_pool *pool, pe_job *job, const struct pe__request *request);
    /* Starts the map of `job`. */
    int (*start_map)(pe_pool *pool, pe_job *job, bool may_wait);
};

extern const struct pe__backend pe__process_backend;
extern const struct pe__backend pe__inline_backend;

/* options.c: checks and completes; the result is self-contained but for keep_fds. */
int pe__pool_options_check(const pe_pool_options *given, pe_pool_options *ret_options);

/* start.c: the keeper, its descriptors, and the wait for the first worker. */
int pe__pool_start_processes(pe_pool *pool);
int pe__pool_open_descriptors(pe_pool *pool);
void pe__pool_close_descriptors(pe_pool *pool);
void pe__pool_unwatch_keeper(pe_pool *pool);

/* Every public call begins with this: 0 with the mutex held, or an error without it. */
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

/* pool.c */
void pe__pool_unref(pe_pool *pool);

/* submit.c */
bool pe__pool_has_positions(pe_pool *pool, uint32_t count); /* in the queue, busy records included */
bool pe__pool_find_place(pe_pool *pool); /* for one record; collects, so not for the middle of a collection */
uint32_t pe__pool_take_record(pe_pool *pool, pe_job *job); /* at the next free position: there is one */
void pe__pool_push(pe_pool *pool, uint32_t record, bool may_ring);
bool pe__pool_ring_if_needed(pe_pool *pool);
int pe__pool_check_open(const pe_pool *pool);
bool pe__pool_has_loaded(pe_pool *pool, uintptr_t fn); /* when the workers were forked */
int pe__pool_submit_to_processes(pe_pool *pool, pe_job *job, const struct pe__request *request);
int pe__pool_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, const pe_job_options *options,
                    bool may_wait, pe_job **ret_job);

/* collect.c: looks at busy records and takes over what has ended. */
void pe__pool_collect_record(pe_pool *pool, uint32_t record);
uint32_t pe__pool_collect_front(pe_pool *pool, uint32_t most);
uint32_t pe__pool_collect_all(pe_pool *pool, uint32_t most);
void pe__pool_check_order(pe_pool *pool); /* breaks a pool whose queue a scribbler has spoilt */
bool pe__pool_is_waiting_at(const pe_pool *pool, uint64_t position); /* of the queue */
void pe__pool_look_at_claims(pe_pool *pool);
void pe__pool_end_unclaimed(pe_pool *pool, uint32_t record, uint32_t kind); /* no worker has it or will have it */
void pe__pool_settle_rest(pe_pool *pool, uint32_t kind); /* no process is left: what has not ended ends as `kind` */

/* doubt.c: breaks the pool when workers and records are in a state that cannot be; does something once a
 * second at most. */
void pe__pool_doubt(pe_pool *pool);

/* wait.c */
struct pe__wait {
    bool (*ready)(pe_pool *pool, void *context);
    /* The record whose end (or claim) is worth waking up for, or PE__BELL_ANY; NULL: always that. */
    uint32_t (*target)(pe_pool *pool, void *context);
    void *context;
    int64_t deadline_ns;
    bool for_claim;       /* a claim will do */
    bool uninterruptible; /* leaves an interrupt for the next wait */
};

/* Looks at a record for a microsecond or two, without the mutex; collects it if it has ended. */
void pe__pool_glance(pe_pool *pool, uint32_t record);

/* A target: the record that was pushed last, when everything is waited for. */
uint32_t pe__pool_newest_busy(pe_pool *pool, void *unused);

/* Sleeps without the mutex until ready; 0, PE_ETIMEDOUT or PE_EINTR. Called and returns with the mutex
 * held. */
int pe__pool_wait_for(pe_pool *pool, const struct pe__wait *wait);
bool pe__pool_take_interrupt(pe_pool *pool); /* true: there was one; without the mutex too */
void pe__pool_hear_keeper(pe_pool *pool);
void pe__pool_tell_keeper(pe_pool *pool, const struct pe__message *message);

/* stop.c */
void pe__pool_break(pe_pool *pool);
bool pe__pool_has_processes(const pe_pool *pool);
int pe__pool_kill(pe_pool *pool, int64_t grace_ns);
bool pe__pool_cancel_if_queued(pe_pool *pool, uint32_t record);
void pe__pool_stop_record(pe_pool *pool, uint32_t record, int64_t grace_ns);

/* map.c: a map's way from its call to its last item. */
void pe__map_adopt_orphans(pe_pool *pool); /* between collections, as often as one likes */
void pe__map_ticket_ended(pe_pool *pool, pe_job *job, uint32_t lane, uint64_t word);
void pe__map_finish(pe_pool *pool, pe_job *job, uint32_t rest); /* items still open end as `rest` */
void pe__map_cancel(pe_pool *pool, pe_job *job);
uint32_t pe__map_target(pe_pool *pool, void *job); /* what a wait for it is worth waking up for */
void pe__map_cancel_if_queued(pe_pool *pool, pe_job *job);
void pe__map_free(pe_job *job);
int pe__map_check_options(const pe_map_options *given, pe_map_options *ret_options);
int pe__map_item_status(const pe_job *job, uint64_t item, pe_status *ret_status);
int pe__map_item_text(const pe_job *job, uint64_t item, const char **ret_text, size_t *ret_bytes);

/* progress.c: calls due progress functions without the mutex; when the next one is due, INT64_MAX for
 * none. */
void pe__pool_report_progress(pe_pool *pool);
int64_t pe__pool_progress_due(const pe_pool *pool);

#endif
